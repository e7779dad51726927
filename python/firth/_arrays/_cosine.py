"""topk and prepare in array code: bounded memory, no full sorts."""

import importlib
from typing import Any

import numpy as np

from firth._backend import Bytes, Doubles, Floats, Longs
from firth._panels import PANEL, SCANS, packed, panels_of, values_of

_PAIRS = 1 << 21  # (query, item) scores held at a time
_VALUES = 1 << 22  # float64 values held at a time when pairs are scored in the fixed order
_FLOAT32, _BFLOAT16, _INT8 = range(len(SCANS))
_UP = 1 + 2.0**-22  # what is rounded to float32 after this is not less than it was
_LEAST, _GREATEST = 2.0**-30, 2.0**60  # norms between which float32 neither under- nor overflows


# ---- prepare ------------------------------------------------------------------------------------


def prepare(
    *,
    rows: Floats,
    scan: int,
    cosine: bool,
    keep_exact: bool,
    panels: Bytes,
    constants: Floats,
    threads: int,
    isa: str,
) -> int:
    """Fill ``panels`` and ``constants``; return the first row that is not finite, or -1."""
    xp = _array_module(rows)
    n, dim = rows.shape
    constants[:] = xp.asarray([[1], [0], [0]], dtype=np.float32)
    step = max(1, _VALUES // (PANEL * dim)) * PANEL
    for begin in range(0, n, step):
        end = min(n, begin + step)
        part = rows[begin:end]
        bad = _first(xp, ~xp.isfinite(part).all(axis=1))
        if bad >= 0:
            return begin + bad
        codes, constants[:, begin:end] = _encoded(xp, part, scan, cosine, keep_exact)
        if scan == _BFLOAT16:
            codes = (codes.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        if scan != _FLOAT32:
            panels[begin // PANEL : panels_of(end)] = packed(xp, codes, scan)
    return -1


def _encoded(xp: Any, rows: Any, scan: int, cosine: bool, keep_exact: bool) -> tuple[Any, Any]:
    """Return the rows' codes as float64, and their grains, lengths and rests (3, n)."""
    x = rows.astype(np.float64)
    norms = xp.sqrt((x * x).sum(axis=1))
    if scan == _FLOAT32:
        codes, factors = x, xp.ones(len(x))
    else:
        # All rows are scaled by a power of two first: nothing is lost that a code could hold.
        powers = 1 - xp.frexp(xp.abs(x).max(axis=1))[1]
        x = xp.ldexp(x, powers[:, None])
        y = x.astype(np.float32)
        largest = xp.abs(y).max(axis=1)
        if scan == _INT8:
            factors = xp.float32(127) / xp.where(largest > 0, largest, xp.float32(127))
            codes = xp.rint(y * factors[:, None]).astype(np.float64)
        else:
            factors = xp.ones(len(x))
            codes = _to_bfloat16(xp, y).astype(np.float64)
        factors = factors.astype(np.float64)
        x *= factors[:, None]
        factors = xp.ldexp(factors, powers)
    sizes = xp.sqrt((codes * codes).sum(axis=1))
    if keep_exact:
        lost = x - codes
        grains = factors * norms if cosine else factors
        lengths, rests = (norms > 0) if cosine else norms, xp.sqrt((lost * lost).sum(axis=1))
    else:
        grains = sizes if cosine else factors
        lengths, rests = xp.zeros(len(x)), xp.zeros(len(x))
    usable = (norms >= _LEAST) & (norms <= _GREATEST)
    if cosine and not keep_exact:
        usable = norms > 0
    grains = xp.where(norms > 0, xp.where(usable, grains, np.nan), 1.0).astype(np.float32)
    lengths = xp.where(usable, xp.maximum(lengths, sizes / grains), 0.0) * _UP
    rests = xp.where(usable & (rests > 0), xp.maximum(rests * _UP, 2.0**-126), 0.0)
    codes = xp.where(usable[:, None], codes, 0.0)
    return codes, xp.stack([grains, lengths.astype(np.float32), rests.astype(np.float32)])


def _to_bfloat16(xp: Any, values: Any) -> Any:
    """Return the nearest bfloat16 of float32 values, ties to even, as float32."""
    words = values.view(np.uint32)
    words = (words + xp.uint32(0x7FFF) + ((words >> 16) & 1)) & xp.uint32(0xFFFF0000)
    return words.view(np.float32)


# ---- topk ---------------------------------------------------------------------------------------


class _Items:
    """The rows that are ranked: given, or decoded from panels where they are asked for."""

    def __init__(self, xp: Any, rows: Any, panels: Any, grains: Any, count: int, scan: int) -> None:
        self.xp, self.rows, self.panels, self.grains = xp, rows, panels, grains
        self.count, self.dim, self.scan = count, rows.shape[1], scan

    def take(self, ids: Any) -> Any:
        if len(self.rows):
            return self.rows[ids]
        return values_of(self.xp, self.panels, self.grains, ids, self.scan, self.dim)

    def block(self, begin: int, end: int) -> Any:
        if len(self.rows):
            return self.rows[begin:end]
        return self.take(self.xp.arange(begin, end))


def topk(
    *,
    queries: Floats,
    rows: Floats,
    panels: Bytes,
    constants: Floats,
    items: int,
    scan: int,
    cosine: bool,
    exclude: Longs,
    mask: Bytes,
    threshold: Doubles,
    ids: Longs,
    scores: Doubles,
    threads: int,
    isa: str,
) -> tuple[int, int]:
    """Fill ``ids`` and ``scores`` (q, k); return the first query and item not finite, or -1.

    Matrix products in float64 discard what cannot be among the best so far; what is left is scored
    in the order that the compiled kernels sum in (cpp/include/firth/cosine.h). Panels are read only
    where no rows are given.
    """
    xp = _array_module(queries)
    table = _Items(xp, rows, panels, constants[0], items, scan)
    wanted = _Items(xp, queries, None, None, len(queries), scan)
    q_squares, x_squares = _squares(xp, wanted), _squares(xp, table)
    bad = tuple(_first(xp, ~(squares < np.inf)) for squares in (q_squares, x_squares))
    if max(bad) >= 0:
        return bad[0], bad[1]
    norms = xp.sqrt(q_squares), xp.sqrt(x_squares)
    step = max(1, min(256, _PAIRS // max(ids.shape[1], 256)))
    for begin in range(0, len(queries), step):
        part = slice(begin, min(begin + step, len(queries)))
        ids[part], scores[part] = _topk_of_some(
            xp, queries[part], table, norms[0][part], norms[1],
            exclude[part], mask, threshold[part], cosine, ids.shape[1],
        )  # fmt: skip
    return -1, -1


def _topk_of_some(
    xp: Any, queries: Any, items: _Items, q_norms: Any, x_norms: Any,
    exclude: Any, mask: Any, threshold: Any, cosine: bool, k: int,
) -> tuple[Any, Any]:  # fmt: skip
    """Search for queries few enough that k best of each are held at once."""
    q, n, dim = len(queries), items.count, items.dim
    best = xp.full((q, k), -np.inf)
    best_ids = xp.full((q, k), n)
    # Twice the worst rounding of a float64 dot product (Higham, section 3.1), relative to |q||x|.
    error = (4 * dim + 64) * 2.0**-53
    wide, numbers = queries.astype(np.float64), xp.arange(q)
    begin, size = 0, max(k, 256)
    while begin < n:
        end = min(n, begin + min(size, max(256, _PAIRS // q), max(256, _VALUES // dim)))
        products = wide @ items.block(begin, end).astype(np.float64).T
        lengths = q_norms[:, None] * x_norms[None, begin:end]
        worst = xp.maximum(best.min(axis=1), threshold)[:, None]
        # -inf (not yet k items) times a length of 0 is NaN, which passes; so does a zero vector.
        with np.errstate(invalid="ignore", over="ignore"):
            least = (worst - error) * lengths if cosine else worst - error * lengths
            passing = ~(products < least)
        if len(mask):
            passing &= mask[None, begin:end] != 0
        if exclude.shape[1]:
            at, place = xp.nonzero((exclude >= begin) & (exclude < end))
            passing[at, exclude[at, place] - begin] = False
        at, found = xp.nonzero(passing)
        found = found + begin
        exact = _score_pairs(xp, queries, items, q_norms, x_norms, at, found, cosine)
        enough = exact >= threshold[at]
        at = xp.concatenate([at[enough], xp.repeat(numbers, k)])
        found = xp.concatenate([found[enough], best_ids.ravel()])
        exact = xp.concatenate([exact[enough], best.ravel()])
        order = xp.lexsort(xp.stack([found.astype(np.float64), -exact, at.astype(np.float64)]))
        starts = xp.searchsorted(at[order], numbers)
        keep = order[(starts[:, None] + xp.arange(k)[None, :]).ravel()].reshape(q, k)
        best, best_ids = exact[keep], found[keep]
        begin, size = end, 2 * size
    return xp.where(best_ids < n, best_ids, -1), best


def _score_pairs(
    xp: Any, queries: Any, items: _Items, q_norms: Any, x_norms: Any,
    at: Any, found: Any, cosine: bool,
) -> Any:  # fmt: skip
    """Return the scores of the pairs (queries[at], items[found]), summed in the fixed order."""
    exact = xp.empty(len(at))
    step = max(1, _VALUES // items.dim)
    for begin in range(0, len(at), step):
        a, f = at[begin : begin + step], found[begin : begin + step]
        exact[begin : begin + step] = _dots(xp, queries[a], items.take(f))
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


def _squares(xp: Any, items: _Items) -> Any:
    """Return the rows' sums of squares in the fixed order, finite only for finite rows."""
    out = xp.empty(items.count)
    step = max(1, _VALUES // items.dim)
    with np.errstate(invalid="ignore"):
        for begin in range(0, items.count, step):
            part = items.block(begin, min(items.count, begin + step))
            out[begin : begin + step] = _dots(xp, part, part)
    return out


def _first(xp: Any, flags: Any) -> int:
    return int(xp.argmax(flags)) if bool(flags.any()) else -1


def _array_module(array: Any) -> Any:
    return np if isinstance(array, np.ndarray) else importlib.import_module("cupy")
