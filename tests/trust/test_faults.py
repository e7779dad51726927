"""Disks that fail, are full, are shared: a few of each; ``faults.py`` is the campaign."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import firth
from firth import Counts, Embedding, FormatError, _files
from firth._files import atomic_file, atomic_folder, while_whole
from firth.formats import glove_counts
from firth.models import _checkpoint
from firth.models._checkpoint import Checkpoint
from trust import situations
from trust.writers import WRITERS, below, two_steps

PACKAGE = Path(_files.__file__).parents[1]
FOLDERS = ["Embedding.save", "Embedding.save in two steps", "Corpus.save", "checkpoint"]
FILES = ["word2vec-binary", "Counts.write_glove"]
SOME = [*FOLDERS, *FILES]


@pytest.fixture
def some(monkeypatch):
    """Situations with some of the writers."""
    monkeypatch.setattr(situations, "WRITERS", {name: WRITERS[name] for name in SOME})


@pytest.mark.unsanitized  # which are loaded before the library that fails
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to build what fails")
@pytest.mark.parametrize("name", ["Embedding.save", "Embedding.save in two steps", "floret"])
def test_each_call_of_a_save_may_fail(tmp_path, name):
    env = {**os.environ, "FIRTH_TRUST": str(tmp_path), "PYTHONPATH": str(PACKAGE)}
    program = [sys.executable, Path(__file__).with_name("faults.py"), "--only", f"{name}: failing"]
    done = subprocess.run(program, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "faults.json").read_text())["rows"]
    assert rows[0]["tried"] >= 20


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize("name", ["full disks", "permissions", "symbolic links"])
def test_a_writer_that_is_refused_changes_nothing(tmp_path, name):
    for folder in tmp_path.parents[:2]:  # which pytest makes for this user only
        folder.chmod(0o755)
    tried, failures, _ = situations.SITUATIONS[name](tmp_path, 0)
    assert tried >= len(SOME)
    assert not failures


@pytest.mark.unsanitized_threads
@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize(("writers", "readers"), [(1, 2), (3, 0), (2, 1)])
def test_processes_write_and_read_at_once(tmp_path, name, writers, readers):
    tried, failures, _ = situations.company(
        WRITERS[name], tmp_path / "saved", writers, readers, 0.3
    )
    assert tried
    assert not failures


# ---- what errors say ----------------------------------------------------------------------------


def refuse(code, where=None):
    def failing(*given, **options):
        raise OSError(code, os.strerror(code), where)

    return failing


def test_an_error_of_the_disk_names_the_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    with pytest.raises(OSError, match=rf"No space left on device: '{path}'$"), atomic_file(path):
        pass
    with pytest.raises(OSError, match=rf"No space left on device: '{path}'$"), atomic_folder(path):
        pass
    assert not below(tmp_path)


def test_an_error_in_a_temporary_names_what_it_is_for(tmp_path, monkeypatch):
    path = tmp_path / "model"
    rename = os.rename
    monkeypatch.setattr(os, "rename", refuse(errno.EIO))
    monkeypatch.setattr(os, "replace", lambda a, b: refuse(errno.EIO, str(a))())
    with pytest.raises(OSError, match=rf"^\[Errno 5\] [^>]*: '{path}'$"):
        Embedding(["a"], [[1]]).save(path)
    monkeypatch.setattr(os, "rename", rename)
    assert not below(tmp_path)


@pytest.mark.parametrize("call", ["mkdir", "open"])
def test_a_folder_that_takes_nothing_is_named(tmp_path, monkeypatch, call):
    opened = os.open

    def failing(path, *given, **options):
        if "firth-tmp" in str(path):
            raise PermissionError(errno.EACCES, "denied", str(path))
        return opened(path, *given, **options)

    monkeypatch.setattr(os, call, failing)
    writer = Embedding(["a"], [[1]])
    with pytest.raises(PermissionError, match=rf"nothing can be made in .*'{tmp_path}'$"):
        writer.save(tmp_path / "model")
    monkeypatch.undo()
    assert not below(tmp_path)


def test_a_folder_that_cannot_be_looked_at_is_not_said_to_be_anothers(tmp_path, monkeypatch):
    made = Embedding(["a"], [[1]])
    made.save(tmp_path / "model")
    monkeypatch.setattr(_files.CheckedReader, "__init__", refuse(errno.EIO, "config.json"))
    with pytest.raises(OSError, match="Input/output error"):
        made.save(tmp_path / "model")
    assert below(tmp_path) == ["model"]


# ---- others at the same time --------------------------------------------------------------------


@pytest.mark.parametrize("steps", [False, True])
def test_a_folder_that_another_has_made_meanwhile_is_replaced(tmp_path, monkeypatch, steps):
    path, looked = tmp_path / "model", _files._replaceable
    times = []

    def late(name):
        found = looked(name)
        if not times:
            times.append(name)
            Embedding(["other"], [[1]]).save(path)
        return found

    class Calls:
        many = 0

    def after_the_block(name):
        Calls.many += 1
        return looked(name) if Calls.many == 1 else late(name)

    monkeypatch.setattr(_files, "_replaceable", after_the_block)
    if steps:
        with two_steps():
            Embedding(["mine"], [[2]]).save(path)
    else:
        Embedding(["mine"], [[2]]).save(path)
    monkeypatch.undo()
    assert times
    assert firth.load(path).keys == ["mine"]
    assert below(tmp_path) == ["model"]


def test_a_reader_waits_while_a_writer_is_between_two_steps(tmp_path):
    path, aside = tmp_path / "model", tmp_path / ".model.0123456789abcdef.firth-old"
    Embedding(["old"], [[1]]).save(aside)
    Embedding(["new"], [[1]]).save(tmp_path / "new")
    lock = os.open(aside, os.O_RDONLY)
    assert _files.recover.__globals__["_lock"](lock)

    def go_on():
        (tmp_path / "new").rename(path)
        os.close(lock)

    timer = threading.Timer(0.1, go_on)
    timer.start()
    assert firth.load(path).keys == ["new"]
    timer.join()
    assert below(tmp_path) == ["model"]


def test_a_folder_that_is_replaced_while_it_is_read_is_read_again(tmp_path):
    path, seen = tmp_path / "model", []
    Embedding(["old"], [[1]]).save(path)

    def read():
        if not seen:
            seen.append("old")
            Embedding(["new"], [[1]]).save(path)
            raise FileNotFoundError(errno.ENOENT, "of the old one")
        return "new"

    assert while_whole(path, read) == "new"
    with pytest.raises(FileNotFoundError, match="still"):
        while_whole(path, refuse(errno.ENOENT, "still"))
    with pytest.raises(FileNotFoundError, match="no such folder"):
        while_whole(tmp_path / "none", read)


def test_a_folder_that_is_missing_for_a_moment_is_no_file(tmp_path, monkeypatch):
    Embedding(["old"], [[1]]).save(tmp_path / "model")
    monkeypatch.setattr(Path, "is_dir", lambda path: False)  # as between two steps
    assert firth.load(tmp_path / "model").keys == ["old"]


def test_a_checkpoint_that_is_replaced_while_it_is_listed_is_found(tmp_path, monkeypatch):
    path, listing, times = tmp_path / "checkpoint", Path.iterdir, []
    made = Checkpoint(path, "GloVe", {"seed": 1}, None, None)
    made.save([1.0])

    def replaced(folder):
        if not times:
            times.append(folder)
            made.save([2.0])
            return iter(())  # what the old folder has left when another has removed it
        return listing(folder)

    monkeypatch.setattr(_checkpoint, "check_folder", lambda path: None)  # which lists it, too
    monkeypatch.setattr(Path, "iterdir", replaced)
    found = Checkpoint.of(path, "GloVe", {"seed": 1}, 9).found
    assert found is not None
    assert found.losses == [2.0]


def test_counts_whose_file_is_replaced_between_two_readings_are_the_old_ones(tmp_path, monkeypatch):
    path, made = tmp_path / "counts", Counts.of(["a b c a b"], window=2, min_count=1)
    made.write_glove(path)
    other = Counts.of(["c c a"], window=2, min_count=1)
    blocks, times = glove_counts._Records._blocks, []

    def replacing(*given):
        times.append(given)
        if len(times) == 2:
            other.write_glove(path)
        return blocks(*given)

    monkeypatch.setattr(glove_counts._Records, "_blocks", replacing)
    found = Counts.read_glove(path, made.vocabulary, window=2)
    assert len(times) == 2
    assert found.sums.data.tolist() == made.sums.data.tolist()


def test_counts_whose_file_shrinks_between_two_readings_are_refused(tmp_path, monkeypatch):
    path, made = tmp_path / "counts", Counts.of(["a b c a b"], window=2, min_count=1)
    made.write_glove(path)
    blocks, times = glove_counts._Records._blocks, []

    def fewer(*given):
        times.append(given)
        for begin, records in blocks(*given):
            yield begin, records[: len(records) - len(times) + 1]

    monkeypatch.setattr(glove_counts._Records, "_blocks", fewer)
    with pytest.raises(FormatError, match="the same records again, found fewer"):
        Counts.read_glove(path, made.vocabulary, window=2)
