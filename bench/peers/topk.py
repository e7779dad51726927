"""The k nearest items by cosine: firth beside numpy, torch, faiss and others, on one thread.

Usage: python bench/peers/topk.py [--data VECTORS] [--noise X] [--items N] [--dim D] [--k K ...]
           [--batches B ...] [--rounds R] [--peers NAME ...] [--memory] [--save]

Same data, rounds interleaved, medians of CPU seconds: on a busy machine the clock on the wall would
tell of its other work; it is recorded too. A peer that is not installed is left out, a slow one is
given only some queries of a batch. All answers are held against float64 first: firth's must be
right; if it keeps only codes, it must rank these codes. Of everybody it is told how many rankings
are as float64's, and how many of the k nearest are found.
"""

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when BLAS is loaded, so before numpy is

import numpy as np  # noqa: E402
from _results import save  # noqa: E402
from _topk_peers import ROWS, Peer, Peers, unit  # noqa: E402

import firth  # noqa: E402

CHECKED = 32  # queries whose answers are looked at
SINGLE = 8  # queries of a round, at least, however small the batch
AGAINST = ("firth", "firth, prepared")  # who the others are compared with


def gaussian(items: int, dim: int, queries: int) -> tuple[Any, Any]:
    """Return items and queries of standard normal numbers."""
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((items, dim), dtype=np.float32)
    return rows, rng.standard_normal((queries, dim), dtype=np.float32)


def tiled(path: str, items: int, noise: float, queries: int) -> tuple[Any, Any]:
    """Return trained vectors over and over, with noise of `noise` times their length, and queries.

    Queries are rows of the file drawn by chance, with noise of their own.
    """
    known = firth.load(path) if Path(path).is_dir() else firth.read(path, limit=items)
    rng = np.random.default_rng(1)
    amounts = np.linalg.norm(known.vectors, axis=1) * np.float32(noise / known.dim**0.5)

    def noisy(ids: Any) -> Any:
        rows = rng.standard_normal((len(ids), known.dim), dtype=np.float32)
        rows *= amounts[ids, None]
        rows += known.vectors[ids]
        return rows

    rows = np.empty((items, known.dim), np.float32)
    for at in range(0, items, ROWS):
        rows[at : at + ROWS] = noisy(np.arange(at, min(at + ROWS, items)) % len(known))
    return rows, noisy(rng.integers(min(items, len(known)), size=queries))


def definition(queries: Any, values: Callable[[Any], Any], items: int, k: int) -> Any:
    """Rank `values(ids)` in float64, equal scores by their id, some of the ids at a time."""
    kept = min(items, 2 * k + 64)  # a matrix product may round equal rows differently: some more
    queries = unit(queries.astype(np.float64))
    ids, scores = np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0))
    for at in range(0, items, ROWS):
        more = np.arange(at, min(at + ROWS, items))
        ids = np.hstack([ids, np.broadcast_to(more, (len(queries), len(more)))])
        scores = np.hstack([scores, queries @ unit(values(more).astype(np.float64)).T])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
        ids, scores = (np.take_along_axis(array, best, axis=1) for array in (ids, scores))
    ranked = []
    for query, some in zip(queries, np.sort(ids, axis=1), strict=True):
        exact = (unit(values(some).astype(np.float64)) * query).sum(axis=1)
        ranked.append(some[np.argsort(-exact, kind="stable")[:k]])
    return np.array(ranked)


def answers(peer: Peer, queries: Any, k: int) -> Any:
    """Return what a peer finds for queries of any length, as many at a time as it is given."""
    given = queries if peer.as_given else unit(queries)
    step = peer.limit or len(given)
    return np.vstack([peer.search(given[at : at + step], k) for at in range(0, len(given), step)])


