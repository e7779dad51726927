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
