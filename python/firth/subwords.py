"""Subwords: the rule by which a word is made of rows of a table, its character n-grams'."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firth import kernels
from firth._backend import Floats, Longs
from firth.kernels._arguments import integer, typed
from firth.kernels._subwords import Bags
from firth.kernels._words import encoded
from firth.models._settings import whole

# A byte with all the bytes behind it that continue a character.
_CHARACTER = re.compile(rb"[^\x80-\xBF][\x80-\xBF]*", re.DOTALL)


@dataclass(frozen=True)
class Subwords:
    """Which rows of a table a word is made of: those of its character n-grams, by hashing.

    Parameters
    ----------
    min_n, max_n
        Shortest and longest n-gram, in characters, boundaries ``<`` and ``>`` included; with
        ``max_n=0`` there are none.
    buckets
        Rows that n-grams are hashed to; 0 only where there are no n-grams.
    hashes
        0: fastText's rule, a row of its own for each known word and one per n-gram. 1 to 4:
        floret's, so many rows for the whole word and for each n-gram, and no rows of words.

    Raises
    ------
    TypeError, ValueError
        A setting that is no whole number or out of its range.

    References
    ----------
    Bojanowski, Grave, Joulin and Mikolov, "Enriching word vectors with subword information" (2017),
    section 3.2.

    Examples
    --------
    >>> rule = Subwords(min_n=3, max_n=4, buckets=1000)
    >>> [ngram for ngram, _ in rule.ngrams("cat")]
    ['<ca', '<cat', 'cat', 'cat>', 'at>']
    >>> rule.bags(["cat", "a"]).offsets.tolist()
    [0, 5, 6]
    """

    min_n: int = 3
    max_n: int = 6
    buckets: int = 2_000_000
    hashes: int = 0

    def __post_init__(self) -> None:
        whole(self, "max_n", 0, 2**16)
        whole(self, "hashes", 0, 4)
        if self.max_n:
            whole(self, "min_n", 1, self.max_n)
        else:
            whole(self, "min_n", 0, 2**16)
        whole(self, "buckets", 1 if self.max_n or self.hashes else 0, 2**31 - 1)

    @property
    def words_have_rows(self) -> bool:
        """Whether each known word has a row of its own, before those of the buckets."""
        return self.hashes == 0

    def bags(
        self,
        words: Iterable[str] | bytes,
        *,
        first_row: int = 0,
        kept: npt.NDArray[np.int32] | None = None,
        threads: int | None = None,
    ) -> Bags:
        """Return the rows of the n-grams of each word, without rows of words.

        Parameters
        ----------
        words
            Texts, or bytes with a newline behind each.
        first_row
            The row of the first bucket.
        kept
            int32 (buckets,): the row of each bucket, counted from ``first_row``, or -1 where it was
            pruned away; None where bucket i is row i.
        threads
            How many threads; None for all.

        Returns
        -------
        Bags
            ``offsets`` int64 (words + 1,) and ``ids`` uint32 (total,): the bag of word w is
            ``ids[offsets[w]:offsets[w + 1]]``, in the order of the n-grams in the word.

        Raises
        ------
        TypeError
            Words that are one text or hold something else, ``kept`` of another dtype, a number that
            is not whole.
        ValueError
            ``kept`` of another length; ``first_row`` or ``threads`` out of range.
        """
        first_row = self._checked(first_row, kept, "bags")
        offsets, ids = kernels.subwords(words, **self._settings(), threads=threads)
        if kept is not None:
            rows = kept[ids]
            stays = rows >= 0
            offsets = np.concatenate([[0], np.cumsum(stays, dtype=np.int64)])[offsets]
            ids = rows[stays].astype(np.uint32)
        if first_row:
            ids += np.uint32(first_row)
        return Bags(offsets, ids)

    def means(
        self,
        words: Iterable[str] | bytes,
        table: Floats,
        *,
        first_row: int = 0,
        kept: npt.NDArray[np.int32] | None = None,
        threads: int | None = None,
    ) -> Floats:
        """Return the mean (words, dim) of the rows in each bag of `bags`; zero for an empty bag.

        Raises
        ------
        TypeError, ValueError
            As `bags`; a table that is not C-contiguous float32 (rows, dim) or has too few rows.
        """
        if kept is None:
            settings = self._settings()
            return kernels.subword_means(
                words, table, **settings, first_row=first_row, threads=threads
            )
        bags = self.bags(words, first_row=first_row, kept=kept, threads=threads)
        return kernels.bag_means(table, bags, threads=threads)

    def _checked(self, first_row: object, kept: object, name: str) -> int:
        """Return the first row, if the buckets from there on have numbers and each is in kept."""
        first, most = integer(name, "first_row", first_row), 2**32 - max(self.buckets, 1)
        if not 0 <= first <= most:
            raise ValueError(f"{name}: first_row={first} is not between 0 and {most}")
        if kept is not None:
            typed(name, "kept", kept, np.int32, ((self.buckets,),))
        return first

    def _settings(self) -> dict[str, Any]:
        """Return what kernels take, which want positive numbers also where nothing is hashed."""
        least = {"min_n": max(self.min_n, 1), "buckets": max(self.buckets, 1)}
        return {**least, "max_n": self.max_n, "hashes": self.hashes}

    def ngrams(self, word: str) -> list[tuple[str, int]]:
        """Return each n-gram of one word with its bucket, in the order of `bags`.

        Under floret's rule the whole word comes first, and each stands there ``hashes`` times.

        Raises
        ------
        TypeError
            A word that is no text.
        """
        ids = self.bags([word]).ids.tolist()
        if not ids:
            return []
        bounded = b"<%s>" % encoded(word)
        characters = _CHARACTER.findall(bounded)
        last = len(characters)
        pieces = [bounded] if self.hashes else []
        for begin in range(last):
            for end in range(begin + self.min_n, min(begin + self.max_n, last) + 1):
                if end - begin > 1 or 0 < begin < last - 1:  # a boundary alone is none
                    pieces.append(b"".join(characters[begin:end]))
        texts = [piece.decode("utf-8", "surrogateescape") for piece in pieces]
        times = max(self.hashes, 1)
        return list(zip([text for text in texts for _ in range(times)], ids, strict=True))


def with_own_rows(bags: Bags, rows: Longs) -> Bags:
    """Return the bags with a row in front of each, where it is not -1."""
    offsets, ids = bags
    there = rows >= 0
    shift = np.concatenate([[0], np.cumsum(there, dtype=np.int64)])
    longer = offsets + shift
    result = np.empty(int(longer[-1]), np.uint32)
    own = longer[:-1][there]
    others = np.ones(len(result), np.bool_)
    others[own] = False
    result[own] = rows[there]
    result[others] = ids
    return Bags(longer, result)
