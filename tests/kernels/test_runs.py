"""cooccurrence within a budget of memory: the same bits, no more memory, nothing left behind."""

import errno
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disks import file_limit, files_in
from firth import FormatError, _cpu
from firth.kernels import _runs, cooccurrence
from firth.kernels._arguments import number_of_bytes
from firth.kernels._runs import Plan, occurrences, planned

WORDS = 40_000


def zipf(tokens, words=WORDS):
    """Ids as frequent as those of words."""
    return (words ** np.random.default_rng(1).random(tokens)).astype(np.uint32) - 1


def same(a, b):
    """Whether two matrices agree in every bit."""
    pairs = [(a.indptr, b.indptr), (a.indices, b.indices), (a.data, b.data)]
    return all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in pairs)


@contextmanager
def plan(monkeypatch, places=10**9, entries=10**9, merged=10**9, room=0, workers=1, passes=16):
    """Count by this plan whatever the budget is."""
    chosen = Plan(places, entries, merged, room, workers)
    with monkeypatch.context() as patch:
        patch.setattr(_runs, "planned", lambda *_: (chosen, 0))
        patch.setattr(_runs, "_PASSES", passes)
        patch.setattr(_runs, "_STEP", 7)
        patch.setattr(_runs, "_LENGTHS", 16)
        yield


@given(data=st.data())
def test_no_budget_changes_a_bit(data):
    draw = data.draw
    words = draw(st.integers(1, 12), "words")
    ids = np.array(draw(st.lists(st.integers(0, words - 1), max_size=120), "ids"), np.uint32)
    begin = draw(st.integers(0, len(ids)), "begin")
    part = (begin, draw(st.integers(begin, len(ids)), "end"))
    inner = draw(st.lists(st.integers(0, len(ids)), max_size=5), "offsets")
    offsets = np.array([0, *sorted(inner), len(ids)]) if draw(st.booleans(), "sentences") else None
    window = draw(st.sampled_from([1, 3, 25]), "window")  # 25: its unit makes sums of 64 bits
    asked = {
        "words": words,
        "window": window,
        "symmetric": draw(st.booleans(), "symmetric"),
        "dtype": draw(st.sampled_from(["float32", "float64", "uint64"]), "dtype"),
        "part": part,
    }
    longest = min(words, len(ids) * 2 * window)
    shares = {
        "places": draw(st.integers(1, 40), "places"),
        "entries": draw(st.integers(max(longest, 1), 60), "entries"),
        "merged": draw(st.integers(2 * longest + 1, 60), "merged"),
        "room": draw(st.sampled_from([0, 100, 10**6]), "room"),
        "workers": draw(st.integers(1, 2), "workers"),
        "passes": draw(st.integers(1, 4), "passes"),
    }
    with plan(pytest.MonkeyPatch(), **shares):
        within = cooccurrence(ids, offsets, memory="1 GB", **asked)
    assert same(within, cooccurrence(ids, offsets, **asked))


@pytest.mark.parametrize("passes", [1, 16])
def test_a_text_is_counted_the_same_through_files(monkeypatch, passes, tmp_path):
    monkeypatch.setattr(_runs, "_PASSES", passes)
    ids = zipf(400_000)
    offsets = np.arange(0, 400_001, 25)
    for threads in (1, 3):
        asked = {"words": WORDS, "dtype": "float32", "threads": threads}
        within = cooccurrence(ids, offsets, memory="12 MB", folder=tmp_path, **asked)
        assert isinstance(within.data, np.memmap)
        assert not within.data.flags.writeable
        assert same(within, cooccurrence(ids, offsets, **asked))


def test_what_fits_stays_in_memory(tmp_path):
    ids = zipf(20_000)
    within = cooccurrence(ids, words=WORDS, memory="200 MB", folder=tmp_path, threads=1)
    assert not isinstance(within.data, np.memmap)
    assert within.data.flags.writeable
    assert files_in(tmp_path) == 0


MEASURE = """
import sys
import numpy as np
from firth.kernels import _runs, cooccurrence
from test_runs import WORDS, zipf

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(key)))

ids, memory, threads = zipf(1_000_000), int(sys.argv[1]), int(sys.argv[2])
_runs._PASSES = int(sys.argv[3])
cooccurrence(ids[:1000], words=WORDS, threads=threads)  # what is loaded and started once
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak starts anew
before = status("VmRSS")
result = cooccurrence(ids, words=WORDS, memory=memory, threads=threads, folder=sys.argv[4])
assert isinstance(result.data, np.memmap)
print(status("VmHWM") - before)
"""


@pytest.mark.unsanitized
@pytest.mark.parametrize(
    ("memory", "threads", "passes"),
    [("least", 1, 16), ("least", 1, 1), (16 << 20, 1, 16), (24 << 20, 2, 1), (40 << 20, 4, 16)],
)
def test_no_more_memory_is_used(memory, threads, passes, tmp_path):
    ids = zipf(1_000_000)
    counts = occurrences(ids, 0, len(ids), WORDS)
    if memory == "least":
        memory = planned(counts, 20, 1 << 30, np.dtype(np.float32), 1)[1]
    command = [sys.executable, "-c", MEASURE, *map(str, (memory, threads, passes, tmp_path))]
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) <= memory


