"""Edge lists as text -> edges, in blocks; columns of nodes are counted as words of a text are."""

import os
import re
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np

from firth import _sources
from firth._backend import Longs, named
from firth._backend_text import WordCounter
from firth._edges import Edges, edges_of
from firth._errors import FormatError
from firth.kernels import tokens

_BLOCK = 1 << 23  # bytes that are looked at together
_LONGEST = 1 << 20  # bytes of a line
_GAP = 0x1F  # what stands for a space within a name: the unit separator of ASCII
_SEPARATORS = ("\t", ",", ";")


def read_edges(
    source: Any,
    *,
    weighted: bool | None,
    delimiter: str | None,
    header: bool | None,
    comment: str | None,
    progress: bool | None,
) -> Edges:
    """Return the edges of files; see `firth.Graph.read`."""
    name = "Graph.read"
    if delimiter is not None and (
        not isinstance(delimiter, str) or len(delimiter.encode()) != 1 or delimiter == "\n"
    ):
        raise ValueError(f"{name}: delimiter={delimiter!r} is not one character")
    if comment is not None and (not isinstance(comment, str) or not comment):
        raise ValueError(f"{name}: comment={comment!r} is no text that lines can begin with")
    if isinstance(source, (str, PathLike)) and Path(source).suffix.lower() == ".parquet":
        return _parquet(name, source)
    sources = (
        [source] if isinstance(source, (str, PathLike)) or hasattr(source, "read") else list(source)
    )
    if not sources:
        raise ValueError(f"{name}: there is no file to read")
    counter = named("_cpu").WordCounter(
        threads=0, isa="", seed=int.from_bytes(os.urandom(8), "little"), max_words=2**31 - 1
    )
    lines = _Lines(counter, weighted, delimiter, header, comment)
    for one in sources:
        if not (isinstance(one, (str, PathLike)) or hasattr(one, "read")):
            kind = type(one).__name__
            raise TypeError(f"{name}: source is {kind}, expected paths or an open file")
        lines.begin(one)
        _sources.feed(cast(WordCounter, lines), one, progress)
    words, _, ids, _ = counter.finish(1, 2**62, None)
    keys, rows = _in_order([word.replace("\x1f", " ") for word in words], ids)
    weights = np.concatenate(lines.weights) if lines.weighted else None
    return Edges(keys, rows[0::2], rows[1::2], weights)


def _parquet(name: str, path: Any) -> Edges:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(f"{name}: a .parquet file needs pyarrow: pip install pyarrow") from error
    return edges_of(name, parquet.read_table(path), None)


def _in_order(words: list[str], ids: Any) -> tuple[list[str], Longs]:
    """Return names in row order, and rows: whole numbers as numbers, else most frequent first."""
    rows = ids.astype(np.int64)
    if not all(
        word.isdecimal() and word.isascii() and (word == "0" or word[0] != "0") for word in words
    ):
        return words, rows
    order = sorted(range(len(words)), key=lambda i: (len(words[i]), words[i]))
    place = np.empty(len(words), np.int64)
    place[order] = np.arange(len(words))
    return [words[i] for i in order], place[rows]


