"""What the tests of counts share: counting word by word, and comparing."""

from fractions import Fraction
from itertools import chain

import numpy as np
from hypothesis import strategies as st

from firth import Counts

RULES = {
    "distance": lambda d, window: Fraction(1, d),
    "uniform": lambda d, window: Fraction(1),
    "linear": lambda d, window: Fraction(window - d + 1, window),
}

# Sentences over few words, so that they meet; bytes that are not UTF-8; the empty sentence.
sentences = st.lists(st.lists(st.sampled_from(["a", "b", "c", "ä", "\udcff", "dd"]), max_size=8))
some_sentences = sentences.filter(any)


def pairs(rows, window, weights="distance", symmetric=True, sentences=True):
    """{(word, word): how often they meet}, as fractions."""
    found = {}
    for row in rows if sentences else [list(chain(*rows))]:
        for t, word in enumerate(row):
            for d in range(1, min(window, len(row) - 1 - t) + 1):
                ways = [(word, row[t + d])] + [(row[t + d], word)] * symmetric
                for pair in ways:
                    found[pair] = found.get(pair, 0) + RULES[weights](d, window)
    return found


def told(counts):
    """The same of counts."""
    words, sums = counts.vocabulary.words, counts.sums
    rows = np.repeat(np.arange(len(words)), np.diff(sums.indptr)).tolist()
    entries = zip(rows, sums.indices.tolist(), sums.data.tolist(), strict=True)
    return {(words[a], words[b]): Fraction(value, counts.unit) for a, b, value in entries}


def same(found, expected):
    """Whether counts agree bit for bit, words and rule included."""
    rule = ("vocabulary", "unit", "window", "weights", "symmetric", "sentences", "tokens")
    arrays = ("indptr", "indices", "data")

    def bits(counts):
        kept = [getattr(counts.sums, name) for name in arrays]
        return [(array.dtype, array.tobytes()) for array in kept], counts.sums.columns

    return all(getattr(found, n) == getattr(expected, n) for n in rule) and bits(found) == bits(
        expected
    )


def small(**options):
    """Counts of a few words."""
    rows = [["the", "cat", "and", "the", "dog"], ["the", "dog"], ["a", "b\udcff", "ä"]]
    return Counts.of(rows, **{"window": 3, "min_count": 1, **options})
