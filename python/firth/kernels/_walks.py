"""walks: random walks over a graph as a corpus, and the transitions that they are drawn from."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._backend import Ids, Longs, backend_of
from firth._sorting import stable_order
from firth.csr import CSR
from firth.kernels._arguments import (
    array_module,
    contiguous,
    first_outside,
    flag,
    number_of_threads,
    real,
    typed,
    whole,
)
from firth.kernels._matrices import check_matrix

NOWHERE = 2**32 - 1  # what stands behind a walk that ended
_ROWS = 1 << 16  # whose thresholds are made together
_MOST_LENGTH, _MOST_TYPES, _MOST_PATH = 2**20, 2**16, 2**16
_LEAST_BIAS, _MOST_BIAS = 2.0**-20, 2.0**20


@dataclass(frozen=True, eq=False)
class Transitions:
    """The edges of a graph as :func:`walks` reads them; made and checked by :func:`transitions`.

    Attributes
    ----------
    indptr
        (nodes * types + 1,) int64: edges from node v to nodes of type t are
        ``indptr[v * types + t]`` to ``indptr[v * types + t + 1]``.
    indices
        (edges,) uint32: where they lead, rising for each type.
    thresholds
        (edges,) uint32: an edge is taken by the draws from this on, up to the next edge's; (0,)
        where all edges of a node are alike.
    nodes, types
        How many there are; 1 type where nodes have none.
    """

    indptr: Longs
    indices: Ids
    thresholds: Ids
    nodes: int
    types: int

    def to_device(self, xp: Any) -> "Transitions":
        """Return them in memory of a device: ``transitions.to_device(cupy)``."""
        indptr, indices, thresholds = map(xp.asarray, (self.indptr, self.indices, self.thresholds))
        return Transitions(indptr, indices, thresholds, self.nodes, self.types)


class Walked(NamedTuple):
    """Walks as a corpus.

    Attributes
    ----------
    ids
        (tokens,) uint32: the nodes of one walk after the other.
    offsets
        (walks + 1,) int64: walk w is ``ids[offsets[w]:offsets[w + 1]]``, its start first.
    """

    ids: Any
    offsets: Any


def transitions(
    graph: CSR, *, weighted: bool = True, types: npt.ArrayLike | None = None
) -> Transitions:
    """Check a graph and make of it what :func:`walks` draws from.

    Parameters
    ----------
    graph
        A square `CSR` with float32 data: row v has the edges from v and their weights, above 0.
    weighted
        Whether edges are taken in proportion to their weights; False takes all alike. Where the
        weights of each node are equal that is the same, and found out.
    types
        (nodes,) whole numbers from 0 to 65535, the type of each node, for walks along a path of
        types; None: nodes have no types.

    Returns
    -------
    Transitions
        Takes 8 bytes an edge where weights differ, else 4 or, without types, none: they are the
        graph's own.

    Raises
    ------
    ValueError, TypeError
        The graph is not square, or an argument is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> graph = CSR(np.array([0, 2, 3]), np.array([0, 1, 0], np.int32), np.float32([1, 3, 1]))
    >>> transitions(graph).thresholds.tolist()
    [0, 1073741824, 0]
    """
    name = "transitions"
    if not isinstance(getattr(graph, "indptr", np.zeros(0)), np.ndarray):
        raise TypeError(f"{name}: graph must be on the host (see Transitions.to_device)")
    check_matrix(name, "graph", graph, np.float32)
    flag(name, "weighted", weighted)
    nodes, columns = graph.shape
    if nodes != columns:
        raise ValueError(f"{name}: graph is {nodes} x {columns}, expected as many rows as columns")
    indptr, indices, weights = graph.indptr, graph.indices.view(np.uint32), graph.data
    kinds = 1
    if types is not None:
        of_node = np.asarray(types)
        if of_node.dtype.kind not in "iu" or of_node.shape != (nodes,):
            raise TypeError(
                f"{name}: types is {of_node.dtype} of shape {of_node.shape}, expected whole "
                f"numbers ({nodes},)"
            )
        place = first_outside(of_node, 0, _MOST_TYPES)
        if place >= 0:
            raise ValueError(
                f"{name}: types[{place}] is {of_node[place]}, not between 0 and {_MOST_TYPES - 1}"
            )
        kinds = int(of_node.max(initial=0)) + 1
        indptr, order = _by_type(indptr, of_node[indices], kinds)
        indices, weights = indices[order], weights[order]
    thresholds = edge_thresholds(indptr, weights) if weighted else None
    if thresholds is None:
        thresholds = np.zeros(0, np.uint32)
    return Transitions(indptr, indices, thresholds, nodes, kinds)


def _by_type(indptr: Longs, of_edge: Any, kinds: int) -> tuple[Longs, Longs]:
    """Return where edges of each (node, type) begin, and the order in which edges then lie."""
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    cells = rows * kinds + of_edge
    counts = np.bincount(cells, minlength=(len(indptr) - 1) * kinds)
    return np.concatenate([[0], np.cumsum(counts)]), stable_order(cells)


def edge_thresholds(indptr: Longs, weights: Any) -> Ids | None:
    """Return from which draw of 2**32 on each edge is taken, (edges,); None if all are alike."""
    found = np.zeros(len(weights), np.uint32)
    alike = True
    for first in range(0, len(indptr) - 1, _ROWS):
        bounds = indptr[first : first + _ROWS + 1]
        some = weights[bounds[0] : bounds[-1]].astype(np.float64)
        if not len(some):
            continue
        sizes = np.diff(bounds)
        begins = (bounds[:-1] - bounds[0])[sizes > 0]
        totals = np.add.reduceat(some, begins)
        of_edge = np.repeat(np.arange(len(begins)), sizes[sizes > 0])
        alike = alike and bool((some == some[begins][of_edge]).all())
        # In 2**-60, modulo 2**64: sums over earlier rows must not blur the differences.
        units = (some / totals[of_edge] * 2.0**60).astype(np.uint64)
        before = np.cumsum(units) - units
        shares = (before - before[begins][of_edge]) >> np.uint64(28)
        found[bounds[0] : bounds[-1]] = np.minimum(shares, np.uint64(2**32 - 1))
    return None if alike else found


def walks(
    graph: Transitions,
    starts: Ids,
    *,
    length: int = 80,
    p: float = 1.0,
    q: float = 1.0,
    restart: float = 0.0,
    path: npt.ArrayLike | None = None,
    seed: int = 1,
    first: int = 0,
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Walked:
    """Walk at random over a graph.

    A step from v to x is taken in proportion to the weight of the edge, times 1/p where x is the
    node before v, and times 1/q where x is no neighbour of that node. Steps are drawn by rejection,
    so nothing is stored for each pair of edges. The definition is in
    ``cpp/include/firth/walks.h``.

    Parameters
    ----------
    graph
        From :func:`transitions`.
    starts
        (walks,) uint32: where each walk begins.
    length
        Nodes of a walk, its start included, 1 to 2**20. A walk that comes to a node without edges
        ends there.
    p, q
        Return and in-out parameter, 2**-20 to 2**20; 1 and 1 are walks of first order.
    restart
        Chance, below 1, that a step goes back to the start instead: random walks with restart. Such
        a step need not be an edge.
    path
        Types of the nodes that a walk visits, from its start on, over and over; for a graph with
        types. ``[0, 1]``: from nodes of type 0 to type 1 and back.
    seed, first
        What is drawn depends on the seed and on the number of the walk, the first of which has
        this one, so that walks made in parts are those made at once.
    threads
        None: as many as :func:`firth.set_num_threads` says. The walks do not depend on it.
    progress
        Called about every 50 ms with how many walks are done; what it raises stops the rest.

    Returns
    -------
    Walked

    Raises
    ------
    ValueError, TypeError
        An argument is out of its range, or an array has another shape or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> ring = CSR(np.array([0, 1, 2, 3]), np.array([1, 2, 0], np.int32), np.ones(3, np.float32))
    >>> walks(transitions(ring), np.array([2, 0], np.uint32), length=4).ids.tolist()
    [2, 0, 1, 2, 0, 1, 2, 0]

    References
    ----------
    Grover and Leskovec, "node2vec: scalable feature learning for networks" (2016), section 3.2.
    Dong, Chawla and Swami, "metapath2vec" (2017), section 3.2, for paths of types. Yang et al.,
    "KnightKing: a fast distributed graph random walk engine" (2019), section 4, for rejection.
    """
    name = "walks"
    if not isinstance(graph, Transitions):
        what = type(graph).__name__
        raise TypeError(f"{name}: graph is {what}, expected Transitions (kernels.transitions)")
    xp = array_module(name, starts=starts, graph=graph.indptr)
    typed(name, "starts", starts, np.uint32, ((None,),))
    contiguous(name, "starts", starts)
    place = first_outside(starts, 0, graph.nodes)
    if place >= 0:
        raise ValueError(
            f"{name}: starts[{place}] is {starts[place]}, expected one of the {graph.nodes} nodes"
        )
    length = whole(name, "length", length, 1, _MOST_LENGTH)
    p, q = (real(name, n, v, _LEAST_BIAS, _MOST_BIAS) for n, v in (("p", p), ("q", q)))
    restart = real(name, "restart", restart, 0, float(np.nextafter(1, 0)))
    seed = whole(name, "seed", seed, 0, 2**64 - 1)
    first = whole(name, "first", first, 0, 2**63 - 1)
    kinds = xp.asarray(_checked_path(path, graph.types))
    number = number_of_threads(name, threads)
    out = xp.empty((len(starts), length), np.uint32)
    backend_of(starts, graph.indptr, backend=backend).walks(
        indptr=graph.indptr,
        indices=graph.indices,
        thresholds=graph.thresholds,
        types=graph.types,
        path=kinds,
        starts=starts,
        first_walk=first,
        length=length,
        p=p,
        q=q,
        restart=restart,
        seed=seed,
        out=out,
        threads=number,
        isa=isa or "",
        progress=progress,
    )
    ended = out[:, -1] == NOWHERE
    if not bool(ended.any()):
        return Walked(out.reshape(-1), xp.arange(0, out.size + 1, length, dtype=np.int64))
    there = out != NOWHERE
    offsets = xp.zeros(len(starts) + 1, np.int64)
    xp.cumsum(there.sum(axis=1), out=offsets[1:])
    return Walked(out[there], offsets)


def _checked_path(path: npt.ArrayLike | None, types: int) -> Ids:
    if path is None:
        if types > 1:
            raise ValueError(f"walks: path is missing, expected one of the graph's {types} types")
        return np.zeros(1, np.uint32)
    kinds = np.asarray(path)
    if kinds.dtype.kind not in "iu" or kinds.ndim != 1 or not 0 < len(kinds) <= _MOST_PATH:
        raise TypeError(
            f"walks: path is {kinds.dtype} of shape {kinds.shape}, expected 1 to {_MOST_PATH} types"
        )
    place = first_outside(kinds, 0, types)
    if place >= 0:
        raise ValueError(
            f"walks: path[{place}] is {kinds[place]}, expected one of the graph's {types} types"
        )
    return kinds.astype(np.uint32)
