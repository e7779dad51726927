"""Corpus.read against the oracle: every source, every cut, every bad input; saving and loading."""

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
from itertools import pairwise
from pathlib import Path

import numpy as np
import oracle
import polars
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts

from firth import Corpus, FormatError, Vocabulary, _cpu

SETTINGS = {"min_count": 1}


def plain(corpus):
    """(words as bytes, counts, sentences of ids)."""
    words = [word.encode("utf-8", "surrogateescape") for word in corpus.vocabulary.words]
    sentences = [corpus.ids[a:b].tolist() for a, b in pairwise(corpus.offsets.tolist())]
    return words, corpus.vocabulary.counts.tolist(), sentences


def read(source, **options):
    """What Corpus.read gives, or None if it says that nothing is left."""
    try:
        return plain(Corpus.read(source, **{**SETTINGS, **options}))
    except ValueError as error:
        if "none of the" in str(error) or "no tokens" in str(error):
            return None
        raise


def expected(parts, min_count=1, max_vocab=None):
    words, counts, sentences = oracle.corpus(parts, min_count, max_vocab)
    return (words, counts, sentences) if sentences else None


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A function that writes bytes to a file and returns its path."""
    folder = tmp_path_factory.mktemp("texts")

    def write(text, name="text.txt"):
        (folder / name).write_bytes(text)
        return folder / name

    return write


# ---- the same answer as the oracle --------------------------------------------------------------


@given(text=texts, min_count=st.integers(1, 3), max_vocab=st.none() | st.integers(1, 4))
def test_file(on, file, text, min_count, max_vocab):
    options = {"min_count": min_count, "max_vocab": max_vocab}
    assert read(file(text), **options, **on) == expected([text], **options)


@given(text=texts, data=st.data())
def test_any_cut_of_a_stream(on, text, data):
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    pieces = [text[a:b] for a, b in pairwise([0, *cuts, len(text)]) if a < b]

    class Pieces:
        def read(self, size):
            return pieces.pop(0) if pieces else b""

    assert read(Pieces(), **on) == expected([text])


@given(parts=st.lists(texts, max_size=5))
def test_files_one_after_another(on, file, parts):
    paths = [file(part, f"{i}.txt") for i, part in enumerate(parts)]
    assert read(paths, **on) == expected(parts)


@given(parts=st.lists(texts, min_size=1, max_size=5), random=st.randoms())
def test_order_of_files_only_permutes(on, file, parts, random):
    order = list(range(len(parts)))
    random.shuffle(order)
    whole = read([file(part, f"{i}.txt") for i, part in enumerate(parts)], **on)
    other = read([file(parts[i], f"{i}.txt") for i in order], **on)
    if whole is None:
        assert other is None
    else:
        assert whole[:2] == other[:2]
        assert sorted(whole[2]) == sorted(other[2])


@given(rows=st.lists(st.text(max_size=20), max_size=8))
def test_rows_of_text(on, rows):
    raw = [row.encode() for row in rows]
    assert read(rows, **on) == expected(raw)
    assert read((row for row in rows), **on) == expected(raw)


@given(rows=st.lists(st.lists(st.text("ab \n\0é", max_size=20), max_size=6), max_size=8))
def test_rows_of_tokens(on, rows):
    found = read(rows, **on)
    kept = [[token.encode() for token in row if token] for row in rows]
    kept = [row for row in kept if row]
    if not kept:
        assert found is None
        return
    words, counts, sentences = found
    assert [[words[i] for i in sentence] for sentence in sentences] == kept
    flat = [token for row in kept for token in row]
    order = sorted(set(flat), key=lambda token: (-flat.count(token), token))
    assert (words, counts) == (order, [flat.count(token) for token in order])


@given(text=texts, words=st.sets(st.sampled_from(["a", "b", "ab", "é", "zz"]), min_size=1))
def test_given_vocabulary_drops_other_words(on, text, words):
    vocabulary = Vocabulary.from_counts(dict.fromkeys(words, 1))
    found = read([text.decode("utf-8", "surrogateescape")], vocabulary=vocabulary, **on)
    known = [word.encode() for word in vocabulary.words]
    sentences = [
        [known.index(token) for token in line.replace(b"\0", b" ").split() if token in known]
        for line in text.split(b"\n")
    ]
    sentences = [sentence for sentence in sentences if sentence]
    assert (found[2] if found else []) == sentences
    assert found is None or found[0] == known


def long_text(seed, size=5 << 20):
    """Random words over a few letters: many blocks, a sentence that crosses them, a long token."""
    rng = np.random.default_rng(seed)
    text = rng.choice(np.frombuffer(b"aabbccdefghij   ", np.uint8), size)
    text[rng.integers(0, size, 40)] = 10
    text[2 << 20 : (3 << 20) + 77] = ord("x")  # all of one block and the borders of both others
    return text.tobytes()


@pytest.fixture(scope="module")
def long_answer():
    """(text, words, counts, ids, offsets) by Python's own split."""
    text = long_text(0)
    lines = [line.split() for line in text.split(b"\n")]
    counts = {}
    for line in lines:
        for token in line:
            counts[token] = counts.get(token, 0) + 1
    kept = sorted((-n, word) for word, n in counts.items() if n >= 3)
    index = {word: i for i, (_, word) in enumerate(kept)}
    sentences = [[index[t] for t in line if t in index] for line in lines]
    sentences = [sentence for sentence in sentences if sentence]
    ids = np.concatenate([np.array(s, np.uint32) for s in sentences])
    return (
        text,
        [w for _, w in kept],
        [-n for n, _ in kept],
        ids,
        np.cumsum([0, *map(len, sentences)]),
    )


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("form", ["file", "stream", "rows"])
def test_threads_and_blocks_do_not_change_the_corpus(file, long_answer, threads, form):
    text, words, counts, ids, offsets = long_answer
    source = {
        "file": lambda: file(text, "long.txt"),
        "stream": lambda: io.BytesIO(text),
        "rows": lambda: text.decode().split("\n"),
    }[form]()
    corpus = Corpus.read(source, min_count=3, threads=threads)
    assert [word.encode() for word in corpus.vocabulary.words] == words
    assert corpus.vocabulary.counts.tolist() == counts
    assert np.array_equal(corpus.ids, ids)
    assert np.array_equal(corpus.offsets, offsets)
    assert (corpus.ids.dtype, corpus.offsets.dtype) == (np.uint32, np.int64)


