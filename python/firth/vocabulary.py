"""The words of a corpus and how often each occurs: text to ids, and ids back to words."""

import operator
from collections.abc import Iterable, Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from firth._errors import FormatError
from firth._vectors import numbered


def _bytes(word: str) -> bytes:
    return word.encode("utf-8", "surrogateescape")


def _word(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _numbers(counts: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return counts as int64, if that can hold their sum, too."""
    given = np.asarray(counts).reshape(-1)
    wide = given.dtype == object and all(isinstance(one, int) for one in given)  # beyond 64 bits
    if given.size and given.dtype.kind not in "iu" and not wide:
        raise TypeError(f"Vocabulary: counts have dtype {given.dtype}, expected integers")
    near = wide or float(np.abs(given.astype(np.float64)).sum()) >= 2**62  # else no sum wraps
    if near and sum(abs(one) for one in given.tolist()) >= 2**63:
        raise ValueError("Vocabulary: counts add up to more than 2**63 - 1")
    return given.astype(np.int64)


class Vocabulary:
    """Words with their counts, most frequent first, ties in the byte order of UTF-8.

    Parameters
    ----------
    words
        Different words, already in order; bytes that are not UTF-8 are lone surrogates
        (``surrogateescape``).
    counts
        One positive count per word.

    Raises
    ------
    ValueError
        If the words repeat or are out of order, or the counts do not fit them.

    Examples
    --------
    >>> vocabulary = Vocabulary.from_counts({"b": 2, "a": 2, "c": 3})
    >>> vocabulary.words, vocabulary.counts.tolist(), vocabulary.index["a"]
    (['c', 'a', 'b'], [3, 2, 2], 1)
    """

    words: list[str]
    counts: npt.NDArray[np.int64]

    def __init__(self, words: Iterable[str], counts: npt.ArrayLike) -> None:
        words = [_word(_bytes(word)) for word in words]
        numbers = _numbers(counts)
        if len(words) != len(numbers):
            raise ValueError(f"Vocabulary: {len(words)} words have {len(numbers)} counts")
        if len(numbers) and numbers[-1] < 1:
            raise ValueError(f"Vocabulary: count {numbers[-1]} of {words[-1]!r} is not positive")
        steps = np.flatnonzero(numbers[1:] >= numbers[:-1])
        for i in steps:
            if numbers[i + 1] > numbers[i] or _bytes(words[i + 1]) <= _bytes(words[i]):
                raise ValueError(
                    f"Vocabulary: {words[i + 1]!r} ({numbers[i + 1]}) comes after {words[i]!r} "
                    f"({numbers[i]}), expected most frequent first, ties in byte order"
                )
        numbers.flags.writeable = False
        self.__dict__.update(words=words, counts=numbers)
        if len(self.index) != len(words):
            raise ValueError("Vocabulary: a word occurs twice")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Vocabulary is frozen: {name} cannot be set")

    @classmethod
    def _trusted(cls, words: list[str], counts: npt.NDArray[np.int64]) -> "Vocabulary":
        """Take what is known to be in order, without a look."""
        new = cls.__new__(cls)
        counts.flags.writeable = False
        new.__dict__.update(words=words, counts=counts)
        return new

    @classmethod
    def from_counts(
        cls, counts: Mapping[str, int], *, min_count: int = 1, max_vocab: int | None = None
    ) -> "Vocabulary":
        """Choose and order words by their counts.

        Parameters
        ----------
        counts
            How often each word occurs; words of count 0 are left out.
        min_count
            Rarer words are left out.
        max_vocab
            At most so many words are kept, the most frequent ones; None keeps all.

        Raises
        ------
        ValueError
            If a count is negative, ``min_count`` < 1 or ``max_vocab`` < 1.
        """
        check_choice("Vocabulary.from_counts", min_count, max_vocab)
        total: dict[bytes, int] = {}  # surrogates may spell what a letter spells: one word, not two
        for word, count in counts.items():
            if operator.index(count) < 0:
                raise ValueError(f"Vocabulary.from_counts: count {count} of {word!r} is negative")
            raw = _bytes(word)
            total[raw] = total.get(raw, 0) + int(count)
        kept = sorted((-n, raw) for raw, n in total.items() if n >= min_count)[:max_vocab]
        numbers = _numbers([-n for n, _ in kept])
        return cls._trusted([_word(raw) for _, raw in kept], numbers)

    def merge(self, *others: "Vocabulary") -> "Vocabulary":
        """Add up counts: the vocabulary of all the texts together.

        Associative and commutative as long as the parts are whole (``min_count=1``); rare words
        are then left out by ``from_counts(dict(zip(v.words, v.counts)), min_count=5)``.

        Examples
        --------
        >>> a, b = Vocabulary.from_counts({"x": 1}), Vocabulary.from_counts({"x": 1, "y": 1})
        >>> a.merge(b).counts.tolist()
        [2, 1]
        """
        total: dict[str, int] = {}
        for part in (self, *others):
            for word, count in zip(part.words, part.counts.tolist(), strict=True):
                total[word] = total.get(word, 0) + count
        return Vocabulary.from_counts(total)

    @cached_property
    def index(self) -> dict[str, int]:
        """The id of each word."""
        return numbered(self.words)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.words == other.words and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Vocabulary: {len(self)} words, {int(self.counts.sum())} tokens>"

    def __reduce__(self) -> tuple[object, ...]:
        return Vocabulary, (self.words, np.array(self.counts))

    def save(self, path: str | PathLike[str]) -> None:
        """Write one line ``word<TAB>count`` per word, in order, as UTF-8.

        Raises
        ------
        ValueError
            If a word holds a newline, which ends a line here (words read from text never do).
        """
        from firth._files import atomic_file

        lines = []
        for word, count in zip(self.words, self.counts.tolist(), strict=True):
            if "\n" in word:
                raise ValueError(f"Vocabulary.save: the word {word!r} holds a newline")
            lines.append(b"%s\t%d\n" % (_bytes(word), count))
        with atomic_file(path) as file:
            file.write(b"".join(lines))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Vocabulary":
        """Read what `save` wrote.

        Raises
        ------
        FormatError
            Naming file and line where it is not that.
        """
        words: list[str] = []
        counts: list[int] = []
        seen: set[str] = set()
        last = (-(2**63), b"")
        lines = Path(path).read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            if number == len(lines):
                if line:
                    raise FormatError(
                        path, f"line {number}", "a newline at its end", "the end of the file"
                    )
                break
            raw, tab, digits = line.rpartition(b"\t")
            if not tab or not digits.isdigit() or not digits.isascii() or not 0 < len(digits) < 20:
                raise FormatError(path, f"line {number}", "word<TAB>count", repr(line[:80])[1:])
            count = int(digits)
            if not 0 < count < 2**63:
                raise FormatError(path, f"line {number}", "a count from 1 to 2**63 - 1", str(count))
            if (-count, raw) < last:
                expected = "most frequent first, ties in byte order"
                raise FormatError(path, f"line {number}", expected, repr(line[:80])[1:])
            word = _word(raw)
            if word in seen:
                raise FormatError(path, f"line {number}", "a new word", repr(word[:80]) + " again")
            seen.add(word)
            words.append(word)
            counts.append(count)
            last = (-count, raw)
        return cls._trusted(words, np.array(counts, dtype=np.int64))


def check_choice(function: str, min_count: int, max_vocab: int | None) -> None:
    """Raise unless the two numbers that choose a vocabulary make sense."""
    if operator.index(min_count) < 1:
        raise ValueError(f"{function}: min_count={min_count} is not at least 1")
    if max_vocab is not None and operator.index(max_vocab) < 1:
        raise ValueError(f"{function}: max_vocab={max_vocab} is not at least 1")
