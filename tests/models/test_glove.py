"""GloVe from text or counts to vectors: what it learns, repeats, how it stops, what it refuses."""

import dataclasses
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

import firth
from firth import CSR, Corpus, Counts, GloVe, Vocabulary, kernels
from firth.kernels._glove import groups_of

# Two topics that seldom meet: words of one company must end up nearer to each other.
ANIMALS, TOOLS = ["cat", "dog", "cow", "pig"], ["saw", "axe", "file", "nail"]
SMALL = GloVe(dim=8, window=3, x_max=10, epochs=5, threads=1)


def two_topics(sentences=600):
    rng = np.random.default_rng(1)
    likely = np.repeat([0.22, 0.03], 4)
    return [
        [*rng.choice(ANIMALS + TOOLS, 7, p=likely if i % 2 else likely[::-1]), "the"]
        for i in range(sentences)
    ]


@pytest.fixture(scope="module")
def zipf():
    """A corpus whose counts make several groups: 400 words, frequent ones and rare ones."""
    chances = 1 / np.arange(10, 410)
    ids = np.random.default_rng(2).choice(400, 40_000, p=chances / chances.sum())
    tally = np.bincount(ids, minlength=400)
    rank = np.argsort(-tally, kind="stable")
    words = Vocabulary([f"{i:03}" for i in range(400)], tally[rank])
    offsets = np.arange(0, len(ids) + 1, 100, dtype=np.int64)
    return Corpus(np.argsort(rank).astype(np.uint32)[ids], offsets, words)


def counts_of(corpus, model):
    names = ("window", "weights", "symmetric", "sentences")
    return Counts.of(corpus, **{name: getattr(model, name) for name in names})


def planted(rng, words=120, dim=4):
    """Counts whose logarithms are scalar products and a term for each word, and those products."""
    factors = rng.standard_normal((words, dim))
    products = factors @ factors.T
    terms = rng.standard_normal(words)
    counts = np.exp(products / 2 + terms[:, None] + terms + 3)
    unit = kernels.distance_weights(10)[1]
    sums = np.maximum(np.round(counts * unit), 1).astype(np.uint64).reshape(-1)
    indptr = np.arange(0, words**2 + 1, words, dtype=np.int64)
    csr = CSR(indptr, np.tile(np.arange(words, dtype=np.int32), words), sums)
    vocabulary = Vocabulary([f"{i:03}" for i in range(words)], np.full(words, 9))
    return Counts(vocabulary, csr, unit, 10, "distance", False, True, 9 * words), products


def centred(matrix):
    """Without what belongs to a row or to a column alone, as biases do."""
    return matrix - matrix.mean(0) - matrix.mean(1)[:, None] + matrix.mean()


def test_the_logarithms_of_planted_counts_are_found_again():
    counts, products = planted(np.random.default_rng(3))
    model = GloVe(dim=4, epochs=60, x_max=10, threads=1)
    words, contexts = (
        dataclasses.replace(model, vectors=name).fit(counts).vectors.astype(np.float64)
        for name in ("words", "contexts")
    )
    found, wanted = centred(words @ contexts.T), centred(products)
    assert np.corrcoef(found.reshape(-1), wanted.reshape(-1))[0, 1] > 0.99


@pytest.mark.parametrize("weights", ["distance", "uniform", "linear"])
def test_words_of_one_company_end_up_together(weights):
    emb = dataclasses.replace(SMALL, weights=weights, epochs=40).fit(two_topics())
    assert set(emb.keys) == {*ANIMALS, *TOOLS, "the"}
    assert emb.keys[0] == "the"
    for word in ANIMALS:
        others = [key for key, _ in emb.most_similar(word, k=8) if key != "the"]
        assert set(others[:3]) == {*ANIMALS} - {word}


