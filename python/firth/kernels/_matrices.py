"""The check of sparse matrices that kernels are given: what breaks it would break them."""

from typing import Any

import numpy as np

from firth.csr import CSR
from firth.kernels._arguments import array_module, contiguous, integer, rising, typed

MOST_COLUMNS = 2**31 - 1  # columns are int32
_BLOCK = 2**16  # entries that are looked at while they are in cache


def check_matrix(function: str, name: str, matrix: object, dtype: Any) -> CSR:
    """Return a matrix whose arrays are what they should be, or raise.

    They are ``indptr`` (rows + 1,) int64 that rises from 0 to the entries, ``indices`` int32 that
    rise in each row and are below ``columns``, and ``data`` of the dtype, above 0 and finite. Float
    data may not be subnormal, since kernels do not see those apart from 0.
    """
    if not isinstance(matrix, CSR):
        raise TypeError(f"{function}: {name} is {type(matrix).__name__}, expected CSR")
    indptr, indices, data = matrix.indptr, matrix.indices, matrix.data
    typed(function, f"{name}.indptr", indptr, np.int64, ((None,),))
    typed(function, f"{name}.indices", indices, np.int32, ((None,),))
    typed(function, f"{name}.data", data, dtype, ((len(indices),),))
    for part, array in (("indptr", indptr), ("indices", indices), ("data", data)):
        contiguous(function, f"{name}.{part}", array)
    columns = integer(function, f"{name}.columns", matrix.columns)
    if not 0 <= columns <= MOST_COLUMNS:
        raise ValueError(
            f"{function}: {name}.columns={columns} is not between 0 and {MOST_COLUMNS}"
        )
    rising(function, f"{name}.indptr", indptr, len(indices))
    xp = array_module(function, indptr=indptr, indices=indices, data=data)
    for begin in range(0, len(indices), _BLOCK):
        _check_columns(function, name, matrix, begin, xp)
        _check_values(function, name, data[begin : begin + _BLOCK], begin)
    return matrix


def _check_columns(function: str, name: str, matrix: CSR, begin: int, xp: Any) -> None:
    some = matrix.indices[begin : begin + _BLOCK + 1]
    if int(some.view(np.uint32).max()) >= matrix.columns:
        place = int(((some < 0) | (some >= matrix.columns)).argmax())
        raise ValueError(
            f"{function}: {name}.indices[{begin + place}] is {some[place]}, "
            f"expected one from 0 to {matrix.columns - 1}"
        )
    falls = xp.flatnonzero(some[1:] <= some[:-1])
    if len(falls):  # only where a row begins
        falls += begin + 1
        starts = matrix.indptr[xp.searchsorted(matrix.indptr, falls)]
        if bool((starts != falls).any()):
            place = int(falls[(starts != falls).argmax()])
            raise ValueError(
                f"{function}: {name}.indices[{place}] is {matrix.indices[place]}, not above the "
                f"{matrix.indices[place - 1]} before it in its row"
            )


def _check_values(function: str, name: str, some: Any, begin: int) -> None:
    if some.dtype.kind == "u":
        least: float = 1
        most, expected = float("inf"), "one above 0"
    else:
        limits = np.finfo(some.dtype)
        least, most = float(limits.tiny), float(limits.max)
        expected = f"a finite number from {least:.2g} on"
    if not (some.min() >= least and some.max() <= most):
        place = int((~((some >= least) & (some <= most))).argmax())
        raise ValueError(
            f"{function}: {name}.data[{begin + place}] is {some[place]}, expected {expected}"
        )
