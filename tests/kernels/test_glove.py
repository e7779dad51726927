"""glove against the float64 oracle, on every backend and instruction set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import kernels
from firth.kernels import _glove
from matrices import csr_of, entries_of
from strategies import fits

RULE = ("dim", "seed", "epoch", "lr", "x_max", "alpha")


def begin(problem):
    """(words, contexts, counts, spans)."""
    counts = csr_of(problem["counts"], problem["shape"], np.float32)
    tables = kernels.glove_tables(*problem["shape"], problem["dim"], seed=problem["seed"])
    return *tables, counts, _glove.column_spans(counts, problem["groups"])


def run(problem, on, threads=1):
    words, contexts, counts, spans = begin(problem)
    rule = {name: problem[name] for name in RULE}
    done = kernels.glove(words, contexts, counts, spans=spans, threads=threads, **rule, **on)
    return words, contexts, done


def define(problem):
    words, contexts, counts, spans = begin(problem)
    plan = _glove.schedule(len(words), spans, problem["seed"], problem["epoch"])
    rule = {name: problem[name] for name in ("dim", "lr", "x_max", "alpha")}
    return oracle.glove(words, contexts, entries_of(counts), **plan._asdict(), **rule)


@given(problem=fits())
def test_tables_and_loss_equal_the_oracle(on, problem):
    words, contexts, loss = define(problem)
    got_words, got_contexts, done = run(problem, on)
    many = len(problem["counts"])
    assert done.counts == many
    assert done.loss == pytest.approx(loss / max(many, 1), rel=2e-5, abs=1e-7)
    np.testing.assert_allclose(got_words, words, rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(got_contexts, contexts, rtol=2e-5, atol=1e-5)


@given(problem=fits(), threads=st.integers(2, 4))
def test_any_number_of_threads_gives_the_same_bits(on, problem, threads):
    one, many = run(problem, on), run(problem, on, threads)
    assert one[2] == many[2]
    np.testing.assert_array_equal(one[0], many[0])
    np.testing.assert_array_equal(one[1], many[1])


def test_threads_give_the_same_bits_on_many_tiles(on):
    rng = np.random.default_rng(4)
    ids = (rng.zipf(1.3, 4000) % 300).astype(np.uint32)
    counts = kernels.cooccurrence(ids, words=300, window=3)
    spans = _glove.column_spans(counts, 24)
    found = []
    for threads in (1, 2, 3):
        tables = kernels.glove_tables(300, 300, 40)
        losses = [
            kernels.glove(
                *tables, counts, dim=40, epoch=epoch, spans=spans, threads=threads, **on
            ).loss
            for epoch in range(2)
        ]
        found.append((*tables, losses))
    for words, contexts, losses in found[1:]:
        np.testing.assert_array_equal(words, found[0][0])
        np.testing.assert_array_equal(contexts, found[0][1])
        assert losses == found[0][2]


@given(problem=fits())
def test_a_learning_rate_of_zero_leaves_vectors(on, problem):
    words, contexts, *_ = begin(problem)
    got_words, got_contexts, _ = run({**problem, "lr": 0.0}, on)
    bias = words.shape[1] // 2 - 2
    np.testing.assert_array_equal(got_words[:, :bias], words[:, :bias])
    np.testing.assert_array_equal(got_contexts[:, :bias], contexts[:, :bias])
    np.testing.assert_array_equal(got_words[:, bias + 1], 1)
    np.testing.assert_array_equal(got_contexts[:, bias], 1)
    if problem["counts"]:
        assert (got_words[:, bias] != words[:, bias]).any()


def test_one_step_follows_the_gradient_of_the_loss(on):
    """Finite differences of the loss of one count; squared gradients begin at 1."""
    problem = {
        "shape": (2, 3), "counts": {(1, 2): 7.0}, "dim": 5, "groups": 2, "seed": 3, "epoch": 0,
        "lr": 0.5, "x_max": 10.0, "alpha": 0.75,
    }  # fmt: skip
    before, after = begin(problem)[:2], run(problem, on)[:2]

    def loss(tables):
        counts = csr_of(problem["counts"], problem["shape"], np.float32)
        plan = _glove.schedule(2, _glove.column_spans(counts, 2), 3, 0)
        rule = {"dim": 5, "lr": 0.5, "x_max": 10.0, "alpha": 0.75}
        return oracle.glove(*tables, problem["counts"], **plan._asdict(), **rule)[2]

    for table in (0, 1):
        for row, column in np.ndindex(problem["shape"][table], 16):
            losses = []
            for sign in (1, -1):
                moved = [one.astype(np.float64) for one in before]
                moved[table][row, column] += sign * 1e-4
                losses.append(loss(moved))
            rate = 0.5 if column < 5 else column == (14 if table == 0 else 15)
            step = after[table][row, column] - float(before[table][row, column])
            gradient = (losses[0] - losses[1]) / 2e-4
            assert step == pytest.approx(-rate * gradient, rel=1e-3, abs=1e-6)
            grown = after[table][row, 16 + column] - 1
            assert grown == pytest.approx((rate * gradient) ** 2, rel=1e-2, abs=1e-6)


def test_epochs_fit_the_logarithms_of_counts(on):
    """Counts that are exactly of rank 2 and biases are learnt."""
    rng = np.random.default_rng(0)
    w, c = rng.normal(0, 0.5, (2, 30, 2))
    logs = w @ c.T + rng.normal(0, 1, (30, 1)) + rng.normal(0, 1, 30)
    counts = csr_of(
        {pair: float(np.exp(logs[pair])) for pair in np.ndindex(30, 30)}, (30, 30), np.float32
    )
    words, contexts = kernels.glove_tables(30, 30, 8)
    rule = {"dim": 8, "x_max": 1.0, "lr": 0.1, "spans": _glove.column_spans(counts, 15), **on}
    for epoch in range(60):
        done = kernels.glove(words, contexts, counts, epoch=epoch, **rule)
    assert done.loss < 1e-3
    fitted = words[:, :16] @ contexts[:, :16].T
    np.testing.assert_allclose(fitted, logs, atol=0.3)


# ---- what is wrong ------------------------------------------------------------------------------


COUNTS = {(0, 0): 1.0, (0, 2): 2.0, (1, 1): 3.0, (3, 0): 4.0}


def good_arguments():
    words, contexts = kernels.glove_tables(4, 3, 5)
    counts = csr_of(COUNTS, (4, 3), np.float32)
    return {"words": words, "contexts": contexts, "counts": counts, "dim": 5}


def shifted(table, floats):
    """The same table, so many floats behind a cache line."""
    raw = np.zeros(table.size + 32, np.float32)
    first = -(raw.ctypes.data // 4) % 16 + floats
    moved = raw[first : first + table.size].reshape(table.shape)
    moved[:] = table
    return moved


def changed(table, column, value):
    table = shifted(table, 0)
    table[1, column] = value
    return table


class TestBadInput:
    @pytest.mark.parametrize("name", ["words", "contexts"])
    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            (lambda table: table.tolist(), TypeError, "must be a float32 array, got list"),
            (lambda table: table.astype(np.float64), TypeError, "must be a float32 array, got f"),
            (lambda table: table[:-1], ValueError, "has shape"),
            (lambda table: table[:, :16], ValueError, r"has shape \(.*\), expected \(., 32\)"),
            (np.asfortranarray, ValueError, "must be C-contiguous and aligned"),
            (lambda table: shifted(table, 1), ValueError, "begins 4 bytes behind a multiple of 64"),
            (lambda table: shifted(table, 8), ValueError, "begins 32 bytes behind a multiple of"),
            (lambda table: changed(table, 5, 1), ValueError, "needs zeros in columns 5 to 13"),
            (
                lambda table: changed(table, [14, 15], 2),
                ValueError,
                ".* ones in column 1[45]",
            ),
        ],
    )
    def test_of_tables_is_named(self, on, name, change, error, says):
        arguments = good_arguments()
        arguments[name] = change(arguments[name])
        with pytest.raises(error, match=f"glove: {name} {says}"):
            kernels.glove(**arguments, **on)

    @pytest.mark.parametrize("name", ["words", "contexts"])
    def test_tables_that_are_read_only_or_one_are_refused(self, on, name):
        arguments = good_arguments()
        arguments[name].flags.writeable = False
        with pytest.raises(ValueError, match=f"glove: {name} must be writeable"):
            kernels.glove(**arguments, **on)
        table = np.concatenate(kernels.glove_tables(4, 4, 5))
        table = shifted(table, 0)
        table[:, 14:16] = 1
        arguments["words"], arguments["contexts"] = table[:4], table[2:5]
        with pytest.raises(ValueError, match="words and contexts share memory"):
            kernels.glove(**arguments, **on)

    @pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, -np.inf, 1e-40])
    def test_of_a_count_is_named(self, on, value):
        arguments = good_arguments()
        arguments["counts"] = csr_of({**COUNTS, (1, 1): value}, (4, 3), np.float32)
        with pytest.raises(ValueError, match=r"counts.data\[2\] is .*, expected a finite number"):
            kernels.glove(**arguments, **on)

    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"counts": None}, TypeError, "counts is NoneType, expected CSR"),
            ({"counts": csr_of(COUNTS, (4, 3), np.float64)}, TypeError, "counts.data must be"),
            ({"counts": csr_of(COUNTS, (5, 3), np.float32)}, ValueError, "words has shape"),
            ({"counts": csr_of(COUNTS, (4, 2), np.float32)}, ValueError, r"indices\[1\] is 2, exp"),
            ({"counts": csr_of(COUNTS, (4, 4), np.float32)}, ValueError, "contexts has shape"),
            ({"dim": 0}, ValueError, "dim=0 is not between 1 and"),
            ({"dim": 5.0}, TypeError, "dim must be an integer"),
            ({"dim": 15}, ValueError, "words has shape"),
            ({"seed": -1}, ValueError, "seed=-1"),
            ({"epoch": 2**32}, ValueError, "epoch=4294967296"),
            ({"lr": -0.1}, ValueError, "lr=-0.1 is not between 0 and 3.4"),
            ({"lr": float("nan")}, ValueError, "lr=nan"),
            ({"lr": 1e39}, ValueError, r"lr=1e\+39"),
            ({"lr": "0.1"}, TypeError, "lr must be a number, got str"),
            ({"lr": None}, TypeError, "lr must be a number, got NoneType"),
            ({"x_max": 0}, ValueError, "x_max=0 is not between"),
            ({"x_max": 1e-40}, ValueError, "x_max=1e-40"),
            ({"x_max": 10**400}, ValueError, "x_max=inf"),
            ({"alpha": -0.5}, ValueError, "alpha=-0.5 is not between 0 and 10"),
            ({"alpha": np.ones(2)}, TypeError, "alpha must be a number"),
            ({"threads": 0}, ValueError, "threads=0"),
            ({"spans": [0, 3]}, TypeError, "spans must be an uint32 array, got list"),
            ({"spans": np.array([0, 3])}, TypeError, "spans must be an uint32 array, got int64"),
            ({"spans": np.array([0, 4], np.uint32)}, ValueError, "spans goes from 0 to 4"),
            ({"spans": np.array([1, 3], np.uint32)}, ValueError, "spans goes from 1 to 3"),
            ({"spans": np.array([0, 2, 1, 3], np.uint32)}, ValueError, r"spans\[2\] is 1, below"),
            ({"spans": np.array([0, 1, 2, 2, 3], np.uint32)}, ValueError, "spans has 5 places"),
        ],
    )  # fmt: skip
    def test_is_named(self, on, change, error, says):
        with pytest.raises(error, match=f"glove: .*{says}"):
            kernels.glove(**{**good_arguments(), **change}, **on)

    @pytest.mark.parametrize(
        ("change", "says"),
        [({"dim": 0}, "dim=0"), ({"rows": -1}, "rows=-1"), ({"columns": 2**31}, "columns=2147")],
    )
    def test_of_new_tables_is_named(self, change, says):
        with pytest.raises(ValueError, match=f"glove_tables: {says}"):
            kernels.glove_tables(**{"rows": 1, "columns": 1, "dim": 1, **change})


def test_a_learning_rate_that_blows_up_is_an_error_that_names_epoch_and_row(on):
    arguments = good_arguments()
    says = r"glove: epoch 3: row \d met a number that is not finite; lower lr=1e\+30"
    with pytest.raises(FloatingPointError, match=says):
        kernels.glove(**arguments, lr=1e30, epoch=3, **on)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["words", "contexts"])
def test_a_number_that_is_not_finite_is_found(on, name, bad):
    arguments = good_arguments()
    arguments[name][1, 2] = bad
    with pytest.raises(FloatingPointError, match=r"row 1 met a number that is not finite"):
        kernels.glove(**arguments, **on)


def test_what_the_last_step_of_an_epoch_spoils_is_found(on):
    """The only count of a row and a column: nothing reads what it leaves."""
    words, contexts = kernels.glove_tables(1, 1, 3)
    words[:, :3], contexts[:, :3] = 1e15, 1e15
    counts = csr_of({(0, 0): 1.0}, (1, 1), np.float32)
    with pytest.raises(FloatingPointError, match="row 0 met a number that is not finite"):
        kernels.glove(words, contexts, counts, dim=3, lr=100.0, **on)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (3, 3)])
def test_no_counts_change_nothing(on, shape):
    words, contexts = kernels.glove_tables(*shape, 4)
    before = words.copy()
    counts = csr_of({}, shape, np.float32)
    assert kernels.glove(words, contexts, counts, dim=4, **on) == (0.0, 0)
    np.testing.assert_array_equal(words, before)


def test_progress_hears_of_every_round_and_what_it_raises_stops_the_epoch(on):
    heard = []
    arguments = good_arguments()
    spans = np.array([0, 1, 2, 3], np.uint32)
    done = kernels.glove(**arguments, spans=spans, progress=lambda *now: heard.append(now), **on)
    assert len(heard) == 3
    assert heard == sorted(heard)
    assert heard[-1] == (4, pytest.approx(done.loss * 4))

    def stop(counts, loss):
        raise InterruptedError(counts)

    with pytest.raises(InterruptedError):
        kernels.glove(**arguments, spans=spans, progress=stop, **on)
