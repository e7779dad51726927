"""Edges drawn by weight, a chunk at a time: what LINE learns from."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from firth._backend import Doubles, Ids, Longs
from firth._random import STREAM_SHUFFLE, random_words
from firth.models._course import Chunk

_CHUNK = 1 << 20  # edges that are in memory at a time


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
        share = (words[0::2] + words[1::2] / 2.0**32) / 2.0**32
        edges = len(self.indices)
        if self.ends is None:
            at = np.minimum((share * edges).astype(np.int64), edges - 1)
        else:
            at = np.searchsorted(self.ends, share * self.ends[-1], side="right")
            at = np.minimum(at, edges - 1)
        sources = np.searchsorted(self.indptr, at, side="right") - 1
        offsets = np.array([0, last - first], np.int64)
        arrays = (self.indices[at], offsets, sources.astype(np.uint32))
        ids, offsets, sources = map(self.xp.asarray, arrays)
        return Chunk(ids, offsets, sources)
