"""Edges held out of a graph, and as many pairs that no edge joins: what link prediction asks."""

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from firth._sorting import stable_order
from firth.csr import CSR
from firth.evaluate import _pairs
from firth.kernels._arguments import flag, one_of, real, shown, whole

if TYPE_CHECKING:
    from firth._backend import Longs
    from firth.graph import Graph


@dataclasses.dataclass(frozen=True, eq=False)
class Links:
    """Pairs of nodes that an edge joins, and pairs that none does.

    Attributes
    ----------
    positives, negatives
        (m, 2) int64 rows of nodes: source and target; the lower row first if undirected.
    """

    positives: "Longs"
    negatives: "Longs"

    def __repr__(self) -> str:
        return f"Links({len(self.positives)} positives, {len(self.negatives)} negatives)"


@dataclasses.dataclass(frozen=True, eq=False)
class LinkSplit:
    """What `split_links` returns.

    Attributes
    ----------
    train
        The graph without the edges held out, with all its nodes: what a model may learn from.
    valid, test
        The edges held out, with pairs that no edge of the whole graph joins.
    """

    train: "Graph"
    valid: Links
    test: Links

    def __repr__(self) -> str:
        return f"LinkSplit(train={self.train}, valid={self.valid}, test={self.test})"


def split_links(
    graph: "Graph",
    valid: float = 0.1,
    test: float = 0.1,
    *,
    connected: bool = True,
    negatives: float = 1.0,
    seed: int = 1,
) -> LinkSplit:
    """Hold edges of a graph out of training, with pairs of nodes that no edge joins.

    Parameters
    ----------
    graph
        A `Graph`.
    valid, test
        Shares of the pairs of different nodes that edges join, from 0 up; less than 1 together. At
        least one pair is held out for a share above 0.
    connected
        Nodes that are connected stay so: the edges of a random spanning forest (of a directed
        graph, with edges taken in both directions) are not held out.
    negatives
        How many pairs without an edge there are for each edge held out.
    seed
        Of all that is drawn; the same seed always splits alike.

    Returns
    -------
    LinkSplit
        In a directed graph, both edges of a pair that has two are held out together, and negatives
        have no edge in either direction. Hence nothing that is held out stays in `train`, in
        either direction; loops stay, and are never negatives. No pair is drawn twice, nor is one
        among the negatives of both sets.

    Raises
    ------
    ValueError
        A number out of range, no edges, too few edges outside the spanning forest, or too few pairs
        without an edge for so many negatives.
    TypeError
        An argument of another type.

    Notes
    -----
    Time goes with the edges, but for sorting; memory is about 100 bytes an edge.

    References
    ----------
    Grover and Leskovec, "node2vec: scalable feature learning for networks" (2016), section 4.4.

    Examples
    --------
    >>> import firth
    >>> from firth.evaluate import split_links
    >>> ring = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0)]
    >>> split = split_links(firth.Graph(ring), valid=0, test=0.1)
    >>> split.test
    Links(1 positives, 1 negatives)
    >>> split.train.edges
    5
    """
    name = "split_links"
    for what in ("csr", "directed", "keys"):
        if not hasattr(graph, what):
            raise TypeError(f"{name}: graph must be a Graph, got {type(graph).__name__}")
    shares = [real(name, "valid", valid, 0, 1), real(name, "test", test, 0, 1)]
    if not 0 < sum(shares) < 1:
        raise ValueError(
            f"{name}: valid={valid:g} and test={test:g} are together not above 0 and below 1"
        )
    connected = flag(name, "connected", connected)
    ratio = real(name, "negatives", negatives, 0, 1e9)
    seed = whole(name, "seed", seed, 0, 2**64 - 1)
    nodes = len(graph.csr.indptr) - 1
    edges = _pairs.joined(graph)
    sizes = [max(1, round(share * len(edges))) if share else 0 for share in shares]
    order = _free(edges, nodes, sum(sizes), connected, seed)
    lots = [order[: sizes[0]], order[sizes[0] : sum(sizes)]]
    train, positives = _without(graph, edges, lots)
    many = [round(ratio * len(found)) for found in positives]
    free = _pairs.pairs_of(nodes) - len(edges)
    if sum(many) > free:
        raise ValueError(
            f"{name}: negatives={negatives:g} asks for {sum(many)} pairs without an edge, and the "
            f"graph has {free}"
        )
    drawn = _pairs.draw_gaps(edges, free + len(edges), sum(many), seed, _pairs.GAPS)
    others = _pairs.nodes_of(nodes, drawn)
    if graph.directed:
        turned = _pairs.coins(len(others), seed, _pairs.DIRECTIONS)
        others[turned] = others[turned, ::-1]
    return LinkSplit(
        train,
        Links(positives[0], others[: many[0]]),
        Links(positives[1], others[many[0] :]),
    )


