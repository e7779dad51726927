"""Writing that leaves the old or the new, under failures of the block, of the disk, and kills."""

import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firth import _files
from firth._files import atomic_file, atomic_folder

PACKAGE = str(Path(_files.__file__).parents[1])


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def write(path, content=b"new"):
    with atomic_file(path) as file:
        file.write(content)


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


# ---- files --------------------------------------------------------------------------------------


def test_a_new_file_has_the_usual_mode_and_the_content(tmp_path):
    (tmp_path / "usual").touch()
    write(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert names(tmp_path) == ["a", "usual"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o777, 0o200])
def test_the_mode_of_the_old_file_is_kept_from_the_first_byte(tmp_path, mode):
    path = tmp_path / "a"
    path.touch()
    path.chmod(mode)
    with atomic_file(path) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == mode
        file.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_symbolic_link_is_written_through(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("store/a")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "store" / "a").read_bytes() == b"new"
    (tmp_path / "dangling").symlink_to("store/b")
    write(tmp_path / "dangling")
    assert (tmp_path / "store" / "b").read_bytes() == b"new"
    assert names(tmp_path / "store") == ["a", "b"]


def test_a_link_to_itself_is_an_error(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        write(tmp_path / "loop")


def test_folders_pipes_and_sockets_are_refused_and_stay(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(IsADirectoryError):
            write(tmp_path / "folder")
        with pytest.raises(ValueError, match="pipe: expected a regular file, found a named pipe"):
            write(tmp_path / "pipe")
        with pytest.raises(ValueError, match="found a socket"):
            write(tmp_path / "socket")
    assert names(tmp_path) == ["folder", "pipe", "socket"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match="not the name of a file"):
        write(name)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        write(tmp_path / "missing" / "a")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_failure_in_the_block_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_file(path) as file:  # noqa: PT012
        file.write(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("call", [1, 2])
def test_a_disk_that_fails_to_sync_is_an_error_and_leaves_a_whole_file(tmp_path, monkeypatch, call):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    calls = []

    def failing(descriptor):
        calls.append(descriptor)
        if len(calls) == call:
            raise OSError(errno.EIO, "the disk")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="the disk"):
        write(path)
    assert path.read_bytes() == (b"old" if call == 1 else b"new")
    assert names(tmp_path) == ["a"]


FULL = """
import resource, signal, sys
from firth._files import atomic_file, atomic_folder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    if sys.argv[2] == "file":
        with atomic_file(sys.argv[1]) as file:
            file.write(bytes(int(sys.argv[3])))
    else:
        with atomic_folder(sys.argv[1]) as folder:
            (folder / "data").write_bytes(bytes(int(sys.argv[3])))
except OSError as error:
    sys.exit(77 if error.errno == 27 else 1)
"""


@pytest.mark.parametrize("size", [100_001, 10_000_000])
def test_a_full_disk_keeps_the_old_file_and_folder(tmp_path, size):
    (tmp_path / "a").write_bytes(b"old")
    write_folder(tmp_path / "b", "old")
    for name, kind in (("a", "file"), ("b", "folder")):
        assert python(FULL, tmp_path / name, kind, size).wait(60) == 77
    assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "b" / "data").read_text() == "old"
    assert names(tmp_path) == ["a", "b"]


KILLED = """
import os, signal, sys
from firth._files import atomic_file, atomic_folder
if sys.argv[2] == "file":
    with atomic_file(sys.argv[1]) as file:
        file.write(bytes(1 << 20))
        os.kill(os.getpid(), signal.SIGKILL)
else:
    with atomic_folder(sys.argv[1]) as folder:
        (folder / "data").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_sweeps(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    for _ in range(2):
        assert python(KILLED, path, "file").wait(60) == -signal.SIGKILL
        assert path.read_bytes() == b"old"
        assert len(names(tmp_path)) == 2
    write(path)
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


LOOP = """
import sys
from firth._files import atomic_file
for step in range(1_000_000):
    with atomic_file(sys.argv[1]) as file:
        file.write(bytes([step % 256]) * 300_000)
    if not step:
        print("begun", flush=True)
"""


@pytest.mark.parametrize("trial", range(4))
def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path, trial):
    path = tmp_path / "a"
    with python(LOOP, path, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        time.sleep(0.013 * trial)
        process.kill()
    content = path.read_bytes()
    assert len(content) == 300_000
    assert len(set(content)) == 1
    assert len(names(tmp_path)) <= 2
    write(path)
    assert names(tmp_path) == ["a"]


def test_the_temporary_of_a_living_writer_is_not_swept(tmp_path):
    path = tmp_path / "a"
    with atomic_file(path) as outer:
        outer.write(b"outer")
        write(path, b"inner")
        assert path.read_bytes() == b"inner"
    assert path.read_bytes() == b"outer"
    assert names(tmp_path) == ["a"]


def test_only_own_leftovers_are_swept(tmp_path):
    others = [".a.0123456789abcdef.tmp", ".a.xyz.firth-tmp", ".ab.0123456789abcdef.firth-tmp", "b"]
    for name in [*others, ".a.0123456789abcdef.firth-tmp"]:
        (tmp_path / name).touch()
    write(tmp_path / "a")
    assert names(tmp_path) == sorted(["a", *others])


@pytest.mark.parametrize("name", ["ä" * 127, "x" * 255, "\udcff name", "new\nline", "-f", "[a]*?"])
def test_any_name_that_the_system_takes_is_taken(tmp_path, name):
    write(tmp_path / name)
    assert names(tmp_path) == [name]
    (tmp_path / name).unlink()
    write_folder(tmp_path / name)
    write_folder(tmp_path / name)
    assert names(tmp_path) == [name]


def test_a_protected_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everything
    with pytest.raises(PermissionError, match="write-protected"):
        write(tmp_path / "a")
    assert names(tmp_path) == ["a"]
