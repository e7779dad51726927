"""Rows of text, a key and its numbers each: what the word2vec and the GloVe text format share."""

import re
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from firth._errors import FormatError
from firth._reading import CheckedReader
from firth._vectors import BLOCK, first_not_finite

Floats = npt.NDArray[np.float32]

BOM = b"\xef\xbb\xbf"
NUMERIC = b"0123456789+-.eE "  # what the numbers of a row consist of: no "nan", "1_0" or "0x10"
_HEADER = re.compile(rb"([0-9]{1,18}) ([0-9]{1,9}) ?\r?\n")
_HEADER_BYTES = 64
_LONGEST_KEY = 1 << 20
_LONGEST_NUMBER = 400  # the longest exact decimals that tools print have 150 digits


def header_of(head: bytes) -> tuple[int, int, int] | None:
    """Return rows, numbers per row and length of a word2vec header, or None."""
    match = _HEADER.match(head)
    return (int(match[1]), int(match[2]), match.end()) if match else None


def read_header(file: CheckedReader, least: int, per_number: int) -> tuple[int, int]:
    """Read a word2vec header; the rows it claims must fit into the file.

    A row takes at least ``least + dim * per_number`` bytes.
    """
    line = file.file.readline(_HEADER_BYTES)
    found = header_of(line)
    if found is None:
        expected = 'a header of two integers, "rows dim"'
        raise FormatError(file.path, "line 1 (byte 0)", expected, repr(line[:40]))
    rows, dim, file.offset = found
    if dim < 1:
        raise FormatError(file.path, "line 1 (byte 0)", "at least 1 number per row", str(dim))
    needed = rows * (least + dim * per_number)
    # the last line of a text may lack its line feed
    if needed - 1 > file.remaining:
        expected = f"at least {needed} bytes for {rows} rows of {dim} numbers"
        raise FormatError(file.path, f"byte {file.offset}", expected, f"{file.remaining} bytes")
    return rows, dim


def longest_line(dim: int) -> int:
    """Return how many bytes a row of text may have."""
    return _LONGEST_KEY + dim * _LONGEST_NUMBER


def parse_rows(
    file: CheckedReader, rows: int, dim: int, *, first_line: int, spaces_in_keys: bool = False
) -> tuple[list[str], Floats]:
    """Parse the next ``rows`` lines of a text into keys and vectors.

    Where keys may have spaces, a row with more fields than ``dim + 1`` is taken to begin with such
    a key, unless the field before the last ``dim`` is a number too: then the row is too long.
    """
    keys: dict[str, int] = {}
    vectors = np.empty((rows, dim), np.float32)
    longest = longest_line(dim)
    with np.errstate(over="ignore"):  # what overflows float32 is found below
        for row in range(rows):
            place = f"line {first_line + row} (byte {file.offset})"
            line = file.file.readline(longest)
            file.offset += len(line)
            if not line:
                expected = f"row {row + 1} of {rows}"
                raise FormatError(file.path, place, expected, "the end of the file")
            if len(line) == longest and not line.endswith(b"\n"):
                raise FormatError(file.path, place, f"a line of at most {longest} bytes", "more")
            raw, *fields = line.rstrip(b" \r\n").split(b" ")
            if spaces_in_keys and len(fields) > dim and not is_number(fields[-dim - 1]):
                raw = b" ".join([raw, *fields[:-dim]])
                fields = fields[-dim:]
            if len(fields) != dim:
                found = "a blank line" if not line.strip() else f"{len(fields)} after the key"
                raise FormatError(file.path, place, f"{dim} numbers", found)
            if not raw:
                raise FormatError(file.path, place, "a key", "none (the line begins with a space)")
            key = raw.decode("utf-8", "surrogateescape")
            if key in keys:
                expected = f"keys that differ, {key!r} was in line {first_line + keys[key]}"
                raise FormatError(file.path, place, expected, "it again")
            keys[key] = row
            try:
                vectors[row] = list(map(float, fields))
                bad = b" ".join(fields).translate(None, NUMERIC)
            except ValueError:
                bad = b"?"
            if bad:
                wrong = next(field for field in fields if not is_number(field))
                raise FormatError(file.path, place, "a finite decimal number", repr(wrong[:40]))
    wrong_row = first_not_finite(vectors)
    if wrong_row is not None:
        place = f"line {first_line + wrong_row}"
        at = int(np.isfinite(vectors[wrong_row]).argmin()) + 1
        raise FormatError(file.path, place, "numbers within float32", f"number {at} above them")
    return list(keys), vectors


def is_number(field: bytes) -> bool:
    """Say whether a field is a plain decimal number."""
    if not field or field.translate(None, NUMERIC) or b" " in field:
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def encoded(key: str, name: str) -> bytes:
    """Return the bytes of a key for formats in which a space ends a key and a line feed a row.

    Raises
    ------
    ValueError
        Reading would not give the same key back.
    """
    raw = in_utf8(key, name)
    if not raw or b" " in raw or b"\n" in raw:
        raise ValueError(f"{name}: key {key!r} is empty or has a space or a line feed")
    return raw


def in_utf8(key: str, name: str) -> bytes:
    """Return the bytes of a key; ValueError if decoding them would not give the same key back."""
    try:
        raw = key.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"{name}: key {key!r} is not text in UTF-8") from None
    if not key.isascii() and raw.decode("utf-8", "surrogateescape") != key:
        raise ValueError(f"{name}: key {key!r} would be read as another one")
    return raw


def write_rows(file: BinaryIO, keys: list[bytes], vectors: Floats) -> None:
    """Write a line per key, each number with the fewest digits that read back the same."""
    line = b"%b " + b" ".join([b"%.*g"] * vectors.shape[1]) + b"\n"
    step = max(1, BLOCK // 16 // vectors.shape[1])
    for at in range(0, len(keys), step):
        block = vectors[at : at + step]
        pairs = np.stack([digits_of(block), block.astype(object)], axis=-1, dtype=object)
        rows = pairs.reshape(len(block), -1).tolist()
        names = keys[at : at + step]
        file.writelines(line % (name, *row) for name, row in zip(names, rows, strict=True))


def digits_of(numbers: Floats) -> npt.NDArray[np.int64]:
    """Return how many decimal digits each finite float32 needs to be told from its neighbours.

    6 to 9, zeros at the end being dropped when they are written. 9 are always enough; fewer are if
    what they say lies within half the distance to the next smaller float32, a millionth less, so
    that neither the float64 arithmetic here nor a reader that goes through float64 can err.
    """
    exact = np.abs(numbers.astype(np.float64))
    below = exact - np.nextafter(np.abs(numbers), np.float32(0)).astype(np.float64)
    usual = (exact > 1e-30) & (exact < 1e30)
    exact = np.where(usual, exact, 1)
    exponent = np.floor(np.log10(exact))
    result = np.full(numbers.shape, 9)
    for digits in (8, 7, 6):
        scale = 10.0 ** (digits - 1 - exponent)
        error = np.abs(np.rint(exact * scale) / scale - exact)
        result[error < 0.499999 * below] = digits
    result[~usual] = 9
    return result
