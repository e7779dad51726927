"""What the parts about running share: small data to learn from, and what the process holds."""

import lzma
import os
import time
from pathlib import Path

import numpy as np

import firth

ROOT = Path(__file__).parents[2]
_WIKI = ROOT / "tests" / "data" / "wiki-sample.txt.xz"


def words(number: int, per_line: int = 20) -> list[str]:
    """Return real text, so many words, in lines; after the last of the sample comes the first."""
    with lzma.open(_WIKI) as file:
        found = file.read(8 * number).decode().split()
    found = (found * (number // len(found) + 1))[:number]
    return [" ".join(found[at : at + per_line]) for at in range(0, number, per_line)]


def labelled(lines: list[str]) -> list[str]:
    """Return the lines with one of four labels each."""
    return [f"__label__{len(line) % 4} {line}" for line in lines]


def graph_of(nodes: int, edges: int, *, weighted: bool = False, seed: int = 1) -> firth.Graph:
    """Return a graph whose nodes differ in degree; each has an edge at least."""
    rng = np.random.default_rng(seed)
    ends = (nodes * rng.random((edges, 2)) ** 2).astype(np.int64)
    ring = np.stack([np.arange(nodes), np.roll(np.arange(nodes), 1)], axis=1)
    pairs = np.concatenate([ring, ends])
    weights = rng.integers(1, 9, len(pairs)).astype(np.float32)
    columns = (pairs[:, 0], pairs[:, 1], weights) if weighted else (pairs[:, 0], pairs[:, 1])
    return firth.Graph(columns)


def interactions_of(users: int, items: int, each: int, seed: int = 1) -> firth.Interactions:
    """Return users who have met so many items each, some items more often than others."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(users), each)
    what = (items * rng.random(users * each) ** 2).astype(np.int64)
    return firth.Interactions(who, what, times=np.arange(len(who)))


def embedding_of(rows: int, dim: int, seed: int = 1) -> firth.Embedding:
    """Return an embedding of drawn vectors."""
    vectors = np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)
    return firth.Embedding([f"w{row}" for row in range(rows)], vectors, np.arange(rows, 0, -1))


def open_files() -> int:
    """Return how many files the process holds open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def threads() -> int:
    """Return how many threads the process has, those of C++ included."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


def threads_within(most: int) -> bool:
    """Say whether the process has so many threads at most, once those that end have ended."""
    end = time.monotonic() + 5
    while threads() > most and time.monotonic() < end:
        time.sleep(0.001)
    return threads() <= most


def resident() -> tuple[int, int]:
    """Return the bytes of the process in memory: all, and those that belong to no file."""
    found = dict.fromkeys(("VmRSS", "RssAnon"), 0)
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0]) << 10
    return found["VmRSS"], found["RssAnon"]
