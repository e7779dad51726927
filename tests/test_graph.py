"""Graph: what becomes of edges and nodes; types, copies and walks."""

import copy
import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import Corpus, Graph, Word2Vec
from graphs import KARATE, cells, same

NAMES = ["a", "b", "é", "10", "9", "-1", "007", "x y", "\udcff", "z" * 40]
WEIGHTS = [0.1, 0.25, 1 / 3, 1.0, 2.5, 1e-30, 1e20]
edges = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(WEIGHTS)),
    min_size=1,
    max_size=40,
)


def columns(rows):
    return tuple(map(list, zip(*rows, strict=True)))


def wanted(rows, directed, loops, twins):
    """Return what cells should be, by a dictionary."""
    found = {}
    for a, b, weight in rows:
        if a == b and not loops:
            continue
        ends = {(a, b)} if directed else {(a, b), (b, a)}
        for pair in ends:
            found.setdefault(pair, []).append(weight)
    merged = {
        "sum": lambda some: math.fsum(sorted(some)),
        "max": max,
        "first": lambda some: some[0],
    }
    return {pair: merged[twins](some) for pair, some in found.items()}


# ---- what becomes of edges ----------------------------------------------------------------------


@given(rows=edges, directed=st.booleans(), loops=st.booleans(), weighted=st.booleans())
@pytest.mark.parametrize("twins", ["sum", "max", "first"])
def test_edges_are_those_of_a_dictionary(rows, directed, loops, weighted, twins):
    graph = Graph(
        columns(rows),
        directed=directed,
        loops=loops,
        twins=twins,
        weighted=None if weighted else False,
    )
    found, expected = cells(graph), wanted(rows, directed, loops, twins)
    assert found.keys() == expected.keys()
    for pair, weight in found.items():
        assert weight == (pytest.approx(expected[pair], rel=1e-7) if weighted else 1)
    assert set(graph.keys) == {end for row in rows for end in row[:2]}
    once = {frozenset(pair) for pair in expected}
    assert graph.edges == len(expected if directed else once)
    assert (graph.weighted, graph.directed) == (weighted, directed)
    touched = {end for pair in expected for end in pair}
    assert [graph.keys[row] for row in graph.isolated] == [
        k for k in graph.keys if k not in touched
    ]
    assert {graph.keys[a] + "|" + graph.keys[b] for a, b in graph.pairs()} <= {
        a + "|" + b for a, b in expected
    }
    assert len(graph.pairs()) == graph.edges


@given(rows=edges, directed=st.booleans(), random=st.randoms(use_true_random=False))
def test_the_order_of_edges_changes_nothing(rows, directed, random):
    shuffled = [(a, b, w) if directed or random.random() < 0.5 else (b, a, w) for a, b, w in rows]
    random.shuffle(shuffled)
    for twins in ("sum", "max"):
        one, other = (
            Graph(columns(some), directed=directed, twins=twins) for some in (rows, shuffled)
        )
        assert same(one, other)


@given(
    pairs=st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-30, 30)), min_size=1, max_size=30
    )
)
def test_whole_numbers_are_in_their_order(pairs):
    graph = Graph(np.array(pairs))
    assert graph.keys == [str(n) for n in sorted({n for pair in pairs for n in pair})]
    if all(abs(a) < 10**18 for a, _ in pairs):
        assert same(graph, Graph([(str(a), str(b)) for a, b in pairs]))


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["10", "9", "-1", "0"], ["-1", "0", "9", "10"]),
        (["10", "9", "x"], ["10", "9", "x"]),
        (["10", "9", "007"], ["007", "10", "9"]),
        (["10", "9", "1.0"], ["1.0", "10", "9"]),
        (["10", "9", "٣"], ["10", "9", "٣"]),
        (["10", "9", "-0"], ["-0", "10", "9"]),
        (["10", "9", "3\n4"], ["10", "3\n4", "9"]),
        (["10", "9", "1" * 19], ["10", "1" * 19, "9"]),
        (["b", "a", "B"], ["B", "a", "b"]),
    ],
)
def test_rows_are_in_the_order_of_numbers_or_else_of_texts(names, keys):
    assert Graph((names, names[::-1])).keys == keys


def test_many_nodes_are_dealt_out_and_sorted():
    rng = np.random.default_rng(3)
    pairs = np.stack([(400_000 * rng.random(600_000) ** 3), 4e5 * rng.random(600_000)], axis=1)
    pairs = pairs.astype(np.int64) * 3
    graph = Graph(pairs)
    assert graph.keys == sorted({str(one) for one in pairs.reshape(-1).tolist()}, key=int)
    ids = np.searchsorted(np.array(graph.keys, np.int64), pairs)
    ids = ids[ids[:, 0] != ids[:, 1]]
    numbers = np.sort(np.concatenate([ids, ids[:, ::-1]]) @ [2**32, 1])
    numbers = numbers[np.diff(numbers, prepend=-1) > 0]
    rows = np.repeat(np.arange(len(graph)), graph.degrees)
    assert np.array_equal(rows * 2**32 + graph.csr.indices, numbers)
    far = Graph(pairs * 10**12)  # too far apart for a table of all numbers
    assert np.array_equal(far.csr.indices, graph.csr.indices)
    assert far.keys[1:] == [f"{key}000000000000" for key in graph.keys[1:]]
    names = Graph(tuple(np.char.add("n", pairs[:100_000, i].astype(str)) for i in (0, 1)))
    assert names.keys == sorted(names.keys)
    assert len(names.keys) > 1 << 16


