"""Problems of walks: graphs with weights and types, and rules that reach the kernel's corners."""

import itertools

import numpy as np
from hypothesis import strategies as st

import oracle
from firth import kernels
from matrices import csr_of

RULE = ("length", "p", "q", "restart", "path", "seed", "first")
BIASES = [1.0, 1.0, 0.5, 2.0, 0.25, 4.0, 1e-3, 1e3, 2.0**-20, 2.0**20]
WEIGHTS = {
    "none": None,
    "alike": [2.5],
    "few": [1.0, 2.0, 3.0],
    "far apart": [1e-30, 1e-8, 1.0, 1e8, 1e30],
    "nearly alike": [1.0, float(np.nextafter(np.float32(1), np.float32(2)))],
}


def edges(rng, nodes, dense, directed, weights):
    """Return {(from, to): weight} of a graph by chance, with loops."""
    pairs = np.argwhere(rng.random((nodes, nodes)) < dense).tolist()
    found = {(v, x): float(rng.choice(weights)) for v, x in pairs}
    return found if directed else {**found, **{(x, v): w for (v, x), w in found.items()}}


@st.composite
def problems(draw, most_nodes=12):
    """Draw a graph, starts and a rule."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    nodes = draw(st.integers(1, most_nodes))
    dense = draw(st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0]))
    weights = WEIGHTS[draw(st.sampled_from(sorted(WEIGHTS)))]
    kinds = draw(st.sampled_from([None, None, 1, 2, 3]))
    path = None
    if kinds:
        path = draw(st.lists(st.integers(0, kinds - 1), min_size=1, max_size=4))
    return {
        "nodes": nodes,
        "edges": edges(rng, nodes, dense, draw(st.booleans()), weights or [1.0]),
        "weighted": weights is not None,
        "types": rng.permutation(np.arange(nodes) % kinds) if kinds else None,
        "starts": rng.integers(0, nodes, draw(st.integers(0, 12))).astype(np.uint32),
        "length": draw(st.sampled_from([1, 2, 3, 5, 12])),
        "p": draw(st.sampled_from(BIASES)),
        "q": draw(st.sampled_from(BIASES)),
        "restart": draw(st.sampled_from([0.0, 0.0, 0.2, 1 - 2.0**-40])),
        "path": path,
        "seed": draw(st.integers(0, 2**64 - 1)),
        "first": draw(st.sampled_from([0, 7, 2**32 - 3, 2**63 - 13])),
    }


def transitions_of(problem):
    """Return the transitions of a problem; paths of a single type may use less types."""
    nodes, types = problem["nodes"], problem["types"]
    graph = csr_of(problem["edges"], (nodes, nodes), np.float32)
    return kernels.transitions(graph, weighted=problem["weighted"], types=types)


def rule_of(problem, transitions):
    """Return the arguments of `kernels.walks`; of a path, the types that the graph has."""
    rule = {name: problem[name] for name in RULE}
    if rule["path"] is not None:
        rule["path"] = [kind % transitions.types for kind in rule["path"]]
    return rule


def run(problem, on, threads=1, **change):
    """Return the walks as lists of nodes."""
    transitions = transitions_of(problem)
    rule = {**rule_of(problem, transitions), **change}
    starts = rule.pop("starts", problem["starts"])
    return lists_of(kernels.walks(transitions, starts, **rule, threads=threads, **on))


def lists_of(walked):
    ids, offsets = walked.ids.tolist(), walked.offsets.tolist()
    return [ids[a:b] for a, b in itertools.pairwise(offsets)]


def define(problem):
    """Return the oracle's walks."""
    transitions = transitions_of(problem)
    rule = rule_of(problem, transitions)
    rule["path"] = rule["path"] or [0]
    arrays = transitions.indptr, transitions.indices, transitions.thresholds
    return oracle.walks(*arrays, starts=problem["starts"], types=transitions.types, **rule)
