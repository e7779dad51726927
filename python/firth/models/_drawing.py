"""Edges drawn by weight, a chunk at a time: what LINE learns from."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from firth._backend import Doubles, Ids, Longs
from firth._random import STREAM_SHUFFLE, random_words
from firth.models._course import Chunk

_CHUNK = 1 << 20  # edges that are in memory at a time
_STEP = 1 << 16  # and that are looked for at a time: Ctrl-C is answered between


@dataclass(frozen=True)
class Drawing:
    """Edges drawn in proportion to their weights, numbered over all epochs."""

    model: Any
    indptr: Longs
    indices: Ids
    ends: Doubles | None  # what the weights of the edges add up to; None where all are alike
    degrees: Doubles
    xp: Any = np

    unit = "edges"

    @classmethod
    def of(cls, model: Any, graph: Any) -> "Drawing":
        """Return the edges of a graph that a model draws."""
        csr, ends = graph.csr, None
        degrees = np.diff(csr.indptr).astype(np.float64)
        if model.weighted and graph.weighted:
            ends = np.cumsum(csr.data, dtype=np.float64)
            before = np.concatenate([[0.0], ends])[csr.indptr]
            degrees = np.diff(before)
        if graph.directed:  # noise is what edges lead to
            degrees = np.bincount(csr.indices, csr.data if ends is not None else None, len(graph))
        return cls(model, csr.indptr, csr.indices.view(np.uint32), ends, degrees)

    @property
    def each(self) -> int:
        """Edges of an epoch."""
        return int(self.model.samples) * (len(self.indptr) - 1)

    @property
    def step(self) -> int:
        """Edges of a chunk."""
        return _CHUNK

    @property
    def nbytes(self) -> int:
        """Bytes of a chunk, about; edges are drawn on the host."""
        return 32 * _CHUNK

    def moved(self, xp: Any) -> "Drawing":
        """Return it for tables in memory of a device."""
        return replace(self, xp=xp)

    def draw(self, first: int, last: int) -> Chunk:
        """Return the edges with the numbers [first, last)."""
        words = random_words(self.model.seed, STREAM_SHUFFLE, 0, 2 * first, 2 * (last - first))
        sources, targets = np.empty((2, last - first), np.uint32)
        for begin in range(0, last - first, _STEP):
            some = slice(begin, min(begin + _STEP, last - first))
            at = self._edges(words[2 * some.start : 2 * some.stop])
            sources[some] = np.searchsorted(self.indptr, at, side="right") - 1
            targets[some] = self.indices[at]
        offsets = np.array([0, last - first], np.int64)
        arrays = targets, offsets, sources
        ids, offsets, sources = map(self.xp.asarray, arrays)
        return Chunk(ids, offsets, sources)

    def _edges(self, words: Ids) -> Longs:
        """Return the edges that pairs of random words draw."""
        share, edges = (words[0::2] + words[1::2] / 2.0**32) / 2.0**32, len(self.indices)
        if self.ends is None:
            at = (share * edges).astype(np.int64)
        else:
            at = np.searchsorted(self.ends, share * self.ends[-1], side="right")
        return np.minimum(at, edges - 1)
