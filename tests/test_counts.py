"""Counts: they are what one counts by hand, add up exactly in any order, and say what is wrong."""

import lzma
from dataclasses import fields, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from counted import RULES, pairs, same, small, some_sentences, told
from firth import CSR, Corpus, Counts, Vocabulary, _merged_counts

SAMPLE = Path(__file__).parent / "data" / "wiki-sample.txt.xz"


@given(
    some_sentences,
    st.integers(1, 9),
    st.sampled_from(sorted(RULES)),
    st.booleans(),
    st.booleans(),
)
def test_counts_are_those_of_a_person(rows, window, weights, symmetric, sentences):
    rule = {"weights": weights, "symmetric": symmetric, "sentences": sentences}
    counts = Counts.of(rows, window=window, min_count=1, **rule)
    expected = pairs(rows, window, **rule)
    assert told(counts) == expected
    assert counts.tokens == sum(map(len, rows))
    for a in counts.vocabulary.words:
        for b in counts.vocabulary.words:
            assert counts[a, b] == float(expected.get((a, b), 0))


def test_counts_of_a_corpus_and_of_its_text_are_the_same(tmp_path):
    text = "a b a c\na b\nb c\n"
    (tmp_path / "text.txt").write_text(text)
    corpus = Corpus.read(tmp_path / "text.txt", min_count=2)
    expected = Counts.of(corpus, window=2)
    assert same(Counts.of(tmp_path / "text.txt", window=2, min_count=2), expected)
    assert same(Counts.of(str(tmp_path / "text.txt"), window=2, min_count=2), expected)
    assert same(Counts.of([text], window=2, min_count=2), expected)
    assert Counts.of([text], window=2, min_count=1, max_vocab=2).vocabulary.words == ["a", "b"]


def test_counts_do_not_depend_on_threads():
    rows = [["a", "b", "c", "a"] * 50]
    one = Counts.of(rows, min_count=1, threads=1)
    assert same(Counts.of(rows, min_count=1, threads=3), one)


def test_what_counts_are_is_shown():
    assert repr(small()) == "<Counts: 7 words, 19 entries, window 3, weights distance>"
    assert repr(small(symmetric=False)).endswith("window 3, weights distance, directed>")
    unknown = replace(small(), window=None, check=True)
    assert "window unknown" in repr(unknown)
    assert len(small()) == 7


def test_a_bar_is_drawn_if_asked_for(capfd):
    small(progress=True)
    assert "counting" in capfd.readouterr().err
    small()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint64])
def test_a_matrix_has_the_bits_that_the_kernel_gives(dtype):
    corpus = Corpus.read([["a", "b", "c", "a", "b"] * 9, ["c", "a"]], min_count=1)
    for weights in RULES:
        found = Counts.of(corpus, window=7, weights=weights).matrix(dtype)
        expected = firth.kernels.cooccurrence(
            corpus.ids, corpus.offsets, words=3, window=7, weights=weights, dtype=dtype
        )
        assert found.data.dtype == dtype
        assert found.data.tobytes() == expected.data.tobytes()
        assert found.indices.tolist() == expected.indices.tolist()
        assert found.indptr.tolist() == expected.indptr.tolist()


def test_a_matrix_of_another_kind_is_refused():
    with pytest.raises(TypeError, match=r"Counts\.matrix: dtype must be float32, .* got int32"):
        small().matrix(np.int32)


def test_words_that_are_not_there_are_named():
    with pytest.raises(KeyError, match="'bird' is not one of the 7 words"):
        small()["cat", "bird"]
    for wrong in ("cat", ("cat",), ("a", "b", "c"), 3):
        with pytest.raises(TypeError, match="no pair of words"):
            small()[wrong]


# ---- merging ------------------------------------------------------------------------------------


@given(
    st.lists(some_sentences, min_size=1, max_size=4),
    st.sampled_from([{}, {"weights": "uniform", "symmetric": False}]),
    st.sampled_from([1, 3, 1000]),
)
def test_merged_counts_are_those_of_all_the_texts(parts, rule, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_merged_counts, "_BLOCK", block)
        merged = Counts.merge(*(Counts.of(rows, window=4, min_count=1, **rule) for rows in parts))
    assert same(merged, Counts.of(list(chain(*parts)), window=4, min_count=1, **rule))


