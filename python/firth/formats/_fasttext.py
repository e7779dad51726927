"""The parts of fastText's binary files: a header, a dictionary, two matrices.

Integers and floats are little-endian and lie without padding. A file begins with

=============  =======  =========================================================================
magic          int32    793712314; the oldest files have neither this nor the version
version        int32    11 or 12
12 arguments   int32    `ARGUMENTS`
t              float64  the sampling threshold
size           int32    entries: words, then labels
nwords         int32
nlabels        int32
ntokens        int64    tokens of the training text
pruned         int64    buckets that were kept, -1 for all; not in the oldest files
entries        ...      each the bytes of the word, 0, count (int64), type (int8: word 0, label 1)
pruned pairs   int32    per bucket that was kept: its number, the row it has behind those of words
=============  =======  =========================================================================

and goes on with the input and the output matrix, each a flag (uint8, not in the oldest files) that
says whether it is quantised (see `firth.formats._quantised`), rows and columns (int64) and float32
rows. The input has a row per word, then one per bucket; the output one per label of a supervised
model, else one per word.
"""

import math
import mmap
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from firth._errors import FormatError
from firth._reading import CheckedReader
from firth.classifier import MOST_WORD_NGRAMS

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Rows = Sequence[tuple[int, int]]  # which rows are wanted: ascending (begin, end)

MAGIC, VERSION, OLDEST = 793712314, 12, 0
ARGUMENTS = (
    *("dim", "ws", "epoch", "minCount", "neg", "wordNgrams", "loss", "model"),
    *("bucket", "minn", "maxn", "lrUpdateRate"),
)
LOSSES = {"hs": 1, "ns": 2, "softmax": 3, "ova": 4}
CBOW, SKIPGRAM, SUPERVISED = 1, 2, 3  # kinds of model

_INT32 = 2**31 - 1
_RANGES = {"dim": (1, _INT32), "loss": (1, 4), "model": (1, 3), "maxn": (0, 1 << 16)}
_ENTRY = np.dtype([("count", "<i8"), ("type", "i1")])  # what stands behind a word
_LEAST = 1 + _ENTRY.itemsize  # bytes of an entry of an empty word, which pretrained vectors can be
_CHUNK = 1 << 21  # float32 that are read and looked at together; between them Ctrl-C is answered
_MOST_NGRAMS = 1 << 24  # of a word
_MOST_PRUNED = 1 << 24  # buckets that a pruned file, which has no row for most, may speak of


class Arguments(NamedTuple):
    """What stands before the dictionary; ``version`` is `OLDEST` for files without one."""

    version: int
    fields: dict[str, int]  # by the names in `ARGUMENTS`
    t: float

    @property
    def supervised(self) -> bool:
        """Whether there are labels to predict."""
        return self.fields["model"] == SUPERVISED

    @property
    def ngrams(self) -> bool:
        """Whether words have character n-grams."""
        return 0 < self.fields["maxn"] >= self.fields["minn"]


class Dictionary(NamedTuple):
    """Words, then labels; how often each was seen; the row of each bucket if pruned."""

    words: list[str]
    labels: list[str]
    counts: Longs
    tokens: int
    kept: Ints | None  # (buckets,), counted behind the rows of words; -1: pruned away
    pruned: int  # buckets kept, or -1


def wrong(file: CheckedReader, at: int, what: str, expected: str, found: object) -> FormatError:
    """Return the error that something at a byte is not as expected."""
    return FormatError(file.path, f"byte {at} ({what})", expected, str(found))


