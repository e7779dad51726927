"""Broken files of vectors as text and as word2vec's binary format.

An answer is (words, vectors). Controls have 4 words and 3 numbers each.
"""

import gzip
import pickle

import numpy as np
from _hostile_bin import PLACE, specials
from _hostile_judge import Case

TEXT, BINARY, GLOVE = "word2vec text", "word2vec binary", "GloVe text"
ROWS = [b"the 1 2 3", b"cat 0.5 -1 2", b"sat 3 1 0.25", b"mat -2 0 1"]
VALUES = np.array([[1, 2, 3], [0.5, -1, 2], [3, 1, 0.25], [-2, 0, 1]], "<f4")
NAMES = [b"the", b"cat", b"sat", b"mat"]
AT = rf"line \d|row \d|header|{PLACE}"


def same(answer):
    """Say whether the words and numbers are those of the control."""
    words, vectors = answer
    names = [name.decode() for name in NAMES]
    return list(words) == names and bool(np.array_equal(vectors, VALUES))


def like(words=None, vectors=None):
    """Return a rule: the control's words or numbers but for what is given."""

    def rule(answer):
        wanted = [name.decode() for name in NAMES] if words is None else words
        numbers = VALUES if vectors is None else np.array(vectors, np.float32)
        return list(answer[0]) == wanted and bool(np.array_equal(answer[1], numbers))

    return rule


def text(rows=ROWS, head=None, end=b"\n"):
    """Return a file of rows of text."""
    head = b"%d 3" % len(rows) if head is None else head
    return end.join([head, *rows]) + end


def binary(names=NAMES, values=VALUES, head=None, end=b"\n"):
    """Return a file of words and float32."""
    head = b"%d %d\n" % values.shape if head is None else head
    rows = zip(names, values, strict=True)
    return head + b"".join(name + b" " + row.tobytes() + end for name, row in rows)


