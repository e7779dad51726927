"""FastText from text to rows of n-grams: what it learns, goes on from, survives and refuses.

What it shares with Word2Vec is tested there.
"""

import dataclasses
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import FastText, Subwords, Word2Vec
from firth.kernels import bag_means
from firth.kernels._subwords import Bags
from firth.models._beginning import greatest_share
from firth.models.fasttext import in_order_of_use

ANIMALS, TOOLS = ["cat", "dog", "cow", "pig"], ["saw", "axe", "file", "nail"]
SMALL = FastText(dim=16, window=3, epochs=5, sample=0, threads=1, buckets=500)
FLORET = dataclasses.replace(SMALL, hashes=2)


def two_topics(sentences=600):
    rng = np.random.default_rng(1)
    return [
        list(rng.choice(ANIMALS if i % 2 else TOOLS, 8)) for i in range(sentences)
    ]  # fmt: skip


def inflected(sentences=1500):
    """Two topics of words in ten inflections each; some inflections are never seen."""
    rng = np.random.default_rng(2)
    endings = ["s", "ed", "ing", "er", "ly", "ness", "able", "ism", "ize", "al"]
    stems = ["garden", "flower", "meadow"], ["hammer", "welder", "rivet"]
    seen = [[stem + ending for stem in topic for ending in endings] for topic in stems]
    for topic in seen:
        topic.remove(topic[4])
    return [list(rng.choice(seen[i % 2], 8)) for i in range(sentences)]


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("hashes", [0, 2])
def test_words_of_one_company_end_up_together(cbow, hashes):
    model = dataclasses.replace(SMALL, cbow=cbow, hashes=hashes, lr=0.05, epochs=20)
    emb = model.fit(two_topics())
    assert set(emb.keys) == {*ANIMALS, *TOOLS}
    for word in ANIMALS:
        assert {key for key, _ in emb.most_similar(word, k=3)} == {*ANIMALS} - {word}


@pytest.mark.parametrize("hashes", [0, 1])
def test_an_unseen_inflection_is_near_the_company_of_its_stem(hashes):
    emb = dataclasses.replace(SMALL, hashes=hashes, lr=0.05, epochs=10).fit(inflected())
    for word, stems in (
        ("gardenly", ("garden", "flower", "meadow")),
        ("hammerly", ("hammer", "welder", "rivet")),
    ):
        assert word not in emb
        assert all(key.startswith(stems) for key, _ in emb.most_similar(word, k=5))


@pytest.mark.parametrize("model", [SMALL, FLORET, dataclasses.replace(SMALL, max_n=0)])
def test_the_result_has_all_it_takes(model):
    emb = model.fit(two_topics())
    own = 8 if model.hashes == 0 else 0
    assert emb.rule == model.rule
    assert emb.input.shape == (own + emb.rule.buckets, 16)
    assert emb.output.shape == (8, 16)
    assert emb.output.any()
    assert emb.vectors.tobytes() == bag_means(emb.input, emb.bags(emb.keys)).tobytes()
    assert emb.metadata["model"] == "FastText"
    assert (emb.metadata["buckets"], emb.metadata["window"]) == (500, 3)
    assert len(emb.metadata["losses"]) == 5
    assert emb.counts.sum() == emb.metadata["tokens"] == 4800


def test_rows_of_ngrams_that_no_word_has_are_zero():
    emb = SMALL.fit(two_topics())
    used = np.unique(emb.bags(emb.keys).ids)
    assert 0 < len(used) < len(emb.input)
    assert emb.input[used].any(axis=1).all()
    unused = np.setdiff1d(np.arange(len(emb.input)), used)
    assert not emb.input[unused].any()


@pytest.mark.parametrize("cbow", [False, True])
def test_without_ngrams_it_is_word2vec(cbow):
    model = dataclasses.replace(SMALL, max_n=0, min_n=0, cbow=cbow)
    settings = {field.name: getattr(model, field.name) for field in dataclasses.fields(Word2Vec)}
    emb, plain = model.fit(two_topics()), Word2Vec(**settings).fit(two_topics())
    assert emb.vectors.tobytes() == plain.vectors.tobytes()
    assert emb.input.tobytes() == plain.vectors.tobytes()
    assert emb.rule == Subwords(0, 0, 0)


@pytest.mark.parametrize("model", [SMALL, FLORET])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(model):
    one, same = model.fit(two_topics()), model.fit(two_topics())
    other = dataclasses.replace(model, seed=2).fit(two_topics())
    assert one.input.tobytes() == same.input.tobytes()
    assert one.output.tobytes() == same.output.tobytes()
    assert one.input.tobytes() != other.input.tobytes()


# ---- start --------------------------------------------------------------------------------------

STILL = {"lr": 1e-12, "min_lr": 0}
MORE = [*two_topics(60), *[["cat", "yak", "dog", "yak"]] * 20]