@given(
    words=st.integers(1, 200_000),
    tokens=st.integers(0, 10**11),
    company=st.integers(1, 100),
    threads=st.integers(1, 64),
    more=st.floats(0, 10**6),
)
def test_every_budget_that_is_enough_has_a_plan(words, tokens, company, threads, more):
    share = 1 / np.arange(1, words + 1)
    counts = (tokens * share / share.sum()).astype(np.int64)
    kind = np.dtype(np.float32)
    least = planned(counts, company, 0, kind, threads)[1]
    memory = int(least * (1 + more))
    chosen, _ = planned(counts, company, memory, kind, threads)
    longest = int(np.minimum(words, counts * company).max())
    assert chosen.places >= 1
    assert chosen.entries >= max(longest, 1)
    assert chosen.room >= 0
    assert 1 <= chosen.workers <= threads
    task = min(_runs._TASK, chosen.entries)
    used = 4 * chosen.places + 12 * chosen.entries + 12 * chosen.workers * task + chosen.room
    if chosen.merged > 1:  # not all in memory
        assert chosen.merged >= 2 * longest
        assert used + _runs._ALLOWANCE + 64 * words <= memory


def test_a_budget_that_is_too_small_says_what_is_enough(tmp_path):
    ids = zipf(100_000)
    for memory in (1, 1000, 5_000_000, "6 MB"):
        with pytest.raises(ValueError, match=r"cooccurrence: memory=\d+ is too small") as caught:
            cooccurrence(ids, words=WORDS, memory=memory, folder=tmp_path, threads=1)
    least = int(re.search(rf"expected at least (\d+) for {WORDS} words$", str(caught.value))[1])
    asked = {"words": WORDS, "threads": 1, "folder": tmp_path}
    with pytest.raises(ValueError, match=f"expected at least {least} for"):
        cooccurrence(ids, memory=least - 1, **asked)
    assert same(cooccurrence(ids, memory=least, **asked), cooccurrence(ids, words=WORDS))


@pytest.mark.parametrize("words", [1, 50, 13_769])
@pytest.mark.parametrize("threads", [1, 16])
def test_what_is_said_to_be_enough_is_enough(words, threads):
    ids = zipf(100_000, words)
    asked = {"words": words, "threads": threads}
    with pytest.raises(ValueError, match="is too small") as caught:
        cooccurrence(ids, memory=1, **asked)
    least = int(re.search(r"expected at least (\d+) for", str(caught.value))[1])
    assert same(cooccurrence(ids, memory=least, **asked), cooccurrence(ids, **asked))


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [
        (1, 1),
        (np.int32(7), 7),
        ("1000", 1000),
        ("200 MB", 200_000_000),
        ("1.5 GiB", 3 << 29),
        (" 64kib ", 1 << 16),
        ("2TB", 2 * 10**12),
        ("0.5 KiB", 512),
    ],
)
def test_amounts_of_memory_are_read(value, bytes_):
    assert number_of_bytes("f", "memory", value) == bytes_


@pytest.mark.parametrize(
    "value",
    ["", "MB", "1 XB", "-1 MB", "1e9", "nan", "inf GB", "1 MB 2", "٣ MB", "1,5 GB", "9" * 99],
)
def test_other_texts_are_no_amounts(value):
    with pytest.raises(ValueError, match=r"^cooccurrence: memory='.*' is no amount such as '200"):
        cooccurrence(np.zeros(3, np.uint32), words=1, memory=value)


@pytest.mark.parametrize("value", [0, -5, "0", "0.1 B"])
def test_no_memory_is_no_amount(value):
    with pytest.raises(ValueError, match=f"^f: memory={value} is not at least 1 byte$"):
        number_of_bytes("f", "memory", value)


@pytest.mark.parametrize("value", [1.5, True, b"1 MB", [1]])
def test_other_types_are_no_amounts(value):
    with pytest.raises(TypeError, match=r"^f: memory must be an integer"):
        number_of_bytes("f", "memory", value)


