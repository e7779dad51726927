"""word2vec's text format: real files, exact numbers, and every way a file can be wrong."""

import numpy as np
import pytest
from hypothesis import given

import firth
from firth import Embedding, FormatError
from firth.formats._rows import digits_of
from strategies import keys_and_vectors, plain_keys

GOOD = b"2 3\nking 1 -2.5 3e-2\nqueen 0.5 +1 -0\n"


@pytest.fixture
def read(tmp_path):
    """Read bytes as a file of this format."""

    def reading(content, limit=None):
        (tmp_path / "a.txt").write_bytes(content)
        return firth.read(tmp_path / "a.txt", "word2vec-text", limit)

    return reading


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD[:-1],
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n", b" \n"),
        b"2 3\nking 1.0 -250e-2 .03\nqueen 5E-1 1. -0.0000\n",
    ],
    ids=["plain", "no last line feed", "CRLF", "space at the end", "other numbers"],
)
def test_the_variants_that_tools_write_are_read(read, content):
    emb = read(content)
    assert emb.keys == ["king", "queen"]
    expected = np.array([[1, -2.5, 0.03], [0.5, 1, 0]], np.float32)
    np.testing.assert_array_equal(emb.vectors, expected)
    assert read(content, 1).keys == ["king"]
    assert read(content, 5).keys == ["king", "queen"]


def test_keys_may_have_any_byte_but_space_and_line_feed(read):
    emb = read(b"4 1\n\xff\xfe 1\na\tb\x0b\xc2\xa0 2\n\xe2\x80\xa8 3\n1_0 4\n")
    assert emb.keys == ["\udcff\udcfe", "a\tb\x0b\xa0", "\u2028", "1_0"]