def test_sums_of_twins_do_not_depend_on_their_order():
    weights = np.random.default_rng(1).random(1000) * 10.0 ** np.arange(1000).__mod__(12)
    ends = np.zeros(1000, np.int64), np.ones(1000, np.int64)
    graphs = [Graph((*ends, some)) for some in (weights, weights[::-1], np.roll(weights, 17))]
    assert len({graph.csr.data.tobytes() for graph in graphs}) == 1


# ---- nodes, types, copies -----------------------------------------------------------------------


def test_nodes_that_are_given_come_first_in_their_order():
    graph = Graph([("c", "a"), ("b", "a")], nodes=["lonely", "c", "b"])
    assert graph.keys == ["lonely", "c", "b", "a"]
    assert (graph.neighbours("a"), graph.isolated.tolist()) == (["c", "b"], [0])
    assert Graph([(7, 9)], nodes=[9, 8, 7]).keys == ["9", "8", "7"]
    assert Graph([], nodes=3).isolated.tolist() == [0, 1, 2]


def test_nodes_are_found_by_name_and_number():
    graph = Graph([(7, 9), (9, 12)], directed=True)
    assert (graph.row("9"), graph.row(9), graph.index["12"]) == (1, 1, 2)
    assert 9 in graph
    assert "9" in graph
    assert "x" not in graph
    assert (graph.neighbours(9), graph.degrees.tolist()) == (["12"], [1, 1, 0])
    for unknown in (8, "x", True, None, ["9"]):
        with pytest.raises(KeyError, match="is not one of the 3 nodes"):
            graph.row(unknown)


def test_types():
    graph = Graph([("a", "p"), ("b", "p")])
    typed = graph.with_types({"a": 10, "b": 9, "p": 10})
    assert (typed.types.tolist(), typed.type_names) == ([1, 0, 1], ["9", "10"])
    assert graph.types is None
    assert Graph([(0, 5)], types={0: "x", 5: "y"}).type_names == ["x", "y"]
    assert graph.with_types(np.array([0, 0, 1])).types.dtype == np.uint32
    assert repr(typed) == "Graph(3 nodes, 2 edges, 2 types)"
    for types, message in (
        ({"a": 1, "b": 2}, "with_types: types has none for node 'p'"),
        ({"a": 1, "b": 2, "p": 3, "q": 4}, "types has node 'q', which the graph has not"),
        ([1, 2], "types has 2 types for 3 nodes"),
        ("abc", "types is str, expected a mapping"),
        (5, "types is int, expected a mapping"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            graph.with_types(types)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_copies_are_the_same_and_read_only(way):
    graph = Graph([("a", "b", 2.0), ("b", "c", 1.0)], types=["x", "y", "x"])
    again = way(graph)
    assert same(graph, again)
    assert again.types.tolist() == [0, 1, 0]
    assert again.type_names == ["x", "y"]
    for array in (again.csr.indptr, again.csr.indices, again.csr.data, again.types):
        assert not array.flags.writeable


# ---- walks --------------------------------------------------------------------------------------


def test_walks_are_a_corpus_like_any_other(tmp_path):
    graph = Graph(KARATE, nodes=36)
    corpus = graph.walks(3, 20, p=0.5, q=2, seed=7)
    assert len(corpus) == 3 * 34
    assert len(corpus.ids) == 3 * 34 * 20
    for walk in range(len(corpus)):
        steps = corpus.sentence(walk)
        assert all(b in graph.neighbours(a) for a, b in itertools.pairwise(steps))
    assert [corpus.sentence(walk)[0] for walk in range(34)] == graph.keys[:34]
    assert pickle.loads(pickle.dumps(corpus.vocabulary)) == corpus.vocabulary
    assert np.array_equal(
        np.bincount(corpus.ids, minlength=len(corpus.vocabulary)), corpus.vocabulary.counts
    )
    corpus.save(tmp_path / "walks")
    assert np.array_equal(Corpus.load(tmp_path / "walks").ids, corpus.ids)
    assert len(Word2Vec(dim=8, min_count=1, threads=1).fit(corpus)) == len(corpus.vocabulary)
    again = graph.walks(3, 20, p=0.5, q=2, seed=7, threads=2)
    assert np.array_equal(again.ids, corpus.ids)


def test_walks_along_a_path_of_types():
    papers = Graph([("ann", "x"), ("bob", "x"), ("bob", "y"), ("x", "venue"), ("zoe", "ann")])
    types = {"ann": "author", "bob": "author", "zoe": "author", "x": "paper", "y": "paper"}
    papers = papers.with_types(types | {"venue": "venue"})
    corpus = papers.walks(2, 7, metapath=["author", "paper"])
    starts = {corpus.sentence(walk)[0] for walk in range(len(corpus))}
    assert starts == {"ann", "bob"}
    for walk in range(len(corpus)):
        steps = corpus.sentence(walk)
        assert [types[one] for one in steps] == (["author", "paper"] * 4)[: len(steps)]
    for metapath, message in (
        (["author", "book"], "metapath has 'book', expected types: 'author', 'paper', 'venue'"),
        ([], "metapath is empty"),
        ("author", "metapath='author' is not a sequence of types"),
        (["venue", "author"], "no walk can begin"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            papers.walks(metapath=metapath)
    with pytest.raises(ValueError, match="metapath needs a graph with types"):
        Graph(KARATE).walks(metapath=["a"])
    with pytest.raises(ValueError, match="no walk can begin, expected nodes with edges"):
        Graph([], nodes=3).walks()
    with pytest.raises(ValueError, match=r"Graph\.walks: walks=0 is not between 1 and"):
        Graph(KARATE).walks(0)
