"""Links: no leakage, negatives that are true non-edges, forests, operators, heads and ranks."""

import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn import metrics

from firth import CSR, Embedding
from firth.evaluate import (
    Links,
    LinkSplit,
    _pairs,
    edge_features,
    link_prediction,
    link_ranking,
    split_links,
)
from graphs import KARATE, Plain, edge_lists, entries, parts

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
    graph = Plain(nodes, edges, directed)
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
    graph = Plain(*drawn)
    try:
        first, again = (split_links(graph, 0.2, 0.2, connected=connected) for _ in range(2))
    except ValueError:
        assume(False)
    for lot in ("valid", "test"):
        for side in ("positives", "negatives"):
            one, two = (getattr(getattr(split, lot), side) for split in (first, again))
            assert one.tolist() == two.tolist()


def test_other_seeds_hold_out_other_edges():
    graph = Plain(34, KARATE)
    found = {str(split_links(graph, seed=seed).test.positives.tolist()) for seed in range(10)}
    assert len(found) == 10


def test_weights_stay_with_their_edges():
    graph = Plain(34, KARATE)
    rows, columns = _pairs.ends_of(graph.csr)
    graph.csr.data[:] = np.minimum(rows, columns) * 100 + np.maximum(rows, columns)
    train = split_links(graph, seed=3).train
    rows, columns = _pairs.ends_of(train.csr)
    wanted = np.minimum(rows, columns) * 100 + np.maximum(rows, columns)
    assert train.csr.data.tolist() == wanted.tolist()


def test_every_edge_of_a_ring_is_held_out_equally_often():
    ring = Plain(10, [(i, (i + 1) % 10) for i in range(10)])
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
    graph = Plain(1, [])
    graph.keys = list(map(str, range(nodes)))
    graph.csr = CSR(whole.indptr.astype(np.int64), whole.indices, whole.data)
    split = split_links(graph, 0.1, 0.2)
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
        (Plain(3, []), {}, "2 edges are to be held out, and 0 of the 0 may be"),
        (Plain(3, [(0, 0)]), {}, "2 edges are to be held out, and 0 of the 0 may be"),
        (
            Plain(4, [(0, 1), (1, 2), (2, 3)]),
            {},
            "2 edges are to be held out, and 0 of the 3 may be: a spanning forest keeps 3",
        ),
        (
            Plain(4, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 0)]),
            {"negatives": 3},
            "negatives=3 asks for 6 pairs without an edge, and the graph has 1",
        ),
        (Plain(3, [(0, 1)]), {"valid": 0.5, "test": 0.5}, "are together not above 0 and below 1"),
        (Plain(3, [(0, 1)]), {"valid": 0, "test": 0}, "are together not above 0 and below 1"),
        (Plain(3, [(0, 1)]), {"valid": -1}, "valid=-1 is not between 0 and 1"),
        (Plain(3, [(0, 1)]), {"test": np.nan}, "test=nan is not between 0 and 1"),
        (Plain(3, [(0, 1)]), {"negatives": -1}, "negatives=-1 is not between 0 and"),
        (Plain(3, [(0, 1)]), {"seed": -1}, "seed=-1 is not between 0 and"),
    ],
)
def test_bad_splits_are_named(graph, options, message):
    with pytest.raises(ValueError, match=f"split_links: .*{message}"):
        split_links(graph, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([(0, 1)],), "graph must be a Graph, got list"),
        ((Plain(3, [(0, 1)]), "some"), "valid must be a number, got str"),
    ],
)
def test_other_types_are_named(arguments, message):
    with pytest.raises(TypeError, match=f"split_links: {message}"):
        split_links(*arguments)


# ---- operators ----------------------------------------------------------------------------------


def test_operators_are_those_of_the_table():
    vectors = np.array([[1, -2], [3, 4], [0, 0]], np.float32)
    pairs = [(0, 1), (1, 2)]
    wanted = {
        "average": [[2, 1], [1.5, 2]],
        "hadamard": [[3, -8], [0, 0]],
        "l1": [[2, 6], [3, 4]],
        "l2": [[4, 36], [9, 16]],
        "dot": [[-5], [0]],
        "cosine": [[np.float32(-5 / np.sqrt(125))], [0]],
    }
    for operator, values in wanted.items():
        found = edge_features(vectors, pairs, operator)
        assert found.dtype == np.float32
        assert found.tolist() == values
        assert edge_features(Embedding(list("abc"), vectors), pairs, operator).tolist() == values
        backwards = [(b, a) for a, b in pairs]
        assert edge_features(vectors, backwards, operator).tolist() == values
        assert len(edge_features(vectors, [], operator)) == 0


