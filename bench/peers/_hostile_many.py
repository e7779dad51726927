"""Many random damages, kills and bounds of memory: what is counted rather than listed by name."""

import os
import random
import resource
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
from _hostile_bin import VALID
from _hostile_judge import Case, answers
from _hostile_native import CONTROL, SAID, names
from _hostile_text import binary, text
from _hostile_training import DEFAULTS

OWN, OUTCOMES = "own format", ("old", "new", "lost")
CAPS = (2, 5, 10, 20, 40, 60, 80, 120, 160, 200, 300, 500)  # MB above what a process begins with
_ROWS = np.random.default_rng(4).standard_normal((50, 8)).astype("<f4")
_SEEN = [name.encode() for name in names(50)]
FILES = {
    "fastText .bin": VALID,
    "word2vec text": text(
        [
            b"%s %s" % (n, b" ".join(b"%.5f" % x for x in r))
            for n, r in zip(_SEEN, _ROWS, strict=True)
        ],
        b"50 8",
    ),
    "word2vec binary": binary(_SEEN, _ROWS),
}


def mutated(raw, seed):
    """Return bytes with one to three random changes."""
    draw, result = random.Random(seed), bytearray(raw)
    extremes = (
        b"\xff\xff\xff\x7f",
        b"\xff" * 4,
        b"\0" * 4,
        b"\0\0\0\x80",
        b"\0\0\xc0\x7f",
        b"9999",
    )
    for _ in range(draw.randint(1, 3)):
        at, size = draw.randrange(len(result) + 1), draw.randint(1, 64)
        # A half of all changes are where headers and dictionaries are.
        at = min(at, draw.randint(0, 200)) if draw.random() < 0.5 else at
        kind = draw.randrange(7)
        if kind == 0:
            result[at : at + 1] = bytes(one ^ 1 << draw.randrange(8) for one in result[at : at + 1])
        elif kind == 1:
            result[at : at + 1] = draw.randbytes(1)
        elif kind == 2:
            result[at : at + 4] = draw.choice(extremes)
        elif kind == 3:
            del result[at : at + size]
        elif kind == 4:
            result[at:at] = result[at : at + size]
        elif kind == 5:
            result[at : at + size] = draw.randbytes(len(result[at : at + size]))
        elif len(result) > 100:
            del result[draw.randrange(len(result)) :]
    return bytes(result)


def mutations(ways, number):
    """Yield what comes of so many mutated files of each format that a peer reads, as `answers`."""
    for group in (OWN, *FILES):
        raw = FILES.get(group)
        for seed in range(number):
            change = lambda saved, seed=seed: mutated(saved, seed)  # noqa: E731
            given = change if raw is None else mutated(raw, seed)
            control = CONTROL if raw is None else raw
            case = Case(group, f"mutation {seed}", given, f"{SAID}|row", control=control)
            for _, *found in answers([case], ways):
                yield group, seed, *found


# ---- killed while they save ----------------------------------------------------------------------


def kills(own, number, rows=5_000, seed=5):
    """Return how often old, new and lost vectors were found after kills at random moments."""
    made, save, load = own
    draw = np.random.default_rng(seed)
    old, new = (draw.standard_normal((rows, 400)).astype(np.float32) for _ in range(2))
    kept, later = made(old), made(new)

    def found(case, _):
        vectors = load(case.given)[1]
        for name, wanted in (("old", old), ("new", new)):
            if vectors.shape == wanted.shape and np.array_equal(vectors, wanted):
                return name
        return "neither"

    counts = dict.fromkeys(OUTCOMES, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved"
        save(kept, path)
        start = time.monotonic()
        _killed(lambda: save(later, path), 60)
        whole = time.monotonic() - start
        for _ in range(number):
            _cleared(path)
            save(kept, path)
            _killed(lambda: save(later, path), draw.uniform(0, whole))
            case = Case("kills", "kill", path, SAID, lambda answer: answer in OUTCOMES)
            ((_, verdict, _, words),) = answers([case], {"kills": found})
            counts[words.strip("'") if verdict == "right" else "lost"] += 1
    return counts


def _cleared(path):
    for one in sorted(path.parent.rglob("*"), reverse=True):
        one.rmdir() if one.is_dir() and not one.is_symlink() else one.unlink()


def _killed(task, seconds):
    child = os.fork()
    if not child:
        try:
            task()
        finally:
            os._exit(0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


# ---- bounds of memory ----------------------------------------------------------------------------


def capped(way):
    """Return a way that works under a bound of memory, where MemoryError is clear enough."""

    def answer(case, folder):
        megabytes, case = case.given
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bound = pages * os.sysconf("SC_PAGE_SIZE") + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
        try:
            return way(case, folder)
        except MemoryError:
            raise MemoryError("no memory") from None

    return answer


def caps(ways):
    """Yield what comes of training and searching in little memory, as `answers`."""
    words = names(20_000)
    corpus = [words[at : at + 20] for at in range(0, 20_000, 20)] * 2
    draw = np.random.default_rng(6)
    items = draw.standard_normal((500, 4_000)).astype(np.float32)
    search = {"items": items, "queries": items[:100], "k": 10}
    train = {**DEFAULTS, "dim": 300, "epochs": 1, "corpus": corpus}
    train["threads"] = 4
    rules = {
        "training": (train, lambda answer: len(answer[0]) == 20_000),
        "search": (search, lambda answer: np.shape(answer[0]) == (100, 10)),
    }
    for group, (given, right) in rules.items():
        for megabytes in CAPS if group in ways else ():
            inner = Case(group, "", given)
            case = Case(group, f"{megabytes} MB", (megabytes, inner), "memory|alloc", right)
            case = Case(**{**vars(case), "growth": 4 << 30})
            yield from answers([case], {group: capped(ways[group])})
