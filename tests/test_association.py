"""PPMI and collocations, held against their definitions over dense float64 tables."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from firth import CSR, Corpus, Counts, Vocabulary, association

TEXT = ["new york is a new city", "new york is old", "a city is old", "york is a city"] * 3


def sparse(dense, dtype=np.float64):
    """Return the CSR of a dense matrix."""
    dense = np.asarray(dense)
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(dense)))])
    data = dense[rows, columns].astype(dtype)
    return CSR(indptr, columns.astype(np.int32), data, dense.shape[1])


def dense(matrix):
    table = np.zeros(matrix.shape)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    table[rows, matrix.indices] = matrix.data
    return table


def counted(table, *, unit=1, symmetric=False, occurrences=None):
    """Return Counts with these sums; the words are w0, w1, ..."""
    words = len(table)
    occurrences = np.full(words, 9) if occurrences is None else occurrences
    vocabulary = Vocabulary([f"w{i:02}" for i in range(words)], occurrences)
    sums = sparse(table, np.uint64)
    return Counts(vocabulary, sums, unit, None, "uniform", symmetric, True, 100)


matrices = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays.arrays(np.int64, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 3, 50]))
)
squares = st.integers(1, 9).flatmap(
    lambda n: arrays.arrays(np.int64, (n, n), elements=st.sampled_from([0, 0, 1, 2, 3, 50]))
)


@pytest.fixture(params=[1, 3, association.BLOCK])
def block(request, monkeypatch):
    """Entries come in blocks of one, of a few, and all at once."""
    monkeypatch.setattr(association, "BLOCK", request.param)


small_blocks = st.sampled_from([1, 2, 5, 1 << 18])


# ---- marginals ----------------------------------------------------------------------------------


@given(matrices, small_blocks)
def test_marginals_are_the_sums(table, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(association, "BLOCK", size)
        rows, columns, total = association.marginals(sparse(table))
    assert rows.tolist() == table.sum(axis=1).tolist()
    assert columns.tolist() == table.sum(axis=0).tolist()
    assert total == table.sum()


@pytest.mark.parametrize(
    ("indices", "data", "said"),
    [
        ([0, 1], [1.0, -1.0], r"data\[1\]=-1 is negative or not finite"),
        ([0, 1], [math.nan, 1.0], r"data\[0\]=nan is negative or not finite"),
        ([0, 1], [1.0, math.inf], r"data\[1\]=inf is negative or not finite"),
        ([0, 2], [1.0, 1.0], r"indices\[1\]=2 is not one of the 2 columns"),
        ([-1, 1], [1.0, 1.0], r"indices\[0\]=-1 is not one of the 2 columns"),
    ],
)
@pytest.mark.usefixtures("block")
def test_counts_that_are_none_are_refused(indices, data, said):
    wrong = CSR(np.array([0, 1, 2]), np.array(indices, np.int32), np.array(data))
    with pytest.raises(ValueError, match=f"^ppmi: {said}$"):
        association.ppmi(wrong)


# ---- PPMI ---------------------------------------------------------------------------------------


def defined_ppmi(table, shift, smoothing):
    """Return max(0, log(p(a, b) / (p(a) q(b))) - log(shift)), pair by pair."""
    total, found = table.sum(), np.zeros(table.shape)
    weights = [float(column) ** smoothing if column else 0.0 for column in table.sum(axis=0)]
    for a, b in np.argwhere(table):
        chance = table[a].sum() / total * weights[b] / sum(weights)
        found[a, b] = max(0.0, math.log(table[a, b] / total / chance) - math.log(shift))
    return found


@given(
    matrices,
    small_blocks,
    st.sampled_from([0.5, 1.0, 1.5, 5.0]),
    st.sampled_from([0.0, 0.3, 0.75, 1.0]),
    st.sampled_from([np.uint64, np.float32, np.float64]),
)
def test_ppmi_is_its_definition(table, size, shift, smoothing, dtype):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(association, "BLOCK", size)
        found = association.ppmi(sparse(table, dtype), shift=shift, smoothing=smoothing)
    assert (found.data.dtype, found.indices.dtype) == (np.float32, np.int32)
    assert found.indptr.dtype == np.int64
    assert found.shape == table.shape
    assert np.all(found.data > 0)
    assert np.allclose(dense(found), defined_ppmi(table, shift, smoothing), rtol=1e-6, atol=1e-11)
    for row in range(len(table)):  # rising, without twins
        assert np.all(np.diff(found.indices[found.indptr[row] : found.indptr[row + 1]]) > 0)


def test_ppmi_by_hand():
    counts = sparse([[2, 1], [0, 1]])
    found = dense(association.ppmi(counts, smoothing=1))
    assert np.allclose(found, [[math.log(4 / 3), 0], [0, math.log(2)]])
    # Contexts weigh 2 ** 0.5 each, that is half.
    found = dense(association.ppmi(counts, smoothing=0.5))
    assert np.allclose(found, [[math.log(4 / 3), 0], [0, math.log(2)]])
    found = dense(association.ppmi(counts, smoothing=1, shift=1.5))
    assert np.allclose(found, [[0, 0], [0, math.log(2 / 1.5)]])


@given(arrays.arrays(np.int64, 5, elements=st.integers(1, 30)), st.integers(1, 30))
def test_what_is_independent_is_left_out(row, factor):
    table = np.outer(row, [3 * factor, factor, 7])
    assert association.ppmi(sparse(table), smoothing=1).nnz == 0


@given(squares, st.sampled_from([0.3, 1.0]))
def test_ppmi_does_not_depend_on_the_unit(table, smoothing):
    one, other = (association.ppmi(sparse(table * u), smoothing=smoothing) for u in (1, 4))
    assert one.indices.tolist() == other.indices.tolist()
    assert np.allclose(one.data, other.data)


def test_zeros_that_are_stored_are_left_out():
    counts = CSR(np.array([0, 2, 3]), np.array([0, 1, 0], np.int32), np.array([0.0, 2.0, 0.0]))
    assert association.ppmi(counts).nnz == 0
    counts = CSR(np.array([0, 2, 3]), np.array([0, 1, 0], np.int32), np.array([0.0, 2.0, 5.0]))
    assert dense(association.ppmi(counts)).astype(bool).tolist() == [[0, 1], [1, 0]]


def test_nothing_has_no_associations():
    found = association.ppmi(CSR(np.zeros(4, np.int64), np.zeros(0, np.int32), np.zeros(0)))
    assert (found.shape, found.nnz) == ((3, 3), 0)


@pytest.mark.parametrize(
    ("setting", "error", "said"),
    [
        ({"shift": 0}, ValueError, "shift=0 is not between 1e-09 and 1e"),
        ({"shift": math.nan}, ValueError, "shift=nan is not between"),
        ({"shift": 10**400}, ValueError, "shift=inf is not between"),
        ({"shift": "1"}, TypeError, "shift must be a number, got str"),
        ({"smoothing": -0.1}, ValueError, "smoothing=-0.1 is not between 0 and 1"),
        ({"smoothing": 1.1}, ValueError, "smoothing=1.1 is not between 0 and 1"),
        ({"smoothing": True}, TypeError, "smoothing must be a number, got bool"),
    ],
)
def test_wrong_settings_of_ppmi(setting, error, said):
    with pytest.raises(error, match=f"^ppmi: {said}"):
        association.ppmi(sparse([[1]]), **setting)


def test_counts_have_a_ppmi():
    counts = Counts.of(Corpus.read(TEXT, min_count=1), window=2)
    table = dense(counts.matrix(np.float64))
    found = counts.ppmi(shift=1.1, smoothing=0.5)
    assert np.allclose(dense(found), defined_ppmi(table, 1.1, 0.5), rtol=1e-6)


# ---- collocations -------------------------------------------------------------------------------


def defined_score(measure, table, a, b):
    """Return the score of a pair by the 2 x 2 table of it and everything else."""
    total = table.sum()
    row, column, both = table[a].sum(), table[:, b].sum(), table[a, b]
    pmi = math.log2(both * total / (row * column))
    if measure == "count":
        return both
    if measure == "pmi":
        return pmi
    if measure == "npmi":
        return 1.0 if both == total else pmi / -math.log2(both / total)
    seen = [both, row - both, column - both, total - row - column + both]
    chance = [r * c / total for r in (row, total - row) for c in (column, total - column)]
    g2 = 2 * sum(s * math.log(s / e) for s, e in zip(seen, chance, strict=True) if s > 0)
    return g2 if both >= chance[0] else -g2


@given(
    squares,
    st.booleans(),
    st.booleans(),
    st.sampled_from(association.MEASURES),
    st.sampled_from([1, 3, 100]),
    st.sampled_from([0, 1, 2.5]),
    small_blocks,
)
def test_collocations_are_their_definition(table, symmetric, repeats, measure, n, least, size):
    if symmetric:
        table = table + table.T
    occurrences = np.arange(len(table), 0, -1)
    counts = counted(table, unit=2, symmetric=symmetric, occurrences=occurrences)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(association, "BLOCK", size)
        found = counts.collocations(n, measure, min_count=3, min_pairs=least, repeats=repeats)
    numbers = table / 2
    expected = {
        (f"w{a:02}", f"w{b:02}"): (defined_score(measure, numbers, a, b), numbers[a, b])
        for a, b in np.argwhere(numbers)
        if (a <= b or not symmetric)
        and (a != b or repeats)
        and min(occurrences[a], occurrences[b]) >= 3
        and numbers[a, b] >= least
    }
    assert len(found) == min(n, len(expected))
    for first, second, score, count in found:
        wanted, many = expected[first, second]
        assert score == pytest.approx(wanted, rel=1e-9, abs=1e-9)
        assert count == many
    scores = [pair.score for pair in found]
    assert scores == sorted(scores, reverse=True)
    others = [score for score, _ in expected.values()]
    assert scores == pytest.approx(sorted(others, reverse=True)[:n], rel=1e-9, abs=1e-9)


def test_scores_by_hand():
    # "York" follows "new" in 20 of 1030 pairs; 30 begin with "new" and 25 end in "York".
    table = np.array([[0, 20, 10], [0, 0, 5], [0, 5, 990]])
    found = {}
    for measure in ("pmi", "npmi", "log-likelihood"):
        pairs = counted(table).collocations(9, measure, repeats=True)
        found[measure] = {pair[:2]: pair.score for pair in pairs}["w00", "w01"]
    pmi = math.log2(20 * 1030 / (30 * 25))
    assert found["pmi"] == pytest.approx(pmi)
    assert found["npmi"] == pytest.approx(pmi / math.log2(1030 / 20))
    g2 = 2 * (
        20 * math.log(20 / (30 * 25 / 1030))
        + 10 * math.log(10 / (30 * 1005 / 1030))
        + 5 * math.log(5 / (1000 * 25 / 1030))
        + 995 * math.log(995 / (1000 * 1005 / 1030))
    )
    assert found["log-likelihood"] == pytest.approx(g2)


def test_words_that_are_met_with_each_other_only_have_npmi_1():
    table = np.zeros((4, 4), int)
    table[0, 1], table[2, 3] = 7, 70
    assert [pair.score for pair in counted(table).collocations(measure="npmi")] == [1, 1]
    table[2, 3] = 0
    assert [pair.score for pair in counted(table).collocations(measure="npmi")] == [1]


def test_a_pair_that_is_rarer_than_by_chance_has_a_negative_log_likelihood():
    found = counted(np.array([[0, 5, 90], [90, 0, 0], [5, 90, 0]])).collocations(
        measure="log-likelihood"
    )
    assert [pair[:2] for pair in found if pair.score < 0] == [("w00", "w01"), ("w02", "w00")]


@pytest.mark.usefixtures("block")
def test_equal_scores_go_by_the_order_of_the_vocabulary():
    table = np.full((5, 5), 6)
    table[3, 1] = 7
    pairs = [pair[:2] for pair in counted(table).collocations(4, "count")]
    assert pairs == [("w03", "w01"), ("w00", "w01"), ("w00", "w02"), ("w00", "w03")]


def test_directed_counts_keep_the_order_of_words():
    corpus = Corpus.read(TEXT, min_count=1)
    directed = Counts.of(corpus, window=1, weights="uniform", symmetric=False)
    assert ("new", "york", 6.0, 6.0) in directed.collocations(50, "count")
    assert not [pair for pair in directed.collocations(50, "count") if pair[:2] == ("york", "new")]
    both = Counts.of(corpus, window=1, weights="uniform")
    pairs = [frozenset(pair[:2]) for pair in both.collocations(50, "count", min_pairs=0)]
    assert len(pairs) == len(set(pairs))
    assert frozenset(("new", "york")) in pairs


def test_a_collocation_has_names():
    pair = counted([[0, 5], [0, 0]]).collocations()[0]
    assert (pair.first, pair.second, pair.score, pair.count) == ("w00", "w01", 1.0, 5.0)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"n": 0}, ValueError, "n=0 is not between 1 and"),
        ({"n": 2.0}, TypeError, "n must be an integer, got float"),
        ({"measure": "chi"}, ValueError, "measure='chi' is neither 'count', 'pmi', 'npmi' nor"),
        ({"min_count": 0}, ValueError, "min_count=0 is not at least 1"),
        ({"min_pairs": -1}, ValueError, "min_pairs=-1 is not between 0 and"),
        ({"min_pairs": math.nan}, ValueError, "min_pairs=nan is not between 0 and"),
        ({"repeats": "no"}, TypeError, "repeats='no' is not False or True"),
    ],
)
def test_wrong_settings_of_collocations(settings, error, said):
    with pytest.raises(error, match=f"^collocations: {said}"):
        counted([[0, 5], [0, 0]]).collocations(**settings)


def test_phrases_of_a_real_text_are_found():
    corpus = Corpus.read(Path(__file__).parent / "data" / "wiki-sample.txt.xz")
    counts = Counts.of(corpus, window=1, weights="uniform", symmetric=False)
    best = {pair[:2] for pair in counts.collocations(50, "log-likelihood")}
    assert {("such", "as"), ("united", "states"), ("has", "been")} <= best
    best = {pair[:2] for pair in counts.collocations(200)}
    assert {("los", "angeles"), ("hong", "kong")} <= best
