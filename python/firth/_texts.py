"""Lines of text -> bags of rows and labels, for training and prediction alike.

A line is a text that is classified. It ends with the token ``</s>``, is split at white space, and
tokens that begin with the label prefix are its labels. Its bag holds what its other tokens are made
of (`Subwords`), then the rows of its word n-grams, which are hashed: with the 32-bit FNV-1a hashes
h of the tokens, sign-extended, an n-gram is the fold of ``h * 116049371 + next`` in 64 bits, modulo
buckets. All of it as in the program fastText, whose models must be read. Nothing here takes a step
of Python for each token: what is known of a token is known of its type.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from firth._backend import Ids, Longs
from firth._pieces import together
from firth._sorting import stable_order
from firth.corpus import Corpus
from firth.kernels._subwords import Bags
from firth.kernels._words import encoded
from firth.subwords import Subwords, with_own_rows

END = "</s>"
_FOLD = np.uint64(116049371)
_BASIS, _PRIME = 2166136261, 16777619
_TOKENS = 1 << 18  # worked on together: they stay in cache, and Ctrl-C is answered after them
_LONG = 64  # bytes of a token that are hashed side by side with those of others


class Lines(NamedTuple):
    """Line i is the tokens ``ids[offsets[i]:offsets[i + 1]]``, the last of which is ``</s>``."""

    types: list[str]
    ids: Ids
    offsets: Longs


def lines_of(corpus: Corpus) -> Lines:
    """Return the sentences of a corpus as lines; a token ``</s>`` in a sentence ends one, too."""
    types = list(corpus.vocabulary.words)
    end = corpus.vocabulary.index.get(END, len(types))
    if end == len(types):
        types.append(END)
    offsets = corpus.offsets
    ids = np.empty(len(corpus.ids) + len(offsets) - 1, np.uint32)
    ends = [np.zeros(1, np.int64)]
    for begin, last in _cut(offsets):
        inner = offsets[begin : last + 1]
        part = corpus.ids[inner[0] : inner[-1]]
        part = np.insert(part, inner[1:] - inner[0], np.uint32(end))
        at = int(inner[0]) + begin
        ids[at : at + len(part)] = part
        ends.append(np.flatnonzero(part == end) + (at + 1))
    return Lines(types, ids, together(ends, np.int64))


def lines_of_texts(texts: Sequence[str], name: str) -> Lines:
    """Return a line for each text; what comes after a token ``</s>`` is not read.

    Raises
    ------
    ValueError
        A text with a newline in it.
    """
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name}: text {number} is {type(text).__name__}, expected a str")
        if "\n" in text:
            raise ValueError(
                f"{name}: text {number} holds a newline, expected one line: split it, or replace "
                "newlines by spaces"
            )
    if not texts:
        return Lines([], np.zeros(0, np.uint32), np.zeros(1, np.int64))
    corpus = Corpus.read([f"{text} {END}" for text in texts], min_count=1)
    types, end = corpus.vocabulary.words, corpus.vocabulary.index[END]
    ends = np.flatnonzero(corpus.ids == end)
    first = ends[np.searchsorted(ends, corpus.offsets[:-1])] + 1
    sizes = first - corpus.offsets[:-1]
    return Lines(list(types), *_taken(corpus.ids, corpus.offsets[:-1], sizes))


def token_hashes(tokens: Sequence[str]) -> npt.NDArray[np.uint32]:
    """Return the 32-bit FNV-1a hashes of whole tokens; bytes count as signed."""
    blobs = [encoded(token) for token in tokens]
    sizes = np.fromiter(map(len, blobs), np.int64, len(blobs))
    begins = np.cumsum(sizes) - sizes
    signed = np.frombuffer(b"".join(blobs), np.int8).astype(np.int32).view(np.uint32)
    hashes = np.full(len(blobs), _BASIS, np.uint32)
    order = stable_order(-sizes)
    falling = -sizes[order]
    for at in range(min(_LONG, -int(falling.min(initial=0)))):
        longer = order[: int(np.searchsorted(falling, -at))]
        hashes[longer] = (hashes[longer] ^ signed[begins[longer] + at]) * np.uint32(_PRIME)
    for token in np.flatnonzero(sizes > _LONG).tolist():
        value = int(hashes[token])
        for byte in signed[begins[token] + _LONG : begins[token] + sizes[token]].tolist():
            value = (value ^ byte) * _PRIME & 0xFFFFFFFF
        hashes[token] = value
    return hashes


@dataclass(frozen=True)
class Reader:
    """How lines become bags and labels.

    Parameters
    ----------
    words, labels
        The number of each known word and label.
    rule
        What words are made of; its buckets are those of word n-grams, too.
    word_ngrams
        Longest word n-gram; 1: none.
    prefix
        What labels begin with.
    kept
        Of pruned models, as `firth.SubwordEmbedding` has it.
    """

    words: dict[str, int]
    labels: dict[str, int]
    rule: Subwords
    word_ngrams: int
    prefix: str
    kept: npt.NDArray[np.int32] | None = None

    def read(self, lines: Lines) -> tuple[Bags, Bags]:
        """Return of each line the rows of the table that it is made of, and its known labels."""
        types = lines.types
        number = np.fromiter((self.words.get(one, -1) for one in types), np.int64, len(types))
        label = np.fromiter((self.labels.get(one, -1) for one in types), np.int64, len(types))
        marked = np.fromiter((one.startswith(self.prefix) for one in types), np.bool_, len(types))
        is_word = (number >= 0) | ((label < 0) & ~marked)
        own = len(self.words) if self.rule.words_have_rows else 0
        parts = self.rule.bags(types, first_row=own, kept=self.kept)
        if own:
            parts = with_own_rows(parts, number)
        ngrams = self.word_ngrams > 1 and (self.kept is None or bool((self.kept >= 0).any()))
        hashes = token_hashes(types).view(np.int32).astype(np.int64) if ngrams else None
        bags, labels = [], []
        for begin, end in _cut(lines.offsets):
            offsets = lines.offsets[begin : end + 1]
            ids = lines.ids[offsets[0] : offsets[-1]]
            offsets = offsets - offsets[0]
            words = _only(ids, offsets, is_word[ids])
            bags.append(self._bags(words, parts, own, hashes))
            found = _only(ids, offsets, label[ids] >= 0)
            labels.append(Bags(found.offsets, label[found.ids].astype(np.uint32)))
        return _joined(bags), _joined(labels)

    def _bags(self, words: Bags, parts: Bags, own: int, hashes: Longs | None) -> Bags:
        """Return the rows of lines whose words are given as types."""
        sizes = parts.offsets[words.ids + 1] - parts.offsets[words.ids]
        own_rows, ends = _taken(parts.ids, parts.offsets[words.ids], sizes)
        rows = [own_rows]
        counts = [np.diff(ends[words.offsets])]
        if hashes is not None:
            line = np.repeat(np.arange(len(words.offsets) - 1), np.diff(words.offsets))
            single = hashes[words.ids].view(np.uint64)
            fold = single
            for n in range(2, self.word_ngrams + 1):
                if len(single) < n:
                    break
                fold = fold[:-1] * _FOLD + single[n - 1 :]
                of = line[: len(fold)]
                inside = of == line[n - 1 :]
                if not inside.any():
                    break
                of = of[inside]
                found = (fold[inside] % np.uint64(self.rule.buckets)).astype(np.int64)
                if self.kept is not None:
                    found = self.kept[found].astype(np.int64)
                    of, found = of[found >= 0], found[found >= 0]
                rows.append((found + own).astype(np.uint32))
                counts.append(np.bincount(of, minlength=len(words.offsets) - 1))
        if len(rows) == 1:
            return Bags(ends[words.offsets], rows[0])
        total = np.sum(counts, axis=0)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(total)])
        ids, place = np.empty(int(offsets[-1]), np.uint32), offsets[:-1]
        for part, count in zip(rows, counts, strict=True):
            ids[_runs(place, count)] = part
            place = place + count
        return Bags(offsets, ids)


def bags_at(bags: Bags, there: npt.NDArray[np.bool_]) -> Bags:
    """Return the bags that a mask (bags,) chooses."""
    if there.all():
        return bags
    ids, offsets = _taken(bags.ids, bags.offsets[:-1][there], np.diff(bags.offsets)[there])
    return Bags(offsets, ids)


def number_reached(bags: Bags, own: int, rows: int) -> Longs:
    """Give rows in bags new numbers, in place: of words and those reached; return which."""
    reached = np.zeros(rows, np.bool_)
    reached[:own] = True
    parts = [bags.ids[at : at + _TOKENS] for at in range(0, len(bags.ids), _TOKENS)]
    for ids in parts:
        reached[ids] = True
    if not reached.all():
        place = np.cumsum(reached, dtype=np.uint32) - 1
        for ids in parts:
            ids[:] = place[ids]
    return np.flatnonzero(reached)


def _taken(source: Ids, begins: Longs, sizes: Longs) -> tuple[Ids, Longs]:
    """Return what runs of an array hold, one run after the other, and where each begins."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    found = np.empty(int(offsets[-1]), np.uint32)
    for first, last in _cut(offsets):
        runs = _runs(begins[first:last], sizes[first:last])
        found[offsets[first] : offsets[last]] = source[runs]
    return found, offsets


def _runs(begins: Longs, sizes: Longs) -> Longs:
    """Return begin, begin + 1, ... of each run, one run after the other."""
    shift = begins - (np.cumsum(sizes) - sizes)
    runs: Longs = np.arange(int(sizes.sum())) + np.repeat(shift, sizes)
    return runs


def _only(ids: Ids, offsets: Longs, there: npt.NDArray[np.bool_]) -> Bags:
    """Return what is there of each line."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(there)])
    return Bags(before[offsets], ids[there])


def _cut(offsets: Longs) -> list[tuple[int, int]]:
    """Return ranges of lines with about so many tokens each."""
    marks = np.arange(_TOKENS, int(offsets[-1]), _TOKENS)
    ends = np.unique([0, *np.searchsorted(offsets, marks), len(offsets) - 1]).tolist()
    return list(pairwise(ends))


def _joined(bags: list[Bags]) -> Bags:
    sizes = [np.zeros(1, np.int64), *(np.diff(bag.offsets) for bag in bags)]
    offsets = np.cumsum(np.concatenate(sizes))
    return Bags(offsets, together([bag.ids for bag in bags], np.uint32))
