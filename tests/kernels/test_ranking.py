"""ranking against the float64 oracle and against its laws, on every backend and instruction set."""

import contextlib
import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

import oracle
import rankings
from firth import _arrays, kernels
from firth._arrays import _ranking
from matrices import csr_of

LOSSES = ["bpr", "warp"]


@given(problem=rankings.problems())
def test_tables_and_loss_equal_the_oracle(on, problem):
    want = rankings.define(problem, on)
    assume(want["closest"] > 1e-4)  # else float32 may take the other branch
    tables, done = rankings.run(problem, on)
    rankings.assert_close(tables, want["tables"], want["steps"])
    assert done.samples == want["samples"]
    assert done.skipped == want["skipped"]
    assert done.right * max(done.samples, 1) == pytest.approx(want["right"], abs=1e-9)
    assert done.loss * max(done.samples, 1) == pytest.approx(want["loss"], rel=1e-4, abs=1e-6)


def thousands(loss):
    """More samples than a batch and a task have."""
    rng = np.random.default_rng(2)
    return {
        "met": rankings.met_by_chance(rng, 100, 50, 0.4), "noise": kernels.noise(range(1, 51)),
        "tables": rankings.tables(rng, 100, 50, 24, True), "loss": loss, "trials": 20,
        "lr": 0.02, "reg": 0.01, "seed": 4, "epoch": 1,
    }  # fmt: skip


@functools.cache
def thousands_defined(loss, backend):
    return rankings.define(thousands(loss), {"backend": backend})


@pytest.mark.parametrize("loss", LOSSES)
def test_an_epoch_of_thousands_of_samples_equals_the_oracle(on, loss):
    problem = thousands(loss)
    assert rankings.pairs_of(problem) > 1500
    want = thousands_defined(loss, on["backend"])
    tables, done = rankings.run(problem, on)
    assert done.skipped == want["skipped"] > 0
    assert done.samples == want["samples"] > 1000
    assert done.loss * done.samples == pytest.approx(want["loss"], rel=1e-4)
    assert done.right * done.samples == pytest.approx(want["right"], abs=2)
    for here, there in zip(tables, want["tables"], strict=True):
        np.testing.assert_allclose(here, there, rtol=0, atol=2e-4)


def told_apart(users, items):
    """Tables that tell which sample was trained: user u becomes a multiple of e_i - e_j."""
    return np.zeros((users, items), np.float32), np.eye(items, dtype=np.float32)


@given(problem=rankings.problems())
def test_each_sample_is_drawn_as_the_oracle_draws_it(on, problem):
    """All scores are 0, so that the first item which the user has not met is taken: exact."""
    met, many = problem["met"], len(problem["tables"][1])
    users, items = told_apart(len(met), many)
    drawn = oracle.Samples(met, many, problem["noise"], problem["seed"], problem["epoch"])
    rule = {name: problem[name] for name in ("loss", "trials", "seed", "epoch", "noise")}
    tries = problem["trials"]
    for sample in range(min(rankings.pairs_of(problem), 12)):
        users[:] = 0
        matrix = rankings.matrix_of(problem)
        done = kernels.ranking(
            users, items, matrix, lr=2, reg=0, part=(sample, sample + 1), **rule, **on
        )
        user, item = drawn.pair(sample)
        want = np.zeros_like(users)
        trial, other = next(drawn.others(sample, tries), (0, 0))
        if trial:
            assert other not in met[user]
            step = 1 if problem["loss"] == "bpr" else 2 * oracle.rank_weight(many, trial)
            want[user, item], want[user, other] = step, -step
        np.testing.assert_allclose(users, want, rtol=0 if problem["loss"] == "bpr" else 1e-6)
        np.testing.assert_array_equal(items, np.eye(many))
        assert (done.samples, done.skipped) == ((1, 0) if trial else (0, 1))


