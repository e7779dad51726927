"""Word2Vec: a word is known by the words around it; skip-gram or CBOW, negative sampling."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firth._backend import Longs
from firth._reading import AnyPath
from firth.embedding import Embedding
from firth.models._beginning import Callback, Tables, copy_rows, grown_rows
from firth.models._fitting import fitted
from firth.models._plan import QUALITY, Quality
from firth.models._settings import choice, predicting

if TYPE_CHECKING:
    from firth.learner import Learner


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
        little from run to run: rows are updated without locks. One gives the same bits each time.
    device
        "cpu", or "cuda": tables and text are moved to the current CUDA device, which must have room
        for them, and ``threads`` means nothing there. Needs CuPy: firth[cuda12] or firth[cuda13].
    quality
        How many words share one state of the tables, and how many negatives they share: "fast" (32
        and 16), "balanced" (32 and 32) or "careful" (16 and 32). Pairs of a skip-gram centre share
        a state, too, for which its steps take 0.9 of the learning rate, 0.85 with "careful".
    deterministic
        The same bits on any number of threads, whenever data, settings, version and instruction set
        (``firth.show_config``) are the same: about a thousand words are read, then their steps are
        added in order. They are fewer where few different words make up the text or the learning
        rate is high; where they are too few for several threads, one trains.

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
    quality: Quality = "balanced"
    deterministic: bool = False

    def __post_init__(self) -> None:
        predicting(self)
        choice(self, "quality", tuple(QUALITY))

    @property
    def _first_lr(self) -> float:
        return self.lr if self.lr is not None else 0.05 if self.cbow else 0.025

    def fit(
        self,
        source: object,
        *,
        start: Embedding | None = None,
        checkpoint: AnyPath | None = None,
        every: int | None = None,
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
        checkpoint
            A folder to which all that training goes on from is written. If it is there already,
            training goes on from it: with ``deterministic`` or one thread to the same bits as
            without the interruption. Text and settings have to be the same as before, but for
            ``threads`` and ``every``.
        every
            Words of the text between two checkpoints, about; None: after each epoch.
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
            No word is left, none has company, ``start`` has another dim, ``every`` is out of range,
            or the checkpoint is of another text or other settings; then it is left as it is.
        TypeError
            A source, start, checkpoint or callback of another type.
        FormatError
            The checkpoint is damaged or something else.
        FloatingPointError
            The learning rate was too large; it names the epoch.
        KeyboardInterrupt
            With the attribute ``embedding``, if training had begun: what was learnt until then and
            the losses of the epochs that were finished.
        """
        return fitted(
            self,
            source,
            start=start,
            checkpoint=checkpoint,
            every=every,
            progress=progress,
            callback=callback,
        )

    def learner(self) -> "Learner":
        """Return a `Learner`, which learns from text after text."""
        from firth.learner import Learner

        return Learner(self)

    # ---- what is not the same for words that are made of rows -----------------------------------

    def _check_start(self, start: Embedding | None) -> None:
        """Raise if nothing can be learnt from there on."""

    def _tables(self, words: list[str], start: Embedding | None) -> Tables:
        """Return the tables that training begins with: random and zero, or those of ``start``."""
        tables = self._grown(None, words)
        if start is not None:
            copy_rows(tables.input, words, start, start.vectors)
        return tables

    def _grown(self, tables: Tables | None, words: list[str]) -> Tables:
        """Return tables of all the words; the first of them may have rows already: copied."""
        return Tables(*grown_rows(tables, len(words), len(words), self.seed, self.dim))

    def _result(
        self, tables: Tables, words: list[str], counts: Longs, metadata: dict[str, Any]
    ) -> Embedding:
        return Embedding(words, tables.input, counts, metadata)
