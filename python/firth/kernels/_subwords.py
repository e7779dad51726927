"""subwords, bag_means, subword_means: check the words, allocate, call the backend."""

from collections.abc import Iterable
from types import ModuleType
from typing import NamedTuple

import numpy as np

from firth._backend import Bytes, Floats, Ids, Longs, backend_of


class Bags(NamedTuple):
    """Bag b is ``ids[offsets[b]:offsets[b + 1]]``.

    Attributes
    ----------
    offsets
        (bags + 1,) int64.
    ids
        (total,) uint32.
    """

    offsets: Longs
    ids: Ids


class Words(NamedTuple):
    """Word w is the bytes ``text[begins[w]:ends[w]]``."""

    text: Bytes
    begins: Longs
    ends: Longs


def encoded(word: str) -> bytes:
    """Return the bytes of a word; lone surrogates that stand for no byte are three, as in WTF-8."""
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogatepass")


def words_of(words: Iterable[str] | bytes, name: str) -> Words:
    """Return words given as texts, or as bytes with a newline behind each, as bytes."""
    if isinstance(words, bytes | bytearray | memoryview):
        text = np.frombuffer(words, np.uint8)
        ends = np.flatnonzero(text == 10)
        if len(text) and text[-1] != 10:
            ends = np.append(ends, len(text))
        begins = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
        return Words(text, begins.astype(np.int64), ends.astype(np.int64))
    blobs = [encoded(word) for word in words]
    offsets = np.zeros(len(blobs) + 1, np.int64)
    np.cumsum([len(blob) for blob in blobs], out=offsets[1:])
    return Words(np.frombuffer(b"".join(blobs), np.uint8), offsets[:-1], offsets[1:])


def subwords(
    words: Iterable[str] | bytes,
    *,
    min_n: int = 3,
    max_n: int = 6,
    buckets: int = 2_000_000,
    hashes: int = 0,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Bags:
    """Return the character n-grams of words as ids of buckets."""
    text, begins, ends = words_of(words, "subwords")
    offsets = np.zeros(len(begins) + 1, np.int64)
    rule = {"min_n": min_n, "max_n": max_n, "buckets": buckets, "hashes": hashes}
    given = {"text": text, "begins": begins, "ends": ends, **rule, "offsets": offsets}
    call = backend_of(text, backend=backend).subwords
    call(**given, ids=None, threads=threads or 0, isa=isa or "")
    np.cumsum(offsets, out=offsets)
    ids = np.empty(int(offsets[-1]), np.uint32)
    call(**given, ids=ids, threads=threads or 0, isa=isa or "")
    return Bags(offsets, ids)


def bag_means(
    table: Floats,
    bags: Bags,
    *,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Floats:
    """Return the mean of the table's rows that each bag names (bags, dim)."""
    means = np.empty((len(bags.offsets) - 1, table.shape[1]), np.float32)
    backend_of(table, backend=backend).bag_means(
        table=table,
        offsets=bags.offsets,
        ids=bags.ids,
        means=means,
        threads=threads or 0,
        isa=isa or "",
    )
    return means


def subword_means(
    words: Iterable[str] | bytes,
    table: Floats,
    *,
    min_n: int = 3,
    max_n: int = 6,
    buckets: int = 2_000_000,
    hashes: int = 0,
    first_row: int = 0,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Floats:
    """Return `bag_means` of the words' `subwords`, of which bucket i is row ``first_row + i``."""
    text, begins, ends = words_of(words, "subword_means")
    means = np.empty((len(begins), table.shape[1]), np.float32)
    backend_of(text, backend=backend).subword_means(
        text=text,
        begins=begins,
        ends=ends,
        min_n=min_n,
        max_n=max_n,
        buckets=buckets,
        hashes=hashes,
        table=table,
        first_row=first_row,
        means=means,
        threads=threads or 0,
        isa=isa or "",
    )
    return means
