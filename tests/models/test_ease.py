"""EASE against its definition, and what it does with users without items."""

import numpy as np
import pytest
import scipy.sparse

from firth import EASE, Interactions
from firth.models.ease import gram_matrix
from meetings import own_share, two_groups


def dense_of(x):
    return (x.csr.to_scipy().toarray() > 0).astype(np.float64)


def test_the_weights_are_the_minimum_of_the_loss():
    x = two_groups()
    rec = EASE(reg=2).fit(x)
    dense = dense_of(x)
    weights = rec.item_vectors.T.astype(np.float64)
    assert not weights.diagonal().any()
    gradient = dense.T @ (dense @ weights - dense) + 2 * weights
    off = gradient[~np.eye(30, dtype=bool)]  # the diagonal is held at 0 by multipliers
    assert np.abs(off).max() < 1e-4


def test_scores_are_sums_of_weights():
    x = two_groups()
    rec = EASE(reg=2).fit(x)
    wanted = dense_of(x) @ rec.item_vectors.T
    ids, scores = rec.recommend(range(40), 30, filter_seen=False)
    np.testing.assert_allclose(scores, np.take_along_axis(wanted, ids, axis=1), atol=1e-5)


def test_each_group_is_recommended_its_own_items():
    assert own_share(EASE(reg=5).fit(two_groups())) == 1


def test_how_much_was_met_does_not_matter():
    x = two_groups()
    twice = Interactions(x.csr.to_scipy() * 2)
    assert (EASE().fit(twice).item_vectors == EASE().fit(x).item_vectors).all()


def test_the_gram_matrix_is_the_same_in_blocks_of_users(monkeypatch):
    x = two_groups()
    monkeypatch.setattr("firth.models.ease._BLOCK", 100)
    assert (gram_matrix(x.csr) == dense_of(x).T @ dense_of(x)).all()


def test_users_without_items_get_what_most_have_met():
    matrix = scipy.sparse.csr_array(np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0]]))
    rec = EASE(reg=1).fit(matrix)
    assert rec.recommend("2", 2)[0].tolist() == [1, 0]


def test_too_many_items_and_other_settings_are_refused():
    with pytest.raises(ValueError, match="EASE: 30 items, expected at most max_items=29"):
        EASE(max_items=29).fit(two_groups())
    with pytest.raises(ValueError, match="EASE: reg=0"):
        EASE(reg=0)
    with pytest.raises(TypeError, match="EASE: source is int, expected Interactions"):
        EASE().fit(5)