@pytest.mark.parametrize(
    ("pairs", "operator", "error", "message"),
    [
        ([(0, 3)], "dot", ValueError, r"pairs\[0\] is \(0, 3\), expected rows from 0 to 2"),
        ([(0, 1, 2)], "dot", ValueError, r"pairs has shape \(1, 3\), expected \(any, 2\)"),
        ([(0, 0.5)], "dot", TypeError, "pairs must be integers, got float64"),
        ([(0, 1)], "sum", ValueError, "operator='sum' is neither 'average', 'hadamard'"),
    ],
)
def test_bad_pairs_are_named(pairs, operator, error, message):
    with pytest.raises(error, match=f"edge_features: {message}"):
        edge_features(np.ones((3, 2), np.float32), pairs, operator)


# ---- heads --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blocks():
    """60 nodes of three groups that are joined within, mostly, with vectors that say the group."""
    rng = np.random.default_rng(1)
    group = np.arange(60) % 3
    pairs = [(a, b) for a in range(60) for b in range(a + 1, 60)]
    edges = [(a, b) for a, b in pairs if rng.random() < (0.8 if group[a] == group[b] else 0.03)]
    vectors = np.eye(3, 8)[group] + rng.standard_normal((60, 8)) * 0.2
    return split_links(Plain(60, edges)), Embedding([str(i) for i in range(60)], vectors)


@pytest.mark.parametrize("operator", ["dot", "cosine", "hadamard", "l1", "l2"])
def test_vectors_that_say_the_group_tell_edges_from_others(blocks, operator):
    split, embedding = blocks
    found = link_prediction(embedding, split, operator)
    assert 0.7 < found.auc < 1
    assert 0.7 < found.average_precision < 1
    assert 0 <= found.hits[10] <= found.hits[50] <= 1
    assert 1 / len(split.test.negatives) < found.mrr <= 1
    nothing = Embedding(embedding.keys, np.random.default_rng(2).standard_normal((60, 8)))
    assert link_prediction(nothing, split, operator).auc < 0.7


def test_scores_without_a_head_are_judged_as_by_scikit_learn(blocks):
    split, embedding = blocks
    vectors = embedding.vectors.astype(np.float64)
    pairs = np.concatenate([split.valid.positives, split.valid.negatives])
    scores = (vectors[pairs[:, 0]] * vectors[pairs[:, 1]]).sum(axis=1)
    many = len(split.valid.positives)
    labels = np.arange(len(pairs)) < many
    found = link_prediction(embedding, split, "dot", on="valid", k=[3])
    assert found.auc == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert found.average_precision == pytest.approx(metrics.average_precision_score(labels, scores))
    ranks = np.array([1 + (scores[many:] >= score).sum() for score in scores[:many]])
    assert found.hits == {3: (ranks <= 3).mean()}
    assert found.mrr == pytest.approx((1 / ranks).mean())


def test_a_head_does_not_depend_on_the_length_of_vectors_or_the_order_of_keys(blocks):
    split, embedding = blocks
    found = link_prediction(embedding, split)
    longer = Embedding(embedding.keys, embedding.vectors * 1024)
    assert link_prediction(longer, split) == found
    order = np.random.default_rng(3).permutation(60)
    moved = Embedding([embedding.keys[row] for row in order], embedding.vectors[order])
    assert link_prediction(moved, split) == found
    assert link_ranking(moved, split) == link_ranking(embedding, split)


def test_what_a_head_learns_from_is_not_held_out(blocks):
    from firth.evaluate.links import _examples

    split, _ = blocks
    pairs, joined = _examples(split, 10_000, seed=1)
    kept = entries(split.train)
    held = np.concatenate(
        [lot for links in (split.valid, split.test) for lot in (links.positives, links.negatives)]
    )
    taught = [tuple(pair) for pair in pairs.tolist()]
    assert len(set(taught)) == len(taught) == 2 * joined.sum()
    assert not set(taught) & set(map(tuple, held.tolist()))
    assert [pair in kept for pair in taught] == joined.tolist()
    assert joined.sum() == len(kept) / 2
    assert len(_examples(split, 7, seed=1)[0]) == 14


def test_the_dot_product_needs_no_scikit_learn(blocks, monkeypatch):
    split, embedding = blocks
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    assert link_prediction(embedding, split, "dot").auc > 0.7
    with pytest.raises(ImportError, match=r"link_prediction needs .*firth\[sklearn\]"):
        link_prediction(embedding, split)


def test_vectors_that_are_all_the_same_are_worth_nothing(blocks):
    split, embedding = blocks
    same = Embedding(embedding.keys, np.ones((60, 4)))
    for operator in ("dot", "hadamard", "average", "l1"):
        found = link_prediction(same, split, operator)
        assert found.auc == 0.5
        assert found.hits[10] == 0
    assert link_ranking(same, split, k=20).hits == {20: 0}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"operator": "sum"}, ValueError, "operator='sum' is neither"),
        ({"on": "train"}, ValueError, "on='train' is neither 'valid' nor 'test'"),
        ({"k": [0]}, ValueError, "k=0 is not between 1"),
        ({"k": []}, ValueError, "k is empty"),
        ({"k": 5}, TypeError, "k=5 is not a row of whole numbers"),
        ({"examples": 0}, ValueError, "examples=0 is not between 1"),
        ({"strength": -1}, ValueError, "strength=-1 is not between"),
        ({"split": "all"}, TypeError, "split is str, expected a LinkSplit"),
    ],
)
def test_bad_arguments_of_predictions_are_named(blocks, options, error, message):
    split, embedding = blocks
    with pytest.raises(error, match=f"link_prediction: {message}"):
        link_prediction(embedding, **{"split": split, **options})


