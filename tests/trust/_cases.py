"""The bad inputs of bench/peers/hostile.py, and how firth is asked them."""

import importlib
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "peers"
PARTS = ("bin", "text", "native", "training", "search")


def from_bench(*names):
    """Return modules of the bench, whose other files must not hide what they are named after."""
    kept = sys.path[:]
    sys.path.insert(0, str(BENCH))
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        sys.path[:] = kept


JUDGE, MANY, FIRTH, *SHELVES = from_bench(
    "_hostile_judge", "_hostile_many", "_hostile_firth", *(f"_hostile_{part}" for part in PARTS)
)
CASES = [case for shelf in SHELVES for case in shelf.CASES]


def wanted(case):
    """Return the verdicts that keep firth's promise."""
    return ("right",) if case.name.startswith("control") else ("right", "error")
