"""Writing that leaves the old file or the new one, never half of each.

A writer fills a temporary beside its target, forces it to the disk and renames it. The temporary is
locked (``flock``) while its writer lives, so the next writer of the same name recognises what a
killed one left behind and removes it, whatever process numbers or containers are involved.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import re
import secrets
import shutil
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from firth._reading import AnyPath, CheckedReader, kind_of, refuse_special

_LABEL_BYTES = 150  # a temporary's name must stay below the usual limit of 255 bytes
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2

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
    _sweep(target)
    temporary, descriptor = _new_file(target, 0o666 if old is None else old.st_mode & 0o777)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if old is not None:
                _keep_owner_and_mode(descriptor, old)
            yield file
            file.flush()
            os.fsync(descriptor)
            temporary.replace(target)  # while the lock is held: nobody sweeps it away
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
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
    _recover(_resolve(path)[0])
    target, old = _replaceable(path)
    _sweep(target)
    temporary, descriptor = _new_folder(target)
    try:
        if old is not None:
            _keep_owner_and_mode(descriptor, old)
        yield temporary
        for folder, _, names in os.walk(temporary):
            for name in names:
                _sync(Path(folder, name))
            _sync_folder(Path(folder))
        if _replaceable(path)[1] is None:  # once more: another writer may have been faster
            temporary.rename(target)
        elif _exchange(temporary, target):
            _remove_tree(temporary)
        else:
            _replace_in_two_steps(temporary, target)
    except BaseException:
        _remove_tree(temporary)
        raise
    finally:
        os.close(descriptor)
    _sync_folder(target.parent)


def check_folder(path: AnyPath) -> None:
    """Raise at once what `atomic_folder` would raise, and finish what a killed one left behind."""
    _recover(_resolve(path)[0])
    _replaceable(path)


def is_firth_folder(path: AnyPath) -> bool:
    """Say whether a folder may be replaced: a firth ``config.json`` and only the files it names."""
    try:
        with CheckedReader(Path(path, "config.json")) as file:
            config = json.loads(file.take(min(file.size, 1 << 20), "JSON"))
        files = config["files"] if config["format"] == "firth" else None
        return isinstance(files, list) and {entry.name for entry in Path(path).iterdir()} <= {
            "config.json",
            *files,
        }
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def _replaceable(path: AnyPath) -> tuple[Path, os.stat_result | None]:
    """Resolve a path that is free, or a folder that may be replaced."""
    target, old = _resolve(path)
    if old is not None:
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


# ---- temporaries --------------------------------------------------------------------------------


def _label(target: Path) -> str:
    """Return what all temporaries of one target begin with."""
    name = os.fsencode(target.name)
    if len(name) > _LABEL_BYTES:
        name = name[:_LABEL_BYTES] + b"~%08x" % zlib.crc32(name)
    return "." + os.fsdecode(name) + "."


def _new_name(target: Path, ending: str = "firth-tmp") -> Path:
    return target.with_name(f"{_label(target)}{secrets.token_hex(8)}.{ending}")


def _new_file(target: Path, mode: int) -> tuple[Path, int]:
    while True:
        temporary = _new_name(target)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        _lock(descriptor)
        if os.fstat(descriptor).st_nlink:  # zero if swept between creation and lock: once more
            return temporary, descriptor
        os.close(descriptor)


def _new_folder(target: Path) -> tuple[Path, int]:
    while True:
        temporary = _new_name(target)
        temporary.mkdir()
        try:
            descriptor = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        _lock(descriptor)
        if temporary.exists():
            return temporary, descriptor
        os.close(descriptor)


def _lock(descriptor: int, block: bool = True) -> bool:
    """Lock an open file or folder; false if another holds it or the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _leftovers(target: Path, ending: str) -> list[Path]:
    pattern = re.compile(re.escape(_label(target)) + r"[0-9a-f]{16}\." + ending)
    with os.scandir(target.parent) as entries:
        return [target.with_name(e.name) for e in entries if pattern.fullmatch(e.name)]


def _sweep(target: Path) -> None:
    """Remove the temporaries of writers that are dead: those that nobody holds locked."""
    for path in _leftovers(target, "firth-tmp"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if _lock(descriptor, block=False):
                    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                        _remove_tree(path)
                    else:
                        path.unlink()
            finally:
                os.close(descriptor)


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two names in one step; false where that does not exist."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    names = (ctypes.c_char_p(os.fsencode(a)), ctypes.c_char_p(os.fsencode(b)))
    if not renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_RENAME_EXCHANGE)):
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(b))


def _replace_in_two_steps(temporary: Path, target: Path) -> None:
    aside = _new_name(target, "firth-old")
    target.rename(aside)
    try:
        temporary.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    _remove_tree(aside)


def _recover(target: Path) -> None:
    """Finish a replacement in two steps that was killed: the old folder back, or away."""
    for aside in _leftovers(target, "firth-old"):
        if target.exists():
            _remove_tree(aside)
        else:
            aside.rename(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    """Force the names in a folder to the disk, where the file system offers that."""
    try:
        _sync(path)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):
            raise