class Payload:
    """What unpickling would run: it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def _heads():
    heads = {
        "an empty header": b"",
        "a header of one number": b"4",
        "a header of three numbers": b"4 3 2",
        "a header of words": b"four three",
        "a header of fractions": b"4.0 3.0",
        "a negative count": b"-4 3",
        "a negative dim": b"4 -3",
        "dim 0": b"4 0",
        "count 0": b"0 3",
        "count and dim 0": b"0 0",
        "dim too large": b"4 4",
        "dim too small": b"4 2",
        "count too large": b"9 3",
        "count too small": b"2 3",
        "count 10^12": b"1000000000000 3",
        "count 2 x 10^8": b"200000000 3",
        "count 10^9, dim 300": b"1000000000 300",
        "dim 10^9": b"4 1000000000",
        "count x dim beyond 2^64": b"4294967296 4294967296",
        "a count of 5000 digits": b"1" * 5000 + b" 3",
        "an underscore in the count": b"0_4 3",
        "other digits": "４ 3".encode(),
        "a hexadecimal count": b"0x4 3",
        "NUL in the header": b"4\x00 3",
    }
    about = rf"header|first line|count|dim|size|rows|vectors|{AT}"
    for name, head in heads.items():
        yield name, head, about


def _texts():
    def changed(row, at=1):
        return text([*ROWS[:at], row, *ROWS[at + 1 :]])

    for name, head, about in _heads():
        yield name, text(head=head), about, None
    yield "empty", b"", rf"empty|{AT}", None
    yield "only a line end", b"\n", rf"empty|{AT}", None
    yield "without a header", text()[4:], AT, like()
    yield "only a header", b"4 3\n", AT, None
    yield "a byte order mark", b"\xef\xbb\xbf" + text(), AT, same
    yield "cut in a number", text()[:-3], AT, None
    yield "cut behind a word", text([*ROWS[:3], b"mat"]), AT, None
    yield "without the last line end", text()[:-1], AT, same
    yield "a row more", text(head=b"3 3"), AT, None
    yield "a row of text at the end", text() + b"# end\n", AT, None
    yield "a blank line", text([*ROWS[:2], b"", *ROWS[2:]], head=b"4 3"), AT, None
    yield "a number too many", changed(b"cat 0.5 -1 2 7"), AT, None
    yield "a number too few", changed(b"cat 0.5 -1"), AT, None
    yield "a word twice", changed(b"the 0.5 -1 2"), rf"twice|duplicate|{AT}", None
    yield "only one word, twice", text([b"a 1 2 3", b"a 1 2 3"]), rf"twice|dupl|{AT}", None
    for value in (b"nan", b"NaN", b"inf", b"-Infinity", b"1e400", b"-1e39"):
        about = rf"finite|nan|inf|float32|range|{AT}"
        yield f"{value.decode()} as a number", changed(b"cat 0.5 " + value + b" 2"), about, None
    strange = (b"x", b"1_0", b"0x1p3", b"1,5", b"1..5", b"1e", b"--1", b"+-1", b"1 .5", b"1e+", b"")
    strange += ("１".encode(), "٣".encode(), b"1\x002", b"\xff", b"1d0", b"True", b"1j", b"(1)")
    for value in strange:
        about = rf"number|float|convert|{AT}"
        yield f"{value!r} as a number", changed(b"cat 0.5 " + value + b" 2"), about, None
    tiny = [[1, 2, 3], [0.5, 0, 2], *VALUES[2:].tolist()]
    yield "1e-400 as a number", changed(b"cat 0.5 1e-400 2"), AT, like(vectors=tiny)
    tiny = [[1, 2, 3], [0.5, 1e-40, 2], *VALUES[2:].tolist()]
    yield "a denormal number", changed(b"cat 0.5 1e-40 2"), AT, like(vectors=tiny)
    yield "a number of 5000 digits", changed(b"cat 0.5 -1." + b"0" * 5000 + b" 2"), AT, same
    yield "a number of 1 MB", changed(b"cat 0.5 -1." + b"0" * 2**20 + b" 2"), AT, same
    spaced = [b"the  1 2 3", b"cat 0.5  -1 2", *ROWS[2:]]
    yield "two spaces between numbers", text(spaced), AT, same
    tabs = [row.replace(b" ", b"\t") for row in ROWS]
    yield "tabs for spaces", text(tabs), AT, same
    yield "commas for spaces", text([row.replace(b" ", b",") for row in ROWS]), AT, None
    yield "spaces at the ends of rows", text([row + b" " for row in ROWS]), AT, same
    yield "\\r\\n as line end", text(end=b"\r\n"), AT, same
    yield "\\r as line end", text(end=b"\r"), AT, same
    yield (
        "a space in a word",
        changed(b"big cat 0.5 -1 2"),
        AT,
        like(["the", "big cat", "sat", "mat"]),
    )
    yield "an empty word", changed(b" 0.5 -1 2"), AT, like(["the", "", "sat", "mat"])
    yield "NUL in a word", changed(b"c\0t 0.5 -1 2"), AT, like(["the", "c\0t", "sat", "mat"])
    raw = b"c\xfft".decode("utf-8", "surrogateescape")
    about = rf"utf|decode|{AT}"
    yield "no UTF-8 in a word", changed(b"c\xfft 0.5 -1 2"), about, like(["the", raw, "sat", "mat"])
    long = "x" * 2**20
    yield (
        "a word of 1 MB",
        changed(long.encode() + b" 0.5 -1 2"),
        AT,
        like(["the", long, "sat", "mat"]),
    )
    zero = [[0, 0, 0], *VALUES[1:].tolist()]
    yield "a zero vector", text([b"the 0 0 0", *ROWS[1:]]), AT, like(vectors=zero)
    yield "a number as a word", changed(b"7 0.5 -1 2"), AT, like(["the", "7", "sat", "mat"])
    yield "a binary file", binary(), AT, None
    yield "a gzipped file", gzip.compress(text()), rf"gzip|compress|{AT}", same
    yield "UTF-16", text().decode().encode("utf-16"), AT, None
    yield "1 MB without a line end", b"x" * 2**20, AT, None
    yield "1 MB of line ends", b"\n" * 2**20, rf"empty|{AT}", None
    yield "4 KB of zeros", bytes(4096), AT, None


def _binaries():
    for name, head, about in _heads():
        yield name, binary(head=head + b"\n"), about, None
    about = rf"finite|nan|inf|{AT}"
    for value in (np.nan, np.inf, -np.inf):
        bad = VALUES.copy()
        bad[2, 1] = value
        yield f"{value} as a number", binary(values=bad), about, None
    sizes = {"empty": 0, "cut in the header": 2, "only a header": 4, "cut in a word": 6}
    sizes |= {"cut behind a word": 8, "cut in a number": 13, "without its last number": -5}
    for name, end in sizes.items():
        yield name, binary()[:end], rf"empty|header|{AT}", None
    about = rf"trail|left|more|count|{AT}"
    yield "1 byte too many", binary() + b"x", about, None
    yield "a row more", binary(head=b"3 3\n"), about, None
    yield "1 MB too many", binary() + bytes(2**20), about, None
    yield "without line ends", binary(end=b""), AT, same
    about = rf"twice|dupl|{AT}"
    yield "a word twice", binary([b"the", b"cat", b"cat", b"mat"]), about, None
    yield (
        "an empty word",
        binary([b"the", b"", b"sat", b"mat"]),
        AT,
        like(["the", "", "sat", "mat"]),
    )
    raw, about = b"c\xfft".decode("utf-8", "surrogateescape"), rf"utf|decode|{AT}"
    names = [b"the", b"c\xfft", b"sat", b"mat"]
    yield "no UTF-8 in a word", binary(names), about, like(["the", raw, "sat", "mat"])
    yield (
        "NUL in a word",
        binary([b"the", b"c\0t", *NAMES[2:]]),
        AT,
        like(["the", "c\0t", "sat", "mat"]),
    )
    long = "x" * 2**20
    names = [b"the", long.encode(), *NAMES[2:]]
    yield "a word of 1 MB", binary(names), AT, like(["the", long, "sat", "mat"])
    yield "a word without an end", b"4 3\n" + b"x" * 2**20, rf"word|{AT}", None
    yield "float64 numbers", binary(values=VALUES.astype("<f8")), AT, None
    yield "a text file", text(), AT, None
    yield "a gzipped file", gzip.compress(binary()), rf"gzip|compress|{AT}", same
    yield "a pickle", pickle.dumps({"a": 1}), AT, None
    yield "4 KB of zeros", bytes(4096), AT, None


def _gloves():
    rows = b"\n".join(ROWS) + b"\n"
    yield "empty", b"", rf"empty|{AT}", None
    yield "a number too many", rows.replace(b"-1 2", b"-1 2 7"), AT, None
    yield "a number too few", rows.replace(b"-1 2", b"-1"), AT, None
    yield "a word twice", rows.replace(b"cat", b"the"), rf"twice|dupl|{AT}", None
    for value in (b"nan", b"inf", b"1e400", b"x", b"1_0", b"1,5"):
        about = rf"finite|nan|inf|number|float|convert|{AT}"
        yield f"{value.decode()} as a number", rows.replace(b"0.25", value), about, None
    yield "cut in a row", rows[:-5], AT, None
    yield "a blank line", rows.replace(b"\nsat", b"\n\nsat"), AT, None
    yield "only words", b"the\ncat\nsat\n", AT, None
    yield "a header of word2vec", text(), AT, None
    yield "1 MB without a line end", b"x" * 2**20, AT, None
    spaced = like([". . .", "cat", "sat", "mat"])
    yield "spaces in a word", rows.replace(b"the", b". . ."), AT, spaced
    yield "4 KB of zeros", bytes(4096), AT, None


def _cases(group, control, part):
    yield Case(group, "control", control, right=same)
    yield from specials(group)
    for name, given, about, right in part():
        yield Case(group, name, given, about, right, control)


CASES = [
    *_cases(TEXT, text(), _texts),
    *_cases(BINARY, binary(), _binaries),
    *_cases(GLOVE, b"\n".join(ROWS) + b"\n", _gloves),
]
