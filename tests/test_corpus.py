"""Corpus.read against the oracle, however the text is cut; saving and loading; real data."""

import io
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora import expected, long_text, read
from firth import Corpus, FormatError, Vocabulary, _cpu
from strategies import texts

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
        ("offsets", np.array([0, 2**63 - 1, -2, 3], np.int64), "offsets: expected increasing"),
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
