"""Valid files -> files that are wrong in the way that files are: by their structure.

A mutation is a function of a `random.Random` and a text of bytes. `mutated` puts some after each
other; what it chooses from depends on the form of a reader's files. Files with checksums are
mutated before the checksums are made, too, so that what lies behind them is reached.
"""

import contextlib
import json
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

from trust import _samples as samples
from trust.readers import Reader

Mutation = Callable[[random.Random, bytes], bytes]

_MOST = 1 << 14  # bytes of a case
_INTEGERS = [-1, 0, 1, 2, 3, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32]
_INTEGERS += [2**32 - 1, 2**40, 2**53 + 1, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -2, -(2**31)]
_FLOATS = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e-45, 3.4e38, -3.4e38, 1e308]
_NUMBERS = b"0 -1 1 -0 00 +1 1e400 -1e400 1e-400 nan inf -inf 1_0 0x10 1. .5 . - 1e 3.4e38 1e39 "
_NUMBERS += b"2147483648 4294967296 9223372036854775807 9223372036854775808 18446744073709551616 "
_NUMBERS += b"1e18 99999999999999999999999999 0.1e1 1,5 1d5 10000000000"
NUMBERS = [*_NUMBERS.split(), b"9" * 400, b"0" * 300 + b"1", "١".encode(), "²".encode(), b""]
_BYTES_ALONE = b"\0 \xff \xc3 \xed\xa0\x80 \xef\xbb\xbf \x1b \x1c \x1d \x1e \x1f \x85 \xc2\x85"
_SIGNS = b"\xe2\x80\xa8 \xc2\xa0 \xf4\x8f\xbf\xbf e\xcc\x81 ' # : :: , ; </s> __label__ \\ % /"
ODD = [*_BYTES_ALONE.split(b" "), *_SIGNS.split(b" "), b"a" * 300, b'"', b'""']
ODD += [b"\r", b"\r\n", b"\n", b"\n\n", b"\t", b" ", b"  ", b"\x0b", b"\x0c"]
_SEPARATORS = [b" ", b"\t", b",", b";", b"::", b":"]


def _span(rng: random.Random, size: int) -> tuple[int, int]:
    begin = rng.randrange(size + 1)
    return begin, min(size, begin + rng.choice([0, 1, 1, 2, 4, 8, 16, rng.randrange(size + 1)]))


# ---- bytes --------------------------------------------------------------------------------------


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def extend(rng: random.Random, data: bytes) -> bytes:
    return data + rng.choice([b"\0", b"\n", b" ", b"1", data, rng.randbytes(rng.randrange(40))])