def integer(file: CheckedReader, what: str, bits: int, least: int, most: int) -> int:
    """Read an integer of that many bits between two bounds."""
    at = file.offset
    value = int.from_bytes(file.take(bits // 8, what), "little", signed=True)
    if not least <= value <= most:
        expected = f"{least} to {most}" if least < most else str(least)
        raise wrong(file, at, what, expected, value)
    return value


def skip(file: CheckedReader, count: int, what: str) -> None:
    """Pass over bytes, which must be there."""
    file.require(count, what)
    file.file.seek(count, 1)
    file.offset += count


# ---- what is read -------------------------------------------------------------------------------


def read_arguments(file: CheckedReader) -> Arguments:
    """Read everything before the dictionary."""
    version, fields = OLDEST, {}
    at: dict[str, int] = {}
    first = file.take(4, "magic or dim")
    if int.from_bytes(first, "little", signed=True) == MAGIC:
        version = integer(file, "version", 32, 11, VERSION)
    else:
        file.file.seek(0)
        file.offset = 0
    for name in ARGUMENTS:
        at[name] = file.offset
        fields[name] = integer(file, name, 32, *_RANGES.get(name, (0, _INT32)))
    at["t"] = file.offset
    (t,) = struct.unpack("<d", file.take(8, "t"))
    if not math.isfinite(t):
        raise wrong(file, at["t"], "t", "a finite number", t)
    arguments = Arguments(version, fields, t)
    if version <= 11 and arguments.supervised:
        fields["maxn"] = 0  # supervised models had no character n-grams yet
    if arguments.supervised and fields["wordNgrams"] > MOST_WORD_NGRAMS:
        expected = f"at most {MOST_WORD_NGRAMS}"
        raise wrong(file, at["wordNgrams"], "wordNgrams", expected, fields["wordNgrams"])
    word_ngrams = arguments.supervised and fields["wordNgrams"] > 1
    if not fields["bucket"] and (arguments.ngrams or word_ngrams):
        raise wrong(file, at["bucket"], "bucket", "at least 1 bucket for n-grams", 0)
    return arguments


def read_dictionary(file: CheckedReader, arguments: Arguments) -> Dictionary:
    """Read words, labels and what was pruned."""
    at = file.offset
    size = integer(file, "size", 32, 0, _INT32)
    words = integer(file, "nwords", 32, 0, size)
    labels = integer(file, "nlabels", 32, 0, size)
    if words + labels != size:
        raise wrong(file, at, "size", f"{words} words + {labels} labels", size)
    if arguments.supervised and not labels:
        raise wrong(file, at + 8, "nlabels", "labels in a supervised model", 0)
    tokens = integer(file, "ntokens", 64, 0, 2**63 - 1)
    pruned, at = -1, file.offset
    if arguments.version != OLDEST:
        pruned = integer(file, "pruned", 64, -1, arguments.fields["bucket"])
    file.require(size * _LEAST + 8 * max(pruned, 0), f"at least {size} entries")
    begin = file.offset
    names, counts = _entries(file, words, size)
    if arguments.ngrams:
        _check_ngrams(file, begin, names, arguments.fields)
    kept = None
    if pruned >= 0:
        if arguments.fields["bucket"] > _MOST_PRUNED:
            expected = f"at most {_MOST_PRUNED} buckets in a pruned model"
            raise wrong(file, at, "pruned", expected, arguments.fields["bucket"])
        kept = _kept(file, arguments.fields["bucket"], pruned)
    return Dictionary(names[:words], names[words:], counts, tokens, kept, pruned)


def _entries(file: CheckedReader, words: int, size: int) -> tuple[list[str], Longs]:
    """Read the entries: their lengths are found one by one, so the file is mapped for it."""
    names: list[str] = []
    rest = bytearray()
    begin = file.offset
    with mmap.mmap(file.file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, last = begin, file.size - _ENTRY.itemsize
        for _ in range(size):
            end = data.find(b"\0", at)
            if not at <= end < last:
                what, expected = f"entry {len(names) + 1}", "a word, 0, its count and its type"
                raise wrong(file, at, what, expected, f"{file.size - at} bytes without an end")
            names.append(data[at:end].decode("utf-8", "surrogateescape"))
            at = end + _LEAST
            rest += data[end + 1 : at]
    entries = np.frombuffer(rest, _ENTRY)
    types = np.repeat(np.array([0, 1], np.int8), [words, size - words])
    bad = (entries["type"] != types) | (entries["count"] < 0)
    if bad.any():
        row = int(bad.argmax())
        place = _place(begin, names, row + 1) - _ENTRY.itemsize
        if entries["count"][row] < 0:
            found = int(entries["count"][row])
            raise wrong(file, place, f"count of entry {row + 1}", "at least 0", found)
        expected = f"type {types[row]}: {words} words (0), then labels (1)"
        raise wrong(file, place + 8, f"entry {row + 1}", expected, entries["type"][row])
    if len(set(names)) != size:
        row, first = _twice(names)
        expected = f"entries that differ, {names[row][:40]!r} was entry {first + 1}"
        raise wrong(file, _place(begin, names, row), f"entry {row + 1}", expected, "it again")
    file.file.seek(at)
    file.offset = at
    return names, entries["count"].astype(np.int64)


def _place(begin: int, names: list[str], row: int) -> int:
    """Return where an entry begins."""
    sizes = (len(name.encode("utf-8", "surrogateescape")) for name in names[:row])
    return begin + sum(sizes) + _LEAST * row


def _check_ngrams(
    file: CheckedReader, begin: int, names: list[str], fields: dict[str, int]
) -> None:
    """Refuse a word whose n-grams would take much more memory than the word."""
    longest = max(names, key=len, default="")
    size = len(longest) + 2
    if size * max(min(fields["maxn"], size) - fields["minn"] + 1, 0) > _MOST_NGRAMS:
        row = names.index(longest)
        what, expected = f"entry {row + 1}", f"a word of at most {_MOST_NGRAMS} n-grams"
        found = f"one of {len(longest)} characters"
        raise wrong(file, _place(begin, names, row), what, expected, found)


def _twice(names: list[str]) -> tuple[int, int]:
    """Return the row of the first name that stood in an earlier row, and that one."""
    seen: dict[str, int] = {}
    for row, name in enumerate(names):
        if seen.setdefault(name, row) != row:
            return row, seen[name]
    raise AssertionError("no name stands twice")


def _kept(file: CheckedReader, buckets: int, pruned: int) -> Ints:
    at = file.offset
    pairs = np.empty((pruned, 2), "<i4")
    file.fill(pairs.reshape(-1).view(np.uint8), "pruned pairs")
    for column, what, most in ((0, "bucket", buckets), (1, "row", pruned)):
        values = pairs[:, column]
        bad = (values < 0) | (values >= most)
        if not bad.any():
            bad = np.ones(pruned, np.bool_)
            bad[np.unique(values, return_index=True)[1]] = False
        if bad.any():
            pair = int(bad.argmax())
            expected = f"a {what} below {most} that is not given twice"
            raise wrong(file, at + 8 * pair + 4 * column, what, expected, values[pair])
    kept = np.full(buckets, -1, np.int32)
    kept[pairs[:, 0]] = pairs[:, 1]
    return kept


def read_shape(file: CheckedReader, what: str, rows: int, dim: int) -> None:
    """Read the rows and columns of a matrix, which are known before."""
    integer(file, f"rows of the {what}", 64, rows, rows)
    integer(file, f"columns of the {what}", 64, dim, dim)


def read_rows(file: CheckedReader, what: str, rows: int, dim: int, wanted: Rows) -> Floats:
    """Read some of the rows of a dense matrix, without a copy."""
    file.require(4 * rows * dim, f"{rows} rows of the {what}")
    result = np.empty((sum(end - begin for begin, end in wanted), dim), "<f4")
    flat, filled, row = result.reshape(-1), 0, 0
    for begin, end in wanted:
        skip(file, 4 * (begin - row) * dim, what)
        row, last = end, filled + (end - begin) * dim
        while filled < last:
            chunk = flat[filled : min(filled + _CHUNK, last)]
            fill_finite(file, chunk, f"number in the {what}")
            filled += chunk.size
    skip(file, 4 * (rows - row) * dim, what)
    return result


def fill_finite(file: CheckedReader, numbers: Floats, what: str) -> None:
    """Read as many float32 as the array has; none may be NaN or infinity."""
    at = file.offset
    file.fill(numbers.view(np.uint8), what)
    finite = np.isfinite(numbers)
    if not finite.all():
        place = int(finite.argmin())
        raise wrong(file, at + 4 * place, what, "a finite number", numbers[place])


def mean_of_end(table: Floats, row: int, first_row: int, fields: dict[str, int]) -> Floats:
    """Return the mean (dim,) of the own row and the n-grams' of "</s>", the end of a line.

    Up to December 2017 fastText gave "</s>" n-grams as it did any word; since then it has none,
    whatever the file, and `Subwords` goes by that.
    """
    text, total, size = b"<</s>>", table[row].copy(), 1
    for begin in range(len(text)):
        for end in range(begin + max(fields["minn"], 1), len(text) + 1):
            if end - begin > fields["maxn"] or (end - begin == 1 and begin in (0, len(text) - 1)):
                continue
            hash = 2166136261
            for byte in text[begin:end]:
                hash = (hash ^ byte) * 16777619 % 2**32
            with np.errstate(over="ignore", invalid="ignore"):  # what becomes of it is looked at
                total += table[first_row + hash % fields["bucket"]]
            size += 1
    mean: Floats = total * np.float32(1 / size)
    return mean


# ---- what a file looks like ---------------------------------------------------------------------


def is_oldest(file: CheckedReader) -> bool:
    """Say whether this is a file without magic: its header is in order, its sizes fit exactly."""
    try:
        arguments = read_arguments(file)
        size, words, labels = (integer(file, "", 32, 0, _INT32) for _ in range(3))
        integer(file, "ntokens", 64, 0, 2**63 - 1)
        fields = arguments.fields
        dim, outputs = fields["dim"], labels if arguments.supervised else words
        shapes = ((words + fields["bucket"], dim), (outputs, dim))
        entries = file.remaining - sum(16 + 4 * rows * dim for rows, dim in shapes)
        if arguments.version != OLDEST or words + labels != size or entries < _LEAST * size:
            return False
        skip(file, entries, "entries")
        for rows, dim in shapes:
            read_shape(file, "matrix", rows, dim)
            skip(file, 4 * rows * dim, "matrix")
    except FormatError:
        return False
    return True
