"""The files of Stanford's GloVe programs: co-occurrences, and the words that they number.

Co-occurrences are records of 16 bytes, little-endian: int32 word, int32 word, float64 value, with
words counted from 1 as the lines "word count" of the vocabulary's file. What ``cooccur`` writes is
sorted, what ``shuffle`` writes is not, and a pair may come more than once.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Longs
from firth._count_rows import BLOCK, add_twins, row_blocks, run_starts, shortened, sorted_rows
from firth._errors import FormatError
from firth._files import atomic_file
from firth._reading import AnyPath, CheckedReader
from firth.counts import Counts
from firth.csr import CSR
from firth.kernels._cooccurrence import weights_of
from firth.vocabulary import Vocabulary

RECORD = np.dtype([("row", "<i4"), ("column", "<i4"), ("value", "<f8")])
Records = npt.NDArray[Any]
UNIT = 2**32  # where the window is not known
_OFF = 1e-6  # how far from a whole multiple a value may lie, relative to it
_LINE = re.compile(rb"(.+)[ \t]([0-9]{1,18})\r?")

# ---- vocabularies -------------------------------------------------------------------------------


def read_vocabulary(path: AnyPath) -> tuple[Vocabulary, Longs]:
    """Read lines "word count" in any order.

    Returns
    -------
    tuple
        The words in firth's order, and (words,) int64: the id there of each line.
    """
    with CheckedReader(path) as file:
        lines = file.take(file.size, "lines").split(b"\n")
    if not lines[-1]:
        del lines[-1]
    counts: dict[bytes, int] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or int(match[2]) < 1:
            found = repr(line[:80])[1:]
            raise FormatError(path, f"line {number}", "a word and its count, 1 or more", found)
        if match[1] in counts:
            found = repr(match[1][:80])[1:] + " again"
            raise FormatError(path, f"line {number}", "a new word", found)
        counts[match[1]] = int(match[2])
    words = [raw.decode("utf-8", "surrogateescape") for raw in counts]
    vocabulary = Vocabulary.from_counts(dict(zip(words, counts.values(), strict=True)))
    return vocabulary, np.array([vocabulary.index[word] for word in words], np.int64)


# ---- reading ------------------------------------------------------------------------------------


def read(
    path: AnyPath,
    vocabulary: Vocabulary | AnyPath,
    window: int | None = None,
    weights: str = "distance",
    symmetric: bool = True,
) -> Counts:
    """Read co-occurrences; see `firth.Counts.read_glove`."""
    unit = UNIT if window is None else weights_of("Counts.read_glove", window, weights)[1]
    numbers: Longs | None = None
    if not isinstance(vocabulary, Vocabulary):
        vocabulary, numbers = read_vocabulary(vocabulary)
        if bool((numbers == np.arange(len(numbers))).all()):
            numbers = None
    sums = _Records(path, len(vocabulary), unit, window is not None, numbers).sums()
    tokens = int(vocabulary.counts.sum())
    rule = (unit, window, weights, symmetric, True)  # a line is a sentence to those programs
    return Counts(vocabulary, sums, *rule, tokens)


class _Records:
    """A file of records: read once to count those of each row, once to put them in their rows."""

    def __init__(
        self, path: AnyPath, words: int, unit: int, exact: bool, numbers: Longs | None
    ) -> None:
        self.path, self.words, self.unit, self.exact = path, words, unit, exact
        self.numbers = numbers

    def sums(self) -> CSR:
        """Return the sums."""
        with CheckedReader(self.path) as file:  # one for both, though it may be replaced meanwhile
            indptr = np.zeros(self.words + 1, np.int64)
            for begin, records in self._blocks(file):
                rows, _ = self._pairs(begin, records)
                indptr[1:] += np.bincount(rows, minlength=self.words)
            np.cumsum(indptr, out=indptr)
            return self._added_up(self._in_rows(file, indptr))

    def _in_rows(self, file: CheckedReader, indptr: Longs) -> CSR:
        indices = np.empty(indptr[-1], np.int32)
        data = np.empty(indptr[-1], np.uint64)
        cursors = indptr[:-1].copy()
        for begin, records in self._blocks(file):
            rows, columns = self._pairs(begin, records)
            sums = self._units(begin, records["value"])
            order = sorted_rows(np.array([len(rows)]), rows, self.words)
            if order is not None:
                rows, columns, sums = rows[order], columns[order], sums[order]
            firsts = run_starts(rows)
            many = np.diff(np.append(firsts, len(rows)))
            places = np.arange(len(rows)) + np.repeat(cursors[rows[firsts]] - firsts, many)
            cursors[rows[firsts]] += many
            if bool((cursors[rows[firsts]] > indptr[rows[firsts] + 1]).any()):
                raise FormatError(self.path, "file", "the same records again", "others")
            indices[places], data[places] = columns, sums
        if not np.array_equal(cursors, indptr[1:]):
            raise FormatError(self.path, "file", "the same records again", "fewer")
        return CSR(indptr, indices, data, self.words)

    def _blocks(self, file: CheckedReader) -> Iterator[tuple[int, Records]]:
        """Yield records and the number of the first; the next ones take their place."""
        size = RECORD.itemsize
        file.file.seek(0)
        file.offset = 0
        if file.size % size:
            where = f"byte {file.size // size * size}"
            found = f"{file.size % size} bytes at the end of {file.size}"
            raise FormatError(self.path, where, f"a record of {size} bytes", found)
        buffer = np.empty(min(file.size, BLOCK * size), np.uint8)
        for begin in range(0, file.size, BLOCK * size):
            block = buffer[: min(file.remaining, BLOCK * size)]
            file.fill(block, "records")
            yield begin // size, block.view(RECORD)

    def _pairs(self, begin: int, records: Records) -> tuple[Longs, Longs]:
        """Return rows and columns of records, all of which are sound."""
        values = records["value"]
        fits = (values > 0) & (values < np.inf)
        if not fits.all():
            at = int(fits.argmin())
            where = f"byte {_place(begin + at, 'value')}"
            raise FormatError(self.path, where, "a finite value above 0", f"{values[at]}")
        return self._ids(begin, records, "row"), self._ids(begin, records, "column")

    def _ids(self, begin: int, records: Records, name: str) -> Longs:
        ids = records[name].astype(np.int64) - 1
        if int(ids.min()) < 0 or int(ids.max()) >= self.words:
            at = int(((ids < 0) | (ids >= self.words)).argmax())
            where = f"byte {_place(begin + at, name)}"
            raise FormatError(self.path, where, f"a word 1 to {self.words}", str(ids[at] + 1))
        return ids if self.numbers is None else self.numbers[ids]

    def _units(self, begin: int, values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
        """Return values as whole multiples."""
        most = 2.0**63
        with np.errstate(over="ignore"):
            exact = values * self.unit
        sums = np.maximum(np.rint(exact), 1)
        if float(sums.max()) >= most:
            at = int(sums.argmax())
            expected = f"a value below {most / self.unit:.6g}, in units of 1/{self.unit}"
            if not self.exact:
                expected += " (give the window)"
        elif self.exact and (off := np.abs(exact - sums) > _OFF * exact).any():
            at = int(off.argmax())
            expected = f"a multiple of 1/{self.unit}, as the window and the weights have it"
        else:
            return sums.astype(np.uint64)
        where = f"byte {_place(begin + at, 'value')}"
        raise FormatError(self.path, where, expected, f"{values[at]}")

    def _added_up(self, rows: CSR) -> CSR:
        """Sort each row and add up twins, in place."""
        indptr = np.zeros(self.words + 1, np.int64)
        end = 0
        for first, last in row_blocks(rows.indptr, BLOCK):
            here = slice(int(rows.indptr[first]), int(rows.indptr[last]))
            columns, sums = rows.indices[here], rows.data[here]
            lengths = np.diff(rows.indptr[first : last + 1])
            order = sorted_rows(lengths, columns, self.words)
            if order is not None:
                columns, sums = columns[order], sums[order]
            keys = np.repeat(np.arange(len(lengths)) * self.words, lengths) + columns
            try:
                starts, sums = add_twins(sums, keys)
            except OverflowError as error:
                raise FormatError(self.path, "file", "counts", str(error)) from None
            at, end = end, end + len(starts)
            rows.indices[at:end], rows.data[at:end] = columns[starts], sums
            found = np.bincount(keys[starts] // self.words, minlength=len(lengths))
            indptr[first + 1 : last + 1] = at + np.cumsum(found)
        return CSR(indptr, shortened(rows.indices, end), shortened(rows.data, end), self.words)


def _place(record: int, field: str) -> int:
    """Return the byte where a field of a record begins."""
    return record * RECORD.itemsize + {"row": 0, "column": 4, "value": 8}[field]


# ---- writing ------------------------------------------------------------------------------------


def write(counts: Counts, path: AnyPath) -> None:
    """Write co-occurrences; see `firth.Counts.write_glove`."""
    sums = counts.sums
    with atomic_file(path) as file:
        for first, last in row_blocks(sums.indptr, BLOCK):
            here = slice(int(sums.indptr[first]), int(sums.indptr[last]))
            records = np.empty(here.stop - here.start, RECORD)
            rows = np.arange(first + 1, last + 1)
            records["row"] = np.repeat(rows, np.diff(sums.indptr[first : last + 1]))
            records["column"] = sums.indices[here]
            records["column"] += 1
            records["value"] = sums.data[here] / float(counts.unit)
            file.write(records.data)
