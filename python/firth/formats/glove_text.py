"""GloVe's text format: word2vec's without the first line.

How many numbers a row has is what the first row shows. Published files have a few keys with
spaces; they are read, but not written, for other readers stumble over them.
"""

from pathlib import Path

from firth._errors import FormatError
from firth._files import atomic_file
from firth._reading import AnyPath, CheckedReader
from firth.embedding import Embedding
from firth.formats._rows import BOM, encoded, is_number, longest_line, parse_rows, write_rows

_CHUNK = 1 << 20
_MOST_NUMBERS = 100_000


def sniff(path: Path, head: bytes) -> bool:
    """Say whether the first line is a key and numbers."""
    line, end, _ = head.partition(b"\n")
    _, *fields = line.rstrip(b" \r").split(b" ")
    if not end:
        fields = fields[:-1] or fields  # the last may be cut
    return bool(fields) and all(map(is_number, fields))


def read(path: AnyPath, limit: int | None = None) -> Embedding:
    """Read the first ``limit`` rows or all."""
    with CheckedReader(path) as file:
        dim = _first_row(file)
        rows = _lines(file, limit)
        if rows * (2 + 2 * dim) - 1 > file.size:
            expected = f"at least {rows * (2 + 2 * dim)} bytes for {rows} rows of {dim} numbers"
            raise FormatError(file.path, "byte 0", expected, f"{file.size} bytes")
        keys, vectors = parse_rows(file, rows, dim, first_line=1, spaces_in_keys=True)
    return Embedding(keys, vectors, check=False)


def write(embedding: Embedding, path: AnyPath) -> None:
    """Write atomically; ValueError for keys that are empty or have spaces or line feeds."""
    keys = [encoded(key, "glove-text") for key in embedding.keys]
    if not keys:
        raise ValueError("glove-text: an embedding without keys cannot be written: no header")
    if keys[0].startswith(BOM):
        raise ValueError(f"glove-text: key {embedding.keys[0]!r} looks like a byte order mark")
    with atomic_file(path) as file:
        write_rows(file, keys, embedding.vectors)


def _first_row(file: CheckedReader) -> int:
    """Return how many numbers the first line has."""
    line = file.file.readline(longest_line(_MOST_NUMBERS))
    file.file.seek(0)
    if line.startswith(BOM):
        raise FormatError(file.path, "line 1 (byte 0)", "a key", "a byte order mark")
    key, *fields = line.rstrip(b" \r\n").split(b" ")
    numbers = next((n for n, f in enumerate(reversed(fields)) if not is_number(f)), len(fields))
    if not key or not numbers or numbers > _MOST_NUMBERS:
        expected = f"a key and 1 to {_MOST_NUMBERS} numbers"
        raise FormatError(file.path, "line 1 (byte 0)", expected, repr(line[:40]))
    return numbers


def _lines(file: CheckedReader, limit: int | None) -> int:
    """Count the lines, at most ``limit``, so that memory is allocated once."""
    lines, last = 0, b""
    while (limit is None or lines < limit) and (chunk := file.file.read(_CHUNK)):
        lines, last = lines + chunk.count(b"\n"), chunk[-1:]
    file.file.seek(0)
    lines += last not in (b"\n", b"")
    return lines if limit is None else min(lines, limit)
