"""Counting of co-occurrences, merging and an epoch of GloVe on a GPU, beside a sort by CuPy.

Usage: python bench/cuda/cooccurrence.py [--text FILE] [--tokens N] [--words W] [--window D]
           [--dim D] [--groups G ...] [--rounds R] [--seconds S]

Without a text ids are made up, as frequent as words of a text. Before anything is timed, the index,
the counts and their merger are held against the host, bit for bit, and a GloVe epoch's loss within
0.1%. Times are medians between CUDA events. CuPy's way is plain array code: the pairs of each
distance as keys of 64 bits, sorted and counted, and merged by another sort with those before.
"""

import argparse
import sys
from functools import partial
from typing import Any

import numpy as np
from _device import device_arrays, milliseconds

import firth
from firth import _cpu, _cuda
from firth.csr import CSR
from firth.kernels._cooccurrence import distance_weights
from firth.kernels._glove import column_spans, glove_tables, glove_width, schedule

RUN = {"threads": 0, "isa": ""}
SAMPLE = 300_000  # tokens that are counted on the host as well
UNSIGNED, FLOAT = 2, 0  # numbers of dtypes


def ids_of(options: argparse.Namespace) -> tuple[Any, int]:
    """Return ids and how many words there are."""
    if options.text:
        corpus = firth.Corpus.read(options.text)
        return corpus.ids[: options.tokens], len(corpus.vocabulary)
    drawn = np.random.default_rng(1).random(options.tokens)
    ranks = np.exp(drawn * np.log(options.words)) - 1  # Zipf's law
    return np.minimum(ranks, options.words - 1).astype(np.uint32), options.words


class Counting:
    """The kernels on one backend, with arrays of their own."""

    def __init__(self, module: Any, xp: Any, ids: Any, words: int, window: int) -> None:
        """Make the index."""
        self.module, self.xp, self.words = module, xp, words
        self.weights, self.unit = distance_weights(window)
        self.ids, self.breaks = xp.asarray(ids), xp.zeros(0, np.uint64)
        self.index()

    def index(self) -> None:
        """Sort places by word."""
        given = {"ids": self.ids, "begin": 0, "end": len(self.ids), "words": self.words}
        self.starts, self.places = self.module.places(**given, threads=0)

    def count(self, dtype: int = FLOAT) -> Any:
        """Return the rows of all words."""
        return self.module.cooccurrence(
            ids=self.ids,
            breaks=self.breaks,
            starts=self.starts,
            places=self.places,
            frequent=0,
            origin=0,
            first=0,
            last=self.words,
            weights=self.weights,
            symmetric=True,
            unit=self.unit,
            dtype=dtype,
            **RUN,
            progress=None,
        )

    def merge(self, parts: list[Any]) -> Any:
        """Return the sum of counts."""
        rule = {"columns": self.words, "unit": 1, "dtype": UNSIGNED, **RUN}
        return self.module.merge_counts(parts=parts, **rule)


def by_sorting(cupy: Any, ids: Any, words: int, window: int) -> Any:
    """Return keys and sums by sorts of all pairs, a distance at a time."""
    keys = cupy.zeros(0, np.uint64)
    sums = cupy.zeros(0, np.float64)
    wide = ids.astype(np.uint64)
    for distance in range(1, window + 1):
        one, other = wide[:-distance], wide[distance:]
        pairs = cupy.sort(cupy.concatenate([one * words + other, other * words + one]))
        heads = cupy.flatnonzero(cupy.concatenate([cupy.ones(1, bool), pairs[1:] != pairs[:-1]]))
        ends = cupy.concatenate([heads[1:], cupy.asarray([len(pairs)])])
        keys = cupy.concatenate([keys, pairs[heads]])
        sums = cupy.concatenate([sums, (ends - heads) / distance])
        order = cupy.argsort(keys)
        keys, sums = keys[order], cupy.concatenate([cupy.zeros(1), cupy.cumsum(sums[order])])
        last = cupy.flatnonzero(cupy.concatenate([keys[1:] != keys[:-1], cupy.ones(1, bool)]))
        keys, sums = keys[last], cupy.diff(sums[cupy.concatenate([cupy.zeros(1, int), last + 1])])
    return keys, sums


