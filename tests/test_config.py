"""show_config gives reasons, set_num_threads checks, the CUDA module imports without a driver."""

import ctypes
import doctest
import importlib.util

import numpy as np
import pytest

import firth
from firth import _config, _cpu


def has_driver():
    try:
        return ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    except OSError:
        return False


@pytest.fixture
def cuda():
    """The CUDA module, or a skip that says why there is none."""
    if importlib.util.find_spec("firth._cuda") is None:
        pytest.skip("the CUDA module was not built (FIRTH_CUDA)")
    return importlib.import_module("firth._cuda")


@pytest.fixture
def without_driver(cuda):
    if has_driver():
        pytest.skip("this machine has a CUDA driver")
    return cuda


class OnDevice:
    """What a device array looks like from outside, at an address that no driver knows."""

    def __init__(self, array, **changes):
        self.array = array
        self.__cuda_array_interface__ = {
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.ctypes.data, False),
            "version": 3,
            "strides": None,
            "stream": 1,
            **changes,
        }


def device_call(**changes):
    arrays = {
        "queries": OnDevice(np.ones((2, 3), np.float32)),
        "items": OnDevice(np.ones((4, 3), np.float32)),
        "exclude": OnDevice(np.full(2, -1)),
        "ids": OnDevice(np.zeros((2, 1), np.int64)),
        "scores": OnDevice(np.zeros((2, 1), np.float32)),
    }
    return {**arrays, "cosine": True, "threads": 0, "isa": "", **changes}


def test_the_cuda_module_without_a_driver_says_so(without_driver):
    with pytest.raises(RuntimeError, match=r"^cuda: devices: cudaErrorInsufficientDriver"):
        without_driver.devices()
    with pytest.raises(RuntimeError, match=r"^cuda: .*cudaErrorInsufficientDriver"):
        without_driver.topk(**device_call())
    assert without_driver.runtime_version() >= 11000


def test_the_cuda_module_takes_device_arrays_only_as_they_should_be(cuda):
    floats, longs = np.ones((2, 3), np.float32), np.zeros((2, 1), np.int64)
    cases = [
        (TypeError, "queries has no __cuda_array_interface__", {"queries": floats}),
        (
            TypeError,
            "items has typestr <f8, expected <f4",
            {"items": OnDevice(np.ones((4, 3)))},
        ),
        (TypeError, "exclude has typestr <i4", {"exclude": OnDevice(np.zeros(2, np.int32))}),
        (ValueError, "queries has 1 dimensions, expected 2", {"queries": OnDevice(floats[0])}),
        (ValueError, "items is not C-contiguous", {"items": OnDevice(floats, strides=(24, 4))}),
        (ValueError, "items has a mask", {"items": OnDevice(floats, mask=object())}),
        (ValueError, "ids is read-only", {"ids": OnDevice(longs, data=(64, True))}),
        (ValueError, "differ in width", {"items": OnDevice(np.ones((4, 2), np.float32))}),
        (ValueError, "differ in length", {"exclude": OnDevice(np.full(3, -1))}),
        (ValueError, "not between 1 and", {"ids": OnDevice(np.zeros((2, 9), np.int64))}),
    ]
    for error, message, changes in cases:
        with pytest.raises(error, match=f"^cuda: .*{message}"):
            cuda.topk(**device_call(**changes))


def test_show_config_gives_every_part_a_reason(capsys):
    found = firth.show_config()
    assert list(found) == [
        "version",
        "isa",
        "threads",
        "cuda module",
        "cuda driver",
        "cupy",
        "device arrays",
    ]
    assert found["version"] == firth.__version__
    assert found["isa"].startswith(_cpu.isa() + ": ")
    assert found["threads"].startswith(f"{_cpu.num_threads()}: ")
    assert found["cuda module"].startswith(("built with CUDA ", "not built: "))
    assert found["cuda driver"].startswith("for CUDA " if has_driver() else "none: ")
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("  ", 1)[0].rstrip() for line in printed] == list(found)
    assert all(line.endswith(text) for line, text in zip(printed, found.values(), strict=True))


def test_show_config_says_why_device_arrays_are_not_used():
    said = _config._device_arrays
    assert said(None, "none: no library", "cupy 14") == "not used: no CUDA driver"
    assert said(None, "for CUDA 13.0", "none: not installed") == "not used: no CuPy to hold them"
    assert said(None, "for CUDA 13.0", "cupy 14").startswith("run as array code")
    assert _config._isa(None).startswith("none: ")
    assert _config._cuda_module(None).startswith("not built: ")


def test_show_config_names_a_forced_instruction_set(monkeypatch):
    slowest = _cpu.isas()[-1]
    monkeypatch.setenv("FIRTH_ISA", slowest)
    assert firth.show_config()["isa"].startswith(f"{slowest}: chosen by FIRTH_ISA")
    monkeypatch.setenv("FIRTH_ISA", "v9")
    assert firth.show_config()["isa"].startswith("none: FIRTH_ISA: isa: 'v9' is not one")


def test_the_number_of_threads_is_set_shown_and_restored():
    before = _cpu.num_threads()
    try:
        firth.set_num_threads(before + 1)
        assert _cpu.num_threads() == before + 1
        assert "set_num_threads" in firth.show_config()["threads"]
    finally:
        firth.set_num_threads(0)
    assert _cpu.num_threads() == before


def test_a_number_of_threads_that_is_none_is_an_error():
    for n in (-1, 4097, 2**40):
        with pytest.raises(ValueError, match=f"set_num_threads: n={n} is not between 0 and 4096"):
            firth.set_num_threads(n)
    for n in (1.0, "2", None, True):
        with pytest.raises(TypeError, match="set_num_threads: n must be an integer, got "):
            firth.set_num_threads(n)


@pytest.mark.parametrize("module", ["_config", "kernels"])
def test_the_docstrings_examples_are_true(module):
    found = doctest.testmod(
        importlib.import_module(f"firth.{module}"), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert found.attempted > 0
    assert found.failed == 0
