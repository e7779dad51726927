"""show_config gives reasons, set_num_threads checks, the CUDA module imports without a driver."""

import ctypes
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
    """What topk takes, for 2 queries and 4 items of 3 dimensions."""
    arrays = {
        "queries": np.ones((2, 3), np.float32),
        "rows": np.ones((4, 3), np.float32),
        "panels": np.zeros((0, 0), np.uint8),
        "constants": np.zeros((3, 0), np.float32),
        "exclude": np.full((2, 1), -1),
        "mask": np.zeros(0, np.uint8),
        "threshold": np.full(2, -np.inf),
        "ids": np.zeros((2, 1), np.int64),
        "scores": np.zeros((2, 1)),
    }
    there = {name: OnDevice(array) for name, array in arrays.items()}
    return {**there, "items": 4, "scan": -1, "cosine": True, "threads": 0, "isa": "", **changes}


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
            "rows has typestr <f8, expected <f4",
            {"rows": OnDevice(np.ones((4, 3)))},
        ),
        (TypeError, "exclude has typestr <i4", {"exclude": OnDevice(np.zeros((2, 1), np.int32))}),
        (TypeError, "scores has typestr <f4", {"scores": OnDevice(np.zeros((2, 1), np.float32))}),
        (ValueError, "queries has 1 dimensions, expected 2", {"queries": OnDevice(floats[0])}),
        (ValueError, "rows is not C-contiguous", {"rows": OnDevice(floats, strides=(24, 4))}),
        (ValueError, "rows has a mask", {"rows": OnDevice(floats, mask=object())}),
        (ValueError, "ids is read-only", {"ids": OnDevice(longs, data=(64, True))}),
        (ValueError, "differ in width", {"rows": OnDevice(np.ones((4, 2), np.float32))}),
        (ValueError, "differ in length", {"threshold": OnDevice(np.full(3, -np.inf))}),
        (ValueError, "not between 1 and", {"ids": OnDevice(np.zeros((2, 9), np.int64))}),
        (ValueError, "mask does not fit", {"mask": OnDevice(np.ones(5, np.uint8))}),
        (ValueError, "constants do not fit", {"constants": OnDevice(np.ones((3, 8), np.float32))}),
        (
            ValueError,
            "panels do not fit",
            {"scan": 2, "constants": OnDevice(np.ones((3, 16), np.float32))},
        ),
        (ValueError, "scan is not", {"scan": 3}),
    ]
    for error, message, changes in cases:
        with pytest.raises(error, match=f"^cuda: .*{message}"):
            cuda.topk(**device_call(**changes))


def words_call(**changes):
    """What subword_means takes, for 2 words and 5 buckets behind 1 row."""
    arrays = {
        "text": np.frombuffer(b"where", np.uint8).copy(),
        "begins": np.array([0, 2]),
        "ends": np.array([2, 5]),
        "table": np.ones((6, 3), np.float32),
        "means": np.zeros((2, 3), np.float32),
    }
    there = {name: OnDevice(array) for name, array in arrays.items()}
    rule = {"min_n": 3, "max_n": 6, "buckets": 5, "hashes": 0, "first_row": 1}
    return {**there, **rule, "threads": 0, "isa": "", **changes}


def test_the_cuda_module_takes_words_and_tables_only_as_they_should_be(cuda):
    shorts, floats = OnDevice(np.zeros(2, np.int32)), OnDevice(np.ones((2, 2), np.float32))
    cases = [
        (TypeError, "text has no __cuda_array_interface__", {"text": b"where"}),
        (TypeError, "text has typestr <i4, expected", {"text": shorts}),
        (TypeError, "begins has typestr <i4, expected <i8", {"begins": shorts}),
        (ValueError, "begins and ends differ", {"ends": OnDevice(np.zeros(3, np.int64))}),
        (ValueError, "table and means differ in width", {"means": floats}),
        (ValueError, "means are not as many", {"means": OnDevice(np.ones((3, 3), np.float32))}),
        (ValueError, "min_n and max_n are no range", {"min_n": 7}),
        (ValueError, "min_n and max_n are no range", {"min_n": 0}),
        (ValueError, "buckets is not between", {"buckets": 0}),
        (ValueError, "hashes is not between", {"hashes": 5}),
        (ValueError, "not a row for each bucket", {"first_row": 2}),
        (ValueError, "not a row for each bucket", {"first_row": -1}),
    ]
    for error, message, changes in cases:
        with pytest.raises(error, match=f"^cuda: .*{message}"):
            cuda.subword_means(**words_call(**changes))

    given = {**words_call(), "offsets": OnDevice(np.zeros(3, np.int64)), "ids": None}
    table, means = given.pop("table"), given.pop("means")
    del given["first_row"]
    bags = {"table": table, "means": means, "offsets": given["offsets"], "threads": 0, "isa": ""}
    longs = OnDevice(np.zeros(2, np.int64))
    ids = OnDevice(np.zeros(4, np.uint32), data=(64, True))
    with pytest.raises(ValueError, match=r"^cuda: offsets are not one more than the words"):
        cuda.subwords(**{**given, "offsets": longs})
    with pytest.raises(TypeError, match=r"^cuda: ids has typestr <i8, expected <u4"):
        cuda.subwords(**{**given, "ids": longs})
    with pytest.raises(ValueError, match=r"^cuda: ids is read-only"):
        cuda.subwords(**{**given, "ids": ids})
    with pytest.raises(ValueError, match=r"^cuda: offsets are not one more than the means"):
        cuda.bag_means(**{**bags, "offsets": longs}, ids=ids)
    read_only = OnDevice(np.zeros((2, 3), np.float32), data=(64, True))
    with pytest.raises(ValueError, match=r"^cuda: means is read-only"):
        cuda.bag_means(**{**bags, "means": read_only}, ids=ids)


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
    for n in (-1, 1025, 2**40):
        with pytest.raises(ValueError, match=f"set_num_threads: n={n} is not between 0 and 1024"):
            firth.set_num_threads(n)
    for n in (1.0, "2", None, True):
        with pytest.raises(TypeError, match="set_num_threads: n must be an integer, got "):
            firth.set_num_threads(n)
