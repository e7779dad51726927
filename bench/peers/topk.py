"""The k nearest items by cosine: firth beside numpy, faiss and gensim, on one thread.

Same data, rounds interleaved, medians of CPU seconds: on a busy machine the clock on the wall would
tell of its other work. A peer that is not installed is left out. Peers get items and queries at
unit length, made before timing starts; firth gets them as they are. All answers are held against
float64 first: firth's must be right, of the others it is told how many are.
"""

import argparse
import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when BLAS is loaded, so before numpy is

import numpy as np  # noqa: E402
from _results import save  # noqa: E402

import firth  # noqa: E402

Search = Callable[[Any], Any]  # queries (q, dim) -> ids (q, k)
CHECKED = 32  # queries whose answers are looked at
SERIAL = 16  # queries that a peer without batches is given of each batch


def unit(rows: Any) -> Any:
    """Return the rows at length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def with_firth(items: Any, k: int) -> Search:
    """Search exactly, norms included."""
    return lambda queries: firth.kernels.topk(queries, items, k, threads=1)[0]


def with_numpy(items: Any, k: int) -> Search:
    """Search by matrix product, argpartition and a sort of k, 256 queries at a time."""
    items = unit(items)

    def some(queries: Any) -> Any:
        scores = queries @ items.T
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        return np.take_along_axis(best, order, axis=1)

    return lambda q: np.concatenate([some(q[at : at + 256]) for at in range(0, len(q), 256)])


def with_faiss(items: Any, k: int, blas_from: int | None = None) -> Search:
    """Search IndexFlatIP; `blas_from`: from which batch on faiss uses BLAS, if not its default."""
    faiss = importlib.import_module("faiss")
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(items.shape[1])
    index.add(unit(items))
    usual = faiss.cvar.distance_compute_blas_threshold

    def search(queries: Any) -> Any:
        faiss.cvar.distance_compute_blas_threshold = usual if blas_from is None else blas_from
        try:
            return index.search(queries, k)[1]
        finally:
            faiss.cvar.distance_compute_blas_threshold = usual

    return search


def with_gensim(items: Any, k: int) -> Search:
    """Search by `KeyedVectors.most_similar`, which takes one query at a time."""
    keyed = importlib.import_module("gensim.models").KeyedVectors(items.shape[1])
    keyed.add_vectors(list(range(len(items))), unit(items))
    keyed.fill_norms()

    def one(query: Any) -> list[int]:
        return [key for key, _ in keyed.most_similar([query], topn=k)]

    return lambda queries: np.array([one(query) for query in queries])


PEERS: dict[str, Callable[[Any, int], Search]] = {
    "firth": with_firth,
    "numpy": with_numpy,
    "faiss": with_faiss,
    "faiss, tuned": lambda items, k: with_faiss(items, k, 1),
    "gensim": with_gensim,
}


def definition(queries: Any, items: Any, k: int) -> Any:
    """Rank in float64."""
    queries, items = unit(queries.astype(np.float64)), unit(items.astype(np.float64))
    return np.argsort(-(queries @ items.T), axis=1, kind="stable")[:, :k]


def main() -> None:
    """Check, time, print; write only if asked to."""
    parser = argparse.ArgumentParser(description="Nearest items: firth and its peers.")
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", action="store_true", help="write bench/results/<machine>.json")
    options = parser.parse_args()
    k = options.k

    rng = np.random.default_rng(1)
    items = rng.standard_normal((options.items, options.dim), dtype=np.float32)
    queries = rng.standard_normal((max(*options.batches, CHECKED), options.dim), dtype=np.float32)
    units = unit(queries)
    searches = {}
    for name, peer in PEERS.items():
        try:
            searches[name] = peer(items, k)
        except ImportError as error:
            print(f"{name} is left out: {error}")

    want = definition(queries[:CHECKED], items, k)
    right = {}
    for name, search in searches.items():
        given = (queries if name == "firth" else units)[:CHECKED]
        right[name] = int((search(given) == want).all(axis=1).sum())
    if right["firth"] != CHECKED:
        sys.exit(f"topk: firth ranks {right['firth']} of {CHECKED} queries as float64 does")

    print(f"{options.items} items, dim {options.dim}, k {k}, one thread; medians, of CPU seconds")
    print(f"{'':<14}{'as float64':>12}{'batch':>8}{'queries/s':>12}{'firth is':>12}")
    rows = []
    for batch in options.batches:
        seconds: dict[str, list[float]] = {name: [] for name in searches}
        for _ in range(options.rounds):
            for name, search in searches.items():
                given = (queries if name == "firth" else units)[:batch]
                given = given[:SERIAL] if name == "gensim" else given
                start = time.process_time()
                search(given)
                seconds[name].append((time.process_time() - start) / len(given))
        medians = {name: statistics.median(each) for name, each in seconds.items()}
        for name, median in medians.items():
            ratio = median / medians["firth"]
            share = f"{right[name]}/{CHECKED}"
            print(f"{name:<14}{share:>12}{batch:>8}{1 / median:>12.1f}{ratio:>11.2f}x")
            rows.append(
                {"peer": name, "batch": batch, "queries_per_cpu_s": 1 / median, "ratio": ratio}
            )
    if options.save:
        sizes = {"items": options.items, "dim": options.dim, "k": k, "rounds": options.rounds}
        print(f"written to {save('topk', {**sizes, 'threads': 1, 'right': right, 'rows': rows})}")


if __name__ == "__main__":
    main()
