"""WARP: what it learns, in the units of BPR, and what it refuses."""

import dataclasses
import math

import numpy as np
import pytest

from firth import WARP, Interactions, kernels
from firth._random import initial_rows
from meetings import own_share, two_groups


def test_each_group_is_recommended_its_own_items():
    rec = WARP(dim=8, epochs=30, threads=1).fit(two_groups())
    assert own_share(rec) > 0.95
    assert rec.metadata["losses"][-1] < 0.7 * rec.metadata["losses"][0]


def test_the_loss_of_a_rank_is_divided_by_the_logarithm_of_the_items():
    x = two_groups()
    rec = WARP(dim=4, epochs=1, lr=0.1, reg=0.02, trials=7, threads=1).fit(x)
    most = math.log(29)
    rows = initial_rows(1, 0, 70, 4)
    users, items, biases = rows[:40].copy(), rows[40:].copy(), np.zeros(30, np.float32)
    options = {"lr": 0.1 / most, "reg": 0.02 * most, "trials": 7, "threads": 1}
    done = kernels.ranking(users, items, x.csr, biases=biases, loss="warp", **options)
    np.testing.assert_allclose(rec.user_vectors, users, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rec.metadata["losses"], [done.loss / most])


@pytest.mark.parametrize("lr", [0.05, 0.2])
def test_rates_of_bpr_do_not_blow_up(lr):
    rec = WARP(dim=8, epochs=30, lr=lr, threads=1).fit(two_groups())
    assert np.abs(rec.user_vectors).max() < 10


def test_one_item_more_than_was_met_is_enough():
    rec = WARP(dim=4, epochs=3, threads=1).fit(Interactions(["a", "b"], ["x", "y"]))
    assert rec.recommend("a", 1)[0].tolist() == [1]


@pytest.mark.parametrize(("field", "value"), [("trials", 0), ("trials", 2**16 + 1), ("reg", -1)])
def test_hyper_parameters_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=f"WARP: {field}="):
        dataclasses.replace(WARP(), **{field: value})
