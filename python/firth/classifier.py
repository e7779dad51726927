"""Classifier: a text is the mean of its rows, scored against a row for each label."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from firth import kernels
from firth._backend import Doubles
from firth._chances import LabelScores, Scores, probabilities, top
from firth._texts import Lines, Reader, lines_of, lines_of_texts
from firth._vectors import (
    Floats,
    Longs,
    checked_counts,
    checked_keys,
    checked_threshold,
    checked_vectors,
)
from firth.corpus import Corpus
from firth.kernels._arguments import integer, one_of
from firth.kernels._classification import huffman_paths
from firth.kernels._subwords import Bags
from firth.subword_embedding import SubwordEmbedding
from firth.subwords import Subwords

LOSSES = ("softmax", "ova", "hs", "ns")
MOST_WORD_NGRAMS = 10_000

_SCORES = 1 << 22  # scores that are made together


class Classifier(SubwordEmbedding):
    """Words, the rows they are made of, and labels that texts are given.

    Parameters
    ----------
    keys, input, rule, counts, metadata, kept, check
        As in `SubwordEmbedding`: without character n-grams (``max_n=0``) words are rows of their
        own. The rule's buckets are those of word n-grams, too.
    output : float32 array (labels, dim)
        A row per label; for ``loss="hs"`` row i is inner node i of the labels' Huffman tree.
    labels : sequence of str
        With their prefix, most frequent first.
    loss
        How scores become probabilities: over all labels together (``"softmax"``), for each by
        itself (``"ova"``, ``"ns"``), along the tree (``"hs"``).
    word_ngrams
        Longest word n-gram that is a part of a text, up to 10 000; 1: words only.
    label_prefix
        What tells labels from words where texts are tested.
    label_counts : int64 array (labels,), optional
        How often each was seen. A tree needs them, from 1 on.

    Notes
    -----
    `sentence_vector` is that of `SubwordEmbedding`, the mean of unit vectors of words. What
    fastText prints for a supervised model is another one: the mean of the rows of a text.

    Raises
    ------
    TypeError, ValueError
        As `SubwordEmbedding`; no label, a label given twice or as a word, another number of rows
        than of labels, word n-grams without buckets, a tree without counts.

    Examples
    --------
    >>> model = Classifier(
    ...     ["sun", "rain"], [[1, 0], [0, 1]], Subwords(max_n=0, buckets=0), [[1, -1], [-1, 1]],
    ...     ["__label__good", "__label__bad"],
    ... )
    >>> labels, chances = model.predict("sun and sun")
    >>> labels, chances.round(2).tolist()
    (['__label__good'], [0.88])
    """

    __slots__ = (
        "_label_counts",
        "_labels",
        "_loss",
        "_paths",
        "_prefix",
        "_reader",
        "_weights",
        "_word_ngrams",
    )

    def __init__(
        self,
        keys: Sequence[str],
        input: npt.ArrayLike,
        rule: Subwords,
        output: npt.ArrayLike,
        labels: Sequence[str],
        *,
        loss: str = "softmax",
        word_ngrams: int = 1,
        label_prefix: str = "__label__",
        counts: npt.ArrayLike | None = None,
        label_counts: npt.ArrayLike | None = None,
        metadata: Mapping[str, Any] | None = None,
        vectors: npt.ArrayLike | None = None,
        kept: npt.ArrayLike | None = None,
        check: bool = True,
    ) -> None:
        name = type(self).__name__
        if vectors is None and isinstance(rule, Subwords) and rule.max_n == 0:
            vectors = np.asarray(input)[: len(keys)]  # words are their own rows alone
        super().__init__(
            keys, input, rule, counts, metadata, vectors=vectors, kept=kept, check=check
        )
        one_of(name, "loss", loss, LOSSES)
        self._loss = loss
        self._labels = checked_keys(labels, name, "labels")
        index = dict(zip(self._labels, range(len(self._labels)), strict=True))
        if not index:
            raise ValueError(f"{name}: labels is empty, expected at least one")
        if len(index) != len(self._labels):
            twice = next(one for at, one in enumerate(self._labels) if index[one] != at)
            raise ValueError(f"{name}: labels: {twice!r} is given more than once")
        if both := index.keys() & self._index.keys():
            raise ValueError(f"{name}: {min(both)!r} is both a key and a label")
        self._weights = checked_vectors(output, len(self._labels), check, name, "output", "labels")
        self._check_dim("output", self._weights)
        self._word_ngrams = integer(name, "word_ngrams", word_ngrams)
        if not 1 <= self._word_ngrams <= MOST_WORD_NGRAMS:
            raise ValueError(
                f"{name}: word_ngrams={word_ngrams} is not between 1 and {MOST_WORD_NGRAMS}"
            )
        if self._word_ngrams > 1 and rule.buckets < 1:
            raise ValueError(f"{name}: word_ngrams={word_ngrams} needs buckets, the rule has none")
        self._prefix = _checked_prefix(label_prefix, name)
        self._label_counts = None
        if label_counts is not None:
            self._label_counts = checked_counts(
                label_counts, len(self._labels), name, "label_counts"
            )
            if loss == "hs" and not self._label_counts.all():
                raise ValueError(f"{name}: label_counts: found a 0, loss='hs' needs 1 or more")
        elif loss == "hs":
            raise ValueError(f"{name}: loss='hs' needs label_counts, which its tree is made from")
        self._paths: Bags | None = None  # made when they are first needed
        self._reader = Reader(self._index, index, rule, self._word_ngrams, label_prefix, self._kept)

    # ---- what it holds --------------------------------------------------------------------------

    @property
    def output(self) -> Floats:
        """A row per label, or with a tree per inner node (labels, dim)."""
        return self._weights

    @property
    def labels(self) -> list[str]:
        """The labels with their prefix, in row order; not to be changed."""
        return self._labels

    @property
    def label_counts(self) -> Longs | None:
        """How often each label was seen (labels,), or None."""
        return self._label_counts

    @property
    def label_prefix(self) -> str:
        """What labels begin with."""
        return self._prefix

    @property
    def loss(self) -> str:
        """How scores become probabilities: ``"softmax"``, ``"ova"``, ``"hs"`` or ``"ns"``."""
        return self._loss

    @property
    def word_ngrams(self) -> int:
        """Longest word n-gram that is a part of a text."""
        return self._word_ngrams

    @property
    def word_output(self) -> None:
        """None: the rows of `output` belong to labels or nodes of their tree."""
        return

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, labels={len(self._labels)}, loss={self._loss!r})"

    def __reduce__(self) -> tuple[object, ...]:
        known = (self._keys, self._input, self._rule, self._weights, self._labels)
        settings = {
            "loss": self._loss,
            "word_ngrams": self._word_ngrams,
            "label_prefix": self._prefix,
            "counts": self._counts,
            "label_counts": self._label_counts,
            "metadata": self._metadata,
            "vectors": self._vectors,
            "kept": self._kept,
        }
        return _restored_classifier, (type(self), known, settings)

    # ---- texts ----------------------------------------------------------------------------------

    @overload
    def predict(  # type: ignore[overload-overlap]  # a str is an iterable of str, too
        self, texts: str, k: int = 1, threshold: float = 0.0
    ) -> tuple[list[str], Doubles]: ...
    @overload
    def predict(
        self, texts: Iterable[str], k: int = 1, threshold: float = 0.0
    ) -> tuple[list[list[str]], list[Doubles]]: ...
    def predict(self, texts: Any, k: int = 1, threshold: float = 0.0) -> Any:
        """Return the most probable labels of one text or of several.

        Parameters
        ----------
        texts
            One text, or an iterable of them; each is one line, split at white space.
        k
            How many labels; -1 for all.
        threshold
            Only labels that are at least so probable; the answer may then be shorter.

        Returns
        -------
        labels : list of str
            Best first; equal ones in the order of `labels`. A text of which nothing is known has
            none.
        probabilities : float64 array
            Of these labels. For several texts, both are lists with an entry for each text.
            Those of ``"ova"`` and ``"ns"`` differ from the original program's by up to 0.008: it
            reads the logistic function from a table. It also adds 1e-5 to each.

        Raises
        ------
        TypeError, ValueError
            A text that is no str or holds a newline; ``k`` is neither -1 nor positive, or
            ``threshold`` is not a number.
        FloatingPointError
            Numbers of the model are so large that a score is not finite; it names the text.

        Examples
        --------
        >>> rule = Subwords(max_n=0, buckets=0)
        >>> model = Classifier(["a", "b"], [[1], [-1]], rule, [[2], [-2]], ["x", "y"])
        >>> model.predict(["a", "b", "c"])[0]
        [['x'], ['y'], []]
        """
        name = "predict"
        single = isinstance(texts, str)
        if isinstance(texts, bytes | Mapping) or not isinstance(texts, Iterable):
            raise TypeError(f"{name}: texts is {type(texts).__name__}, expected a str or several")
        several: list[Any] = [texts] if single else list(texts)
        bags = self._reader.read(lines_of_texts(several, name))[0]
        counts, found, chances = self._best(bags, k, threshold, name)
        ends = np.cumsum(counts)[:-1]
        names = [[self._labels[i] for i in part.tolist()] for part in np.split(found, ends)]
        parts = np.split(chances, ends)
        if not several:
            return [], []
        return (names[0], parts[0]) if single else (names, parts)

    def test(
        self,
        source: object,
        k: int = 1,
        threshold: float = 0.0,
        *,
        label_prefix: str | None = None,
    ) -> Scores:
        """Predict labels of lines that have some and count how many are right.

        Parameters
        ----------
        source
            A `Corpus` with all words, or anything that `Corpus.read` takes; each line is a text
            with its labels, as ``__label__x``, anywhere in it.
        k, threshold
            As in `predict`.
        label_prefix
            What labels begin with here, those that are not known included; None: `label_prefix`,
            which files of fastText do not keep.

        Returns
        -------
        Scores

        Raises
        ------
        ValueError
            No line has a label that is known and a word of which something is known; ``k``,
            ``threshold`` or ``label_prefix`` is out of range.
        TypeError
            A source or number of another type.
        """
        name = "test"
        corpus = source if isinstance(source, Corpus) else Corpus.read(source, min_count=1)
        lines: Lines = lines_of(corpus)
        reader = self._reader
        if label_prefix is not None:
            reader = replace(reader, prefix=_checked_prefix(label_prefix, name))
        bags, gold = reader.read(lines)
        there = (np.diff(bags.offsets) > 0) & (np.diff(gold.offsets) > 0)
        examples = int(there.sum())
        if not examples:
            raise ValueError(
                f"{name}: none of the {len(there)} lines has a label that is known, such as "
                f"{self._labels[0]}, and a known word"
            )
        counts, found, _ = self._best(bags, k, threshold, name)
        line, many = np.arange(len(there)), len(self._labels)
        predicted = np.repeat(line, counts) * many + found
        predicted = predicted[np.repeat(there, counts)]
        sizes = np.diff(gold.offsets)
        wanted = (np.repeat(line, sizes) * many + gold.ids)[np.repeat(there, sizes)]
        right = predicted[np.isin(predicted, wanted)]
        hits, tries, all_of = (
            np.bincount(pairs % many, minlength=many) for pairs in (right, predicted, wanted)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            each = zip(
                (hits / tries).tolist(),
                (hits / all_of).tolist(),
                (2 * hits / (tries + all_of)).tolist(),
                all_of.tolist(),
                strict=True,
            )
        per_label = {
            label: LabelScores(*scores) for label, scores in zip(self._labels, each, strict=True)
        }
        precision = len(right) / len(predicted) if len(predicted) else float("nan")
        return Scores(examples, precision, len(right) / len(wanted), per_label)

    def _best(
        self, bags: Bags, k: int, threshold: float, name: str
    ) -> tuple[Longs, Longs, Doubles]:
        """Return how many labels each bag gets, these labels, best first, and probabilities."""
        many = len(self._labels)
        k = integer(name, "k", k)
        if k != -1 and k < 1:
            raise ValueError(f"{name}: k={k} is neither -1 (all) nor positive")
        k = many if k == -1 else min(k, many)
        if threshold is None:
            raise TypeError(f"{name}: threshold must be a number, got None")
        least = checked_threshold(threshold, name)
        counts, labels, chances = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], []
        sizes = np.diff(bags.offsets)
        if self._loss == "hs" and self._paths is None and self._label_counts is not None:
            self._paths = huffman_paths(self._label_counts)
        step = max(1, _SCORES // many)
        for begin in range(0, len(sizes), step):
            end = min(len(sizes), begin + step)
            first, last = bags.offsets[begin], bags.offsets[end]
            part = Bags(bags.offsets[begin : end + 1] - first, bags.ids[first:last])
            hidden = kernels.bag_means(self._input, part)
            with np.errstate(over="ignore", invalid="ignore"):  # looked for below
                scores = hidden @ self._weights.T
            if not np.isfinite(scores).all():
                text = begin + int(np.isfinite(scores).all(axis=1).argmin())
                why = "the model's numbers are too large for float32"
                raise FloatingPointError(f"{name}: scores of text {text} are not finite: {why}")
            all_of = probabilities(scores, self._loss, self._paths)
            order = top(all_of, k)
            best = np.take_along_axis(all_of, order, axis=1)
            stays = (best >= least) & (sizes[begin:end, None] > 0)
            counts.append(stays.sum(axis=1))
            labels.append(order[stays])
            chances.append(best[stays])
        return (
            np.concatenate(counts),
            np.concatenate(labels),
            np.concatenate([np.zeros(0), *chances]),
        )


def _checked_prefix(prefix: object, name: str) -> str:
    if not isinstance(prefix, str) or not prefix:
        raise ValueError(f"{name}: label_prefix={prefix!r} is not a text with characters")
    return prefix


def _restored_classifier(
    kind: type[Classifier], known: tuple[Any, ...], settings: dict[str, Any]
) -> Classifier:
    """Make a pickled or copied classifier again; its numbers have been looked at before."""
    return kind(*known, **settings, check=False)
