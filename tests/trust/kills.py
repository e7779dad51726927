"""Kill writers (kill -9) at random moments: what they replace is the old thing or the new, whole.

A child saves one thing after the other over the same path and is killed; what lies there must then
be what it said it had finished, or the next one. A killed writer may leave one temporary, which the
next one sweeps away. What counting and reading spill to a disk must be gone with the process.

    python tests/trust/kills.py --kills 40 --seed 1
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from firth import Corpus, Counts, GloVe, Vocabulary
from trust._report import Row, save
from trust.writers import SPILLS, WRITERS, Writer, below, told

_VERSIONS = 3  # finished, next, and one that must not be there
_TEMPORARIES = {"Embedding.save in two steps": 2}  # a new folder, and an old one put aside


def killed(work: Callable[[int], object], delay: float) -> tuple[bytes, bool]:
    """Run something in a child, which is killed after some seconds.

    ``work`` takes a descriptor to write notes to; returns them, and whether the child still ran.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            work(writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    notes = b""
    while some := os.read(reading, 1 << 16):
        notes += some
    os.close(reading)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise AssertionError("the child failed by itself; see stderr")
    return notes, os.WIFSIGNALED(status)


def kill_saves(
    writer: Writer, folder: Path, kills: int, rng: random.Random, size: int = 1 << 21
) -> tuple[list[str], str]:
    """Kill a writer so many times; return what went wrong, and how far the saves had come."""
    made = [writer.make(version, size) for version in range(_VERSIONS)]
    meant = [writer.meant(one) for one in made]
    path, at = folder / "saved", 0
    writer.save(made[0], path)
    began = time.perf_counter()
    for one in (made[1], made[0]):
        writer.save(one, path)
    usual = (time.perf_counter() - began) / 2
    if writer.held(path) != meant[0] or len(set(meant)) != _VERSIONS:
        return [f"{writer.name}: what is read is not what was saved"], ""
    failures, finished, halves = [], 0, 0
    most = _TEMPORARIES.get(writer.name, 1)

    for number in range(kills):

        def work(notes: int, at: int = at) -> None:
            while True:
                at = (at + 1) % _VERSIONS
                writer.save(made[at], path)
                os.write(notes, b".")

        delay = rng.uniform(0, 3 * usual)
        notes, _ = killed(work, delay)
        last = (at + len(notes)) % _VERSIONS
        what = f"{writer.name}, kill {number} after {delay:.4f} s and {len(notes)} saves"
        try:
            lies = writer.held(path)
        except Exception as error:  # whatever it is, it is a loss
            failures.append(f"{what}: {error!r}")
            writer.save(made[at], path)
            continue
        at = meant.index(lies) if lies in meant else -1
        if at not in (last, (last + 1) % _VERSIONS):
            failures.append(f"{what}: version {at} lies there, {last} was finished")
        finished += len(notes)
        halves += len(left := below(folder)) > 1
        if len(left) > 1 + most:
            failures.append(f"{what}: {left} lie there")
        at = max(at, 0)
    writer.save(made[at], path)
    if below(folder) != ["saved"] or writer.held(path) != meant[at]:
        failures.append(f"{writer.name}: {below(folder)} lie there after another save")
    return failures, f"{finished} saves finished, {halves} halves left"


# ---- what is spilled ----------------------------------------------------------------------------


def kill_spills(name: str, folder: Path, kills: int, rng: random.Random) -> tuple[list[str], str]:
    """Kill what lies on the disk for as long as it is needed: nothing stays."""
    failures, running = [], 0
    began = time.perf_counter()
    SPILLS[name](folder)
    usual = time.perf_counter() - began
    for number in range(kills):
        delay = rng.uniform(0, usual)
        running += killed(lambda notes: SPILLS[name](folder), delay)[1]
        if left := below(folder):
            failures.append(f"{name}, kill {number} after {delay:.3f} s: {left} lie there")
            shutil.rmtree(folder)
            folder.mkdir()
    return failures, f"{running} while it ran"


# ---- training that goes on ----------------------------------------------------------------------


def kill_training(folder: Path, kills: int, rng: random.Random) -> tuple[list[str], str]:
    """Kill a training that has a checkpoint: it goes on, to the same bits."""
    ids = np.random.default_rng(1).integers(0, 300, 30_000).astype(np.uint32)
    words = Vocabulary(
        [f"{word:03}" for word in range(300)], np.sort(np.bincount(ids, minlength=300))[::-1]
    )
    counts = Counts.of(Corpus(ids, np.array([0, len(ids)]), words), window=2, threads=1)
    model, path = GloVe(dim=20, window=2, epochs=12, threads=1), folder / "checkpoint"
    meant = told([model.fit(counts).vectors])
    began = time.perf_counter()
    model.fit(counts, checkpoint=path)
    usual = time.perf_counter() - began
    failures, done, finished = [], 0, 0

    def trained(notes: int) -> None:
        os.write(notes, told([model.fit(counts, checkpoint=path).vectors]).encode())

    while done < kills:
        shutil.rmtree(path)
        running = True
        while running:
            notes, running = killed(
                lambda to: os.write(
                    to, told([model.fit(counts, checkpoint=path).vectors]).encode()
                ),
                delay := rng.uniform(0, usual),
            )
            done += running
            if notes and notes.decode() != meant:
                failures.append(f"killed {done} times, the last after {delay:.3f} s: other vectors")
        finished += 1
        if len(left := below(folder)) > 2:
            failures.append(f"after {done} kills {left} lie there")
    return failures, f"{finished} trainings finished"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=40, help="of each writer")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--folder", help="where to write; default: a temporary folder")
    options.add_argument("--only", help="what to kill, by name")
    given = options.parse_args()
    rng, rows, began = random.Random(given.seed), [], time.monotonic()
    tasks: dict[str, Any] = {
        **{name: (kill_saves, writer) for name, writer in WRITERS.items()},
        **{name: (kill_spills, name) for name in SPILLS},
        "training with a checkpoint": (kill_training,),
    }
    for name, (kill, *what) in tasks.items():
        if given.only and given.only not in name:
            continue
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            failures, figure = kill(*what, Path(folder), given.kills, rng)
        failures = [f"{text} (--seed {given.seed} --kills {given.kills})" for text in failures]
        rows.append(Row(name, given.kills, "kills", failures, figure))
        print(name, figure, f"{time.monotonic() - began:.0f} s", *failures[:3], flush=True)
    save("kills", rows, time.monotonic() - began)


if __name__ == "__main__":
    main()
