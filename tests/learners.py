"""Learners that several tests teach: models, texts, and when two learners are the same."""

import dataclasses

import pytest
from hypothesis import strategies as st

import firth
from firth import FastText, Word2Vec

PLAIN = Word2Vec(dim=4, window=2, epochs=2, min_count=3, sample=0, threads=1)
ROWS = FastText(dim=4, window=2, epochs=2, min_count=3, sample=0, threads=1, buckets=50)
MODELS = [
    PLAIN,
    dataclasses.replace(PLAIN, cbow=True, deterministic=True, threads=2),
    ROWS,
    dataclasses.replace(ROWS, hashes=2, max_vocab=5),
    dataclasses.replace(ROWS, max_n=0, min_n=0),
]
models = pytest.mark.parametrize("model", MODELS, ids=["plain", "cbow", "rows", "floret", "own"])

sentences = st.lists(st.sampled_from(["a", "b", "ab", "ba", "abc", "é", "zz"]), min_size=2)
texts = st.lists(st.lists(sentences, min_size=1, max_size=12), min_size=1, max_size=4)


def learnt_from(model, texts):
    learner = model.learner()
    for text in texts:
        learner.partial_fit(text)
    return learner


def same(one, other):
    one, other = one.embedding, other.embedding
    tables = [(one.vectors, other.vectors), (one.counts, other.counts)]
    if isinstance(one, firth.SubwordEmbedding):
        tables += [(one.input, other.input), (one.output, other.output)]
    equal = all(a.tobytes() == b.tobytes() for a, b in tables)
    return equal and one.keys == other.keys and one.metadata == other.metadata


EVERYDAY = [
    [["cat", "dog", "cow", "rare"]] * 8 + [["rare", "cat"]],
    [["cat", "yak", "dog"], ["yak", "new", "cat"]] * 3 + [["late"]],
    [["late", "late", "cat"], ["dog", "yak"]],
]
