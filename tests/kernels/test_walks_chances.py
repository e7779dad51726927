"""walks: how often each step is taken, against the probabilities of node2vec."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import oracle
import walking
from firth import kernels
from firth.kernels import _walks
from matrices import csr_of

LEAST = 1e-3  # p-value; that of a wrong formula is below 1e-9
BIASES = [(1.0, 1.0), (0.25, 4.0), (4.0, 0.25), (0.5, 0.5), (4.0, 2.0), (1.0, 3.0), (1e-3, 1e-3)]


def graph_of(directed, weights):
    """9 nodes, on which each way back, near and far is there."""
    rng = np.random.default_rng(12)
    edges = walking.edges(rng, 9, 0.45, directed, weights)
    return {pair: weight for pair, weight in edges.items() if pair[0] != pair[1]}


def steps_of(edges, weighted, p, q, on, walks=20_000):
    """Return {(node before, node): {next: how often}}; -1 before the first step."""
    graph = kernels.transitions(csr_of(edges, (9, 9), np.float32), weighted=weighted)
    starts = (np.arange(walks) % 9).astype(np.uint32)
    ids, offsets = kernels.walks(graph, starts, length=12, p=p, q=q, seed=17, **on)
    before = np.concatenate([[-1], ids[:-1].astype(int)])
    before[offsets[:-1]] = -1
    follows = np.ones(len(ids), bool)
    follows[offsets[1:] - 1] = False  # the last nodes of walks
    at = np.flatnonzero(follows)
    counts = np.bincount(((before[at] + 1) * 9 + ids[at]) * 9 + ids[at + 1], minlength=810)
    found = {}
    for (u, v, x), count in np.ndenumerate(counts.reshape(10, 9, 9)):
        if count:
            found.setdefault((u - 1, v), {})[x] = int(count)
    return found


def p_value(found, edges, p, q):
    """Return how probable counts are that are as far from the node2vec probabilities as these."""
    distance, freedom = 0.0, 0
    for (before, node), counts in found.items():
        chances = oracle.step_probabilities(edges, node, None if before < 0 else before, p, q)
        assert set(counts) <= set(chances)
        steps = sum(counts.values())
        rare = {x for x, chance in chances.items() if chance * steps < 5}  # these are put together
        cells = [(float(chances[x] * steps), counts.get(x, 0)) for x in chances.keys() - rare]
        cells.append(
            (float(sum(chances[x] for x in rare) * steps), sum(counts.get(x, 0) for x in rare))
        )
        if cells[-1][0] < 5:
            expected, counted = cells.pop()
            if cells:
                cells[0] = cells[0][0] + expected, cells[0][1] + counted
        distance += sum((counted - expected) ** 2 / expected for expected, counted in cells)
        freedom += max(len(cells) - 1, 0)
    assert freedom > 5
    return stats.chi2.sf(distance, freedom)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 5.0]])
@pytest.mark.parametrize(("p", "q"), BIASES)
def test_steps_are_as_frequent_as_node2vec_has_it(on, directed, weights, p, q):
    edges = graph_of(directed, weights or [1.0])
    found = steps_of(edges, weights is not None, p, q, on)
    assert p_value(found, edges, p, q) > LEAST


@pytest.mark.parametrize(
    ("edges", "p", "q"),
    [
        (lambda edges: edges, 1.0, 1.0),  # first order
        (lambda edges: edges, 4.0, 0.25),  # back and far the other way round
        (lambda edges: edges, 0.25, 1.0),
        (lambda edges: edges, 1.0, 4.0),
        (lambda edges: dict.fromkeys(edges, 1.0), 0.25, 4.0),  # without weights
        (lambda edges: edges, 0.3, 4.0),
        (lambda edges: edges, 0.25, 4.8),
    ],
)
def test_wrong_probabilities_would_be_found_out(on, edges, p, q):
    right = graph_of(True, [1.0, 2.0, 5.0])
    found = steps_of(right, True, 0.25, 4.0, on)
    assert p_value(found, edges(right), p, q) < 1e-9


def test_an_edge_back_that_only_leads_there_is_what_makes_a_node_near(on):
    """In a directed graph x is near u if u leads to x; x leading to u is not enough."""
    edges = {(0, 1): 1.0, (1, 2): 1.0, (1, 3): 1.0, (2, 0): 1.0, (0, 3): 1.0, (3, 0): 1.0}
    graph = kernels.transitions(csr_of(edges, (4, 4), np.float32))
    starts = np.zeros(4000, np.uint32)
    walked = kernels.walks(graph, starts, length=3, q=1e5, **on)
    third = [walk[2] for walk in walking.lists_of(walked) if walk[1] == 1]
    assert len(third) > 1500
    assert set(third) == {3}


# ---- thresholds ---------------------------------------------------------------------------------

numbers = st.floats(2.0**-126, 2.0**127, width=32)


def shares_of(graph, row):
    """Return what part of all draws takes each edge of a row."""
    edges = graph.thresholds[graph.indptr[row] : graph.indptr[row + 1]].tolist()
    return (np.diff([*edges, 2**32]) / 2**32).tolist()


@given(
    rows=st.lists(st.lists(st.one_of(numbers, st.just(1.0)), max_size=6), min_size=6, max_size=9)
)
def test_shares_of_draws_are_those_of_weights(rows):
    size = len(rows)
    weights = {(row, column): w for row, some in enumerate(rows) for column, w in enumerate(some)}
    graph = kernels.transitions(csr_of(weights, (size, size), np.float32))
    alike = all(len(set(some)) < 2 for some in rows)
    assert len(graph.thresholds) == (0 if alike else len(weights))
    if alike:
        return
    assert graph.thresholds.dtype == np.uint32
    for row, some in enumerate(rows):
        total = sum(map(Fraction, some))
        shares = shares_of(graph, row)
        assert min(shares, default=0) >= 0
        assert sum(shares) == (1 if some else 0)
        for share, weight in zip(shares, some, strict=True):
            assert abs(Fraction(share) - Fraction(weight) / total) <= Fraction(2, 2**32)


@pytest.mark.parametrize("before", [0, 65535])
def test_shares_of_a_hub_are_those_of_weights(before):
    """Wherever the node stands: what was added up before it must not blur its shares."""
    rng = np.random.default_rng(0)
    hub = np.where(np.arange(200_000) % 2, 1, 3).astype(np.float32)
    indptr = np.concatenate([np.arange(before + 1), [before + len(hub)]])
    weights = np.concatenate([rng.random(before, np.float32), hub])
    thresholds = _walks.edge_thresholds(indptr, weights)[before:]
    shares = np.diff(np.append(thresholds.astype(np.int64), 2**32)) / 2**32
    assert abs(shares - hub / 400_000).max() < 2.0**-31


def test_extreme_weights_and_many_that_are_alike():
    weights = {(0, x): w for x, w in enumerate([1e30, 1e-30, 1e30, 1e-30])}
    graph = kernels.transitions(csr_of(weights, (4, 4), np.float32))
    assert graph.thresholds.tolist() == [0, 2**31, 2**31, 2**32 - 1]
    alike = csr_of({(0, x): 1e-30 for x in range(5)}, (5, 5), np.float32)
    assert len(kernels.transitions(alike).thresholds) == 0


def test_an_edge_that_gets_no_draw_is_never_taken(on):
    weights = {(0, 0): 1e-30, (0, 1): 1e30, (0, 2): 1e-30, (0, 3): 1e30, (1, 0): 1.0, (3, 0): 1.0}
    graph = kernels.transitions(csr_of(weights, (4, 4), np.float32))
    starts = np.zeros(5000, np.uint32)
    for p, q in [(1.0, 1.0), (2.0**-20, 2.0**20)]:
        walked = kernels.walks(graph, starts, length=6, p=p, q=q, **on)
        assert set(walked.ids.tolist()) <= {0, 1, 3}
