"""merge_topk: shards searched apart and merged are the whole searched at once."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import kernels
from searches import KINDS, METRICS, assert_same, expected, rows, searches, ways

INF = np.inf


@given(search=searches(), cuts=st.lists(st.integers(1, 119), max_size=4))
def test_shards_merged_are_the_whole(on, search, cuts):
    queries, items, k, narrow = search
    wanted = expected(queries, items, k, **narrow)
    narrow.setdefault("threshold", -INF)
    edges = sorted({0, len(items), *(cut for cut in cuts if cut < len(items))})
    parts = []
    for begin, end in pairwise(edges):
        own = dict(narrow)
        if "mask" in own:
            own["mask"] = own["mask"][begin:end]
        if "exclude" in own:
            inside = (own["exclude"] >= begin) & (own["exclude"] < end)
            own["exclude"] = np.where(inside, own["exclude"] - begin, -1)
        shard = items[begin:end]
        parts.append(
            kernels.topk(queries, shard, min(k, len(shard)), dtype=np.float64, **own, **on)
        )
    found = kernels.merge_topk(parts, k, starts=edges[:-1])
    assert found[1].dtype == np.float64
    assert_same(found, wanted)
    moved = [
        (np.where(ids < 0, -1, ids + start), scores)
        for (ids, scores), start in zip(parts, edges[:-1], strict=True)
    ]
    assert_same(kernels.merge_topk(moved[::-1], k), wanted)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_scores_that_tie_as_float32_are_merged_as_float64_ranks_them(on, kind, metric):
    items, queries = rows(kind, 3000, 9, 1), rows("gaussian", 7, 9, 2)
    for whole, *parts in zip(
        *(ways(part, metric, **on) for part in (items, items[:1000], items[1000:])), strict=True
    ):
        wanted, *found = (
            kernels.topk(queries, part, 50, metric=metric, dtype=np.float64, **on)
            for part in (whole, *parts)
        )
        assert_same(kernels.merge_topk(found, starts=[0, 1000]), wanted)


def test_padding_comes_last_and_shards_may_be_short():
    a = np.array([[4, 1, -1], [-1, -1, -1]]), np.array([[2.0, -1, -INF], [-INF] * 3])
    b = np.array([[0], [0]]), np.array([[-1.0], [-INF]], np.float64)
    ids, scores = kernels.merge_topk([a, b])
    assert ids.tolist() == [[4, 0, 1], [0, -1, -1]]
    assert scores.tolist() == [[2, -1, -1], [-INF] * 3]
    ids, scores = kernels.merge_topk([a, b], 4, starts=[10, 0])
    assert ids.tolist() == [[14, 0, 11, -1], [0, -1, -1, -1]]
    assert scores.tolist() == [[2, -1, -1, -INF], [-INF] * 4]
    ids, _ = kernels.merge_topk([b, a], 1)
    assert ids.tolist() == [[4], [0]]


def test_dtypes_and_empty_parts_are_kept():
    none = np.empty((0, 3), np.int64), np.empty((0, 3), np.float32)
    ids, scores = kernels.merge_topk([none, none], starts=(0, 5))
    assert (ids.shape, scores.shape, scores.dtype) == ((0, 3), (0, 3), np.float32)
    zero = np.array([[7]]), np.array([[-0.0]], np.float32)
    other = np.array([[3]]), np.array([[0.0]], np.float32)
    ids, scores = kernels.merge_topk([zero, other], 2)
    assert ids.tolist() == [[3, 7]]
    assert scores.dtype == np.float32
    empty = np.empty((1, 0), np.int64), np.empty((1, 0), np.float32)
    assert kernels.merge_topk([empty, zero])[0].tolist() == [[7]]


def test_the_greatest_ids_are_neither_padding_nor_overflow():
    last = 2**62 - 1
    a = np.array([[last, 0, -1]]), np.array([[1.0, -INF, -INF]])
    b = np.array([[-1, last]]), np.array([[-INF, -INF]])
    ids, scores = kernels.merge_topk([a, b], 5, starts=np.array([0, last]))
    assert ids.tolist() == [[last, 0, 2 * last, -1, -1]]
    assert scores.tolist() == [[1, -INF, -INF, -INF, -INF]]


def test_bad_arguments_are_one_clear_error():
    ids, scores = np.array([[0, 1], [2, 3]]), np.array([[2.0, 1], [2, 1]])
    part, nan = (ids, scores), np.where(ids == 3, np.nan, scores)
    far, last = ((np.array([[4, 5], [6, value]]), scores) for value in (2**62, 2**63 - 1))
    message = "item 2 stands twice in the answers to queries[1], expected disjoint shards"
    cases = [
        (ValueError, "parts has no part", ([],), {}),
        (ValueError, "parts has no part", (iter([part]),), {}),
        (TypeError, "parts[0] is not a pair (ids, scores)", (part,), {}),
        (TypeError, "parts[1] is not a pair (ids, scores)", ([part, (ids,)],), {}),
        (TypeError, "parts[0] ids must be an int64 array, got float64", ([(scores, scores)],), {}),
        (TypeError, "parts[0] scores must be a float64 array, got int64", ([(ids, ids)],), {}),
        (TypeError, "parts[0] ids must be an int64 array, got list", ([([[0]], scores)],), {}),
        (ValueError, "parts[0] ids has shape (2,), expected", ([(ids[0], scores[0])],), {}),
        (ValueError, "parts[0] scores has shape (2, 1)", ([(ids, scores[:, :1])],), {}),
        (ValueError, "parts[1] has 1 queries", ([part, (ids[:1], scores[:1])],), {}),
        (ValueError, "float32 scores, expected", ([part, (ids, scores.astype("f4"))],), {}),
        (ValueError, "parts[0] has the id -2 for queries[0], which is", ([(ids - 2, scores)],), {}),
        (ValueError, f"parts[1] has the id {2**62} for queries[1]", ([part, far],), {}),
        (ValueError, f"the id {2**63 - 1} for queries[1]", ([part, last],), {"starts": [0, 1]}),
        (ValueError, "parts[0] has the id -1 with a score", ([(ids - 1, scores)],), {}),
        (ValueError, "parts[0] has scores that are NaN", ([(ids, nan)],), {}),
        (ValueError, "k=0 is not between 1 and the 2 columns of all parts", ([part], 0), {}),
        (ValueError, "k=5 is not between 1 and the 4 columns", ([part, part], 5), {}),
        (ValueError, f"k={10**30} is not between 1 and the 2 columns", ([part], 10**30), {}),
        (ValueError, "k is an integer of 16610 bits", ([part], 10**5000), {}),
        (TypeError, "k must be an integer, got float", ([part], 2.0), {}),
        (ValueError, message, ([(ids[:, ::-1] - [[0], [0]], scores), (ids[[1, 1]], scores)],), {}),
        (ValueError, "starts has length 1, expected 2", ([part, part],), {"starts": [0]}),
        (ValueError, "starts[0]=-1 is not between 0 and 2**62 - 1", ([part],), {"starts": [-1]}),
        (ValueError, f"starts[0]={2**62} is not between", ([part],), {"starts": [2**62]}),
        (TypeError, "starts[0] must be an integer, got float", ([part],), {"starts": [0.5]}),
        (TypeError, "starts must be a sequence of integers, got int", ([part],), {"starts": 3}),
        (TypeError, "got generator", ([part],), {"starts": (i for i in range(1))}),
        (TypeError, "got ndarray", ([part],), {"starts": np.array(0)}),
        (
            ValueError,
            "k=0 is not between 1 and the 0 columns",
            ([(ids[:, :0], scores[:, :0])],),
            {},
        ),
    ]
    for error, text, arguments, keywords in cases:
        with pytest.raises(error, match="^merge_topk: .*" + re.escape(text)):
            kernels.merge_topk(*arguments, **keywords)
