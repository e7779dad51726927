"""Ctrl-C into the command `firth`: a process that ends at once, with code 130 and nothing half."""

import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import firth
from trust._calls import embedding, folder, text
from trust._graph_calls import edge_file, graph, met
from trust._report import Row

LIMIT = 0.2  # besides what an interpreter takes to end
# A Ctrl-C while Python itself is still starting, or ending, when it has put the signal back to
# the system, belongs to Python: what counts is main().
SCRIPT = """
import sys
from firth.cli import main
print("begun", file=sys.stderr, flush=True)
code = main(sys.argv[1:])
print("ended", file=sys.stderr, flush=True)
sys.exit(code)
"""


def _vectors() -> Path:
    path = folder() / "vectors"
    if not path.exists():
        embedding().save(path)
    return path


def _recommender() -> Path:
    path = folder() / "taste"
    if not path.exists():
        firth.BPR(dim=32, epochs=1).fit(met()).save(path)
    return path


def _nodes() -> Path:
    path = folder() / "nodes"
    if not path.exists():
        rows = np.random.default_rng(1).standard_normal((len(graph()), 32), np.float32)
        firth.Embedding(graph().keys, rows).save(path)
        pairs = graph().pairs().tolist()
        (folder() / "few.txt").write_text("".join(f"{a} {b}\n" for a, b in pairs))
    return path


def _queries() -> Path:
    path = folder() / "queries.txt"
    path.write_text("".join(f"w{i}\n" for i in range(20_000)))
    return path


def _out(name: str) -> str:
    return str(folder() / name)


COMMANDS: dict[str, Callable[[], list[object]]] = {
    "train word2vec": lambda: ["train", "word2vec", text(), "-o", _out("shell-word2vec")],
    "train glove": lambda: ["train", "glove", text(), "-o", _out("shell-glove")],
    "train deepwalk": lambda: ["train", "deepwalk", edge_file(), "-o", _out("shell-nodes")],
    "train bpr": lambda: ["train", "bpr", edge_file(), "-o", _out("shell-taste")],
    "count": lambda: ["count", text(), "-o", _out("shell-counts")],
    "count --memory": lambda: ["count", text(), "-o", _out("shell-counts"), "--memory", "60 MB"],
    "nearest": lambda: ["nearest", _vectors()],
    "convert": lambda: [
        *("convert", _vectors(), _out("shell.txt")),
        *("--to", "word2vec-text"),
    ],
    "info": lambda: ["info", _vectors()],
    "links": lambda: ["links", str(_nodes() and folder() / "few.txt"), _nodes()],
    "recommend": lambda: ["recommend", _recommender()],
}


def rows(only: str, trials: int, seed: str) -> list[Row]:
    """Interrupt each command so many times."""
    ending = _ending()
    return [
        _tried(name, made(), trials, random.Random(f"{seed} {name}"), ending)
        for name, made in COMMANDS.items()
        if re.search(only, f"firth {name}")
    ]


def _ending() -> float:
    """Return how long a process takes to end that has imported numpy and is told to."""
    code = "import numpy, sys; print('begun', file=sys.stderr, flush=True); sys.stdin.read()"
    seconds = []
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stderr=subprocess.PIPE, stdin=subprocess.PIPE
        )
        assert process.stderr
        process.stderr.readline()
        begin = time.monotonic()
        process.communicate(timeout=60)
        seconds.append(time.monotonic() - begin)
    return max(seconds)


def _begun(arguments: list[object]) -> subprocess.Popen[bytes]:
    stdin = _queries().open() if arguments[0] == "nearest" else subprocess.DEVNULL
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr
    process.stderr.readline()
    return process


def _tried(
    name: str, arguments: list[object], trials: int, rng: random.Random, ending: float
) -> Row:
    begin = time.monotonic()
    process = _begun(arguments)
    begin = time.monotonic()
    _, said = process.communicate(timeout=600)
    longest, failures, latencies = time.monotonic() - begin, [], []
    if process.returncode:
        failures.append(f"firth {name}: exit code {process.returncode}: {said[-300:]!r}")
    before = sorted(path.name for path in folder().iterdir())
    for _ in range(trials):
        delay = longest * rng.uniform(0, 0.9)
        process = _begun(arguments)
        time.sleep(delay)
        if process.poll() is not None:
            process.communicate()
            continue
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=600)
        latencies.append(time.monotonic() - begin)
        where = f"firth {name}, {delay:.3f} s of {longest:.2f} s into it"
        kept = b"kept" in said  # what was learnt is written first
        ended = b"ended" in said and process.returncode == -signal.SIGINT
        if process.returncode not in (130, 0) and not ended:
            failures.append(f"{where}: exit code {process.returncode}: {said[-200:]!r}")
        elif process.returncode == 130 and not kept and latencies[-1] > LIMIT + ending:
            failures.append(f"{where}: {1000 * latencies[-1]:.0f} ms")
        now = sorted(path.name for path in folder().iterdir())
        if now != before:
            failures.append(f"{where}: left {sorted(set(now) - set(before))}")
            before = now
    worst = 1000 * max(latencies, default=0)
    figure = f"worst {worst:.0f} ms to the end; an idle process ends in {1000 * ending:.0f}"
    print(f"{longest:6.2f} s  firth {name:38} {figure}", *failures, sep="\n    ", file=sys.stderr)
    return Row(f"firth {name}", len(latencies), "Ctrl-C", failures, figure)
