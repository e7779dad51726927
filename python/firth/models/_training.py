"""The epochs around ``kernels.negative_sampling``: schedule, progress, callback, failure."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from firth import kernels
from firth._backend import Floats
from firth._progress import Progress
from firth.corpus import Corpus
from firth.kernels._subwords import Bags
from firth.models._beginning import Callback, greatest_share

_ROWS = 1 << 14  # looked at together, so that checks need little memory


@dataclass(frozen=True)
class Run:
    """How a corpus is trained on; the fields mean what they mean in the models."""

    model: str
    window: int
    negative: int
    cbow: bool
    epochs: int
    lr: float
    min_lr: float
    sample: float
    noise_exponent: float
    seed: int
    threads: int | None

    @classmethod
    def of(cls, model: Any, lr: float) -> Self:
        """Return the run that a model describes, which begins at a learning rate."""
        return cls(
            model=type(model).__name__,
            window=model.window,
            negative=model.negative,
            cbow=model.cbow,
            epochs=model.epochs,
            lr=lr,
            min_lr=min(model.min_lr, lr),
            sample=model.sample,
            noise_exponent=model.noise_exponent,
            seed=model.seed,
            threads=1 if model.deterministic else model.threads,
        )

    def rate(self, done: float) -> float:
        """Return the learning rate when this share of all epochs is done: it falls linearly."""
        return self.lr + (self.min_lr - self.lr) * done

    def block(self, word_share: float, noise_share: float) -> int:
        """Return how many centres share one state of the tables: 32, fewer for few words.

        A row takes the steps of its whole block at once. What it can be pushed by a block is
        learning rate x pairs of the most frequent word, as centre, company and noise; past about
        0.5 the vectors of a corpus of a dozen words run away from each other.
        """
        pairs = (self.window + 1) * (word_share + self.negative * noise_share)
        return int(np.clip(0.5 / (self.lr * pairs), 1, 32))

    def piece(self, dim: int, bag: float = 1.0) -> int:
        """Return how many tokens make a task: 4096, fewer where a token is much work.

        A task is not interrupted. A token costs about ``3 * dim`` multiply-adds for each row that
        its block works on, and its bag is added up and written to; 2**26 times three of them take
        some 50 ms without AVX.
        """
        # Company of a block on both sides, its centres and negatives, and the bag.
        rows = 2 * self.window + 64 + bag
        return int(np.clip(2**26 // (dim * rows) // 2 * 2, 32, 4096))

    def train(
        self,
        corpus: Corpus,
        input: Floats,
        output: Floats,
        bags: Bags | None,
        losses: list[float],
        *,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> None:
        """Train the tables in place; append the mean loss of a pair in each epoch to ``losses``.

        With ``bags``, words are the means of rows of ``input``.

        Raises
        ------
        FloatingPointError
            The run blew up; it names the epoch.
        ValueError
            There was no pair to train.
        """
        counts = corpus.vocabulary.counts
        weights = np.maximum(counts, 1).astype(np.float64) ** self.noise_exponent
        noise = kernels.noise(np.maximum(counts, 1), self.noise_exponent)
        keep = kernels.keep_chances(counts, self.sample)
        shares = (keep.astype(np.float64) + 1) / 2**32 * counts
        shares /= shares.sum()
        size = 1.0 if bags is None else float(shares @ np.diff(bags.offsets))
        word_share = float(shares.max()) if bags is None else greatest_share(shares, bags)
        block = self.block(word_share, float(weights.max() / weights.sum()))
        words = len(corpus.ids)
        piece = self.piece(input.shape[1], size)
        pairs = 0
        with Progress(progress, self.epochs * words, "training", "words") as bar:
            for epoch in range(self.epochs):
                told = 0

                def tell(tokens: int, loss: float, pairs: int, before: int = epoch * words) -> None:
                    nonlocal told
                    bar.update(tokens - told)
                    told = tokens
                    bar.note(loss=loss / max(pairs, 1), lr=self.rate((before + tokens) / bar.total))

                lr = self.rate(epoch / self.epochs), self.rate((epoch + 1) / self.epochs)
                try:
                    done = kernels.negative_sampling(
                        input,
                        output,
                        corpus.ids,
                        corpus.offsets,
                        keep=keep,
                        noise=noise,
                        bags=bags,
                        window=self.window,
                        negative=self.negative,
                        cbow=self.cbow,
                        seed=self.seed,
                        epoch=epoch,
                        lr=lr,
                        block=block,
                        piece=piece,
                        threads=self.threads,
                        progress=tell if bar.enabled else None,
                    )
                    check_finite(input, output)
                except FloatingPointError:
                    raise FloatingPointError(
                        f"{self.model}: epoch {epoch + 1} of {self.epochs}: the vectors are not "
                        f"finite any more; expected a smaller lr than {self.lr:g}"
                    ) from None
                bar.update(words - told)
                losses.append(done.loss)
                pairs += done.pairs
                if callback is not None and callback(
                    epoch + 1, (epoch + 1) * words, done.loss, lr[1]
                ):
                    break
        if pairs == 0:
            raise ValueError(
                f"{self.model}: no token had company, so nothing was learnt; expected sentences of "
                f"several tokens (in a list, each str is a sentence) that sample={self.sample:g} "
                "leaves some of"
            )


def check_finite(*tables: Floats) -> None:
    """Raise FloatingPointError if a table has NaN or infinity."""
    for table in tables:
        for first in range(0, len(table), _ROWS):
            if not np.isfinite(table[first : first + _ROWS]).all():
                raise FloatingPointError
