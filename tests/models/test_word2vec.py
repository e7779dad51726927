"""Word2Vec from text to vectors: what it learns, repeats, how it stops and what it refuses."""

import dataclasses
import os
import signal
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import firth
from firth import Word2Vec

# Two topics that never meet: words of one company must end up nearer to each other.
ANIMALS, TOOLS = ["cat", "dog", "cow", "pig"], ["saw", "axe", "file", "nail"]


def two_topics(sentences=600):
    rng = np.random.default_rng(1)
    return [
        list(rng.choice(ANIMALS if i % 2 else TOOLS, 8)) for i in range(sentences)
    ]  # fmt: skip


SMALL = Word2Vec(dim=16, window=3, epochs=5, sample=0, threads=1)


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_words_of_one_company_end_up_together(cbow, threads):
    model = dataclasses.replace(SMALL, cbow=cbow, threads=threads, lr=0.05, epochs=20)
    emb = model.fit(two_topics())
    assert set(emb.keys) == {*ANIMALS, *TOOLS}
    for word in ANIMALS:
        assert {key for key, _ in emb.most_similar(word, k=3)} == {*ANIMALS} - {word}


def test_the_loss_falls_and_is_kept_with_the_settings():
    emb = dataclasses.replace(SMALL, lr=0.05).fit(two_topics())
    losses = emb.metadata["losses"]
    assert len(losses) == 5
    assert losses[-1] < losses[0]
    assert emb.metadata["model"] == "Word2Vec"
    assert emb.metadata["window"] == 3
    assert emb.counts.sum() == emb.metadata["tokens"] == 4800


@pytest.mark.parametrize("cbow", [False, True])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(cbow):
    model = dataclasses.replace(SMALL, cbow=cbow)
    one, same = model.fit(two_topics()), model.fit(two_topics())
    other = dataclasses.replace(model, seed=2).fit(two_topics())
    np.testing.assert_array_equal(one.vectors, same.vectors)
    assert not np.array_equal(one.vectors, other.vectors)


def test_deterministic_does_not_depend_on_threads():
    one, four = (
        dataclasses.replace(SMALL, deterministic=True, threads=n).fit(two_topics()) for n in (1, 4)
    )
    np.testing.assert_array_equal(one.vectors, four.vectors)


def test_a_corpus_a_path_and_sentences_train_alike(tmp_path):
    sentences = two_topics()
    path = tmp_path / "text"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences))
    corpus = firth.Corpus.read(sentences)
    results = [SMALL.fit(source) for source in (sentences, path, str(path), corpus)]
    for result in results[1:]:
        assert result.keys == results[0].keys
        np.testing.assert_array_equal(result.vectors, results[0].vectors)


def test_a_saved_and_mapped_corpus_trains_alike(tmp_path):
    corpus = firth.Corpus.read(two_topics())
    corpus.save(tmp_path / "corpus")
    mapped = firth.Corpus.load(tmp_path / "corpus", mmap=True)
    np.testing.assert_array_equal(SMALL.fit(corpus).vectors, SMALL.fit(mapped).vectors)


def test_start_goes_on_from_earlier_vectors_with_new_words():
    earlier = dataclasses.replace(SMALL, lr=0.05).fit(two_topics())
    text = [*two_topics(60), *[["cat", "yak", "dog", "yak"]] * 20]
    still = dataclasses.replace(SMALL, lr=1e-12, min_lr=0)
    later = still.fit(text, start=earlier)
    assert "yak" in later
    np.testing.assert_allclose(later["cat"], earlier["cat"], atol=1e-6)
    assert not np.allclose(still.fit(text)["cat"], earlier["cat"], atol=1e-2)
    with pytest.raises(ValueError, match=r"start has dim 16, expected 8"):
        dataclasses.replace(SMALL, dim=8).fit(text, start=earlier)


