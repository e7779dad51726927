"""What this installation found, what it uses and why not the rest; and the number of threads."""

import ctypes
import importlib
import importlib.util
import os
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

import firth


def show_config() -> dict[str, str]:
    """Print and return what firth found here, what it uses, and why it does not use the rest.

    Returns
    -------
    dict of str
        ``version``, ``isa``, ``threads``, ``cuda module``, ``cuda driver``, ``cupy`` and
        ``device arrays``, each with one sentence.

    Examples
    --------
    >>> import firth
    >>> found = firth.show_config()  # doctest: +ELLIPSIS
    version        ...
    """
    cpu, cuda = _module("_cpu"), _module("_cuda")
    driver, cupy = _driver(), _cupy()
    found = {
        "version": firth.__version__,
        "isa": _isa(cpu),
        "threads": _threads(cpu),
        "cuda module": _cuda_module(cuda),
        "cuda driver": driver,
        "cupy": cupy,
        "device arrays": _device_arrays(cuda, driver, cupy),
    }
    sys.stdout.writelines(f"{name:<13}  {text}\n" for name, text in found.items())
    return found


def set_num_threads(n: int) -> None:
    """Set how many threads every later call uses unless it is told otherwise.

    Parameters
    ----------
    n : int
        At least 1; 0 restores the default (``FIRTH_NUM_THREADS``, or the processors available).

    Raises
    ------
    TypeError
        If ``n`` is not an integer.
    ValueError
        If ``n`` is negative or above 4096.
    """
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"set_num_threads: n must be an integer, got {type(n).__name__}")
    if not 0 <= n <= 4096:
        raise ValueError(f"set_num_threads: n={n} is not between 0 and 4096")
    cpu = _module("_cpu")
    if cpu is not None:  # array code has no threads of its own
        cpu.set_num_threads(n)


def _module(name: str) -> Any:
    """Return a compiled module, or None where it was not built."""
    if importlib.util.find_spec(f"firth.{name}") is None:
        return None
    return importlib.import_module(f"firth.{name}")


def _isa(cpu: Any) -> str:
    if cpu is None:
        return "none: the CPU module was not built, so array code is used"
    able = ", ".join(cpu.isas())
    forced = os.environ.get("FIRTH_ISA")
    try:
        chosen = cpu.isa()
    except ValueError as error:
        return f"none: FIRTH_ISA: {error}"
    why = "chosen by FIRTH_ISA" if forced else "the best that this processor runs"
    return f"{chosen}: {why} (of {able})"


def _threads(cpu: Any) -> str:
    if cpu is None:
        return "none: the CPU module was not built"
    number, available = cpu.num_threads(), cpu.available_threads()
    asked = os.environ.get("FIRTH_NUM_THREADS")
    if asked == str(number):
        why = "by FIRTH_NUM_THREADS or set_num_threads"
    elif number == available:
        why = "as many as this process may use"
    else:
        why = "by set_num_threads"
    return f"{number}: {why} ({available} available)"


def _cuda_module(cuda: Any) -> str:
    if cuda is None:
        return "not built: this installation was compiled without nvcc or with FIRTH_CUDA=OFF"
    number = cuda.runtime_version()
    return f"built with CUDA {number // 1000}.{number % 1000 // 10}"


def _driver() -> str:
    """Ask the driver itself: it needs neither our module nor CuPy."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "none: libcuda.so.1 is not on this machine"
    number = ctypes.c_int(0)
    failed = library.cuInit(0) or library.cuDriverGetVersion(ctypes.byref(number))
    if failed:
        return f"none: the driver does not start (CUDA error {failed})"
    return f"for CUDA {number.value // 1000}.{number.value % 1000 // 10}"


def _cupy() -> str:
    """Find CuPy without importing it, which takes seconds."""
    if importlib.util.find_spec("cupy") is None:
        return "none: not installed (pip install firth[cuda13] or firth[cuda12])"
    for distribution in packages_distributions().get("cupy", []):
        try:
            return f"{distribution} {version(distribution)}"
        except PackageNotFoundError:
            continue
    return "installed, of unknown version"


def _device_arrays(cuda: Any, driver: str, cupy: str) -> str:
    if driver.startswith("none"):
        return "not used: no CUDA driver"
    if cupy.startswith("none"):
        return "not used: no CuPy to hold them"
    if cuda is None:
        return "run as array code: the CUDA module was not built"
    try:
        names = ", ".join(cuda.devices())
    except RuntimeError as error:
        return f"not used: {error}"
    return f"run on {names}" if names else "not used: the driver shows no device"