def test_partial_counts_merge_to_the_whole(on):
    text = long_text(3, 200_000)
    half = text.index(b"\n", 100_000)
    parts = [
        Corpus.read(io.BytesIO(part), min_count=1, **on).vocabulary
        for part in (text[:half], text[half:])
    ]
    whole = Corpus.read(io.BytesIO(text), min_count=1, **on).vocabulary
    assert parts[0].merge(parts[1]) == parts[1].merge(parts[0]) == whole


# ---- particular texts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (b"a b\r\nc\r\n", [["a", "b"], ["c"]]),
        (b"a b", [["a", "b"]]),
        (b"\n\n a \n\n\n", [["a"]]),
        (b"a\0b\tc\vd\fe\rf", [["a", "b", "c", "d", "e", "f"]]),
        (b"\xff\xfe \xc3\xa9", [["\udcff\udcfe", "é"]]),
        ("a\u00a0b\u2003c".encode(), [["a\u00a0b\u2003c"]]),
    ],
)
def test_separators(on, file, text, sentences):
    corpus = Corpus.read(file(text), min_count=1, **on)
    assert [corpus.sentence(i) for i in range(len(corpus))] == sentences


def test_token_of_a_megabyte(on, file):
    text = b"a " + b"word" * 262_144 + b" b\n" + b"word" * 262_144
    corpus = Corpus.read(file(text), min_count=1, **on)
    assert [len(word) for word in corpus.vocabulary.words] == [1 << 20, 1, 1]
    assert corpus.ids.tolist() == [1, 0, 2, 0]


def test_sentence_of_a_million_tokens_is_one(on, file):
    corpus = Corpus.read(file(b"a b " * 500_000), **on)
    assert corpus.offsets.tolist() == [0, 1_000_000]


