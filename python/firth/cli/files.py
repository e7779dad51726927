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

SUFFIXES = {".vec": "word2vec-text", ".txt": "word2vec-text", ".bin": "word2vec-binary"}
FORMAT_HELP = (
    "format of OUT (default: word2vec-text for stdout, .vec and .txt, word2vec-binary for .bin, "
    "otherwise a firth folder)"
)


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
        A firth folder cannot go to stdout; a format that is unknown.
    """

    def __init__(self, name: str, format: str | None) -> None:
        from firth._files import atomic_file, atomic_folder
        from firth.formats import format_of

        self.name = name
        usual = "word2vec-text" if name == "-" else SUFFIXES.get(Path(name).suffix, "firth")
        self.format = format or usual
        format_of(self.format)
        if name != "-":
            writer: Any = atomic_folder if self.format == "firth" else atomic_file
            with contextlib.suppress(_TriedError), writer(name):
                raise _TriedError
        elif self.format == "firth":
            raise ValueError("a firth folder cannot be written to stdout: choose another format")

    def write(self, embedding: "Embedding") -> None:
        """Write the vectors, atomically unless they go to stdout."""
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
    return line.decode("utf-8", "surrogateescape").strip()


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
