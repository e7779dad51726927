"""PPMI from text to vectors: the factorisation, its signs and seeds, and what it refuses."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import PPMI, Corpus, Counts, Vocabulary
from firth.models import _truncated_svd

# Two topics that never meet: words of one company must end up nearer to each other.
ANIMALS, TOOLS = ["cat", "dog", "cow", "pig"], ["saw", "axe", "file", "nail"]
SAMPLE = Path(__file__).parents[1] / "data" / "wiki-sample.txt.xz"


def two_topics(sentences=600):
    rng = np.random.default_rng(1)
    return [list(rng.choice(ANIMALS if i % 2 else TOOLS, 8)) for i in range(sentences)]


@pytest.fixture(scope="module")
def sample():
    """Counts of 800 words of a real text: too many to be factorised as a whole."""
    return Counts.of(Corpus.read(SAMPLE, max_vocab=800), window=5, weights="linear")


def table(counts, model):
    return counts.ppmi(model.shift, model.smoothing).to_scipy().toarray()


def random_counts(seed, words, symmetric=True):
    rng = np.random.default_rng(seed)
    dense = rng.poisson(1.0, (words, words))
    dense += symmetric * dense.T
    dense[rng.random(words) < 0.1] = 0
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=words))])
    sums = firth.CSR(indptr, columns.astype(np.int32), dense[rows, columns].astype(np.uint64))
    vocabulary = Vocabulary([f"w{i:03}" for i in range(words)], np.full(words, 9))
    return Counts(vocabulary, sums, 1, 1, "uniform", symmetric, True, 100)


# ---- what it learns -----------------------------------------------------------------------------


def test_words_of_one_company_end_up_together():
    emb = PPMI(dim=2).fit(two_topics())
    assert set(emb.keys) == {*ANIMALS, *TOOLS}
    for word in ANIMALS:
        assert {key for key, _ in emb.most_similar(word, k=3)} == {*ANIMALS} - {word}


@given(st.integers(0, 2**32), st.integers(3, 30), st.sampled_from([0.0, 0.5, 1.0]), st.booleans())
def test_vectors_are_the_truncated_svd(seed, words, power, symmetric):
    counts = random_counts(seed, words, symmetric)
    model = PPMI(dim=words - 1, power=power)
    matrix = table(counts, model)
    if not matrix.any():
        return
    u, s, vt = np.linalg.svd(matrix.astype(np.float64))
    words_, contexts, both = (
        dataclasses.replace(model, vectors=name).fit(counts)
        for name in ("words", "contexts", "sum")
    )
    dim = model.dim
    scale = np.where(s[:dim] > 1e-5 * s[0], s[:dim] ** power, 0)
    close = {"rtol": 1e-4, "atol": 1e-4 * max(1, scale[0] ** 2)}
    # Products do not depend on signs, nor on the directions chosen for equal singular values.
    for emb, vectors in ((words_, u[:, :dim]), (contexts, vt[:dim].T)):
        if np.all(s[: dim - 1] - s[1:dim] > 1e-3 * s[0]) and s[dim - 1] - s[dim] > 1e-3 * s[0]:
            expected = (vectors * scale) @ (vectors * scale).T
            np.testing.assert_allclose(emb.vectors @ emb.vectors.T, expected, **close)
    np.testing.assert_allclose(words_.vectors + contexts.vectors, both.vectors, **close)
    np.testing.assert_allclose(both.metadata["singular_values"], s[:dim], atol=1e-5 * s[0])


def test_a_factorisation_of_all_dimensions_gives_the_matrix_back():
    counts = random_counts(3, 20)
    matrix = table(counts, PPMI())
    empty = ~matrix.any(axis=1)
    assert empty.any()  # so that one dimension less loses nothing
    left, right = (
        PPMI(dim=19, power=0.5, vectors=name).fit(counts) for name in ("words", "contexts")
    )
    np.testing.assert_allclose(left.vectors @ right.vectors.T, matrix, atol=1e-5)
    assert not left.vectors[empty].any()


@pytest.mark.parametrize("dim", [1, 20])
def test_many_words_are_factorised_as_few_are(sample, dim, monkeypatch):
    model = PPMI(dim=dim, power=1, vectors="words")
    sparse = model.fit(sample)
    monkeypatch.setattr(_truncated_svd, "_FEW", 800)
    whole = model.fit(sample)
    np.testing.assert_allclose(
        sparse.vectors, whole.vectors, atol=2e-3 * np.abs(whole.vectors).max()
    )
    np.testing.assert_allclose(
        sparse.metadata["singular_values"], whole.metadata["singular_values"], rtol=1e-5
    )


def test_signs_do_not_depend_on_the_solver(sample):
    vectors = PPMI(dim=20, vectors="words").fit(sample).vectors
    greatest = vectors[np.abs(vectors).argmax(axis=0), np.arange(20)]
    assert (greatest > 0).all()


def test_the_same_settings_give_the_same_bits_and_seeds_move_them_little(sample):
    one, same, other = (PPMI(dim=20, seed=seed).fit(sample).vectors for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    np.testing.assert_allclose(one, other, atol=2e-3 * np.abs(one).max())


def test_directions_that_are_not_there_are_zero():
    emb = PPMI(dim=4, power=0, min_count=1).fit(["a b", "c", "d", "e"])
    values = np.array(emb.metadata["singular_values"])
    none = values <= 1e-5 * values[0]
    assert none.tolist() == [False, False, True, True]
    assert not emb.vectors[:, none].any()
    words = PPMI(dim=4, power=0, min_count=1, vectors="words").fit(["a b", "c", "d", "e"])
    assert words.vectors.any(axis=0).tolist() == [True, True, False, False]
    assert words.vectors.any(axis=1).tolist() == [True, True, False, False, False]


def test_text_corpus_and_counts_are_the_same(tmp_path):
    (tmp_path / "text.txt").write_text("\n".join(map(" ".join, two_topics())))
    model = PPMI(dim=3, window=4, weights="distance", min_count=2)
    corpus = Corpus.read(tmp_path / "text.txt", min_count=2)
    counts = Counts.of(corpus, window=4, weights="distance")
    by_text, by_corpus, by_counts = map(model.fit, (tmp_path / "text.txt", corpus, counts))
    np.testing.assert_array_equal(by_text.vectors, by_corpus.vectors)
    np.testing.assert_array_equal(by_text.vectors, by_counts.vectors)


def test_the_metadata_say_how_it_was_made(tmp_path):
    counts = Counts.of(Corpus.read(two_topics()), window=2, weights="uniform", symmetric=False)
    emb = PPMI(dim=3, window=9).fit(counts)
    assert emb.counts.sum() == emb.metadata["tokens"] == 4800
    expected = {"model": "PPMI", "dim": 3, "window": 2, "weights": "uniform", "symmetric": False}
    assert expected.items() <= emb.metadata.items()
    assert emb.metadata["counts"] == counts.sums.nnz >= emb.metadata["associations"]
    emb.save(tmp_path / "vectors")
    assert firth.load(tmp_path / "vectors").metadata == emb.metadata


# ---- what it refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [8, 9])
def test_dim_must_be_below_the_number_of_words(dim):
    for source in (two_topics(), Counts.of(Corpus.read(two_topics()))):
        with pytest.raises(ValueError, match=f"^PPMI: dim={dim} is not below the number of words"):
            PPMI(dim=dim).fit(source)


def test_words_without_company_cannot_be_learnt():
    with pytest.raises(ValueError, match=r"^PPMI: no two words meet more than shift=1 times as"):
        PPMI(dim=1, min_count=1).fit(["one", "two"])
    with pytest.raises(ValueError, match=r"^PPMI: no two words meet more than shift=100 times"):
        PPMI(dim=1, shift=100).fit(two_topics())


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("dim", 0, ValueError), ("dim", 1.5, TypeError), ("window", 0, ValueError),
        ("window", 51, ValueError), ("shift", 0, ValueError), ("shift", np.nan, ValueError),
        ("smoothing", 1.5, ValueError), ("smoothing", "1", TypeError), ("power", -1, ValueError),
        ("weights", "none", ValueError), ("symmetric", 2, ValueError),
        ("sentences", None, ValueError), ("min_count", 0, ValueError), ("max_vocab", 0, ValueError),
        ("vectors", "both", ValueError), ("memory", 0, ValueError), ("memory", " ", ValueError),
        ("memory", "much", ValueError), ("memory", 1.5, TypeError),
        ("seed", -1, ValueError), ("threads", 0, ValueError),
    ],
)  # fmt: skip
def test_a_hyper_parameter_out_of_range_is_named(field, value, error):
    with pytest.raises(error, match=f"^PPMI: {field}="):
        PPMI(**{field: value})


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse.linalg", None)
    with pytest.raises(ImportError, match=r"^PPMI needs SciPy: pip install 'firth\[scipy\]'$"):
        PPMI().fit("no-such-file.txt")


def test_ctrl_c_ends_the_factorisation(sample, monkeypatch):
    def interrupted(bar, n):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(firth._progress.Progress, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        PPMI(dim=20).fit(sample)


def test_a_bar_is_shown_on_stderr_if_asked(sample, capfd):
    PPMI(dim=2).fit(sample, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "factorising" in err
    PPMI(dim=2).fit(sample)
    assert capfd.readouterr() == ("", "")


def test_scipy_is_imported_when_it_is_needed():
    code = """
    import sys, firth
    firth.PPMI()
    print("scipy" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_vectors_of_a_real_text_are_good(data):
    emb = PPMI(dim=30, max_vocab=10000).fit(SAMPLE)
    result = firth.evaluate.word_pairs(emb, data / "wordsim" / "EN-WS-353-ALL.txt")
    assert result.spearman > 0.45