class _Lines:
    """Takes text as a counter of words does, and hands on to one what stands for nodes.

    The first lines of a file say how it is to be read.
    """

    def __init__(
        self,
        counter: Any,
        weighted: bool | None,
        delimiter: str | None,
        header: bool | None,
        comment: str | None,
    ) -> None:
        self.counter = counter
        self.wanted, self.delimiter, self.header = weighted, delimiter, header
        self.comment = None if comment is None else comment.encode()
        self.rest = b""
        self.path: Any = "the file"
        self.weighted = False
        self.started = False
        self.first_line = 1
        self.weights: list[Any] = []

    def begin(self, source: Any) -> None:
        """Turn to another file."""
        self.path = (
            source if isinstance(source, (str, PathLike)) else getattr(source, "name", "the file")
        )
        self.started, self.first_line = False, 1

    def add_text(self, data: Any) -> None:
        """Take a piece of a file; it may end within a line."""
        text = self.rest + (data.encode() if isinstance(data, str) else bytes(data))
        cut = text.rfind(b"\n") + 1
        self.rest = text[cut:]
        if len(self.rest) > _LONGEST:
            line = self.first_line + text.count(b"\n")
            found = f"one of more than {_LONGEST} bytes"
            raise FormatError(self.path, f"line {line}", "two nodes", found)
        if cut:
            self.counter.add_text(self._nodes(text[:cut]))

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
        if self.rest:
            self.add_text(b"\n")
        self.counter.end_text()

    def _nodes(self, block: bytes) -> bytes:
        """Return the block without anything but nodes; its weights are kept."""
        lines = block.count(b"\n")
        text = block
        if self.comment is not None and self.comment in text:
            text = re.sub(rb"(?m)^[ \t]*" + re.escape(self.comment) + rb".*$", b"", text)
        if not self.started:
            text = self._start(text)
        text = self._spaced(text)
        found = tokens(text)
        sizes = np.diff(found.offsets)
        least = 3 if self.weighted else 2
        if len(sizes) and int(sizes.min()) < least:
            self._complain(block, least)
        firsts = found.offsets[:-1]
        if self.weighted:
            self.weights.append(self._numbers(text, found, firsts + 2, block))
        if int(sizes.max(initial=2)) > 2:
            text = _without(text, found, firsts, sizes)
        self.first_line += lines
        return text

    def _start(self, text: bytes) -> bytes:
        """Find out how the file is written, from its first lines; return what is after a header."""
        rows = [row for row in text.split(b"\n", 200)[:200] if row.strip()]
        if not rows:
            return text
        self.started = True
        if self.delimiter is None:
            self.delimiter = next((one for one in _SEPARATORS if one.encode() in rows[0]), " ")
        fields = [self._spaced(row).split() for row in rows[:2]]
        header = self.header
        if header is None and len(fields) == 2:
            header = any(
                not _is_number(top) and _is_number(below)
                for top, below in zip(*fields, strict=False)
            )
        if header:
            at = text.index(rows[0]) + len(rows[0])
            text = b"\n" + text[at:].lstrip(b"\r\n")
        sample = fields[-1] if header and len(fields) == 2 else fields[0]
        numbers = len(sample) > 2 and _is_number(sample[2])
        if self.wanted is None:
            self.weighted = numbers if not self.weights else self.weighted
        else:
            self.weighted = self.wanted
        return text

    def _spaced(self, text: bytes) -> bytes:
        """Return the text with white space between columns, and none within them."""
        delimiter = (self.delimiter or " ").encode()
        if delimiter in (b" ", b""):
            return text
        if b" " in text:
            text = re.sub(
                rb" *" + re.escape(delimiter) + rb" *| +(?=\r?\n)|(?<=\n) +", _stripped, text
            )
            text = text.replace(b" ", bytes([_GAP]))
        return text if delimiter == b"\t" else text.replace(delimiter, b"\t")

    def _numbers(self, text: bytes, found: Any, which: Longs, block: bytes) -> Any:
        starts, lengths = found.starts[which], found.lengths[which]
        most = int(lengths.max(initial=1))
        if most > 64:
            self._complain(block, 3)
        raw = np.frombuffer(text + bytes(most), np.uint8)
        fields = np.lib.stride_tricks.sliding_window_view(raw, most)[starts].copy()
        fields[np.arange(most) >= lengths[:, None]] = 0
        try:
            return fields.view(f"S{most}")[:, 0].astype(np.float64)
        except ValueError:
            self._complain(block, 3)

    def _complain(self, block: bytes, least: int) -> Any:
        """Raise FormatError at the first line of a block that is none."""
        for number, line in enumerate(block.split(b"\n")):
            text = line.strip()
            if not text or (self.comment is not None and text.startswith(self.comment)):
                continue
            fields = self._spaced(line).split()
            what = None
            if len(fields) < least:
                what = f"{len(fields)} columns: {line[:60]!r}"
                expected = "two nodes" if least == 2 else "two nodes and a weight"
            elif least == 3 and not _is_number(fields[2]) and not (number == 0 and self.header):
                what, expected = repr(fields[2][:60]), "a number as weight"
            if what is not None:
                where = f"line {self.first_line + number}"
                raise FormatError(self.path, where, expected, what)
        raise FormatError(self.path, f"line {self.first_line} or after it", "edges", "other lines")


def _stripped(match: re.Match[bytes]) -> bytes:
    return match[0].strip(b" ")


def _without(text: bytes, found: Any, firsts: Longs, sizes: Longs) -> Any:
    """Return the text with spaces for all but the first two columns."""
    places = np.arange(len(found.starts)) - np.repeat(firsts, sizes)
    more = places >= 2
    change = np.zeros(len(text) + 1, np.int8)
    change[found.starts[more]] = 1
    change[found.starts[more] + found.lengths[more]] -= 1
    blank = np.cumsum(change[:-1], dtype=np.int8).astype(bool)
    array = np.frombuffer(text, np.uint8).copy()
    array[blank] = 0x20
    return array.tobytes()


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
