"""The k nearest items by cosine on a GPU: firth beside CuPy's product and sort, and torch.topk.

The answer is checked against float64 on the host before anything is timed. CUDA events, medians.
"""

import argparse
import importlib
import importlib.util
import statistics
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import firth

Search = Callable[[Any], Any]  # queries (q, dim) -> ids (q, k)
SAMPLE = 8  # queries that are checked
PART = 256  # queries that CuPy and torch take at once, so that their scores fit into memory


def device_arrays() -> Any:
    """Return CuPy with a device behind it, or leave and say what is missing."""
    try:
        import cupy
    except ImportError as error:
        sys.exit(f"bench/cuda/topk.py: nothing was measured, CuPy is not there: {error}")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        sys.exit(f"bench/cuda/topk.py: nothing was measured, there is no CUDA device: {error}")
    return cupy


def by_sorting(cupy: Any, items: Any, k: int) -> Search:
    """Return a search that sorts all scores of a float32 product."""
    items = items / cupy.linalg.norm(items, axis=1, keepdims=True)
    return lambda queries: cupy.concatenate(
        [
            cupy.argsort(-(queries[at : at + PART] @ items.T), axis=1)[:, :k]
            for at in range(0, len(queries), PART)
        ]
    )


def by_torch(items: Any, k: int) -> Search:
    """Return a search by torch.topk of a float32 product."""
    torch = importlib.import_module("torch")
    torch.backends.cuda.matmul.allow_tf32 = False
    rows = torch.nn.functional.normalize(torch.from_dlpack(items))
    return lambda queries: torch.cat(
        [torch.topk(part @ rows.T, k)[1] for part in torch.from_dlpack(queries).split(PART)]
    )


def milliseconds(cupy: Any, search: Search, queries: Any, rounds: int) -> float:
    """Return the median time of a search between two events on the current stream."""
    search(queries)
    times = []
    for _ in range(rounds):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        search(queries)
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(begin, end))
    return statistics.median(times)


def main() -> None:
    """Check, time, print."""
    parser = argparse.ArgumentParser(description="Nearest items on a GPU.")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 1024])
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    cupy, k = device_arrays(), options.k
    firth.show_config()

    rng = np.random.default_rng(1)
    host = rng.standard_normal((options.items, options.dim), dtype=np.float32)
    asked = rng.standard_normal((max(*options.batches, SAMPLE), options.dim), dtype=np.float32)
    items, queries = cupy.asarray(host), cupy.asarray(asked)
    searches = {
        "firth": lambda some: firth.kernels.topk(some, items, k)[0],
        "cupy, sorted": by_sorting(cupy, items, k),
    }
    if importlib.util.find_spec("torch"):
        searches["torch.topk"] = by_torch(items, k)
    else:
        print("torch is left out: it is not installed")

    wide = host.astype(np.float64)
    scores = asked[:SAMPLE].astype(np.float64) @ wide.T / np.linalg.norm(wide, axis=1)
    want = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    if not (cupy.asnumpy(searches["firth"](queries[:SAMPLE])) == want).all():
        sys.exit("bench/cuda/topk.py: firth does not rank as float64 does")

    print(f"{options.items} items, dim {options.dim}, k {k}, {options.rounds} rounds")
    print(f"{'':<14}{'batch':>6}{'ms':>10}{'queries/s':>12}{'firth is':>10}")
    for batch in options.batches:
        found = {
            name: milliseconds(cupy, search, queries[:batch], options.rounds)
            for name, search in searches.items()
        }
        for name, ms in found.items():
            ratio = ms / found["firth"]
            print(f"{name:<14}{batch:>6}{ms:>10.3f}{1e3 * batch / ms:>12.0f}{ratio:>9.2f}x")


if __name__ == "__main__":
    main()
