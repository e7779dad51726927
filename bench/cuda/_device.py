"""What the benches of a device share: CuPy or a reason why not, and the time of work on it."""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any


def device_arrays() -> Any:
    """Return CuPy with a device behind it, or leave and say what is missing."""
    try:
        import cupy
    except ImportError as error:
        sys.exit(f"{sys.argv[0]}: nothing was measured, CuPy is not there: {error}")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        sys.exit(f"{sys.argv[0]}: nothing was measured, there is no CUDA device: {error}")
    return cupy


def milliseconds(cupy: Any, work: Callable[[], Any], rounds: int, seconds: float) -> float:
    """Return the median time of `work` between two events on the current stream.

    After three rounds no more are begun once `seconds` are over.
    """
    work()
    times: list[float] = []
    end_of_time = time.monotonic() + seconds
    while len(times) < rounds and (len(times) < 3 or time.monotonic() < end_of_time):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(begin, end))
    return statistics.median(times)
