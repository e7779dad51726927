"""Rows of counts in blocks: cut, checked, sorted, so that memory stays bounded."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Hashes, Indices, Longs
from firth.csr import CSR

BLOCK = 1 << 18  # entries that are looked at together: what is made of them stays in cache


def row_blocks(indptr: Longs, most: int) -> Iterator[tuple[int, int]]:
    """Cut rows into runs ``[first, last)`` of at most so many entries, or of a single row."""
    first, rows = 0, len(indptr) - 1
    while first < rows:
        last = int(np.searchsorted(indptr, indptr[first] + most, "right")) - 1
        last = max(first + 1, last)
        yield first, last
        first = last


def check_sums(sums: CSR) -> None:
    """Raise unless a matrix is what the kernels may read: a wrong column would be a wild access.

    Raises
    ------
    TypeError
        An array has another dtype.
    ValueError
        Rows do not follow on each other, columns do not rise or lie outside, or a sum is 0.
    """
    for name, dtype in (("indptr", np.int64), ("indices", np.int32), ("data", np.uint64)):
        array = getattr(sums, name)
        if not isinstance(array, np.ndarray) or array.dtype != dtype:
            found = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"sums: {name} must be {np.dtype(dtype)}, got {found}")
        if array.ndim != 1 or not array.flags.c_contiguous:
            raise ValueError(f"sums: {name} must be contiguous and of 1 dimension")
    indptr, indices, data = sums.indptr, sums.indices, sums.data
    entries = len(data)
    if len(indices) != entries:
        raise ValueError(f"sums: {len(indices)} indices have {entries} data")
    if not len(indptr) or indptr[0] != 0 or indptr[-1] != entries or (np.diff(indptr) < 0).any():
        raise ValueError(f"sums: indptr does not rise from 0 to {entries}")
    for begin in range(0, entries, BLOCK):
        end = min(begin + BLOCK, entries)
        columns = indices[begin:end]
        wrong = int(columns.min()) < 0 or int(columns.max()) >= sums.columns
        if wrong:
            at = begin + int(((columns < 0) | (columns >= sums.columns)).argmax())
            raise ValueError(f"sums: indices[{at}]={indices[at]} is no column of {sums.columns}")
        if not data[begin:end].all():
            at = begin + int((data[begin:end] == 0).argmax())
            raise ValueError(f"sums: data[{at}] is 0, expected no entry")
        fits = np.empty(end - begin, bool)
        fits[0] = begin == 0 or columns[0] > indices[begin - 1]
        np.greater(columns[1:], columns[:-1], out=fits[1:])
        low, high = np.searchsorted(indptr, [begin, end])
        fits[indptr[low:high] - begin] = True
        if not fits.all():
            at = begin + int(fits.argmin())
            raise ValueError(f"sums: indices[{at}]={indices[at]} does not rise in its row")


def sorted_rows(lengths: Longs, columns: Longs | Indices, width: int) -> Longs | None:
    """Return the order that sorts columns within rows; None if they are in order already."""
    keys = np.repeat(np.arange(len(lengths)) * width, lengths) + columns
    if len(keys) < 2 or bool((keys[1:] >= keys[:-1]).all()):
        return None
    bits = (len(keys) - 1).bit_length()
    if (len(lengths) * width) >> (63 - bits) == 0:  # keys with their places: quicker to sort
        keys = (keys << bits) | np.arange(len(keys))
        keys.sort()
        return keys & ((1 << bits) - 1)
    return np.argsort(keys, kind="stable")


def shortened(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Give back the end of an array that nobody else sees."""
    array.resize(size, refcheck=False)
    return array


def run_starts(keys: Longs) -> Longs:
    """Return where runs of the same number begin."""
    begins = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=begins[1:])
    return np.flatnonzero(begins)


def add_twins(sums: Hashes, keys: Longs) -> tuple[Longs, Hashes]:
    """Return where different keys begin in sorted ones, and the sums of each.

    Raises
    ------
    OverflowError
        A sum comes close to 2**64.
    """
    starts = run_starts(keys)
    if len(starts) == len(keys):
        return starts, sums
    if np.add.reduceat(sums.astype(np.float64), starts).max() >= 2.0**63:
        raise OverflowError("a sum above 2**63 units")
    return starts, np.add.reduceat(sums, starts)
