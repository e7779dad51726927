"""cooccurrence within a budget of memory: block by block, and through files where it must be.

Words are counted a block at a time, and what a block finds is known before to fit. The index of
places is made for so many words as it may hold, which costs a reading of the ids each time. Where
that would be too often, the corpus is cut: each part leaves a run of its counts on the disk, and
the runs are merged, some rows at a time. Sums are exact, so that no cut changes a bit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Hashes, Ids, Indices, Longs
from firth._reading import AnyPath
from firth._scratch import NamelessFile, Scratch
from firth.csr import CSR

_NAME = "cooccurrence"
_DTYPES = tuple(np.dtype(name) for name in ("float32", "float64", "uint64"))
_SUMS = np.dtype(np.uint64)
_TASK = 1 << 19  # entries that a thread has room for, kTaskEntries of the bindings
_PASSES = 16  # over the ids of a part: more would cost what runs cost
_MOST_PLACES = 2**31  # of one index
_STEP = 1 << 16  # numbers converted at once
_ALLOWANCE = 4 << 20  # for pages that are larger than what lies on them, and small things
_PER_WORD = 64  # bytes: counts, their sums, starts, cursors, a row that is cut
_PER_DESK = 17  # bytes of a word for each thread: counting_scratch() and the ends of rows
_ENTRY = 12  # bytes: a column and a sum
_ROW = 56  # bytes an entry of the longest row needs wherever it passes through


@dataclass(frozen=True)
class Plan:
    """How a budget is shared out.

    Attributes
    ----------
    places
        That an index may have.
    entries
        That a block of words may find, at least as many as any row can have.
    merged
        Entries of runs that are merged at once, at least twice as many as a row can have.
    room
        Bytes of the result that may stay in memory; if it needs more, all of it lies on files.
    workers
        Threads.
    """

    places: int
    entries: int
    merged: int
    room: int
    workers: int


def counted_within(
    ids: Ids,
    breaks: Hashes,
    *,
    words: int,
    table: Hashes,
    unit: int,
    symmetric: bool,
    kind: np.dtype[Any],
    part: tuple[int, int],
    memory: int,
    folder: AnyPath | None,
    workers: int,
    progress: Callable[[int], object] | None,
    backend: ModuleType,
    isa: str,
) -> CSR:
    """Return what `cooccurrence` counts in a part, with at most ``memory`` bytes beside the ids.

    Raises
    ------
    ValueError
        The budget is too small for even one word.
    OSError
        The folder cannot be written to, or its disk is full.
    FormatError
        Somebody else has cut a temporary file.
    """
    company = len(table) * (2 if symmetric else 1)
    least = _ALLOWANCE + words * _PER_WORD
    if memory >= least:  # otherwise even looking at the ids needs more
        counts = occurrences(ids, *part, words)
        threads = workers or backend.num_threads()
        plan, least = planned(counts, company, memory, kind, threads)
    if memory < least:
        expected = f"expected at least {least} for {words} words"
        raise ValueError(f"{_NAME}: memory={memory} is too small, {expected}")
    most = int(np.minimum(words, counts * company).sum()) * (_ENTRY + 4 + kind.itemsize)
    with Scratch(_NAME, folder, most) as scratch:
        rule = (table, unit, symmetric)
        work = _Work(ids, breaks, counts, rule, kind, part, plan, scratch, progress, backend, isa)
        return work.counted()


def planned(
    counts: Longs, company: int, memory: int, kind: np.dtype[Any], threads: int
) -> tuple[Plan, int]:
    """Share out a budget; return the plan, and the least budget that is enough."""
    words, tokens = len(counts), int(counts.sum())
    bounds = np.minimum(words, counts * company)
    longest, total = int(bounds.max(initial=0)), int(bounds.sum())
    fixed = _ALLOWANCE + words * _PER_WORD
    desk, task = words * _PER_DESK, min(_TASK, total)
    least = fixed + desk + _ROW * longest + 4 * min(tokens, _STEP)
    rest = memory - fixed
    whole = threads * (desk + _ENTRY * task) + 4 * tokens + (4 + kind.itemsize) * total
    if whole <= rest:
        return Plan(max(tokens, 1), max(total, 1), 1, whole, threads), least
    room = rest // 2 if (4 + kind.itemsize) * total < 4 * rest and rest // 2 > least else 0
    rest -= room
    # Half is for what blocks find and threads find them with; a thread should have two tasks.
    workers = max(1, min(threads, rest // 2 // (desk + 3 * _ENTRY * max(task, 1))))
    rest -= workers * desk
    narrow = rest // 2 < 2 * _ENTRY * task
    entries = rest // 4 // _ENTRY if narrow else (rest // 2 - workers * _ENTRY * task) // _ENTRY
    entries = min(max(entries, longest, 1), max(total, 1))
    left = rest - _ENTRY * (entries + workers * min(task, entries))
    merged = rest // 40 if workers == 1 else (rest - workers * _ENTRY * task) // 28
    return Plan(max(left // 4, 1), entries, max(merged, 2 * longest), room, workers), least


def occurrences(ids: Ids, begin: int, end: int, words: int) -> Longs:
    """Return (words,) int64: how often each id stands in ``ids[begin:end]``."""
    counts = np.zeros(words, np.int64)
    step = max(_STEP, words)
    for first in range(begin, end, step):
        counts += np.bincount(ids[first : min(first + step, end)], minlength=words)
    return counts


@dataclass
class _Run:
    """Where a part's counts lie: the lengths of its rows, their columns and their sums."""

    lengths: int
    columns: int
    sums: int
    widths: list[tuple[int, int]] = field(default_factory=list)  # (end of rows, bytes of a sum)

    def width(self, row: int) -> int:
        return next(width for end, width in self.widths if end > row)


