"""The C++ that reads what users have, fuzzed: libFuzzer makes up inputs under ASan and UBSan.

``fuzz_cpp.py [--runs N] [--seed N] [--targets NAME ...]`` builds tests/cpp/fuzz with clang, one
executable per target, and runs each until it has been called so often. An input at which one fails
is kept in build/fuzz/found, and those that reached new code in build/fuzz/corpus.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from trust._report import ROOT, Row, save

SOURCES = ROOT / "tests" / "cpp" / "fuzz"
CORPUS = ROOT / "tests" / "cpp" / "corpus"
BUILD = ROOT / "build" / "fuzz"
TARGETS = sorted(
    path.stem for path in SOURCES.glob("*.cc") if path.stem not in ("replay", "levels")
)
# Calls; seconds of the clock, also on a busy machine, that one may take; what a run may hold.
RUNS, SECONDS, MEGABYTES = 1_000_000, 60, 1024
_FLAGS = ["-max_len=384", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}"]
_FLAGS += ["-print_final_stats=1", "-reload=0", "-verbosity=1"]


def clang() -> str:
    """Return the newest clang++ on PATH; without one nothing can be fuzzed."""
    for name in ["clang++", *(f"clang++-{version}" for version in range(22, 13, -1))]:
        if found := shutil.which(name):
            return found
    sys.exit("fuzz-cpp: no clang++ on PATH, so nothing was fuzzed; Debian has it as clang-16")


def build(targets: list[str]) -> None:
    """Build the targets, with Ninja and the compiler that `clang` has found."""
    definitions = {"FIRTH_FUZZ": "ON", "FIRTH_PYTHON": "OFF", "FIRTH_CUDA": "OFF"}
    definitions |= {"CMAKE_BUILD_TYPE": "Release", "CMAKE_CXX_COMPILER": clang()}
    flags = [f"-D{name}={value}" for name, value in definitions.items()]
    quiet = {"stdout": subprocess.DEVNULL}
    subprocess.run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", BUILD, *flags], check=True, **quiet)
    names = [f"fuzz_{target}" for target in targets]
    subprocess.run(["cmake", "--build", BUILD, "--target", *names], check=True)


def run(target: str, runs: int, seed: int) -> Row:
    """Run one target; a call that fails ends it, and its input is named."""
    found, grown = BUILD / "found", BUILD / "corpus" / target
    found.mkdir(exist_ok=True)
    grown.mkdir(parents=True, exist_ok=True)
    for path in CORPUS.glob(f"{target}-*"):
        shutil.copy(path, grown / path.name)
    before = set(found.iterdir())
    settings = {
        "ASAN_OPTIONS": "quarantine_size_mb=8:malloc_context_size=6:detect_stack_use_after_return=0"
    }
    flags = [f"-runs={runs}", f"-seed={seed}", f"-artifact_prefix={found}/{target}-", *_FLAGS]
    done = subprocess.run(
        [BUILD / "tests" / "cpp" / "fuzz" / f"fuzz_{target}", grown, *flags],
        env=os.environ | settings,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    tried, failures = _number(done.stderr, r"number_of_executed_units: *(\d+)"), []
    kept = sorted(set(found.iterdir()) - before)
    if done.returncode or tried < runs:
        said = re.findall(r"(?:ERROR|SUMMARY): .*|runtime error: .*|.* not so: .*", done.stderr)
        (found / f"{target}.log").write_text(done.stderr)
        names = ", ".join(str(path.relative_to(ROOT)) for path in kept)
        failures.append(f"{names or 'no input was kept'}: {'; '.join(said) or done.stderr[-300:]}")
    reached = (re.findall(r"cov: (\d+)", done.stderr) or [0])[-1]
    peak = _number(done.stderr, r"peak_rss_mb: *(\d+)")
    slowest = _number(done.stderr, r"slowest_unit_time_sec: *(\d+)")
    figure = f"{reached} edges, {peak} MB at most, slowest call {slowest} s"
    return Row(target, tried, "inputs", failures, figure)


def _number(text: str, pattern: str) -> int:
    match = re.search(pattern, text)
    return int(match[1]) if match else 0


def main() -> None:
    """Build and run what the flags say, and report it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="calls of each target")
    parser.add_argument("--seed", type=int, default=1, help="of libFuzzer; 0: another each time")
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=TARGETS)
    parser.add_argument("--keep", action="store_true", help="go on from what an earlier run grew")
    options = parser.parse_args()
    start = time.monotonic()
    build(options.targets)
    if not options.keep:
        shutil.rmtree(BUILD / "corpus", ignore_errors=True)
    rows = [run(target, options.runs, options.seed) for target in options.targets]
    save("fuzz-cpp", rows, time.monotonic() - start)


if __name__ == "__main__":
    main()
