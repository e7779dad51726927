"""Random walks over a graph on a GPU, of first and of second order.

Usage: python bench/cuda/walks.py [--nodes N] [--edges M] [--walks W] [--length L] [--rounds R]
           [--seconds S]

The graph is made up: degrees follow a power law, edges lead both ways. Before anything is timed,
some walks are held against the host, bit for bit. Times are medians between CUDA events of the
kernel alone, without making a corpus of what it wrote; a step is a node that a walk came to.
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

SAMPLE = 4096  # walks that are checked
ORDERS = [(1.0, 1.0), (1.0, 0.5), (0.25, 4.0), (4.0, 0.25), (4.0, 4.0)]


def graph_of(nodes: int, edges: int) -> CSR:
    """Return a graph of about as many edges, each both ways; weights are exponential."""
    rng = np.random.default_rng(1)
    hubs = nodes * rng.random((2, edges)) ** 3  # node v has a share in proportion to v^(-2/3)
    mixed = rng.permutation(nodes)[hubs.astype(np.int64)]
    sources, targets = np.concatenate([mixed, mixed[::-1]], axis=1)
    places = np.unique(sources[sources != targets] * nodes + targets[sources != targets])
    indptr = np.searchsorted(places, np.arange(nodes + 1) * nodes).astype(np.int64)
    weights = rng.exponential(1, len(places)).astype(np.float32) + np.float32(1e-3)
    return CSR(indptr, (places % nodes).astype(np.int32), weights, nodes)


def check(cupy: Any, graph: kernels.Transitions, there: kernels.Transitions, rule: Any) -> None:
    """Hold some walks against the host, or leave."""
    starts = np.random.default_rng(3).integers(0, graph.nodes, SAMPLE).astype(np.uint32)
    wanted = kernels.walks(graph, starts, **rule)
    found = kernels.walks(there, cupy.asarray(starts), **rule, backend=_cuda)
    if not all(np.array_equal(a, cupy.asnumpy(b)) for a, b in zip(wanted, found, strict=True)):
        sys.exit(f"{sys.argv[0]}: the device does not walk as the host does: {rule}")


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description="Random walks on a GPU.")
    parser.add_argument("--nodes", type=int, default=1_100_000)
    parser.add_argument("--edges", type=int, default=3_000_000, help="each leads both ways")
    parser.add_argument("--walks", type=int, default=2_000_000)
    parser.add_argument("--length", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for one figure, about")
    return parser.parse_args()


def main() -> None:
    """Check, time, print."""
    options = arguments()
    cupy = device_arrays()
    firth.show_config()
    graph = graph_of(options.nodes, options.edges)
    starts = cupy.asarray(np.arange(options.walks, dtype=np.uint32) % np.uint32(options.nodes))
    out = cupy.empty((options.walks, options.length), np.uint32)
    path = cupy.zeros(1, np.uint32)
    print(f"{options.nodes} nodes, {graph.nnz} edges, {options.walks} walks of {options.length}")
    print(f"{'':<32}{'ms':>10}{'M steps/s':>12}")
    for weighted in (False, True):
        host = kernels.transitions(graph, weighted=weighted)
        there = host.to_device(cupy)
        for p, q in ORDERS:
            check(cupy, host, there, {"p": p, "q": q, "length": options.length})
            walk = partial(
                _cuda.walks,
                indptr=there.indptr, indices=there.indices, thresholds=there.thresholds,
                types=1, path=path, starts=starts, first_walk=0, length=options.length,
                p=p, q=q, restart=0.0, seed=1, out=out, threads=0, isa="", progress=None,
            )  # fmt: skip
            ms = milliseconds(cupy, walk, options.rounds, options.seconds)
            steps = int((out != np.uint32(2**32 - 1)).sum()) - options.walks
            name = f"{'weighted' if weighted else 'alike'}, p {p:g}, q {q:g}"
            print(f"{name:<32}{ms:>10.2f}{steps / ms / 1e3:>12.1f}")


if __name__ == "__main__":
    main()