def checked(
    peers: dict[str, Peer], items: Any, queries: Any, ks: list[int]
) -> list[dict[str, Any]]:
    """Return how right everybody is; leave if firth is not."""
    wants = definition(queries, items.__getitem__, len(items), max(ks))
    report = []
    for name, peer in peers.items():
        own = wants
        if peer.values:
            own = definition(queries, peer.values, len(items), max(ks))
        for k in ks:
            got = answers(peer, queries, k)
            if peer.exact and not (got == own[:, :k]).all():
                right = int((got == own[:, :k]).all(axis=1).sum())
                sys.exit(f"topk: {name} ranks {right} of {len(got)} queries as float64 does, k {k}")
            found = [len(np.intersect1d(*pair)) for pair in zip(got, wants[:, :k], strict=True)]
            right = int((got == wants[:, :k]).all(axis=1).sum())
            report.append({"peer": name, "k": k, "right": right, "recall": sum(found) / got.size})
    return report


def seconds(peer: Peer, queries: Any, batch: int, k: int) -> tuple[float, float, int]:
    """Return CPU and wall seconds a query, and how many queries a call was given."""
    given = batch if peer.limit is None else min(batch, peer.limit)
    parts = [queries[at : at + given] for at in range(0, max(SINGLE, batch), batch)]
    wall, cpu = time.perf_counter(), time.process_time()
    for part in parts:
        peer.search(part, k)
    many = sum(map(len, parts))
    return (time.process_time() - cpu) / many, (time.perf_counter() - wall) / many, given


def timed(
    peers: dict[str, Peer], size: tuple[int, int], queries: Any, batch: int, k: int, rounds: int
) -> list[dict[str, Any]]:
    """Return everybody's medians, the rounds in turn, after one that is not counted."""
    units = unit(queries)
    spent: dict[str, list[tuple[float, float, int]]] = {name: [] for name in peers}
    for turn in range(rounds + 1):
        for name in list(peers)[:: -1 if turn % 2 else 1]:
            given = queries if peers[name].as_given else units
            spent[name].append(seconds(peers[name], given, batch, k))
    report = []
    for name, peer in peers.items():
        cpu, wall, given = (
            statistics.median(column) for column in zip(*spent[name][1:], strict=True)
        )
        row = {"peer": name, "batch": batch, "k": k, "given": int(given)}
        row |= {"queries_per_cpu_s": 1 / cpu, "queries_per_wall_s": 1 / wall}
        if cpu > 1.2 * wall:
            print(f"{name} ran on more than one thread: {cpu / wall:.1f} CPU seconds a second")
        row |= {"gflops": 2 * size[0] * size[1] / cpu / 1e9}
        row |= {"rescored": peer.rescored()} if peer.rescored else {}
        report.append(row)
    rates = {row["peer"]: row["queries_per_cpu_s"] for row in report}
    for row in report:
        row["ratios"] = {
            name: rates[name] / row["queries_per_cpu_s"] for name in AGAINST if name in rates
        }
    return report


def shown(row: dict[str, Any], right: int, recall: float) -> str:
    """Return one line of the table."""
    batch = f"{row['batch']}" + (f" ({row['given']})" if row["given"] < row["batch"] else "")
    ratios = "".join(
        f"{row['ratios'][name]:>9.2f}x" if name in row["ratios"] else f"{'-':>10}"
        for name in AGAINST
    )
    rescored = f"{row['rescored']:>11.1e}" if "rescored" in row else ""
    return (
        f"{row['peer']:<18}{f'{right}/{CHECKED}':>10}{recall:>8.4f}{row['k']:>5}{batch:>11}"
        f"{row['queries_per_cpu_s']:>11.1f}{row['queries_per_wall_s']:>11.1f}{row['gflops']:>9.1f}"
        f"{ratios}{rescored}"
    )


