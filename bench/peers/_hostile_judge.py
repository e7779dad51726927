"""What a bad input is, and by which rule an answer to it is called clear, right or wrong.

The rule is the same for everyone. An answer that is no exception is ``right`` if the case says what
right is and it holds. Else it is ``ignored`` if it is what the same peer makes of the undamaged
input, and ``wrong`` if not. An exception is an ``error`` if it is clear: its type is none that says
where a program stumbled, and its message names what is wrong, by any of the words in
``Case.about``. Else it is ``unclear``. What ends otherwise is seen from outside, by `answers`.
"""

import contextlib
import json
import os
import re
import resource
import select
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

VERDICTS = ("right", "error", "ignored", "unclear", "wrong", "memory", "hang", "crash")
SECONDS, SPACE, GROWTH = 15, 4 << 30, 256 << 20
# Types that say where a program stumbled, not what was wrong with what it was given.
STUMBLED = (
    *(AssertionError, AttributeError, IndexError, ZeroDivisionError, UnboundLocalError),
    *(SystemError, RecursionError, StopIteration, struct.error),
)


@dataclass(frozen=True)
class Case:
    """One bad input.

    ``given`` is what the group hands to its peers; ``about`` a pattern of what a clear error names;
    ``right`` says of an answer whether it is the defined one. Without it there is none.
    """

    group: str
    name: str
    given: Any
    about: str = ""
    right: Callable[[Any], bool] | None = None
    control: Any = None  # what ``given`` was before it was damaged
    growth: int = GROWTH  # bytes by which memory may grow


class SkippedError(Exception):
    """A peer has no way of being asked this."""


def clear(case: Case, error: BaseException) -> bool:
    """Say whether an error tells its reader what is wrong with what."""
    text = str(error)
    if isinstance(error, STUMBLED) or not text.strip():
        return False
    return re.search(case.about, text, re.IGNORECASE) is not None


def verdict(case: Case, way: Callable[[Case, Path], Any], folder: Path) -> tuple[str, str]:
    """Return what a peer's way makes of a case, and a few words about it."""
    try:
        answer = way(case, folder)
    except SkippedError:
        return "-", ""
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return ("error" if clear(case, error) else "unclear"), text
    if case.right is not None and case.right(answer):
        return "right", f"{answer!r:.200}"
    found = "ignored" if _harmless(case, answer, way, folder) else "wrong"
    return found, f"accepted: {answer!r:.200}"


def _harmless(case, answer, way, folder):
    """Say whether the answer is the one that the same peer gives to the undamaged input."""
    if case.control is None:
        return False
    (folder / "control").mkdir()
    return _equal(answer, way(replace(case, given=case.control), folder / "control"))


def _equal(a, b):
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and bool(np.allclose(a, b))
    return a is b if a is None else a == b


# ---- each case in a process of its own ----------------------------------------------------------


def answers(cases, ways):
    """Yield (case, verdict, seconds, words) of a peer, each in a fork of this warm process."""
    for case in cases:
        if case.group in ways:
            found = _forked(case, ways[case.group])
            yield case, *found


def _forked(case, way):
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory() as folder:
        before, start = _held(), time.monotonic()
        sys.stdout.flush()
        child = os.fork()
        if not child:
            os.close(reading)
            _child(case, way, Path(folder), writing)
        os.close(writing)
        ready, _, _ = select.select([reading], [], [], SECONDS)
        text = b""
        if ready:
            while piece := os.read(reading, 1 << 16):  # until the child is gone
                text += piece
        else:
            os.kill(child, signal.SIGKILL)
        os.close(reading)
        _, status, used = os.wait4(child, 0)
    seconds, grown = time.monotonic() - start, used.ru_maxrss * 1024 - before
    if not ready:
        more = f", {grown >> 20} MB" if grown > case.growth else ""
        return "hang", seconds, f"killed after {SECONDS} s{more}"
    if not text:
        signalled = os.WIFSIGNALED(status)
        name = signal.Signals(os.WTERMSIG(status)).name if signalled else f"exit {status >> 8}"
        return "crash", seconds, name
    found, words = json.loads(text)
    if grown > case.growth:
        return "memory", seconds, f"{grown >> 20} MB; {found}: {words}"
    return found, seconds, words


def _held():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _child(case, way, folder, writing):
    """Answer in the child, which ends here; what it prints goes nowhere."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    signal.alarm(2 * SECONDS)  # should the parent be gone
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    warnings.simplefilter("ignore")
    try:
        found = verdict(case, way, folder)
    except BaseException as error:  # code of a file that was run
        found = "wrong", f"{type(error).__name__}: {error}"
    with contextlib.suppress(OSError):
        os.write(writing, json.dumps([found[0], found[1][:400]]).encode())
    os._exit(0)
