"""Folders that are the old ones or the new, under failures of the block, of the disk, and kills."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from firth import _files
from firth._files import atomic_folder, is_firth_folder

PACKAGE = str(Path(_files.__file__).parents[1])


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def write_folder(path, content="new"):
    with atomic_folder(path) as folder:
        (folder / "config.json").write_text(json.dumps({"format": "firth", "files": ["data"]}))
        (folder / "data").write_text(content)


def python(program, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        **options,
    )


@pytest.fixture(params=["exchanged in one step", "in two steps"])
def steps(request, monkeypatch):
    """Both ways to replace a folder."""
    if request.param == "in two steps":
        monkeypatch.setattr(_files, "exchange", lambda a, b: False)


@pytest.mark.usefixtures("steps")
def test_a_folder_is_made_and_replaced(tmp_path):
    path = tmp_path / "model"
    write_folder(path, "old")
    path.chmod(0o750)
    write_folder(path, "new")
    assert names(path) == ["config.json", "data"]
    assert (path / "data").read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert names(tmp_path) == ["model"]


def test_an_empty_folder_and_a_linked_one_are_replaced(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    write_folder(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "empty" / "data").read_text() == "new"
    assert names(tmp_path) == ["empty", "link"]


@pytest.mark.parametrize(
    "files",
    [
        {"notes.txt": "mine"},
        {"config.json": "{}"},
        {"config.json": '{"format": "other", "files": []}'},
        {"config.json": '{"format": "firth", "files": ["data"]}', "notes.txt": "mine"},
        {"config.json": '{"format": "firth", "files": "notes.txt"}', "notes.txt": "mine"},
        {"config.json": '{"format": "firth", "files": [[]]}'},
        {"config.json": "[" * 100_000},
        {"config.json": "no JSON"},
    ],
)
def test_a_folder_with_files_of_others_is_refused(tmp_path, files):
    path = tmp_path / "folder"
    path.mkdir()
    for name, content in files.items():
        (path / name).write_text(content)
    assert not is_firth_folder(path)
    with pytest.raises(FileExistsError, match="folder"):
        write_folder(path)
    assert names(path) == sorted(files)
    assert names(tmp_path) == ["folder"]


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(NotADirectoryError, match="found a regular file"):
        write_folder(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.usefixtures("steps")
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_in_the_block_keeps_the_old_folder(tmp_path, error):
    path = tmp_path / "model"
    write_folder(path, "old")
    with pytest.raises(error), atomic_folder(path) as folder:  # noqa: PT012
        (folder / "data").write_text("new")
        raise error
    assert (path / "data").read_text() == "old"
    assert names(tmp_path) == ["model"]


def test_a_failing_second_rename_puts_the_old_folder_back(tmp_path, monkeypatch):
    path = tmp_path / "model"
    write_folder(path, "old")
    monkeypatch.setattr(_files, "exchange", lambda a, b: False)
    rename = Path.rename

    def failing(self, target):
        if self.suffix == ".firth-tmp":
            raise OSError(errno.EIO, "the disk")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="the disk"):
        write_folder(path)
    assert (path / "data").read_text() == "old"
    assert names(tmp_path) == ["model"]


def test_a_kill_between_two_renames_is_recovered_from(tmp_path):
    path = tmp_path / "model"
    aside = tmp_path / ".model.0123456789abcdef.firth-old"
    write_folder(path, "old")
    path.rename(aside)
    with pytest.raises(ValueError, match="failure"), atomic_folder(path):
        raise ValueError("failure")
    assert (path / "data").read_text() == "old"
    write_folder(aside, "older")
    write_folder(path)
    assert (path / "data").read_text() == "new"
    assert names(tmp_path) == ["model"]


KILLED = """
import os, signal, sys
from firth._files import atomic_folder
with atomic_folder(sys.argv[1]) as folder:
    (folder / "data").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_folder_writer_is_swept(tmp_path):
    path = tmp_path / "model"
    write_folder(path, "old")
    assert python(KILLED, path).wait(60) == -signal.SIGKILL
    assert (path / "data").read_text() == "old"
    assert len(names(tmp_path)) == 2
    write_folder(path)
    assert names(tmp_path) == ["model"]


def test_folders_written_at_once_do_not_sweep_each_other(tmp_path):
    path = tmp_path / "model"
    with atomic_folder(path) as outer:
        (outer / "data").write_text("outer")
        (outer / "config.json").write_text('{"format": "firth", "files": ["data"]}')
        other = tmp_path / "other"
        write_folder(other)
        (tmp_path / ".model.0123456789abcdef.firth-tmp").mkdir()
        with pytest.raises(ValueError, match="stop"), atomic_folder(path) as inner:  # noqa: PT012
            assert inner != outer
            assert names(tmp_path) == sorted([inner.name, outer.name, "other"])
            raise ValueError("stop")
    assert (path / "data").read_text() == "outer"


@pytest.mark.usefixtures("steps")
def test_of_two_writers_of_a_new_folder_the_last_to_end_wins(tmp_path):
    path = tmp_path / "model"
    with atomic_folder(path) as outer:
        (outer / "data").write_text("outer")
        write_folder(path, "inner")
        assert (path / "data").read_text() == "inner"
    assert (path / "data").read_text() == "outer"
    assert names(tmp_path) == ["model"]


def test_every_file_of_a_folder_is_synced(tmp_path, monkeypatch):
    synced = set()
    fsync = os.fsync

    def noting(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    write_folder(tmp_path / "model")
    paths = [tmp_path, tmp_path / "model", *(tmp_path / "model").iterdir()]
    assert synced == {path.stat().st_ino for path in paths}
