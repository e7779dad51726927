"""walks on a device: those of the host, bit for bit, from the same call."""

import numpy as np
import pytest

from firth import kernels
from firth.csr import CSR

pytestmark = pytest.mark.gpu

ORDERS = [(1.0, 1.0), (0.25, 4.0), (4.0, 0.25), (0.01, 0.01), (60.0, 50.0), (2.0**20, 2.0**20)]


@pytest.fixture(scope="module")
def cuda():
    """The CUDA module, or a skip that says why there is none."""
    return pytest.importorskip("firth._cuda", reason="the CUDA module was not built")


def graph_of(nodes, degree, seed=1, parts=1):
    """Return a made-up graph: node 0 is linked with all, some lead nowhere, degrees differ a lot.

    Edges lead from one part to another, if there are two.
    """
    rng = np.random.default_rng(seed)
    degrees = np.minimum(rng.pareto(1.5, nodes) * degree, nodes - 1).astype(np.int64)
    ends = rng.random(nodes) < 0.05
    sources = np.repeat(np.arange(nodes), degrees)
    targets = (nodes * rng.random(len(sources)) ** 2).astype(np.int64)
    sources = np.concatenate([sources, np.zeros(nodes, np.int64), np.arange(nodes)])
    targets = np.concatenate([targets, np.arange(nodes), np.zeros(nodes, np.int64)])
    there = (sources != targets) & ~ends[sources]
    if parts == 2:
        there &= sources % 2 != targets % 2
    places = np.unique(sources[there] * nodes + targets[there])
    indptr = np.searchsorted(places // nodes, np.arange(nodes + 1))
    data = rng.exponential(1, len(places)).astype(np.float32) + np.float32(0.01)
    return CSR(indptr.astype(np.int64), (places % nodes).astype(np.int32), data, nodes)


def hold(cupy, cuda, transitions, starts, **rule):
    """Walk on both and compare."""
    wanted = kernels.walks(transitions, starts, **rule)
    there = transitions.to_device(cupy)
    found = kernels.walks(there, cupy.asarray(starts), **rule, backend=cuda)
    np.testing.assert_array_equal(cupy.asnumpy(found.ids), wanted.ids)
    np.testing.assert_array_equal(cupy.asnumpy(found.offsets), wanted.offsets)
    return wanted


def starts_of(nodes, walks, seed=2):
    return np.random.default_rng(seed).integers(0, nodes, walks).astype(np.uint32)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("p", "q"), ORDERS)
def test_walks_are_those_of_the_host(cupy, cuda, p, q, weighted):
    transitions = kernels.transitions(graph_of(3000, 6), weighted=weighted)
    rule = {"p": p, "q": q, "seed": 2**63 + 5, "first": 2**40 + 1}
    walked = hold(cupy, cuda, transitions, starts_of(3000, 5000), length=30, **rule)
    assert len(walked.ids) < 30 * 5000  # some walks ended


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("q", [40.0, 2.0**20])
def test_steps_that_nearly_all_trials_refuse(cupy, cuda, q, weighted):
    transitions = kernels.transitions(graph_of(1000, 5, parts=2), weighted=weighted)
    hold(cupy, cuda, transitions, starts_of(1000, 200), length=10, p=2.0**20, q=q)


@pytest.mark.parametrize("weighted", [False, True])
def test_walks_along_types_with_restarts(cupy, cuda, weighted):
    types = np.random.default_rng(4).integers(0, 3, 3000)
    transitions = kernels.transitions(graph_of(3000, 20), weighted=weighted, types=types)
    rule = {"path": [0, 2, 1, 2], "restart": 0.1, "q": 0.5}
    hold(cupy, cuda, transitions, starts_of(3000, 10_000), length=25, **rule)


@pytest.mark.parametrize("length", [1, 2, 7, 8, 80, 5000])
def test_walks_of_any_length(cupy, cuda, length):
    transitions = kernels.transitions(graph_of(500, 4), weighted=False)
    for walks in (1, 33, 300):
        hold(cupy, cuda, transitions, starts_of(500, walks), length=length, p=0.5)


def test_no_walks_are_no_work(cupy, cuda):
    hold(cupy, cuda, kernels.transitions(graph_of(50, 4)), np.zeros(0, np.uint32), length=5)


def test_walks_in_parts_are_those_made_at_once(cupy, cuda):
    there = kernels.transitions(graph_of(500, 4)).to_device(cupy)
    starts = cupy.asarray(starts_of(500, 3001))
    rule = {"length": 21, "q": 2.0}
    ids = kernels.walks(there, starts, **rule).ids
    parts = [(0, 7), (7, 1500), (1500, 3001)]
    made = [kernels.walks(there, starts[a:b].copy(), **rule, first=a).ids for a, b in parts]
    np.testing.assert_array_equal(cupy.asnumpy(cupy.concatenate(made)), cupy.asnumpy(ids))


def test_progress_ends_with_all_walks(cupy, cuda):
    there, told = kernels.transitions(graph_of(500, 4)).to_device(cupy), []
    kernels.walks(there, cupy.asarray(starts_of(500, 900)), length=9, progress=told.append)
    assert told[-1] == 900


def test_what_progress_raises_stops_the_rest(cupy, cuda):
    there = kernels.transitions(graph_of(500, 4)).to_device(cupy)

    def refuse(done):
        raise KeyError(done)

    with pytest.raises(KeyError):
        kernels.walks(there, cupy.asarray(starts_of(500, 900)), length=9, progress=refuse)
