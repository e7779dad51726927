"""FastRP: structure and features side by side, without training."""

import gzip
import sys

import numpy as np
import pytest
import scipy.sparse

import firth
from firth import FastRP, Graph


def cliques(size=8):
    """Two cliques that one edge joins."""
    pairs = [(a, b) for a in range(size) for b in range(a)]
    return Graph([*pairs, *((a + size, b + size) for a, b in pairs), (0, size)])


FEATURES = np.random.default_rng(1).random((16, 12)).astype(np.float32)


def test_two_cliques_are_told_apart():
    unit = FastRP(dim=32).fit(cliques()).unit()
    cosines = unit @ unit.T
    assert cosines[1:8, 1:8].mean() > cosines[1:8, 9:].mean() + 0.2


def test_the_parts_have_length_one_and_their_shares():
    emb = FastRP(dim=10, feature_share=0.4).fit(cliques(), features=FEATURES)
    assert emb.dim == 10
    lengths = [np.linalg.norm(part, axis=1) for part in (emb.vectors[:, :6], emb.vectors[:, 6:])]
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_sparse_features_are_dense_ones():
    dense = FastRP(dim=8).fit(cliques(), features=FEATURES)
    sparse = FastRP(dim=8).fit(cliques(), features=scipy.sparse.csr_array(FEATURES))
    np.testing.assert_allclose(sparse.vectors, dense.vectors, atol=1e-5)


@pytest.mark.parametrize("projection", ["svd", "random"])
def test_a_seed_gives_the_same_bits(projection):
    model = FastRP(dim=8, projection=projection)
    first, again = (model.fit(cliques(), features=FEATURES) for _ in range(2))
    np.testing.assert_array_equal(first.vectors, again.vectors)
    other = FastRP(dim=8, projection=projection, seed=2).fit(cliques(), features=FEATURES)
    assert (first.vectors != other.vectors).any()


def test_features_are_the_mean_of_what_steps_make_of_them():
    graph = Graph([(0, 1), (1, 2)])
    features = np.diag([3.0, 2.0, 1.0])
    model = FastRP(dim=2, feature_share=1, hops=2)
    adjacent = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], np.float64)
    half = np.diag(adjacent.sum(axis=1) ** -0.5)
    step = half @ adjacent @ half
    right = np.linalg.svd(features)[2][:2].T
    wanted = (np.eye(3) + step + step @ step) @ features @ right
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    found = model.fit(graph, features=features).vectors
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-5)


def test_structure_takes_the_place_of_random_rows():
    graph = cliques()
    given = firth.Embedding(graph.keys, np.random.default_rng(2).random((16, 5)))
    emb = FastRP(dim=9).fit(graph, features=FEATURES, structure=given)
    np.testing.assert_allclose(emb.vectors[:, :5], given.unit(), rtol=1e-5)
    few = firth.Embedding(graph.keys[:4], np.ones((4, 5)))
    with pytest.raises(KeyError):
        FastRP(dim=9).fit(graph, features=FEATURES, structure=few)


def test_isolated_nodes_are_zeros_and_counted():
    emb = FastRP(dim=8).fit(Graph([(0, 1)], nodes=4))
    assert emb.metadata["isolated"] == 2
    assert not emb.vectors[2:].any()


BAD = [
    ({"features": FEATURES[:3]}, ValueError, "expected a row for each of the 16 nodes"),
    ({"features": np.full((16, 3), "a")}, TypeError, "expected numbers"),
    ({"features": np.where(np.arange(16)[:, None] == 5, np.nan, 1.0)}, ValueError, "of node 5 are"),
    ({"features": np.ones((16, 1))}, ValueError, "expected 1 to 1"),
    ({"structure": 3, "features": FEATURES}, TypeError, "structure is int"),
    ({"structure": firth.Embedding(["0"], [[1.0]])}, ValueError, "leaves nothing to do"),
]


@pytest.mark.parametrize(("given", "error", "says"), BAD)
def test_bad_input_is_named(given, error, says):
    with pytest.raises(error, match=says):
        FastRP(dim=8).fit(cliques(), **given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"dim": 0}, "dim=0"),
        ({"weights": ()}, "weights="),
        ({"weights": (float("nan"),)}, "weights="),
        ({"hops": -1}, "hops=-1"),
        ({"feature_share": 2}, "feature_share=2"),
        ({"projection": "pca"}, "projection='pca'"),
    ],
)
def test_hyper_parameters_out_of_range_are_named(given, says):
    with pytest.raises(ValueError, match=says):
        FastRP(**given)


def test_without_scipy_the_extra_is_named(monkeypatch):
    graph = cliques()
    monkeypatch.setitem(sys.modules, "scipy.sparse.linalg", None)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match=r"firth\[scipy\]"):
        FastRP(dim=8).fit(graph)


def test_cora_with_its_words_is_clearly_better_than_without(data):
    folder = data / "graphs" / "cora"
    with np.load(folder / "features.npz") as parts:
        arrays = [parts[name] for name in ("data", "indices", "indptr")]
        words = scipy.sparse.csr_array(tuple(arrays), shape=tuple(parts["shape"]))
    with gzip.open(folder / "labels.tsv.gz", "rt") as file:
        labels = dict(line.split() for line in file)
    graph = Graph.read(folder / "edges.tsv.gz")
    plain = firth.Node2Vec(dim=64, threads=1).fit(graph)
    known = FastRP(dim=128).fit(graph, features=words, structure=plain)
    scores = [
        firth.evaluate.node_classification(emb, labels, repeats=2, scale="unit").micro_f1
        for emb in (plain, known)
    ]
    assert scores[1] > scores[0] + 0.04
