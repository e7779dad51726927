"""What stands around the epochs of ``kernels.glove``: counts, tables, checkpoints, failure."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from firth import _counting, kernels
from firth._backend import Floats
from firth._errors import FormatError
from firth._progress import Progress
from firth.counts import Counts
from firth.csr import CSR
from firth.embedding import Embedding
from firth.kernels._glove import check_columns, column_spans, groups_of
from firth.models._beginning import Callback, copy_rows, corpus_of
from firth.models._checkpoint import Checkpoint
from firth.models._ending import check_finite
from firth.models._fingerprint import fingerprint
from firth.vocabulary import Vocabulary

# What an embedding can hold: the share of its vectors at which both tables begin to have them.
HELD = {"sum": 0.5, "words": 1.0, "contexts": 1.0}


class Counted(NamedTuple):
    """How often words keep company: float32, and where that comes from."""

    vocabulary: Vocabulary
    matrix: CSR
    tokens: int


def rule_of(model: Any, source: object) -> dict[str, Any]:
    """Return how company is counted: as the model says, unless the source are counts."""
    speaker = source if isinstance(source, Counts) else model
    return {name: getattr(speaker, name) for name in _counting.RULE}


def counted(model: Any, source: object, progress: bool | None) -> Counted:
    """Return the counts that ``fit`` was given, or count what it was given.

    Raises
    ------
    ValueError
        There are no tokens, or no two of them keep company.
    """
    if isinstance(source, Counts):
        found = Counted(source.vocabulary, source.matrix(np.float32), source.tokens)
    else:
        corpus = corpus_of(model, source, progress)
        matrix = _counting.counted(
            corpus,
            rule_of(model, source),
            dtype=np.float32,
            memory=model.memory,
            threads=model.threads,
            progress=progress,
        )
        found = Counted(corpus.vocabulary, matrix, len(corpus.ids))
    if found.matrix.nnz == 0:
        raise ValueError(
            f"{type(model).__name__}: no word has company, so there is nothing to learn; expected "
            "sentences of several tokens (in a list, each str is a sentence)"
        )
    return found


@dataclass(frozen=True)
class Factors:
    """The tables that `kernels.glove` trains, on which counts, and how far they have come."""

    model: Any
    counts: Counted
    words: Floats
    contexts: Floats
    losses: list[float]

    @classmethod
    def of(
        cls, model: Any, counts: Counted, start: Embedding | None, saved: Checkpoint | None
    ) -> Self:
        """Return random tables, those of ``start``, or those that were saved."""
        words = counts.vocabulary.words
        tables = kernels.glove_tables(*counts.matrix.shape, model.dim, model.seed)
        if start is not None:
            for table in tables:
                part = table[:, : model.dim]
                copy_rows(part, words, start, start.vectors, HELD[model.vectors])
        losses: list[float] = []
        if saved is not None:
            matrix = counts.matrix
            saved.expect(
                words=fingerprint(words),
                counts=fingerprint(matrix.indptr, matrix.indices, matrix.data),
                start=fingerprint(*tables),
            )
            losses = saved.restore(words=tables[0], contexts=tables[1])
            try:
                check_columns(*tables, model.dim)
            except ValueError as error:
                raise FormatError(saved.path, "tables", "those of glove", str(error)) from None
            for table in tables:
                sums = table[:, table.shape[1] // 2 :]  # of squares, which began at 1
                if float(sums.min()) < 1:
                    raise FormatError(saved.path, "state of AdaGrad", "at least 1", "less")
        return cls(model, counts, *tables, losses)

    @property
    def vectors(self) -> Floats:
        """A copy of what the embedding holds, (words, dim)."""
        words, contexts = (table[:, : self.model.dim] for table in (self.words, self.contexts))
        if self.model.vectors == "sum":
            return words + contexts
        return (words if self.model.vectors == "words" else contexts).copy()

    @property
    def metadata(self) -> dict[str, Any]:
        """What the text, the counts and the epochs were."""
        sizes = {"tokens": self.counts.tokens, "counts": self.counts.matrix.nnz}
        return {**sizes, "losses": list(self.losses)}

    def train(
        self, saved: Checkpoint | None, *, progress: bool | None, callback: Callback | None
    ) -> None:
        """Train the tables in place, epoch by epoch, and save them after each.

        Raises
        ------
        FloatingPointError
            The run blew up; it names the epoch.
        """
        model, matrix = self.model, self.counts.matrix
        spans = column_spans(matrix, groups_of(matrix, model.dim))
        finished = len(self.losses)
        total = (model.epochs - finished) * matrix.nnz
        with Progress(progress, total, "training", "counts") as bar:
            for epoch in range(finished, model.epochs):
                told = 0

                def tell(done: int, loss: float) -> None:
                    nonlocal told
                    bar.update(done - told)
                    told = done
                    bar.note(loss=loss / max(done, 1))

                try:
                    loss = kernels.glove(
                        self.words,
                        self.contexts,
                        matrix,
                        dim=model.dim,
                        seed=model.seed,
                        epoch=epoch,
                        lr=model.lr,
                        x_max=model.x_max,
                        alpha=model.alpha,
                        spans=spans,
                        threads=model.threads,
                        progress=tell if bar.enabled else None,
                    ).loss
                    check_finite(self.words, self.contexts)
                except FloatingPointError:
                    raise FloatingPointError(
                        f"{type(model).__name__}: epoch {epoch + 1} of {model.epochs}: the vectors "
                        f"are not finite any more; expected a smaller lr than {model.lr:g}"
                    ) from None
                bar.update(matrix.nnz - told)
                self.losses.append(loss)
                if saved is not None:
                    saved.save(self.losses, words=self.words, contexts=self.contexts)
                read = (epoch + 1) * matrix.nnz
                if callback is not None and callback(epoch + 1, read, loss, model.lr):
                    break