def test_long_words_that_differ_late(on):
    words = ["x" * 16 + "a", "x" * 16 + "b", "x" * 16, "x" * 17, "x" * 40, "x" * 40 + "a"]
    corpus = Corpus.read([words * 2], min_count=2, **on)
    assert sorted(corpus.vocabulary.words) == sorted(words)
    assert corpus.vocabulary.counts.tolist() == [2] * 6


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


def test_polars_column():
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


# ---- saving -------------------------------------------------------------------------------------


@given(rows=st.lists(st.lists(st.text("ab \n\0é\udcff", min_size=1), min_size=1), min_size=1))
def test_saved_corpus_is_the_same(tmp_path_factory, rows):
    folder = tmp_path_factory.getbasetemp() / "corpus"
    corpus = Corpus.read(rows, min_count=1)
    corpus.save(folder)
    for mmap in (True, False):
        back = Corpus.load(folder, mmap=mmap)
        assert back.vocabulary == corpus.vocabulary
        assert np.array_equal(back.ids, corpus.ids)
        assert np.array_equal(back.offsets, corpus.offsets)
        assert (back.ids.dtype, back.offsets.dtype) == (np.uint32, np.int64)


KIND = {"firth": '{"kind": "corpus", "version": 1}'}


def test_loading_something_else(tmp_path):
    from firth.formats.tensors import write_tensors

    with pytest.raises(FileNotFoundError):
        Corpus.load(tmp_path)
    file = tmp_path / "corpus.safetensors"
    write_tensors(file, {"x": np.zeros(1)}, {})
    with pytest.raises(FormatError, match="expected a firth corpus, version 1"):
        Corpus.load(tmp_path)
    good = {
        "ids": np.array([0, 1, 0], np.uint32),
        "offsets": np.array([0, 1, 3], np.int64),
        "words": np.frombuffer(b"ab", np.uint8),
        "word_offsets": np.array([0, 1, 2], np.int64),
        "counts": np.array([2, 1], np.int64),
    }
    write_tensors(file, good, KIND)
    assert Corpus.load(tmp_path).sentence(1) == ["b", "a"]
    for name, array, message in (
        ("ids", np.array([0, 2, 0], np.uint32), "ids: expected ids below 2, found 2"),
        ("ids", np.array([0, 1, 0], np.int32), "ids: expected uint32 of 1 dimension, found int32"),
        ("offsets", np.array([0, 1, 4], np.int64), "offsets: expected increasing offsets"),
        ("offsets", np.array([0, 0, 3], np.int64), "offsets: expected increasing offsets"),
        ("word_offsets", np.array([0, 3, 2], np.int64), "word_offsets: expected increasing"),
        ("counts", np.array([2], np.int64), "counts: expected 2 of them, found 1"),
        ("counts", np.array([1, 2], np.int64), "words and counts: expected a vocabulary"),
    ):
        write_tensors(file, {**good, name: array}, KIND)
        with pytest.raises(FormatError, match=message):
            Corpus.load(tmp_path)
    write_tensors(file, {k: v for k, v in good.items() if k != "ids"}, KIND)
    with pytest.raises(FormatError, match="an array 'ids'"):
        Corpus.load(tmp_path)


# ---- real data ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wiki8():
    """100 MB of English Wikipedia, unpacked."""
    cache = Path(os.environ.get("FIRTH_DATA_CACHE", Path.home() / ".cache" / "firth-data"))
    if not (cache / "wiki8.txt").is_file():
        pytest.skip(
            f"no real data: {cache / 'wiki8.txt'} is not there; shared/data/unpack makes it"
        )
    return cache / "wiki8.txt"


@pytest.mark.parametrize("threads", [1, 2])
def test_wiki8_has_the_counts_it_is_known_for(wiki8, threads):
    counter = _cpu.WordCounter(threads=threads, isa="", seed=0, max_words=2**32 - 2)
    with wiki8.open("rb") as binary:
        counter.add_file(binary.fileno(), 0, wiki8.stat().st_size)
    words, counts, ids, offsets = counter.finish(5, 2**62, None)
    assert (counter.tokens, counter.types, len(words)) == (16_941_422, 219_496, 67_867)
    assert len(ids) == counts.sum() == offsets[-1]
    assert len(offsets) == 2
    assert np.array_equal(np.bincount(ids, minlength=len(words)), counts)
