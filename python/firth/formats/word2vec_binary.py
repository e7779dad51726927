"""word2vec's binary format: a line "rows dim", then per row the key, a space and dim float32.

word2vec itself puts a line feed after each row and other tools do not; both are read, and it is
written. Numbers are little-endian. Keys have no spaces. Bytes that are not UTF-8 become lone
surrogates.
"""

import mmap
from pathlib import Path

import numpy as np

from firth._errors import FormatError
from firth._files import atomic_file
from firth._reading import AnyPath, CheckedReader
from firth._vectors import first_not_finite
from firth.embedding import Embedding
from firth.formats._rows import encoded, header_of, read_header


def sniff(path: Path, head: bytes) -> bool:
    """Say whether a header begins the file; word2vec's text format is asked first."""
    return header_of(head) is not None


def read(path: AnyPath, limit: int | None = None) -> Embedding:
    """Read the first ``limit`` rows or all."""
    with CheckedReader(path) as file:
        rows, dim = read_header(file, least=2, per_number=4)  # "k", " "
        wanted = rows if limit is None else min(rows, limit)
        vectors = np.empty((wanted, dim), "<f4")
        with mmap.mmap(file.file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            keys, at = _rows(file, data, vectors)
            if wanted == rows and at != file.size and data[at:] != b"\n":
                found = f"{file.size - at} bytes more"
                raise FormatError(file.path, f"byte {at}", f"the end after {rows} rows", found)
    if (row := first_not_finite(vectors)) is not None:
        key = next(key for key, at in keys.items() if at == row)
        place = f"row {row + 1} of key {key!r}"
        raise FormatError(file.path, place, "finite numbers", "NaN or infinity")
    return Embedding(list(keys), vectors, check=False)


def _rows(
    file: CheckedReader, data: mmap.mmap, vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> tuple[dict[str, int], int]:
    """Fill the vectors; return the row of each key, and where the rows end."""
    keys: dict[str, int] = {}
    at, width = file.offset, vectors.shape[1] * 4
    for row in range(len(vectors)):
        begin = at
        if row and data[at : at + 1] == b"\n":
            begin += 1
        end = data.find(b" ", begin)
        place = f"row {row + 1} (byte {begin})"
        if end < 0 or end + 1 + width > file.size:
            expected = f"a key, a space and {width} bytes"
            raise FormatError(file.path, place, expected, f"{file.size - begin} bytes")
        raw = data[begin:end]
        if not raw or b"\n" in raw:
            found = repr(raw[:40])
            raise FormatError(file.path, place, "a key that ends with a space", found)
        key = raw.decode("utf-8", "surrogateescape")
        if key in keys:
            expected = f"keys that differ, {key!r} was in row {keys[key] + 1}"
            raise FormatError(file.path, place, expected, "it again")
        keys[key] = row
        at = end + 1 + width
        vectors[row] = np.frombuffer(data[end + 1 : at], "<f4")
    return keys, at


def write(embedding: Embedding, path: AnyPath) -> None:
    """Write atomically; ValueError for keys that are empty or have spaces or line feeds."""
    keys = [encoded(key, "word2vec-binary") for key in embedding.keys]
    with atomic_file(path) as file:
        file.write(b"%d %d\n" % (len(embedding), embedding.dim))
        for key, vector in zip(keys, embedding.vectors.astype("<f4", copy=False), strict=True):
            file.write(key + b" " + vector.tobytes() + b"\n")
