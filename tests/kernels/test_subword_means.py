"""The subword_means kernel against the oracle and its two halves, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import _arrays, kernels
from strategies import any_words, ngram_rules

RNG = np.random.default_rng(4)
TABLE = RNG.standard_normal((1003, 33)).astype(np.float32)


def texts_of(words):
    return [word.decode("utf-8", "surrogateescape") for word in words]


def bits(array):
    return np.asarray(array).view(np.uint32)


@given(
    words=any_words,
    rule=ngram_rules(most_buckets=1000).filter(lambda rule: rule["buckets"] <= 1000),
    dim=st.sampled_from([1, 2, 7, 16, 33]),
    first_row=st.integers(0, 3),
    threads=st.integers(1, 3),
)
def test_means_are_the_oracles(on, words, rule, dim, first_row, threads):
    table = np.ascontiguousarray(TABLE[:, :dim])
    settings = {**rule, "first_row": first_row}
    found = kernels.subword_means(texts_of(words), table, **settings, threads=threads, **on)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(bits(found), bits(oracle.subword_means(words, table, **settings)))


@pytest.mark.parametrize("hashes", [0, 3])
def test_means_are_those_of_the_bags(on, hashes):
    """More words than a task has; one has more n-grams than compiled code works on together."""
    words = ["".join(RNG.choice(list("abcé"), size)) for size in RNG.integers(0, 12, 2000)]
    words[700] = "".join(RNG.choice(list("abcé"), 500 if on["backend"] is _arrays else 18_000))
    rule = {"min_n": 2, "max_n": 5, "buckets": 1000, "hashes": hashes}
    bags = kernels.subwords(words, **rule, **on)
    expected = kernels.bag_means(TABLE, bags._replace(ids=bags.ids + np.uint32(3)), **on)
    found = kernels.subword_means(words, TABLE, **rule, first_row=3, threads=3, **on)
    np.testing.assert_array_equal(bits(found), bits(expected))


def test_words_may_be_bytes(on):
    rule = {"min_n": 1, "buckets": 1000}
    found = kernels.subword_means(b"a\n\nb\xff", TABLE, **rule, **on)
    expected = kernels.subword_means(["a", "", "b\udcff"], TABLE, **rule, **on)
    np.testing.assert_array_equal(bits(found), bits(expected))


def test_words_without_ngrams_are_zeros(on):
    found = kernels.subword_means(["", "</s>", "word"], TABLE, buckets=1000, **on)
    assert not found[:2].any()
    assert found[2].all()
    assert not kernels.subword_means(["word"], TABLE, max_n=0, buckets=1000, **on).any()
    assert kernels.subword_means([], TABLE, buckets=1000, **on).shape == (0, 33)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"table": np.zeros((4, 3))}, TypeError, "table must be a float32 array, got float64"),
        ({"table": TABLE[:, ::2]}, ValueError, "table must be C-contiguous"),
        ({"table": TABLE[0]}, ValueError, r"table has shape \(33,\)"),
        ({"first_row": 4}, ValueError, "first_row=4 and 1000 buckets .* the table's 1003 rows"),
        ({"first_row": -1}, ValueError, "first_row=-1 and 1000 buckets"),
        ({"first_row": 1.0}, TypeError, "first_row must be an integer, got float"),
        ({"buckets": 1004}, ValueError, "first_row=0 and 1004 buckets .* the table's 1003 rows"),
        ({"buckets": 0}, ValueError, "buckets=0 is not between 1 and 2147483647"),
        ({"min_n": 7}, ValueError, "min_n=7 is not between 1 and max_n=6"),
        ({"hashes": 9}, ValueError, "hashes=9 is not between 0 and 4"),
        ({"threads": 5000}, ValueError, "threads=5000 is not between 1 and 4096"),
        ({"words": "word"}, TypeError, "words is one str"),
        ({"words": ["a", 1]}, TypeError, r"words\[1\] is int, expected str"),
    ],
)
def test_bad_arguments_are_named(on, change, error, says):
    good = {"words": ["a"], "table": TABLE, "buckets": 1000}
    with pytest.raises(error, match=rf"^subword_means: {says}"):
        kernels.subword_means(**{**good, **change}, **on)
