"""walks in array code: all walks of a batch take their steps together, and so their trials.

Names are those of cpp/include/firth/walks.h, and so are the walks, bit for bit.
"""

import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from firth._arrays._links import lower_bound, place_of
from firth._backend import Ids, Longs
from firth._random import STREAM_WALK, draw

_NOWHERE = 2**32 - 1
_TRIALS, _MOST_TRIALS = 16, 1 << 20
_LANES = 1 << 16  # walks that go in step, trials made together, edges whose sums are made together


def _high_product(xp: Any, a: Any, b: Any) -> Any:
    """Return floor(a b / 2**64) of uint64."""
    low, shift = xp.uint64(2**32 - 1), xp.uint64(32)
    a0, a1, b0, b1 = a & low, a >> shift, b & low, b >> shift
    middle = a1 * b0 + ((a0 * b0) >> shift)
    other = a0 * b1 + (middle & low)
    return a1 * b1 + (middle >> shift) + (other >> shift)


class _Bias:
    """Which draws accept an edge: back to the node before, near it, or far from it."""

    def __init__(self, p: float, q: float) -> None:
        back, far = 1 / p, 1 / q
        most = max(1.0, far)
        chances = back / most, 1 / most, far / most
        self.back, self.near, self.far = (
            min(max(int(chance * 2.0**32 - 1), 0), 2**32 - 1) for chance in chances
        )
        self.sure = min(self.near, self.far)
        self.extra = max(back / most - 1, 0.0)
        self.masses = [max(int(m / max(back, most) * 2.0**31), 1) for m in (back, 1.0, far)]


@dataclass(frozen=True)
class _Steps:
    """Where each of some walks stands: its number, node, node before, and where it may go."""

    xp: Any
    walk: Any  # uint64
    before: Any  # -1: none
    kind: Any  # the type that is next
    begin: Any
    degree: Any

    def __getitem__(self, some: Any) -> "_Steps":
        arrays = (a[some] for a in (self.walk, self.before, self.kind, self.begin, self.degree))
        return _Steps(self.xp, *arrays)

    def __len__(self) -> int:
        return len(self.walk)