@given(some_sentences, some_sentences, some_sentences)
def test_merging_is_associative_and_commutative(one, two, three):
    a, b, c = (Counts.of(rows, window=3, min_count=1) for rows in (one, two, three))
    expected = Counts.merge(a, b, c)
    assert same(a.merge(b).merge(c), expected)
    assert same(a.merge(b.merge(c)), expected)
    assert same(c.merge(a, b, threads=2), expected)
    assert same(a.merge(), a)


@given(some_sentences, some_sentences)
def test_parts_of_one_vocabulary_add_up_to_the_whole(one, two):
    whole = Corpus.read(one + two, min_count=2) if _enough(one + two, 2) else None
    if whole is None or not (_known(one, whole) and _known(two, whole)):
        return
    parts = [Counts.of(Corpus.encode(rows, whole.vocabulary)) for rows in (one, two)]
    assert same(Counts.merge(*parts), Counts.of(whole))


def _enough(rows, least):
    tokens = list(chain(*rows))
    return any(tokens.count(word) >= least for word in tokens)


def _known(rows, corpus):
    return any(word in corpus.vocabulary for word in chain(*rows))


def test_merging_keeps_the_parts_as_they_are():
    a, b = small(), Counts.of([["dog", "the", "bird"]], window=3, min_count=1)
    before = a.sums.data.tobytes(), b.sums.data.tobytes(), a.vocabulary.counts.tolist()
    a.merge(b)
    a.merge(a)
    assert (a.sums.data.tobytes(), b.sums.data.tobytes(), a.vocabulary.counts.tolist()) == before


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"window": 4}, "argument 1 has unit=12, expected 6"),
        ({"weights": "uniform"}, "argument 1 has unit=1, expected 6"),
        ({"symmetric": False}, "argument 1 has symmetric=False, expected True"),
        ({"sentences": False}, "argument 1 has sentences=False, expected True"),
    ],
)
def test_counts_by_another_rule_are_not_merged(rule, expected):
    with pytest.raises(ValueError, match=f"Counts.merge: {expected} as the first has"):
        small().merge(small(**rule))
    with pytest.raises(TypeError, match=r"Counts\.merge: argument 1 is list, expected Counts"):
        small().merge([])


def test_sums_that_could_overflow_are_not_merged():
    counts = Counts.of([["a", "b"]], window=1, min_count=1)
    sums = CSR(counts.sums.indptr, counts.sums.indices, np.full(2, 2**63, np.uint64))
    huge = replace(counts, sums=sums, check=True)
    with pytest.raises(OverflowError, match="could reach"):
        huge.merge(huge)
    assert huge.merge(counts)["a", "b"] == 2.0**63


# ---- what is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "expected"),
    [
        ({"window": 0}, ValueError, "window=0 is not between 1 and 50"),
        ({"window": 51}, ValueError, "window=51"),
        ({"window": 2.0}, TypeError, "window must be an integer"),
        ({"weights": "near"}, ValueError, "weights='near'"),
        ({"symmetric": 1}, TypeError, "symmetric=1 is not False or True"),
        ({"sentences": None}, TypeError, "sentences=None is not False or True"),
        ({"min_count": 0}, ValueError, "Counts.of: min_count=0"),
        ({"max_vocab": 0}, ValueError, "Counts.of: max_vocab=0"),
        ({"threads": 0}, ValueError, "threads=0"),
    ],
)
def test_wrong_settings_are_named_before_the_text_is_read(options, error, expected):
    with pytest.raises(error, match=expected):
        Counts.of([["a", "b"]], **{"min_count": 1, **options})


def test_a_text_without_words_is_named():
    with pytest.raises(ValueError, match="none of the 2 different words"):
        Counts.of([["a", "b"]])
    with pytest.raises(FileNotFoundError, match="a str is a path"):
        Counts.of("no such file")
    corpus = Corpus(np.zeros(0, np.uint32), np.zeros(1, np.int64), Vocabulary([], []))
    with pytest.raises(ValueError, match=r"Counts\.of: the corpus has no tokens"):
        Counts.of(corpus)


def parts(**changes):
    """The fields of small counts, some of them changed."""
    counts = small()
    kept = {field.name: getattr(counts, field.name) for field in fields(counts)}
    return {**kept, **changes}


def changed(**arrays):
    """The sums of small counts, some of their arrays changed."""
    sums = small().sums
    kept = {name: getattr(sums, name).copy() for name in ("indptr", "indices", "data")}
    for name, change in arrays.items():
        kept[name] = change(kept[name])
    return CSR(**kept)


