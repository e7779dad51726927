"""One epoch of GloVe: ``glove``, the tables it trains, and the order in which it reads counts."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from firth._backend import Floats, Ids, Longs, backend_of
from firth._random import STREAM_ORDER, initial_rows, random_words
from firth.csr import CSR
from firth.kernels._arguments import (
    array_module,
    contiguous,
    number_of_threads,
    real,
    rising,
    typed,
    whole,
)
from firth.kernels._matrices import MOST_COLUMNS, check_matrix
from firth.kernels._tables import PADDING, check_table, first_not_finite, padded_rows

_NAME = "glove"
_TILE_BYTES = 2**20  # that a tile's rows of one table should take: both fit into a core's cache
_TILE_COUNTS = 2**13  # that a tile should have
_STEP = 2**22  # counts that are looked at together where that takes memory
_MOST_DIM = 2**20
_MOST_SEED, _MOST_EPOCH = 2**64 - 1, 2**32 - 1
_LEAST, _MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
_MOST_ALPHA = 10.0


class Fitted(NamedTuple):
    """What an epoch did.

    Attributes
    ----------
    loss
        Half the mean of the weighted squared errors, each taken before its step; 0 of no counts.
    counts
        How many counts were read.
    """

    loss: float
    counts: int


def glove_width(dim: int) -> int:
    """Return how many numbers a row has: the vector, zeros, and two that hold the bias."""
    return -(-(dim + 2) // PADDING) * PADDING


def glove_tables(rows: int, columns: int, dim: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Return what :func:`glove` trains, at its beginning.

    Parameters
    ----------
    rows, columns
        How many words there are and how many contexts, 0 to 2**31 - 1.
    dim
        How many numbers a vector has, 1 to 2**20.
    seed
        A row depends on this and on its number alone, contexts counted after the words.

    Returns
    -------
    tuple
        (rows, 2 width) and (columns, 2 width) float32, whose rows begin with a cache line each.
        With width = dim + 2 rounded up to a multiple of 16, a row is: the vector; zeros; at
        width - 2 and width - 1 the bias and 1 (of contexts: 1 and the bias); then, for each of
        these, what its squared gradients have added up to, which begins at 1. Vectors and biases
        are uniform in [-0.5, 0.5) / (dim + 1).

    Raises
    ------
    ValueError, TypeError
        An argument is out of its range.

    Examples
    --------
    >>> words, contexts = glove_tables(1000, 1000, 50)
    >>> words.shape, words[0, 62:65].tolist()[1:], contexts[0, 62]
    ((1000, 128), [1.0, 1.0], np.float32(1.0))
    """
    name = "glove_tables"
    rows = whole(name, "rows", rows, 0, MOST_COLUMNS)
    columns = whole(name, "columns", columns, 0, MOST_COLUMNS)
    dim = whole(name, "dim", dim, 1, _MOST_DIM)
    seed = whole(name, "seed", seed, 0, _MOST_SEED)
    width = glove_width(dim)
    tables = []
    for first, many, bias in ((0, rows, -2), (rows, columns, -1)):
        table = padded_rows(many, 2 * width)
        start = initial_rows(seed, first, first + many, dim + 1)
        table[:, :dim] = start[:, :dim]
        table[:, width - 2 : width] = 1
        table[:, width + bias] = start[:, dim]
        table[:, width:] = 1
        tables.append(table)
    return tables[0], tables[1]


class Schedule(NamedTuple):
    """The order in which an epoch reads counts, as ``cpp/include/firth/glove.h`` has it.

    Attributes
    ----------
    order
        (rows,) uint32: the rows, group by group.
    row_starts
        (groups + 1,) int64: where each group begins in ``order``.
    column_starts
        (groups + 1,) uint32: where each span of columns begins.
    shifts
        (groups,) int64: in round r, group g reads span (g + shifts[r]) mod groups. Each is one more
        than the one before, so that a row goes on where it stopped.
    """

    order: Ids
    row_starts: Longs
    column_starts: Ids
    shifts: Longs


