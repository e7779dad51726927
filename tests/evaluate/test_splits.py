"""Splits: no leakage, negatives that are true non-edges, forests, and the numbers of pairs."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from firth import Graph
from firth.evaluate import _pairs, split_links
from graphs import KARATE, edge_lists, entries, graph_of, parts

# ---- pairs as numbers ---------------------------------------------------------------------------


@given(st.integers(2, 40))
def test_pairs_are_numbered_in_order(nodes):
    pairs = [(a, b) for a in range(nodes) for b in range(a + 1, nodes)]
    assert _pairs.nodes_of(nodes, np.arange(_pairs.pairs_of(nodes))).tolist() == [
        list(pair) for pair in pairs
    ]
    a, b = np.array(pairs).T
    assert _pairs.numbers_of(nodes, b, a).tolist() == list(range(len(pairs)))


@pytest.mark.parametrize("nodes", [2**31 - 1, 10**6, 65_537])
def test_numbers_of_pairs_of_many_nodes_are_exact(nodes):
    a = np.array([0, 0, 1, nodes // 2, nodes - 2])
    b = np.array([1, nodes - 1, nodes - 1, nodes // 2 + 1, nodes - 1])
    numbers = [
        int(a) * (2 * nodes - 1 - int(a)) // 2 + int(b - a) - 1 for a, b in zip(a, b, strict=True)
    ]
    assert _pairs.numbers_of(nodes, a, b).tolist() == numbers
    assert numbers[-1] == _pairs.pairs_of(nodes) - 1


@given(st.sets(st.integers(0, 60)), st.integers(61, 80), st.integers(0, 99), st.data())
def test_gaps_are_drawn_without_twins(taken, total, seed, data):
    count = data.draw(st.integers(0, total - len(taken)))
    drawn = _pairs.draw_gaps(np.array(sorted(taken), np.int64), total, count, seed, 5).tolist()
    assert len(drawn) == len(set(drawn)) == count
    assert not set(drawn) & taken
    assert all(0 <= number < total for number in drawn)


@pytest.mark.parametrize("count", [3, 8])  # below and above one half of what is left
def test_each_gap_is_drawn_equally_often(count):
    taken = np.array([0, 1, 5, 9])
    times = np.zeros(14)
    for seed in range(2000):
        times[_pairs.draw_gaps(taken, 14, count, seed, 1)] += 1
    left = np.delete(times, taken)
    share = count / 10
    assert not times[taken].any()
    assert abs(left - 2000 * share).max() < 4 * np.sqrt(2000 * share * (1 - share))


@given(edge_lists())
def test_the_forest_is_that_of_taking_edges_in_order(graph):
    nodes, edges, _ = graph
    pairs = [pair for pair in edges if pair[0] != pair[1]]
    tree = list(range(nodes))
    wanted = []
    for a, b in pairs:
        wanted.append(tree[a] != tree[b])
        tree = [tree[a] if part == tree[b] else part for part in tree]
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    assert _pairs.forest(nodes, ends[:, 0], ends[:, 1]).tolist() == wanted


# ---- splits -------------------------------------------------------------------------------------


@given(edge_lists(), st.floats(0, 0.5), st.floats(0.05, 0.45), st.booleans(), st.integers(0, 9))
def test_a_split_leaks_nothing_and_its_negatives_are_no_edges(drawn, valid, test, connected, seed):
    nodes, edges, directed = drawn
    graph = graph_of(nodes, edges, directed)
    ratio = seed / 3
    try:
        split = split_links(graph, valid, test, connected=connected, negatives=ratio, seed=seed)
    except ValueError:  # too few edges or too few gaps: below, each is looked at alone
        assume(False)
    whole, kept = entries(graph), entries(split.train)
    joined = {frozenset(pair) for pair in whole if pair[0] != pair[1]}
    held = []
    negatives = []
    for share, links in ((valid, split.valid), (test, split.test)):
        positives = [tuple(pair) for pair in links.positives.tolist()]
        others = [tuple(pair) for pair in links.negatives.tolist()]
        assert links.positives.dtype == links.negatives.dtype == np.int64
        if not directed:
            assert all(a < b for a, b in positives + others)
        assert len({frozenset(pair) for pair in positives}) == (
            max(1, round(share * len(joined))) if share else 0
        )
        assert len(others) == round(ratio * len(positives))
        held += positives
        negatives += others
    assert len(held) == len(set(held))
    sides = {frozenset(pair) for pair in held}
    if directed:  # both edges of a pair are held out together
        assert set(held) == {pair for pair in whole if frozenset(pair) in sides}
    assert kept == {pair for pair in whole if frozenset(pair) not in sides}
    drawn_pairs = [frozenset(pair) for pair in negatives]
    assert len(drawn_pairs) == len(set(drawn_pairs))
    assert all(len(pair) == 2 for pair in drawn_pairs)
    assert not set(drawn_pairs) & joined
    if connected:
        assert parts(nodes, kept) == parts(nodes, whole)


@given(edge_lists(), st.booleans())
def test_the_same_seed_splits_alike(drawn, connected):
    graph = graph_of(*drawn)
    try:
        first, again = (split_links(graph, 0.2, 0.2, connected=connected) for _ in range(2))
    except ValueError:
        assume(False)
    for lot in ("valid", "test"):
        for side in ("positives", "negatives"):
            one, two = (getattr(getattr(split, lot), side) for split in (first, again))
            assert one.tolist() == two.tolist()


def test_other_seeds_hold_out_other_edges():
    graph = graph_of(34, KARATE)
    found = {str(split_links(graph, seed=seed).test.positives.tolist()) for seed in range(10)}
    assert len(found) == 10


@pytest.mark.parametrize("directed", [False, True])
def test_weights_and_all_else_stay_with_the_graph(directed):
    sources, targets = np.array(KARATE).T
    weights = sources * 100.0 + targets
    graph = Graph((sources, targets, weights), directed=directed).with_types(["even", "odd"] * 17)
    split = split_links(graph, seed=3)
    train = split.train
    assert (train.edges, graph.edges) == (62, 78)
    assert (train.directed, train.weighted, len(train)) == (directed, True, 34)
    assert train.keys == graph.keys
    assert (train.types == graph.types).all()
    rows, columns = _pairs.ends_of(train.csr)
    wanted = np.minimum(rows, columns) * 100 + np.maximum(rows, columns)
    assert train.csr.data.tolist() == wanted.tolist()
    assert train.csr.data.dtype == graph.csr.data.dtype


def test_every_edge_of_a_ring_is_held_out_equally_often():
    ring = graph_of(10, [(i, (i + 1) % 10) for i in range(10)])
    times = np.zeros((10, 10))
    for seed in range(1000):
        for a, b in split_links(ring, 0, 0.1, seed=seed).test.positives:
            times[a, b] += 1
    often = times[times > 0]
    assert len(often) == 10
    assert abs(often - 100).max() < 4 * np.sqrt(90)


def test_a_large_graph_stays_as_connected_as_it_was():
    rng = np.random.default_rng(0)
    nodes = 50_000
    ends = rng.integers(0, nodes, (2, 100_000))
    whole = coo_array((np.ones(100_000, np.float32), ends), shape=(nodes, nodes)).tocsr()
    whole = (whole + whole.T).tocsr()
    whole.sort_indices()
    split = split_links(Graph(whole, loops=True), 0.1, 0.2)
    train = split.train.csr.to_scipy()
    assert connected_components(train)[0] == connected_components(whole)[0]
    for links in (split.valid, split.test):
        assert (abs(whole[tuple(links.positives.T)]) > 0).all()
        assert not train[tuple(links.positives.T)].any()
        assert not whole[tuple(links.negatives.T)].any()
    pairs = (whole.nnz - np.count_nonzero(whole.diagonal())) // 2
    assert len(split.test.negatives) == len(split.test.positives) == round(0.2 * pairs)
    assert train.nnz == whole.nnz - 2 * (round(0.1 * pairs) + round(0.2 * pairs))


@pytest.mark.parametrize(
    ("graph", "options", "message"),
    [
        (graph_of(3, []), {}, "2 edges are to be held out, and 0 of the 0 may be"),
        (graph_of(3, [(0, 0)]), {}, "2 edges are to be held out, and 0 of the 0 may be"),
        (
            graph_of(4, [(0, 1), (1, 2), (2, 3)]),
            {},
            "2 edges are to be held out, and 0 of the 3 may be: a spanning forest keeps 3",
        ),
        (
            graph_of(4, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 0)]),
            {"negatives": 3},
            "negatives=3 asks for 6 pairs without an edge, and the graph has 1",
        ),
        (
            graph_of(3, [(0, 1)]),
            {"valid": 0.5, "test": 0.5},
            "are together not above 0 and below 1",
        ),
        (graph_of(3, [(0, 1)]), {"valid": 0, "test": 0}, "are together not above 0 and below 1"),
        (graph_of(3, [(0, 1)]), {"valid": -1}, "valid=-1 is not between 0 and 1"),
        (graph_of(3, [(0, 1)]), {"test": np.nan}, "test=nan is not between 0 and 1"),
        (graph_of(3, [(0, 1)]), {"negatives": -1}, "negatives=-1 is not between 0 and"),
        (graph_of(3, [(0, 1)]), {"seed": -1}, "seed=-1 is not between 0 and"),
    ],
)
def test_bad_splits_are_named(graph, options, message):
    with pytest.raises(ValueError, match=f"split_links: .*{message}"):
        split_links(graph, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([(0, 1)],), "graph must be a Graph, got list"),
        ((graph_of(3, [(0, 1)]), "some"), "valid must be a number, got str"),
    ],
)
def test_other_types_are_named(arguments, message):
    with pytest.raises(TypeError, match=f"split_links: {message}"):
        split_links(*arguments)