def with_item(at, value):
    def change(array):
        array[at] = value
        return array

    return change


WRONG = {
    "no vocabulary": ({"vocabulary": ["a"]}, TypeError, "vocabulary is list"),
    "no matrix": ({"sums": None}, TypeError, "sums is NoneType, expected a CSR"),
    "unit": ({"unit": 7}, ValueError, "unit=7, expected 6 for window=3"),
    "unit 0": ({"unit": 0, "window": None}, ValueError, "unit=0 is not between"),
    "unit text": ({"unit": "6"}, TypeError, "unit must be an integer"),
    "window": ({"window": 99}, ValueError, "window=99"),
    "weights": ({"weights": ["distance"]}, ValueError, "weights="),
    "symmetric": ({"symmetric": "yes"}, TypeError, "symmetric='yes' is not"),
    "tokens": ({"tokens": -1}, ValueError, "tokens=-1"),
    "more words": ({"vocabulary": Vocabulary(["a"], [1])}, ValueError, r"shape \(7, 7\)"),
    "int64": ({"sums": changed(data=lambda x: x.astype(np.int64))}, TypeError, "got int64"),
    "a list": ({"sums": changed(data=lambda x: x.tolist())}, TypeError, "got list"),
    "flat": ({"sums": changed(indices=lambda x: x[:, None])}, ValueError, "indices"),
    "strided": ({"sums": changed(indices=lambda x: x[::-1])}, ValueError, "contiguous"),
    "fewer": ({"sums": changed(data=lambda x: x[:-1].copy())}, ValueError, "18"),
    "first": ({"sums": changed(indptr=with_item(0, 1))}, ValueError, "indptr"),
    "last": ({"sums": changed(indptr=with_item(-1, 18))}, ValueError, "indptr"),
    "falling": ({"sums": changed(indptr=with_item(2, 99))}, ValueError, "indptr"),
    "negative": ({"sums": changed(indices=with_item(5, -1))}, ValueError, r"indices\[5\].*-1"),
    "outside": ({"sums": changed(indices=with_item(5, 7))}, ValueError, r"indices\[5\].*7"),
    "twins": ({"sums": changed(indices=with_item(0, 1))}, ValueError, "in its row"),
    "no sum": ({"sums": changed(data=with_item(3, 0))}, ValueError, r"data\[3\] is 0"),
}


@pytest.mark.parametrize("case", [None, *WRONG])
def test_counts_that_make_no_sense_are_named(case):
    if case is None:
        assert same(Counts(**parts()), small())
        return
    fields, error, expected = WRONG[case]
    with pytest.raises(error, match=expected):
        Counts(**parts(**fields))


# ---- a real text --------------------------------------------------------------------------------


def test_shards_of_a_real_text_add_up_to_it():
    with lzma.open(SAMPLE, "rt") as file:
        lines = [next(file).split() for _ in range(120)]
    whole = Counts.of(lines, window=10, min_count=1)
    shards = [Counts.of(lines[first::3], window=10, min_count=1) for first in range(3)]
    assert same(Counts.merge(*shards), whole)
    assert whole["united", "states"] > 20
    assert Fraction(whole["united", "states"]) == whole["states", "united"]
    total = sum(Fraction(2 * (len(line) - d), d) for line in lines for d in range(1, 11))
    assert Fraction(int(whole.sums.data.sum()), whole.unit) == total


def test_numbers_of_numpy_are_taken_and_can_be_saved(tmp_path):
    counts = Counts.of(["a b a"], window=np.int8(2), symmetric=np.True_, min_count=1)
    numbers = {name: np.int64(getattr(counts, name)) for name in ("window", "unit", "tokens")}
    replace(counts, **numbers, sentences=np.bool_(True)).save(tmp_path / "counts")
    assert same(Counts.load(tmp_path / "counts"), counts)


@pytest.mark.parametrize(("memory", "error"), [("much", ValueError), (1.5, TypeError)])
def test_a_budget_that_is_none_is_named_before_the_text_is_read(memory, error):
    with pytest.raises(error, match=r"^Counts\.of: memory"):
        Counts.of("no-such-file.txt", memory=memory)


def test_a_matrix_of_no_dtype_is_refused():
    counts = Counts.of(["a b"], min_count=1)
    with pytest.raises(TypeError, match=r"^Counts\.matrix: dtype must be float32, .* got None"):
        counts.matrix(None)
