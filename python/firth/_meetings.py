"""Who has met what, in any order and several times -> one sparse matrix, with times."""

from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Longs
from firth._columns import Names
from firth._pieces import together
from firth._sorting import STEP, dealt
from firth._vectors import checked_keys
from firth.csr import CSR
from firth.kernels._matrices import check_matrix

DUPLICATES = ("sum", "last", "first", "max")


def merged(
    name: str, users: Names, items: Names, values: Any, times: Any, duplicates: str
) -> tuple[CSR, npt.NDArray[Any] | None]:
    """Return the matrix of rows in any order, and when each of its entries was."""
    many = len(users.rows)
    if len(items.rows) != many:
        raise ValueError(f"{name}: {many} users but {len(items.rows)} items")
    if not many:
        raise ValueError(f"{name}: there are no interactions")
    width = len(items.names)
    if max(len(users.names), width) >= 2**31:
        raise ValueError(f"{name}: more than 2**31 - 1 users or items")
    amounts = _checked_values(name, values, many)
    when = _checked_times(name, times, many)
    counts = np.bincount(users.rows, minlength=len(users.names))
    pile_of = np.cumsum(counts) // max(STEP, many // 2**16 + 1)
    piles = int(pile_of[-1]) + 1
    indptr = np.zeros(len(users.names) + 1, np.int64)
    columns, data, moments = [], [], []
    for rows in dealt(many, piles, lambda part: pile_of[users.rows[part]]):
        keys = users.rows[rows] * width + items.rows[rows]
        keys, some, kept = _in_order(
            keys, amounts[rows], None if when is None else when[rows], duplicates
        )
        indptr[1:] += np.bincount(keys // width, minlength=len(users.names))
        columns.append((keys % width).astype(np.int32))
        with np.errstate(over="ignore"):
            data.append(some.astype(np.float32))
        moments.append(kept)
    found = together(data, np.float32)
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: values of a pair add up to more than float32 holds")
    csr = CSR(np.cumsum(indptr), together(columns, np.int32), found, width)
    return csr, None if when is None else together(moments, when.dtype)


def _in_order(
    keys: Longs, amounts: npt.NDArray[Any], when: npt.NDArray[Any] | None, duplicates: str
) -> tuple[Longs, npt.NDArray[Any], Any]:
    """Return different keys in order, and the amount and the time of each."""
    order = np.argsort(keys, kind="stable") if when is None else np.lexsort((when, keys))
    keys, amounts = keys[order], amounts[order]
    fresh = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
    firsts = np.flatnonzero(fresh)
    lasts = np.append(firsts[1:], len(keys))[: len(firsts)] - 1
    one = firsts if duplicates == "first" else lasts
    if when is not None:
        when = when[order][one]
    if duplicates in ("sum", "max"):
        merge = np.add if duplicates == "sum" else np.maximum
        return keys[firsts], merge.reduceat(amounts, firsts) if len(firsts) else amounts, when
    return keys[firsts], amounts[one], when


def moved(names: list[str], known: list[str], index: dict[str, int]) -> Names:
    """Return the rows of names among those that are known, others behind."""
    everything, places = list(known), dict(index)
    for name in names:
        if name not in places:
            places[name] = len(everything)
            everything.append(name)
    return Names(checked_keys(everything), np.array([places[name] for name in names], np.int64))


def entries(name: str, matrix: Any) -> tuple[Names, Names, npt.NDArray[Any]]:
    """Return rows and columns, named by their numbers, and values of a matrix."""
    if isinstance(matrix, CSR):
        check_matrix(name, "matrix", matrix, matrix.data.dtype)
        found = matrix
    elif hasattr(matrix, "tocsr"):
        found = matrix.tocsr()
    else:
        kind = type(matrix).__name__
        raise TypeError(f"{name}: users is {kind} and items is None, expected a sparse matrix")
    rows, columns = (int(size) for size in found.shape)
    owners = np.repeat(np.arange(rows), np.diff(found.indptr))
    present = found.data != 0  # stored zeros are nothing
    sides = (owners[present], rows), (found.indices.astype(np.int64)[present], columns)
    users, items = (Names([str(row) for row in range(many)], at) for at, many in sides)
    return users, items, found.data[present]


def _checked_values(name: str, values: Any, many: int) -> npt.NDArray[np.float64]:
    if values is None:
        return np.ones(many)
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise TypeError(f"{name}: values: dtype {given.dtype} is no number")
    if given.shape != (many,):
        raise ValueError(f"{name}: values has shape {given.shape}, expected ({many},)")
    doubles = given.astype(np.float64)
    limits = np.finfo(np.float32)
    fine = (doubles >= limits.tiny) & (doubles <= limits.max)
    if not fine.all():
        place = int(fine.argmin())
        raise ValueError(
            f"{name}: values[{place}] is {given[place]}, expected a finite number above 0 "
            f"({limits.tiny:.2g} to {limits.max:.2g})"
        )
    return doubles


def _checked_times(name: str, times: Any, many: int) -> npt.NDArray[Any] | None:
    if times is None:
        return None
    given = np.asarray(times)
    if given.dtype.kind not in "fiuM":
        raise TypeError(f"{name}: times: dtype {given.dtype} is neither number nor datetime64")
    if given.shape != (many,):
        raise ValueError(f"{name}: times has shape {given.shape}, expected ({many},)")
    wrong = np.isnat(given) if given.dtype.kind == "M" else ~np.isfinite(given)
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(f"{name}: times[{place}] is {given[place]}, expected a time")
    return given
