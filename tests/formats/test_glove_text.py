"""GloVe's text format: real files, keys with spaces, and every way a file can be wrong."""

import numpy as np
import pytest
from hypothesis import given

import firth
from firth import Embedding, FormatError
from strategies import keys_and_vectors, plain_keys

GOOD = b"king 1 -2.5 3e-2\nqueen 0.5 1 -0\n"


@pytest.fixture
def read(tmp_path):
    """Read bytes as a file of this format."""

    def reading(content, limit=None):
        (tmp_path / "a.txt").write_bytes(content)
        return firth.read(tmp_path / "a.txt", "glove-text", limit)

    return reading


@pytest.mark.parametrize("content", [GOOD, GOOD[:-1], GOOD.replace(b"\n", b" \r\n")])
def test_the_variants_that_tools_write_are_read(read, content):
    emb = read(content)
    assert emb.keys == ["king", "queen"]
    expected = np.array([[1, -2.5, 0.03], [0.5, 1, 0]], np.float32)
    np.testing.assert_array_equal(emb.vectors, expected)
    assert read(content, 1).keys == ["king"]
    assert read(content, 2).keys == ["king", "queen"]
    assert read(content, 3).keys == ["king", "queen"]


def test_keys_with_spaces_as_in_published_files_are_read(read):
    emb = read(b"a 1 2\n. . . 3 4\nat name@domain.com 5 6\n7 . 8 9\n")
    assert emb.keys == ["a", ". . .", "at name@domain.com", "7 ."]
    assert emb.vectors.tolist() == [[1, 2], [3, 4], [5, 6], [8, 9]]


DAMAGED = {
    "empty": (b"", "line 1 .byte 0.: expected a key and 1 to 100000 numbers"),
    "a key alone": (b"king\n", "a key and 1 to 100000 numbers"),
    "text": (b"the king\n", "a key and 1 to 100000 numbers"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "a byte order mark"),
    "no first key": (GOOD[4:], "a key and 1 to 100000 numbers"),
    "blank first line": (b"\n" + GOOD, "a key and 1 to 100000 numbers"),
    "blank line": (GOOD.replace(b"\n", b"\n\n", 1), "line 2 .byte 17.: .*found a blank line"),
    "blank line at the end": (GOOD + b"\n", "line 3 .*found a blank line"),
    "a header": (b"2 3\n" + GOOD, "line 2 .*expected 1 numbers, found 3"),
    "row shorter": (GOOD.replace(b" -0", b""), "line 2 .*expected 3 numbers, found 2"),
    "row longer": (GOOD.replace(b" -0", b" -0 5"), "line 2 .*expected 3 numbers, found 4"),
    "no key": (GOOD.replace(b"queen", b""), "line 2 .*expected a key"),
    "a key twice": (GOOD.replace(b"queen", b"king"), "'king' was in line 1"),
    "underscore": (GOOD.replace(b"0.5", b"1_0"), "found 2 after|a finite decimal number"),
    "NaN": (GOOD.replace(b" 1 -0", b" nan -0"), "a finite decimal number, found b'nan'"),
    "overflow": (GOOD.replace(b"-2.5", b"1e39"), "line 1: expected numbers within float32"),
    "a zero byte": (GOOD.replace(b"-0", b"-0\0"), "a finite decimal number"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named_with_the_place(read, case):
    content, expected = DAMAGED[case]
    with pytest.raises(FormatError, match=rf"a\.txt: .*({expected})"):
        read(content)


def test_damage_behind_the_limit_is_not_looked_at(read):
    assert read(GOOD + b"garbage", 2).keys == ["king", "queen"]


@given(keys_and_vectors(plain_keys.filter(lambda key: not key.startswith("\ufeff"))))
def test_what_is_written_is_read(tmp_path_factory, pair):
    keys, vectors = pair
    path = tmp_path_factory.mktemp("a") / "a"
    Embedding(keys, vectors).write(path, format="glove-text")
    found = firth.read(path, "glove-text")
    assert found.keys == keys
    assert found.vectors.tobytes() == vectors.tobytes()


def test_what_has_no_header_cannot_be_empty_or_begin_with_a_mark(tmp_path):
    with pytest.raises(ValueError, match="without keys"):
        Embedding([], np.zeros((0, 2))).write(tmp_path / "a", format="glove-text")
    with pytest.raises(ValueError, match="byte order mark"):
        Embedding(["\ufeffa"], [[1]]).write(tmp_path / "a", format="glove-text")
    assert not list(tmp_path.iterdir())


def test_real_files_are_read(data):
    emb = firth.read(data / "formats" / "test_glove.txt")
    assert (len(emb), emb.dim, emb.keys[0]) == (76, 50, "the")
    assert emb["the"][:3].tolist() == np.array([0.418, 0.24968, -0.41242], np.float32).tolist()
    bare = firth.read(data / "formats" / "finalfusion_similarity.nodims")
    text = firth.read(data / "formats" / "finalfusion_similarity.txt")
    assert bare.keys == text.keys
    np.testing.assert_array_equal(bare.vectors, text.vectors)
