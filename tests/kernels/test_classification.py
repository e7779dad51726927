"""classification against the float64 oracle, on every backend and instruction set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import kernels
from firth.kernels import Bags

LOSSES = ("softmax", "ova", "hs")


def bags_of(lists):
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return Bags(offsets, np.array([i for one in lists for i in one], np.uint32))


def lists_of(bags):
    return [bags.ids[a:b].tolist() for a, b in zip(bags.offsets, bags.offsets[1:], strict=False)]


@st.composite
def problems(draw):
    """Some examples with tables and settings that reach the corners of the kernel."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, labels = draw(st.integers(1, 30)), draw(st.sampled_from([1, 2, 3, 7, 8, 16, 17, 33, 70]))
    dim = draw(st.sampled_from([1, 3, 4, 7, 8, 15, 16, 17, 33, 64, 100, 112, 130, 300]))
    examples = draw(st.integers(1, 20))
    longest = draw(st.sampled_from([1, 3, 60]))
    return {
        "input": rng.normal(0, 1 / np.sqrt(dim), (rows, dim)).astype(np.float32),
        "output": rng.normal(0, 1 / np.sqrt(dim), (labels, dim)).astype(np.float32),
        "bags": [rng.integers(0, rows, n).tolist() for n in rng.integers(1, longest + 1, examples)],
        "labels": [rng.integers(0, labels, n).tolist() for n in rng.integers(1, 4, examples)],
        "loss": draw(st.sampled_from(LOSSES)),
        "counts": np.sort(rng.integers(1, 50, labels))[::-1].tolist(),
        "positions": np.cumsum([0, *rng.integers(1, 9, examples)]).astype(np.int64),
        "seed": draw(st.integers(0, 2**64 - 1)),
        "epoch": draw(st.integers(0, 3)),
        "lr": draw(st.sampled_from([(0.5, 0.1), (0.1, 0.1), (0, 0.3)])),
    }


def settings_of(problem):
    settings = {name: problem[name] for name in ("loss", "positions", "seed", "epoch")}
    paths = kernels.huffman_paths(problem["counts"]) if problem["loss"] == "hs" else None
    return settings, paths


def run(problem, on, threads=1):
    settings, paths = settings_of(problem)
    input, output = problem["input"].copy(), problem["output"].copy()
    done = kernels.classification(
        input,
        output,
        bags_of(problem["bags"]),
        bags_of(problem["labels"]),
        paths=paths,
        lr=problem["lr"],
        threads=threads,
        **settings,
        **on,
    )
    return input, output, done


def define(problem):
    settings, paths = settings_of(problem)
    tables = [problem[name] for name in ("input", "output", "bags", "labels")]
    first, last = problem["lr"]
    return oracle.classification(
        *tables, **settings, paths=paths and lists_of(paths), lr_begin=first, lr_end=last
    )


@given(problem=problems())
def test_tables_and_loss_equal_the_oracle(on, problem):
    input, output, loss = define(problem)
    got_input, got_output, done = run(problem, on)
    assert done.examples == len(problem["bags"])
    assert done.loss == pytest.approx(loss / done.examples, rel=2e-5, abs=1e-6)
    for got, want, start in (
        (got_input, input, problem["input"]),
        (got_output, output, problem["output"]),
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-6 + 1e-4 * abs(want - start).max())


@given(problem=problems())
def test_one_thread_gives_the_same_bits_twice(on, problem):
    first, second = run(problem, on), run(problem, on)
    assert first[2] == second[2]
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@given(problem=problems(), threads=st.integers(2, 4))
def test_threads_train_all_examples(on, problem, threads):
    assert run(problem, on, threads)[2].examples == len(problem["bags"])


@given(problem=problems())
def test_a_learning_rate_of_zero_changes_nothing(on, problem):
    input, output, _ = run({**problem, "lr": (0, 0)}, on)
    np.testing.assert_array_equal(input, problem["input"])
    np.testing.assert_array_equal(output, problem["output"])


