"""negative_sampling in array code, and its alias table.

Tiles of a few centres that share negatives are trained many at a time. Scores, errors and steps are
three stacks of small matrix products: the inputs of a tile against the targets of all its pairs,
with a mask that says which are whose, and against its negatives.
"""

import importlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from firth._arrays._passage import STRETCH, Corpus, Passage, Stop
from firth._arrays._rows import Rows, Sums
from firth._backend import Doubles, Floats, Ids, Longs


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


MOST_MOVE = np.float32(0.5)  # of a word in a round, as a length

_FLOATS = 1 << 22  # that a batch of tiles takes, about; twice as many wait to be added


class _Pass:
    """Tables on their way through a corpus."""

    def __init__(
        self,
        corpus: Corpus,
        input: Any,
        output: Any,
        bags: tuple[Any, Any],
        negative: int,
        cbow: bool,
    ) -> None:
        xp, dim = corpus.xp, input.shape[1]
        room = max(1, 2 * _FLOATS // dim)
        self.xp, self.corpus, self.output = xp, corpus, output
        self.rows = Rows(xp, input, *bags, room)
        self.cbow, self.negative = cbow, negative
        self.input_steps, self.output_steps = Sums(xp, room), Sums(xp, room)
        self.loss, self.pairs, self.kept = 0.0, 0, 0

    def around(self, passage: Passage, first: int, last: int) -> tuple[int, int]:
        """Return how far on either side company of the tiles [first, last) can be."""
        if len(self.corpus.sources):
            return 0, 0
        xp = self.xp
        begin, end = (
            int(passage.first[first]),
            int(passage.first[last - 1] + passage.count[last - 1]),
        )
        far = xp.stack([passage.left[begin:end].max(), passage.right[begin:end].max()]).tolist()
        return far[0], far[1]

    def tiles(self, around: tuple[int, int]) -> int:
        """Return how many tiles make a batch."""
        lanes, shared, dim = self.corpus.lanes, self.corpus.shared, self.output.shape[1]
        company = lanes + sum(around)
        floats = (3 * lanes + 3 * (company + shared)) * dim
        floats += (company + shared) * 6 * lanes + company * shared
        return int(max(1, _FLOATS // floats))

    def round(self, passage: Passage, first: int, last: int, lr: Any) -> Iterator[float]:
        """Train the tiles [first, last) in batches; yield which share of them is done."""
        if first == last:
            return
        around = self.around(passage, first, last)
        size = self.tiles(around)
        for begin in range(first, last, size):
            end = min(last, begin + size)
            self.train(passage, begin, end, around, lr[begin:end])
            yield (end - first) / (last - first)

    def train(
        self, passage: Passage, first: int, last: int, around: tuple[int, int], lr: Any
    ) -> None:
        """Let the steps of the tiles [first, last) wait, all taken from the tables as they are."""
        xp, corpus, size = self.xp, self.corpus, len(passage.at)
        lane = xp.arange(corpus.lanes)
        index = passage.first[first:last, None] + lane
        live = lane < passage.count[first:last, None]
        index = xp.minimum(index, size - 1)
        own = passage.words[index]  # (tiles, lanes)
        one = xp.eye(corpus.lanes, dtype=xp.float32)
        if len(corpus.sources):
            mask = live[:, :, None] * one
        else:
            column = xp.arange(corpus.lanes + sum(around))
            company = passage.words[
                xp.clip(passage.first[first:last, None] - around[0] + column, 0, size - 1)
            ]
            distance = column - around[0] - lane[:, None]
            mask = (-passage.left[index][:, :, None] <= distance) & (distance != 0)
            mask &= (distance <= passage.right[index][:, :, None]) & live[:, :, None]
            mask = mask.astype(xp.float32)  # (tiles, lanes, company)
        if self.cbow:
            some = mask.max(axis=2, keepdims=True)
            rows = (mask * self.rows.sizes(company)[:, None, :]).sum(axis=2, keepdims=True)
            inputs = (mask @ self.rows.sums(company)) / xp.maximum(rows, 1)
            targets, seen = own, some * one
        else:
            inputs = self.rows.means(passage.inputs[index])
            inputs = xp.where(live[:, :, None], inputs, xp.float32(0))
            targets, seen = (own if len(corpus.sources) else company), mask
        error = self.step(passage, first, last, inputs, targets, seen, lr)
        if self.cbow:
            used = mask.any(axis=1)
            self.input_steps.add(company[used], (mask.transpose(0, 2, 1) @ error)[used])
        else:
            self.input_steps.add(passage.inputs[index][live], error[live])

    def step(
        self, passage: Passage, first: int, last: int, inputs: Any, targets: Any, seen: Any, lr: Any
    ) -> Any:
        """Return (tiles, lanes, dim) the errors of inputs; the steps of the output wait.

        ``targets`` is (tiles, many) and ``seen`` (tiles, lanes, many), how often each is a pair.
        """
        xp, weights = self.xp, seen
        used = seen.any(axis=1)  # what is nobody's target would only lie in the way of the others
        sides = xp.full(targets.shape[1], -1, xp.float32)
        if self.negative:
            noise = passage.negatives(first, last)
            same = (targets[:, :, None] == noise[:, None, :]).astype(xp.float32)
            apart = seen.sum(axis=2, keepdims=True) - seen @ same
            ratio = self.negative / self.corpus.shared
            weights = xp.concatenate([seen, apart * xp.float32(ratio)], axis=2)
            targets = xp.concatenate([targets, noise], axis=1)
            used = xp.concatenate([used, xp.ones(noise.shape, bool)], axis=1)
            sides = xp.concatenate([sides, xp.ones(self.corpus.shared, xp.float32)])
        rows = self.output[targets]
        wrong = (inputs @ rows.transpose(0, 2, 1)) * sides
        small = xp.exp(-xp.abs(wrong))
        lost = (weights * (xp.maximum(wrong, 0) + xp.log1p(small))).sum(axis=2, dtype=xp.float64)
        chance = xp.where(wrong > 0, xp.float32(1), small) / (1 + small)  # s(wrong)
        steps = weights * chance * (-lr[:, None, None] * sides)
        error = steps @ rows
        fine = xp.isfinite(lost) & xp.isfinite(error).all(axis=2)
        sums = xp.stack([lost.sum(), seen.sum(dtype=xp.float64), fine.all().astype(xp.float64)])
        loss, pairs, all_fine = sums.tolist()  # one wait for the device, not three
        if not all_fine:
            tile = first + int(xp.argmin(fine.all(axis=1)))
            raise Stop(blown_up=int(passage.begins[tile]))
        self.loss += loss
        self.pairs += int(pairs)
        self.output_steps.add(targets[used], (steps.transpose(0, 2, 1) @ inputs)[used])
        return error

    def apply(self) -> None:
        """Add what waits to the tables."""
        if self.output_steps.waiting:
            words, steps = self.output_steps.take()
            self.output[words] += _shortened(self.xp, steps)
        if self.input_steps.waiting:
            words, steps = self.input_steps.take()
            self.rows.add(words, _shortened(self.xp, steps))


def _shortened(xp: Any, sums: Any) -> Any:
    """Return rows, each at most `MOST_MOVE` long."""
    lengths = xp.sqrt((sums * sums).sum(axis=1, keepdims=True))
    return sums * (MOST_MOVE / xp.maximum(lengths, MOST_MOVE))


def _stretches(first: int, last: int, unit: int, piece: int) -> Iterator[tuple[int, int]]:
    """Yield stretches of tokens, each of whole units or within one."""
    outer = max(unit, STRETCH // unit * unit)
    inner = outer if unit <= STRETCH else max(1, STRETCH // piece) * piece
    for begin in range(first, last, outer):
        end = min(last, begin + outer)
        yield from ((at, min(end, at + inner)) for at in range(begin, end, inner))


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
    """Train in rounds: all blocks of a round take their steps from one state of the tables.

    Without rounds, each piece is one. Tables, loss and counts are then what the oracle defines, up
    to rounding. The same call gives the same bits, and a pass those of its parts in turn: steps are
    added in a fixed order. On a device that holds as far as its matrix products repeat themselves,
    which cuBLAS promises for one stream on one kind of GPU. Of the round that meets a number which
    is not finite nothing is added.

    Memory does not grow with the corpus, the round, the piece or the block: beside the steps of all
    rows that a round works on, it is some 100 to 200 MB, or more where the rows of a single tile
    are. A tile of 32 centres costs what 32 + 2 * window targets and ``shared`` negatives cost each.
    """
    xp: Any = np if isinstance(input, np.ndarray) else importlib.import_module("cupy")
    corpus = Corpus(
        xp, ids, sources, offsets, keep, noise, window, block, shared, piece, seed, epoch
    )
    run = _Pass(corpus, input, output, (bag_offsets, bag_ids), negative, cbow)
    unit, told = round or piece, time.monotonic()
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is looked for
            for begin, end in _stretches(first, last, unit, piece):
                passage = Passage(corpus, begin, end)
                run.kept += passage.kept
                slope = (lr_end - lr_begin) / len(ids)
                lr = (lr_begin + slope * passage.begins).astype(np.float32)
                for r_begin, r_end, t_begin, t_end in passage.rounds(begin, end, unit):
                    for done in run.round(passage, t_begin, t_end, lr):
                        if progress is not None and time.monotonic() - told > 0.05:
                            told = time.monotonic()
                            tokens = r_begin - first + int((r_end - r_begin) * done)
                            progress(tokens, run.loss, run.pairs)
                    if r_end % unit == 0 or r_end == last:
                        run.apply()
    except Stop as stop:
        return run.loss, run.pairs, run.kept, stop.blown_up, stop.unknown
    return run.loss, run.pairs, run.kept, -1, -1
