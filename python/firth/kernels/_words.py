"""What users have as words -> bytes and where each word lies in them."""

import itertools
from collections.abc import Iterable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from firth._backend import Bytes, Longs, backend_of, named
from firth._backend_text import TextBackend
from firth.kernels._arguments import array_module, typed


class Words(NamedTuple):
    """Word w is the bytes ``text[begins[w]:ends[w]]``."""

    text: Bytes
    begins: Longs
    ends: Longs


def encoded(word: str) -> bytes:
    """Return a word's bytes; where a lone surrogate stands for none, as in WTF-8."""
    try:
        return str.encode(word, "utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return str.encode(word, "utf-8", "surrogatepass")


def words_of(
    words: Iterable[str] | bytes | bytearray | memoryview | Bytes,
    function: str,
    *,
    threads: int = 0,
    backend: ModuleType | None = None,
) -> Words:
    """Return words as bytes; errors name the function that asked for them.

    Parameters
    ----------
    words
        Texts, whose lone surrogates stand for bytes; or a column of strings that has
        ``__arrow_c_stream__``; or bytes, or a (size,) uint8 array, with a newline behind each word,
        which the last one does not need.
    """
    if isinstance(words, str):
        raise TypeError(f"{function}: words is one str, expected several: pass a list")
    if isinstance(words, memoryview) and (words.itemsize != 1 or not words.c_contiguous):
        raise TypeError(
            f"{function}: words is a memoryview of something else than contiguous bytes"
        )
    if isinstance(words, (bytes, bytearray, memoryview)):
        return _lines(np.frombuffer(words, np.uint8), threads, backend)
    if getattr(words, "dtype", None) == np.uint8:
        typed(function, "words", words, np.uint8, ((None,),))
        return _lines(words, threads, backend)
    if hasattr(words, "__arrow_c_stream__"):
        stream = words.__arrow_c_stream__()
        return Words(*_reader(backend).arrow_rows(stream=stream, function=function))
    if not isinstance(words, Iterable):
        raise TypeError(
            f"{function}: words is {type(words).__name__}, expected an iterable of str, an Arrow "
            "column of strings, or bytes with a newline behind each word"
        )
    return _texts(list(words), function)


def _reader(backend: Any) -> TextBackend:
    """Return the backend that reads text, which happens on the host."""
    if hasattr(backend, "arrow_rows"):
        return backend  # type: ignore[no-any-return]
    return backend_of()  # type: ignore[no-any-return]


def _lines(text: Any, threads: int, backend: ModuleType | None) -> Words:
    xp = array_module("subwords", words=text)
    text = xp.ascontiguousarray(text)
    if xp is np:
        return Words(text, *_reader(backend).lines(text=text, threads=threads))
    return Words(text, *named("_arrays").lines(text=text))


def _texts(words: list[Any], function: str) -> Words:
    """Encode all words at once, if they are texts without lone surrogates."""
    try:
        joined = "".join(words)
        raw = joined.encode()
    except (TypeError, UnicodeEncodeError):
        return _one_by_one(words, function)
    offsets = np.zeros(len(words) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, words), np.int64, len(words)), out=offsets[1:])
    if offsets[-1] != len(joined):  # a subclass has another len
        return _one_by_one(words, function)
    text = np.frombuffer(raw, np.uint8)
    if len(raw) != len(joined):  # offsets count characters, which begin where bytes do not continue
        starts = np.append(np.flatnonzero((text & 0xC0) != 0x80), len(raw))
        offsets = starts[offsets]
    return Words(text, offsets[:-1], offsets[1:])


def _one_by_one(words: list[Any], function: str) -> Words:
    blobs = []
    for number, word in enumerate(words):
        if not isinstance(word, str):
            kind = type(word).__name__
            raise TypeError(f"{function}: words[{number}] is {kind}, expected str")
        blobs.append(encoded(word))
    offsets = np.fromiter(itertools.accumulate(map(len, blobs), initial=0), np.int64)
    return Words(np.frombuffer(b"".join(blobs), np.uint8), offsets[:-1], offsets[1:])
