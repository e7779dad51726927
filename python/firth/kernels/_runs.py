"""cooccurrence within a budget of memory: block by block, and through files where it must be.

Words are counted a block at a time, and what a block finds is known before to fit. The index of
places is made for so many words as it may hold, which costs a reading of the ids each time. Where
that would be too often, the corpus is cut: each part leaves a run of its counts on the disk, and
the runs are merged, some rows at a time. Sums are exact, so that no cut changes a bit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Hashes, Ids, Indices, Longs
from firth._count_rows import row_blocks
from firth._pieces import together
from firth._reading import AnyPath
from firth._scratch import NamelessFile, Scratch
from firth.csr import CSR

_NAME = "cooccurrence"
DTYPES = tuple(np.dtype(name) for name in ("float32", "float64", "uint64"))
_SUMS = np.dtype(np.uint64)
Rows = tuple[Longs, Indices, Any]
Take = Callable[[int, Longs, Indices, Any], None]  # from which row on, and what they have
_TASK = 1 << 19  # entries that a thread has room for, kTaskEntries of the bindings
_PASSES = 16  # over the ids of a part: more would cost what runs cost
# Of one index, whose cursors are uint32: beyond the places, each thread writes to spare ones.
MOST_PLACES = 2**31
_STEP = 1 << 16  # numbers converted at once
_LENGTHS = 1 << 18  # of rows, read at once from all runs together
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
    counts = occurrences(ids, *part, words)
    threads = workers or getattr(backend, "num_threads", lambda: 1)()
    plan, least = planned(counts, company, memory, kind, threads)
    if memory < least:
        expected = f"expected at least {least} for {words} words"
        raise ValueError(f"{_NAME}: memory={memory} is too small, {expected}")
    with Scratch(_NAME, folder) as scratch:
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


def occurrences(ids: Ids, begin: int, end: int, words: int, xp: Any = np) -> Longs:
    """Return (words,) int64: how often each id stands in ``ids[begin:end]``."""
    counts: Longs = xp.zeros(words, np.int64)
    step = max(_STEP, words)
    for first in range(begin, end, step):
        counts += xp.bincount(ids[first : min(first + step, end)], minlength=words)
    return counts


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

    @property
    def company(self) -> int:
        """How many entries a place can make."""
        table, _, symmetric = self.rule
        return len(table) * (2 if symmetric else 1)

    def counted(self) -> CSR:
        result = _Result(len(self.counts), self.kind, self.plan.room, self.scratch)
        files = [self.scratch.file() for _ in range(3)]
        runs: list[_Run] = []
        for begin, end, counts in self.parts():
            if (begin, end) == self.part:
                self.count(begin, end, counts, self.kind, result.append)
            else:
                runs.append(_Run(files))
                self.count(begin, end, counts, _SUMS, runs[-1].append)
        if runs:
            self.merge_all(runs, result.append)
        return result.matrix()

    def parts(self) -> Iterator[tuple[int, int, Longs]]:
        """Cut the corpus so that an index may have all places of any word, and few passes do."""
        begin, end = self.part
        most = min(MOST_PLACES, _PASSES * self.plan.places)
        many = max(1, -(-(end - begin) // most))
        size, whole = -(-(end - begin) // many), self.counts
        while begin < end:
            stop = min(begin + size, end)
            counts = whole if many == 1 else occurrences(self.ids, begin, stop, len(whole))
            while int(counts.max()) > self.plan.places:
                many, size = many + 1, (stop - begin + 1) // 2
                stop = begin + size
                counts = occurrences(self.ids, begin, stop, len(whole))
            bounds = [np.minimum(n * len(whole), whole * self.company).sum() for n in (1, many)]
            self.scratch.most = int(bounds[0]) * (4 + self.kind.itemsize)
            self.scratch.most += int(bounds[1]) * _ENTRY if many > 1 else 0
            yield begin, stop, counts
            begin = stop

    def count(self, begin: int, end: int, counts: Longs, kind: np.dtype[Any], take: Take) -> None:
        """Count a part of the corpus; what is found in a block is given to `take`."""
        words, (table, unit, symmetric) = len(counts), self.rule
        found, stood = _sums(np.minimum(words, counts * self.company)), _sums(counts)
        common = {"ids": self.ids, "threads": self.plan.workers}
        for first, last in row_blocks(stood, self.plan.places):
            span = {"begin": begin, "end": end, "words": words, "first": first, "last": last}
            starts, places = self.backend.places(**common, **span)
            for top, bottom in row_blocks(found, self.plan.entries, first, last):
                report = self.reporter(begin - self.part[0] + int(stood[top]))
                take(  # nothing here keeps a block while the next one is counted
                    top,
                    *self.backend.cooccurrence(
                        **common,
                        breaks=self.breaks,
                        starts=starts,
                        places=places,
                        frequent=0,
                        origin=begin,
                        first=top,
                        last=bottom,
                        weights=table,
                        symmetric=symmetric,
                        unit=unit,
                        dtype=DTYPES.index(kind),
                        isa=self.isa,
                        progress=report,
                    ),
                )
                if report is not None:
                    report(int(stood[bottom] - stood[top]))
            del starts, places

    def reporter(self, before: int) -> Callable[[int], object] | None:
        progress = self.progress
        return None if progress is None else lambda done: progress(before + done)

    def merge_all(self, runs: list["_Run"], take: Take) -> None:
        """Merge runs; some rows of all of them at a time are given to `take`."""
        row, step = 0, max(1, _LENGTHS // len(runs))
        ends = {end for run in runs for end, _ in run.widths}
        for end in sorted({*ends, *range(step, max(ends), step)}):  # rows of one width in each run
            lengths = np.empty((len(runs), end - row), np.uint32)
            for run, mine in zip(runs, lengths, strict=True):
                run.read_lengths(row, mine)
            sums = _sums(lengths.sum(axis=0, dtype=np.int64))
            for first, last in row_blocks(sums, self.plan.merged):
                parts: list[Rows] = []
                held = 0
                for run, mine in zip(runs, lengths[:, first:last], strict=True):
                    indptr = _sums(mine)
                    if held + int(indptr[-1]) > self.plan.merged:  # one row of many runs
                        parts = [self.merge(parts, _SUMS)]
                        held = len(parts[0][1])
                    parts.append((indptr, *run.read(row + first, int(indptr[-1]))))
                    held += int(indptr[-1])
                take(row + first, *self.merge(parts, self.kind))
                del parts
            row = end

    def merge(self, parts: list[Rows], kind: np.dtype[Any]) -> Rows:
        merged: Rows = self.backend.merge_counts(
            parts=parts,
            columns=len(self.counts),
            unit=self.rule[1],
            dtype=DTYPES.index(kind),
            threads=self.plan.workers,
            isa=self.isa,
        )
        return merged


class _Run:
    """The counts of a part of the corpus: lengths of rows, columns and sums, at the files' ends."""

    def __init__(self, files: list[NamelessFile]) -> None:
        self.files = files
        self.lengths, self.columns, self.sums = (file.size for file in files)
        self.widths: list[tuple[int, int]] = []  # (end of rows, bytes of their sums)

    def append(self, first: int, indptr: Longs, indices: Indices, sums: Hashes) -> None:
        self.files[0].append(np.diff(indptr).astype(np.uint32))
        self.files[1].append(indices)
        narrow = int(sums.max(initial=0)) < 2**32
        self.widths.append((first + len(indptr) - 1, 4 if narrow else 8))
        if not narrow:
            self.files[2].append(sums)
            return
        for at in range(0, len(sums), _STEP):
            self.files[2].append(sums[at : at + _STEP].astype(np.uint32))

    def read_lengths(self, first: int, lengths: npt.NDArray[np.uint32]) -> None:
        self.files[0].read(self.lengths + 4 * first, lengths)

    def read(self, row: int, many: int) -> tuple[Indices, Hashes]:
        """Read the next entries, which begin with those of a row."""
        width = next(width for end, width in self.widths if end > row)
        indices, sums = np.empty(many, np.int32), np.empty(many, np.uint64)
        self.files[1].read(self.columns, indices)
        if width == 8:
            self.files[2].read(self.sums, sums)
        else:
            for at in range(0, many, _STEP):
                narrow = np.empty(min(_STEP, many - at), np.uint32)
                self.files[2].read(self.sums + 4 * at, narrow)
                sums[at : at + _STEP] = narrow
        self.columns += 4 * many
        self.sums += width * many
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
            indices, data = (together(pieces, dtype) for pieces, (dtype, _) in pairs)
        return CSR(self.indptr, indices, data)


def _sums(lengths: npt.NDArray[Any]) -> Longs:
    """Return (n + 1,) int64: the sums of the first 0, 1, ... n."""
    sums = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=sums[1:])
    return sums
