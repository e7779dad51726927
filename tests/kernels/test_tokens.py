"""The tokens kernel against the oracle, on every backend and instruction set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import kernels
from strategies import texts


def read(on, text, begin, end, seed=0):
    """What one call finds: (start, length, key, hash) of each token, and the breaks."""
    room = (end - begin + 1) // 2
    starts, lengths = np.full(room, -1, np.int64), np.full(room, -1, np.int64)
    keys, hashes = np.zeros((room, 2), np.uint64), np.zeros(room, np.uint64)
    breaks = np.full(room + 1, -1, np.int64)
    n, ended = on["backend"].tokens(
        text=np.frombuffer(text, np.uint8),
        begin=begin,
        end=end,
        seed=seed,
        starts=starts,
        lengths=lengths,
        keys=keys,
        hashes=hashes,
        breaks=breaks,
        isa=on["isa"] or "",
    )
    found = zip(
        starts[:n].tolist(),
        lengths[:n].tolist(),
        keys[:n].tolist(),
        hashes[:n].tolist(),
        strict=True,
    )
    return list(found), breaks[:ended].tolist()


def expected(text, begin, end, seed):
    found, breaks = [], []
    for start, token in oracle.tokens(text):
        if not begin <= start < end:
            continue
        if token == b"\n":
            if breaks[-1:] != [len(found)]:
                breaks.append(len(found))
            continue
        head = token[:16].ljust(16, b"\0")
        key = [int.from_bytes(head[:8], "little"), int.from_bytes(head[8:], "little")]
        found.append((start, len(token), key, oracle.token_hash(token, seed)))
    return found, breaks


@given(text=texts, seed=st.integers(0, 2**64 - 1), data=st.data())
def test_any_range_gives_the_oracles_tokens(on, text, seed, data):
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    assert read(on, text, begin, end, seed) == expected(text, begin, end, seed)


@pytest.mark.parametrize("before", [0, 1, 63, 64, 65, 2047, 2048, 2049])
@pytest.mark.parametrize("length", [1, 8, 15, 16, 17, 32, 33, 63, 64, 65, 2048, 5000])
def test_token_at_the_borders_of_groups_and_chunks(on, before, length):
    text = b" " * before + b"ab" * (length // 2) + b"c" * (length % 2) + b"\nx"
    for end in {len(text), before + 1, before + length, before + length + 1}:
        assert read(on, text, 0, end, 7) == expected(text, 0, end, 7)


def test_every_byte_is_a_separator_or_not(on):
    text = b"".join(b"a" + bytes([byte]) for byte in range(256))
    assert read(on, text, 0, len(text)) == expected(text, 0, len(text), 0)


def test_full_house_of_tokens_fits(on):
    text = b"a " * 5000 + b"a"
    found, breaks = read(on, text, 0, len(text))
    assert (len(found), breaks) == (5001, [])


@given(text=texts)
def test_public_function_finds_tokens_and_sentences(on, text):
    found = kernels.tokens(text, **on)
    tokens = [token for _, token in oracle.tokens(text) if token != b"\n"]
    cut = [
        text[start : start + length]
        for start, length in zip(found.starts, found.lengths, strict=True)
    ]
    assert cut == tokens
    assert found.hashes.tolist() == [oracle.token_hash(token, 0) for token in tokens]
    sizes = [len(line.replace(b"\0", b" ").split()) for line in text.split(b"\n")]
    assert np.diff(found.offsets).tolist() == [size for size in sizes if size]


def test_public_function_cuts_long_texts_anywhere(on):
    rng = np.random.default_rng(1)
    text = rng.choice(np.frombuffer(b"abcdefg \n", np.uint8), 2_500_000)
    raw = text.tobytes()
    found = kernels.tokens(text, **on)
    assert len(found.starts) == len(raw.split())
    assert np.diff(found.offsets).tolist() == [
        len(line.split()) for line in raw.split(b"\n") if line.strip()
    ]
    last = int(found.starts[-1])
    assert raw[last : last + int(found.lengths[-1])] == raw.split()[-1]


def test_wrong_text_is_a_type_error(on):
    with pytest.raises(TypeError, match="text is str"):
        kernels.tokens("a b", **on)
    with pytest.raises(TypeError, match="text is float64 of 1 dimensions"):
        kernels.tokens(np.zeros(3), **on)
    with pytest.raises(TypeError, match="text is uint8 of 2 dimensions"):
        kernels.tokens(np.zeros((3, 3), np.uint8), **on)
    with pytest.raises(ValueError, match="seed=-1 is not between"):
        kernels.tokens(b"a", seed=-1, **on)
