"""Word pairs: correlations against scipy, the forms of a file, unknown words, errors by line."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from firth import Embedding, FormatError, SubwordEmbedding, Subwords
from firth.evaluate import word_pairs
from firth.evaluate.similarity import _pearson, _ranks, read_pairs


def embedding(keys, vectors):
    return SimpleNamespace(keys=list(keys), vectors=np.array(vectors, dtype=np.float32))


@pytest.fixture
def animals():
    angles = np.array([0, 10, 30, 90, 45, 170]) * np.pi / 180
    return embedding(
        ["cat", "dog", "fox", "Car", "car", "bus"],
        np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [5], [0.1], [2], [3], [4]],
    )


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "pairs.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


few = st.lists(
    st.tuples(st.integers(-3, 3).map(float), st.floats(-10, 10).map(lambda x: round(x, 1))),
    min_size=2,
    max_size=40,
).filter(lambda v: len({a for a, _ in v}) > 1 and len({b for _, b in v}) > 1)


@given(few)
def test_correlations_are_those_of_scipy_with_ties(values):
    x, y = np.array(values).T
    assert np.array_equal(_ranks(x), stats.rankdata(x))
    assert _pearson(_ranks(x), _ranks(y)) == pytest.approx(stats.spearmanr(x, y)[0], abs=1e-12)
    assert _pearson(x, y) == pytest.approx(stats.pearsonr(x, y)[0], abs=1e-9)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e200, 1e307])
def test_very_small_and_large_scores_do_not_overflow(animals, scale):
    pairs = [("cat", "dog", 9 * scale), ("cat", "fox", 8 * scale), ("cat", "bus", scale)]
    expected = word_pairs(animals, [(a, b, score / scale) for a, b, score in pairs])
    assert word_pairs(animals, pairs).pearson == pytest.approx(expected.pearson, abs=1e-3)


def test_result_of_a_file_is_that_of_scipy_on_cosines_done_by_hand(animals, file):
    path = file("cat dog 9.5\ncat fox 7\ndog fox 9\ncat bus 1\nfox bus 3\n")
    result = word_pairs(animals, path)
    cosines = np.cos(np.array([10, 30, 20, 170, 140]) * np.pi / 180)
    gold = [9.5, 7, 9, 1, 3]
    assert result.spearman == pytest.approx(stats.spearmanr(gold, cosines)[0])
    assert result.pearson == pytest.approx(stats.pearsonr(gold, cosines)[0])
    assert (result.name, result.found, result.total, result.coverage) == ("pairs", 5, 5, 1.0)


@pytest.mark.parametrize("separator", ["\t", " ", "  \t ", ":", ",", "; "])
def test_separators_comments_headers_line_ends_and_more_columns(animals, file, separator):
    rows = [
        "# a comment",
        "word1|word2|human mean",
        "",
        "cat|dog|9|n|n",
        "cat|fox|7.5|n|n",
        "cat|bus|1|n|v",
    ]
    text = "\ufeff" + "\r\n".join(rows).replace("|", separator)
    assert list(read_pairs(file(text))) == [
        ("cat", "dog", 9),
        ("cat", "fox", 7.5),
        ("cat", "bus", 1),
    ]


def test_words_with_spaces_need_tabs(file):
    assert list(read_pairs(file("New York\tBig Apple\t9\n"))) == [("New York", "Big Apple", 9)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"cat dog 9\ncat dog\n", "line 2"),
        (b"cat dog 9\n\n# remark\ncat dog nine\n", "line 4"),
        (b"cat dog 6,77\n", "line 1"),
        (b"cat dog nan\n", "line 1"),
        (b"cat dog inf\n", "line 1"),
        (b"\tdog\t4\n", "line 1"),
        (b"word1 word2 score\nword1 word2 score\n", "line 2"),
        (b"", "line 1"),
        (b"# nothing\n# here\n", "line 1"),
        (b"a b score\n", "line 2"),
        (b"\x00\xff" * 5000, "line 1"),
    ],
)
def test_malformed_files_are_refused_with_the_line(animals, file, text, line):
    with pytest.raises(FormatError) as error:
        word_pairs(animals, file(text))
    assert f"pairs.txt: {line}: expected" in str(error.value)
    assert len(str(error.value)) < 400


def test_unknown_words_are_left_out_or_counted_as_zero_and_always_reported(animals):
    pairs = [("cat", "dog", 9), ("cat", "fox", 8), ("cat", "yeti", 7), ("cat", "bus", 1)]
    left_out = word_pairs(animals, pairs)
    assert (left_out.found, left_out.total, left_out.coverage, left_out.oov) == (3, 4, 0.75, "skip")
    assert left_out.spearman == 1.0
    assert "3 of 4 pairs known (75.0%, the others left out)" in str(left_out)
    as_zero = word_pairs(animals, pairs, oov="zero")
    assert (as_zero.found, as_zero.total, as_zero.oov) == (3, 4, "zero")
    cosines = [*np.cos(np.array([10, 30]) * np.pi / 180), 0, np.cos(170 * np.pi / 180)]
    assert as_zero.pearson == pytest.approx(stats.pearsonr([9, 8, 7, 1], cosines)[0])
    assert "the others counted as 0" in str(as_zero)


@pytest.fixture
def parts():
    rule = Subwords(min_n=3, max_n=4, buckets=50)
    table = np.random.default_rng(5).standard_normal((53, 4), dtype=np.float32)
    return SubwordEmbedding(["cat", "Dog", "fox"], table, rule)


UNSEEN = [("cat", "dog", 9), ("Cats", "fox", 8), ("dogs", "CATS", 7), ("fox", "</s>", 1)]


def test_unseen_words_are_made_of_their_parts_if_asked_for(parts):
    result = word_pairs(parts, UNSEEN, oov="make")
    assert (result.found, result.total, result.oov) == (3, 4, "make")
    cosines = [parts.similarity(*pair) for pair in [("cat", "Dog"), ("cats", "fox")]]
    cosines.append(parts.similarity("dogs", "cats"))
    assert result.pearson == pytest.approx(stats.pearsonr([9, 8, 7], cosines)[0])
    assert "3 of 4 pairs known (75.0%, the others left out)" in str(result)


def test_unseen_words_keep_their_case_where_case_matters(parts):
    result = word_pairs(parts, UNSEEN, oov="make", ignore_case=False)
    cosines = [parts.similarity(a, b) for a, b, _ in UNSEEN[:3]]
    assert result.pearson == pytest.approx(stats.pearsonr([9, 8, 7], cosines)[0])


def test_unseen_words_stay_unknown_where_nothing_makes_their_vectors(parts):
    plain, pairs = Embedding(parts.keys, parts.vectors), [*UNSEEN, ("cat", "fox", 2)]
    made, left_out = (word_pairs(plain, pairs, oov=oov) for oov in ("make", "skip"))
    assert (made.found, made.pearson) == (2, left_out.pearson)


def test_an_embedding_without_keys_can_make_all_words():
    rule = Subwords(min_n=3, max_n=3, buckets=9, hashes=1)
    table = np.random.default_rng(5).standard_normal((9, 4), dtype=np.float32)
    assert word_pairs(SubwordEmbedding([], table, rule), UNSEEN, oov="make").found >= 3


def test_case_is_ignored_for_the_most_frequent_spelling_unless_told_otherwise(animals):
    pairs = [("CAT", "car", 5.0), ("Cat", "dog", 9.0), ("cat", "fox", 7.0)]
    ignoring = word_pairs(animals, pairs)
    assert ignoring.found == 3
    assert ignoring.pearson == pytest.approx(
        stats.pearsonr([5, 9, 7], np.cos(np.array([90, 10, 30]) * np.pi / 180))[0]
    )
    exact = word_pairs(animals, [*pairs, ("cat", "car", 6.0)], ignore_case=False)
    assert (exact.found, exact.total) == (2, 4)


def test_german_sets_and_invalid_bytes(file):
    words = embedding(["straße", "b\udcff", "weg"], [[1, 0], [0, 1], [1, 1]])
    text = (
        "#WORD1:WORD2:GOLD\nStraße:weg:3.5:n:n\nweg:b".encode() + b"\xff:2:n:n\nSTRASSE:b\xff:1\n"
    )
    result = word_pairs(words, file(text))
    assert (result.found, result.total) == (3, 3)


def test_a_vector_of_zeros_has_cosine_zero():
    words = embedding(["a", "b", "zero"], [[1, 0], [-1, 0.1], [0, 0]])
    result = word_pairs(words, [("a", "zero", 5), ("a", "b", 1)])
    assert result.spearman == 1.0


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "pairs holds no pair"),
        ([("cat", "dog", 1)], "1 take part; a correlation needs two that differ in their score"),
        ([("yeti", "dog", 1), ("cat", "elf", 2)], "0 of 2 pairs have both words"),
        ([("cat", "dog", 5), ("cat", "fox", 5)], "differ in their score"),
        ([("cat", "dog", 5), ("dog", "cat", 6)], "differ in their cosine"),
        ([("cat", "dog", float("nan"))], "score=nan of 'cat' and 'dog' is not finite"),
    ],
)
def test_no_correlation_is_an_error_and_never_nan(animals, pairs, message):
    with pytest.raises(ValueError, match="word_pairs: ") as error:
        word_pairs(animals, pairs)
    assert message in str(error.value)


def test_a_wrong_oov_and_a_missing_file_are_errors(animals, tmp_path):
    with pytest.raises(
        ValueError, match="word_pairs: oov='drop' is neither 'skip' nor 'zero' nor 'make'"
    ):
        word_pairs(animals, [("cat", "dog", 1)], oov="drop")
    with pytest.raises(FileNotFoundError):
        word_pairs(animals, tmp_path / "none.txt")


def test_as_dict_is_json(animals):
    result = word_pairs(animals, [("cat", "dog", 9), ("cat", "bus", 1)])
    assert json.loads(json.dumps(result.as_dict())) == {
        "name": "pairs",
        "spearman": 1.0,
        "pearson": pytest.approx(1.0),
        "found": 2,
        "total": 2,
        "oov": "skip",
        "coverage": 1.0,
    }


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("wordsim/EN-WS-353-ALL.txt", 353),
        ("wordsim/EN-SIMLEX-999.txt", 999),
        ("wordsim/EN-MTurk-771.txt", 771),
        ("wordsim/EN-VERB-143.txt", 144),
        ("wordsim/EN-RG-65.txt", 65),
        ("dewiki/wortpaare350.gold.pos.txt", 350),
    ],
)
def test_the_real_files_are_read_whole(data, name, pairs):
    assert len(list(read_pairs(data / name))) == pairs
