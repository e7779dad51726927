"""The graphs of graphs.py, in the forms that everybody reads; edges held out; what walks look like.

A graph is a folder with edges.tsv.gz: pairs of whole numbers, undirected, each once.
"""

import gzip
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

import firth
from firth.evaluate.splits import Links, LinkSplit

HELD_OUT = 0.1
SAMPLE = 3000  # walks that are looked at
APART = 0.02  # by which shares among everybody's steps may differ, and mean weights, relatively


@dataclass(frozen=True)
class Network:
    """A graph, and a folder for what is made of it."""

    source: Path
    folder: Path

    @property
    def name(self):
        """Its name."""
        return self.source.name

    @cached_property
    def edges(self):
        """A file of edges that is not compressed, which PecanPy needs."""
        path = self.folder / f"{self.name}.tsv"
        with gzip.open(self.source / "edges.tsv.gz") as packed:
            path.write_bytes(packed.read())
        return path

    @cached_property
    def labels(self):
        """A file of labels, or None."""
        packed = self.source / "labels.tsv.gz"
        if not packed.exists():
            return None
        path = self.folder / f"{self.name}-labels.tsv"
        path.write_bytes(gzip.decompress(packed.read_bytes()))
        return path

    @cached_property
    def csr(self):
        """All edges in both directions, of weight 1."""
        return self._rows(None)

    @cached_property
    def weighted(self):
        """The same, with weights drawn from an exponential distribution."""
        pairs = np.loadtxt(self.edges, np.int64, ndmin=2)
        return self._rows(np.random.default_rng(1).exponential(size=len(pairs)) + 1e-3)

    def _rows(self, weights):
        pairs = np.loadtxt(self.edges, np.int64, ndmin=2)
        weights = np.ones(len(pairs)) if weights is None else weights
        both = np.concatenate([pairs, pairs[:, ::-1]])
        order = np.lexsort((both[:, 1], both[:, 0]))
        indptr = np.zeros(both.max() + 2, np.int64)
        np.cumsum(np.bincount(both[:, 0]), out=indptr[1:])
        values = np.tile(weights, 2)[order].astype(np.float32)
        return firth.CSR(indptr, both[order, 1].astype(np.int32), values)

    @cached_property
    def pairs(self):
        """How many pairs of an edge and one after it there are."""
        return int((np.diff(self.csr.indptr) ** 2).sum())

    def arrays(self, weighted):
        """Return a file of the arrays, for peers."""
        path = self.folder / f"{self.name}-{'weighted' if weighted else 'plain'}.npz"
        if not path.exists():
            csr = self.weighted if weighted else self.csr
            np.savez(path, indptr=csr.indptr, indices=csr.indices, data=csr.data)
        return str(path)

    def starts(self, times):
        """Return the nodes that have edges, shuffled, so many times."""
        able = np.flatnonzero(np.diff(self.csr.indptr)).astype(np.uint32)
        return np.tile(np.random.default_rng(1).permutation(able), times)


# ---- what walks look like -----------------------------------------------------------------------


def look(name, network, weighted, rows):
    """Return shares of ways back and of triangles among steps, and the mean weight of a step.

    Leave if a step is no edge.
    """
    csr = network.weighted if weighted else network.csr
    nodes = len(csr.indptr) - 1
    sources = np.repeat(np.arange(nodes, dtype=np.int64), np.diff(csr.indptr))
    known = sources * nodes + csr.indices

    def places(a, b):
        keys = a.astype(np.int64) * nodes + b
        found = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return found, known[found] == keys

    found, right = places(rows[:, :-1], rows[:, 1:])
    if not right.all():
        sys.exit(f"graphs: {name} takes {int((~right).sum())} steps that are no edges")
    back = rows[:, 2:] == rows[:, :-2]
    _, near = places(rows[:, :-2], rows[:, 2:])
    return np.array([back.mean(), (near & ~back).mean(), csr.data[found].mean()])


def check(name, found, wanted):
    """Leave if somebody's walks look otherwise."""
    apart = np.abs(found - wanted) / [1, 1, wanted[2]]
    if not (apart <= APART).all():
        sys.exit(f"graphs: walks of {name} have {found}, firth's {wanted}")


# ---- edges held out -----------------------------------------------------------------------------


def split(network, kept):
    """Return edges held out and a file of the others; kept in a folder, they stay the same."""
    path = (kept or network.folder) / f"{network.name}-split.npz"
    if not path.exists():
        graph = firth.Graph.read(network.edges)
        made = firth.evaluate.split_links(graph, valid=0, test=HELD_OUT, seed=1)
        csr, names = made.train.csr, np.array(made.train.keys, np.int64)
        sources = np.repeat(np.arange(len(names)), np.diff(csr.indptr))
        once = sources < csr.indices
        train = np.stack([names[sources[once]], names[csr.indices[once]]], axis=1)
        np.savez(
            path, train=train, positives=names[made.test.positives],
            negatives=names[made.test.negatives],
        )  # fmt: skip
    with np.load(path) as arrays:
        train, positives, negatives = (arrays[n] for n in ("train", "positives", "negatives"))
    edges = network.folder / f"{network.name}-train.tsv"
    np.savetxt(edges, train, "%d", "\t")
    graph = firth.Graph.read(edges)
    rows = {int(key): row for row, key in enumerate(graph.keys)}
    asked = [np.array([[rows[a], rows[b]] for a, b in some]) for some in (positives, negatives)]
    none = np.empty((0, 2), np.int64)
    return LinkSplit(graph, Links(none, none), Links(*asked)), edges
