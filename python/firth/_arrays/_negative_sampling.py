"""negative_sampling in array code, and its alias table."""

import importlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from firth._backend import Doubles, Floats, Ids, Longs
from firth._random import STREAM_NEGATIVE, STREAM_POSITION, draw_pairs


def alias_table(*, weights: Doubles) -> Ids:
    """Build Walker's alias table, (words, 2) uint32, by Vose's method."""
    height = (weights / weights.sum() * len(weights)).tolist()
    small = [i for i, h in enumerate(height) if h < 1]
    large = [i for i, h in enumerate(height) if h >= 1]
    table = np.empty((len(height), 2), dtype=np.uint32)
    table[:, 0], table[:, 1] = 2**32 - 1, np.arange(len(height))
    while small and large:
        low, high = small.pop(), large[-1]
        table[low] = int(height[low] * (2**32 - 1)), high
        height[high] -= 1 - height[low]
        if height[high] < 1:
            small.append(large.pop())
    return table


def _softplus(xp: Any, scores: Any) -> Any:
    return xp.maximum(scores, 0) + xp.log1p(xp.exp(-xp.abs(scores)))


def _keep(xp: Any, ids: Any, keep: Any, window: int, seed: int, epoch: int) -> tuple[Any, Any]:
    """Return the positions that subsampling keeps and how far each one's company reaches."""
    kept, reaches = [], []
    for begin in range(0, len(ids), 2**20):
        at = xp.arange(begin, min(len(ids), begin + 2**20), dtype=xp.uint64)
        chance, size = draw_pairs(xp, seed, STREAM_POSITION, epoch, at)
        stays = chance <= keep[ids[begin : begin + 2**20]]
        kept.append(at[stays].astype(xp.int64))
        reaches.append(1 + (size[stays] * xp.uint64(window) >> xp.uint64(32)).astype(xp.int64))
    return xp.concatenate(kept), xp.concatenate(reaches)


def _noise_words(xp: Any, noise: Any, seed: int, epoch: int, numbers: Any) -> Any:
    first, second = draw_pairs(xp, seed, STREAM_NEGATIVE, epoch, numbers)
    column = (first * xp.uint64(len(noise)) >> xp.uint64(32)).astype(xp.int64)
    return xp.where(second <= noise[column, 0], column, noise[column, 1].astype(xp.int64))


class _Rows:
    """The rows of the input that words are: row w, or those of bag w."""

    def __init__(self, input: Any, offsets: Any, ids: Any) -> None:
        self.xp: Any = np if isinstance(input, np.ndarray) else importlib.import_module("cupy")
        self.input, self.offsets, self.ids = input, offsets, ids

    def sizes(self, words: Any) -> Any:
        """Return (words,) how many rows each is."""
        if not len(self.offsets):
            return self.xp.ones(len(words), np.float32)
        return (self.offsets[words + 1] - self.offsets[words]).astype(np.float32)

    def shares(self, words: Any) -> Any:
        """Return (words, 1) what makes a mean of a sum."""
        return 1 / self.xp.maximum(self.sizes(words), np.float32(1))[:, None]

    def sums(self, words: Any) -> Any:
        """Return (words, dim) the sum of each one's rows, added in their order."""
        if not len(self.offsets):
            return self.input[words]
        sums = self.xp.zeros((len(words), self.input.shape[1]), np.float32)
        for some, rows in self._steps(words):
            sums[some] += self.input[rows]
        return sums

    def add(self, words: Any, steps: Any) -> None:
        """Add the step of each word to all its rows."""
        if not len(self.offsets):
            self.xp.add.at(self.input, words, steps)
            return
        for some, rows in self._steps(words):
            self.xp.add.at(self.input, rows, steps[some])

    def _steps(self, words: Any) -> Iterator[tuple[Any, Any]]:
        """Yield which words have a first row, and that; then which have a second, and so on."""
        begins, ends = self.offsets[words], self.offsets[words + 1]
        active = self.xp.flatnonzero(begins < ends)
        while len(active):
            yield active, self.ids[begins[active]].astype(np.int64)
            begins = begins + 1
            active = active[begins[active] < ends[active]]