@dataclass
class _Work:
    ids: Ids
    breaks: Hashes
    counts: Longs
    rule: tuple[Hashes, int, bool]
    kind: np.dtype[Any]
    part: tuple[int, int]
    plan: Plan
    scratch: Scratch
    progress: Callable[[int], object] | None
    backend: ModuleType
    isa: str

    def counted(self) -> CSR:
        words = len(self.counts)
        result = _Result(words, self.kind, self.plan.room, self.scratch)
        files = [self.scratch.file() for _ in range(3)]
        runs = []
        for begin, end, counts in self.parts():
            if (begin, end) == self.part:
                for first, _, rows in self.blocks(begin, end, counts, self.kind):
                    result.append(first, *rows)
            else:
                runs.append(_Run(files[0].size, files[1].size, files[2].size))
                for _, last, rows in self.blocks(begin, end, counts, _SUMS):
                    _write(runs[-1], files, last, *rows)
        if runs:
            for first, rows in self.merged(runs, files):
                result.append(first, *rows)
        return result.matrix()

    def parts(self) -> Iterator[tuple[int, int, Longs]]:
        """Cut the corpus so that an index may have all places of any word, and few passes do."""
        begin, end = self.part
        most = min(_MOST_PLACES, _PASSES * self.plan.places)
        many = max(1, -(-(end - begin) // most))
        size, whole = -(-(end - begin) // many), self.counts
        while begin < end:
            stop = min(begin + size, end)
            counts = whole if many == 1 else occurrences(self.ids, begin, stop, len(whole))
            while int(counts.max()) > self.plan.places:
                many, size = many + 1, (stop - begin + 1) // 2
                stop = begin + size
                counts = occurrences(self.ids, begin, stop, len(whole))
            yield begin, stop, counts
            begin = stop

    def blocks(
        self, begin: int, end: int, counts: Longs, kind: np.dtype[Any]
    ) -> Iterator[tuple[int, int, tuple[Longs, Indices, Any]]]:
        """Count a part of the corpus: yield rows [first, last) and what was found."""
        words, (table, unit, symmetric) = len(counts), self.rule
        company = len(table) * (2 if symmetric else 1)
        found = _sums(np.minimum(words, counts * company))
        common = {"ids": self.ids, "threads": self.plan.workers}
        for first, last in _cuts(_sums(counts), 0, words, self.plan.places):
            span = {"begin": begin, "end": end, "words": words, "first": first, "last": last}
            starts, places = self.backend.places(**common, **span)
            for top, bottom in _cuts(found, first, last, self.plan.entries):
                before = begin - self.part[0] + int(counts[:top].sum())
                rows = self.backend.cooccurrence(
                    **common,
                    breaks=self.breaks,
                    starts=starts,
                    places=places,
                    origin=begin,
                    first=top,
                    last=bottom,
                    weights=table,
                    symmetric=symmetric,
                    unit=unit,
                    dtype=_DTYPES.index(kind),
                    isa=self.isa,
                    progress=self.reporter(before),
                )
                yield top, bottom, rows
                del rows  # before the next ones are found
            del starts, places

    def reporter(self, before: int) -> Callable[[int], object] | None:
        progress = self.progress
        return None if progress is None else lambda done: progress(before + done)

    def merged(
        self, runs: list[_Run], files: list[NamelessFile]
    ) -> Iterator[tuple[int, tuple[Longs, Indices, Any]]]:
        """Merge runs: yield a first row, and what all runs have in some rows from there on."""
        row, step = 0, max(1, (1 << 18) // len(runs))
        ends = {end for run in runs for end, _ in run.widths}
        for end in sorted({*ends, *range(step, max(ends), step)}):  # rows of one width each
            lengths = np.empty((len(runs), end - row), np.uint32)
            widths = [run.width(row) for run in runs]
            for run, mine in zip(runs, lengths, strict=True):
                files[0].read(run.lengths + 4 * row, mine)
            sums = _sums(lengths.sum(axis=0, dtype=np.int64))
            for first, last in _cuts(sums, 0, end - row, self.plan.merged):
                parts: list[tuple[Longs, Indices, Hashes]] = []
                held = 0
                for run, width, mine in zip(runs, widths, lengths[:, first:last], strict=True):
                    indptr = _sums(mine)
                    if held + int(indptr[-1]) > self.plan.merged:  # one row of many runs
                        parts = [self.merge(parts, _SUMS)]
                        held = len(parts[0][1])
                    parts.append((indptr, *_read(run, files, int(indptr[-1]), width)))
                    held += int(indptr[-1])
                yield row + first, self.merge(parts, self.kind)
                del parts
            row = end

    def merge(
        self, parts: list[tuple[Longs, Indices, Hashes]], kind: np.dtype[Any]
    ) -> tuple[Longs, Indices, Any]:
        merged: tuple[Longs, Indices, Any] = self.backend.merge_counts(
            parts=parts,
            columns=len(self.counts),
            unit=self.rule[1],
            dtype=_DTYPES.index(kind),
            threads=self.plan.workers,
            isa=self.isa,
        )
        return merged


def _write(
    run: _Run, files: list[NamelessFile], last: int, indptr: Longs, indices: Indices, sums: Hashes
) -> None:
    """Append rows up to ``last`` to a run."""
    lengths, columns, tail = files
    lengths.append(np.diff(indptr).astype(np.uint32))
    columns.append(indices)
    narrow = int(sums.max(initial=0)) < 2**32
    for first in range(0, len(sums), _STEP if narrow else max(len(sums), 1)):
        tail.append(sums[first : first + _STEP].astype(np.uint32) if narrow else sums)
    run.widths.append((last, 4 if narrow else 8))


def _read(run: _Run, files: list[NamelessFile], many: int, width: int) -> tuple[Indices, Hashes]:
    """Read the next entries of a run."""
    indices, sums = np.empty(many, np.int32), np.empty(many, np.uint64)
    files[1].read(run.columns, indices)
    if width == 8:
        files[2].read(run.sums, sums)
    else:
        narrow = np.empty(min(many, _STEP), np.uint32)
        for first in range(0, many, _STEP):
            piece = narrow[: min(_STEP, many - first)]
            files[2].read(run.sums + 4 * first, piece)
            sums[first : first + _STEP] = piece
    run.columns += 4 * many
    run.sums += width * many
    return indices, sums


class _Result:
    """Rows that come in order: in memory as long as there is room, then on files."""

    def __init__(self, words: int, kind: np.dtype[Any], room: int, scratch: Scratch) -> None:
        self.indptr = np.zeros(words + 1, np.int64)
        self.room, self.entries, self.held = room, 0, 0
        self.columns = [(np.dtype(dtype), scratch.file()) for dtype in (np.int32, kind)]
        self.pieces: list[list[npt.NDArray[Any]]] = [[], []]

    def append(self, first: int, indptr: Longs, indices: Indices, data: npt.NDArray[Any]) -> None:
        np.add(indptr, self.entries, out=self.indptr[first : first + len(indptr)])
        self.entries += len(indices)
        self.held += indices.nbytes + data.nbytes
        for pieces, array in zip(self.pieces, (indices, data), strict=True):
            pieces.append(array)
        if self.held > self.room:
            self.flush()

    def flush(self) -> None:
        for pieces, (_, file) in zip(self.pieces, self.columns, strict=True):
            while pieces:
                file.append(pieces.pop(0))
        self.held = 0

    def matrix(self) -> CSR:
        if any(file.size for _, file in self.columns):
            self.flush()
            indices, data = (file.mapped(dtype) for dtype, file in self.columns)
        else:
            pairs = zip(self.pieces, self.columns, strict=True)
            indices, data = (_joined(pieces, dtype) for pieces, (dtype, _) in pairs)
        return CSR(self.indptr, indices, data)


def _joined(pieces: list[npt.NDArray[Any]], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Join arrays, each of which goes as soon as it is copied."""
    if len(pieces) == 1:
        return pieces[0]
    whole, at = np.empty(sum(map(len, pieces)), dtype), 0
    while pieces:
        piece = pieces.pop(0)
        whole[at : at + len(piece)] = piece
        at += len(piece)
    return whole


def _sums(lengths: npt.NDArray[Any]) -> Longs:
    """Return (n + 1,) int64: the sums of the first 0, 1, ... n."""
    sums = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=sums[1:])
    return sums


def _cuts(sums: Longs, first: int, last: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut [first, last) into ranges with at most so much in each, or with one row."""
    while first < last:
        end = int(np.searchsorted(sums, sums[first] + most, "right")) - 1
        end = min(max(end, first + 1), last)
        yield first, end
        first = end
