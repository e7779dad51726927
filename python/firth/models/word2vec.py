"""Word2Vec: a word is known by the words around it; skip-gram or CBOW, negative sampling."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from firth._backend import Longs
from firth._random import initial_rows
from firth.embedding import Embedding
from firth.models._beginning import Callback, Tables, check_arguments, copy_rows, corpus_of
from firth.models._settings import choice, real, whole
from firth.models._training import Run


@dataclass(frozen=True)
class Word2Vec:
    """Word vectors from the company words keep: skip-gram or CBOW with negative sampling.

    Parameters
    ----------
    dim
        Length of the vectors.
    window
        Largest distance of company; each centre draws its own from 1 to this.
    negative
        Noise words for each word of company.
    epochs
        Passes over the text.
    lr
        Learning rate at the beginning; None is 0.025 for skip-gram and 0.05 for CBOW, the defaults
        of the original word2vec.
    min_lr
        Learning rate at the end, if ``lr`` is not below it; it falls linearly.
    min_count
        Words that occur fewer times are left out. A `Corpus` has made this choice already.
    max_vocab
        At most so many words, the most frequent ones; nor does this change a `Corpus`.
    sample
        About the frequency above which words are thinned out; 0 keeps all.
    noise_exponent
        Noise words are drawn in proportion to their counts raised to this.
    cbow
        The company predicts the centre (CBOW), instead of the centre its company (skip-gram).
    seed
        Of all that is drawn.
    threads
        None: as many as ``firth.set_num_threads`` says. With more than one the result varies a
        little from run to run: rows are updated without locks.
    device
        "cpu".
    deterministic
        The same bits whenever data, settings, version and instruction set (``firth.show_config``)
        are the same; trains with one thread.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Mikolov, Chen, Corrado and Dean, "Efficient estimation of word representations in vector space"
    (2013), sections 3.1 and 3.2. Mikolov, Sutskever, Chen, Corrado and Dean, "Distributed
    representations of words and phrases and their compositionality" (2013), sections 2.2 and 2.3.

    Examples
    --------
    >>> text = ["the cat sat on the mat", "the dog sat on the rug"] * 50
    >>> emb = Word2Vec(dim=8, epochs=2, min_count=1, threads=1).fit(text)
    >>> emb
    Embedding(7 keys, dim=8)
    """

    dim: int = 100
    window: int = 5
    negative: int = 5
    epochs: int = 5
    lr: float | None = None
    min_lr: float = 0.0001
    min_count: int = 5
    max_vocab: int | None = None
    sample: float = 1e-3
    noise_exponent: float = 0.75
    cbow: bool = False
    seed: int = 1
    threads: int | None = None
    device: str = "cpu"
    deterministic: bool = False

    def __post_init__(self) -> None:
        whole(self, "dim", 1, 2**16)
        whole(self, "window", 1, 10_000)
        whole(self, "negative", 1, 10_000)
        whole(self, "epochs", 1, 10**6)
        choice(self, "cbow", (False, True))
        if self.lr is not None:
            real(self, "lr", 1e-12, 1e3)
        real(self, "min_lr", 0, 1e3)
        whole(self, "min_count", 1, 2**62)
        if self.max_vocab is not None:
            whole(self, "max_vocab", 1, 2**62)
        real(self, "sample", 0, 1)
        if self.sample > 0:
            real(self, "sample", 1e-9, 1)  # below, hardly a token would be left
        real(self, "noise_exponent", -8, 8)
        whole(self, "seed", 0, 2**64 - 1)
        if self.threads is not None:
            whole(self, "threads", 1, 1024)
        choice(self, "device", ("cpu",))
        choice(self, "deterministic", (False, True))

    @property
    def _first_lr(self) -> float:
        return self.lr if self.lr is not None else 0.05 if self.cbow else 0.025

    def fit(
        self,
        source: object,
        *,
        start: Embedding | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> Embedding:
        """Learn a vector for each word of a text.

        Parameters
        ----------
        source
            A `Corpus`, or anything that `Corpus.read` takes: a path, documents, token lists, an
            Arrow column of strings.
        start
            Go on from these vectors: words they have begin there, all others at random. What the
            words are predicted with begins at zero.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.
        callback
            Called after each epoch with its number from 1, the words read so far in all epochs, the
            epoch's mean loss of a pair and the learning rate; training stops if it returns
            something true.

        Returns
        -------
        Embedding
            Words, most frequent first, with counts; the metadata say how it was trained, with the
            loss of each epoch.

        Raises
        ------
        ValueError
            No word is left, none has company, or ``start`` has another dim.
        TypeError
            A source, start or callback of another type.
        FloatingPointError
            The learning rate was too large; it names the epoch.
        KeyboardInterrupt
            With the attribute ``embedding``, if training had begun: what was learnt until then and
            the losses of the epochs that were finished.
        """
        name = type(self).__name__
        check_arguments(name, self.dim, start, callback)
        self._check_start(start)
        corpus = corpus_of(self, source, progress)
        words, counts = corpus.vocabulary.words, corpus.vocabulary.counts
        tables = self._tables(words, start)
        losses: list[float] = []

        def result() -> Embedding:
            settings = {**asdict(self), "lr": self._first_lr}
            metadata = {"model": name, **settings, "tokens": len(corpus.ids), "losses": losses}
            return self._result(tables, words, counts, metadata)

        run = Run.of(self, self._first_lr)
        try:
            run.train(corpus, *tables[:3], losses, progress=progress, callback=callback)
        except KeyboardInterrupt as stop:
            stop.embedding = result()  # type: ignore[attr-defined]
            raise
        return result()

    # ---- what is not the same for words that are made of rows -----------------------------------

    def _check_start(self, start: Embedding | None) -> None:
        """Raise if nothing can be learnt from there on."""

    def _tables(self, words: list[str], start: Embedding | None) -> Tables:
        """Return the tables that training begins with: random and zero, or those of ``start``."""
        input = initial_rows(self.seed, 0, len(words), self.dim)
        if start is not None:
            copy_rows(input, words, start, start.vectors)
        return Tables(input, np.zeros_like(input))

    def _result(
        self, tables: Tables, words: list[str], counts: Longs, metadata: dict[str, Any]
    ) -> Embedding:
        return Embedding(words, tables.input, counts, metadata)
