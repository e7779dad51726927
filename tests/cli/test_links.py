"""``firth links``: pairs that may be next, edges held out, vectors judged, and wrong usage."""

import json

import numpy as np
import pytest

import firth
from firth.evaluate import link_prediction, link_ranking, predict_links, split_links
from graphs import KARATE


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "karate.tsv"
    path.write_text("".join(f"m{a}\tm{b}\n" for a, b in KARATE))
    return path


@pytest.fixture
def vectors(tmp_path):
    numbers = np.random.default_rng(0).standard_normal((34, 8)).astype(np.float32)
    firth.Embedding([f"m{i}" for i in range(34)], numbers).save(tmp_path / "nodes")
    return tmp_path / "nodes"


def named(graph, found):
    return [
        [graph.keys[a], graph.keys[b], pytest.approx(score, abs=6e-5)]
        for (a, b), score in zip(found.pairs.tolist(), found.scores.tolist(), strict=True)
    ]


def test_pairs_that_may_be_next_are_printed(call, graph, vectors):
    whole, embedding = firth.Graph.read(graph), firth.load(vectors)
    code, out, err = call("links", graph, vectors, "-k", 5)
    assert (code, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [[a, b, float(x)] for a, b, x in rows] == named(
        whole, predict_links(embedding, whole, 5)
    )
    _, out, _ = call("links", graph, vectors, "-k", 2, "--nodes", "m5", "m0", "--metric", "dot")
    found = predict_links(embedding, whole, 2, nodes=["m5", "m0"], metric="dot")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [[a, b, float(x)] for a, b, x in rows] == named(whole, found)


def test_pairs_as_json(call, graph, vectors):
    _, out, _ = call("links", graph, vectors, "-k", 1, "--nodes", "m5", "--json")
    assert json.loads(out).keys() == {"source", "target", "score"}
    assert json.loads(out)["source"] == "m5"


@pytest.mark.parametrize("out", ["train.tsv", "-"])
def test_what_is_left_to_learn_from_is_written(call, graph, tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    code, printed, err = call("links", graph, "--hold-out", out, "--test", 0.2, "--seed", 7)
    assert (code, err) == (0, "")
    if out == "-":
        (tmp_path / "train.tsv").write_text(printed)
    else:
        assert printed == ""
    train = firth.Graph.read(tmp_path / "train.tsv")
    wanted = split_links(firth.Graph.read(graph), test=0.2, seed=7).train
    edges = [
        {frozenset(one.keys[row] for row in pair) for pair in one.pairs().tolist()}
        for one in (train, wanted)
    ]
    assert edges[0] == edges[1]
    assert len(edges[0]) == 78 - 8 - 16


def test_weights_and_directions_are_written(call, tmp_path):
    path, out = tmp_path / "graph.tsv", tmp_path / "train.tsv"
    edges = [(a, b, (a + 1) / (b + 1)) for a, b in KARATE]
    path.write_text("".join(f"{b}\t{a}\t{w}\n" for a, b, w in edges))
    code, printed, _ = call("links", path, "--directed", "--hold-out", out, "--json")
    assert code == 0
    assert json.loads(printed) == {"output": str(out), "edges": 62, "held_out": 16}
    train = firth.Graph.read(out, directed=True)
    wanted = split_links(firth.Graph.read(path, directed=True)).train
    assert train.weighted
    assert train.csr.data.tolist() == wanted.csr.data.tolist()
    assert train.pairs().tolist() == wanted.pairs().tolist()


def test_vectors_are_judged_by_the_edges_held_out(call, graph, vectors):
    flags = ["--judge", "--test", 0.2, "--seed", 7, "--operator", "dot"]
    code, out, err = call("links", graph, vectors, *flags, "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    split = split_links(firth.Graph.read(graph), test=0.2, seed=7)
    embedding = firth.load(vectors)
    found, ranked = link_prediction(embedding, split, "dot"), link_ranking(embedding, split)
    assert (facts["auc"], facts["mrr"], facts["edges"]) == (found.auc, found.mrr, 16)
    assert (facts["hits@10"], facts["ranking_hits@10"]) == (found.hits[10], ranked.hits[10])
    _, out, _ = call("links", graph, vectors, *flags)
    assert out.splitlines()[:2] == ["operator\tdot", f"auc\t{found.auc:.4f}"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "VECTORS are needed without --hold-out"),
        (["VECTORS", "--hold-out", "out"], "--hold-out takes no VECTORS"),
        (["VECTORS", "--judge", "--nodes", "m0"], "not allowed with argument"),
    ],
)
def test_wrong_usage_is_named(call, graph, vectors, argv, message):
    argv = [vectors if one == "VECTORS" else one for one in argv]
    code, out, err = call("links", graph, *argv)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--nodes", "m99"], "predict_links: node 'm99' is not in the graph"),
        (["-k", 0], "predict_links: k=0 is not between 1"),
        (["--judge", "--test", 0.85], "split_links: 74 edges are to be held out"),
    ],
)
def test_errors_are_one_line(call, graph, vectors, argv, message):
    code, out, err = call("links", graph, vectors, *argv)
    assert (code, out) == (1, "")
    assert err.startswith("firth: error: ")
    assert message in err
    assert err.count("\n") == 1
