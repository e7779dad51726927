"""Where training runs: tables and text stay on the host, or are moved to a device and back."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from firth.kernels._subwords import Bags
from firth.models._beginning import Tables

DEVICES = ("cpu", "cuda")


def device_arrays(model: str) -> Any:
    """Return CuPy with a device behind it.

    Raises
    ------
    ImportError
        CuPy is not installed; it names the extras that bring it.
    RuntimeError
        There is no device.
    """
    asked = f"{model}: device='cuda'"
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise ImportError(
            f"{asked} needs CuPy: install firth[cuda12] or firth[cuda13] ({error})"
        ) from error
    if not cupy.cuda.is_available():
        raise RuntimeError(f"{asked} needs a CUDA device, and CuPy finds none")
    return cupy


def expect_room(model: str, cupy: Any, needed: int) -> None:
    """Raise MemoryError unless so many bytes are free, which CuPy keeps for itself included."""
    free, size = cupy.cuda.runtime.memGetInfo()
    free += cupy.get_default_memory_pool().free_bytes()
    if needed > free:
        raise MemoryError(
            f"{model}: device='cuda': tables and text take {needed / 1e6:,.0f} MB, and of the "
            f"device's {size / 1e6:,.0f} MB {free / 1e6:,.0f} MB are free"
        )


@contextmanager
def on_device(run: Any, tables: Tables) -> Iterator[tuple[Any, Tables, Callable[[], None]]]:
    """Lend a run and its tables where the model's device has them.

    Yields both, and a function that brings what was learnt so far into ``tables``; that also
    happens at the end, whatever ended it. On the host nothing moves.

    Raises
    ------
    ImportError, RuntimeError
        CuPy or the device is missing.
    MemoryError
        Tables and text are larger than what is free on the device; nothing was allocated.
    """
    if run.model.device == "cpu":
        yield run, tables, lambda: None
        return
    name, corpus = type(run.model).__name__, run.corpus
    cupy = device_arrays(name)
    arrays = [tables.input, tables.output, corpus.ids, corpus.offsets, run.keep, run.noise]
    arrays += tables.bags or ()
    expect_room(name, cupy, sum(array.nbytes for array in arrays))
    input, output, ids, offsets, keep, noise, *bags = (cupy.asarray(array) for array in arrays)
    there = Tables(input, output, Bags(*bags) if bags else None)
    text = SimpleNamespace(ids=ids, offsets=offsets, vocabulary=corpus.vocabulary)

    def fetch() -> None:
        tables.input[:] = cupy.asnumpy(there.input)
        tables.output[:] = cupy.asnumpy(there.output)

    try:
        yield replace(run, corpus=text, keep=keep, noise=noise), there, fetch
    finally:
        fetch()
