"""Tables of more than 2**32 numbers and sums beyond 2**32: the answers of small ones, bit for bit.

The tables are memory that is reserved but mostly never touched, so that no test needs more than
some hundred MB.
"""

import mmap

import numpy as np
import pytest

from firth import CSR, Corpus, Counts, Vocabulary, Word2Vec, kernels
from firth.kernels import Bags

DIM = 2**16
ROWS = 2**16 + 4  # rows * DIM is beyond 2**32, rows * DIM * 4 beyond 2**34
LAST = np.arange(ROWS - 3, ROWS)
RESERVE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)


def zeros(rows, columns):
    """Return a float32 table of zeros that takes memory only where it is written to."""
    memory = mmap.mmap(-1, rows * columns * 4, flags=RESERVE)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.float32).reshape(rows, columns)


def pair(rows=ROWS, columns=DIM, seed=0):
    """Return a vast table and a small one whose 3 rows are its last 3."""
    table, small = zeros(rows, columns), zeros(3, columns)
    small[:] = np.random.default_rng(seed).normal(0, 0.05, (3, columns)).astype(np.float32)
    table[-3:] = small
    return table, small


def only(word, words):
    """Return weights by which that word alone is drawn."""
    weights = np.zeros(words)
    weights[word] = 1
    return weights


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("round", [0, 32])
def test_negative_sampling_in_tables_of_two_to_the_32_numbers(cbow, round):
    vast, small = [pair(seed=1), pair(seed=2)], []
    small = [one for _, one in vast]
    for tables, shift in (([one for one, _ in vast], ROWS - 3), (small, 0)):
        words = len(tables[0])
        ids = (np.array([0, 1, 2, 1, 0, 2] * 5) + shift).astype(np.uint32)
        kernels.negative_sampling(
            *tables,
            ids,
            np.array([0, 15, 30]),
            keep=kernels.keep_chances(np.ones(words), 0),
            noise=kernels.noise(only(words - 3, words), 1),
            window=2,
            negative=1,
            cbow=cbow,
            round=round,
            piece=16,
            shared=16,
            threads=1,
        )
    for (table, one), seed in zip(vast, (1, 2), strict=True):
        np.testing.assert_array_equal(table[-3:], one)
        assert (one != pair(3, DIM, seed)[1]).any()
        assert not table[:2].any()


def test_negative_sampling_of_pairs_reads_rows_beyond_two_to_the_28():
    table, small = pair(2**28 + 5, 16)
    for input, shift in ((table, 2**28 + 2), (small, 0)):
        output = zeros(2, 16)
        output[:] = 0.1
        kernels.negative_sampling(
            input,
            output,
            np.array([0, 1, 0], np.uint32),
            np.array([0, 3]),
            sources=(np.arange(3) + shift).astype(np.uint32),
            keep=kernels.keep_chances(np.ones(2), 0),
            noise=kernels.noise(np.ones(2)),
            threads=1,
        )
    np.testing.assert_array_equal(table[-3:], small)
    assert (small != pair(3, 16)[1]).any()


def test_means_of_bags_read_rows_beyond_two_to_the_28():
    table, small = pair(2**28 + 5, 16)
    offsets, ids = np.array([0, 2, 3, 3]), np.array([0, 2, 1])
    found = kernels.bag_means(table, Bags(offsets, (ids + 2**28 + 2).astype(np.uint32)))
    expected = kernels.bag_means(small, Bags(offsets, ids.astype(np.uint32)))
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found).max() > 0


def test_means_of_n_grams_read_buckets_beyond_two_to_the_28():
    words = ["where", "wherever", "x"]
    buckets, first = 3, 2**28 + 2
    table, small = pair(2**28 + 5, 16)
    found = kernels.subword_means(words, table, buckets=buckets, first_row=first)
    np.testing.assert_array_equal(found, kernels.subword_means(words, small, buckets=buckets))
    assert np.abs(found).max() > 0


def test_ranking_in_tables_of_two_to_the_32_numbers():
    vast, small = zip(pair(seed=1), pair(seed=2), strict=True)
    done = []
    for (users, items), shift in ((vast, ROWS - 3), (small, 0)):
        indptr = np.zeros(shift + 4, np.int64)
        indptr[-3:] = [1, 2, 4]
        met = (np.array([0, 1, 0, 2]) + shift).astype(np.int32)
        links = CSR(indptr, met, np.ones(4, np.float32), shift + 3)
        other = kernels.noise(only(shift + 1, shift + 3), 1)
        done.append(kernels.ranking(users, items, links, noise=other, threads=1))
    assert done[0] == done[1]
    for table, one in zip(vast, small, strict=True):
        np.testing.assert_array_equal(table[-3:], one)


def test_classification_with_tables_of_two_to_the_32_numbers():
    table, small = pair()
    outputs = []
    for input, shift in ((table, ROWS - 3), (small, 0)):
        outputs.append(zeros(2, DIM))
        bags = Bags(np.array([0, 2, 3]), (np.array([0, 2, 1]) + shift).astype(np.uint32))
        labels = Bags(np.array([0, 1, 2]), np.array([0, 1], np.uint32))
        for epoch in range(2):
            kernels.classification(input, outputs[-1], bags, labels, epoch=epoch, threads=1)
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(table[-3:], small)
    assert np.abs(outputs[0]).max() > 0


