"""LightGCN: what BPR learns of a pair reaches the users and items that are near both of them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np

from firth import kernels
from firth._backend import Floats
from firth.csr import CSR
from firth.models._beginning import Callback
from firth.models._interactions import Tables
from firth.models._ranking import Run, fitted, ranking
from firth.models._settings import whole
from firth.recommender import Recommender


@dataclass(frozen=True)
class LightGCN:
    """Vectors of users and items, smoothed over the graph of who has met what.

    The vectors F are S E: those of layer 0, E, and what becomes of them when each node takes the
    sum of its neighbours', divided by the roots of both degrees, once to ``layers`` times; S is the
    sum of the powers 0 to ``layers`` of that matrix. A step of the BPR loss on F is one of S times
    as much on E, and of S S times as much on F. Steps are taken together: a part of an epoch is
    trained as `BPR` does it, then what has changed, D, is replaced by S S D. Only what D does to
    all in proportion to the roots of their degrees, which is how popular they are, stays as it is:
    S S would multiply it by (layers + 1) squared, more than anything else, and overshoot.

    Parameters
    ----------
    dim
        Length of the vectors.
    layers
        How far a step reaches. 0 is `BPR` without biases.
    epochs
        How often as many samples are drawn as there are interactions.
    lr
        Learning rate at the beginning.
    min_lr
        Learning rate at the end, if ``lr`` is not below it; it falls linearly from epoch to epoch.
    reg
        The share of each row that a sample takes away, per unit of the learning rate.
    parts
        Into how many parts an epoch is cut. One is quickest and learns best on films; more make
        steps smaller, where the loss rises.
    negatives
        How items that were not met are drawn: "uniform", or "popular", in proportion to how many
        users have met them.
    seed
        Of all that is drawn.
    threads
        None: as many as ``firth.set_num_threads`` says. With more than one the result varies a
        little from run to run: rows are updated without locks. One gives the same bits each time.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    Notes
    -----
    The paper takes the mean of the layers, and Adam with batches of 1024 samples or more. Mean and
    sum differ by a factor only, as far as scores go; the sum leaves the size of steps on vectors
    that differ from all their neighbours' as it is. Regularisation is of F here, of E there.

    References
    ----------
    He, Deng, Wang, Li, Zhang and Wang, "LightGCN: simplifying and powering graph convolution
    network for recommendation" (2020), sections 3.1 and 3.3.

    Examples
    --------
    >>> import firth
    >>> x = firth.Interactions(["ann", "ann", "bob", "bob"], ["tea", "rum", "tea", "gin"])
    >>> LightGCN(dim=4, epochs=2, threads=1).fit(x)
    Recommender(2 users, 3 items, dim=4)
    """

    dim: int = 64
    layers: int = 2
    epochs: int = 100
    lr: float = 0.1
    min_lr: float = 0.0
    reg: float = 0.01
    parts: int = 1
    negatives: Literal["uniform", "popular"] = "uniform"
    seed: int = 1
    threads: int | None = None

    loss: ClassVar[Literal["bpr", "warp"]] = "bpr"

    def __post_init__(self) -> None:
        ranking(self)
        whole(self, "layers", 0, 100)
        whole(self, "parts", 1, 10**6)

    def fit(
        self,
        source: Any,
        *,
        start: Recommender | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> Recommender:
        """Learn a vector for each user and each item; see `BPR.fit`, also for other errors.

        Raises
        ------
        ImportError
            SciPy is not installed; it comes with ``firth[scipy]``.
        """
        try:
            import scipy.sparse  # noqa: F401
        except ImportError as error:
            raise ImportError("LightGCN needs SciPy: pip install 'firth[scipy]'") from error
        graph: list[Graph] = []  # made when the interactions are known

        def epoch_of(run: Run, tables: Tables, epoch: int, tell: Any) -> kernels.Ranked:
            if not graph:
                graph.append(Graph.of(run.x.csr))
            return self._epoch(run, tables, epoch, tell, graph[0])

        options: Any = {"start": start, "progress": progress, "callback": callback}
        return fitted(self, source, **options, epoch_of=epoch_of)

    def _epoch(
        self, run: Run, tables: Tables, epoch: int, tell: Any, graph: "Graph"
    ) -> kernels.Ranked:
        """Train an epoch, part by part."""
        many, parts = len(run.x), []
        cuts = [many * part // self.parts for part in range(self.parts + 1)]
        for first, last in pairwise(cuts):
            tables_before = tables.users.copy(), tables.items.copy()

            def told(done: int, loss: float, first: int = first) -> None:
                tell(first + done, loss)

            parts.append(run.part(tables, epoch, (first, last), told if tell else None))
            steps = tables.users - tables_before[0], tables.items - tables_before[1]
            steps = graph.smoothed(*steps, self.layers)
            for table, before, step in zip(
                (tables.users, tables.items), tables_before, steps, strict=True
            ):
                np.add(before, step, out=table)
        samples = sum(part.samples for part in parts)
        weights = [part.samples / max(samples, 1) for part in parts]
        loss, right = (
            sum(value * weight for value, weight in zip(values, weights, strict=True))
            for values in ([part.loss for part in parts], [part.right for part in parts])
        )
        return kernels.Ranked(loss, samples, right, sum(part.skipped for part in parts))


@dataclass(frozen=True)
class Graph:
    """Who has met what, over the roots of both degrees, and its greatest singular vectors.

    Parameters
    ----------
    forth, back
        (users, items) and its transpose, sparse.
    roots
        Of the degrees of users and of items, as columns of length 1.
    """

    forth: Any
    back: Any
    roots: tuple[Floats, Floats]

    @classmethod
    def of(cls, met: CSR) -> Self:
        """Return the graph of who has met what."""
        degrees = np.diff(met.indptr), np.bincount(met.indices, minlength=met.columns)
        users, items = (np.sqrt(np.maximum(many, 1)) for many in degrees)
        data = 1 / (np.repeat(users, degrees[0]) * items[met.indices])
        forth = CSR(met.indptr, met.indices, data.astype(np.float32), met.columns).to_scipy()
        roots = [(np.sqrt(many) / met.nnz**0.5).astype(np.float32)[:, None] for many in degrees]
        return cls(forth, forth.T.tocsr(), (roots[0], roots[1]))

    def smoothed(self, users: Floats, items: Floats, layers: int) -> tuple[Floats, Floats]:
        """Return S S of tables, but for what goes with the roots of the degrees."""
        pairs = zip(self.roots, (users, items), strict=True)
        shared = [root @ (root.T @ table) for root, table in pairs]
        users, items = users - shared[0], items - shared[1]
        for _ in range(2):
            users, items = self.summed(users, items, layers)
        return users + shared[0], items + shared[1]

    def summed(self, users: Floats, items: Floats, layers: int) -> tuple[Floats, Floats]:
        """Return the sum of what tables become by 0, 1, ... ``layers`` products with the graph."""
        sums = users.copy(), items.copy()
        for _ in range(layers):
            users, items = self.forth @ items, self.back @ users
            for table, layer in zip(sums, (users, items), strict=True):
                table += layer
        return sums
