"""Node2Vec and DeepWalk: which walks they make, what they learn, repeats, what they refuse."""

import dataclasses
from itertools import chain, pairwise

import numpy as np
import pytest

from firth import DeepWalk, Embedding, Graph, Node2Vec
from firth.models import _walking
from firth.models._walking import Walking
from graphs import KARATE, NARROW, nearness, two_cliques

SMALL = Node2Vec(dim=8, walks=4, length=20, window=3, threads=1)


@pytest.fixture(scope="module")
def club():
    """The karate club."""
    return Graph(KARATE)


@pytest.fixture(scope="module")
def papers():
    """Authors a0 to a5 and papers p0 to p3, which authors are linked to, and two venues."""
    edges = [(f"a{i}", f"p{i % 4}") for i in range(6)] + [(f"a{i}", f"p{i // 2}") for i in range(6)]
    graph = Graph(edges + [(f"p{i}", f"v{i % 2}") for i in range(4)])
    names = {"a": "author", "p": "paper", "v": "venue"}
    return graph.with_types({key: names[key[0]] for key in graph.keys})


def changed(model=SMALL, **fields):
    return dataclasses.replace(model, **fields)


def walked(model, graph, first=0, last=None):
    """Return the walks of an epoch, or some of them, as lists of rows."""
    stream = Walking.of(model, graph)
    chunk = stream.draw(first, stream.each if last is None else last)
    return [chunk.ids[a:b].tolist() for a, b in pairwise(chunk.offsets)]


# ---- what it learns -----------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Node2Vec(p=0.5, q=2), Node2Vec(restart=0.2), DeepWalk()])
def test_two_cliques_are_told_apart(model):
    emb = changed(model, dim=16, walks=20, length=40, window=4, sample=0, threads=1).fit(
        two_cliques()
    )
    within, between = nearness(emb)
    assert within > between + 0.2


def test_the_result_says_how_it_was_made(club):
    emb = SMALL.fit(club)
    assert (emb.keys, emb.vectors.shape, emb.vectors.dtype) == (club.keys, (34, 8), np.float32)
    assert emb.metadata["model"] == "Node2Vec"
    settings = dataclasses.asdict(SMALL)
    assert {name: emb.metadata[name] for name in settings} == settings
    made = {name: emb.metadata[name] for name in ("nodes", "entries", "isolated")}
    assert made == {"nodes": 34, "entries": 156, "isolated": 0}


