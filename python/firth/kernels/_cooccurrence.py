"""Counting how often words keep each other's company: ``cooccurrence`` and ``merge_counts``."""

import math
from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import numpy.typing as npt

from firth._backend import Hashes, Ids, Longs, backend_of
from firth._reading import AnyPath
from firth.csr import CSR
from firth.kernels._arguments import (
    integer,
    number_of_bytes,
    number_of_threads,
    one_of,
    typed,
)
from firth.kernels._runs import counted_within

MAX_WINDOW = 50
WEIGHTS = ("distance", "uniform", "linear")
_NAME = "cooccurrence"
_FIXED = 2**32  # what weights are multiples of where the exact unit would be larger
_DTYPES = tuple(np.dtype(name) for name in ("float32", "float64", "uint64"))
_MOST_PLACES = 2**31  # of one index
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

    Examples
    --------
    >>> weights, unit = distance_weights(4)
    >>> weights.tolist(), unit
    ([12, 6, 4, 3], 12)
    """
    if not 1 <= integer(_NAME, "window", window) <= MAX_WINDOW:
        raise ValueError(f"{_NAME}: window={window} is not between 1 and {MAX_WINDOW}")
    one_of(_NAME, "weights", weights, WEIGHTS)
    distances = range(1, window + 1)
    if weights == "uniform":
        return np.ones(window, np.uint64), 1
    if weights == "linear":
        return np.array(distances[::-1], np.uint64), window
    unit = math.lcm(*distances)
    if unit > _FIXED:
        unit = _FIXED
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
    part: tuple[int, int] | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    folder: AnyPath | None = None,
    progress: Progress | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> CSR:
    """..."""
    kind = np.dtype(dtype)
    if kind not in _DTYPES:
        raise TypeError(f"{_NAME}: dtype must be float32, float64 or uint64, got {kind}")
    table, unit = distance_weights(window, weights)
    typed(_NAME, "ids", ids, np.uint32, ((None,),))
    many = len(ids)
    begin, end = (0, many) if part is None else part
    breaks = np.zeros(0, np.uint64) if offsets is None else sentence_breaks(offsets, many)
    workers = number_of_threads(_NAME, threads)
    module = backend_of(ids, backend=backend)
    if memory is not None:
        return counted_within(
            ids,
            breaks,
            words=words,
            table=table,
            unit=unit,
            symmetric=bool(symmetric),
            kind=kind,
            part=(begin, end),
            memory=number_of_bytes(_NAME, "memory", memory),
            folder=folder,
            workers=workers,
            progress=progress,
            backend=module,
            isa=isa or "",
        )
    starts, places = module.places(
        ids=ids, begin=begin, end=end, words=words, first=0, last=words, threads=workers
    )
    indptr, indices, data = module.cooccurrence(
        ids=ids,
        breaks=breaks,
        starts=starts,
        places=places,
        origin=begin,
        first=0,
        last=words,
        weights=table,
        symmetric=bool(symmetric),
        unit=unit,
        dtype=_DTYPES.index(kind),
        threads=workers,
        isa=isa or "",
        progress=progress,
    )
    return CSR(indptr, indices, data)


def sentence_breaks(offsets: Longs, tokens: int) -> Hashes:
    """Return (tokens // 64 + 2,) uint64 in which bit t is set where a sentence begins, or ends."""
    flags = np.zeros((tokens // 64 + 2) * 64, bool)
    flags[offsets] = True
    return np.packbits(flags, bitorder="little").view(np.uint64)


def merge_counts(
    parts: Sequence[CSR],
    *,
    unit: int = 1,
    dtype: npt.DTypeLike = np.uint64,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> CSR:
    """..."""
    kind = np.dtype(dtype)
    module = backend_of(*(part.data for part in parts), backend=backend)
    indptr, indices, data = module.merge_counts(
        parts=[(part.indptr, part.indices, part.data) for part in parts],
        columns=parts[0].columns,
        unit=unit,
        dtype=_DTYPES.index(kind),
        threads=number_of_threads("merge_counts", threads),
        isa=isa or "",
    )
    return CSR(indptr, indices, data, parts[0].columns)
