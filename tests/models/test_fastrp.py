"""FastRP: its products against dense matrices, what features add, repeats, what it refuses."""

import dataclasses
import gzip
import importlib
import sys

import numpy as np
import pytest

from firth import Embedding, FastRP, Graph, Node2Vec
from firth.evaluate import node_classification
from firth.models import _features
from graphs import KARATE, nearness, two_cliques

sparse = pytest.importorskip("scipy.sparse")

SMALL = FastRP(dim=8)


@pytest.fixture(scope="module")
def club():
    """The karate club."""
    return Graph(KARATE)


@pytest.fixture(scope="module")
def features():
    """Sparse features (34, 12) of the club, none without any."""
    rng = np.random.default_rng(5)
    known = rng.standard_normal((34, 12)) * (rng.random((34, 12)) < 0.3)
    known[:, 0] += 1
    return known.astype(np.float32)


def changed(model=SMALL, **fields):
    return dataclasses.replace(model, **fields)


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def adjacency(graph):
    return graph.csr.to_scipy().toarray().astype(np.float64)


# ---- what it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1,), (0, 1, 1), (0.5, -1, 0, 2)])
@pytest.mark.parametrize("exponent", [0, -0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_structure_is_the_sum_of_powers_of_the_transition_matrix(weights, exponent, weighted):
    rng = np.random.default_rng(1)
    graph = Graph([(a, b, rng.uniform(0.2, 3)) for a, b in KARATE], weighted=weighted)
    model = FastRP(dim=16, weights=weights, degree_exponent=exponent)
    adjacent = adjacency(graph)
    degrees = adjacent.sum(axis=1)
    rows = model._sparse_rows(34, 16) * degrees[:, None] ** exponent
    total = 0
    for weight in weights:
        rows = adjacent @ rows / degrees[:, None]
        total = total + weight * unit(rows)
    np.testing.assert_allclose(model.fit(graph).vectors, unit(total), atol=1e-5)


@pytest.mark.parametrize("hops", [0, 1, 3])
def test_features_are_spread_over_the_graph_with_loops(club, features, hops):
    model = FastRP(dim=16, feature_share=1, hops=hops, projection="random")
    loops = adjacency(club) + np.eye(34)
    half = np.diag(loops.sum(axis=1) ** -0.5)
    steps = half @ loops @ half
    rows = features @ model._sparse_rows(12, 16)
    wanted = sum(np.linalg.matrix_power(steps, hop) for hop in range(hops + 1)) @ rows
    found = model.fit(club, features=features).vectors
    np.testing.assert_allclose(found, unit(wanted), atol=1e-5)


def test_the_projection_is_one_or_minus_one_with_a_sixth_each():
    rows = SMALL._sparse_rows(500, 120)
    assert set(np.unique(rows)) == {-1, 0, 1}
    for value, share in ((-1, 1 / 6), (0, 2 / 3), (1, 1 / 6)):
        assert (rows == value).mean() == pytest.approx(share, abs=0.008)


@pytest.mark.parametrize("few", [4096, 0], ids=["whole", "arpack"])
def test_svd_keeps_the_angles_of_features_of_low_rank(club, monkeypatch, few):
    monkeypatch.setattr(_features, "_FEW", few)
    rng = np.random.default_rng(2)
    known = rng.standard_normal((34, 3)) @ rng.standard_normal((3, 20))
    found = FastRP(dim=3, feature_share=1, hops=0).fit(club, features=known).vectors
    np.testing.assert_allclose(found @ found.T, unit(known) @ unit(known).T, atol=1e-4)


@pytest.mark.parametrize("few", [4096, 0], ids=["whole", "arpack"])
@pytest.mark.parametrize("projection", ["svd", "random"])
def test_dense_and_sparse_features_give_the_same(club, features, monkeypatch, projection, few):
    monkeypatch.setattr(_features, "_FEW", few)
    model = changed(projection=projection)
    wanted = model.fit(club, features=features).vectors
    for form in (sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        found = model.fit(club, features=form(features)).vectors
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e30])
@pytest.mark.parametrize("projection", ["svd", "random"])
def test_the_unit_of_features_does_not_matter(club, features, projection, scale):
    model = changed(projection=projection)
    wanted = model.fit(club, features=features).vectors
    given = features * np.float32(scale)
    for form in (np.asarray, sparse.csr_array):
        found = model.fit(club, features=form(given)).vectors
        np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("kind", [np.int64, np.bool_, np.float64, np.float16])
def test_features_may_be_numbers_of_any_kind(club, features, kind):
    given = (features != 0).astype(kind)
    wanted = SMALL.fit(club, features=(features != 0).astype(np.float32)).vectors
    np.testing.assert_array_equal(SMALL.fit(club, features=given).vectors, wanted)
    np.testing.assert_array_equal(given, (features != 0).astype(kind))


@pytest.mark.parametrize(("share", "columns"), [(0.25, 2), (0.5, 4), (1, 8)])
def test_parts_have_their_share_at_length_one(club, features, share, columns):
    emb = changed(feature_share=share).fit(club, features=features)
    assert emb.vectors.shape == (34, 8)
    structure, known = np.split(emb.vectors, [8 - columns], axis=1)
    np.testing.assert_allclose(np.linalg.norm(known, axis=1), 1, rtol=1e-5)
    if columns < 8:
        np.testing.assert_allclose(np.linalg.norm(structure, axis=1), 1, rtol=1e-5)
        alone = changed(dim=8 - columns).fit(club).vectors
        np.testing.assert_array_equal(structure, alone)


def test_a_structure_keeps_its_part_at_length_one(club, features):
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((34, 5)).astype(np.float32)
    order = rng.permutation(34)
    structure = Embedding([club.keys[row] for row in order], rows[order])
    emb = FastRP(dim=9).fit(club, features=features, structure=structure)
    np.testing.assert_allclose(emb.vectors[:, :5], unit(rows), rtol=1e-5)
    alone = FastRP(dim=4, feature_share=1).fit(club, features=features)
    np.testing.assert_array_equal(emb.vectors[:, 5:], alone.vectors)


def test_the_result_says_how_it_was_made(club, features):
    emb = SMALL.fit(club, features=features)
    assert (emb.keys, emb.vectors.dtype) == (club.keys, np.float32)
    settings = dataclasses.asdict(SMALL)
    assert {name: emb.metadata[name] for name in settings} == settings
    assert (emb.metadata["model"], emb.metadata["isolated"]) == ("FastRP", 0)
    assert "losses" not in emb.metadata


# ---- what it learns, repeats --------------------------------------------------------------------


def test_two_cliques_are_told_apart():
    within, between = nearness(FastRP(dim=64, weights=(1, 1)).fit(two_cliques()))
    assert within > between + 0.2


def test_the_same_seed_gives_the_same_bits_and_another_others(club, features):
    one, again, other = (changed(seed=s).fit(club, features=features) for s in (7, 7, 8))
    np.testing.assert_array_equal(one.vectors, again.vectors)
    assert not np.array_equal(one.vectors, other.vectors)


def test_features_beat_structure_alone_on_cora(data):
    """Measured: micro-F1 of .846 against Node2Vec's .790."""
    pytest.importorskip("sklearn", reason="node_classification needs scikit-learn")
    folder = data / "graphs" / "cora"
    graph = Graph.read(folder / "edges.tsv.gz", nodes=2708)
    with np.load(folder / "features.npz") as arrays:
        parts = arrays["data"], arrays["indices"], arrays["indptr"]
        known = sparse.csr_array(parts, shape=tuple(arrays["shape"]))
    with gzip.open(folder / "labels.tsv.gz", "rt") as lines:
        labels = dict(line.split() for line in lines)
    node2vec = Node2Vec(dim=128, walks=5, length=40, window=5, threads=1).fit(graph)
    # On a busy machine, threads of a BLAS wait for each other ten times as long as they work.
    with importlib.import_module("threadpoolctl").threadpool_limits(1):
        alone, more = (
            node_classification(emb, labels, scale="unit", repeats=3).micro_f1
            for emb in (node2vec, FastRP(dim=128).fit(graph, features=known))
        )
    assert alone > 0.75
    assert more > alone + 0.04


# ---- isolated nodes, dead ends ------------------------------------------------------------------


@pytest.mark.parametrize("directed", [False, True])
def test_isolated_nodes_and_dead_ends_are_finite(directed):
    graph = Graph([("a", "b"), ("b", "c")], nodes=list("abcde"), directed=directed)
    emb = SMALL.fit(graph)
    assert emb.metadata["isolated"] == 2
    assert np.isfinite(emb.vectors).all()
    assert (emb["d"] == 0).all()
    known = np.random.default_rng(1).standard_normal((5, 6))
    emb = SMALL.fit(graph, features=known)
    assert np.isfinite(emb.vectors).all()
    assert np.linalg.norm(emb["d"]) == pytest.approx(1)  # of features alone


def test_nodes_without_features_have_those_of_their_neighbours(club, features):
    known = features.copy()
    known[3] = 0
    emb = changed(feature_share=1).fit(club, features=known)
    assert np.linalg.norm(emb["3"]) == pytest.approx(1)
    alone = changed(feature_share=1, hops=0).fit(club, features=known)
    assert (alone["3"] == 0).all()


@pytest.mark.parametrize("progress", [False, None])
def test_without_a_bar_nothing_is_printed(club, features, capsys, progress):
    SMALL.fit(club, features=features, progress=progress)
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_shown_if_asked_for(club, features, capsys, monkeypatch):
    monkeypatch.setattr(_features, "_FEW", 0)
    SMALL.fit(club, features=features, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "factorising" in err


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dim", 0, "dim=0 is not between 1"),
        ("weights", (), r"weights=\(\) is not 1 to 100 finite numbers"),
        ("weights", (1, float("nan")), r"weights=\(1, nan\) is not 1 to 100 finite numbers"),
        ("weights", 1.0, r"weights=1.0 is not 1 to 100 finite numbers"),
        ("weights", "abc", r"weights='abc' is not 1 to 100 finite numbers"),
        ("weights", (1, (2, 3)), r"weights=\(1, \(2, 3\)\) is not 1 to 100 finite numbers"),
        ("weights", (1j,), r"weights=\(1j,\) is not 1 to 100 finite numbers"),
        ("degree_exponent", 9, "degree_exponent=9 is not between -8 and 8"),
        ("feature_share", 1.5, "feature_share=1.5 is not between 0 and 1"),
        ("hops", -1, "hops=-1 is not between 0 and 100"),
        ("projection", "pca", "projection='pca' is not 'svd' or 'random'"),
        ("seed", -1, "seed=-1 is not between 0"),
    ],
)
def test_hyper_parameters_out_of_range_are_refused(field, value, message):
    with pytest.raises(ValueError, match=f"^FastRP: {message}"):
        FastRP(**{field: value})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dim", 8.0, "dim=8.0 is not a whole number"),
        ("hops", True, "hops=True is not a whole number"),
        ("feature_share", "all", "feature_share='all' is not a number"),
    ],
)
def test_hyper_parameters_of_another_type_are_refused(field, value, message):
    with pytest.raises(TypeError, match=f"^FastRP: {message}"):
        FastRP(**{field: value})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_named_by_node(club, features, value):
    known = features.copy()
    known[5, 7] = known[9, 0] = value
    for given in (known, sparse.csr_array(known), sparse.csc_array(known)):
        with pytest.raises(ValueError, match=r"^FastRP: features of node 5 are not finite"):
            SMALL.fit(club, features=given)


