"""Writing that leaves the old file or the new one, never half of each.

A writer fills a temporary beside its target, forces it to the disk and renames it. What a killed
writer left behind, the next one of the same name removes; see _temporaries.py.
"""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from firth._errors import FormatError
from firth._reading import AnyPath, CheckedReader, kind_of, refuse_special
from firth._temporaries import (
    exchange,
    new_file,
    new_folder,
    recover,
    remove_tree,
    replace_in_two_steps,
    sweep,
)

_TRIES = 100  # of writers that come at the same time
Made = TypeVar("Made")

# ---- writing ------------------------------------------------------------------------------------


@contextlib.contextmanager
def atomic_file(path: AnyPath) -> Iterator[BinaryIO]:
    """Write a file that replaces ``path`` in one step when the block ends without an error.

    The new file gets the permissions of the old one, or the usual ones. A symbolic link stays and
    its target is replaced. After any failure, in the block or of the disk, ``path`` is what it was
    and the temporary is gone.

    Parameters
    ----------
    path
        Where to write; its folder must exist.

    Yields
    ------
    BinaryIO
        A buffered binary file to write to. It must not be closed in the block.

    Raises
    ------
    IsADirectoryError, PermissionError, FileNotFoundError
        ``path`` is a folder, is write-protected, or lies in a folder that does not exist.
    ValueError
        ``path`` is a device, a pipe or a socket: a rename would replace the node itself.
    """
    target, old = _resolve(path)
    if old is not None:
        refuse_special(path, old.st_mode)
        _refuse_protected(path, target)
    sweep(target)
    temporary, descriptor = new_file(target, 0o666 if old is None else old.st_mode & 0o777)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if old is not None:
                _keep_owner_and_mode(descriptor, old)
            yield file
            file.flush()
            os.fsync(descriptor)
            temporary.replace(target)  # while the lock is held: nobody sweeps it away
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        _name(error, path, temporary)
        raise
    _sync_folder(target.parent)


@contextlib.contextmanager
def atomic_folder(path: AnyPath) -> Iterator[Path]:
    """Fill a folder that replaces ``path`` in one step when the block ends without an error.

    Where kernel and file system can exchange two names (Linux, ``renameat2``), a reader always
    finds the old folder or the new one. Elsewhere two renames are needed, and a kill between them
    leaves the old folder under a hidden name beside ``path``; the next ``atomic_folder`` on the
    same path puts it back first.

    Parameters
    ----------
    path
        A folder that does not exist, is empty, or was written by firth (see `is_firth_folder`).

    Yields
    ------
    Path
        A new, empty folder. All files in it are forced to the disk when the block ends.

    Raises
    ------
    NotADirectoryError, FileExistsError, PermissionError, FileNotFoundError
        ``path`` is no folder, holds files that firth did not write, is write-protected, or lies in
        a folder that does not exist.
    """
    recover(_resolve(path)[0])
    target, old = _replaceable(path)
    sweep(target)
    temporary, descriptor = new_folder(target)
    try:
        if old is not None:
            _keep_owner_and_mode(descriptor, old)
        yield temporary
        for folder, _, names in os.walk(temporary):
            for name in names:
                _sync(Path(folder, name))
            _sync_folder(Path(folder))
        _put(temporary, path)
        remove_tree(temporary)  # the old one, where names were exchanged
    except BaseException as error:
        remove_tree(temporary)
        _name(error, path, temporary)
        raise
    finally:
        os.close(descriptor)
    _sync_folder(target.parent)


def check_folder(path: AnyPath) -> None:
    """Raise at once what `atomic_folder` would raise, and finish what a killed one left behind."""
    recover(_resolve(path)[0])
    _replaceable(path)


