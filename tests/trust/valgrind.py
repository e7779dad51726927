"""What was never written, looked for by valgrind's memcheck: the part "valgrind".

The C++ tests and the inputs that are kept of the fuzzers, then every use of the public API once, in
one process for each instruction set that valgrind knows. Of what memcheck says of a process of
Python, that of the compiled module counts; it has much to say of Python and NumPy, too. The
emulated kernels of GPUs are left out: hundreds of threads, of which valgrind runs one at a time.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from firth import _cpu
from trust._report import ROOT, Row, save

MEMCHECK = ["valgrind", "--track-origins=yes", "--max-threads=2000"]
TESTS = ROOT / "build" / "native" / "tests" / "cpp"
CORPUS = ROOT / "tests" / "cpp" / "corpus"
USE = """
from trust._uses import USES, answer
for name in USES:
    answer(name)
    print(name, flush=True)
"""
_BLOCKS = re.compile(r"(?:==\d+== .*\S.*\n)+")  # between lines that are empty but for the number
_NUMBER = re.compile(r"^==\d+== ", re.MULTILINE)


def programs() -> list[list[Path | str]]:
    """Return the C++ tests, and what feeds each fuzzed target with the inputs that are kept."""
    tests: list[list[Path | str]] = [[path] for path in sorted(TESTS.glob("*_test"))]
    targets = sorted(TESTS.glob("fuzz/fuzz_*"))
    return tests + [[path, CORPUS, f"{path.name.removeprefix('fuzz_')}-"] for path in targets]


def checked(program: list[Path | str]) -> list[str]:
    """Run a program; return what is wrong with it."""
    done = subprocess.run(
        [*MEMCHECK, "--error-exitcode=77", "--quiet", *program],
        capture_output=True,
        text=True,
        errors="replace",
    )
    if not done.returncode:
        return []
    return [f"{Path(program[0]).name} ended with {done.returncode}: {done.stderr[-500:]}"]


def used(isa: str, program: str = USE) -> Row:
    """Run uses of the module under an instruction set; return what memcheck says of the module."""
    with tempfile.NamedTemporaryFile("r", suffix=".log", errors="replace") as log:
        done = subprocess.run(
            [*MEMCHECK, f"--log-file={log.name}", sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env=_environment(FIRTH_ISA=isa, PYTHONMALLOC="malloc"),
        )
        blocks = [_NUMBER.sub("", block) for block in _BLOCKS.findall(log.read())]
    failures = [block[:500] for block in blocks if Path(_cpu.__file__).name in block]
    if done.returncode:
        failures.append(f"ended with {done.returncode}: {done.stderr[-500:]}")
    return Row(f"uses under valgrind, {isa}", len(done.stdout.splitlines()), "uses", failures)


def known() -> list[str]:
    """Return the instruction sets of the processor that valgrind shows to a process."""
    code = "from firth import _cpu; print(*_cpu.isas())"
    done = subprocess.run(
        ["valgrind", "--tool=none", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=_environment(),
    )
    return done.stdout.split()


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}


def main() -> None:
    """Run all of it."""
    if not shutil.which("valgrind"):
        sys.exit("valgrind: it is not on PATH, so nothing was tried; Debian has it under this name")
    begin = time.perf_counter()
    failures = [failure for program in programs() for failure in checked(program)]
    rows = [Row("C++ tests under valgrind", len(programs()), "programs", failures)]
    save("valgrind", rows + [used(isa) for isa in known()], time.perf_counter() - begin)


if __name__ == "__main__":
    main()
