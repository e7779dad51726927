"""How work is cut: what quality stands for, and rounds that push no row too far."""

import dataclasses

import numpy as np
import pytest

from firth import Corpus, FastText, Word2Vec
from firth.models._plan import QUALITY, ROUND
from firth.models._training import Run

MANY = Word2Vec(dim=8, min_count=1, sample=0, deterministic=True)


def some_words(words, tokens=20_000, seed=0):
    rng = np.random.default_rng(seed)
    return Corpus.read([[str(w) for w in rng.integers(0, words, tokens)]], min_count=1)


@pytest.fixture(scope="module")
def corpus():
    return some_words(20_000, 100_000)


def plan_of(model, corpus):
    return Run.of(model, corpus, model._tables(corpus.vocabulary.words, None)).plan


@pytest.mark.parametrize("quality", QUALITY)
@pytest.mark.parametrize("deterministic", [False, True])
def test_quality_is_a_block_and_its_negatives(corpus, quality, deterministic):
    plan = plan_of(dataclasses.replace(MANY, quality=quality, deterministic=deterministic), corpus)
    assert (plan.block, plan.shared) == QUALITY[quality]


def test_each_quality_learns_something_else(corpus):
    found = [dataclasses.replace(MANY, epochs=1, quality=name).fit(corpus) for name in QUALITY]
    assert len({one.vectors.tobytes() for one in found}) == len(QUALITY)


def test_many_words_are_trained_in_whole_rounds(corpus):
    plan = plan_of(MANY, corpus)
    assert plan.round == ROUND
    assert plan.round % plan.piece == 0
    assert plan.threads is None
    assert plan_of(dataclasses.replace(MANY, deterministic=False), corpus).round == 0


def test_rounds_are_shorter_where_words_are_fewer_and_steps_longer(corpus):
    fewer = [plan_of(MANY, some_words(words)).round for words in (1000, 30, 12)]
    faster = [plan_of(dataclasses.replace(MANY, lr=lr), corpus).round for lr in (0.1, 5, 10)]
    for rounds in (fewer, faster):
        assert rounds == sorted(rounds, reverse=True)
        assert 0 < rounds[-1] < rounds[0]


def test_one_thread_trains_without_rounds_where_they_would_be_too_short():
    plan = plan_of(MANY, some_words(2))
    assert (plan.round, plan.threads) == (0, 1)


def test_steps_that_wait_take_little_memory(corpus):
    model = dataclasses.replace(MANY, dim=4096, window=10_000)
    plan = Run.of(model, corpus, MANY._tables(corpus.vocabulary.words, None)).plan
    plan = plan.in_rounds(model.window, model.dim, 1e-9)
    slot = 4 * (2 * plan.block + 2 * model.window + plan.shared) * model.dim
    assert plan.round // plan.block * slot <= 2**28


@pytest.mark.parametrize("model", [MANY, FastText(**{**vars(MANY), "buckets": 50})])
@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("words", [2, 4, 20, 100])
def test_few_words_do_not_run_away_in_rounds(model, words, cbow):
    model = dataclasses.replace(model, dim=32, cbow=cbow, epochs=20)
    vectors = model.fit(some_words(words, 5000)).vectors
    assert np.linalg.norm(vectors, axis=1).max() < 30
