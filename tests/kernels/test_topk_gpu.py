"""topk and prepare on device arrays: the same answers as on the host."""

import numpy as np
import pytest
from hypothesis import given

import oracle
from firth import _arrays, kernels
from searches import KINDS, METRICS, SCANS, assert_same, expected, rows, searches, ways

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", params=["_cuda", "_arrays"])
def device(request, cupy):
    """Both backends that take device arrays, as keyword arguments."""
    if request.param == "_arrays":
        return {"backend": _arrays}
    return {"backend": pytest.importorskip("firth._cuda", reason="the CUDA module was not built")}


def there(cupy, narrow):
    """What topk takes by keyword, with its arrays on the device."""
    arrays = (key for key, value in narrow.items() if isinstance(value, np.ndarray))
    return {**narrow, **{key: cupy.asarray(narrow[key]) for key in arrays}}


def back(cupy, found):
    assert all(isinstance(array, cupy.ndarray) for array in found)
    return tuple(cupy.asnumpy(array) for array in found)


@given(search=searches())
def test_device_arrays_are_ranked_exactly_as_on_the_host(cupy, device, search):
    queries, items, k, narrow = search
    wanted, narrow = oracle.topk(queries, items, k, **narrow), there(cupy, narrow)
    queries, items = cupy.asarray(queries), cupy.asarray(items)
    for way in ways(items, narrow["metric"], **device):
        found = kernels.topk(queries, way, k, dtype=np.float64, **narrow, **device)
        assert_same(back(cupy, found), wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
def test_many_items_on_a_device_are_ranked_exactly(cupy, device, kind, metric):
    items, queries = rows(kind, 50_001, 33, 1), rows("gaussian", 70, 33, 2)
    wanted = expected(queries, items, 12, metric)
    for way in ways(cupy.asarray(items), metric, **device):
        found = kernels.topk(cupy.asarray(queries), way, 12, metric=metric, **device)
        assert_same(back(cupy, found), wanted)


@pytest.mark.parametrize("scan", SCANS[1:])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["gaussian", "near ties", "some zeros"])
def test_codes_on_a_device_are_those_of_the_host_and_are_ranked_as_their_values(
    cupy, device, kind, metric, scan
):
    items = rows(kind, 1003, 50, 3)
    for keep_exact in (True, False):
        host = kernels.prepare(items, metric, scan=scan, keep_exact=keep_exact, backend=_arrays)
        given = cupy.asarray(items)
        prepared = kernels.prepare(given, metric, scan=scan, keep_exact=keep_exact, **device)
        np.testing.assert_array_equal(cupy.asnumpy(prepared.panels), host.panels)
        np.testing.assert_allclose(cupy.asnumpy(prepared.constants), host.constants, rtol=1e-5)
        values = cupy.asnumpy(prepared.values())
        found = back(cupy, kernels.topk(given[:20], prepared, 9, dtype=np.float64, **device))
        assert_same(found, expected(items[:20], values, 9, metric))
    picked = cupy.asarray([1002, 0, 16])
    np.testing.assert_array_equal(cupy.asnumpy(prepared.values(picked)), values[[1002, 0, 16]])
    head = back(cupy, kernels.topk(given[:20], prepared.head(501), 9, **device))
    assert_same(head, expected(items[:20], values[:501], 9, metric))


def test_prepared_on_a_device_is_saved_and_loaded_on_the_host(cupy, device, tmp_path):
    items = rows("gaussian", 100, 20, 9)
    prepared = kernels.prepare(cupy.asarray(items), **device)
    prepared.save(tmp_path / "items")
    loaded = kernels.Prepared.load(tmp_path / "items")
    np.testing.assert_array_equal(loaded.rows, items)
    np.testing.assert_array_equal(loaded.panels, cupy.asnumpy(prepared.panels))
    with pytest.raises(TypeError, match=r"^topk: queries and items must be all on the host"):
        kernels.topk(items[:3], prepared, 3)


def test_parts_on_a_device_are_merged_there(cupy, device):
    items, queries = (cupy.asarray(rows("copies", n, 8, n)) for n in (400, 7))
    whole = kernels.topk(queries, items, 20, dtype=np.float64, **device)
    parts = [
        kernels.topk(queries, part, 20, dtype=np.float64, **device)
        for part in (items[:133], items[133:])
    ]
    merged = kernels.merge_topk(parts, 20, starts=[0, 133])
    assert_same(back(cupy, merged), back(cupy, whole))


def test_a_value_on_the_device_that_is_not_finite_is_a_value_error(cupy, device):
    items = rows("gaussian", 100, 20, 9)
    items[[88, 33], 1] = np.nan
    there = cupy.asarray(items)
    with pytest.raises(ValueError, match=r"^topk: items\[33\] is not finite"):
        kernels.topk(there[:3], there, 3, metric="dot", **device)
    with pytest.raises(ValueError, match=r"^prepare: items\[33\] is not finite"):
        kernels.prepare(there, **device)
