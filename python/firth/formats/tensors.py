"""Named arrays in one file: the safetensors format with a checksum over every byte.

The official library loads these files, and `read_tensors` its files. Written here and not taken
from there because that library copies on loading, has no checksum and stores wrong values for
arrays that are not C-contiguous (safetensors issue 825).

Layout: header length (8 bytes, little-endian), header (JSON, padded with spaces so that the data
begin at a multiple of 64 bytes), then the arrays without holes, the widest item types first, so
that each is aligned to its item size. ``__metadata__`` begins with the CRC-32 of the 8 length bytes
and the header (its own 8 digits taken as zeros) and has one CRC-32 per array.
"""

import json
import math
import mmap as memory_map
import sys
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._errors import FormatError
from firth._files import atomic_file
from firth._reading import AnyPath, CheckedReader

Array = npt.NDArray[Any]

MAX_HEADER = 100_000_000  # bytes, as in the official library
MAX_AXES = 64  # as in numpy
_ALIGN = 64
_CHUNK = 8 << 20  # bytes; between chunks an interrupt is answered
_CRC, _CRC_OF = "firth.crc32", "firth.crc32."
_OPENING = b'{"__metadata__":{"' + _CRC.encode() + b'":"'
_DTYPES = {
    "BOOL": "?",
    "U8": "<u1",
    "I8": "<i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
    "C64": "<c8",
}
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}


class _Entry(NamedTuple):
    """One array as the header describes it; begin and end count from the start of the data."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


# ---- writing ------------------------------------------------------------------------------------


def write_tensors(
    path: AnyPath, tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays to one file, atomically.

    Parameters
    ----------
    path
        The file, replaced in one step; see `firth._files.atomic_file`.
    tensors
        Arrays of booleans, integers, float16/32/64 or complex64, of any memory layout and byte
        order; they are stored C-contiguous and little-endian. At most a few megabytes are copied.
    metadata
        Text by name, kept in the header. Names beginning with ``firth.crc32`` are ours.

    Raises
    ------
    TypeError
        An item type that the format does not have (objects, text, dates, longdouble).
    ValueError
        A name or text that is not valid Unicode or is reserved, or a header above 100 MB.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp(), "a.safetensors")
    >>> write_tensors(file, {"a": np.arange(6).reshape(2, 3).T}, {"source": "a doctest"})
    >>> arrays, metadata = read_tensors(file)
    >>> arrays["a"].tolist(), metadata
    ([[0, 3], [1, 4], [2, 5]], {'source': 'a doctest'})
    """
    arrays = {_checked_name(name): np.asarray(tensor) for name, tensor in tensors.items()}
    kinds = {name: _dtype_name(name, array) for name, array in arrays.items()}
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    notes = {_CRC: "0" * 8}
    entries: dict[str, object] = {}
    begin = 0
    for name in order:
        array = arrays[name]
        end = begin + array.nbytes
        shape = list(array.shape)
        entries[name] = {"dtype": kinds[name], "shape": shape, "data_offsets": [begin, end]}
        notes[_CRC_OF + name] = f"{_crc_of_chunks(_chunks(array)):08x}"
        begin = end
    for key, text in (metadata or {}).items():
        notes[_checked_note(key)] = _checked_text("metadata", text)
    header = _packed_header({"__metadata__": notes, **entries})
    with atomic_file(path) as file:
        file.write(header)
        for name in order:
            for chunk in _chunks(arrays[name]):
                file.write(chunk)


def _packed_header(header: dict[str, object]) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    size = len(text) + -(8 + len(text)) % _ALIGN
    if size > MAX_HEADER:
        raise ValueError(f"write_tensors: a header of {size} bytes is above {MAX_HEADER}")
    packed = size.to_bytes(8, "little") + text.ljust(size)
    place = 8 + len(_OPENING)
    return packed[:place] + b"%08x" % zlib.crc32(packed) + packed[place + 8 :]


