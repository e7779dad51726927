"""Walks over a graph, a chunk at a time; and what models of graphs begin and end with."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from firth import kernels
from firth._backend import Floats, Ids, Longs
from firth._random import STREAM_SHUFFLE, initial_rows, random_words
from firth._sorting import stable_order
from firth.embedding import Embedding
from firth.models._beginning import copy_rows
from firth.models._course import Chunk

_CHUNK = 1 << 20  # nodes of the walks that are in memory at a time


@dataclass(frozen=True)
class Walking:
    """Walks of a model with the fields of `Node2Vec`, numbered over all epochs.

    ``len(starts)`` walks in a row begin once at each of the starts, in an order by chance.
    """

    model: Any
    graph: kernels.Transitions
    path: Ids | None
    starts: Ids
    xp: Any = np

    unit = "walks"

    @classmethod
    def of(cls, model: Any, graph: Any) -> "Walking":
        """Return the walks that a model describes, from all nodes that have somewhere to go.

        Raises
        ------
        ValueError
            There are none, or the path is not of the graph's types.
        """
        name, path, types = type(model).__name__, None, None
        if model.metapath is not None:
            types, known = graph.types, graph.type_names
            if types is None:
                raise ValueError(
                    f"{name}: metapath={model.metapath!r} needs a graph with types "
                    "(Graph.with_types)"
                )
            for one in model.metapath:
                if one not in known:
                    expected = ", ".join(map(repr, known))
                    raise ValueError(f"{name}: metapath has {one!r}, expected types: {expected}")
            path = np.array([list(known).index(one) for one in model.metapath], np.uint32)
        weighted = model.weighted and graph.weighted
        found = kernels.transitions(graph.csr, weighted=weighted, types=types)
        if path is None:
            able = np.diff(found.indptr) > 0
        else:
            rows = np.arange(found.nodes) * found.types + path[1 % len(path)]
            able = (found.indptr[rows + 1] > found.indptr[rows]) & (types == path[0])
        starts = np.flatnonzero(able).astype(np.uint32)
        if not len(starts):
            raise ValueError(
                f"{name}: no walk can begin, expected nodes with edges along "
                f"metapath={model.metapath!r}"
            )
        return cls(model, found, path, starts)

    @property
    def each(self) -> int:
        """Walks of an epoch."""
        return len(self.starts) * int(self.model.walks)

    @property
    def step(self) -> int:
        """Walks of a chunk."""
        return max(_CHUNK // int(self.model.length), 1)

    @property
    def nbytes(self) -> int:
        """Bytes of the graph, and about those of a chunk."""
        edges = self.graph.indices.nbytes + self.graph.thresholds.nbytes
        return int(self.graph.indptr.nbytes + edges + 32 * self.step * self.model.length)

    def moved(self, xp: Any) -> "Walking":
        """Return them with the graph in memory of a device."""
        return replace(self, graph=self.graph.to_device(xp), xp=xp)

    def draw(self, first: int, last: int) -> Chunk:
        """Return the walks with the numbers [first, last)."""
        many, model = len(self.starts), self.model
        some = [
            order_by_chance(self.starts, model.seed, lap)[
                max(first - lap * many, 0) : last - lap * many
            ]
            for lap in range(first // many, -(-last // many))
        ]
        found = kernels.walks(
            self.graph,
            self.xp.asarray(np.concatenate(some)),
            length=model.length,
            p=model.p,
            q=model.q,
            restart=model.restart,
            path=self.path,
            seed=model.seed,
            first=first,
            threads=None if model.device != "cpu" else model.threads,
            progress=lambda _: None,
        )
        return Chunk(found.ids, found.offsets)

    def seen(self, nodes: int) -> tuple[Longs, float]:
        """Return how often each node is on the first walks, and how often it meets itself there.

        They are one walk from each start, unless that is less than a chunk. The second number is
        the share of places within the window of a place that have the same node.
        """
        counts = np.zeros(nodes, np.int64)
        same = pairs = 0
        most = min(max(len(self.starts), self.step), self.each)
        for first in range(0, most, self.step):
            chunk = self.draw(first, min(first + self.step, most))
            ids = chunk.ids if self.xp is np else self.xp.asnumpy(chunk.ids)
            offsets = chunk.offsets if self.xp is np else self.xp.asnumpy(chunk.offsets)
            counts += np.bincount(ids, minlength=nodes)
            if first == 0:
                walk = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
                for apart in range(1, min(self.model.window, self.model.length - 1) + 1):
                    together = walk[apart:] == walk[:-apart]
                    same += int((together & (ids[apart:] == ids[:-apart])).sum())
                    pairs += int(together.sum())
        return counts, same / max(pairs, 1)


def order_by_chance(nodes: Ids, seed: int, lap: int) -> Ids:
    """Return nodes in an order by chance, another for each lap."""
    words = random_words(seed, STREAM_SHUFFLE, lap, 0, len(nodes))
    ordered: Ids = nodes[stable_order(words)]
    return ordered


def checked_graph(model: str, graph: Any) -> Any:
    """Return the graph, or say why nothing can be learnt from it."""
    if not hasattr(graph, "csr"):
        raise TypeError(f"{model}: graph is {type(graph).__name__}, expected a Graph")
    if graph.csr.nnz == 0:
        raise ValueError(f"{model}: the graph has no edges, expected some to learn from")
    return graph


def begun(
    model: Any, graph: Any, dim: int, start: Embedding | None, part: slice = slice(None)
) -> Floats:
    """Return rows (nodes, dim) to begin with: random, or some columns of those of ``start``."""
    table = initial_rows(model.seed, 0, len(graph.keys), dim)
    if start is not None:
        copy_rows(table, graph.keys, start, start.vectors[:, part])
    return table


def embedding_of(
    model: Any, graph: Any, vectors: Floats, losses: list[float] | None = None
) -> Embedding:
    """Return an embedding that says how it was made, with losses where it was trained."""
    nodes, isolated = len(graph.keys), len(graph.isolated)
    found: dict[str, Any] = {"nodes": nodes, "entries": graph.csr.nnz, "isolated": isolated}
    if losses is not None:
        found["losses"] = losses
    metadata = {"model": type(model).__name__, **asdict(model), **found}
    return Embedding(graph.keys, vectors, None, metadata, check=False)
