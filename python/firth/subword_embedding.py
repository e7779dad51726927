"""SubwordEmbedding: vectors of words made of rows for their character n-grams, also unseen ones."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from firth import kernels
from firth._vectors import Floats, Longs, checked_keys, checked_vectors, unit
from firth.embedding import Embedding
from firth.kernels._subwords import Bags
from firth.subwords import Subwords, with_own_rows

Kept = npt.NDArray[np.int32]

_NGRAMS = 1 << 21  # of keys whose bags are made together, so that they need little memory
_TREE = 1  # what fastText calls the loss of a hierarchical softmax
_TOKEN = re.compile(r"[^ \t\n\v\f\r]+")


class SubwordEmbedding(Embedding):
    """Keys, and a table of rows that any word's vector is made of: keys and words never seen.

    A word's vector is the mean of the rows of its bag: its own row first, if it is a key and the
    rule gives keys rows, then those of its n-grams. ``in`` asks for keys; ``emb[word]`` and all
    questions answer for any word that has n-grams.

    Parameters
    ----------
    keys : sequence of str
        All different.
    input : float32 array (rows, dim)
        A row per key, but none under floret's rule, then a row per bucket of the rule. Kept
        without a copy if it is C-contiguous float32, and never written to.
    rule : Subwords
        Which n-grams words have and how they are hashed.
    counts : int64 array (n,), optional
        How often each key was seen.
    metadata : dict, optional
        Anything that JSON can hold, such as how the vectors were trained.
    output : float32 array (n, dim), optional
        What the keys are predicted with, to go on training.
    vectors : float32 array (n, dim), optional
        The mean of each key's bag, where it is known already.
    kept : int32 array (buckets,), optional
        Of pruned models: the row of each bucket, counted from the first row behind the keys', or -1
        where it was pruned away. Such n-grams are left out of bags.
    check : bool
        Look at every number and refuse NaN and infinity.

    Raises
    ------
    TypeError
        A key that is no text, a rule that is no `Subwords`, tables that are no real numbers.
    ValueError
        A key given twice, lengths that differ, no dimensions, a number that is not finite.

    Examples
    --------
    >>> rule = Subwords(min_n=3, max_n=3, buckets=5)
    >>> table = [[1, 0], [0, 1], [1, 1], [2, 0], [0, 2], [1, 0], [4, 4]]
    >>> emb = SubwordEmbedding(["cat", "dog"], table, rule)
    >>> emb
    SubwordEmbedding(2 keys, dim=2, buckets=5)
    >>> emb.subwords("cat")
    [('cat', 0), ('<ca', 4), ('cat', 3), ('at>', 3)]
    >>> "cats" in emb, emb.has_vector("cats"), emb["cats"].shape
    (False, True, (2,))
    """

    __slots__ = ("_input", "_kept", "_output", "_own", "_rule")

    def __init__(
        self,
        keys: Sequence[str],
        input: npt.ArrayLike,
        rule: Subwords,
        counts: npt.ArrayLike | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        output: npt.ArrayLike | None = None,
        vectors: npt.ArrayLike | None = None,
        kept: npt.ArrayLike | None = None,
        check: bool = True,
    ) -> None:
        name = type(self).__name__
        if not isinstance(rule, Subwords):
            raise TypeError(f"{name}: rule is {type(rule).__name__}, expected Subwords")
        keys = checked_keys(keys)
        self._rule = rule
        self._input = checked_vectors(input, None, check, name, "input")
        self._own = len(keys) if rule.words_have_rows else 0
        buckets = len(self._input) - self._own
        self._kept = None if kept is None else _checked_kept(kept, rule, buckets, name)
        if buckets < 0 or len(self._input) >= 1 << 32 or (kept is None and buckets != rule.buckets):
            expected = f"{self._own} of keys and {rule.buckets if kept is None else 'some'} of"
            raise ValueError(
                f"{name}: input has {len(self._input)} rows, expected {expected} buckets"
            )
        self._output = None
        if output is not None:
            self._output = checked_vectors(output, len(keys), check, name, "output")
            self._check_dim("output", self._output)
        made = self._means_of(keys) if vectors is None else vectors
        super().__init__(keys, made, counts, metadata, check=check)
        self._check_dim("vectors", self._vectors)

    def _check_dim(self, what: str, table: Floats) -> None:
        if table.shape[1] != self._input.shape[1]:
            raise ValueError(
                f"{type(self).__name__}: {what}: dim {table.shape[1]}, but that of input is "
                f"{self._input.shape[1]}"
            )

    # ---- what it holds --------------------------------------------------------------------------

    @property
    def input(self) -> Floats:
        """The table (rows, dim): first a row per key, if keys have rows, then the buckets'."""
        return self._input

    @property
    def output(self) -> Floats | None:
        """What the keys are predicted with (n, dim), or None."""
        return self._output

    @property
    def word_output(self) -> Floats | None:
        """`output` if it has a row per key; those of a model with a tree belong to its nodes."""
        notes = self._metadata.get("fasttext")
        tree = isinstance(notes, Mapping) and notes.get("loss") == _TREE
        return None if tree else self._output

    @property
    def rule(self) -> Subwords:
        """Which n-grams words have and how they are hashed."""
        return self._rule

    @property
    def kept(self) -> Kept | None:
        """The row of each bucket in a pruned model (buckets,), -1 for none; otherwise None."""
        return self._kept

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, buckets={self._rule.buckets})"

    def __reduce__(self) -> tuple[object, ...]:
        tables = {"output": self._output, "vectors": self._vectors, "kept": self._kept}
        known = (self._keys, self._input, self._rule, self._counts, self._metadata)
        return _restored, (type(self), known, tables)

    # ---- words and their rows -------------------------------------------------------------------

    def has_vector(self, word: Hashable) -> bool:
        """Say whether ``emb[word]`` answers: a key, or a word that has n-grams."""
        return word in self._index or (isinstance(word, str) and len(self.bag(word)) > 0)

    def bags(self, words: Iterable[str], *, threads: int | None = None) -> Bags:
        """Return the rows of `input` that each word is made of, its own row first.

        Parameters
        ----------
        words
            Texts.
        threads
            How many threads; None for all.

        Returns
        -------
        Bags
            ``offsets`` int64 (words + 1,), ``ids`` uint32 (total,), as `kernels.bag_means` and
            `kernels.negative_sampling` take them.

        Raises
        ------
        TypeError, ValueError
            One text or bytes instead of several texts, a word that is no text; ``threads`` out of
            range.
        """
        if isinstance(words, str | bytes | bytearray | memoryview) or not isinstance(
            words, Iterable
        ):
            raise TypeError(f"bags: words is {type(words).__name__}, expected several texts")
        words = list(words)
        bags = self._rule.bags(words, first_row=self._own, kept=self._kept, threads=threads)
        if not self._own:
            return bags
        rows = (self._index.get(word, -1) for word in words)
        return with_own_rows(bags, np.fromiter(rows, np.int64, len(words)))

    def bag(self, word: str) -> Longs:
        """Return the rows of `input` that one word is made of (rows,), int64; there may be none.

        Raises
        ------
        TypeError
            A word that is no text.
        """
        return self.bags([word]).ids.astype(np.int64)

    def subwords(self, word: str) -> list[tuple[str, int]]:
        """Return what a word is made of, as text and row of `input`: itself, then its n-grams.

        Raises
        ------
        TypeError
            A word that is no text.
        """
        own = self._index.get(word, -1) if self._own else -1
        found = self._rule.ngrams(word)
        if self._kept is not None:
            found = [(text, int(self._kept[bucket])) for text, bucket in found]
        rows = [(text, self._own + row) for text, row in found if row >= 0]
        return [(word, own), *rows] if own >= 0 else rows

    def sentence_vector(self, text: str) -> Floats:
        """Return the mean (dim,) of the unit vectors of a text's tokens, parted by white space.

        Tokens without n-grams and those with a zero vector are left out; zero if none is left.

        Raises
        ------
        TypeError
            A text that is no str.
        """
        if not isinstance(text, str):
            raise TypeError(f"sentence_vector: text is {type(text).__name__}, expected a str")
        tokens = [token for token in _TOKEN.findall(text) if self.has_vector(token)]
        vectors = self._gathered(tokens)[0]
        vectors = vectors[vectors.any(axis=1)]
        mean: Floats = (unit(vectors).sum(axis=0) / max(len(vectors), 1)).astype(np.float32)
        return mean

    def _means_of(self, keys: list[str]) -> Floats:
        """Return the mean of each key's bag."""
        means = np.empty((len(keys), self._input.shape[1]), np.float32)
        sizes = np.fromiter(map(len, keys), np.int64, len(keys)) + 2
        lengths = np.minimum(sizes, self._rule.max_n) - self._rule.min_n + 1
        most = sizes * np.maximum(lengths, 0) + 1  # how many rows the bag of each key has at most
        batch = np.cumsum(most * max(self._rule.hashes, 1)) // _NGRAMS
        cuts = [0, *(np.flatnonzero(np.diff(batch)) + 1).tolist(), len(keys)]
        for begin, end in pairwise(cuts):
            bags = self._rule.bags(keys[begin:end], first_row=self._own, kept=self._kept)
            if self._own:
                bags = with_own_rows(bags, np.arange(begin, end))
            means[begin:end] = kernels.bag_means(self._input, bags)
        return means

    def _unseen(self, words: list[Any]) -> Floats:
        """Return the vectors of words that are no keys, which have no rows of their own."""
        for word in words:
            if not isinstance(word, str):
                raise KeyError(word)
        means = self._rule.means(words, self._input, first_row=self._own, kept=self._kept)
        there = means.any(axis=1)
        if not there.all():  # rows that cancel, or none
            zero = [words[at] for at in np.flatnonzero(~there)]
            sizes = np.diff(self.bags(zero).offsets)
            if not sizes.all():
                raise KeyError(zero[int(sizes.argmin())])
        return means


def _checked_kept(kept: npt.ArrayLike, rule: Subwords, buckets: int, name: str) -> Kept:
    given = np.asarray(kept)
    if given.dtype != np.int32:
        raise TypeError(f"{name}: kept: dtype {given.dtype} is not int32")
    if given.shape != (rule.buckets,):
        raise ValueError(f"{name}: kept: shape {given.shape} is not ({rule.buckets},)")
    if given.min(initial=0) < -1 or given.max(initial=-1) >= buckets:
        raise ValueError(f"{name}: kept: found a row that is not between -1 and {buckets - 1}")
    return np.require(given, np.int32, ["C", "A"])


def _restored(
    kind: type[SubwordEmbedding], known: tuple[Any, ...], tables: dict[str, Any]
) -> SubwordEmbedding:
    """Make a pickled or copied embedding again; its numbers have been looked at before."""
    return kind(*known, **tables, check=False)
