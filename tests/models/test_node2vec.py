"""Node2Vec, DeepWalk and LINE: what is learnt from walks and edges, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

import firth
from firth import LINE, DeepWalk, Graph, Node2Vec
from firth.models import _drawing, _walking

FEW = {"dim": 16, "threads": 1}
MODELS = [
    Node2Vec(**FEW, walks=40, length=40, p=0.5, q=2, sample=0),
    DeepWalk(**FEW, walks=40, length=40, sample=0),
    *(LINE(**FEW, order=order, samples=3000) for order in ("first", "second", "both")),
]
models = pytest.mark.parametrize(
    "model", MODELS, ids=lambda m: getattr(m, "order", type(m).__name__)
)


def cliques(size=8):
    """Two cliques that one edge joins."""
    pairs = [(a, b) for a in range(size) for b in range(a)]
    return Graph([*pairs, *((a + size, b + size) for a, b in pairs), (0, size)])


@models
def test_two_cliques_are_told_apart(model):
    unit = model.fit(cliques()).unit()
    cosines = unit @ unit.T
    within = (cosines[1:8, 1:8].mean() + cosines[9:, 9:].mean()) / 2
    assert within > cosines[1:8, 9:].mean() + 0.1


@models
def test_a_seed_gives_the_same_bits_and_another_one_others(model):
    first, again = model.fit(cliques()), model.fit(cliques())
    np.testing.assert_array_equal(first.vectors, again.vectors)
    other = replace(model, seed=2).fit(cliques())
    assert (first.vectors != other.vectors).any()


@pytest.mark.parametrize("threads", [2, 3])
def test_deterministic_is_the_same_on_any_number_of_threads(threads):
    one = Node2Vec(dim=8, deterministic=True, threads=1).fit(cliques())
    many = Node2Vec(dim=8, deterministic=True, threads=threads).fit(cliques())
    np.testing.assert_array_equal(one.vectors, many.vectors)


RETURNING = {
    "pairs": [(2 * i, 2 * i + 1) for i in range(100)],
    "path": [(i, i + 1) for i in range(200)],
    "star": [(0, i) for i in range(1, 100)],
}


@pytest.mark.parametrize("quality", ["fast", "balanced", "careful"])
@pytest.mark.parametrize("edges", RETURNING.values(), ids=RETURNING)
def test_vectors_stay_bounded_where_walks_come_back_all_the_time(edges, quality):
    emb = Node2Vec(dim=16, epochs=2, quality=quality, threads=1).fit(Graph(edges))
    losses = emb.metadata["losses"]
    assert losses[1] < losses[0]
    assert np.linalg.norm(emb.vectors, axis=1).max() < 20


@models
def test_isolated_nodes_keep_a_finite_vector_and_are_counted(model):
    emb = model.fit(Graph([(0, 1), (1, 2)], nodes=5))
    assert len(emb) == 5
    assert emb.metadata["isolated"] == 2
    assert np.isfinite(emb.vectors).all()


@models
def test_what_nothing_can_be_learnt_from_is_refused(model):
    with pytest.raises(ValueError, match="the graph has no edges"):
        model.fit(Graph([], nodes=3))
    with pytest.raises(TypeError, match="graph is list, expected a Graph"):
        model.fit([(0, 1)])


@models
def test_directed_graphs_with_dead_ends_are_learnt(model):
    emb = model.fit(Graph([(0, 1), (1, 2), (3, 2)], directed=True))
    assert np.isfinite(emb.vectors).all()


@models
def test_training_goes_on_from_earlier_vectors(model):
    start = model.fit(cliques())
    grown = model.fit(Graph([*cliques().pairs().tolist(), (0, 99)]), start=start)
    assert "99" in grown
    with pytest.raises(ValueError, match="dim 4"):
        model.fit(cliques(), start=firth.Embedding(["0"], np.ones((1, 4), np.float32)))


def test_weights_are_followed_unless_told_not_to():
    edges = ([0, 0, 1], [1, 2, 2], [100.0, 0.01, 0.01])
    near = Node2Vec(**FEW, walks=100).fit(Graph(edges))
    alike = Node2Vec(**FEW, walks=100, weighted=False).fit(Graph(edges))
    assert (near.vectors != alike.vectors).any()


def test_walks_do_not_depend_on_chunks(monkeypatch):
    model, graph = Node2Vec(dim=4, walks=3, length=7), cliques()
    whole = _walking.Walking.of(model, graph)
    drawn = whole.draw(0, whole.each).ids
    monkeypatch.setattr(_walking, "_CHUNK", 35)
    cut = _walking.Walking.of(model, graph)
    assert cut.step == 5
    parts = [cut.draw(n, min(n + 5, cut.each)).ids for n in range(0, cut.each, 5)]
    np.testing.assert_array_equal(np.concatenate(parts), drawn)


def test_a_path_of_types_is_kept_to():
    graph = Graph([(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)])
    with pytest.raises(ValueError, match="needs a graph with types"):
        Node2Vec(metapath=["a", "b"]).fit(graph)
    typed = graph.with_types(["a", "b", "a", "b"])
    walking = _walking.Walking.of(Node2Vec(metapath=["a", "b"], length=6), typed)
    ids = walking.draw(0, walking.each).ids.reshape(-1, 6)
    assert set(ids[:, 0::2].ravel()) <= {0, 2}
    assert set(ids[:, 1::2].ravel()) <= {1, 3}


def test_edges_are_drawn_by_their_weights_whatever_the_chunks():
    graph = Graph(([0, 0, 1], [1, 2, 2], [1.0, 2.0, 5.0]))
    drawing = _drawing.Drawing.of(LINE(), graph)
    chunk = drawing.draw(0, 80_000)
    pairs = np.sort(np.stack([chunk.sources, chunk.ids], axis=1), axis=1)
    counts = [int((pairs == pair).all(axis=1).sum()) for pair in ((0, 1), (0, 2), (1, 2))]
    expected = np.array([10_000, 20_000, 50_000])
    assert ((counts - expected) ** 2 / expected).sum() < 18.4  # one in 10 000, two degrees
    part = drawing.draw(1000, 2000)
    np.testing.assert_array_equal(part.ids, chunk.ids[1000:2000])


@models
def test_a_callback_can_stop_and_ctrl_c_keeps_what_was_learnt(model):
    told = []
    many = replace(model, epochs=5)
    emb = many.fit(cliques(), callback=lambda *state: told.append(state) or len(told) == 2)
    assert len(emb.metadata["losses"]) == len(told) == 2

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        many.fit(cliques(), callback=stop)
    assert len(caught.value.embedding) == 16


BAD = [
    (Node2Vec, {"walks": 0}, ValueError, "Node2Vec: walks=0 is not between 1 and 10000"),
    (Node2Vec, {"length": 1}, ValueError, "length=1 is not between 2"),
    (Node2Vec, {"p": 0}, ValueError, "p=0 is not between"),
    (Node2Vec, {"q": float("nan")}, ValueError, "q=nan"),
    (Node2Vec, {"restart": 1}, ValueError, "restart=1"),
    (Node2Vec, {"window": 2.5}, TypeError, "window=2.5 is not a whole number"),
    (Node2Vec, {"quality": "best"}, ValueError, "quality='best'"),
    (Node2Vec, {"metapath": "ab"}, TypeError, "metapath='ab' is not a sequence"),
    (LINE, {"order": "third"}, ValueError, "LINE: order='third'"),
    (LINE, {"dim": 5}, ValueError, "dim=5 is odd"),
    (LINE, {"samples": 0}, ValueError, "samples=0 is not between"),
]


@pytest.mark.parametrize(("model", "given", "error", "says"), BAD)
def test_hyper_parameters_out_of_range_are_named(model, given, error, says):
    with pytest.raises(error, match=says.replace("(", r"\(")):
        model(**given)
