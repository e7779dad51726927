"""The checks of arguments that the kernels share."""

import importlib
import re
from fractions import Fraction
from typing import Any

import numpy as np

_STEP = 1 << 16  # numbers looked at together
_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{letter}b": 1000**i for i, letter in enumerate("kmgt", 1)}
_UNITS |= {f"{letter}ib": 1024**i for i, letter in enumerate("kmgt", 1)}


def array_module(function: str, **arrays: object) -> Any:
    """Return numpy, or cupy if all arrays are on a device; what is None does not count."""
    given = {name: array for name, array in arrays.items() if array is not None}
    on_device = [hasattr(array, "__cuda_array_interface__") for array in given.values()]
    if not any(on_device):
        return np
    if not all(on_device):
        names = " and ".join(given)
        raise TypeError(
            f"{function}: {names} must be all on the host or all on one device, found both"
        )
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        raise TypeError(f"{function}: arrays on a CUDA device need CuPy (firth[cuda13])") from error


def integer(function: str, name: str, value: object) -> int:
    """Return a whole number as an int that messages can show: Python refuses 4300 digits."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{function}: {name} must be an integer, got {type(value).__name__}")
    number = int(value)
    if number.bit_length() > 128:
        raise ValueError(f"{function}: {name} is an integer of {number.bit_length()} bits")
    return number


def number_of_threads(function: str, threads: object) -> int:
    """Return how many threads were asked for; 0 where None were."""
    if threads is None:
        return 0
    number = integer(function, "threads", threads)
    if not 1 <= number <= 4096:
        raise ValueError(f"{function}: threads={number} is not between 1 and 4096")
    return number


def number_of_bytes(function: str, name: str, value: object) -> int:
    """Return an amount of memory in bytes, given as a number of bytes or as in ``"1.5 GiB"``.

    Examples
    --------
    >>> number_of_bytes("example", "memory", "200 MB"), number_of_bytes("example", "memory", "1kib")
    (200000000, 1024)
    """
    if isinstance(value, str):
        parts = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*(\w*)\s*", value, re.ASCII)
        factor = _UNITS.get(parts[2].lower()) if parts else None
        if parts is None or factor is None:
            raise ValueError(
                f"{function}: {name}={value!r} is no amount such as '200 MB' or '1.5 GiB'"
            )
        number = int(Fraction(parts[1]) * factor)
    else:
        number = integer(function, name, value)
    if number < 1:
        raise ValueError(f"{function}: {name}={value} is not at least 1 byte")
    return number


def one_of(function: str, name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise unless the value is one of some texts."""
    if not isinstance(value, str) or value not in choices:
        *first, last = map(repr, choices)
        raise ValueError(
            f"{function}: {name}={shown(value)} is neither {', '.join(first)} nor {last}"
        )


def shown(value: object) -> str:
    """Return a value as a message has it, also an integer that Python does not print."""
    try:
        return repr(value)
    except ValueError:
        return f"({type(value).__name__} that cannot be shown)"


def first_outside(ids: Any, begin: int, end: int) -> int:
    """Return the place, counted in C order, of the first id not in [begin, end), or -1."""
    if not ids.size or (int(ids.min()) >= begin and int(ids.max()) < end):
        return -1
    return int(((ids < begin) | (ids >= end)).argmax())


def float_rows(function: str, name: str, array: Any, xp: Any) -> Any:
    """Return a C-contiguous float32 matrix, copied only if it is none."""
    kind = getattr(array, "dtype", None)
    if kind is None or isinstance(array, np.ma.MaskedArray):
        what = type(array).__name__
        raise TypeError(f"{function}: {name} must be a float32 or float16 array, got {what}")
    array = xp.asarray(array)
    if array.dtype != np.float32 and array.dtype != np.float16:
        raise TypeError(f"{function}: {name} must be float32 or float16, got {array.dtype}")
    if array.ndim != 2:
        raise ValueError(f"{function}: {name} must have 2 dimensions, got {array.ndim}")
    rows = xp.ascontiguousarray(array, dtype=np.float32)
    return rows if _aligned(rows) else rows.copy()


def typed(function: str, name: str, array: Any, dtype: Any, shapes: tuple[object, ...]) -> None:
    """Raise unless an array has a dtype, one of the shapes, and numbers that lie where they should.

    None stands for any length.
    """
    kind = getattr(array, "dtype", None)
    if kind != dtype or isinstance(array, np.ma.MaskedArray):
        wanted = np.dtype(dtype).name  # dear to ask for, and needed in a message only
        what = type(array).__name__ if kind is None or kind == dtype else kind
        a = "an" if wanted[0] in "aeiou" else "a"
        raise TypeError(f"{function}: {name} must be {a} {wanted} array, got {what}")
    if not any(_fits(array.shape, shape) for shape in shapes):
        expected = " or ".join(str(shape).replace("None", "any") for shape in shapes)
        raise ValueError(f"{function}: {name} has shape {array.shape}, expected {expected}")
    if not _aligned(array):
        raise ValueError(f"{function}: {name} must be C-contiguous and aligned")


