"""LightGCN: its smoothing against dense matrices, what it learns, and what it needs."""

import dataclasses
import sys
from itertools import pairwise

import numpy as np
import pytest

from firth import BPR, Interactions, LightGCN, kernels
from firth._random import initial_rows
from firth.models.lightgcn import Graph
from meetings import own_share, two_groups


def smoothing(x, layers):
    """The sum of the powers of the normalised adjacency matrix, dense."""
    met = (x.csr.to_scipy().toarray() > 0).astype(np.float64)
    users, items = met.shape
    whole = np.zeros((users + items, users + items))
    whole[:users, users:] = met / np.sqrt(met.sum(1)[:, None]) / np.sqrt(met.sum(0)[None])
    whole += whole.T
    return sum(np.linalg.matrix_power(whole, layer) for layer in range(layers + 1))


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_the_sum_of_layers_is_that_of_powers(layers):
    x, rng = two_groups(), np.random.default_rng(1)
    table = rng.standard_normal((70, 5)).astype(np.float32)
    users, items = Graph.of(x.csr).summed(table[:40], table[40:], layers)
    wanted = smoothing(x, layers) @ table
    np.testing.assert_allclose(np.concatenate([users, items]), wanted, atol=1e-4)


def test_an_epoch_is_the_steps_of_its_parts_smoothed_twice():
    x = two_groups()
    rec = LightGCN(dim=4, epochs=1, layers=2, parts=3, lr=0.1, reg=0.02, threads=1).fit(x)
    table = initial_rows(1, 0, 70, 4)
    smooth = smoothing(x, 2)
    met = x.csr.to_scipy().toarray() > 0
    common = np.zeros((70, 2))  # the roots of the degrees: of users, of items
    common[:40, 0], common[40:, 1] = np.sqrt(met.sum(1) / 320), np.sqrt(met.sum(0) / 320)
    np.testing.assert_allclose(smooth @ common.sum(1), 3 * common.sum(1))
    cuts = [0, 106, 213, 320]
    for part in pairwise(cuts):
        users, items = table[:40].copy(), table[40:].copy()
        kernels.ranking(users, items, x.csr, lr=0.1, reg=0.02, part=part, threads=1)
        steps = np.concatenate([users, items]) - table
        popular = common @ (common.T @ steps)
        table = (table + popular + smooth @ (smooth @ (steps - popular))).astype(np.float32)
    np.testing.assert_allclose(rec.user_vectors, table[:40], atol=1e-4)
    np.testing.assert_allclose(rec.item_vectors, table[40:], atol=1e-4)
    assert rec.biases is None


def test_one_part_an_epoch_is_stable_where_some_items_are_popular_with_all():
    rng = np.random.default_rng(1)  # without the exception for what all share it blows up
    users, items = np.nonzero(rng.random((200, 300)) < np.exp(-np.arange(300) / 60))
    rec = LightGCN(dim=8, epochs=20, lr=0.2, threads=1).fit(Interactions(users, items))
    assert rec.metadata["losses"][-1] < 0.3 < rec.metadata["losses"][0]


def test_without_layers_it_is_bpr():
    x, options = two_groups(), {"dim": 4, "epochs": 3, "lr": 0.1, "reg": 0.02, "threads": 1}
    plain = BPR(**options, biases=False).fit(x)
    rec = LightGCN(**options, layers=0, parts=2).fit(x)
    np.testing.assert_allclose(rec.user_vectors, plain.user_vectors, atol=1e-5)
    np.testing.assert_allclose(rec.metadata["losses"], plain.metadata["losses"], rtol=1e-5)


def test_each_group_is_recommended_its_own_items():
    rec = LightGCN(dim=8, epochs=20, threads=1).fit(two_groups())
    assert own_share(rec) > 0.95


def test_it_needs_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match=r"LightGCN needs SciPy: pip install 'firth\[scipy\]'"):
        LightGCN().fit(two_groups())


@pytest.mark.parametrize(("field", "value"), [("layers", -1), ("parts", 0), ("dim", 0)])
def test_hyper_parameters_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=f"LightGCN: {field}="):
        dataclasses.replace(LightGCN(), **{field: value})