@pytest.mark.parametrize("dim", [5, 16, 40, 100])
@pytest.mark.parametrize("loss", LOSSES)
def test_small_integers_give_the_same_bits_everywhere(on, loss, dim):
    """All scores of zero rows are 0: shares are powers of two, and no sum is rounded."""
    rng = np.random.default_rng(dim)
    problem = {
        "input": rng.integers(-8, 9, (9, dim)).astype(np.float32),
        "output": np.zeros((16, dim), np.float32),
        "bags": [[1, 5, 1, 8]], "labels": [[3]], "loss": loss, "counts": [1] * 16,
        "positions": np.array([0, 1]), "seed": 1, "epoch": 0, "lr": (0.5, 0.5),
    }  # fmt: skip
    input, output, done = run(problem, on)
    want_input, want_output, loss_of_one = define(problem)
    np.testing.assert_array_equal(output, want_output)
    np.testing.assert_array_equal(input, want_input)
    assert done.loss == pytest.approx(loss_of_one, rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_steps_follow_the_gradient_of_the_loss(on, loss):
    """Finite differences of one example's loss; a row that the bag names twice takes two steps."""
    rng = np.random.default_rng(5)
    problem = {
        "input": rng.normal(0, 0.5, (6, 9)).astype(np.float32),
        "output": rng.normal(0, 0.5, (5, 9)).astype(np.float32),
        "bags": [[0, 2, 2, 4]], "labels": [[1]], "loss": loss, "counts": [9, 5, 4, 2, 1],
        "positions": np.array([0, 1]), "seed": 3, "epoch": 0, "lr": (1, 1),
    }  # fmt: skip
    tables = run(problem, on)
    for table, name in zip(tables, ("input", "output"), strict=False):
        step = table.astype(np.float64) - problem[name]
        for row, column in np.ndindex(*step.shape):
            sums = []
            for sign in (1, -1):
                moved = problem[name].astype(np.float64)
                moved[row, column] += sign * 1e-4
                sums.append(define({**problem, name: moved})[2])
            gradient = (sums[0] - sums[1]) / 2e-4
            assert step[row, column] == pytest.approx(-gradient, rel=1e-3, abs=1e-5)


@given(problem=problems())
def test_columns_of_zeros_behind_change_nothing(on, problem):
    dim = problem["input"].shape[1]
    wide = kernels.padded_rows(len(problem["output"]), dim)
    assert wide.shape[1] % 16 == wide.ctypes.data % 64 == 0
    wide[:, :dim] = problem["output"]
    input, output, done = run({**problem, "output": wide}, on)
    want_input, want_output, want = run(problem, on)
    assert done.loss == pytest.approx(want.loss, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(input, want_input, rtol=0, atol=1e-5)
    np.testing.assert_allclose(output[:, :dim], want_output, rtol=0, atol=1e-5)
    assert not output[:, dim:].any()


def test_one_of_several_labels_is_drawn_anew_in_each_epoch(on):
    trained = set()
    for epoch in range(12):
        output = np.zeros((5, 4), np.float32)
        bags, labels = bags_of([[0]]), bags_of([[1, 3]])
        kernels.classification(np.ones((1, 4), np.float32), output, bags, labels, epoch=epoch, **on)
        trained.add(int(output[:, 0].argmax()))
    assert trained == {1, 3}


def test_one_against_all_trains_all_labels_and_a_repeated_one_once(on):
    tables = []
    for labels in ([1, 3], [3, 1, 3]):
        output = np.zeros((5, 4), np.float32)
        kernels.classification(
            np.ones((1, 4), np.float32), output, bags_of([[0]]), bags_of([labels]), loss="ova", **on
        )
        assert (output[:, 0] > 0).tolist() == [False, True, False, True, False]
        tables.append(output)
    np.testing.assert_array_equal(*tables)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_paths_equal_the_oracle_s_tree(counts):
    counts = sorted(counts, reverse=True)
    assert lists_of(kernels.huffman_paths(counts)) == oracle.huffman_paths(counts)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=40))
