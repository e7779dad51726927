"""Bags of n-grams and means of their rows on a GPU: firth, and torch for the means.

Usage: python bench/cuda/subwords.py [--words N] [--dims D ...] [--buckets B] [--hashes H]
           [--rounds R] [--seconds S]

Words are made up: about 8 letters, some of two bytes. Before anything is timed, ids and means of
some of them are held against the host, bit for bit. Times are medians between CUDA events. The
bytes of the means are those of the rows that are read, whether memory or a cache has them.
"""

import argparse
import importlib
import importlib.util
import sys
from functools import partial
from typing import Any

import numpy as np
from _device import device_arrays, milliseconds

import firth
from firth import _cpu, _cuda

SAMPLE = 10_000  # words that are checked
RUN = {"threads": 0, "isa": ""}
LETTERS = np.array([letter.encode() for letter in "eeeetttaaaoooiinnssrrhhlldducmfpé"])


def words_of(count: int) -> dict[str, Any]:
    """Return made-up words as bytes, and where they begin and end."""
    rng = np.random.default_rng(1)
    sizes = rng.poisson(7, count) + 1
    letters = rng.choice(LETTERS, sizes.sum())
    ends = np.cumsum(np.strings.str_len(letters))[np.cumsum(sizes) - 1]
    flat = letters.view(np.uint8)  # two bytes a letter, the second may be 0
    begins = np.concatenate([[0], ends[:-1]])
    return {
        "text": flat[flat > 0],
        "begins": begins.astype(np.int64),
        "ends": ends.astype(np.int64),
    }


class Work:
    """The three kernels on one backend, with arrays of their own."""

    def __init__(self, module: Any, xp: Any, words: dict[str, Any], rule: dict[str, int]) -> None:
        """Count and fill the bags."""
        self.module, self.xp, self.rule = module, xp, rule
        self.words = {name: xp.asarray(array) for name, array in words.items()}
        self.sizes = xp.zeros(len(words["begins"]) + 1, np.int64)
        self.count()
        self.offsets = xp.cumsum(self.sizes)
        self.ids = xp.empty(int(self.offsets[-1]), np.uint32)
        self.fill()

    def count(self) -> None:
        """Write the sizes of the bags."""
        given = {**self.words, **self.rule, **RUN}
        self.module.subwords(**given, offsets=self.sizes, ids=None)

    def fill(self) -> None:
        """Write the bags."""
        given = {**self.words, **self.rule, **RUN}
        self.module.subwords(**given, offsets=self.offsets, ids=self.ids)

    def take(self, table: Any) -> None:
        """Take the table that means are made of."""
        self.table = table
        self.means = self.xp.empty((len(self.sizes) - 1, table.shape[1]), np.float32)

    def bag_means(self) -> None:
        """Average the rows of the bags."""
        bags = {"offsets": self.offsets, "ids": self.ids}
        self.module.bag_means(table=self.table, **bags, means=self.means, **RUN)

    def subword_means(self) -> None:
        """Average the rows of the words' n-grams, whose ids are not stored."""
        given = {**self.words, **self.rule, **RUN}
        self.module.subword_means(**given, table=self.table, first_row=0, means=self.means)


def check(cupy: Any, words: dict[str, Any], rule: dict[str, int], table: Any) -> None:
    """Hold some words against the host, or leave."""
    end = words["ends"][:SAMPLE][-1]
    some = {"text": words["text"][:end], **{k: words[k][:SAMPLE] for k in ("begins", "ends")}}
    host, device = Work(_cpu, np, some, rule), Work(_cuda, cupy, some, rule)
    right = np.array_equal(host.ids, cupy.asnumpy(device.ids))
    host.take(cupy.asnumpy(table))
    device.take(table)
    host.bag_means()
    for way in (device.bag_means, device.subword_means):
        device.means.fill(np.nan)
        way()
        right = right and np.array_equal(host.means, cupy.asnumpy(device.means))
    if not right:
        sys.exit(f"{sys.argv[0]}: the device does not answer as the host does")


def by_torch(work: Work) -> Any:
    """Return torch's mean of bags, over the same ids as int64."""
    torch = importlib.import_module("torch")
    ids = torch.from_dlpack(work.ids.astype(np.int64))
    offsets, table = torch.from_dlpack(work.offsets[:-1]), torch.from_dlpack(work.table)
    return partial(torch.nn.functional.embedding_bag, ids, table, offsets, mode="mean")


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description="Bags of n-grams on a GPU.")
    parser.add_argument("--words", type=int, default=10_000_000)
    parser.add_argument("--dims", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--buckets", type=int, default=2_000_000)
    parser.add_argument("--hashes", type=int, default=0, help="0: fastText's rule, else floret's")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for one figure, about")
    return parser.parse_args()


def main() -> None:
    """Check, time, print."""
    options = arguments()
    cupy = device_arrays()
    firth.show_config()
    rule = {"min_n": 3, "max_n": 6, "buckets": options.buckets, "hashes": options.hashes}
    words = words_of(options.words)
    rng = cupy.random.default_rng(1)
    tables = {
        dim: rng.standard_normal((options.buckets, dim), dtype=np.float32) for dim in options.dims
    }
    for table in tables.values():
        check(cupy, words, rule, table)

    work = Work(_cuda, cupy, words, rule)
    total = len(work.ids)
    time = partial(milliseconds, cupy, rounds=options.rounds, seconds=options.seconds)
    print(f"{options.words} words, {len(words['text'])} bytes, {total} ids, {rule}")
    print(f"{'':<32}{'ms':>10}{'M words/s':>12}{'G ids/s':>10}{'GB/s':>8}")

    def say(name: str, ms: float, nbytes: int) -> None:
        rates = (options.words / ms / 1e3, total / ms / 1e6, nbytes / ms / 1e6)
        print(f"{name:<32}{ms:>10.3f}{rates[0]:>12.1f}{rates[1]:>10.2f}{rates[2]:>8.0f}")

    read = len(words["text"]) + 16 * options.words
    say("count", time(work.count), read + 8 * options.words)
    say("fill", time(work.fill), read + 8 * options.words + 4 * total)
    for dim, table in tables.items():
        work.take(table)
        rows = 4 * dim * (total + options.words)
        say(f"bag_means, dim {dim}", time(work.bag_means), rows + 4 * total)
        say(f"subword_means, dim {dim}", time(work.subword_means), rows + read)
        if importlib.util.find_spec("torch"):
            say(f"torch, embedding_bag, dim {dim}", time(by_torch(work)), rows + 8 * total)
    if not importlib.util.find_spec("torch"):
        print("torch is left out: it is not installed")


if __name__ == "__main__":
    main()
