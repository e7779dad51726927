"""Link prediction: how well vectors tell edges held out from pairs that no edge joins."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._sorting import different
from firth.evaluate import _pairs
from firth.evaluate._learning import check_known, logistic, moments, rows_of
from firth.evaluate.ranking import auc, average_precision, hits_at_k, mrr, ranks_among
from firth.evaluate.similarity import cosines_of
from firth.evaluate.splits import LinkSplit, depths_of, judged_links
from firth.kernels._arguments import first_outside, one_of, real, whole

if TYPE_CHECKING:
    from firth._backend import Doubles, Floats, Longs
    from firth.embedding import Embedding

OPERATORS = ("average", "hadamard", "l1", "l2", "dot", "cosine")
SCORES = ("dot", "cosine")  # operators whose one number is a score
BLOCK = 1 << 22  # numbers held at once

Operator = Literal["average", "hadamard", "l1", "l2", "dot", "cosine"]


class LinkPrediction(NamedTuple):
    """What `link_prediction` found.

    Attributes
    ----------
    auc, average_precision
        As `firth.evaluate.auc` and `average_precision` define them.
    hits
        {k: share of the edges with a rank of at most k among all negatives}; where there are no
        more than k negatives, only an edge that all of them outscore can miss.
    mrr
        Mean of 1 / rank, with the same ranks. Equal scores count against the edge.
    """

    auc: float
    average_precision: float
    hits: dict[int, float]
    mrr: float


def edge_features(
    vectors: npt.NDArray[Any], pairs: npt.ArrayLike, operator: Operator = "hadamard"
) -> "Floats":
    """Make features of pairs of nodes out of their vectors.

    Parameters
    ----------
    vectors : (n, dim) float32 array, or an Embedding
        One row a node.
    pairs : (m, 2) integers
        Rows.
    operator
        For vectors a and b "average" is (a + b) / 2, "hadamard" a b number by number, "l1"
        abs(a - b), "l2" (a - b) squared. "dot", the sum of a b, and "cosine" are one number; the
        cosine with a vector of zeros is 0.

    Returns
    -------
    (m, dim) float32, or (m, 1) for "dot" and "cosine"
        None of them depends on the direction of a pair.

    Raises
    ------
    TypeError, ValueError
        Another operator, pairs of another kind, a row that is not there.

    References
    ----------
    Grover and Leskovec, "node2vec: scalable feature learning for networks" (2016), table 1.

    Examples
    --------
    >>> import numpy as np
    >>> vectors = np.array([[1, 2], [3, 5]], np.float32)
    >>> edge_features(vectors, [(0, 1)], "l1").tolist()
    [[2.0, 3.0]]
    """
    name = "edge_features"
    one_of(name, "operator", operator, OPERATORS)
    table = np.asarray(getattr(vectors, "vectors", vectors))
    if table.ndim != 2 or table.dtype.kind not in "fiu":
        raise TypeError(f"{name}: vectors must be real numbers (n, dim), got {table.shape}")
    ends = checked_pairs(name, "pairs", pairs, len(table))
    a, b = table[ends[:, 0]], table[ends[:, 1]]
    if operator == "average":
        made = (a + b) / 2
    elif operator == "hadamard":
        made = a * b
    elif operator in SCORES:
        made = _scored(a, b, operator)[:, None]
    else:
        made = np.abs(a - b) if operator == "l1" else (a - b) ** 2
    features: Floats = made.astype(np.float32, copy=False)
    return features


def link_prediction(
    embedding: "Embedding",
    split: LinkSplit,
    operator: Operator = "hadamard",
    *,
    on: Literal["valid", "test"] = "test",
    k: Sequence[int] = (10, 50, 100),
    examples: int = 100_000,
    strength: float = 1.0,
    seed: int = 1,
) -> LinkPrediction:
    """Score edges held out and pairs without an edge, and say how well scores part them.

    Parameters
    ----------
    embedding
        Vectors of the nodes, learnt from ``split.train``; keys are found by name.
    split
        From `split_links`.
    operator
        "dot" and "cosine" score pairs by these and learn nothing. The others make features
        (`edge_features`), from which a logistic regression, trained on edges of ``split.train``
        and pairs without an edge, makes scores.
    on
        Which edges are judged. Choose operators and models by "valid".
    k
        Of Hits@k.
    examples
        At most so many training edges, drawn by chance, and as many pairs without an edge, are
        learnt from; no pair held out is among them, neither of edges nor of negatives.
    strength
        Of the regression: the inverse of its regularisation. Features are brought to mean 0 and
        variance 1 first, so that the length of vectors does not matter.
    seed
        Of the examples.

    Returns
    -------
    LinkPrediction

    Raises
    ------
    KeyError
        A node that is asked for has no vector.
    ValueError
        No edges or no negatives to judge, or to learn from; an argument out of range.
    ImportError
        scikit-learn is not installed, which the operators that learn need; it comes with
        ``firth[sklearn]``.

    References
    ----------
    Grover and Leskovec, "node2vec: scalable feature learning for networks" (2016), section 4.4.

    Examples
    --------
    >>> import firth
    >>> from firth.evaluate import link_prediction, split_links
    >>> split = split_links(firth.Graph([(0, 1), (1, 2), (2, 3), (3, 0)]), valid=0, test=0.25)
    >>> near = firth.Embedding(split.train.keys, [[1, 1], [1, 1], [1, -1], [-1, 1]])
    >>> link_prediction(near, split, "dot").hits[10]
    1.0
    """
    name = "link_prediction"
    one_of(name, "operator", operator, OPERATORS)
    links = judged_links(name, split, on)
    depths = depths_of(name, k)
    whole(name, "examples", examples, 1, 2**31)
    real(name, "strength", strength, 1e-12, 1e12)
    seed = whole(name, "seed", seed, 0, 2**64 - 1)
    if not len(links.positives) or not len(links.negatives):
        raise ValueError(f"{name}: split.{on} is {links}, expected some of both")
    rows = rows_of(embedding, split.train.keys)
    for pairs in links.positives, links.negatives:
        check_known(name, rows, pairs.ravel(), split.train.keys)
    judged = rows[np.concatenate([links.positives, links.negatives])]
    vectors = embedding.vectors
    if operator in SCORES:

        def score(pairs: "Longs") -> "Doubles":
            return _scored(vectors[pairs[:, 0]], vectors[pairs[:, 1]], operator)
    else:
        regression = logistic(name)(C=float(strength), solver="lbfgs", max_iter=1000)
        taught, labels = _examples(split, examples, seed)
        check_known(name, rows, taught.ravel(), split.train.keys)
        learnt = edge_features(vectors, rows[taught], operator)
        mean, deviation = moments(learnt)
        regression.fit((learnt - mean) / deviation, labels)

        def score(pairs: "Longs") -> "Doubles":
            features = (edge_features(vectors, pairs, operator) - mean) / deviation
            odds: Doubles = regression.decision_function(features)
            return odds

    step = max(1, BLOCK // embedding.dim)
    starts = range(0, len(judged), step)
    scores = np.concatenate([score(judged[at : at + step]) for at in starts])
    good = len(links.positives)
    labels = np.arange(len(scores)) < good
    ranks = ranks_among(scores[:good], scores[good:])
    return LinkPrediction(
        auc(labels, scores),
        average_precision(labels, scores),
        {depth: hits_at_k(ranks, depth) for depth in depths},
        mrr(ranks),
    )


def _examples(split: LinkSplit, most: int, seed: int) -> tuple["Longs", npt.NDArray[np.bool_]]:
    """Return pairs to learn from (m, 2), and which of them an edge joins."""
    graph = split.train
    nodes = len(graph.keys)
    edges = _pairs.joined(graph)
    lots = [split.valid.positives, split.test.positives]
    lots += [split.valid.negatives, split.test.negatives]
    held = np.concatenate(lots)
    taken = different(np.concatenate([edges, _pairs.numbers_of(nodes, held[:, 0], held[:, 1])]))[0]
    total = _pairs.pairs_of(nodes)
    many = min(most, len(edges), total - len(taken))
    if not many:
        raise ValueError(
            f"link_prediction: nothing to learn from: {len(edges)} training edges, and "
            f"{total - len(taken)} pairs without an edge that are not held out"
        )
    good = edges[_pairs.draw_different(len(edges), many, seed, _pairs.EXAMPLES)]
    bad = _pairs.draw_gaps(taken, total, many, seed, _pairs.EXAMPLE_GAPS)
    pairs = _pairs.nodes_of(nodes, np.concatenate([good, bad]))
    return pairs, np.arange(2 * many) < many


def _scored(a: npt.NDArray[Any], b: npt.NDArray[Any], operator: str) -> "Doubles":
    """Return the dot product or the cosine of each row of `a` with that of `b`, as float64."""
    if operator == "cosine":
        return cosines_of(a, b)
    dots: Doubles = np.einsum("ij,ij->i", a.astype(np.float64), b.astype(np.float64))
    return dots


def checked_pairs(function: str, name: str, pairs: npt.ArrayLike, rows: int) -> "Longs":
    """Return pairs of rows as int64 (m, 2)."""
    given = np.asarray(pairs)
    if given.size == 0:
        given = np.empty((0, 2), np.int64)
    if given.dtype.kind not in "iu":
        raise TypeError(f"{function}: {name} must be integers, got {given.dtype}")
    if given.ndim != 2 or given.shape[1] != 2:
        raise ValueError(f"{function}: {name} has shape {given.shape}, expected (any, 2)")
    place = first_outside(given, 0, rows)
    if place >= 0:
        raise ValueError(
            f"{function}: {name}[{place // 2}] is {tuple(given[place // 2].tolist())}, expected "
            f"rows from 0 to {rows - 1}"
        )
    return given.astype(np.int64)
