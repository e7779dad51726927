"""topk in array code: bounded memory, no full sorts."""

import importlib
from typing import Any

import numpy as np

from firth._backend import Floats, Longs

_PAIRS = 1 << 21  # (query, item) scores held at a time
_VALUES = 1 << 22  # float64 values held at a time when pairs are scored in the fixed order


def topk(
    *,
    queries: Floats,
    items: Floats,
    exclude: Longs,
    cosine: bool,
    ids: Longs,
    scores: Floats,
    threads: int,
    isa: str,
) -> tuple[int, int]:
    """Fill ``ids`` and ``scores`` (q, k); return the first query and item not finite, or -1.

    Matrix products in float64 discard what cannot be among the best so far; what is left is scored
    in the order that the compiled kernels sum in (cpp/include/firth/cosine.h).
    """
    xp: Any = np if isinstance(queries, np.ndarray) else importlib.import_module("cupy")
    q_squares, x_squares = _squares(xp, queries), _squares(xp, items)
    bad = tuple(_first(xp, ~(squares < np.inf)) for squares in (q_squares, x_squares))
    if max(bad) >= 0:
        return bad[0], bad[1]
    q_norms, x_norms = xp.sqrt(q_squares), xp.sqrt(x_squares)
    step = max(1, min(256, _PAIRS // max(ids.shape[1], 256)))
    for begin in range(0, len(queries), step):
        part = slice(begin, min(begin + step, len(queries)))
        _topk_of_some(
            xp,
            queries[part],
            items,
            q_norms[part],
            x_norms,
            exclude[part],
            cosine,
            ids[part],
            scores[part],
        )
    return -1, -1


def _topk_of_some(
    xp: Any,
    queries: Any,
    items: Any,
    q_norms: Any,
    x_norms: Any,
    exclude: Any,
    cosine: bool,
    ids: Any,
    scores: Any,
) -> None:
    """Search for queries few enough that k best of each are held at once."""
    (q, k), (n, dim) = ids.shape, items.shape
    best = xp.full((q, k), -np.inf)
    best_ids = xp.full((q, k), n)
    # Twice the worst rounding of a float64 dot product (Higham, section 3.1), relative to |q||x|.
    error = (4 * dim + 64) * 2.0**-53
    wide, rows = queries.astype(np.float64), xp.arange(q)
    begin, size = 0, max(k, 256)
    while begin < n:
        end = min(n, begin + min(size, max(256, _PAIRS // q), max(256, _VALUES // dim)))
        products = wide @ items[begin:end].astype(np.float64).T
        lengths = q_norms[:, None] * x_norms[None, begin:end]
        worst = best.min(axis=1)[:, None]
        # -inf (not yet k items) times a length of 0 is NaN, which passes; so does a zero vector.
        with np.errstate(invalid="ignore"):
            least = (worst - error) * lengths if cosine else worst - error * lengths
            passing = ~(products < least)
        passing &= xp.arange(begin, end)[None, :] != exclude[:, None]
        at, found = xp.nonzero(passing)
        found = found + begin
        exact = _score_pairs(xp, queries, items, q_norms, x_norms, at, found, cosine)
        at = xp.concatenate([at, xp.repeat(rows, k)])
        found = xp.concatenate([found, best_ids.ravel()])
        exact = xp.concatenate([exact, best.ravel()])
        order = xp.lexsort(xp.stack([found.astype(np.float64), -exact, at.astype(np.float64)]))
        starts = xp.searchsorted(at[order], rows)
        keep = order[(starts[:, None] + xp.arange(k)[None, :]).ravel()].reshape(q, k)
        best, best_ids = exact[keep], found[keep]
        begin, size = end, 2 * size
    ids[:] = best_ids
    with np.errstate(over="ignore"):
        scores[:] = best.astype(np.float32)


def _score_pairs(
    xp: Any,
    queries: Any,
    items: Any,
    q_norms: Any,
    x_norms: Any,
    at: Any,
    found: Any,
    cosine: bool,
) -> Any:
    """Return the scores of the pairs (queries[at], items[found]), summed in the fixed order."""
    exact = xp.empty(len(at))
    step = max(1, _VALUES // items.shape[1])
    for begin in range(0, len(at), step):
        a, f = at[begin : begin + step], found[begin : begin + step]
        exact[begin : begin + step] = _dots(xp, queries[a], items[f])
    if cosine:
        lengths = q_norms[at] * x_norms[found]
        exact = xp.where(lengths > 0, exact / xp.where(lengths > 0, lengths, 1.0), 0.0)
    return exact


def _dots(xp: Any, a: Any, b: Any) -> Any:
    """Return the row-wise dot products in float64: eight lanes, then a fixed tree."""
    lanes = xp.zeros((len(a), 8))
    for d in range(0, a.shape[1], 8):
        x = a[:, d : d + 8].astype(np.float64)
        lanes[:, : x.shape[1]] += x * b[:, d : d + 8]
    quarters = lanes[:, :4] + lanes[:, 4:]
    return (quarters[:, 0] + quarters[:, 2]) + (quarters[:, 1] + quarters[:, 3])


def _squares(xp: Any, rows: Any) -> Any:
    """Return the rows' sums of squares in the fixed order, finite only for finite rows."""
    out = xp.empty(len(rows))
    step = max(1, _VALUES // rows.shape[1])
    with np.errstate(invalid="ignore"):
        for begin in range(0, len(rows), step):
            part = rows[begin : begin + step]
            out[begin : begin + step] = _dots(xp, part, part)
    return out


def _first(xp: Any, flags: Any) -> int:
    return int(xp.argmax(flags)) if bool(flags.any()) else -1
