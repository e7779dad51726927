"""The subwords kernels in array code: one step per byte, of all n-grams of many words at once."""

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from firth._backend import Bytes, Floats, Ids, Longs

_PIECE = 1 << 20  # bytes of words that are worked on together; a longer word stands alone
_ROWS = 1 << 14  # n-grams that are hashed together by MurmurHash3
_BASIS, _PRIME, _SEED = 2166136261, 16777619, 2166136261
_FIRST, _SECOND = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)


def _module(array: Any) -> Any:
    return np if isinstance(array, np.ndarray) else importlib.import_module("cupy")


def lines(*, text: Bytes, threads: int = 0) -> tuple[Longs, Longs]:
    """Find the lines of a text."""
    xp = _module(text)
    ends = xp.flatnonzero(text == 10)
    if len(text) and int(text[-1]) != 10:
        ends = xp.concatenate([ends, xp.asarray([len(text)])])
    begins = xp.zeros(len(ends), np.int64)
    begins[1:] = ends[:-1] + 1
    return begins, ends.astype(np.int64, copy=False)


def arrow_rows(*, stream: Any, function: str) -> tuple[Bytes, Longs, Longs]:
    """Array code cannot read what a capsule points to."""
    raise TypeError(f"{function}: Arrow columns need the compiled module: pass a list")


def _counts(xp: Any, sizes: Any) -> Any:
    """Return sizes as ``repeat`` wants them: cupy's takes a list."""
    return sizes if xp is np else sizes.tolist()


def _pieces(begins: Any, ends: Any) -> Iterator[slice]:
    """Cut words into runs of not too many bytes."""
    xp = _module(begins)
    behind = xp.cumsum(ends - begins + 2)
    first = 0
    while first < len(begins):
        before = int(behind[first - 1]) if first else 0
        end = xp.asarray([before + _PIECE])
        last = max(first + 1, int(xp.searchsorted(behind, end, side="right")[0]))
        yield slice(first, last)
        first = last


class _Words:
    """Words between their boundaries, one behind another, and the characters of that."""

    def __init__(self, text: Any, begins: Any, ends: Any) -> None:
        xp = self.xp = _module(text)
        sizes = ends - begins + 2
        self.ends = xp.cumsum(sizes)
        self.begins = self.ends - sizes
        total = int(self.ends[-1])
        self.bytes = xp.full(total, ord("<"), np.uint8)
        inside = xp.ones(total, bool)
        inside[self.begins] = inside[self.ends - 1] = False
        source = xp.arange(total) + xp.repeat(begins - self.begins - 1, _counts(xp, sizes))
        self.bytes[inside] = text[source[inside]]
        self.bytes[self.ends - 1] = ord(">")
        self.no_bag = sizes == 6  # fastText's end of a line has none
        for i, byte in enumerate(b"<</s>>"):
            self.no_bag &= self.bytes[xp.minimum(self.begins + i, total - 1)] == byte
        # Of each character where it begins, and its word; of each word its characters.
        self.begins_one = xp.append((self.bytes & 0xC0) != 0x80, xp.ones(1, bool))
        self.starts = xp.flatnonzero(self.begins_one[:-1])
        self.first = xp.searchsorted(self.starts, self.begins)
        self.last = xp.searchsorted(self.starts, self.ends)
        self.word = xp.repeat(xp.arange(len(sizes)), _counts(xp, self.last - self.first))

    def ngrams(self, min_n: int, max_n: int) -> Any:
        """Return (characters,) how many n-grams begin at each."""
        xp = self.xp
        if max_n == 0:
            return xp.zeros(len(self.starts), np.int64)
        left = self.last[self.word] - xp.arange(len(self.starts))
        count = xp.maximum(xp.minimum(left, max_n) - min_n + 1, 0)
        if min_n == 1:
            count[self.first] -= 1
            count[self.last - 1] -= 1
        count[self.no_bag[self.word]] = 0
        return count

    def sizes(self, count: Any, hashes: int) -> Any:
        """Return (words,) how many ids each has."""
        xp = self.xp
        before = xp.append(xp.zeros(1, np.int64), xp.cumsum(count))
        total = before[self.last] - before[self.first]
        return xp.where(self.no_bag, 0, (total + 1) * hashes) if hashes else total

    def fill(
        self, count: Any, min_n: int, max_n: int, buckets: int, hashes: int, offsets: Any, ids: Any
    ) -> None:
        """Write the bag of each word to where the offsets say."""
        xp, divisor = self.xp, np.uint32(buckets)
        before = xp.cumsum(count) - count
        slots = offsets[self.word] + (before - before[self.first][self.word]) * max(hashes, 1)
        if hashes:
            slots += hashes
            whole = xp.flatnonzero(~self.no_bag)
            self._hash(self.begins[whole], self.ends[whole], offsets[whole], divisor, hashes, ids)
        active = xp.flatnonzero(count > 0)
        slot, begin, end = slots[active], self.starts[active], self.ends[self.word[active]]
        first, at = begin == self.begins[self.word[active]], begin.copy()
        n, hashed = xp.zeros(len(active), np.int64), xp.full(len(active), _BASIS, np.uint32)
        signed = self.bytes.view(np.int8).astype(np.int32).view(np.uint32)
        while len(at):
            hashed = (hashed ^ signed[at]) * np.uint32(_PRIME)
            at += 1
            whole = self.begins_one[at]
            n += whole
            single = (n == 1) & (first | (at == end))
            found = xp.flatnonzero(whole & (n >= min_n) & ~single)
            if hashes:
                self._hash(begin[found], at[found], slot[found], divisor, hashes, ids)
            else:
                ids[slot[found]] = hashed[found] % divisor
            slot[found] += max(hashes, 1)
            go_on = ~(whole & ((n == max_n) | (at == end)))
            slot, begin, end, first, at, n, hashed = (
                array[go_on] for array in (slot, begin, end, first, at, n, hashed)
            )

    def _hash(
        self, begins: Any, ends: Any, slots: Any, divisor: Any, hashes: int, ids: Any
    ) -> None:
        for cut in (slice(i, i + _ROWS) for i in range(0, len(begins), _ROWS)):
            four = _murmur(self.xp, self.bytes, begins[cut], ends[cut])
            for i in range(hashes):
                ids[slots[cut] + i] = four[i] % divisor


