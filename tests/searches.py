"""Matrices that are hard to rank, searches over them, and what topk must find there."""

import numpy as np
from hypothesis import strategies as st

import oracle
from firth import kernels

METRICS = ("cosine", "dot")
SCANS = ("float32", "bfloat16", "int8")
KINDS = (
    "gaussian", "clusters", "copies", "whole numbers", "near ties", "scales", "wild", "some zeros",
)  # fmt: skip


def rows(kind, count, dim, seed):
    """Matrices that are hard to rank, each in its own way."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((count, dim))
    if kind == "clusters":
        normal = normal[rng.integers(0, 1 + count // 16, count)] + 1e-2 * normal
    elif kind == "copies":
        normal = normal[rng.integers(0, 1 + count // 8, count)]
    elif kind == "whole numbers":
        normal = rng.integers(-2, 3, (count, dim))
    elif kind == "near ties":  # their codes are equal, and almost their float32 scores
        normal = normal[0] + 1e-7 * normal
    elif kind == "scales":
        normal *= 10.0 ** rng.integers(-44, 38, (count, 1))
    elif kind == "wild":
        normal *= 10.0 ** rng.integers(-30, 8, (count, dim))
    elif kind == "some zeros":
        normal[rng.random(count) < 0.3] = 0
    return normal.astype(np.float32)


def dots(a, b):
    """Dot products in the order of the definition: every eighth product to a lane, then a tree."""
    lane = [np.zeros(np.broadcast_shapes(a.shape, b.shape)[:-1]) for _ in range(8)]
    for d in range(a.shape[-1]):
        lane[d % 8] += a[..., d].astype(np.float64) * b[..., d]
    even = (lane[0] + lane[4]) + (lane[2] + lane[6])
    return even + ((lane[1] + lane[5]) + (lane[3] + lane[7]))


def expected(queries, items, k, metric, exclude=None, mask=None, threshold=None):
    """The oracle's answer, vectorised for sizes that it is too slow for."""
    products = dots(queries[:, None], items[None])
    if metric == "cosine":
        lengths = np.sqrt(dots(queries, queries))[:, None] * np.sqrt(dots(items, items))
        products = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    allowed = np.ones(products.shape, bool) if mask is None else np.tile(mask, (len(queries), 1))
    if exclude is not None:
        for q, left_out in enumerate(exclude.reshape(len(queries), -1)):
            allowed[q, left_out[left_out >= 0]] = False
    if threshold is not None:
        allowed &= products >= np.reshape(threshold, (-1, 1))
    products = np.where(allowed, products, -np.inf)
    ids = np.argsort(-products, axis=1, kind="stable")[:, :k]
    scores = np.take_along_axis(products, ids, axis=1)
    return np.where(scores > -np.inf, ids, -1), scores


def ways(items, metric, **on):
    """The items as they are, and prepared for every scan."""
    yield items
    for scan in SCANS:
        yield kernels.prepare(items, metric, scan=scan, **on)


def assert_same(found, wanted):
    """The same ids, and scores to the last bit: those of float64, or rounded from them once."""
    ids, scores = found
    assert ids.dtype == np.int64
    np.testing.assert_array_equal(ids, np.array(wanted[0], dtype=np.int64))
    with np.errstate(over="ignore"):  # a score beyond float32 is infinite there
        np.testing.assert_array_equal(scores, np.array(wanted[1]).astype(scores.dtype))


@st.composite
def searches(draw, max_items=120, max_queries=20):
    """Arguments of a search: queries, items, and what topk takes by keyword."""
    count, dim = draw(st.integers(1, max_items)), draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    items = rows(draw(st.sampled_from(KINDS)), count, dim, seed)
    queries = rows(draw(st.sampled_from(KINDS)), draw(st.integers(1, max_queries)), dim, seed + 1)
    if draw(st.booleans()):
        queries[0] = items[0]
    metric = draw(st.sampled_from(METRICS))
    narrow = {"metric": metric}
    if draw(st.booleans()):
        shape = draw(st.sampled_from([(), (1,), (7,), (count,)]))
        narrow["exclude"] = rng.integers(-1, count, (len(queries), *shape))
    if draw(st.booleans()):
        narrow["mask"] = rng.random(count) < draw(st.sampled_from([0.0, 0.2, 0.9]))
    if draw(st.booleans()) or len(narrow) > 1:
        # Scores that occur, so that it matters which side of them is meant.
        among = [oracle.score(query, items[rng.integers(count)], metric) for query in queries]
        narrow["threshold"] = draw(st.sampled_from([np.array(among), among[0], -np.inf]))
    return queries, items, draw(st.integers(1, count)), narrow