def test_an_unknown_node_is_named(blocks):
    split, embedding = blocks
    fewer = Embedding(embedding.keys[1:], embedding.vectors[1:])
    for judge in (link_prediction, link_ranking):
        with pytest.raises(KeyError, match=f"{judge.__name__}: node '0' has no vector"):
            judge(fewer, split)


def test_one_class_only_is_an_error():
    split = split_links(Plain(34, KARATE), valid=0, negatives=0)
    embedding = Embedding([str(i) for i in range(34)], np.ones((34, 2)))
    with pytest.raises(ValueError, match=r"split.test is Links\(8 positives, 0 negatives\)"):
        link_prediction(embedding, split)
    with pytest.raises(ValueError, match=r"split.valid is Links\(0 positives, 0 negatives\)"):
        link_prediction(embedding, split, on="valid")
    with pytest.raises(ValueError, match=r"link_ranking: split.valid has no edge to rank"):
        link_ranking(embedding, split, on="valid")


def test_nothing_to_learn_from_is_an_error():
    square = Plain(4, [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)])
    split = split_links(square, valid=0, test=0.2)
    embedding = Embedding(list("0123"), np.ones((4, 2)))
    with pytest.raises(ValueError, match="nothing to learn from: 4 training edges, and 0 pairs"):
        link_prediction(embedding, split)


# ---- ranks --------------------------------------------------------------------------------------


@given(edge_lists(), st.integers(1, 14), st.booleans(), st.booleans(), st.integers(0, 99))
def test_ranks_are_those_of_loops(drawn, k, cosine, everything, seed):
    nodes, edges, directed = drawn
    graph = Plain(nodes, edges, directed)
    try:
        split = split_links(graph, 0.2, 0.3, connected=False, negatives=0, seed=seed)
    except ValueError:
        assume(False)
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-1, 2, (nodes, 4)).astype(np.float32)
    table = vectors.astype(np.float64)
    if cosine:
        lengths = np.sqrt((table**2).sum(axis=1, keepdims=True))
        table = np.divide(table, lengths, out=np.zeros_like(table), where=lengths > 0)
    scores = (table @ table.T).round(9)  # equal cosines may differ in their last digits
    asked = [tuple(pair) for pair in split.test.positives.tolist()]
    asked += [] if directed else [(b, a) for a, b in asked]
    ranks = []
    for a, b in asked:
        known = entries(graph) if everything else entries(split.train)
        others = [n for n in range(nodes) if n not in (a, b) and (a, n) not in known]
        ranks.append(1 + sum(scores[a, n] >= scores[a, b] for n in others))
    found = link_ranking(
        Embedding(graph.keys, vectors),
        split,
        (1, k),
        metric="cosine" if cosine else "dot",
        known="all" if everything else "train",
    )
    depth = max(1, k)
    assert found.queries == len(asked)
    assert found.hits == {1: np.mean(np.equal(ranks, 1)), k: np.mean([r <= k for r in ranks])}
    assert found.mrr == pytest.approx(np.mean([1 / r if r <= depth else 0 for r in ranks]))


def test_rankings_are_the_same_in_small_blocks(blocks, monkeypatch):
    split, embedding = blocks
    found = link_ranking(embedding, split)
    monkeypatch.setattr("firth.evaluate.link_search.BLOCK", 100)
    assert link_ranking(embedding, split) == found


def test_some_queries_are_drawn(blocks):
    split, embedding = blocks
    found = link_ranking(embedding, split, 60, queries=10)
    assert found.queries == 10
    assert found == link_ranking(embedding, split, 60, queries=10)
    assert link_ranking(embedding, split, 60, queries=10**6).queries == 2 * len(
        split.test.positives
    )


def test_a_split_made_by_hand_will_do():
    train = Plain(4, [(0, 1), (1, 2)], directed=True)
    links = Links(np.array([[0, 3]]), np.array([[2, 0]]))
    split = LinkSplit(train, Links(links.positives[:0], links.negatives[:0]), links)
    embedding = Embedding(list("0123"), [[1, 0], [2, 0], [0, 1], [1, 0.5]])
    assert link_ranking(embedding, split, [1]) == ({1: 1.0}, 1.0, 1)
    assert link_prediction(embedding, split, "dot", k=[1]) == (1.0, 1.0, {1: 1.0}, 1.0)
