"""Temporaries beside what is to be replaced: made, locked, recognised when their writers are dead.

A temporary is locked (``flock``) while its writer lives, so the next writer of the same name
recognises what a killed one left behind and removes it, whatever process numbers or containers are
involved.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
import zlib
from pathlib import Path

_LABEL_BYTES = 150  # a temporary's name must stay below the usual limit of 255 bytes
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_TRIES, _WAIT = 100, 0.01  # looks at a lock, and seconds between two of them


def _label(target: Path) -> str:
    """Return what all temporaries of one target begin with."""
    name = os.fsencode(target.name)
    if len(name) > _LABEL_BYTES:
        name = name[:_LABEL_BYTES] + b"~%08x" % zlib.crc32(name)
    return "." + os.fsdecode(name) + "."


def _new_name(target: Path, ending: str = "firth-tmp") -> Path:
    return target.with_name(f"{_label(target)}{secrets.token_hex(8)}.{ending}")


def new_file(target: Path, mode: int) -> tuple[Path, int]:
    while True:
        temporary = _new_name(target)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            descriptor = os.open(temporary, flags, mode)
        except OSError as error:
            raise _no_room(error, target) from None
        _lock(descriptor)
        if os.fstat(descriptor).st_nlink:  # zero if swept between creation and lock: once more
            return temporary, descriptor
        os.close(descriptor)


def new_folder(target: Path) -> tuple[Path, int]:
    while True:
        temporary = _new_name(target)
        try:
            temporary.mkdir()
        except OSError as error:
            raise _no_room(error, target) from None
        try:
            descriptor = _opened(temporary)
        except FileNotFoundError:
            continue
        except OSError as error:
            temporary.rmdir()
            raise _no_room(error, target) from None
        _lock(descriptor)
        if temporary.exists():
            return temporary, descriptor
        os.close(descriptor)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


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


def sweep(target: Path) -> None:
    """Remove the temporaries of writers that are dead: those that nobody holds locked."""
    for path in _leftovers(target, "firth-tmp"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if _lock(descriptor, block=False):
                    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                        remove_tree(path)
                    else:
                        path.unlink()
            finally:
                os.close(descriptor)


def remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def exchange(a: Path, b: Path) -> bool:
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


def replace_in_two_steps(temporary: Path, target: Path) -> None:
    aside = _new_name(target, "firth-old")
    with contextlib.ExitStack() as closing:
        try:
            target.rename(aside)
            with contextlib.suppress(OSError):  # while it is locked, nobody puts it back
                descriptor = _opened(aside)
                closing.callback(os.close, descriptor)
                _lock(descriptor)
            temporary.rename(target)
        except BaseException:
            with contextlib.suppress(OSError):  # another writer's is there
                aside.rename(target)
            raise
        finally:
            if target.exists():
                remove_tree(aside)


def recover(target: Path) -> None:
    """Finish a replacement in two steps that was killed: the old folder back, or away."""
    for aside in _leftovers(target, "firth-old"):
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as closing:
            descriptor = _opened(aside)
            closing.callback(os.close, descriptor)
            for _ in range(_TRIES):  # locked between the two steps only
                if _lock(descriptor, block=False):
                    break
                time.sleep(_WAIT)
            if not target.exists():
                try:
                    aside.rename(target)
                except OSError as error:  # another writer was faster
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
            if target.exists():
                remove_tree(aside)


def _no_room(error: OSError, target: Path) -> OSError:
    code = error.errno or 0
    what = f"nothing can be made in this folder: {os.strerror(code)}"
    return OSError(code, what, str(target.parent))