class _Walker:
    """A graph and how a step is drawn from it."""

    def __init__(
        self,
        xp: Any,
        indptr: Any,
        indices: Any,
        thresholds: Any,
        types: int,
        bias: _Bias,
        seed: int,
    ) -> None:
        self.xp, self.indptr, self.indices, self.types = xp, indptr, indices, types
        self.thresholds, self.bias, self.seed = thresholds, bias, seed
        self.weighted = len(thresholds) > 0

    def draw(self, step: int, trial: Any, walk: Any) -> tuple[Any, Any, Any, Any]:
        """Return what is drawn; ``trial`` is a number, or some that are broadcast."""
        stream = STREAM_WALK + 256 * trial
        return draw(self.xp, self.seed, stream, step, walk)

    def edges_of(self, node: Any, kind: Any) -> tuple[Any, Any]:
        """Return where the edges begin that a step may take, and how many there are."""
        row = node * self.types + kind
        begin = self.indptr[row]
        return begin, self.indptr[row + 1] - begin

    def shares(self, steps: _Steps, edge: Any) -> Any:
        """Return how many values of a draw take each edge, uint64."""
        if not self.weighted:
            return self.xp.ones(len(edge), np.uint64)
        here = self.thresholds[edge].astype(np.int64)
        after = self.thresholds[self.xp.minimum(edge + 1, len(self.thresholds) - 1)]
        last = edge + 1 == steps.begin + steps.degree
        return (self.xp.where(last, 2**32, after.astype(np.int64)) - here).astype(np.uint64)

    def edge_at(self, steps: _Steps, word: Any) -> Any:
        """Return the edge that each draw takes."""
        if not self.weighted:
            place = (word * steps.degree.astype(np.uint64)) >> self.xp.uint64(32)
            return steps.begin + place.astype(np.int64)
        after = word + self.xp.uint64(1)
        columns = self.thresholds
        return steps.begin + lower_bound(self.xp, columns, steps.begin, steps.degree, after) - 1

    def is_near(self, steps: _Steps, node: Any) -> Any:
        """Return whether an edge leads from the node before to each node."""
        return place_of(self.xp, self.indices, *self.edges_of(steps.before, steps.kind), node) >= 0

    def thrown(self, steps: _Steps, word: Any) -> tuple[Any, Any]:
        """Return which darts hit the strip of the way back, and that edge or -1."""
        xp, extra = self.xp, self.bias.extra
        back = place_of(xp, self.indices, steps.begin, steps.degree, steps.before)
        one_by_share, there = steps.degree.astype(np.float64), xp.ones(len(back), bool)
        if self.weighted:
            share = xp.where(back < 0, xp.uint64(0), self.shares(steps, xp.maximum(back, 0)))
            there = share > 0
            one_by_share = 2.0**32 / xp.maximum(share, 1).astype(np.float64)
        strip = (2.0**32 * (extra / (one_by_share + extra))).astype(np.uint64)
        return there & (word < strip), back

    def tried(self, steps: _Steps, x: Any, y: Any, z: Any) -> Any:
        """Return the edge that each trial takes, or -1 where it was vain."""
        xp, bias = self.xp, self.bias
        edge = self.edge_at(steps, x)
        node = self.indices[edge].astype(np.int64)
        back = node == steps.before
        accepted = xp.where(back, y <= bias.back, y <= bias.sure)
        asked = xp.flatnonzero(~(accepted | back))
        accepted[asked] = self.is_near(steps[asked], node[asked]) == (bias.near > bias.far)
        taken = xp.where(accepted, edge, -1)
        if bias.extra > 0:
            hit, way = self.thrown(steps, z)
            taken = xp.where(hit, way, taken)
        return taken

    def second(self, step: int, steps: _Steps, x: Any, y: Any, z: Any) -> Any:
        """Return the edges of steps of second order; x, y and z are the draws of trial 0."""
        xp = self.xp
        taken = self.tried(steps, x, y, z)
        waiting, trial = xp.flatnonzero(taken < 0), 1
        while len(waiting):
            some = steps[waiting]
            most = xp.minimum(_TRIALS + some.degree, _MOST_TRIALS)
            many = max(1, min(trial, _LANES // len(waiting)))  # more and more at a time
            trials = trial + xp.arange(many)
            drawn = self.draw(step, trials.astype(np.uint64), some.walk[:, None])
            lanes = some[xp.repeat(xp.arange(len(some)), many)]
            edges = self.tried(lanes, *(words.reshape(-1) for words in drawn[:3]))
            edges = xp.where(trials < most[:, None], edges.reshape(len(some), many), -1)
            taken[waiting] = edges[xp.arange(len(some)), (edges >= 0).argmax(axis=1)]
            trial += many
            vain = xp.flatnonzero((taken[waiting] < 0) & (most <= trial))
            for part in _parts(some.degree[vain]):
                taken[waiting[vain[part]]] = self.summed(step, some[vain[part]], most[vain[part]])
            waiting = waiting[taken[waiting] < 0]
        return taken

    def summed(self, step: int, steps: _Steps, trial: Any) -> Any:
        """Return the edges by exact sums."""
        xp, degree = self.xp, steps.degree
        ends = xp.cumsum(degree)
        owner = xp.repeat(xp.arange(len(steps)), degree.tolist())
        place = xp.arange(int(ends[-1])) - (ends - degree)[owner]
        lanes = steps[owner]
        edge = lanes.begin + place
        node = self.indices[edge].astype(np.int64)
        masses = xp.asarray(self.bias.masses, np.uint64)
        kind = xp.where(node == lanes.before, 0, xp.where(self.is_near(lanes, node), 1, 2))
        sums = xp.cumsum(self.shares(lanes, edge) * masses[kind])  # modulo 2**64: differences hold
        before = xp.where(ends > degree, sums[ends - degree - 1], xp.uint64(0))
        x, y, _, _ = self.draw(step, trial.astype(np.uint64), steps.walk)
        left = _high_product(xp, x << xp.uint64(32) | y, sums[ends - 1] - before)
        passed = xp.cumsum(sums - before[owner] <= left[owner])
        passed = passed[ends - 1] - xp.where(ends > degree, passed[ends - degree - 1], 0)
        return steps.begin + passed


def _parts(degrees: Any) -> Iterator[slice]:
    """Yield parts with about `_LANES` edges together, or one walk."""
    begin = total = 0
    for at, degree in enumerate(degrees.tolist()):
        if total and total + degree > _LANES:
            yield slice(begin, at)
            begin, total = at, 0
        total += degree
    if total:
        yield slice(begin, len(degrees))


def walks(
    *,
    indptr: Longs,
    indices: Ids,
    thresholds: Ids,
    types: int,
    path: Ids,
    starts: Ids,
    first_walk: int,
    length: int,
    p: float,
    q: float,
    restart: float,
    seed: int,
    out: Ids,
    threads: int,
    isa: str,
    progress: Callable[[int], object] | None,
) -> None:
    """Take a step of 65536 walks at a time, and of their vain trials ever more together.

    Memory does not grow with the graph or the walks: some 50 MB, or 200 bytes for each edge of the
    node with the most where that is more.
    """
    xp: Any = np if isinstance(out, np.ndarray) else importlib.import_module("cupy")
    walker = _Walker(xp, indptr, indices, thresholds, types, _Bias(p, q), seed)
    second, back_home, told = p != 1 or q != 1, int(restart * 2.0**32), time.monotonic()
    for first in range(0, len(starts), _LANES):
        home = starts[first : first + _LANES].astype(np.int64)
        rows = out[first : first + _LANES]
        rows[:] = _NOWHERE
        rows[:, 0] = home
        here, node, before = xp.arange(len(home)), home, xp.full(len(home), -1)
        since = xp.zeros(len(home), np.int64)
        for step in range(length - 1):
            walk = here.astype(np.uint64) + xp.uint64(first_walk + first)
            kind = path[(since + 1) % len(path)].astype(np.int64)
            begin, degree = walker.edges_of(node, kind)
            x, y, z, w = walker.draw(step, 0, walk)
            again = w < back_home
            stays = xp.flatnonzero(again | (degree > 0))  # the others have nowhere to go
            here, node, again = here[stays], node[stays], again[stays]
            steps = _Steps(xp, walk, before, kind, begin, degree)[stays]
            goes = xp.flatnonzero(~again)
            x, y, z, steps = x[stays][goes], y[stays][goes], z[stays][goes], steps[goes]
            edge = xp.empty(len(goes), np.int64)
            far = (steps.before >= 0) if second else xp.zeros(len(goes), bool)
            edge[~far] = walker.edge_at(steps[~far], x[~far])
            if second:
                edge[far] = walker.second(step, steps[far], x[far], y[far], z[far])
            before = xp.full(len(here), -1)
            before[goes] = node[goes]
            node = home[here]
            node[goes] = indices[edge]
            since = xp.where(again, 0, since[stays] + 1)
            rows[here, step + 1] = node
            if progress is not None and time.monotonic() - told > 0.05:
                told = time.monotonic()
                progress(first + len(home) * (step + 1) // length)
            if not len(here):
                break
