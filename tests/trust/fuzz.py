"""Coverage-guided fuzzing of every reader of the table, with mutations that know the formats.

A reader is run by libFuzzer (through atheris) in a process of its own, on files in memory: whatever
ends the process, the input that did it is still there. The process may allocate twice the input and
64 MB more than it had before (an allocation beyond that fails, and is counted), and 2 s of its own
time. Of readers with checksums, what is accepted must say so when a bit of it is turned.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from trust._report import FOLDER, Row, save

MEMORY, SECONDS = 64 << 20, 2.0
HANGS = 60  # seconds of the clock after which libFuzzer ends a process
LONGEST = 1 << 14  # bytes of an input
USED = 4  # of so many results one is used as well
RUNS = 100_000
CORPUS = Path(__file__).parent / "corpus"
KEPT = FOLDER / "fuzz"  # inputs that failed


# ---- in the process of a reader -----------------------------------------------------------------


class Target:
    """A reader, what it was given, and what went wrong."""

    def __init__(self, reader: Any, folder: Path, kept: Path = KEPT) -> None:
        from trust import _samples, _whole

        self.reader, self.folder, self.whole = reader, folder, _whole
        self.samples = _samples
        self.kept = kept
        self.runs = self.accepted = 0
        self.slowest, self.largest = 0.0, 0
        self.failures: dict[str, str] = {}
        self.pages = os.open("/proc/self/statm", os.O_RDONLY)
        self.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for case in self.reader.cases():  # whatever is imported, cached or started once
            self.reader.outcome(self.reader.write(case, folder))
        _whole.EVERY = USED

    def __call__(self, data: bytes) -> None:
        """Read one input."""
        self.runs += 1
        path = self.reader.write(data, self.folder)
        begun, found = time.process_time(), None
        try:
            try:
                with self._limited(len(data)):
                    found = self.reader.outcome(path)
            except MemoryError:  # what is compressed may take as much as it holds
                if self.reader.form not in self.samples.FILES:
                    raise
                with self._limited(self.samples.unpacked(self.reader.form, data)):
                    found = self.reader.outcome(path)
        except Exception as error:
            self._failed(data, error)
        took = time.process_time() - begun
        self.slowest = max(self.slowest, took)
        if took > SECONDS:
            self._failed(data, TimeoutError(f"{took:.1f} s"))
        if found is not None:
            self.accepted += 1
            if self.reader.summed and data:
                self._turned(data, found)
        if self.runs % 1000 == 0:
            self.save()

    @contextmanager
    def _limited(self, size: int) -> Iterator[None]:
        """Let allocations fail that go beyond the bound."""
        taken = int(os.pread(self.pages, 64, 0).split()[0]) * resource.getpagesize()
        hard = resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY + 2 * size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))

    def _turned(self, data: bytes, found: list[Any]) -> None:
        """Turn a bit of what was accepted: it is refused, or it is the same."""
        place = zlib.crc32(data)
        at = place % len(data)
        other = data[:at] + bytes([data[at] ^ 1 << place % 7]) + data[at + 1 :]
        try:
            again = self.reader.outcome(self.reader.write(other, self.folder))
            self.whole.expect(again is None or self.whole.same(again, found), "a bit was turned")
        except Exception as error:
            self._failed(other, error)

    def _failed(self, data: bytes, error: Exception) -> None:
        """Keep the first input of each kind of failure."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "/firth/" in f.filename]
        frames = frames or traceback.extract_tb(error.__traceback__)[-1:]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        kind = f"{type(error).__name__} {where} {str(error).replace(str(self.folder), '')[:60]}"
        place = f"{type(error).__name__} {where}"
        if place not in self.failures and len(self.failures) < 50:
            name = f"{self.reader.name}-{zlib.crc32(data):08x}"
            self.kept.mkdir(parents=True, exist_ok=True)
            (self.kept / name).write_bytes(data)
            self.failures[place] = f"{kind}: fuzz.py --replay {self.kept / name}"

    def save(self) -> None:
        """Say how far it has come, for the parent."""
        found = {
            "runs": self.runs,
            "accepted": self.accepted,
            "slowest": self.slowest,
            "grown": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.peak,
            "failures": list(self.failures.values()),
        }
        temporary = self.folder / "found.new"
        temporary.write_text(json.dumps(found))
        temporary.replace(self.folder / "found.json")


def work(name: str, folder: Path, runs: int, seconds: float, seed: int) -> None:
    """Fuzz one reader; does not return."""
    import atheris

    with atheris.instrument_imports(include=["firth"]):
        from trust import mutations, readers
    warnings.simplefilter("error")
    reader = readers.READERS[name]
    target = Target(reader, folder)
    seeds, found = folder / "seeds", folder / "found"
    for place in (seeds, found):
        place.mkdir()
    kept = [path.read_bytes() for path in CORPUS.iterdir() if path.name.startswith(name + "-")]
    for number, case in enumerate([*reader.cases(), *kept]):
        (seeds / str(number)).write_bytes(case)
    cases = reader.cases()

    def mutator(data: bytes, most: int, at: int) -> bytes:
        rng = random.Random(at)
        if rng.random() < 0.4:  # begin anew: chains of mutations end far from everything
            data = rng.choice(cases)
        return mutations.mutated(rng, reader, bytes(data))[:most]

    def once(data: bytes) -> None:
        target(data)
        if target.runs >= runs or time.monotonic() > end:
            target.save()
            os._exit(0)

    arguments = [f"-runs={runs}", f"-seed={seed}", f"-max_len={LONGEST}", f"-timeout={HANGS}"]
    arguments += ["-rss_limit_mb=0", "-len_control=0", "-print_final_stats=0", "-verbosity=0"]
    arguments += [
        f"-artifact_prefix={folder}/crash-",
        "-reload=0",
        "-mutate_depth=2",
        str(found),
        str(seeds),
    ]
    end = time.monotonic() + seconds
    atheris.Setup(["fuzz", *arguments], once, custom_mutator=mutator)
    atheris.Fuzz()


