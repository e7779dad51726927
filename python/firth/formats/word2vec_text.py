"""word2vec's text format, also fastText's .vec: a line "rows dim", then a line per key.

A line is the key, a space and the numbers with a space between them; word2vec and fastText put
another space at its end. Keys have no spaces. Bytes that are not UTF-8 become lone surrogates.
"""

from pathlib import Path

from firth._errors import FormatError
from firth._files import atomic_file
from firth._reading import AnyPath, CheckedReader
from firth.embedding import Embedding
from firth.formats._rows import NUMERIC, encoded, header_of, parse_rows, read_header, write_rows


def sniff(path: Path, head: bytes) -> bool:
    """Say whether a header and a row of text begin the file."""
    header = header_of(head)
    if header is None:
        return False
    line, end, _ = head[header[2] :].partition(b"\n")
    _, blank, numbers = line.partition(b" ")
    if end and blank and not numbers:  # the first byte of a binary number
        return False
    return not numbers.translate(None, NUMERIC + b"\r")


def read(path: AnyPath, limit: int | None = None) -> Embedding:
    """Read the first ``limit`` rows or all."""
    with CheckedReader(path) as file:
        rows, dim = read_header(file, least=2, per_number=2)  # "k", " 1" for each, "\n"
        wanted = rows if limit is None else min(rows, limit)
        keys, vectors = parse_rows(file, wanted, dim, first_line=2)
        if wanted == rows and file.remaining:
            place = f"line {rows + 2} (byte {file.offset})"
            raise FormatError(file.path, place, f"the end after {rows} rows", "more")
    return Embedding(keys, vectors, check=False)


def write(embedding: Embedding, path: AnyPath) -> None:
    """Write atomically; ValueError for keys that are empty or have spaces or line feeds."""
    keys = [encoded(key, "word2vec-text") for key in embedding.keys]
    with atomic_file(path) as file:
        file.write(b"%d %d\n" % (len(embedding), embedding.dim))
        write_rows(file, keys, embedding.vectors)