DAMAGED = {
    "empty": (b"", "line 1 .byte 0.: expected a header of two integers"),
    "no header": (GOOD[4:], "a header of two integers"),
    "one number": (b"2\n", "a header"),
    "three numbers": (b"2 3 4\n", "a header"),
    "negative rows": (b"-2 3\n", "a header"),
    "negative dim": (b"2 -3\n", "a header"),
    "fraction": (b"2 3.0\n", "a header"),
    "a tab": (b"2\t3\n", "a header"),
    "a long header": (b"1" * 50 + b" 3\n", "a header"),
    "header cut": (b"2 3", "a header"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "a header"),
    "no dimensions": (b"2 0\na\nb\n", "at least 1 number per row, found 0"),
    "count larger": (GOOD.replace(b"2 3", b"3 3", 1), "line 4 .byte 37.: expected row 3 of 3"),
    "count smaller": (GOOD.replace(b"2 3", b"1 3", 1), "line 3 .byte 21.: expected the end"),
    "count zero": (GOOD.replace(b"2 3", b"0 3", 1), "expected the end after 0 rows"),
    "count huge": (b"999999999999999999 300\na 1\n", "at least [0-9]+ bytes for 9+ rows"),
    "dim huge": (b"1 999999999\na 1\n", "at least 2000000000 bytes for 1 rows"),
    "dim larger": (GOOD.replace(b"2 3", b"2 4", 1), "line 2 .byte 4.: expected 4 numbers, found 3"),
    "dim smaller": (GOOD.replace(b"2 3", b"2 2", 1), "expected 2 numbers, found 3 after the key"),
    "cut in a row": (GOOD[:-5], "line 3 .*expected 3 numbers, found 2 after the key"),
    "cut in a key": (GOOD[:24], "line 3"),
    "blank line": (b"2 1\na 1\n\nb 2\n", "line 3 .*found a blank line"),
    "blank line at the end": (GOOD + b"\n", "expected the end after 2 rows"),
    "garbage at the end": (GOOD + b"\0\0", "expected the end after 2 rows"),
    "no key": (GOOD.replace(b"queen", b""), "line 3 .*expected a key"),
    "a key with a space": (GOOD.replace(b"queen", b"the queen"), "3 numbers, found 4"),
    "two spaces": (GOOD.replace(b"1 -2.5", b"1  -2.5"), "3 numbers, found 4"),
    "tabs": (GOOD.replace(b"1 -2.5", b"1\t-2.5"), "3 numbers, found 2"),
    "a key twice": (GOOD.replace(b"queen", b"king"), "'king' was in line 2, found it again"),
    "comma": (GOOD.replace(b"2.5", b"2,5"), "a finite decimal number, found b'-2,5'"),
    "text": (GOOD.replace(b"2.5", b"x"), "a finite decimal number, found b'-x'"),
    "underscore": (GOOD.replace(b"2.5", b"2_5"), "a finite decimal number, found b'-2_5'"),
    "hexadecimal": (GOOD.replace(b"-2.5", b"0x1"), "a finite decimal number, found b'0x1'"),
    "NaN": (GOOD.replace(b"-2.5", b"nan"), "line 2 .*a finite decimal number, found b'nan'"),
    "infinity": (GOOD.replace(b"-2.5", b"inf"), "a finite decimal number, found b'inf'"),
    "overflow": (GOOD.replace(b"0.5", b"1e400"), "line 3: expected numbers within float32"),
    "above float32": (GOOD.replace(b"+1", b"-4e38"), "line 3: .*found number 2 above them"),
    "two signs": (GOOD.replace(b"-2.5", b"--2"), "a finite decimal number, found b'--2'"),
    "two points": (GOOD.replace(b"-2.5", b"2.5.1"), "a finite decimal number, found b'2.5.1'"),
    "no exponent": (GOOD.replace(b"3e-2", b"3e"), "a finite decimal number, found b'3e'"),
    "a sign only": (GOOD.replace(b"3e-2", b"-"), "a finite decimal number, found b'-'"),
    "Arabic digits": (GOOD.replace(b"3e-2", "٣".encode()), "a finite decimal number"),
    "a zero byte": (GOOD.replace(b"3e-2", b"3\0"), "a finite decimal number"),
    "a long line": (b"1 1\n" + b"a" * 2_000_000 + b" 1\n", "a line of at most 1048976 bytes"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named_with_the_place(read, case):
    content, expected = DAMAGED[case]
    with pytest.raises(FormatError, match=rf"a\.txt: .*{expected}"):
        read(content)


def test_written_numbers_are_the_shortest_that_read_back(tmp_path):
    vectors = np.array([[0.1, 1, -2.5, 1e-25, 16777216, 1 / 3, -0.0]], np.float32)
    Embedding(["a"], vectors).write(tmp_path / "a", format="word2vec-text")
    text = (tmp_path / "a").read_bytes()
    assert text == b"1 7\na 0.1 1 -2.5 1e-25 16777216 0.33333334 -0\n"
    np.testing.assert_array_equal(firth.read(tmp_path / "a").vectors, vectors)


def test_random_numbers_are_as_short_as_numpy_writes_them(tmp_path):
    rng = np.random.default_rng(2)
    numbers = (rng.standard_normal(20_000) * 10.0 ** rng.integers(-6, 6, 20_000)).astype("f4")
    numbers[:5000] = numbers[:5000].round(2)
    longer = 0
    for number, digits in zip(numbers, digits_of(numbers).tolist(), strict=True):
        ours = f"{number:.{digits - 1}e}".partition("e")[0].strip("-0").replace(".", "")
        theirs = np.format_float_scientific(number).partition("e")[0].strip("-0").replace(".", "")
        longer += len(ours.rstrip("0")) > len(theirs)
    assert longer < 10


def test_every_exponent_and_random_bits_read_back(tmp_path):
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 1 << 32, 20_000, np.uint32).view(np.float32)
    edges = (np.arange(1 << 9, dtype=np.uint32) << 23).view(np.float32)
    numbers = np.concatenate([bits, edges, np.nextafter(edges, np.float32(0))])
    numbers = numbers[np.isfinite(numbers)][:20_000].reshape(-1, 100)
    emb = Embedding([str(row) for row in range(len(numbers))], numbers)
    emb.write(tmp_path / "a", format="word2vec-text")
    found = firth.read(tmp_path / "a").vectors
    np.testing.assert_array_equal(found.view(np.uint32), numbers.view(np.uint32))


@given(keys_and_vectors(plain_keys))
def test_what_is_written_is_read(tmp_path_factory, pair):
    keys, vectors = pair
    path = tmp_path_factory.mktemp("a") / "a"
    Embedding(keys, vectors).write(path, format="word2vec-text")
    found = firth.read(path, "word2vec-text")
    assert found.keys == keys
    assert found.vectors.tobytes() == vectors.tobytes()


@pytest.mark.parametrize(
    ("name", "rows", "dim"),
    [
        ("EN.1-10.cbow1_wind5_hs0_neg10_size300_smpl1e-05.txt", 20, 300),
        ("finalfusion_similarity.txt", 41, 100),
        ("high_precision.kv.txt", 2, 2),
        ("lee_fasttext.vec", 1762, 10),
        ("pang_lee_polarity_fasttext.vec", 1694, 100),
        ("word2vec_pre_kv_c", 1750, 10),
    ],
)
def test_real_files_are_read(data, name, rows, dim):
    emb = firth.read(data / "formats" / name)
    assert (len(emb), emb.dim) == (rows, dim)
    line = (data / "formats" / name).read_bytes().split(b"\n")[1].split()
    assert emb.keys[0] == line[0].decode()
    assert emb.vectors[0].tolist() == np.array(line[1:], float).astype(np.float32).tolist()
    assert firth.read(data / "formats" / name, limit=2).keys == emb.keys[:2]


def test_a_real_file_with_a_wrong_count_is_refused(data):
    with pytest.raises(FormatError, match=r"pretrained\.vec: line 3 .*row 2 of 3, found the end"):
        firth.read(data / "formats" / "pretrained.vec")
