"""walks and transitions: what is wrong with a call is named."""

import numpy as np
import pytest

from firth import kernels
from firth.csr import CSR
from matrices import csr_of


@pytest.fixture
def graph():
    """0 -> 1 -> 2 -> 0, and 0 -> 2."""
    return csr_of({(0, 1): 1.0, (0, 2): 3.0, (1, 2): 1.0, (2, 0): 1.0}, (3, 3), np.float32)


def changed(graph, **parts):
    arrays = {"indptr": graph.indptr, "indices": graph.indices, "data": graph.data, "columns": 3}
    return CSR(**{**arrays, **parts})


def data(*values):
    return np.array(values, np.float32)


def columns(*values):
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    ("parts", "error", "says"),
    [
        ({"columns": 4}, ValueError, "graph is 3 x 4, expected as many rows as columns"),
        ({"columns": 2}, ValueError, r"graph.indices\[1\] is 2, expected one from 0 to 1"),
        ({"columns": -7}, ValueError, "graph.columns=-7"),
        ({"columns": 3.0}, TypeError, "graph.columns must be an integer, got float"),
        ({"indptr": np.array([0, 2, 3])}, ValueError, "graph.indptr goes from 0 to 3, expected f"),
        ({"indptr": np.array([0, 3, 2, 4])}, ValueError, r"graph.indptr\[2\] is 2, below the 3"),
        ({"indptr": np.array([1, 2, 3, 4])}, ValueError, "graph.indptr goes from 1 to 4"),
        ({"indptr": np.array([], np.int64)}, ValueError, "graph.indptr goes nowhere"),
        ({"indptr": columns(0, 2, 3, 4)}, TypeError, "graph.indptr must be an int64 array, got i"),
        ({"indptr": np.zeros((2, 2), np.int64)}, ValueError, r"graph.indptr has shape \(2, 2\)"),
        ({"indptr": np.array([0, 0, 2, 0, 3, 0, 4])[::2]}, ValueError, "graph.indptr must be C-co"),
        ({"indices": columns(1, 3, 2, 0)}, ValueError, r"graph.indices\[1\] is 3, expected one"),
        ({"indices": columns(1, -1, 2, 0)}, ValueError, r"graph.indices\[1\] is -1, expected one"),
        ({"indices": columns(2, 1, 2, 0)}, ValueError, r"graph.indices\[1\] is 1, not above the 2"),
        ({"indices": columns(2, 2, 2, 0)}, ValueError, r"graph.indices\[1\] is 2, not above the 2"),
        ({"indices": np.array([1, 2, 2, 0])}, TypeError, "graph.indices must be an int32 array"),
        ({"indices": [1, 2, 2, 0]}, TypeError, "graph.indices must be an int32 array, got list"),
        ({"data": data(1, 3, 1)}, ValueError, r"graph.data has shape \(3,\), expected \(4,\)"),
        ({"data": data(1, 3, np.nan, 1)}, ValueError, r"graph.data\[2\] is nan, expected a finite"),
        ({"data": data(1, 3, np.inf, 1)}, ValueError, r"graph.data\[2\] is inf, expected a finite"),
        ({"data": data(1, 3, -1, 1)}, ValueError, r"graph.data\[2\] is -1.0, expected a finite"),
        ({"data": data(1, 3, 0, 1)}, ValueError, r"graph.data\[2\] is 0.0, expected a finite"),
        ({"data": data(1, 3, 1e-42, 1)}, ValueError, r"graph.data\[2\] is .*, expected a finite"),
        ({"data": np.ones(4)}, TypeError, "graph.data must be a float32 array, got float64"),
        ({"data": np.ones(8, np.float32)[::2]}, ValueError, "graph.data must be C-contiguous"),
        ({"data": np.ma.ones(4, np.float32)}, TypeError, "graph.data must be a float32 array, got"),
    ],
)
def test_a_graph_that_is_none_is_named(graph, parts, error, says):
    with pytest.raises(error, match=f"^transitions: {says}"):
        kernels.transitions(changed(graph, **parts))


@pytest.mark.parametrize("graph", [None, np.ones((3, 3), np.float32), [(0, 1)]])
def test_what_is_no_matrix_is_named(graph):
    with pytest.raises(TypeError, match=r"^transitions: graph is \w+, expected CSR"):
        kernels.transitions(graph)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"weighted": 1}, TypeError, "weighted=1 is not False or True"),
        ({"weighted": None}, TypeError, "weighted=None is not False or True"),
        ({"types": [0, 1]}, TypeError, r"types is int64 of shape \(2,\), expected whole numbers"),
        ({"types": [[0], [1], [0]]}, TypeError, r"types is int64 of shape \(3, 1\), expected who"),
        ({"types": [0.0, 1.0, 0.0]}, TypeError, r"types is float64 of shape \(3,\), expected who"),
        ({"types": ["a", "b", "a"]}, TypeError, r"types is .* of shape \(3,\), expected whole nu"),
        ({"types": [True, False, True]}, TypeError, r"types is bool of shape \(3,\), expected w"),
        ({"types": 0}, TypeError, r"types is int64 of shape \(\), expected whole numbers"),
        ({"types": [0, -1, 0]}, ValueError, r"types\[1\] is -1, not between 0 and 65535"),
        ({"types": [0, 1, 2**16]}, ValueError, r"types\[2\] is 65536, not between 0 and 65535"),
        ({"types": np.array([0, 1, 2**64 - 1], np.uint64)}, ValueError, r"types\[2\] is 18446"),
    ],
)
def test_what_is_wrong_with_transitions_is_named(graph, change, error, says):
    with pytest.raises(error, match=f"^transitions: {says}"):
        kernels.transitions(graph, **change)


def starts(*nodes):
    return np.array(nodes, np.uint32)


