"""The tokens kernel in array code, the word counter in plain Python: what `_arrays` reads with."""

import os
from collections import Counter
from typing import Any

import numpy as np

from firth._backend import Bytes, Hashes, Ids, Longs

_SEPARATORS = np.isin(np.arange(256), [0, 9, 10, 11, 12, 13, 32])
_WORD = 2**64 - 1
_LONG = 256  # bytes from which a token is hashed alone: one array step per 16 bytes would be slow


def tokens(
    *,
    text: Bytes,
    begin: int,
    end: int,
    seed: int,
    starts: Longs,
    lengths: Longs,
    keys: Hashes,
    hashes: Hashes,
    breaks: Longs,
    isa: str = "",
) -> tuple[int, int]:
    """Find the tokens that start in text[begin:end]; see ``cpp/include/firth/tokens.h``."""
    inside = ~_SEPARATORS[text[begin:end]]
    before = np.concatenate([[begin > 0 and not _SEPARATORS[text[begin - 1]]], inside[:-1]])
    first = np.flatnonzero(inside & ~before[: len(inside)]) + begin
    last = np.flatnonzero(~inside & before[: len(inside)]) + begin
    if before[:1].any():  # the end of a token that began before
        last = last[1:]
    if len(last) < len(first):  # the last token ends at the end of the range or behind it
        stop = end
        while stop < len(text):
            found = np.flatnonzero(_SEPARATORS[text[stop : stop + (1 << 16)]])
            if len(found):
                stop += int(found[0])
                break
            stop = min(len(text), stop + (1 << 16))
        last = np.append(last, stop)
    n = len(first)
    starts[:n] = first
    lengths[:n] = last - first
    words = _group(text, first, last)
    keys.reshape(-1, 2)[:n] = words
    hashes[:n] = _hash(text, first, last, words, seed)
    newlines = np.flatnonzero(text[begin:end] == 10) + begin
    ended = np.unique(np.searchsorted(first, newlines))
    breaks[: len(ended)] = ended
    return n, len(ended)


def _group(text: Bytes, at: Longs, end: Longs) -> Hashes:
    """Return (tokens, 2): the 16 bytes from `at` on, zeros from `end` on."""
    places = at[:, None] + np.arange(16)
    if len(text) == 0:
        return np.zeros((len(at), 2), np.uint64)
    taken = text[np.minimum(places, len(text) - 1)]
    return np.where(places < end[:, None], taken, np.uint8(0)).view("<u8").astype(np.uint64)


def _hash(text: Bytes, start: Longs, end: Longs, words: Hashes, seed: int) -> Hashes:
    k0, k1 = seed ^ 0x9E3779B97F4A7C15, (seed << 32 | seed >> 32) & _WORD ^ 0xD1B54A32D192ED03
    h = _fold(words[:, 0] ^ np.uint64(k0), words[:, 1] ^ np.uint64(k1))
    open_ = np.flatnonzero((end - start > 16) & (end - start <= _LONG))
    at = start + 16
    while len(open_):
        words = _group(text, at[open_], end[open_])
        mixed = words[:, 0] ^ h[open_] ^ np.uint64(k0)
        h[open_] = _fold(mixed, words[:, 1] ^ np.uint64(k1))
        at += 16
        open_ = open_[at[open_] < end[open_]]
    for i in np.flatnonzero(end - start > _LONG).tolist():
        raw = text[start[i] + 16 : end[i]].tobytes()
        raw += bytes(-len(raw) % 16)
        value = int(h[i])
        for j in range(0, len(raw), 16):
            low = int.from_bytes(raw[j : j + 8], "little") ^ value ^ k0
            product = low * (int.from_bytes(raw[j + 8 : j + 16], "little") ^ k1)
            value = (product & _WORD) ^ (product >> 64)
        h[i] = value
    return h


