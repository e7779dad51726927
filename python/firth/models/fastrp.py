"""FastRP: random rows and features of nodes, spread over the graph; no training."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from firth._backend import Floats
from firth._random import random_words
from firth.embedding import Embedding
from firth.models._features import at_length_one, checked_features, projected
from firth.models._settings import choice, numbers, real, whole
from firth.models._truncated_svd import solver
from firth.models._walking import checked_graph, embedding_of

_STREAM_PROJECTION = 8  # word number = row * columns + column


@dataclass(frozen=True)
class FastRP:
    """Node vectors by sparse products alone, of the graph and of what is known about its nodes.

    Structure: a very sparse random row for each node is spread over the graph step by step; the
    vector is the weighted sum of what has come after each step, each at length 1. Features: their
    matrix is projected to fewer columns and spread likewise, with every node counted among its own
    neighbours. Both parts have length 1 and stand side by side.

    Parameters
    ----------
    dim
        Length of the vectors, all parts together.
    weights
        Of what has come after 1, 2, ... steps, for the structure.
    degree_exponent
        A neighbour counts by its degree raised to this; below 0, hubs count less.
    feature_share
        Share of ``dim`` that features have, if there are any; the rest is structure.
    hops
        How far features are spread: the mean of what has come after 0 to so many steps.
    projection
        Of the features: "svd", to the columns that say most about them, learnt by a truncated
        singular value decomposition, or "random".
    seed
        Of all that is drawn.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Chen, Sultan, Tian, Chen and Skiena, "Fast and accurate network embeddings via very sparse
    random projection" (2019), sections 3.2 to 3.4. Wu, Souza, Zhang, Fifty, Yu and Weinberger,
    "Simplifying graph convolutional networks" (2019), section 2.1, for features that are spread.

    Examples
    --------
    >>> from firth import Graph
    >>> FastRP(dim=4).fit(Graph([("ann", "bob"), ("bob", "cid")]), features=np.eye(3))
    Embedding(3 keys, dim=4)
    """

    dim: int = 128
    weights: tuple[float, ...] = (0.0, 1.0, 1.0)
    degree_exponent: float = -0.5
    feature_share: float = 0.5
    hops: int = 3
    projection: Literal["svd", "random"] = "svd"
    seed: int = 1

    def __post_init__(self) -> None:
        whole(self, "dim", 1, 2**16)
        real(self, "degree_exponent", -8, 8)
        real(self, "feature_share", 0, 1)
        whole(self, "hops", 0, 100)
        choice(self, "projection", ("svd", "random"))
        whole(self, "seed", 0, 2**64 - 1)
        numbers(self, "weights", 100)

    def fit(
        self,
        graph: Any,
        *,
        features: Any = None,
        structure: Embedding | None = None,
        progress: bool | None = False,
    ) -> Embedding:
        """Return a vector for each node of a graph.

        Parameters
        ----------
        graph
            A `Graph`. The structure of nodes without edges is zeros.
        features
            What is known about the nodes, in the graph's order: real numbers (nodes, features), as
            an array or a sparse matrix of SciPy.
        structure
            Vectors of the same nodes, such as `Node2Vec`'s, instead of spread random rows. They
            keep their dim; features have the rest of ``dim``.
        progress
            Whether to show a bar on stderr while the projection is learnt; None shows it if that
            is a terminal.

        Returns
        -------
        Embedding
            Nodes in the graph's order.

        Raises
        ------
        ValueError
            The graph has no edges; features have other rows than there are nodes, or are not
            finite; no room is left for a part.
        TypeError
            A graph, features or structure of another type.
        KeyError
            A node that ``structure`` does not have.
        ImportError
            SciPy is not installed; it comes with ``firth[scipy]``.
        """
        graph = checked_graph("FastRP", graph)
        linalg = solver("FastRP")
        known = None if features is None else checked_features(features, len(graph.keys))
        room = self._room(known, structure)
        adjacent = graph.csr.to_scipy().astype(np.float32)
        parts = []
        if structure is not None:
            parts.append(structure[graph.keys])
        elif self.dim > room:
            parts.append(self._spread(adjacent, self.dim - room))
        if known is not None:
            parts.append(self._learnt(linalg, adjacent, known, room, progress))
        vectors = np.concatenate([at_length_one(part) for part in parts], axis=1)
        return embedding_of(self, graph, vectors)

    def _room(self, known: Any, structure: Embedding | None) -> int:
        """Return how many numbers features have."""
        if structure is not None and not isinstance(structure, Embedding):
            kind = type(structure).__name__
            raise TypeError(f"FastRP: structure is {kind}, expected an Embedding")
        if known is None and structure is not None:
            raise ValueError("FastRP: structure without features leaves nothing to do")
        if known is None:
            return 0
        if structure is None:
            room = round(self.dim * self.feature_share)
        else:
            room = self.dim - structure.dim
        most = min(known.shape) - (self.projection == "svd" and min(known.shape) > 1)
        if room < 1 or (self.projection == "svd" and room > most):
            raise ValueError(
                f"FastRP: dim={self.dim} leaves {room} numbers for features of shape "
                f"{known.shape}, expected 1 to {most}"
            )
        return room

    def _spread(self, adjacent: Any, dim: int) -> Floats:
        """Return random rows after some steps over the graph."""
        from scipy.sparse import diags_array

        degrees = np.asarray(adjacent.sum(axis=1), np.float64).reshape(-1)
        steps = diags_array((1 / np.maximum(degrees, 1e-30)).astype(np.float32)) @ adjacent
        scale = np.where(degrees > 0, np.maximum(degrees, 1e-30) ** self.degree_exponent, 0)
        rows = self._sparse_rows(len(degrees), dim) * scale.astype(np.float32)[:, None]
        total = np.zeros_like(rows)
        most = max(map(abs, self.weights)) or 1.0  # only their ratios matter
        for weight in self.weights:
            rows = steps @ rows
            total += np.float32(weight / most) * at_length_one(rows)
        return total

    def _sparse_rows(self, rows: int, columns: int) -> Floats:
        """Return numbers that are -1 or 1 with a chance of 1/6 each, else 0 (Achlioptas 2003)."""
        words = random_words(self.seed, _STREAM_PROJECTION, 0, 0, rows * columns)
        sixth = (words // np.uint32(2**32 // 6 + 1)).reshape(rows, columns)
        found: Floats = (sixth == 0).astype(np.float32) - (sixth == 1)
        return found

    def _learnt(
        self, linalg: Any, adjacent: Any, known: Any, room: int, progress: bool | None
    ) -> Floats:
        """Return projected features after some steps over the graph with a loop at each node."""
        from scipy.sparse import diags_array, eye_array

        if self.projection == "random":
            rows = np.asarray(known @ self._sparse_rows(known.shape[1], room), np.float32)
        else:
            rows = projected(linalg, known, room, self.seed, progress)
        loops = adjacent + eye_array(adjacent.shape[0], dtype=np.float32, format="csr")
        degrees = np.asarray(loops.sum(axis=1), np.float64).reshape(-1)
        half = diags_array((degrees**-0.5).astype(np.float32))
        steps = (half @ loops @ half).tocsr()
        total = rows
        for _ in range(self.hops):
            rows = steps @ rows
            total = total + rows
        return total