def _aligned(array: Any) -> bool:
    """Say whether addresses are multiples of the numbers' size; on a device they are."""
    return bool(getattr(array.flags, "aligned", True))


def _fits(found: tuple[int, ...], wanted: Any) -> bool:
    return len(found) == len(wanted) and all(
        w is None or f == w for f, w in zip(found, wanted, strict=True)
    )


def not_finite(function: str, name: str, row: int) -> ValueError:
    """Return the error for a row that a backend reported."""
    return ValueError(f"{function}: {name}[{row}] is not finite: it has NaN or infinite values")


def flag(function: str, name: str, value: object) -> bool:
    """Return whether it is True; a text or a number is no flag."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{function}: {name}={shown(value)} is not False or True")
    return bool(value)


def real(function: str, name: str, value: Any, least: float, most: float) -> float:
    """Return a number in [least, most] as a float."""
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"{function}: {name} must be a number, got {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond all floats
        number = float("inf")
    except TypeError:  # an array of several
        raise TypeError(f"{function}: {name} must be a number, got {shown(value)}") from None
    if not least <= number <= most:
        raise ValueError(f"{function}: {name}={number:g} is not between {least:g} and {most:g}")
    return number


def whole(function: str, name: str, value: object, least: int, most: int) -> int:
    """Return a whole number in [least, most] as an int."""
    number = integer(function, name, value)
    if not least <= number <= most:
        raise ValueError(f"{function}: {name}={number} is not between {least} and {most}")
    return number


def contiguous(function: str, name: str, array: Any) -> None:
    """Raise unless numbers lie side by side, and where numbers of their size should."""
    if not (array.flags.c_contiguous and _aligned(array)):
        raise ValueError(f"{function}: {name} must be C-contiguous and aligned")


def rising(function: str, name: str, array: Any, last: int) -> None:
    """Raise unless numbers go from 0 to the last one and never fall."""
    if len(array) == 0 or int(array[0]) != 0 or int(array[-1]) != last:
        ends = f"from {int(array[0])} to {int(array[-1])}" if len(array) else "nowhere"
        raise ValueError(f"{function}: {name} goes {ends}, expected from 0 to {last}")
    place = first_fall(array)
    if place > 0:
        raise ValueError(
            f"{function}: {name}[{place}] is {array[place]}, below the {array[place - 1]} before it"
        )


def first_fall(array: Any, *, strict: bool = False) -> int:
    """Return the first place whose number is below the one before it, or -1; equal, if strict.

    They are looked at a part at a time: offsets of many sentences may lie on a disk.
    """
    for first in range(0, len(array) - 1, _STEP):
        some = array[first : first + _STEP + 1]
        falls = some[1:] <= some[:-1] if strict else some[1:] < some[:-1]
        if bool(falls.any()):
            return first + int(falls.argmax()) + 1
    return -1


def overlap(first: Any, second: Any) -> bool:
    """Return whether two contiguous arrays, on the host or on a device, share memory."""
    spans = []
    for array in (first, second):
        found = getattr(array, "__cuda_array_interface__", None) or array.__array_interface__
        spans.append((int(found["data"][0]), int(array.nbytes)))
    (low, size), (high, _) = sorted(spans)
    return low + size > high


def dtype_of(function: str, dtype: Any, choices: tuple[np.dtype[Any], ...]) -> np.dtype[Any]:
    """Return a dtype that is among the choices."""
    kind: np.dtype[Any] | None
    try:
        kind = np.dtype(dtype) if dtype is not None else None  # which numpy takes for float64
    except TypeError:
        kind = None
    if kind is None or kind not in choices:
        *first, last = (choice.name for choice in choices)
        what = shown(dtype) if kind is None else kind
        raise TypeError(f"{function}: dtype must be {', '.join(first)} or {last}, got {what}")
    chosen: np.dtype[Any] = kind
    return chosen


def part_of(function: str, part: object, many: int) -> tuple[int, int]:
    """Return where a part begins and ends; None is the whole."""
    if part is None:
        return 0, many
    if not isinstance(part, (tuple, list)) or len(part) != 2:
        raise TypeError(f"{function}: part={shown(part)} is not a pair of places")
    begin, end = (integer(function, "part", place) for place in part)
    if not 0 <= begin <= end <= many:
        raise ValueError(f"{function}: part=({begin}, {end}) does not rise within 0 and {many}")
    return begin, end
