"""negative_sampling against the float64 oracle, on every backend and instruction set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import kernels
from passes import (
    assert_close,
    assert_same_tables,
    bags_of,
    define,
    is_half,
    problems,
    rates,
    run,
)


@given(problem=problems(bags=False, pairs=False))
def test_windows_are_trained_as_the_oracle_says(on, problem):
    assert_is_defined(on, problem)


@given(problem=problems(bags=True, pairs=False))
def test_windows_of_bags_are_trained_as_the_oracle_says(on, problem):
    assert_is_defined(on, problem)


@given(problem=problems(pairs=True))
def test_pairs_are_trained_as_the_oracle_says(on, problem):
    assert_is_defined(on, problem)


def assert_is_defined(on, problem):
    *tables, loss, pairs, kept = define(problem, on)
    *got, done = run(problem, on)
    assert (done.pairs, done.kept) == (pairs, kept)
    # What bfloat16 may round either way adds up to less than its own distance.
    near = 2**-8 if is_half(on) else 1e-5
    assert done.loss == pytest.approx(loss / pairs if pairs else 0, rel=near)
    assert_close(on, problem, got, tables)


def test_products_are_those_of_float32_or_all_of_bfloat16(on):
    """One block: but for the few steps that fall between two numbers, rounding is the oracle's."""
    rng = np.random.default_rng(4)
    for cbow in (False, True):
        problem = {
            "input": rng.normal(0, 0.2, (50, 40)).astype(np.float32),
            "output": rng.normal(0, 0.2, (50, 40)).astype(np.float32),
            "ids": rng.permutation(50)[:32].astype(np.uint32), "offsets": np.array([0, 32]),
            "keep": np.full(50, 2**32 - 1, np.uint32), "counts": np.ones(50), "window": 4,
            "negative": 5, "cbow": cbow, "block": 32, "shared": 32, "piece": 32, "round": 0,
            "bags": [[row, (row + 1) % 50] for row in range(50)], "seed": 3, "epoch": 0,
        }  # fmt: skip
        got = run(problem, on)
        off = {}
        for half in (False, True):
            want = define(problem, on, half)
            off[half] = [
                np.quantile(abs(got[i] - want[i]), 0.9) / abs(want[i] - problem[name]).max()
                for i, name in enumerate(("input", "output"))
            ]
        assert max(off[False]) < 1e-5 or (is_half(on) and max(off[True]) < 1e-5)


@pytest.mark.parametrize("shared", [128, 256, 512])
def test_the_loss_of_many_negatives_is_exact_where_scores_are_zero(on, shared):
    """Where tables begin, each factor 1 + exp(-score) is 2, and products of them grow fastest."""
    rng = np.random.default_rng(0)
    words, tokens, dim = 200, 160, 8
    ids = (words * rng.random(tokens) ** 2).astype(np.uint32)  # many negatives are targets, too
    problem = {
        "input": rng.normal(0, 0.1, (words, dim)).astype(np.float32),
        "output": np.zeros((words, dim), np.float32), "ids": ids, "offsets": np.array([0, tokens]),
        "keep": np.full(words, 2**32 - 1, np.uint32),
        "noise": kernels.noise(1 + np.bincount(ids, minlength=words)), "window": 3, "negative": 5,
        "cbow": False, "block": 32, "shared": shared, "piece": 160, "seed": 1, "epoch": 0,
    }  # fmt: skip
    *_, loss, pairs, kept = oracle.negative_sampling(**problem, lr_begin=0, lr_end=0)
    done = kernels.negative_sampling(**problem, lr=(0, 0), threads=1, **on)
    assert done[1:] == (pairs, kept)
    assert done.loss * pairs == pytest.approx(loss, rel=1e-4)  # wrong products miss by 1e-2


@given(problem=problems(rounds=False), threads=st.integers(2, 4))
def test_threads_train_the_same_pairs(on, problem, threads):
    one, many = run(problem, on)[2], run(problem, on, threads)[2]
    assert (one.pairs, one.kept) == (many.pairs, many.kept)


@given(problem=problems(rounds=False))
def test_one_thread_gives_the_same_bits_twice(on, problem):
    first, second = run(problem, on), run(problem, on)
    assert first[2] == second[2]
    assert_same_tables(first, second)


@given(problem=problems())
def test_a_learning_rate_of_zero_changes_nothing(on, problem):
    got = run(problem, on, lr=(0, 0))
    assert_same_tables(got, (problem["input"], problem["output"]))


# ---- bags ---------------------------------------------------------------------------------------


@given(problem=problems(bags=False), seed=st.integers(0, 2**32))
def test_bags_of_one_row_are_that_row(on, problem, seed):
    """Bit for bit, wherever the rows lie."""
    words, dim = problem["input"].shape
    rows = np.random.default_rng(seed).permutation(words + 5)[:words]
    input = np.zeros((words + 5, dim), np.float32)
    input[rows] = problem["input"]
    plain = run(problem, on)
    got = run({**problem, "input": input, "bags": [[row] for row in rows]}, on, lr=rates(problem))
    assert got[2] == plain[2]
    assert_same_tables((got[0][rows], got[1]), plain)
    assert not np.delete(got[0], rows, axis=0).any()


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("still", ["input", "output"])
def test_small_integers_are_trained_exactly(on, still, cbow):
    """A table of zeros makes all scores 0, all gradients powers of two times small integers."""
    rng = np.random.default_rng(8)
    tables = {name: rng.integers(-8, 8, (n, 21)) for name, n in (("input", 9), ("output", 6))}
    tables[still][:] = 0
    ids = rng.integers(0, 6, 30)
    bags = [[0, 1], [2, 2], [3, 0], [4, 5], [6, 6], [7, 8]]  # row 6 is in a bag twice
    problem = {
        "input": tables["input"].astype(np.float32),
        "output": tables["output"].astype(np.float32),
        "ids": ids.astype(np.uint32), "offsets": np.array([0, 11, 30]), "bags": bags,
        "keep": np.full(6, 2**32 - 1, np.uint32), "noise": kernels.noise([1] * 6),
        "window": 1, "negative": 8, "cbow": cbow, "block": 32, "shared": 16, "piece": 30,
        "seed": 5, "epoch": 0,
    }  # fmt: skip
    expected = oracle.negative_sampling(**problem, lr_begin=2**-12, lr_end=2**-12)
    got = {**problem, "bags": bags_of(bags)}
    done = kernels.negative_sampling(**got, lr=(2**-12, 2**-12), threads=1, **on)
    np.testing.assert_array_equal(got["input"], expected[0])
    np.testing.assert_array_equal(got["output"], expected[1])
    assert (done.pairs, done.kept) == expected[3:]


