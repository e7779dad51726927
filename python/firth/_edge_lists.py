"""Edge lists as text -> edges, in blocks: what stands for nodes goes on to a counter of words."""

import os
import re
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from firth import _sources
from firth._backend import Longs
from firth._backend_text import WordCounter
from firth._edge_fields import HELD, NUMBER, Fields
from firth._edge_rows import Edges
from firth._edges import of_arrow
from firth._errors import FormatError
from firth._node_names import counter, in_order
from firth._pieces import together
from firth.kernels import tokens
from firth.kernels._arguments import flag

_BLOCK = 1 << 22  # bytes that are looked at together
_LONGEST = 1 << 20  # bytes of a line
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r")
_SEPARATORS = ("\t", ",", ";")
_HEADERS = {("source", "target"), ("src", "dst"), ("node1", "node2"), ("head", "tail")}


class Layout(NamedTuple):
    """How edge lists are read, as `firth.Graph.read` is told; None: found out."""

    weighted: bool | None
    delimiter: str | None
    header: bool | None
    comment: str | None


def read_edges(name: str, source: Any, layout: Layout, progress: bool | None) -> Edges:
    """Return the edges of files; see `firth.Graph.read`."""
    _check(name, layout)
    if isinstance(source, (str, PathLike)):
        paths: list[Any] | None = [source if source == "-" else Path(source)]
    elif hasattr(source, "read"):
        paths = None
    elif isinstance(source, (list, tuple)):
        paths = list(source)
        for at, path in enumerate(paths):
            if not isinstance(path, (str, PathLike)):
                kind = type(path).__name__
                raise TypeError(f"{name}: source[{at}] is {kind}, expected paths")
        paths = [Path(path) for path in paths]
    else:
        kind = type(source).__name__
        raise TypeError(f"{name}: source is {kind}, expected a path, paths or an open file")
    if paths is not None:
        if not paths:
            raise ValueError(f"{name}: there is no file to read")
        if any(Path(path).suffix.lower() == ".parquet" for path in paths):
            return _parquet(name, paths, layout.weighted)
    names = [getattr(source, "name", "the file")] if paths is None else paths
    lines = _Lines(names, layout)
    feeding = source if paths is None else paths if len(paths) > 1 else paths[0]
    _sources.feed(cast(WordCounter, lines), feeding, progress)
    words, _, ids, _ = lines.counter.finish(1, 2**62, None)
    if lines.fields.special:
        words = [word.translate(HELD) for word in words]
    keys, rows = in_order(words, ids)
    dtypes = {one.dtype for one in lines.weights}
    weights = together(lines.weights, np.result_type(*dtypes)) if dtypes else None
    return Edges(keys, rows[0::2], rows[1::2], weights)


def _check(name: str, layout: Layout) -> None:
    for label, value in (("weighted", layout.weighted), ("header", layout.header)):
        if value is not None:
            flag(name, label, value)
    one, start = layout.delimiter, layout.comment
    if one is not None and (
        not isinstance(one, str) or len(one) != 1 or not (" " <= one <= "~" or one == "\t")
    ):
        raise ValueError(f"{name}: delimiter={one!r} is not one character of ASCII")
    if start is not None and (not isinstance(start, str) or not start.strip() or "\n" in start):
        raise ValueError(f"{name}: comment={start!r} is no text that lines can begin with")


def _parquet(name: str, paths: list[Any], weighted: bool | None) -> Edges:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(f"{name}: a .parquet file needs pyarrow: pip install pyarrow") from error
    tables = []
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                tables.append(parquet.read_table(file))
        except pa.ArrowException as error:
            raise FormatError(path, "the file", "Parquet", str(error)[:200]) from error
    try:
        table = pa.concat_tables(tables)
    except pa.ArrowException as error:
        raise ValueError(f"{name}: the files have different columns: {error}") from error
    return of_arrow(name, table, weighted)


