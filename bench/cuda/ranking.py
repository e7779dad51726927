"""BPR and WARP on a GPU.

Usage: python bench/cuda/ranking.py [--users U] [--items I] [--pairs P] [--dims D ...]
           [--flights F ...] [--rounds R] [--seconds S]

Interactions are made up, items as popular as in ratings of films. Before anything is timed, samples
trained one after the other are held against the host. Times are medians between CUDA events of an
epoch. The loss is that of the last: with more samples in flight it must not be greater.
"""

import argparse
import sys
from functools import partial
from typing import Any

import numpy as np
from _device import device_arrays, milliseconds

import firth
from firth import _cuda, kernels
from firth.csr import CSR

SAMPLE = 5000  # samples that are checked
LR = {"bpr": 0.05, "warp": 0.005}
RULE = {"reg": 0.002, "seed": 1}


def met_of(users: int, items: int, pairs: int) -> CSR:
    """Return about as many pairs; a user has met few or many."""
    rng = np.random.default_rng(1)
    user = (users * rng.random(pairs) ** 2).astype(np.int64)
    item = np.minimum(items * rng.random(pairs) ** 3, items - 1).astype(np.int64)
    places = np.unique(user * items + item)
    indptr = np.searchsorted(places, np.arange(users + 1) * items).astype(np.int64)
    return CSR(indptr, (places % items).astype(np.int32), np.ones(len(places), np.float32), items)


def tables_of(met: CSR, dim: int) -> tuple[Any, Any, Any]:
    """Return vectors of users and items, and biases, to begin with."""
    rng = np.random.default_rng(2)
    users, items = (
        rng.normal(0, 0.1, (count, dim)).astype(np.float32)
        for count in (met.shape[0], met.shape[1])
    )
    return users, items, np.zeros(len(items), np.float32)


def check(cupy: Any, met: CSR, there: CSR, dim: int) -> None:
    """Hold some samples against the host, or leave."""
    part = (0, min(SAMPLE, met.nnz))
    for loss, lr in LR.items():
        host = tables_of(met, dim)
        device = [cupy.asarray(table) for table in host]
        rule = {**RULE, "loss": loss, "lr": lr, "part": part, "threads": 1}
        kernels.ranking(*host[:2], met, biases=host[2], **rule)
        kernels.ranking(*device[:2], there, biases=device[2], **rule, backend=_cuda)
        for a, b in zip(host, device, strict=True):
            if not np.allclose(a, cupy.asnumpy(b), rtol=1e-3, atol=1e-4):
                sys.exit(f"{sys.argv[0]}: the device does not learn what the host does: {loss}")


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description="BPR and WARP on a GPU.")
    parser.add_argument("--users", type=int, default=138_000)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--pairs", type=int, default=20_000_000)
    parser.add_argument("--dims", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--flights", type=int, nargs="+", default=[0, 256, 1024, 4096])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for one figure, about")
    return parser.parse_args()


def main() -> None:
    """Check, time, print."""
    options = arguments()
    cupy = device_arrays()
    firth.show_config()
    met = met_of(options.users, options.items, options.pairs)
    there = CSR(*map(cupy.asarray, (met.indptr, met.indices, met.data)), met.shape[1])
    check(cupy, met, there, options.dims[0])
    owners = cupy.asarray(np.repeat(np.arange(met.shape[0], dtype=np.uint32), np.diff(met.indptr)))
    print(f"{met.shape[0]} users, {met.shape[1]} items, {met.nnz} pairs")
    print(f"{'':<40}{'ms':>10}{'M samples/s':>14}{'loss':>9}{'right':>8}")
    for dim in options.dims:
        for number, (loss, lr) in enumerate(LR.items()):
            for flight in options.flights:
                users, items, biases = (cupy.asarray(table) for table in tables_of(met, dim))
                epoch = partial(
                    _cuda.ranking,
                    users=users, items=items, biases=biases, indptr=there.indptr,
                    indices=there.indices.view(np.uint32), owners=owners,
                    noise=cupy.zeros((0, 2), np.uint32), loss=number, trials=50, first=0,
                    last=met.nnz, seed=1, epoch=0, lr=lr, reg=RULE["reg"], threads=flight, isa="",
                    progress=None,
                )  # fmt: skip
                ms = milliseconds(cupy, epoch, options.rounds, options.seconds)
                total, samples, right, _, _ = epoch()
                name = f"{loss}, dim {dim}" + (f", {flight} in flight" if flight else "")
                figures = f"{total / samples:>9.4f}{right / samples:>8.4f}"
                print(f"{name:<40}{ms:>10.2f}{met.nnz / ms / 1e3:>14.1f}{figures}")


if __name__ == "__main__":
    main()