def _checked_text(what: str, text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"write_tensors: {what}: expected str, found {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"write_tensors: {what}: {text!r} is not valid Unicode") from None
    return text


def _checked_name(name: object) -> str:
    text = _checked_text("name of a tensor", name)
    if text == "__metadata__":
        raise ValueError("write_tensors: the name __metadata__ is reserved by the format")
    return text


def _checked_note(key: object) -> str:
    text = _checked_text("name in the metadata", key)
    if text.startswith(_CRC):
        raise ValueError(f"write_tensors: metadata: {text!r} is reserved for checksums")
    return text


def _dtype_name(name: str, array: Array) -> str:
    kind = _NAMES.get(array.dtype.newbyteorder("<"))
    if kind is None:
        known = " ".join(np.dtype(code).name for code in _DTYPES.values())
        raise TypeError(f"write_tensors: {name}: dtype {array.dtype} is none of {known}")
    return kind


def _chunks(array: Array) -> Iterator[memoryview]:
    """Yield the items as they lie in the file: C order, little-endian, in chunks of megabytes."""
    if not array.size:
        return
    stored = array.dtype.newbyteorder("<")
    if array.flags.c_contiguous and array.dtype == stored:
        data = array.reshape(-1).view(np.uint8).data
        for at in range(0, len(data), _CHUNK):
            yield data[at : at + _CHUNK]
    elif array.nbytes <= _CHUNK:
        yield np.ascontiguousarray(array, stored).reshape(-1).view(np.uint8).data
    else:
        rows = max(1, _CHUNK * len(array) // array.nbytes)
        for at in range(0, len(array), rows):
            block = array[at : at + rows]
            if rows == 1:
                yield from _chunks(block[0])
            else:
                yield np.ascontiguousarray(block, stored).reshape(-1).view(np.uint8).data


def _crc_of_chunks(chunks: Iterator[memoryview]) -> int:
    crc = 0
    for chunk in chunks:
        crc = zlib.crc32(chunk, crc)
    return crc


# ---- reading ------------------------------------------------------------------------------------


def read_tensors(
    path: AnyPath, mmap: bool = True, *, verify: bool = True, foreign: bool = False
) -> tuple[dict[str, Array], dict[str, str]]:
    """Read the named arrays of one file.

    Parameters
    ----------
    path
        A safetensors file.
    mmap
        Map the file and return read-only views into it, without a copy; the file must not be cut
        or changed in place while they live (replacing it, as firth does, is fine). Otherwise read
        the arrays into memory.
    verify
        Hold each array against its checksum, at about 1 GB/s. The header is always verified.
    foreign
        Accept files without checksums, as other writers make them.

    Returns
    -------
    tensors : dict of arrays
        In the order of the file, aligned, little-endian. An array that lies unaligned in a foreign
        file is copied.
    metadata : dict of str
        Without the checksums.

    Raises
    ------
    FormatError
        Anything in the file contradicts the format, its length or a checksum. Nothing is allocated
        before the sizes are held against the length of the file.
    """
    with CheckedReader(path) as file:
        entries, metadata, checksums = _read_header(file, foreign)
        start = file.offset
        arrays: dict[str, Array] = {}
        if mmap:
            view = memory_map.mmap(file.file.fileno(), 0, access=memory_map.ACCESS_READ)
            whole = np.frombuffer(view, np.uint8)
        for name, entry in entries.items():
            if mmap:
                raw = whole[start + entry.begin : start + entry.end]
            else:
                raw = np.empty(entry.end - entry.begin, np.uint8)
                file.fill(raw, f"tensor {name!r}")
            if verify and checksums is not None:
                found = f"{_crc_of_chunks(_chunks(raw)):08x}"
                if found != checksums[name]:
                    place = f"tensor {name!r} at byte {start + entry.begin}"
                    raise FormatError(file.path, place, f"checksum {checksums[name]}", found)
            if entry.dtype == np.bool_ and raw.size and raw.max() > 1:
                where = f"tensor {name!r} at byte {start + entry.begin + int((raw > 1).argmax())}"
                raise FormatError(file.path, where, "a boolean, 0 or 1", str(raw.max()))
            array = raw.view(entry.dtype).reshape(entry.shape)
            arrays[name] = array if array.flags.aligned else array.copy()
    return arrays, metadata


def _read_header(
    file: CheckedReader, foreign: bool
) -> tuple[dict[str, _Entry], dict[str, str], dict[str, str] | None]:
    """Return what the header says, checked: entries in file order, metadata, checksums."""
    length = file.take(8, "header length")
    size = int.from_bytes(length, "little")
    if size > MAX_HEADER:
        raise FormatError(file.path, "byte 0", f"a header of at most {MAX_HEADER} bytes", str(size))
    raw = file.take(size, "header")
    summed = raw.startswith(_OPENING)
    if summed:
        _verify_header(file, length, raw)
    elif not foreign:
        expected = f"a header that begins with {_OPENING.decode()}, as firth writes it"
        raise FormatError(file.path, "byte 8", expected, repr(raw[:32]))
    header = _parsed(file, raw)
    notes = _notes(file, header.pop("__metadata__", {}))
    entries = _entries(file, header)
    if not summed:
        return entries, notes, None
    checksums = {name: notes.get(_CRC_OF + name, "") for name in entries}
    for name, checksum in checksums.items():
        if not checksum:
            raise FormatError(file.path, "header", f"a checksum of tensor {name!r}", "none")
    return entries, {k: v for k, v in notes.items() if not k.startswith(_CRC)}, checksums


def _verify_header(file: CheckedReader, length: bytes, raw: bytes) -> None:
    place = len(_OPENING)
    expected = raw[place : place + 8].decode("ascii", "replace")
    zeroed = raw[:place] + b"0" * 8 + raw[place + 8 :]
    found = f"{zlib.crc32(zeroed, zlib.crc32(length)):08x}"
    if found != expected:
        raise FormatError(file.path, "header at byte 0", f"checksum {expected}", found)


def _parsed(file: CheckedReader, raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a name that stands twice")
        return result

    def constant(text: str) -> None:
        raise ValueError(text)

    try:
        header = json.loads(raw.decode(), object_pairs_hook=unique, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(file.path, "header at byte 8", "JSON", str(error)) from None
    if not isinstance(header, dict):
        raise FormatError(file.path, "header at byte 8", "a JSON object", type(header).__name__)
    return header


def _notes(file: CheckedReader, notes: object) -> dict[str, str]:
    if not isinstance(notes, dict) or not all(isinstance(text, str) for text in notes.values()):
        raise FormatError(file.path, "__metadata__", "an object of texts", repr(notes)[:80])
    return notes


def _entries(file: CheckedReader, header: dict[str, Any]) -> dict[str, _Entry]:
    """Return the entries sorted as they lie in the file, without holes and to its very end."""
    found = {name: _entry(file, name, entry) for name, entry in header.items()}
    ordered = sorted(found.items(), key=lambda item: (item[1].begin, item[1].end))
    at = 0
    for name, entry in ordered:
        if entry.begin != at:
            where = f"tensor {name!r}"
            raise FormatError(file.path, where, f"data_offsets from {at}", str(entry.begin))
        at = entry.end
    if at != file.remaining:
        where = f"byte {file.offset}"
        raise FormatError(file.path, where, f"{at} bytes of tensors", f"{file.remaining} bytes")
    return dict(ordered)


def _entry(file: CheckedReader, name: str, entry: object) -> _Entry:
    def wrong(expected: str, found: object) -> FormatError:
        return FormatError(file.path, f"tensor {name!r}", expected, repr(found)[:80])

    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise wrong("an object of dtype, shape and data_offsets", entry)
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _DTYPES:
        raise wrong(f"a dtype of {' '.join(_DTYPES)}", kind)
    dtype = np.dtype(_DTYPES[kind])
    if not _are_sizes(shape) or len(shape) > MAX_AXES:
        raise wrong(f"a shape of at most {MAX_AXES} sizes", shape)
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise wrong("data_offsets of begin <= end", offsets)
    if math.prod(max(1, size) for size in shape) * dtype.itemsize > sys.maxsize:
        raise wrong("a shape that fits into memory", shape)
    size = math.prod(shape) * dtype.itemsize
    if size != offsets[1] - offsets[0]:
        raise wrong(f"data_offsets {size} bytes apart for {kind} {shape}", offsets)
    return _Entry(dtype, tuple(shape), offsets[0], offsets[1])


def _are_sizes(values: object) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value <= sys.maxsize for value in values
    )
