"""The epochs around ``kernels.negative_sampling``: schedule, progress, callback, failure."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firth import kernels
from firth._backend import Floats, Ids, Longs
from firth._progress import Progress
from firth._random import initial_rows
from firth.corpus import Corpus
from firth.embedding import Embedding

Callback = Callable[[int, int, float, float], object]

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

    def rate(self, done: float) -> float:
        """Return the learning rate when this share of all epochs is done: it falls linearly."""
        return self.lr + (self.min_lr - self.lr) * done

    def block(self, keep: Ids, noise_share: float, counts: Longs) -> int:
        """Return how many centres share one state of the tables: 32, fewer for few words.

        A row takes the steps of its whole block at once. What it can be pushed by a block is
        learning rate x pairs of the most frequent word, as centre, company and noise; past about
        0.5 the vectors of a corpus of a dozen words run away from each other.
        """
        stays = (keep.astype(np.float64) + 1) / 2**32 * counts
        pairs = (self.window + 1) * (stays.max() / stays.sum() + self.negative * noise_share)
        return int(np.clip(0.5 / (self.lr * pairs), 1, 32))

    def piece(self, dim: int) -> int:
        """Return how many tokens make a task: 4096, fewer where a token is much work.

        A task is not interrupted. A token costs about ``3 * dim`` multiply-adds for each row that
        its block works on; 2**26 times three of them take some 50 ms without AVX.
        """
        rows = 2 * self.window + 64  # company of a block on both sides, its centres and negatives
        return int(np.clip(2**26 // (dim * rows) // 2 * 2, 32, 4096))

    def train(
        self,
        corpus: Corpus,
        input: Floats,
        output: Floats,
        losses: list[float],
        *,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> None:
        """Train the tables in place; append the mean loss of a pair in each epoch to ``losses``.

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
        block = self.block(keep, float(weights.max() / weights.sum()), counts)
        words = len(corpus.ids)
        piece = self.piece(input.shape[1])
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


def check_arguments(
    model: str, dim: int, start: Embedding | None, callback: Callback | None
) -> None:
    """Say what is wrong with what ``fit`` was given, before a long text is read for nothing."""
    if start is not None and not isinstance(start, Embedding):
        raise TypeError(f"{model}: start is {type(start).__name__}, expected an Embedding")
    if start is not None and start.dim != dim:
        raise ValueError(f"{model}: start has dim {start.dim}, expected {dim}")
    if callback is not None and not callable(callback):
        raise TypeError(f"{model}: callback={callback!r} cannot be called")


def initial_table(keys: list[str], dim: int, seed: int, start: Embedding | None) -> Floats:
    """Return the first table: small random rows, but those of ``start`` where it has them."""
    table = initial_rows(seed, 0, len(keys), dim)
    if start is None:
        return table
    index = start.index
    known = [(row, index[key]) for row, key in enumerate(keys) if key in index]
    if known:
        rows, earlier = np.array(known).T
        table[rows] = start.vectors[earlier]
    return table