def peak(peer: Peer, queries: Any, k: int) -> float:
    """Return by how many MB a call, its result included, raises the memory of a fresh process."""
    context = multiprocessing.get_context("fork")  # it shares items and panels with this process
    mark = context.Value("q", -1)

    def call() -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to what is held
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peer.search(queries, k)
        mark.value = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    child = context.Process(target=call)
    child.start()
    child.join()
    if child.exitcode or mark.value < 0:
        sys.exit(f"topk: measuring memory ended with {child.exitcode}")
    return mark.value / 1024


def memory(peers: dict[str, Peer], queries: Any, options: Any) -> list[dict[str, Any]]:
    """Print and return what firth's calls need beyond the items, prepared or not."""
    print(f"{'':<18}{'k':>5}{'batch':>11}{'MB more':>11}")
    report = []
    for k in options.k:
        for batch in options.batches:
            for name, peer in peers.items():
                more = peak(peer, queries[:batch], k)
                print(f"{name:<18}{k:>5}{batch:>11}{more:>11.1f}", flush=True)
                report.append({"peer": name, "batch": batch, "k": k, "megabytes": more})
    return report


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    names = list(Peers(None).ways)
    parser = argparse.ArgumentParser(description="Nearest items: firth and its peers.")
    parser.add_argument("--data", default="gaussian", help="or a file of trained vectors")
    parser.add_argument("--noise", type=float, default=0.1, help="of trained vectors' length")
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--dim", type=int, help="of gaussian items, 100 if not given")
    parser.add_argument("--k", type=int, nargs="+", default=[10])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="+", default=names, choices=names, metavar="NAME",
                        help=f"besides firth: {'; '.join(names)}")  # fmt: skip
    parser.add_argument("--memory", action="store_true", help="measure firth's memory, too")
    parser.add_argument("--save", action="store_true", help="write bench/results/<machine>/")
    options = parser.parse_args()
    if options.data != "gaussian" and options.dim:
        parser.error("--dim: the file says what it is")
    options.peers = [name for name in names if name == "firth" or name in options.peers]
    return options


def main() -> None:
    """Check, time, print; write only if asked to."""
    options = arguments()
    many = max(*options.batches, CHECKED)
    if options.data == "gaussian":
        items, queries = gaussian(options.items, options.dim or 100, many)
    else:
        items, queries = tiled(options.data, options.items, options.noise, many)
    data = Path(options.data).name
    title = f"{data}, {len(items)} items, dim {items.shape[1]}"
    result: dict[str, Any] = {"rounds": options.rounds, "threads": 1}
    if data != "gaussian":
        title += f", noise {options.noise}"
        result["noise"] = options.noise
    print(f"{title}; one thread")

    every = Peers(items)
    peers = every.named([name for name in options.peers if name.startswith("firth")])
    if options.memory:  # before other peers' copies of the items, which would only be in the way
        result["memory"] = memory(peers, queries, options)
    peers |= every.named([name for name in options.peers if not name.startswith("firth")])
    result["answers"] = checked(peers, items, queries[:CHECKED], options.k)
    answered = {(row["peer"], row["k"]): (row["right"], row["recall"]) for row in result["answers"]}

    print(f"medians of {options.rounds}; (given) of a batch; queries/s and GFLOP/s of CPU seconds")
    print(
        f"{'':<18}{'float64':>10}{'recall':>8}{'k':>5}{'batch':>11}{'queries/s':>11}{'by wall':>11}"
        f"{'GFLOP/s':>9}{'firth is':>10}{'prepared':>10}"
        + (f"{'re-scored':>11}" if any(peer.rescored for peer in peers.values()) else "")
    )
    result["rows"] = []
    for k in options.k:
        for batch in options.batches:
            rows = timed(peers, items.shape, queries, batch, k, options.rounds)
            for row in rows:
                print(shown(row, *answered[row["peer"], k]), flush=True)
            result["rows"] += [{n: v for n, v in row.items() if n != "ratios"} for row in rows]
    if options.save:
        print(f"written to {save(f'topk, {title}', result)}")


if __name__ == "__main__":
    main()