def _turned_left(x: Any, bits: int) -> Any:
    return x << np.uint64(bits) | x >> np.uint64(64 - bits)


def _stirred(x: Any) -> Any:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        x = (x ^ x >> np.uint64(33)) * np.uint64(factor)
    return x ^ x >> np.uint64(33)


def _murmur(xp: Any, text: Any, begins: Any, ends: Any) -> list[Any]:
    """Return the four words of the 128-bit MurmurHash3 for x64 of each text[begin:end]."""
    low, high = (xp.full(len(begins), _SEED, np.uint64) for _ in range(2))
    active, at = xp.arange(len(begins)), begins
    while len(active):
        places = at[:, None] + xp.arange(16)
        group = text[xp.minimum(places, len(text) - 1)]
        group[places >= ends[active][:, None]] = 0
        words = group.view(np.uint64)
        first = _turned_left(words[:, 0] * _FIRST, 31) * _SECOND
        second = _turned_left(words[:, 1] * _SECOND, 33) * _FIRST
        low[active] ^= first
        go_on = at + 16 <= ends[active]
        high_before = high[active]
        high[active] ^= second
        active, at, high_before = active[go_on], at[go_on] + 16, high_before[go_on]
        five = np.uint64(5)
        low[active] = (_turned_left(low[active], 27) + high_before) * five + np.uint64(0x52DCE729)
        high[active] = (_turned_left(high[active], 31) + low[active]) * five + np.uint64(0x38495AB5)
    length = (ends - begins).astype(np.uint64)
    low, high = low ^ length, high ^ length
    low = low + high
    high = _stirred(high + low)
    low = _stirred(low) + high
    high = high + low
    return [(x >> np.uint64(s)).astype(np.uint32) for x in (low, high) for s in (0, 32)]


def subwords(
    *,
    text: Bytes,
    begins: Longs,
    ends: Longs,
    min_n: int,
    max_n: int,
    buckets: int,
    hashes: int,
    offsets: Longs,
    ids: Ids | None,
    threads: int = 0,
    isa: str = "",
) -> None:
    """Count or hash the n-grams of words; see ``cpp/include/firth/subwords.h``."""
    for cut in _pieces(begins, ends):
        words = _Words(text, begins[cut], ends[cut])
        count = words.ngrams(min_n, max_n)
        if ids is None:
            offsets[1:][cut] = words.sizes(count, hashes)
        else:
            words.fill(count, min_n, max_n, buckets, hashes, offsets[cut], ids)
    if ids is None and isinstance(offsets, np.ndarray):
        np.cumsum(offsets, out=offsets)


def bag_means(
    *, table: Floats, offsets: Longs, ids: Ids, means: Floats, threads: int = 0, isa: str = ""
) -> None:
    """Add up the rows of all bags side by side: the first of each, then the second."""
    xp = _module(table)
    sizes = offsets[1:] - offsets[:-1]
    means[...] = 0
    active, step = xp.flatnonzero(sizes > 0), 0
    with np.errstate(over="ignore", invalid="ignore"):
        while len(active):
            means[active] += table[ids[offsets[active] + step]]
            step += 1
            active = active[sizes[active] > step]
        means *= (1.0 / xp.maximum(sizes, 1)).astype(np.float32)[:, None]


def subword_means(
    *,
    text: Bytes,
    begins: Longs,
    ends: Longs,
    min_n: int,
    max_n: int,
    buckets: int,
    hashes: int,
    table: Floats,
    first_row: int,
    means: Floats,
    threads: int = 0,
    isa: str = "",
) -> None:
    """Make bags of some words at a time, and take their means."""
    xp = _module(table)
    buckets_rows = table[first_row : first_row + buckets]
    for cut in _pieces(begins, ends):
        words = _Words(text, begins[cut], ends[cut])
        count = words.ngrams(min_n, max_n)
        offsets = xp.append(xp.zeros(1, np.int64), xp.cumsum(words.sizes(count, hashes)))
        ids = xp.empty(int(offsets[-1]), np.uint32)
        words.fill(count, min_n, max_n, buckets, hashes, offsets, ids)
        bag_means(table=buckets_rows, offsets=offsets, ids=ids, means=means[cut])
