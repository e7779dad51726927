"""FastText: Word2Vec whose words are made of rows of their character n-grams."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from firth import kernels
from firth._backend import Longs
from firth._reading import AnyPath
from firth._sorting import different
from firth.embedding import Embedding
from firth.kernels._subwords import Bags
from firth.models._beginning import Callback, Tables, copy_rows, grown_rows
from firth.models._settings import whole
from firth.models.word2vec import Word2Vec
from firth.subword_embedding import SubwordEmbedding
from firth.subwords import Subwords, with_own_rows

_DENSE = 1 << 22  # rows that may be looked up in a table whatever is in use


@dataclass(frozen=True)
class FastText(Word2Vec):
    """Word vectors from character n-grams, also for words that were never seen.

    A word is the mean of a row of its own and one per n-gram; rows of n-grams are shared by all
    words that have them, hence inflections and misspellings end up near each other. Everything else
    is as in `Word2Vec`, whose parameters these come on top of.

    Parameters
    ----------
    min_n, max_n
        Shortest and longest n-gram, in characters; the boundaries of a word count. Without n-grams
        (``max_n=0``) it is Word2Vec.
    buckets
        Rows for n-grams, which are hashed to them; each has ``dim`` numbers, however many n-grams
        the text has.
    hashes
        0 for a row of its own for each word and one for each n-gram, as in fastText. 1 to 4 for so
        many for the whole word and for each n-gram, and no rows of words, as in floret: few buckets
        (50000) are then enough.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Bojanowski, Grave, Joulin and Mikolov, "Enriching word vectors with subword information" (2017).

    Examples
    --------
    >>> text = ["the cat sat on the mat", "the dog sat on the rug"] * 50
    >>> emb = FastText(dim=8, buckets=1000, epochs=2, min_count=1, threads=1).fit(text)
    >>> emb
    SubwordEmbedding(7 keys, dim=8, buckets=1000)
    >>> emb["cats"].shape
    (8,)
    """

    min_n: int = 3
    max_n: int = 6
    buckets: int = 2_000_000
    hashes: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "max_n", 0, 2**16)
        whole(self, "min_n", 1 if self.max_n else 0, self.max_n or 2**16)
        whole(self, "buckets", 1, 2**31 - 1)
        whole(self, "hashes", 0, 4)

    @property
    def rule(self) -> Subwords:
        """Which rows words are made of."""
        hashed = self.max_n > 0 or self.hashes > 0
        return Subwords(self.min_n, self.max_n, self.buckets if hashed else 0, self.hashes)

    def fit(
        self,
        source: object,
        *,
        start: Embedding | None = None,
        checkpoint: AnyPath | None = None,
        every: int | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> SubwordEmbedding:
        """Learn a vector for each word of a text and a row for each bucket of n-grams.

        Parameters
        ----------
        source, checkpoint, every, progress, callback
            As in `Word2Vec.fit`.
        start
            Go on from this. A `SubwordEmbedding` of the same rule gives its rows of buckets, and
            for words it has their rows and, if it has them, their rows of ``output``; those of
            labels or of a tree's nodes are not taken. Another `Embedding` gives rows of words only.

        Returns
        -------
        SubwordEmbedding
            Words, most frequent first, with counts and ``output``; the metadata say how it was
            trained, with the loss of each epoch.

        Raises
        ------
        ValueError
            As in `Word2Vec.fit`; or ``start`` has another rule, was pruned or has nothing to give.
        TypeError, FormatError, FloatingPointError, KeyboardInterrupt
            As in `Word2Vec.fit`.
        """
        options: dict[str, Any] = {"progress": progress, "callback": callback}
        found = super().fit(source, start=start, checkpoint=checkpoint, every=every, **options)
        return cast(SubwordEmbedding, found)

    def _check_start(self, start: Embedding | None) -> None:
        if isinstance(start, SubwordEmbedding):
            if start.rule != self.rule:
                raise ValueError(f"FastText: start has {start.rule}, expected {self.rule}")
            if start.kept is not None:
                raise ValueError("FastText: start was pruned: rows of some n-grams are not there")
        elif start is not None and self.hashes:
            raise ValueError(
                f"FastText: start is a plain Embedding, whose words have no rows with "
                f"hashes={self.hashes}; expected a SubwordEmbedding"
            )

    def _tables(self, words: list[str], start: Embedding | None) -> Tables:
        tables = self._grown(None, words)
        if start is None:
            return tables
        input, output, _, whole, places = tables
        own, rows = len(whole) - self.rule.buckets, start.vectors
        whole[places] = input
        if isinstance(start, SubwordEmbedding):
            rows = start.input
            whole[own:] = rows[len(rows) - self.rule.buckets :]
            if start.word_output is not None:
                copy_rows(output, words, start, start.word_output)
        if own:
            copy_rows(whole, words, start, rows)
        np.take(whole, places, axis=0, out=input, mode="clip")  # "raise" would make a copy
        return tables

    def _grown(self, tables: Tables | None, words: list[str]) -> Tables:
        rule = self.rule
        own = len(words) if rule.words_have_rows else 0
        known = None
        if tables is not None:  # the rows of buckets stand behind those of words, which are more
            before = len(tables.output) if rule.words_have_rows else 0
            known = tables.places + np.where(tables.places < before, 0, own - before)
        bags, places = None, np.arange(own)
        if rule.buckets:
            bags = rule.bags(words, first_row=own, threads=self.threads)
            bags = with_own_rows(bags, places) if own else bags
            bags, places = in_order_of_use(bags, known)
        input, output = grown_rows(tables, len(places), len(words), self.seed, self.dim)
        whole = np.zeros((own + rule.buckets, self.dim), np.float32)
        return Tables(input, output, bags, whole, places)

    def _result(
        self, tables: Tables, words: list[str], counts: Longs, metadata: dict[str, Any]
    ) -> Embedding:
        input, output, bags, whole, places = tables
        vectors = input if bags is None else kernels.bag_means(input, bags, threads=self.threads)
        whole[places] = input
        known: Any = {"output": output, "vectors": vectors, "check": False}
        return SubwordEmbedding(words, whole, self.rule, counts, metadata, **known)


def in_order_of_use(bags: Bags, known: Longs | None = None) -> tuple[Bags, Longs]:
    """Return the bags with their rows numbered anew by where they first stand, and the old numbers.

    What stands together then lies together, that of frequent words in front: a tenth to a fifth of
    the time of training, and rows that no word has take neither memory nor time. Rows that are
    ``known`` come first, in their order.
    """
    ids = bags.ids if known is None else np.concatenate([known.astype(np.uint32), bags.ids])
    used = None
    if int(ids.max(initial=0)) > _DENSE + 4 * len(ids):  # a table of all rows would be vast
        used, ids = different(ids)
    positions = np.arange(len(ids))
    first = np.full(int(ids.max(initial=0)) + 1, len(positions))
    np.minimum.at(first, ids, positions)
    rows = ids[first[ids] == positions]
    first[rows] = np.arange(len(rows))
    numbers = first[ids[len(ids) - len(bags.ids) :]].astype(np.uint32)
    return Bags(bags.offsets, numbers), (rows if used is None else used[rows]).astype(np.int64)
