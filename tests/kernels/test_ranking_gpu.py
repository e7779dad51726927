"""ranking on a device: one sample in flight learns what one thread of the host does; more, as well.

The host itself is held against the float64 definition by its own tests.
"""

import numpy as np
import pytest

from firth import kernels
from firth.csr import CSR

pytestmark = pytest.mark.gpu

RULE = {"lr": 0.1, "reg": 0.02, "seed": 5, "epoch": 2}


@pytest.fixture(scope="module")
def cuda():
    """The CUDA module, or a skip that says why there is none."""
    return pytest.importorskip("firth._cuda", reason="the CUDA module was not built")


def problem(dim=20, users=60, items=80, share=0.2, biases=True, noise=True, seed=1):
    """Return made-up tables and what was met; the last user has met everything."""
    rng = np.random.default_rng(seed)
    there = rng.random((users, items)) < share * 2 * rng.random((users, 1)) * (
        0.2 + rng.random((1, items))
    )
    there[-1] = True
    indptr = np.concatenate([[0], np.cumsum(there.sum(1))])
    indices = np.nonzero(there)[1].astype(np.int32)
    made = {
        "users": rng.normal(0, dim**-0.25, (users, dim)).astype(np.float32),
        "items": rng.normal(0, dim**-0.25, (items, dim)).astype(np.float32),
        "met": CSR(indptr, indices, np.ones(len(indices), np.float32), items),
    }
    if biases:
        made["biases"] = rng.normal(0, 0.3, items).astype(np.float32)
    if noise:
        made["noise"] = kernels.noise(np.maximum(there.sum(0), 1))
    return made


def trained(xp, made, **rule):
    """Return the tables and what was told, trained where ``xp`` has its arrays."""
    there = {name: xp.array(array) for name, array in made.items() if name != "met"}
    met = made["met"]
    arrays = (xp.asarray(array) for array in (met.indptr, met.indices, met.data))
    there["met"] = CSR(*arrays, met.shape[1])
    told = kernels.ranking(**there, **{**RULE, **rule})
    host = np.asarray if xp is np else xp.asnumpy
    return {name: host(there[name]) for name in ("users", "items", "biases") if name in there}, told


def hold(cupy, made, **rule):
    """Train one sample after the other on both, and compare."""
    wanted, told = trained(np, made, threads=1, **rule)
    found, there = trained(cupy, made, threads=1, **rule)
    for name, table in wanted.items():
        np.testing.assert_allclose(found[name], table, rtol=1e-3, atol=1e-4)
    assert there.loss == pytest.approx(told.loss, rel=1e-4)
    assert (there.samples, there.skipped) == (told.samples, told.skipped)
    assert there.right == pytest.approx(told.right, abs=1e-3)
    return told


@pytest.mark.parametrize("extras", [False, True])
@pytest.mark.parametrize("loss", ["bpr", "warp"])
def test_an_epoch_is_the_hosts(cupy, cuda, loss, extras):
    told = hold(cupy, problem(biases=extras, noise=extras), loss=loss)
    assert told.skipped > 0
    assert 0 < told.right < 1


@pytest.mark.parametrize("loss", ["bpr", "warp"])
@pytest.mark.parametrize("dim", [1, 3, 32, 50, 64, 100, 128, 130, 256, 300, 512, 1000])
def test_rows_of_any_width(cupy, cuda, dim, loss):
    hold(cupy, problem(dim), loss=loss, part=(0, 300), lr=0.03)


@pytest.mark.parametrize("trials", [1, 7, 8, 33, 500])
def test_trials_of_any_number(cupy, cuda, trials):
    hold(cupy, problem(), loss="warp", trials=trials)


@pytest.mark.parametrize("part", [(0, 1), (5, 5), (31, 64), (100, 400)])
@pytest.mark.parametrize("loss", ["bpr", "warp"])
def test_parts_of_an_epoch(cupy, cuda, loss, part):
    hold(cupy, problem(), loss=loss, part=part)


@pytest.mark.parametrize("loss", ["bpr", "warp"])
@pytest.mark.parametrize("threads", [2, 5, 64, 1000, None])
def test_samples_in_flight_see_the_same_pairs(cupy, cuda, threads, loss):
    made = problem()
    rule = {"loss": loss, "lr": 0.0, "reg": 0.0}
    wanted, told = trained(np, made, threads=1, **rule)
    found, there = trained(cupy, made, threads=threads, **rule)
    assert (there.samples, there.skipped) == (told.samples, told.skipped)
    assert there.loss == pytest.approx(told.loss, rel=1e-5)
    for name, table in wanted.items():
        np.testing.assert_array_equal(found[name], table)


@pytest.mark.parametrize("loss", ["bpr", "warp"])
def test_losses_fall_as_on_the_host(cupy, cuda, loss):
    made = problem(32, 3000, 2000, 0.02)
    rule = {"loss": loss, "lr": 0.05 if loss == "bpr" else 0.005, "reg": 0.002}
    losses = {}
    for name, xp in (("host", np), ("device", cupy)):
        tables = dict(made)
        for epoch in range(5):
            learnt, told = trained(xp, tables, **rule, epoch=epoch)
            tables.update(learnt)
        losses[name] = told.loss
    first = trained(np, made, loss=loss, lr=0.0, reg=0.0)[1].loss
    assert losses["device"] < 0.9 * first
    assert losses["device"] == pytest.approx(losses["host"], rel=0.03)


@pytest.mark.parametrize("loss", ["bpr", "warp"])
def test_a_number_that_is_not_finite_is_reported(cupy, cuda, loss):
    made = problem()
    made["users"][:-1, 0] = np.nan
    with pytest.raises(FloatingPointError, match="not finite"):
        trained(cupy, made, loss=loss)


def test_progress_ends_with_all_samples(cupy, cuda):
    told, made = [], problem()
    trained(cupy, made, progress=lambda done, loss: told.append(done))
    assert told[-1] == made["met"].nnz
