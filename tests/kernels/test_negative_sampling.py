"""negative_sampling against the float64 oracle, on every backend and instruction set."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import _arrays, kernels


@st.composite
def problems(draw):
    """A small corpus with tables and settings that reach the corners of the kernel."""
    words = draw(st.integers(1, 40))
    lengths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dim = draw(st.sampled_from([1, 2, 3, 4, 7, 15, 16, 17, 31, 33, 64, 100, 130]))
    # Rows are scaled to dim so that scores stay near 0, where float32 follows float64 for a while.
    input, output = (rng.normal(0, 1 / np.sqrt(dim), (words, dim)) for _ in range(2))
    return {
        "input": input.astype(np.float32),
        "output": output.astype(np.float32),
        "ids": rng.integers(0, words, sum(lengths)).astype(np.uint32),
        "offsets": np.cumsum([0, *lengths]).astype(np.int64),
        "keep": rng.choice([0, 2**30, 2**32 - 1], words, p=[0.1, 0.3, 0.6]).astype(np.uint32),
        "counts": rng.integers(1, 100, words),
        "window": draw(st.sampled_from([1, 2, 5, 50])),
        "negative": draw(st.sampled_from([1, 5, 20])),
        "cbow": draw(st.booleans()),
        "block": draw(st.sampled_from([1, 7, 16, 32, 48])),
        "shared": draw(st.sampled_from([16, 32])),
        "piece": draw(st.sampled_from([2, 30, 64, 4096])),
        "seed": draw(st.integers(0, 2**64 - 1)),
        "epoch": draw(st.integers(0, 3)),
    }


@st.composite
def problems_with_bags(draw):
    """The same with words that are bags of rows: some empty, some with a row more than once."""
    problem = draw(problems())
    words, dim = problem["input"].shape
    rows = draw(st.integers(1, 60))
    bag = st.lists(st.integers(0, rows - 1), max_size=draw(st.sampled_from([1, 4, 40])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    input = rng.normal(0, 1 / np.sqrt(dim), (rows, dim)).astype(np.float32)
    bags = draw(st.lists(bag, min_size=words, max_size=words))
    return {**problem, "input": input, "bags": bags}


def bags_of(lists):
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    return kernels.Bags(offsets, np.array([i for one in lists for i in one], np.uint32))


def rates(problem):
    """Rates so low that no block pushes a row past its mark, where rounding would be amplified."""
    pairs = problem["block"] * 2 * problem["window"] * (1 + problem["negative"])
    pairs *= max(map(len, problem.get("bags", [[0]]))) or 1
    rate = min(0.05, min(len(problem["input"]), len(problem["output"])) / pairs)
    return rate, rate / 5


def run(problem, on, threads=1):
    settings = dict(problem)
    if "bags" in problem:
        settings["bags"] = bags_of(problem["bags"])
    table = kernels.noise(settings.pop("counts"))
    arrays = [settings.pop(name) for name in ("input", "output", "ids", "offsets")]
    input, output = arrays[0].copy(), arrays[1].copy()
    done = kernels.negative_sampling(
        input,
        output,
        *arrays[2:],
        noise=table,
        lr=rates(problem),
        threads=threads,
        **settings,
        **on,
    )
    return input, output, done


def define(problem, together):
    settings = dict(problem)
    table = kernels.noise(settings.pop("counts"))
    arrays = [settings.pop(name) for name in ("input", "output", "ids", "offsets", "keep")]
    lr = rates(problem)
    return oracle.negative_sampling(
        *arrays, table, lr_begin=lr[0], lr_end=lr[1], together=together, **settings
    )


@given(problem=problems() | problems_with_bags())
def test_tables_loss_and_counts_equal_the_oracle(on, problem):
    together = 10**9 if on["backend"] is _arrays else 1
    input, output, loss, pairs, kept = define(problem, together)
    got_input, got_output, done = run(problem, on)
    assert (done.pairs, done.kept) == (pairs, kept)
    assert done.loss == pytest.approx(loss / pairs if pairs else 0, rel=1e-5)
    for got, want, start in (
        (got_input, input, problem["input"]),
        (got_output, output, problem["output"]),
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-6 + 1e-4 * abs(want - start).max())


@given(problem=problems() | problems_with_bags(), threads=st.integers(2, 4))
def test_threads_train_the_same_pairs(on, problem, threads):
    one, many = run(problem, on)[2], run(problem, on, threads)[2]
    assert (one.pairs, one.kept) == (many.pairs, many.kept)


@given(problem=problems() | problems_with_bags())
def test_one_thread_gives_the_same_bits_twice(on, problem):
    first, second = run(problem, on), run(problem, on)
    assert first[2] == second[2]
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@given(problem=problems(), cut=st.integers(0, 300))
def test_a_learning_rate_of_zero_changes_nothing(on, problem, cut):
    settings = dict(problem)
    table = kernels.noise(settings.pop("counts"))
    arrays = [settings.pop(name) for name in ("input", "output", "ids", "offsets")]
    input, output = arrays[0].copy(), arrays[1].copy()
    kernels.negative_sampling(input, output, *arrays[2:], noise=table, lr=(0, 0), **settings, **on)
    np.testing.assert_array_equal(input, arrays[0])
    np.testing.assert_array_equal(output, arrays[1])


# ---- bags ---------------------------------------------------------------------------------------


@given(problem=problems(), seed=st.integers(0, 2**32))
def test_bags_of_one_row_are_that_row(on, problem, seed):
    """Bit for bit, wherever the rows lie."""
    words = len(problem["input"])
    rows = np.random.default_rng(seed).permutation(words + 5)[:words]
    input = np.zeros((words + 5, problem["input"].shape[1]), np.float32)
    input[rows] = problem["input"]
    bagged = {**problem, "input": input, "bags": [[row] for row in rows]}
    plain, got = run(problem, on), run(bagged, on)
    assert got[2] == plain[2]
    np.testing.assert_array_equal(got[0][rows], plain[0])
    np.testing.assert_array_equal(got[1], plain[1])
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
    expected = oracle.negative_sampling(**problem, lr_begin=0.5, lr_end=0.5)
    got = {**problem, "bags": bags_of(bags)}
    done = kernels.negative_sampling(**got, lr=(0.5, 0.5), threads=1, **on)
    np.testing.assert_array_equal(got["input"], expected[0])
    np.testing.assert_array_equal(got["output"], expected[1])
    assert (done.pairs, done.kept) == expected[3:]


@given(problem=problems())
def test_empty_bags_are_trained_to_nothing(on, problem):
    bagged = {**problem, "bags": [[] for _ in problem["input"]]}
    plain, got = run(problem, on), run(bagged, on)
    assert got[2][1:] == plain[2][1:]
    np.testing.assert_array_equal(got[0], problem["input"])
    np.testing.assert_array_equal(got[1], problem["output"])
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
        "block": 16, "shared": 16, "piece": 16, "seed": 3, "epoch": 0,
    }  # fmt: skip
    input, output, _ = run(problem, on)
    step, small = (output - problem["output"]) / rates(problem)[0], 1e-3
    for row, column in [(int(ids[0]), 0), (int(ids[7]), 3), (int(ids[15]), 7)]:
        sums = []
        for sign in (1, -1):
            moved = dict(problem, output=problem["output"].astype(np.float64))
            moved["output"][row, column] += sign * small
            sums.append(define(moved, 1)[2])
        assert step[row, column] == pytest.approx(
            -(sums[0] - sums[1]) / (2 * small), rel=1e-2, abs=1e-3
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


class TestBadInput:
    @pytest.fixture
    def good(self):
        return {
            "input": np.zeros((4, 3), np.float32), "output": np.zeros((4, 3), np.float32),
            "ids": np.array([0, 1, 2, 3, 3], np.uint32), "offsets": np.array([0, 2, 5]),
            "keep": np.full(4, 2**32 - 1, np.uint32), "noise": kernels.noise([1, 1, 1, 2]),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"input": np.zeros((4, 3))}, TypeError, "input has dtype float64"),
            ({"input": np.zeros((4, 4), np.float32)}, ValueError, "output has shape"),
            ({"input": np.zeros((0, 3), np.float32)}, ValueError, "input has shape"),
            ({"input": np.zeros((4, 6), np.float32)[:, ::2]}, ValueError, "C-contiguous"),
            ({"ids": np.array([0], np.int32)}, TypeError, "ids is 1-d int32"),
            ({"offsets": np.array([0, 4])}, ValueError, "offsets must rise"),
            ({"offsets": np.array([0, 3, 2, 5])}, ValueError, "offsets must rise"),
            ({"offsets": np.array([], np.int64)}, ValueError, "offsets must rise"),
            ({"keep": np.zeros(3, np.uint32)}, ValueError, r"keep has shape \(3,\)"),
            ({"ids": np.array([0, 1, 2, 3, 4], np.uint32)}, ValueError, r"ids\[4\] is 4"),
            ({"window": 0}, ValueError, "window=0"),
            ({"window": -3}, ValueError, "window=-3"),
            ({"negative": 0}, ValueError, "negative=0"),
            ({"block": 0}, ValueError, "block=0"),
            ({"shared": 17}, ValueError, "shared=17"),
            ({"piece": 3}, ValueError, "piece=3"),
            ({"seed": -1}, ValueError, "seed=-1"),
            ({"threads": -1}, ValueError, "threads=-1"),
            ({"lr": (float("nan"), 0.1)}, ValueError, "lr="),
            ({"lr": (-0.1, 0.1)}, ValueError, "lr="),
            ({"lr": (1e39, 0)}, ValueError, "lr="),
            ({"lr": 0.1}, TypeError, "lr=0.1 is not a pair"),
            ({"lr": (0.1,)}, TypeError, "lr=.* is not a pair"),
            ({"lr": (0.1, 0.1, 0.1)}, TypeError, "lr=.* is not a pair"),
            ({"window": 2.5}, TypeError, "window=2.5 is not a whole number"),
            ({"seed": None}, TypeError, "seed=None is not a whole number"),
            ({"cbow": "no"}, TypeError, "cbow='no' is not False or True"),
            ({"input": [[0.0]]}, TypeError, "input has dtype list"),
            ({"ids": [0, 1, 2, 3, 3]}, TypeError, "ids is list"),
            ({"ids": np.zeros(10, np.uint32)[::2]}, ValueError, "ids must be C-contiguous"),
            ({"keep": np.zeros(8, np.uint32)[::2]}, ValueError, "keep must be C-contiguous"),
            ({"noise": kernels.noise([1] * 8)[::2]}, ValueError, "noise must be C-contiguous"),
        ],
    )  # fmt: skip
    def test_is_named(self, on, good, change, error, says):
        with pytest.raises(error, match=says):
            kernels.negative_sampling(**{**good, **change}, **on)

    @pytest.mark.parametrize(
        ("offsets", "ids", "error", "says"),
        [
            (
                [0, 1, 1, 1, 2],
                [0, 4],
                ValueError,
                r"bags.ids\[1\] is 4, expected a row below",
            ),
            ([0, 1, 1, 2], [0, 3], ValueError, "bags has 3 bags, expected one for each of the 4"),
            ([0, 1, 1, 1, 3], [0, 3], ValueError, "bags.offsets must rise from 0 to the 2 ids"),
            ([0, 2, 1, 2, 2], [0, 3], ValueError, "bags.offsets must rise from 0 to the 2 ids"),
            ([1, 1, 1, 1, 2], [0, 3], ValueError, "bags.offsets must rise from 0 to the 2 ids"),
            ([], [], ValueError, "bags.offsets must rise from 0 to the 0 ids"),
        ],
    )
    def test_bags_are_checked(self, on, good, offsets, ids, error, says):
        bags = kernels.Bags(np.array(offsets, np.int64), np.array(ids, np.uint32))
        with pytest.raises(error, match=f"^negative_sampling: {says}"):
            kernels.negative_sampling(**good, bags=bags, **on)

    def test_bags_of_another_kind_are_refused(self, on, good):
        sound = kernels.Bags(np.array([0, 1, 1, 1, 2]), np.array([0, 3], np.uint32))
        for bags, says in (
            ([[0]] * 4, "bags is list"),
            (sound._replace(ids=[0, 3]), "bags.ids must be an uint32 array, got list"),
            (sound._replace(ids=np.array([0, 3])), "bags.ids must be an uint32 array, got int64"),
            (sound._replace(offsets=np.arange(3.0)), "bags.offsets must be an int64 array, got fl"),
        ):
            with pytest.raises(TypeError, match=f"^negative_sampling: {says}"):
                kernels.negative_sampling(**good, bags=bags, **on)
        for change, says in (
            (
                {"output": np.zeros((4, 2), np.float32)},
                r"output has shape \(4, 2\), expected",
            ),
            ({"input": np.zeros((3, 3), np.float32)}, r"bags.ids\[1\] is 3, expected a row below"),
            (
                {"ids": np.array([0, 1, 2, 3, 4], np.uint32)},
                r"ids\[4\] is 4, expected a word",
            ),
        ):
            with pytest.raises(ValueError, match=f"^negative_sampling: {says}"):
                kernels.negative_sampling(**{**good, **change}, bags=sound, **on)

    def test_a_read_only_table_is_refused(self, on, good):
        good["input"].flags.writeable = False
        with pytest.raises(ValueError, match="writeable"):
            kernels.negative_sampling(**good, **on)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
    def test_numbers_that_are_not_finite_stop_it(self, on, good, bad):
        good["input"][:] = bad
        good["output"][:] = bad
        with pytest.raises(FloatingPointError, match="epoch 0"):
            kernels.negative_sampling(**good, **on)
        assert (good["input"] == np.float32(bad)).all() or np.isnan(bad)

    def test_no_tokens_are_no_pairs(self, on, good):
        good.update(ids=np.array([], np.uint32), offsets=np.array([0]))
        assert kernels.negative_sampling(**good, **on) == (0.0, 0, 0)

    @pytest.mark.parametrize("counts", [[], [0, 0], [-1, 2], [[1]], [np.nan]])
    def test_noise_of_nothing_is_refused(self, counts):
        with pytest.raises(ValueError, match="noise"):
            kernels.noise(counts)


def test_working_memory_that_is_not_there_is_named():
    """In a process that may have 4 GiB: wide rows and a wide window need 10 GB a thread."""
    program = """if True:
        import resource, numpy as np
        from firth import kernels
        resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
        tables = [np.zeros((2, 2**16), np.float32) for _ in range(2)]
        kernels.negative_sampling(
            *tables, np.zeros(9, np.uint32), np.array([0, 9]), keep=np.zeros(2, np.uint32),
            noise=kernels.noise([1, 1]), window=10_000, threads=1,
        )
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("MemoryError: negative_sampling: 1 threads of dim=65536, window=10000")


def test_what_progress_raises_stops_the_pass(on):
    def stop(tokens, loss, pairs):
        raise InterruptedError(tokens)

    rng = np.random.default_rng(0)
    ids = rng.integers(0, 1000, 3_000_000).astype(np.uint32)
    tables = [rng.normal(0, 0.01, (1000, 64)).astype(np.float32) for _ in range(2)]
    with pytest.raises(InterruptedError):
        kernels.negative_sampling(
            *tables, ids, np.array([0, len(ids)]), keep=np.full(1000, 2**32 - 1, np.uint32),
            noise=kernels.noise(np.ones(1000)), progress=stop, **on,
        )  # fmt: skip