WRONG = [
    ({"starts": [0, 1]}, TypeError, "starts must be an uint32 array, got list"),
    ({"starts": np.array([0, 1])}, TypeError, "starts must be an uint32 array, got int64"),
    ({"starts": starts(0, 3)}, ValueError, r"starts\[1\] is 3, expected one of the 3 nodes"),
    ({"starts": starts(2**32 - 1)}, ValueError, r"starts\[0\] is 4294967295, expected one of"),
    ({"starts": starts([0, 1])}, ValueError, r"starts has shape \(1, 2\), expected \(any,\)"),
    ({"starts": np.uint32(1)}, ValueError, r"starts has shape \(\), expected"),
    ({"starts": starts(0, 1, 2, 0)[::2]}, ValueError, "starts must be C-contiguous"),
    ({"starts": None}, TypeError, "starts must be an uint32 array, got NoneType"),
    ({"length": 0}, ValueError, "length=0 is not between 1 and 1048576"),
    ({"length": 2**20 + 1}, ValueError, "length=1048577 is not between 1 and 1048576"),
    ({"length": 3.0}, TypeError, "length must be an integer, got float"),
    ({"length": True}, TypeError, "length must be an integer, got bool"),
    ({"p": 0}, ValueError, "p=0 is not between 9.53674e-07 and 1.04858e"),
    ({"p": -1.0}, ValueError, "p=-1 is not between"),
    ({"p": float("nan")}, ValueError, "p=nan is not between"),
    ({"p": "1"}, TypeError, "p must be a number, got str"),
    ({"q": float("inf")}, ValueError, "q=inf is not between"),
    ({"q": 2.0**20 * 1.01}, ValueError, r"q=1.05906e\+06 is not between"),
    ({"q": 2.0**-21}, ValueError, "q=4.76837e-07 is not between"),
    ({"q": np.ones(2)}, TypeError, "q must be a number, got"),
    ({"restart": 1}, ValueError, "restart=1 is not between 0 and 1"),
    ({"restart": -0.1}, ValueError, "restart=-0.1 is not between 0 and 1"),
    ({"restart": float("nan")}, ValueError, "restart=nan is not between 0 and 1"),
    ({"seed": -1}, ValueError, "seed=-1 is not between 0 and 18446744073709551615"),
    ({"seed": 2**64}, ValueError, "seed=18446744073709551616 is not between"),
    ({"seed": None}, TypeError, "seed must be an integer, got NoneType"),
    ({"first": -1}, ValueError, "first=-1 is not between 0 and 9223372036854775807"),
    ({"first": 2**63}, ValueError, "first=9223372036854775808 is not between"),
    ({"first": 0.5}, TypeError, "first must be an integer, got float"),
    ({"threads": 0}, ValueError, "threads=0 is not between 1 and 4096"),
    ({"threads": 1.5}, TypeError, "threads must be an integer, got float"),
    ({"path": [1]}, ValueError, r"path\[0\] is 1, expected one of the graph's 1 types"),
    ({"path": [0, -1]}, ValueError, r"path\[1\] is -1, expected one of the graph's 1 types"),
    ({"path": []}, TypeError, r"path is .* of shape \(0,\), expected 1 to 65536 types"),
    ({"path": [[0]]}, TypeError, r"path is int64 of shape \(1, 1\), expected 1 to 65536 types"),
    ({"path": 0}, TypeError, r"path is int64 of shape \(\), expected 1 to 65536 types"),
    ({"path": [0.0]}, TypeError, r"path is float64 of shape \(1,\), expected 1 to 65536 types"),
    ({"path": ["a"]}, TypeError, r"path is .* of shape \(1,\), expected 1 to 65536 types"),
    ({"path": np.zeros(2**16 + 1, int)}, TypeError, r"path is int64 of shape \(65537,\), expect"),
    ({"path": np.array([2**64 - 1], np.uint64)}, ValueError, r"path\[0\] is 18446744073709551615"),
]


@pytest.mark.parametrize(("change", "error", "says"), WRONG)
def test_what_is_wrong_with_a_call_is_named(on, graph, change, error, says):
    good = {"starts": starts(0, 1)}
    with pytest.raises(error, match=f"^walks: {says}"):
        kernels.walks(kernels.transitions(graph), **{**good, **change}, **on)


@pytest.mark.parametrize("graph", [None, [[1]], CSR(np.array([0]), columns(), data())])
def test_what_are_no_transitions_is_named(on, graph):
    with pytest.raises(TypeError, match=r"^walks: graph is \w+, expected Transitions"):
        kernels.walks(graph, starts(0), **on)


def test_a_graph_with_types_needs_a_path_of_those_that_are_there(on, graph):
    typed = kernels.transitions(graph, types=[0, 1, 2])
    with pytest.raises(ValueError, match=r"^walks: path is missing, expected one of the graph's 3"):
        kernels.walks(typed, starts(0), **on)
    with pytest.raises(ValueError, match=r"^walks: path\[2\] is 3, expected one of the graph's 3"):
        kernels.walks(typed, starts(0), path=[0, 1, 3], **on)


def test_arrays_that_may_not_be_written_to_are_read(on, graph):
    """Nothing that walks are made of is changed, so that mapped files serve, too."""
    read_only = starts(0, 1, 2)
    for array in (graph.indptr, graph.indices, graph.data, read_only):
        array.flags.writeable = False
    for types, path in ((None, None), (np.array([0, 1, 1]), [0, 1])):
        transitions = kernels.transitions(graph, types=types)
        for array in (transitions.indptr, transitions.indices, transitions.thresholds):
            array.flags.writeable = False
        walked = kernels.walks(transitions, read_only, length=4, p=0.5, path=path, **on)
        assert len(walked.offsets) == 4