def test_features_beyond_float32_are_named_by_node(club, features):
    known = features.astype(np.float64)
    known[6, 2] = 1e300
    with pytest.raises(ValueError, match=r"^FastRP: features of node 6 are not finite"):
        SMALL.fit(club, features=known)


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((33, 12), ValueError, r"has shape \(33, 12\), expected a row for each of the 34 nodes"),
        ((34, 0), ValueError, r"has shape \(34, 0\), expected a row"),
        ((34,), TypeError, r"is 1-d float64, expected numbers \(nodes, features\)"),
    ],
)
def test_features_of_another_shape_are_refused(club, shape, error, message):
    with pytest.raises(error, match=f"^FastRP: features {message}"):
        SMALL.fit(club, features=np.ones(shape))


def test_features_that_are_no_numbers_are_refused(club):
    with pytest.raises(TypeError, match=r"^FastRP: features is 2-d <U1, expected numbers"):
        SMALL.fit(club, features=np.full((34, 2), "x"))


def test_a_part_needs_room(club, features):
    structure = Embedding(club.keys, np.ones((34, 8), np.float32))
    with pytest.raises(ValueError, match=r"^FastRP: dim=8 leaves 0 numbers for features of shape"):
        SMALL.fit(club, features=features, structure=structure)
    with pytest.raises(ValueError, match=r"^FastRP: dim=8 leaves 0 numbers for features of shape"):
        changed(feature_share=0).fit(club, features=features)
    with pytest.raises(ValueError, match=r"leaves 20 numbers .*\(34, 12\), expected 1 to 11"):
        changed(dim=40).fit(club, features=features)
    wide = changed(dim=40, projection="random").fit(club, features=features)
    assert wide.vectors.shape == (34, 40)


def test_graphs_and_structures_are_checked(club, features):
    with pytest.raises(ValueError, match=r"^FastRP: the graph has no edges"):
        SMALL.fit(Graph(np.empty((0, 2), np.int64), nodes=3))
    with pytest.raises(TypeError, match=r"^FastRP: graph is list, expected a Graph"):
        SMALL.fit([[0, 1]])
    with pytest.raises(TypeError, match=r"^FastRP: structure is ndarray, expected an Embedding"):
        SMALL.fit(club, features=features, structure=np.ones((34, 4)))
    some = Embedding(club.keys[:20], np.ones((20, 4), np.float32))
    with pytest.raises(ValueError, match=r"^FastRP: structure without features leaves nothing"):
        SMALL.fit(club, structure=some)
    with pytest.raises(KeyError, match="20"):
        SMALL.fit(club, features=features, structure=some)


def test_it_needs_scipy(club, monkeypatch):
    for name in ("scipy", "scipy.sparse", "scipy.sparse.linalg"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"^FastRP needs SciPy: pip install 'firth\[scipy\]'"):
        SMALL.fit(club)