class Epoch:
    """An epoch of GloVe on one backend."""

    def __init__(self, module: Any, xp: Any, counts: CSR, dim: int, groups: int) -> None:
        """Make tables and the order."""
        plan = schedule(counts.shape[0], column_spans(counts, groups), 1, 0)._asdict()
        self.shifts = plan.pop("shifts")
        plan |= {"indptr": counts.indptr, "indices": counts.indices, "data": counts.data}
        self.module, self.dim = module, dim
        self.arrays = {name: xp.asarray(array) for name, array in plan.items()}
        self.tables = [xp.asarray(table) for table in glove_tables(*counts.shape, dim)]

    def fit(self) -> Any:
        """Read all counts once; return the loss, their number, and a row or -1."""
        rule = {"lr": 0.05, "x_max": 100.0, "alpha": 0.75, **RUN, "progress": None}
        words, contexts = self.tables
        given = {**self.arrays, **rule, "shifts": self.shifts, "dim": self.dim}
        return self.module.glove(words=words, contexts=contexts, **given)


def check(cupy: Any, ids: Any, words: int, options: argparse.Namespace) -> None:
    """Hold a part of the ids against the host, or leave."""
    some = (ids[:SAMPLE], words, options.window)
    host, device = Counting(_cpu, np, *some), Counting(_cuda, cupy, *some)
    pairs = [(host.starts, device.starts), (host.places, device.places)]
    for dtype in (FLOAT, UNSIGNED):
        wanted, found = host.count(dtype), device.count(dtype)
        pairs += zip(wanted, found, strict=True)
    pairs += zip(host.merge([wanted] * 2), device.merge([found] * 2), strict=True)
    if not all(np.array_equal(one, cupy.asnumpy(other)) for one, other in pairs):
        sys.exit("bench/cuda/cooccurrence.py: counts are not those of the host")
    counts = CSR(*host.count())
    on = ((_cpu, np), (_cuda, cupy))
    losses = [Epoch(*one, counts, options.dim, 16).fit()[0] for one in on]
    if abs(losses[0] - losses[1]) > 1e-3 * losses[0]:
        sys.exit(f"bench/cuda/cooccurrence.py: GloVe's losses are {losses[0]} and {losses[1]}")


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description="Co-occurrences and GloVe on a GPU.")
    parser.add_argument("--text", help="a file to count, one sentence")
    parser.add_argument("--tokens", type=int, default=17_000_000)
    parser.add_argument("--words", type=int, default=71_000)
    parser.add_argument("--window", type=int, default=10)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--groups", type=int, nargs="+", default=[64, 132, 264, 528, 1056])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for one figure, about")
    return parser.parse_args()


def main() -> None:
    """Check, time, print."""
    options = arguments()
    cupy = device_arrays()
    firth.show_config()
    ids, words = ids_of(options)
    check(cupy, ids, words, options)

    work = Counting(_cuda, cupy, ids, words, options.window)
    time = partial(milliseconds, cupy, rounds=options.rounds, seconds=options.seconds)
    print(f"{len(ids)} tokens, {words} words, window {options.window}, both sides")
    print(f"{'':<28}{'ms':>10}{'M tokens/s':>12}{'M entries/s':>13}")
    counts = CSR(*work.count())
    sums = work.count(UNSIGNED)

    def say(name: str, ms: float, entries: int) -> None:
        print(f"{name:<28}{ms:>10.3f}{len(ids) / ms / 1e3:>12.1f}{entries / ms / 1e3:>13.1f}")

    say("places", time(work.index), len(ids))
    say("cooccurrence", time(work.count), counts.nnz)
    say("merge_counts, two parts", time(lambda: work.merge([sums, sums])), counts.nnz)
    sort = partial(by_sorting, cupy, work.ids, words, options.window)
    say("CuPy, sorted", milliseconds(cupy, sort, 3, options.seconds), counts.nnz)

    host = CSR(*(cupy.asnumpy(array) for array in (counts.indptr, counts.indices, counts.data)))
    row = 8 * glove_width(options.dim)
    print(f"GloVe, {host.nnz} counts, dim {options.dim}")
    print(f"{'groups':<28}{'ms':>10}{'M counts/s':>12}{'GB/s':>13}")
    for groups in options.groups:
        ms = time(Epoch(_cuda, cupy, host, options.dim, groups).fit)
        rates = (host.nnz / ms / 1e3, 2 * row * host.nnz / ms / 1e6)
        print(f"{groups:<28}{ms:>10.3f}{rates[0]:>12.1f}{rates[1]:>13.0f}")


if __name__ == "__main__":
    main()
