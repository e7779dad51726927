"""Counting how often words keep each other's company: ``cooccurrence`` and ``merge_counts``."""

import math
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Hashes, Ids, Longs, backend_of
from firth._reading import AnyPath
from firth.csr import CSR
from firth.kernels._arguments import (
    array_module,
    contiguous,
    dtype_of,
    flag,
    number_of_bytes,
    number_of_threads,
    one_of,
    part_of,
    rising,
    typed,
    whole,
)
from firth.kernels._matrices import MOST_COLUMNS, check_matrix
from firth.kernels._runs import DTYPES, MOST_PLACES, counted_within, occurrences

MAX_WINDOW = 50
WEIGHTS = ("distance", "uniform", "linear")
_NAME = "cooccurrence"
_FIXED = 2**32  # what weights are multiples of where the exact unit would be larger
_MOST_SUM = 2**64 - 1
_STEP = 2**22  # tokens that are looked at together where that takes memory
Progress = Callable[[int], object]


def distance_weights(window: int, weights: str = "distance") -> tuple[Hashes, int]:
    """Return the weights of distances 1 to ``window`` as whole numbers, and the unit they count.

    Parameters
    ----------
    window
        The greatest distance, 1 to 50.
    weights
        ``"distance"``: 1/d, ``"uniform"``: 1, ``"linear"``: (window - d + 1) / window.

    Returns
    -------
    tuple
        (window,) uint64, and the unit: a weight is its number divided by the unit. They are exact,
        but for 1/d with windows above 22, whose unit is 2**32: off by at most 2**-33.

    Raises
    ------
    ValueError, TypeError
        A window or weights that there are not.

    Examples
    --------
    >>> weights, unit = distance_weights(4)
    >>> weights.tolist(), unit
    ([12, 6, 4, 3], 12)
    """
    return weights_of("distance_weights", window, weights)


