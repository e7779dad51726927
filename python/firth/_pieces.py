"""Arrays that were made piece by piece, put together."""

from typing import Any

import numpy as np
import numpy.typing as npt

_ROWS = 1 << 20  # copied at once


def together(pieces: list[npt.NDArray[Any]], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return the rows of arrays of one dimension, one array after the other.

    The list is emptied: a piece goes as soon as it is copied. Ctrl-C is answered in between.
    """
    if len(pieces) == 1 and pieces[0].dtype == dtype:
        return pieces.pop()
    whole, at = np.empty(sum(map(len, pieces)), dtype), 0
    while pieces:
        piece = pieces.pop(0)
        for first in range(0, len(piece), _ROWS):
            some = piece[first : first + _ROWS]
            whole[at : at + len(some)] = some
            at += len(some)
    return whole
