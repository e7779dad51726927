"""Hypothesis strategies that several tests share."""

from hypothesis import strategies as st

# ---- tokens -------------------------------------------------------------------------------------

# Few letters, so that words repeat; every separator; bytes that are not UTF-8; words long enough to
# leave a key of 16 bytes and a group of 64.
WORDS = [b"a", b"b", b"ab", b" ", b"\n", b"\r\n", b"\t", b"\0", b"\xff", b"\xc3\xa9"]
WORDS += [b"word" * 5, b"x" * 70, b" " * 70, b"\n\n\n"]
texts = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(WORDS), max_size=120).map(b"".join),
)
