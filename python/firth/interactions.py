"""Interactions: who has met what, when and how much; what every recommender learns from."""

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from firth import _interaction_files
from firth._backend import Longs
from firth._columns import Names, names_of
from firth._meetings import DUPLICATES, entries, merged, moved
from firth._random import STREAM_SHUFFLE, random_words
from firth._reading import AnyPath
from firth._sorting import order_in_rows
from firth.corpus import Corpus
from firth.csr import CSR
from firth.kernels._arguments import one_of, real, whole
from firth.vocabulary import Vocabulary

Duplicates = Literal["sum", "last", "first", "max"]


class Interactions:
    """Who has met what: users, items and a sparse matrix of how much, with times where known.

    Parameters
    ----------
    users
        (n,) names, one for each interaction: texts or integers; an integer's name is its decimal
        text. Or a matrix, users x items: `CSR` or anything of SciPy's with ``tocsr``, whose entries
        are the interactions; rows and columns are then named by their numbers.
    items
        (n,) names of what each has met; None for a matrix.
    values
        (n,) how much: ratings, or how often. None: 1. Finite and above 0.
    times
        (n,) when: integers, floats or datetime64.
    duplicates
        What becomes of a pair that is there several times: its values are added up ("sum"), or it
        has that of its "last" or "first" time (by place where there are no times), or the greatest
        ("max"). Its time is the last one, with "first" the first.

    Raises
    ------
    ValueError
        Lengths that differ, no interaction, a value that is not above 0 or, as a time, not finite.
    TypeError
        Names that are neither texts nor integers, values or times of another dtype.

    Examples
    --------
    >>> x = Interactions(["ann", "bob", "ann"], ["tea", "tea", "rum"])
    >>> x
    Interactions(2 users, 2 items, 3 interactions)
    >>> x.users, x.items, x.csr.indptr.tolist(), x.csr.indices.tolist()
    (['ann', 'bob'], ['rum', 'tea'], [0, 2, 3], [0, 1, 1])
    """

    __slots__ = ("_csr", "_item_index", "_items", "_times", "_user_index", "_users")

    def __init__(
        self,
        users: Any,
        items: Any = None,
        values: npt.ArrayLike | None = None,
        times: npt.ArrayLike | None = None,
        *,
        duplicates: Duplicates = "sum",
    ) -> None:
        name = "Interactions"
        one_of(name, "duplicates", duplicates, DUPLICATES)
        if items is None:
            if values is not None or times is not None:
                raise ValueError(f"{name}: a matrix has its own values and no times")
            rows, columns, values = entries(name, users)
        else:
            rows, columns = names_of(name, "users", users), names_of(name, "items", items)
        self._fill(name, rows, columns, values, times, duplicates)

    def _fill(
        self, name: str, users: Names, items: Names, values: Any, times: Any, duplicates: str
    ) -> None:
        csr, when = merged(name, users, items, values, times, duplicates)
        self._set(users.names, items.names, csr, when)

    def _set(self, users: list[str], items: list[str], csr: CSR, times: Any) -> None:
        self._users, self._items, self._csr, self._times = users, items, csr, times
        self._user_index: dict[str, int] | None = None
        self._item_index: dict[str, int] | None = None

    @classmethod
    def _of(cls, users: list[str], items: list[str], csr: CSR, times: Any) -> Self:
        made = cls.__new__(cls)
        made._set(users, items, csr, times)
        return made

    @classmethod
    def read(
        cls,
        path: AnyPath | Any,
        *,
        user: int | str = 0,
        item: int | str = 1,
        rating: int | str | None = None,
        time: int | str | None = None,
        least: float | None = None,
        delimiter: str | None = None,
        header: bool | None = None,
        lists: bool | None = None,
        duplicates: Duplicates = "sum",
        progress: bool | None = False,
    ) -> Self:
        """Read a file of one interaction a line, or of a user and all her items a line.

        Parameters
        ----------
        path
            A file of text; ``.gz``, ``.bz2``, ``.xz`` and ``.zst`` are decompressed. Or an open
            file, which is read to its end.
        user, item, rating, time
            Which columns: numbers from 0, or names in the header. None: there is none, or it is
            not wanted.
        least
            Interactions with a lower rating are left out; users and items that have no others keep
            their rows. It needs ``rating``.
        delimiter
            Between columns, such as ``","`` or ``"::"``; ``" "`` is any white space. None: the
            first of ``"::"``, tab, comma, semicolon that is in the first line, else white space.
            With one character, fields may stand in double quotes as in CSV.
        header
            Whether the first line names the columns. None: if columns are asked for by name, if it
            has no number where rating or time are, or, where neither is asked for, if user or item
            is no whole number there, but is in the second line.
        lists
            Whether lines are "user item item ...", of any lengths. None: if lines of white space
            have different lengths; then neither rating nor time can be asked for.
        duplicates
            As in `Interactions`.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.

        Returns
        -------
        Interactions
            Rows in the order of their names: of numbers if all are whole numbers, else of texts.

        Raises
        ------
        FormatError
            No interaction, a line with too few columns, a rating or time that is no finite number,
            a rating not above 0 (unless ``least`` leaves it out), damaged compression; it names the
            line.
        ValueError, TypeError
            Arguments that contradict each other or are of another type.
        FileNotFoundError, IsADirectoryError, PermissionError
            As opening the file does.
        """
        found = _interaction_files.read(
            path, user, item, rating, time, least, delimiter, header, lists, progress
        )
        one_of("Interactions.read", "duplicates", duplicates, DUPLICATES)
        made = cls.__new__(cls)
        made._fill("Interactions.read", *found, duplicates)
        return made

    # ---- what it holds --------------------------------------------------------------------------

    @property
    def users(self) -> list[str]:
        """The names of the users, row by row; not to be changed."""
        return self._users

    @property
    def items(self) -> list[str]:
        """The names of the items, column by column; not to be changed."""
        return self._items

    @property
    def csr(self) -> CSR:
        """The values, users x items, float32; not to be changed."""
        return self._csr

    @property
    def times(self) -> npt.NDArray[Any] | None:
        """When each entry of `csr` was, or None."""
        times: npt.NDArray[Any] | None = self._times
        return times

    @property
    def user_index(self) -> dict[str, int]:
        """The row of each user; not to be changed."""
        if self._user_index is None:
            self._user_index = _index(self._users)
        return self._user_index

    @property
    def item_index(self) -> dict[str, int]:
        """The column of each item; not to be changed."""
        if self._item_index is None:
            self._item_index = _index(self._items)
        return self._item_index

    @property
    def item_counts(self) -> Longs:
        """How many users have met each item, (items,)."""
        return np.bincount(self._csr.indices, minlength=len(self._items)).astype(np.int64)

    @property
    def shape(self) -> tuple[int, int]:
        """How many users and items there are."""
        return self._csr.shape

    def __len__(self) -> int:
        return self._csr.nnz

    def __repr__(self) -> str:
        users, items = self.shape
        return f"Interactions({users} users, {items} items, {len(self)} interactions)"

    def __reduce__(self) -> tuple[Any, ...]:
        parts = self._users, self._items, self._csr, self._times
        return _restored, (type(self), *parts)

    def of(self, user: str) -> list[str]:
        """Return what a user has met; KeyError names one that is unknown."""
        row = self.user_index[user]
        found = self._csr.indices[self._csr.indptr[row] : self._csr.indptr[row + 1]]
        return [self._items[item] for item in found.tolist()]

    # ---- others made of it ----------------------------------------------------------------------

    def split(
        self,
        *,
        leave: int | None = None,
        share: float | None = None,
        before: Any = None,
        latest: bool | None = None,
        seed: int = 1,
    ) -> tuple[Self, Self]:
        """Divide the interactions into two, to train on and to test with; names stay the same.

        Parameters
        ----------
        leave
            So many of each user are for the test; users who have not more than that keep all.
        share
            Of each user this share, rounded down, is for the test.
        before
            Interactions at this time or later are for the test.
        latest
            With ``leave`` and ``share``: take the last ones; False takes any, by chance. None: the
            last ones if there are times. Of equal times any, by chance.
        seed
            Of chance.

        Raises
        ------
        ValueError
            Not exactly one of the three is given, one is out of range, times are needed and not
            there, or one of the two would have no interaction.
        """
        name = "Interactions.split"
        if sum(rule is not None for rule in (leave, share, before)) != 1:
            raise ValueError(f"{name}: expected exactly one of leave, share and before")
        if (before is not None or latest) and self._times is None:
            raise ValueError(f"{name}: there are no times, as before and latest need them")
        if before is not None:
            held: Any = self._times >= before
            if not isinstance(held, np.ndarray) or held.dtype != np.bool_:
                raise TypeError(f"{name}: before={before!r} cannot be compared with the times")
        else:
            held = self._held(name, leave, share, latest, seed)
        kept = int(len(self) - held.sum())
        if not 0 < kept < len(self):
            raise ValueError(f"{name}: leaves {kept} of {len(self)} interactions to train on")
        return self._only(~held), self._only(held)

    def _held(
        self, name: str, leave: int | None, share: float | None, latest: bool | None, seed: int
    ) -> npt.NDArray[np.bool_]:
        """Return which are for the test, so many of each user."""
        indptr = self._csr.indptr
        lengths = np.diff(indptr)
        if leave is not None:
            wanted = whole(name, "leave", leave, 1, 2**31)
            many = np.where(lengths > wanted, wanted, 0)
        else:
            many = np.floor(lengths * real(name, "share", share, 0, 1) + 1e-9).astype(np.int64)
        whole(name, "seed", seed, 0, 2**64 - 1)
        chance = random_words(seed, STREAM_SHUFFLE, 0, 0, len(self))
        users = np.repeat(np.arange(len(lengths)), lengths)
        by_time = self._times is not None and latest is not False
        order = order_in_rows(indptr, chance, *((self._times,) if by_time else ()))
        held = np.zeros(len(self), np.bool_)
        held[order] = np.arange(len(self)) - indptr[users] >= (lengths - many)[users]
        return held

    def _only(self, kept: npt.NDArray[np.bool_]) -> Self:
        ends = np.concatenate([[0], np.cumsum(kept)])
        csr = self._csr
        some = CSR(ends[csr.indptr], csr.indices[kept], csr.data[kept], csr.columns)
        times = None if self._times is None else self._times[kept]
        return self._of(self._users, self._items, some, times)

    def like(self, other: "Interactions") -> Self:
        """Return the same with the rows and columns of another; names it lacks come behind them."""
        if not isinstance(other, Interactions):
            kind = type(other).__name__
            raise TypeError(f"Interactions.like: other is {kind}, expected Interactions")
        users = moved(self._users, other.users, other.user_index)
        items = moved(self._items, other.items, other.item_index)
        owners = np.repeat(users.rows, np.diff(self._csr.indptr))
        made = type(self).__new__(type(self))
        columns = Names(items.names, items.rows[self._csr.indices])
        rows = Names(users.names, owners)
        made._fill("Interactions.like", rows, columns, self._csr.data, self._times, "sum")
        return made

    def sessions(self) -> Corpus:
        """Return each user's items as a sentence, in the order of times if there are any.

        Users without items are left out, and so are items that nobody has met; the vocabulary has
        the others, most frequent first.
        """
        counts = self.item_counts
        by_name = [name.encode("utf-8", "surrogateescape") for name in self._items]
        order = sorted(range(len(counts)), key=lambda item: (-counts[item], by_name[item]))
        ranked = np.array(order[: int((counts > 0).sum())], np.int64)
        places = np.zeros(len(counts), np.uint32)
        places[ranked] = np.arange(len(ranked), dtype=np.uint32)
        items = places[self._csr.indices]
        lengths = np.diff(self._csr.indptr)
        if self._times is not None:
            items = items[order_in_rows(self._csr.indptr, self._times)]
        offsets = np.concatenate([[0], np.cumsum(lengths[lengths > 0])]).astype(np.int64)
        words = Vocabulary([self._items[item] for item in ranked.tolist()], counts[ranked])
        return Corpus(items, offsets, words)


def _index(names: list[str]) -> dict[str, int]:
    return {name: row for row, name in enumerate(names)}


def _restored(kind: type[Interactions], *parts: Any) -> Interactions:
    return kind._of(*parts)
