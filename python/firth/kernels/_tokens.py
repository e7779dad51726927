"""tokens: check the text, allocate, call the backend."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._backend import Bytes, Hashes, Longs, backend_of
from firth._pieces import together

_DTYPES = (np.int64, np.int64, np.uint64)


class Tokens(NamedTuple):
    """Where the tokens of a text lie."""

    starts: Longs
    lengths: Longs
    hashes: Hashes
    offsets: Longs


def tokens(
    text: bytes | bytearray | memoryview | Bytes,
    *,
    seed: int = 0,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Tokens:
    r"""Split a text at its white space.

    Bytes 0, 9-13 and 32 separate tokens, 10 (newline) also ends a sentence; all other bytes are
    part of tokens, whatever their encoding.

    Parameters
    ----------
    text
        Bytes, or a (size,) uint8 array.
    seed
        Of the hashes, below 2**64.

    Returns
    -------
    starts, lengths : (tokens,) int64
        In bytes.
    hashes : (tokens,) uint64
        Equal for equal tokens.
    offsets : (sentences + 1,) int64
        Sentence i is the tokens from ``offsets[i]`` on up to ``offsets[i + 1]``; none is empty.

    Raises
    ------
    TypeError
        If the text is a str or an array of another dtype.

    Examples
    --------
    >>> found = tokens(b"the cat\nsat")
    >>> found.starts.tolist(), found.lengths.tolist(), found.offsets.tolist()
    ([0, 4, 8], [3, 3, 3], [0, 2, 3])
    """
    if isinstance(text, str):
        raise TypeError("tokens: text is str, expected bytes: pass text.encode()")
    array = text if isinstance(text, np.ndarray) else np.frombuffer(text, np.uint8)
    if array.dtype != np.uint8 or array.ndim != 1:
        raise TypeError(
            f"tokens: text is {array.dtype} of {array.ndim} dimensions, expected uint8 of 1"
        )
    if not 0 <= seed < 2**64:
        raise ValueError(f"tokens: seed={seed} is not between 0 and 2**64 - 1")
    array = np.ascontiguousarray(array)
    chosen = backend_of(array, backend=backend)
    piece = min(len(array), 1 << 20)
    room = piece // 2 + 1
    starts, lengths, breaks = (np.empty(room + extra, np.int64) for extra in (0, 0, 1))
    keys, hashes = np.empty((room, 2), np.uint64), np.empty(room, np.uint64)
    parts: list[list[npt.NDArray[Any]]] = [[], [], []]
    ends: list[Longs] = [np.zeros(1, np.int64)]
    total = 0
    for begin in range(0, len(array), max(1, piece)):
        n, ended = chosen.tokens(
            text=array,
            begin=begin,
            end=min(len(array), begin + piece),
            seed=seed,
            starts=starts,
            lengths=lengths,
            keys=keys,
            hashes=hashes,
            breaks=breaks,
            isa=isa or "",
        )
        for several, one in zip(parts, (starts, lengths, hashes), strict=True):
            several.append(one[:n].copy())
        ends.append(breaks[:ended] + total)
        total += n
    offsets = np.concatenate([*ends, np.array([total], np.int64)])
    fresh = np.ones(len(offsets), np.bool_)
    np.not_equal(offsets[1:], offsets[:-1], out=fresh[1:])  # they rise: empty sentences are equal
    offsets = offsets[fresh]
    found = [together(one, dtype) for one, dtype in zip(parts, _DTYPES, strict=True)]
    return Tokens(found[0], found[1], found[2], offsets)