def test_a_tree_gives_every_label_an_end_and_shorter_paths_to_frequent_ones(counts):
    counts = sorted(counts, reverse=True)
    paths = lists_of(kernels.huffman_paths(counts))
    assert sum(2.0 ** -len(path) for path in paths) == 1
    assert len({tuple(path) for path in paths}) == len(counts)
    assert all(path[-1] // 2 == len(counts) - 2 for path in paths)
    assert sorted(map(len, paths)) == [len(path) for path in paths]


def test_paths_of_the_steepest_counts_are_short_and_endless_ones_are_refused():
    steepest = [1, 1]
    while steepest[-1] + steepest[-2] < 2**63:
        steepest.append(steepest[-1] + steepest[-2])
    paths = kernels.huffman_paths(steepest[::-1])
    assert 80 < np.diff(paths.offsets).max() < 128
    assert kernels.huffman_paths([0] * 50).offsets[-1] == 1274
    with pytest.raises(ValueError, match="huffman_paths: counts give a path of 99999 nodes"):
        kernels.huffman_paths([0] * 100_000)
    assert kernels.huffman_paths([]).offsets.tolist() == [0]


def test_a_single_label_has_nothing_to_decide(on):
    tables = np.ones((3, 4), np.float32), np.ones((1, 4), np.float32)
    paths = kernels.huffman_paths([5])
    for loss in ("softmax", "hs"):
        done = kernels.classification(
            *tables, bags_of([[0, 1]]), bags_of([[0]]), loss=loss,
            paths=paths if loss == "hs" else None, **on,
        )  # fmt: skip
        assert done == (0.0, 1)
        assert all((table == 1).all() for table in tables)


class TestBadInput:
    @pytest.fixture
    def good(self):
        return {
            "input": np.ones((4, 3), np.float32), "output": np.ones((2, 3), np.float32),
            "bags": bags_of([[0, 1], [3]]), "labels": bags_of([[0], [1, 0]]),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"input": np.zeros((4, 3))}, TypeError, "input must be a float32 array, got float64"),
            ({"input": [[0.0]]}, TypeError, "input must be a float32 array, got list"),
            ({"input": np.zeros((4, 4), np.float32)}, ValueError, "output has shape"),
            ({"output": np.zeros((0, 3), np.float32)}, ValueError, "output has shape"),
            ({"output": np.zeros((2, 17), np.float32)}, ValueError, "output has shape"),
            ({"output": np.ones((2, 4), np.float32)}, ValueError, "numbers behind the 3 columns"),
            ({"input": np.zeros((4, 6), np.float32)[:, ::2]}, ValueError, "C-contiguous"),
            ({"bags": bags_of([[0], [4]])}, ValueError, r"bags.ids\[1\] is 4, expected one below"),
            ({"bags": bags_of([[0], []])}, ValueError, "bags has nothing for example 1"),
            ({"bags": Bags(np.array([0, 2, 1]), bags_of([[0]]).ids)}, ValueError, "must rise"),
            ({"bags": Bags(np.array([0, 1, 2]), np.zeros(2, int))}, TypeError, "bags.ids"),
            ({"labels": bags_of([[0]])}, ValueError, "labels.offsets has shape"),
            ({"labels": bags_of([[0], [2]])}, ValueError, r"labels.ids\[1\] is 2"),
            ({"labels": bags_of([[], [0]])}, ValueError, "labels has nothing for example 0"),
            ({"loss": "hinge"}, ValueError, "loss='hinge' is neither"),
            ({"loss": "hs"}, ValueError, "loss='hs' needs paths"),
            ({"paths": kernels.huffman_paths([1, 1])}, ValueError, "'softmax' has no paths"),
            ({"loss": "hs", "paths": bags_of([[0], [4]])}, ValueError, r"paths.ids\[1\] is 4"),
            ({"loss": "hs", "paths": bags_of([[0], [0, 1, 2]])}, ValueError, "one of 3 nodes"),
            ({"bags": ([0, 1], [0])}, TypeError, "bags.offsets must be an int64 array, got list"),
            ({"bags": [[0]]}, TypeError, "bags is list, expected Bags"),
            ({"labels": (np.zeros(0, "i8"), np.zeros(0, "u4"))}, ValueError, "offsets is empty"),
            ({"loss": "hs", "paths": (0,)}, TypeError, "paths is tuple, expected Bags"),
            ({"positions": np.array([0, 2, 1])}, ValueError, "positions must rise"),
            ({"positions": np.array([0, 0, 0])}, ValueError, "positions must rise above 0"),
            ({"positions": np.array([0, 1])}, ValueError, "positions has shape"),
            ({"positions": np.array([0, 1, 2.0])}, TypeError, "positions must be an int64"),
            ({"seed": -1}, ValueError, "seed=-1"),
            ({"epoch": 2**32}, ValueError, "epoch=4294967296"),
            ({"epoch": 1.5}, TypeError, "epoch must be an integer"),
            ({"threads": 0}, ValueError, "threads=0"),
            ({"lr": 0.1}, TypeError, "lr=0.1 is not a pair"),
            ({"lr": (-0.1, 0.1)}, ValueError, "lr="),
            ({"lr": (float("nan"), 0.1)}, ValueError, "lr="),
        ],
    )  # fmt: skip
    def test_is_named(self, on, good, change, error, says):
        with pytest.raises(error, match=says):
            kernels.classification(**{**good, **change}, **on)

    def test_a_plain_pair_is_bags(self, on, good):
        good.update(bags=tuple(good["bags"]), labels=tuple(good["labels"]))
        assert kernels.classification(**good, **on).examples == 2

    def test_a_read_only_table_is_refused(self, on, good):
        good["output"].flags.writeable = False
        with pytest.raises(ValueError, match="writeable"):
            kernels.classification(**good, **on)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_numbers_that_are_not_finite_stop_it(self, on, good, loss, bad):
        good["input"][3] = bad
        good["output"][:] = 1e15 if bad == 1e30 else 1
        before = good["output"].copy()
        paths = kernels.huffman_paths([1, 1]) if loss == "hs" else None
        with pytest.raises(FloatingPointError, match="score of example 1 is not finite"):
            kernels.classification(**good, loss=loss, paths=paths, lr=(0, 0), threads=1, **on)
        np.testing.assert_array_equal(good["output"], before)

    def test_no_examples_are_no_loss(self, on, good):
        good.update(bags=bags_of([]), labels=bags_of([]))
        assert kernels.classification(**good, **on) == (0.0, 0)


def test_what_progress_raises_stops_the_pass(on):
    def stop(positions, loss, examples):
        raise InterruptedError(positions)

    rng = np.random.default_rng(0)
    bags = bags_of(rng.integers(0, 1000, (20_000, 8)).tolist())
    labels = bags_of(rng.integers(0, 500, (20_000, 1)).tolist())
    tables = [rng.normal(0, 0.01, (rows, 64)).astype(np.float32) for rows in (1000, 500)]
    with pytest.raises(InterruptedError):
        kernels.classification(*tables, bags, labels, progress=stop, **on)