def groups_of(counts: CSR, dim: int) -> int:
    """Return into how many groups rows are dealt, and columns cut.

    Parameters
    ----------
    counts
        What is read; its shape and the number of its entries matter.
    dim
        How many numbers a vector has, 1 to 2**20.

    Returns
    -------
    int
        So many that a tile's rows fit into a core's cache, and that threads find enough tiles; but
        no more than there are rows or columns, nor so many that tiles have but few counts. At
        least 1.

    Examples
    --------
    >>> import numpy as np
    >>> groups_of(CSR(np.array([0, 1]), np.array([0], np.int32), np.ones(1)), 100)
    1
    """
    dim = whole("groups_of", "dim", dim, 1, _MOST_DIM)
    rows, columns = counts.shape
    by_cache = math.ceil(max(rows, columns) * 8 * glove_width(dim) / _TILE_BYTES)
    by_counts = math.isqrt(counts.nnz // _TILE_COUNTS)
    return max(1, min(max(by_cache, 16), by_counts, rows, columns))


def column_spans(counts: CSR, groups: int) -> Ids:
    """Return where spans of columns begin that hold about as many counts each.

    Parameters
    ----------
    counts
        What is read; its columns matter.
    groups
        How many spans there are to be, 1 to 2**31 - 1. A column is never divided, so that spans
        differ where one column has much, and are empty where there are few columns.

    Returns
    -------
    ndarray
        (groups + 1,) uint32 rising from 0 to the number of columns.

    Raises
    ------
    ValueError, TypeError
        ``groups`` is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> indices = np.array([0, 1, 2, 3, 0, 0], np.int32)
    >>> column_spans(CSR(np.array([0, 4, 5, 6]), indices, np.ones(6), columns=4), 2).tolist()
    [0, 1, 4]
    """
    groups = whole("column_spans", "groups", groups, 1, MOST_COLUMNS)
    xp: Any = array_module("column_spans", counts=counts.indices)
    sizes = xp.zeros(counts.columns, np.int64)
    for begin in range(0, counts.nnz, _STEP):
        sizes += xp.bincount(counts.indices[begin : begin + _STEP], minlength=counts.columns)
    wanted = xp.arange(1, groups) * (counts.nnz / groups)
    cuts = xp.searchsorted(xp.cumsum(sizes), wanted) + 1
    spans = xp.zeros(groups + 1, np.uint32)
    spans[1:-1] = cuts.clip(0, counts.columns)
    spans[-1] = counts.columns
    return spans if xp is np else spans.get()  # type: ignore[no-any-return]


def schedule(rows: int, spans: Ids, seed: int, epoch: int) -> Schedule:
    """Draw the order of an epoch: rows of about equal weight are dealt to different groups.

    Parameters
    ----------
    rows
        How many there are. Each run of as many neighbours as there are groups, which are about
        equally frequent where rows are words in the order of a vocabulary, goes to all groups.
    spans
        (groups + 1,) uint32 where spans of columns begin, from :func:`column_spans`.
    seed, epoch
        What the draws depend on.

    Returns
    -------
    Schedule
        In which every entry of a matrix of ``rows`` rows stands exactly once.

    Examples
    --------
    >>> import numpy as np
    >>> order, row_starts, _, shifts = schedule(5, np.array([0, 3, 7], np.uint32), seed=1, epoch=0)
    >>> sorted(order.tolist()), row_starts.tolist(), sorted(shifts.tolist())
    ([0, 1, 2, 3, 4], [0, 3, 5], [0, 1])
    """
    groups = len(spans) - 1
    words = random_words(seed, STREAM_ORDER, epoch, 0, rows + 1)
    strata = np.arange(rows) // groups
    dealt = np.lexsort((words[:rows], strata))  # within each stratum at random
    place = np.arange(rows) % groups  # the group that takes the row at that place
    shuffled = np.lexsort((words[:rows] * np.uint32(0x9E3779B1), place))
    order = dealt[shuffled].astype(np.uint32)
    row_starts = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(place, minlength=groups), out=row_starts[1:])
    shifts = (int(words[rows]) + np.arange(groups, dtype=np.int64)) % groups
    return Schedule(order, row_starts, spans, shifts)


