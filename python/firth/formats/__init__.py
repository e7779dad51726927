"""The file formats: one file each with sniff, read and write, and one table.

===============  ===============================================  =================================
name             files                                            what they hold
===============  ===============================================  =================================
firth            a folder, with checksums; can be mapped          everything
fasttext-binary  fastText's .bin; .ftz (quantised) is read only   words, n-grams, labels, counts
floret           floret's .floret                                 rows of n-grams and their rule
word2vec-text    word2vec's text, fastText's .vec                 words and vectors
word2vec-binary  word2vec's .bin                                  words and vectors
glove-text       GloVe's text                                     words and vectors
===============  ===============================================  =================================

An embedding of words and n-grams goes into the last three as a plain one: the vectors of its words.
"""

import importlib
from pathlib import Path
from typing import Protocol

from firth._errors import FormatError
from firth._reading import AnyPath, CheckedReader
from firth.embedding import Embedding

# Name -> module, in the order in which they are asked whether a file is theirs.
FORMATS = {
    "firth": "firth.formats.firth",
    "fasttext-binary": "firth.formats.fasttext_binary",
    "floret": "firth.formats.floret",
    "word2vec-text": "firth.formats.word2vec_text",
    "word2vec-binary": "firth.formats.word2vec_binary",
    "glove-text": "firth.formats.glove_text",
}
_HEAD = 1 << 16  # bytes of a file that the formats are shown


class Format(Protocol):
    """What every format offers."""

    def sniff(self, path: Path, head: bytes) -> bool:
        """Say whether a file that begins with ``head`` is of this format; a folder has no head."""

    def read(self, path: AnyPath, limit: int | None = None) -> Embedding:
        """Read the first ``limit`` rows or all; FormatError where the file is damaged."""

    def write(self, embedding: Embedding, path: AnyPath) -> None:
        """Write atomically; ValueError if the format cannot hold one of the keys."""


def format_of(name: str) -> Format:
    """Return the format of that name."""
    if name not in FORMATS:
        raise ValueError(f"format: {name!r} is none of {', '.join(FORMATS)}")
    module: Format = importlib.import_module(FORMATS[name])
    return module


def load(path: AnyPath, mmap: bool = True, *, verify: bool = True) -> Embedding:
    """Load what `Embedding.save` wrote.

    Parameters
    ----------
    path
        A firth folder.
    mmap
        Map the vectors from the file instead of reading them into memory; they are then read-only,
        and processes that map the same folder share one copy.
    verify
        Hold all bytes against their checksums, at about 1 GB/s. Without it only the header is
        verified, and loading takes little more than making the list of keys.

    Raises
    ------
    FormatError
        The folder is damaged or not firth's.
    FileNotFoundError, NotADirectoryError
        There is nothing, or a file: `read` reads files of other formats.

    Examples
    --------
    >>> import tempfile, firth
    >>> path = tempfile.mkdtemp()
    >>> firth.Embedding(["a", "b"], [[1, 2], [3, 4]]).save(path)
    >>> firth.load(path)["b"].tolist()
    [3.0, 4.0]
    """
    from firth.formats import firth

    return firth.load(path, mmap=mmap, verify=verify)


def read(path: AnyPath, format: str | None = None, limit: int | None = None) -> Embedding:
    """Read an embedding from a file or folder of any known format into memory.

    Parameters
    ----------
    path
        A firth folder, or a file of fastText (.bin, .ftz), floret, word2vec (text or binary, also
        fastText's .vec) or GloVe.
    format
        ``"firth"``, ``"fasttext-binary"``, ``"floret"``, ``"word2vec-text"``,
        ``"word2vec-binary"`` or ``"glove-text"``; None looks at how the file begins.
    limit
        Read the first rows only, usually those of the most frequent keys. Rows that belong to no
        key, such as those of buckets, are all read.

    Raises
    ------
    FormatError
        The file is of no known format or damaged; names the place, what was expected and found.
    ValueError
        An unknown format, or a limit below 1.

    Examples
    --------
    >>> import tempfile, firth
    >>> path = f"{tempfile.mkdtemp()}/small.bin"
    >>> model = firth.FastText(dim=4, buckets=100, epochs=1, min_count=1, threads=1)
    >>> model.fit(["a cat and a dog"] * 50).write(path, format="fasttext-binary")
    >>> firth.read(path)
    SubwordEmbedding(4 keys, dim=4, buckets=100)
    >>> firth.read(path, limit=2)
    SubwordEmbedding(2 keys, dim=4, buckets=100)
    """
    if limit is not None and limit < 1:
        raise ValueError(f"read: limit={limit} is not at least 1")
    return format_of(_sniffed(path) if format is None else format).read(path, limit)


def _sniffed(path: AnyPath) -> str:
    place, head = Path(path), b""
    if not place.is_dir():
        with CheckedReader(path) as file:
            head = file.take(min(file.size, _HEAD), "anything")
    for name in FORMATS:
        if format_of(name).sniff(place, head):
            return name
    if head.startswith((b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd", b"PK", b"\xfd7zXZ")):
        found = "a compressed file, to be unpacked first"
    else:
        found = repr(head[:40]) if place.is_file() else "a folder without config.json"
    raise FormatError(path, "byte 0", f"one of the formats {', '.join(FORMATS)}", found)
