"""Learner: text after text, words that join, rows that stay, and all of it over a file."""

import contextlib
import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given

import firth
from firth import Corpus, FastText, GloVe, Learner, Word2Vec
from firth.models.fasttext import in_order_of_use
from learners import EVERYDAY, PLAIN, ROWS, learnt_from, models, same, texts

# ---- what the first text is ---------------------------------------------------------------------


@models
def test_the_first_text_is_a_fit(model):
    text, fitted = EVERYDAY[0], model.fit(EVERYDAY[0])
    for source in (text, Corpus.read(text, min_count=model.min_count, max_vocab=model.max_vocab)):
        found = model.learner().partial_fit(source).embedding
        assert found.vectors.tobytes() == fitted.vectors.tobytes()
        assert found.counts.tobytes() == fitted.counts.tobytes()
        assert (found.keys, found.metadata) == (fitted.keys, fitted.metadata)


@models
@given(text=texts.map(lambda texts: texts[0]))
def test_any_first_text_is_a_fit(model, text):
    try:
        fitted = model.fit(text)
    except ValueError:
        return
    found = model.learner().partial_fit(text).embedding
    assert found.vectors.tobytes() == fitted.vectors.tobytes()
    assert (found.keys, found.metadata) == (fitted.keys, fitted.metadata)


# ---- words --------------------------------------------------------------------------------------


def accepted(model, texts):
    """Leave out first texts that nothing can be learnt from."""
    learner = model.learner()
    kept = []
    for text in texts:
        with contextlib.suppress(ValueError):
            learner.partial_fit(text)
            kept.append(text)
    return kept


@models
@given(texts=texts)
def test_words_join_when_all_texts_together_have_them_often_enough(model, texts):
    seen, order = Counter(), []
    learner = model.learner()
    for text in accepted(model, texts):
        learner.partial_fit(text)
        seen.update(word for sentence in text for word in sentence)
        known = [word for word, count in seen.items() if count >= model.min_count]
        new = sorted({*known} - {*order}, key=lambda word: (-seen[word], word.encode()))
        order += new[: max((model.max_vocab or 10**9) - len(order), 0)]
        if order:
            assert learner.embedding.keys == order
            assert learner.embedding.counts.tolist() == [seen[word] for word in order]
            assert np.isfinite(learner.embedding.vectors).all()


@models
def test_rows_stay_where_they_are_and_new_ones_are_behind_them(model):
    still = dataclasses.replace(model, lr=1e-12, min_lr=0, max_vocab=None)
    learner = learnt_from(still, EVERYDAY[:1])
    before = learner.embedding
    vectors = before.vectors.copy()
    after = learner.partial_fit(EVERYDAY[1]).embedding
    assert after.keys == [*before.keys, "yak", "new"]
    np.testing.assert_allclose(after.vectors[: len(before)], vectors, atol=1e-9)
    assert np.array_equal(before.vectors, vectors)
    assert after.vectors[len(before) :].any(axis=1).all()


def test_a_new_row_begins_as_that_of_its_number():
    still = dataclasses.replace(PLAIN, lr=1e-12, min_lr=0)
    learner = learnt_from(still, EVERYDAY[:2])
    straight = still.fit([sentence for text in EVERYDAY[:2] for sentence in text])
    np.testing.assert_allclose(learner.embedding.vectors, straight.vectors, atol=1e-9)


def test_rows_of_ngrams_keep_their_numbers():
    bags = ROWS.rule.bags(["abc", "abe", "xyz"])
    _, rows = in_order_of_use(bags)
    few, known = in_order_of_use(ROWS.rule.bags(["abc"]))
    more, all_rows = in_order_of_use(bags, known[::-1])
    assert all_rows[: len(known)].tolist() == known[::-1].tolist()
    assert sorted(all_rows) == sorted(rows)
    assert all_rows[more.ids].tolist() == bags.ids.tolist()
    assert known[few.ids].tolist() == bags.ids[: bags.offsets[1]].tolist()


