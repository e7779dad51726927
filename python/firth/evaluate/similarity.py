"""Word similarity: do cosines rank pairs of words as people do? (WordSim-353, SimLex-999, ...)."""

import dataclasses
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from firth._errors import FormatError
from firth._reading import AnyPath
from firth.evaluate.questions import fold, lines, quoted, rows

if TYPE_CHECKING:
    from firth._backend import Doubles, Floats
    from firth.embedding import Embedding

OOV = ("skip", "zero", "make")
SEPARATORS = ("\t", ";", ":", ",", None)  # None is any run of spaces


@dataclasses.dataclass(frozen=True)
class WordPairs:
    """What `word_pairs` found.

    Attributes
    ----------
    name
        The file's name without its folder and ending, or "pairs".
    spearman, pearson
        Correlation of the cosines with the human scores: of the ranks (ties share their mean rank),
        of the values.
    found
        Pairs with both words in the embedding, or with vectors that it made of their parts.
    total
        Pairs in the file.
    oov
        What became of the other pairs: "skip" and "make" (left out of both correlations) or "zero"
        (took part with cosine 0).
    """

    name: str
    spearman: float
    pearson: float
    found: int
    total: int
    oov: Literal["skip", "zero", "make"]

    @property
    def coverage(self) -> float:
        """The share of the pairs whose words are both known."""
        return self.found / self.total

    def as_dict(self) -> dict[str, Any]:
        """Return the fields and the coverage, ready for JSON."""
        return {**dataclasses.asdict(self), "coverage": self.coverage}

    def __str__(self) -> str:
        fate = "the others counted as 0" if self.oov == "zero" else "the others left out"
        return (
            f"{self.name}: Spearman {self.spearman:.3f}, Pearson {self.pearson:.3f}, "
            f"{self.found} of {self.total} pairs known ({self.coverage:.1%}"
            + (")" if self.found == self.total else f", {fate})")
        )


def word_pairs(
    embedding: "Embedding",
    pairs: AnyPath | Iterable[tuple[str, str, float]],
    *,
    ignore_case: bool = True,
    oov: Literal["skip", "zero", "make"] = "skip",
) -> WordPairs:
    """Correlate the cosine of word pairs with scores given by people.

    Parameters
    ----------
    embedding
        The vectors to judge.
    pairs
        A file with ``word word score`` on each line, separated by tabs, spaces, colons, commas or
        semicolons (columns after the score are not read; lines that start with # are comments; a
        first line without a number for a score is a header), or an iterable of such triples.
    ignore_case
        Look words up without regard to case; of several spellings the most frequent (the first row)
        is taken.
    oov
        Pairs with a word that is out of vocabulary: "skip" leaves them out of the correlations,
        "zero" lets them take part with cosine 0, as if such words were unrelated to all others.
        "make" asks the embedding to make vectors of such words, as a `SubwordEmbedding` does, in
        lower case if case is ignored; pairs with a word of which it makes none are left out. How
        many were found is reported in any case.

    Returns
    -------
    WordPairs
        The correlations and how many pairs they rest on. A vector of zeros has cosine 0 with
        everything.

    Raises
    ------
    FormatError
        A line that is not ``word word score``, with its number, or a file without a pair.
    ValueError
        Fewer than two pairs take part, or all have one score or one cosine: no correlation exists.

    Notes
    -----
    Scores are comparable with those of gensim's ``evaluate_word_pairs``, whose ``dummy4unknown`` is
    ``oov="zero"``.

    Examples
    --------
    >>> import numpy as np
    >>> from firth import Embedding
    >>> from firth.evaluate import word_pairs
    >>> vectors = np.array([[1, 0], [0.9, 0.1], [0, 1]], dtype=np.float32)
    >>> people = [("cat", "dog", 9), ("cat", "car", 1.5), ("dog", "car", 2), ("cat", "axolotl", 5)]
    >>> print(word_pairs(Embedding(["cat", "dog", "car"], vectors), people))
    pairs: Spearman 1.000, Pearson 0.999, 3 of 4 pairs known (75.0%, the others left out)
    """
    if oov not in OOV:
        raise ValueError(f"word_pairs: oov={oov!r} is neither 'skip' nor 'zero' nor 'make'")
    if isinstance(pairs, (str, os.PathLike)):
        name, triples = Path(pairs).stem, list(read_pairs(pairs))
    else:
        name, triples = "pairs", [_checked(*triple) for triple in pairs]
        if not triples:
            raise ValueError("word_pairs: pairs holds no pair")
    row = rows(embedding.keys, ignore_case=ignore_case)
    made: list[str] = []  # unseen words, whose rows are behind those of the keys
    if oov == "make":
        for word in (word for a, b, _ in triples for word in (a, b)):
            spelled, at = word.lower() if ignore_case else word, fold(word, ignore_case)
            if at not in row and embedding.has_vector(spelled):
                row[at] = len(embedding.keys) + len(made)
                made.append(spelled)
    left, right, gold = [], [], []
    unknown = []
    for a, b, score in triples:
        i, j = row.get(fold(a, ignore_case)), row.get(fold(b, ignore_case))
        if i is None or j is None:
            unknown.append(score)
        else:
            left.append(i)
            right.append(j)
            gold.append(score)
    cosines = cosines_of(*(_gathered(embedding, at, made) for at in (left, right)))
    found = len(gold)
    if oov == "zero":
        gold += unknown
        cosines = np.concatenate([cosines, np.zeros(len(unknown))])
    people = np.array(gold, dtype=np.float64)
    for what, values in (("score", people), ("cosine", cosines)):
        if len(values) < 2 or (values == values[0]).all():
            raise ValueError(
                f"word_pairs: {name}: {found} of {len(triples)} pairs have both words in the "
                f"embedding and {len(values)} take part; a correlation needs two that differ in "
                f"their {what}"
            )
    return WordPairs(
        name=name,
        spearman=_pearson(_ranks(people), _ranks(cosines)),
        pearson=_pearson(people, cosines),
        found=found,
        total=len(triples),
        oov=oov,
    )


