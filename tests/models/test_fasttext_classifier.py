"""FastTextClassifier: it learns labels, keeps the original's vocabulary, and says what is wrong."""

import gzip
import os
import signal
import threading

import numpy as np
import pytest

from firth import Classifier, Corpus, Embedding, FastTextClassifier

SUN = "__label__sun"
RAIN = "__label__rain"
LOSSES = ("softmax", "ova", "hs")


@pytest.fixture(scope="module")
def lines():
    """Texts of words about one of four topics each, and of others about none."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(400):
        topic = rng.integers(4)
        words = [f"t{topic}w{rng.integers(12)}" for _ in range(3)]
        words += [f"any{rng.integers(40)}" for _ in range(4)]
        rng.shuffle(words)
        made.append(f"__label__{topic} " + " ".join(words))
    return made


@pytest.mark.parametrize("loss", LOSSES)
def test_labels_of_new_texts_are_found(lines, loss):
    settings = {"dim": 16, "epochs": 10, "lr": 0.5, "loss": loss, "threads": 1}
    model = FastTextClassifier(**settings).fit(lines[:300])
    scores = model.test(lines[300:])
    assert scores.examples == 100
    assert scores.precision == scores.recall > 0.95
    losses = model.metadata["losses"]
    assert losses[-1] < losses[0] / 2
    assert all(score.f1 > 0.9 for score in scores.per_label.values())


def test_word_order_is_seen_by_word_ngrams_only():
    rng = np.random.default_rng(1)
    texts = []
    for _ in range(300):
        words = [f"w{i}" for i in rng.integers(9, size=5)]
        words.insert(rng.integers(6), "hot cold" if len(texts) % 2 else "cold hot")
        texts.append(f"__label__{len(texts) % 2} {' '.join(words)}")
    found = {}
    for n in (1, 2):
        model = FastTextClassifier(
            dim=10, epochs=20, lr=0.5, word_ngrams=n, buckets=10_000, threads=1
        )
        found[n] = model.fit(texts[:200]).test(texts[200:]).precision
    assert found[2] > 0.95
    assert found[1] < 0.7


def test_misspelt_words_are_known_by_their_characters(lines):
    model = FastTextClassifier(
        dim=16, epochs=10, lr=0.5, min_n=2, max_n=3, buckets=5000, threads=1
    ).fit(lines)
    assert model.predict("t2w99 t2")[0] == ["__label__2"]
    assert model.has_vector("t2w99")


def test_the_vocabulary_is_the_original_s():
    """Words and the end of a line by count, labels apart, rare ones left out."""
    texts = [f"{SUN} b a a", f"c {RAIN} {SUN} b", f"{RAIN}", f"b d {RAIN}x"]
    model = FastTextClassifier(dim=2, min_count=2, threads=1).fit(texts)
    assert model.keys == ["</s>", "b", "a"]
    assert model.counts.tolist() == [4, 3, 2]
    assert model.labels == [RAIN, SUN, f"{RAIN}x"]
    assert model.label_counts.tolist() == [2, 2, 1]
    assert (len(model.input), model.rule.buckets) == (3, 0)
    assert model.metadata["tokens"] == sum(len(text.split()) + 1 for text in texts)
    frequent = FastTextClassifier(dim=2, min_label_count=2, threads=1).fit(texts)
    assert frequent.labels == [RAIN, SUN]
    assert "d" in frequent


def test_rows_of_buckets_exist_for_ngrams_only_and_are_zero_where_nothing_was_learnt():
    texts = [f"{SUN} it is warm", f"{RAIN} it is cold"]
    plain = FastTextClassifier(dim=4, buckets=50, threads=1).fit(texts)
    assert len(plain.input) == len(plain.keys)
    model = FastTextClassifier(dim=4, buckets=5000, word_ngrams=2, threads=1).fit(texts)
    assert len(model.input) == len(model.keys) + 5000
    rows = model.input[len(model.keys) :]
    assert 0 < rows.any(axis=1).sum() <= 6
    assert model.word_ngrams == 2


def test_any_source_gives_the_same(lines, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines) + "\n")
    with gzip.open(tmp_path / "text.gz", "wt") as file:
        file.write(path.read_text())
    model = FastTextClassifier(dim=4, epochs=2, word_ngrams=2, buckets=99, deterministic=True)
    first = model.fit(path)
    corpus = Corpus.read(path, min_count=1)
    for source in (tmp_path / "text.gz", lines, (one.split() for one in lines), corpus):
        other = model.fit(source)
        assert (other.keys, other.labels) == (first.keys, first.labels)
        np.testing.assert_array_equal(other.input, first.input)
        np.testing.assert_array_equal(other.output, first.output)


def test_the_seed_changes_what_is_learnt_and_threads_do_not_change_who_is_right(lines):
    model = {"dim": 8, "epochs": 10, "lr": 0.5}
    one, two = (FastTextClassifier(seed=seed, **model).fit(lines) for seed in (1, 2))
    assert not np.array_equal(one.input, two.input)
    many = FastTextClassifier(threads=4, **model).fit(lines)
    assert many.test(lines).precision > 0.95


def test_words_begin_with_the_vectors_given(lines):
    words = ["t0w1", "elsewhere", "__label__0"]
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    start = Embedding(words, vectors)
    model = FastTextClassifier(dim=2, epochs=1, lr=1e-9, threads=1).fit(lines, start=start)
    np.testing.assert_allclose(model["t0w1"], vectors[0], atol=1e-6)
    np.testing.assert_allclose(model["elsewhere"], vectors[1])  # known from now on
    assert "__label__0" not in model
    assert model.labels[0].startswith("__label__")
    with pytest.raises(ValueError, match="start has dim 2, expected 3"):
        FastTextClassifier(dim=3).fit(lines, start=start)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["no labels at all", "none"], "FastTextClassifier: no label in 7 tokens"),
        ([SUN, f"{RAIN} {SUN}"], None),
        ([], "no tokens"),
    ],
)
def test_texts_that_teach_nothing_are_named(texts, says):
    if says is None:  # the end of a line is a word
        assert FastTextClassifier(dim=2, threads=1).fit(texts).keys == ["</s>"]
        return
    with pytest.raises(ValueError, match=says):
        FastTextClassifier(dim=2).fit(texts)


def test_no_line_with_both_is_named():
    with pytest.raises(ValueError, match="none of the 1 lines has both"):
        FastTextClassifier(dim=2, min_count=5).fit([f"{SUN} warm"])
    with pytest.raises(ValueError, match="min_label_count=9"):
        FastTextClassifier(dim=2, min_label_count=9).fit([f"{SUN} warm"])
    with pytest.raises(ValueError, match="occur min_label_count=1 times"):
        FastTextClassifier(dim=2).fit(["warm"])


@pytest.mark.parametrize(
    ("setting", "error", "says"),
    [
        ({"dim": 0}, ValueError, "dim=0"),
        ({"lr": 0}, ValueError, "lr=0"),
        ({"epochs": 1.5}, TypeError, "epochs=1.5"),
        ({"word_ngrams": 0}, ValueError, "word_ngrams=0"),
        ({"min_n": 3, "max_n": 2}, ValueError, "min_n=3 is not between 1 and 2"),
        ({"buckets": 0}, ValueError, "buckets=0"),
        ({"loss": "hinge"}, ValueError, "loss='hinge' is not 'softmax' or 'ova' or 'hs'"),
        ({"label_prefix": ""}, ValueError, "label_prefix=''"),
        ({"label_prefix": "a b"}, ValueError, "label_prefix='a b'"),
        ({"label_prefix": 3}, TypeError, "label_prefix is int"),
        ({"min_label_count": -1}, ValueError, "min_label_count=-1"),
        ({"device": "cuda"}, ValueError, "device="),
    ],
)
def test_bad_settings_are_named(setting, error, says):
    with pytest.raises(error, match=says):
        FastTextClassifier(**setting)


def test_a_rate_that_is_too_large_is_named(lines):
    with pytest.raises(FloatingPointError, match=r"epoch 1 of 5.*expected a smaller lr than 1000"):
        FastTextClassifier(dim=4, lr=1000, loss="ova", threads=1).fit([*lines] * 9)


def test_the_callback_sees_epochs_and_stops_them(lines):
    seen = []

    def callback(*values):
        seen.append(values)
        return len(seen) == 2

    model = FastTextClassifier(dim=4, epochs=4, lr=0.4, threads=1).fit(lines, callback=callback)
    tokens = model.metadata["tokens"]
    assert [values[:2] for values in seen] == [(1, tokens), (2, 2 * tokens)]
    assert [rate for *_, rate in seen] == pytest.approx([0.3, 0.2])
    assert [loss for _, _, loss, _ in seen] == model.metadata["losses"]


def test_ctrl_c_keeps_what_was_learnt(lines):
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt) as stop:
        FastTextClassifier(dim=64, epochs=10**6, threads=1).fit(lines)
    timer.join()
    model = stop.value.embedding
    assert isinstance(model, Classifier)
    assert len(model.metadata["losses"]) > 0
    assert len(model.labels) == 4


def test_cooking_questions_get_about_the_labels_that_the_original_gives(data, tmp_path):
    """The original at these settings: 0.508, mean of four seeds; firth the same of six."""
    model = FastTextClassifier(dim=20, epochs=10, lr=1.0, word_ngrams=2, buckets=200_000, threads=1)
    folder = data / "sentences" / "cooking"
    scores = model.fit(folder / "cooking.train.gz").test(folder / "cooking.valid.gz")
    assert scores.examples == 2323
    assert scores.precision > 0.47


def test_any_text_may_be_a_key_of_what_training_starts_from():
    start = Embedding(["wet", "\ud800"], np.ones((2, 4)))
    model = FastTextClassifier(dim=4, epochs=1, threads=1).fit([f"{RAIN} wet"] * 9, start=start)
    assert set(model.keys) == {"wet", "</s>", "\ud800"}
