"""ranking in array code: samples that share no row are trained together.

What is drawn is that of cpp/include/firth/ranking.h.
"""

import importlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from firth._arrays._links import place_of
from firth._arrays._rows import Sums
from firth._backend import Floats, Ids, Longs
from firth._random import STREAM_RANKING, draw

WINDOW = 4096  # samples that are looked through for some that share no row
TOGETHER = 256  # samples of warp that see one state, at most
_FLOATS = 1 << 20  # of the rows that are tried together, about


class _Samples:
    """What the samples of an epoch are drawn from."""

    def __init__(
        self, xp: Any, links: tuple[Any, Any, Any], items: int, noise: Any, seed: int, epoch: int
    ) -> None:
        self.xp, self.items, self.noise, self.seed, self.epoch = xp, items, noise, seed, epoch
        self.indptr, self.indices, self.owners = links

    def pairs(self, numbers: Any) -> tuple[Any, Any]:
        """Return the user and the item she has met, of each sample."""
        shift, many = self.xp.uint64(32), self.xp.uint64(len(self.indices))
        x, y, _, _ = draw(self.xp, self.seed, STREAM_RANKING, self.epoch, numbers)
        pair = ((many * x + (many * y >> shift)) >> shift).astype(np.int64)
        return self.owners[pair].astype(np.int64), self.indices[pair].astype(np.int64)

    def others(self, numbers: Any, users: Any, trials: Any) -> tuple[Any, Any]:
        """Return (samples, trials) items, and which of them their users have not met."""
        xp = self.xp
        stream = (STREAM_RANKING + 256 * trials).astype(np.uint64)
        _, _, z, w = draw(xp, self.seed, stream, self.epoch, numbers[:, None])
        found = (z * xp.uint64(self.items) >> xp.uint64(32)).astype(np.int64)
        if len(self.noise):
            stays = w <= self.noise[found, 0]
            found = xp.where(stays, found, self.noise[found, 1].astype(np.int64))
        begin = self.indptr[users]
        count = self.indptr[users + 1] - begin
        many = len(trials)
        met = place_of(
            xp, self.indices, xp.repeat(begin, many), xp.repeat(count, many), found.reshape(-1)
        )
        return found, met.reshape(found.shape) < 0


