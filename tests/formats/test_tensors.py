"""The safetensors file: every layout and item type, the official library, every damaged byte."""

import json
import mmap
import tracemalloc

import hypothesis.strategies as st
import numpy as np
import pytest
import safetensors.numpy as official
from hypothesis import given
from hypothesis.extra import numpy as arrays

from firth._errors import FormatError
from firth.formats.tensors import read_tensors, write_tensors

DTYPES = ["?", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8", "c8"]
ORDERS = {"little-endian": "<", "big-endian": ">"}
LAYOUTS = {
    "C": lambda a: a,
    "Fortran": np.asfortranarray,
    "transposed": lambda a: a.T,
    "axes moved": lambda a: np.moveaxis(a, 0, 1),
    "every second row": lambda a: a[::2],
    "every second column": lambda a: a[:, ::2],
    "first columns": lambda a: a[:, :2],
    "reversed rows": lambda a: a[::-1],
    "reversed columns": lambda a: a[:, ::-1],
    "broadcast": lambda a: np.broadcast_to(a[:1], (5, *a.shape[1:])),
    "diagonal": lambda a: np.diagonal(a, axis1=0, axis2=1),
    "a single number": lambda a: a[1, 2, 0],
    "no rows": lambda a: a[:0],
    "unaligned": lambda a: np.frombuffer(b"?" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
}


def forged(path, header, data=b"", padding=0):
    """Write what other writers might: a header without checksums, then data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * padding
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.safetensors"


@pytest.fixture
def small(path):
    """A small valid file, and what it holds."""
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_tensors(path, {"a": a, "b": np.array([3, -1])}, {"x": "y"})
    return path, read_tensors(path)


def same(found, expected):
    return (
        found[1] == expected[1]
        and found[0].keys() == expected[0].keys()
        and all(
            found[0][name].dtype == value.dtype
            and found[0][name].shape == value.shape
            and found[0][name].tobytes() == value.tobytes()
            for name, value in expected[0].items()
        )
    )


# ---- what is written is read --------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("code", DTYPES)
def test_every_layout_and_item_type_comes_back(path, layout, order, code):
    base = np.arange(60).reshape(5, 4, 3) % (2 if code == "?" else 100)
    value = LAYOUTS[layout](base.astype(ORDERS[order] + code))
    write_tensors(path, {"x": value, "y": value})
    for tensors in (
        read_tensors(path)[0],
        read_tensors(path, mmap=False)[0],
        official.load_file(path),
    ):
        for found in tensors.values():
            assert found.shape == value.shape
            assert found.dtype == value.dtype.newbyteorder("<")
            np.testing.assert_array_equal(found, value)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])).filter(lambda n: n != "__metadata__"),
        arrays.arrays(
            st.sampled_from([np.dtype(code) for code in DTYPES]),
            arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
        ),
        max_size=4,
    ),
    st.dictionaries(st.text(max_size=5).filter(str.isprintable), st.just("\n\0é\U0001f600")),
)
def test_any_arrays_come_back(tmp_path_factory, tensors, metadata):
    path = tmp_path_factory.mktemp("a") / "a"
    write_tensors(path, tensors, metadata)
    found, notes = read_tensors(path)
    assert notes == metadata
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        assert found[name].tobytes() == value.tobytes()
    assert official.load_file(path).keys() == tensors.keys()


@pytest.mark.parametrize("layout", ["C", "transposed", "every second row", "reversed columns"])
@pytest.mark.parametrize("shape", [(3, 1_000_000), (1_000_000, 3), (3_000_000, 1)])
def test_arrays_of_several_chunks_come_back(path, layout, shape):
    value = LAYOUTS[layout](np.arange(3_000_000.0).reshape(shape))
    write_tensors(path, {"x": value})
    assert np.array_equal(read_tensors(path)[0]["x"], value)


def test_the_official_library_reads_metadata_and_we_read_its_files(path):
    write_tensors(path, {"a": np.arange(3.0)}, {"made": "here"})
    with official.safe_open(path, "numpy") as file:
        assert file.metadata()["made"] == "here"
    official.save_file({"a": np.arange(3.0), "b": np.ones((2, 2), bool)}, path, {"made": "there"})
    with pytest.raises(FormatError, match=r"byte 8: expected a header that begins with"):
        read_tensors(path)
    tensors, metadata = read_tensors(path, foreign=True)
    assert metadata == {"made": "there"}
    assert tensors["a"].tolist() == [0, 1, 2]
    assert tensors["b"].all()


def test_data_begin_at_64_and_the_widest_come_first(path):
    for size in range(0, 130, 7):
        tensors = {"n" * size: np.ones(3, np.int8), "wide": np.ones(3), "mid": np.ones(3, "f4")}
        write_tensors(path, tensors)
        length = int.from_bytes(path.read_bytes()[:8], "little")
        assert (8 + length) % 64 == 0
        found = read_tensors(path)[0]
        assert [array.itemsize for array in found.values()] == [8, 4, 1]
        assert all(array.flags.aligned for array in found.values())


def test_mapped_arrays_are_views_that_cannot_be_written_to(small):
    path, _ = small
    mapped, read = read_tensors(path)[0]["a"], read_tensors(path, mmap=False)[0]["a"]
    assert read.flags.writeable
    assert not mapped.flags.writeable
    base = mapped
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)


def test_mapping_takes_no_memory(path):
    write_tensors(path, {"x": np.zeros(4_000_000)})
    tracemalloc.start()
    kept = read_tensors(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert kept[0]["x"].size == 4_000_000


def test_a_mapped_file_may_be_replaced(small):
    path, expected = small
    mapped = read_tensors(path)
    write_tensors(path, {"a": np.zeros(100)})
    assert same(mapped, expected)


# ---- what cannot be written ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "text"),
    [
        ({"a": np.array(["x"])}, {}, TypeError, "a: dtype <U1 is none of bool uint8"),
        ({"a": np.array([None])}, {}, TypeError, "dtype object"),
        ({"a": np.array([1], "M8[s]")}, {}, TypeError, "datetime64"),
        ({"a": np.array([1], np.longdouble)}, {}, TypeError, "longdouble|float128"),
        ({"a": np.array([1], np.complex128)}, {}, TypeError, "complex128"),
        ({"a": np.zeros(1, [("x", "f4")])}, {}, TypeError, "dtype"),
        ({1: np.zeros(1)}, {}, TypeError, "name of a tensor: expected str, found int"),
        ({"__metadata__": np.zeros(1)}, {}, ValueError, "reserved"),
        ({"\udc80": np.zeros(1)}, {}, ValueError, "not valid Unicode"),
        ({}, {"a": 1}, TypeError, "metadata: expected str, found int"),
        ({}, {"a": "\ud800"}, ValueError, "not valid Unicode"),
        ({}, {"firth.crc32.a": "0"}, ValueError, "reserved for checksums"),
        ({}, {"a": "x" * 100_000_000}, ValueError, "a header of 100000[0-9]+ bytes is above"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_the_format_cannot_hold_is_refused(small, tensors, metadata, error, text):
    path, expected = small
    with pytest.raises(error, match=f"write_tensors: .*({text})"):
        write_tensors(path, tensors, metadata)
    assert same(read_tensors(path), expected)


# ---- damage -------------------------------------------------------------------------------------


def test_every_changed_byte_is_found(small, tmp_path):
    path, _ = small
    good, bad = path.read_bytes(), tmp_path / "bad"
    for at in range(len(good)):
        for change in (0x01, 0x80, 0xFF):
            bad.write_bytes(good[:at] + bytes([good[at] ^ change]) + good[at + 1 :])
            with pytest.raises(FormatError, match="bad: "):
                read_tensors(bad, mmap=False)


def test_every_cut_and_every_addition_is_found(small, tmp_path):
    path, _ = small
    good, bad = path.read_bytes(), tmp_path / "bad"
    for size in range(len(good)):
        bad.write_bytes(good[:size])
        with pytest.raises(FormatError, match="bad: "):
            read_tensors(bad)
    for more in (b"\0", b"\n", good):
        bad.write_bytes(good + more)
        with pytest.raises(
            FormatError, match=rf"expected 40 bytes of tensors, found {40 + len(more)}"
        ):
            read_tensors(bad)


def test_without_verifying_only_the_header_is(small):
    path, _ = small
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"\x01")
    with pytest.raises(FormatError, match=r"tensor 'a' at byte .*: expected checksum"):
        read_tensors(path)
    assert read_tensors(path, verify=False)[0].keys() == {"a", "b"}
    path.write_bytes(good.replace(b'"x":"y"', b'"x":"z"'))
    with pytest.raises(FormatError, match="header at byte 0: expected checksum"):
        read_tensors(path, verify=False)


HUGE = 2**62
DAMAGED = {
    "no JSON": (b"{", b"", "JSON"),
    "not UTF-8": (b'{"\xff": 1}', b"", "JSON"),
    "a list": ([], b"", "a JSON object, found list"),
    "nested deep": (b"[" * 1_000_000, b"", "JSON"),
    "NaN": (b'{"a": NaN}', b"", "JSON, found NaN"),
    "a long number": (b'{"a": ' + b"9" * 10_000 + b"}", b"", "JSON"),
    "a name twice": (b'{"a": 1, "a": 1}', b"", "JSON, found a name that stands twice"),
    "metadata no object": ({"__metadata__": [1]}, b"", "an object of texts"),
    "metadata no text": ({"__metadata__": {"a": 1}}, b"", "an object of texts"),
    "no object": ({"a": 1}, b"", "an object of dtype, shape and data_offsets"),
    "a field more": ({"a": {**tensor(), "more": 1}}, bytes(8), "an object of dtype"),
    "a field less": ({"a": {"dtype": "F32", "shape": [2]}}, bytes(8), "an object of dtype"),
    "unknown dtype": ({"a": tensor("BF16", (4,))}, bytes(8), "a dtype of BOOL"),
    "dtype no text": ({"a": tensor(["F32"])}, bytes(8), "a dtype of BOOL"),
    "negative shape": ({"a": tensor(shape=(-2,))}, bytes(8), "a shape"),
    "two negative": ({"a": tensor(shape=(-2, -1))}, bytes(8), "a shape"),
    "fractional shape": ({"a": tensor(shape=(2.0,))}, bytes(8), "a shape"),
    "true shape": ({"a": tensor(shape=(True, 2))}, bytes(8), "a shape"),
    "65 axes": ({"a": tensor(shape=(1,) * 64 + (2,))}, bytes(8), "a shape of at most 64"),
    "overflowing": ({"a": tensor(shape=(HUGE, 4), offsets=(0, 0))}, b"", "fits into memory"),
    "zero of huge": ({"a": tensor(shape=(0, HUGE), offsets=(0, 0))}, b"", "fits into memory"),
    "above 64 bits": ({"a": tensor(shape=(2**64,))}, bytes(8), "a shape"),
    "too large": ({"a": tensor(shape=(HUGE // 8,), offsets=(0, HUGE // 2))}, b"", "bytes of tens"),
    "sizes disagree": ({"a": tensor(shape=(3,))}, bytes(8), "data_offsets 12 bytes apart"),
    "three offsets": ({"a": tensor(offsets=(0, 4, 8))}, bytes(8), "begin <= end"),
    "backwards": ({"a": tensor(offsets=(8, 0))}, bytes(8), "begin <= end"),
    "a hole": ({"a": tensor(offsets=(4, 12))}, bytes(12), "data_offsets from 0, found 4"),
    "overlapping": ({"a": tensor(), "b": tensor(offsets=(4, 12))}, bytes(12), "from 8, found 4"),
    "twice the same": ({"a": tensor(), "b": tensor()}, bytes(8), "from 8, found 0"),
    "data cut": ({"a": tensor()}, bytes(7), "8 bytes of tensors, found 7 bytes"),
    "data left": ({"a": tensor()}, bytes(9), "8 bytes of tensors, found 9 bytes"),
    "a boolean of 2": ({"a": tensor("BOOL", (2,), (0, 2))}, b"\1\2", "0 or 1, found 2"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_wrong_header_is_named(path, case):
    header, data, expected = DAMAGED[case]
    for use_mmap in (True, False):
        with pytest.raises(FormatError, match=f"a.safetensors: .*{expected}"):
            read_tensors(forged(path, header, data), use_mmap, foreign=True)


@pytest.mark.parametrize("length", [10**8 + 1, 2**63, 2**64 - 1, 10**8, 3])
def test_a_wrong_header_length_allocates_nothing(path, length):
    path.write_bytes(length.to_bytes(8, "little") + b"{}")
    tracemalloc.start()
    with pytest.raises(FormatError, match="header"):
        read_tensors(path, foreign=True)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_unaligned_foreign_tensors_are_copied_to_be_aligned(path):
    header = {"a": tensor("U8", (1,), (0, 1)), "b": tensor("F32", (2,), (1, 9))}
    data = b"\7" + np.array([1, 2], "<f4").tobytes()
    for padding in range(4):
        found = read_tensors(forged(path, header, data, padding), foreign=True)[0]
        assert found["b"].flags.aligned
        assert found["b"].tolist() == [1, 2]
