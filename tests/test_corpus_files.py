"""The files of corpora within a budget: none is left behind; a full disk, a bad folder."""

import errno
import gzip
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from corpora import long_text
from disks import file_limit, files_in
from firth import Corpus, FormatError

MB = 1 << 20
LONG = long_text(5, 3 * MB)

# ---- nothing is left, whatever happens ----------------------------------------------------------


def test_files_end_with_the_arrays(tmp_path):
    corpus = Corpus.read(io.BytesIO(LONG), memory=1000, folder=tmp_path)
    assert not list(tmp_path.iterdir())
    assert files_in(tmp_path) == 2
    ids = corpus.ids[5:99].copy()
    view = corpus.ids[5:99]
    del corpus
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


# Numbers are written while the text is read, offsets at the end.
@pytest.mark.parametrize("shape", ["few lines", "one word a line"])
@pytest.mark.parametrize("form", ["file", "stream", "tokens"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_full_disk_is_an_error_that_says_how_much_is_needed(file, tmp_path, shape, form, threads):
    text = b"\n".join(LONG.split()) if shape == "one word a line" else LONG
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
        Corpus.read(rows(), memory=1, folder=3)


def test_a_folder_that_is_no_unicode_is_named(tmp_path):
    folder = tmp_path / os.fsdecode(b"b\xff")
    folder.mkdir()
    with file_limit(1000), pytest.raises(OSError, match="File too large") as caught:
        Corpus.read(["a b " * 999], memory=1, folder=folder)
    assert caught.value.filename == str(folder)


def test_without_a_budget_no_folder_is_needed(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: ["/proc/self"])
    assert len(Corpus.read(["a b"], min_count=1)) == 1
    with pytest.raises(FileNotFoundError, match="No usable temporary directory"):
        Corpus.read(["a b"], min_count=1, memory=1)


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
    assert Corpus.read(["a b"], min_count=1, memory=2**100).ids.flags.writeable
