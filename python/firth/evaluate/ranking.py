"""Metrics of rankings, in numpy: of scores with labels, of ranks, and of lists of k.

Each says what equal scores mean. Those of lists take relevance as binary and know nothing of the
recommender that made the lists.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._sorting import different, stable_order
from firth.kernels._arguments import integer, whole

if TYPE_CHECKING:
    from firth._backend import Doubles, Longs

Bools = npt.NDArray[np.bool_]
_STEP = 1 << 15  # scores that are looked for together


class AtK(NamedTuple):
    """What `metrics_at_k` found: means over the users who have something relevant.

    Attributes
    ----------
    precision
        Relevant ones among the first k, divided by k, also where fewer were listed.
    recall
        Relevant ones among the first k, divided by all relevant ones.
    ndcg
        Sum of 1 / log2(1 + place) of the relevant ones, divided by that of a list which has
        min(k, relevant) of them in front.
    map
        Sum of the precision at the places of the relevant ones, divided by min(k, relevant).
    mrr
        1 / place of the first relevant one, 0 where there is none.
    users
        Over how many users the means are.
    """

    precision: float
    recall: float
    ndcg: float
    map: float
    mrr: float
    users: int


def auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    Parameters
    ----------
    labels : (n,) bool, or integers 0 and 1
        Which are positive.
    scores : (n,) real numbers
        Equal scores of a positive and a negative count one half.

    Returns
    -------
    float
        In [0, 1]; 0.5 where scores say nothing.

    Raises
    ------
    ValueError
        Only one class, lengths that differ, a score that is not finite.
    TypeError
        Labels or scores of another dtype.

    References
    ----------
    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic
    (ROC) curve" (1982).

    Examples
    --------
    >>> auc([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])
    0.875
    """
    positive, values = _labelled("auc", labels, scores)
    many = int(positive.sum())
    _, place = different(values)
    counts = np.bincount(place)
    ends = np.cumsum(counts)
    twice = (2 * ends - counts + 1)[place]  # ranks from 1, equal ones sharing their mean: exact
    above = int(twice[positive].sum()) - many * (many + 1)
    return above / (2 * many * (len(values) - many))


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the mean precision over the positives, each where the ranking reaches it.

    Parameters
    ----------
    labels : (n,) bool, or integers 0 and 1
        Which are positive.
    scores : (n,) real numbers
        Equal scores are reached together: the precision is that after all of them.

    Returns
    -------
    float
        The sum over thresholds of (gain in recall) x (precision), without interpolation.

    Raises
    ------
    ValueError
        Only one class, lengths that differ, a score that is not finite.
    TypeError
        Labels or scores of another dtype.

    Examples
    --------
    >>> round(average_precision([1, 0, 1, 0], [0.9, 0.5, 0.4, 0.1]), 3)
    0.833
    """
    positive, values = _labelled("average_precision", labels, scores)
    order = stable_order(-values)
    ranked = values[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    found = np.cumsum(positive[order])[ends]
    gained = np.diff(found, prepend=0)
    return float((gained * (found / (ends + 1))).sum() / found[-1])


def ranks_among(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> "Longs":
    """Return the rank of each positive score among all negative ones.

    Parameters
    ----------
    positives : (p,) real numbers
    negatives : (n,) real numbers

    Returns
    -------
    (p,) int64
        From 1. Equal scores count against the positive: a score for all gets the last rank.

    Raises
    ------
    TypeError, ValueError
        Scores that are no finite numbers in one dimension.

    Examples
    --------
    >>> ranks_among([0.9, 0.5, 0.1], [0.5, 0.2]).tolist()
    [1, 2, 3]
    """
    good = _scores("ranks_among", "positives", positives)
    bad = _scores("ranks_among", "negatives", negatives)
    bad = bad[stable_order(bad)]
    ranks: Longs = np.empty(len(good), np.int64)
    for at in range(0, len(good), _STEP):  # Ctrl-C between
        ranks[at : at + _STEP] = len(bad) - np.searchsorted(bad, good[at : at + _STEP]) + 1
    return ranks


def hits_at_k(ranks: npt.ArrayLike, k: int) -> float:
    """Return the share of ranks that are at most k.

    Parameters
    ----------
    ranks : (n,) integers
        From 1; 0 where nothing was found. Those of `ranks_among` give the Hits@k of the Open Graph
        Benchmark: positives that score above the k-th highest negative.
    k
        At least 1.

    Raises
    ------
    ValueError, TypeError
        No ranks, one below 0, or `k` below 1.

    Examples
    --------
    >>> hits_at_k([1, 3, 0, 2], 2)
    0.5
    """
    places = _ranks("hits_at_k", ranks)
    whole("hits_at_k", "k", k, 1, 2**62)
    return float(((places > 0) & (places <= k)).mean())


def mrr(ranks: npt.ArrayLike) -> float:
    """Return the mean of 1 / rank; ranks from 1, and 0 where nothing was found, which adds 0.

    Raises
    ------
    ValueError, TypeError
        No ranks, or one below 0.

    Examples
    --------
    >>> mrr([1, 2, 0, 4])
    0.4375
    """
    places = _ranks("mrr", ranks)
    return float(np.where(places > 0, 1 / np.maximum(places, 1), 0).mean())


def metrics_at_k(ids: npt.ArrayLike, relevant: Any, k: int | None = None) -> AtK:
    """Return precision, recall, NDCG, MAP and MRR of lists of items.

    Parameters
    ----------
    ids : (users, m) integers
        The items listed for each user, best first, none twice; -1 is none.
    relevant : CSR (users, items)
        Its entries are relevant, whatever their values. A SciPy matrix in CSR form will do, too.
    k
        Only the first k places count, also where lists are shorter; None for m.

    Returns
    -------
    AtK
        Means over the users who have something relevant. All definitions are there.

    Raises
    ------
    ValueError
        Nobody has anything relevant; an item out of range or twice in a list; `k` below 1.
    TypeError
        Something of another type.

    Notes
    -----
    Others differ in small things: some divide precision by min(k, relevant), some MAP by all
    relevant ones, some count users without relevant items as 0.

    References
    ----------
    Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques" (2002), for NDCG.

    Examples
    --------
    >>> import numpy as np
    >>> from firth import CSR
    >>> bought = CSR(np.array([0, 2, 2]), np.array([1, 4], np.int32), np.ones(2), columns=5)
    >>> found = metrics_at_k([[1, 2, 4], [0, 1, -1]], bought)
    >>> found.recall, found.mrr, found.users
    (1.0, 1.0, 1)
    """
    sums = AtSums.of(ids, relevant, k)
    return sums.means("metrics_at_k")


class AtSums(NamedTuple):
    """Sums of the metrics over users, so that batches can be added up."""

    totals: "Doubles"
    users: int

    @classmethod
    def of(cls, ids: npt.ArrayLike, relevant: Any, k: int | None = None) -> "AtSums":
        """Return the sums over the users of `metrics_at_k`."""
        hits, sizes, depth = _hits(ids, relevant, k)
        asked = sizes > 0
        hits, sizes = hits[asked], sizes[asked]
        places = np.arange(1, hits.shape[1] + 1)
        gains = 1 / np.log2(1 + places)
        most = np.minimum(sizes, depth)
        ideal = np.cumsum(1 / np.log2(2 + np.arange(max(1, int(most.max(initial=1))))))
        found = hits.sum(axis=1)
        precisions = np.cumsum(hits, axis=1) / places
        first = np.where(found > 0, 1 / (1 + hits.argmax(axis=1)), 0) if hits.shape[1] else found
        each = (
            found / depth,
            found / sizes,
            hits @ gains / ideal[most - 1],
            (precisions * hits).sum(axis=1) / most,
            first,
        )
        return cls(np.array([values.sum() for values in each]), len(sizes))

    def plus(self, other: "AtSums") -> "AtSums":
        """Return the sums over the users of both."""
        return AtSums(self.totals + other.totals, self.users + other.users)

    def means(self, name: str) -> AtK:
        """Return the means."""
        if not self.users:
            raise ValueError(f"{name}: no user has a relevant item, so there is no mean")
        precision, recall, ndcg, map, mrr = (self.totals / self.users).tolist()
        return AtK(precision, recall, ndcg, map, mrr, self.users)


def _hits(ids: npt.ArrayLike, relevant: Any, k: int | None) -> tuple[Bools, "Longs", int]:
    """Return which places are relevant (users, at most k), how many each user has, and k."""
    name = "metrics_at_k"
    if not all(hasattr(relevant, part) for part in ("indptr", "indices", "shape")):
        raise TypeError(f"{name}: relevant must be a CSR, got {type(relevant).__name__}")
    users, items = (int(size) for size in relevant.shape)
    listed = np.asarray(ids)
    if listed.dtype.kind not in "iu" and listed.size:
        raise TypeError(f"{name}: ids must be integers, got {listed.dtype}")
    if listed.ndim != 2 or len(listed) != users:
        raise ValueError(f"{name}: ids has shape {listed.shape}, expected ({users}, any)")
    depth = listed.shape[1] if k is None else integer(name, "k", k)
    if depth < 1:
        raise ValueError(f"{name}: k={depth} is not at least 1")
    listed = listed[:, :depth].astype(np.int64)
    if listed.size and not -1 <= int(listed.min()) <= int(listed.max()) < items:
        user = int(((listed < -1) | (listed >= items)).any(axis=1).argmax())
        raise ValueError(f"{name}: ids[{user}] has an item that is not between -1 and {items - 1}")
    ordered = np.sort(listed, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        raise ValueError(f"{name}: ids[{int(twice.argmax())}] has an item twice")
    sizes = np.diff(relevant.indptr).astype(np.int64)
    width = max(1, items)
    pairs = np.repeat(np.arange(users), sizes) * width + relevant.indices
    pairs.sort()  # SciPy's rows need not be in order
    asked = np.arange(users)[:, None] * width + listed
    at = np.minimum(np.searchsorted(pairs, asked), max(0, len(pairs) - 1))
    hits = (pairs[at] == asked) & (listed >= 0) if len(pairs) else np.zeros(listed.shape, np.bool_)
    return hits, sizes, depth


def _labelled(name: str, labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Bools, "Doubles"]:
    """Return both as arrays, if both classes are there."""
    values = _scores(name, "scores", scores)
    given = np.asarray(labels)
    if given.dtype != np.bool_ and (
        given.size and (given.dtype.kind not in "iu" or not np.isin(given, (0, 1)).all())
    ):
        raise TypeError(f"{name}: labels must be bool, or integers 0 and 1")
    if given.shape != values.shape:
        raise ValueError(f"{name}: labels has shape {given.shape}, expected {values.shape}")
    positive = given.astype(np.bool_)
    many = int(positive.sum())
    if not 0 < many < len(values):
        what = "positive" if many else "negative"
        raise ValueError(f"{name}: all {len(values)} labels are {what}, expected both classes")
    return positive, values


def _scores(name: str, what: str, scores: npt.ArrayLike) -> "Doubles":
    given = np.asarray(scores)
    if given.dtype.kind not in "fiu" and given.size:
        raise TypeError(f"{name}: {what}: dtype {given.dtype} is no real number")
    if given.ndim != 1:
        raise ValueError(f"{name}: {what} has shape {given.shape}, expected (any,)")
    values = given.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: {what}[{int(np.isfinite(values).argmin())}] is not finite")
    return values


def _ranks(name: str, ranks: npt.ArrayLike) -> "Longs":
    given = np.asarray(ranks)
    if given.dtype.kind not in "iu" and given.size:
        raise TypeError(f"{name}: ranks must be integers, got {given.dtype}")
    if given.ndim != 1 or not given.size:
        raise ValueError(f"{name}: ranks has shape {given.shape}, expected at least one in a row")
    if int(given.min()) < 0:
        raise ValueError(f"{name}: ranks has {int(given.min())}, expected none below 0")
    return given.astype(np.int64)
