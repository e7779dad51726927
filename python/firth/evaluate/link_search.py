"""Link prediction as a search: where the other end of an edge held out ranks among all nodes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from firth import kernels
from firth.evaluate import _pairs
from firth.evaluate._learning import check_known, rows_of
from firth.evaluate.ranking import hits_at_k, mrr
from firth.evaluate.splits import LinkSplit, depths_of, judged_links
from firth.kernels._arguments import one_of, whole

if TYPE_CHECKING:
    from firth._backend import Floats, Longs
    from firth.embedding import Embedding

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
    LinkRanking(hits={3: 1.0}, mrr=1.0, queries=2)
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
    keys = split.train.keys
    rows = rows_of(embedding, keys)
    check_known(name, rows, np.arange(len(keys)), keys)
    vectors = (
        embedding.vectors
        if np.array_equal(rows, np.arange(len(embedding.keys)))
        else (embedding.vectors[rows])
    )
    others = [split.valid.positives, split.test.positives] if known == "all" else []
    neighbours = _Neighbours(split.train, others)
    ranks = _ranks(vectors, asked, neighbours, max(depths), metric, threads)
    return LinkRanking({depth: hits_at_k(ranks, depth) for depth in depths}, mrr(ranks), len(asked))


class _Neighbours:
    """The nodes that each node has an edge to, in the graph and in lots of further edges."""

    def __init__(self, graph: Any, lots: list["Longs"]) -> None:
        sources, targets = _pairs.ends_of(graph.csr)
        for lot in lots:
            both = lot if graph.directed else np.concatenate([lot, lot[:, ::-1]])
            sources = np.concatenate([sources, both[:, 0]])
            targets = np.concatenate([targets, both[:, 1]])
        order = np.argsort(sources, kind="stable")
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
    prepared = kernels.prepare(vectors, metric, threads=threads)
    # One more than is asked for: equal scores, which count against the answer, end within the list
    # or go on beyond `depth`.
    most = min(depth + 1, len(vectors))
    ranks = np.zeros(len(asked), np.int64)
    order = np.argsort(neighbours.sizes[asked[:, 0]], kind="stable")  # rows alike in length
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
        found = ids == asked[some, 1:]
        own = np.where(found, scores, -np.inf).max(axis=1, keepdims=True)
        rank = (scores >= own).sum(axis=1)
        ranks[some] = np.where(found.any(axis=1) & (rank <= depth), rank, 0)
    return ranks
