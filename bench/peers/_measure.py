"""Who is there and what it costs: peers that may be missing, ways in turn, programs, memory.

A way is a function without arguments that does something and returns how many seconds it took.
"""

import functools
import importlib
import multiprocessing
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
# A program's peak is asked of a small process of its own: a child begins with its parent's peak.
LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
    done = subprocess.run(sys.argv[3:], stdin=source, stdout=target, stderr=subprocess.PIPE)
spent, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, spent, used.ru_maxrss * 1024)
sys.stderr.buffer.write(done.stderr)
sys.exit(done.returncode)
"""


@functools.cache
def imported(name):
    """Return a module, or None and say so; a bench of this folder does not hide its peer."""
    kept = sys.path[:]
    sys.path[:] = [folder for folder in kept if Path(folder).resolve() != HERE]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        print(f"{name} is left out: {error}")
        return None
    finally:
        sys.path[:] = kept


def way(task, times=1, clock=time.process_time):
    """Return a way of doing a task, so many times one after the other if it is short."""

    def seconds():
        start = clock()
        for _ in range(times):
            task()
        return (clock() - start) / times

    return seconds


def in_turn(ways, rounds, warm=True):
    """Return the median of each way's seconds, the ways taken in turn, forth and back.

    A first round that warms caches is not counted.
    """
    spent = {name: [] for name in ways}
    for turn in range(rounds + warm):
        for name in list(ways)[:: -1 if turn % 2 else 1]:
            spent[name].append(ways[name]())
    return {name: statistics.median(values[warm:]) for name, values in spent.items()}


@dataclass(frozen=True)
class Run:
    """What a program took: CPU seconds, seconds of the clock on the wall, bytes at its peak."""

    cpu: float
    wall: float
    peak: int


def run(command, folder, source="/dev/null", target="/dev/null"):
    """Run a program in a folder, from a file to a file, and return what it took."""
    arguments = [str(Path(source).absolute()), str(Path(target).absolute()), *map(str, command)]
    done = subprocess.run(
        [sys.executable, "-ISc", LAUNCHER, *arguments], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments[2:])} ended with {done.returncode}: {done.stderr[-1000:]}")
    cpu, wall, peak = done.stdout.split()
    return Run(float(cpu), float(wall), int(peak))


def peak(task):
    """Return by how many bytes a task, its result included, raises the memory of a process."""
    context = multiprocessing.get_context("fork")  # it shares what the task works on with this one
    mark = context.Value("q", -1)

    def call():
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to what is held
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        kept = task()
        mark.value = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        del kept

    child = context.Process(target=call)
    child.start()
    child.join()
    if child.exitcode or mark.value < 0:
        sys.exit(f"measuring memory ended with {child.exitcode}")
    return mark.value * 1024