def flip(rng: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def remove(rng: random.Random, data: bytes) -> bytes:
    begin, end = _span(rng, len(data))
    return data[:begin] + data[end:]


def duplicate(rng: random.Random, data: bytes) -> bytes:
    begin, end = _span(rng, len(data))
    return data[:end] + data[begin:end] * rng.choice([1, 1, 2, 20]) + data[end:]


def swap(rng: random.Random, data: bytes) -> bytes:
    a, b, c, d = sorted(rng.randrange(len(data) + 1) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(ODD) + data[at:]


def number(rng: random.Random, data: bytes) -> bytes:
    """Put an extreme number, or one near that which is there, in the place of some bytes."""
    size = rng.choice([1, 2, 4, 4, 4, 8, 8])
    if len(data) < size:
        return data
    at = rng.randrange(len(data) - size + 1)
    if rng.random() < 0.3:
        at -= at % size
    if size > 2 and rng.random() < 0.3:
        raw = struct.pack("<f" if size == 4 else "<d", rng.choice(_FLOATS[: 8 if size == 4 else 9]))
    else:
        value = rng.choice(_INTEGERS)
        if rng.random() < 0.4:
            there = int.from_bytes(data[at : at + size], "little")
            value = rng.choice([there + 1, there - 1, 2 * there, -there, there // 2])
        raw = (value % 256**size).to_bytes(size, "little")
    return data[:at] + raw + data[at + size :]


_BYTES: list[Mutation] = [cut, extend, flip, remove, duplicate, swap, insert, number, number]

# ---- text ---------------------------------------------------------------------------------------


def lines(rng: random.Random, data: bytes) -> bytes:
    """Remove, double, move, join, part or empty lines."""
    rows = data.split(b"\n")
    at, to = rng.randrange(len(rows)), rng.randrange(len(rows))
    what = rng.randrange(7)
    if what == 0:
        del rows[at]
    elif what == 1:
        rows[to:to] = [rows[at]] * rng.choice([1, 1, 3])
    elif what == 2:
        rows[at], rows[to] = rows[to], rows[at]
    elif what == 3:
        rows[at : at + 2] = [b" ".join(rows[at : at + 2])]
    elif what == 4:
        half = rng.randrange(len(rows[at]) + 1)
        rows[at : at + 1] = [rows[at][:half], rows[at][half:]]
    elif what == 5:
        rows[at:at] = [rng.choice([b"", b" ", b"\t", b"# x", b":", b"\r"])]
    else:
        return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n"]))
    return b"\n".join(rows)


def fields(rng: random.Random, data: bytes) -> bytes:
    """Change the fields of a line: numbers to extreme ones, others removed, doubled, quoted."""
    rows = data.split(b"\n")
    at = rng.randrange(len(rows))
    if rng.random() < 0.3:
        at = 0
    row = rows[at]
    there = [one for one in _SEPARATORS if one in row] or [b" "]
    one = rng.choice(there)
    parts = row.split(one)
    field = rng.randrange(len(parts))
    what = rng.randrange(8)
    if what < 3:
        parts[field] = rng.choice(NUMBERS)
    elif what == 3:
        del parts[field]
    elif what == 4:
        parts[field:field] = [parts[field]]
    elif what == 5:
        parts[field] = rng.choice([b'"%b"', b'"%b', b'%b"', b" %b ", b"-%b", b"%b%b"]).replace(
            b"%b", parts[field]
        )
    elif what == 6:
        parts[field] = rng.choice(ODD)
    else:
        one = rng.choice(_SEPARATORS)
    rows[at] = one.join(parts)
    return b"\n".join(rows)


def separators(rng: random.Random, data: bytes) -> bytes:
    """Put another separator between all fields."""
    return data.replace(rng.choice(_SEPARATORS), rng.choice(_SEPARATORS))


_TEXT: list[Mutation] = [*_BYTES[:-2], lines, lines, fields, fields, fields, fields, separators]

# ---- JSON ---------------------------------------------------------------------------------------

_VALUES: list[Any] = [None, True, False, "", "x", "\ud800", [], {}, [[]], 0.5, -1.5, 1e300, 1e-300]
_VALUES += [*_INTEGERS, 10**30, "F32", "U8", "embedding", "softmax", "hs", [0], {"a": 1}, "\0"]


def _places(value: Any, above: list[Any]) -> list[tuple[Any, Any]]:
    """Return all (container, key) within a value."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, inner in pairs:
        above.append((value, key))
        _places(inner, above)
    return above


def changed_json(rng: random.Random, value: Any) -> Any:
    """Change something anywhere within a value, in place where that is possible."""
    places = _places(value, [])
    if not places:
        return rng.choice(_VALUES)
    container, key = rng.choice(places)
    there = container[key]
    what = rng.randrange(8)
    if what == 0:
        del container[key]
    elif what == 1 and isinstance(container, dict):
        container[rng.choice(["", "x", "keys", "vectors", "counts", "kept"])] = there
    elif what == 1:
        container.insert(key, there)
    elif what < 4 and type(there) in (int, float):
        container[key] = rng.choice([there + 1, there - 1, -there, 2 * there, float(there)])
    elif what < 4 and isinstance(there, str):
        container[key] = rng.choice([there + "x", there[:-1], there.upper(), there * 50])
    elif what == 4:
        other, name = rng.choice(places)
        container[key], other[name] = other[name], there
        if any(one is other[name] for one, _ in _places(other[name], [])):
            other[name] = None  # no circle
    elif what == 5:
        container[key] = [there]
    else:
        container[key] = rng.choice(_VALUES)
    return value


# ---- tensors ------------------------------------------------------------------------------------

_OPENING = b'{"__metadata__":{"firth.crc32":"'
_SIZES = {"F32": 4, "I32": 4, "U32": 4, "F64": 8, "I64": 8, "U64": 8, "C64": 8, "F16": 2, "I16": 2}


class Tensors:
    """A safetensors file taken apart; ValueError where it is none."""

    def __init__(self, data: bytes) -> None:
        size = int.from_bytes(data[:8], "little")
        self.header = json.loads(data[8 : 8 + size])
        self.notes = self.header.pop("__metadata__", {})
        self.data = bytearray(data[8 + size :])
        self.summed = "firth.crc32" in self.notes
        self.config = json.loads(self.notes["firth"]) if "firth" in self.notes else None

    def packed(self) -> bytes:
        """Return the file with checksums that are right."""
        notes = dict(self.notes)
        if self.config is not None:
            notes["firth"] = json.dumps(self.config)
        if self.summed:
            notes.pop("firth.crc32")
            notes = {"firth.crc32": "0" * 8, **notes}
            for name, entry in self.header.items():
                begin, end = _offsets(entry)
                key = f"firth.crc32.{name}"
                if key in notes:
                    notes[key] = f"{zlib.crc32(self.data[begin:end]):08x}"
        text = json.dumps({"__metadata__": notes, **self.header}, separators=(",", ":")).encode()
        text = text.ljust(len(text) + -(8 + len(text)) % 64)
        raw = len(text).to_bytes(8, "little") + text
        place = 8 + len(_OPENING)
        if self.summed and raw[8:place] == _OPENING:
            raw = raw[:place] + b"%08x" % zlib.crc32(raw) + raw[place + 8 :]
        return raw + self.data


def _offsets(entry: Any) -> tuple[int, int]:
    try:
        begin, end = entry["data_offsets"]
        return max(0, int(begin)), max(0, int(end))
    except (TypeError, ValueError, KeyError, OverflowError):
        return 0, 0


def _cells(rng: random.Random, file: Tensors) -> None:
    """Change some numbers of a tensor."""
    some = [name for name, entry in file.header.items() if _offsets(entry)[1]]
    if not some:
        return
    entry = file.header[rng.choice(some)]
    begin, end = _offsets(entry)
    size = _SIZES.get(str(entry.get("dtype")), 1)
    count = (min(end, len(file.data)) - begin) // size
    for _ in range(rng.choice([1, 1, 2, 5]) if count > 0 else 0):
        at = begin + size * rng.randrange(count)
        if size > 2 and rng.random() < 0.5 and str(entry["dtype"])[0] == "F":
            value = rng.choice(_FLOATS[: 8 if size == 4 else 9])
            file.data[at : at + size] = struct.pack("<f" if size == 4 else "<d", value)
            continue
        there = int.from_bytes(file.data[at : at + size], "little")
        new = rng.choice([there + 1, there - 1, rng.choice(_INTEGERS), rng.randrange(256)])
        file.data[at : at + size] = (new % 256**size).to_bytes(size, "little")


def _resize(rng: random.Random, file: Tensors) -> None:
    """Give a tensor another size, type or name, and those behind it other places."""
    if not file.header:
        return
    name = rng.choice(list(file.header))
    what = rng.randrange(5)
    entry = file.header[name]
    begin, end = _offsets(entry)
    if what == 0:
        entry["shape"] = rng.choice([[end - begin], [], [1, *entry["shape"]], entry["shape"][::-1]])
        return
    if what == 1:
        entry["dtype"] = rng.choice([*_SIZES, "U8", "I8", "BOOL"])
        return
    if what == 2:  # another tensor's numbers, of the same size maybe
        other = rng.choice(list(file.header))
        file.header[name], file.header[other] = file.header[other], entry
        return
    axes = [at for at, one in enumerate(entry["shape"]) if one]
    if what == 3 or not axes:  # gone
        del file.header[name], file.data[begin:end]
        file.notes.pop(f"firth.crc32.{name}", None)
        less = end - begin
    else:  # shorter along an axis
        axis = rng.choice(axes)
        less = (end - begin) // entry["shape"][axis]
        entry["shape"][axis] -= 1
        entry["data_offsets"] = [begin, end - less]
        del file.data[end - less : end]
    for one in file.header.values():
        if one["data_offsets"][0] >= end:
            one["data_offsets"] = [place - less for place in one["data_offsets"]]


def tensors(rng: random.Random, data: bytes) -> bytes:
    """Change a file of tensors and make its checksums anew."""
    try:
        file = Tensors(data)
        what = rng.randrange(10)
        if what < 3:
            _cells(rng, file)
        elif what < 5:
            _resize(rng, file)
        elif what < 8 and file.config is not None:
            file.config = changed_json(rng, file.config)
        elif what < 9:
            file.header = changed_json(rng, file.header)
        else:
            file.notes = changed_json(rng, file.notes)
        return file.packed()
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        return number(rng, data)


def mirrored(data: bytes) -> bytes:
    """Return a folder whose config.json says what its tensors' header says."""
    config, model = samples.parted(data, 2)
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        config = json.dumps(Tensors(model).config).encode()
    return samples.packed([config, model])


# ---- all of them --------------------------------------------------------------------------------

FORMS: dict[str, list[Mutation]] = {
    "bytes": _BYTES,
    "text": _TEXT,
    "tensors": [*_BYTES, *[tensors] * 20],
}


def mutated(rng: random.Random, reader: Reader, data: bytes, sums: bool = True) -> bytes:
    """Return a case of a reader with one to four mutations.

    Without ``sums`` no checksum is made anew, so that none can be right by design.
    """
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        data = _once(rng, reader, data, sums)[:_MOST]
    return data


def _once(rng: random.Random, reader: Reader, data: bytes, sums: bool) -> bytes:
    form = reader.form
    if form in samples.OPENERS:
        if rng.random() < 0.5:
            return rng.choice(_BYTES)(rng, data)
        try:
            text = samples.OPENERS[form](data)[:_MOST]
        except Exception:  # whatever a decompressor says
            return rng.choice(_BYTES)(rng, data)
        return samples.COMPRESSORS[form](rng.choice(_TEXT)(rng, text))
    if len(reader.files) > 1:
        parts = samples.parted(data, len(reader.files))
        if form == "folder" and sums and rng.random() < 0.7:
            parts[1] = tensors(rng, parts[1])
            return mirrored(samples.packed(parts))
        which = rng.randrange(len(parts))
        choices = _BYTES if which else _TEXT
        parts[which] = rng.choice(choices)(rng, parts[which])
        return samples.packed(parts)
    return rng.choice(FORMS[form] if sums else _BYTES)(rng, data)