class _Lines:
    """Takes text as a counter of words does, and hands on to one what stands for nodes.

    The first lines of each file say how it is to be read.
    """

    def __init__(self, paths: list[Any], layout: Layout) -> None:
        self.counter, self.paths, self.layout = counter(), list(paths), layout
        self.comment = None if layout.comment is None else layout.comment.encode()
        self.comments = re.compile(rb"(?m)^[ \t]*" + re.escape(self.comment or b"") + rb".*$")
        self.weighted, self.weights = layout.weighted, list[Any]()
        self.fields = Fields()
        self.at = 0
        self._begin()

    def _begin(self) -> None:
        self.rest, self.started, self.fresh, self.first_line, self.columns = b"", False, True, 1, 0
        self.path = self.paths[min(self.at, len(self.paths) - 1)]

    def add_text(self, data: Any) -> None:
        """Take a piece of a file; it may end within a line."""
        text = self.rest + bytes(data)
        cut = text.rfind(b"\n") + 1
        if len(text) - cut > _LONGEST:
            self._too_long(text, cut)
        self.rest = text[cut:]
        if cut:
            self._take(text[:cut], False)

    def add_file(self, file: int, begin: int, end: int) -> None:
        """Take bytes [begin, end) of an open file."""
        while begin < end:
            piece = os.pread(file, min(_BLOCK, end - begin), begin)
            if not piece:
                break
            self.add_text(piece)
            begin += len(piece)

    def end_text(self) -> None:
        """End a file, its last line too."""
        self._take(self.rest and self.rest + b"\n", True)
        self.counter.end_text()
        self.at += 1
        self._begin()

    # ---- a block of lines -----------------------------------------------------------------------

    def _take(self, block: bytes, last: bool) -> None:
        if self.fresh and block:
            block, self.fresh = block.removeprefix(b"\xef\xbb\xbf"), False
        if not self.started:
            block = self._clean(block)
            numbered = enumerate(block.split(b"\n"))
            rows = [(number, row) for number, row in numbered if row.strip()][:2]
            if not rows:
                self.first_line += block.count(b"\n")
                return
            if len(rows) < 2 and not last and len(block) < 4 * _LONGEST:
                self.rest = block + self.rest
                return  # until there are two lines to look at
            block = self._start(block, rows)
        if block:
            self.counter.add_text(self._nodes(block))
            self.first_line += block.count(b"\n")

    def _clean(self, block: bytes) -> bytes:
        """Return the lines of a block with nothing in those that are comments."""
        if len(block.translate(None, _CONTROLS)) < len(block):
            at = next(at for at, byte in enumerate(block) if byte in _CONTROLS)
            line = self.first_line + block.count(b"\n", 0, at)
            raise FormatError(self.path, f"line {line}", "text", f"the byte 0x{block[at]:02x}")
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
            if (at := block.find(b"\r")) >= 0:
                line = self.first_line + block.count(b"\n", 0, at)
                found = "a carriage return alone"
                raise FormatError(self.path, f"line {line}", "lines that end with a newline", found)
        at = 0
        while at + _LONGEST < len(block):
            end = block.rfind(b"\n", at, at + _LONGEST + 1) + 1
            if not end:
                self._too_long(block, at)
            at = end
        if self.comment is not None and self.comment in block:
            return self.comments.sub(b"", block)
        return block

    def _too_long(self, text: bytes, at: int) -> None:
        line = self.first_line + text.count(b"\n", 0, at)
        raise FormatError(self.path, f"line {line}", f"at most {_LONGEST} bytes", "more")

    def _start(self, block: bytes, rows: list[tuple[int, bytes]]) -> bytes:
        """Find out how a file is written, from its first lines; return what is after a header."""
        self.started = True
        first = rows[0][1]
        delimiter = self.layout.delimiter
        if delimiter is None:
            delimiter = next((one for one in _SEPARATORS if one.encode() in first.strip()), " ")
        self.fields.delimited(delimiter)
        top, *more = [self._fields(row, number) for number, row in rows]
        header = self.layout.header
        if header is None:
            alike = bool(more) and len(top) == len(more[0])
            header = alike and (
                (any(map(_is_number, more[0])) and not any(map(_is_number, top)))
                or tuple(field.decode("latin-1").lower() for field in top[:2]) in _HEADERS
            )
        sample = more[0] if header and more else top
        if header:  # its line stays, empty
            at = block.index(first)
            block = block[:at] + block[at + len(first) :]
        if header and not more:
            return block
        if self.layout.weighted is None and len(sample) >= 2:  # fewer are no edge
            self.columns = len(sample)
            weighted = len(sample) > 2 and _is_number(sample[2])
            if self.weighted not in (None, weighted):
                expected = "weights" if self.weighted else "no weights"
                raise FormatError(self.path, "columns", f"{expected} as in the first file", "other")
            self.weighted = weighted
        return block

    def _fields(self, line: bytes, at: int = 0) -> list[bytes]:
        try:
            return self.fields.plain(line).split()
        except ValueError as error:
            where = f"line {self.first_line + at}"
            raise FormatError(self.path, where, "simple quotes", str(error)) from None

    def _nodes(self, block: bytes) -> Any:
        """Return a block with nothing but nodes; its weights are kept."""
        text = self._clean(block)
        try:
            text = self.fields.plain(text)
        except ValueError:
            self._complain(block)
        found = tokens(text)
        sizes, firsts = np.diff(found.offsets), found.offsets[:-1]
        if not len(firsts):
            return b""
        least = 3 if self.weighted else 2
        fewest, most = int(sizes.min()), int(sizes.max())
        if fewest < least or (self.columns and (fewest, most) != (self.columns, self.columns)):
            self._complain(block)
        if self.fields.empty in text:
            which = (firsts[:, None] + np.arange(least)).reshape(-1)
            one = found.lengths[which] == 1
            raw = np.frombuffer(text, np.uint8)
            if bool((raw[found.starts[which[one]]] == self.fields.empty[0]).any()):
                self._complain(block)
        if most == 2:
            return text
        nodes, numbers = _parted(text, found.starts, firsts, least)
        if self.weighted:
            self.weights.append(self._numbers(numbers, len(firsts), block))
        return nodes

    def _numbers(self, text: bytes, many: int, block: bytes) -> Any:
        import warnings

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)  # of what is no number
                found = np.fromstring(text, np.float64, sep=" ")
        except (ValueError, DeprecationWarning):
            self._complain(block)
        if len(found) != many:
            self._complain(block)
        return found

    def _complain(self, block: bytes) -> Any:
        """Raise FormatError at the first line of a block that is none."""
        least = 3 if self.weighted else 2
        for number, line in enumerate(self._clean(block).split(b"\n")):
            if not line.strip():
                continue
            fields = self._fields(line, number)
            where = f"line {self.first_line + number}"
            shown = repr(line[:60].decode("utf-8", "backslashreplace"))
            if len(fields) < least or self.fields.empty in fields[:least]:
                full = sum(field != self.fields.empty for field in fields)
                expected = "two nodes and a weight" if least == 3 else "two nodes"
                raise FormatError(self.path, where, expected, f"{full} columns, {shown}")
            if self.columns and len(fields) != self.columns:
                expected = f"{self.columns} columns as in the first line"
                raise FormatError(self.path, where, expected, f"{len(fields)}, {shown}")
            if least == 3 and not _is_number(fields[2]):
                weight = fields[2].decode("utf-8", "backslashreplace")
                raise FormatError(self.path, where, "a number as weight", repr(weight[:60]))
        raise FormatError(self.path, f"line {self.first_line} or later", "edges", "something else")


def _parted(text: bytes, starts: Longs, firsts: Longs, least: int) -> tuple[bytes, bytes]:
    """Return the text of the first two columns of all lines, and of the third if there are 3."""
    bounds, raw = np.append(starts, len(text)), np.frombuffer(text, np.uint8)

    def between(begins: Longs, ends: Longs) -> bytes:
        apart = np.append(begins[1:], len(text)) - ends
        lengths = np.stack([ends - begins, apart], axis=1).reshape(-1)
        mask = np.repeat(np.tile(np.array([True, False]), len(begins)), lengths)
        kept: bytes = raw[int(begins[0]) :][mask].tobytes()
        return kept

    third = bounds[firsts + 2]
    nodes = between(bounds[firsts], third)
    return nodes, between(third, bounds[firsts + 3]) if least == 3 else b""


def _is_number(field: bytes) -> bool:
    return NUMBER.fullmatch(field) is not None
