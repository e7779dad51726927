"""negative_sampling in rounds, in parts, over explicit pairs and without negatives: its laws."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import _arrays, kernels
from passes import (
    TABLES,
    assert_close,
    assert_same_tables,
    problems,
    rates,
    roundings,
    run,
    units,
)


@given(problem=problems(rounds=True))
def test_rounds_give_the_same_bits_on_any_number_of_threads(on, problem):
    first = run(problem, on)
    for threads in (1, 2, 3, 8):
        again = run(problem, on, threads)
        assert again[2] == first[2]
        assert_same_tables(again, first)


@given(problem=problems(), data=st.data())
def test_a_pass_is_its_parts_in_turn(on, problem, data):
    problem.pop("part", None)
    cuts = sorted({0, *data.draw(st.sets(st.sampled_from(units(problem)))), len(problem["ids"])})
    *tables, whole = run(problem, on)
    now, done = problem, []
    for part in itertools.pairwise(cuts):
        input, output, last = run({**now, "part": part}, on)
        now = {**now, "input": input, "output": output}
        done.append(last)
    assert_same_tables((now["input"], now["output"]), tables)
    assert (sum(d.pairs for d in done), sum(d.kept for d in done)) == whole[1:]
    losses = sum(d.loss * d.pairs for d in done)
    assert losses == pytest.approx(whole.loss * whole.pairs, rel=1e-9)


@given(problem=problems(rounds=True))
def test_a_part_of_nothing_changes_nothing(on, problem):
    for at in units(problem):
        got = run({**problem, "part": (at, at)}, on)
        assert got[2] == (0.0, 0, 0)
        assert_same_tables(got, (problem["input"], problem["output"]))


@given(problem=problems(rounds=True))
def test_a_round_of_one_block_is_as_good_as_none(on, problem):
    """But for the order of the sums: steps of a word are added up first, here to short ones."""
    problem = {**problem, "round": problem["piece"], "block": problem["piece"]}
    problem["part"] = units(problem)[0], units(problem)[1]  # later rounds see other tables
    lr = tuple(rate / 1000 for rate in rates(problem))
    rounds, none = run(problem, on, lr=lr), run({**problem, "round": 0}, on, lr=lr)
    assert rounds[2] == pytest.approx(none[2], rel=1e-12)
    for here, there, name in zip(rounds, none, TABLES, strict=False):
        near = 2**-23 * abs(there).max() * roundings(problem, name)
        np.testing.assert_allclose(here, there, rtol=0, atol=near)


def test_a_round_may_be_longer_than_the_corpus(on):
    """It takes no more memory than the corpus has steps."""
    tokens = 1000
    rng = np.random.default_rng(1)
    tables = rng.normal(0, 0.1, (2, 50, 8)).astype(np.float32)
    problem = {
        "input": tables[0], "output": tables[1], "ids": rng.integers(0, 50, tokens, np.uint32),
        "offsets": np.array([0, tokens]), "keep": np.full(50, 2**32 - 1, np.uint32),
        "counts": np.ones(50), "negative": 5, "piece": 128,
    }  # fmt: skip
    long, enough = (run({**problem, "round": n}, on, lr=(0.01, 0)) for n in (2**30, 1024))
    assert long[2] == enough[2]
    assert_same_tables(long, enough)


@given(problem=problems(bags=False, pairs=False))
def test_sentences_of_two_words_are_explicit_pairs(on, problem):
    """The company of a token is the other one, which is also what explicit pairs can say."""
    ids = np.repeat(problem["ids"], 2)
    ids[1::2] = problem["ids"][::-1]
    other = ids.reshape(-1, 2)[:, ::-1].reshape(-1).copy()
    problem.pop("part", None)
    windows = {
        **problem, "ids": ids, "offsets": np.arange(0, len(ids) + 1, 2),
        "keep": np.full_like(problem["keep"], 2**32 - 1),
    }  # fmt: skip
    inputs, targets = (other, ids) if problem["cbow"] else (ids, other)
    pairs = {**windows, "ids": targets, "sources": inputs, "cbow": False}
    pairs["offsets"] = np.array([0, len(ids)])
    lr = (1 / len(ids) / (1 + problem["negative"]), 0.0)
    *wanted, first = run(windows, on, lr=lr)
    *got, second = run(pairs, on, lr=lr)
    assert second[1:] == first[1:] == (len(ids), len(ids))
    assert second.loss == pytest.approx(first.loss, rel=1e-4)
    assert_close(on, problem, got, [table.astype(np.float64) for table in wanted])


@pytest.mark.parametrize("model", ["skip-gram", "cbow", "pairs"])
@pytest.mark.parametrize("round", [0, 128])
def test_without_negatives_only_the_words_of_pairs_learn(on, model, round):
    rng = np.random.default_rng(2)
    problem = {
        "input": rng.normal(0, 0.1, (40, 20)).astype(np.float32),
        "output": rng.normal(0, 0.1, (40, 20)).astype(np.float32),
        "ids": np.resize(np.arange(10, dtype=np.uint32), 200), "offsets": np.array([0, 90, 200]),
        "keep": np.full(40, 2**32 - 1, np.uint32), "counts": np.ones(40), "window": 3,
        "cbow": model == "cbow", "block": 32, "shared": 32, "piece": 64, "round": round,
        "seed": 9, "epoch": 1,
    }  # fmt: skip
    if model == "pairs":
        problem["sources"] = problem["ids"][::-1].copy()
    with_noise, without = (run({**problem, "negative": n}, on) for n in (5, 0))
    assert (with_noise[1][10:] != problem["output"][10:]).any()
    np.testing.assert_array_equal(without[1][10:], problem["output"][10:])
    for got, name in zip(without, ("input", "output"), strict=False):
        np.testing.assert_array_equal(got[10:], problem[name][10:])
        assert (got[:10] != problem[name][:10]).any(axis=1).all()
    assert without[2].pairs == with_noise[2].pairs


def test_a_round_with_a_number_that_is_not_finite_is_not_applied(on):
    rng = np.random.default_rng(3)
    ids = np.resize(np.arange(8, dtype=np.uint32), 256)
    tables = [rng.normal(0, 0.1, (9, 5)).astype(np.float32) for _ in range(2)]
    ids[200], tables[0][8] = 8, np.inf
    before = [table.copy() for table in tables]
    call = {
        "keep": np.full(9, 2**32 - 1, np.uint32), "noise": kernels.noise([1] * 9), "piece": 32,
        "threads": 2, **on,
    }  # fmt: skip
    with pytest.raises(FloatingPointError, match="near token 192 is not finite"):
        kernels.negative_sampling(*tables, ids, np.array([0, 256]), round=256, window=1, **call)
    assert_same_tables(tables, before)
    with pytest.raises(FloatingPointError, match="near token 192 is not finite"):
        kernels.negative_sampling(*tables, ids, np.array([0, 256]), round=128, window=1, **call)
    assert (tables[0][:8] != before[0][:8]).any(axis=1).all()
    assert np.isfinite(tables[0][:8]).all()


# ---- array code, which looks at many blocks together --------------------------------------------


@given(problem=problems(rounds=True), floats=st.sampled_from([1, 10**4]))
def test_array_code_may_cut_its_work_anywhere(problem, floats):
    on = {"backend": _arrays, "isa": None}
    whole = run(problem, on)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("firth._arrays._passage.STRETCH", 70)
        patch.setattr("firth._arrays._negative_sampling.STRETCH", 70)
        patch.setattr("firth._arrays._negative_sampling._FLOATS", floats)
        cut = run(problem, on)
    assert cut[2][1:] == whole[2][1:]
    assert cut[2].loss == pytest.approx(whole[2].loss, rel=1e-6)
    assert_close(on, problem, cut, [table.astype(np.float64) for table in whole[:2]])