@pytest.mark.parametrize("noise", [None, [1, 2, 3, 4, 10, 20, 30, 30]])
def test_items_are_drawn_as_often_as_noise_has_them(noise):
    """What the oracle draws, which backends draw exactly."""
    table = None if noise is None else kernels.noise(noise, exponent=1.0)
    drawn = oracle.Samples([[0, 3]], 8, table, 1, 0)
    items = [next(drawn.others(sample, 1000))[1] for sample in range(5000)]
    chances = np.array(noise or [1] * 8, float)
    chances[[0, 3]] = 0
    counts = np.bincount(items, minlength=8)
    assert counts[[0, 3]].tolist() == [0, 0]
    some = chances > 0
    expected = 5000 * chances[some] / chances.sum()
    assert stats.chisquare(counts[some], expected).pvalue > 1e-3


def test_every_pair_that_was_met_is_as_likely():
    drawn = oracle.Samples([[0, 2], [1], [0, 1, 2, 3, 4], [], [4]], 6, None, 3, 0)
    pairs = [drawn.pair(sample) for sample in range(5000)]
    counts = [pairs.count(pair) for pair in drawn.pairs]
    assert sum(counts) == 5000
    assert stats.chisquare(counts).pvalue > 1e-3


# ---- steps --------------------------------------------------------------------------------------


def logistic_loss(user, item, other, biases, reg):
    """BPR's loss of a sample, with the decay that reg stands for."""
    x = user @ item - user @ other + biases[0] - biases[1]
    rows = (user, item, other, biases)
    return np.logaddexp(0, -x) + reg / 2 * sum((row * row).sum() for row in rows)


@pytest.mark.parametrize("reg", [0.0, 0.5])
@pytest.mark.parametrize("scale", [0.3, 3.0])
@pytest.mark.parametrize("dim", [1, 5, 16, 40])
def test_a_step_of_bpr_follows_the_gradient_of_its_loss(on, dim, scale, reg):
    """Finite differences; a step is linear in lr, so that 1 shows it best."""
    rng = np.random.default_rng(dim)
    tables = rankings.tables(rng, 1, 2, dim, True, scale)
    users, items, biases = (table.copy() for table in tables)
    met = csr_of({(0, 0): 1}, (1, 2), np.float32)
    done = kernels.ranking(users, items, met, biases=biases, lr=1, reg=reg, **on)
    rows = [tables[0][0], tables[1][0], tables[1][1], tables[2]]
    rows = [row.astype(np.float64) for row in rows]
    assert done.loss == pytest.approx(logistic_loss(*rows, 0), rel=1e-5)
    steps = [users[0] - rows[0], items[0] - rows[1], items[1] - rows[2], biases - rows[3]]
    for row, step in zip(rows, steps, strict=True):
        for place, here in enumerate(row.tolist()):
            losses = []
            for sign in (1, -1):
                row[place] = here + sign * 1e-5
                losses.append(logistic_loss(*rows, reg))
            row[place] = here
            gradient = (losses[0] - losses[1]) / 2e-5
            assert step[place] == pytest.approx(-gradient, rel=1e-4, abs=1e-5)


