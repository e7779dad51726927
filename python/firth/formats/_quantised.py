"""Quantised matrices of fastText's .ftz files, decoded to float32 rows.

A row is cut into parts of `dsub` numbers, the last one maybe shorter, and of each part only the
number of the nearest of 256 centroids is stored (Jégou, Douze and Schmid 2011, "Product
Quantization for Nearest Neighbor Search"). With ``qnorm`` rows had length 1 when they were cut and
their lengths are quantised in the same way. A matrix is

==============  =======  ==================================================
qnorm           uint8
rows, columns   int64
size of codes   int32    rows * parts
codes           uint8    (rows, parts)
codebook        ...      of the rows
codes of norms  uint8    (rows,), with ``qnorm``
codebook        ...      of the norms, with ``qnorm``
==============  =======  ==================================================

and a codebook: columns, parts, dsub and what is left for the last part (int32), then the centroids
(float32), 256 of each part.
"""

import numpy as np

from firth._reading import CheckedReader
from firth.formats._fasttext import Floats, Rows, fill_finite, integer, read_shape, wrong

_CENTROIDS = 256
_MOST_DSUB = 64  # usual are 2 to 16; a row takes four times as many bytes as it has in codes
_STEP = 1 << 18  # numbers decoded together


def read_quantised(file: CheckedReader, what: str, rows: int, dim: int, wanted: Rows) -> Floats:
    """Read and decode some of the rows of a quantised matrix."""
    qnorm = integer(file, f"qnorm of the {what}", 8, 0, 1)
    read_shape(file, what, rows, dim)
    at = file.offset
    size = integer(file, f"size of the codes of the {what}", 32, 0, rows * dim)
    if rows and (size % rows or not size):
        raise wrong(file, at, "size of the codes", f"a multiple of {rows} rows", size)
    codes = np.empty(size, np.uint8)
    file.fill(codes, f"codes of the {what}")
    parts = _read_codebook(file, what, dim, size // rows if rows else None)
    norms = None
    if qnorm:
        norm_codes = np.empty(rows, np.uint8)
        file.fill(norm_codes, f"codes of norms of the {what}")
        norms = _read_codebook(file, f"norms of the {what}", 1, 1)[0][:, 0][norm_codes]
    return _decoded(file, at, codes.reshape(rows, len(parts)), parts, norms, wanted, what)


def _read_codebook(file: CheckedReader, what: str, dim: int, parts: int | None) -> list[Floats]:
    """Return the centroids (256, numbers of the part) of each part."""
    integer(file, f"columns in the codebook of the {what}", 32, dim, dim)
    at = file.offset
    count = integer(file, f"parts in the codebook of the {what}", 32, 1, dim)
    dsub = integer(file, f"dsub in the codebook of the {what}", 32, 1, _MOST_DSUB)
    last = integer(file, f"last dsub in the codebook of the {what}", 32, 1, dsub)
    if parts not in (None, count):
        raise wrong(file, at, "parts", f"{parts}, as many as there are codes per row", count)
    if (count - 1) * dsub + last != dim:
        expected = f"parts of {dim} numbers together"
        raise wrong(file, at + 4, "dsub", expected, (count - 1) * dsub + last)
    file.require(4 * _CENTROIDS * dim, f"centroids of the {what}")
    numbers = np.empty(_CENTROIDS * dim, "<f4")
    fill_finite(file, numbers, f"centroid of the {what}")
    whole = (count - 1) * dsub * _CENTROIDS  # the last part's centroids lie as close as they are
    result = list(numbers[:whole].reshape(count - 1, _CENTROIDS, dsub))
    return [*result, numbers[whole:].reshape(_CENTROIDS, last)]


def _decoded(
    file: CheckedReader,
    at: int,
    codes: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    parts: list[Floats],
    norms: Floats | None,
    wanted: Rows,
    what: str,
) -> Floats:
    dim = sum(part.shape[1] for part in parts)
    result = np.empty((sum(end - begin for begin, end in wanted), dim), np.float32)
    filled, step = 0, max(1, _STEP // dim)
    for begin, end in wanted:
        for first in range(begin, end, step):
            last = min(first + step, end)
            rows = result[filled : filled + last - first]
            column = 0
            for part, centroids in enumerate(parts):
                rows[:, column : column + centroids.shape[1]] = centroids[codes[first:last, part]]
                column += centroids.shape[1]
            if norms is not None:
                with np.errstate(over="ignore", under="ignore"):
                    rows *= norms[first:last, None]
                if not np.isfinite(rows).all():
                    raise wrong(file, at, f"rows of the {what}", "finite numbers", "infinity")
            filled += last - first
    return result
