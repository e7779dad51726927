"""cooccurrence in array code: pairs are written down a block of places at a time, and sorted."""

import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from firth._backend import Hashes, Ids, Indices, Longs

FREQUENT_WORDS = 0  # counting along the corpus would gain nothing here
_BLOCK_PAIRS = 2**20  # that are in memory at a time
_DTYPES = (np.float32, np.float64, np.uint64)


def _library_of(array: Any) -> Any:
    return np if isinstance(array, np.ndarray) else importlib.import_module("cupy")


def places(
    *,
    ids: Ids,
    begin: int,
    end: int,
    words: int,
    first: int,
    last: int,
    threads: int,
) -> tuple[Longs, Ids]:
    """Return where words [first, last) stand, by a stable sort."""
    xp: Any = _library_of(ids)
    part = ids[begin:end]
    at = None
    if first > 0 or last < words:
        at = xp.flatnonzero((part >= first) & (part < last))
        part = part[at]
    starts = xp.zeros(words + 1, np.int64)
    xp.cumsum(xp.bincount(part, minlength=words), out=starts[1:])
    order = xp.argsort(part, kind="stable")
    return starts, (order if at is None else at[order]).astype(np.uint32)


def cooccurrence(
    *,
    ids: Ids,
    breaks: Hashes,
    starts: Longs,
    places: Ids,
    frequent: int,
    origin: int,
    first: int,
    last: int,
    weights: Hashes,
    symmetric: bool,
    unit: int,
    dtype: int,
    threads: int,
    isa: str,
    progress: Callable[[int], object] | None,
) -> tuple[Longs, Indices, Any]:
    """Count block by block; the row that a block ends in waits for the next block."""
    xp: Any = _library_of(ids)
    words, told = len(starts) - 1, time.monotonic()
    begin, end = int(starts[first]), int(starts[last])
    step = max(1, _BLOCK_PAIRS // (len(weights) * (2 if symmetric else 1)))
    keys, sums = xp.zeros(0, np.uint64), xp.zeros(0, np.uint64)
    done: list[tuple[Any, Any]] = []
    for here in range(begin, end, step):
        numbers = xp.arange(here, min(here + step, end))
        rows = (xp.searchsorted(starts, numbers, side="right") - 1).astype(np.uint64)
        at = places[here : here + len(numbers)].astype(np.int64) + origin
        more = _company(xp, ids, breaks, at, rows * xp.uint64(words), weights, symmetric)
        keys, sums = _added_up(xp, [(keys, sums), *more])
        cut = int(xp.searchsorted(keys, rows[-1:] * xp.uint64(words))[0])
        done.append((keys[:cut], sums[:cut]))
        keys, sums = keys[cut:], sums[cut:]
        if progress is not None and time.monotonic() - told > 0.05:
            told = time.monotonic()
            progress(here + len(numbers) - begin)
    done.append((keys, sums))
    return _matrix(xp, done, range(first, last), words, unit, dtype)


def _company(
    xp: Any, ids: Any, breaks: Any, at: Any, rows: Any, weights: Any, symmetric: bool
) -> list[tuple[Any, Any]]:
    """Return for each distance, on each side, the keys of pairs and their weights."""
    found = []
    for side in (1, -1) if symmetric else (1,):
        here, row = at, rows
        for d, weight in enumerate(weights.tolist(), start=1):
            there = here + side * d
            inside = (there >= 0) & (there < len(ids))
            if len(breaks):  # the later one of two neighbours must not begin a sentence
                later = xp.where(inside, there + (side < 0), 0)
                bits = breaks[later >> 6] >> (later & 63).astype(np.uint64)
                inside &= (bits & xp.uint64(1)) == 0
            here, row, there = here[inside], row[inside], there[inside]
            keys = row + ids[there].astype(np.uint64)
            found.append((keys, xp.full(len(keys), weight, np.uint64)))
    return found


def _added_up(xp: Any, pairs: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Return different keys, rising, and the sum of what each of them came with."""
    keys = xp.concatenate([some for some, _ in pairs])
    order = xp.argsort(keys)
    keys = keys[order]
    totals = xp.cumsum(xp.concatenate([values for _, values in pairs])[order], dtype=np.uint64)
    ends = xp.flatnonzero(xp.concatenate([keys[1:] != keys[:-1], xp.ones(min(len(keys), 1), bool)]))
    totals = totals[ends]  # they wrap at 2^64, and so do differences, which thus are exact
    totals[1:] -= totals[:-1].copy()
    return keys[ends], totals


def _matrix(
    xp: Any, parts: list[tuple[Any, Any]], rows: range, columns: int, unit: int, dtype: int
) -> tuple[Longs, Indices, Any]:
    """Return keys in order, and their sums, as some rows of a matrix."""
    keys = xp.concatenate([some for some, _ in parts])
    sums = xp.concatenate([values for _, values in parts])
    bounds = xp.arange(rows.start, rows.stop + 1, dtype=np.uint64) * xp.uint64(columns)
    indptr = xp.searchsorted(keys, bounds).astype(np.int64)
    indices = (keys % xp.uint64(max(columns, 1))).astype(np.int32)
    if dtype == _DTYPES.index(np.uint64):
        return indptr, indices, sums
    return indptr, indices, (sums.astype(np.float64) / float(unit)).astype(_DTYPES[dtype])


def merge_counts(
    *,
    parts: list[tuple[Longs, Indices, Hashes]],
    columns: int,
    unit: int,
    dtype: int,
    threads: int,
    isa: str,
) -> tuple[Longs, Indices, Any]:
    """Add up some rows at a time: so many that they have about as many entries as a block."""
    xp: Any = _library_of(parts[0][2])
    ends: Any = sum(indptr for indptr, _, _ in parts)  # of all entries before each row
    rows, row = len(ends) - 1, 0
    done: list[tuple[Any, Any]] = []
    while row < rows:
        most = ends[row : row + 1] + _BLOCK_PAIRS
        stop = max(row + 1, int(xp.searchsorted(ends, most, side="right")[0]) - 1)
        pairs = []
        for indptr, indices, sums in parts:
            begin, end = int(indptr[row]), int(indptr[stop])
            of = xp.searchsorted(indptr[row : stop + 1], xp.arange(begin, end), side="right") - 1
            keys = (of + row).astype(np.uint64) * xp.uint64(columns)
            pairs.append((keys + indices[begin:end].astype(np.uint64), sums[begin:end]))
        done.append(_added_up(xp, pairs))
        row = stop
    done = done or [(xp.zeros(0, np.uint64), xp.zeros(0, np.uint64))]
    return _matrix(xp, done, range(rows), columns, unit, dtype)
