"""walks against the oracle, bit for bit, on every backend and instruction set."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import walking
from firth import kernels
from firth._arrays import _walks
from matrices import csr_of


@given(problem=walking.problems())
def test_walks_equal_the_oracle(on, problem):
    assert walking.run(problem, on) == walking.define(problem)


EXTREMES = [(2.0**20, 1.0), (2.0**20, 2.0**20), (2.0**-20, 2.0**-20), (1.0, 2.0**-20), (3.0, 1e-4)]


@pytest.mark.parametrize(("p", "q"), EXTREMES)
@pytest.mark.parametrize("weights", sorted(walking.WEIGHTS))
def test_walks_equal_the_oracle_where_sums_decide(on, weights, p, q):
    """Where the way back or all that is near is accepted too rarely for the trials."""
    rng = np.random.default_rng(3)
    several = walking.WEIGHTS[weights] or [1.0]
    chain = {(v, v + 1): float(rng.choice(several)) for v in range(9)}
    chain |= {(x, v): w for (v, x), w in chain.items()}
    clique = walking.edges(rng, 6, 1.0, False, several)
    problem = {
        "nodes": 16, "edges": chain | {(v + 10, x + 10): w for (v, x), w in clique.items()},
        "weighted": weights != "none", "types": None, "path": None, "length": 12, "p": p, "q": q,
        "starts": rng.integers(0, 16, 30).astype(np.uint32), "restart": 0.0, "seed": 5, "first": 0,
    }  # fmt: skip
    assert walking.run(problem, on) == walking.define(problem)


def test_walks_equal_the_oracle_at_a_hub(on):
    """A node with many more edges than a trial has lanes, and two that are near each other."""
    rng = np.random.default_rng(1)
    weights = rng.gamma(1, 1, 700).tolist()
    star = {(0, x): w for x, w in enumerate(weights, 1)} | {(3, 4): 1.0, (5, 4): 2.0}
    star |= {(x, v): w for (v, x), w in star.items()}
    for p, q in [(0.25, 4.0), (4.0, 0.25), (2.0**20, 2.0**10)]:
        problem = {
            "nodes": 701, "edges": star, "weighted": True, "types": None, "path": None,
            "starts": np.array([0, 1, 4, 4, 5], np.uint32), "length": 8, "p": p, "q": q,
            "restart": 0.0, "seed": 9, "first": 0,
        }  # fmt: skip
        assert walking.run(problem, on) == walking.define(problem)


@pytest.mark.parametrize("restart", [0.0, 0.3])
@pytest.mark.parametrize(("p", "q"), [(1.0, 1.0), (0.5, 3.0)])
def test_walks_along_a_path_of_types_equal_the_oracle(on, p, q, restart):
    """Restarts begin the path again, too."""
    rng = np.random.default_rng(6)
    problem = {
        "nodes": 30, "edges": walking.edges(rng, 30, 0.4, False, [1.0, 2.0]), "weighted": True,
        "types": np.arange(30) % 3, "path": [0, 1, 2, 1], "length": 14, "p": p, "q": q,
        "starts": np.arange(30, dtype=np.uint32), "restart": restart, "seed": 5, "first": 0,
    }  # fmt: skip
    walks = walking.run(problem, on)
    assert walks == walking.define(problem)
    assert min(map(len, walks)) > 4


@given(problem=walking.problems(), threads=st.integers(2, 3), data=st.data())
def test_threads_and_cuts_change_no_walk(on, problem, threads, data):
    whole = walking.run(problem, on)
    assert walking.run(problem, on, threads) == whole
    starts, first = problem["starts"], problem["first"]
    cut = data.draw(st.integers(0, len(starts)))
    begin = walking.run(problem, on, starts=starts[:cut])
    assert begin + walking.run(problem, on, starts=starts[cut:], first=first + cut) == whole


def test_threads_change_no_walk_among_many(on):
    rng = np.random.default_rng(0)
    edges = walking.edges(rng, 300, 0.03, True, [1.0, 2.0, 5.0])
    graph = kernels.transitions(csr_of(edges, (300, 300), np.float32))
    starts = rng.integers(0, 300, 3000).astype(np.uint32)
    rule = {"length": 20, "p": 0.5, "q": 2.0, "restart": 0.05, "seed": 3}
    found = [kernels.walks(graph, starts, **rule, threads=t, **on) for t in (1, 2, 3)]
    for ids, offsets in found[1:]:
        np.testing.assert_array_equal(ids, found[0].ids)
        np.testing.assert_array_equal(offsets, found[0].offsets)


@given(problem=walking.problems())
def test_every_step_is_an_edge_to_the_type_that_is_next(on, problem):
    transitions = walking.transitions_of(problem)
    path = walking.rule_of(problem, transitions)["path"] or [0]
    types = [0] * problem["nodes"] if problem["types"] is None else problem["types"].tolist()
    walks = walking.run(problem, on)
    assert [walk[0] for walk in walks] == problem["starts"].tolist()
    for walk in walks:
        assert 1 <= len(walk) <= problem["length"]
        sinces = {0}  # a step to the start may be a restart or an edge
        for v, x in itertools.pairwise(walk):
            after = {s + 1 for s in sinces if types[x] == path[(s + 1) % len(path)]}
            sinces = after if (v, x) in problem["edges"] else set()
            if problem["restart"] > 0 and x == walk[0]:
                sinces |= {0}
            assert sinces, (walk, v, x)
        if len(walk) < problem["length"]:
            ways = {types[x] for v, x in problem["edges"] if v == walk[-1]}
            assert any(path[(s + 1) % len(path)] not in ways for s in sinces)


def test_walks_end_where_there_is_nowhere_to_go(on):
    graph = csr_of({(0, 1): 1, (1, 2): 1}, (4, 4), np.float32)  # 3 is alone
    starts = np.array([0, 3, 2, 1], np.uint32)
    walked = kernels.walks(kernels.transitions(graph), starts, length=5, **on)
    assert walking.lists_of(walked) == [[0, 1, 2], [3], [2], [1, 2]]
    assert walked.ids.dtype == np.uint32
    assert walked.offsets.dtype == np.int64


def test_a_graph_without_edges_and_no_walks_at_all(on):
    graph = kernels.transitions(csr_of({}, (3, 3), np.float32))
    walked = kernels.walks(graph, np.array([2, 0], np.uint32), p=0.5, restart=0.5, **on)
    assert all(set(walk) == {walk[0]} for walk in walking.lists_of(walked))
    none = kernels.walks(graph, np.zeros(0, np.uint32), length=7, **on)
    assert none.ids.tolist() == []
    assert none.offsets.tolist() == [0]
    nothing = kernels.transitions(csr_of({}, (0, 0), np.float32))
    assert kernels.walks(nothing, np.zeros(0, np.uint32), q=3, **on).offsets.tolist() == [0]


def test_restarts_come_as_often_as_asked_for(on):
    ring = csr_of({(v, (v + 1) % 50): 1 for v in range(50)}, (50, 50), np.float32)
    starts = np.zeros(2000, np.uint32)
    walked = kernels.walks(kernels.transitions(ring), starts, length=20, restart=0.3, **on)
    share = (walked.ids.reshape(-1, 20)[:, 1:] == 0).mean()
    assert share == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 38000) ** 0.5)


def test_progress_is_told_and_what_it_raises_stops(on):
    rng = np.random.default_rng(0)
    edges = walking.edges(rng, 100, 0.3, False, [1.0])
    graph = kernels.transitions(csr_of(edges, (100, 100), np.float32))
    starts = rng.integers(0, 100, 100_000).astype(np.uint32)
    told = []

    def stop(done):
        told.append(done)
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kernels.walks(graph, starts, length=500, p=0.3, q=3, progress=stop, threads=1, **on)
    assert 0 < told[-1] < 100_000
    assert told == sorted(told)


@given(a=st.integers(0, 2**64 - 1), b=st.integers(0, 2**63))
def test_the_upper_half_of_a_product_is_exact(a, b):
    """What array code makes exact sums with; one unit too few would rarely show in a walk."""
    found = _walks._high_product(np, np.array([a], np.uint64), np.array([b], np.uint64))
    assert int(found[0]) == a * b >> 64