def test_all_words_of_a_corpus_join_at_once():
    corpus = Corpus.read(EVERYDAY[1], min_count=1)
    found = learnt_from(PLAIN, [EVERYDAY[0], corpus]).embedding
    assert {"late", "new"} <= set(found.keys)
    assert found.counts[found.index["late"]] == 1


def test_a_corpus_in_words_of_another_counts_what_it_has():
    vocabulary = Corpus.read(EVERYDAY[0], min_count=1).vocabulary
    corpus = Corpus.encode([["cat", "dog"], ["dog", "cat"]], vocabulary)
    found = PLAIN.learner().partial_fit(corpus).embedding
    assert dict(zip(found.keys, found.counts.tolist(), strict=True)) == {"cat": 2, "dog": 2}


def test_words_that_are_still_rare_are_counted_and_nothing_is_learnt():
    learner = PLAIN.learner()
    learner.partial_fit([["a", "b"]])
    with pytest.raises(ValueError, match="no word has been seen min_count=3 times yet"):
        _ = learner.embedding
    learner.partial_fit([["a", "b"]]).partial_fit([["a", "b"]])
    assert learner.embedding.keys == ["a", "b"]
    before = learner.embedding.vectors.copy()
    learner.partial_fit([["c", "d"]])
    assert np.array_equal(learner.embedding.vectors, before)
    assert repr(learner) == "Learner(Word2Vec, 2 words of 2 tokens)"


# ---- what is learnt -----------------------------------------------------------------------------


def topics(words, seed, sentences=400):
    rng = np.random.default_rng(seed)
    return [list(rng.choice(words[i % 2], 8)) for i in range(sentences)]


OLD = ["cat", "dog", "cow", "pig"], ["saw", "axe", "file", "nail"]
NEW = [*OLD[0], "yak"], [*OLD[1], "drill"]


@pytest.mark.parametrize("model", [Word2Vec, FastText])
def test_new_words_find_their_place_and_old_ones_keep_theirs(model):
    learner = model(dim=16, window=3, sample=0, threads=1, lr=0.05, epochs=15).learner()
    learner.partial_fit(topics(OLD, 1)).partial_fit(topics(NEW, 2))
    for topic in NEW:
        for word in topic:
            near = {key for key, _ in learner.embedding.most_similar(word, k=4)}
            assert near == {*topic} - {word}


def test_draws_are_not_repeated(monkeypatch):
    train, epochs = firth.kernels.negative_sampling, []

    def noted(*args, epoch, **options):
        epochs.append(epoch)
        return train(*args, epoch=epoch, **options)

    monkeypatch.setattr(firth.kernels, "negative_sampling", noted)
    learner = learnt_from(PLAIN, EVERYDAY[:2])
    learner.partial_fit(EVERYDAY[2], epochs=3)
    assert epochs == list(range(7))
    assert len(learner.embedding.metadata["losses"]) == 7


def test_noise_and_subsampling_follow_all_counts(monkeypatch):
    seen = []
    noise, keep = firth.kernels.noise, firth.kernels.keep_chances
    for name, made in (("noise", noise), ("keep_chances", keep)):
        monkeypatch.setattr(
            firth.kernels,
            name,
            lambda counts, *more, made=made: [seen.append(list(counts)), made(counts, *more)][1],
        )
    learner = learnt_from(dataclasses.replace(PLAIN, sample=0.2), EVERYDAY[:2])
    assert seen[-2:] == [learner.embedding.counts.tolist()] * 2


def test_the_learning_rate_of_later_texts_is_smaller_unless_it_is_given():
    rates = []
    model = dataclasses.replace(PLAIN, lr=0.02, min_lr=0, epochs=2)
    learner = model.learner()

    def noted(epoch, words, loss, lr):
        rates.append(2 * lr if epoch == 1 else lr)

    learner.partial_fit(EVERYDAY[0], callback=noted)
    learner.partial_fit(EVERYDAY[0], callback=noted)
    learner.partial_fit(EVERYDAY[0], callback=noted, lr=0.01)
    assert rates[::2] == pytest.approx([0.02, 0.02 * 0.5**0.5, 0.01])


