"""The draws of cpp/include/firth/random.h in array code, and the tables a model starts from.

Philox 4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).
"""

from typing import Any

import numpy as np

from firth._backend import Floats, Ids, named

STREAM_POSITION, STREAM_NEGATIVE, STREAM_INITIAL, STREAM_LABEL, STREAM_ORDER = range(5)
STREAM_WALK, STREAM_RANKING = 5, 6  # + 256 times the number of the trial
STREAM_SHUFFLE = 7  # number = place: what Python code puts in an order by chance
_LOW = 0xFFFFFFFF


def draw(xp: Any, seed: int, stream: Any, epoch: int, index: Any) -> tuple[Any, Any, Any, Any]:
    """Return the four 32-bit words, as uint64 arrays, of each entry of ``index`` (uint64).

    ``stream`` is a number, or a uint64 array that is broadcast against ``index``.
    """
    low = xp.uint64(_LOW)
    shift = xp.uint64(32)
    a, b = index & low, index >> shift
    c = xp.zeros_like(index) + stream
    d = xp.full_like(c, epoch)
    k0, k1 = seed & _LOW, seed >> 32
    for _ in range(10):
        p, q = a * xp.uint64(0xD2511F53), c * xp.uint64(0xCD9E8D57)
        a, b, c, d = (
            (q >> shift) ^ b ^ xp.uint64(k0),
            q & low,
            (p >> shift) ^ d ^ xp.uint64(k1),
            p & low,
        )
        k0, k1 = (k0 + 0x9E3779B9) & _LOW, (k1 + 0xBB67AE85) & _LOW
    return a, b, c, d


def draw_pairs(xp: Any, seed: int, stream: int, epoch: int, numbers: Any) -> tuple[Any, Any]:
    """Return the two words of each numbered pair (two pairs a draw)."""
    a, b, c, d = draw(xp, seed, stream, epoch, numbers >> xp.uint64(1))
    odd = (numbers & xp.uint64(1)).astype(bool)
    return xp.where(odd, c, a), xp.where(odd, d, b)


def initial_rows(seed: int, first: int, last: int, dim: int) -> Floats:
    """Return rows [first, last) of the table every model starts from: uniform in [-0.5, 0.5) / dim.

    A row depends on the seed and its own number alone, so a table that grows keeps its rows.
    """
    rows = np.empty((last - first, dim), dtype=np.float32)
    chunk = max(1, 2**16 // dim)  # so few that the draws stay in cache: 2.5 times as fast as 2**20
    for begin in range(first, last, chunk):
        end = min(last, begin + chunk)
        bits = random_words(seed, STREAM_INITIAL, 0, begin * dim, (end - begin) * dim)
        units = (bits >> np.uint32(8)).astype(np.float32)
        rows[begin - first : end - first] = (units / 2**24 - 0.5).reshape(-1, dim) / dim
    return rows


def random_words(seed: int, stream: int, epoch: int, first: int, count: int) -> Ids:
    """Return ``count`` words of a stream, from word ``first`` on."""
    try:
        drawn: Ids = named("_cpu").draws(seed, stream, epoch, first, count)
    except ImportError:
        index = np.arange(first // 4, -(-(first + count) // 4), dtype=np.uint64)
        bits = np.stack(draw(np, seed, stream, epoch, index), axis=1).reshape(-1)
        drawn = bits[first % 4 :][:count].astype(np.uint32)
    return drawn
