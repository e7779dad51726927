"""What an embedding asks of its keys, vectors and questions: checks, lengths and 3CosMul."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from firth.kernels._arguments import integer, not_finite

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

BLOCK = 1 << 20  # numbers per step of a pass over all vectors
_KEYS = 1 << 16  # put into a dict at once: Ctrl-C is answered between such parts
EPSILON = 0.001  # keeps the quotient of 3CosMul finite, as in the paper


def checked_keys(keys: Sequence[str], name: str = "Embedding", what: str = "keys") -> list[str]:
    """Return the keys as a list of plain texts."""
    if isinstance(keys, str | bytes):
        raise TypeError(f"{name}: {what}: expected a sequence of texts, found a single one")
    result = list(keys)
    for at, key in enumerate(result):
        if type(key) is not str:
            if not isinstance(key, str):
                raise TypeError(f"{name}: {what}: {key!r} in row {at} is no text")
            result[at] = str(key)
    return result


def numbered(keys: Sequence[str]) -> dict[str, int]:
    """Return the place of each key, the last one of those that are equal."""
    index: dict[str, int] = {}
    for at in range(0, len(keys), _KEYS):
        index.update(zip(keys[at : at + _KEYS], range(at, len(keys)), strict=False))
    return index


def index_of(keys: list[str]) -> dict[str, int]:
    """Return the row of each key, if all are different."""
    index = numbered(keys)
    if len(index) != len(keys):
        twice = next(key for at, key in enumerate(keys) if index[key] != at)
        raise ValueError(f"Embedding: keys: {twice!r} is given more than once")
    return index


def checked_vectors(
    vectors: npt.ArrayLike,
    rows: int | None,
    check: bool,
    name: str = "Embedding",
    what: str = "vectors",
    of: str = "keys",
) -> Floats:
    """Return vectors as float32 (rows, dim), C-contiguous and aligned, converted if need be."""
    given = np.asarray(vectors)
    if given.dtype.kind not in "fiu":
        raise TypeError(f"{name}: {what}: dtype {given.dtype} is no real number")
    if given.ndim != 2:
        raise ValueError(f"{name}: {what}: shape {given.shape} does not have 2 axes (n, dim)")
    if rows is not None and len(given) != rows:
        raise ValueError(f"{name}: {len(given)} {what} for {rows} {of}")
    if not given.shape[1]:
        raise ValueError(f"{name}: {what}: shape {given.shape} has no dimensions")
    with np.errstate(over="ignore"):  # what does not fit into float32 becomes infinite: see below
        result = _converted(given)
    if check and (row := first_not_finite(result)) is not None:
        raise ValueError(f"{name}: {what}: row {row} has a number that is not finite as float32")
    return result


def _converted(given: npt.NDArray[Any]) -> Floats:
    """Return what `np.require` makes of an array, block by block: Ctrl-C is answered between."""
    if given.dtype == np.float32 and given.flags.c_contiguous and given.flags.aligned:
        return np.require(given, np.float32, ["C", "A"])
    result = np.empty(given.shape, np.float32)
    step = max(1, BLOCK // given.shape[1])
    for at in range(0, len(given), step):
        result[at : at + step] = given[at : at + step]
    return result


def checked_queries(vectors: npt.ArrayLike, dim: int, name: str) -> Floats:
    """Return vectors that can be compared with those of an embedding."""
    queries = checked_vectors(vectors, None, True, name)
    if queries.shape[1] != dim:
        raise ValueError(f"{name}: vectors of {queries.shape[1]} numbers, the embedding has {dim}")
    return queries


def first_not_finite(vectors: Floats) -> int | None:
    """Return the first row with NaN or infinity, or None."""
    step = max(1, BLOCK // vectors.shape[1])
    for at in range(0, len(vectors), step):
        finite = np.isfinite(vectors[at : at + step])
        if not finite.all():
            return at + int(finite.all(axis=1).argmin())
    return None


def checked_counts(
    counts: npt.ArrayLike, rows: int, name: str = "Embedding", what: str = "counts"
) -> Longs:
    """Return counts as int64 (rows,)."""
    given = np.asarray(counts)
    if given.dtype.kind not in "iu" and given.size:
        raise TypeError(f"{name}: {what}: dtype {given.dtype} is no integer")
    if given.shape != (rows,):
        raise ValueError(f"{name}: {what}: shape {given.shape} is not ({rows},)")
    if given.size and not 0 <= int(given.min()) <= int(given.max()) < 1 << 63:
        raise ValueError(f"{name}: {what}: found one that is negative or above 2**63 - 1")
    return np.require(given, np.int64, ["C", "A"])


def checked_k(k: int, most: int, name: str) -> int:
    """Return k, if there are that many to choose from."""
    k = integer(name, "k", k)
    if not 0 < k <= most:
        raise ValueError(f"{name}: k={k} is not between 1 and the {most} keys to choose from")
    return k


def checked_among(among: int | None, keys: int, name: str) -> int:
    """Return how many rows are searched."""
    among = keys if among is None else integer(name, "among", among)
    if not 0 < among <= keys:
        raise ValueError(f"{name}: among={among} is not between 1 and the {keys} keys")
    return among


def checked_mask(mask: npt.ArrayLike, keys: int, name: str) -> npt.NDArray[np.bool_]:
    """Return a bool per row."""
    if isinstance(mask, np.ma.MaskedArray):
        raise TypeError(f"{name}: mask: expected a bool per row, found a {type(mask).__name__}")
    given = np.asarray(mask)
    if given.dtype != np.bool_:
        raise TypeError(f"{name}: mask: dtype {given.dtype} is not bool")
    if given.shape != (keys,):
        raise ValueError(f"{name}: mask: shape {given.shape} is not ({keys},)")
    return given


def checked_threshold(threshold: float | None, name: str) -> float:
    """Return the least score wanted; -inf where there is none."""
    if threshold is None:
        return -np.inf
    numbers = int | float | np.integer | np.floating
    if isinstance(threshold, bool) or not isinstance(threshold, numbers):
        raise TypeError(f"{name}: threshold must be a number, got {type(threshold).__name__}")
    if not threshold < np.inf:
        raise ValueError(f"{name}: threshold={threshold} is neither finite nor -inf")
    try:
        return float(threshold)
    except OverflowError as error:
        raise ValueError(f"{name}: threshold is an integer beyond all floats") from error


def check_finite(name: str, what: str, vectors: npt.NDArray[Any]) -> None:
    """Raise if a row has NaN or infinity."""
    if (row := first_not_finite(vectors)) is not None:
        raise not_finite(name, what, row)


def unit(vectors: npt.NDArray[Any]) -> Doubles:
    """Return vectors along the last axis at length 1 in float64; zero vectors stay zero."""
    doubles = vectors.astype(np.float64)
    norms = np.sqrt((doubles * doubles).sum(axis=-1, keepdims=True))
    return doubles / np.where(norms == 0, 1, norms)


def blocks(vectors: Floats) -> Iterator[tuple[slice, Doubles, Doubles]]:
    """Yield rows in float64, where no square overflows, and their lengths (1 for zero)."""
    step = max(1, BLOCK // vectors.shape[1])
    for at in range(0, len(vectors), step):
        rows = slice(at, min(at + step, len(vectors)))
        block = vectors[rows].astype(np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", block, block))
        norms[norms == 0] = 1
        yield rows, block, norms


def quotients(vectors: Floats, plus: Doubles, minus: Doubles, name: str) -> Doubles:
    """Return the score of 3CosMul of every row, for finite terms of length one."""
    result = np.empty(len(vectors))
    for rows, block, norms in blocks(vectors):
        with np.errstate(invalid="ignore"):
            near, far = (
                ((1 + block @ terms.T / norms[:, None]) / 2).prod(axis=1) for terms in (plus, minus)
            )
        result[rows] = near / (far + EPSILON)
    if (wrong := np.isnan(result)).any():
        raise not_finite(name, "vectors", int(wrong.argmax()))
    return result


def best_of(scores: Doubles, left_out: list[int], least: float, k: int) -> list[tuple[int, float]]:
    """Return the rows of the k best scores, equal ones in row order; -inf for what is left out."""
    scores[left_out] = -np.inf
    scores[scores < least] = -np.inf
    best = np.argsort(-scores, kind="stable")[:k]
    return list(zip(best.tolist(), scores[best].tolist(), strict=True))


def several_of(terms: Any) -> list[Any]:
    """Return one key, one vector or several of them as a list."""
    several = [terms] if isinstance(terms, str) else list(terms)
    if several and not isinstance(several[0], str) and np.ndim(several[0]) == 0:
        return [several]  # the numbers of one vector
    return several


def is_vector(query: Any) -> bool:
    """Say whether what became a single query is one vector, not a sequence of one."""
    return np.ndim(query) == 1 and not isinstance(next(iter(query)), str)
