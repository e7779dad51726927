"""What a recommender asks of its questions: rows of names, lists of them, and ranked answers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from firth import kernels
from firth._backend import Doubles, Floats, Longs
from firth._sorting import stable_order
from firth._vectors import checked_keys, checked_vectors
from firth.csr import CSR
from firth.kernels._arguments import shown, whole

_BLOCK = 1 << 20  # rows of vectors that are added up together, in numbers


def names_and_index(name: str, what: str, given: Any) -> tuple[list[str], dict[str, int]]:
    """Return names, all different and at least one, and the row of each."""
    names = checked_keys(given, name, what)
    index = {one: row for row, one in enumerate(names)}
    if len(index) != len(names):
        twice = next(one for row, one in enumerate(names) if index[one] != row)
        raise ValueError(f"{name}: {what}: {twice!r} is given more than once")
    if not names:
        raise ValueError(f"{name}: {what}: there are none")
    return names, index


def checked_column(name: str, what: str, given: Any, items: int, check: bool) -> Floats:
    """Return a number for each item as float32."""
    column = np.asarray(given)
    if column.ndim != 1:
        raise ValueError(f"{name}: {what} has shape {column.shape}, expected ({items},)")
    numbers = checked_vectors(column[:, None], items, check, name, what, "items")
    return np.ascontiguousarray(numbers[:, 0])


def rows_of(name: str, what: str, given: Any, index: Mapping[str, int]) -> tuple[Longs, bool]:
    """Return the rows of names or rows, and whether it was a single one."""
    single = isinstance(given, (str, int, np.integer)) and not isinstance(given, bool)
    several = [given] if single else given
    if isinstance(several, (bytes, Mapping)) or not hasattr(several, "__iter__"):
        raise TypeError(f"{name}: {shown(given)} is neither a name or row of a {what} nor several")
    return np.array([_row(name, what, one, index) for one in several], np.int64), single


def _row(name: str, what: str, one: Any, index: Mapping[str, int]) -> int:
    if isinstance(one, str):
        if one not in index:
            raise KeyError(f"{name}: no {what} is called {one!r}")
        return index[one]
    if isinstance(one, (bool, np.bool_)) or not isinstance(one, (int, np.integer)):
        raise TypeError(f"{name}: {shown(one)} is neither the name nor the row of a {what}")
    if not 0 <= one < len(index):
        raise IndexError(f"{name}: row {shown(one)} is not one of the {len(index)} {what}s")
    return int(one)


def lists_of(
    name: str, what: str, given: Any, index: Mapping[str, int]
) -> tuple[list[Longs], bool]:
    """Return lists of different rows, and whether a single one was given."""
    if isinstance(given, (str, int, np.integer)):
        raise TypeError(f"{name}: {shown(given)} is one {what}, expected several")
    several = list(given)
    single = not several or isinstance(several[0], (str, int, np.integer))
    lists = [several] if single else several
    return [np.unique(rows_of(name, what, one, index)[0]) for one in lists], single


def side_by_side(matrix: CSR, rows: Longs) -> npt.NDArray[np.int64]:
    """Return the columns of some rows, (rows, greatest number of them), with -1 behind."""
    lengths = np.diff(matrix.indptr)[rows]
    places = np.arange(int(lengths.max(initial=0)))
    inside = places < lengths[:, None]
    table = np.full(inside.shape, -1, np.int64)
    table[inside] = matrix.indices[(matrix.indptr[rows][:, None] + places)[inside]]
    return table


def usable_items(
    name: str, exclude: Any, mask: Any, index: Mapping[str, int]
) -> npt.NDArray[np.bool_] | None:
    """Return which items can be in an answer; None: all."""
    if exclude is None and mask is None:
        return None
    usable = np.ones(len(index), np.bool_)
    if mask is not None:
        usable = np.array(mask)
        if usable.dtype != np.bool_ or usable.shape != (len(index),):
            found = f"{usable.dtype} of shape {usable.shape}"
            raise ValueError(f"{name}: mask is {found}, expected bool ({len(index)},)")
    if exclude is not None:
        usable[rows_of(name, "item", exclude, index)[0]] = False
    return usable


def nearest_rows(
    name: str,
    queries: Floats,
    vectors: Floats,
    metric: Any,
    own: Longs,
    k: int,
    single: bool,
    threads: int | None,
) -> tuple[Longs, Floats]:
    """Return the k rows that are nearest to each query, its own left out, -1 where none is left."""
    ids, scores, k = no_answers(name, len(own), k)
    most = min(k, len(vectors))
    if len(own):
        ids[:, :most], scores[:, :most] = kernels.topk(
            queries, vectors, most, metric=metric, exclude=own, threshold=-np.inf, threads=threads
        )
    return (ids[0], scores[0]) if single else (ids, scores)


def no_answers(name: str, many: int, k: int) -> tuple[Longs, Floats, int]:
    """Return -1 and -inf for each of k answers, to be replaced by those that there are."""
    k = whole(name, "k", k, 1, 2**31)
    return np.full((many, k), -1, np.int64), np.full((many, k), -np.inf, np.float32), k


def turned(matrix: CSR) -> tuple[Longs, Longs]:
    """Return offsets and rows of each column of a matrix."""
    owners = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = stable_order(matrix.indices)
    counts = np.bincount(matrix.indices, minlength=matrix.columns)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), owners[order]


def sums_of(vectors: Floats, indptr: Longs, rows: Any) -> Doubles:
    """Return the sum of each list of rows of vectors, (lists, dim) float64."""
    sums = np.zeros((len(indptr) - 1, vectors.shape[1]))
    step = max(1, _BLOCK // vectors.shape[1])
    first = 0
    while first < len(sums):
        last = int(np.searchsorted(indptr, indptr[first] + step, side="right")) - 1
        last = min(max(last, first + 1), len(sums))
        some = vectors[rows[indptr[first] : indptr[last]]].astype(np.float64)
        full = np.flatnonzero(np.diff(indptr[first : last + 1]))
        if len(full):
            begins = indptr[first:last][full] - indptr[first]
            sums[first + full] = np.add.reduceat(some, begins, axis=0)
        first = last
    return sums
