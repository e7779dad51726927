"""Every setting of every model at numbers that it was not made for.

    python tests/trust/arithmetic.py

Each call ends in a result whose vectors and losses are all finite, or in an error that names the
setting (a run that blows up: the learning rate).
"""

import argparse
import dataclasses
import math
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from trust._models import MODELS, answer, learnt
from trust._report import Row, save

NOTHING = ["1", None, True, 1j, b"", [1], np.array([1.0, 2.0])]
TINY = [1e-300, 1e-40, 1e-12, 1e-9, 1e-6, 1e-3]
HUGE = [100, 1e3, 1e4, 1e6, 1e9, 1e12, 1e18, 1e30, 1e39, 1e300, 10**400]
NONE = [math.nan, math.inf, -math.inf, -1e-9, -0.5, -1, -8, -1e30]
REALS = [*TINY, 0, 0.5, 1, 2, 8, *HUGE, *NONE, *NOTHING, np.float16(2), np.float32(1)]
WHOLE = [-1, 0, 2**31, 2**32, 2**63, 2**64, 10**400, math.nan, 1.5, np.int64(2), *NOTHING]
SIZES = [value for value in WHOLE if not (isinstance(value, int) and 2**20 < value < 2**33)]
WORK = {"epochs", "walks", "length", "samples", "layers", "parts", "trials", "negative", "hops"}
WORK |= {"window", "buckets", "dim", "max_items"}  # what these ask for would be done, and take long
WEIGHTS = [(), (math.nan,), (1e300,), (3e38,) * 3, (1e-300,), (-1e30, 1e30), (0, 0), "abc", None]
TOGETHER = {"max_n": "min_n", "min_n": "max_n"}  # one of two that must fit each other is named


def tried() -> list[tuple[str, str, object]]:
    """Return every model, setting and value."""
    found: list[tuple[str, str, object]] = []
    for name, (kind, _, _) in MODELS.items():
        for field in dataclasses.fields(kind):
            usual = field.default
            values: list[object] = []
            if field.name == "lr" or isinstance(usual, float):
                values = list(REALS)
                if field.name == "lr" and usual is None:
                    values.remove(None)
            elif isinstance(usual, int) and not isinstance(usual, bool):
                values = SIZES if field.name in WORK else list(WHOLE)
            elif name == "FastRP" and field.name == "weights":
                values = list(WEIGHTS)
            if field.init:
                found += [(name, field.name, value) for value in values]
    return found


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    warnings.simplefilter("error")
    begun = time.monotonic()
    rows: dict[str, Row] = {}
    for name, field, value in tried():
        kind = MODELS[name][0].__name__
        row = rows.setdefault(kind, Row(f"{kind}: settings at all numbers", 0, "fits"))
        row.tried += 1
        label = f"{name} {field}={str(value)[:40]}"
        try:
            wrong = answer(label, lambda n=name, f=field, v=value: learnt(n, **{f: v}), ())
            if not wrong:
                both = [field, TOGETHER.get(field, field), "smaller lr"]
                wrong = _unnamed(label, name, field, value, both)
        except Exception as error:
            wrong = f"{label}: {error!r}"
        if wrong:
            row.failures.append(wrong)
    save("arithmetic", list(rows.values()), time.monotonic() - begun)


def _unnamed(label: str, name: str, field: str, value: object, names: list[str]) -> str:
    """Return what an error fails to name; nothing where there is no error."""
    try:
        learnt(name, **{field: value})
    except (ValueError, TypeError, FloatingPointError) as error:
        return "" if any(one in str(error) for one in names) else f"{label}: {error!r}"
    return ""


if __name__ == "__main__":
    main()