def read_pairs(path: AnyPath) -> Iterator[tuple[str, str, float]]:
    """Yield (word, word, score) from a file; `word_pairs` says what such a file looks like."""
    line, empty, first = 0, True, True
    for line, text in lines(path):
        fields = _fields(text)
        try:
            score = float(fields[2])
        except (IndexError, ValueError):
            if first and len(fields) >= 3 and not any(c.isdigit() for c in fields[2]):
                first = False  # a header
                continue
            raise FormatError(
                path, f"line {line}", "a word, a word and a score", quoted(text)
            ) from None
        if not (math.isfinite(score) and fields[0] and fields[1]):
            raise FormatError(path, f"line {line}", "two words and a finite score", quoted(text))
        first = empty = False
        yield fields[0], fields[1], score
    if empty:
        raise FormatError(
            path, f"line {line + 1}", "a word, a word and a score", "the end of the file"
        )


def _fields(text: str) -> list[str]:
    """Split by the first separator that gives three columns."""
    for separator in SEPARATORS:
        fields = [field.strip() for field in text.split(separator)]
        if len(fields) >= 3:
            return fields
    return text.split()


def _checked(a: str, b: str, score: float) -> tuple[str, str, float]:
    score = float(score)
    if not math.isfinite(score):
        raise ValueError(f"word_pairs: score={score} of {a!r} and {b!r} is not finite")
    return a, b, score


def _gathered(embedding: "Embedding", at: list[int], made: list[str]) -> "Floats":
    """Return the vectors of rows; those behind the last one are those of unseen words."""
    if not made:
        return embedding.vectors[at]
    places, several = np.array(at, np.int64), embedding[made]
    unseen = places - len(embedding.keys)
    vectors = several[np.maximum(unseen, 0)]
    vectors[unseen < 0] = embedding.vectors[places[unseen < 0]]
    return vectors


def cosines_of(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> "Doubles":
    """Cosine of each row of `a` with the same row of `b`, (n,) float64."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    dots: Doubles = (a * b).sum(axis=1)
    cosines: Doubles = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
    return cosines


def _ranks(values: "Doubles") -> "Doubles":
    """Ranks from 1; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Doubles = (ends - (counts - 1) / 2)[place]
    return shared


def _pearson(x: "Doubles", y: "Doubles") -> float:
    x, y = (
        x / abs(x).max(),
        y / abs(y).max(),
    )  # the squares of very large or small values would be lost
    x, y = x - x.mean(), y - y.mean()
    return min(1.0, max(-1.0, float((x @ y) / np.sqrt((x @ x) * (y @ y)))))
