"""Embedding: keys and their vectors, what every model returns and every file format holds."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, cast

import numpy as np
import numpy.typing as npt

from firth import kernels
from firth._reading import AnyPath
from firth._vectors import (
    Floats,
    Longs,
    best_of,
    blocks,
    check_finite,
    checked_among,
    checked_counts,
    checked_k,
    checked_keys,
    checked_mask,
    checked_queries,
    checked_threshold,
    checked_vectors,
    index_of,
    is_vector,
    quotients,
    several_of,
    unit,
)
from firth.kernels._arguments import one_of

Vector = npt.NDArray[Any] | Sequence[float]
Terms = str | Vector | Sequence[str] | Sequence[str | Vector]  # one key or vector, or several


class Embedding:
    """Keys and one vector for each.

    Parameters
    ----------
    keys : sequence of str
        All different. Any text is a key, also with spaces or without characters.
    vectors : float32 array (n, dim)
        Kept without a copy if it is C-contiguous float32, and never written to; other real numbers
        and layouts are converted.
    counts : int64 array (n,), optional
        How often each key was seen.
    metadata : dict, optional
        Anything that JSON can hold, such as how the vectors were trained.
    check : bool
        Look at every number and refuse NaN and infinity.

    Raises
    ------
    TypeError
        A key that is no text, vectors that are no real numbers.
    ValueError
        A key given twice, lengths that differ, no dimensions, a number that is not finite.

    Examples
    --------
    >>> emb = Embedding(["north", "east", "south"], [[0, 1], [1, 0], [0, -1]])
    >>> emb
    Embedding(3 keys, dim=2)
    >>> emb["east"].tolist(), emb[["east", "north"]].shape
    ([1.0, 0.0], (2, 2))
    >>> emb.similarity("north", "south")
    -1.0
    >>> emb.prepare().nearest("north", k=2, threshold=0)[0].tolist()
    [1, -1]
    """

    __slots__ = ("_counts", "_index", "_keys", "_metadata", "_prepared", "_vectors")

    def __init__(
        self,
        keys: Sequence[str],
        vectors: npt.ArrayLike,
        counts: npt.ArrayLike | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        check: bool = True,
    ) -> None:
        self._keys = checked_keys(keys)
        self._index = index_of(self._keys)
        self._vectors = checked_vectors(vectors, len(self._keys), check)
        self._counts = None if counts is None else checked_counts(counts, len(self._keys))
        self._metadata = dict(metadata or {})
        self._prepared: kernels.Prepared | None = None

    # ---- what it holds --------------------------------------------------------------------------

    @property
    def keys(self) -> list[str]:
        """The keys in row order; not to be changed."""
        return self._keys

    @property
    def vectors(self) -> Floats:
        """The vectors (n, dim), one row per key; read-only where they are mapped from a file."""
        return self._vectors

    @property
    def index(self) -> dict[str, int]:
        """The row of each key; not to be changed."""
        return self._index

    @property
    def counts(self) -> Longs | None:
        """How often each key was seen (n,), or None."""
        return self._counts

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known about the vectors; kept by `save`."""
        return self._metadata

    @property
    def prepared(self) -> kernels.Prepared | None:
        """The vectors in the form that searches scan, or None until `prepare` makes it."""
        return self._prepared

    @property
    def dim(self) -> int:
        """Numbers per vector."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def has_vector(self, key: Hashable) -> bool:
        """Say whether ``emb[key]`` answers; where vectors are made of parts, not only for keys."""
        return key in self._index

    def __contains__(self, key: Hashable) -> bool:
        return key in self._index

    def __getitem__(self, key: str | Iterable[str]) -> Floats:
        """Return a copy of one key's vector (dim,) or of several (q, dim).

        Raises
        ------
        KeyError
            Names the key that is unknown.
        """
        if isinstance(key, str):
            row = self._index.get(key)
            vector = self._unseen([key])[0] if row is None else self._vectors[row].copy()
            return cast(Floats, vector)
        if isinstance(key, bytes) or not isinstance(key, Iterable):
            raise TypeError(f"Embedding: {key!r} is neither a key nor several keys")
        return self._gathered(key)[0]

    def _unseen(self, words: list[Any]) -> Floats:
        """Return the vectors of words that are no keys; only some embeddings make any."""
        raise KeyError(words[0])

    def _gathered(self, words: Iterable[Any]) -> tuple[Floats, list[int]]:
        """Return the vectors of words (q, dim), and their rows; -1 for those that are no keys."""
        several = list(words)
        rows = [self._index.get(word, -1) for word in several]
        at = np.array(rows, np.int64)
        if -1 not in rows:
            return self.vectors[at], rows
        unseen, vectors = at < 0, np.empty((len(rows), self.dim), np.float32)
        vectors[unseen] = self._unseen([several[row] for row in np.flatnonzero(unseen)])
        vectors[~unseen] = self._vectors[at[~unseen]]
        return vectors, rows

    def _terms(self, terms: Terms, name: str) -> tuple[Floats, list[int]]:
        """Return keys or vectors as vectors (q, dim), and their rows; -1 for what is no key."""
        if isinstance(terms, np.ndarray) and terms.dtype.kind in "fiu":
            array = np.atleast_2d(terms)
            return checked_queries(array, self.dim, name), [-1] * len(array)
        several = several_of(terms)
        vectors, rows = self._gathered(term for term in several if isinstance(term, str))
        if len(rows) == len(several):
            return vectors, rows
        known = zip(vectors, rows, strict=True)
        pairs = [next(known) if isinstance(term, str) else (term, -1) for term in several]
        several, rows = (list(column) for column in zip(*pairs, strict=True))
        return checked_queries(several, self.dim, name), rows

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} keys, dim={self.dim})"

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (self._keys, self._vectors, self._counts, self._metadata)

    def unit(self) -> Floats:
        """Return all vectors at length 1 in a new array (n, dim); zero vectors stay zero."""
        result = np.empty_like(self._vectors)
        for rows, block, norms in blocks(self._vectors):
            result[rows] = block / norms[:, None]
        return result

    # ---- questions ------------------------------------------------------------------------------

    def prepare(
        self,
        scan: Literal["auto", "float32", "bfloat16", "int8"] = "auto",
        *,
        threads: int | None = None,
    ) -> Self:
        """Make and keep what searches scan, so that later ones read a quarter of the bytes.

        Answers stay the same. It takes memory of that size and pays from a few searches on; the
        vectors must not be changed afterwards. It is neither saved nor pickled nor copied.

        Parameters
        ----------
        scan
            As in `firth.kernels.prepare`.
        threads
            How many threads; None for all.

        Returns
        -------
        Embedding
            This one, so that ``emb = firth.load(path).prepare()`` stands on one line.

        Raises
        ------
        TypeError, ValueError
            A number that is not finite, in vectors that were not checked; ``scan`` or ``threads``
            out of range or of another type.
        """
        self._prepared = kernels.prepare(self._vectors, scan=scan, threads=threads)
        return self

    def _items(self, among: int) -> Floats | kernels.Prepared:
        return self._vectors[:among] if self._prepared is None else self._prepared.head(among)

    def similarity(self, a: str | Vector, b: str | Vector) -> float:
        """Return the cosine between two keys or vectors; 0.0 if one of them is zero."""
        left, right = (self._terms(term, "similarity")[0].astype(np.float64) for term in (a, b))
        if len(left) != 1 or len(right) != 1:
            raise ValueError("similarity: expected one key or one vector on each side")
        squares = float(left[0] @ left[0]) * float(right[0] @ right[0])
        return float(np.clip(left[0] @ right[0] / squares**0.5, -1, 1)) if squares else 0.0

    def most_similar(
        self,
        positive: Terms,
        negative: Terms = (),
        k: int = 10,
        *,
        method: Literal["add", "mul"] = "add",
        among: int | None = None,
        threshold: float | None = None,
    ) -> list[tuple[str, float]]:
        """Return the keys closest to some keys or vectors and far from others.

        Parameters
        ----------
        positive, negative
            A key, a vector (dim,), or several of them. The keys given are not in the answer.
        k
            How many, between 1 and the number of keys that can be in the answer; with a
            ``threshold`` no more than so many, up to ``among``.
        method
            ``"add"``: cosine with the sum of the unit vectors, negative ones subtracted (3CosAdd).
            ``"mul"``: product of the cosines, divided by that of the negative ones (3CosMul), with
            cosines moved to [0, 1] and 0.001 added below (Levy and Goldberg 2014, equation 4).
        among
            Only the first rows, the most frequent keys, can be in the answer.
        threshold
            Only keys with at least this score; the answer may then be shorter than ``k``.

        Returns
        -------
        list of (str, float)
            Keys and scores, best first; equal scores in row order.

        Raises
        ------
        KeyError, TypeError, ValueError
            An unknown key; nothing given, a vector of another length; a number that is not finite,
            in vectors that were not checked; ``k``, ``among`` or
            ``threshold`` out of range or no number.
        """
        name = "most_similar"
        plus, plus_rows = self._terms(positive, name)
        minus, minus_rows = self._terms(negative, name)
        if not len(plus) + len(minus):
            raise ValueError(f"{name}: positive and negative are both empty")
        among = checked_among(among, len(self), name)
        least = checked_threshold(threshold, name)
        one_of(name, "method", method, ("add", "mul"))
        check_finite(name, "positive", plus)
        check_finite(name, "negative", minus)
        given = sorted({row for row in plus_rows + minus_rows if 0 <= row < among})
        k = checked_k(k, among - len(given) if threshold is None else among, name)
        if method == "add":
            query = unit(unit(plus).sum(axis=0) - unit(minus).sum(axis=0))[None].astype(np.float32)
            left_out, items = np.array([given], np.int64), self._items(among)
            ids, scores = kernels.topk(query, items, k, exclude=left_out, threshold=least)
            found = list(zip(ids[0].tolist(), scores[0].tolist(), strict=True))
        else:
            ranked = quotients(self._vectors[:among], unit(plus), unit(minus), name)
            found = best_of(ranked, given, least, k)
        return [(self._keys[row], score) for row, score in found if score > -np.inf]

    def analogy(
        self,
        a: str,
        b: str,
        c: str,
        k: int = 1,
        *,
        method: Literal["add", "mul"] = "add",
        among: int | None = None,
    ) -> list[tuple[str, float]]:
        """Answer "a is to b as c is to ...": `most_similar` to b and c, far from a."""
        return self.most_similar([b, c], [a], k, method=method, among=among)

    def nearest(
        self,
        queries: Terms,
        k: int = 10,
        *,
        exclude_self: bool = True,
        among: int | None = None,
        mask: npt.ArrayLike | None = None,
        threshold: float | None = None,
        threads: int | None = None,
    ) -> tuple[Longs, Floats]:
        """Return the rows with the greatest cosine to each of many queries.

        Parameters
        ----------
        queries
            Keys or vectors: a sequence of keys or an array (q, dim); one key or one vector (dim,)
            is taken as a single query, and the answer then has no first axis.
        k
            How many per query.
        exclude_self
            Leave a key out of its own answer. It has no meaning for vectors.
        among
            Only the first rows can be in the answers.
        mask
            For every row (n,) a bool, also where ``among`` is given; False leaves a row out of all
            answers. ``emb.counts >= 100`` is one.
        threshold
            Only rows with at least this cosine (as float64). An answer that is then shorter than
            ``k`` ends in the row -1, which is no row, and the score -inf.
        threads
            How many threads; None for all.

        Returns
        -------
        ids : int64 array (q, k)
            Rows, best first; equal scores in row order. ``keys[i]`` names them.
        scores : float32 array (q, k)
            Cosines; 0 where one of the vectors is zero.

        Raises
        ------
        KeyError, TypeError, ValueError
            An unknown key; a vector or a mask of another length or kind; ``among`` or ``threshold``
            out of range; without a threshold, ``k`` more than the rows to choose from.
        """
        name = "nearest"
        terms, rows = self._terms(queries, name)
        among, least = checked_among(among, len(self), name), checked_threshold(threshold, name)
        own = np.array([row if exclude_self and row < among else -1 for row in rows], np.int64)
        most, lost, usable = among, own[own >= 0], None
        if mask is not None:
            usable = checked_mask(mask, len(self), name)[:among]
            most, lost = int(usable.sum()), lost[usable[lost]]
        k = checked_k(k, most - bool(len(lost)) if threshold is None else among, name)
        ids, scores = kernels.topk(
            terms, self._items(among), k, exclude=own, mask=usable, threshold=least, threads=threads
        )
        if isinstance(queries, str) or (rows == [-1] and is_vector(queries)):
            return ids[0], scores[0]
        return ids, scores

    # ---- files ----------------------------------------------------------------------------------

    def save(self, path: AnyPath) -> None:
        """Write a firth folder that `firth.load` maps back, atomically; see `firth.formats`."""
        self.write(path, format="firth")

    def write(self, path: AnyPath, *, format: str) -> None:
        """Write a file of another format, such as ``"word2vec-text"``; see `firth.formats`."""
        from firth.formats import format_of

        format_of(format).write(self, path)


def _restored(
    keys: list[str], vectors: Floats, counts: Longs | None, metadata: dict[str, Any]
) -> Embedding:
    """Make a pickled or copied embedding again; its numbers have been looked at before."""
    return Embedding(keys, vectors, counts, metadata, check=False)