def _fold(a: Hashes, b: Hashes) -> Hashes:
    """Multiply to 128 bits by halves; high word ^ low word."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, b0, b1 = a & mask, a >> half, b & mask, b >> half
    low, middle = a0 * b0, a1 * b0
    middle += low >> half
    other = (middle & mask) + a0 * b1
    high = a1 * b1 + (middle >> half) + (other >> half)
    folded: Hashes = high ^ (low & mask | other << half)
    return folded


class WordCounter:
    """What ``_cpu.WordCounter`` does, with a dict; all of it in memory, whatever the budget."""

    def __init__(
        self,
        *,
        threads: int,
        isa: str,
        seed: int,
        max_words: int,
        memory: int = 0,
        files: tuple[()] | tuple[int, int, int] = (),
        folder: bytes = b"",
    ) -> None:
        self.max_words = max_words
        self.tokens = 0
        self._counts: Counter[bytes] = Counter()
        self._sentences: list[list[bytes]] = [[]]
        self._waiting = b""

    @property
    def types(self) -> int:
        return len(self._counts)

    def add_text(self, data: Any) -> None:
        lines = (self._waiting + bytes(data)).replace(b"\0", b" ").split(b"\n")
        for line in lines[:-1]:
            self._add(line.split())
            self._sentences.append([])
        *whole, self._waiting = lines[-1].split(b" ")
        self._add(b" ".join(whole).split())

    def end_text(self) -> None:
        self.add_text(b" ")
        self._sentences.append([])

    def add_file(self, file: int, begin: int, end: int) -> None:
        # Windows come in order: a token that crosses two of them is completed by the second.
        while begin < end and (data := os.pread(file, min(end - begin, 1 << 20), begin)):
            self.add_text(data)
            begin += len(data)

    def add_rows(self, rows: list[Any], first: int) -> None:
        for number, row in enumerate(rows, first):
            name = f"Corpus.read: row {number}"
            if isinstance(row, str):
                self.add_text(_bytes(row, name) + b"\n")
                continue
            if not isinstance(row, (list, tuple)):
                kind = type(row).__name__
                raise TypeError(f"{name} is {kind}, expected a str or a list of str")
            words = []
            for i, token in enumerate(row):
                if not isinstance(token, str):
                    kind = type(token).__name__
                    raise TypeError(f"{name}, token {i} is {kind}, expected str")
                if token:
                    words.append(_bytes(token, f"{name}, token {i}"))
            self._add(words)
            self._sentences.append([])

    def add_arrow(self, stream: Any) -> None:
        raise TypeError("Corpus.read: Arrow columns need the compiled module: pass a list")

    def finish(
        self, min_count: int, max_words: int, vocabulary: list[str] | None
    ) -> tuple[list[str], Longs, Ids, Longs]:
        if vocabulary is None:
            kept = [item for item in self._counts.items() if item[1] >= min_count]
            kept = sorted(kept, key=lambda item: (-item[1], item[0]))[:max_words]
            raw = [word for word, _ in kept]
            words = [word.decode("utf-8", "surrogateescape") for word in raw]
        else:
            words = vocabulary
            raw = [word.encode("utf-8", "surrogateescape") for word in words]
        index = {word: i for i, word in enumerate(raw)}
        found = [[index[t] for t in sentence if t in index] for sentence in self._sentences]
        found = [sentence for sentence in found if sentence]
        ids = np.array([i for sentence in found for i in sentence], dtype=np.uint32)
        offsets = np.cumsum([0, *map(len, found)], dtype=np.int64)
        return words, np.array([self._counts[w] for w in raw], dtype=np.int64), ids, offsets

    def _add(self, words: list[bytes]) -> None:
        self._counts.update(words)
        self._sentences[-1] += words
        self.tokens += len(words)
        if len(self._counts) > self.max_words:
            raise ValueError(f"Corpus.read: more than {self.max_words} different words")


def _bytes(word: str, name: str) -> bytes:
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"{name} has a lone surrogate that stands for no byte") from None
