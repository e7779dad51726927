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
