"""topk against its definition, on every backend and instruction set: bit for bit."""

import signal
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import _cpu, kernels
from searches import KINDS, METRICS, SCANS, assert_same, expected, rows, searches, ways

CODES = ("bfloat16", "int8")


@given(search=searches(), threads=st.integers(1, 3))
def test_the_ranking_is_exactly_that_of_the_float64_scores(on, search, threads):
    queries, items, k, narrow = search
    wanted = oracle.topk(queries, items, k, **narrow)
    for way in ways(items, narrow["metric"], **on):
        found = kernels.topk(queries, way, k, dtype=np.float64, threads=threads, **narrow, **on)
        assert found[1].dtype == np.float64
        assert_same(found, wanted)
    assert_same(expected(queries, items, k, **narrow), wanted)


@given(search=searches(), scan=st.sampled_from(CODES), threads=st.integers(1, 3))
def test_codes_alone_are_ranked_exactly_as_their_values(on, search, scan, threads):
    queries, items, k, narrow = search
    norms = np.sqrt((items.astype(np.float64) ** 2).sum(axis=1))
    odd = (norms > 0) & ~((norms > 2.0**-30) & (norms < 2.0**60))
    if narrow["metric"] == "dot" and odd.any():
        with pytest.raises(ValueError, match=rf"^prepare: items\[{odd.argmax()}\] has a norm that"):
            kernels.prepare(items, "dot", scan=scan, keep_exact=False, **on)
        return
    prepared = kernels.prepare(items, narrow["metric"], scan=scan, keep_exact=False, **on)
    found = kernels.topk(queries, prepared, k, dtype=np.float64, threads=threads, **narrow, **on)
    assert_same(found, oracle.topk(queries, prepared.values(), k, **narrow))


@given(search=searches(max_items=400, max_queries=70))
def test_no_size_of_batch_matters(on, search):
    queries, items, k, narrow = search
    wanted = expected(queries, items, k, **narrow)
    for way in ways(items, narrow["metric"], **on):
        assert_same(kernels.topk(queries, way, k, **narrow, **on), wanted)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 33, 64, 70])
