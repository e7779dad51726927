"""What a classifier of texts is trained on: examples, and the rows of the table that they reach."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from firth import kernels
from firth._backend import Floats, Longs
from firth._progress import Progress
from firth._random import initial_rows
from firth._texts import Lines, Reader, bags_at, number_reached
from firth._vectors import index_of
from firth.classifier import Classifier
from firth.embedding import Embedding
from firth.kernels._subwords import Bags
from firth.kernels._tables import padded_rows
from firth.kernels._words import encoded
from firth.models._beginning import Callback, copy_rows
from firth.models._ending import check_finite
from firth.subwords import Subwords


@dataclass(frozen=True)
class Lessons:
    """Examples with labels, and the vocabulary that came with them.

    Attributes
    ----------
    words, labels, counts, label_counts
        Most frequent first, ties in byte order.
    bags, gold
        Of each example the rows of the tables below, and its labels.
    positions
        (examples + 1,) tokens before each example.
    reached
        The rows of the whole table that are trained, ascending; first all those of words. Buckets
        that no example reaches take neither memory nor time while the model learns.
    """

    words: list[str]
    counts: Longs
    labels: list[str]
    label_counts: Longs
    rule: Subwords
    bags: Bags
    gold: Bags
    positions: Longs
    reached: Longs

    @classmethod
    def of(cls, lines: Lines, model: Any, start: Embedding | None) -> Self:
        """Choose words and labels, and keep the lines that have both."""
        name, prefix = type(model).__name__, model.label_prefix
        seen = np.bincount(lines.ids, minlength=len(lines.types)).tolist()
        words, labels = {}, {}
        least = max(model.min_label_count, 1)
        for type_, count in zip(lines.types, seen, strict=True):
            if not type_.startswith(prefix):
                words[type_] = count
            elif count >= least:
                labels[type_] = count
        known = {} if start is None else start.index
        extra = {word: 0 for word in known if word not in words and not word.startswith(prefix)}
        words = {w: n for w, n in words.items() if n >= model.min_count or w in known} | extra
        if not labels:
            raise ValueError(
                f"{name}: no label in {len(lines.ids)} tokens, expected some that begin with "
                f"label_prefix={prefix!r} and occur min_label_count={least} times"
            )
        hashed = model.word_ngrams > 1 or model.max_n > 0
        rule = Subwords(model.min_n, model.max_n, model.buckets if hashed else 0)
        word_list, label_list = _ordered(words), _ordered(labels)
        reader = Reader(index_of(word_list), index_of(label_list), rule, model.word_ngrams, prefix)
        bags, gold = reader.read(lines)
        there = (np.diff(bags.offsets) > 0) & (np.diff(gold.offsets) > 0)
        if not there.any():
            raise ValueError(
                f"{name}: none of the {len(there)} lines has both a label and a word that occurs "
                f"min_count={model.min_count} times"
            )
        bags, gold = bags_at(bags, there), bags_at(gold, there)
        positions = np.concatenate([lines.offsets[:-1][there], lines.offsets[-1:]])
        positions[0] = 0
        return cls(
            word_list,
            np.array([words[word] for word in word_list], np.int64),
            label_list,
            np.array([labels[label] for label in label_list], np.int64),
            rule,
            bags,
            gold,
            positions,
            number_reached(bags, len(word_list), len(word_list) + rule.buckets),
        )

    def tables(self, model: Any, start: Embedding | None) -> tuple[Floats, Floats]:
        """Return the first tables: random rows in [-1, 1) / dim, as the original's; zeros."""
        input = initial_rows(model.seed, 0, len(self.reached), model.dim)
        input *= 2
        if start is not None:
            copy_rows(input, self.words, start, start.vectors)
        return input, padded_rows(len(self.labels), model.dim)

    def train(
        self,
        model: Any,
        input: Floats,
        output: Floats,
        losses: list[float],
        *,
        progress: bool | None,
        callback: Callback | None,
    ) -> None:
        """Train the tables in place; append the mean loss of an example in each epoch."""
        paths = kernels.huffman_paths(self.label_counts) if model.loss == "hs" else None
        tokens = int(self.positions[-1])
        with Progress(progress, model.epochs * tokens, "training", "words") as bar:
            for epoch in range(model.epochs):
                told = 0

                def tell(done: int, loss: float, examples: int, before: int = epoch) -> None:
                    nonlocal told
                    bar.update(done - told)
                    told = done
                    share = (before + done / tokens) / model.epochs
                    bar.note(loss=loss / max(examples, 1), lr=model.lr * (1 - share))

                lr = tuple(model.lr * (1 - at / model.epochs) for at in (epoch, epoch + 1))
                with _named(model, epoch):
                    loss = kernels.classification(
                        input,
                        output,
                        self.bags,
                        self.gold,
                        loss=model.loss,
                        paths=paths,
                        positions=self.positions,
                        seed=model.seed,
                        epoch=epoch,
                        lr=(lr[0], lr[1]),
                        threads=1 if model.deterministic else model.threads,
                        progress=tell if bar.enabled else None,
                    ).loss
                    check_finite(output)
                bar.update(tokens - told)
                losses.append(loss)
                if callback is not None and callback(epoch + 1, (epoch + 1) * tokens, loss, lr[1]):
                    break
        with _named(model, epoch):  # scores looked at its rows when they were used
            check_finite(input)

    def result(self, model: Any, input: Floats, output: Floats, losses: list[float]) -> Classifier:
        """Return the classifier; buckets that no example reached are zero."""
        whole = input
        if len(self.reached) < len(self.words) + self.rule.buckets:
            whole = np.zeros((len(self.words) + self.rule.buckets, model.dim), np.float32)
            whole[self.reached] = input
        tokens = int(self.positions[-1])
        name = type(model).__name__
        return Classifier(
            self.words,
            whole,
            self.rule,
            output[:, : model.dim].copy(),
            self.labels,
            loss=model.loss,
            word_ngrams=model.word_ngrams,
            label_prefix=model.label_prefix,
            counts=self.counts,
            label_counts=self.label_counts,
            metadata={"model": name, **asdict(model), "tokens": tokens, "losses": losses},
            check=False,
        )


@contextmanager
def _named(model: Any, epoch: int) -> Iterator[None]:
    """Say in which epoch numbers were not finite any more."""
    try:
        yield
    except FloatingPointError:
        raise FloatingPointError(
            f"{type(model).__name__}: epoch {epoch + 1} of {model.epochs}: the vectors are not "
            f"finite any more; expected a smaller lr than {model.lr:g}"
        ) from None


def _ordered(counts: dict[str, int]) -> list[str]:
    return sorted(counts, key=lambda one: (-counts[one], encoded(one)))
