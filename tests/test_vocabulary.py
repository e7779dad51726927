"""Vocabulary: order, choice, merging of partial counts, the text file and its damage."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import FormatError, Vocabulary

words = st.sampled_from(["é", "\udcc3\udca9"]) | st.text(
    st.characters(exclude_categories=["Cs"])
    | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),
    max_size=4,
)
counts = st.dictionaries(words, st.integers(1, 5), max_size=12)


def utf8(word):
    return word.encode("utf-8", "surrogateescape")


def by_bytes(*parts):
    """Counts of words as bytes: surrogates that spell a letter are that letter."""
    total = {}
    for part in parts:
        for word, n in part.items():
            total[utf8(word)] = total.get(utf8(word), 0) + n
    return total


@given(counts, st.integers(1, 4), st.none() | st.integers(1, 6))
def test_order_and_choice(given_counts, min_count, max_vocab):
    vocabulary = Vocabulary.from_counts(given_counts, min_count=min_count, max_vocab=max_vocab)
    kept = sorted(
        ((-n, word) for word, n in by_bytes(given_counts).items() if n >= min_count),
    )[:max_vocab]
    assert [utf8(word) for word in vocabulary.words] == [word for _, word in kept]
    assert vocabulary.counts.tolist() == [-n for n, _ in kept]
    assert vocabulary.counts.dtype == np.int64
    assert [vocabulary.index[word] for word in vocabulary.words] == list(range(len(vocabulary)))


@given(st.lists(counts, min_size=1, max_size=4), st.randoms())
def test_merge_is_associative_and_commutative(parts, random):
    vocabularies = [Vocabulary.from_counts(part) for part in parts]
    first, *others = vocabularies
    whole = first.merge(*others)
    found = zip(map(utf8, whole.words), whole.counts.tolist(), strict=True)
    assert dict(found) == by_bytes(*parts)
    random.shuffle(vocabularies)
    folded = vocabularies[0]
    for one in vocabularies[1:]:
        folded = one.merge(folded)
    assert folded == whole


@given(counts.filter(lambda c: not any("\n" in word for word in c)))
def test_file_round_trip(tmp_path_factory, given_counts):
    path = tmp_path_factory.getbasetemp() / "vocabulary.tsv"
    vocabulary = Vocabulary.from_counts(given_counts)
    vocabulary.save(path)
    back = Vocabulary.load(path)
    assert back == vocabulary


def test_file_is_words_tabs_and_counts(tmp_path):
    Vocabulary.from_counts({"a\udcff": 3, "b\tc": 2}).save(tmp_path / "v")
    assert (tmp_path / "v").read_bytes() == b"a\xff\t3\nb\tc\t2\n"


def test_word_with_newline_cannot_be_saved(tmp_path):
    with pytest.raises(ValueError, match=r"the word 'a\\nb' holds a newline"):
        Vocabulary.from_counts({"a\nb": 1}).save(tmp_path / "v")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a\t2\nb", "line 2: expected a newline at its end"),
        (b"a 2\n", "line 1: expected word<TAB>count"),
        (b"a\t2\nb\t\n", "line 2: expected word<TAB>count"),
        (b"a\t2\nb\t1_0\n", "line 2: expected word<TAB>count"),
        (b"a\t-2\n", "line 1: expected word<TAB>count"),
        (b"a\t\xd9\xa3\n", "line 1: expected word<TAB>count"),
        (b"a\t0\n", "line 1: expected a count from 1"),
        (b"a\t9223372036854775808\n", "line 1: expected a count from 1"),
        (b"a\t" + b"9" * 5000 + b"\n", "line 1: expected word<TAB>count"),
        (b"a\t1\nb\t2\n", "line 2: expected most frequent first"),
        (b"b\t2\na\t2\n", "line 2: expected most frequent first"),
        (b"a\t2\na\t1\n", "line 2: expected a new word, found 'a' again"),
        (b"\n", "line 1: expected word<TAB>count"),
    ],
)
def test_damaged_file_is_a_format_error_with_its_line(tmp_path, text, message):
    path = tmp_path / "words.tsv"
    path.write_bytes(text)
    with pytest.raises(FormatError, match=rf"words\.tsv: {message}"):
        Vocabulary.load(path)


def test_missing_file_is_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        Vocabulary.load(tmp_path / "none")


@pytest.mark.parametrize(
    ("words", "counts", "message"),
    [
        (["a"], [1, 2], "1 words have 2 counts"),
        (["a", "b"], [1, 2], "comes after"),
        (["b", "a"], [2, 2], "comes after"),
        (["a", "a"], [2, 2], "comes after"),
        (["a", "b", "a"], [3, 2, 1], "occurs twice"),
        (["a"], [0], "count 0 of 'a' is not positive"),
    ],
)
def test_words_out_of_order_are_refused(words, counts, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(words, counts)


@pytest.mark.parametrize("choice", [{"min_count": 0}, {"max_vocab": 0}, {"min_count": -3}])
def test_choice_must_make_sense(choice):
    name, value = next(iter(choice.items()))
    with pytest.raises(ValueError, match=f"{name}={value} is not at least 1"):
        Vocabulary.from_counts({"a": 1}, **choice)


def test_negative_count_is_refused():
    with pytest.raises(ValueError, match="count -1 of 'a' is negative"):
        Vocabulary.from_counts({"a": -1})


def test_frozen_and_picklable():
    vocabulary = Vocabulary.from_counts({"a": 2, "b": 1})
    with pytest.raises(AttributeError):
        vocabulary.words = []
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.counts[0] = 9
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary
    assert "a" in vocabulary
    assert "c" not in vocabulary
    assert len(vocabulary) == 2
