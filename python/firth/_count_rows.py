"""Rows of counts in blocks: cut, sorted, added up, so that memory stays bounded."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Hashes, Indices, Longs

BLOCK = 1 << 18  # entries that are looked at together: what is made of them stays in cache


def row_blocks(
    indptr: Longs, most: int, first: int = 0, rows: int | None = None
) -> Iterator[tuple[int, int]]:
    """Cut the rows [first, rows) into runs of at most so many entries, or of a single row."""
    rows = len(indptr) - 1 if rows is None else rows
    while first < rows:
        last = int(np.searchsorted(indptr, indptr[first] + most, "right")) - 1
        last = min(max(first + 1, last), rows)
        yield first, last
        first = last


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
