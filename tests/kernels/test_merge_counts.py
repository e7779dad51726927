"""merge_counts against the oracle, exactly, on every backend and instruction set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import _arrays, kernels
from firth._arrays import _cooccurrence as in_arrays
from firth.csr import CSR
from matrices import assert_same_bits, csr_of, entries_of
from strategies import sums_of_words


@st.composite
def problems(draw):
    """A shape, and some counts of it."""
    rows, columns = draw(st.integers(1, 20)), draw(st.sampled_from([1, 5, 16, 17, 1000]))
    many = draw(st.integers(1, 4))
    return (rows, columns), [draw(sums_of_words(rows, columns)) for _ in range(many)]


def arrays_of(shape, parts):
    return [csr_of(part, shape, np.uint64) for part in parts]


@given(problem=problems(), threads=st.integers(1, 3))
def test_sums_are_the_oracles(on, problem, threads):
    shape, parts = problem
    sums = oracle.merge_counts(parts)
    if sum(max(part.values(), default=0) for part in parts) < 2**64:
        found = kernels.merge_counts(arrays_of(shape, parts), threads=threads, **on)
        assert found.shape == shape
        assert entries_of(found) == sums


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(problem=problems(), unit=st.sampled_from([1, 3, 2520, 2**32, 2**64 - 1]))
def test_numbers_are_the_sums_over_the_unit(on, problem, dtype, unit):
    shape, parts = problem
    parts = [{pair: value >> 3 or 1 for pair, value in part.items()} for part in parts]
    found = kernels.merge_counts(arrays_of(shape, parts), unit=unit, dtype=dtype, **on)
    want = {
        pair: float(dtype(np.float64(sum_) / np.float64(unit)))
        for pair, sum_ in oracle.merge_counts(parts).items()
    }
    assert found.data.dtype == dtype
    assert entries_of(found) == want


@given(problem=problems(), data=st.data())
def test_neither_order_nor_grouping_matters(on, problem, data):
    shape, parts = problem
    parts = [{pair: value >> 3 or 1 for pair, value in part.items()} for part in parts]
    whole = kernels.merge_counts(arrays_of(shape, parts), **on)
    shuffled = arrays_of(shape, data.draw(st.permutations(parts)))
    assert_same_bits(kernels.merge_counts(shuffled, **on), whole)
    cut = data.draw(st.integers(1, len(shuffled)))
    first = kernels.merge_counts(shuffled[:cut], **on)
    assert_same_bits(kernels.merge_counts([first, *shuffled[cut:]], **on), whole)


@given(problem=problems())
def test_one_part_is_itself_and_an_empty_one_adds_nothing(on, problem):
    shape, parts = problem
    (only,) = arrays_of(shape, parts[:1])
    nothing = csr_of({}, shape, np.uint64)
    for some in ([only], [only, nothing], [nothing, only]):
        assert_same_bits(kernels.merge_counts(some, **on), only)


@given(problem=problems(), pairs=st.sampled_from([1, 7, 100]))
def test_array_code_adds_up_the_same_in_blocks_of_any_size(problem, pairs):
    shape, parts = problem
    parts = [{pair: value >> 3 or 1 for pair, value in part.items()} for part in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_arrays, "_BLOCK_PAIRS", pairs)
        found = kernels.merge_counts(arrays_of(shape, parts), backend=_arrays)
    assert entries_of(found) == oracle.merge_counts(parts)


def test_a_matrix_without_rows_or_columns_is_itself(on):
    for shape in ((0, 0), (0, 5), (5, 0)):
        nothing = csr_of({}, shape, np.uint64)
        assert_same_bits(kernels.merge_counts([nothing, nothing], **on), nothing)


def test_many_rows_are_cut_into_tasks(on):
    rng = np.random.default_rng(0)
    dense = rng.integers(0, 4, (3, 900, 700)).astype(np.uint64)
    parts = []
    for one in dense:
        rows, columns = np.nonzero(one)
        indptr = np.searchsorted(rows, np.arange(901)).astype(np.int64)
        parts.append(CSR(indptr, columns.astype(np.int32), one[rows, columns], 700))
    for threads in (1, 2, 3):
        found = kernels.merge_counts(parts, threads=threads, **on).to_scipy().toarray()
        np.testing.assert_array_equal(found, dense.sum(axis=0))


def matrix(indptr=(0, 2, 3), indices=(0, 2, 1), data=(1, 2, 3), columns=3):
    """A small matrix with something in it changed."""
    changed = {"indptr": (indptr, np.int64), "indices": (indices, np.int32)}
    changed["data"] = (data, np.uint64)
    arrays = {
        name: value if isinstance(value, np.ndarray) else np.array(value, dtype)
        for name, (value, dtype) in changed.items()
    }
    return CSR(**arrays, columns=columns)


class TestBadInput:
    @pytest.mark.parametrize(
        ("parts", "error", "says"),
        [
            ([], ValueError, "parts is empty, expected at least one CSR"),
            (matrix(), TypeError, "parts is CSR, expected a list of CSR"),
            (3, TypeError, "parts is int, expected a list"),
            ([None], TypeError, r"parts\[0\] is NoneType, expected CSR"),
            ([matrix(), matrix(columns=4)], ValueError, r"parts\[1\] has shape \(2, 4\), expected"),
            ([matrix(data=np.ones(3, np.float32))], TypeError, "data must be an uint64 array"),
            ([matrix(data=[1, 2])], ValueError, "data has shape"),
            ([matrix(data=[1, 0, 3])], ValueError, r"data\[1\] is 0, expected one above 0"),
            ([matrix(data=np.ones(6, np.uint64)[::2])], ValueError, "data must be C-contiguous"),
            ([matrix(indices=np.zeros(3, np.int64))], TypeError, "indices must be an int32 array"),
            ([matrix(indices=[0, 3, 1])], ValueError, r"indices\[1\] is 3, expected one from 0 to"),
            ([matrix(indices=[-1, 2, 1])], ValueError, r"indices\[0\] is -1, expected one from 0"),
            ([matrix(indices=[2, 0, 1])], ValueError, r"indices\[1\] is 0, not above the 2 before"),
            ([matrix(indices=[2, 2, 1])], ValueError, r"indices\[1\] is 2, not above the 2 before"),
            ([matrix(indptr=[0, 3, 3])], ValueError, r"indices\[2\] is 1, not above the 2 before"),
            ([matrix(indptr=[0, 4, 3])], ValueError, r"indptr\[2\] is 3, below the 4 before it"),
            ([matrix(indptr=[0, 2, 4])], ValueError, "indptr goes from 0 to 4, expected from 0 to"),
            ([matrix(indptr=[1, 2, 3])], ValueError, "indptr goes from 1 to 3, expected from 0 to"),
            ([matrix(indptr=np.zeros(0, np.int64))], ValueError, "indptr goes nowhere"),
            ([matrix(indptr=np.array([0, 2, 3], np.int32))], TypeError, "indptr must be an int64"),
            ([matrix(columns=2**31)], ValueError, "columns=2147483648 is not between 0"),
        ],
    )  # fmt: skip
    def test_is_named(self, on, parts, error, says):
        with pytest.raises(error, match=says):
            kernels.merge_counts(parts, **on)

    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"unit": 0}, ValueError, "unit=0 is not between 1 and"),
            ({"unit": 0.5}, TypeError, "unit must be an integer"),
            ({"dtype": np.uint32}, TypeError, "dtype must be float32, float64 or uint64"),
            ({"threads": -1}, ValueError, "threads=-1"),
        ],
    )
    def test_of_the_rule_is_named(self, on, change, error, says):
        with pytest.raises(error, match=f"merge_counts: {says}"):
            kernels.merge_counts([matrix()], **change, **on)

    def test_sums_that_could_overflow_are_refused(self, on):
        half = matrix(data=[1, 2**63, 3])
        most = matrix(data=[1, 2**63 - 1, 3])
        assert kernels.merge_counts([half, most], **on).data.tolist() == [2, 2**64 - 1, 6]
        with pytest.raises(OverflowError, match="add up to 18446744073709551616, expected less"):
            kernels.merge_counts([half, half], **on)

    @pytest.mark.parametrize("place", [2**16 - 1, 2**16, 2**16 + 1])
    def test_is_found_wherever_it_stands(self, place):
        indices = np.arange(2**17, dtype=np.int32)
        data = np.ones(2**17, np.uint64)
        rest = {"indptr": [0, 2**17], "columns": 2**17}
        for value in (indices[place - 1], -1, 2**17):
            bad = indices.copy()
            bad[place] = value
            with pytest.raises(ValueError, match=rf"indices\[{place}\] is {value}, "):
                kernels.merge_counts([matrix(indices=bad, data=data, **rest)])
        data[place] = 0
        with pytest.raises(ValueError, match=rf"data\[{place}\] is 0"):
            kernels.merge_counts([matrix(indices=indices, data=data, **rest)])
