"""The whole suite under sanitizers: the parts "address" and "thread".

The compiled module is built with AddressSanitizer and UndefinedBehaviorSanitizer, and once more
with ThreadSanitizer, and every test of Python and C++ runs with it, on every instruction set. What
sanitizers have to say goes to files, also from processes that tests start. Tests of what sanitizers
would change (time, memory, which library is loaded first) are marked ``unsanitized`` and left out;
so are, of ThreadSanitizer, those that it cannot bear, marked ``unsanitized_threads``.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from trust._report import ROOT, Row, save

LIBRARIES = {"address": ["libasan.so", "libubsan.so"], "thread": ["libtsan.so"]}
OPTIONS = {
    # Interpreters keep much until they end; what extensions lose is seen by the soak.
    "address": {
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:log_path={log}",
        "UBSAN_OPTIONS": "print_stacktrace=1:log_path={log}",
    },
    # What OpenBLAS's own threads wait for is not built to be seen by ThreadSanitizer.
    "thread": {
        "TSAN_OPTIONS": (
            "exitcode=66:die_after_fork=0:allocator_may_return_null=1:log_path={log}:"
            "suppressions={here}/thread.supp"
        ),
        "OPENBLAS_NUM_THREADS": "1",
    },
}
LEFT_OUT = {
    "address": "not unsanitized",
    "thread": "not unsanitized and not unsanitized_threads",
}
REPORT = re.compile(
    r"^(?:==\d+==ERROR: .*|WARNING: ThreadSanitizer: .*|.*: runtime error: .*)$", re.MULTILINE
)
PASSED = re.compile(r"(\d+) passed")
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def build(kind: str) -> Path:
    """Compile with a sanitizer; return the folder."""
    folder = ROOT / "build" / f"sanitize-{kind}"
    found = subprocess.run(
        [sys.executable, "-m", "pybind11", "--cmakedir"], capture_output=True, text=True, check=True
    )
    options = {
        "CMAKE_BUILD_TYPE": "Release",
        "FIRTH_SANITIZE": kind,
        "FIRTH_CUDA": "OFF",
        "FIRTH_TESTS": "ON",
        "pybind11_DIR": found.stdout.strip(),
        "Python_EXECUTABLE": sys.executable,
    }
    given = [f"-D{name}={value}" for name, value in options.items()]
    subprocess.run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", folder, *given], check=True)
    subprocess.run(["cmake", "--build", folder], check=True)
    return folder


def environment(kind: str, folder: Path) -> dict[str, str]:
    """Return what a process needs to load the module, and where reports go."""
    shutil.rmtree(folder / "reports", ignore_errors=True)
    (folder / "reports").mkdir()
    package = folder / "package" / "firth"
    shutil.rmtree(package.parent, ignore_errors=True)
    shutil.copytree(ROOT / "python" / "firth", package, ignore=shutil.ignore_patterns("*.so"))
    for module in (folder / "cpp").glob("_cpu*.so"):
        shutil.copy(module, package)
    libraries = [
        subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in [*LIBRARIES[kind], "libstdc++.so"]
    ]
    options = {
        name: text.format(log=folder / "reports" / "log", here=Path(__file__).parent)
        for name, text in OPTIONS[kind].items()
    }
    paths = [str(package.parent), str(ROOT / "tests")]
    return {
        **os.environ,
        **options,
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONMALLOC": "malloc",
        "FIRTH_SANITIZED": kind,
    }


def reports(folder: Path) -> list[str]:
    """Return the first lines of all that a sanitizer has reported."""
    texts = [path.read_text(errors="replace") for path in sorted((folder / "reports").iterdir())]
    return [match for text in texts for match in REPORT.findall(text)]


def command(arguments: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command where addresses are not random, which ThreadSanitizer cannot bear."""
    return subprocess.run(
        ["setarch", platform.machine(), "-R", *map(str, arguments)],
        text=True,
        cwd=ROOT,
        errors="replace",
        **options,
    )


def suite(kind: str, arguments: list[str]) -> list[Row]:
    """Build, run all tests of C++ and Python, and say what was found."""
    folder = build(kind)
    where = environment(kind, folder)
    plain = {name: value for name, value in where.items() if name != "LD_PRELOAD"}
    native = command(
        ["ctest", "--test-dir", folder, "--output-on-failure", "--parallel", str(os.cpu_count())],
        env=plain,
        capture_output=True,
    )
    found = re.search(r"out of (\d+)", native.stdout)
    heads = reports(folder) + ([native.stdout[-1000:]] if native.returncode else [])
    rows = [
        Row(f"C++ tests under {kind} sanitizer", int(found[1]) if found else 0, "programs", heads)
    ]
    shutil.rmtree(folder / "reports")
    (folder / "reports").mkdir()
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    # What UndefinedBehaviorSanitizer says goes to the error output, which must outlive a test.
    pytest += ["-m", LEFT_OUT[kind], "--capture=sys"]
    with (folder / "pytest.log").open("w+") as log:
        done = command([*pytest, *arguments], env=where, stdout=log, stderr=subprocess.STDOUT)
        log.seek(0)
        said = log.read()
    passed = PASSED.search(said)
    failures = reports(folder) + REPORT.findall(said) + FAILED.findall(said)
    if done.returncode and not failures:
        failures = [f"pytest ended with {done.returncode}: {said[-500:]}"]
    rows.append(
        Row(f"suite under {kind} sanitizer", int(passed[1]) if passed else 0, "tests", failures)
    )
    return rows


def main() -> None:
    """Run what the flags ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=[*LIBRARIES])
    parser.add_argument("--pytest", default="", help="more arguments of pytest")
    options = parser.parse_args()
    begin = time.perf_counter()
    rows = suite(options.kind, options.pytest.split())
    save(options.kind, rows, time.perf_counter() - begin)


if __name__ == "__main__":
    main()