@pytest.mark.parametrize("dim", [1, 7, 16, 33, 100])
def test_no_size_of_tile_matters(on, count, dim):
    for n in (1, 15, 16, 17, 31, 33, 97, 193):
        x, q = rows("gaussian", n, dim, n), rows("gaussian", count, dim, 1000 + n)
        k = min(n, 5)
        wanted = expected(q, x, k, "cosine")
        for way in ways(x, "cosine", **on):
            assert_same(kernels.topk(q, way, k, **on), wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
def test_threads_share_out_many_items_without_changing_the_answer(on, kind, metric):
    items, k = rows(kind, 50_001, 9, 1), 12
    queries = rows("gaussian", 6, 9, 2)
    wanted = expected(queries, items, k, metric)
    for way in ways(items, metric, **on):
        for some, threads in ((6, 1), (6, 2), (2, 3)):
            found = kernels.topk(queries[:some], way, k, metric=metric, threads=threads, **on)
            assert_same(found, (wanted[0][:some], wanted[1][:some]))


@pytest.mark.parametrize("kind", ["gaussian", "near ties", "copies"])
def test_neither_the_order_of_items_nor_a_great_k_matters(on, kind):
    items, k = rows(kind, 5003, 12, 17), 400
    queries = np.vstack([rows("gaussian", 35, 12, 18), np.zeros((1, 12), np.float32)])
    best, scores = expected(queries, items, 5003, "dot")
    for order in (np.argsort(scores[0]), best[0]):  # each item better than all before, or worse
        ordered = np.ascontiguousarray(items[order])
        narrow = {"metric": "dot", "mask": np.arange(5003) % 7 > 0}
        narrow["exclude"] = expected(queries, ordered, 300, "dot")[0]
        wanted = expected(queries, ordered, k, **narrow)
        for way in ways(ordered, "dot", **on):
            for some, threads in ((36, 1), (3, 2)):
                own = {**narrow, "exclude": narrow["exclude"][:some]}
                found = kernels.topk(queries[:some], way, k, threads=threads, **own, **on)
                assert_same(found, [part[:some] for part in wanted])


@pytest.mark.parametrize("metric", METRICS)
def test_long_rows_that_almost_tie_are_told_apart(on, metric):
    """Sums of positive products, whose roundings in float32 do not make up for each other."""
    rng = np.random.default_rng(19)
    row = np.full(3001, 1 / 3, np.float32) if metric == "dot" else rng.uniform(0.5, 1, 3001)
    items = np.tile(row.astype(np.float32), (1003, 1))
    changed = rng.random(items.shape) < 0.01
    items[changed] = np.nextafter(items[changed], np.float32(2))
    wanted = expected(items[:2], items, 9, metric)
    for way in ways(items, metric, **on):
        for count in (1, 2):
            found = kernels.topk(items[:count], way, 9, metric=metric, **on, dtype=np.float64)
            assert_same(found, [part[:count] for part in wanted])
    many = np.repeat(items[:2], 20, axis=0)
    found = kernels.topk(many, items, 9, metric=metric, **on, dtype=np.float64)
    assert_same(found, [np.repeat(part, 20, axis=0) for part in wanted])


def test_a_table_of_equal_rows_gives_the_smallest_ids(on):
    items = np.tile(rows("gaussian", 1, 50, 5), (20_000, 1))
    for way in ways(items, "cosine", **on):
        ids, scores = kernels.topk(items[:3], way, 7, exclude=np.array([0, 3, -1]), **on)
        assert ids.tolist() == [[1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6]]
        assert (scores == 1).all()


def test_a_zero_vector_scores_0_with_everything(on):
    items = rows("some zeros", 300, 5, 6)
    against = -np.abs(items)
    against[100] = 0
    zeros = np.flatnonzero(~against.any(axis=1))
    for metric in METRICS:
        for way in ways(items, metric, **on):
            ids, scores = kernels.topk(np.zeros((6, 5), np.float32), way, 3, **on, metric=metric)
            assert (ids == [0, 1, 2]).all()
            assert (scores == 0).all()
        for way in ways(against, metric, **on):
            ids, scores = kernels.topk(np.ones((1, 5), np.float32), way, 1, **on, metric=metric)
            assert (ids.tolist(), scores.tolist()) == ([[zeros[0]]], [[0.0]])
            ids, _ = kernels.topk(np.zeros((1, 5), np.float32), way, 2, threshold=0.1, **on)
            assert ids.tolist() == [[-1, -1]]


def test_the_greatest_and_the_least_float32_are_ranked(on):
    big, tiny = np.float32(3e38), np.float32(1e-45)
    items = np.array([[big, big], [big, -big], [tiny, tiny], [1, 0.5], [-big, -big]], np.float32)
    queries = np.array([[big, big], [tiny, tiny], [1, 1]], np.float32)
    for metric in METRICS:
        wanted = oracle.topk(queries, items, 5, metric)
        for way in ways(items, metric, **on):
            for dtype in (np.float32, np.float64):
                found = kernels.topk(queries, way, 5, metric=metric, dtype=dtype, **on)
                assert_same(found, wanted)


@pytest.mark.parametrize("metric", METRICS)
def test_all_items_can_be_asked_for(on, metric):
    items = rows("copies", 700, 6, 7)
    wanted = expected(items[:5], items, 700, metric)
    for way in ways(items, metric, **on):
        assert_same(kernels.topk(items[:5], way, 700, metric=metric, **on), wanted)


def test_no_queries_give_empty_results(on):
    items, none = np.ones((4, 3), np.float32), np.empty((0, 3), np.float32)
    for narrow in ({}, {"exclude": np.empty((0, 2), np.int64)}, {"threshold": np.empty(0)}):
        for way in ways(items, "cosine", **on):
            ids, scores = kernels.topk(none, way, 2, **narrow, **on)
            assert ids.shape == scores.shape == (0, 2)


def test_ids_that_stand_twice_in_exclude_count_once(on):
    items = rows("gaussian", 5, 4, 13)
    twice = np.array([[3, -1, 3, 3, 1], [0, 1, 0, 2, -1]])
    wanted = expected(items[:2], items, 3, "cosine", threshold=-np.inf, exclude=twice)
    assert wanted[0][1, 2] == -1
    for way in ways(items, "cosine", **on):
        first = kernels.topk(items[:1], way, 3, exclude=twice[:1], **on)
        assert_same(first, [part[:1] for part in wanted])
        found = kernels.topk(items[:2], way, 3, exclude=twice, threshold=-np.inf, **on)
        assert_same(found, wanted)
        with pytest.raises(ValueError, match=r"k=3 is not between 1 and the 2 items .* queries.1"):
            kernels.topk(items[:2], way, 3, exclude=twice, **on)


def test_too_few_items_left_by_mask_and_exclude_name_the_first_query(on):
    items, mask = rows("gaussian", 40, 4, 14), np.arange(40) % 2 == 0
    exclude = np.array([[-1, 1], [2, 3], [4, 4], [8, 6]])
    for way in ways(items, "cosine", **on):
        wanted = expected(items[:4], items, 18, "cosine", exclude, mask)
        assert_same(kernels.topk(items[:4], way, 18, exclude=exclude, mask=mask, **on), wanted)
        for k, query, left in ((19, 3, 18), (20, 1, 19), (21, 0, 20)):
            message = rf"^topk: k={k} is not between 1 and the {left} items .* queries\[{query}\]$"
            with pytest.raises(ValueError, match=message):
                kernels.topk(items[:4], way, k, exclude=exclude, mask=mask, **on)


def test_a_threshold_is_met_by_equal_scores_in_float64(on):
    items, query = rows("gaussian", 300, 24, 15), rows("gaussian", 1, 24, 16)
    for metric in METRICS:
        scores = expected(query, items, 300, metric)[1][0]
        for way in ways(items, metric, **on):
            for rank in (0, 1, 17, 299):
                above = np.nextafter(scores[rank], np.inf)
                for value, left in ((scores[rank], rank + 1), (above, rank)):
                    for threshold in (float(value), np.array([value])):
                        found = kernels.topk(
                            query, way, 300, threshold=threshold, metric=metric, **on
                        )
                        assert (found[0] >= 0).sum() == left
                        assert (found[1][0, left:] == -np.inf).all()


def test_strided_and_half_precision_arrays_are_copied_and_read_only_ones_taken(on):
    wide = rows("gaussian", 60, 14, 8)
    same = kernels.topk(wide[:9, ::2].copy(), wide[::3, ::2].copy(), 4, **on)
    half, mask = wide.astype(np.float16), np.arange(120) % 3 > 0
    single = half.astype(np.float32)
    for prepared in (lambda x: x, lambda x: kernels.prepare(x, **on)):
        assert_same(kernels.topk(wide[:9, ::2], prepared(wide[::3, ::2]), 4, **on), same)
        assert_same(
            kernels.topk(np.asfortranarray(wide[:9]), prepared(np.asfortranarray(wide)), 4, **on),
            kernels.topk(wide[:9], wide, 4, **on),
        )
        found = kernels.topk(half[:9], prepared(half), 4, mask=mask[::2], **on)
        assert_same(found, expected(single[:9], single, 4, "cosine", mask=mask[::2]))
    every = np.arange(9), np.ones(60, bool), np.zeros(9)
    for array in (wide, *every):
        array.flags.writeable = False
    exclude, mask, threshold = every
    kernels.topk(wide[:9], wide, 1, exclude=exclude, mask=mask, threshold=threshold, **on)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("count", [1, 9])
def test_a_value_that_is_not_finite_is_a_value_error(on, value, count):
    items, queries = rows("gaussian", 200, 20, 9), rows("gaussian", count, 20, 10)
    prepared = list(ways(items.copy(), "cosine", **on))
    items[[151, 77], 19] = value
    with pytest.raises(ValueError, match=r"^topk: items\[77\] is not finite"):
        kernels.topk(queries, items, 3, **on)
    queries[count - 1, 0] = value
    for way in prepared:
        with pytest.raises(ValueError, match=rf"^topk: queries\[{count - 1}\] is not finite"):
            kernels.topk(queries, way, 3, **on)


def test_bad_arguments_are_one_clear_error(on):
    q, x = rows("gaussian", 2, 3, 11), rows("gaussian", 5, 3, 12)
    none, ready = np.array([-1, -1]), kernels.prepare(x, "dot", **on)
    mask, zeros = np.ones(5, bool), np.zeros(2, np.float32)
    far, below = {"exclude": none + 6}, np.array([[-1, 4, 0], [1, 1, -2]])
    cases = [
        (ValueError, "k=0 is not between 1 and the 5 items", (q, x, 0), {}),
        (ValueError, "k=-1 is not between 1", (q, x, -1), {}),
        (ValueError, "k=6 is not between 1 and the 5 items", (q, x, 6), {}),
        (ValueError, "k=6 is not between 1 and the 5 items", (q, ready, 6), {"threshold": 0.0}),
        (ValueError, "k=1 is not between 1 and the 0 items that", (q, x, 1), {"mask": ~mask}),
        (ValueError, "k=1 is not between 1 and the 0 items", (q, x[:0], 1), {}),
        (ValueError, "k=1 is not between 1 and the 0 items", (q, ready.head(0), 1), {}),
        (TypeError, "k must be an integer, got float", (q, x, 2.0), {}),
        (TypeError, "k must be an integer, got bool", (q, x, True), {}),
        (ValueError, "queries have 2 columns, expected the items' 3", (q[:, :2], x, 1), {}),
        (ValueError, "queries have 2 columns, expected the items' 3", (q[:, :2], ready, 1), {}),
        (ValueError, "items have 0 columns", (q[:, :0], x[:, :0], 1), {}),
        (ValueError, "queries must have 2 dimensions, got 1", (q[0], x, 1), {}),
        (ValueError, "items must have 2 dimensions, got 3", (q, x[None], 1), {}),
        (TypeError, "queries must be float32 or float16, got float64", (q.astype(float), x, 1), {}),
        (TypeError, "items must be float32 or float16, got int64", (q, x.astype(int), 1), {}),
        (TypeError, "items must be float32 or float16, got >f4", (q, x.astype(">f4"), 1), {}),
        (TypeError, "queries must be a float32 or float16 array, got list", (q.tolist(), x, 1), {}),
        (TypeError, "items must be a float32 or float16 array, got list", (q, x.tolist(), 1), {}),
        (TypeError, "got MaskedArray", (np.ma.masked_array(q), x, 1), {}),
        (ValueError, "metric='l2' is neither 'cosine' nor 'dot'", (q, x, 1), {"metric": "l2"}),
        (ValueError, "metric='cosine' contradicts .* 'dot'", (q, ready, 1), {"metric": "cosine"}),
        (ValueError, "threads=0 is not between 1 and 4096", (q, x, 1), {"threads": 0}),
        (ValueError, "threads=4097 is not between", (q, x, 1), {"threads": 4097}),
        (TypeError, "threads must be an integer", (q, x, 1), {"threads": 1.5}),
        (ValueError, "dtype='f2' is neither float32 nor float64", (q, x, 1), {"dtype": "f2"}),
        (ValueError, "dtype=None is neither", (q, x, 1), {"dtype": None}),
        (ValueError, "dtype='foo' is neither", (q, x, 1), {"dtype": "foo"}),
        (ValueError, "dtype='f4,' is neither", (q, x, 1), {"dtype": "f4,"}),
        (ValueError, "dtype=.int that cannot be shown. is", (q, x, 1), {"dtype": 10**5000}),
        (ValueError, "metric=.int that cannot be", (q, x, 1), {"metric": 10**5000}),
        (ValueError, "k is an integer of 16610 bits", (q, x, 10**5000), {}),
        (ValueError, "threads is an integer of 16610 bits", (q, x, 1), {"threads": -(10**5000)}),
        (ValueError, "threshold is an integer beyond all", (q, x, 1), {"threshold": 10**5000}),
        (TypeError, "exclude must be an int64 array, got list", (q, x, 1), {"exclude": [0, 1]}),
        (TypeError, "got int32", (q, x, 1), {"exclude": none.astype(np.int32)}),
        (ValueError, r"shape \(1,\), expected \(2,\) or", (q, x, 1), {"exclude": none[:1]}),
        (ValueError, r"shape \(1, 2\), expected", (q, x, 1), {"exclude": none[None]}),
        (ValueError, r"exclude has the id 5 for queries\[0\], .* -1 and 4", (q, x, 1), far),
        (ValueError, r"the id -2 for queries\[1\], .* -1 and 4", (q, x, 1), {"exclude": below}),
        (TypeError, "mask must be a bool array, got int8", (q, x, 1), {"mask": mask.view("i1")}),
        (TypeError, "mask must be a bool array, got list", (q, x, 1), {"mask": [True] * 5}),
        (TypeError, "got MaskedArray", (q, x, 1), {"mask": np.ma.masked_array(mask)}),
        (ValueError, r"mask has shape \(4,\), expected \(5,\)", (q, x, 1), {"mask": mask[:4]}),
        (ValueError, r"mask has shape \(1, 5\)", (q, x, 1), {"mask": mask[None]}),
        (ValueError, "threshold=nan is neither finite nor -inf", (q, x, 1), {"threshold": np.nan}),
        (ValueError, "threshold=inf is neither", (q, x, 1), {"threshold": np.inf}),
        (TypeError, "threshold must be a number or a float64 array", (q, x, 1), {"threshold": "1"}),
        (TypeError, "threshold must be .*, got bool", (q, x, 1), {"threshold": True}),
        (TypeError, "float64 array, got float32", (q, x, 1), {"threshold": zeros}),
        (ValueError, r"shape \(3,\), expected \(2,\)", (q, x, 1), {"threshold": np.zeros(3)}),
        (TypeError, "got MaskedConstant", (q, x, 1), {"threshold": np.ma.masked}),
        (TypeError, "threshold must be .*, got bool", (q, x, 1), {"threshold": np.array(True)}),
        (ValueError, "threshold=nan is neither", (q, x, 1), {"threshold": np.array(np.nan)}),
        (ValueError, r"threshold\[0\] is nan", (q, x, 1), {"threshold": none * np.nan}),
    ]  # fmt: skip
    for error, message, arguments, keywords in cases:
        with pytest.raises(error, match=f"^topk: .*{message}"):
            kernels.topk(*arguments, **keywords, **on)


def test_a_threshold_without_axes_is_a_number(on):
    items = rows("gaussian", 50, 8, 13)
    wanted = kernels.topk(items[:3], items, 9, threshold=0.25, **on)
    for threshold in (np.array(0.25), np.array(0.25, np.float32), np.float64(0.25)):
        assert_same(kernels.topk(items[:3], items, 9, threshold=threshold, **on), wanted)


def test_an_unknown_instruction_set_is_a_value_error():
    x = np.ones((2, 2), np.float32)
    for call in (lambda **on: kernels.topk(x, x, 1, **on), lambda **on: kernels.prepare(x, **on)):
        with pytest.raises(ValueError, match="isa: 'v9' is not one of this processor's"):
            call(isa="v9", backend=_cpu)


def test_the_compiled_border_copies_nothing():
    x, ids, prepared = np.ones((2, 2), np.float32), np.empty((2, 1), np.int64), {}
    for name, shape, dtype in (
        ("panels", (1, 64), np.uint8),
        ("constants", (3, 16), np.float32),
    ):
        prepared[name] = np.empty(shape, dtype)
    settings = {"scan": SCANS.index("int8"), "cosine": True, "threads": 1, "isa": ""}
    making = {"rows": x, **prepared}
    assert _cpu.prepare(**making, keep_exact=True, **settings) == -1
    named = {
        **making, "queries": x, "exclude": np.full((2, 1), -1), "mask": np.ones(2, np.uint8),
        "threshold": np.zeros(2), "ids": ids, "scores": np.empty((2, 1)),
    }  # fmt: skip
    assert _cpu.topk(**named, items=2, **settings) == (-1, -1)
    assert ids.tolist() == [[0], [0]]
    for call, arrays, more in (
        (_cpu.prepare, making, {"keep_exact": True}),
        (_cpu.topk, named, {"items": 2}),
    ):
        for name in arrays:
            wrong = {**arrays, name: arrays[name].astype(np.float16)}
            with pytest.raises(TypeError, match="incompatible function arguments"):
                call(**wrong, **more, **settings)


@pytest.mark.unsanitized
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("prepared", [False, True])
def test_ctrl_c_stops_a_search_of_many_short_steps(threads, prepared):
    slowest = {"isa": _cpu.isas()[-1], "backend": _cpu}
    queries, items = np.ones((200_000, 64), np.float32), rows("gaussian", 6000, 64, 1)
    table = kernels.prepare(items, **slowest) if prepared else items

    def stop(*_):
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGALRM, stop)
    start = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            kernels.topk(queries, table, 3, threads=threads, **slowest)
        assert time.monotonic() - start < 1.5  # of the 5 and more that it takes
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)


