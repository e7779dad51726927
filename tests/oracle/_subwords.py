"""subwords, bag_means and subword_means: words -> bags of rows -> vectors."""

import numpy as np


def fnv(ngram: bytes) -> int:
    """32-bit FNV-1a, but of bytes that count as signed and are widened to 32 bits."""
    h = 2166136261
    for byte in ngram:
        h = (h ^ (byte if byte < 128 else byte + 0xFFFFFF00)) * 16777619 % 2**32
    return h


def murmur3(key: bytes, seed: int) -> list[int]:
    """MurmurHash3_x64_128 as four words, written from its description: blocks, tail, finish."""
    mask, c1, c2 = 2**64 - 1, 0x87C37B91114253D5, 0x4CF5AD432745937F

    def rotl(x: int, r: int) -> int:
        return (x << r | x >> (64 - r)) & mask

    def fmix(k: int) -> int:
        k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & mask
        k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & mask
        return k ^ k >> 33

    h1 = h2 = seed
    whole = len(key) // 16 * 16
    for i in range(0, whole, 16):
        k1, k2 = (int.from_bytes(key[j : j + 8], "little") for j in (i, i + 8))
        h1 ^= rotl(k1 * c1 & mask, 31) * c2 & mask
        h1 = ((rotl(h1, 27) + h2) * 5 + 0x52DCE729) & mask
        h2 ^= rotl(k2 * c2 & mask, 33) * c1 & mask
        h2 = ((rotl(h2, 31) + h1) * 5 + 0x38495AB5) & mask
    tail = key[whole:]
    h2 ^= rotl(int.from_bytes(tail[8:], "little") * c2 & mask, 33) * c1 & mask
    h1 ^= rotl(int.from_bytes(tail[:8], "little") * c1 & mask, 31) * c2 & mask
    h1, h2 = h1 ^ len(key), h2 ^ len(key)
    h1, h2 = (h1 + h2) & mask, (h1 + 2 * h2) & mask
    h1, h2 = fmix(h1), fmix(h2)
    h1, h2 = (h1 + h2) & mask, (h1 + 2 * h2) & mask
    return [h1 & 0xFFFFFFFF, h1 >> 32, h2 & 0xFFFFFFFF, h2 >> 32]


def ngrams(word: bytes, min_n: int, max_n: int) -> list[bytes]:
    """The n-grams of a word between its boundaries; "</s>" has none."""
    if word == b"</s>":
        return []
    characters = []
    for byte in b"<" + word + b">":
        if byte & 0xC0 == 0x80:
            characters[-1] += bytes([byte])
        else:
            characters.append(bytes([byte]))
    found, last = [], len(characters)
    for i in range(last):
        for n in range(min_n, min(max_n, last - i) + 1):
            if n > 1 or 0 < i < last - 1:
                found.append(b"".join(characters[i : i + n]))
    return found


def subwords(words: list[bytes], min_n: int, max_n: int, buckets: int, hashes: int = 0):
    """The bag of each word: buckets of its n-grams, after that of the whole for floret's rule."""
    bags = []
    for word in words:
        found = ngrams(word, min_n, max_n)
        codes = [[fnv(ngram)] for ngram in found]
        if hashes:
            found = found if word == b"</s>" else [b"<" + word + b">", *found]
            codes = [murmur3(ngram, 2166136261)[:hashes] for ngram in found]
        bags.append([code % buckets for some in codes for code in some])
    return bags


def bag_means(table, bags):
    """Of each bag the sum of its rows, in order and rounded to float32 each time, over its size."""
    means = np.zeros((len(bags), table.shape[1]), np.float32)
    for mean, bag in zip(means, bags, strict=True):
        for row in bag:
            mean += table[row]
        mean *= np.float32(1 / max(len(bag), 1))
    return means


def subword_means(words, table, min_n, max_n, buckets, hashes=0, first_row=0):
    bags = subwords(words, min_n, max_n, buckets, hashes)
    return bag_means(table, [[first_row + bucket for bucket in bag] for bag in bags])