# ---- around the processes -----------------------------------------------------------------------


class Campaign:
    """The processes of one reader, one after the other until it has run often enough."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name, self.options, self.begun = name, options, time.monotonic()
        self.done, self.accepted, self.grown, self.slowest = 0, 0, 0, 0.0
        self.failures: list[str] = []
        self.starts = 0
        self._start()

    def _start(self) -> None:
        shm = Path("/dev/shm")
        self.folder = Path(
            tempfile.mkdtemp(prefix="firth-fuzz-", dir=shm if shm.is_dir() else None)
        )
        left = self.options.runs - self.done
        seconds = self.options.seconds - (time.monotonic() - self.begun)
        command = [sys.executable, __file__, "--work", self.name, str(self.folder), str(left)]
        command += [str(seconds), str(self.options.seed + 1000 * self.starts)]
        environment = {**os.environ, "FIRTH_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
        self.starts += 1
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment
            )

    def ended(self) -> bool:
        """Say whether all is done; start another process where one has died."""
        code = self.process.poll()
        if code is None:
            return False
        self._gather()
        if code:
            self._keep_crash(code)
        shutil.rmtree(self.folder)
        left = self.options.seconds - (time.monotonic() - self.begun)
        if code and self.done < self.options.runs and self.starts < 20 and left > 0:
            self._start()
            return False
        return True

    def _gather(self) -> None:
        place = self.folder / "found.json"
        if place.exists():
            found = json.loads(place.read_text())
            self.done += found["runs"]
            self.accepted += found["accepted"]
            self.slowest = max(self.slowest, found["slowest"])
            self.grown = max(self.grown, found["grown"])
            self.failures += found["failures"]

    def _keep_crash(self, code: int) -> None:
        """Keep what the process was reading when it died."""
        from trust import _samples as samples
        from trust.readers import READERS

        there = [self.folder / self.name / name for name in READERS[self.name].files]
        log = (self.folder / "log").read_text(errors="replace").splitlines()
        log = [line for line in log if not line.startswith("INFO:")][-3:]
        KEPT.mkdir(parents=True, exist_ok=True)
        name = KEPT / f"{self.name}-crash-{self.starts}"
        name.write_bytes(samples.packed([p.read_bytes() if p.exists() else b"" for p in there]))
        self.failures.append(
            f"ended with {code}: fuzz.py --replay {name} ({' / '.join(log)[:200]})"
        )

    def row(self) -> Row:
        """Return what was found."""
        seconds = time.monotonic() - self.begun
        figure = (
            f"{self.accepted / max(1, self.done):.0%} accepted, slowest {self.slowest:.2f} s, "
            f"+{self.grown / 1024:.0f} MB, {self.done / seconds:.0f}/s"
        )
        return Row(self.name, self.done, "executions", self.failures, figure)


def replay(path: Path) -> None:
    """Read one kept input and show what happens."""
    from trust.readers import ALL

    names = [one for one in ALL if path.name.startswith(one.name + "-")]
    reader = max(names, key=lambda one: len(one.name))
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        place = reader.write(path.read_bytes(), Path(folder))
        print(reader.outcome(place) or "refused as it should be")


def main() -> None:
    """Run campaigns, some at a time, and report."""
    from trust.readers import READERS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--runs", type=int, default=RUNS, help="executions of each reader")
    parser.add_argument("--seconds", type=float, default=3600, help="for each reader at most")
    parser.add_argument("--workers", type=int, default=1, choices=(1, 2), help="at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", type=Path, help="an input that was kept")
    options = parser.parse_args()
    if options.replay:
        replay(options.replay)
        return
    begun, waiting, rows = time.monotonic(), list(options.readers), []
    running: list[Campaign] = []
    while waiting or running:
        while waiting and len(running) < options.workers:
            running.append(Campaign(waiting.pop(0), options))
        for one in [one for one in running if one.ended()]:
            running.remove(one)
            rows.append(one.row())
            print(f"{one.name}: {rows[-1].tried} {rows[-1].figure} {one.failures}", flush=True)
        time.sleep(0.2)
    for row in rows:
        if row.tried < options.runs:
            row.figure += f", of {options.runs:,} wanted"
    save("fuzz", rows, time.monotonic() - begun)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        reader, place, runs, seconds, seed = sys.argv[2:]
        work(reader, Path(place), int(runs), float(seconds), int(seed))
    else:
        main()
