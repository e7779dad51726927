"""Stanford's files of co-occurrences: what is written is read, in any order; damage is named."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counted import same, small, some_sentences, told
from firth import Counts, FormatError, Vocabulary
from firth.formats import glove_counts
from firth.formats.glove_counts import RECORD

ABC = Vocabulary(["a", "b", "c"], [5, 3, 2])


def records(*rows):
    return np.array(list(rows), RECORD).tobytes()


@pytest.fixture
def blocks(monkeypatch):
    """Small blocks, so that few records are many of them."""
    monkeypatch.setattr(glove_counts, "BLOCK", 3)


@pytest.mark.usefixtures("blocks")
@given(
    some_sentences,
    st.integers(1, 22),
    st.sampled_from(["distance", "uniform", "linear"]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_what_is_written_is_read_in_any_order(tmp_path_factory, rows, window, weights, both, dice):
    folder = tmp_path_factory.mktemp("a")
    rule = {"window": window, "weights": weights, "symmetric": both}
    counts = Counts.of(rows, min_count=1, **rule)
    counts.write_glove(folder / "file")
    counts.vocabulary.save(folder / "vocab")
    assert same(Counts.read_glove(folder / "file", counts.vocabulary, **rule), counts)
    written = np.fromfile(folder / "file", RECORD)
    dice.shuffle(order := list(range(len(written))))
    (folder / "file").write_bytes(written[order].tobytes())
    assert same(Counts.read_glove(folder / "file", folder / "vocab", **rule), counts)
    again = written[order]
    (folder / "file").write_bytes(np.concatenate([written, again]).tobytes())
    twice = Counts.read_glove(folder / "file", folder / "vocab", **rule)
    assert told(twice) == {pair: 2 * value for pair, value in told(counts).items()}


def test_records_are_what_the_programs_read(tmp_path):
    counts = Counts.of([["a", "b", "a"]], window=2, min_count=1)
    counts.write_glove(tmp_path / "file")
    expected = records((1, 1, 1.0), (1, 2, 2.0), (2, 1, 2.0))
    assert (tmp_path / "file").read_bytes() == expected
    counts.vocabulary.save(tmp_path / "vocab")
    assert (tmp_path / "vocab").read_bytes().split() == [b"a", b"2", b"b", b"1"]


# The text "the cat sat on the mat", "the dog sat", "on the dog the cat sat", one sentence a line,
# counted by Stanford's programs: vocab_count -min-count 1, cooccur -window-size 3, shuffle -seed 7.
THEIR_WORDS = b"the 5\nsat 3\ncat 2\ndog 2\non 2\nmat 1\n"
THEIRS = """
    2 3 2.0  6 2 0.3333333333333333  6 1 1.0  5 2 1.0  1 3 2.666666666666667
    5 1 2.6666666666666665  1 2 2.0  3 5 0.5  2 1 2.0  2 6 0.3333333333333333  4 1 3.0  2 5 1.0
    3 1 2.666666666666667  1 5 2.6666666666666665  2 4 1.3333333333333333  5 4 0.5  1 4 3.0
    4 5 0.5  1 1 1.0  5 3 0.5  6 5 0.5  1 6 1.0  3 4 0.5  4 3 0.5  4 2 1.3333333333333333
    5 6 0.5  3 2 2.0
