"""prepare against its definition: codes bit for bit, constants in their bounds; and its file."""

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
import oracle
from firth import _arrays, _cpu, kernels
from firth.formats.tensors import read_tensors, write_tensors
from searches import KINDS, METRICS, SCANS, assert_same, expected, rows

CODES = ("bfloat16", "int8")
FIELDS = ("metric", "scan", "dim", "count", "exact")


@st.composite
def tables(draw):
    count, dim = draw(st.integers(1, 40)), draw(st.integers(1, 70))
    return rows(draw(st.sampled_from(KINDS)), count, dim, draw(st.integers(0, 2**32 - 1)))


def codes_of(prepared):
    """The codes in panels, (n, dim), read one by one."""
    found, many = np.empty((len(prepared), prepared.dim)), 4 if prepared.scan == "int8" else 2
    for i in range(len(prepared)):
        panel = prepared.panels[i // 16].reshape(-1, 16, 4)
        for d in range(prepared.dim):
            word = panel[d // many, i % 16]
            if many == 4:
                found[i, d] = int(word[d % 4]) - 128
            else:
                bits = int(word[d % 2 * 2]) | int(word[d % 2 * 2 + 1]) << 8
                found[i, d] = np.array([bits << 16], np.uint32).view(np.float32)[0]
    return found


@given(items=tables(), metric=st.sampled_from(METRICS), scan=st.sampled_from(CODES))
def test_codes_are_those_of_the_definition_to_the_last_bit(on, items, metric, scan):
    for keep_exact in (True, False):
        wanted = oracle.prepare(items, scan, metric, keep_exact)
        taken = [i for i, row in enumerate(wanted) if keep_exact or not np.isnan(row[1])]
        prepared = kernels.prepare(items[taken], metric, scan=scan, keep_exact=keep_exact, **on)
        codes = np.reshape([wanted[i][0] for i in taken], (len(taken), items.shape[1]))
        np.testing.assert_array_equal(codes_of(prepared), codes)


def test_a_product_is_rounded_to_float32_before_it_is_rounded_to_a_code(on):
    rng = np.random.default_rng(20)
    largest = rng.uniform(1, 2, 2**21).astype(np.float32)
    x = largest * rng.uniform(-1, 1, 2**21).astype(np.float32)
    factor = np.float32(127) / largest
    code, fused = np.rint(factor * x), np.rint(factor.astype(np.float64) * x)
    items = np.column_stack([largest, x])[code != fused]
    assert len(items) > 1
    found = codes_of(kernels.prepare(items, scan="int8", **on))
    np.testing.assert_array_equal(found[:, 1], code[code != fused])


@pytest.mark.parametrize("scan", CODES)
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 63, 64, 65])
def test_panels_are_those_of_the_definition_to_the_last_byte(on, scan, dim):
    for count in (1, 15, 16, 17, 33):
        items = rows("whole numbers", count, dim, dim)
        for keep_exact in (True, False):
            wanted = oracle.prepare(items, scan, "cosine", keep_exact)
            wanted = oracle.panels([row[0] for row in wanted], scan, dim)
            prepared = kernels.prepare(items, scan=scan, keep_exact=keep_exact, **on)
            assert [panel.tobytes() for panel in prepared.panels] == wanted


@given(items=tables(), metric=st.sampled_from(METRICS), scan=st.sampled_from(SCANS))
def test_constants_bound_the_rows_and_their_codes(on, items, metric, scan):
    for keep_exact in (True, False):
        wanted = oracle.prepare(items, scan, metric, keep_exact)
        odd = np.array([np.isnan(row[1]) for row in wanted])
        if not keep_exact and (scan == "float32" or odd.any()):
            continue
        prepared = kernels.prepare(items, metric, scan=scan, keep_exact=keep_exact, **on)
        constants = prepared.constants.astype(np.float64)
        assert constants[:, len(items) :].tolist() == [
            [value] * (constants.shape[1] - len(items)) for value in (1, 0, 0)
        ]
        grains, lengths, rests = constants[:, : len(items)]
        assert np.isnan(grains[odd]).all()
        assert not lengths[odd].any()
        assert not rests[odd].any()
        # The definition here has errors of a few 2^-53; a bound is of use if it is near.
        within, float64, near = (0.5 * prepared.dim + 4) * 2.0**-24, 1 + 2.0**-45, 1.01
        for i in np.flatnonzero(~odd):
            codes, grain, length, rest = wanted[i]
            assert abs(grains[i] / grain - 1) <= within
            assert length <= lengths[i] * float64
            assert lengths[i] <= length * near
            assert rest <= rests[i] * float64
            assert rests[i] <= rest * near + oracle.length(codes) * 2.0**-16