@given(data=st.data())
def test_a_step_between_whole_numbers_is_exact(on, data):
    """A half where scores are equal, and 1 or nothing where they are far apart."""
    dim = data.draw(st.sampled_from([1, 4, 8, 15, 16, 31, 70]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    users = rng.integers(1, 9, (1, dim)).astype(np.float32)
    items = 128 * rng.integers(1, 9, (2, dim)).astype(np.float32)
    if data.draw(st.booleans()):
        items[1] = items[0]
    x = float(users[0] @ (items[0] - items[1]))
    assume(x == 0 or abs(x) >= 128)
    met = csr_of({(0, 0): 1}, (1, 2), np.float32)
    gradient = 0.5 if x == 0 else float(x < 0)
    p, q, r = users[0].copy(), items[0].copy(), items[1].copy()
    done = kernels.ranking(users, items, met, lr=2, reg=0, **on)
    np.testing.assert_array_equal(users[0], p + 2 * gradient * (q - r))
    np.testing.assert_array_equal(items[0], q + 2 * gradient * p)
    np.testing.assert_array_equal(items[1], r - 2 * gradient * p)
    assert done.right == (x > 0)
    assert done.loss == pytest.approx(max(-x, 0) + (math.log(2) if x == 0 else 0), rel=1e-6)


@given(problem=rankings.problems())
def test_warp_takes_no_step_where_margins_hold(on, problem):
    """A margin of exactly 1 is enough."""
    met, many = problem["met"], len(problem["tables"][1])
    users, items = np.eye(len(met), dtype=np.float32), np.zeros((many, len(met)), np.float32)
    for user, some in enumerate(met):
        items[some, user] = 1
    matrix = rankings.matrix_of(problem)
    before = users.copy(), items.copy()
    rule = {name: problem[name] for name in ("trials", "seed", "noise")}
    done = kernels.ranking(users, items, matrix, loss="warp", lr=0.5, reg=0.5, **rule, **on)
    np.testing.assert_array_equal(users, before[0])
    np.testing.assert_array_equal(items, before[1])
    assert done.loss == 0
    assert done.samples + done.skipped == matrix.nnz
    assert done.right == (done.samples > 0)


@pytest.mark.parametrize("trials", [1, 7, 8, 9, 20, 300])
def test_warp_weighs_by_the_trial_that_finds_an_item(on, trials):
    """One item of 40 breaks the margin; nothing happens where it is not drawn in time."""
    met = csr_of({(0, 0): 1}, (1, 40), np.float32)
    seen = set()
    for seed in range(60):
        items = np.zeros((40, 1), np.float32)
        items[0], items[17] = 3, 2.5
        users = np.ones((1, 1), np.float32)
        done = kernels.ranking(
            users, items, met, loss="warp", trials=trials, lr=1, reg=0, seed=seed, **on
        )
        drawn = oracle.Samples([[0]], 40, None, seed, 0)
        at = next((trial for trial, item in drawn.others(0, trials) if item == 17), None)
        weight = 0 if at is None else oracle.rank_weight(40, at)
        assert items[0, 0] == pytest.approx(3 + weight, rel=1e-6)
        assert items[17, 0] == pytest.approx(2.5 - weight, rel=1e-6)
        assert users[0, 0] == pytest.approx(1 + 0.5 * weight, rel=1e-6)
        assert done.loss == pytest.approx(0.5 * weight, rel=1e-6)
        seen.add(at)
    assert len(seen) > (1 if trials < 7 else 2)


# ---- parts, threads, and what cannot be trained -------------------------------------------------


@given(problem=rankings.problems(), data=st.data())
def test_parts_train_what_the_whole_does(on, problem, data):
    many = rankings.pairs_of(problem)
    whole, done = rankings.run(problem, on)
    if on["backend"] is _arrays and problem["loss"] == "warp":
        cuts = [many]  # others are not windows
    else:
        cuts = sorted(data.draw(st.lists(st.integers(0, many), min_size=1, max_size=4)))
    tables, parts = rankings.run(problem, on, cuts=cuts)
    for here, there in zip(tables, whole, strict=True):
        assert (here is there is None) or np.array_equal(here, there)
    assert sum(part.samples for part in parts) == done.samples
    assert sum(part.skipped for part in parts) == done.skipped
    loss = sum(part.loss * part.samples for part in parts)
    assert loss == pytest.approx(done.loss * done.samples, rel=1e-5, abs=1e-6)


def blocks(rng, users=120, items=80, dim=16):
    """A problem in which even users meet even items, and odd ones odd ones."""
    side = np.arange(users)[:, None] % 2 == np.arange(items) % 2
    met = [np.flatnonzero(row).tolist() for row in side & (rng.random((users, items)) < 0.5)]
    return {
        "met": met, "tables": rankings.tables(rng, users, items, dim, True, 0.1), "noise": None,
        "trials": 20, "lr": 0.05, "reg": 0.001, "seed": 1, "epoch": 0, "side": side,
    }  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES)
def test_windows_are_parts(on, loss):
    problem = {**blocks(np.random.default_rng(0), users=300), "loss": loss}
    assert rankings.pairs_of(problem) > _ranking.WINDOW
    whole, _ = rankings.run(problem, on)
    tables, _ = rankings.run(problem, on, cuts=[_ranking.WINDOW])
    for here, there in zip(tables, whole, strict=True):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("loss", LOSSES)
def test_epochs_learn_about_as_much_on_any_number_of_threads(on, loss):
    found = []
    for threads in (1, 2, 3):
        problem, losses = {**blocks(np.random.default_rng(0), 80, 60), "loss": loss}, []
        problem["lr"] = 0.1 if loss == "bpr" else 0.02
        for epoch in range(8):
            problem["tables"], done = rankings.run(problem, on, threads, epoch=epoch)
            losses.append(done.loss)
        users, items, biases = problem["tables"]
        scores, side = users @ items.T + biases, problem["side"]
        assert scores[side].mean() - scores[~side].mean() > 1
        assert losses[-1] < 0.5 * losses[0]
        assert done.right > 0.9
        found.append(losses[-1])
    assert found == pytest.approx([found[0]] * 3, rel=0.15)


def test_the_same_call_trains_the_same_bits_and_another_epoch_others(on):
    problem = {**blocks(np.random.default_rng(0)), "loss": "bpr"}
    first, again = (rankings.run(problem, on)[0][0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for change in ({"epoch": 1}, {"seed": 2}):
        assert (rankings.run(problem, on, **change)[0][0] != first).any()


@pytest.mark.parametrize("loss", LOSSES)
def test_who_has_met_everything_is_skipped(on, loss):
    met = [[0, 1, 2], [0], []]
    problem = {
        "met": met, "tables": rankings.tables(np.random.default_rng(0), 3, 3, 4, False),
        "noise": None, "loss": loss, "trials": 9, "lr": 0.1, "reg": 0.1, "seed": 3, "epoch": 0,
    }  # fmt: skip
    drawn = oracle.Samples(met, 3, None, 3, 0)
    full = sum(drawn.pair(sample)[0] == 0 for sample in range(4))
    tables, done = rankings.run(problem, on)
    assert 0 < full < 4
    assert (done.samples, done.skipped) == (4 - full, full)
    np.testing.assert_array_equal(tables[0][[0, 2]], problem["tables"][0][[0, 2]])
    only = {**problem, "met": [[0, 1, 2], [], []]}
    assert rankings.run(only, on)[1] == (0.0, 0, 0.0, 3)


def test_nothing_met_is_nothing_trained(on):
    for users, items in [(0, 0), (3, 0), (0, 3), (2, 2)]:
        tables = np.ones((users, 4), np.float32), np.ones((items, 4), np.float32)
        met = csr_of({}, (users, items), np.float32)
        assert kernels.ranking(*tables, met, **on) == (0.0, 0, 0.0, 0)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_score_that_is_not_finite_is_named(on, loss, value):
    problem = {**blocks(np.random.default_rng(0)), "loss": loss}
    problem["tables"][0][7] = value
    drawn = oracle.Samples(problem["met"], 80, None, 1, 0)
    first = next(n for n in itertools.count() if drawn.pair(n)[0] == 7)
    tables = rankings.copies(problem)
    tables[1][:] = np.sign(tables[1]) * 2
    with pytest.raises(FloatingPointError, match=rf"^ranking: sample {first} has a score that"):
        kernels.ranking(
            *tables[:2], rankings.matrix_of(problem), loss=loss, seed=1, threads=1, **on
        )


@pytest.mark.parametrize("loss", LOSSES)
@given(lr=st.sampled_from([1.0, 30.0, 1e4, 1e20, 3e38]), reg=st.sampled_from([0.0, 1.0, 3e38]))
def test_the_loss_is_finite_or_an_error(on, loss, lr, reg):
    problem = {**blocks(np.random.default_rng(0), 20, 12), "loss": loss, "lr": lr, "reg": reg}
    done = None
    with contextlib.suppress(FloatingPointError):
        _, done = rankings.run(problem, on)
    assert done is None or math.isfinite(done.loss)
    assert done or lr > 1 or reg > 1


def test_progress_is_told_and_what_it_raises_stops(on):
    """Margins hold everywhere, so that each sample tries as many items as it may."""
    met = csr_of(dict.fromkeys(np.ndindex(300, 250), 1), (300, 500), np.float32)
    users, items = np.ones((300, 1), np.float32), np.zeros((500, 1), np.float32)
    items[:250] = 2
    told = []

    def stop(done, loss):
        told.append((done, loss))
        if done:
            raise KeyboardInterrupt

    rule = {"loss": "warp", "trials": 2000, "threads": 1, "progress": stop}
    with pytest.raises(KeyboardInterrupt):
        kernels.ranking(users, items, met, **rule, **on)
    assert told == sorted(told)
    assert 0 < told[-1][0] < met.nnz
