"""What holds for all formats: the table, sniffing, round trips, mutated files, refused keys."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import Embedding, FormatError
from firth.formats import FORMATS, format_of
from strategies import keys_and_vectors, plain_keys, token_keys

KEYED = [name for name in FORMATS if name != "floret"]  # floret's has no keys: see its own tests
FILES = [name for name in KEYED if name != "firth"]
EMB = Embedding(["king", "queen", "Käse"], [[1, -2.5, 0.1], [0.5, 3, 1e-5], [4, 5, 6]])


@pytest.fixture(params=FILES)
def written(request, tmp_path):
    """The name of a format, and a small file of it."""
    EMB.write(tmp_path / "a", format=request.param)
    return request.param, tmp_path / "a"


@pytest.mark.parametrize("name", KEYED)
def test_a_written_file_is_recognised(tmp_path, name):
    EMB.write(tmp_path / "a", format=name)
    found = firth.read(tmp_path / "a")
    assert found.keys == EMB.keys
    assert found.vectors.tobytes() == EMB.vectors.tobytes()
    assert firth.read(tmp_path / "a", name, 2).keys == EMB.keys[:2]


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
def test_any_file_with_a_header_or_more_than_one_number_is_recognised(tmp_path_factory, name, data):
    kind = token_keys if name == "fasttext-binary" else plain_keys
    keys, vectors = data.draw(keys_and_vectors(kind))
    path = tmp_path_factory.mktemp("a") / "a"
    keys = [f"_{key}" for key in keys]  # "2 3" alone is a header and a row of GloVe
    Embedding(keys, vectors).write(path, format=name)
    assert firth.read(path).keys == keys


def test_a_binary_number_that_begins_with_a_line_feed_is_recognised(tmp_path):
    vectors = np.frombuffer(b"\n\xd7\xa3;", "<f4").reshape(1, 1)
    Embedding(["key"], vectors).write(tmp_path / "a", format="word2vec-binary")
    assert firth.read(tmp_path / "a").vectors == vectors


def test_what_is_of_no_format_is_refused(tmp_path):
    path = tmp_path / "a"
    for content, found in [
        (b"", "found b''"),
        (b"the quick brown fox\n", "found b'the quick brown fox"),
        (b"\x1f\x8b\x08" + bytes(20), "a compressed file, to be unpacked first"),
        (b"\xba\x16\x4f\x2e" + bytes(20), "found b"),
    ]:
        path.write_bytes(content)
        with pytest.raises(FormatError, match=f"expected one of the formats firth, .*{found}"):
            firth.read(path)
    with pytest.raises(FormatError, match=r"found a folder without config\.json"):
        firth.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        firth.read(tmp_path / "missing")
    with pytest.raises(ValueError, match="found a character device"):
        firth.read("/dev/zero")


def test_wrong_arguments_are_named(written):
    _, path = written
    with pytest.raises(ValueError, match="format: 'word2vec' is none of firth, fasttext-binary"):
        firth.read(path, "word2vec")
    with pytest.raises(ValueError, match="format: 'x' is none of"):
        EMB.write(path, format="x")
    for limit in (0, -1):
        with pytest.raises(ValueError, match=f"read: limit={limit} is not at least 1"):
            firth.read(path, limit=limit)


@pytest.mark.parametrize("key", ["", " ", "New York", "a\n", "\n", "\ud800", "\udcc3\udca4"])
def test_keys_that_a_format_cannot_hold_are_refused_before_writing(written, key):
    name, path = written
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"{name}: key "):
        Embedding(["a", key], np.ones((2, 3))).write(path, format=name)
    assert path.read_bytes() == before


def damaged(content, rng):
    """Return content with one to three random changes: bytes, cuts, insertions, doubled parts."""
    result = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at, size = int(rng.integers(0, len(result))), int(rng.integers(1, 9))
        piece = bytes(result[at : at + size])
        kind = rng.integers(0, 6)
        if kind == 0:
            result[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            result[at : at + size] = b""
        elif kind == 2:
            result[at:at] = piece * int(rng.integers(1, 50))
        elif kind == 3:
            result[at:at] = rng.bytes(size)
        elif kind == 4:
            result[at : at + 1] = [b"\n", b" ", b"9", b"-", b"e", b"\0"][int(rng.integers(0, 6))]
        else:
            result[at:] = b""
        if not result:
            break
    return bytes(result)


@pytest.mark.parametrize("block", range(4))
def test_a_mutated_file_is_refused_or_read_to_finite_numbers(written, block):
    name, path = written
    content = path.read_bytes()
    rng = np.random.default_rng(block)
    refused = 0
    for _ in range(150):
        path.write_bytes(damaged(content, rng))
        for limit in (None, 1):
            try:
                emb = firth.read(path, name, limit)
            except FormatError as error:
                assert str(path) in str(error)  # noqa: PT017
                refused += 1
            else:
                assert emb.vectors.shape == (len(emb), emb.dim)
                assert len(set(emb.keys)) == len(emb)
                assert np.isfinite(emb.vectors).all()
        try:
            firth.read(path)
        except FormatError:
            refused += 1
    assert refused > 50


@given(st.binary(max_size=200), st.sampled_from([*FILES, "floret"]))
def test_any_bytes_are_refused_or_read(tmp_path_factory, content, name):
    path = tmp_path_factory.mktemp("a") / "a"
    path.write_bytes(content)
    for format_ in (None, name):
        try:
            emb = firth.read(path, format_)
        except FormatError:
            continue
        assert np.isfinite(emb.vectors).all()


def test_reading_takes_memory_in_proportion_to_the_file(tmp_path):
    path = tmp_path / "a"
    for name, content in [
        ("word2vec-text", b"20000 1\n" + b"".join(b"%d 1\n" % n for n in range(20_000))),
        ("glove-text", b"".join(b"%d 1\n" % n for n in range(20_000))),
        ("word2vec-binary", b"20000 1\n" + b"".join(b"%d abcd" % n for n in range(20_000))),
    ]:
        path.write_bytes(content)
        tracemalloc.start()
        emb = firth.read(path, name)
        # beside the vectors the keys: about 120 bytes each with their places in list and index
        assert tracemalloc.get_traced_memory()[1] < 2 * len(content) + 250 * len(emb)
        tracemalloc.stop()


def test_all_formats_offer_the_same():
    for name in FORMATS:
        module = format_of(name)
        assert all(callable(getattr(module, part)) for part in ("sniff", "read", "write"))