def test_the_loss_falls_and_is_kept_with_the_settings(zipf):
    emb = SMALL.fit(zipf)
    losses = emb.metadata["losses"]
    assert len(losses) == 5
    assert losses[-1] < losses[0]
    assert emb.metadata["model"] == "GloVe"
    settings = dataclasses.asdict(SMALL)
    assert {name: emb.metadata[name] for name in settings} == settings
    assert emb.counts.sum() == emb.metadata["tokens"] == len(zipf.ids)
    assert emb.metadata["counts"] == counts_of(zipf, SMALL).sums.nnz


def test_fit_is_what_the_kernel_does(zipf):
    matrix = counts_of(zipf, SMALL).matrix(np.float32)
    words, contexts = kernels.glove_tables(400, 400, 8, 7)
    losses = [
        kernels.glove(words, contexts, matrix, dim=8, seed=7, epoch=epoch, x_max=10, threads=1).loss
        for epoch in range(5)
    ]
    model = dataclasses.replace(SMALL, seed=7)
    emb = model.fit(zipf)
    assert emb.metadata["losses"] == losses
    np.testing.assert_array_equal(emb.vectors, words[:, :8] + contexts[:, :8])
    for name, table in (("words", words), ("contexts", contexts)):
        held = dataclasses.replace(model, vectors=name).fit(zipf)
        np.testing.assert_array_equal(held.vectors, table[:, :8])


def test_any_number_of_threads_gives_the_same_bits(zipf):
    assert groups_of(counts_of(zipf, SMALL).sums, SMALL.dim) > 2
    one, *others = (dataclasses.replace(SMALL, threads=n).fit(zipf) for n in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(one.vectors, other.vectors)
        assert one.metadata["losses"] == other.metadata["losses"]


def test_another_seed_gives_other_vectors(zipf):
    one, other = (dataclasses.replace(SMALL, seed=seed).fit(zipf) for seed in (1, 2))
    assert not np.array_equal(one.vectors, other.vectors)


def test_counts_a_corpus_a_path_and_sentences_train_alike(tmp_path):
    sentences = two_topics()
    path = tmp_path / "text"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences))
    corpus = Corpus.read(sentences)
    counts = counts_of(corpus, SMALL)
    results = [SMALL.fit(source) for source in (sentences, path, str(path), corpus, counts)]
    for result in results[1:]:
        assert result.keys == results[0].keys
        assert result.metadata == results[0].metadata
        np.testing.assert_array_equal(result.vectors, results[0].vectors)
        np.testing.assert_array_equal(result.counts, results[0].counts)


def test_counts_keep_their_own_rule(zipf):
    rule = {"window": 2, "weights": "uniform", "symmetric": False, "sentences": False}
    counts = Counts.of(zipf, **rule)
    emb = SMALL.fit(counts)
    assert {name: emb.metadata[name] for name in rule} == rule
    same = dataclasses.replace(SMALL, **rule).fit(zipf)
    np.testing.assert_array_equal(emb.vectors, same.vectors)
    assert not np.array_equal(emb.vectors, SMALL.fit(zipf).vectors)


@pytest.mark.parametrize("vectors", ["sum", "words", "contexts"])
def test_start_goes_on_from_earlier_vectors_with_new_words(vectors):
    model = dataclasses.replace(SMALL, vectors=vectors)
    earlier = model.fit(two_topics())
    text = [*two_topics(60), *[["cat", "yak", "dog", "yak"]] * 20]
    still = dataclasses.replace(model, lr=1e-12)
    later = still.fit(text, start=earlier)
    assert "yak" in later
    np.testing.assert_allclose(later["cat"], earlier["cat"], atol=1e-6)
    assert not np.allclose(still.fit(text)["cat"], earlier["cat"], atol=1e-2)
    with pytest.raises(ValueError, match=r"GloVe: start has dim 8, expected 4"):
        dataclasses.replace(SMALL, dim=4).fit(text, start=earlier)


