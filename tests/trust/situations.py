"""Situations in which writers find themselves: full disks, no permission, links, company.

Each takes a folder and seconds (of what runs side by side), and returns how many trials there were,
what went wrong, and a figure.
"""

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from firth import FormatError
from trust.writers import WRITERS, Writer, below

_SIZE = 200_000
_NEWNS, _PRIVATE, _RECURSIVE = 0x20000, 1 << 18, 1 << 14
_NOBODY = 65534
Found = tuple[int, list[str], str]


def in_child(work: Callable[[], list[str]], timeout: float = 120) -> list[str]:
    """Run something in a child; return what it returned, or how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            signal.alarm(int(timeout))
            text = json.dumps(work()).encode()
            while text:
                text = text[os.write(writing, text) :]
            code = 0
        except BaseException as error:
            print(f"{error!r}", file=sys.stderr)
            raise
        finally:
            os._exit(code)
    os.close(writing)
    told = b""
    while some := os.read(reading, 1 << 16):
        told += some
    os.close(reading)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return [f"the child ended with {status}"] if status else json.loads(told)


def _tried(
    writer: Writer, path: Path, made: list[Any], expected: type[OSError], what: str
) -> list[str]:
    """Save over what lies there, which must fail; say what is wrong."""
    wrong = []
    before = below(path.parent) if os.access(path.parent, os.R_OK) else None
    try:
        writer.save(made[1], path)
    except expected as error:
        if str(path.parent) not in str(error) or "firth-tmp" in str(error):
            wrong.append(f"{what}: what it was about is not named: {error}")
    except Exception as error:
        wrong.append(f"{what}: {error!r}")
    else:
        wrong.append(f"{what}: no error")
    if before is not None and below(path.parent) != before:
        wrong.append(f"{what}: {below(path.parent)} lie there, {before} before")
    return wrong


# ---- full disks ---------------------------------------------------------------------------------


def _mount(folder: Path, size: int) -> bool:
    """Mount a small file system that no other process sees, if this process may."""
    libc = ctypes.CDLL(None)
    where = os.fsencode(folder)
    if libc.unshare(_NEWNS) or libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None):
        return False
    return not libc.mount(b"none", where, b"tmpfs", 0, b"size=%d" % size)


def _full(writer: Writer, made: list[Any], where: Path, size: int, share: float) -> list[str]:
    """Save to a disk with room for so many times the size; say if it is one, and what is wrong."""
    what, wrong, refused = f"{writer.name}, {share} times its size", [], False
    room = int(size * share)
    where.mkdir(exist_ok=True)
    small = _mount(where, room)
    path = where / "saved"
    with contextlib.suppress(FileNotFoundError):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    writer.save(made[0], path)
    if not small:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room - size,) * 2)
    try:
        writer.save(made[1], path)
    except OSError as error:
        refused = True
        if str(where) not in str(error) or "firth-tmp" in str(error):
            wrong.append(f"{what}: what it was about is not named: {error}")
    if writer.held(path) != writer.meant(made[0 if refused else 1]):
        wrong.append(f"{what}: what lies there is not the old one or not the new one")
    if refused is (share > 2):
        wrong.append(f"{what}: {'refused' if refused else 'no error'}")
    if below(where) != ["saved"]:
        wrong.append(f"{what}: {below(where)} lie there")
    return [f"{small}", *wrong]


def full_disks(folder: Path, seconds: float) -> Found:
    """Let each writer meet a disk of too little room, from none to almost enough for two."""
    trials, failures, mounted = 0, [], True
    shares = (1.02, 1.2, 1.5, 1.8, 1.9, 2.2)
    for writer in WRITERS.values():
        made = [writer.make(version, _SIZE) for version in range(2)]
        path = folder / writer.name.replace(" ", "-")
        writer.save(made[0], path)
        files = [path] if path.is_file() else list(path.iterdir())
        size = sum(-(-file.stat().st_size // 4096) * 4096 for file in files)
        for share in shares:
            told = in_child(partial(_full, writer, made, folder / f"disk{share}", size, share))
            mounted &= told[0] == "True"
            failures += [told[0], *told[1:]] if told[0] not in ("True", "False") else told[1:]
            trials += 1
    return trials, failures, "small tmpfs" if mounted else "RLIMIT_FSIZE"


# ---- permissions and links ----------------------------------------------------------------------


@contextlib.contextmanager
def _modes(**modes: tuple[Path, int]) -> Iterator[None]:
    old = [(path, path.stat().st_mode & 0o7777) for path, _ in modes.values()]
    for path, mode in modes.values():
        path.chmod(mode)
    try:
        yield
    finally:
        for path, mode in old:
            path.chmod(mode)


def _as_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _refused(writer: Writer, path: Path, made: list[Any], what: str) -> list[str]:
    _as_nobody()
    return _tried(writer, path, made, PermissionError, what)


def permissions(folder: Path, seconds: float) -> Found:
    """Let each writer be refused: by the folder, by the old thing, by a folder it cannot see."""
    trials, failures = 0, []
    folder.chmod(0o755)
    for writer in WRITERS.values():
        made = [writer.make(version, 20_000) for version in range(2)]
        meant = writer.meant(made[0])
        place = folder / writer.name.replace(" ", "-")
        place.mkdir()
        path = place / "saved"
        writer.save(made[0], path)
        if os.geteuid() == 0:
            for one in (place, path, *(path.iterdir() if path.is_dir() else ())):
                os.chown(one, _NOBODY, _NOBODY)
        cases = {
            "a folder that may only be read": {"a": (place, 0o555)},
            "an old one that may only be read": {"a": (path, 0o555 if path.is_dir() else 0o444)},
            "a folder that may not be searched": {"a": (place, 0o600)},
        }
        for case, modes in cases.items():
            what = f"{writer.name}, {case}"
            with _modes(**modes):
                failures += in_child(partial(_refused, writer, path, made, what))
            trials += 1
            if writer.held(path) != meant or below(place) != ["saved"]:
                failures.append(f"{what}: the old one does not lie there alone")
        missing = place / "missing" / "saved"
        trials += 1
        try:
            writer.save(made[1], missing)
        except FileNotFoundError as error:
            if "missing" not in str(error):
                failures.append(f"{writer.name}, no folder: {error}")
        else:
            failures.append(f"{writer.name}, no folder: no error")
    return trials, failures, "as nobody" if os.geteuid() == 0 else "as the user"


def links(folder: Path, seconds: float) -> Found:
    """Let each writer write through links: they stay, and what they point to is replaced."""
    trials, failures = 0, []
    for writer in WRITERS.values():
        made = [writer.make(version, 20_000) for version in range(2)]
        meant = [writer.meant(one) for one in made]
        place = folder / writer.name.replace(" ", "-")
        store = place / "store"
        store.mkdir(parents=True)
        writer.save(made[0], store / "real")
        (place / "one").symlink_to("store/real")
        (place / "two").symlink_to(place / "one")
        (place / "dangling").symlink_to("store/new")
        (place / "loop").symlink_to("loop")
        for name, real in (("one", "real"), ("two", "real"), ("dangling", "new")):
            writer.save(made[1], place / name)
            trials += 1
            lies = (writer.held(store / real), writer.held(place / name))
            if not (place / name).is_symlink() or lies != (meant[1], meant[1]):
                failures.append(f"{writer.name}, link {name}: not replaced where it points to")
            writer.save(made[0], store / real)
        try:
            writer.save(made[1], place / "loop")
        except OSError as error:
            if "loop" not in str(error):
                failures.append(f"{writer.name}, a loop: {error}")
        else:
            failures.append(f"{writer.name}, a loop: no error")
        trials += 1
        if below(store) != ["new", "real"]:
            failures.append(f"{writer.name}: {below(store)} lie there")
    return trials, failures, ""


# ---- company ------------------------------------------------------------------------------------


def company(writer: Writer, path: Path, writers: int, readers: int, seconds: float) -> Found:
    """Let several processes save to one path, from before it is there, and others read it."""
    made = [writer.make(version, _SIZE) for version in range(writers)]
    meant = {writer.meant(one) for one in made}

    def saving(number: int) -> list[str]:
        end, many = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            try:
                writer.save(made[number], path)
            except Exception as error:
                return ["0", f"{writer.name}, {writers} writers: {error!r}"]
            many += 1
        return [str(many)]

    def reading(number: int) -> list[str]:
        end, many = time.monotonic() + seconds, 0
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.001)
        while time.monotonic() < end:
            try:
                if writer.held(path) not in meant:
                    return ["0", f"{writer.name}, {readers} readers: none of what was saved"]
            except (OSError, FormatError, ValueError) as error:
                return ["0", f"{writer.name}, {readers} readers: {error!r}"]
            many += 1
        return [str(many)]

    told = _side_by_side(
        [partial(saving, number) for number in range(writers)]
        + [partial(reading, number) for number in range(readers)]
    )
    failures = [text for one in told for text in one[1:]]
    saves = sum(int(one[0]) for one in told[:writers] if one[0].isdigit())
    reads = sum(int(one[0]) for one in told[writers:] if one[0].isdigit())
    failures += [one[0] for one in told if not one[0].isdigit()]
    writer.save(made[0], path)
    if below(path.parent) != [path.name] or writer.held(path) != writer.meant(made[0]):
        failures.append(f"{writer.name}: {below(path.parent)} lie there after another save")
    return saves + reads, failures, f"{saves} saves, {reads} reads"


def _side_by_side(tasks: list[Callable[[], list[str]]]) -> list[list[str]]:
    """Run tasks in children of this process, all at the same time."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(in_child, tasks))


def _all_in_company(writers: int, readers: int) -> Callable[[Path, float], Found]:
    def situation(folder: Path, seconds: float) -> Found:
        trials, failures, saves = 0, [], 0
        for writer in WRITERS.values():
            place = folder / writer.name.replace(" ", "-")
            place.mkdir()
            many, wrong, figure = company(writer, place / "saved", writers, readers, seconds)
            trials, failures, saves = (
                trials + many,
                failures + wrong,
                saves + int(figure.split()[0]),
            )
        return trials, failures, f"{saves} saves"

    return situation


SITUATIONS = {
    "full disks": full_disks,
    "permissions": permissions,
    "symbolic links": links,
    "readers during saves": _all_in_company(1, 2),
    "several writers at once": _all_in_company(3, 0),
}