# ---- files --------------------------------------------------------------------------------------


@models
@given(texts=texts)
def test_a_learner_from_a_file_goes_on_to_the_same_bits(model, tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("learner") / "saved"
    learner, other = model.learner(), model.learner()
    for text in accepted(model, texts):
        learner.partial_fit(text)
        other.partial_fit(text)
        other.save(path)
        other = Learner.load(path)
    assert other.model == model
    assert repr(learner) == repr(other)
    learner.partial_fit(EVERYDAY[0])
    assert same(learner, other.partial_fit(EVERYDAY[0]))


def test_rounds_do_not_depend_on_threads():
    model = dataclasses.replace(PLAIN, deterministic=True)
    one, four = (
        learnt_from(dataclasses.replace(model, threads=threads), EVERYDAY) for threads in (1, 4)
    )
    assert one.embedding.vectors.tobytes() == four.embedding.vectors.tobytes()


# ---- failures -----------------------------------------------------------------------------------


def test_ctrl_c_leaves_a_learner_that_goes_on(monkeypatch):
    """Here in the second half of the third epoch: what came before is kept, its draws are used."""
    train, epochs = firth.kernels.negative_sampling, []

    def interrupted(*args, epoch, **options):
        done = train(*args, epoch=epoch, **options)
        epochs.append(epoch)
        if epoch == 4:
            raise KeyboardInterrupt
        return done

    learner = learnt_from(PLAIN, EVERYDAY[:1])
    before = learner.embedding
    with monkeypatch.context() as patch:
        patch.setattr(firth.kernels, "negative_sampling", interrupted)
        with pytest.raises(KeyboardInterrupt) as stop:
            learner.partial_fit(EVERYDAY[1], epochs=9)
    assert stop.value.embedding is learner.embedding
    assert "yak" in learner.embedding
    assert not np.array_equal(learner.embedding["cat"], before["cat"])
    assert len(learner.embedding.metadata["losses"]) == 4
    assert epochs == [2, 3, 4]
    assert learner._learnt.epochs == 5
    learner.partial_fit(EVERYDAY[2])
    assert len(learner.embedding.metadata["losses"]) == 6


def test_after_an_error_the_learner_is_as_before():
    learner, untouched = (learnt_from(PLAIN, EVERYDAY[:1]) for _ in range(2))

    def fails(*told):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        learner.partial_fit(EVERYDAY[1], callback=fails)
    with pytest.raises(FloatingPointError):
        learner.partial_fit(EVERYDAY[1] * 300, lr=1000, epochs=100)
    with pytest.raises(ValueError, match="no tokens"):
        learner.partial_fit([])
    assert same(learner, untouched)
    assert same(learner.partial_fit(EVERYDAY[1]), untouched.partial_fit(EVERYDAY[1]))


def test_a_first_text_without_company_is_refused():
    learner = PLAIN.learner()
    with pytest.raises(ValueError, match="Word2Vec: no token had company"):
        learner.partial_fit(["alone"] * 5)
    assert same(learner.partial_fit(EVERYDAY[0]), learnt_from(PLAIN, EVERYDAY[:1]))


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"epochs": 0}, ValueError, "epochs=0"),
        ({"epochs": 1.5}, TypeError, "epochs=1.5"),
        ({"lr": 0}, ValueError, "lr=0"),
        ({"lr": "fast"}, TypeError, "lr='fast'"),
        ({"callback": 3}, TypeError, "callback=3"),
    ],
)
def test_what_partial_fit_cannot_use_is_named(change, error, says):
    with pytest.raises(error, match=f"^(Learner|Word2Vec): {says}"):
        PLAIN.learner().partial_fit("no-such-text", **change)


@pytest.mark.parametrize("model", [GloVe(), None, Word2Vec])
def test_only_models_that_can_go_on_have_learners(model):
    with pytest.raises(TypeError, match="Learner: model is"):
        Learner(model)