def test_with_start_more_text_is_learnt_sooner():
    counts, _ = planted(np.random.default_rng(4))
    more, _ = planted(np.random.default_rng(4))
    more.sums.data[::7] *= np.uint64(3)
    model = dataclasses.replace(SMALL, dim=4, epochs=1)
    earlier = dataclasses.replace(model, epochs=40).fit(counts)
    scratch, later = model.fit(more), model.fit(more, start=earlier)
    assert later.metadata["losses"][0] < 0.7 * scratch.metadata["losses"][0]


def test_the_callback_sees_each_epoch_and_can_stop(zipf):
    seen = []

    def callback(epoch, counts, loss, lr):
        seen.append((epoch, counts, loss, lr))
        return epoch == 3

    emb = SMALL.fit(zipf, callback=callback)
    many = emb.metadata["counts"]
    assert [one[:2] for one in seen] == [(1, many), (2, 2 * many), (3, 3 * many)]
    assert [loss for _, _, loss, _ in seen] == emb.metadata["losses"]
    assert {lr for _, _, _, lr in seen} == {0.05}


def test_an_interrupt_brings_what_was_learnt(zipf):
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))

    def callback(epoch, *_):
        if epoch == 1:
            timer.start()

    with pytest.raises(KeyboardInterrupt) as stop:
        dataclasses.replace(SMALL, epochs=10**6).fit(zipf, callback=callback)
    timer.join()
    emb = stop.value.embedding
    assert emb.keys == zipf.vocabulary.words
    assert np.isfinite(emb.vectors).all()
    assert len(emb.metadata["losses"]) > 0


def test_an_interrupt_before_training_has_nothing_to_bring(zipf, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(kernels, "cooccurrence", interrupted)
    with pytest.raises(KeyboardInterrupt) as stop:
        SMALL.fit(zipf)
    assert not hasattr(stop.value, "embedding")


@pytest.mark.parametrize("progress", [True, False])
def test_bars_show_counting_and_training_if_asked_for(zipf, progress, capfd):
    quiet = SMALL.fit(zipf)
    capfd.readouterr()
    shown = SMALL.fit(zipf, progress=progress)
    err = capfd.readouterr().err
    assert ("counting 100%" in err, "training 100%" in err, "loss " in err) == (progress,) * 3
    np.testing.assert_array_equal(quiet.vectors, shown.vectors)


def test_memory_is_handed_on(zipf, monkeypatch):
    count, seen = kernels.cooccurrence, []

    def counting(*args, memory="unset", **options):
        seen.append(memory)
        return count(*args, **options)

    monkeypatch.setattr(kernels, "cooccurrence", counting)
    for memory in (None, 10**8, "200 MB"):
        dataclasses.replace(SMALL, memory=memory, epochs=1).fit(zipf)
    assert seen == [None, 10**8, "200 MB"]


@pytest.mark.parametrize("lr", [1000, 100])
def test_a_run_that_blows_up_names_the_epoch(lr, zipf):
    model = dataclasses.replace(SMALL, lr=lr, epochs=40)
    with pytest.raises(FloatingPointError, match=r"GloVe: epoch \d+ of 40: .* smaller lr than 1"):
        model.fit(zipf)


@pytest.mark.parametrize(
    "change", [{"alpha": 8, "x_max": 1e18}, {"alpha": 0}, {"x_max": 1e-9}, {"dim": 1}]
)
def test_the_ends_of_the_ranges_give_numbers(change, zipf):
    emb = dataclasses.replace(SMALL, **change).fit(zipf)
    assert np.isfinite(emb.vectors).all()
    assert np.isfinite(emb.metadata["losses"]).all()


@pytest.mark.parametrize("source", [[["alone"], ["apart"]], ["alone", "apart"]])
def test_words_without_company_are_refused(source):
    with pytest.raises(ValueError, match="GloVe: no word has company"):
        dataclasses.replace(SMALL, min_count=1).fit(source)


def test_counts_of_nothing_are_refused(zipf):
    none = CSR(np.zeros(401, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint64))
    empty = dataclasses.replace(counts_of(zipf, SMALL), sums=none)
    with pytest.raises(ValueError, match="GloVe: no word has company"):
        SMALL.fit(empty)


def test_one_word_alone_can_be_trained():
    emb = dataclasses.replace(SMALL, min_count=1).fit([["a"] * 100])
    assert emb.keys == ["a"]
    assert np.isfinite(emb.vectors).all()


@pytest.mark.parametrize("source", [[], [[]], [["rare"]], b"", 7])
def test_a_text_without_words_is_refused(source):
    with pytest.raises((ValueError, TypeError)):
        SMALL.fit(source)


def test_a_corpus_without_tokens_is_refused(zipf):
    empty = Corpus(np.zeros(0, np.uint32), np.zeros(1, np.int64), zipf.vocabulary)
    with pytest.raises(ValueError, match="GloVe: the corpus has no tokens"):
        SMALL.fit(empty)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, value) for name in ("dim", "window", "epochs", "memory") for value in (0, -1)],
        *[(name, 10**9) for name in ("dim", "window", "threads")], ("window", 51),
        *[(name, value) for name in ("lr", "x_max") for value in (0, -1, np.nan, np.inf, 1e30)],
        ("alpha", -0.1), ("alpha", 9), ("alpha", np.nan), ("min_count", 0), ("max_vocab", 0),
        ("seed", -1), ("seed", 2**64), ("threads", 0), ("device", "cuda:7"), ("memory", " "),
        ("memory", "much"), ("memory", "1 XB"), ("memory", "0 MB"),
        ("weights", "none"), ("vectors", "both"), ("symmetric", 2), ("sentences", None),
        ("lr", 10**400),
    ],
)  # fmt: skip
def test_a_hyper_parameter_out_of_range_is_named(field, value):
    with pytest.raises(ValueError, match=f"GloVe: {field}="):
        GloVe(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("dim", 1.5), ("dim", "9"), ("epochs", True), ("lr", "fast"), ("seed", None),
     ("memory", 1e9), ("memory", True), ("x_max", "10")],
)  # fmt: skip
def test_a_hyper_parameter_of_another_type_is_named(field, value):
    with pytest.raises(TypeError, match=f"GloVe: {field}="):
        GloVe(**{field: value})


