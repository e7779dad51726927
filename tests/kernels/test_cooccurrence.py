"""cooccurrence against the oracle, exactly, on every backend and instruction set."""

import fractions
import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import _arrays, _cpu, kernels
from firth._arrays import _cooccurrence as in_arrays
from firth.kernels import _cooccurrence, _runs
from matrices import assert_same_bits, entries_of
from strategies import WEIGHTS, sentences_of_ids


def corpus_of(sentences):
    """(ids, offsets)."""
    ids = np.concatenate([np.zeros(0, np.uint32), *sentences])
    return ids, np.cumsum([0, *map(len, sentences)]).astype(np.int64)


@st.composite
def problems(draw):
    """A small corpus and a rule of counting."""
    words, sentences = draw(sentences_of_ids())
    window = draw(st.sampled_from([1, 2, 3, 5, 10, 22, 23, 50]) | st.integers(1, 50))
    rule = {"window": window, "weights": draw(st.sampled_from(WEIGHTS))}
    return words, sentences, {**rule, "symmetric": draw(st.booleans())}


def define(sentences, rule, part=None):
    weights, unit = kernels.distance_weights(rule["window"], rule["weights"])
    return oracle.cooccurrence(sentences, weights, rule["symmetric"], part), unit


@given(problem=problems(), threads=st.integers(1, 3))
def test_sums_are_the_oracles(on, problem, threads):
    words, sentences, rule = problem
    sums, _ = define(sentences, rule)
    found = kernels.cooccurrence(
        *corpus_of(sentences), words=words, **rule, dtype=np.uint64, threads=threads, **on
    )
    assert found.shape == (words, words)
    assert found.data.dtype == np.uint64
    assert entries_of(found) == sums


@given(problem=problems())
def test_one_sentence_needs_no_offsets(on, problem):
    words, sentences, rule = problem
    ids, _ = corpus_of(sentences)
    found = kernels.cooccurrence(ids, words=words, **rule, dtype=np.uint64, **on)
    assert entries_of(found) == define([ids], rule)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(problem=problems())
def test_numbers_are_the_sums_over_the_unit(on, problem, dtype):
    words, sentences, rule = problem
    sums, unit = define(sentences, rule)
    found = kernels.cooccurrence(*corpus_of(sentences), words=words, **rule, dtype=dtype, **on)
    assert found.data.dtype == dtype
    assert entries_of(found) == {pair: float(dtype(s / unit)) for pair, s in sums.items()}


@given(problem=problems(), data=st.data())
def test_parts_add_up_to_the_whole(on, problem, data):
    words, sentences, rule = problem
    ids, offsets = corpus_of(sentences)
    rule = {**rule, "words": words, "dtype": np.uint64, **on}
    inner = data.draw(st.lists(st.integers(0, len(ids)), max_size=3))
    cuts = [0, *sorted(inner), len(ids)]
    spans = list(itertools.pairwise(cuts))
    parts = [kernels.cooccurrence(ids, offsets, part=span, **rule) for span in spans]
    assert_same_bits(kernels.merge_counts(parts, **on), kernels.cooccurrence(ids, offsets, **rule))


@given(problem=problems(), data=st.data())
def test_a_part_is_the_oracles(on, problem, data):
    words, sentences, rule = problem
    ids, offsets = corpus_of(sentences)
    part = tuple(sorted(data.draw(st.integers(0, len(ids))) for _ in range(2)))
    found = kernels.cooccurrence(
        ids, offsets, words=words, part=part, **rule, dtype=np.uint64, **on
    )
    assert entries_of(found) == define(sentences, rule, part)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint64])
def test_what_is_too_long_for_one_index_is_counted_in_parts(on, monkeypatch, dtype):
    ids = np.random.default_rng(0).integers(0, 30, 500).astype(np.uint32)
    offsets = np.array([0, 100, 101, 333, 500])
    whole = kernels.cooccurrence(ids, offsets, words=30, window=7, dtype=dtype, **on)
    part = kernels.cooccurrence(ids, offsets, words=30, window=7, dtype=dtype, part=(3, 450), **on)
    monkeypatch.setattr(_cooccurrence, "MOST_PLACES", 64)
    rule = {"words": 30, "window": 7, "dtype": dtype, **on}
    assert_same_bits(kernels.cooccurrence(ids, offsets, **rule), whole)
    assert_same_bits(kernels.cooccurrence(ids, offsets, part=(3, 450), **rule), part)


