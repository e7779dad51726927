"""Corpora within a budget of memory: the same as without one, small, and nothing is left behind."""

import gzip
import io
import os
import subprocess
import sys
from itertools import pairwise
from unittest import mock

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora import expected, long_text, read
from firth import Corpus, Vocabulary, Word2Vec
from firth.kernels import _arguments
from strategies import texts

MB = 1 << 20


def same(a, b):
    """Say whether two corpora are the same, to the last bit."""
    return (
        a.vocabulary == b.vocabulary
        and (a.ids.dtype, a.offsets.dtype) == (b.ids.dtype, b.offsets.dtype)
        and np.array_equal(a.ids, b.ids)
        and np.array_equal(a.offsets, b.offsets)
    )


def on_disk(corpus):
    """Say whether ids and offsets are mapped, which are then read-only."""
    flags = {array.flags.writeable for array in (corpus.ids, corpus.offsets)}
    assert len(flags) == 1
    return flags == {False}


# ---- the same corpus ----------------------------------------------------------------------------

budgets = st.sampled_from([1, 8, 40, 200, 1000, "1 GB"])


@given(text=texts, budget=budgets, threads=st.integers(1, 3), min_count=st.integers(1, 3))
def test_any_budget_gives_the_corpus_of_none(on, file, text, budget, threads, min_count):
    options = {"memory": budget, "threads": threads, "min_count": min_count}
    assert read(file(text), **options, **on) == expected([text], min_count=min_count)


@given(parts=st.lists(texts, max_size=8), budget=budgets, threads=st.integers(1, 3))
def test_any_budget_for_several_files(file, parts, budget, threads):
    paths = [file(part, f"{i}.txt") for i, part in enumerate(parts)]
    assert read(paths, memory=budget, threads=threads) == expected(parts)


rows = st.one_of(st.text("ab \n", max_size=9), st.lists(st.text("ab \né", max_size=3), max_size=4))


@given(rows=st.lists(rows, max_size=12), budget=budgets, threads=st.integers(1, 3))
def test_any_budget_for_rows_of_text_and_of_tokens(rows, budget, threads):
    options = {"memory": budget, "threads": threads}
    assert read(rows, **options) == read(rows)
    assert read(iter(rows), min_count=2, **options) == read(rows, min_count=2)


@given(
    text=texts, budget=budgets, words=st.sets(st.sampled_from(["a", "b", "ab", "z"]), min_size=1)
)
def test_any_budget_with_the_words_of_another_text(text, budget, words):
    vocabulary = Vocabulary.from_counts(dict.fromkeys(words, 1))
    options = {"vocabulary": vocabulary, "threads": 2}
    assert read(io.BytesIO(text), memory=budget, **options) == read(io.BytesIO(text), **options)