def rounds(xp: Any, rows: Any) -> Iterator[Any]:
    """Yield the samples in rounds, by (samples, slots) rows that each of them is of.

    Those of a round share no row, and a sample comes in a later round than all before it that have
    a row of its own: trained round by round, rows change as they would one sample after the other.
    """
    many, slots = rows.shape
    flat = rows.reshape(-1)
    order = xp.argsort(flat, kind="stable")
    again = flat[order[1:]] == flat[order[:-1]]
    before = xp.full(many * slots, many)  # the sample that had the row last; `many` for none
    before[order[1:]] = xp.where(again, order[:-1] // slots, many)
    before = before.reshape(many, slots)
    done = xp.zeros(many + 1, bool)
    done[many] = True
    left = xp.arange(many)
    while len(left):
        ready = done[before[left]].all(axis=1)
        yield left[ready]
        done[left[ready]] = True
        left = left[~ready]


class _Pass:
    """Tables on their way through an epoch."""

    def __init__(
        self, samples: _Samples, users: Any, items: Any, biases: Any, lr: float, reg: float
    ) -> None:
        self.xp, self.samples = samples.xp, samples
        self.users, self.items, self.biases = users, items, biases
        self.lr, self.decay = np.float32(lr), np.float32(min(lr * reg, 3e38))
        self.loss, self.trained, self.right, self.skipped, self.blown_up = 0.0, 0, 0, 0, -1

    def scores(self, users: Any, met: Any, others: Any) -> Any:
        """Return (samples, trials) by how much what was met scores higher."""
        differences = self.items[met][:, None, :] - self.items[others]
        scores = (self.users[users][:, None, :] * differences).sum(axis=2)
        return scores + (self.biases[met][:, None] - self.biases[others] if len(self.biases) else 0)

    def learn(self, users: Any, met: Any, others: Any, gradients: Any) -> None:
        """Take the steps of samples of different users, all from the tables as they are."""
        xp, move = self.xp, (self.lr * gradients)[:, None]
        p, q, r = self.users[users], self.items[met], self.items[others]
        up, down = move * p - self.decay * q, -move * p - self.decay * r
        self.users[users] = p + (move * (q - r) - self.decay * p)
        if len(self.biases):
            up = xp.concatenate([up, move - self.decay * self.biases[met][:, None]], axis=1)
            down = xp.concatenate([down, -move - self.decay * self.biases[others][:, None]], axis=1)
        sums = Sums(xp, 2 * len(users))
        sums.add(xp.concatenate([met, others]), xp.concatenate([up, down]))
        rows, steps = sums.take()
        self.items[rows] += steps[:, : self.items.shape[1]]
        if len(self.biases):
            self.biases[rows] += steps[:, -1]

    def fine(self, numbers: Any, fine: Any) -> Any:
        """Return the places of samples to go on with; the first other one is written down."""
        bad = numbers[~fine]
        if len(bad):
            first = int(bad.min())
            self.blown_up = first if self.blown_up < 0 else min(first, self.blown_up)
        return self.xp.flatnonzero(fine)

    def bpr(self, numbers: Any, trials: int) -> Iterator[int]:
        """Train samples; yield how many are done."""
        xp = self.xp
        users, met = self.samples.pairs(numbers)
        others, waiting = xp.zeros(len(numbers), np.int64), xp.arange(len(numbers))
        for trial in range(trials):
            some = self.samples.others(numbers[waiting], users[waiting], xp.asarray([trial]))
            others[waiting], found = some[0][:, 0], some[1][:, 0]
            waiting = waiting[~found]
            if not len(waiting):
                break
        good = xp.ones(len(numbers), bool)
        good[waiting] = False
        self.skipped += len(waiting)
        numbers, users, met, others = numbers[good], users[good], met[good], others[good]
        done, shift = len(waiting), len(self.users)
        for some in rounds(xp, xp.stack([users, shift + met, shift + others], axis=1)):
            done += len(some)
            if self.blown_up >= 0:  # those before it still are trained
                some = some[numbers[some] < self.blown_up]
            x = self.scores(users[some], met[some], others[some, None])[:, 0]
            go = self.fine(numbers[some], xp.isfinite(x))
            some, x = some[go], x[go]
            small = xp.exp(-xp.abs(x))
            gradients = xp.where(x > 0, small, np.float32(1)) / (1 + small)
            self.loss += float((xp.maximum(-x, 0) + xp.log1p(small)).sum(dtype=np.float64))
            self.trained += len(some)
            self.right += int((x > 0).sum())
            self.learn(users[some], met[some], others[some], gradients)
            yield done

    def warp(self, numbers: Any, trials: int) -> Iterator[int]:
        """Train samples; yield how many are done."""
        xp, done = self.xp, 0
        users, met = self.samples.pairs(numbers)
        for ready in rounds(xp, xp.stack([users, len(self.users) + met], axis=1)):
            for begin in range(0, len(ready), TOGETHER):
                some = ready[begin : begin + TOGETHER]
                done += len(some)
                if self.blown_up >= 0:
                    some = some[numbers[some] < self.blown_up]
                self.search(numbers[some], users[some], met[some], trials)
                yield done

    def search(self, numbers: Any, users: Any, met: Any, trials: int) -> None:
        """Look for items that are ranked too high, for samples of different users, and learn."""
        xp, dim = self.xp, self.items.shape[1]
        other, score = xp.zeros(len(numbers), np.int64), xp.zeros(len(numbers), np.float32)
        rank, any_new = xp.zeros(len(numbers), np.float32), xp.zeros(len(numbers), bool)
        found, waiting, trial = xp.zeros(len(numbers), bool), xp.arange(len(numbers)), 0
        while len(waiting) and trial < trials:
            many = max(1, min(trial, trials - trial, _FLOATS // (len(waiting) * dim)))
            tried = trial + xp.arange(many)
            items, new = self.samples.others(numbers[waiting], users[waiting], tried)
            x = self.scores(users[waiting], met[waiting], items)
            ends = new & ~(x >= 1)  # found, or not a number
            any_new[waiting] |= new.any(axis=1)
            first, row = ends.argmax(axis=1), xp.arange(len(waiting))
            other[waiting], score[waiting] = items[row, first], x[row, first]
            quotient = xp.maximum((len(self.items) - 1) // (tried + 1), 1).astype(np.float32)
            rank[waiting] = xp.log(quotient)[first]
            # Infinity is above every margin, and yet stops what it is found by.
            bad = new & ~xp.isfinite(x)
            stops = bad.any(axis=1) & (~ends.any(axis=1) | (bad.argmax(axis=1) <= first))
            score[waiting[stops]] = math.nan
            over = ends.any(axis=1) | stops
            found[waiting[over]] = True
            waiting, trial = waiting[~over], trial + many
        go = self.fine(numbers, xp.isfinite(score) | ~found)
        found, score = found[go], score[go]
        self.trained += int(any_new[go].sum())
        self.skipped += len(go) - int(any_new[go].sum())
        self.right += int((any_new[go] & (~found | (score > 0))).sum())
        go, score, ranks = go[found], score[found], rank[go][found]
        self.loss += float((ranks.astype(np.float64) * (1 - score)).sum())
        self.learn(users[go], met[go], other[go], ranks)


def ranking(
    *,
    users: Floats,
    items: Floats,
    biases: Floats,
    indptr: Longs,
    indices: Ids,
    owners: Ids,
    noise: Ids,
    loss: int,
    trials: int,
    first: int,
    last: int,
    seed: int,
    epoch: int,
    lr: float,
    reg: float,
    threads: int,
    isa: str,
    progress: Callable[[int, float], object] | None,
) -> tuple[float, int, int, int, int]:
    """Train windows of 4096 samples, in rounds of those that share no row.

    Of bpr the tables are what one sample after the other makes of them, up to rounding. Of warp the
    items that a sample will try are not known before: samples of a round, of different users and
    items that they have met, 256 at most, look for theirs in one state of the tables, and the steps
    of those that find the same one are added, as threads that write without locks might. Windows
    begin at multiples of 4096, so that parts cut there train what the whole does. The same call
    gives the same bits.
    """
    xp: Any = np if isinstance(users, np.ndarray) else importlib.import_module("cupy")
    samples = _Samples(xp, (indptr, indices, owners), len(items), noise, seed, epoch)
    run, told = _Pass(samples, users, items, biases, lr, reg), time.monotonic()
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is looked for
        begin = first
        while begin < last and run.blown_up < 0:
            end = min(last, (begin // WINDOW + 1) * WINDOW)
            numbers = xp.arange(begin, end, dtype=np.uint64)
            for done in (run.warp if loss else run.bpr)(numbers, trials):
                if progress is not None and time.monotonic() - told > 0.05:
                    told = time.monotonic()
                    progress(begin - first + done, run.loss)
            begin = end
    return run.loss, run.trained, run.right, run.skipped, run.blown_up
