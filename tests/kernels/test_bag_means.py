"""The bag_means kernel against the oracle, bit for bit, on every backend and instruction set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import kernels


def bags_of(lists):
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    return kernels.Bags(offsets, np.array([i for one in lists for i in one], np.uint32))


@st.composite
def tables_and_bags(draw):
    """Rows of many magnitudes and both zeros, and bags that repeat rows or are empty."""
    rows, dim = draw(st.integers(1, 20)), draw(st.sampled_from([1, 2, 7, 16, 33, 64, 100, 257]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    table = rng.standard_normal((rows, dim)) * 10.0 ** rng.integers(-38, 30, (rows, dim))
    table[rng.random((rows, dim)) < 0.1] = -0.0
    bag = st.lists(st.integers(0, rows - 1), max_size=draw(st.sampled_from([3, 40])))
    return table.astype(np.float32), draw(st.lists(bag, max_size=20))


def bits(array):
    return np.asarray(array).view(np.uint32)


@given(problem=tables_and_bags(), threads=st.integers(1, 3))
def test_means_are_the_oracles(on, problem, threads):
    table, bags = problem
    found = kernels.bag_means(table, bags_of(bags), threads=threads, **on)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(bits(found), bits(oracle.bag_means(table, bags)))


@given(problem=tables_and_bags(), data=st.data())
def test_any_cut_of_the_bags_gives_the_same_means(on, problem, data):
    table, bags = problem
    cut = data.draw(st.integers(0, len(bags)))
    whole = kernels.bag_means(table, bags_of(bags), **on)
    parts = [kernels.bag_means(table, bags_of(part), **on) for part in (bags[:cut], bags[cut:])]
    np.testing.assert_array_equal(bits(np.concatenate(parts)), bits(whole))


def test_more_bags_than_a_task_has(on):
    rng = np.random.default_rng(2)
    table = rng.standard_normal((50, 9)).astype(np.float32)
    bags = [rng.integers(0, 50, rng.integers(0, 5)).tolist() for _ in range(2000)]
    found = kernels.bag_means(table, bags_of(bags), threads=3, **on)
    np.testing.assert_array_equal(bits(found), bits(oracle.bag_means(table, bags)))


def test_what_is_not_finite_stays_so(on):
    table = np.array([[np.inf, np.nan, 3e38], [-np.inf, 1, 3e38]], np.float32)
    found = kernels.bag_means(table, bags_of([[0], [0, 1], [1]]), **on)
    expected = [[np.inf, np.nan, 3e38], [np.nan, np.nan, np.inf], [-np.inf, 1, 3e38]]
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


def test_a_table_without_rows_has_empty_bags(on):
    table = np.empty((0, 3), np.float32)
    assert kernels.bag_means(table, bags_of([[], []]), **on).tolist() == [[0, 0, 0]] * 2
    assert kernels.bag_means(table, bags_of([]), **on).shape == (0, 3)


def test_a_table_that_must_not_be_written_is_read(on):
    table = np.ones((2, 3), np.float32)
    table.flags.writeable = False
    assert kernels.bag_means(table, bags_of([[0, 1]]), **on).tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"table": np.zeros((4, 3))}, TypeError, "table must be a float32 array, got float64"),
        ({"table": [[0.0]]}, TypeError, "table must be a float32 array, got list"),
        ({"table": np.zeros(4, np.float32)}, ValueError, r"table has shape \(4,\)"),
        ({"table": np.zeros((4, 0), np.float32)}, ValueError, "table has 0 columns"),
        ({"table": np.zeros((4, 6), np.float32)[:, ::2]}, ValueError, "table must be C-contiguous"),
        ({"table": np.zeros((3, 4), np.float32).T}, ValueError, "table must be C-contiguous"),
        ({"offsets": np.array([0, 2, 3], np.int32)}, TypeError, "bags.offsets must be an int64"),
        ({"offsets": np.array([], np.int64)}, ValueError, "bags.offsets must rise from 0 to the 3"),
        ({"offsets": np.array([0, 2])}, ValueError, "bags.offsets must rise from 0 to the 3 ids"),
        ({"offsets": np.array([1, 3])}, ValueError, "bags.offsets must rise"),
        ({"offsets": np.array([0, 2, 1, 3])}, ValueError, "bags.offsets must rise"),
        ({"offsets": np.array([0, -1, 3])}, ValueError, "bags.offsets must rise"),
        ({"offsets": np.array([[0, 3]])}, ValueError, r"bags.offsets has shape \(1, 2\)"),
        ({"offsets": np.array([0, 9, 3, 9])[::2]}, ValueError, "bags.offsets must be C-contiguous"),
        (
            {"ids": np.array([0, 1, 4], np.uint32)},
            ValueError,
            r"bags.ids\[2\] is 4, expected",
        ),
        ({"ids": np.array([0, 1, 3])}, TypeError, "bags.ids must be an uint32 array, got int64"),
        ({"ids": np.zeros(6, np.uint32)[::2]}, ValueError, "bags.ids must be C-contiguous"),
        ({"threads": -1}, ValueError, "threads=-1 is not between 1 and 4096"),
    ],
)
def test_bad_arguments_are_named(on, change, error, says):
    good = {
        "table": np.zeros((4, 3), np.float32),
        "offsets": np.array([0, 2, 3]),
        "ids": np.array([0, 1, 3], np.uint32),
    }
    given = {**good, **change}
    bags = kernels.Bags(given.pop("offsets"), given.pop("ids"))
    with pytest.raises(error, match=rf"^bag_means: {says}"):
        kernels.bag_means(bags=bags, **given, **on)


@pytest.mark.parametrize("bags", [None, [[0, 1], [2]], np.zeros((2, 3)), ()])
def test_what_are_no_bags_is_named(on, bags):
    with pytest.raises(TypeError, match=r"bag_means: bags is \w+, expected Bags\(offsets, ids\)"):
        kernels.bag_means(np.zeros((4, 3), np.float32), bags, **on)
