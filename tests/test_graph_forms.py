"""Graph: edges in any form, and what is said where they are none."""

import math
import sys

import numpy as np
import pytest

from firth import CSR, Graph
from graphs import KARATE, cells, same

# ---- forms of edges -----------------------------------------------------------------------------

FORMS = {
    "pairs": lambda a, b: list(zip(a, b, strict=True)),
    "a generator": lambda a, b: zip(a, b, strict=True),
    "lists": lambda a, b: [list(pair) for pair in zip(a, b, strict=True)],
    "an array": lambda a, b: np.stack([a, b], axis=1),
    "columns": lambda a, b: (a, b),
    "arrays of columns": lambda a, b: (np.array(a, np.uint16), np.array(b, np.int8)),
    "a range": lambda a, b: (a, map(int, b)),
    "texts": lambda a, b: (list(map(str, a)), np.array(list(map(str, b)))),
    "objects": lambda a, b: (np.array(a, object), np.array(list(b), object)),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_edges(form):
    a, b = [5, 7, 5, 120], [7, 5, 120, 5]
    graph = Graph(FORMS[form](a, b))
    assert (graph.keys, graph.edges) == (["5", "7", "120"], 2)
    assert graph.csr.data.tolist() == [1, 1, 1, 1]


def test_triples_have_weights():
    graph = Graph([("a", "b", 2), ("b", "c", 0.5), ("b", "a", 1)])
    assert graph.weighted
    assert cells(graph) == {("a", "b"): 3, ("b", "a"): 3, ("b", "c"): 0.5, ("c", "b"): 0.5}


@pytest.mark.parametrize("form", ["csr_array", "coo_matrix", "csc_array"])
def test_matrices_of_scipy(form):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.array([[0, 2, 0], [2, 5, 1], [0, 1, 0]])
    graph = Graph(getattr(sparse, form)(dense), nodes=["x", "y", "z"])
    assert cells(graph) == {("x", "y"): 2, ("y", "x"): 2, ("y", "z"): 1, ("z", "y"): 1}
    assert Graph(getattr(sparse, form)(dense), loops=True).csr.nnz == 5
    ones = getattr(sparse, form)((dense > 0).astype(bool))
    assert (Graph(ones).weighted, Graph(ones, weighted=True).weighted) == (False, True)
    one_way = getattr(sparse, form)(np.triu(dense))
    assert Graph(one_way, directed=True).pairs().tolist() == [[0, 1], [1, 2]]
    with pytest.raises(ValueError, match="Graph: the matrix is not symmetric between '0' and '1'"):
        Graph(one_way)
    assert len(Graph(getattr(sparse, form)((4, 4))).isolated) == 4


def test_the_matrix_of_a_graph_makes_it_again():
    graph = Graph(KARATE)
    assert same(graph, Graph(graph.csr))
    assert same(graph, Graph(graph.csr.to_scipy(), nodes=34))
    assert same(graph, graph.with_csr(graph.csr))
    bad = CSR(graph.csr.indptr, graph.csr.indices, np.full(156, np.nan, np.float32))
    with pytest.raises(ValueError, match=r"with_csr: csr.data\[0\] is nan"):
        graph.with_csr(bad)
    with pytest.raises(ValueError, match=r"csr has shape \(1, 1\), expected \(34, 34\)"):
        graph.with_csr(Graph([(0, 0)]).csr)
    with pytest.raises(ValueError, match="not symmetric between '0' and '2'"):
        Graph([(0, 1), (1, 2)]).with_csr(Graph([(0, 2)], nodes=3, directed=True).csr)


def test_graphs_of_networkx():
    networkx = pytest.importorskip("networkx")
    club = networkx.Graph(KARATE)
    assert same(Graph(club), Graph(KARATE))
    several = networkx.MultiDiGraph([("b", "a", {"weight": 2}), ("b", "a", {"weight": 3})])
    several.add_node(("c", 1))
    graph = Graph(several)
    assert (graph.directed, cells(graph)) == (True, {("b", "a"): 5})
    assert graph.keys[graph.isolated[0]] == "('c', 1)"
    several.add_edge("a", "b")
    with pytest.raises(ValueError, match="the edge from 'a' to 'b' has no weight, others do"):
        Graph(several)
    with pytest.raises(ValueError, match="two nodes of the graph have the same name as text"):
        Graph(networkx.Graph([(1, "1")]))
    with pytest.raises(ValueError, match="Graph: the graph is empty"):
        Graph(networkx.Graph())


class Data:
    """What PyTorch Geometric has, but with arrays."""

    def __init__(self, index, weight=None, nodes=None):
        self.edge_index, self.edge_weight = np.array(index), weight
        if nodes is not None:
            self.num_nodes = nodes


def test_edge_index():
    both = [[0, 1, 1, 2], [1, 0, 2, 1]]
    graph = Graph(Data(both, np.array([2, 2, 3, 3]), nodes=5))
    assert (graph.edges, len(graph), graph.isolated.tolist()) == (2, 5, [3, 4])
    assert graph.csr.data.tolist() == [2, 2, 3, 3]
    assert same(graph, Graph(Data([[0, 2], [1, 1]], np.array([[2.0], [3.0]]), nodes=5)))
    assert Graph(Data(both), directed=True).edges == 4
    assert Graph(Data(both), nodes=["a", "b", "c"]).neighbours("b") == ["a", "c"]
    with pytest.raises(ValueError, match=r"between '0' and '1' have the weights 1.0 and 2.0"):
        Graph(Data([[0, 1], [1, 0]], np.array([1, 2])))
    with pytest.raises(ValueError, match="edge_index has node 2, expected 0 to 1"):
        Graph(Data(both, nodes=2))
    with pytest.raises(ValueError, match="edge_index has node -1"):
        Graph(Data([[-1], [0]]))
    with pytest.raises(ValueError, match=r"edge_index is float64 of shape \(1, 2\)"):
        Graph(Data([[0.5, 1]]))


class Tensor:
    def __init__(self, values):
        self.values = np.array(values)

    def detach(self):
        return self

    cpu = detach

    def numpy(self):
        return self.values


def test_a_tensor_is_an_edge_index():
    assert Graph(Tensor([[0, 1, 2], [1, 2, 0]])).edges == 3


def test_tables_that_speak_arrow():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"from": ["a", "b", "é"], "to": ["b", "é", "a"], "w": [1, 2, 3]})
    graph = Graph(table)
    assert same(graph, Graph((["a", "b", "é"], ["b", "é", "a"], [1, 2, 3])))
    assert not Graph(table, weighted=False).weighted
    assert not Graph(table.set_column(2, "w", [["x", "y", "z"]])).weighted
    assert same(graph, Graph(table.set_column(0, "from", table["from"].dictionary_encode())))
    assert same(graph, Graph(table.cast(table.schema.set(1, pa.field("to", pa.large_string())))))
    assert same(graph, Graph(table.to_reader(max_chunksize=1)))
    assert same(Graph(pa.table({"a": [3, 70], "b": [70, 5]})), Graph([(3, 70), (70, 5)]))
    for broken, message in (
        (pa.table({"a": [1, None], "b": [1, 2]}), "column 'a' of the table has no value in row 1"),
        (pa.table({"a": [1]}), "the table has 1 columns, expected 2 or 3"),
        (pa.table({"a": ["x", "y"], "b": ["x", ""]}), "the table has an empty name in row 1"),
        (pa.table({"a": [1.5], "b": [2.5]}), "sources has float64, expected whole numbers or"),
        (pa.table({"a": ["x"], "b": [2]}), "column 'b' has int64, expected names"),
        (pa.table({"a": pa.array([], pa.string()), "b": pa.array([], pa.string())}), "is empty"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            Graph(broken)
    with pytest.raises(TypeError, match="column 'w' has string, expected numbers as weights"):
        Graph(table.set_column(2, "w", [["x", "y", "z"]]), weighted=True)


def test_arrow_without_pyarrow_says_what_is_missing(monkeypatch):
    table = pytest.importorskip("pyarrow").table({"a": [1], "b": [2]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="Graph: Arrow tables need pyarrow: pip install pyarrow"):
        Graph(table)


# ---- what is no graph ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ([], {}, "Graph: the graph is empty"),
        (np.zeros((0, 2), int), {}, "Graph: the graph is empty"),
        ([(0, 1, 1.0), (1, 2, -2.0)], {}, "edge 1, from '1' to '2', has the weight -2.0, expected"),
        ([(0, 1, 0)], {}, "edge 0, from '0' to '1', has the weight 0, expected"),
        ([(0, 1, math.nan)], {}, "has the weight nan"),
        ([(0, 1, math.inf)], {}, "has the weight inf"),
        ([(0, 1, 1e39)], {}, r"has the weight 1e\+39, expected a number from 1.2e-38 to 3.4e\+38"),
        ([(0, 1, 3e38), (1, 0, 3e38)], {}, "the weights from '0' to '1' add up to more than"),
        ([(0, 1)], {"weighted": True}, "weighted=True, but the edges have no weights"),
        ([(0, 1)], {"weighted": 1}, "weighted=1 is not False or True"),
        ([(0, 1)], {"loops": 0}, "loops=0 is not False or True"),
        ([(0, 1)], {"twins": "mean"}, "twins='mean' is neither 'sum', 'max' nor 'first'"),
        ([(0, 1)], {"nodes": 1}, "node '1' is not one of 0 to 0"),
        ([(0, 1)], {"nodes": 0}, "nodes=0 is not between 1 and"),
        ([("a", "b")], {"nodes": 3}, "node 'a' is not one of 0 to 2"),
        ([("a", "b")], {"nodes": ["a", "a"]}, "nodes has 'a' more than once"),
        ([("a", "b")], {"nodes": "ab"}, "nodes is str, expected whole numbers or names"),
        ([("a", 1)], {}, "sources and targets are names and whole numbers, expected one of both"),
        ([("a", "b"), (1, "b")], {}, r"sources\[1\] is 1, expected whole numbers or names"),
        ([(1.5, 2)], {}, r"sources\[0\] is 1.5, expected whole numbers or names"),
        ([(True, 2)], {}, r"sources\[0\] is True, expected"),
        ([("a", "b"), ("", "b")], {}, r"sources\[1\] is an empty name"),
        ([("a", "\ud800")], {}, r"targets\[0\] is '\\ud800', with a lone surrogate"),
        ([(2**63, 1)], {}, "sources has numbers beyond 64 bits"),
        (np.array([[2**63, 1]], np.uint64), {}, "sources has 9223372036854775808, expected"),
        ([(0, 1), (2,)], {}, r"edges\[1\]=\(2,\) is not a pair of nodes"),
        ([(0, 1, 1), (2, 3)], {}, r"edges\[1\]=\(2, 3\) is not two nodes and a weight"),
        (["ab", "cd"], {}, r"edges\[0\]='ab' is not a pair of nodes"),
        (
            "edges.tsv",
            {},
            "edges is str, expected pairs, arrays or a graph; Graph.read reads files",
        ),
        ({"a": "b"}, {}, "edges is dict, expected"),
        (5, {}, "edges is int, expected"),
        (np.zeros((2, 5), int), {}, r"edges has shape \(2, 5\), expected \(edges, 2\)"),
        (([0], [1, 2]), {}, "1 sources have 2 targets"),
        (([0], [1], [1, 2]), {}, "2 weights for 1 edges"),
        (([0], [1], ["x"]), {}, "weights are <U1"),
        (([0], [1], 5), {}, "weights is int, expected numbers"),
        (CSR(np.array([0, 1]), np.zeros(1, np.int32), np.ones(1), 2), {}, r"shape \(1, 2\)"),
        (CSR(np.array([0, 1]), np.full(1, 7, np.int32), np.ones(1)), {}, r"indices\[0\] is 7"),
    ],
)
def test_errors_name_what_is_wrong(given, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Graph(given, **options)
