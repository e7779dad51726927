"""Links as a search among all nodes: ranks of edges held out, and pairs that may be next."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from firth import kernels
from firth._sorting import stable_order
from firth.evaluate import _pairs
from firth.evaluate._learning import check_known, rows_of
from firth.evaluate.ranking import hits_at_k, mrr
from firth.evaluate.splits import LinkSplit, depths_of, judged_links
from firth.kernels._arguments import one_of, whole

if TYPE_CHECKING:
    from firth._backend import Doubles, Floats, Longs
    from firth.embedding import Embedding
    from firth.graph import Graph

BLOCK = 1 << 22  # ids and scores held at once


class LinkRanking(NamedTuple):
    """What `link_ranking` found.

    Attributes
    ----------
    hits
        {k: share of the queries whose answer has a rank of at most k}.
    mrr
        Mean of 1 / rank; ranks beyond the greatest k count as 0.
    queries
        How many there were: one for each edge, two if undirected.
    """

    hits: dict[int, float]
    mrr: float
    queries: int


class PredictedLinks(NamedTuple):
    """What `predict_links` found.

    Attributes
    ----------
    pairs
        (m, 2) int64 rows of nodes. For certain nodes: each of them and another one, in their order,
        best first; otherwise best first, the lower row first if undirected.
    scores
        (m,) float64: cosines or dot products.
    """

    pairs: "Longs"
    scores: "Doubles"


def link_ranking(
    embedding: "Embedding",
    split: LinkSplit,
    k: int | Sequence[int] = (1, 10, 100),
    *,
    on: Literal["valid", "test"] = "test",
    metric: Literal["cosine", "dot"] = "cosine",
    known: Literal["train", "all"] = "train",
    queries: int | None = None,
    seed: int = 1,
    threads: int | None = None,
) -> LinkRanking:
    """Rank the other end of each edge held out against all nodes.

    Parameters
    ----------
    embedding
        Vectors of all nodes, learnt from ``split.train``; keys are found by name.
    split
        From `split_links`.
    k
        Of Hits@k. The greatest is how far ranks are looked for.
    on
        Which edges are judged.
    metric
        What nodes are ranked by: the cosine or the dot product, both exactly as float64 has them.
    known
        Which nodes do not take part in a ranking, beside the node itself: its neighbours in
        ``split.train``, or "all" others that it has an edge to, also those held out.
    queries
        At most so many, drawn by chance; None for all.
    seed
        Of these.
    threads
        For the search; None takes all.

    Returns
    -------
    LinkRanking
        Of a directed edge the target is looked for, of an undirected one each end from the other.
        Nodes with the same score as the answer count as before it.

    Raises
    ------
    KeyError
        A node has no vector.
    ValueError
        No edges to judge, an argument out of range.

    Examples
    --------
    >>> import firth
    >>> from firth.evaluate import link_ranking, split_links
    >>> split = split_links(firth.Graph([(0, 1), (1, 2), (2, 3), (3, 0)]), valid=0, test=0.25)
    >>> near = firth.Embedding(split.train.keys, [[1, 1], [1, 1], [1, -1], [-1, 1]])
    >>> link_ranking(near, split, k=3)
    LinkRanking(hits={3: 1.0}, mrr=0.5, queries=2)
    """
    name = "link_ranking"
    links = judged_links(name, split, on)
    depths = depths_of(name, (k,) if isinstance(k, (int, np.integer)) else k)
    one_of(name, "metric", metric, ("dot", "cosine"))
    one_of(name, "known", known, ("train", "all"))
    seed = whole(name, "seed", seed, 0, 2**64 - 1)
    asked = links.positives
    if not split.train.directed:
        asked = np.concatenate([asked, asked[:, ::-1]])
    if not len(asked):
        raise ValueError(f"{name}: split.{on} has no edge to rank")
    if queries is not None:
        whole(name, "queries", queries, 1, 2**62)
        asked = asked[_pairs.shuffled(len(asked), seed, _pairs.QUERIES)[:queries]]
    vectors = _vectors(name, embedding, split.train)
    others = [split.valid.positives, split.test.positives] if known == "all" else []
    neighbours = _Neighbours(split.train, others)
    ranks = _ranks(vectors, asked, neighbours, max(depths), metric, threads)
    return LinkRanking({depth: hits_at_k(ranks, depth) for depth in depths}, mrr(ranks), len(asked))


def predict_links(
    embedding: "Embedding",
    graph: "Graph",
    k: int = 10,
    *,
    nodes: Sequence[str] | None = None,
    metric: Literal["cosine", "dot"] = "cosine",
    threads: int | None = None,
) -> PredictedLinks:
    """Find the pairs of nodes that no edge joins yet and whose vectors are closest.

    Parameters
    ----------
    embedding
        Vectors of all nodes; keys are found by name.
    graph
        Whose edges are known.
    k
        How many pairs.
    nodes
        Names: k pairs are found for each of them, instead of k altogether.
    metric
        What pairs are ranked by, exactly as float64 has it.
    threads
        For the search; None takes all.

    Returns
    -------
    PredictedLinks
        Fewer than k where no more are left.

    Raises
    ------
    KeyError
        A node has no vector, or is not in the graph.
    ValueError, TypeError
        An argument out of range or of another type.

    Examples
    --------
    >>> import firth
    >>> from firth.evaluate import predict_links
    >>> ring = firth.Graph([(0, 1), (1, 2), (2, 3), (3, 0)])
    >>> near = firth.Embedding(ring.keys, [[1, 0], [1, 1], [1, 0], [-1, 1]])
    >>> predict_links(near, ring, k=1).pairs.tolist()
    [[0, 2]]
    """
    name = "predict_links"
    k = whole(name, "k", k, 1, 2**31)
    one_of(name, "metric", metric, ("dot", "cosine"))
    if isinstance(nodes, str):
        raise TypeError(f"{name}: nodes={nodes!r} is a single text, expected several")
    vectors = _vectors(name, embedding, graph)
    if nodes is None:
        sources = np.arange(len(graph.keys))
    else:
        unknown = [node for node in nodes if node not in graph.index]
        if unknown:
            raise KeyError(f"{name}: node {unknown[0]!r} is not in the graph")
        sources = np.array([graph.index[node] for node in nodes], np.int64)
    asked = np.stack([sources, np.full(len(sources), -1)], axis=1)
    places, pairs, scores = np.empty(0, np.int64), np.empty((0, 2), np.int64), np.empty(0)
    for some, ids, found in _searches(vectors, asked, _Neighbours(graph, []), k, metric, threads):
        row, column = np.nonzero(ids >= 0)
        several = np.stack([asked[some[row], 0], ids[row, column]], axis=1)
        places = np.concatenate([places, some[row]])
        pairs = np.concatenate([pairs, several])
        scores = np.concatenate([scores, found[row, column]])
        if nodes is None:  # keep what may be among the k best: pairs are found from either end
            if not graph.directed:
                pairs.sort(axis=1)
            best = np.lexsort([pairs[:, 1], pairs[:, 0], -scores])
            numbers = pairs[best, 0] * len(graph.keys) + pairs[best, 1]
            _, first = np.unique(numbers, return_index=True)
            kept = best[np.sort(first)[:k]]
            places, pairs, scores = places[kept], pairs[kept], scores[kept]
    if nodes is not None:
        order = stable_order(places)
        pairs, scores = pairs[order], scores[order]
    return PredictedLinks(pairs, scores)


def _vectors(function: str, embedding: "Embedding", graph: "Graph") -> "Floats":
    """Return the vectors of all nodes, in the order of the graph."""
    rows = rows_of(embedding, graph.keys)
    check_known(function, rows, np.arange(len(rows)), graph.keys)
    same = len(rows) == len(embedding.keys) and bool((rows == np.arange(len(rows))).all())
    return embedding.vectors if same else embedding.vectors[rows]


class _Neighbours:
    """The nodes that each node has an edge to, in the graph and in lots of further edges."""

    def __init__(self, graph: "Graph", lots: list["Longs"]) -> None:
        sources, targets = _pairs.ends_of(graph.csr)
        for lot in lots:
            both = lot if graph.directed else np.concatenate([lot, lot[:, ::-1]])
            sources = np.concatenate([sources, both[:, 0]])
            targets = np.concatenate([targets, both[:, 1]])
        order = stable_order(sources)
        self.targets = targets[order]
        self.sizes = np.bincount(sources, minlength=len(graph.keys))
        self.starts = np.cumsum(self.sizes) - self.sizes

    def but(self, asked: "Longs") -> "Longs":
        """Return for each (source, target) the source and its neighbours but the target, or -1."""
        nodes = asked[:, 0]
        place = np.arange(int(self.sizes[nodes].max()))
        at = np.minimum(self.starts[nodes][:, None] + place, max(0, len(self.targets) - 1))
        around = self.targets[at] if len(self.targets) else np.empty(at.shape, np.int64)
        none = (place >= self.sizes[nodes][:, None]) | (around == asked[:, 1:])
        around = np.where(none | (around == nodes[:, None]), -1, around)  # loops are there already
        excluded: Longs = np.concatenate([nodes[:, None], around], axis=1)
        return excluded


def _ranks(
    vectors: "Floats",
    asked: "Longs",
    neighbours: _Neighbours,
    depth: int,
    metric: Literal["dot", "cosine"],
    threads: int | None,
) -> "Longs":
    """Return the rank of each target, from 1; 0 for those beyond `depth`."""
    # One more than is asked for: equal scores, which count against the answer, end within the list
    # or go on beyond `depth`.
    ranks = np.zeros(len(asked), np.int64)
    for some, ids, scores in _searches(vectors, asked, neighbours, depth + 1, metric, threads):
        found = ids == asked[some, 1:]
        own = np.where(found, scores, -np.inf).max(axis=1, keepdims=True)
        rank = (scores >= own).sum(axis=1)
        ranks[some] = np.where(found.any(axis=1) & (rank <= depth), rank, 0)
    return ranks


def _searches(
    vectors: "Floats",
    asked: "Longs",
    neighbours: _Neighbours,
    most: int,
    metric: Literal["cosine", "dot"],
    threads: int | None,
) -> Iterator[tuple["Longs", "Longs", "Doubles"]]:
    """Yield some places of `asked`, and the best nodes for their sources that are no neighbours."""
    prepared = kernels.prepare(vectors, metric, threads=threads)
    most = min(most, len(vectors))
    order = stable_order(neighbours.sizes[asked[:, 0]])  # rows alike in length
    widths = neighbours.sizes[asked[order, 0]] + 1 + most
    begin = 0
    while begin < len(order):
        ahead = widths[begin : begin + max(1, BLOCK // int(widths[begin]))]
        fit = int((np.arange(1, len(ahead) + 1) * ahead <= BLOCK).sum())
        some = order[begin : begin + max(1, fit)]
        begin += len(some)
        ids, scores = kernels.topk(
            vectors[asked[some, 0]],
            prepared,
            most,
            exclude=neighbours.but(asked[some]),
            threshold=-np.inf,
            dtype=np.float64,
            threads=threads,
        )
        yield some, ids, scores