@pytest.mark.slow  # a look at all numbers, as after each pass
def test_glove_in_tables_of_two_to_the_32_numbers():
    dim = DIM // 2
    small, contexts = kernels.glove_tables(3, 2, dim)
    words = zeros(ROWS, small.shape[1])
    ones = np.flatnonzero(
        (small == 1).all(axis=0) & (np.arange(small.shape[1]) < small.shape[1] // 2)
    )
    words[:, ones] = 1  # beside the bias
    words[-3:] = small
    indptr = np.zeros(ROWS + 1, np.int64)
    indptr[-3:] = [1, 2, 4]
    data = np.array([5, 6, 7, 8], np.float32)
    counts = CSR(indptr, np.array([0, 1, 0, 1], np.int32), data, 2)
    done = kernels.glove(words, contexts, counts, dim=dim, threads=1)
    assert done.counts == 4
    assert np.isfinite(done.loss)
    assert ((words[-3:, :dim] != small[:, :dim]).mean(axis=1) > 0.9).all()
    assert not words[: -3 : 2**12, :dim].any()


@pytest.mark.slow
@pytest.mark.unsanitized_threads
def test_topk_reads_items_beyond_two_to_the_31_numbers():
    items, small = pair(2**25 + 3, 64)
    ids, scores = kernels.topk(small, items, 1)
    np.testing.assert_array_equal(ids[:, 0], 2**25 + np.arange(3))
    np.testing.assert_allclose(scores[:, 0], 1, rtol=1e-6)


def test_walks_of_nodes_whose_edges_are_beyond_two_to_the_32():
    nodes, many = 2**20, 2**32 + 8
    memory = mmap.mmap(-1, many * 4, flags=RESERVE)
    indices = np.frombuffer(memory, np.int32)
    assert len(indices) == many
    indptr = np.full(nodes + 1, many, np.int64)
    indptr[0] = 0
    with pytest.raises((ValueError, TypeError), match="transitions"):
        kernels.transitions(CSR(indptr, indices, np.ones(1, np.float32), nodes))


def test_counts_of_one_cell_are_exact_beyond_two_to_the_32(tmp_path):
    counts = Counts.of(["a b"] * 3, min_count=1, window=1, weights="uniform")
    for _ in range(40):
        counts = counts.merge(counts)
    assert counts["a", "b"] == 3 * 2**40
    assert dict(zip(counts.vocabulary.words, counts.vocabulary.counts, strict=True)) == {
        "a": 3 * 2**40,
        "b": 3 * 2**40,
    }
    counts.save(tmp_path / "counts")
    assert Counts.load(tmp_path / "counts")["a", "b"] == 3 * 2**40
    assert counts.matrix(np.uint64).data.tolist() == [3 * 2**40] * 2


def test_words_counted_beyond_two_to_the_32_are_trained_on(tmp_path):
    words = Vocabulary(["a", "b", "c"], [2**40 + 1, 2**33, 2**32 + 1])
    words.save(tmp_path / "words.txt")
    assert Vocabulary.load(tmp_path / "words.txt") == words
    assert words.merge(words).counts.tolist() == [2**41 + 2, 2**34, 2**33 + 2]
    ids = np.array([0, 1, 2, 1] * 50, np.uint32)
    emb = Word2Vec(dim=4, epochs=2, sample=0, threads=1).fit(Corpus(ids, np.array([0, 200]), words))
    assert emb.counts.tolist() == words.counts.tolist()
    assert np.isfinite(emb.vectors).all()


def test_counts_whose_sum_no_int64_holds_are_refused():
    words = Vocabulary(["a"], [2**62])
    for wrong in (
        lambda: words.merge(words),
        lambda: Vocabulary(["a", "b"], [2**62, 2**62]),
        lambda: Vocabulary(["a"], np.array([2**63], np.uint64)),
        lambda: Vocabulary(["a"], [2**64]),
        lambda: Vocabulary.from_counts({"a": 2**63}),
    ):
        with pytest.raises(ValueError, match=r"Vocabulary: counts add up to more than 2\*\*63"):
            wrong()
    assert Vocabulary(["a", "b"], [2**62, 2**62 - 1]).counts.sum() == 2**63 - 1


@pytest.mark.parametrize("counts", [[1.5], [np.nan], ["3"], [None], [np.inf], [1j]])
def test_counts_that_are_no_integers_are_refused_not_rounded(counts):
    with pytest.raises(TypeError, match="Vocabulary: counts have dtype"):
        Vocabulary(["a"], counts)


def test_a_loss_of_very_many_pairs_is_summed_in_doubles():
    many = 1_000_000
    input, output = zeros(2, 16), zeros(2, 16)
    done = kernels.negative_sampling(
        input,
        output,
        np.zeros(many, np.uint32),
        np.arange(0, many + 1, 100),
        sources=np.ones(many, np.uint32),
        keep=kernels.keep_chances(np.ones(2), 0),
        noise=kernels.noise(np.ones(2)),
        negative=0,
        lr=(0.0, 0.0),
        threads=1,
    )
    assert done.pairs == many
    assert abs(done.loss / np.log(2) - 1) < 1e-6