@given(problem=problems(bags=False))
def test_empty_bags_are_trained_to_nothing(on, problem):
    plain, got = run(problem, on), run({**problem, "bags": [[] for _ in problem["input"]]}, on)
    assert got[2][1:] == plain[2][1:]
    assert_same_tables(got, (problem["input"], problem["output"]))
    assert not np.isnan(got[2].loss)


@pytest.mark.parametrize("cbow", [False, True])
def test_steps_follow_the_gradient_of_the_loss(on, cbow):
    """Finite differences: the step of a table is -lr times the derivative of the summed loss."""
    rng = np.random.default_rng(5)
    ids = rng.integers(0, 12, 16).astype(np.uint32)
    problem = {
        "input": rng.normal(0, 0.3, (12, 8)).astype(np.float32),
        "output": rng.normal(0, 0.3, (12, 8)).astype(np.float32),
        "ids": ids, "offsets": np.array([0, 16]), "keep": np.full(12, 2**32 - 1, np.uint32),
        "counts": np.bincount(ids, minlength=12) + 1, "window": 1, "negative": 5, "cbow": cbow,
        "block": 16, "shared": 16, "piece": 16, "round": 0, "seed": 3, "epoch": 0,
    }  # fmt: skip
    input, output, _ = run(problem, on)
    step, small = (output - problem["output"]) / rates(problem)[0], 1e-3
    near = 2**-6 if is_half(on) else 1e-3  # the many terms of a step are of order 1
    for row, column in [(int(ids[0]), 0), (int(ids[7]), 3), (int(ids[15]), 7)]:
        sums = []
        for sign in (1, -1):
            moved = dict(problem, output=problem["output"].astype(np.float64))
            moved["output"][row, column] += sign * small
            sums.append(define(moved, on, half=False)[2])
        assert step[row, column] == pytest.approx(
            -(sums[0] - sums[1]) / (2 * small), rel=1e-2, abs=near
        )
    assert not np.array_equal(input, problem["input"])


def test_alias_tables_mean_the_distribution():
    counts = np.random.default_rng(1).zipf(1.3, 1000).clip(1, 10**6)
    accept, alias = kernels.noise(counts).T
    chances = (accept.astype(np.float64) + 1) / 2**32
    implied = chances.copy()
    np.add.at(implied, alias, 1 - chances)
    wanted = counts**0.75 / (counts**0.75).sum()
    np.testing.assert_allclose(implied / len(counts), wanted, rtol=1e-6, atol=1e-9)


def test_noise_draws_follow_the_distribution():
    counts = np.array([1000, 100, 10, 1, 0])
    table = kernels.noise(counts)
    pairs = (oracle.draw_pair(7, 1, 0, i) for i in range(40_000))
    seen = np.bincount([oracle.noise_word(table, *pair) for pair in pairs], minlength=5)
    wanted = counts**0.75 / (counts**0.75).sum() * 40_000
    assert seen[4] == 0
    assert (
        ((seen - wanted) ** 2)[:4] / wanted[:4]
    ).sum() < 16.3  # chi-square, 3 degrees, p = 0.001


def test_frequent_words_are_kept_as_often_as_word2vec_says():
    counts = np.array([10**6, 10**4, 10])
    chances = (kernels.keep_chances(counts, 1e-3).astype(np.float64) + 1) / 2**32
    f = counts / counts.sum()
    np.testing.assert_allclose(chances, np.minimum(1, np.sqrt(1e-3 / f) + 1e-3 / f), rtol=1e-8)
    assert (kernels.keep_chances(counts, 0) == 2**32 - 1).all()


def test_chances_of_more_words_than_are_looked_at_together_are_those_of_each():
    counts = np.arange(600_001)
    cut = [
        kernels.keep_chances(np.append(part, counts.sum() - part.sum()), 1e-6)[:-1]
        for part in np.array_split(counts, 7)
    ]
    np.testing.assert_array_equal(kernels.keep_chances(counts, 1e-6), np.concatenate(cut))


@pytest.mark.parametrize("counts", [[np.nan, 1], [-1, 3], [np.inf, 1], [1e308] * 4])
@pytest.mark.parametrize("sample", [0, 1e-3])
def test_counts_that_are_none_have_no_chances(counts, sample):
    with pytest.raises(ValueError, match=r"keep_chances: counts sum to .*expected numbers not neg"):
        kernels.keep_chances(counts, sample)
    with pytest.raises(ValueError, match=r"keep_chances: counts has shape \(1, 4\), expected"):
        kernels.keep_chances([[1, 2, 3, 4]], sample)
    assert kernels.keep_chances([], sample).shape == (0,)