def weights_of(function: str, window: int, weights: str) -> tuple[Hashes, int]:
    """Return `distance_weights`; errors name another function."""
    window = whole(function, "window", window, 1, MAX_WINDOW)
    one_of(function, "weights", weights, WEIGHTS)
    distances = range(1, window + 1)
    if weights == "uniform":
        return np.ones(window, np.uint64), 1
    if weights == "linear":
        return np.array(distances[::-1], np.uint64), window
    unit = min(math.lcm(*distances), _FIXED)
    return np.array([(2 * unit + d) // (2 * d) for d in distances], np.uint64), unit


def cooccurrence(
    ids: Ids,
    offsets: Longs | None = None,
    *,
    words: int,
    window: int = 10,
    weights: str = "distance",
    symmetric: bool = True,
    dtype: npt.DTypeLike = np.float32,
    memory: int | str | None = None,
    folder: AnyPath | None = None,
    part: tuple[int, int] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> CSR:
    """Count how often words stand near each other, weighted by how far apart they are.

    Sums are whole multiples of one unit, hence exact: the same bits for any number of threads,
    backend, memory, and cut into parts. The definition is in ``cpp/include/firth/cooccurrence.h``.

    Parameters
    ----------
    ids
        (tokens,) uint32, C-contiguous: the words of the corpus, each below ``words``; counting is
        fastest where frequent words have low numbers.
    offsets
        (sentences + 1,) int64 rising from 0 to ``tokens``: where each sentence begins, and the end
        of the last; words of different sentences do not keep company. None: one sentence.
    words
        How many rows and columns the matrix has, 1 to 2**31 - 1.
    window
        The greatest distance, 1 to 50; a sentence may be shorter.
    weights
        What company at distance d counts: ``"distance"``: 1/d, ``"uniform"``: 1, ``"linear"``:
        (window - d + 1) / window; :func:`distance_weights` has them.
    symmetric
        True: a row has its word's company on both sides. False: only what comes after the word.
    dtype
        float32 or float64: sums divided by the unit; those below 2**53 are rounded once, and once
        more for float32.
        uint64: the sums themselves, which :func:`merge_counts` adds up.
    memory
        What may be used beside ``ids`` and the result, in bytes or as a text such as ``"200 MB"``;
        what does not fit goes to files in ``folder``, which have no name and so leave nothing
        behind, and the result lies on such files. None: all in memory. For arrays on the host.
    folder
        Where these files are made. None: where the system has its temporary files.
    part
        (begin, end): only the company of the tokens at these places, wherever it stands. Parts that
        make up the corpus add up to the whole. None: the whole.
    threads
        None: as many as :func:`firth.set_num_threads` says.
    progress
        Called about every 50 ms with how many tokens were counted; what it raises stops the count.

    Returns
    -------
    CSR
        (words, words), sorted, without zeros: row a, column b has how often b is near a.

    Raises
    ------
    ValueError, TypeError
        An argument is out of its range, or an array has another shape or dtype.
    OverflowError
        A sum could reach 2**64 units: a word stands too often.

    References
    ----------
    Pennington, Socher and Manning, "GloVe: global vectors for word representation" (2014), section
    3. Lund and Burgess, "Producing high-dimensional semantic spaces from lexical co-occurrence"
    (1996), has the linear weights.

    Examples
    --------
    Three words, twice one after the other:

    >>> import numpy as np
    >>> ids = np.array([0, 1, 2, 0, 1, 2], np.uint32)
    >>> counts = cooccurrence(ids, words=3, window=2, symmetric=False)
    >>> counts.indptr.tolist(), counts.indices.tolist(), counts.data.tolist()
    ([0, 2, 4, 6], [1, 2, 0, 2, 0, 1], [2.0, 1.0, 0.5, 2.0, 1.0, 0.5])

    Sentences keep them apart:

    >>> offsets = np.array([0, 3, 6])
    >>> cooccurrence(ids, offsets, words=3, window=2, symmetric=False).indices.tolist()
    [1, 2, 2]
    """
    words = whole(_NAME, "words", words, 1, MOST_COLUMNS)
    table, unit = weights_of(_NAME, window, weights)
    symmetric = flag(_NAME, "symmetric", symmetric)
    kind = dtype_of(_NAME, dtype, DTYPES)
    typed(_NAME, "ids", ids, np.uint32, ((None,),))
    contiguous(_NAME, "ids", ids)
    begin, end = part_of(_NAME, part, len(ids))
    workers = number_of_threads(_NAME, threads)
    budget = None if memory is None else number_of_bytes(_NAME, "memory", memory)
    if budget is None and folder is not None:
        raise ValueError(f"{_NAME}: folder={folder!r} is for what does not fit into memory=None")
    if budget is not None and hasattr(ids, "__cuda_array_interface__"):
        raise TypeError(f"{_NAME}: memory is for arrays on the host, ids are on a device")
    xp = array_module(_NAME, ids=ids, offsets=offsets)
    if len(ids) and int(ids.max()) >= words:
        place = int((ids >= words).argmax())
        raise ValueError(f"{_NAME}: ids[{place}] is {ids[place]}, expected one below words={words}")
    breaks: Any = xp.zeros(0, np.uint64)
    if offsets is not None:
        breaks = _breaks(_NAME, offsets, len(ids))
    _check_sums(xp, ids[begin:end], words, 2 * int(table.sum()), unit)
    if begin == end:
        return CSR(xp.zeros(words + 1, np.int64), xp.zeros(0, np.int32), xp.zeros(0, kind))
    module = backend_of(ids, backend=backend)
    if budget is not None:
        return counted_within(
            ids,
            breaks,
            words=words,
            table=table,
            unit=unit,
            symmetric=symmetric,
            kind=kind,
            part=(begin, end),
            memory=budget,
            folder=folder,
            workers=workers,
            progress=progress,
            backend=module,
            isa=isa or "",
        )

    def counted(first: int, last: int, dtype: int) -> CSR:
        whole_corpus = symmetric and last - first == len(ids)
        frequent = min(module.FREQUENT_WORDS, words, len(ids) // 16) if whole_corpus else 0
        starts, places = module.places(
            ids=ids,
            begin=first,
            end=last,
            words=words,
            first=frequent,
            last=words,
            threads=workers,
        )
        found = module.cooccurrence(
            ids=ids,
            breaks=breaks,
            starts=starts,
            places=places,
            frequent=frequent,
            origin=first,
            first=0,
            last=words,
            weights=table,
            symmetric=symmetric,
            unit=unit,
            dtype=dtype,
            threads=workers,
            isa=isa or "",
            progress=progress and (lambda done: progress(first - begin + done)),
        )
        return CSR(*found)

    if end - begin <= MOST_PLACES:
        return counted(begin, end, DTYPES.index(kind))
    sums = DTYPES.index(np.dtype(np.uint64))
    parts = [
        counted(first, min(first + MOST_PLACES, end), sums)
        for first in range(begin, end, MOST_PLACES)
    ]
    return _merged(parts, unit, kind, workers, module, isa)


def _check_sums(xp: Any, ids: Any, words: int, most: int, unit: int) -> None:
    """Raise if a sum could be too great; a token adds ``most`` to a sum at most."""
    if len(ids) * most <= _MOST_SUM:
        return
    counts = occurrences(ids, 0, len(ids), words, xp)
    word = int(counts.argmax())
    if int(counts[word]) * most > _MOST_SUM:
        raise OverflowError(
            f"{_NAME}: word {word} stands {counts[word]} times, so that a sum of multiples of "
            f"1/{unit} could reach 2**64"
        )


def sentence_breaks(offsets: Longs, tokens: int) -> Hashes:
    """Return a bit for each place: whether a sentence begins there, or the last one ends.

    Parameters
    ----------
    offsets
        (sentences + 1,) int64 rising from 0 to ``tokens``.
    tokens
        How many places there are.

    Returns
    -------
    ndarray
        (tokens // 64 + 2,) uint64: bit t % 64, from the lowest, of number t // 64 is that of
        place t. Tokens t < u are of one sentence if no bit of (t, u] is set.

    Raises
    ------
    ValueError, TypeError
        Offsets of another dtype, or that do not rise from 0 to ``tokens``.

    Examples
    --------
    >>> import numpy as np
    >>> [bin(bits) for bits in sentence_breaks(np.array([0, 3, 5]), 5).tolist()]
    ['0b101001', '0b0']
    """
    return _breaks("sentence_breaks", offsets, whole("sentence_breaks", "tokens", tokens, 0, 2**62))


def _breaks(function: str, offsets: Longs, tokens: int) -> Hashes:
    typed(function, "offsets", offsets, np.int64, ((None,),))
    rising(function, "offsets", offsets, tokens)
    xp = array_module(function, offsets=offsets)
    breaks: Hashes = xp.zeros(tokens // 64 + 2, np.uint64)
    for first in range(0, len(breaks), _STEP // 64):
        some = breaks[first : first + _STEP // 64]
        bits = xp.zeros(64 * len(some), bool)
        bounds = xp.asarray([64 * first, 64 * first + len(bits)])
        low, high = xp.searchsorted(offsets, bounds).tolist()
        bits[offsets[low:high] - 64 * first] = True
        some[:] = xp.packbits(bits, bitorder="little").view(np.uint64)
    return breaks


def merge_counts(
    parts: Sequence[CSR],
    *,
    unit: int = 1,
    dtype: npt.DTypeLike = np.uint64,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> CSR:
    """Add up counts of the same words, such as those of parts of a corpus.

    Parameters
    ----------
    parts
        At least one matrix of sums, data uint64 above 0; all of one shape.
    unit
        What the sums are multiples of 1 over, from 1 to 2**64 - 1.
    dtype
        float32 or float64: sums divided by ``unit``. uint64: the sums themselves.
    threads
        None: as many as :func:`firth.set_num_threads` says.

    Returns
    -------
    CSR
        Of the same shape, sorted; the same bits whatever the order of the parts.

    Raises
    ------
    ValueError, TypeError
        There are no parts, or one is not such a matrix, or they are of different shapes.
    OverflowError
        The greatest sums of all parts add up to 2**64 or more.

    Examples
    --------
    >>> import numpy as np
    >>> ids = np.array([0, 1, 0, 1, 1], np.uint32)
    >>> rule = {"words": 2, "window": 2, "dtype": np.uint64}
    >>> parts = [cooccurrence(ids, part=part, **rule) for part in [(0, 2), (2, 5)]]
    >>> merge_counts(parts).data.tolist(), cooccurrence(ids, **rule).data.tolist()
    ([2, 7, 7, 6], [2, 7, 7, 6])
    """
    name = "merge_counts"
    kind = dtype_of(name, dtype, DTYPES)
    unit = whole(name, "unit", unit, 1, 2**64 - 1)
    workers = number_of_threads(name, threads)
    if isinstance(parts, CSR) or not isinstance(parts, Sequence):
        raise TypeError(f"{name}: parts is {type(parts).__name__}, expected a list of CSR")
    if not parts:
        raise ValueError(f"{name}: parts is empty, expected at least one CSR")
    most = 0
    for i, part in enumerate(parts):
        check_matrix(name, f"parts[{i}]", part, np.uint64)
        if part.shape != parts[0].shape:
            raise ValueError(
                f"{name}: parts[{i}] has shape {part.shape}, expected {parts[0].shape} as parts[0]"
            )
        most += int(part.data.max()) if part.nnz else 0
    if most > _MOST_SUM:
        raise OverflowError(
            f"{name}: the greatest sums of the {len(parts)} parts add up to {most}, "
            "expected less than 2**64"
        )
    array_module(name, **{f"parts[{i}]": part.data for i, part in enumerate(parts)})
    return _merged(parts, unit, kind, workers, backend, isa)


def _merged(
    parts: Sequence[CSR],
    unit: int,
    kind: np.dtype[Any],
    workers: int,
    backend: ModuleType | None,
    isa: str | None,
) -> CSR:
    columns = parts[0].columns
    module = backend_of(*(part.data for part in parts), backend=backend)
    indptr, indices, data = module.merge_counts(
        parts=[(part.indptr, part.indices, part.data) for part in parts],
        columns=columns,
        unit=unit,
        dtype=DTYPES.index(kind),
        threads=workers,
        isa=isa or "",
    )
    return CSR(indptr, indices, data, columns)