@pytest.mark.parametrize("quality", ["fast", "balanced", "careful"])
@pytest.mark.parametrize("name", NARROW)
def test_vectors_stay_bounded_where_walks_come_back(name, quality):
    model = Node2Vec(dim=16, walks=2, length=40, epochs=3, quality=quality, threads=1)
    emb = model.fit(Graph(NARROW[name]))
    losses = emb.metadata["losses"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert np.linalg.norm(emb.vectors, axis=1).max() < 20


def test_deepwalk_is_node2vec_of_first_order(club):
    fields = {"dim": 8, "walks": 3, "length": 20, "threads": 1}
    one, other = (model(**fields).fit(club) for model in (DeepWalk, Node2Vec))
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert one.metadata["model"] == "DeepWalk"
    with pytest.raises(TypeError, match="unexpected keyword argument 'p'"):
        DeepWalk(p=2)


# ---- repeats ------------------------------------------------------------------------------------


def test_one_thread_gives_the_same_bits_and_another_seed_others(club):
    one, again, other = (changed(seed=seed).fit(club) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.vectors, again.vectors)
    assert one.metadata["losses"] == again.metadata["losses"]
    assert not np.array_equal(one.vectors, other.vectors)


def test_deterministic_gives_the_same_bits_on_any_number_of_threads():
    graph = Graph(NARROW["path"])
    model = Node2Vec(dim=8, walks=5, length=40, epochs=2, deterministic=True)
    one, *others = (changed(model, threads=n).fit(graph) for n in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(one.vectors, other.vectors)
        assert one.metadata["losses"] == other.metadata["losses"]


# ---- walks --------------------------------------------------------------------------------------


def test_chunks_do_not_change_what_is_walked(club, monkeypatch):
    model = changed(walks=3)
    whole = walked(model, club)
    assert len(whole) == 3 * 34
    cuts = [0, 1, 30, 34, 35, 70, 102]
    parts = [walked(model, club, *cut) for cut in pairwise(cuts)]
    assert list(chain.from_iterable(parts)) == whole
    seen = []
    for nodes in (1, 50, 300, 1 << 20):
        monkeypatch.setattr(_walking, "_CHUNK", nodes)
        stream = Walking.of(changed(walks=1), club)
        assert stream.step == max(nodes // 20, 1)
        seen.append(stream.seen(34)[0])
        np.testing.assert_array_equal(seen[0], seen[-1])
    assert seen[0].sum() == 34 * 20


def test_small_chunks_train_an_epoch_too(club, monkeypatch):
    monkeypatch.setattr(_walking, "_CHUNK", 100)
    told = []
    emb = changed(epochs=2).fit(club, callback=lambda *given: told.append(given))
    assert [given[:2] for given in told] == [(1, 4 * 34), (2, 8 * 34)]
    assert [given[2] for given in told] == emb.metadata["losses"]
    assert told[-1][3] == pytest.approx(SMALL.min_lr)
    assert np.isfinite(emb.vectors).all()


def test_walks_begin_everywhere_as_often_as_asked_in_another_order_each_time(club):
    starts = np.array([walk[0] for walk in walked(SMALL, club)]).reshape(4, 34)
    for lap in starts:
        assert sorted(lap) == list(range(34))
    assert len({tuple(lap) for lap in starts}) == 4


def test_counts_and_returns_are_those_of_the_walks(club):
    model = changed(walks=1, window=2)
    walks = walked(model, club)
    counts, again = Walking.of(model, club).seen(34)
    np.testing.assert_array_equal(counts, np.bincount(np.concatenate(walks), minlength=34))
    company = [
        walk[place] == walk[place + apart]
        for walk in walks
        for apart in (1, 2)
        for place in range(len(walk) - apart)
    ]
    assert again == pytest.approx(np.mean(company))


def test_directed_walks_end_where_no_edge_leaves():
    graph = Graph([("a", "b"), ("b", "c"), ("d", "c")], directed=True)
    paths = {"".join(graph.keys[row] for row in walk) for walk in walked(SMALL, graph)}
    assert paths == {"abc", "bc", "dc"}
    emb = SMALL.fit(graph)
    assert np.isfinite(emb.vectors).all()
    assert emb.metadata["isolated"] == 0


def test_weights_are_followed_unless_they_should_not_be():
    graph = Graph([(0, 1, 1000.0), (0, 2, 1.0), (1, 2, 1.0)])
    model = changed(walks=500, length=2)

    def share(model):
        steps = [walk[1] == 1 for walk in walked(model, graph) if walk[0] == 0]
        assert len(steps) == 500
        return np.mean(steps)

    assert share(model) > 0.98
    assert 0.4 < share(changed(model, weighted=False)) < 0.6
    one, other = (changed(weighted=w).fit(graph).vectors for w in (True, False))
    assert not np.array_equal(one, other)


def test_p_and_q_change_how_often_a_walk_turns_back(club):
    def turns(**fields):
        walks = walked(changed(walks=20, **fields), club)
        return np.mean([a == c for w in walks for a, c in zip(w, w[2:], strict=False)])

    assert turns(p=0.05) > turns() + 0.1 > turns(p=20) + 0.2


@pytest.mark.parametrize("path", [("author", "paper"), ("venue", "paper", "author", "paper")])
def test_a_metapath_is_kept(papers, path):
    walks = walked(changed(metapath=path), papers)
    assert {walk[0] for walk in walks} == {
        row for row, key in enumerate(papers.keys) if key[0] == path[0][0]
    }
    for walk in walks:
        assert len(walk) == 20
        types = [papers.type_names[papers.types[row]] for row in walk]
        assert types == [path[place % len(path)] for place in range(20)]
    emb = changed(metapath=list(path)).fit(papers)
    assert emb.keys == papers.keys
    assert emb.metadata["metapath"] == path
    assert np.isfinite(emb.vectors).all()


def test_what_a_metapath_leaves_out_keeps_its_vector(papers):
    emb = changed(metapath=("author", "paper"), sample=0).fit(papers, start=begun(papers, 8))
    for key in papers.keys:
        assert np.array_equal(emb[key], np.full(8, 0.25)) == key.startswith("v")


# ---- start, isolated nodes ----------------------------------------------------------------------


def begun(graph, dim):
    return Embedding(graph.keys, np.full((len(graph), dim), 0.25, np.float32))


def test_it_goes_on_from_a_start_by_keys(club):
    keys = [*club.keys[:-5:-1], "unknown"]
    start = Embedding(keys, np.arange(40, dtype=np.float32).reshape(5, 8) / 40)
    emb = changed(lr=1e-12).fit(club, start=start)
    for key in keys[:-1]:
        np.testing.assert_allclose(emb[key], start[key], atol=1e-6)
    fresh = changed(lr=1e-12).fit(club)
    np.testing.assert_allclose(emb["0"], fresh["0"], atol=1e-6)
    assert emb.keys == club.keys


def test_isolated_nodes_keep_what_they_begin_with():
    graph = Graph([(0, 1), (1, 2)], nodes=5)
    emb = SMALL.fit(graph)
    assert emb.metadata["isolated"] == 2
    assert np.isfinite(emb.vectors).all()
    kept = changed(sample=0).fit(graph, start=begun(graph, 8))
    assert (kept.vectors[3:] == 0.25).all()
    assert (kept.vectors[:3] != 0.25).any(axis=1).all()


# ---- how it stops -------------------------------------------------------------------------------


def test_a_callback_stops_after_an_epoch(club):
    emb = changed(epochs=9).fit(club, callback=lambda epoch, *_: epoch == 2)
    assert len(emb.metadata["losses"]) == 2


def test_an_interrupt_keeps_what_was_learnt(club):
    def callback(epoch, walks, loss, lr):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stop:
        changed(epochs=9).fit(club, callback=callback)
    until = changed(epochs=9).fit(club, callback=lambda epoch, *_: epoch == 2)
    np.testing.assert_array_equal(stop.value.embedding.vectors, until.vectors)
    assert stop.value.embedding.metadata["losses"] == until.metadata["losses"]


@pytest.mark.parametrize("progress", [False, None, True])
def test_a_bar_is_shown_only_if_asked_for(club, capsys, progress):
    SMALL.fit(club, progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("training" in err) == (progress is True)
    assert bool(err) == (progress is True)


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dim", 0, "dim=0 is not between 1"),
        ("walks", 0, "walks=0 is not between 1 and 10000"),
        ("length", 1, "length=1 is not between 2"),
        ("p", 0, "p=0 is not between"),
        ("p", float("nan"), "p=nan is not between"),
        ("q", float("inf"), "q=inf is not between"),
        ("window", 0, "window=0 is not between 1"),
        ("negative", 0, "negative=0 is not between 1"),
        ("epochs", 0, "epochs=0 is not between 1"),
        ("lr", -1, "lr=-1 is not between"),
        ("min_lr", -1, "min_lr=-1 is not between 0"),
        ("sample", 2, "sample=2 is not between 0 and 1"),
        ("noise_exponent", 9, "noise_exponent=9 is not between -8 and 8"),
        ("weighted", "yes", "weighted='yes' is not False or True"),
        ("restart", 1, "restart=1 is not between 0"),
        ("seed", -1, "seed=-1 is not between 0"),
        ("threads", 0, "threads=0 is not between 1"),
        ("device", "tpu", "device='tpu' is not 'cpu' or 'cuda'"),
        ("quality", "best", "quality='best' is not 'fast' or"),
        ("deterministic", 2, "deterministic=2 is not False or True"),
        ("metapath", (), r"metapath=\(\) is not one or more names"),
        ("metapath", ("a", 1), r"metapath=\('a', 1\) is not one or more names"),
    ],
)
def test_hyper_parameters_out_of_range_are_refused(field, value, message):
    with pytest.raises(ValueError, match=f"^Node2Vec: {message}"):
        Node2Vec(**{field: value})
    if field not in "pq":
        with pytest.raises(ValueError, match=f"^DeepWalk: {message}"):
            DeepWalk(**{field: value})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dim", 8.0, "dim=8.0 is not a whole number"),
        ("walks", True, "walks=True is not a whole number"),
        ("length", "80", "length='80' is not a whole number"),
        ("q", "1", "q='1' is not a number"),
        ("restart", None, "restart=None is not a number"),
        ("metapath", "author", "metapath='author' is not a sequence of names"),
        ("metapath", 3, "metapath=3 is not a sequence of names"),
    ],
)
def test_hyper_parameters_of_another_type_are_refused(field, value, message):
    with pytest.raises(TypeError, match=f"^Node2Vec: {message}"):
        Node2Vec(**{field: value})


