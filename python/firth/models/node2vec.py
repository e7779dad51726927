"""Node2Vec and DeepWalk: a node is known by the nodes on walks around it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from firth.embedding import Embedding
from firth.models._beginning import Callback, check_arguments
from firth.models._course import Course
from firth.models._ending import stopped
from firth.models._plan import QUALITY, Quality
from firth.models._settings import choice, real, sampling, thinning, whole
from firth.models._walking import Walking, begun, checked_graph, embedding_of


@dataclass(frozen=True)
class Node2Vec:
    """Node vectors from random walks: skip-gram with negative sampling over nodes as words.

    Walks are drawn in chunks of about a million nodes, which training reads once: they are never
    stored as a whole. Besides the graph, memory is two tables of vectors.

    Parameters
    ----------
    dim
        Length of the vectors.
    walks
        Walks from each node that has edges, in an epoch.
    length
        Nodes of a walk. One that comes to a node without edges onwards ends there.
    p, q
        Return and in-out parameter: the way back is weighed by 1/p, and nodes that are no
        neighbours of the one before by 1/q.
    window
        Largest distance of company on a walk; each centre draws its own from 1 to this.
    negative
        Noise nodes for each node of company.
    epochs
        How often all of that is done, each time with new walks.
    lr, min_lr
        Learning rate at the beginning and at the end, if this is below; it falls linearly.
    sample
        About the frequency on walks above which nodes are thinned out; 0 keeps all.
    noise_exponent
        Noise nodes are drawn in proportion to their counts on walks raised to this.
    weighted
        Whether walks take edges in proportion to their weights, where the graph has some.
    metapath
        Names of the node types that walks visit, from their start on, over and over:
        ``("author", "paper")`` goes from authors to papers and back. None: walks go anywhere.
    restart
        Chance, below 1, that a step goes back to the start of the walk instead.
    device
        "cpu", or "cuda": tables and graph are moved to the current CUDA device, which must have
        room for them, and walks are made there. Needs CuPy: firth[cuda12] or firth[cuda13].
    seed, threads, deterministic
        As in `Word2Vec`.
    quality
        As in `Word2Vec`: "fast" (16 nodes of a walk share a state, and 32 negatives), "balanced"
        (16 and 64) or "careful" (8 and 64); fewer nodes where walks come back often.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Grover and Leskovec, "node2vec: scalable feature learning for networks" (2016), section 3. Dong,
    Chawla and Swami, "metapath2vec" (2017), section 3.2, for paths of types.

    Examples
    --------
    >>> from firth import Graph
    >>> edges = [[0, 1], [0, 2], [1, 2], [2, 3], [3, 4], [3, 5], [4, 5]]
    >>> Node2Vec(dim=8, threads=1).fit(Graph(edges))
    Embedding(6 keys, dim=8)
    """

    dim: int = 128
    walks: int = 10
    length: int = 80
    p: float = 1.0
    q: float = 1.0
    window: int = 10
    negative: int = 5
    epochs: int = 1
    lr: float = 0.025
    min_lr: float = 0.0001
    sample: float = 1e-3
    noise_exponent: float = 0.75
    weighted: bool = True
    metapath: Sequence[str] | None = None
    restart: float = 0.0
    seed: int = 1
    threads: int | None = None
    device: str = "cpu"
    quality: Quality = "balanced"
    deterministic: bool = False

    cbow: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole(self, "walks", 1, 10_000)
        whole(self, "length", 2, 2**20)
        real(self, "p", 2**-20, 2**20)
        real(self, "q", 2**-20, 2**20)
        whole(self, "window", 1, 10_000)
        whole(self, "epochs", 1, 10**6)
        choice(self, "weighted", (False, True))
        real(self, "restart", 0, float(np.nextafter(1, 0)))
        choice(self, "quality", tuple(QUALITY))
        thinning(self)
        sampling(self)
        if self.metapath is not None:
            object.__setattr__(self, "metapath", _names(self, self.metapath))

    def fit(
        self,
        graph: Any,
        *,
        start: Embedding | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> Embedding:
        """Learn a vector for each node of a graph.

        Parameters
        ----------
        graph
            A `Graph`. Nodes that no walk comes to, such as isolated ones, keep the vector that
            they begin with.
        start
            Go on from these vectors: nodes they have begin there, all others at random. What nodes
            are predicted with begins at zero.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.
        callback
            Called after each epoch with its number from 1, the walks so far in all epochs, the
            epoch's mean loss of a pair and the learning rate; training stops if it returns
            something true.

        Returns
        -------
        Embedding
            Nodes in the graph's order; the metadata say how it was trained, with the loss of each
            epoch, and how many nodes are ``isolated``.

        Raises
        ------
        ValueError
            The graph has no edges, or no node that a walk could begin at; ``metapath`` names an
            unknown type, or is missing its graph's types; ``start`` has another dim.
        TypeError
            A graph, start or callback of another type.
        FloatingPointError
            The learning rate was too large; it names the epoch.
        KeyboardInterrupt
            With the attribute ``embedding``, if training had begun: what was learnt until then.
        """
        check_arguments(type(self).__name__, self.dim, start, callback)
        graph = checked_graph(type(self).__name__, graph)
        stream = Walking.of(self, graph)
        seen, again = stream.seen(len(graph.keys))
        input = begun(self, graph, self.dim, start)
        course = Course.of(self, stream, seen, self.dim, self.epochs, again)
        losses: list[float] = []
        tables = [(input, np.zeros_like(input))]
        try:
            course.train(tables, losses, progress, callback)
        except KeyboardInterrupt as stop:
            stopped(stop, lambda: embedding_of(self, graph, input, losses), *tables[0])
            raise
        return embedding_of(self, graph, input, losses)


@dataclass(frozen=True)
class DeepWalk(Node2Vec):
    """Node vectors from random walks of first order: `Node2Vec` with p = q = 1.

    The original predicts with a hierarchical softmax instead of negative sampling.

    References
    ----------
    Perozzi, Al-Rfou and Skiena, "DeepWalk: online learning of social representations" (2014).
    """

    p: float = field(default=1.0, init=False)
    q: float = field(default=1.0, init=False)


def _names(model: object, names: object) -> tuple[str, ...]:
    kind = type(model).__name__
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise TypeError(f"{kind}: metapath={names!r} is not a sequence of names of types")
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{kind}: metapath={names!r} is not one or more names of types")
    return tuple(names)
