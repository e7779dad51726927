"""Tables that a kernel updates in place: how they are made, and checked before and after."""

from typing import Any

import numpy as np

from firth._backend import Floats
from firth.kernels._arguments import contiguous, typed

PADDING = 16  # floats of a cache line
_LINE = 4 * PADDING  # bytes
_ROWS = 16  # that are looked at together


def padded_rows(rows: int, dim: int) -> Floats:
    """Return zeros (rows, dim and up to 15 more) whose rows begin with a cache line each."""
    width = -(-dim // PADDING) * PADDING
    table = np.zeros(rows * width + PADDING, np.float32)
    first = -(table.ctypes.data // 4) % PADDING
    return table[first : first + rows * width].reshape(rows, width)


def check_table(function: str, name: str, table: Any, shape: tuple[int, int], xp: Any) -> None:
    """Raise unless this is a float32 table of that shape on whole cache lines, to be written to."""
    typed(function, name, table, np.float32, (shape,))
    contiguous(function, name, table)
    if xp is np and not table.flags.writeable:
        raise ValueError(f"{function}: {name} must be writeable, it is updated in place")
    behind = (table.ctypes.data if xp is np else table.data.ptr) % _LINE
    if table.size and behind:
        raise ValueError(
            f"{function}: {name} begins {behind} bytes behind a multiple of {_LINE}, expected a "
            "table that begins with a cache line"
        )


def first_not_finite(table: Any, xp: Any) -> int:
    """Return the first row with a number that is not finite, or -1."""
    with np.errstate(all="ignore"):
        if bool(xp.isfinite(table.sum())):  # no row of a fine table needs a look
            return -1
    for row in range(0, len(table), _ROWS):
        fine = xp.isfinite(table[row : row + _ROWS]).all(axis=1)
        if not bool(fine.all()):
            return row + int(fine.argmin())
    return -1
