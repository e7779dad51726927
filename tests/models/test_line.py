"""LINE: which edges it draws, what it learns, repeats, how it stops, what it refuses."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from firth import LINE, Embedding, Graph
from firth.models import _drawing
from firth.models._drawing import Drawing
from graphs import KARATE, NARROW, nearness, two_cliques

SMALL = LINE(dim=8, samples=100, threads=1)
ORDERS = ("first", "second", "both")


@pytest.fixture(scope="module")
def club():
    """The karate club."""
    return Graph(KARATE)


def changed(model=SMALL, **fields):
    return dataclasses.replace(model, **fields)


def drawn(model, graph, first, last):
    """Return edges that are drawn as (edges, 2) rows."""
    chunk = Drawing.of(model, graph).draw(first, last)
    assert chunk.offsets.tolist() == [0, last - first]
    return np.stack([chunk.sources, chunk.ids], axis=1).astype(np.int64)


# ---- what it learns -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
def test_two_cliques_are_told_apart(order):
    emb = LINE(dim=16, samples=5000, order=order, threads=1).fit(two_cliques())
    within, between = nearness(emb)
    assert within > between + 0.2


def test_second_order_brings_nodes_with_the_same_neighbours_together():
    """Of a square, opposite corners are not linked and have the same neighbours."""
    square = Graph([(0, 1), (1, 2), (2, 3), (3, 0)])
    unit = {}
    for order in ("first", "second"):
        vectors = LINE(dim=4, order=order, samples=20_000, threads=1).fit(square).vectors
        unit[order] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit["second"][0] @ unit["second"][2] > unit["second"][0] @ unit["second"][1] + 0.2
    assert unit["second"][1] @ unit["second"][3] > 0.9


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", NARROW)
def test_vectors_stay_bounded_and_losses_fall(name, order):
    graph = Graph(NARROW[name])
    emb = LINE(dim=16, order=order, samples=300, epochs=3, threads=1).fit(graph)
    losses = emb.metadata["losses"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] + 0.02  # a star's is learnt within the first
    assert losses[-1] < 6 * np.log(2)  # of an edge and 5 noise nodes, when nothing is known
    assert np.linalg.norm(emb.vectors, axis=1).max() < 20


def test_both_orders_stand_side_by_side_at_length_one(club):
    both = SMALL.fit(club).vectors
    for half in (both[:, :4], both[:, 4:]):
        np.testing.assert_allclose(np.linalg.norm(half, axis=1), 1, rtol=1e-5)
    first = changed(dim=4, order="first").fit(club).vectors
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_allclose(both[:, :4], first, rtol=1e-5, atol=1e-6)


def test_the_result_says_how_it_was_made(club):
    emb = SMALL.fit(club)
    assert (emb.keys, emb.vectors.shape, emb.vectors.dtype) == (club.keys, (34, 8), np.float32)
    settings = dataclasses.asdict(SMALL)
    assert {name: emb.metadata[name] for name in settings} == settings
    made = {name: emb.metadata[name] for name in ("model", "nodes", "entries", "isolated")}
    assert made == {"model": "LINE", "nodes": 34, "entries": 156, "isolated": 0}


def test_one_thread_gives_the_same_bits_and_another_seed_others(club):
    one, again, other = (changed(seed=seed).fit(club) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.vectors, again.vectors)
    assert one.metadata["losses"] == again.metadata["losses"]
    assert not np.array_equal(one.vectors, other.vectors)


# ---- which edges --------------------------------------------------------------------------------


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("weighted", [True, False])
def test_edges_are_drawn_in_proportion_to_their_weights(weighted, directed):
    rng = np.random.default_rng(3)
    pairs = np.array([(a, b) for a in range(8) for b in range(a)])
    graph = Graph((*pairs.T, rng.uniform(0.1, 5, len(pairs))), directed=directed)
    many, csr = 50_000, graph.csr
    edges = drawn(changed(weighted=weighted), graph, 0, many)
    rows = np.repeat(np.arange(8), np.diff(csr.indptr))
    chances = csr.data.astype(np.float64) if weighted else np.ones(csr.nnz)
    wanted = chances / chances.sum() * many
    found = np.bincount(edges @ [8, 1], minlength=64)
    assert found.sum() == found[rows * 8 + csr.indices].sum() == many
    squares = (found[rows * 8 + csr.indices] - wanted) ** 2 / wanted
    freedom = csr.nnz - 1
    assert squares.sum() < freedom + 4 * np.sqrt(2 * freedom)


def test_chunks_do_not_change_what_is_drawn(club, monkeypatch):
    whole = drawn(SMALL, club, 0, 500)
    cuts = [0, 1, 2, 77, 256, 500]
    parts = [drawn(SMALL, club, *cut) for cut in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    monkeypatch.setattr(_drawing, "_CHUNK", 1000)
    told = []
    emb = changed(epochs=2).fit(club, callback=lambda *given: told.append(given))
    assert [given[:2] for given in told] == [(1, 3400), (2, 6800)]
    assert [given[2] for given in told] == emb.metadata["losses"]
    assert told[-1][3] == pytest.approx(SMALL.min_lr)


@pytest.mark.parametrize("directed", [False, True])
def test_noise_is_by_the_weights_that_lead_to_a_node(directed):
    graph = Graph([(0, 1, 2.0), (0, 2, 3.0), (1, 2, 4.0)], directed=directed)
    wanted = {True: ([0, 2, 7], [0, 1, 2]), False: ([5, 6, 7], [2, 2, 2])}[directed]
    for weighted, degrees in zip((True, False), wanted, strict=True):
        found = Drawing.of(changed(weighted=weighted), graph).degrees
        np.testing.assert_allclose(found, degrees)


def test_weights_change_what_is_learnt():
    graph = Graph([(0, 1, 1000.0), (0, 2, 1.0), (1, 2, 1.0)])
    one, other = (changed(weighted=w).fit(graph).vectors for w in (True, False))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("order", ORDERS)
def test_dead_ends_of_directed_graphs_have_finite_vectors(order):
    emb = changed(order=order).fit(Graph([("a", "b"), ("b", "c"), ("d", "c")], directed=True))
    assert np.isfinite(emb.vectors).all()
    assert emb.metadata["isolated"] == 0


# ---- start, isolated nodes, how it stops --------------------------------------------------------


@pytest.mark.parametrize("order", ["first", "second"])
def test_it_goes_on_from_a_start_by_keys(club, order):
    keys = [*club.keys[:-5:-1], "unknown"]
    start = Embedding(keys, np.arange(40, dtype=np.float32).reshape(5, 8) / 40)
    still = changed(lr=1e-12, order=order)
    emb, fresh = still.fit(club, start=start), still.fit(club)
    for key in keys[:-1]:
        np.testing.assert_allclose(emb[key], start[key], atol=1e-6)
    np.testing.assert_allclose(emb["0"], fresh["0"], atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_isolated_nodes_have_finite_vectors(order):
    emb = changed(order=order).fit(Graph([(0, 1), (1, 2)], nodes=5))
    assert emb.metadata["isolated"] == 2
    assert np.isfinite(emb.vectors).all()
    assert (np.linalg.norm(emb.vectors, axis=1) > 0).all()


def test_a_callback_stops_after_an_epoch(club):
    emb = changed(epochs=9).fit(club, callback=lambda epoch, *_: epoch == 2)
    assert len(emb.metadata["losses"]) == 2


@pytest.mark.parametrize("order", ORDERS)
def test_an_interrupt_keeps_what_was_learnt(club, order):
    def callback(epoch, edges, loss, lr):
        if epoch == 2:
            raise KeyboardInterrupt

    model = changed(epochs=9, order=order)
    with pytest.raises(KeyboardInterrupt) as stop:
        model.fit(club, callback=callback)
    until = model.fit(club, callback=lambda epoch, *_: epoch == 2)
    np.testing.assert_array_equal(stop.value.embedding.vectors, until.vectors)
    assert stop.value.embedding.metadata["losses"] == until.metadata["losses"]


@pytest.mark.parametrize("progress", [False, None, True])
def test_a_bar_is_shown_only_if_asked_for(club, capsys, progress):
    SMALL.fit(club, progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("training" in err) == bool(err) == (progress is True)


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dim", 0, "dim=0 is not between 1"),
        ("dim", 7, "dim=7 is odd, expected an even one for order='both'"),
        ("order", "third", "order='third' is not 'first' or 'second' or 'both'"),
        ("negative", 0, "negative=0 is not between 1"),
        ("samples", 0, "samples=0 is not between 1"),
        ("epochs", 0, "epochs=0 is not between 1"),
        ("lr", 0, "lr=0 is not between"),
        ("min_lr", float("nan"), "min_lr=nan is not between 0"),
        ("noise_exponent", -9, "noise_exponent=-9 is not between -8 and 8"),
        ("weighted", 2, "weighted=2 is not False or True"),
        ("seed", 2**64, "seed=18446744073709551616 is not between 0"),
        ("threads", 0, "threads=0 is not between 1"),
        ("device", "tpu", "device='tpu' is not 'cpu' or 'cuda'"),
    ],
)
def test_hyper_parameters_out_of_range_are_refused(field, value, message):
    with pytest.raises(ValueError, match=f"^LINE: {message}"):
        LINE(**{field: value})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dim", 8.0, "dim=8.0 is not a whole number"),
        ("samples", True, "samples=True is not a whole number"),
        ("lr", "1", "lr='1' is not a number"),
    ],
)
def test_hyper_parameters_of_another_type_are_refused(field, value, message):
    with pytest.raises(TypeError, match=f"^LINE: {message}"):
        LINE(**{field: value})


def test_an_odd_dim_will_do_for_one_order(club):
    assert changed(dim=7, order="first").fit(club).dim == 7


def test_graphs_starts_and_callbacks_are_checked(club):
    start = Embedding(club.keys, np.ones((34, 4), np.float32))
    with pytest.raises(ValueError, match=r"^LINE: the graph has no edges"):
        SMALL.fit(Graph(np.empty((0, 2), np.int64), nodes=3))
    with pytest.raises(TypeError, match=r"^LINE: graph is list, expected a Graph"):
        SMALL.fit([[0, 1]])
    with pytest.raises(ValueError, match=r"^LINE: start has dim 4, expected 8"):
        SMALL.fit(club, start=start)
    with pytest.raises(TypeError, match=r"^LINE: start is dict, expected an Embedding"):
        SMALL.fit(club, start={})
    with pytest.raises(TypeError, match=r"^LINE: callback=3 cannot be called"):
        SMALL.fit(club, callback=3)


@pytest.mark.parametrize("order", ORDERS)
def test_a_learning_rate_that_blows_up_names_the_epoch(club, order):
    with pytest.raises(FloatingPointError, match=r"^LINE: epoch \d+ of 50: .* than 1000$"):
        changed(lr=1000, min_lr=1000, epochs=50, order=order).fit(club)
