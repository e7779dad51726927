"""Checks of hyper-parameters: one line a field, one message for all models."""

import math
import operator


def whole(model: str, name: str, value: object, least: int, most: int) -> int:
    """Return the value as an int between ``least`` and ``most``, or say what is wrong with it."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{model}: {name}={value!r} is not a whole number") from None
    if not least <= number <= most:
        raise ValueError(f"{model}: {name}={number} is not between {least} and {most}")
    return number


def real(model: str, name: str, value: object, least: float, most: float) -> float:
    """Return the value as a float between ``least`` and ``most``, or say what is wrong with it."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{model}: {name}={value!r} is not a number")
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond all floats
        number = math.inf
    if math.isnan(number) or not least <= number <= most:
        raise ValueError(f"{model}: {name}={number:g} is not between {least:g} and {most:g}")
    return number


def choice(model: str, name: str, value: object, choices: tuple[object, ...]) -> object:
    """Return the choice that the value equals, or say that there is none."""
    try:
        return choices[choices.index(value)]
    except ValueError:  # also of arrays, which equal nothing as a whole
        expected = " or ".join(repr(one) for one in choices)
        raise ValueError(f"{model}: {name}={value!r} is not {expected}") from None
