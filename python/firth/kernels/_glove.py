"""One epoch of GloVe: ``glove``, the tables it trains, and the order in which it reads counts."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import numpy as np

from firth._backend import Floats, Ids, Longs, backend_of
from firth._random import STREAM_ORDER, initial_rows, random_words
from firth.csr import CSR
from firth.kernels._arguments import number_of_threads
from firth.kernels._classification import padded_rows

_NAME = "glove"
_LANES = 16
_TILE_BYTES = (
    2**20
)  # what a tile's rows of one table should take: two of them fit into a core's cache
_TILE_COUNTS = 2**13  # counts that a tile should have


class Fitted(NamedTuple):
    """What an epoch did.

    Attributes
    ----------
    loss
        Half the mean of the weighted squared errors, each taken before its step.
    counts
        How many counts were read.
    """

    loss: float
    counts: int


def glove_width(dim: int) -> int:
    """Return how many numbers a row has: the vector, zeros, and two that hold the bias."""
    return -(-(dim + 2) // _LANES) * _LANES


def glove_tables(rows: int, columns: int, dim: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Return what `glove` trains, at its beginning: vectors and biases in [-0.5, 0.5) / dim."""
    width = glove_width(dim)
    tables = []
    for first, many, bias in ((0, rows, -2), (rows, columns, -1)):
        table = padded_rows(many, 2 * width)
        start = initial_rows(seed, first, first + many, dim + 1)
        table[:, :dim] = start[:, :dim]
        table[:, dim:width] = 0
        table[:, width - 2 : width] = 1
        table[:, width + bias] = start[:, dim]
        table[:, width:] = 1
        tables.append(table)
    return tables[0], tables[1]


class Schedule(NamedTuple):
    """The order in which an epoch reads counts, as ``cpp/include/firth/glove.h`` has it."""

    order: Ids
    row_starts: Longs
    column_starts: Ids
    shifts: Longs


def groups_of(counts: CSR, dim: int) -> int:
    """Return into how many groups rows are dealt, and columns cut."""
    rows, columns = counts.shape
    by_cache = math.ceil(max(rows, columns) * 8 * glove_width(dim) / _TILE_BYTES)
    by_counts = math.isqrt(counts.nnz // _TILE_COUNTS)
    return max(1, min(max(by_cache, 16), by_counts, rows, columns))


def column_spans(counts: CSR, groups: int) -> Ids:
    """Return (groups + 1,) where spans of columns begin that hold about as many counts each."""
    total = np.cumsum(np.bincount(counts.indices, minlength=counts.columns))
    cuts = np.searchsorted(total, np.arange(1, groups) * (total[-1] / groups))
    return (
        np.concatenate([[0], cuts + 1, [counts.columns]]).clip(0, counts.columns).astype(np.uint32)
    )


def schedule(rows: int, spans: Ids, seed: int, epoch: int) -> Schedule:
    """Draw the order of an epoch: rows of about equal weight are dealt to different groups."""
    groups = len(spans) - 1
    words = random_words(seed, STREAM_ORDER, epoch, 0, rows + groups)
    strata = np.arange(rows) // groups
    dealt = np.lexsort((words[:rows], strata))  # within each stratum at random
    place = np.arange(rows) % groups  # the group that takes the row at that place
    shuffled = np.lexsort((words[:rows] * np.uint32(0x9E3779B1), place))
    order = dealt[shuffled].astype(np.uint32)
    row_starts = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=groups))])
    shifts = np.argsort(words[rows:], kind="stable")
    return Schedule(order, row_starts.astype(np.int64), spans, shifts.astype(np.int64))


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
    """..."""
    if spans is None:
        spans = column_spans(counts, groups_of(counts, dim))
    plan = schedule(len(words), spans, seed, epoch)
    loss, many, blown_up = backend_of(words, contexts, backend=backend).glove(
        words=words,
        contexts=contexts,
        dim=dim,
        indptr=counts.indptr,
        indices=counts.indices,
        data=counts.data,
        order=plan.order,
        row_starts=plan.row_starts,
        column_starts=plan.column_starts,
        shifts=plan.shifts,
        lr=lr,
        x_max=x_max,
        alpha=alpha,
        threads=number_of_threads(_NAME, threads),
        isa=isa or "",
        progress=progress,
    )
    if blown_up >= 0:
        raise FloatingPointError(
            f"{_NAME}: epoch {epoch}: a number in row {blown_up} is not finite; lower lr={lr:g}"
        )
    return Fitted(loss / many if many else 0.0, many)
