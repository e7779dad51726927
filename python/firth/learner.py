"""Learner: an embedding that keeps adapting, text after text."""

from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np

from firth._backend import Ids, Longs
from firth._pieces import together
from firth._reading import AnyPath
from firth._vectors import numbered
from firth.corpus import MAX_WORDS, Corpus
from firth.embedding import Embedding
from firth.models._beginning import Callback, Tables, check_arguments
from firth.models._ending import stopped
from firth.models._training import Run
from firth.models.word2vec import Word2Vec
from firth.vocabulary import Vocabulary

_NONE = np.uint32(2**32 - 1)  # the id of what is no word yet
_TOKENS = 1 << 22  # looked at together, so that it needs little memory


@dataclass(frozen=True)
class Learnt:
    """What a learner knows; each text makes a new one.

    Attributes
    ----------
    words, counts
        In the order in which they came, and how often each was seen in all texts.
    rare
        How often words were seen that are still too rare.
    tables
        What is trained, once there is a word.
    epochs, losses
        Passes that were begun over all texts, and the loss of each that was finished.
    tokens
        Of all texts, without words that were too rare then.
    """

    words: list[str] = field(default_factory=list)
    counts: Longs = field(default_factory=lambda: np.zeros(0, np.int64))
    rare: dict[str, int] = field(default_factory=dict)
    tables: Tables | None = None
    epochs: int = 0
    losses: list[float] = field(default_factory=list)
    tokens: int = 0