@given(items=tables(), metric=st.sampled_from(METRICS), scan=st.sampled_from(CODES))
def test_values_are_codes_over_grains_rounded_once(on, items, metric, scan):
    wanted = oracle.prepare(items, scan, metric, False)
    keep = [i for i, row in enumerate(wanted) if not np.isnan(row[1])]
    if not keep:
        return
    prepared = kernels.prepare(items[keep], metric, scan=scan, keep_exact=False, **on)
    values = [
        [oracle.single(code / float(grain)) for code in wanted[i][0]]
        for i, grain in zip(keep, prepared.constants[0], strict=False)
    ]
    np.testing.assert_array_equal(prepared.values(), np.array(values, np.float32))
    ids = np.array([len(keep) - 1, 0, len(keep) // 2])
    np.testing.assert_array_equal(prepared.values(ids), prepared.values()[ids])
    if metric == "cosine":
        norms = np.linalg.norm(prepared.values().astype(np.float64), axis=1)
        assert (np.isclose(norms, 1, rtol=0, atol=1e-5) | (norms == 0)).all()
    else:
        largest = np.abs(items[keep]).max(axis=1, initial=0, keepdims=True)
        error = largest / 254 if scan == "int8" else np.abs(items[keep]) / 256 + largest * 2.0**-120
        assert (np.abs(prepared.values() - items[keep]) <= error * 1.0001).all()


def test_a_panel_lies_as_its_description_says(on):
    items = np.zeros((17, 5), np.float32)
    items[1], items[16] = [1, -1, 0.5, 0, 127], [0, 0, 0, 0, -3]
    panels = kernels.prepare(items, scan="int8", **on).panels.reshape(2, 2, 16, 4)
    assert panels[0, :, 1].tolist() == [[129, 127, 128, 128], [255, 128, 128, 128]]
    assert panels[1, :, 0].tolist() == [[128, 128, 128, 128], [1, 128, 128, 128]]
    assert (panels != 128).sum() == 4
    panels = kernels.prepare(items, scan="bfloat16", **on).panels.reshape(2, 3, 16, 4)
    codes = np.ascontiguousarray(panels[0, :, 1]).view("<u2").ravel()
    assert [hex(code) for code in codes] == ["0x3c80", "0xbc80", "0x3c00", "0x0", "0x3ffe", "0x0"]
    assert np.ascontiguousarray(panels[1, 2, 0]).view("<u2").tolist() == [0xBFC0, 0]


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(on, metric, scan, threads):
    items = rows("some zeros", 5003, 19, 21)
    one, many = (kernels.prepare(items, metric, scan=scan, threads=t, **on) for t in (1, threads))
    np.testing.assert_array_equal(one.constants, many.constants)
    if scan != "float32":
        np.testing.assert_array_equal(one.panels, many.panels)


@pytest.mark.parametrize("scan", CODES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["gaussian", "near ties", "copies"])
def test_every_backend_searches_what_another_has_prepared(on, kind, metric, scan):
    items, queries = rows(kind, 1003, 50, 22), rows(kind, 20, 50, 23)
    for keep_exact in (True, False):
        for other in (_arrays, _cpu):
            prepared = kernels.prepare(
                items, metric, scan=scan, keep_exact=keep_exact, backend=other
            )
            found = kernels.topk(queries, prepared, 30, dtype=np.float64, **on)
            assert_same(found, expected(queries, prepared.values(), 30, metric))


@pytest.mark.parametrize("dim", [65536, 65537])
def test_the_widest_rows_are_searched(on, dim):
    items = rows("gaussian", 20, dim, 24)
    items[:10] = 3e4 * np.sign(items[:10])  # the largest sums of products that codes can have
    wanted = expected(items[:2], items, 7, "dot")
    for scan in ("auto", *SCANS[: 2 + (dim <= 65536)]):
        prepared = kernels.prepare(items, "dot", scan=scan, **on)
        assert_same(kernels.topk(items[:2], prepared, 7, dtype=np.float64, **on), wanted)
    assert kernels.prepare(items, **on).scan == ("int8" if dim <= 65536 else "float32")


# ---- Prepared -----------------------------------------------------------------------------------


def test_rows_are_kept_and_not_copied(on):
    items = rows("gaussian", 100, 24, 25)
    for scan, size in (("float32", 0), ("bfloat16", 2), ("int8", 1)):
        prepared = kernels.prepare(items, scan=scan, **on)
        assert prepared.rows.ctypes.data == items.ctypes.data
        assert prepared.nbytes == 4 * items.size + 112 * (24 * size + 12)
        assert (len(prepared), prepared.dim, prepared.exact) == (100, 24, True)
        np.testing.assert_array_equal(prepared.values(), items)
        assert (prepared.panels is None) == (scan == "float32")
        for array in (prepared.rows, prepared.constants, prepared.panels):
            assert array is None or not array.flags.writeable
    assert items.flags.writeable
    assert kernels.prepare(items[::2], **on).rows.flags.c_contiguous
    small = kernels.prepare(items, keep_exact=False, **on)
    assert (small.scan, small.rows, small.exact) == ("int8", None, False)
    assert small.nbytes == 112 * (24 + 12)
    assert repr(small) == "<Prepared: 100 items of 24 dimensions, cosine, int8, codes only>"


def test_no_items_can_be_prepared(on):
    prepared = kernels.prepare(np.empty((0, 5), np.float32), keep_exact=False, **on)
    assert len(prepared) == 0
    assert prepared.values().shape == (0, 5)


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("keep_exact", [True, False])
def test_a_head_is_searched_like_so_many_items(on, scan, keep_exact):
    if scan == "float32" and not keep_exact:
        return
    items = rows("copies", 100, 24, 26)
    prepared = kernels.prepare(items, scan=scan, keep_exact=keep_exact, **on)
    for n in (1, 15, 16, 17, 99, 100):
        head = prepared.head(n)
        assert [getattr(head, name) for name in FIELDS] == ["cosine", scan, 24, n, keep_exact]
        np.testing.assert_array_equal(head.values(), prepared.values()[:n])
        # Against the items, and against their opposites, which all score less than a code of 0.
        for queries in (items[-20:], -items[:1]):
            k = min(n, 7)
            wanted = expected(queries, prepared.values()[:n], k, "cosine")
            assert_same(kernels.topk(queries, head, k, **on), wanted)
    for n in (-1, 101):
        with pytest.raises(ValueError, match=f"^head: n={n} is not between 0 and the 100 items$"):
            prepared.head(n)


def test_prepared_is_frozen_and_can_be_copied_and_pickled(on):
    items = rows("gaussian", 50, 24, 27)
    prepared = kernels.prepare(items, keep_exact=False, **on)
    with pytest.raises(dataclasses.FrozenInstanceError):
        prepared.metric = "dot"
    wanted = kernels.topk(items[:5], prepared, 3, **on)
    for other in (copy.deepcopy(prepared), pickle.loads(pickle.dumps(prepared))):
        assert_same(kernels.topk(items[:5], other, 3, **on), wanted)


def test_bad_arguments_are_one_clear_error(on):
    x = rows("gaussian", 5, 3, 28)
    wide, codes = np.ones((1, 65537), np.float32), {"keep_exact": False}
    bad, tiny, vast = (x.copy() for _ in range(3))
    bad[3, 2], tiny[2], vast[4] = np.nan, 1e-12, 1e20
    dots = {"metric": "dot", "keep_exact": False}
    cases = [
        (TypeError, "items must be float32 or float16, got float64", x.astype(float), {}),
        (TypeError, "items must be a float32 or float16 array, got list", x.tolist(), {}),
        (ValueError, "items must have 2 dimensions, got 1", x[0], {}),
        (ValueError, "items have 0 columns", x[:, :0], {}),
        (ValueError, "metric='l2' is neither 'cosine' nor 'dot'", x, {"metric": "l2"}),
        (ValueError, "scan='int4' is neither 'auto', .* nor 'int8'", x, {"scan": "int4"}),
        (ValueError, "scan='int8' takes at most 65536 columns", wide, {"scan": "int8"}),
        (ValueError, "keep_exact=False needs codes: scan='auto'", wide, codes),
        (ValueError, "keep_exact=False needs codes", x, {"scan": "float32", **codes}),
        (TypeError, "keep_exact=1 is not False or True", x, {"keep_exact": 1}),
        (ValueError, "threads=0 is not between 1 and 4096", x, {"threads": 0}),
        (ValueError, r"items\[3\] is not finite", bad, {}),
        (ValueError, r"items\[3\] is not finite", bad, codes),
        (ValueError, r"items\[3\] is not finite", bad, {"scan": "float32"}),
        (ValueError, r"items\[2\] has a norm that is not between", tiny, dots),
        (ValueError, r"items\[4\] has a norm that is not between", vast, dots),
    ]
    for error, message, items, keywords in cases:
        with pytest.raises(error, match=f"^prepare: .*{message}"):
            kernels.prepare(items, **keywords, **on)
    prepared = kernels.prepare(x, **on)
    for error, message, ids in (
        (TypeError, "ids must be an int64 array, got list", [0]),
        (ValueError, r"ids\[1\]=5 is not between 0 and 4", np.array([0, 5])),
        (ValueError, r"ids\[0\]=-1 is not between 0 and 4", np.array([-1])),
        (ValueError, r"ids has shape \(1, 1\), expected", np.array([[0]])),
    ):
        with pytest.raises(error, match=f"^values: {message}"):
            prepared.values(ids)
    with pytest.raises(ValueError, match=r"^values: ids\[0\]=0 is given, of 0 items"):
        prepared.head(0).values(np.array([0]))
    with pytest.raises(TypeError, match=r"^head: n must be an integer, got float"):
        prepared.head(7.0)


# ---- files --------------------------------------------------------------------------------------


def saved(folder, **settings):
    prepared = kernels.prepare(rows("some zeros", 100, 23, 29), **settings)
    prepared.save(folder / "items.safetensors")
    return prepared, folder / "items.safetensors"


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("keep_exact", [True, False])
@pytest.mark.parametrize("mmap", [True, False])
def test_what_is_saved_is_loaded(tmp_path, scan, metric, keep_exact, mmap):
    if scan == "float32" and not keep_exact:
        return
    prepared, path = saved(tmp_path, metric=metric, scan=scan, keep_exact=keep_exact)
    loaded = kernels.Prepared.load(path, mmap=mmap, verify=not mmap)
    for name in FIELDS:
        assert getattr(loaded, name) == getattr(prepared, name)
    for name in ("rows", "panels", "constants"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(prepared, name))
    if mmap and loaded.panels is not None:
        assert loaded.panels.ctypes.data % 64 == 0
    queries = rows("gaussian", 10, 23, 30)
    assert_same(kernels.topk(queries, loaded, 9), kernels.topk(queries, prepared, 9))
    half = loaded.head(50)
    half.save(path)
    np.testing.assert_array_equal(kernels.Prepared.load(path).values(), half.values())


def test_numbers_of_numpy_are_saved_too(tmp_path):
    prepared, path = saved(tmp_path)
    dataclasses.replace(prepared, dim=np.int64(23), count=np.int32(100)).save(path)
    assert (kernels.Prepared.load(path).dim, len(kernels.Prepared.load(path))) == (23, 100)


@pytest.mark.parametrize("code", [0x7F80, 0xFF80, 0x7FC1])
def test_codes_that_are_not_finite_are_a_format_error(tmp_path, code):
    _, path = saved(tmp_path, scan="bfloat16", keep_exact=False)
    tensors, notes = read_tensors(path, mmap=False)
    tensors["panels"].view(np.uint16)[3, 29] = code
    write_tensors(path, tensors, notes)
    with pytest.raises(firth.FormatError, match="tensor 'panels', panel 3: "):
        kernels.Prepared.load(path)
    assert len(kernels.Prepared.load(path, verify=False)) == 100


def test_a_damaged_file_is_a_format_error(tmp_path):
    _, path = saved(tmp_path)
    data = path.read_bytes()
    for at in range(0, len(data), 97):
        for damaged in (data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :], data[:at]):
            path.write_bytes(damaged)
            with pytest.raises(firth.FormatError):
                kernels.Prepared.load(path)


@pytest.mark.parametrize("exact", [True, False])
def test_a_file_that_contradicts_itself_is_a_format_error(tmp_path, exact):
    _, path = saved(tmp_path, keep_exact=exact)
    tensors, notes = read_tensors(path, mmap=False)
    note = json.loads(notes["firth"])

    def constant(row, value):
        changed = tensors["constants"].copy()
        changed[row, 7] = value
        return {"constants": changed}

    panels, constants = tensors["panels"], tensors["constants"]
    cases = [
        ({"format": "other"}, {}), ({"version": 2}, {}), ({"kind": "embedding"}, {}),
        ({"metric": "l2"}, {}), ({"metric": None}, {}), ({"scan": "bfloat16"}, {}),
        ({"scan": "float32"}, {}), ({"scan": 2}, {}), ({"items": 96}, {}), ({"items": 113}, {}),
        ({"items": -1}, {}), ({"items": "100"}, {}), ({"items": True}, {}), ({"dim": 25}, {}),
        ({"dim": 0}, {}), ({"dim": 23.0}, {}), ({"dim": 10**30}, {}), ({"items": 10**30}, {}),
        ({"exact": not exact}, {}), ({"exact": None}, {}), ({"exact": int(exact)}, {}),
        ({}, {"panels": panels[1:]}), ({}, {"panels": panels.astype(np.uint64)}),
        ({}, {"panels": panels.view(np.uint8)}), ({}, {"panels": panels.view(np.int32)}),
        ({}, {"panels": panels[:, :, None]}), ({}, {"panels": None}), ({}, {"constants": None}),
        ({}, {"constants": constants[:2]}), ({}, {"constants": constants.astype(np.float64)}),
        ({}, {"constants": constants[:, :-1]}), ({}, {"more": np.zeros(1)}),
        *(({}, constant(0, value)) for value in (0, -1, np.inf, -np.inf)),
        *(({}, constant(row, value)) for row in (1, 2) for value in (-1, np.inf, np.nan)),
    ]  # fmt: skip
    if exact:
        cases += [({}, {"rows": tensors["rows"][:, 1:]}), ({}, {"rows": tensors["rows"][1:]})]
        cases += [({}, {"rows": tensors["rows"].astype(np.float64)}), ({"items": 101}, {})]
        cases += [({"scan": "float32"}, {"panels": None, "constants": constants[:, :-16]})]
        cases += [({}, {"rows": None})]
    else:
        cases += [({}, constant(0, np.nan)), ({}, {"rows": np.zeros((100, 24), np.float32)})]
        cases += [({"scan": "float32"}, {"panels": None}), ({}, {"rows": np.ones((100, 23), "f4")})]
        cases += [({}, constant(0, 2.0**-65)), ({}, constant(2, 2.0**-126))]
    for notes, arrays in cases:
        changed = {**tensors, **arrays}
        changed = {name: changed[name] for name in changed if changed[name] is not None}
        write_tensors(path, changed, {"firth": json.dumps({**note, **notes})})
        with pytest.raises(firth.FormatError, match=str(path)):
            kernels.Prepared.load(path)
    for text in ("", "[]", "7", "{", "[" * 100_000):
        write_tensors(path, tensors, {"firth": text})
        with pytest.raises(firth.FormatError, match=str(path)):
            kernels.Prepared.load(path)
    allowed = constant(0, np.nan) if exact else constant(0, 2.0**-64)
    write_tensors(path, {**tensors, **allowed}, {"firth": json.dumps(note)})
    assert len(kernels.Prepared.load(path)) == 100


def test_arrays_that_do_not_fit_make_no_prepared():
    whole = kernels.prepare(rows("gaussian", 20, 8, 31))
    one = dataclasses.replace(whole)
    assert repr(one) == repr(whole)
    for error, changes in (
        (ValueError, {"count": 33}),
        (ValueError, {"panels": None}),
        (TypeError, {"rows": whole.rows.astype(np.float64)}),
        (TypeError, {"constants": None}),
        (ValueError, {"rows": np.asfortranarray(whole.rows)}),
        (ValueError, {"rows": None, "panels": None, "scan": "float32"}),
    ):
        with pytest.raises(error, match=r"^Prepared: "):
            dataclasses.replace(whole, **changes)
