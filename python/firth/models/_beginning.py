"""What stands before the first epoch: arguments, corpus, rows to go on from, shares of steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from firth._backend import Doubles, Floats
from firth._random import initial_rows
from firth.corpus import Corpus
from firth.embedding import Embedding
from firth.kernels._subwords import Bags

Callback = Callable[[int, int, float, float], object]


class Tables(NamedTuple):
    """What is trained: rows of words, or rows that words are made of, and what predicts words.

    Attributes
    ----------
    input, output
        (rows, dim) and (words, dim), trained in place.
    bags
        Of each word its rows of the input; None where word w is row w.
    whole, places
        The table that the rows of the input are taken from, (all rows, dim), and where they stand
        in it; None where they are all.
    """

    input: Floats
    output: Floats
    bags: Bags | None = None
    whole: Any = None
    places: Any = None


_WORDS = 1 << 14  # looked at together, so that it needs little memory


def check_arguments(
    model: str, dim: int, start: Embedding | None, callback: Callback | None
) -> None:
    """Say what is wrong with what ``fit`` was given, before a long text is read for nothing."""
    if start is not None and not isinstance(start, Embedding):
        raise TypeError(f"{model}: start is {type(start).__name__}, expected an Embedding")
    if start is not None and start.dim != dim:
        raise ValueError(f"{model}: start has dim {start.dim}, expected {dim}")
    if callback is not None and not callable(callback):
        raise TypeError(f"{model}: callback={callback!r} cannot be called")


def corpus_of(model: Any, source: object, progress: bool | None) -> Corpus:
    """Return the corpus that ``fit`` was given, or read it with the model's choice of words."""
    if not isinstance(source, Corpus):
        source = Corpus.read(
            source,
            min_count=model.min_count,
            max_vocab=model.max_vocab,
            threads=model.threads,
            progress=progress,
        )
    if len(source.ids) == 0:
        raise ValueError(f"{type(model).__name__}: the corpus has no tokens")
    return source


def copy_rows(
    table: Floats, keys: list[str], earlier: Embedding, rows: Floats, share: float = 1.0
) -> None:
    """Put a share of the rows that an earlier embedding has for some of the keys into a table."""
    index = earlier.index
    known = [(row, index[key]) for row, key in enumerate(keys) if key in index]
    for first in range(0, len(known), _WORDS):
        to, where = np.array(known[first : first + _WORDS]).T
        table[to] = rows[where] * np.float32(share)


def grown_rows(
    tables: Tables | None, rows: int, words: int, seed: int, dim: int
) -> tuple[Floats, Floats]:
    """Return input and output with so many rows, earlier ones copied, new ones random and zero."""
    first = 0 if tables is None else len(tables.input)
    input = initial_rows(seed, first, rows, dim)
    output = np.zeros((words - (0 if tables is None else len(tables.output)), dim), np.float32)
    if tables is not None:
        return np.concatenate([tables.input, input]), np.concatenate([tables.output, output])
    return input, output


def greatest_share(shares: Doubles, bags: Bags) -> float:
    """Return how much of all tokens' steps the word takes that takes most, given each word's share.

    Each row of a bag takes the whole step of its word, and a word is the mean of its rows. So a
    word takes of another's steps what the rows that both have, each as often as the other has it,
    are of its own rows; without shared rows this is the share of the most frequent word.
    """
    offsets, ids = bags
    taken = np.zeros(int(ids.max(initial=0)) + 1)  # by each row
    spans = [(first, min(first + _WORDS, len(shares))) for first in range(0, len(shares), _WORDS)]
    for first, last in spans:
        rows = ids[offsets[first] : offsets[last]]
        np.add.at(taken, rows, np.repeat(shares[first:last], np.diff(offsets[first : last + 1])))
    most = 0.0
    for first, last in spans:
        total = np.concatenate([[0.0], np.cumsum(taken[ids[offsets[first] : offsets[last]]])])
        ends = offsets[first : last + 1] - offsets[first]
        means = np.diff(total[ends]) / np.maximum(np.diff(ends), 1)
        most = max(most, float(means.max()))
    return most
