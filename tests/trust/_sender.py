"""Ctrl-C from another process, and how long this one takes to answer it."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT = 0.2  # seconds that an answer may take
SENDER = """
import os, select, signal, sys, time
pid = int(sys.argv[1])
while line := sys.stdin.buffer.readline():
    if line == b"stop\\n":
        continue
    if select.select([0], [], [], float(line))[0]:
        answer = "none"
    else:
        waits = {}
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    waits[thread] = ",".join(file.read().split()[:2])
            except (OSError, IndexError):
                pass
        answer = " ".join([repr(time.monotonic()), *(f"{t}:{w}" for t, w in waits.items())])
        os.kill(pid, signal.SIGINT)
    print(answer, flush=True)
"""


class Sender:
    """The process that sends Ctrl-C, and what is known of the last one."""

    def __init__(self) -> None:
        command = [sys.executable, "-S", "-u", "-c", SENDER, str(os.getpid())]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0)
        self.armed = False
        self.seen = False
        self.lost: list[str] = []
        signal.signal(signal.SIGINT, self._handler)
        sys.unraisablehook = self._unraisable

    def _handler(self, *_: object) -> None:
        if self.armed:
            self.armed, self.seen = False, True
            raise KeyboardInterrupt

    def _unraisable(self, what: Any) -> None:
        self.lost.append(f"{what.exc_value!r} in {what.object!r:.100}")

    def during(self, call: Callable[[], object], delay: float) -> tuple[str, float, float, str]:
        """Call with Ctrl-C behind ``delay`` seconds.

        Returns
        -------
        outcome
            "missed" (the call had ended), "interrupted", "swallowed" or "error".
        seconds, own
            From the signal to the end of the call, and without the time of other processes.
        text
            The error.
        """
        self.seen, self.armed, text = False, True, ""
        self._say(f"{delay:.6f}")
        try:
            call()
            self.armed = False
            outcome = "swallowed" if self.seen else "missed"
        except KeyboardInterrupt:
            outcome = "interrupted"
        except BaseException:
            self.armed = False
            outcome, text = "error", traceback.format_exc()
        end, times = time.monotonic(), _times()
        self._say("stop")
        sent = self._hear()
        if sent == ["none"]:
            return "error" if outcome == "error" else "missed", 0.0, 0.0, text
        then = dict(each.split(":") for each in sent[1:])
        ran, waited, seconds = 0.0, 0.0, end - float(sent[0])
        for thread, now in times.items():
            before = [int(part) for part in then.get(thread, "0,0").split(",")]
            ran = max(ran, (now[0] - before[0]) / 1e9)
            waited = max(waited, (now[1] - before[1]) / 1e9)
        return outcome, seconds, min(seconds, max(ran, seconds - waited)), text

    def close(self) -> None:
        """End the process and give the signal back; calls may be interrupted no longer."""
        self.process.kill()
        self.process.communicate()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = sys.__unraisablehook__

    def _say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n".encode())

    def _hear(self) -> list[str]:
        assert self.process.stdout
        line = b""
        while not line.endswith(b"\n"):
            line += self.process.stdout.read(4096)
        return line.decode().split()


def _times() -> dict[str, list[int]]:
    """Return for each thread the nanoseconds that it ran, and was ready without a processor."""
    found = {}
    for path in Path("/proc/self/task").iterdir():
        try:
            found[path.name] = [int(part) for part in (path / "schedstat").read_text().split()[:2]]
        except OSError:
            continue
    return found
