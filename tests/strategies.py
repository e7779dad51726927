"""Hypothesis strategies that several tests share."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

# ---- tokens -------------------------------------------------------------------------------------

# Few letters, so that words repeat; every separator; bytes that are not UTF-8; words long enough to
# leave a key of 16 bytes and a group of 64.
WORDS = [b"a", b"b", b"ab", b" ", b"\n", b"\r\n", b"\t", b"\0", b"\xff", b"\xc3\xa9"]
WORDS += [b"word" * 5, b"x" * 70, b" " * 70, b"\n\n\n"]
texts = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(WORDS), max_size=120).map(b"".join),
)


# ---- subwords -----------------------------------------------------------------------------------

# Any bytes (continuation bytes at the start, NUL, what is not UTF-8), any text, and letters that
# make words of boundaries, of fastText's end of a line and of characters of each width.
LETTERS = ["</s>", "a", "b", "<", ">", "/", "s", "\0", "\n", "\r", "é", "テ", "\U0001d11e"]
any_words = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.lists(st.sampled_from(LETTERS), max_size=20).map(lambda word: "".join(word).encode()),
        st.text(max_size=20).map(lambda word: word.encode("utf-8", "replace")),
    ),
    max_size=12,
)


@st.composite
def ngram_rules(draw, most_buckets=2**31 - 1):
    """Draw the arguments that say what n-grams words have and where they go."""
    min_n = draw(st.sampled_from([1, 2, 3, 7, 2**16]))
    return {
        "min_n": min_n,
        "max_n": draw(st.sampled_from([0, min_n, min(min_n + 3, 2**16), 2**16])),
        "buckets": draw(st.sampled_from([1, 10, 2**16]) | st.integers(1, most_buckets)),
        "hashes": draw(st.integers(0, 4)),
    }


# Words in which bytes above 127 stand alone, as in Latin-1.
lone_bytes = st.text(st.characters(max_codepoint=255), max_size=20).map(
    lambda text: text.encode("latin-1").translate(None, b"\n")
)


# ---- embeddings ---------------------------------------------------------------------------------

# Any text, with lone surrogates, spaces, line feeds and without characters.
any_keys = st.text(st.characters(), max_size=6)

# What word2vec and GloVe files can hold: bytes without space and line feed, decoded as they are.
plain_keys = (
    st.binary(min_size=1, max_size=8)
    .map(lambda raw: raw.replace(b" ", b"").replace(b"\n", b""))
    .filter(bool)
    .map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)

# What fastText's files can hold: tokens of a text.
token_keys = (
    st.binary(min_size=1, max_size=8)
    .map(lambda raw: raw.translate(None, b" \t\n\v\f\r\0"))
    .filter(bool)
    .map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def keys_and_vectors(draw, keys):
    """Draw different keys and a matrix of any finite float32 for them."""
    names = draw(st.lists(keys, unique=True, min_size=1, max_size=8))
    dim = draw(st.integers(1, 5))
    return names, draw(arrays.arrays(np.float32, (len(names), dim), elements=finite))


# ---- counts -------------------------------------------------------------------------------------

WEIGHTS = ["distance", "uniform", "linear"]


@st.composite
def sentences_of_ids(draw, most_words=40):
    """Draw how many words there are, and sentences of them, of which some are empty."""
    words = draw(st.integers(1, most_words))
    lengths = draw(st.lists(st.sampled_from([0, 1, 2, 5, 40, 63, 64, 65, 130]), max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    some = draw(st.integers(1, words))  # words that are used, so that some rows are empty
    return words, [rng.integers(0, some, length).astype(np.uint32) for length in lengths]


@st.composite
def sums_of_words(draw, rows, columns, most=2**62):
    """Draw counts, {(row, column): sum}."""
    pairs = st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1))
    return draw(st.dictionaries(pairs, st.integers(1, most), max_size=30))


# ---- glove --------------------------------------------------------------------------------------


@st.composite
def fits(draw):
    """Draw a few counts with tables and settings that reach the corners of the kernel."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, columns = (draw(st.sampled_from([1, 2, 3, 9, 20])) for _ in range(2))
    dense = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    largest = draw(st.sampled_from([2, 30, 10_000]))
    pairs = np.argwhere(rng.random((rows, columns)) < dense).tolist()
    values = rng.uniform(0.02, largest, len(pairs)).astype(np.float32)
    return {
        "shape": (rows, columns),
        "counts": dict(zip(map(tuple, pairs), values.tolist(), strict=True)),
        "dim": draw(st.sampled_from([1, 2, 13, 14, 15, 16, 30, 31, 46, 50, 100, 126])),
        "groups": draw(st.integers(1, min(rows, columns))),
        "seed": draw(st.integers(0, 2**64 - 1)),
        "epoch": draw(st.integers(0, 2**32 - 1)),
        "lr": draw(st.sampled_from([0.01, 0.05, 0.1])),
        "x_max": draw(st.sampled_from([1.0, 10.0, 100.0])),
        "alpha": draw(st.sampled_from([0.0, 0.5, 0.75, 1.0])),
    }