@given(problem=problems(), pairs=st.sampled_from([20, 300, 2000]))
def test_array_code_counts_the_same_in_blocks_of_any_size(problem, pairs):
    words, sentences, rule = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_arrays, "_BLOCK_PAIRS", pairs)
        found = kernels.cooccurrence(
            *corpus_of(sentences), words=words, **rule, dtype=np.uint64, backend=_arrays
        )
    assert entries_of(found) == define(sentences, rule)[0]


@pytest.mark.parametrize("symmetric", [False, True])
def test_rows_longer_than_a_task_and_wider_sums_are_the_same_everywhere(on, symmetric):
    """Frequent words are cut between tasks; with a unit of 2**32 no sum has 32 bits."""
    rng = np.random.default_rng(1)
    ids = (rng.zipf(1.2, 60_000) % 2000).astype(np.uint32)
    offsets = np.concatenate([[0], np.sort(rng.integers(0, len(ids), 900)), [len(ids)]])
    for window in (5, 50):
        rule = {"words": 2500, "window": window, "symmetric": symmetric, "dtype": np.uint64}
        want = kernels.cooccurrence(ids, offsets, **rule, threads=1, backend=_cpu)
        for threads in (1, 2, 3):
            got = kernels.cooccurrence(ids, offsets, **rule, threads=threads, **on)
            assert_same_bits(got, want)


def test_symmetric_counts_are_symmetric_and_directed_ones_are_their_half(on):
    ids = np.random.default_rng(2).integers(0, 50, 3000).astype(np.uint32)
    rule = {"words": 50, "window": 30, "dtype": np.uint64, **on}
    both, after = (
        kernels.cooccurrence(ids, symmetric=symmetric, **rule).to_scipy().toarray()
        for symmetric in (True, False)
    )
    np.testing.assert_array_equal(both, both.T)
    np.testing.assert_array_equal(both, after + after.T)


def test_the_sample_text_is_counted_as_the_oracle_counts_it(on):
    text = "the cat sat on the mat and the dog sat on the cat"
    words = {word: i for i, word in enumerate(dict.fromkeys(text.split()))}
    ids = np.array([words[word] for word in text.split()], np.uint32)
    counts = kernels.cooccurrence(ids, words=len(words), window=3, **on).to_scipy().toarray()
    assert counts[words["sat"], words["on"]] == 2
    assert counts[words["the"], words["cat"]] == np.float32(1 + 1 / 3 + 1)
    assert counts[words["dog"], words["cat"]] == 0


def test_no_tokens_are_an_empty_matrix_and_a_lone_word_has_no_company(on):
    for ids in (np.zeros(0, np.uint32), np.zeros(1, np.uint32)):
        for offsets in (None, np.array([0, 0, len(ids), len(ids)])):
            found = kernels.cooccurrence(ids, offsets, words=3, **on)
            assert found.indptr.tolist() == [0, 0, 0, 0]
            assert (found.nnz, found.data.dtype) == (0, np.float32)


@given(problem=problems(), data=st.data())
def test_array_code_finds_the_places_of_some_words(problem, data):
    words, sentences, _ = problem
    ids, _ = corpus_of(sentences)
    begin, end = sorted(data.draw(st.integers(0, len(ids))) for _ in range(2))
    first, last = sorted(data.draw(st.integers(0, words)) for _ in range(2))
    span = {"begin": begin, "end": end, "words": words, "first": first, "last": last}
    starts, places = _arrays.places(ids=ids, **span, threads=1)
    found = [places[a:b].tolist() for a, b in itertools.pairwise(starts)]
    part = ids[begin:end]
    assert found == [
        np.flatnonzero(part == word).tolist() if first <= word < last else []
        for word in range(words)
    ]


