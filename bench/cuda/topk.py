"""The k nearest items by cosine on a GPU: firth, raw and prepared, beside torch and CuPy.

Usage: python bench/cuda/topk.py [--items N] [--dim D] [--k K] [--batches B ...] [--rounds R]
           [--seconds S] [--large]

Before anything is timed, answers are held against float64: firth's must be right, of the others it
is told how many of the k nearest they find. Times are medians between CUDA events; firth waits for
its stream in each call, to report rows that are not finite. Limit and goal are milliseconds
of one H200, for 1 M x 128 and, with --large, 10 M x 300 items.
"""

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from _device import device_arrays, milliseconds

import firth

Search = Callable[[Any], Any]  # queries (q, dim) -> ids (q, k)
SAMPLE = 8  # queries that are checked
SCORES = 1 << 28  # scores that CuPy and torch hold at a time
SCANS = ("float32", "bfloat16", "int8")
# (items, dim) -> {batch: (physical limit, goal)} in milliseconds: memory or tensor cores, bfloat16.
GOALS = {
    (1_000_000, 128): {1: (0.06, 0.09), 1024: (0.33, 1.1), 10_000: (3.24, 8.0)},
    (10_000_000, 300): {1: (1.4, 2.0), 1024: (7.8, 25.0), 10_000: (76.0, 200.0)},
}


def by_firth(items: Any, k: int) -> Search:
    """Return firth's search of items as they are or prepared."""
    return lambda queries: firth.kernels.topk(queries, items, k)[0]


def by_sorting(cupy: Any, items: Any, k: int) -> Search:
    """Return a search that sorts all scores of a float32 product."""
    items = items / cupy.linalg.norm(items, axis=1, keepdims=True)
    part = max(1, SCORES // len(items))
    return lambda queries: cupy.concatenate(
        [
            cupy.argsort(-(queries[at : at + part] @ items.T), axis=1)[:, :k]
            for at in range(0, len(queries), part)
        ]
    )


def by_torch(items: Any, k: int, dtype: str) -> Search:
    """Return a search by torch.topk of a product in float32 (not TF32) or bfloat16."""
    torch = importlib.import_module("torch")
    torch.backends.cuda.matmul.allow_tf32 = False
    kind = getattr(torch, dtype)
    rows = torch.nn.functional.normalize(torch.from_dlpack(items)).to(kind)
    part = max(1, SCORES // len(items))
    return lambda queries: torch.cat(
        [
            torch.topk(some @ rows.T, k)[1]
            for some in torch.nn.functional.normalize(torch.from_dlpack(queries))
            .to(kind)
            .split(part)
        ]
    )


def by_definition(cupy: Any, queries: Any, items: Any, k: int) -> Any:
    """Rank in float64, some of the items at a time."""
    wide, part = queries.astype(np.float64), max(1, SCORES // items.shape[1] // 8)
    scores = np.concatenate(
        [
            cupy.asnumpy(wide @ (some / cupy.linalg.norm(some, axis=1, keepdims=True)).T)
            for at in range(0, len(items), part)
            for some in [items[at : at + part].astype(np.float64)]
        ],
        axis=1,
    )
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description="Nearest items on a GPU.")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 1024, 10_000])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for one figure, about")
    parser.add_argument("--large", action="store_true", help="10 M items of 300 dimensions")
    options = parser.parse_args()
    if options.large:
        options.items, options.dim = 10_000_000, 300
    return options


def main() -> None:
    """Check, time, print."""
    options = arguments()
    cupy, k = device_arrays(), options.k
    firth.show_config()
    rng = cupy.random.default_rng(1)
    items = rng.standard_normal((options.items, options.dim), dtype=np.float32)
    queries = rng.standard_normal((max(*options.batches, SAMPLE), options.dim), dtype=np.float32)

    print(f"{options.items} items, dim {options.dim}, k {k}, {options.rounds} rounds")
    searches = {"firth": by_firth(items, k)}
    for scan in SCANS:
        make = partial(firth.kernels.prepare, items, scan=scan)
        prepared = make()
        searches[f"firth, {scan}"] = by_firth(prepared, k)
        ms = milliseconds(cupy, make, options.rounds, options.seconds)
        print(f"prepare, {scan}: {ms:.3f} ms, {prepared.nbytes / 1e6:.0f} MB with the rows")
    if importlib.util.find_spec("torch"):
        for dtype in ("float32", "bfloat16"):
            searches[f"torch, {dtype}"] = by_torch(items, k, dtype)
    else:
        print("torch is left out: it is not installed")
    searches["cupy, sorted"] = by_sorting(cupy, items, k)

    want, right = by_definition(cupy, queries[:SAMPLE], items, k), {}
    for name, search in searches.items():
        found = cupy.asnumpy(cupy.asarray(search(queries[:SAMPLE])))
        if name.startswith("firth") and not (found == want).all():
            sys.exit(f"bench/cuda/topk.py: {name} does not rank as float64 does")
        right[name] = np.mean([np.isin(a, b).mean() for a, b in zip(want, found, strict=True)])

    goals = GOALS.get((options.items, options.dim), {}) if k == 10 else {}
    print(f"{'':<18}{'found':>7}{'batch':>8}{'ms':>10}{'queries/s':>12}{'limit':>8}{'goal':>8}")
    for batch in options.batches:
        limit, goal = goals.get(batch, ("", ""))
        for name, search in searches.items():
            ask = partial(search, queries[:batch])
            ms = milliseconds(cupy, ask, options.rounds, options.seconds)
            print(
                f"{name:<18}{right[name]:>7.1%}{batch:>8}{ms:>10.3f}{1e3 * batch / ms:>12.0f}"
                f"{limit:>8}{goal:>8}"
            )


if __name__ == "__main__":
    main()
