"""Links: operators, heads and what they learn from, ranks against all nodes, bad input."""

import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics

from firth import Embedding
from firth.evaluate import (
    Links,
    LinkSplit,
    edge_features,
    link_prediction,
    link_ranking,
    predict_links,
    split_links,
)
from graphs import KARATE, edge_lists, entries, graph_of

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
    return split_links(graph_of(60, edges)), Embedding([str(i) for i in range(60)], vectors)


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
    split = split_links(graph_of(34, KARATE), valid=0, negatives=0)
    embedding = Embedding([str(i) for i in range(34)], np.ones((34, 2)))
    with pytest.raises(ValueError, match=r"split.test is Links\(8 positives, 0 negatives\)"):
        link_prediction(embedding, split)
    with pytest.raises(ValueError, match=r"split.valid is Links\(0 positives, 0 negatives\)"):
        link_prediction(embedding, split, on="valid")
    with pytest.raises(ValueError, match=r"link_ranking: split.valid has no edge to rank"):
        link_ranking(embedding, split, on="valid")


def test_nothing_to_learn_from_is_an_error():
    square = graph_of(4, [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)])
    split = split_links(square, valid=0, test=0.2)
    embedding = Embedding(list("0123"), np.ones((4, 2)))
    with pytest.raises(ValueError, match="nothing to learn from: 4 training edges, and 0 pairs"):
        link_prediction(embedding, split)


# ---- ranks --------------------------------------------------------------------------------------


@given(edge_lists(), st.integers(1, 14), st.booleans(), st.booleans(), st.integers(0, 99))
def test_ranks_are_those_of_loops(drawn, k, cosine, everything, seed):
    nodes, edges, directed = drawn
    graph = graph_of(nodes, edges, directed)
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
    train = graph_of(4, [(0, 1), (1, 2)], directed=True)
    links = Links(np.array([[0, 3]]), np.array([[2, 0]]))
    split = LinkSplit(train, Links(links.positives[:0], links.negatives[:0]), links)
    embedding = Embedding(list("0123"), [[1, 0], [2, 0], [0, 1], [1, 0.5]])
    assert link_ranking(embedding, split, [1]) == ({1: 1.0}, 1.0, 1)
    assert link_prediction(embedding, split, "dot", k=[1]) == (1.0, 1.0, {1: 1.0}, 1.0)


# ---- links that are not there yet ---------------------------------------------------------------


@given(edge_lists(), st.integers(1, 20), st.booleans(), st.integers(0, 99))
def test_predicted_links_are_those_of_loops(drawn, k, cosine, seed):
    nodes, edges, directed = drawn
    graph = graph_of(nodes, edges, directed)
    vectors = np.random.default_rng(seed).standard_normal((nodes, 4)).astype(np.float32)
    table = vectors.astype(np.float64)
    if cosine:
        table /= np.sqrt((table**2).sum(axis=1, keepdims=True))
    scores, known = table @ table.T, entries(graph)
    left = [(a, b) for a in range(nodes) for b in range(nodes) if a != b and (a, b) not in known]
    left.sort(key=lambda pair: (-scores[pair].round(12), pair))
    embedding, metric = Embedding(graph.keys, vectors), "cosine" if cosine else "dot"
    found = predict_links(embedding, graph, k, metric=metric)
    wanted = [pair for pair in left if directed or pair[0] < pair[1]][:k]
    ordered = zip((-found.scores).round(12), map(tuple, found.pairs.tolist()), strict=True)
    assert [pair for _, pair in sorted(ordered)] == wanted
    assert found.scores.tolist() == pytest.approx([scores[pair] for pair in wanted])
    asked = [nodes - 1, 0]
    each = predict_links(embedding, graph, k, nodes=[str(n) for n in asked], metric=metric)
    wanted = [pair for node in asked for pair in [p for p in left if p[0] == node][:k]]
    assert list(map(tuple, each.pairs.tolist())) == wanted


def test_predicted_links_are_the_same_in_small_blocks(blocks, monkeypatch):
    split, embedding = blocks
    found = predict_links(embedding, split.train, 50)
    monkeypatch.setattr("firth.evaluate.link_search.BLOCK", 400)
    again = predict_links(embedding, split.train, 50)
    assert again.pairs.tolist() == found.pairs.tolist()
    assert again.scores.tolist() == found.scores.tolist()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 0}, ValueError, "k=0 is not between 1"),
        ({"metric": "l2"}, ValueError, "metric='l2' is neither"),
        ({"nodes": ["0", "x"]}, KeyError, "node 'x' is not in the graph"),
        ({"nodes": "01"}, TypeError, "nodes='01' is a single text"),
    ],
)
def test_bad_arguments_of_searches_are_named(blocks, options, error, message):
    split, embedding = blocks
    with pytest.raises(error, match=f"predict_links: {message}"):
        predict_links(embedding, split.train, **options)