def test_a_metapath_needs_its_types(club, papers):
    with pytest.raises(ValueError, match=r"^Node2Vec: metapath=\('a', 'b'\) needs a graph with ty"):
        changed(metapath=("a", "b")).fit(club)
    with pytest.raises(ValueError, match="metapath has 'pap', expected types: 'author', 'paper',"):
        changed(metapath=("author", "pap")).fit(papers)
    with pytest.raises(ValueError, match=r"no walk can begin, .* metapath=.'author', 'venue'"):
        changed(metapath=("author", "venue")).fit(papers)


@pytest.mark.parametrize("model", [Node2Vec(), DeepWalk()])
def test_graphs_starts_and_callbacks_are_checked(club, model):
    name = type(model).__name__
    with pytest.raises(ValueError, match=f"^{name}: the graph has no edges"):
        model.fit(Graph(np.empty((0, 2), np.int64), nodes=3))
    with pytest.raises(TypeError, match=f"^{name}: graph is list, expected a Graph"):
        model.fit([[0, 1]])
    with pytest.raises(ValueError, match=f"^{name}: start has dim 8, expected 128"):
        model.fit(club, start=begun(club, 8))
    with pytest.raises(TypeError, match=f"^{name}: start is dict, expected an Embedding"):
        model.fit(club, start={})
    with pytest.raises(TypeError, match=f"^{name}: callback=3 cannot be called"):
        model.fit(club, callback=3)


def test_a_learning_rate_that_blows_up_names_the_epoch(club):
    with pytest.raises(FloatingPointError, match=r"^Node2Vec: epoch \d+ of 50: .* than 1000$"):
        changed(lr=1000, min_lr=1000, epochs=50).fit(club)