@pytest.mark.slow
@pytest.mark.unsanitized_threads
@pytest.mark.parametrize("isa", sorted({_cpu.isas()[0], _cpu.isas()[-1]}))
def test_more_than_2_to_the_31_numbers_are_searched(isa):
    """Memory that is only read lies on the zero page: neither table takes up what it seems to."""
    on = {"isa": isa, "backend": _cpu}
    n, dim = 2**19 + 33, 4096
    try:
        items, query = np.zeros((n, dim), np.float32), np.ones((1, dim), np.float32)
    except MemoryError:
        pytest.skip("this system does not lend 9 GB that are not there")
    items[-1] = 1
    assert kernels.topk(query, items, 2, **on)[0].tolist() == [[n - 1, 0]]
    del items
    panels = np.zeros((n // 16 + 1, 16 * dim), np.uint8)  # codes of -128
    panels.view(np.uint32).reshape(len(panels), -1, 16)[-1, :, (n - 1) % 16] = 0xFFFFFFFF
    constants = np.tile(np.array([[1], [128 * dim**0.5], [0]], np.float32), 16 * len(panels))
    prepared = kernels.Prepared(
        metric="dot", scan="int8", dim=dim, count=n, rows=None, panels=panels, constants=constants
    )
    ids, scores = kernels.topk(query, prepared, 2, **on)
    assert (ids.tolist(), scores.tolist()) == ([[n - 1, 0]], [[127.0 * dim, -128.0 * dim]])