def test_a_folder_that_is_none_is_named_before_anything_is_counted(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    calls = []
    backend = watched(lambda: calls.append(1))
    asked = {"words": 9, "memory": "1 GB", "backend": backend}
    for folder, error in [
        (tmp_path / "none", FileNotFoundError),
        (str(tmp_path / "file"), NotADirectoryError),
        ("/proc/self", OSError),
    ]:
        with pytest.raises(error, match="cooccurrence: folder is none that files") as caught:
            cooccurrence(np.zeros(99, np.uint32), folder=folder, **asked)
        assert caught.value.filename == str(folder)
    with pytest.raises(TypeError, match="cooccurrence: folder must be a path or None, got int"):
        cooccurrence(np.zeros(99, np.uint32), folder=3, **asked)
    assert not calls


def test_a_folder_without_permission_is_named(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="cooccurrence: folder is none") as caught:
        cooccurrence(np.zeros(99, np.uint32), words=1, memory="1 GB", folder=tmp_path)
    assert caught.value.filename == str(tmp_path)


def watched(before):
    """Return the compiled backend, which calls something before it counts a block."""

    def count(**arguments):
        before()
        return _cpu.cooccurrence(**arguments)

    return SimpleNamespace(places=_cpu.places, cooccurrence=count, merge_counts=_cpu.merge_counts)


@pytest.mark.parametrize("passes", [1, 16])
def test_a_full_disk_is_an_error_that_says_how_much_is_needed(monkeypatch, passes, tmp_path):
    shares = {"places": 4000, "entries": 50_000, "merged": 80_000, "passes": passes}
    message = r"cooccurrence: needs (\d+) bytes or more in this folder, (\d+) at most: "
    with plan(monkeypatch, **shares), file_limit(300_000):
        with pytest.raises(OSError, match=message) as caught:
            cooccurrence(zipf(20_000, 3000), words=3000, memory="1 GB", folder=tmp_path, threads=1)
        assert caught.value.errno == errno.EFBIG
        assert caught.value.filename == str(tmp_path)
    needed, most = map(int, re.search(message, str(caught.value)).groups())
    assert 300_000 < needed < most
    del caught
    assert files_in(tmp_path) == 0


def test_no_space_left_is_told_apart_from_other_errors(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with plan(monkeypatch, room=0), monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            cooccurrence(zipf(2000, 300), words=300, memory="1 GB", folder=tmp_path)
    assert caught.value.errno == errno.ENOSPC


def test_a_disk_that_takes_a_little_at_a_time_gets_everything(monkeypatch, tmp_path):
    pwrite, preadv = os.pwrite, os.preadv
    asked = {"words": 300, "dtype": "uint64"}
    ids = zipf(3000, 300)
    with plan(monkeypatch, places=500, merged=700, passes=1), monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda file, data, at: pwrite(file, data[:1001], at))
        patch.setattr(os, "preadv", lambda file, into, at: preadv(file, [into[0][:999]], at))
        within = cooccurrence(ids, memory="1 GB", folder=tmp_path, **asked)
    assert same(within, cooccurrence(ids, **asked))


@pytest.mark.parametrize("passes", [1, 16])
def test_no_file_is_left(monkeypatch, passes, tmp_path):
    ids = zipf(20_000, 3000)
    asked = {"words": 3000, "memory": "1 GB", "folder": tmp_path, "threads": 1}
    stop = iter([None] * 3)

    def interrupt(_):
        if next(stop, "now"):
            raise KeyboardInterrupt

    with plan(monkeypatch, places=4000, entries=50_000, merged=80_000, passes=passes):
        result = cooccurrence(ids, **asked)
        assert isinstance(result.data, np.memmap)
        assert not list(tmp_path.iterdir())
        del result
        assert files_in(tmp_path) == 0
        with pytest.raises(KeyboardInterrupt):
            cooccurrence(ids, progress=interrupt, **asked)
    assert not list(tmp_path.iterdir())
    assert files_in(tmp_path) == 0


KILLED = """
import os, signal, sys
from firth.kernels import cooccurrence
from test_runs import WORDS, zipf
places = []
def kill(done):
    places.append(done)
    if len(places) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
cooccurrence(zipf(200_000), words=WORDS, memory="12 MB", folder=sys.argv[1], progress=kill)
"""


def test_a_killed_process_leaves_no_file(tmp_path):
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not list(tmp_path.iterdir())


def test_progress_rises_to_all_places(monkeypatch, tmp_path):
    for passes in (1, 16):
        told = []
        with plan(monkeypatch, places=4000, entries=50_000, merged=80_000, passes=passes):
            ids, part = zipf(20_000, 3000), (1000, 17_500)
            asked = {"words": 3000, "memory": "1 GB", "folder": tmp_path, "part": part}
            cooccurrence(ids, progress=told.append, **asked)
        assert told == sorted(told)
        assert len(told) > 4
        assert told[-1] == 16_500


@pytest.mark.parametrize("number", range(3))
def test_a_run_that_somebody_cut_names_the_byte(monkeypatch, number, tmp_path):
    merge_all, ends = _runs._Work.merge_all, []

    def cut(work, runs, take):
        file = runs[0].files[number]
        ends.append(file.size - 3)
        os.ftruncate(file._file.fileno(), ends[0])
        merge_all(work, runs, take)

    monkeypatch.setattr(_runs._Work, "merge_all", cut)
    message = r"temporary file of cooccurrence in .*: byte (\d+): expected \d+ more bytes, found"
    ids, shares = zipf(20_000, 3000), {"places": 4000, "merged": 80_000, "passes": 1}
    with plan(monkeypatch, **shares), pytest.raises(FormatError, match=message) as caught:
        cooccurrence(ids, words=3000, memory="1 GB", folder=tmp_path)
    assert f"byte {ends[0]}:" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
