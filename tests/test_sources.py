"""Every source that Corpus.read takes, and every one that it refuses."""

import bz2
import gzip
import importlib.util
import io
import lzma
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow
import pytest

from corpora import expected, long_text, read
from firth import Corpus, FormatError, Vocabulary

# ---- sources ------------------------------------------------------------------------------------


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_file(file, suffix):
    text = long_text(1, 1 << 20)
    packed = file(PACKERS[suffix](text), "packed.txt" + suffix)
    assert read(packed, threads=2) == read(io.BytesIO(text), threads=1)


@pytest.mark.parametrize("suffix", PACKERS)
def test_cut_compressed_file_is_a_format_error(file, suffix):
    packed = PACKERS[suffix](long_text(1, 1 << 20))
    with pytest.raises(
        FormatError, match=r"cut\.txt.*expected more compressed data, found the end"
    ):
        Corpus.read(file(packed[: len(packed) // 2], "cut.txt" + suffix))


@pytest.mark.parametrize("suffix", PACKERS)
def test_damaged_compressed_file_is_a_format_error(file, suffix):
    packed = bytearray(PACKERS[suffix](long_text(1, 1 << 20)))
    packed[len(packed) // 2] ^= 0x55
    with pytest.raises(FormatError, match=r"bad\.txt.*after \d+ bytes of text"):
        Corpus.read(file(bytes(packed), "bad.txt" + suffix))
    with pytest.raises(FormatError, match=r"text\.txt.*after 0 bytes of text"):
        Corpus.read(file(b"this is not compressed at all", "text.txt" + suffix))


def test_zstandard_is_read_or_names_the_extra(file):
    packed = bytes.fromhex("28b52ffd0408190000610a620a61f9d6b6")
    path = file(packed, "packed.txt.zst")
    names = ("compression.zstd", "backports.zstd")
    if any(
        importlib.util.find_spec(n.split(".")[0]) and importlib.util.find_spec(n) for n in names
    ):
        with pytest.raises(FormatError, match="zst data"):
            Corpus.read(path)
    else:
        with pytest.raises(ImportError, match=r"firth\[zstd\]"):
            Corpus.read(path)


def test_open_files(file):
    path = file("a b\né a\n".encode(), "open.txt")
    with path.open("rb") as binary, path.open(encoding="utf-8") as text:
        assert read(binary) == read(text) == expected(["a b\né a\n".encode()])


def test_standard_input(file, monkeypatch):
    with file(b"a b\na").open("rb") as binary, io.TextIOWrapper(binary) as text:
        monkeypatch.setattr(sys, "stdin", text)
        assert read("-") == expected([b"a b\na"])


def test_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"a b\na"))
    writer.start()
    assert read(tmp_path / "pipe") == expected([b"a b\na"])
    writer.join()


def test_iterables_of_every_kind():
    answer = expected([b"a b", b"b"])
    for source in (
        ("a b", "b"),
        np.array(["a b", "b"]),
        [["a", "b"], "b"],
        [("a", "b"), np.array(["b"])],
        iter([(word for word in ["a", "b"]), ["b"]]),
        ["a b\nb"],
        [[], "", "a b", [""], "b"],
    ):
        assert read(source) == answer


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_arrow_column(kind):
    rows = ["a b", None, "", "a word of more than twelve bytes\nb", None, "é a"]
    column = pyarrow.chunked_array(
        [pyarrow.array(rows, kind), pyarrow.array(rows, kind).slice(2, 3)], getattr(pyarrow, kind)()
    )
    assert read(column) == read([row for row in rows + rows[2:5] if row is not None])


def test_polars_column(polars):
    rows = ["a b", None, "a word of more than twelve bytes\nb", "é a"]
    assert read(polars.Series(rows)) == read([row for row in rows if row is not None])


def test_arrow_column_of_something_else():
    for column, found in (
        (pyarrow.chunked_array([[1, 2]]), "found format 'l'"),
        (pyarrow.table({"a": ["x"], "b": ["y"]}), "a table of 2 columns; pass one column"),
        (pyarrow.chunked_array([pyarrow.array(["x"]).dictionary_encode()]), "categorical"),
    ):
        with pytest.raises(TypeError, match=rf"Corpus.read: expected one Arrow column.*{found}"):
            Corpus.read(column)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [b"a b", 3, None, {"a": 1}, 2.5, bytearray(b"a"), object()])
def test_source_of_another_type(on, source):
    with pytest.raises(TypeError, match=r"Corpus.read: source is .*, expected a path"):
        Corpus.read(source, **on)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a", 3], "row 1 is int, expected a str or a list of str"),
        (["a"] * 300 + [None], "row 300 is NoneType"),
        ([b"a"], "row 0 is bytes"),
        ([["a"], ["b", 7]], "row 1, token 1 is int, expected str"),
        ([["a", ["b"]]], "row 0, token 1 is list"),
        ([{"a": 1}], "row 0 is dict"),
        ([Path("x"), "y"], "element 1 is str, expected a Path"),
    ],
)
def test_row_of_another_type_is_named(on, rows, message):
    with pytest.raises(TypeError, match=rf"Corpus.read: {message}"):
        Corpus.read(rows, **on)


