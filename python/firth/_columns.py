"""Files with columns of text -> arrays, names as ids and numbers, without a loop over lines.

A file is read in pieces of whole lines; in each, numpy finds where the fields are and gathers the
bytes of a column side by side, so that equal names are found by sorting.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._backend import Longs
from firth._errors import FormatError
from firth._pieces import together
from firth._progress import Progress
from firth._sorting import different, once, stable_order, text_order
from firth._sources import _OPENERS, _opener

PIECE = 1 << 22  # bytes, about
_WIDTH = 64  # names that are longer are taken one by one
_DIGITS = 18  # that an int64 holds in any case
_LF, _BLANK, _LINE, _QUOTE = 10, 32, b"\n", b'"'
_MARK = b"\x1e"  # between fields, where that was more than one byte

Bytes = npt.NDArray[np.uint8]


class Names(NamedTuple):
    """Different names, and which of them stands in each row.

    Attributes
    ----------
    names
        In the order of numbers if all are whole numbers as Python writes them, else of code points.
    rows
        (rows,) int64 positions in them.
    """

    names: list[str]
    rows: Longs


# ---- reading ------------------------------------------------------------------------------------


def pieces(source: Any, progress: bool | None = False) -> Iterator[bytes]:
    """Yield the bytes of a path or an open file in pieces that end where lines do.

    ``.gz``, ``.bz2``, ``.xz`` and ``.zst`` are decompressed, a mark of byte order is left out, and
    each piece ends in a newline.
    """
    with Progress(progress, 0, "reading", "B") as bar:
        rest, first = b"", True
        for piece in _raw(source, PIECE):
            bar.update(len(piece))
            piece = piece.removeprefix(b"\xef\xbb\xbf") if first else piece
            first = False
            end = piece.rfind(b"\n") + 1
            if end:
                yield rest + piece[:end]
                rest = piece[end:]
            else:
                rest += piece
        if rest:
            yield rest + b"\n"


def _raw(source: Any, size: int) -> Iterator[bytes]:
    if hasattr(source, "read"):
        while piece := source.read(size):
            yield piece.encode("utf-8", "surrogateescape") if isinstance(piece, str) else piece
        return
    suffix = Path(source).suffix.lower()
    with Path(source).open("rb") as raw:
        if suffix not in _OPENERS:
            while piece := raw.read(size):
                yield piece
            return
        opened, errors = _opener(*_OPENERS[suffix])
        broken: tuple[type[Exception], ...] = (EOFError, *errors)
        done = 0
        with opened(raw) as file:
            while True:
                try:
                    piece = file.read(size)
                except broken as error:
                    if isinstance(error, OSError) and error.errno is not None:
                        raise
                    where = f"after {done} bytes of text"
                    found = str(error) or "the end of the file"
                    raise FormatError(source, where, f"{suffix[1:]} data", found) from error
                if not piece:
                    return
                yield piece
                done += len(piece)


# ---- fields -------------------------------------------------------------------------------------


class Fields:
    """The fields of a piece of text, line by line; lines without any are left out.

    Parameters
    ----------
    text
        Whole lines.
    delimiter
        What stands between fields; b"" is any white space, also several. Fields in double quotes
        may hold it, as in CSV, but no end of a line.
    source, before
        For messages: what is read, and how many lines were before.
    """

    def __init__(self, text: bytes, delimiter: bytes, source: object, before: int) -> None:
        self.source, self.before, self.text = source, before, text
        if len(delimiter) == 1 and _QUOTE not in text:
            mark = delimiter
        elif delimiter:
            mark, self.text = _MARK, self._marked(text, delimiter)
        buffer = self.buffer = np.frombuffer(self.text, np.uint8)
        if delimiter:
            self.ends = np.flatnonzero((buffer == mark[0]) | (buffer == _LF))
            self.starts = np.concatenate([[0], self.ends[:-1] + 1])
            first = np.concatenate([[0], np.flatnonzero(buffer[self.ends] == _LF) + 1])
            self._trim()
            empty = self.starts == self.ends
            lines = np.flatnonzero((np.diff(first) > 1) | ~empty[first[:-1]])
        else:
            full = np.concatenate([[False], buffer > _BLANK, [False]])
            edges = np.flatnonzero(full[1:] != full[:-1])
            self.starts, self.ends = edges[::2], edges[1::2]
            ends = np.flatnonzero(buffer == _LF)
            first = np.concatenate([[0], np.searchsorted(self.starts, ends)])
            lines = np.flatnonzero(np.diff(first))
        self.first, self.counts = first[lines], np.diff(first)[lines]

    def __len__(self) -> int:
        return len(self.first)

    def _trim(self) -> None:
        """Take white space away from both ends of all fields."""
        for edge, step, at in ((self.starts, 1, 0), (self.ends, -1, -1)):
            todo = np.flatnonzero(self.starts < self.ends)
            while len(todo := todo[self.buffer[edge[todo] + at] <= _BLANK]):
                edge[todo] += step
                todo = todo[self.starts[todo] < self.ends[todo]]

    def _marked(self, text: bytes, delimiter: bytes) -> bytes:
        """Return text with a mark of one byte between fields and without quotes."""
        if _MARK in text:
            line = f"line {self.before + text.count(_LINE, 0, text.index(_MARK)) + 1}"
            raise FormatError(self.source, line, "text", "a control character, 0x1e")
        if _QUOTE not in text or len(delimiter) > 1:
            return text.replace(delimiter, _MARK)
        lines: list[bytes] = []
        for at, line_of in enumerate(text.split(_LINE)):
            fields = line_of.split(delimiter)
            if _QUOTE in line_of:
                fields = self._unquoted(line_of, delimiter, at)
            lines.append(_MARK.join(fields))
        return _LINE.join(lines)

    def _unquoted(self, line: bytes, delimiter: bytes, at: int) -> list[bytes]:
        plain = [line.rstrip(b"\r").decode("utf-8", "surrogateescape")]
        try:
            fields = next(csv.reader(plain, delimiter=delimiter.decode(), strict=True))
        except csv.Error as error:
            where = f"line {self.before + at + 1}"
            raise FormatError(self.source, where, "quotes as in CSV", str(error)) from None
        return [field.encode("utf-8", "surrogateescape") for field in fields]

    def line(self, row: int) -> str:
        """Name the line of a row, for messages."""
        before = self.text.count(_LINE, 0, int(self.starts[self.first[row]]))
        return f"line {self.before + before + 1}"

    def row(self, row: int) -> list[str]:
        """Return the fields of one row as texts."""
        fields = range(self.first[row], self.first[row] + self.counts[row])
        return [self._one(field).decode("utf-8", "replace") for field in fields]

    def _one(self, field: int) -> bytes:
        return self.text[self.starts[field] : self.ends[field]]

    def column(self, number: int, what: str) -> Longs:
        """Return which fields stand in a column; FormatError where a line has none there."""
        short = self.counts <= number
        if short.any():
            row = int(short.argmax())
            found = f"{self.counts[row]} fields"
            raise FormatError(self.source, self.line(row), f"{what} in field {number + 1}", found)
        columns: Longs = self.first + number
        return columns

    def names(self, fields: Longs, what: str) -> "Part":
        """Return the different names among some fields, and which each is."""
        starts, lengths = self.starts[fields], (self.ends - self.starts)[fields]
        if len(fields) and not int(lengths.min()):
            raise self._wrong(fields, int(lengths.argmin()), f"a name of the {what}")
        if int(lengths.max(initial=0)) > _WIDTH:
            index: dict[bytes, int] = {}
            found = [index.setdefault(self._one(field), len(index)) for field in fields.tolist()]
            return Part(list(index), np.array(found, np.int64))
        characters = _gathered(self.buffer, starts, lengths)
        numbers = _whole(characters, lengths)
        if numbers is not None:
            values, rows = np.unique(numbers, return_inverse=True)
            return Part(values, rows)
        values, rows = np.unique(_comparable(characters), return_inverse=True)
        return Part(_texts(values), rows)

    def numbers(self, fields: Longs, what: str) -> npt.NDArray[Any]:
        """Return fields as int64, or as float64 where not all are whole numbers without a sign."""
        starts, lengths = self.starts[fields], (self.ends - self.starts)[fields]
        if int(lengths.max(initial=0)) > _WIDTH:
            raise self._wrong(fields, int(lengths.argmax()), f"a number as {what}")
        characters = _gathered(self.buffer, starts, lengths)
        values = _whole(characters, lengths)
        if values is not None:
            return values
        written, rows = np.unique(_comparable(characters), return_inverse=True)
        parsed = np.array([_number(text) for text in _texts(written)])[rows]
        if not np.isfinite(parsed).all():
            row = int(np.isfinite(parsed).argmin())
            raise self._wrong(fields, row, f"a finite number as {what}")
        return parsed

    def _wrong(self, fields: Longs, at: int, expected: str) -> FormatError:
        field = int(fields[at])
        row = int(np.searchsorted(self.first, field, side="right")) - 1
        found = repr(self._one(field).decode("utf-8", "replace")[:40])
        return FormatError(self.source, self.line(row), expected, found)


def _gathered(buffer: Bytes, starts: Longs, lengths: Longs) -> Bytes:
    """Return fields side by side, (fields, greatest length), with 0 behind their ends."""
    places = np.arange(max(1, int(lengths.max(initial=0))))
    characters: Bytes = buffer[np.minimum(starts[:, None] + places, len(buffer) - 1)]
    characters[places >= lengths[:, None]] = 0
    return characters


def _whole(characters: Bytes, lengths: Longs) -> Longs | None:
    """Return whole numbers, if all are written as Python writes them and fit."""
    if characters.shape[1] > _DIGITS or not len(characters):
        return None
    values = np.zeros(len(characters), np.int64)
    for place, column in enumerate(characters.T):
        digits = column - np.uint8(48)  # what is below wraps around
        inside = lengths > place
        if (digits[inside] > 9).any():
            return None
        values = np.where(inside, values * 10 + digits, values)
    led = (characters[:, 0] == 48) & (lengths > 1)
    return None if led.any() or not lengths.min() else values


def _comparable(characters: Bytes) -> npt.NDArray[Any]:
    """Return each row as one thing that sorts as its bytes do."""
    rows, width = characters.shape
    if width > 8:
        found: npt.NDArray[Any] = characters.view(f"S{width}")[:, 0]
        return found
    wide = np.zeros((rows, 8), np.uint8)
    wide[:, :width] = characters
    return wide.view(">u8")[:, 0].astype(np.uint64)


def _texts(values: npt.NDArray[Any]) -> list[bytes]:
    if values.dtype.kind == "S":
        return values.tolist()  # type: ignore[no-any-return]
    return values.astype(">u8").view("S8").tolist()  # type: ignore[no-any-return]


def _number(text: bytes) -> float:
    try:
        return float("nan") if b"_" in text else float(text)
    except ValueError:
        return float("nan")


# ---- names over all pieces ----------------------------------------------------------------------


class Part(NamedTuple):
    """The different names of a piece, as numbers or as bytes, and which stands in each row."""

    names: Longs | list[bytes]
    rows: Longs


def joined(parts: list[Part]) -> Names:
    """Return the names of all pieces as one."""
    cuts = np.cumsum([0, *(len(part.names) for part in parts)])
    numbers = [part.names for part in parts if isinstance(part.names, np.ndarray)]
    if len(numbers) == len(parts):
        values, places = different(together(numbers, np.int64))
        names = [str(value) for value in values.tolist()]
    else:
        raw = [
            name if isinstance(name, bytes) else b"%d" % name
            for part in parts
            for name in (part.names.tolist() if isinstance(part.names, np.ndarray) else part.names)
        ]
        known = once(raw)
        order = {known[place]: at for at, place in enumerate(text_order(known))}
        places = np.fromiter((order[name] for name in raw), np.int64, len(raw))
        names = [name.decode("utf-8", "surrogateescape") for name in order]
    rows = [places[begin:][part.rows] for begin, part in zip(cuts, parts, strict=False)]
    return Names(names, together(rows, np.int64))


def _is_whole(name: str) -> bool:
    """Say whether a name is a whole number as Python writes it, and not too long for an int64."""
    if not (name.isascii() and name.isdecimal() and len(name) <= _DIGITS):
        return False
    return name == "0" or name[0] != "0"


def names_of(function: str, what: str, column: Any) -> Names:
    """Return the names in a column of integers or texts, and which stands in each row."""
    if isinstance(column, (list, tuple)) and column and isinstance(column[0], str):
        names: Any = column  # as they are: arrays of texts lose zeros at the end
    else:
        array = np.asarray(column)
        if array.ndim != 1:
            raise ValueError(f"{function}: {what} has shape {array.shape}, expected one dimension")
        if array.dtype.kind in "iu":
            values, rows = different(array)
            return Names([str(value) for value in values.tolist()], rows)
        mixed = isinstance(column, (list, tuple)) and array.dtype.kind in "US"
        names = column if mixed else array.tolist()  # numpy has made texts of numbers
    if not names:
        return Names([], np.zeros(0, np.int64))
    for at, name in enumerate(names):
        if not isinstance(name, str):
            kind = type(name).__name__
            raise TypeError(f"{function}: {what}[{at}] is {kind}, expected texts or integers")
    known = once(names)
    if all(map(_is_whole, known)):
        places = stable_order(
            np.fromiter((int(name) for name in known), np.int64, len(known))
        ).tolist()
    else:
        places = text_order(known)
    order = {known[place]: at for at, place in enumerate(places)}
    plain = list(map(str.__str__, order))  # of numpy's texts and other subclasses, too
    return Names(plain, np.fromiter((order[name] for name in names), np.int64, len(names)))
