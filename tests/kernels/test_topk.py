"""topk against its definition, on every backend and instruction set: bit for bit."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import _arrays, _cpu, kernels
from firth._arrays import _cosine

METRICS = ("cosine", "dot")


def rows(kind, count, dim, seed):
    """Matrices that are hard to rank, each in its own way."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((count, dim))
    if kind == "whole numbers":
        normal = rng.integers(-2, 3, (count, dim))
    elif kind == "copies":
        normal = normal[rng.integers(0, 1 + count // 8, count)]
    elif kind == "near ties":
        normal = normal[0] + 1e-7 * normal
    elif kind == "scales":
        normal *= 10.0 ** rng.integers(-44, 38, (count, 1))
    elif kind == "some zeros":
        normal[rng.random(count) < 0.3] = 0
    return normal.astype(np.float32)


KINDS = ("gaussian", "whole numbers", "copies", "near ties", "scales", "some zeros")


@st.composite
def searches(draw):
    count, dim = draw(st.integers(1, 120)), draw(st.integers(1, 40))
    kind, seed = draw(st.sampled_from(KINDS)), draw(st.integers(0, 2**32 - 1))
    items = rows(kind, count, dim, seed)
    queries = rows(draw(st.sampled_from(KINDS)), draw(st.integers(1, 20)), dim, seed + 1)
    if draw(st.booleans()):
        queries[0] = items[0]
    exclude = None
    if count > 1 and draw(st.booleans()):
        exclude = np.random.default_rng(seed).integers(-1, count, len(queries))
    k = draw(st.integers(1, count - (exclude is not None)))
    return queries, items, k, draw(st.sampled_from(METRICS)), exclude


def assert_same(found, expected):
    ids, scores = found
    assert ids.dtype == np.int64
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(ids, np.array(expected[0], dtype=np.int64))
    np.testing.assert_array_equal(scores, np.array(expected[1]).astype(np.float32))


@given(search=searches(), threads=st.integers(1, 3))
def test_the_ranking_is_exactly_that_of_the_float64_scores(on, search, threads):
    queries, items, k, metric, exclude = search
    found = kernels.topk(queries, items, k, metric=metric, exclude=exclude, threads=threads, **on)
    assert_same(found, oracle.topk(queries, items, k, metric, exclude))


@pytest.mark.parametrize("count", [4, 5, 8, 9, 23])
@pytest.mark.parametrize("dim", [1, 7, 16, 33, 100])
def test_no_size_of_tile_matters(on, count, dim):
    for items in (1, 11, 12, 13, 24, 47, 48, 49, 97):
        x, q = rows("gaussian", items, dim, items), rows("gaussian", count, dim, 1000 + items)
        k = min(items, 5)
        assert_same(kernels.topk(q, x, k, **on), _reference(q, x, k, "cosine"))


def _reference(queries, items, k, metric):
    """The definition with vectorised sums, at sizes that the oracle is too slow for."""
    products = np.stack(
        [_cosine._dots(np, items, np.broadcast_to(q, items.shape)) for q in queries]
    )
    if metric == "cosine":
        lengths = np.sqrt(_cosine._squares(np, queries))[:, None] * np.sqrt(
            _cosine._squares(np, items)
        )
        products = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    ids = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return ids, np.take_along_axis(products, ids, axis=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_out_many_items_without_changing_the_answer(on, kind, metric, threads):
    items, k = rows(kind, 50_001, 9, 1), 12
    queries = rows("gaussian", 6, 9, 2)
    for some in (queries, queries[:2]):
        found = kernels.topk(some, items, k, metric=metric, threads=threads, **on)
        assert_same(found, _reference(some, items, k, metric))


def test_parts_searched_apart_and_merged_give_the_whole(on):
    items, queries = rows("copies", 400, 8, 3), rows("gaussian", 7, 8, 4)
    whole = kernels.topk(queries, items, 20, **on)
    for cut in (20, 133, 377):
        a, b = (kernels.topk(queries, part, 20, **on) for part in (items[:cut], items[cut:]))
        scores, ids = np.hstack([a[1], b[1]]), np.hstack([a[0], b[0] + cut])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :20]
        np.testing.assert_array_equal(np.take_along_axis(scores, order, 1), whole[1])
        np.testing.assert_array_equal(np.take_along_axis(ids, order, 1), whole[0])


def test_a_table_of_equal_rows_gives_the_smallest_ids(on):
    items = np.tile(rows("gaussian", 1, 50, 5), (20_000, 1))
    ids, scores = kernels.topk(items[:3], items, 7, exclude=np.array([0, 3, -1]), **on)
    assert ids.tolist() == [[1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6]]
    assert (scores == 1).all()


def test_a_zero_vector_has_cosine_0_with_everything(on):
    items = rows("some zeros", 300, 5, 6)
    ids, scores = kernels.topk(np.zeros((6, 5), np.float32), items, 3, **on)
    assert (ids == [0, 1, 2]).all()
    assert (scores == 0).all()
    against = -np.abs(items)
    against[100] = 0
    ids, scores = kernels.topk(np.ones((1, 5), np.float32), against, 1, **on)
    zeros = np.flatnonzero(~against.any(axis=1))
    assert ids.tolist() == [[zeros[0]]]
    assert scores.tolist() == [[0.0]]


def test_the_greatest_and_the_least_float32_are_ranked(on):
    big, tiny = np.float32(3e38), np.float32(1e-45)
    items = np.array([[big, big], [big, -big], [tiny, tiny], [1, 0.5], [-big, -big]], np.float32)
    for query in ([big, big], [tiny, tiny], [1, 1]):
        queries = np.array([query], np.float32)
        for metric in METRICS:
            ids, scores = oracle.topk(queries, items, 5, metric)
            found = kernels.topk(queries, items, 5, metric=metric, **on)
            with np.errstate(over="ignore"):  # a dot product of 1.8e77 is infinite as a float32
                assert_same(found, (ids, scores))


def test_all_items_can_be_asked_for(on):
    items = rows("copies", 700, 6, 7)
    assert_same(
        kernels.topk(items[:5], items, 700, **on), _reference(items[:5], items, 700, "cosine")
    )


def test_no_queries_give_empty_results(on):
    ids, scores = kernels.topk(np.empty((0, 3), np.float32), np.ones((4, 3), np.float32), 2, **on)
    assert ids.shape == scores.shape == (0, 2)


def test_strided_and_half_precision_arrays_are_copied_and_read_only_ones_taken(on):
    wide = rows("gaussian", 60, 14, 8)
    expected = kernels.topk(wide[:9, ::2].copy(), wide[::3, ::2].copy(), 4, **on)
    assert_same(kernels.topk(wide[:9, ::2], wide[::3, ::2], 4, **on), expected)
    assert_same(
        kernels.topk(np.asfortranarray(wide[:9]), wide, 4, **on),
        kernels.topk(wide[:9], wide, 4, **on),
    )
    half = wide.astype(np.float16)
    single = half.astype(np.float32)
    assert_same(kernels.topk(half[:9], half, 4, **on), kernels.topk(single[:9], single, 4, **on))
    wide.flags.writeable = False
    kernels.topk(wide[:2], wide, 1, **on)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("count", [1, 9])
def test_a_value_that_is_not_finite_is_a_value_error(on, value, count):
    items, queries = rows("gaussian", 200, 20, 9), rows("gaussian", count, 20, 10)
    items[[151, 77], 19] = value
    with pytest.raises(ValueError, match=r"topk: items\[77\] is not finite"):
        kernels.topk(queries, items, 3, **on)
    queries[count - 1, 0] = value
    with pytest.raises(ValueError, match=rf"topk: queries\[{count - 1}\] is not finite"):
        kernels.topk(queries, rows("gaussian", 200, 20, 9), 3, **on)


def test_bad_arguments_are_one_clear_error(on):
    q, x = rows("gaussian", 2, 3, 11), rows("gaussian", 5, 3, 12)
    none, first = np.array([-1, -1]), np.array([-1, 0])
    cases = [
        (ValueError, "k=0 is not between 1 and the 5 items", (q, x, 0), {}),
        (ValueError, "k=-1 is not between 1", (q, x, -1), {}),
        (ValueError, "k=6 is not between 1 and the 5 items", (q, x, 6), {}),
        (ValueError, "k=5 is not between 1 and the 4 items not", (q, x, 5), {"exclude": first}),
        (ValueError, "k=1 is not between 1 and the 0 items", (q, x[:0], 1), {}),
        (TypeError, "k must be an integer, got float", (q, x, 2.0), {}),
        (TypeError, "k must be an integer, got bool", (q, x, True), {}),
        (ValueError, "queries have 2 columns, expected the items' 3", (q[:, :2], x, 1), {}),
        (ValueError, "items have 0 columns", (q[:, :0], x[:, :0], 1), {}),
        (ValueError, "queries must have 2 dimensions, got 1", (q[0], x, 1), {}),
        (ValueError, "items must have 2 dimensions, got 3", (q, x[None], 1), {}),
        (TypeError, "queries must be float32 or float16, got float64", (q.astype(float), x, 1), {}),
        (TypeError, "items must be float32 or float16, got int64", (q, x.astype(int), 1), {}),
        (TypeError, "items must be float32 or float16, got >f4", (q, x.astype(">f4"), 1), {}),
        (TypeError, "queries must be a float32 or float16 array, got list", (q.tolist(), x, 1), {}),
        (TypeError, "got MaskedArray", (np.ma.masked_array(q), x, 1), {}),
        (ValueError, "metric='l2' is neither 'cosine' nor 'dot'", (q, x, 1), {"metric": "l2"}),
        (ValueError, "threads=0 is not between 1 and 4096", (q, x, 1), {"threads": 0}),
        (ValueError, "threads=4097 is not between", (q, x, 1), {"threads": 4097}),
        (TypeError, "threads must be an integer", (q, x, 1), {"threads": 1.5}),
        (TypeError, "exclude must be an int64 array, got list", (q, x, 1), {"exclude": [0, 1]}),
        (TypeError, "got int32", (q, x, 1), {"exclude": none.astype(np.int32)}),
        (ValueError, r"shape \(1,\), expected \(2,\)", (q, x, 1), {"exclude": none[:1]}),
        (ValueError, "not between -1 and 4", (q, x, 1), {"exclude": none + 6}),
        (ValueError, "not between -1 and 4", (q, x, 1), {"exclude": none - 1}),
    ]
    for error, message, arguments, keywords in cases:
        with pytest.raises(error, match=f"^topk: .*{message}"):
            kernels.topk(*arguments, **keywords, **on)


def test_an_unknown_instruction_set_is_a_value_error():
    x = np.ones((2, 2), np.float32)
    with pytest.raises(ValueError, match="isa: 'v9' is not one of this processor's"):
        kernels.topk(x, x, 1, isa="v9", backend=_cpu)


def test_the_compiled_border_copies_nothing():
    x, ids = np.ones((2, 2), np.float32), np.empty((2, 1), np.int64)
    scores, exclude = np.empty((2, 1), np.float32), np.full(2, -1)
    named = {"queries": x, "items": x, "exclude": exclude, "ids": ids, "scores": scores}
    rest = {"cosine": True, "threads": 1, "isa": ""}
    assert _cpu.topk(**named, **rest) == (-1, -1)
    for name in named:
        with pytest.raises(TypeError, match="incompatible function arguments"):
            _cpu.topk(**{**named, name: named[name].astype(np.float16)}, **rest)


@pytest.fixture(scope="module")
def cupy():
    """CuPy with a device, or a skip that says what is missing."""
    if importlib.util.find_spec("cupy") is None:
        pytest.skip("no CUDA device can be used: CuPy is not installed")
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device can be used: CuPy finds none")
    return cupy


def on_device(cupy, backend, queries, items, k, metric, exclude=None):
    arrays = (cupy.asarray(queries), cupy.asarray(items))
    left_out = None if exclude is None else cupy.asarray(exclude)
    found = kernels.topk(*arrays, k, metric=metric, exclude=left_out, backend=backend)
    assert all(isinstance(array, cupy.ndarray) for array in found)
    return tuple(cupy.asnumpy(array) for array in found)


@pytest.fixture(params=["_cuda", "_arrays"])
def device_backend(request, cupy):
    """Both backends that take device arrays."""
    if request.param == "_arrays":
        return _arrays
    return pytest.importorskip("firth._cuda", reason="the CUDA module was not built")


@pytest.mark.gpu
@given(search=searches())
def test_device_arrays_are_ranked_exactly_as_on_the_host(cupy, device_backend, search):
    queries, items, k, metric, exclude = search
    found = on_device(cupy, device_backend, queries, items, k, metric, exclude)
    assert_same(found, oracle.topk(queries, items, k, metric, exclude))


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
def test_many_items_on_a_device_are_ranked_exactly(cupy, device_backend, kind, metric):
    items, queries = rows(kind, 50_001, 100, 1), rows("gaussian", 70, 100, 2)
    found = on_device(cupy, device_backend, queries, items, 12, metric)
    assert_same(found, kernels.topk(queries, items, 12, metric=metric))


@pytest.mark.gpu
def test_a_value_on_the_device_that_is_not_finite_is_a_value_error(cupy, device_backend):
    items = rows("gaussian", 100, 20, 9)
    items[[88, 33], 1] = np.nan
    with pytest.raises(ValueError, match=r"topk: items\[33\] is not finite"):
        on_device(cupy, device_backend, items[:3], items, 3, "dot")
