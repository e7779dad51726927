"""What the tests of corpora and of their sources share."""

from itertools import pairwise

import numpy as np

import oracle
from firth import Corpus

SETTINGS = {"min_count": 1}


def plain(corpus):
    """(words as bytes, counts, sentences of ids)."""
    words = [word.encode("utf-8", "surrogateescape") for word in corpus.vocabulary.words]
    sentences = [corpus.ids[a:b].tolist() for a, b in pairwise(corpus.offsets.tolist())]
    return words, corpus.vocabulary.counts.tolist(), sentences


def read(source, **options):
    """What Corpus.read gives, or None if it says that nothing is left."""
    try:
        return plain(Corpus.read(source, **{**SETTINGS, **options}))
    except ValueError as error:
        if "none of the" in str(error) or "no tokens" in str(error):
            return None
        raise


def expected(parts, min_count=1, max_vocab=None):
    words, counts, sentences = oracle.corpus(parts, min_count, max_vocab)
    return (words, counts, sentences) if sentences else None


def long_text(seed, size=5 << 20):
    """Random words over a few letters: many blocks, a sentence that crosses them, a long token."""
    rng = np.random.default_rng(seed)
    text = rng.choice(np.frombuffer(b"aabbccdefghij   ", np.uint8), size)
    text[rng.integers(0, size, 40)] = 10
    text[2 << 20 : (3 << 20) + 77] = ord("x")  # all of one block and the borders of both others
    return text.tobytes()