class Learner:
    """Word vectors that go on learning from text after text.

    Words keep their rows and new ones are added behind them. A word joins as soon as all texts
    together have it ``min_count`` times; words that are still too rare are counted, too, so memory
    grows with the number of different words. Noise words and subsampling follow the counts of all
    texts, what words are predicted with is kept, and no draw is used twice.

    Nine tenths of 3 M words of Wikipedia and then the last tenth gave 0.477 on WordSim-353 (0.497
    before it, and 0.454 with the model's own learning rate for it, but then new words lie better).

    Parameters
    ----------
    model
        `Word2Vec` or `FastText`: how to learn.

    Raises
    ------
    TypeError
        Another model.

    Examples
    --------
    >>> from firth import Word2Vec
    >>> learner = Word2Vec(dim=8, min_count=2, sample=0, threads=1).learner()
    >>> learner.partial_fit(["the cat sat on the mat", "the cat ran"])
    Learner(Word2Vec, 2 words of 5 tokens)
    >>> learner.partial_fit(["a dog sat on the mat", "a dog ran"]).embedding.keys
    ['the', 'cat', 'a', 'dog', 'mat', 'on', 'ran', 'sat']
    """

    def __init__(self, model: Word2Vec) -> None:
        if not isinstance(model, Word2Vec):
            kind = type(model).__name__
            raise TypeError(f"Learner: model is {kind}, expected a Word2Vec or a FastText")
        self._model = model
        self._learnt = Learnt()
        self._embedding: Embedding | None = None

    def __repr__(self) -> str:
        found = self._learnt
        name = type(self._model).__name__
        return f"Learner({name}, {len(found.words)} words of {found.tokens} tokens)"

    @property
    def model(self) -> Word2Vec:
        """How it learns."""
        return self._model

    @property
    def embedding(self) -> Embedding:
        """What was learnt so far, without a copy; later texts do not change it.

        Words stand in the order in which they came, with their counts in all texts. The metadata
        are those of ``fit``, with the losses of all passes over all texts.

        Raises
        ------
        ValueError
            No word has been seen often enough.
        """
        if self._embedding is None:
            found, model = self._learnt, self._model
            if found.tables is None:
                raise ValueError(
                    f"Learner: no word has been seen min_count={model.min_count} times yet"
                )
            metadata = {
                "model": type(model).__name__,
                **asdict(model),
                "lr": model._first_lr,
                "tokens": found.tokens,
                "losses": found.losses,
            }
            self._embedding = model._result(found.tables, found.words, found.counts, metadata)
        return self._embedding

    def partial_fit(
        self,
        source: object,
        *,
        epochs: int | None = None,
        lr: float | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> Self:
        """Learn from one more text; the first time this is ``fit``.

        Parameters
        ----------
        source
            As in `Word2Vec.fit`. All words of a `Corpus` join at once: it has been decided there
            which words there are.
        epochs
            Passes over this text; None: as the model says.
        lr
            Learning rate at the beginning of this text, from where it falls as in ``fit``. None:
            that of the model, times the square root of the text's share of all tokens so far.
        progress, callback
            As in `Word2Vec.fit`, of this text.

        Returns
        -------
        Learner
            Itself.

        Raises
        ------
        ValueError
            A text without tokens; a first text in which no token has company; ``epochs`` or ``lr``
            out of range. Then, as after any other error, the learner is as before.
        TypeError
            A source or callback of another type.
        FloatingPointError
            The learning rate was too large.
        KeyboardInterrupt
            The learner keeps what it learnt until then, if it is finite. Attribute ``embedding``:
            what it holds.
        """
        model = self._model
        check_arguments("Learner", model.dim, None, callback)
        asked = replace(
            model,
            epochs=model.epochs if epochs is None else epochs,
            lr=model._first_lr if lr is None else lr,
        )
        before = self._learnt
        joined, text = join(model, before, source, progress)
        if len(text.ids) == 0:  # nothing to learn yet, but counts
            self._set(joined)
            return self
        tables = model._grown(before.tables, joined.words)
        corpus = Corpus(text.ids, text.offsets, Vocabulary._trusted(joined.words, joined.counts))
        share = len(text.ids) / joined.tokens if lr is None else 1.0
        rate, past = asked._first_lr * share**0.5, before.epochs
        run = Run.of(asked, corpus, tables, seen=text.counts, lr=rate, before=past)
        losses: list[float] = []
        try:
            run.train(tables, losses, progress=progress, callback=callback)
        except KeyboardInterrupt as stop:
            learnt = _trained(joined, tables, losses, len(losses) + 1)
            stopped(stop, lambda: self._set(learnt), tables.input, tables.output)
            stop.embedding = self.embedding  # type: ignore[attr-defined]
            raise
        if before.tables is None:
            run.expect_pairs(losses)
        self._set(_trained(joined, tables, losses, len(losses)))
        return self

    def save(self, path: AnyPath) -> None:
        """Write a firth folder with all that `load` needs to go on, atomically."""
        from firth.formats import learner_folder

        learner_folder.write(self._model, self._learnt, path)

    @classmethod
    def load(cls, path: AnyPath) -> "Learner":
        """Read what `save` wrote; all bytes are held against their checksums.

        Raises
        ------
        FormatError
            The folder holds something else or is damaged.
        FileNotFoundError, NotADirectoryError
            There is nothing, or a file.

        Examples
        --------
        >>> import tempfile
        >>> from firth import FastText
        >>> path, text = tempfile.mkdtemp(), ["a b", "b a"]
        >>> learner = FastText(dim=2, buckets=9, min_count=1, sample=0).learner()
        >>> learner.partial_fit(text).save(path)
        >>> Learner.load(path).partial_fit(["a c"]).embedding.keys
        ['a', 'b', 'c']
        """
        from firth.formats import learner_folder

        model, learnt = learner_folder.load(path)
        learner = cls(model)
        learner._set(learnt)
        return learner

    def _set(self, learnt: Learnt) -> None:
        self._learnt, self._embedding = learnt, None


class Text(NamedTuple):
    """A text in the ids of a learner: tokens, where sentences begin, and how often words occur."""

    ids: Ids
    offsets: Longs
    counts: Longs


def _trained(joined: Learnt, tables: Tables, losses: list[float], begun: int) -> Learnt:
    epochs, losses = joined.epochs + begun, [*joined.losses, *losses]
    return replace(joined, tables=tables, epochs=epochs, losses=losses)


def join(
    model: Word2Vec, before: Learnt, source: object, progress: bool | None
) -> tuple[Learnt, Text]:
    """Return what is known when a text is counted in, but not yet learnt, and the text."""
    chosen = isinstance(source, Corpus)
    corpus = (
        source
        if isinstance(source, Corpus)
        else Corpus.read(source, min_count=1, threads=model.threads, progress=progress)
    )
    if len(corpus.ids) == 0:
        raise ValueError("Learner: the corpus has no tokens")
    tally = _tally(corpus.ids, len(corpus.vocabulary))
    index = numbered(before.words)
    ids = np.full(len(tally), _NONE)
    rare, new = dict(before.rare), []
    for at, (word, count) in enumerate(zip(corpus.vocabulary.words, tally.tolist(), strict=True)):
        if word in index:
            ids[at] = index[word]
        elif count:
            rare[word] = total = rare.get(word, 0) + count
            if chosen or total >= model.min_count:
                new.append((-total, word.encode("utf-8", "surrogateescape"), at, word))
    room = MAX_WORDS if model.max_vocab is None else model.max_vocab
    new = sorted(new)[: max(room - len(before.words), 0)]
    for row, (_, _, at, _) in enumerate(new, len(before.words)):
        ids[at] = row
    totals = np.fromiter((rare.pop(word) for *_, word in new), np.int64, len(new))
    there = ids != _NONE
    seen = np.zeros(len(before.words) + len(new), np.int64)
    seen[ids[there]] = tally[there]
    counts = np.concatenate([before.counts, totals])
    counts[: len(before.words)] += seen[: len(before.words)]
    words = [*before.words, *(word for *_, word in new)]
    text = _encoded(corpus, ids, seen)
    tokens = before.tokens + len(text.ids)
    return replace(before, words=words, counts=counts, rare=rare, tokens=tokens), text


def _tally(ids: Ids, words: int) -> Longs:
    tally = np.zeros(words, np.int64)
    for first in range(0, len(ids), _TOKENS):
        tally += np.bincount(ids[first : first + _TOKENS], minlength=words)
    return tally


def _encoded(corpus: Corpus, ids: Ids, seen: Longs) -> Text:
    """Return a text with other ids, without tokens that have none and sentences of nothing."""
    if np.array_equal(ids, np.arange(len(ids))):  # a text on the disk can stay there
        return Text(corpus.ids, corpus.offsets, seen)
    kept, ends = [], [np.zeros(1, np.int64)]
    done = 0
    for first in range(0, len(corpus.ids), _TOKENS):
        part = ids[corpus.ids[first : first + _TOKENS]]
        there = part != _NONE
        begin, end = np.searchsorted(corpus.offsets, [first, first + len(part)], side="right")
        sums = np.cumsum(there, dtype=np.int64)
        ends.append(done + sums[corpus.offsets[begin:end] - first - 1])
        kept.append(part[there])
        done += int(sums[-1])
    return Text(together(kept, np.uint32), np.unique(np.concatenate(ends)), seen)
