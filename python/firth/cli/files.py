"""What commands read and write: ``-`` for stdin and stdout, and OUT tried before work begins."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firth.classifier import Classifier
    from firth.embedding import Embedding
    from firth.subwords import Subwords

SUFFIXES = {
    ".vec": "word2vec-text",
    ".txt": "word2vec-text",
    ".bin": "word2vec-binary",
    ".floret": "floret",
}
FORMAT_HELP = (
    "format of OUT (default: word2vec-text for stdout, .vec and .txt; floret for .floret; for .bin "
    "fasttext-binary where words are made of n-grams or there are labels, otherwise "
    "word2vec-binary; for all else a firth folder)"
)
_HOLDS_LABELS = ("firth", "fasttext-binary")
_HOLDS_ROWS = ("firth", "floret", "fasttext-binary")  # also those of n-grams


@contextlib.contextmanager
def incoming(name: str) -> Iterator[Path]:
    """Give a file to read: the one of that name, or what stdin (``-``) holds in a temporary one."""
    if name != "-":
        yield Path(name)
        return
    with tempfile.TemporaryDirectory(prefix="firth-") as folder:
        copy = Path(folder, "stdin")
        with copy.open("wb") as to:
            shutil.copyfileobj(sys.stdin.buffer, to, 1 << 20)
        yield copy


def load(name: str) -> "Embedding":
    """Read the vectors of any known format; a firth folder is mapped."""
    import firth

    if Path(name).is_dir():
        return firth.load(name)
    with incoming(name) as path:
        return firth.read(path)


def searched(name: str) -> "Embedding":
    """Read vectors among which answers are looked for."""
    embedding = load(name)
    if len(embedding) == 0:
        raise ValueError(f"{name}: {embedding!r}: there are no words to choose from")
    return embedding


def classifier(name: str) -> "Classifier":
    """Read a classifier of any known format."""
    from firth.classifier import Classifier

    model = load(name)
    if not isinstance(model, Classifier):
        raise ValueError(f"{name}: {model!r} has no labels, expected a classifier")
    return model


class Destination:
    """Where an embedding goes: a path or stdout (``-``), and in which format.

    Raises
    ------
    OSError
        Nothing can be written there. It is tried at once, before hours of training.
    ValueError
        A firth folder cannot go to stdout; a format that is unknown; an ending that is only read.
    """

    def __init__(self, name: str, format: str | None) -> None:
        from firth._files import atomic_file, atomic_folder
        from firth.formats import format_of

        self.name = name
        suffix = "" if name == "-" else Path(name).suffix
        if format is None and suffix == ".ftz":
            raise ValueError(f"{name}: quantised models (.ftz) are read only, .bin is written")
        usual = "word2vec-text" if name == "-" else SUFFIXES.get(suffix, "firth")
        self.format = format or usual
        self._chosen = format is not None
        self._binary = format is None and suffix == ".bin"  # of which kind is seen when it comes
        format_of(self.format)
        if name != "-":
            writer: Any = atomic_folder if self.format == "firth" else atomic_file
            with contextlib.suppress(_TriedError), writer(name):
                raise _TriedError
        elif self.format == "firth":
            raise ValueError("a firth folder cannot be written to stdout: choose another format")

    def expect(self, rule: "Subwords | None", *, labels: bool = False) -> None:
        """Raise ValueError if words of that rule cannot be written, while nothing is lost by it."""
        self._expect_labels(labels)
        hashes = 0 if rule is None else rule.hashes
        if self.format == "floret" and not hashes:
            raise ValueError(f"{self.name}: floret's files hold words of hashes=1 to 4, not 0")
        if hashes and (self._binary or self.format == "fasttext-binary"):
            raise ValueError(f"{self.name}: fastText's files hold no words of hashes={hashes}")

    def _expect_labels(self, labels: bool) -> None:
        """Raise ValueError if labels would be lost, and it was not said that they may be."""
        if labels and not (self._chosen or self._binary or self.format in _HOLDS_LABELS):
            raise ValueError(
                f"{self.name}: {self.format} holds no labels: choose a firth folder or .bin, or "
                f"name the format {self.format} to write the words alone"
            )

    def write(self, embedding: Any) -> None:
        """Write vectors or a recommender, atomically unless they go to stdout."""
        if hasattr(embedding, "recommend"):
            embedding.save(self.name)
            return
        from firth.classifier import Classifier
        from firth.subword_embedding import SubwordEmbedding

        made = isinstance(embedding, SubwordEmbedding)
        self._expect_labels(isinstance(embedding, Classifier))
        if self._binary and made:
            self.format = "fasttext-binary"
        if made and len(embedding) == 0 and self.format not in _HOLDS_ROWS:
            raise ValueError(f"{self.format} holds words, and there are rows of n-grams only")
        if self.name != "-":
            embedding.write(self.name, format=self.format)
            return
        with tempfile.TemporaryDirectory(prefix="firth-") as folder:
            copy = Path(folder, "stdout")
            embedding.write(copy, format=self.format)
            with copy.open("rb") as source:
                sys.stdout.flush()
                shutil.copyfileobj(source, sys.stdout.buffer, 1 << 20)


class _TriedError(Exception):
    """Ends the trial of a destination, which leaves nothing behind."""


def lines(stream: Any, *, empty: bool = False) -> Iterator[list[str]]:
    """Yield the lines of a binary stream in lots: as many as are there, so that nobody waits.

    A file comes in large lots, the lines of a program that waits for each answer one by one.
    Empty lines are left out, unless an answer is due to them, too.
    """
    rest = b""
    while chunk := stream.read1(1 << 16):
        *whole, rest = (rest + chunk).split(b"\n")
        if lot := [text for line in whole if (text := _text(line)) or empty]:
            yield lot
    if text := _text(rest):
        yield [text]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape").strip(" \t\n\v\f\r\0")


def questions(*, empty: bool = False) -> Iterator[list[str]]:
    """Yield the lines of stdin in lots, with a prompt if a person types them."""
    asked = sys.stdin.isatty()
    lots = lines(sys.stdin.buffer, empty=empty)
    while True:
        if asked:
            sys.stderr.write("> ")
            sys.stderr.flush()
        try:
            yield next(lots)
        except StopIteration:
            break
    if asked:
        sys.stderr.write("\n")


def size(name: str) -> int:
    """Return the bytes of a file, or of the files in a folder."""
    path = Path(name)
    if not path.is_dir():
        return path.stat().st_size
    return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())
