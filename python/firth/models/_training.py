"""The epochs around ``kernels.negative_sampling``: schedule, checkpoints, callback, failure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from firth import kernels
from firth._backend import Longs
from firth._errors import FormatError
from firth._progress import Progress
from firth.corpus import Corpus
from firth.models._beginning import Callback, Tables
from firth.models._devices import on_device
from firth.models._ending import check_finite
from firth.models._plan import Plan

if TYPE_CHECKING:
    from firth.models._checkpoint import Checkpoint


@dataclass
class Place:
    """How far the epoch has come that is under way: words, the sum of the losses, and pairs."""

    words: int = 0
    loss: float = 0.0
    pairs: int = 0


@dataclass(frozen=True)
class Run:
    """How a text is trained on by a model with the fields of `Word2Vec`.

    By the counts of the corpus' vocabulary noise is drawn and frequent words are thinned out;
    ``before`` are the epochs of earlier texts, whose draws are not to be repeated.
    """

    model: Any
    corpus: Corpus
    plan: Plan
    keep: Any
    noise: Any
    epochs: int
    lr: float
    before: int = 0

    @classmethod
    def of(
        cls,
        model: Any,
        corpus: Corpus,
        tables: Tables,
        *,
        seen: Longs | None = None,
        lr: float | None = None,
        before: int = 0,
    ) -> Self:
        """Return the run that a model describes; ``seen`` is how often words are in this text.

        None stands for the counts of the vocabulary, and for what the model says.
        """
        lr = model._first_lr if lr is None else lr
        counts = corpus.vocabulary.counts
        seen = counts if seen is None else seen
        noise = kernels.noise(np.maximum(counts, 1), model.noise_exponent)
        keep = kernels.keep_chances(counts, model.sample)
        kept = (keep.astype(np.float64) + 1) / 2**32 * seen / max(int(seen.sum()), 1)
        weights = np.maximum(counts, 1).astype(np.float64) ** model.noise_exponent
        plan = Plan.of(model, lr, tables.input.shape[1], kept, weights, tables.bags)
        return cls(model, corpus, plan, keep, noise, model.epochs, lr, before)

    def rate(self, done: float) -> float:
        """Return the learning rate when this share of all epochs is done: it falls linearly."""
        least: float = min(self.model.min_lr, self.lr)
        return self.lr + (least - self.lr) * done

    def train(
        self,
        tables: Tables,
        losses: list[float],
        *,
        saved: "Checkpoint | None" = None,
        every: int | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> None:
        """Train the tables in place; append the mean loss of a pair in each epoch to ``losses``.

        Saves every so many words, counted from where the last one was saved; None: each epoch.

        Raises
        ------
        FloatingPointError
            The run blew up; it names the epoch.
        FormatError
            What was saved lies beyond the text.
        """
        words, name = len(self.corpus.ids), type(self.model).__name__
        unit = self.plan.round or self.plan.piece
        step = words if every is None else -(-every // unit) * unit
        place, waiting = Place(), 0  # words that were trained and not saved
        if saved is not None and saved.place:
            place = Place(**saved.place)
            if place.words >= words or place.words % unit or len(losses) >= self.epochs:
                expected = f"a multiple of {unit} below {words}"
                raise FormatError(saved.path, "place: words", expected, str(place.words))
        total = (self.epochs - len(losses)) * words - place.words

        def save() -> None:
            nonlocal waiting
            waiting = 0
            if saved is not None:
                fetch()
                at = vars(place) if place.words else None
                saved.save(losses, at, input=tables.input, output=tables.output)

        bar = Progress(progress, total, "training", "words")
        with on_device(self, tables) as (run, there, fetch), bar:
            for epoch in range(len(losses), self.epochs):
                try:
                    while place.words < words:
                        last = place.words + -(-(step - waiting) // unit) * unit
                        last = words if saved is None else min(words, last)
                        waiting += last - place.words
                        place = run._part(there, epoch, place, last, bar)
                        check_finite(*there[:2])
                        if waiting >= step and last < words:
                            save()
                except FloatingPointError:
                    raise FloatingPointError(
                        f"{name}: epoch {epoch + 1} of {self.epochs}: the vectors are not "
                        f"finite any more; expected a smaller lr than {self.lr:g}"
                    ) from None
                losses.append(place.loss / max(place.pairs, 1))
                place = Place()
                if waiting >= step or epoch + 1 == self.epochs:
                    save()
                done = (epoch + 1) * words, losses[-1], self.rate((epoch + 1) / self.epochs)
                if callback is not None and callback(epoch + 1, *done):
                    if waiting:
                        save()
                    break

    def expect_pairs(self, losses: list[float]) -> None:
        """Raise ValueError if there was no pair to train."""
        if not any(losses):
            raise ValueError(
                f"{type(self.model).__name__}: no token had company, so nothing was learnt; "
                "expected sentences of several tokens (in a list, each str is a sentence) that "
                f"sample={self.model.sample:g} leaves some of"
            )

    def _part(self, tables: Tables, epoch: int, place: Place, last: int, bar: Progress) -> Place:
        """Train what lies between a place and a word, and return the place that is then reached."""
        told, words = 0, len(self.corpus.ids)

        def tell(tokens: int, loss: float, pairs: int) -> None:
            nonlocal told
            bar.update(tokens - told)
            told = tokens
            share = (epoch + (place.words + tokens) / words) / self.epochs
            mean = (place.loss + loss) / max(place.pairs + pairs, 1)
            bar.note(loss=mean, lr=self.rate(share))

        lr = [self.plan.rate * self.rate(e / self.epochs) for e in (epoch, epoch + 1)]
        done = kernels.negative_sampling(
            tables.input,
            tables.output,
            self.corpus.ids,
            self.corpus.offsets,
            keep=self.keep,
            noise=self.noise,
            bags=tables.bags,
            window=self.model.window,
            negative=self.model.negative,
            cbow=self.model.cbow,
            seed=self.model.seed,
            epoch=self.before + epoch,
            lr=(lr[0], lr[1]),
            block=self.plan.block,
            shared=self.plan.shared,
            piece=self.plan.piece,
            round=self.plan.round,
            part=(place.words, last),
            threads=self.plan.threads,
            progress=tell if bar.enabled else None,
        )
        bar.update(last - place.words - told)
        return Place(last, place.loss + done.loss * done.pairs, place.pairs + done.pairs)