LONG = long_text(5, 3 * MB)
SHAPES = {
    "few lines": LONG,
    "one word a line": b"\n".join(LONG.split()),
    "mostly empty lines": LONG.replace(b" ", b"\n\n\n\n"),
    "one line": LONG.replace(b"\n", b" "),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_blocks_in_memory_and_in_files(shape, threads):
    text = SHAPES[shape]
    plain = Corpus.read(io.BytesIO(text), min_count=3, threads=1)
    found = set()
    for budget in (1, "1.5 MB", "3 MB", "1 GB"):
        within = Corpus.read(io.BytesIO(text), min_count=3, threads=threads, memory=budget)
        assert same(within, plain)
        found.add(on_disk(within))
    assert found == {False, True}


@pytest.mark.parametrize("form", ["file", "window", "stream", "gzip", "rows", "tokens", "arrow"])
def test_every_source_in_many_blocks(file, monkeypatch, form):
    text = SHAPES["one word a line"] if form == "tokens" else LONG
    path, lines = file(text, "long.txt"), text.decode().split("\n")
    if form == "window":
        monkeypatch.setattr("firth._sources.WINDOW", 1_000_003)
    source = {
        "file": lambda: path,
        "window": lambda: path,
        "stream": lambda: io.BytesIO(text),
        "gzip": lambda: file(gzip.compress(text, 1), "long.gz"),
        "rows": lambda: iter(lines),
        "tokens": lambda: (line.split() for line in lines),
        "arrow": lambda: pyarrow.chunked_array([lines[:5], lines[5:]]),
    }[form]
    plain = Corpus.read(source(), threads=1)
    for budget in (1000, 3 * MB):
        within = Corpus.read(source(), threads=2, memory=budget)
        assert same(within, plain)
        assert on_disk(within) or budget > 1000


def test_encode_has_a_budget_too(file):
    path = file(LONG)
    vocabulary = Corpus.read(path).vocabulary
    within = Corpus.encode(path, vocabulary, memory="1 MB")
    assert on_disk(within)
    assert same(within, Corpus.encode(path, vocabulary))


def test_what_fits_stays_in_memory():
    tokens = [["a"] * 999 + ["b"]]
    for budget, filed in ((4011, True), (4012, False)):  # of one sentence: 4 bytes a token, and 12
        assert on_disk(Corpus.read(tokens, min_count=1, memory=budget)) is filed


# ---- what it is good for ------------------------------------------------------------------------


def test_vectors_are_those_of_the_corpus_in_memory(file):
    path = file(LONG)
    model = Word2Vec(dim=8, epochs=2, threads=1, min_count=20)
    within = Corpus.read(path, min_count=20, memory="1 MB")
    assert on_disk(within)
    expected = model.fit(Corpus.read(path, min_count=20)).vectors
    np.testing.assert_array_equal(model.fit(within).vectors, expected)


def test_a_corpus_in_files_is_saved_and_loaded(tmp_path, file):
    within = Corpus.read(file(LONG), memory="1 MB", folder=tmp_path)
    within.save(tmp_path / "corpus")
    plain = Corpus.read(file(LONG))
    for mmap in (True, False):
        assert same(Corpus.load(tmp_path / "corpus", mmap=mmap), plain)


@given(numbers=st.lists(st.integers(0, 3), max_size=12), strict=st.booleans())
def test_offsets_are_looked_at_a_part_at_a_time(numbers, strict):
    falls = [i for i, (a, b) in enumerate(pairwise(numbers), 1) if b < a or (strict and b == a)]
    for step in (1, 2, 3, 100):
        with mock.patch.object(_arguments, "_STEP", step):
            found = _arguments.first_fall(np.array(numbers, np.int64), strict=strict)
        assert found == min(falls, default=-1)


# VmHWM is the peak of all memory of a process, pages of mapped files too; RssAnon is without them.
PEAK = """
import sys
from firth import Corpus
def status(name):
    with open("/proc/self/status") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith(name)) << 10
Corpus.read(["a b"] * 9, memory=1, threads=2)
{body}
"""


def output_of(body, *arguments):
    """Run Python and return what it prints, as numbers."""
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", PEAK.format(body=body), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


@pytest.mark.unsanitized
@pytest.mark.parametrize("line", [b"a\n", b"a b c d e f g h i j k l m n o p\n"])
def test_memory_stays_within_the_budget(tmp_path, line):
    """16 bytes a token, and 5, are in no relation to the budget."""
    path = tmp_path / "text.txt"
    path.write_bytes(line * (16 * MB // len(line)))
    read = "before = status('VmHWM'); c = Corpus.read(sys.argv[1], memory=sys.argv[2], threads=2)\n"
    show = "print(status('VmHWM') - before, len(c.ids), int(c.ids.flags.writeable))"
    body = read + show
    constant = 2 * 16 * MB  # of two threads
    grown, tokens, writeable = output_of(body, path, 2 * MB)
    assert (tokens, writeable) == (8 * MB, 0)
    assert grown < 2 * MB + constant
    grown, tokens, writeable = output_of(body, path, "1 GB")
    assert (tokens, writeable) == (8 * MB, 1)
    assert grown > 4 * tokens


@pytest.mark.unsanitized
def test_saving_and_loading_copy_nothing(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"a b\n" * (8 * MB))  # 64 MB of ids, 64 MB of offsets
    body = """
corpus = Corpus.read(sys.argv[1], memory=1, threads=1)
before = status("RssAnon")
corpus.save(sys.argv[2])
saved = status("RssAnon")
again = Corpus.load(sys.argv[2])
print(saved - before, status("RssAnon") - saved, len(again.ids))
"""
    saved, loaded, tokens = output_of(body, path, tmp_path / "corpus")
    assert tokens == 16 * MB
    assert saved < 4 * MB
    assert loaded < 4 * MB
