"""Sorting of many rows in piles: each stays in cache, and Ctrl-C is answered between them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from firth._pieces import together

Longs = npt.NDArray[np.int64]
Name = TypeVar("Name", str, bytes)

STEP = 1 << 18  # rows that are looked at together, and of a pile if its key allows
_MOST = 1 << 16  # piles
_NAMES = 1 << 16  # names that are looked at together


def dealt(many: int, piles: int, pile_of: Callable[[slice], npt.NDArray[Any]]) -> list[Longs]:
    """Return the rows of each pile, in their order.

    Parameters
    ----------
    many
        How many rows there are.
    piles
        How many piles, at most 2**16.
    pile_of
        The pile of each row of a part of the rows.
    """
    parts = [slice(first, min(first + STEP, many)) for first in range(0, many, STEP)]
    sizes = np.zeros((len(parts) + 1, piles), np.int64)
    for at, part in enumerate(parts):
        sizes[at + 1] = np.bincount(pile_of(part), minlength=piles)
    ends = np.cumsum(sizes.sum(axis=0))
    begins = np.cumsum(sizes, axis=0) + (ends - sizes.sum(axis=0))
    places = np.empty(many, np.int64)
    for at, part in enumerate(parts):
        order = np.argsort(pile_of(part).astype(np.uint16), kind="stable")
        last = 0
        for pile in np.flatnonzero(sizes[at + 1]).tolist():
            first, last = last, last + int(sizes[at + 1, pile])
            begin = begins[at, pile]
            places[begin : begin + last - first] = order[first:last] + part.start
    return np.split(places, ends[:-1])


def _piles_of(values: npt.NDArray[Any]) -> list[Longs]:
    """Return the rows of piles that lie one above the other, equal values in the same one."""
    many = len(values)
    piles = min(_MOST, many // STEP + 1)
    sample = np.sort(values[:: max(1, many // (64 * piles))])
    bounds = sample[np.arange(1, piles) * len(sample) // piles]
    return dealt(many, piles, lambda part: np.searchsorted(bounds, values[part], side="right"))


def stable_order(values: npt.NDArray[Any]) -> Longs:
    """Return what ``np.argsort(values, kind="stable")`` does; no value is NaN."""
    many = len(values)
    if many <= 2 * STEP:
        return np.argsort(values, kind="stable").astype(np.int64)
    parts = [rows[np.argsort(values[rows], kind="stable")] for rows in _piles_of(values)]
    return together(parts, np.int64)


def different(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Longs]:
    """Return the different values in order, and which of them stands in each row."""
    many = len(values)
    if many <= 2 * STEP:
        found, places = np.unique(values, return_inverse=True)
        return found, places.astype(np.int64)
    places, parts, before = np.empty(many, np.int64), [], 0
    for rows in _piles_of(values):
        some, at = np.unique(values[rows], return_inverse=True)
        places[rows] = at + before
        parts.append(some)
        before += len(some)
    return together(parts, values.dtype), places


def text_order(names: Sequence[str] | Sequence[bytes]) -> list[int]:
    """Return the places of names in their order."""
    runs = [
        sorted(range(first, min(first + _NAMES, len(names))), key=names.__getitem__)
        for first in range(0, len(names), _NAMES)
    ]
    while len(runs) > 1:  # what is sorted already is merged only
        runs = [
            sorted([place for run in runs[i : i + 2] for place in run], key=names.__getitem__)
            for i in range(0, len(runs), 2)
        ]
    return runs[0] if runs else []


def once(names: Sequence[Name]) -> list[Name]:
    """Return each name once, where it is met first."""
    found: dict[Name, None] = {}
    for first in range(0, len(names), _NAMES):
        found.update(dict.fromkeys(names[first : first + _NAMES]))
    return list(found)


def order_in_rows(indptr: Longs, *keys: npt.NDArray[Any]) -> Longs:
    """Return the order of a sparse matrix's entries by row, and there by keys, the last one first.

    That is ``np.lexsort((*keys, rows))``.
    """
    parts, first = [], 0
    lengths = np.diff(indptr)
    while first < len(lengths):
        begin = int(indptr[first])
        last = max(first + 1, int(np.searchsorted(indptr, begin + STEP, side="right")) - 1)
        part = slice(begin, int(indptr[last]))
        owners = np.repeat(np.arange(last - first), lengths[first:last])
        parts.append(np.lexsort((*(key[part] for key in keys), owners)) + begin)
        first = last
    return together(parts, np.int64)
