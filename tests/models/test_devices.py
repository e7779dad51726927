"""device="cuda" of the models of negative_sampling, with NumPy in the place of CuPy."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import firth
from firth.models._devices import expect_room

TEXT = ["the cat sat on the mat and the dog sat on the rug"] * 60
RULE = {"dim": 8, "epochs": 9, "lr": 0.1, "min_count": 1, "threads": 1, "seed": 3}


def imitation(free=10**12, there=True):
    """Return what is used of CuPy, made of NumPy; it counts the arrays that were moved."""
    moved = []

    def asarray(array):
        moved.append(array.nbytes)
        return np.array(array)

    return SimpleNamespace(
        asarray=asarray,
        asnumpy=np.array,
        moved=moved,
        cuda=SimpleNamespace(
            is_available=lambda: there,
            runtime=SimpleNamespace(memGetInfo=lambda: (free, 16 * 10**9)),
        ),
        get_default_memory_pool=lambda: SimpleNamespace(free_bytes=lambda: 1000),
    )


@pytest.fixture
def cupy(monkeypatch):
    """An imitation of CuPy that `import cupy` finds."""
    made = imitation()
    monkeypatch.setitem(sys.modules, "cupy", made)
    return made


@pytest.mark.parametrize("model", [firth.Word2Vec, firth.FastText])
def test_what_is_learnt_comes_back(cupy, model):
    extra = {"buckets": 100} if model is firth.FastText else {}
    here = model(**RULE, **extra).fit(TEXT)
    there = model(**RULE, **extra, device="cuda").fit(TEXT)
    assert len(cupy.moved) == (8 if extra else 6)
    assert there.keys == here.keys
    assert np.isfinite(there.vectors).all()
    assert there.metadata["losses"][-1] < there.metadata["losses"][0]
    assert there.metadata["losses"][0] == pytest.approx(here.metadata["losses"][0], rel=0.05)


def test_a_learner_goes_on_there(cupy):
    learner = firth.Word2Vec(**RULE, device="cuda").learner()
    first = learner.partial_fit(TEXT).embedding.vectors.copy()
    assert not np.array_equal(learner.partial_fit(TEXT).embedding.vectors, first)
    assert len(cupy.moved) == 12


def test_a_checkpoint_has_what_was_learnt_there(cupy, tmp_path):
    model = firth.Word2Vec(**RULE, device="cuda", deterministic=True)
    whole = model.fit(TEXT)
    with pytest.raises(InterruptedError):
        model.fit(TEXT, checkpoint=tmp_path / "saved", callback=stop)
    again = model.fit(TEXT, checkpoint=tmp_path / "saved")
    assert again.vectors.tobytes() == whole.vectors.tobytes()


def stop(*_):
    raise InterruptedError


def test_an_interrupt_keeps_what_was_learnt_there(cupy):
    def interrupt(epoch, *_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        firth.Word2Vec(**RULE, device="cuda").fit(TEXT, callback=interrupt)
    begun = firth.Word2Vec(**{**RULE, "lr": 1e-12, "epochs": 1}).fit(TEXT)
    assert not np.allclose(caught.value.embedding.vectors, begun.vectors, atol=1e-3)


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_device_has_threads_and_rounds_of_its_own(cupy, monkeypatch, deterministic):
    asked = []
    original = firth.kernels.negative_sampling

    def noted(*arrays, **given):
        asked.append(given)
        return original(*arrays, **given)

    monkeypatch.setattr(firth.kernels, "negative_sampling", noted)
    firth.Word2Vec(**RULE, device="cuda", deterministic=deterministic).fit(TEXT)
    assert {given["threads"] for given in asked} == {None}
    assert all((given["round"] > 0) == deterministic for given in asked)


def test_without_cupy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ImportError, match=r"^Word2Vec: device='cuda' needs CuPy: .*firth\[cuda12"):
        firth.Word2Vec(**RULE, device="cuda").fit(TEXT)


def test_without_a_device_that_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", imitation(there=False))
    with pytest.raises(RuntimeError, match=r"^FastText: device='cuda' needs a CUDA device"):
        firth.FastText(**RULE, buckets=10, device="cuda").fit(TEXT)


def test_what_does_not_fit_is_told_with_sizes_before_anything_moves(monkeypatch):
    small = imitation(free=0)
    monkeypatch.setitem(sys.modules, "cupy", small)
    with pytest.raises(MemoryError, match=r"tables and text take 0 MB, .* 16,000 MB 0 MB are free"):
        firth.Word2Vec(**RULE, device="cuda").fit(TEXT)
    assert small.moved == []


def test_memory_that_cupy_keeps_counts_as_free():
    expect_room("Word2Vec", imitation(free=0), 1000)
    with pytest.raises(MemoryError, match="Word2Vec"):
        expect_room("Word2Vec", imitation(free=0), 1001)


def test_a_device_that_is_none_is_refused():
    with pytest.raises(ValueError, match="device='tpu' is not 'cpu' or 'cuda'"):
        firth.Word2Vec(device="tpu")