def test_the_callback_sees_each_epoch_and_can_stop():
    seen = []

    def callback(epoch, words, loss, lr):
        seen.append((epoch, words, loss, lr))
        return epoch == 3

    emb = SMALL.fit(two_topics(), callback=callback)
    assert [(epoch, words) for epoch, words, _, _ in seen] == [(1, 4800), (2, 9600), (3, 14400)]
    assert [loss for _, _, loss, _ in seen] == emb.metadata["losses"]
    rates = [lr for _, _, _, lr in seen]
    assert rates == pytest.approx([0.025 + (1e-4 - 0.025) * i / 5 for i in (1, 2, 3)])


def test_what_the_callback_raises_comes_through():
    def callback(*args):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        SMALL.fit(two_topics(), callback=callback)


def test_the_learning_rate_of_cbow_is_that_of_word2vec():
    rates = []
    for cbow in (False, True):
        model = dataclasses.replace(SMALL, cbow=cbow, min_lr=0, epochs=2)
        model.fit(two_topics(), callback=lambda *args: rates.append(args[3]))
    assert rates == pytest.approx([0.0125, 0, 0.025, 0])


def test_an_interrupt_brings_what_was_learnt():
    text = [list(np.random.default_rng(i).choice(ANIMALS, 50_000)) for i in range(20)]
    corpus = firth.Corpus.read(text)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt) as stop:
        Word2Vec(dim=300, epochs=10**6, threads=1).fit(corpus)
    timer.join()
    emb = stop.value.embedding
    assert set(emb.keys) == set(ANIMALS)
    assert np.isfinite(emb.vectors).all()


def test_an_interrupt_keeps_the_losses_of_finished_epochs():
    seen = []

    def callback(epoch, words, loss, lr):
        seen.append(loss)
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stop:
        SMALL.fit(two_topics(), callback=callback)
    assert stop.value.embedding.metadata["losses"] == seen
    assert len(seen) == 2


@pytest.mark.parametrize(("dim", "window"), [(4096, 5), (100, 10_000)])
def test_an_interrupt_is_quick_however_much_work_a_token_is(dim, window):
    """Far above what it should take, far below what whole pieces of thousands of tokens take."""
    ids = np.random.default_rng(1).integers(0, 8, 100_000).astype(np.uint32)
    corpus = firth.Corpus(ids, np.array([0, len(ids)]), firth.Corpus.read(two_topics()).vocabulary)
    model = Word2Vec(dim=dim, window=window, sample=0, lr=1e-5, min_lr=0, threads=1)
    killed = []

    def kill():
        killed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, kill)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(corpus)
    timer.join()
    assert time.monotonic() - killed[0] < 2


@pytest.mark.parametrize("lr", [1000, 100])
@pytest.mark.parametrize("cbow", [False, True])
def test_a_run_that_blows_up_names_the_epoch(lr, cbow):
    model = dataclasses.replace(SMALL, lr=lr, cbow=cbow, epochs=40, dim=100)
    with pytest.raises(FloatingPointError, match="Word2Vec: epoch 1 of 40"):
        model.fit(two_topics())


def test_sentences_of_one_token_are_refused_since_nothing_can_be_learnt():
    model = dataclasses.replace(SMALL, min_count=1)
    with pytest.raises(ValueError, match="Word2Vec: no token had company"):
        model.fit([["alone"], ["apart"]])
    with pytest.raises(ValueError, match="each str is a sentence"):
        model.fit(["alone", "apart"])


def test_min_lr_is_never_above_lr():
    rates = []
    model = dataclasses.replace(SMALL, lr=5e-5, epochs=1)
    emb = model.fit(two_topics(), callback=lambda *args: rates.append(args[3]))
    assert rates == [5e-5]
    assert emb.metadata["lr"] == 5e-5


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("words", [2, 4, 20])
def test_few_words_do_not_run_away(words, cbow):
    rng = np.random.default_rng(0)
    text = [[str(w) for w in rng.integers(0, words, 1000)] for _ in range(20)]
    emb = Word2Vec(cbow=cbow, epochs=20, sample=0, min_count=1, threads=1).fit(text)
    assert np.linalg.norm(emb.vectors, axis=1).max() < 30