def test_numbers_of_numpy_are_settings_that_can_be_saved(tmp_path):
    plain = {"dim": 8, "lr": 0.5, "symmetric": True, "seed": 7, "memory": 10**9, "min_count": 1}
    exotic = {"dim": np.int64(8), "lr": np.float32(0.5), "symmetric": np.bool_(True),
              "seed": np.uint64(7), "memory": np.int64(10**9),
              "min_count": np.uint16(1)}  # fmt: skip
    assert GloVe(**exotic) == GloVe(**plain)
    kept = {**exotic, "memory": None}
    GloVe(**kept).fit(two_topics(60)).save(tmp_path / "vectors")
    metadata = firth.load(tmp_path / "vectors").metadata
    assert {name: metadata[name] for name in plain} == {**plain, "memory": None}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"start": "vectors"}, "start is str, expected"),
        ({"callback": 3}, "callback=3 cannot"),
        ({"checkpoint": 3}, "checkpoint is int, expected a path"),
    ],
)
def test_what_fit_cannot_use_is_named_before_training(change, says):
    with pytest.raises(TypeError, match=f"GloVe: {says}"):
        SMALL.fit(two_topics(), **change)


def test_vectors_of_a_real_text_are_good(data):
    """A few seconds of the genuine first words of text8 must beat chance by far."""
    cache = Path(os.environ.get("FIRTH_DATA_CACHE", "~/.cache/firth-data")).expanduser()
    path = cache / "text8-prefix.txt"
    if not path.exists():
        pytest.skip(f"the text is not unpacked: no {path}")
    emb = GloVe(dim=50, window=5, x_max=10, epochs=5, threads=2, seed=3).fit(path)
    result = firth.evaluate.word_pairs(emb, data / "wordsim" / "EN-WS-353-ALL.txt")
    assert result.spearman > 0.25
