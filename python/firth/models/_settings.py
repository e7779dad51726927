"""Checks of hyper-parameters: one line a field, one message for all models.

Each looks at a field of a frozen dataclass and puts it back as plain Python (numpy's numbers would
not go into JSON).
"""

import math
import operator
from typing import Any

import numpy as np

from firth.kernels._arguments import number_of_bytes
from firth.kernels._cooccurrence import MAX_WINDOW, WEIGHTS
from firth.models._devices import DEVICES


def _keep(model: object, name: str, value: object) -> None:
    object.__setattr__(model, name, value)


def whole(model: object, name: str, least: int, most: int) -> None:
    """Make the field an int between ``least`` and ``most``, or say what is wrong with it."""
    value, kind = getattr(model, name), type(model).__name__
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{kind}: {name}={value!r} is not a whole number") from None
    if not least <= number <= most:
        raise ValueError(f"{kind}: {name}={number} is not between {least} and {most}")
    _keep(model, name, number)


def real(model: object, name: str, least: float, most: float) -> None:
    """Make the field a float between ``least`` and ``most``, or say what is wrong with it."""
    value, kind = getattr(model, name), type(model).__name__
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{kind}: {name}={value!r} is not a number")
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond all floats
        number = math.inf
    except (TypeError, ValueError):  # an array of several
        raise TypeError(f"{kind}: {name}={value!r} is not a number") from None
    if math.isnan(number) or not least <= number <= most:
        raise ValueError(f"{kind}: {name}={number:g} is not between {least:g} and {most:g}")
    _keep(model, name, number)


def numbers(model: object, name: str, most: int) -> None:
    """Make the field a tuple of 1 to ``most`` floats, or say that it is none."""
    value, kind = getattr(model, name), type(model).__name__
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):  # no numbers, or not as many in each row
        found = np.empty(0)
    if found.ndim != 1 or not 0 < len(found) <= most or not np.isfinite(found).all():
        raise ValueError(f"{kind}: {name}={value!r} is not 1 to {most} finite numbers")
    _keep(model, name, tuple(found.tolist()))


def choice(model: object, name: str, choices: tuple[object, ...]) -> None:
    """Make the field the choice that it equals, or say that there is none."""
    value, kind = getattr(model, name), type(model).__name__
    try:
        _keep(model, name, choices[choices.index(value)])
    except ValueError:  # also of arrays, which equal nothing as a whole
        expected = " or ".join(repr(one) for one in choices)
        raise ValueError(f"{kind}: {name}={value!r} is not {expected}") from None


def amount(model: object, name: str) -> None:
    """Make the field None, a positive int or a text such as "2 GB", or say what is wrong."""
    value = getattr(model, name)
    if isinstance(value, str):
        number_of_bytes(type(model).__name__, name, value)
    elif value is not None:
        whole(model, name, 1, 2**62)


def counting(model: Any) -> None:
    """Check the fields by which a text is counted, of a model that counts one itself."""
    whole(model, "window", 1, MAX_WINDOW)
    choice(model, "weights", WEIGHTS)
    choice(model, "symmetric", (False, True))
    choice(model, "sentences", (False, True))
    whole(model, "min_count", 1, 2**62)
    if model.max_vocab is not None:
        whole(model, "max_vocab", 1, 2**62)
    amount(model, "memory")


def predicting(model: Any) -> None:
    """Check the fields of a model that feeds ``negative_sampling`` with a text."""
    whole(model, "window", 1, 10_000)
    whole(model, "epochs", 1, 10**6)
    choice(model, "cbow", (False, True))
    whole(model, "min_count", 1, 2**62)
    if model.max_vocab is not None:
        whole(model, "max_vocab", 1, 2**62)
    thinning(model)
    sampling(model)


def thinning(model: Any) -> None:
    """Check by how much frequent words are thinned out."""
    real(model, "sample", 0, 1)
    if model.sample > 0:
        real(model, "sample", 1e-9, 1)  # below, hardly a token would be left


def sampling(model: Any) -> None:
    """Check the fields of a model that feeds ``negative_sampling`` with anything."""
    whole(model, "dim", 1, 2**16)
    whole(model, "negative", 1, 10_000)
    if model.lr is not None or type(model).lr is not None:  # only some choose it themselves
        real(model, "lr", 1e-12, 1e3)
    real(model, "min_lr", 0, 1e3)
    real(model, "noise_exponent", -8, 8)
    whole(model, "seed", 0, 2**64 - 1)
    if model.threads is not None:
        whole(model, "threads", 1, 1024)
    choice(model, "device", DEVICES)
    choice(model, "deterministic", (False, True))