# ---- the rule ----------------------------------------------------------------------------------


@given(window=st.integers(1, 50), weights=st.sampled_from(WEIGHTS))
def test_weights_are_the_formulas_and_exact_below_23(window, weights):
    table, unit = kernels.distance_weights(window, weights)
    one = fractions.Fraction(1)
    for d, weight in enumerate(table.tolist(), start=1):
        exact = {"distance": one / d, "uniform": one, "linear": one * (window - d + 1) / window}
        off = abs(fractions.Fraction(weight, unit) - exact[weights])
        assert off <= fractions.Fraction(1, 2**33)
        assert off == 0 or (window > 22 and weights == "distance")


@given(lengths=st.lists(st.sampled_from([0, 1, 5, 63, 64, 65, 200]), max_size=8))
def test_a_bit_is_set_where_a_sentence_begins_and_the_last_one_ends(lengths):
    offsets = np.cumsum([0, *lengths])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cooccurrence, "_STEP", 128)
        breaks = _cooccurrence.sentence_breaks(offsets, int(offsets[-1]))
    assert len(breaks) == offsets[-1] // 64 + 2
    bits = [t for t in range(64 * len(breaks)) if int(breaks[t // 64]) >> t % 64 & 1]
    assert bits == sorted(set(offsets.tolist()))


# ---- what is wrong ------------------------------------------------------------------------------


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"ids": [0, 1]}, TypeError, "ids must be an uint32 array, got list"),
            ({"ids": np.array([0, 1])}, TypeError, "ids must be an uint32 array, got int64"),
            ({"ids": np.zeros((2, 2), np.uint32)}, ValueError, "ids has shape"),
            ({"ids": np.zeros(8, np.uint32)[::2]}, ValueError, "ids must be C-contiguous"),
            ({"ids": np.frombuffer(bytes(17), np.uint32, 4, 1)}, ValueError, "and aligned"),
            ({"ids": np.zeros(4, ">u4")}, TypeError, "ids must be an uint32 array"),
            ({"ids": np.array([0, 1, 3, 4], np.uint32)}, ValueError,
             r"cooccurrence: ids\[2\] is 3, expected one below words=3"),
            ({"offsets": [0, 4]}, TypeError, "offsets must be an int64 array, got list"),
            ({"offsets": np.array([0, 4.0])}, TypeError, "offsets must be an int64"),
            ({"offsets": np.zeros(0, np.int64)}, ValueError, "offsets goes nowhere, expected from"),
            ({"offsets": np.array([1, 4])}, ValueError, "offsets goes from 1 to 4, expected"),
            ({"offsets": np.array([0, 5])}, ValueError, "from 0 to 5, expected from 0 to 4"),
            ({"offsets": np.array([0, 3, 2, 4])}, ValueError, r"offsets\[2\] is 2, below the 3"),
            ({"offsets": np.array([0, 2**62, 4])}, ValueError, r"offsets\[2\] is 4, below"),
            ({"words": 0}, ValueError, "words=0 is not between 1 and 2147483647"),
            ({"words": 2**31}, ValueError, "words=2147483648"),
            ({"words": 3.0}, TypeError, "words must be an integer, got float"),
            ({"window": 0}, ValueError, "cooccurrence: window=0 is not between 1 and 50"),
            ({"window": 51}, ValueError, "window=51 is not"),
            ({"window": True}, TypeError, "window must be an integer, got bool"),
            ({"weights": "cubic"}, ValueError, "weights='cubic' is neither 'distance', 'uniform'"),
            ({"weights": None}, ValueError, "weights=None is neither"),
            ({"symmetric": "no"}, TypeError, "symmetric='no' is not False or True"),
            ({"dtype": np.int32}, TypeError, "dtype must be float32, float64 or uint64, got int32"),
            ({"dtype": None}, TypeError, "dtype must be .* got None"),
            ({"dtype": "words"}, TypeError, "dtype must be .* got 'words'"),
            ({"part": (0, 5)}, ValueError, r"part=\(0, 5\) does not rise within 0 and 4"),
            ({"part": (3, 2)}, ValueError, r"part=\(3, 2\)"),
            ({"part": (-1, 2)}, ValueError, r"part=\(-1, 2\)"),
            ({"part": (0, 1.5)}, TypeError, "part must be an integer, got float"),
            ({"part": 3}, TypeError, "part=3 is not a pair"),
            ({"threads": 0}, ValueError, "threads=0"),
        ],
    )  # fmt: skip
    def test_is_named(self, on, change, error, says):
        good = {"ids": np.array([0, 1, 2, 1], np.uint32), "offsets": None, "words": 3, **change}
        with pytest.raises(error, match=says):
            kernels.cooccurrence(good.pop("ids"), good.pop("offsets"), **good, **on)

    def test_of_weights_and_breaks_is_named_too(self):
        with pytest.raises(ValueError, match="distance_weights: window=51 is not between 1 and 50"):
            kernels.distance_weights(51)
        with pytest.raises(ValueError, match="sentence_breaks: offsets goes from 0 to 2"):
            _cooccurrence.sentence_breaks(np.array([0, 2]), 3)

    def test_sums_that_could_overflow_are_refused_before_counting(self, on, monkeypatch):
        """As many tokens as it takes need 2 GB: 2**64 is taken for less."""
        ids = np.array([0, 1, 1, 2] * 100, np.uint32)
        rule = {"words": 3, "window": 2, "weights": "uniform", "dtype": np.uint64, **on}
        monkeypatch.setattr(_runs, "_STEP", 64)
        monkeypatch.setattr(_cooccurrence, "_MOST_SUM", 200 * 4)
        assert kernels.cooccurrence(ids, **rule).nnz == 7
        monkeypatch.setattr(_cooccurrence, "_MOST_SUM", 200 * 4 - 1)
        says = r"word 1 stands 200 times, so that a sum of multiples of 1/1 could reach 2\*\*64"
        with pytest.raises(OverflowError, match=says):
            kernels.cooccurrence(ids, **rule)
        assert kernels.cooccurrence(ids, part=(0, 396), **rule).nnz == 7


