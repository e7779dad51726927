"""Edges -> compressed rows: dealt out to piles of neighbouring rows, and sorted pile by pile.

A pile stays in cache while it is sorted, and Ctrl-C is answered between them.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from firth._backend import Longs
from firth._node_names import Rows
from firth.csr import CSR

_STEP = 1 << 18  # edges that are looked at together
_PILE = 1 << 18  # edges of a pile, if no row has more
_MOST_BITS = 16  # rows are told apart by so many bits when piles are made up
_COLUMN = 2**32 - 1  # a cell is row << 32 | column
_REDUCED: dict[str, Any] = {"sum": np.add, "max": np.maximum, "min": np.minimum}

Pieces = Callable[[], Iterator[tuple[Rows, Rows, Any]]]


class Edges(NamedTuple):
    """Edges by number, and the names that the numbers stand for.

    Attributes
    ----------
    keys
        The names of the nodes in row order.
    sources, targets
        (m,) int32 rows.
    weights
        (m,) numbers, or None.
    directed
        What the source says of itself; None: nothing.
    kind
        "list": an undirected edge may stand there in either direction, and a-b and b-a are twins;
        "matrix": it stands there in both; "index": in either or both, and then with one weight.
    """

    keys: list[str]
    sources: Rows
    targets: Rows
    weights: Any = None
    directed: bool | None = None
    kind: str = "list"


def check_weights(function: str, found: Edges) -> None:
    """Raise ValueError at the first weight that is none."""
    limits = np.finfo(np.float32)
    least, most = float(limits.tiny), float(limits.max)
    for first in range(0, len(found.sources), _STEP):
        some = found.weights[first : first + _STEP]
        fine = (some >= least) & (some <= most)
        if not fine.all():
            at = first + int(fine.argmin())
            raise ValueError(
                f"{function}: edge {at}, from {found.keys[found.sources[at]]!r:.80} to "
                f"{found.keys[found.targets[at]]!r:.80}, has the weight {found.weights[at]}, "
                f"expected a number from {least:.2g} to {most:.2g}"
            )


def compressed(function: str, found: Edges, directed: bool, loops: bool, twins: str) -> CSR:
    """Return the rows of edges: sorted, without twins, both ways where they are undirected."""
    nodes, weighted = len(found.keys), found.weights is not None

    def pieces() -> Iterator[tuple[Rows, Rows, Any]]:
        for first in range(0, len(found.sources), _STEP):
            some = slice(first, first + _STEP)
            a, b = found.sources[some], found.targets[some]
            weights = found.weights[some] if weighted else None
            if not loops and bool((same := a == b).any()):
                a, b = a[~same], b[~same]
                weights = None if weights is None else weights[~same]
            if not directed and found.kind == "list":
                a, b, weights = _both_ways(a, b, weights)
            yield a, b, weights

    csr = _sorted(pieces, nodes, weighted, twins)
    if weighted and len(csr.data) and float(csr.data.max()) == np.inf:
        row, column = cell_at(csr, int(csr.data.argmax()))
        ends = f"{found.keys[row]!r:.80} to {found.keys[column]!r:.80}"
        raise ValueError(f"{function}: the weights from {ends} add up to more than float32 holds")
    if directed or found.kind == "list":
        return csr
    if found.kind == "index":
        return _united(function, csr, found.keys)
    check_symmetric(function, csr, found.keys)
    return csr


def _both_ways(a: Rows, b: Rows, weights: Any) -> tuple[Rows, Rows, Any]:
    """Return each edge and, behind it, the way back; a loop has none."""
    sources, targets = (np.stack(pair, axis=1).reshape(-1) for pair in ((a, b), (b, a)))
    weights = None if weights is None else np.repeat(weights, 2)
    if bool((loops := a == b).any()):
        stay = np.ones(len(sources), np.bool_)
        stay[1::2] = ~loops
        sources, targets = sources[stay], targets[stay]
        weights = None if weights is None else weights[stay]
    return sources, targets, weights


def _sorted(pieces: Pieces, nodes: int, weighted: bool, twins: str) -> CSR:
    shift = max(0, (nodes - 1).bit_length() - _MOST_BITS)
    totals = np.zeros(1 << _MOST_BITS, np.int64)
    for rows, _, _ in pieces():
        totals += np.bincount(rows >> shift, minlength=len(totals))
    ends = np.cumsum(totals)
    piles, pile_of = np.unique((ends - totals) // _PILE, return_inverse=True)
    pile_of = pile_of.astype(np.uint16)
    places = np.append(np.searchsorted(pile_of, np.arange(len(piles))), len(totals))
    begins = np.concatenate([[0], ends])[places]
    cells = np.empty(int(begins[-1]), np.int64)
    weights = np.empty(len(cells)) if weighted else None
    _deal(pieces, shift, pile_of, begins[:-1].copy(), cells, weights)
    indptr = np.zeros(nodes + 1, np.int64)
    indices = np.empty(len(cells), np.int32)
    data = np.empty(len(cells), np.float32) if weighted else None
    at = 0
    for pile in range(len(piles)):
        pile_cells = slice(begins[pile], begins[pile + 1])
        some, kept = _merged(
            cells[pile_cells], None if weights is None else weights[pile_cells], twins
        )
        indices[at : at + len(some)] = some & _COLUMN
        if data is not None:
            with np.errstate(over="ignore"):
                data[at : at + len(some)] = kept
        first, last = (min(nodes, int(place) << shift) for place in places[pile : pile + 2])
        sizes = np.bincount((some >> 32) - first, minlength=last - first)
        indptr[first + 1 : last + 1] = at + np.cumsum(sizes)
        at += len(some)
    if at < len(indices):
        indices, data = indices[:at].copy(), None if data is None else data[:at].copy()
    return CSR(indptr, indices, np.ones(at, np.float32) if data is None else data)


def _deal(
    pieces: Pieces, shift: int, pile_of: Any, begins: Longs, cells: Longs, weights: Any
) -> None:
    """Write edges as cells to where their piles are, those of a pile in their order."""
    for rows, columns, some in pieces():
        piles = pile_of[rows >> shift]
        order = np.argsort(piles, kind="stable")
        dealt = ((rows.astype(np.int64) << 32) | columns)[order]
        values = None if some is None else some[order]
        sizes = np.bincount(piles, minlength=len(begins))
        last = 0
        for pile in np.flatnonzero(sizes).tolist():
            first, last = last, last + int(sizes[pile])
            to = slice(begins[pile], begins[pile] + sizes[pile])
            cells[to] = dealt[first:last]
            if values is not None:
                weights[to] = values[first:last]
        begins += sizes


def _merged(cells: Longs, weights: Any, twins: str) -> tuple[Longs, Any]:
    """Return cells in order, each once."""
    if weights is None:
        cells = np.sort(cells)
        fresh = _fresh(cells)
        return (cells if bool(fresh.all()) else cells[fresh]), None
    order = np.argsort(cells, kind="stable" if twins == "first" else None)
    cells, weights = cells[order], weights[order]
    fresh = _fresh(cells)
    if bool(fresh.all()):
        return cells, weights
    firsts = np.flatnonzero(fresh)
    if twins == "first":
        return cells[firsts], weights[firsts]
    weights = weights.astype(np.float64)
    if twins == "sum":  # in the order of the weights: the same sum, whatever that of the edges is
        sizes = np.diff(firsts, append=len(cells))
        several = np.repeat(sizes > 1, sizes)
        some = weights[several]
        weights[several] = some[np.lexsort((some, cells[several]))]
    return cells[firsts], _REDUCED[twins].reduceat(weights, firsts)


def _fresh(cells: Longs) -> Any:
    fresh = np.ones(len(cells), np.bool_)
    np.not_equal(cells[1:], cells[:-1], out=fresh[1:])
    return fresh


# ---- both directions ----------------------------------------------------------------------------


def entries(csr: CSR) -> Iterator[tuple[Rows, Rows, Any]]:
    """Yield rows, columns and values of a matrix, piece by piece."""
    for first in range(0, csr.nnz, _STEP):
        last = min(first + _STEP, csr.nnz)
        begin, end = np.searchsorted(csr.indptr, [first, last - 1], side="right") - 1
        bounds = np.clip(csr.indptr[begin : end + 2], first, last)
        rows = np.repeat(np.arange(begin, end + 1, dtype=np.int32), np.diff(bounds))
        yield rows, csr.indices[first:last], csr.data[first:last]


def cell_at(csr: CSR, place: int) -> tuple[int, int]:
    """Return row and column of an entry."""
    return int(np.searchsorted(csr.indptr, place, side="right")) - 1, int(csr.indices[place])


def check_symmetric(function: str, csr: CSR, keys: list[str]) -> None:
    """Raise ValueError where a matrix differs from its transpose."""
    nodes = len(keys)
    turned = _sorted(lambda: ((b, a, w) for a, b, w in entries(csr)), nodes, True, "first")
    for (a, b, w), (c, d, x) in zip(entries(csr), entries(turned), strict=True):
        same = (a == c) & (b == d) & (w == x)
        if not same.all():
            at = int(same.argmin())
            one, other = min((int(a[at]), int(b[at])), (int(c[at]), int(d[at])))
            raise ValueError(
                f"{function}: the matrix is not symmetric between {keys[one]!r:.80} and "
                f"{keys[other]!r:.80}, expected directed=True or a symmetric one"
            )


def _united(function: str, csr: CSR, keys: list[str]) -> CSR:
    """Return a matrix with its transpose; where both have an entry, it must be the same."""

    def pieces() -> Iterator[tuple[Rows, Rows, Any]]:
        for a, b, weights in entries(csr):
            yield _both_ways(a, b, weights)

    least, most = (_sorted(pieces, len(keys), True, twins) for twins in ("min", "max"))
    for (a, b, w), (_, _, x) in zip(entries(least), entries(most), strict=True):
        if not (w == x).all():
            at = int((w == x).argmin())
            raise ValueError(
                f"{function}: edges between {keys[a[at]]!r:.80} and {keys[b[at]]!r:.80} have the "
                f"weights {w[at]} and {x[at]}, expected directed=True or the same both ways"
            )
    return most
