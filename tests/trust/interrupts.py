"""Ctrl-C at random moments of every long public call: how soon it answers, and what it leaves.

Another process sends SIGINT and notes when. A trial fails if KeyboardInterrupt does not leave the
call, or later than ``LIMIT``. Time in which a thread of this process was ready but others had its
processor is taken off, time in which one ran never is. It fails, too, if threads or open files
are left, or what was asked is no longer as it was.
"""

import argparse
import gc
import random
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from trust import _calls, _graph_calls, _kernel_calls, _running, _shell_calls
from trust._report import Row, save
from trust._sender import LIMIT, Sender

MISSES = 20  # trials in a row whose call has ended first, before a call is given up


@dataclass
class Result:
    """What was seen of one call."""

    name: str
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  # without waiting for a processor
    walls: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def row(self) -> Row:
        if not self.latencies:
            return Row(self.name, 0, "Ctrl-C", self.failures, "ended before each")
        sort = sorted(self.latencies)
        p99 = sort[min(len(sort) - 1, int(0.99 * len(sort)))]
        figure = f"p99 {1000 * p99:.0f} ms, worst {1000 * sort[-1]:.0f} ms"
        figure += f", with others' time {1000 * max(self.walls):.0f} ms"
        return Row(self.name, len(sort), "Ctrl-C", self.failures, figure)


def held() -> tuple[int, int, list[str]]:
    """Return what a call must not leave more of: threads of C++ and Python, and open files."""
    return _running.threads(), _running.open_files(), [t.name for t in threading.enumerate()]


def tried(name: str, setup: Callable[[], Any], trials: int, seed: str, sender: Sender) -> Result:
    """Interrupt one call so many times."""
    result, rng = Result(name), random.Random(f"{seed} {name}")
    made = setup()
    call, check = made if isinstance(made, tuple) else (made, None)
    call()
    begin = time.monotonic()
    call()
    result.seconds = longest = time.monotonic() - begin
    right = None if check is None else check()
    before, misses = held(), 0
    while len(result.latencies) < trials and misses < MISSES:
        delay = longest * rng.uniform(0, 0.95)
        begin = time.monotonic()
        outcome, seconds, own, text = sender.during(call, delay)
        where = f"{name}, {delay:.4f} s of {longest:.2f} s into it"
        if outcome == "missed":
            misses, longest = misses + 1, max(0.9 * longest, min(longest, delay))
            continue
        misses = 0
        result.latencies.append(own)
        result.walls.append(seconds)
        if outcome != "interrupted":
            lost = f" lost: {sender.lost[-1]}" if sender.lost else ""
            result.failures.append(f"{where}: {outcome}{lost} {text[-300:]}")
        elif own > LIMIT:
            result.failures.append(f"{where}: {1000 * own:.0f} ms ({1000 * seconds:.0f} in all)")
        sender.lost.clear()
        result.failures += left(where, before)
        if check is not None and (found := check()) != right:
            result.failures.append(f"{where}: afterwards {found!r:.80}, expected {right!r:.80}")
    call()  # all of it works still
    return result


def left(where: str, before: tuple[int, int, list[str]]) -> list[str]:
    """Return what a call has left behind, in words."""
    for _ in range(20):
        now = held()
        if all(a <= b for a, b in zip(now[:2], before[:2], strict=True)) and now[2] == before[2]:
            return []
        gc.collect()
        time.sleep(0.01)
    return [f"{where}: left threads, open files {now}, before {before}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=30, help="for each call")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", default="", help="calls whose name has this regular expression")
    options = parser.parse_args()
    start, rows, everything = time.monotonic(), [], Result("all calls: Ctrl-C")
    sender = Sender()
    calls = _calls.CALLS | _graph_calls.CALLS | _kernel_calls.CALLS
    for name, setup in calls.items():
        if re.search(options.only, name):
            try:
                result = tried(name, setup, options.trials, options.seed, sender)
            except Exception as error:  # in a call that nobody has interrupted
                result = Result(name, failures=[f"{name}: {error!r}"])
            rows.append(result.row())
            everything.latencies += result.latencies
            everything.walls += result.walls
            shown = f"{result.seconds:6.2f} s  {name:44} {rows[-1].figure}"
            print(shown, *result.failures[:3], sep="\n    ", file=sys.stderr, flush=True)
            _calls.forget(name)
            gc.collect()
    rows += _shell_calls.rows(options.only, max(3, options.trials // 3), options.seed)
    if everything.latencies:
        rows.append(everything.row())
    save("interrupts", rows, time.monotonic() - start)


if __name__ == "__main__":
    main()