def test_what_progress_raises_stops_the_count(on):
    def stop(places):
        raise InterruptedError(places)

    ids = np.random.default_rng(0).integers(0, 20_000, 1_000_000).astype(np.uint32)
    with pytest.raises(InterruptedError):
        kernels.cooccurrence(ids, words=20_000, window=50, progress=stop, threads=1, **on)


class OnDevice(np.ndarray):
    """Ids that say that they are on a device."""

    __cuda_array_interface__ = None


def test_a_budget_is_for_the_host_and_refuses_arrays_on_a_device():
    ids = np.zeros(9, np.uint32).view(OnDevice)
    with pytest.raises(TypeError, match=r"^cooccurrence: memory is for arrays on the host, ids"):
        kernels.cooccurrence(ids, words=1, memory="1 GB")


def test_an_index_leaves_room_for_the_spare_places_of_all_threads():
    spare = 16 * 4096  # of each thread, and as many threads as may be asked for
    assert _cooccurrence.MOST_PLACES == _runs.MOST_PLACES
    assert _runs.MOST_PLACES + spare < 2**32


def test_a_folder_is_refused_where_nothing_goes_to_the_disk(tmp_path):
    with pytest.raises(ValueError, match=r"cooccurrence: folder=.* is for what does not fit"):
        kernels.cooccurrence(np.zeros(3, np.uint32), words=1, folder=tmp_path)


def test_many_words_of_few_tokens_take_little_memory():
    """Room for the rows of frequent words is that of their company, not of all words."""
    code = (
        "import resource, numpy as np; from firth import kernels\n"
        "ids = (np.arange(100_000) ** 2 % 999_983).astype(np.uint32); words = 1_000_000\n"
        "kernels.cooccurrence(ids[:16], words=words, threads=2)\n"
        "limit = 2 * int(open('/proc/self/statm').read().split()[0]) * 4096 + (1 << 30)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "print(kernels.cooccurrence(ids, words=words, threads=2).nnz > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr
