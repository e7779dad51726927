"""Rows of the tables: those that words are, and the steps that wait for them."""

from collections.abc import Iterator
from typing import Any

import numpy as np


class Sums:
    """Steps that wait, added up for each row, in an order that only theirs decides.

    CuPy's ``add.at`` would add in the order in which the device comes to them, another each time.
    """

    def __init__(self, xp: Any, room: int) -> None:
        self.xp, self.room = xp, room
        self.rows: list[Any] = []
        self.steps: list[Any] = []
        self.waiting = self.merged = 0

    def add(self, rows: Any, steps: Any) -> None:
        """Let (n, dim) steps wait for (n,) rows; more than ``room`` rows are added up first."""
        self.rows.append(rows)
        self.steps.append(steps)
        self.waiting += len(rows)
        if self.waiting > max(self.room, 2 * self.merged):
            self._merge()

    def take(self) -> tuple[Any, Any]:
        """Return the rows that steps wait for, each once and rising, and the sums of those."""
        self._merge()
        taken = self.rows.pop(), self.steps.pop()
        self.waiting = self.merged = 0
        return taken

    def _merge(self) -> None:
        xp, rows, steps = self.xp, self.xp.concatenate(self.rows), self.xp.concatenate(self.steps)
        self.rows.clear()
        self.steps.clear()
        order = xp.argsort(rows, kind="stable")
        rows, steps = rows[order], steps[order]
        while True:  # neighbours are added up, then what is left of them: log2(most of a row) times
            again = rows[1:] == rows[:-1]
            if not bool(again.any()):
                break
            stays = (xp.arange(len(rows)) - xp.searchsorted(rows, rows)) % 2 == 0
            first = xp.flatnonzero(stays[:-1] & again)
            steps[first] += steps[first + 1]
            rows, steps = rows[stays], steps[stays]
        self.rows.append(rows)
        self.steps.append(steps)
        self.waiting = self.merged = len(rows)


class Rows:
    """The rows of a table that words are: row w, or those of bag w."""

    def __init__(self, xp: Any, table: Any, offsets: Any, ids: Any, room: int) -> None:
        self.xp, self.table, self.offsets, self.ids, self.room = xp, table, offsets, ids, room

    def sizes(self, words: Any) -> Any:
        """Return how many rows each word is, as float32."""
        if not len(self.offsets):
            return self.xp.ones(words.shape, np.float32)
        return (self.offsets[words + 1] - self.offsets[words]).astype(np.float32)

    def sums(self, words: Any) -> Any:
        """Return (..., dim) the sum of each one's rows, added in their order."""
        if not len(self.offsets):
            return self.table[words]
        distinct, inverse = self.xp.unique(words, return_inverse=True)
        sums = self.xp.zeros((len(distinct), self.table.shape[1]), np.float32)
        for some, rows in self._steps(distinct):
            sums[some] += self.table[rows]
        return sums[inverse.reshape(words.shape)]

    def means(self, words: Any) -> Any:
        """Return (..., dim) the mean of each one's rows; 0 where there are none."""
        share = 1 / self.xp.maximum(self.sizes(words), np.float32(1))
        return self.sums(words) * share[..., None]

    def add(self, words: Any, steps: Any) -> None:
        """Add the step of each word, which is here once only, to all its rows."""
        if not len(self.offsets):
            self.table[words] += steps
            return
        sums = Sums(self.xp, self.room)
        for some, rows in self._steps(words):
            sums.add(rows, steps[some])
        if sums.waiting:
            rows, steps = sums.take()
            self.table[rows] += steps

    def _steps(self, words: Any) -> Iterator[tuple[Any, Any]]:
        """Yield which words have a first row, and that; then which have a second, and so on."""
        begins, ends = self.offsets[words], self.offsets[words + 1]
        active = self.xp.flatnonzero(begins < ends)
        while len(active):
            yield active, self.ids[begins[active]].astype(np.int64)
            begins = begins + 1
            active = active[begins[active] < ends[active]]
