"""What an epoch of GloVe begins with, and in which order it reads counts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import kernels
from firth.csr import CSR
from firth.kernels import _glove
from matrices import csr_of, entries_of
from strategies import fits


@given(
    rows=st.integers(0, 40),
    columns=st.integers(0, 40),
    dim=st.integers(1, 70),
    seed=st.integers(0, 2**64 - 1),
)
def test_tables_begin_as_the_contract_says(rows, columns, dim, seed):
    width = _glove.glove_width(dim)
    assert width % 16 == 0
    assert dim + 2 <= width < dim + 18
    tables = kernels.glove_tables(rows, columns, dim, seed)
    biases = (width - 2, width - 1)
    for table, many, bias in zip(tables, (rows, columns), biases, strict=True):
        assert table.shape == (many, 2 * width)
        assert not many or table.ctypes.data % 64 == 0
        assert (table[:, width:] == 1).all()
        assert not table[:, dim : width - 2].any()
        assert (table[:, 2 * width - 3 - bias] == 1).all()
        drawn = table[:, [*range(dim), bias]] * (dim + 1)
        assert (abs(drawn) <= 0.5).all()
        assert many < 3 or drawn.std() > 0.1
    longer, _ = kernels.glove_tables(rows + columns, 0, dim, seed)
    np.testing.assert_array_equal(longer[:rows], tables[0])
    np.testing.assert_array_equal(longer[rows:, :dim], tables[1][:, :dim])


@given(problem=fits())
def test_an_epoch_reads_every_count_once_and_no_two_groups_meet(problem):
    rows, columns = problem["shape"]
    counts = csr_of(problem["counts"], problem["shape"], np.float32)
    spans = _glove.column_spans(counts, problem["groups"])
    plan = _glove.schedule(rows, spans, problem["seed"], problem["epoch"])
    assert sorted(plan.order.tolist()) == list(range(rows))
    assert sorted(plan.shifts.tolist()) == list(range(problem["groups"]))
    assert ((plan.shifts[1:] - plan.shifts[:-1]) % problem["groups"] == 1).all()
    assert len(plan.row_starts) == len(plan.column_starts) == problem["groups"] + 1
    read = []
    for tiles in oracle.glove_order(entries_of(counts), **plan._asdict()):
        assert len(tiles) == problem["groups"]
        for axis, size in enumerate((rows, columns)):
            of = [{pair[axis] for pair in tile} for tile in tiles]
            assert sum(map(len, of)) == len(set().union(*of)) <= size
        read += [pair for tile in tiles for pair in tile]
    assert len(read) == len(problem["counts"])
    assert set(read) == set(problem["counts"])


def test_each_epoch_and_seed_has_an_order_of_its_own():
    spans = np.arange(0, 101, 10).astype(np.uint32)
    plans = [_glove.schedule(100, spans, seed, epoch) for seed in (1, 2) for epoch in (0, 1, 2)]
    assert len({plan.order.tobytes() for plan in plans}) == 6
    assert len({plan.shifts.tobytes() for plan in plans}) > 1  # of ten that there can be
    again = _glove.schedule(100, spans, 1, 0)
    for got, want in zip(again, plans[0], strict=True):
        np.testing.assert_array_equal(got, want)


def test_neighbours_in_the_vocabulary_are_dealt_to_different_groups():
    plan = _glove.schedule(103, np.arange(11, dtype=np.uint32), 1, 0)
    groups = np.empty(103, int)
    groups[plan.order] = np.repeat(np.arange(10), np.diff(plan.row_starts))
    for first in range(0, 103, 10):
        some = groups[first : first + 10]
        assert len(set(some.tolist())) == len(some)


@given(
    columns=st.integers(0, 40),
    groups=st.integers(1, 60),
    sizes=st.lists(st.integers(0, 9), max_size=40),
)
def test_spans_rise_from_the_first_column_to_the_last(columns, groups, sizes):
    entries = {(row, c): 1.0 for c, size in enumerate(sizes[:columns]) for row in range(size)}
    counts = csr_of(entries, (9, columns), np.float32)
    spans = _glove.column_spans(counts, groups)
    assert spans.dtype == np.uint32
    assert len(spans) == groups + 1
    assert (spans[0], spans[-1]) == (0, columns)
    assert (spans[1:] >= spans[:-1]).all()
    assert 1 <= _glove.groups_of(counts, 50) <= max(1, min(9, columns))


@given(sizes=st.lists(st.integers(0, 500), min_size=1, max_size=60), groups=st.integers(1, 20))
def test_spans_hold_about_as_many_counts_each(sizes, groups):
    indices = np.concatenate([np.arange(len(sizes))[np.array(sizes) > i] for i in range(500)])
    indptr = np.concatenate([[0], np.cumsum([(np.array(sizes) > i).sum() for i in range(500)])])
    counts = CSR(indptr, indices.astype(np.int32), np.ones(len(indices), "f4"), len(sizes))
    before = np.concatenate([[0], np.cumsum(sizes)])
    held = np.diff(before[_glove.column_spans(counts, groups).astype(int)])
    assert held.max() <= sum(sizes) / groups + max(sizes)


def test_one_giant_column_has_a_span_of_its_own():
    counts = csr_of({(row, 5): 1.0 for row in range(100)}, (100, 8), np.float32)
    spans = _glove.column_spans(counts, 4)
    assert spans.tolist() == [0, 6, 6, 6, 8]
    words, contexts = kernels.glove_tables(100, 8, 3)
    assert kernels.glove(words, contexts, counts, dim=3, spans=spans).counts == 100


def test_large_matrices_are_dealt_to_many_groups():
    indptr = np.arange(100_001) * 100
    indices = np.zeros(10_000_000, np.int32)  # what counts is how many there are
    counts = CSR(indptr, indices, indices.view(np.float32))
    assert _glove.groups_of(counts, 100) == 34
    assert _glove.groups_of(counts, 2**20) == 34
