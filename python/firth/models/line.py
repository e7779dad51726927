"""LINE: nodes that are linked, or linked to the same others, are alike; from edges alone."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from firth._random import initial_rows
from firth.embedding import Embedding
from firth.models._beginning import Callback, check_arguments, copy_rows
from firth.models._course import Course
from firth.models._drawing import Drawing
from firth.models._ending import stopped
from firth.models._features import at_length_one
from firth.models._plan import Quality
from firth.models._settings import choice, sampling, whole
from firth.models._walking import checked_graph, embedding_of


@dataclass(frozen=True)
class LINE:
    """Node vectors from edges: of first order, of second order, or both side by side.

    First order: the ends of an edge are near each other. Second order: an end of an edge predicts
    the other, from a table of its own, so that nodes with the same neighbours are near each other.
    Edges are drawn in proportion to their weights, each way where they are undirected.

    Parameters
    ----------
    dim
        Length of the vectors; with order "both" an even number, half of it for each order.
    order
        "first", "second" or "both". The halves of "both" are trained by themselves and have length
        1 each.
    negative
        Noise nodes for each edge.
    samples
        Edges that are drawn for each node, on average and in each epoch.
    epochs
        How often so many are drawn.
    lr, min_lr
        Learning rate at the beginning and, if ``lr`` is not below it, at the end; it falls
        linearly.
    noise_exponent
        Noise nodes are drawn in proportion to their weighted degree raised to this.
    weighted
        Whether edges are drawn in proportion to their weights, where the graph has some.
    seed
        Of all that is drawn.
    threads
        None: as many as ``firth.set_num_threads`` says. With more than one the result varies a
        little from run to run: rows are updated without locks. One gives the same bits each time.
    device
        "cpu" or "cuda", as for `Word2Vec`.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Tang, Qu, Wang, Zhang, Yan and Mei, "LINE: large-scale information network embedding" (2015),
    sections 4.1 and 4.2.

    Examples
    --------
    >>> from firth import Graph
    >>> LINE(dim=8, threads=1).fit(Graph([("ann", "bob"), ("bob", "cid"), ("cid", "ann")]))
    Embedding(3 keys, dim=8)
    """

    dim: int = 128
    order: Literal["first", "second", "both"] = "both"
    negative: int = 5
    samples: int = 1000
    epochs: int = 1
    lr: float = 0.025
    min_lr: float = 0.0001
    noise_exponent: float = 0.75
    weighted: bool = True
    seed: int = 1
    threads: int | None = None
    device: str = "cpu"

    cbow: ClassVar[bool] = False
    deterministic: ClassVar[bool] = False
    quality: ClassVar[Quality] = "balanced"
    sample: ClassVar[float] = 0.0
    window: ClassVar[int] = 1

    def __post_init__(self) -> None:
        choice(self, "order", ("first", "second", "both"))
        whole(self, "samples", 1, 10**9)
        whole(self, "epochs", 1, 10**6)
        choice(self, "weighted", (False, True))
        sampling(self)
        if self.order == "both" and self.dim % 2:
            raise ValueError(f"LINE: dim={self.dim} is odd, expected an even one for order='both'")

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
            A `Graph`. Nodes without edges keep the vector that they begin with, as far as they are
            not drawn as noise.
        start
            Go on from these vectors: nodes they have begin there, all others at random.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.
        callback
            Called after each epoch with its number from 1, the edges so far in all epochs, the
            epoch's mean loss of an edge and the learning rate; training stops if it returns
            something true.

        Returns
        -------
        Embedding
            Nodes in the graph's order; the metadata say how it was trained.

        Raises
        ------
        ValueError
            The graph has no edges, or ``start`` has another dim.
        TypeError
            A graph, start or callback of another type.
        FloatingPointError
            The learning rate was too large; it names the epoch.
        KeyboardInterrupt
            With the attribute ``embedding``, if training had begun: what was learnt until then.
        """
        check_arguments("LINE", self.dim, start, callback)
        graph = checked_graph("LINE", graph)
        stream = Drawing.of(self, graph)
        orders = ("first", "second") if self.order == "both" else (self.order,)
        dim, nodes = self.dim // len(orders), len(graph.keys)
        tables = []
        for number, order in enumerate(orders):
            table = initial_rows(self.seed, number * nodes, (number + 1) * nodes, dim)
            if start is not None:
                columns = start.vectors[:, number * dim : (number + 1) * dim]
                copy_rows(table, graph.keys, start, columns)
            tables.append((table, table if order == "first" else np.zeros_like(table)))
        course = Course.of(self, stream, stream.degrees, dim, self.epochs, None)
        losses: list[float] = []

        def result() -> Embedding:
            parts = [input if len(orders) == 1 else at_length_one(input) for input, _ in tables]
            return embedding_of(self, graph, np.concatenate(parts, axis=1), losses)

        try:
            course.train(tables, losses, progress, callback)
        except KeyboardInterrupt as stop:
            stopped(stop, result, *(table for both in tables for table in both))
            raise
        return result()
