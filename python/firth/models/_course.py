"""Training on what is drawn from a graph, chunk by chunk, each of them used once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from firth import kernels
from firth._backend import Doubles, Floats
from firth._progress import Progress
from firth.models._beginning import Callback
from firth.models._devices import device_arrays, expect_room
from firth.models._ending import check_finite
from firth.models._plan import MOST_PAIRS, Plan


class Chunk(NamedTuple):
    """A corpus for ``kernels.negative_sampling``: sentences, or pairs where there are sources."""

    ids: Any
    offsets: Any
    sources: Any = None


class Stream(Protocol):
    """What is drawn, by number: the same whatever the chunks; ``unit`` is what is counted."""

    unit: str

    @property
    def each(self) -> int:
        """How many are drawn in an epoch."""

    @property
    def step(self) -> int:
        """How many make a chunk."""

    def moved(self, xp: Any) -> "Stream":
        """Return it with what it draws from in memory of a device."""

    def draw(self, first: int, last: int) -> Chunk:
        """Draw those with the numbers [first, last)."""


@dataclass(frozen=True)
class Course:
    """How tables are trained on a stream. Several pairs of tables see the same chunks."""

    model: Any
    stream: Any
    plan: Plan
    keep: Any
    noise: Any
    epochs: int

    @classmethod
    def of(
        cls, model: Any, stream: Stream, seen: Any, dim: int, epochs: int, again: float | None
    ) -> "Course":
        """Return the course that a model describes, of rows of ``dim`` numbers.

        ``seen`` is how often nodes are among the first that are drawn: by this noise is drawn and
        frequent nodes are thinned out. ``again`` is the share of a node's company on walks that it
        is itself; None: there are no walks.
        """
        counts = np.maximum(seen, 1)
        keep = kernels.keep_chances(counts, model.sample)
        kept = (keep.astype(np.float64) + 1) / 2**32 * seen / max(float(seen.sum()), 1)
        weights: Doubles = counts.astype(np.float64) ** model.noise_exponent
        plan = Plan.of(model, model.lr, dim, kept, weights, None)
        if again is not None:
            plan = plan.on_walks(model, again)
        plan = replace(plan, rate=min(1.0, MOST_PAIRS / (model.window + 1)))
        return cls(model, stream, plan, keep, kernels.noise(weights, 1), epochs)

    def rate(self, done: float) -> float:
        """Return the learning rate when this share of all is done: it falls linearly."""
        lr: float = self.model.lr
        least: float = min(self.model.min_lr, lr)
        return lr + (least - lr) * done

    def train(
        self,
        tables: list[tuple[Floats, Floats]],
        losses: list[float],
        progress: bool | None,
        callback: Callback | None,
    ) -> None:
        """Train in place; append the mean loss of a pair in each epoch to ``losses``.

        Raises
        ------
        FloatingPointError
            The run blew up; it names the epoch.
        """
        each, step = self.stream.each, self.stream.step
        total, number = each * self.epochs, 0
        bar = Progress(progress, total, "training", self.stream.unit)
        with self._lent(tables) as (here, there), bar:
            for epoch in range(self.epochs):
                loss, pairs, end = 0.0, 0, (epoch + 1) * each
                for first in range(epoch * each, end, step):
                    last = min(first + step, end)
                    chunk = here.stream.draw(first, last)
                    for both in there:
                        try:
                            done = here._part(both, chunk, number, (first, last), len(there), bar)
                            if last == end:
                                check_finite(*both)
                        except FloatingPointError:
                            raise FloatingPointError(
                                f"{type(self.model).__name__}: epoch {epoch + 1} of {self.epochs}: "
                                "the vectors are not finite any more; expected a smaller lr than "
                                f"{self.model.lr:g}"
                            ) from None
                        loss, pairs = loss + done.loss * done.pairs, pairs + done.pairs
                    bar.note(loss=loss / max(pairs, 1), lr=self.rate(last / total))
                    number += 1
                losses.append(loss / max(pairs, 1))
                told = epoch + 1, end, losses[-1], self.rate(end / total)
                if callback is not None and callback(*told):
                    break

    def _part(
        self,
        tables: tuple[Any, Any],
        chunk: Chunk,
        number: int,
        span: tuple[int, int],
        several: int,
        bar: Progress,
    ) -> kernels.Pass:
        """Train one pair of tables, of several, on a chunk: what was drawn from first to last."""
        total, told = self.stream.each * self.epochs, 0.0
        share = (span[1] - span[0]) / several
        rates = [self.plan.rate * self.rate(end / total) for end in span]

        def tell(tokens: int, *_: object) -> None:
            nonlocal told
            now = share * tokens / max(len(chunk.ids), 1)
            bar.update(now - told)
            told = now

        done = kernels.negative_sampling(
            *tables,
            chunk.ids,
            chunk.offsets,
            sources=chunk.sources,
            keep=self.keep,
            noise=self.noise,
            window=self.model.window,
            negative=self.model.negative,
            seed=self.model.seed,
            epoch=number % 2**32,
            lr=(rates[0], rates[1]),
            block=self.plan.block,
            shared=self.plan.shared,
            piece=self.plan.piece,
            round=self.plan.round,
            threads=self.plan.threads,
            progress=tell if bar.enabled else None,
        )
        bar.update(share - told)
        return done

    @contextmanager
    def _lent(
        self, tables: list[tuple[Floats, Floats]]
    ) -> Iterator[tuple["Course", list[tuple[Any, Any]]]]:
        """Lend the course and its tables where the model's device has them, and bring them back."""
        if self.model.device == "cpu":
            yield self, tables
            return
        name = type(self.model).__name__
        cupy = device_arrays(name)
        once = {id(table): table for both in tables for table in both}
        expect_room(name, cupy, sum(t.nbytes for t in once.values()) + self.stream.nbytes)
        moved = {key: cupy.asarray(table) for key, table in once.items()}
        there = [(moved[id(input)], moved[id(output)]) for input, output in tables]
        keep, noise = cupy.asarray(self.keep), cupy.asarray(self.noise)
        try:
            yield replace(self, stream=self.stream.moved(cupy), keep=keep, noise=noise), there
        finally:
            for key, table in once.items():
                table[:] = cupy.asnumpy(moved[key])
