"""Hypothesis strategies that several tests share."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

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

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def keys_and_vectors(draw, keys):
    """Draw different keys and a matrix of any finite float32 for them."""
    names = draw(st.lists(keys, unique=True, min_size=1, max_size=8))
    dim = draw(st.integers(1, 5))
    return names, draw(arrays.arrays(np.float32, (len(names), dim), elements=finite))