def _free(edges: "Longs", nodes: int, wanted: int, connected: bool, seed: int) -> "Longs":
    """Return edges that may be held out, in an order by chance."""
    order = _pairs.shuffled(len(edges), seed, _pairs.ORDER)
    kept = 0
    if connected:
        ends = _pairs.nodes_of(nodes, edges)[order]
        tree = _pairs.forest(nodes, ends[:, 0], ends[:, 1])
        order, kept = order[~tree], int(tree.sum())
    if wanted > len(order):
        why = f": a spanning forest keeps {kept} (connected=False takes them)" if kept else ""
        raise ValueError(
            f"split_links: {wanted} edges are to be held out, and {len(order)} of the "
            f"{len(edges)} may be{why}"
        )
    return order


def _without(graph: "Graph", edges: "Longs", lots: list["Longs"]) -> tuple[Any, list["Longs"]]:
    """Return the graph without the edges of some places, and those of each lot of places."""
    csr, nodes = graph.csr, len(graph.csr.indptr) - 1
    sources, targets = _pairs.ends_of(csr)
    side = np.zeros(len(edges) + 1, np.int8)  # the last one is that of loops
    for number, lot in enumerate(lots, start=1):
        side[lot] = number
    side = side[_places(graph, edges, sources, targets)]
    positives: list[Longs] = []
    for number in range(1, len(lots) + 1):
        found = side == number
        if not graph.directed:
            found &= sources < targets
        positives.append(np.stack([sources[found], targets[found]], axis=1))
    kept = side == 0
    indptr = np.zeros(nodes + 1, np.int64)
    np.cumsum(np.bincount(sources[kept], minlength=nodes), out=indptr[1:])
    train = copy.copy(graph)
    train.csr = CSR(indptr, csr.indices[kept], csr.data[kept])
    for array in (train.csr.indptr, train.csr.indices, train.csr.data):
        array.flags.writeable = False
    return train, positives


def _places(graph: "Graph", edges: "Longs", sources: "Longs", targets: "Longs") -> "Longs":
    """Return for each entry of the matrix the place of its pair among all; -1 for loops."""
    places = np.full(len(sources), -1)
    if graph.directed:
        joins = sources != targets
        numbers = _pairs.numbers_of(len(graph.csr.indptr) - 1, sources[joins], targets[joins])
        places[joins] = _pairs.places(edges, numbers) - 1
        return places
    up = sources < targets
    places[up] = np.arange(len(edges))
    # The other halves come by higher, then lower node: so do these, sorted by target.
    places[sources > targets] = stable_order(targets[up])
    return places


def judged_links(function: str, split: Any, on: str) -> Links:
    """Return the links of a split that are asked for."""
    if not isinstance(split, LinkSplit):
        raise TypeError(f"{function}: split is {type(split).__name__}, expected a LinkSplit")
    one_of(function, "on", on, ("valid", "test"))
    links: Links = getattr(split, on)
    return links


def depths_of(function: str, k: Any) -> list[int]:
    """Return several k as ints."""
    try:
        several = list(k)
    except TypeError:
        raise TypeError(f"{function}: k={shown(k)} is not a row of whole numbers") from None
    if not several:
        raise ValueError(f"{function}: k is empty, expected at least one number")
    return [whole(function, "k", depth, 1, 2**31) for depth in several]