def glove(
    words: Floats,
    contexts: Floats,
    counts: CSR,
    *,
    dim: int,
    seed: int = 1,
    epoch: int = 0,
    lr: float = 0.05,
    x_max: float = 100.0,
    alpha: float = 0.75,
    spans: Ids | None = None,
    threads: int | None = None,
    progress: Callable[[int, float], object] | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Fitted:
    """Fit vectors to the logarithms of counts by AdaGrad, one epoch, in place.

    Every count is read once and changes the tables before the next one is read. Threads work on
    parts that share no row, so that their number changes nothing, not a bit. The definition is in
    ``cpp/include/firth/glove.h``.

    Parameters
    ----------
    words, contexts
        (rows, 2 width) and (columns, 2 width) float32 from :func:`glove_tables`, updated in place.
    counts
        (rows, columns), data float32, from :func:`cooccurrence` or like it: sorted, above 0.
    dim
        How many numbers a vector has, 1 to 2**20.
    seed, epoch
        The order in which counts are read depends on these and on ``spans`` alone.
    lr
        The learning rate; that of biases is 1.
    x_max, alpha
        A count x weighs min(1, (x / x_max)**alpha); x_max is a float32 above 0, alpha 0 to 10.
    spans
        (groups + 1,) uint32: where spans of columns begin, from :func:`column_spans`. It is the
        same in every epoch, so that who has it saves time. None: :func:`groups_of` says how many.
    threads
        None: as many as :func:`firth.set_num_threads` says.
    progress
        Called after each round with (counts read, loss summed so far); what it raises stops the
        epoch.

    Returns
    -------
    Fitted

    Raises
    ------
    FloatingPointError
        A number was not finite any more; the tables are spoilt.
    ValueError, TypeError
        An argument is out of its range, or an array has another shape or dtype.

    References
    ----------
    Pennington, Socher and Manning, "GloVe: global vectors for word representation" (2014). Duchi,
    Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization"
    (2011). Gemulla et al., "Large-scale matrix factorization with distributed stochastic gradient
    descent" (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from firth.kernels import cooccurrence
    >>> ids = np.array([0, 1, 2, 3] * 50, np.uint32)
    >>> counts = cooccurrence(ids, words=4, window=2)
    >>> words, contexts = glove_tables(4, 4, 10)
    >>> losses = [glove(words, contexts, counts, dim=10, epoch=e).loss for e in range(20)]
    >>> losses[19] < losses[0] / 10
    True
    """
    dim = whole(_NAME, "dim", dim, 1, _MOST_DIM)
    seed = whole(_NAME, "seed", seed, 0, _MOST_SEED)
    epoch = whole(_NAME, "epoch", epoch, 0, _MOST_EPOCH)
    lr = real(_NAME, "lr", lr, 0, _MOST)
    x_max = real(_NAME, "x_max", x_max, _LEAST, _MOST)
    alpha = real(_NAME, "alpha", alpha, 0, _MOST_ALPHA)
    workers = number_of_threads(_NAME, threads)
    check_matrix(_NAME, "counts", counts, np.float32)
    xp = array_module(_NAME, words=words, contexts=contexts, counts=counts.data)
    width = glove_width(dim)
    check_table(_NAME, "words", words, (counts.shape[0], 2 * width), xp)
    check_table(_NAME, "contexts", contexts, (counts.shape[1], 2 * width), xp)
    check_columns(words, contexts, dim)
    if words.size and contexts.size and xp.may_share_memory(words, contexts):
        raise ValueError(f"{_NAME}: words and contexts share memory, expected two tables")
    if spans is None:
        spans = column_spans(counts, groups_of(counts, dim))
    else:
        _check_spans(spans, counts.shape)
    if not counts.nnz:
        return Fitted(0.0, 0)
    plan = schedule(len(words), spans, seed, epoch)
    loss, many, blown_up = backend_of(words, contexts, backend=backend).glove(
        words=words,
        contexts=contexts,
        dim=dim,
        indptr=counts.indptr,
        indices=counts.indices,
        data=counts.data,
        order=xp.asarray(plan.order),
        row_starts=xp.asarray(plan.row_starts),
        column_starts=xp.asarray(plan.column_starts),
        shifts=plan.shifts,
        lr=lr,
        x_max=x_max,
        alpha=alpha,
        threads=workers,
        isa=isa or "",
        progress=progress,
    )
    where = "row"
    if blown_up < 0:  # the last count that reads a row has seen only what was there before it
        blown_up = first_not_finite(words, xp)
    if blown_up < 0:
        where, blown_up = "column", first_not_finite(contexts, xp)
    if blown_up >= 0:
        raise FloatingPointError(
            f"{_NAME}: epoch {epoch}: {where} {blown_up} met a number that is not finite; "
            f"lower lr={lr:g}"
        )
    return Fitted(loss / many, many)


def check_columns(words: Floats, contexts: Floats, dim: int) -> None:
    """Raise unless the columns behind the numbers are those that `glove_tables` makes."""
    width = glove_width(dim)
    for name, table, one in (("words", words, width - 1), ("contexts", contexts, width - 2)):
        if bool(table[:, dim : width - 2].any()) or not bool((table[:, one] == 1).all()):
            raise ValueError(
                f"{_NAME}: {name} needs zeros in columns {dim} to {width - 3} and ones in column "
                f"{one}, as glove_tables has them"
            )


def _check_spans(spans: Any, shape: tuple[int, int]) -> None:
    typed(_NAME, "spans", spans, np.uint32, ((None,),))
    if not isinstance(spans, np.ndarray):
        raise TypeError(f"{_NAME}: spans must be on the host")
    contiguous(_NAME, "spans", spans)
    rising(_NAME, "spans", spans, shape[1])
    most = max(1, min(shape))
    if not 2 <= len(spans) <= most + 1:
        raise ValueError(
            f"{_NAME}: spans has {len(spans)} places, expected 2 to {most + 1}: of groups no more "
            "than rows or columns, and the end"
        )
