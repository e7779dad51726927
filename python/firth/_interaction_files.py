"""Files of ratings and of lists -> users, items, values and times, in any order."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._columns import Fields, Names, Part, joined, pieces
from firth._errors import FormatError
from firth._pieces import together
from firth.kernels._arguments import integer, real, shown

_NAME = "Interactions.read"
_DELIMITERS = (b"::", b"\t", b",", b";")


class Layout(NamedTuple):
    """How a file is read: what stands between fields, lines before the first row, columns."""

    delimiter: bytes
    header: bool
    lists: bool
    columns: dict[str, int]  # user, item and those of rating and time that are wanted


def read(
    path: Any,
    user: int | str,
    item: int | str,
    rating: int | str | None,
    time: int | str | None,
    least: float | None,
    delimiter: str | None,
    header: bool | None,
    lists: bool | None,
    progress: bool | None,
) -> tuple[Names, Names, npt.NDArray[Any] | None, npt.NDArray[Any] | None]:
    """Return users and items with their rows, values and times; see `firth.Interactions.read`."""
    wanted = {"user": user, "item": item, "rating": rating, "time": time}
    columns = {what: column for what, column in wanted.items() if column is not None}
    for what, column in columns.items():
        if not isinstance(column, str) and integer(_NAME, what, column) < 0:
            raise ValueError(f"{_NAME}: {what}={column} is not at least 0")
    if not {"user", "item"} <= columns.keys():
        raise TypeError(f"{_NAME}: user and item are columns, not None")
    if least is not None:
        least = real(_NAME, "least", least, -1e308, 1e308)
        if rating is None:
            raise ValueError(f"{_NAME}: least={least:g} needs rating, a column")
    if lists and (columns.keys() != {"user", "item"} or header):
        raise ValueError(f"{_NAME}: lists have no columns rating and time, and no header")
    if delimiter is not None and not isinstance(delimiter, str):
        raise TypeError(f"{_NAME}: delimiter={shown(delimiter)} is no text")
    between = None if delimiter is None else delimiter.strip(" ").encode()
    source = getattr(path, "name", "the file") if hasattr(path, "read") else path
    texts = pieces(path, progress)
    first = next(texts, b"")
    if not first.strip():
        raise FormatError(source, "file", "interactions", "nothing")
    layout = _layout(source, first, columns, between, header, lists)
    users: list[Part] = []
    items: list[Part] = []
    values: list[npt.NDArray[Any]] = []
    times: list[npt.NDArray[Any]] = []
    for fields in _fields(source, chain([first], texts), layout):
        if layout.lists:
            inner = np.ones(len(fields.starts), np.bool_)
            inner[fields.first] = False
            owners = fields.names(fields.first, "user")
            users.append(Part(owners.names, np.repeat(owners.rows, fields.counts - 1)))
            items.append(fields.names(np.flatnonzero(inner), "item"))
            continue
        at = {what: fields.column(column, what) for what, column in layout.columns.items()}
        kept = np.ones(len(fields), np.bool_)
        if "rating" in at:
            ratings = fields.numbers(at["rating"], "rating")
            if least is not None:
                kept = ratings >= least
            _check_ratings(source, fields, ratings, kept, least)
            values.append(ratings[kept].astype(np.float64))
        if "time" in at:
            times.append(fields.numbers(at["time"], "time")[kept])
        for parts, what in ((users, "user"), (items, "item")):
            part = fields.names(at[what], what)
            parts.append(Part(part.names, part.rows[kept]))
    found = joined(users), joined(items)
    if not len(found[0].rows):
        raise FormatError(source, "file", "interactions", "none that is left")
    amounts = together(values, np.float64) if values else None
    if not times:
        return *found, amounts, None
    return *found, amounts, together(times, np.result_type(*{one.dtype for one in times}))


def _fields(source: object, texts: Iterator[bytes], layout: Layout) -> Iterator[Fields]:
    before = 0
    for text in texts:
        rows = text
        if layout.header and not before:
            lead = len(text) - len(text.lstrip())
            rows = text[text.index(b"\n", lead) + 1 :]
            before += text.count(b"\n") - rows.count(b"\n")
        fields = Fields(rows, layout.delimiter, source, before)
        if len(fields):
            yield fields
        before += rows.count(b"\n")


def _check_ratings(
    source: object, fields: Fields, ratings: Any, kept: Any, least: float | None
) -> None:
    wrong = kept & ~(ratings > 0)
    if wrong.any():
        row = int(wrong.argmax())
        expected = "a rating above 0"
        if least is None:
            expected += ", as least would leave others out"
        raise FormatError(source, fields.line(row), expected, f"{ratings[row]:g}")


def _layout(
    source: object,
    text: bytes,
    columns: dict[str, int | str],
    delimiter: bytes | None,
    header: bool | None,
    lists: bool | None,
) -> Layout:
    """Find out what was not said, by how a file begins."""
    some = b"\n".join(text.lstrip().split(b"\n", 1000)[:1000]) + b"\n"
    line = some[: some.index(b"\n")]
    if delimiter is None:
        delimiter = next((mark for mark in _DELIMITERS if mark in line), b"")
    head = Fields(some, delimiter, source, 0)
    if not len(head):
        raise FormatError(source, "line 1", "users and items", "control characters alone")
    first = head.row(0)
    only = columns == {"user": 0, "item": 1}
    if lists is None:
        lists = (
            only and not delimiter and not header and bool((head.counts != head.counts[0]).any())
        )
    if lists:
        return Layout(b"" if delimiter == b"" else delimiter, False, True, {"user": 0, "item": 1})
    named = {what: column for what, column in columns.items() if isinstance(column, str)}
    if named and header is False:
        raise ValueError(f"{_NAME}: columns have names, header=False says that there are none")
    numbers: dict[str, int] = {}
    for what, column in columns.items():
        if isinstance(column, str):
            if column not in first:
                raise FormatError(source, "header", f"a column {column!r} ({what})", f"{first}")
            column = first.index(column)
        numbers[what] = column
    if header is None:
        header = bool(named) or _is_header(first, head.row(1) if len(head) > 1 else [], numbers)
    return Layout(delimiter, header, False, numbers)


def _is_header(first: list[str], second: list[str], columns: dict[str, int]) -> bool:
    """Say whether the first line of a file names its columns."""

    def field(row: list[str], what: str) -> str:
        return row[columns[what]] if columns[what] < len(row) else ""

    for what in ("rating", "time"):
        if what in columns:
            return not _is_number(field(first, what))
    names = [(field(first, what), field(second, what)) for what in ("user", "item")]
    return any(not a.isdecimal() and b.isdecimal() for a, b in names)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
