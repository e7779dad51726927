"""word2vec's binary format: real files, exact numbers, and every way a file can be wrong."""

import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given

import firth
from firth import Embedding, FormatError
from strategies import keys_and_vectors, plain_keys


def row(key, *numbers):
    return key + b" " + struct.pack(f"<{len(numbers)}f", *numbers)


GOOD = b"2 2\n" + row(b"king", 1, -2.5) + b"\n" + row(b"queen", 0.5, 3) + b"\n"
BARE = b"2 2\n" + row(b"king", 1, -2.5) + row(b"queen", 0.5, 3)


@pytest.fixture
def read(tmp_path):
    """Read bytes as a file of this format."""

    def reading(content, limit=None):
        (tmp_path / "a.bin").write_bytes(content)
        return firth.read(tmp_path / "a.bin", "word2vec-binary", limit)

    return reading


@pytest.mark.parametrize("content", [GOOD, BARE, GOOD[:-1], BARE.replace(b"2 2\n", b"2 2 \r\n")])
def test_rows_with_and_without_line_feeds_are_read(read, content):
    emb = read(content)
    assert emb.keys == ["king", "queen"]
    assert emb.vectors.tolist() == [[1, -2.5], [0.5, 3]]
    assert emb.vectors.flags.writeable
    assert read(content, 1).keys == ["king"]
    assert read(content, 9).keys == ["king", "queen"]


def test_numbers_that_look_like_spaces_and_line_feeds_are_numbers(read):
    numbers = np.frombuffer(b"    \n\n\n\n \n \n\n  \n" * 2, "<f4")
    emb = read(b"2 4\n" + row(b"a", *numbers[:4]) + b"\n" + row(b"b", *numbers[4:]) + b"\n")
    assert emb.keys == ["a", "b"]
    assert emb.vectors.tobytes() == numbers.tobytes()


DAMAGED = {
    "empty": (b"", "line 1 .byte 0.: expected a header"),
    "no header": (GOOD[4:], "a header"),
    "no dimensions": (b"2 0\na b ", "at least 1 number"),
    "count larger": (BARE.replace(b"2 2", b"3 2", 1), "at least 30 bytes for 3 rows"),
    "a row less": (b"2 1\n" + row(b"a_long_key", 1), "row 2 .byte 19.: .*found 0 bytes"),
    "count smaller": (BARE.replace(b"2 2", b"1 2", 1), "byte 17: expected the end after 1 rows"),
    "count huge": (BARE.replace(b"2 2", b"999999999999999999 2", 1), "at least [0-9]+ bytes"),
    "dim huge": (BARE.replace(b"2 2", b"2 999999999", 1), "at least 7999999996 bytes"),
    "dim larger": (BARE.replace(b"2 2", b"2 3", 1), "row 2|at least"),
    "dim smaller": (BARE.replace(b"2 2", b"2 1", 1), "expected"),
    "cut in a vector": (GOOD[:-3], "row 2 .byte 18.: expected a key, a space and 8 bytes"),
    "cut in a key": (GOOD[:20], "byte 4: expected at least 20 bytes"),
    "garbage at the end": (GOOD + b"\0", "byte 32: expected the end|the end after 2 rows"),
    "two line feeds": (GOOD.replace(b"\nqueen", b"\n\nqueen"), "row 2 .*a key that ends"),
    "no key": (GOOD.replace(b"queen", b""), "row 2 .*a key that ends with a space, found b''"),
    "a key twice": (GOOD.replace(b"queen", b"king"), "'king' was in row 1, found it again"),
    "NaN": (GOOD.replace(row(b"queen", 0.5), row(b"queen", np.nan)), "row 2 of key 'queen'"),
    "infinity": (GOOD.replace(row(b"king", 1), row(b"king", -np.inf)), "row 1 of key 'king'"),
    "text": (b"2 2\nking 1 2\nqueen 3 4\n", "expected"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named_with_the_place(read, case):
    content, expected = DAMAGED[case]
    with pytest.raises(FormatError, match=rf"a\.bin: .*({expected})"):
        read(content)


def test_a_lying_header_allocates_nothing(read):
    tracemalloc.start()
    with pytest.raises(FormatError, match="at least"):
        read(BARE.replace(b"2 2", b"100000000 300", 1))
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_what_is_written_has_the_form_of_word2vec(tmp_path):
    emb = Embedding(["king", "queen"], [[1, -2.5], [0.5, 3]])
    emb.write(tmp_path / "a", format="word2vec-binary")
    assert (tmp_path / "a").read_bytes() == GOOD


@given(keys_and_vectors(plain_keys))
def test_what_is_written_is_read(tmp_path_factory, pair):
    keys, vectors = pair
    path = tmp_path_factory.mktemp("a") / "a"
    Embedding(keys, vectors).write(path, format="word2vec-binary")
    found = firth.read(path, "word2vec-binary")
    assert found.keys == keys
    assert found.vectors.tobytes() == vectors.tobytes()


def test_real_files_are_read(data):
    folder = data / "formats"
    emb = firth.read(folder / "euclidean_vectors.bin")
    assert (len(emb), emb.dim, emb.keys[:2]) == (2747, 10, ["the", "to"])
    assert firth.read(folder / "euclidean_vectors.bin", limit=5).keys == emb.keys[:5]
    pair = [firth.read(folder / f"finalfusion_similarity.{end}") for end in ("bin", "txt")]
    assert pair[0].keys == pair[1].keys
    np.testing.assert_array_equal(pair[0].vectors, pair[1].vectors)
    emb = firth.read(folder / "high_precision.kv.bin")
    assert emb.keys == ["kangaroo.n.01", "horse.n.01"]
    assert emb.vectors[1].tolist() == [-0.0008544921875, 0.0007696151733398438]
