"""Hypothesis profiles, where the real data lies, and what kernels are tested on: (backend, isa)."""

import importlib.util
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from firth import Embedding, _arrays, _cpu

# A busy machine is no failure: neither a deadline nor the check that drawing examples is quick.
unhurried = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=25, derandomize=True, **unhurried)
settings.register_profile("nightly", max_examples=1000, **unhurried)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# What a shell puts in the background starts with SIGINT ignored, and Python leaves it so: tests of
# Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

BACKENDS = [(_cpu, isa) for isa in _cpu.isas()] + [(_arrays, None)]


# These levels have kernels of their own for some words only and share the others with v4.
OWN_TESTS = {
    "vnni": ("test_topk", "test_prepare", "test_merge_topk"),
    "amx": ("test_topk", "test_prepare", "test_merge_topk", "test_negative_sampling"),
}


def pytest_generate_tests(metafunc):
    """Run what asks for `on` once for each backend and instruction set that it can differ on."""
    if "on" in metafunc.fixturenames:
        test = Path(metafunc.module.__file__).stem
        backends = [on for on in BACKENDS if test.startswith(OWN_TESTS.get(on[1], "test_"))]
        ids = [isa or "arrays" for _, isa in backends]
        metafunc.parametrize("on", backends, ids=ids, indirect=True, scope="session")


@pytest.fixture(scope="session")
def on(request):
    """Keyword arguments that send a kernel call to one backend and instruction set."""
    backend, isa = request.param
    return {"backend": backend, "isa": isa}


@pytest.fixture(scope="session")
def cupy():
    """CuPy with a device, or a skip that says what is missing."""
    if importlib.util.find_spec("cupy") is None:
        pytest.skip("no CUDA device can be used: CuPy is not installed")
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device can be used: CuPy finds none")
    return cupy


@pytest.fixture(scope="session")
def polars():
    """Polars, or a skip where it cannot be loaded."""
    if os.environ.get("FIRTH_SANITIZED") == "thread":
        pytest.skip("polars crashes when it is imported under ThreadSanitizer")
    return pytest.importorskip("polars")


@pytest.fixture(scope="session")
def data():
    """The folder of real data, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("FIRTH_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: neither $FIRTH_DATA nor {folder} is there")
    return folder


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    """A function that writes bytes to a file and returns its path."""
    folder = tmp_path_factory.mktemp("texts")

    def write(text, name="text.txt"):
        (folder / name).write_bytes(text)
        return folder / name

    return write


@pytest.fixture(scope="module")
def many():
    """An embedding of 500 keys, one of them without a direction and two that are the same."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((500, 7)).astype(np.float32)
    vectors[17], vectors[18] = 0, vectors[19]
    return Embedding([f"w{row}" for row in range(500)], vectors)