@pytest.mark.parametrize("rows", [["a", "b\ud800"], [["a"], ["b\ud800"]]])
def test_surrogate_without_a_byte_is_refused(on, rows):
    with pytest.raises(ValueError, match=r"row 1.* lone surrogate that stands for no byte"):
        Corpus.read(rows, **on)


@pytest.mark.parametrize("source", [[], [""], [[]], iter([]), ["\n \0\t"], [["", ""]]])
def test_no_tokens(on, source):
    with pytest.raises(ValueError, match=r"Corpus.read: the text has no tokens"):
        Corpus.read(source, **on)


def test_empty_file(on, file):
    with pytest.raises(ValueError, match=r"Corpus.read: the text has no tokens"):
        Corpus.read(file(b"", "empty.txt"), **on)


def test_only_rare_words(on):
    with pytest.raises(
        ValueError, match="none of the 2 different words in 5 tokens occurs min_count=5"
    ):
        Corpus.read(["a a a b b"], **on)
    unknown = Vocabulary.from_counts({"z": 1})
    with pytest.raises(
        ValueError, match=r"none of the 5 tokens \(2 different words\) is one of the 1"
    ):
        Corpus.read(["a a a b b"], vocabulary=unknown, **on)


def test_paths_that_cannot_be_read(on, tmp_path):
    with pytest.raises(FileNotFoundError, match="a str is a path; a list of str is text"):
        Corpus.read("the cat sat on the mat", **on)
    with pytest.raises(FileNotFoundError):
        Corpus.read([tmp_path / "none"], **on)
    with pytest.raises(IsADirectoryError):
        Corpus.read(tmp_path, **on)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"min_count": 0}, "min_count=0 is not at least 1"),
        ({"max_vocab": 0}, "max_vocab=0 is not at least 1"),
        ({"threads": 0}, "threads=0 is not at least 1"),
    ],
)
def test_options_out_of_range(option, message):
    with pytest.raises(ValueError, match=rf"Corpus.read: {message}"):
        Corpus.read(["a"], **option)


def test_vocabulary_of_another_type():
    with pytest.raises(TypeError, match="vocabulary is list, expected a Vocabulary"):
        Corpus.read(["a"], vocabulary=["a"])


def test_too_many_words(on, monkeypatch):
    monkeypatch.setattr("firth.corpus.MAX_WORDS", 100)
    rows = [" ".join(f"w{i}" for i in range(100))]
    assert len(Corpus.read(rows, min_count=1, **on).vocabulary) == 100
    with pytest.raises(ValueError, match="more than 100 different words"):
        Corpus.read([*rows, "more"], min_count=1, **on)
    with pytest.raises(ValueError, match="more than 100 different words"):
        Corpus.read([rows[0].split(), ["more"]], min_count=1, **on)


def test_iterator_that_raises_is_heard_at_once():
    def rows():
        yield "a b"
        raise LookupError("the database went away")

    before = threading.active_count()
    with pytest.raises(LookupError, match="the database went away"):
        Corpus.read(rows())
    assert threading.active_count() == before


@pytest.mark.parametrize("form", ["file", "rows"])
def test_interrupt_stops_reading(file, form):
    path = file(b"a b c d\n" * (8 << 20), "large.txt")  # 64 MB
    source = path if form == "file" else ("a b c d" for _ in range(1 << 30))
    sent = []

    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.05, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012, the signal may come in any round
        for _ in range(100):
            Corpus.read(source)
    assert time.monotonic() - sent[0] < 1.0  # 0.2 s on an idle machine
    timer.join()