"""


def test_stanfords_counts_of_a_text_are_ours(tmp_path):
    fields = THEIRS.split()
    rows = zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    (tmp_path / "shuffled.bin").write_bytes(records(*rows))
    (tmp_path / "vocab.txt").write_bytes(THEIR_WORDS)
    text = "the cat sat on the mat\nthe dog sat\n\non the dog the cat sat\n"
    ours = Counts.of([text], window=3, min_count=1)
    theirs = Counts.read_glove(tmp_path / "shuffled.bin", tmp_path / "vocab.txt", window=3)
    assert same(theirs, ours)


def test_a_vocabulary_may_stand_in_any_order(tmp_path):
    """Those programs do not order words of the same count as firth does."""
    (tmp_path / "vocab").write_bytes(b"c 2\nb\xff 2\r\nx y 2\na\t9")
    (tmp_path / "file").write_bytes(records((1, 2, 3.0), (4, 1, 5.0), (2, 3, 7.0)))
    counts = Counts.read_glove(tmp_path / "file", tmp_path / "vocab", weights="uniform", window=5)
    assert counts.vocabulary.words == ["a", "b\udcff", "c", "x y"]
    assert counts.vocabulary.counts.tolist() == [9, 2, 2, 2]
    assert told(counts) == {("c", "b\udcff"): 3, ("a", "c"): 5, ("b\udcff", "x y"): 7}
    assert (counts.tokens, counts.unit, counts.window, counts.sentences) == (15, 1, 5, True)


def test_without_a_window_values_are_rounded_finely(tmp_path):
    values = [0.1, 1e-12, 1234.5, 2.0**30]
    (tmp_path / "file").write_bytes(
        records(*((1 + i // 3, 1 + i % 3, v) for i, v in enumerate(values)))
    )
    counts = Counts.read_glove(tmp_path / "file", ABC)
    assert (counts.unit, counts.window) == (2**32, None)
    assert counts.sums.data.tolist() == [round(0.1 * 2**32), 1, 2469 * 2**31, 2**62]
    assert counts["a", "c"] == 1234.5


def test_sums_of_floating_point_become_whole(tmp_path):
    """Values were added up with errors in their last digits."""
    values = [sum([1 / 3, 1 / 7] * 1000), sum([1 / 10] * 100_000)]
    (tmp_path / "file").write_bytes(records((1, 1, values[0]), (1, 2, values[1])))
    counts = Counts.read_glove(tmp_path / "file", ABC, window=10)
    exact = 1000 * Fraction(10, 21), Fraction(10_000)
    assert told(counts) == {("a", "a"): exact[0], ("a", "b"): exact[1]}


def test_an_empty_file_has_no_counts(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    counts = Counts.read_glove(tmp_path / "file", ABC)
    assert (counts.sums.nnz, counts.sums.shape) == (0, (3, 3))


# ---- what is wrong ------------------------------------------------------------------------------

NAN = float("nan")
WRONG = {
    "row 0": (records((1, 1, 1), (0, 1, 1)), "byte 16: expected a word 1 to 3, found 0"),
    "row 4": (records((1, 1, 1), (4, 1, 1)), "byte 16: expected a word 1 to 3, found 4"),
    "row -1": (records((-1, 1, 1)), "byte 0: expected a word 1 to 3, found -1"),
    "row lowest": (records((-(2**31), 1, 1)), "found -2147483648"),
    "column 0": (records((1, 0, 1)), "byte 4: expected a word 1 to 3, found 0"),
    "column highest": (records((1, 2**31 - 1, 1)), "byte 4: .* found 2147483647"),
    "zero": (records((1, 1, 1), (1, 2, 0.0)), "byte 24: expected a finite value above 0"),
    "negative": (records((1, 1, -0.5)), "byte 8: .* found -0.5"),
    "NaN": (records((1, 1, 1), (1, 1, NAN)), "byte 24: .* found nan"),
    "infinite": (records((1, 1, float("inf"))), "byte 8: .* found inf"),
    "far block": (records(*[(1, 1, 1)] * 7, (1, 9, 1)), "byte 116: .* found 9"),
    "half a record": (records((1, 1, 1)) + b"1234567", "byte 16: expected a record of 16 bytes"),
    "15 bytes": (b"0" * 15, "byte 0: expected a record of 16 bytes, found 15 bytes"),
    "huge": (records((1, 1, 1e300)), "byte 8: expected a value below .* found 1e"),
    "overflow": (records((1, 1, 1.7e308)), "byte 8: expected a value below"),
    "a sum too large": (records(*[(1, 1, 2.0**60 / 60)] * 9), "a sum above 2\\*\\*63"),
    "no multiple": (records((1, 1, 1.01)), "byte 8: expected a multiple of 1/60"),
    "too small": (records((1, 1, 1e-9)), "byte 8: expected a multiple of 1/60"),
}


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("case", WRONG)
def test_damage_is_named_with_its_byte(tmp_path, case):
    data, expected = WRONG[case]
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(FormatError, match=expected) as caught:
        Counts.read_glove(tmp_path / "file", ABC, window=5)
    assert str(tmp_path / "file") in str(caught.value)


def test_a_large_value_without_a_window_says_what_helps(tmp_path):
    (tmp_path / "file").write_bytes(records((1, 1, 2.0**31)))
    with pytest.raises(FormatError, match=r"below 2.14748e\+09, .*give the window"):
        Counts.read_glove(tmp_path / "file", ABC)
    assert Counts.read_glove(tmp_path / "file", ABC, window=5)["a", "a"] == 2.0**31


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"a 3\nb\n", "line 2: expected a word and its count"),
        (b"a 3\n\nb 2\n", "line 2"),
        (b"a 3\nb 0\n", "line 2"),
        (b"a 3\nb -1\n", "line 2"),
        (b"a 3\nb 1_0\n", "line 2"),
        (b"a 3\nb 99999999999999999999\n", "line 2"),
        (b"3\n", "line 1"),
        (b" 3\n", "line 1"),
        (b"a 3\nb 2\na 1\n", "line 3: expected a new word, found 'a' again"),
    ],
)
def test_a_damaged_vocabulary_is_named_with_its_line(tmp_path, lines, expected):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "vocab").write_bytes(lines)
    with pytest.raises(FormatError, match=expected):
        Counts.read_glove(tmp_path / "file", tmp_path / "vocab")


@given(st.binary(max_size=100).map(lambda raw: raw[: len(raw) // 16 * 16]))
def test_any_bytes_are_counts_or_an_error(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("a") / "file"
    path.write_bytes(raw)
    try:
        counts = Counts.read_glove(path, ABC)
    except FormatError:
        return
    assert 0 <= counts.sums.nnz <= len(raw) // 16


def test_settings_and_files_that_make_no_sense_are_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ValueError, match="window=0"):
        Counts.read_glove(tmp_path / "file", ABC, window=0)
    with pytest.raises(ValueError, match="weights='far'"):
        Counts.read_glove(tmp_path / "file", ABC, weights="far")
    with pytest.raises(TypeError, match="symmetric='no' is not"):
        Counts.read_glove(tmp_path / "file", ABC, symmetric="no")
    with pytest.raises(FileNotFoundError):
        Counts.read_glove(tmp_path / "none", ABC)
    with pytest.raises(IsADirectoryError):
        Counts.read_glove(tmp_path, ABC)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="found a named pipe"):
        Counts.read_glove(tmp_path / "pipe", ABC)


def test_writing_keeps_the_old_file_if_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(glove_counts, "row_blocks", lambda indptr, most: iter([(0, 2), (2, 99)]))
    with pytest.raises(IndexError):
        small().write_glove(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in Path(tmp_path).iterdir()] == ["file"]