@pytest.mark.parametrize("model", [SMALL, FLORET])
def test_start_goes_on_from_all_rows(model):
    earlier = dataclasses.replace(model, lr=0.05).fit(two_topics())
    later = dataclasses.replace(model, **STILL).fit(MORE, start=earlier)
    assert "yak" in later
    own = len(later) if model.hashes == 0 else 0
    first = len(earlier) if model.hashes == 0 else 0
    np.testing.assert_allclose(later.input[own:], earlier.input[first:], atol=1e-6)
    np.testing.assert_allclose(later[earlier.keys], earlier.vectors, atol=1e-6)
    for key, row in earlier.index.items():
        now = later.output[later.index[key]]
        np.testing.assert_allclose(now, earlier.output[row], atol=1e-6)
        if own:
            found = later.input[later.index[key]]
            np.testing.assert_allclose(found, earlier.input[row], atol=1e-6)
    assert not np.abs(later.output[later.index["yak"]]).max() > 1e-6


def test_a_start_without_output_begins_to_predict_at_zero(tmp_path):
    earlier = SMALL.fit(two_topics())
    bare = firth.SubwordEmbedding(earlier.keys, earlier.input, earlier.rule)
    later = dataclasses.replace(SMALL, **STILL).fit(two_topics(), start=bare)
    np.testing.assert_allclose(later.input, earlier.input, atol=1e-6)
    assert np.abs(later.output).max() < 1e-6


def test_rows_of_labels_and_of_nodes_are_no_rows_of_words():
    earlier = SMALL.fit(two_topics())
    known = earlier.keys, earlier.input, earlier.rule
    labels = [f"__label__{row}" for row in range(3)]
    classifier = firth.Classifier(*known, np.ones((3, 16)), labels)
    tree = firth.SubwordEmbedding(
        *known, metadata={"fasttext": {"loss": 1}}, output=np.ones_like(earlier.output)
    )
    for start in (classifier, tree):
        assert start.word_output is None
        later = dataclasses.replace(SMALL, **STILL).fit(two_topics(), start=start)
        np.testing.assert_allclose(later.input, earlier.input, atol=1e-6)
        assert np.abs(later.output).max() < 1e-6
    assert earlier.word_output is earlier.output


def test_a_saved_and_mapped_start_is_not_written_to(tmp_path):
    earlier = SMALL.fit(two_topics())
    earlier.save(tmp_path / "model")
    mapped = firth.load(tmp_path / "model")
    fitted = [SMALL.fit(MORE, start=start) for start in (earlier, mapped)]
    assert fitted[0].input.tobytes() == fitted[1].input.tobytes()
    assert mapped.input.tobytes() == earlier.input.tobytes()


def test_a_plain_start_gives_rows_of_words():
    plain = firth.Embedding(["cat", "yak", "other"], np.full((3, 16), 2.0))
    later = dataclasses.replace(SMALL, **STILL).fit(MORE, start=plain)
    for key, row in later.index.items():
        assert np.allclose(later.input[row], 2, atol=1e-6) == (key in plain)


def test_a_start_that_does_not_fit_is_named():
    earlier = SMALL.fit(two_topics(60))
    cases = [
        (dataclasses.replace(SMALL, buckets=501), earlier, "start has Subwords.*expected Subwords"),
        (dataclasses.replace(SMALL, min_n=2), earlier, "start has Subwords"),
        (FLORET, earlier, "start has Subwords"),
        (dataclasses.replace(SMALL, dim=8), earlier, "start has dim 16, expected 8"),
        (FLORET, firth.Embedding(["cat"], np.ones((1, 16))), "plain Embedding.*hashes=2"),
    ]
    kept = np.full(500, -1, np.int32)
    pruned = firth.SubwordEmbedding(["cat"], np.ones((1, 16)), SMALL.rule, kept=kept)
    for model, start, text in [*cases, (SMALL, pruned, "start was pruned")]:
        with pytest.raises(ValueError, match=f"FastText: .*{text}|{text}"):
            model.fit(two_topics(60), start=start)
    with pytest.raises(TypeError, match="FastText: start is str, expected"):
        SMALL.fit(two_topics(60), start="vectors")


# ---- how it stops -------------------------------------------------------------------------------


def test_the_callback_sees_each_epoch_and_can_stop():
    seen = []
    emb = SMALL.fit(two_topics(), callback=lambda *args: seen.append(args) or len(seen) == 3)
    assert [(epoch, words) for epoch, words, _, _ in seen] == [(1, 4800), (2, 9600), (3, 14400)]
    assert [loss for _, _, loss, _ in seen] == emb.metadata["losses"]


def test_an_interrupt_brings_what_was_learnt():
    text = [list(np.random.default_rng(i).choice(ANIMALS, 50_000)) for i in range(20)]
    corpus = firth.Corpus.read(text)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt) as stop:
        FastText(dim=300, epochs=10**6, threads=1, buckets=1000).fit(corpus)
    timer.join()
    emb = stop.value.embedding
    assert isinstance(emb, firth.SubwordEmbedding)
    assert set(emb.keys) == set(ANIMALS)
    assert np.isfinite(emb.input).all()
    assert emb["cats"].any()


# ---- few words, many shared rows ----------------------------------------------------------------


