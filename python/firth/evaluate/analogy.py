"""Word analogies: a is to b as c is to what? A file's questions are answered in large blocks."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from firth import kernels
from firth._errors import FormatError
from firth._reading import AnyPath
from firth._vectors import EPSILON
from firth.evaluate.questions import fold, lines, quoted, rows

if TYPE_CHECKING:
    from firth._backend import Floats, Longs
    from firth.embedding import Embedding

Question = tuple[str, str, str, str]
BLOCK = 4096  # questions per call of topk, which holds no scores
SCORES = 1 << 23  # how many scores of 3CosMul are held at once


@dataclasses.dataclass(frozen=True)
class Section:
    """The answers to one kind of question.

    Attributes
    ----------
    name
        As in the file.
    correct
        Questions answered rightly.
    total
        Questions answered.
    skipped
        Questions left out, because one of their four words is out of vocabulary.
    """

    name: str
    correct: int
    total: int
    skipped: int

    @property
    def accuracy(self) -> float:
        """The share of right answers; 0 where nothing was answered."""
        return self.correct / self.total if self.total else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields and the accuracy, ready for JSON."""
        return {**dataclasses.asdict(self), "accuracy": self.accuracy}


@dataclasses.dataclass(frozen=True)
class Analogies:
    """What `analogies` found.

    Attributes
    ----------
    name
        The file's name without its folder and ending, or "analogies".
    sections
        One result for each section, in the order of the file.
    method, k, restrict
        As they were asked for; `restrict` is the number of rows really searched.
    """

    name: str
    sections: tuple[Section, ...]
    method: Literal["add", "mul"]
    k: int
    restrict: int

    @property
    def correct(self) -> int:
        """Questions answered rightly, in all sections."""
        return sum(section.correct for section in self.sections)

    @property
    def total(self) -> int:
        """Questions answered, in all sections."""
        return sum(section.total for section in self.sections)

    @property
    def skipped(self) -> int:
        """Questions left out for an unknown word, in all sections."""
        return sum(section.skipped for section in self.sections)

    @property
    def accuracy(self) -> float:
        """Right answers among all questions answered; 0 where nothing was answered."""
        return self.correct / self.total if self.total else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the totals and the sections, ready for JSON."""
        return {
            "name": self.name,
            "accuracy": self.accuracy,
            "correct": self.correct,
            "total": self.total,
            "skipped": self.skipped,
            "method": self.method,
            "k": self.k,
            "restrict": self.restrict,
            "sections": [section.as_dict() for section in self.sections],
        }

    def __str__(self) -> str:
        width = max(len(name) for name in (self.name, *(s.name for s in self.sections))) + 2
        parts = [Section(f"  {s.name}", s.correct, s.total, s.skipped) for s in self.sections]
        parts.append(Section(self.name, self.correct, self.total, self.skipped))
        return "\n".join(
            f"{part.name:<{width}} {part.accuracy:5.3f} {part.correct:6} of {part.total:5}, "
            f"{part.skipped} unknown"
            for part in parts
        )


def analogies(
    embedding: "Embedding",
    questions: AnyPath | Iterable[Question],
    *,
    restrict: int | None = 30_000,
    method: Literal["add", "mul"] = "add",
    k: int = 1,
    ignore_case: bool = True,
    threads: int | None = None,
) -> Analogies:
    """Answer analogy questions, *a is to b as c is to d*, and count how often d is found.

    Parameters
    ----------
    embedding
        The vectors to judge; words most frequent first.
    questions
        A file in the form of Google's questions-words.txt (lines of four words, and ``: name``
        where a section starts; lines that start with # are comments), or an iterable of (a, b, c,
        d).
    restrict
        Only the first `restrict` rows are known and searched; None takes all.
    method
        "add" ranks by cos(d, b - a + c) over vectors of length one (Mikolov et al. 2013, 3CosAdd),
        "mul" by cos(d, b) cos(d, c) / (cos(d, a) + 0.001) with cosines shifted to 0..1 (Levy and
        Goldberg 2014, 3CosMul).
    k
        An answer is right if d is among the first k.
    ignore_case
        Take words that differ by case only for one word, whose vector is that of its most frequent
        spelling.
    threads
        For the search; None takes all.

    Returns
    -------
    Analogies
        Totals and one entry per section. The three words of a question, in any case if
        `ignore_case`, are never its answer; a question with an unknown word among its four is left
        out and counted as skipped. Of equal scores the more frequent word is taken.

    Raises
    ------
    FormatError
        A line that is neither four words nor ``: name``, with its number, or a file without a
        question.
    ValueError
        `restrict`, `k` or `method` out of range.

    Notes
    -----
    Counts are comparable with gensim's ``evaluate_word_analogies(..., restrict_vocab=restrict)``.

    Examples
    --------
    >>> import numpy as np
    >>> from firth import Embedding
    >>> from firth.evaluate import analogies
    >>> vectors = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    >>> royal = Embedding(["king", "queen", "man", "woman"], vectors)
    >>> asked = [("man", "king", "woman", "queen"), ("man", "king", "boy", "prince")]
    >>> result = analogies(royal, asked)
    >>> result.correct, result.total, result.skipped
    (1, 1, 1)
    """
    if method not in ("add", "mul"):
        raise ValueError(f"analogies: method={method!r} is neither 'add' nor 'mul'")
    if restrict is not None and restrict < 1:
        raise ValueError(f"analogies: restrict={restrict} is not at least 1")
    known = len(embedding.keys) if restrict is None else min(restrict, len(embedding.keys))
    if not 1 <= k <= max(known, 1):
        raise ValueError(f"analogies: k={k} is not between 1 and the {known} words searched")
    if isinstance(questions, (str, os.PathLike)):
        name, sections = Path(questions).stem, read_analogies(questions)
    else:
        name, sections = "analogies", {"questions": [(a, b, c, d) for a, b, c, d in questions]}
        if not sections["questions"]:
            raise ValueError("analogies: questions holds no question")
    row = rows(embedding.keys, ignore_case=ignore_case, limit=known)
    asked: list[tuple[int, ...]] = []
    section_of: list[int] = []
    for number, group in enumerate(sections.values()):
        for words in group:
            ids = [row.get(fold(word, ignore_case), -1) for word in words]
            if min(ids) >= 0:
                asked.append(tuple(ids))
                section_of.append(number)
    # The word each row stands for: itself, or the most frequent spelling of the same word.
    word_of = np.array([row[fold(key, ignore_case)] for key in embedding.keys[:known]], np.int64)
    quads = np.array(asked, dtype=np.int64).reshape(-1, 4)
    right = _answered(
        embedding.vectors[:known], quads, word_of, method=method, k=k, threads=threads
    )
    place = np.array(section_of, dtype=np.int64)
    total = np.bincount(place, minlength=len(sections))
    correct = np.bincount(place[right], minlength=len(sections))
    return Analogies(
        name=name,
        sections=tuple(
            Section(title, int(correct[i]), int(total[i]), len(group) - int(total[i]))
            for i, (title, group) in enumerate(sections.items())
        ),
        method=method,
        k=k,
        restrict=known,
    )


def read_analogies(path: AnyPath) -> dict[str, list[Question]]:
    """Return the questions of each section; those before any ``: name`` are under "questions"."""
    sections: dict[str, list[Question]] = {}
    name, line, empty = "questions", 0, True
    for line, text in lines(path):
        if text.startswith(":"):
            name = text[1:].strip()
            sections.setdefault(name, [])
            continue
        words = text.split()
        if len(words) != 4:
            raise FormatError(path, f"line {line}", "four words or ': section'", quoted(text))
        sections.setdefault(name, []).append((words[0], words[1], words[2], words[3]))
        empty = False
    if empty:
        raise FormatError(
            path, f"line {line + 1}", "four words or ': section'", "the end of the file"
        )
    return sections


def _answered(
    vectors: "Floats",
    quads: "Longs",
    word_of: "Longs",
    *,
    method: str,
    k: int,
    threads: int | None,
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each question (a, b, c, d) is answered rightly, (q,) bool."""
    right = np.zeros(len(quads), dtype=np.bool_)
    units = _units(vectors) if method == "mul" else vectors
    block = BLOCK if method == "add" else max(1, SCORES // max(1, len(vectors)))
    for start in range(0, len(quads), block):
        part = quads[start : start + block]
        own = _spellings(word_of, part[:, :3])
        if method == "add":
            # A threshold that all reach: where fewer than k are left, the answer is shorter.
            found, _ = kernels.topk(
                _sums(vectors, part), vectors, k, exclude=own, threshold=-np.inf, threads=threads
            )
        else:
            found = _best(_products(units, part), k, own)
        words = np.where(found >= 0, word_of[found], -1)
        right[start : start + block] = (words == part[:, 3:]).any(axis=1)
    return right


def _spellings(word_of: "Longs", words: "Longs") -> "Longs":
    """All rows that stand for each question's words, (q, m), -1 where there are fewer than m."""
    order = np.argsort(word_of, kind="stable")
    first = np.searchsorted(word_of, words, sorter=order)
    many = np.bincount(word_of)[words]
    place = np.arange(many.max())
    rows = order[np.minimum(first[:, :, None] + place, len(order) - 1)]
    spelled: Longs = np.where(place < many[:, :, None], rows, -1).reshape(len(words), -1)
    return spelled


def _units(vectors: "Floats") -> "Floats":
    """Return the rows at length one, float32; rows of zeros stay."""
    doubles = vectors.astype(np.float64)
    lengths = np.sqrt((doubles * doubles).sum(axis=1, keepdims=True))
    np.divide(doubles, lengths, out=doubles, where=lengths > 0)
    return doubles.astype(np.float32)


def _sums(vectors: "Floats", part: "Longs") -> "Floats":
    """3CosAdd's queries b - a + c, (q, dim)."""
    a, b, c = (_units(vectors[part[:, column]]) for column in range(3))
    queries: Floats = b - a + c
    return queries


def _products(units: "Floats", part: "Longs") -> "Floats":
    """3CosMul's scores of all rows, which are of length one, (q, rows)."""
    words, place = np.unique(part[:, :3], return_inverse=True)  # a word is in many questions
    near = units[words] @ units.T
    near += 1
    near /= 2
    a, b, c = place.reshape(-1, 3).T
    scores: Floats = near[b]
    scores *= near[c]
    near += np.float32(EPSILON)
    scores /= near[a]
    return scores


def _best(scores: "Floats", k: int, exclude: "Longs") -> "Longs":
    """Columns of the k highest scores of each row, but for `exclude`; -1 where no more are left.

    Of equal ones the lower comes first. Eats `scores`.
    """
    at, number = np.nonzero(exclude >= 0)
    scores[at, exclude[at, number]] = -np.inf
    found = np.empty((len(scores), k), dtype=np.int64)
    for place in range(k):
        best = scores.argmax(axis=1)[:, None]
        left = np.take_along_axis(scores, best, axis=1) > -np.inf
        found[:, place] = np.where(left, best, -1)[:, 0]
        np.put_along_axis(scores, best, -np.inf, axis=1)
    return found