def while_whole(path: AnyPath, read: Callable[[], Made]) -> Made:
    """Read a folder that other processes may replace meanwhile: once more, if they have done it.

    Where a replacement takes two steps, the folder may be missing because another process is just
    between them, or was killed there: then it is put back.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        There is no such folder, or a file in its place; and whatever reading it raises.
    """
    folder = Path(path)
    while True:
        try:
            before = folder.stat()
        except FileNotFoundError:
            with contextlib.suppress(OSError):
                recover(Path(os.path.realpath(path)))
            if not folder.exists():
                what = "no such folder"
                raise FileNotFoundError(errno.ENOENT, what, os.fspath(path)) from None
            continue
        if not stat.S_ISDIR(before.st_mode):
            text = "expected a firth folder, found a file (firth.read reads files)"
            raise NotADirectoryError(errno.ENOTDIR, text, os.fspath(path))
        try:
            return read()
        except (FormatError, FileNotFoundError):
            if not _replaced(folder, before):
                raise


def is_firth_folder(path: AnyPath) -> bool:
    """Say whether a folder may be replaced: a firth ``config.json`` and only the files it names.

    Raises
    ------
    OSError
        The folder is there, but cannot be looked at.
    """
    try:
        with CheckedReader(Path(path, "config.json")) as file:
            config = json.loads(file.take(min(file.size, 1 << 20), "JSON"))
        files = config["files"] if config["format"] == "firth" else None
        return isinstance(files, list) and {entry.name for entry in Path(path).iterdir()} <= {
            "config.json",
            *files,
        }
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _replaceable(path: AnyPath) -> tuple[Path, os.stat_result | None]:
    """Resolve a path that is free, or a folder that may be replaced."""
    target, old = _resolve(path)
    if old is not None:
        try:
            _refuse_others(path, target, old)
        except OSError:
            if not _replaced(target, old):
                raise
            return _replaceable(path)  # it has been replaced while it was looked at
    return target, old


def _resolve(path: AnyPath) -> tuple[Path, os.stat_result | None]:
    """Return the path behind all symbolic links, and what is there now."""
    text = os.fspath(path)
    if not text or "\0" in text:
        raise ValueError(f"path: {text!r} is not the name of a file")
    target = Path(os.path.realpath(text))
    try:
        old = Path(text).stat()
    except FileNotFoundError:
        old = None
    if not target.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, "the folder to write to does not exist", str(target.parent)
        )
    return target, old


def _refuse_others(path: AnyPath, target: Path, old: os.stat_result) -> None:
    if not stat.S_ISDIR(old.st_mode):
        found = kind_of(old.st_mode)
        raise NotADirectoryError(errno.ENOTDIR, f"expected a folder, found {found}", str(path))
    _refuse_protected(path, target)
    if any(target.iterdir()) and not is_firth_folder(target):
        raise FileExistsError(
            errno.EEXIST,
            "expected a new folder, an empty one or one written by firth, found other files",
            str(path),
        )


def _replaced(folder: Path, before: os.stat_result) -> bool:
    try:
        after = folder.stat()
    except FileNotFoundError:
        return True
    return (after.st_ino, after.st_ctime_ns) != (before.st_ino, before.st_ctime_ns)


def _name(error: BaseException, path: AnyPath, temporary: Path) -> None:
    """Let an error of the disk name what was to be written: it has no name, or one that is gone."""
    if isinstance(error, OSError) and error.errno is not None:
        name = os.fspath(temporary)
        if error.filename is None or os.fsdecode(error.filename).startswith(name):
            error.filename = os.fspath(path)
            del error.filename2


def _refuse_protected(path: AnyPath, target: Path) -> None:
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "write-protected", str(path))


def _keep_owner_and_mode(descriptor: int, old: os.stat_result) -> None:
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(OSError):  # only root may give files away; others lose nothing
            os.fchown(descriptor, old.st_uid, old.st_gid)
    if new.st_mode != old.st_mode:
        os.fchmod(descriptor, old.st_mode & 0o777)


def _put(temporary: Path, path: AnyPath) -> None:
    """Give a finished folder its name, or exchange it with the old one that has it.

    Others may do the same at the same time: then the names are looked at once more.
    """
    for tries in range(_TRIES):
        target, old = _replaceable(path)
        try:
            if old is None:
                temporary.rename(target)
            elif not exchange(temporary, target):
                replace_in_two_steps(temporary, target)
            return
        except OSError as error:
            others = error.errno in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)
            if not others or tries == _TRIES - 1 or not temporary.exists():
                raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    """Force the names in a folder to the disk, where the file system offers that."""
    try:
        _sync(path)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):
            raise