def test_one_word_alone_can_be_trained():
    emb = dataclasses.replace(SMALL, min_count=1).fit([["a"] * 100])
    assert emb.keys == ["a"]
    assert np.isfinite(emb.vectors).all()


@pytest.mark.parametrize("source", [[], [[]], [["rare"]], b""])
def test_a_text_without_words_is_refused(source):
    with pytest.raises((ValueError, TypeError)):
        SMALL.fit(source)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, value) for name in ("dim", "window", "negative", "epochs") for value in (0, -1)],
        *[(name, 10**9) for name in ("dim", "window", "negative", "threads")],
        *[("lr", value) for value in (0, -1, np.nan, np.inf, 1e30)],
        ("min_lr", -1), ("min_count", 0), ("max_vocab", 0), ("sample", -1), ("sample", np.nan),
        ("sample", 1e-300),
        ("noise_exponent", np.inf), ("seed", -1), ("seed", 2**64), ("threads", 0),
        ("device", "cuda:7"), ("cbow", 2), ("cbow", np.array([0, 1])), ("lr", 10**400),
    ],
)  # fmt: skip
def test_a_hyper_parameter_out_of_range_is_named(field, value):
    with pytest.raises(ValueError, match=f"Word2Vec: {field}="):
        Word2Vec(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("dim", 1.5), ("dim", "9"), ("epochs", True), ("lr", "fast"), ("seed", None)],
)
def test_a_hyper_parameter_of_another_type_is_named(field, value):
    with pytest.raises(TypeError, match=f"Word2Vec: {field}="):
        Word2Vec(**{field: value})


def test_numbers_of_numpy_are_settings_that_can_be_saved(tmp_path):
    plain = {"dim": 8, "lr": 0.5, "cbow": True, "seed": 7, "threads": 1, "min_count": 1}
    exotic = {"dim": np.int64(8), "lr": np.float32(0.5), "cbow": np.bool_(True),
              "seed": np.uint64(7), "threads": np.int8(1), "min_count": np.uint16(1)}  # fmt: skip
    assert Word2Vec(**exotic) == Word2Vec(**plain)
    assert Word2Vec(lr=Fraction(1, 2)).fit(two_topics(60)).metadata["lr"] == 0.5
    Word2Vec(**exotic).fit(two_topics(60)).save(tmp_path / "vectors")
    metadata = firth.load(tmp_path / "vectors").metadata
    assert {name: metadata[name] for name in plain} == plain


def test_a_corpus_without_tokens_is_refused():
    words = firth.Corpus.read(two_topics()).vocabulary
    empty = firth.Corpus(np.zeros(0, np.uint32), np.zeros(1, np.int64), words)
    with pytest.raises(ValueError, match="Word2Vec: the corpus has no tokens"):
        SMALL.fit(empty)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"start": "vectors"}, "start is str, expected"), ({"callback": 3}, "callback=3 cannot")],
)
def test_what_fit_cannot_use_is_named_before_training(change, says):
    with pytest.raises(TypeError, match=f"Word2Vec: {says}"):
        SMALL.fit(two_topics(), **change)


def test_vectors_of_a_real_text_are_good(data):
    """A few seconds of the genuine first words of text8 must beat chance by far."""
    cache = Path(os.environ.get("FIRTH_DATA_CACHE", "~/.cache/firth-data")).expanduser()
    path = cache / "text8-prefix.txt"
    if not path.exists():
        pytest.skip(f"the text is not unpacked: no {path}")
    emb = Word2Vec(epochs=5, threads=2, seed=3).fit(path)
    result = firth.evaluate.word_pairs(emb, data / "wordsim" / "EN-WS-353-ALL.txt")
    assert result.spearman > 0.45
