"""Pairs of nodes as numbers: pairs that no edge joins, drawn exactly, and a random spanning forest.

The unordered pairs of n different nodes are numbered from 0 to n (n - 1) / 2 in the order of
(lower node, higher node), so that a graph is a sorted array and what is no edge lies in its gaps.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from firth._random import STREAM_SHUFFLE, random_words
from firth._sorting import different, stable_order

if TYPE_CHECKING:
    from firth._backend import Longs
    from firth.graph import Graph

# What is drawn for which purpose: epochs of the stream, behind all that models have.
ORDER, GAPS, DIRECTIONS, EXAMPLES, EXAMPLE_GAPS, EXAMPLE_DIRECTIONS, QUERIES, NODES = range(
    2**31, 2**31 + 8
)


def pairs_of(nodes: int) -> int:
    """Return how many pairs there are."""
    return nodes * (nodes - 1) // 2


def numbers_of(nodes: int, a: "Longs", b: "Longs") -> "Longs":
    """Return the numbers of pairs of different nodes, in either direction."""
    low, high = np.minimum(a, b).astype(np.int64), np.maximum(a, b)
    numbers: Longs = _first(nodes, low) + high - low - 1
    return numbers


def nodes_of(nodes: int, numbers: "Longs") -> "Longs":
    """Return the pairs of these numbers (m, 2), the lower node first."""
    firsts = _first(nodes, np.arange(nodes, dtype=np.int64))
    low = places(firsts[: max(1, nodes - 1)], numbers) - 1
    pairs: Longs = np.stack([low, numbers - firsts[low] + low + 1], axis=1).astype(np.int64)
    return pairs


def ends_of(csr: Any) -> tuple["Longs", "Longs"]:
    """Return the row and the column of each entry."""
    rows = np.repeat(np.arange(len(csr.indptr) - 1, dtype=np.int64), np.diff(csr.indptr))
    return rows, csr.indices.astype(np.int64)


def joined(graph: "Graph") -> "Longs":
    """Return the numbers of the pairs that edges join, rising; loops join none."""
    sources, targets = ends_of(graph.csr)
    once = sources != targets if graph.directed else sources < targets
    numbers = numbers_of(len(graph.csr.indptr) - 1, sources[once], targets[once])
    return different(numbers)[0] if graph.directed else numbers


def draw_gaps(taken: "Longs", total: int, count: int, seed: int, purpose: int) -> "Longs":
    """Return `count` different numbers below `total` that are not `taken` (rising), by chance.

    The r-th number that is not taken is r and as many as are taken before it, hence nothing is
    drawn in vain, however few are left.
    """
    drawn = draw_different(total - len(taken), count, seed, purpose)
    before = taken - np.arange(len(taken))
    gaps: Longs = drawn + places(before, drawn)
    return gaps


def draw_different(below: int, count: int, seed: int, purpose: int) -> "Longs":
    """Return `count` different numbers below `below`, each set and order alike."""
    if 2 * count > below:
        return shuffled(below, seed, purpose)[:count]
    drawn, more = np.empty(0, np.int64), count
    while True:
        size = more + more // 2 + 16
        words = _words(seed, purpose, len(drawn), size)
        drawn = np.concatenate([drawn, (words % np.uint64(max(1, below))).astype(np.int64)])
        order = stable_order(drawn)
        fresh = np.append(True, drawn[order[1:]] != drawn[order[:-1]])  # the first of equal ones
        first = order[fresh]
        if len(first) >= count:
            first.sort()
            different: Longs = drawn[first[:count]]
            return different
        more = count - len(first)


def shuffled(count: int, seed: int, purpose: int) -> "Longs":
    """Return the numbers below `count` in an order by chance."""
    return stable_order(_words(seed, purpose, 0, count))


def coins(count: int, seed: int, purpose: int) -> npt.NDArray[np.bool_]:
    """Return so many throws of a coin."""
    return (random_words(seed, STREAM_SHUFFLE, purpose, 0, count) >> np.uint32(31)) > 0


def forest(nodes: int, a: "Longs", b: "Longs") -> npt.NDArray[np.bool_]:
    """Return which edges make the spanning forest that prefers earlier ones, (m,) bool.

    Boruvka's rounds: each tree takes the first edge that leaves it, and trees become one. There are
    at most as many rounds as the logarithm of the nodes, in each of which edges within trees go.
    """
    chosen = np.zeros(len(a), np.bool_)
    edges = np.arange(len(a))
    while len(edges):
        best = np.full(nodes, len(edges))
        for ends in a, b:
            np.minimum.at(best, ends, np.arange(len(edges)))
        trees = np.flatnonzero(best < len(edges))
        taken = best[trees]
        chosen[edges[taken]] = True
        into = np.arange(nodes)
        into[trees] = np.where(a[taken] == trees, b[taken], a[taken])
        both = (into[into[trees]] == trees) & (trees < into[trees])  # took the same edge
        into[trees[both]] = trees[both]
        while ((further := into[into]) != into).any():
            into = further
        a, b = into[a], into[b]
        left = a != b
        a, b, edges = a[left], b[left], edges[left]
    return chosen


def places(rising: "Longs", values: "Longs") -> "Longs":
    """Return how many are not above each value; looked for in order, since memory is slow."""
    order = stable_order(values)
    places = np.empty(len(values), np.int64)
    places[order] = np.searchsorted(rising, values[order], side="right")
    return places


def _first(nodes: int, low: "Longs") -> "Longs":
    """Return the number of the first pair of each lower node."""
    return low * (2 * nodes - 1 - low) // 2


def _words(seed: int, purpose: int, first: int, count: int) -> npt.NDArray[np.uint64]:
    """Return words of 64 bits of a stream, from word `first` on."""
    halves = random_words(seed, STREAM_SHUFFLE, purpose, 2 * first, 2 * count).astype(np.uint64)
    return (halves[::2] << np.uint64(32)) | halves[1::2]
