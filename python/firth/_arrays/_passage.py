"""The first half of negative_sampling: a stretch of the corpus becomes tiles of kept tokens.

Everything is drawn by position, so a passage is the same whoever reads it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from firth._random import STREAM_NEGATIVE, STREAM_POSITION, draw_pairs

STRETCH = 1 << 20  # tokens that are read together, and negatives that are drawn together
_LANES = 32  # centres of a tile: in a wider band of company most would be company of others


class Stop(Exception):  # noqa: N818 - never seen outside
    """An id that is no word, or a number that is not finite; and the token where that was."""

    def __init__(self, unknown: int = -1, blown_up: int = -1) -> None:
        self.unknown, self.blown_up = unknown, blown_up


@dataclass(frozen=True)
class Corpus:
    """What is read, and by which draws; the fields are arguments of ``negative_sampling``."""

    xp: Any
    ids: Any
    sources: Any
    offsets: Any
    keep: Any
    noise: Any
    window: int
    block: int
    shared: int
    piece: int
    seed: int
    epoch: int

    @property
    def lanes(self) -> int:
        """Centres of a tile; a block is one tile or several."""
        tiles = -(-self.block // _LANES)
        return min(-(-self.block // tiles), self.piece)

    def kept(self, begin: int, end: int) -> tuple[Any, Any]:
        """Return which of some tokens subsampling keeps, and how far the company of each reaches.

        Both (kept,) int64.
        """
        xp, ids = self.xp, self.ids[begin:end]
        if int(ids.max()) >= len(self.keep):
            raise Stop(unknown=begin + int(xp.argmax(ids >= len(self.keep))))
        at = xp.arange(begin, end, dtype=xp.uint64)
        chance, size = draw_pairs(xp, self.seed, STREAM_POSITION, self.epoch, at)
        stays = chance <= self.keep[ids]
        reach = 1 + (size[stays] * xp.uint64(self.window) >> xp.uint64(32)).astype(xp.int64)
        return at[stays].astype(xp.int64), reach

    def beside(self, at: int, end: int) -> list[tuple[Any, Any]]:
        """Return the kept tokens next to a place, nearest first, until they are ``window``.

        They lie before the place if ``end``, where the sentence does, is before it.
        """
        found: list[tuple[Any, Any]] = []
        tokens, step = 0, 2 * self.window
        while at != end and tokens < self.window:
            stop = max(end, at - step) if end < at else min(end, at + step)
            found.append(self.kept(min(at, stop), max(at, stop)))
            tokens += len(found[-1][0])
            at, step = stop, min(2 * step, STRETCH)
        return found

    def negatives(self, bases: Any) -> Any:
        """Return (tiles, shared) words, for tiles whose draws begin at these numbers."""
        xp = self.xp
        numbers = bases[:, None] + xp.arange(self.shared, dtype=xp.uint64)
        first, second = draw_pairs(xp, self.seed, STREAM_NEGATIVE, self.epoch, numbers)
        column = (first * xp.uint64(len(self.noise)) >> xp.uint64(32)).astype(xp.int64)
        alias = self.noise[column, 1].astype(xp.int64)
        return xp.where(second <= self.noise[column, 0], column, alias)


class Passage:
    """The kept tokens of a stretch, in tiles: up to 32 centres of one block.

    Attributes
    ----------
    at, words, inputs
        (kept,) int64 positions, words and what pairs begin with: the words, or sources. With
        windows up to ``window`` more tokens on either side, or a little more than that.
    left, right
        (kept,) int64 how many tokens on either side are company.
    kept
        How many centres there are.
    first, count
        (tiles,) int64 the first centre of each tile, as an index of the kept, and their number.
    begins
        (tiles,) int64 the first token of each one's piece.
    """

    def __init__(self, corpus: Corpus, begin: int, end: int) -> None:
        xp, offsets = corpus.xp, corpus.offsets
        before, after = [], []
        if not len(corpus.sources):
            edges = xp.searchsorted(offsets, xp.asarray([begin, end - 1]), side="right")
            sentence = int(offsets[edges[0] - 1]), int(offsets[edges[1]])
            before = corpus.beside(begin, sentence[0])
            after = corpus.beside(end, sentence[1])
        middle = corpus.kept(begin, end)
        at, reach = (xp.concatenate(c) for c in zip(*before[::-1], middle, *after, strict=True))
        self.corpus, self.at, self.kept = corpus, at, len(middle[0])
        self.words = corpus.ids[at].astype(xp.int64)
        if len(corpus.sources):
            self.inputs = corpus.sources[at].astype(xp.int64)
        else:
            self.inputs = self.words
            sentence_of = xp.searchsorted(offsets, at, side="right")
            begins = xp.searchsorted(at, offsets[sentence_of - 1])
            ends = xp.searchsorted(at, offsets[sentence_of])
            index = xp.arange(len(at))
            self.left = xp.minimum(reach, index - begins)
            self.right = xp.minimum(reach, ends - 1 - index)
        self._cut(sum(len(part[0]) for part in before))
        self._drawn = (0, 0, xp.zeros((0, corpus.shared), xp.int64))

    def _cut(self, skipped: int) -> None:
        corpus, xp = self.corpus, self.corpus.xp
        pieces = self.at[skipped : skipped + self.kept] // corpus.piece
        place = xp.arange(self.kept) - xp.searchsorted(pieces, pieces)  # in the piece
        first = xp.flatnonzero(place % corpus.block % corpus.lanes == 0)
        self.first = first + skipped
        self.count = xp.diff(xp.concatenate([first, xp.asarray([self.kept])]))
        self.begins = pieces[first] * corpus.piece
        block = place[first] // corpus.block
        bases = (self.begins + block * corpus.block) * corpus.shared
        self.bases = bases.astype(xp.uint64)

    def rounds(self, begin: int, end: int, size: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield the tokens [first, last) of each round of the stretch, and the tiles of it."""
        edges = [*range(begin, end, size), end]
        tiles = self.corpus.xp.searchsorted(self.begins, self.corpus.xp.asarray(edges)).tolist()
        yield from zip(edges, edges[1:], tiles, tiles[1:], strict=False)

    def negatives(self, first: int, last: int) -> Any:
        """Return (tiles, shared) the negatives of the tiles [first, last); drawn many at a time."""
        begin, end, drawn = self._drawn
        if not begin <= first <= last <= end:
            begin, end = (
                first,
                min(len(self.bases), max(last, first + STRETCH // self.corpus.shared)),
            )
            drawn = self.corpus.negatives(self.bases[begin:end])
            self._drawn = begin, end, drawn
        return drawn[first - begin : last - begin]
