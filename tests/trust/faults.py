"""Let everything fail that a writer asks of the disk, one call after the other.

A library loaded before the C library makes the n-th call below a folder fail (write, fsync, rename,
open, ...) with each of four errors, for as many n as a save has calls. Every time the old thing
must lie there whole, or the new one; the error must be that of the disk and name what was written;
no temporary may stay; and the next save must go through.

    python tests/trust/faults.py --only Embedding
"""

import argparse
import ctypes
import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from trust import situations
from trust._report import Row, save
from trust.writers import SPILLS, WRITERS, Writer, below

CODES = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EACCES)
ROOM = (errno.ENOSPC, errno.EDQUOT)  # what has no room once has none afterwards
_SIZE = 40_000  # bytes of what is saved
_SOURCE = Path(__file__).with_name("failing.c")


class Faults:
    """The library that fails, which this process was started with."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.failing_hit.restype = ctypes.c_char_p
        self._library.failing_seen.restype = ctypes.c_long

    def while_armed(
        self, folder: Path, work: Callable[[], object], nth: int, code: int, short: bool = False
    ) -> BaseException | None:
        """Let the n-th call fail while something works; return what it raised."""
        where = ctypes.c_char_p(os.fsencode(folder))
        stays = code in ROOM
        self._library.failing_arm(where, ctypes.c_long(nth), code, int(stays), int(short))
        try:
            work()
        except BaseException as error:
            return error
        finally:
            self.seen, self.hit = self._library.failing_seen(), self._library.failing_hit().decode()
            self._library.failing_arm(b"", ctypes.c_long(0), 0, 0, 0)
        return None


def fail_saves(writer: Writer, folder: Path, faults: Faults) -> tuple[int, list[str], str]:
    """Let each call of a save fail; return how many trials, what went wrong, and how many calls."""
    made = [writer.make(version, _SIZE) for version in range(2)]
    meant = [writer.meant(one) for one in made]
    path, failures, trials = folder / "saved", [], 0
    writer.save(made[0], path)

    def new() -> None:
        writer.save(made[1], path)

    def judged(what: str, error: BaseException | None, codes: tuple[int, ...]) -> None:
        lies = writer.held(path)
        left = [name for name in below(folder) if name != "saved"]
        if error is None:
            if lies != meant[1]:
                failures.append(f"{what}: no error, but the new one does not lie there")
            if left and not faults.hit.startswith("open"):  # an old one, to be removed
                failures.append(f"{what}: {left} lie there")
        else:
            if not isinstance(error, OSError) or error.errno not in codes:
                failures.append(f"{what}: {error!r}")
            elif str(folder) not in str(error) or "firth-tmp" in str(error):
                failures.append(f"{what}: what it was about is not named: {error}")
            if lies not in meant:
                failures.append(f"{what}: neither the old one nor the new one lies there")
            if left:
                failures.append(f"{what}: {left} lie there")
        writer.save(made[0], path)
        if below(folder) != ["saved"] or writer.held(path) != meant[0]:
            failures.append(f"{what}: {below(folder)} lie there after another save")

    judged(f"{writer.name}, short writes", faults.while_armed(folder, new, 0, 0, True), ())
    calls = faults.seen
    if faults.while_armed(folder, new, 0, 0) or faults.seen < 4:
        failures.append(f"{writer.name}: no call was seen")
    calls = faults.seen
    writer.save(made[0], path)
    for nth in range(1, calls + 1):
        for code in CODES:
            error = faults.while_armed(folder, new, nth, code)
            name = f"{writer.name}, call {nth} ({faults.hit}) with {errno.errorcode[code]}"
            judged(name, error, (code,))
            trials += 1
    return trials, failures, f"{calls} calls a save"


def fail_spills(name: str, folder: Path, faults: Faults, most: int) -> tuple[int, list[str], str]:
    """Let calls of what is spilled fail: an error that names the folder, and nothing stays."""
    failures, trials, work = [], 0, SPILLS[name]
    meant = work(folder)
    found = []
    error = faults.while_armed(folder, lambda: found.append(work(folder)), 0, 0, True)
    if error is not None or found != [meant]:
        failures.append(f"{name}, short writes: {error!r}")
    faults.while_armed(folder, lambda: work(folder), 0, 0)
    calls = faults.seen
    if calls < 4:
        failures.append(f"{name}: no call was seen")
    rng = random.Random(1)
    which = range(1, calls + 1) if calls <= most else sorted(rng.sample(range(1, calls + 1), most))
    for nth in which:
        for code in CODES:
            found.clear()
            error = faults.while_armed(folder, lambda: found.append(work(folder)), nth, code)
            what = f"{name}, call {nth} ({faults.hit}) with {errno.errorcode[code]}"
            trials += 1
            if error is None:
                if found != [meant]:
                    failures.append(f"{what}: no error, and another result")
            elif not isinstance(error, OSError) or error.errno != code:
                failures.append(f"{what}: {error!r}")
            elif str(folder) not in str(error):
                failures.append(f"{what}: the folder is not named: {error}")
            if left := below(folder):
                failures.append(f"{what}: {left} lie there")
                shutil.rmtree(folder)
                folder.mkdir()
    return trials, failures, f"{calls} calls"


def preloaded() -> None:
    """Start this program anew with the library that fails, unless it was."""
    if "FIRTH_FAULTS" in os.environ:
        return
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "failing.so")
        compiler = os.environ.get("CC", "cc")
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        env = {**os.environ, "LD_PRELOAD": str(library), "FIRTH_FAULTS": "1"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=env, check=False).returncode)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", help="where to write; default: memory, where it is a disk")
    options.add_argument("--only", default="", help="what to try, by name")
    options.add_argument("--most", type=int, default=100, help="calls of what is spilled")
    options.add_argument("--seconds", type=float, default=2.0, help="of what runs side by side")
    given = options.parse_args()
    preloaded()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    faults, rows, began = Faults(), [], time.monotonic()
    tasks: dict[str, Any] = {}
    for name, writer in WRITERS.items():
        tasks[f"{name}: failing calls"] = (fail_saves, writer, faults)
    for name in SPILLS:
        tasks[f"{name}: failing calls"] = (fail_spills, name, faults, given.most)
    tasks |= {name: (try_, given.seconds) for name, try_ in situations.SITUATIONS.items()}
    for name, (try_, *what) in tasks.items():
        if given.only not in name:
            continue
        with tempfile.TemporaryDirectory(dir=given.folder or memory) as folder:
            if try_ is fail_saves or try_ is fail_spills:
                found = try_(what[0], Path(folder), *what[1:])
            else:
                found = try_(Path(folder), *what)
        trials, failures, figure = found
        failures = [f"{text} (--only {name!r})" for text in failures]
        rows.append(Row(name, trials, "trials", failures, figure))
        seconds = f"{time.monotonic() - began:.0f} s"
        print(name, trials, figure, seconds, *failures[:4], sep="; ", flush=True)
    save("faults", rows, time.monotonic() - began)


if __name__ == "__main__":
    main()
