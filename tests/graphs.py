"""Graphs that tests of links share: drawn ones, and the karate club."""

import numpy as np
from hypothesis import strategies as st

from firth import Graph

# Zachary's karate club (1977): for each member the friends with a higher number.
KARATE = [
    (0, (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31)),
    (1, (2, 3, 7, 13, 17, 19, 21, 30)),
    (2, (3, 7, 8, 9, 13, 27, 28, 32)),
    (3, (7, 12, 13)),
    (4, (6, 10)),
    (5, (6, 10, 16)),
    (6, (16,)),
    (8, (30, 32, 33)),
    (9, (33,)),
    (13, (33,)),
    (14, (32, 33)),
    (15, (32, 33)),
    (18, (32, 33)),
    (19, (33,)),
    (20, (32, 33)),
    (22, (32, 33)),
    (23, (25, 27, 29, 32, 33)),
    (24, (25, 27, 31)),
    (25, (31,)),
    (26, (29, 33)),
    (27, (33,)),
    (28, (31, 33)),
    (29, (32, 33)),
    (30, (32, 33)),
    (31, (32, 33)),
    (32, (33,)),
]
KARATE = [(member, friend) for member, friends in KARATE for friend in friends]


@st.composite
def edge_lists(draw, most_nodes=12):
    """Draw (nodes, edges as a set of pairs, directed), with loops."""
    nodes = draw(st.integers(2, most_nodes))
    node = st.integers(0, nodes - 1)
    edges = draw(st.sets(st.tuples(node, node), max_size=40))
    directed = draw(st.booleans())
    if not directed:
        edges = {(min(pair), max(pair)) for pair in edges}
    return nodes, edges, directed


def entries(graph):
    """Return the set of (row, column) of a graph's matrix."""
    csr = graph.csr
    rows = np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))
    return set(zip(rows.tolist(), csr.indices.tolist(), strict=True))


def parts(nodes, pairs):
    """Return for each node the lowest one that it is connected with, in either direction."""
    lowest = list(range(nodes))
    for _ in range(nodes):
        for a, b in pairs:
            lowest[a] = lowest[b] = min(lowest[a], lowest[b])
    return lowest


def graph_of(nodes, pairs, directed=False):
    """Return a graph of so many nodes, with loops."""
    edges = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return Graph(edges, nodes=nodes, directed=directed, loops=True)


def cells(graph):
    """Return {(name, name): weight} of a graph's matrix, which must be sorted."""
    found = {}
    for row, key in enumerate(graph.keys):
        begin, end = graph.csr.indptr[row : row + 2]
        assert (np.diff(graph.csr.indices[begin:end]) > 0).all()
        for column, weight in zip(
            graph.csr.indices[begin:end].tolist(), graph.csr.data[begin:end], strict=True
        ):
            found[key, graph.keys[column]] = weight
    assert graph.csr.indptr[-1] == len(graph.csr.indices) == len(graph.csr.data) == len(found)
    return found


def same(one, other):
    """Return whether two graphs are equal, but for types."""
    arrays = zip(
        (one.csr.indptr, one.csr.indices, one.csr.data),
        (other.csr.indptr, other.csr.indices, other.csr.data),
        strict=True,
    )
    return (
        one.keys == other.keys
        and (one.directed, one.weighted) == (other.directed, other.weighted)
        and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in arrays)
    )


def two_cliques(size=8):
    """Return two cliques that one edge joins: nodes below ``size``, and the others."""
    clique = [(a, b) for a in range(size) for b in range(a)]
    return Graph([*clique, *((a + size, b + size) for a, b in clique), (0, size)])


def nearness(emb, size=8):
    """Return the mean cosine of two nodes of a clique, and of nodes of both."""
    unit = emb.vectors / np.linalg.norm(emb.vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    one, other = cosines[:size, :size], cosines[size:, size:]
    pairs = size * (size - 1)
    within = (one.sum() - np.trace(one) + other.sum() - np.trace(other)) / (2 * pairs)
    return within, cosines[:size, size:].mean()


# Walks on these come back to where they were all the time, which is the hardest for training.
NARROW = {
    "pairs": [(2 * i, 2 * i + 1) for i in range(500)],
    "path": [(i, i + 1) for i in range(299)],
    "star": [(0, i) for i in range(1, 300)],
}
