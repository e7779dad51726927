"""Words and bags of so much work that they are cut into parts have the means of short ones."""

import numpy as np
import pytest

import firth
from firth import kernels

DIM = 100
MANY = 2**25 // DIM + 1  # rows that a bag has when it is cut


@pytest.fixture(scope="module")
def table():
    return np.random.default_rng(1).standard_normal((5000, DIM)).astype(np.float32)


def in_order(table, ids):
    """The mean by contract: rows added in order in float32, times one over their number."""
    total = np.add.accumulate(table[ids], axis=0, dtype=np.float32)[-1]
    return total * np.float32(1 / len(ids))


@pytest.mark.parametrize("threads", [1, 3])
def test_long_bags_between_short_ones(table, on, threads):
    rng = np.random.default_rng(2)
    sizes = [3, 0, MANY, 5, 2 * MANY + 7, MANY, 1, 0]
    ids = rng.integers(0, len(table), sum(sizes)).astype(np.uint32)
    offsets = np.cumsum([0, *sizes])
    means = kernels.bag_means(table, kernels.Bags(offsets, ids), threads=threads, **on)
    for bag, size in enumerate(sizes):
        own = ids[offsets[bag] : offsets[bag + 1]]
        expected = in_order(table, own) if size else np.zeros(DIM, np.float32)
        assert means[bag].tobytes() == expected.tobytes()


@pytest.mark.parametrize("rule", [{}, {"hashes": 2}, {"min_n": 1, "max_n": 2}])
def test_long_words_between_short_ones(table, on, rule):
    letters = "abcdefghijklmnoéü"
    rng = np.random.default_rng(3)
    long = ["".join(letters[i] for i in rng.integers(0, len(letters), 120_000)) for _ in range(2)]
    words = ["short", long[0], "", "words", "</s>", *long[::-1], "end"]
    rule = {"min_n": 3, "max_n": 6} | rule | {"buckets": len(table)}
    means = kernels.subword_means(words, table, threads=2, **rule, **on)
    bags = kernels.subwords(words, **rule, **on)
    assert means.tobytes() == kernels.bag_means(table, bags, **on).tobytes()
    short = [0, 2, 3, 4, 7]
    alone = kernels.subword_means([words[at] for at in short], table, **rule, **on)
    assert means[short].tobytes() == alone.tobytes()


def test_large_embeddings_have_the_index_and_numbers_of_small_ones():
    keys = [f"k{row}" for row in range(150_000)]
    vectors = np.random.default_rng(1).standard_normal((len(keys), 9)) * 1e3
    emb = firth.Embedding(keys, vectors)
    assert emb.index == {key: row for row, key in enumerate(keys)}
    assert emb.vectors.tobytes() == vectors.astype(np.float32).tobytes()
    turned = firth.Embedding(keys, vectors.astype(">f4").T.copy().T)
    assert turned.vectors.tobytes() == emb.vectors.tobytes()
    with pytest.raises(ValueError, match="'k7' is given more than once"):
        firth.Embedding([*keys[:-1], "k7"], vectors)
