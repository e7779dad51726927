"""A small embedding on disk, a model that needs no time, and ways to call the command."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

import firth
from firth import cli
from firth.cli import train

KEYS = ["man", "woman", "king", "queen", "King", "straße", "b\udcff", "far"]
VECTORS = [
    [1, 0.0, 1, 0],
    [1, 0.1, -1, 0],
    [0, 1.0, 1, 0],
    [0, 1.1, -1, 0],
    [0, 1.0, 0.9, 0.1],
    [0, 0.2, 0.1, 1],
    [0, 0.1, 0.3, 1],
    [-1, -1, 0, 0],
]


@pytest.fixture
def emb():
    vectors = np.array(VECTORS, dtype=np.float32)
    return firth.Embedding(KEYS, vectors, counts=range(80, 0, -10), metadata={"model": "by hand"})


@pytest.fixture
def vectors(tmp_path, emb):
    emb.save(tmp_path / "emb")
    return str(tmp_path / "emb")


@dataclasses.dataclass(frozen=True)
class Counter:
    """A model that counts words.

    Parameters
    ----------
    dim
        Numbers per vector.
    """

    dim: int = 2
    min_count: int = 1

    def __post_init__(self):
        if self.dim < 1:
            raise ValueError(f"Counter: dim={self.dim} is not at least 1")

    def fit(self, source, *, progress=False):
        corpus = firth.Corpus.read(source, min_count=self.min_count, progress=progress)
        vectors = np.ones((len(corpus.vocabulary), self.dim), dtype=np.float32)
        return firth.Embedding(corpus.vocabulary.words, vectors, corpus.vocabulary.counts)


@pytest.fixture
def counter(monkeypatch):
    """`firth train counter` trains a `Counter`."""
    monkeypatch.setattr(train, "MODELS", {"counter": (__name__, "Counter")})
    monkeypatch.setattr(train, "model_of", lambda name: Counter)


@pytest.fixture
def call(capfd):
    """Call ``main`` in this process and return exit code, stdout and stderr."""

    def run(*argv):
        code = cli.main([str(one) for one in argv])
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture
def shell():
    """Run ``python -m firth`` or a script with these arguments and return what it did, as bytes."""
    started = []

    def run(*argv, script=None, input=b"", popen=False, **more):
        start = ["-m", "firth"] if script is None else ["-c", script]
        path = os.pathsep.join([*sys.path, *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
        options = {"env": {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "0"}, **more}
        command = [sys.executable, *start, *map(str, argv)]
        if popen:
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, **options)
            started.append(process)
            return process
        return subprocess.run(command, input=input, capture_output=True, timeout=60, **options)

    yield run
    for process in started:  # also those of a test that failed
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
