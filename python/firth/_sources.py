"""What users have -> the word counter: paths, compressed and open files, rows, Arrow columns.

Everything is read in pieces of a MB or so: between them Ctrl-C is answered and the bar moves.
"""

import errno
import importlib
import itertools
import operator
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from os import PathLike
from pathlib import Path
from typing import IO, Any

from firth._backend_text import WordCounter
from firth._errors import FormatError

PIECE = 1 << 20  # bytes per read of a stream
WINDOW = 64 << 20  # bytes of a file per call: the threads meet at its end
ROWS = 128  # rows per call

Update = Callable[[float], object]


def feed(counter: WordCounter, source: object, progress: bool | None) -> None:
    """Give everything in the source to the counter; see `firth.Corpus.read` for what it may be."""
    if isinstance(source, (str, PathLike)):
        _feed_files(counter, [source], progress)
    elif hasattr(source, "__arrow_c_stream__"):
        _feed_arrow(counter, source)
    elif hasattr(source, "read"):
        with _bar(progress, 0, "B") as update:
            _feed_stream(counter, source, update)
    elif isinstance(source, (bytes, bytearray, memoryview, Mapping)) or not isinstance(
        source, Iterable
    ):
        raise TypeError(
            f"Corpus.read: source is {type(source).__name__}, expected a path, an open file, "
            "an Arrow column, or an iterable of str, of token lists or of Path"
        )
    else:
        rows = iter(source)
        for first in rows:
            rows = itertools.chain([first], rows)
            if isinstance(first, PathLike):
                _feed_files(counter, _paths(rows), progress)
                return
            break
        with _bar(progress, operator.length_hint(source), "rows") as update:
            _feed_rows(counter, rows, update)


def _paths(elements: Iterator[object]) -> list[str | PathLike[str]]:
    paths: list[str | PathLike[str]] = []
    for number, path in enumerate(elements):
        if not isinstance(path, PathLike):
            kind = type(path).__name__
            raise TypeError(
                f"Corpus.read: element {number} is {kind}, expected a Path like the first"
            )
        paths.append(path)
    return paths


def _bar(enabled: bool | None, total: float, unit: str) -> AbstractContextManager[Update]:
    if enabled is False:
        return nullcontext(lambda _: None)
    return _shown_bar(enabled, total, unit)


def _shown_bar(enabled: bool | None, total: float, unit: str) -> AbstractContextManager[Update]:
    from contextlib import contextmanager

    from firth._progress import Progress

    @contextmanager
    def shown() -> Iterator[Update]:
        with Progress(enabled, total, "reading", unit) as bar:
            yield bar.update

    return shown()


# ---- files --------------------------------------------------------------------------------------


def _feed_files(
    counter: WordCounter, paths: list[str | PathLike[str]], progress: bool | None
) -> None:
    total = sum(_size(path) for path in paths)
    with _bar(progress, total, "B") as update:
        for path in paths:
            if path == "-":
                _feed_stream(counter, sys.stdin.buffer, update)
            else:
                _feed_file(counter, path, update)


def _size(path: str | PathLike[str]) -> int:
    """Ask for the size of a file: a missing one is found before hours are spent on the others."""
    if path == "-":
        return 0
    try:
        return Path(path).stat().st_size
    except FileNotFoundError as error:
        why = "no such file"
        if isinstance(path, str):
            why += " (a str is a path; a list of str is text)"
        raise FileNotFoundError(errno.ENOENT, why, os.fspath(path)) from error


def _feed_file(counter: WordCounter, path: str | PathLike[str], update: Update) -> None:
    with Path(path).open("rb", buffering=0) as file:
        suffix = Path(path).suffix.lower()
        if suffix in _OPENERS:
            _feed_compressed(counter, path, suffix, file, update)
        elif stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            size = os.fstat(file.fileno()).st_size
            for begin in range(0, size, WINDOW):
                end = min(size, begin + WINDOW)
                counter.add_file(file.fileno(), begin, end)
                update(end - begin)
            counter.end_text()
        else:
            _feed_stream(counter, file, update)


def _feed_stream(counter: WordCounter, file: Any, update: Update) -> None:
    while piece := file.read(PIECE):
        if isinstance(piece, str):
            piece = piece.encode("utf-8", "surrogateescape")
        counter.add_text(piece)
        update(len(piece))
    counter.end_text()


def _feed_compressed(
    counter: WordCounter, path: str | PathLike[str], suffix: str, raw: IO[bytes], update: Update
) -> None:
    module, name = _OPENERS[suffix]
    opened, errors = _opener(module, name)
    done = at = 0
    with closing(opened(raw)) as file:
        while True:
            try:
                piece = file.read(PIECE)
            except EOFError:
                where = f"after {done} bytes of text"
                raise FormatError(
                    path, where, "more compressed data", "the end of the file"
                ) from None
            except errors as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                where = f"after {done} bytes of text"
                raise FormatError(path, where, f"{suffix[1:]} data", str(error)) from error
            if not piece:
                break
            counter.add_text(piece)
            done += len(piece)
            here = raw.tell()
            update(here - at)
            at = here
    counter.end_text()


_OPENERS = {
    ".gz": ("gzip", "GzipFile"),
    ".bz2": ("bz2", "BZ2File"),
    ".xz": ("lzma", "LZMAFile"),
    ".zst": ("zstd", "ZstdFile"),
}


def _opener(
    module: str, name: str
) -> tuple[Callable[[IO[bytes]], Any], tuple[type[Exception], ...]]:
    """Return what opens such a file, and what it raises on damage."""
    if module == "gzip":
        gzip = importlib.import_module("gzip")
        return (lambda raw: gzip.GzipFile(fileobj=raw, mode="rb")), (OSError, zlib.error)
    if module == "zstd":
        zstd = _zstd()
        return zstd.ZstdFile, (OSError, zstd.ZstdError)
    found = importlib.import_module(module)
    if module == "lzma":
        return found.LZMAFile, (OSError, found.LZMAError)
    return found.BZ2File, (OSError, ValueError)


def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError("a .zst file needs Python 3.14 or `pip install firth[zstd]`")


# ---- rows ---------------------------------------------------------------------------------------


def _feed_rows(counter: WordCounter, rows: Iterator[object], update: Update) -> None:
    first = 0
    while batch := list(itertools.islice(rows, ROWS)):
        for i, row in enumerate(batch):
            if not isinstance(row, (str, list, tuple)):
                batch[i] = _as_list(row, first + i)
        counter.add_rows(batch, first)
        update(len(batch))
        first += len(batch)
    counter.end_text()


def _as_list(row: object, number: int) -> list[object]:
    if isinstance(row, (bytes, bytearray, memoryview, Mapping)) or not isinstance(row, Iterable):
        kind = type(row).__name__
        raise TypeError(f"Corpus.read: row {number} is {kind}, expected a str or a list of str")
    return list(row)


def _feed_arrow(counter: WordCounter, source: Any) -> None:
    counter.add_arrow(source.__arrow_c_stream__())
    counter.end_text()