def negative_sampling(
    *,
    input: Floats,
    output: Floats,
    ids: Ids,
    sources: Ids,
    offsets: Longs,
    bag_offsets: Longs,
    bag_ids: Ids,
    keep: Ids,
    noise: Ids,
    window: int,
    negative: int,
    cbow: bool,
    block: int,
    shared: int,
    piece: int,
    round: int,
    first: int,
    last: int,
    seed: int,
    epoch: int,
    lr_begin: float,
    lr_end: float,
    threads: int,
    isa: str,
    progress: Callable[[int, float, int], object] | None,
) -> tuple[float, int, int, int, int]:
    """Train piece by piece: all blocks of a piece take their steps from one state of the tables."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is looked for below
        return _negative_sampling(
            input, output, ids, offsets, bag_offsets, bag_ids, keep, noise, window, negative, cbow,
            block, shared, piece, seed, epoch, lr_begin, lr_end, progress,
        )  # fmt: skip


def _negative_sampling(
    input: Any, output: Any, ids: Any, offsets: Any, bag_offsets: Any, bag_ids: Any,
    keep: Any, noise: Any, window: int, negative: int, cbow: bool, block: int, shared: int,
    piece: int, seed: int, epoch: int, lr_begin: float, lr_end: float,
    progress: Callable[[int, float, int], object] | None,
) -> tuple[float, int, int, int, int]:  # fmt: skip
    xp: Any = np if isinstance(input, np.ndarray) else importlib.import_module("cupy")
    none = -1
    if len(ids) == 0:
        return 0.0, 0, 0, none, none
    if int(ids.max()) >= len(output):
        return 0.0, 0, 0, none, int(xp.argmax(ids >= len(output)))
    rows_of = _Rows(input, bag_offsets, bag_ids)
    kept, reaches = _keep(xp, ids, keep, window, seed, epoch)
    if len(kept) == 0:
        return 0.0, 0, 0, none, none
    words = ids[kept].astype(xp.int64)
    sentence = xp.searchsorted(offsets, kept, side="right")
    begins, ends = (xp.searchsorted(kept, offsets[sentence - side]) for side in (1, 0))
    loss, pairs, told = 0.0, 0, time.monotonic()
    for begin in range(0, len(ids), piece):
        first, last = (int(i) for i in xp.searchsorted(kept, xp.asarray([begin, begin + piece])))
        if first == last:
            continue
        centres = xp.arange(first, last)
        others = []  # for each distance: the company's words, and which centres have such company
        for distance in [*range(-window, 0), *range(1, window + 1)]:
            at = centres + distance
            valid = (abs(distance) <= reaches[first:last]) & (at >= begins[first:last])
            valid &= at < ends[first:last]
            if bool(valid.any()):
                others.append((words[xp.clip(at, 0, len(words) - 1)], valid))
        count = sum(
            (valid.astype(xp.float32) for _, valid in others), xp.zeros(len(centres), xp.float32)
        )
        blocks = -(-len(centres) // block)
        base = (begin + xp.arange(blocks, dtype=xp.uint64)[:, None] * xp.uint64(block)) * xp.uint64(
            shared
        )
        numbers = base + xp.arange(shared, dtype=xp.uint64)
        negatives = _noise_words(xp, noise, seed, epoch, numbers)
        mine = negatives[xp.arange(len(centres)) // block]  # (centres, shared)
        own = words[first:last]
        lr = xp.float32(lr_begin + (lr_end - lr_begin) * begin / len(ids))
        if cbow:
            left = xp.zeros((len(own), input.shape[1]), np.float32)
            rows = xp.zeros_like(count)
            for word, valid in others:
                left += rows_of.sums(word) * valid[:, None]
                rows += rows_of.sizes(word) * valid
            left = left / xp.maximum(rows, 1)[:, None]
            targets = [(own, count > 0)]
        else:
            left, targets = rows_of.sums(own) * rows_of.shares(own), others
        weights = sum((valid.astype(xp.float32) for _, valid in targets), xp.zeros_like(count))[
            :, None
        ]
        weights = weights - sum(
            ((w[:, None] == mine) & v[:, None] for w, v in targets), xp.zeros(1)
        )
        weights = (weights * (negative / shared)).astype(xp.float32)

        padded = xp.zeros((blocks * block, left.shape[1]), dtype=xp.float32)
        padded[: len(centres)] = left
        padded = padded.reshape(blocks, block, -1)
        rows_of_noise = output[negatives]  # (blocks, shared, dim)
        scores = (padded @ rows_of_noise.transpose(0, 2, 1)).reshape(-1, shared)[: len(centres)]
        part = float((weights * _softplus(xp, scores)).sum(dtype=xp.float64))
        steps = xp.zeros((blocks * block, shared), dtype=xp.float32)
        steps[: len(centres)] = -lr * weights * xp.exp(-_softplus(xp, -scores))
        steps = steps.reshape(blocks, block, shared)
        error = (steps @ rows_of_noise).reshape(blocks * block, -1)[: len(centres)]
        noise_steps = steps.transpose(0, 2, 1) @ padded
        target_steps = []
        for word, valid in targets:
            rows = output[word]
            score = (left * rows).sum(axis=1)
            part += float((valid * _softplus(xp, -score)).sum(dtype=xp.float64))
            step = lr * valid * xp.exp(-_softplus(xp, score))
            error += step[:, None] * rows
            target_steps.append((word, step.astype(xp.float32)))
        if not np.isfinite(part) or not bool(xp.isfinite(error).all()):
            return loss, pairs, len(kept), begin, none
        for word, step in target_steps:
            xp.add.at(output, word, step[:, None] * left)
        xp.add.at(output, negatives.reshape(-1), noise_steps.reshape(-1, left.shape[1]))
        if cbow:
            for word, valid in others:
                rows_of.add(word[valid], error[valid])
        else:
            rows_of.add(own, error)
        loss += part
        pairs += int((count > 0).sum() if cbow else count.sum())
        if progress is not None and time.monotonic() - told > 0.05:
            told = time.monotonic()
            progress(min(len(ids), begin + piece), loss, pairs)
    return loss, pairs, len(kept), none, none