def test_the_greatest_share_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        words, rows = rng.integers(1, 9), rng.integers(1, 6)
        sizes = rng.integers(0, 5, words)
        bags = [rng.integers(0, rows, size) for size in sizes]
        ids = np.concatenate(bags).astype(np.uint32)
        shares = rng.dirichlet(np.ones(words))
        found = greatest_share(shares, Bags(np.concatenate([[0], np.cumsum(sizes)]), ids))
        taken = [sum(s * (b == row).sum() for s, b in zip(shares, bags, strict=True))
                 for row in range(rows)]  # fmt: skip
        expected = max(np.mean([taken[row] for row in bag]) if len(bag) else 0 for bag in bags)
        assert found == pytest.approx(expected)


def test_the_greatest_share_without_shared_rows_is_the_most_frequent_word(monkeypatch):
    monkeypatch.setattr("firth.models._beginning._WORDS", 3)
    shares = np.arange(10) / 45
    bags = Bags(np.arange(0, 22, 2), np.arange(20, dtype=np.uint32))
    assert greatest_share(shares, bags) == pytest.approx(9 / 45)


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("lr", [0.025, 0.05, 0.2])
def test_words_that_share_most_rows_do_not_run_away(cbow, lr):
    rng = np.random.default_rng(0)
    names = ["running" + chr(97 + w // 15) + chr(97 + w % 15) for w in range(200)]
    text = [[names[w] for w in rng.integers(0, 200, 20)] for _ in range(250)]
    model = dataclasses.replace(SMALL, dim=50, min_count=1, epochs=10, lr=lr, cbow=cbow)
    emb = model.fit(text)
    assert np.linalg.norm(emb.vectors, axis=1).max() < 30


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("words", [1, 2, 12])
def test_few_words_do_not_run_away(cbow, words):
    rng = np.random.default_rng(0)
    names = ["running" + "a" * (w % 2 * 6) + str(w) for w in range(words)]  # "aaa" four times
    text = [[names[w] for w in rng.integers(0, words, 20)] for _ in range(50)]
    for lr in (0.025, 0.1):
        emb = dataclasses.replace(SMALL, dim=50, min_count=1, epochs=20, lr=lr, cbow=cbow).fit(text)
        assert np.linalg.norm(emb.vectors, axis=1).max() < 30


def test_a_run_that_blows_up_names_the_epoch():
    with pytest.raises(FloatingPointError, match="FastText: epoch 1 of 40"):
        dataclasses.replace(SMALL, lr=1000, epochs=40).fit(two_topics())


def test_a_word_without_rows_stays_zero_and_hurts_nobody():
    text = [["</s>", "cat", "dog"]] * 50
    emb = dataclasses.replace(FLORET, min_count=1).fit(text)
    assert not emb["</s>"].any()
    assert emb["cat"].any()
    assert dataclasses.replace(SMALL, min_count=1).fit(text)["</s>"].any()


# ---- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [("min_n", 0), ("min_n", 7), ("max_n", -1), ("max_n", 2**17), ("buckets", 0),
     ("buckets", 2**31), ("hashes", 5), ("hashes", -1), ("dim", 0), ("lr", -1)],
)  # fmt: skip
def test_a_hyper_parameter_out_of_range_is_named(field, value):
    with pytest.raises(ValueError, match=f"FastText: {field}="):
        FastText(**{field: value})


def test_settings_are_those_of_word2vec_and_four_more():
    names = [field.name for field in dataclasses.fields(FastText)]
    assert names[-4:] == ["min_n", "max_n", "buckets", "hashes"]
    assert names[:-4] == [field.name for field in dataclasses.fields(Word2Vec)]


def test_it_comes_back_from_a_folder(tmp_path):
    emb = SMALL.fit(two_topics(60))
    emb.save(tmp_path / "model")
    found = firth.load(tmp_path / "model")
    assert found.metadata == emb.metadata
    assert found["catalogue"].tobytes() == emb["catalogue"].tobytes()


def test_vectors_of_a_real_text_are_good():
    """One pass over the genuine first words of text8: inflections come near, misspelt words too."""
    cache = Path(os.environ.get("FIRTH_DATA_CACHE", "~/.cache/firth-data")).expanduser()
    path = cache / "text8-prefix.txt"
    if not path.exists():
        pytest.skip(f"the text is not unpacked: no {path}")
    emb = FastText(dim=50, buckets=100_000, epochs=1, lr=0.05, threads=2, seed=3).fit(path)
    for word, expected in (
        ("government", "governments"),
        ("mathematicss", "mathematics"),
        ("germany", "germans"),
    ):
        assert expected in [key for key, _ in emb.most_similar(word, k=10)]


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6), st.sampled_from([1, 2**28]))
def test_rows_are_numbered_by_where_they_first_stand(bags, apart):
    ids = np.array([row * apart for bag in bags for row in bag], np.uint32)
    offsets = np.cumsum([0, *map(len, bags)])
    (again, numbers), places = in_order_of_use(Bags(offsets, ids))
    assert again is offsets
    assert places.tolist() == list(dict.fromkeys(ids.tolist()))
    assert places[numbers].tolist() == ids.tolist()
