"""What stands after the epochs: finite vectors, or no result."""

from collections.abc import Callable
from typing import Any

import numpy as np

from firth._backend import Floats

_ROWS = 1 << 14  # looked at together, so that checks need little memory


def check_finite(*tables: Floats | None) -> None:
    """Raise FloatingPointError if a table has NaN or infinity."""
    for table in tables:
        for first in range(0, 0 if table is None else len(table), _ROWS):
            assert table is not None
            if not np.isfinite(table[first : first + _ROWS]).all():
                raise FloatingPointError


def stopped(
    stop: KeyboardInterrupt,
    result: Callable[[], Any],
    *tables: Floats | None,
    at: str = "embedding",
) -> None:
    """Give Ctrl-C what was learnt until then as an attribute, unless it is not finite any more."""
    try:
        check_finite(*tables)
    except FloatingPointError:
        return
    setattr(stop, at, result())
