"""What commands print: tables for people and cut(1), JSON for programs. Always on stdout."""

import json
import sys
from collections.abc import Iterable
from typing import Any


def table(rows: Iterable[Iterable[object]]) -> None:
    """Print rows, columns parted by tabs; floats with four decimals."""
    for row in rows:
        cells = (f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row)
        sys.stdout.write("\t".join(cells) + "\n")
    sys.stdout.flush()  # whoever waits for this answer before the next question gets it


def as_json(value: Any, *, indent: int | None = None) -> None:
    """Print one value as JSON: on one line, or indented.

    It is ASCII: what is not UTF-8 in a word is a lone surrogate, which only an escape can carry.
    """
    sys.stdout.write(json.dumps(value, indent=indent, allow_nan=False) + "\n")
    sys.stdout.flush()


def scored(pairs: Iterable[tuple[str, float]]) -> list[dict[str, Any]]:
    """Return words and scores as JSON has them."""
    return [{"word": word, "score": float(score)} for word, score in pairs]
