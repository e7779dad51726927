"""glove in array code: step n of a round reads the n-th count of every group at once."""

import importlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from firth._backend import Floats, Ids, Indices, Longs


def glove(
    *,
    words: Floats,
    contexts: Floats,
    dim: int,
    indptr: Longs,
    indices: Indices,
    data: Floats,
    order: Ids,
    row_starts: Longs,
    column_starts: Ids,
    shifts: Longs,
    lr: float,
    x_max: float,
    alpha: float,
    threads: int,
    isa: str,
    progress: Callable[[int, float], object] | None,
) -> tuple[float, int, int]:
    """Read tile by tile, all tiles of a round side by side: they share no row."""
    xp: Any = np if isinstance(words, np.ndarray) else importlib.import_module("cupy")
    rows, rounds, groups = _rows_and_rounds(
        xp, indptr, indices, order, row_starts, column_starts, xp.asarray(shifts)
    )
    place = xp.empty(len(order), np.int64)
    place[order] = xp.arange(len(order))
    sequence = xp.argsort(rounds * max(len(order), 1) + place[rows], kind="stable")
    ends = xp.searchsorted(rounds[sequence], xp.arange(len(shifts) + 1)).tolist()
    rates = xp.full((2, words.shape[1] // 2), lr, np.float32)
    rates[0, -2:], rates[1, -2:] = xp.asarray([1, 0]), xp.asarray([0, 1])
    loss, many = 0.0, 0
    with np.errstate(all="ignore"):  # what is not finite is looked for below
        for begin, end in itertools.pairwise(ends):
            some = sequence[begin:end]
            x = data[some]
            logs = xp.log(x)
            weights = xp.exp(xp.minimum((logs - xp.log(xp.float32(x_max))) * xp.float32(alpha), 0))
            more, blown_up = _round(
                xp, words, contexts, rates, rows[some], indices[some], groups[some], logs, weights
            )
            if blown_up >= 0:
                return loss, many, blown_up
            loss, many = loss + more, many + len(some)
            if progress is not None:
                progress(many, loss)
    return loss, many, -1


def _rows_and_rounds(
    xp: Any, indptr: Any, indices: Any, order: Any, row_starts: Any, column_starts: Any, shifts: Any
) -> tuple[Any, Any, Any]:
    """Return of each count its row, in which round it is read, and by which group."""
    many = len(row_starts) - 1
    rows = xp.searchsorted(indptr, xp.arange(len(indices)), side="right") - 1
    group_of_row = xp.empty(len(order), np.int64)
    group_of_row[order] = xp.searchsorted(row_starts, xp.arange(len(order)), side="right") - 1
    groups = group_of_row[rows]
    spans = xp.searchsorted(column_starts[1:], indices.astype(np.uint32), side="right")
    round_of_shift = xp.full(many, len(shifts), np.int64)  # none, for a shift that is left out
    round_of_shift[shifts] = xp.arange(len(shifts))
    return rows, round_of_shift[(spans - groups) % many], groups


def _round(
    xp: Any, words: Any, contexts: Any, rates: Any, rows: Any, columns: Any, groups: Any,
    logs: Any, weights: Any,
) -> tuple[float, int]:  # fmt: skip
    """Read the counts of a round, which come group by group; return loss and what blew up."""
    width = rates.shape[1]
    there = xp.concatenate([groups[1:] != groups[:-1], xp.ones(min(len(groups), 1), bool)])
    ends = xp.flatnonzero(there) + 1
    begins = xp.concatenate([xp.zeros(1, np.int64), ends])[: len(ends)]
    longest_first = xp.argsort(begins - ends, kind="stable")
    begins, ends = begins[longest_first], ends[longest_first]
    sizes = ends - begins
    loss, blown_up, step = 0.0, [], 0
    while len(begins) and int(sizes[0]) > step:
        active = int((sizes > step).sum())  # groups with more than `step` counts
        begins, sizes = begins[:active], sizes[:active]
        at = begins + step
        i, j = rows[at], columns[at]
        w, c = words[i], contexts[j]
        differences = (w[:, :width] * c[:, :width]).sum(axis=1) - logs[at]
        slopes = weights[at] * differences
        parts = slopes.astype(np.float64) * differences
        fine = xp.isfinite(parts)
        if not bool(fine.all()):
            blown_up += i[~fine].tolist()
            begins, sizes = begins[fine], sizes[fine]
            i, j, w, c, slopes = i[fine], j[fine], w[fine], c[fine], slopes[fine]
        loss += float(parts[fine].sum()) / 2
        w_steps = rates[0] * slopes[:, None] * c[:, :width]
        c_steps = rates[1] * slopes[:, None] * w[:, :width]
        for table, at, row, steps in ((words, i, w, w_steps), (contexts, j, c, c_steps)):
            row[:, :width] -= steps / xp.sqrt(row[:, width:])
            row[:, width:] += steps * steps
            table[at] = row
        step += 1
    return loss, min(blown_up, default=-1)
