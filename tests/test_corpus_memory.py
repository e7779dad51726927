"""Corpora within a budget of memory: the same as without one, small, and nothing is left behind."""

import errno
import gc
import gzip
import io
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora import expected, long_text, read
from firth import Corpus, FormatError, Vocabulary, Word2Vec
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


def files_in(folder):
    """How many files of this process lie in a folder, open or mapped, though it lists none."""
    names = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(link.readlink()))
        except FileNotFoundError:  # the listing itself
            continue
    names += Path("/proc/self/maps").read_text().splitlines()
    return sum(f"{folder}/" in name for name in names)


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


# ---- nothing is left, whatever happens ----------------------------------------------------------


def test_files_end_with_the_arrays(tmp_path):
    corpus = Corpus.read(io.BytesIO(LONG), memory=1000, folder=tmp_path)
    assert not list(tmp_path.iterdir())
    assert files_in(tmp_path) == 2
    ids = corpus.ids[5:99].copy()
    view = corpus.ids[5:99]
    del corpus
    gc.collect()
    assert files_in(tmp_path) == 1
    assert np.array_equal(view, ids)
    del view
    assert files_in(tmp_path) == 0


def test_arrays_in_files_cannot_be_changed(tmp_path):
    corpus = Corpus.read(io.BytesIO(LONG), memory=1000, folder=tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        corpus.ids[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        corpus.offsets[0] = 1


def test_no_file_is_left_after_an_error(tmp_path):
    def rows():
        yield LONG.decode()
        raise LookupError("the database went away")

    options = {"memory": 1000, "folder": tmp_path}
    with pytest.raises(LookupError, match="the database went away"):
        Corpus.read(rows(), **options)
    with pytest.raises(ValueError, match="none of the"):
        Corpus.read(io.BytesIO(LONG), min_count=10**9, **options)
    with pytest.raises(FormatError):
        Corpus.read(_packed(tmp_path), **options)
    gc.collect()
    assert files_in(tmp_path) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["cut.gz"]


def _packed(folder):
    (folder / "cut.gz").write_bytes(gzip.compress(LONG, 1)[:-99])
    return folder / "cut.gz"


@pytest.mark.parametrize("form", ["file", "rows"])
def test_interrupt_stops_reading_to_files(file, tmp_path, form):
    path = file(b"a b c d\n" * (4 * MB), "large.txt")
    source = path if form == "file" else ("a b c d" for _ in range(1 << 30))
    sent = []

    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.1, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012, the signal may come in any round
        for _ in range(100):
            Corpus.read(source, memory=1000, folder=tmp_path)
    assert time.monotonic() - sent[0] < 2.0  # 0.2 s on an idle machine
    timer.join()
    gc.collect()
    assert not list(tmp_path.iterdir())
    assert files_in(tmp_path) == 0


KILLED = """
import os, signal, sys
from firth import Corpus
def rows():
    yield "a b c " * 1_000_000
    yield "a b c " * 1_000_000
    assert os.path.exists("/proc/self/fd") and not os.listdir(sys.argv[1])
    os.kill(os.getpid(), signal.SIGKILL)
Corpus.read(rows(), memory=1000, folder=sys.argv[1], threads=1)
"""


def test_a_killed_process_leaves_no_file(tmp_path):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, env=env, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not list(tmp_path.iterdir())


# ---- a full disk, a bad folder, a bad budget ----------------------------------------------------


@contextmanager
def file_limit(most):
    """Let no file grow beyond so many bytes, as on a disk that becomes full."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


# Numbers are written while the text is read, offsets at the end.
@pytest.mark.parametrize("shape", ["one line", "one word a line"])
@pytest.mark.parametrize("form", ["file", "stream", "tokens"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_full_disk_is_an_error_that_says_how_much_is_needed(file, tmp_path, shape, form, threads):
    text = SHAPES[shape]
    source = {
        "file": lambda: file(text, "full.txt"),
        "stream": lambda: io.BytesIO(text),
        "tokens": lambda: [text.decode().split()],
    }[form]
    size, message = 1_000_000, r"Corpus.read: needs (\d+) bytes or more in this folder: File too"
    options = {"min_count": 1, "memory": 1000, "folder": tmp_path, "threads": threads}
    source = source()
    with file_limit(size), pytest.raises(OSError, match=message) as caught:
        Corpus.read(source, **options)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(tmp_path)
    assert int(re.search(message, str(caught.value))[1]) > size
    del caught
    gc.collect()
    assert files_in(tmp_path) == 0


def test_a_disk_that_is_full_at_the_end(tmp_path):
    text = b"a\n" * 400_000  # 1.6 MB of numbers and 1.6 MB of breaks, then 3.2 MB of offsets
    with file_limit(3_200_000), pytest.raises(OSError, match=r"needs \d+ bytes or more in this"):
        Corpus.read(io.BytesIO(text), memory=1000, folder=tmp_path)
    with file_limit(3_200_008):
        assert len(Corpus.read(io.BytesIO(text), memory=1000, folder=tmp_path)) == 400_000


def test_a_folder_that_is_none_is_named_before_anything_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    def rows():
        raise AssertionError
        yield

    for folder, error in [
        (tmp_path / "none", FileNotFoundError),
        (str(tmp_path / "file"), NotADirectoryError),
        ("/proc/self", OSError),
    ]:
        with pytest.raises(error, match=r"Corpus.read: folder is none that files") as caught:
            Corpus.read(rows(), memory="1 GB", folder=folder)
        assert caught.value.filename == str(folder)
    with pytest.raises(TypeError, match=r"Corpus.read: folder must be a path or None, got int"):
        Corpus.read(rows(), folder=3)


def test_a_folder_that_is_no_unicode_is_named(tmp_path):
    folder = tmp_path / os.fsdecode(b"b\xff")
    folder.mkdir()
    with file_limit(1000), pytest.raises(OSError, match="File too large") as caught:
        Corpus.read(["a b " * 999], memory=1, folder=folder)
    assert caught.value.filename == str(folder)


@pytest.mark.parametrize(
    ("memory", "error", "message"),
    [
        (0, ValueError, "memory=0 is not at least 1 byte"),
        (-5, ValueError, "memory=-5 is not at least 1 byte"),
        ("much", ValueError, "memory='much' is no amount such as '200 MB' or '1.5 GiB'"),
        (1.5, TypeError, "memory must be an integer, got float"),
        (True, TypeError, "memory must be an integer, got bool"),
        (2**200, ValueError, "memory is an integer of 201 bits"),
    ],
)
def test_what_is_no_budget_is_refused(memory, error, message):
    with pytest.raises(error, match=f"^Corpus.read: {re.escape(message)}$"):
        Corpus.read(["a b"], min_count=1, memory=memory)


def test_a_budget_beyond_all_memory_is_one():
    assert not on_disk(Corpus.read(["a b"], min_count=1, memory=2**100))
