"""LightGCN: what BPR learns of a pair reaches the users and items that are near both of them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

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
    trained as `BPR` does it, then what has changed, D, is replaced by S S D.

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
        Into how many parts an epoch is cut. More cost time; too few, and steps are too large.
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
    lr: float = 0.05
    min_lr: float = 0.0
    reg: float = 0.01
    parts: int = 8
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
        graph: list[Any] = []  # made when the interactions are known

        def epoch_of(run: Run, tables: Tables, epoch: int, tell: Any) -> kernels.Ranked:
            if not graph:
                graph.extend(normalised(run.x.csr))
            return self._epoch(run, tables, epoch, tell, graph)

        options: Any = {"start": start, "progress": progress, "callback": callback}
        return fitted(self, source, **options, epoch_of=epoch_of)

    def _epoch(
        self, run: Run, tables: Tables, epoch: int, tell: Any, graph: list[Any]
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
            for _ in range(2):
                steps = summed(*steps, graph, self.layers)
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


def normalised(met: CSR) -> list[Any]:
    """Return who has met what over the roots of both degrees, users x items, and its transpose."""
    ones = CSR(met.indptr, met.indices, np.ones(met.nnz, np.float32), met.columns).to_scipy()
    users = np.maximum(np.diff(met.indptr), 1) ** -0.5
    items = np.maximum(np.bincount(met.indices, minlength=met.columns), 1) ** -0.5
    ones.data = (np.repeat(users, np.diff(met.indptr)) * items[met.indices]).astype(np.float32)
    return [ones, ones.T.tocsr()]


def summed(users: Floats, items: Floats, graph: list[Any], layers: int) -> tuple[Floats, Floats]:
    """Return the sum of what tables become by 0, 1, ... ``layers`` products with the graph."""
    forth, back = graph
    sums = users.copy(), items.copy()
    for _ in range(layers):
        users, items = forth @ items, back @ users
        for table, layer in zip(sums, (users, items), strict=True):
            table += layer
    return sums
