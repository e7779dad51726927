"""Searches in rows whose columns rise, all of them together; cpp/include/firth/links.h."""

from typing import Any


def lower_bound(xp: Any, columns: Any, begins: Any, counts: Any, wanted: Any) -> Any:
    """Return how many of each ``columns[begin:begin + count]``, which rise, are below."""
    first, left = begins, counts
    most = int(counts.max()) if len(counts) else 0
    for _ in range(most.bit_length()):
        half = left // 2
        place = xp.minimum(first + half, len(columns) - 1)
        below = (left > 0) & (columns[place] < wanted)
        first = xp.where(below, first + half + 1, first)
        left = xp.where(below, left - half - 1, half)
    return first - begins


def place_of(xp: Any, columns: Any, begins: Any, counts: Any, wanted: Any) -> Any:
    """Return where each wanted column stands among its ``columns[begin:begin + count]``, or -1."""
    place = begins + lower_bound(xp, columns, begins, counts, wanted)
    there = columns[xp.minimum(place, len(columns) - 1)] == wanted
    return xp.where((place < begins + counts) & there, place, -1)
