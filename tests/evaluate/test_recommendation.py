"""Recommendation: scores and recommenders against loops, batches, names, what is left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import CSR
from firth.evaluate import metrics_at_k, recommendation
from matrices import csr_of

OUT = -np.inf


def matrix(pairs, shape):
    return csr_of(dict.fromkeys(pairs, 1), shape, np.float32)


class Recommender:
    """Ranks by scores, and writes down how it was asked."""

    def __init__(self, scores, seen=()):
        self.scores, self.seen, self.asked = scores, set(seen), []

    def recommend(self, users, k, filter_seen=True):
        self.asked.append((users.tolist(), k, filter_seen))
        ids = np.full((len(users), k), -1, np.int64)
        for row, user in enumerate(users.tolist()):
            order = np.argsort(-self.scores[user], kind="stable").tolist()
            left = [i for i in order if not (filter_seen and (user, i) in self.seen)]
            ids[row, : len(left)] = left[:k]
        return ids, np.zeros(ids.shape, np.float32)


@st.composite
def worlds(draw):
    users, items = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    pair = st.tuples(st.integers(0, users - 1), st.integers(0, items - 1))
    seen = draw(st.sets(pair, max_size=20))
    held = draw(st.sets(pair, min_size=1, max_size=20))
    scores = draw(st.lists(st.integers(-2, 2), min_size=users * items, max_size=users * items))
    k, batch = draw(st.integers(1, items)), draw(st.integers(1, 8))
    return np.reshape(scores, (users, items)), seen, held, k, batch


@given(worlds(), st.booleans())
def test_scores_a_function_and_a_recommender_that_rank_alike_are_judged_alike(world, filter_seen):
    scores, seen, held, k, batch = world
    test, train = matrix(held, scores.shape), matrix(seen, scores.shape)
    recommender = Recommender(scores, seen)
    found = recommendation(recommender, test, k, filter_seen=filter_seen, batch=batch)
    users = np.arange(len(scores))
    lists, _ = Recommender(scores, seen).recommend(users, k, filter_seen)
    assert found == pytest.approx(metrics_at_k(lists, test, k))
    options = {"train": train, "filter_seen": filter_seen, "batch": batch}
    assert recommendation(scores, test, k, **options) == pytest.approx(found)
    assert recommendation(lambda rows: scores[rows], test, k, **options) == pytest.approx(found)
    asked = [user for users, _, _ in recommender.asked for user in users]
    assert asked == sorted({user for user, _ in held})
    assert max(len(users) for users, _, _ in recommender.asked) <= batch


def test_equal_scores_are_ranked_in_the_order_of_items():
    test = matrix([(0, 1)], (1, 4))
    assert recommendation(np.ones((1, 4)), test, 1).recall == 0
    assert recommendation(np.ones((1, 4)), test, 2).mrr == 0.5


def test_scores_of_minus_infinity_are_never_offered():
    test = matrix([(0, 2)], (1, 3))
    assert recommendation(np.array([[1.0, OUT, OUT]]), test, 3).recall == 0


def test_scores_are_not_changed():
    scores = np.arange(6.0).reshape(2, 3)
    train = matrix([(0, 2), (1, 0)], scores.shape)
    recommendation(scores, matrix([(0, 1)], scores.shape), 1, train=train)
    assert scores.tolist() == [[0, 1, 2], [3, 4, 5]]


class Names:
    def __init__(self, users, items, pairs):
        self.users, self.items = users, items
        self.csr = matrix(pairs, (len(users), len(items)))


def test_rows_must_stand_for_the_same_users_and_items():
    test = Names(["ann", "bob"], ["tea"], [(0, 0)])
    recommender = Recommender(np.ones((2, 1)))
    recommender.users, recommender.items = ["ann", "bob"], ["tea"]
    assert recommendation(recommender, test, 1).recall == 1
    recommender.users = ["bob", "ann"]
    with pytest.raises(ValueError, match="test has other users than the recommender"):
        recommendation(recommender, test, 1)


def test_items_that_were_not_learnt_are_missed_and_users_are_refused():
    recommender = Recommender(np.ones((1, 2)))
    recommender.users, recommender.items = ["ann"], ["tea", "milk"]
    more = ["tea", "milk", "rum"]
    found = recommendation(recommender, Names(["ann", "bob"], more, [(0, 0), (0, 2)]), 2)
    assert (found.recall, found.users) == (0.5, 1)
    with pytest.raises(ValueError, match="user 'bob' of test is unknown to the recommender"):
        recommendation(recommender, Names(["ann", "bob"], more, [(1, 0)]), 2)


TEST = matrix([(0, 1)], (2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: recommendation(np.ones((2, 3)), TEST, 4), "k=4 is not between 1 and the 3 items"),
        (lambda: recommendation(np.ones((2, 3)), TEST, 0), "recommendation: k=0 is not between 1"),
        (lambda: recommendation(np.ones((3, 2)), TEST, 1), r"shape \(3, 2\), expected \(2, 3\)"),
        (lambda: recommendation(np.full((2, 3), np.nan), TEST, 1), "scores have NaN"),
        (lambda: recommendation(lambda rows: np.ones((1, 2)), TEST, 1), r"expected \(1, 3\)"),
        (
            lambda: recommendation(np.ones((2, 3)), matrix([], (2, 3)), 1),
            "recommendation: no user has a relevant item",
        ),
        (
            lambda: recommendation(np.ones((2, 3)), TEST, 1, train=matrix([], (2, 2))),
            r"train is of \(2, 2\), expected test's \(2, 3\)",
        ),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: recommendation([[1.0]], TEST, 1), "must have recommend"),
        (lambda: recommendation(np.ones((2, 3)), [[1]], 1), "test must be Interactions or a CSR"),
        (lambda: recommendation(np.ones((2, 3)), TEST, 1.5), "k must be an integer, got float"),
        (lambda: recommendation(np.ones((2, 3)), TEST, 1, filter_seen="no"), "filter_seen='no'"),
        (lambda: recommendation(np.full((2, 3), "a"), TEST, 1), "dtype <U1 is no real number"),
    ],
)
def test_bad_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_matrix_of_no_entries_and_no_columns_is_an_error_not_a_crash():
    empty = CSR(np.zeros(3, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), columns=0)
    with pytest.raises(ValueError, match="k=1 is not between 1 and the 0 items"):
        recommendation(np.ones((2, 0)), empty, 1)
