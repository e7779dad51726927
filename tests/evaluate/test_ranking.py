"""Metrics of rankings against scikit-learn's, where definitions agree, and against loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn import metrics

from firth import CSR
from firth.evaluate import auc, average_precision, hits_at_k, metrics_at_k, mrr, ranks_among
from matrices import csr_of

tied = st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0])
labelled = st.lists(
    st.tuples(st.booleans(), st.one_of(tied, st.floats(-1e6, 1e6))), min_size=2, max_size=60
).filter(lambda pairs: len({label for label, _ in pairs}) == 2)


@given(labelled)
def test_auc_is_scikit_learns_with_ties(pairs):
    labels, scores = map(np.array, zip(*pairs, strict=True))
    assert auc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)


@given(labelled)
def test_average_precision_is_scikit_learns_with_ties(pairs):
    labels, scores = map(np.array, zip(*pairs, strict=True))
    wanted = metrics.average_precision_score(labels, scores)
    assert average_precision(labels, scores) == pytest.approx(wanted, abs=1e-12)


@given(labelled)
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs):
    good = [score for label, score in pairs if label]
    bad = [score for label, score in pairs if not label]
    right = sum((a > b) + (a == b) / 2 for a in good for b in bad)
    found = auc([label for label, _ in pairs], [score for _, score in pairs])
    assert found == pytest.approx(right / (len(good) * len(bad)), abs=1e-12)


@given(st.lists(tied, min_size=1, max_size=30), st.lists(tied, max_size=30))
def test_ranks_count_the_negatives_that_are_not_below(good, bad):
    assert ranks_among(good, bad).tolist() == [1 + sum(b >= a for b in bad) for a in good]


@given(st.lists(tied, min_size=1, max_size=30), st.lists(tied, min_size=8, max_size=30))
def test_hits_are_positives_above_the_kth_highest_negative(good, bad):
    for k in (1, 3, 8):
        bar = sorted(bad)[-k]
        assert hits_at_k(ranks_among(good, bad), k) == np.mean([a > bar for a in good])


def test_one_score_for_all_is_worth_nothing():
    labels = np.arange(20) < 10
    assert auc(labels, np.ones(20)) == 0.5
    assert average_precision(labels, np.ones(20)) == 0.5
    assert mrr(ranks_among(np.ones(10), np.ones(10))) == pytest.approx(1 / 11)


def test_mrr_is_that_of_scikit_learn_for_one_relevant_item_each():
    rng = np.random.default_rng(3)
    scores = rng.permuted(np.tile(np.arange(9.0), (40, 1)), axis=1)
    right = rng.integers(0, 9, 40)
    truth = np.arange(9) == right[:, None]
    ranks = [int(ranks_among(s[t], s[~t])[0]) for s, t in zip(scores, truth, strict=True)]
    assert mrr(ranks) == pytest.approx(metrics.label_ranking_average_precision_score(truth, scores))
    assert hits_at_k(ranks, 3) == pytest.approx(metrics.top_k_accuracy_score(right, scores, k=3))


def ranked(seed, users=30, items=12):
    """Random relevance, with scores in which no two of a user are equal, and the lists of them."""
    rng = np.random.default_rng(seed)
    truth = rng.random((users, items)) < 0.25
    truth[0], truth[1] = False, True
    scores = rng.permuted(np.tile(np.arange(items, dtype=float), (users, 1)), axis=1)
    return truth, scores, np.argsort(-scores, axis=1)


def matrix(truth):
    pairs = np.argwhere(truth).tolist()
    return csr_of({tuple(pair): 1 for pair in pairs}, truth.shape, np.float32)


@pytest.mark.parametrize("k", [1, 3, 12])
def test_lists_are_judged_as_by_scikit_learn(k):
    truth, scores, lists = ranked(k)
    found = metrics_at_k(lists, matrix(truth), k)
    asked = truth.any(axis=1)
    truth, scores, lists = truth[asked], scores[asked], lists[asked]
    chosen = np.zeros_like(truth)
    np.put_along_axis(chosen, lists[:, :k], True, axis=1)
    assert found.users == asked.sum()
    assert found.ndcg == pytest.approx(metrics.ndcg_score(truth, scores, k=k))
    for name in ("precision", "recall"):
        judge = getattr(metrics, f"{name}_score")
        assert getattr(found, name) == pytest.approx(judge(truth, chosen, average="samples"))
    if k == 12:
        each = [metrics.average_precision_score(t, s) for t, s in zip(truth, scores, strict=True)]
        assert found.map == pytest.approx(np.mean(each))


def by_hand(listed, relevant, k):
    """The definitions of AtK for one user, in loops."""
    hits = [item in relevant for item in listed[:k]]
    places = [place for place, hit in enumerate(hits, start=1) if hit]
    most = min(k, len(relevant))
    ideal = sum(1 / math.log2(1 + place) for place in range(1, most + 1))
    return (
        len(places) / k,
        len(places) / len(relevant),
        sum(1 / math.log2(1 + place) for place in places) / ideal,
        sum(sum(hits[:place]) / place for place in places) / most,
        1 / places[0] if places else 0,
    )


@st.composite
def offers(draw):
    items = draw(st.integers(1, 8))
    users = draw(st.integers(1, 6))
    width = draw(st.integers(1, items))
    lists = [
        (draw(st.permutations(range(items)))[: draw(st.integers(0, width))] + [-1] * width)[:width]
        for _ in range(users)
    ]
    relevant = [draw(st.sets(st.integers(0, items - 1))) for _ in range(users)]
    return lists, relevant, items, draw(st.integers(1, items + 3))


@given(offers())
def test_lists_are_judged_by_the_definitions(offer):
    lists, relevant, items, k = offer
    pairs = {(user, item): 1 for user, some in enumerate(relevant) for item in some}
    csr = csr_of(pairs, (len(lists), items), np.float32)
    each = [by_hand(row, some, k) for row, some in zip(lists, relevant, strict=True) if some]
    if each:
        found = metrics_at_k(lists, csr, k)
        assert found[:5] == pytest.approx(np.mean(each, axis=0).tolist())
        assert found.users == len(each)
    else:
        with pytest.raises(ValueError, match="no user has a relevant item"):
            metrics_at_k(lists, csr, k)


def test_a_scipy_matrix_will_do_in_any_order():
    truth, _, lists = ranked(5)
    ordered = matrix(truth)
    sparse = csr_array((ordered.data, ordered.indices, ordered.indptr), shape=truth.shape)
    for row in range(len(truth)):
        sparse.indices[sparse.indptr[row] : sparse.indptr[row + 1]].sort()
        sparse.indices[sparse.indptr[row] : sparse.indptr[row + 1]][:] = sparse.indices[
            sparse.indptr[row] : sparse.indptr[row + 1]
        ][::-1]
    assert metrics_at_k(lists, sparse, 4) == metrics_at_k(lists, ordered, 4)


SOME = CSR(np.array([0, 1]), np.array([1], np.int32), np.ones(1, np.float32), columns=3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: auc([1, 1], [0.5, 0.2]), "auc: all 2 labels are positive, expected both classes"),
        (lambda: auc([0], [0.5]), "auc: all 1 labels are negative, expected both classes"),
        (lambda: auc([0, 1], [0.5, np.nan]), r"auc: scores\[1\] is not finite"),
        (lambda: auc([0, 1, 1], [0.5, 1]), r"auc: labels has shape \(3,\), expected \(2,\)"),
        (
            lambda: average_precision([], []),
            "average_precision: all 0 labels are negative, expected both classes",
        ),
        (lambda: hits_at_k([], 1), r"hits_at_k: ranks has shape \(0,\)"),
        (lambda: hits_at_k([1], 0), "hits_at_k: k=0 is not between 1"),
        (lambda: mrr([-1]), "mrr: ranks has -1, expected none below 0"),
        (lambda: metrics_at_k([[3]], SOME), r"ids\[0\] has an item that is not between -1 and 2"),
        (lambda: metrics_at_k([[1, 1]], SOME), r"metrics_at_k: ids\[0\] has an item twice"),
        (lambda: metrics_at_k([[1]], SOME, 0), "metrics_at_k: k=0 is not at least 1"),
        (
            lambda: metrics_at_k([[1], [2]], SOME),
            r"metrics_at_k: ids has shape \(2, 1\), expected \(1, any\)",
        ),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: auc([0, 2], [0.5, 1]), "auc: labels must be bool, or integers 0 and 1"),
        (lambda: auc([0, 1], ["a", "b"]), "auc: scores: dtype <U1 is no real number"),
        (lambda: mrr([0.5]), "mrr: ranks must be integers, got float64"),
        (lambda: metrics_at_k([[0.5]], SOME), "metrics_at_k: ids must be integers, got float64"),
        (lambda: metrics_at_k([[1]], [[1]]), "metrics_at_k: relevant must be a CSR, got list"),
    ],
)
def test_bad_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()
