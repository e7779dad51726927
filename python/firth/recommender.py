"""Recommender: users, items and what makes them meet; what every model of interactions returns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from firth import kernels
from firth._backend import Floats, Longs
from firth._reading import AnyPath
from firth._vectors import checked_keys, checked_vectors, index_of
from firth.csr import CSR
from firth.kernels._arguments import flag, shown, whole
from firth.kernels._matrices import check_matrix

Which = str | int | Sequence[str] | Sequence[int] | npt.NDArray[Any]
_GROUP = 1024  # queries whose lists of seen items lie side by side
_NUMBERS = 1 << 26  # of a group of queries


class Recommender:
    """Scores of items for users: products of vectors, with a bias of each item where there is one.

    Parameters
    ----------
    users, items
        Names, all different.
    user_vectors : (users, dim) float32 or None
        None: a user is what she has seen, a vector with a number for each item: 1 or 0.
    item_vectors : (items, dim) float32
        Without vectors of users (items, items): row i has what each item adds to the score of i.
    seen : CSR of users x items
        What each user has met in training; the values are not looked at.
    biases : (items,) float32, optional
        Added to the scores.
    metadata : dict, optional
        Anything that JSON can hold, such as how it was trained.
    check : bool
        Look at every number and refuse NaN and infinity.

    Notes
    -----
    A user whose vector is zero, such as one without items, is recommended items by their biases;
    without biases, by how many users have met them: their scores are then shares of users.

    Examples
    --------
    >>> import firth
    >>> x = firth.Interactions(["ann", "ann", "bob", "bob"], ["tea", "rum", "tea", "gin"])
    >>> rec = firth.EASE(reg=1).fit(x)
    >>> ids, scores = rec.recommend("ann", k=1)
    >>> [rec.items[i] for i in ids]
    ['gin']
    """

    __slots__ = (
        "_biases",
        "_item_index",
        "_item_vectors",
        "_items",
        "_metadata",
        "_scan",
        "_seen",
        "_user_index",
        "_user_vectors",
        "_users",
    )

    def __init__(
        self,
        users: Sequence[str],
        items: Sequence[str],
        user_vectors: npt.ArrayLike | None,
        item_vectors: npt.ArrayLike,
        seen: CSR,
        biases: npt.ArrayLike | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        check: bool = True,
    ) -> None:
        name = "Recommender"
        self._users, self._items = (
            checked_keys(names, name, what) for names, what in ((users, "users"), (items, "items"))
        )
        self._user_index, self._item_index = index_of(self._users), index_of(self._items)
        shape = len(self._users), len(self._items)
        if not all(shape):
            raise ValueError(
                f"{name}: {shape[0]} users and {shape[1]} items, expected some of each"
            )
        self._item_vectors = checked_vectors(
            item_vectors, shape[1], check, name, "item_vectors", "items"
        )
        self._user_vectors: Floats | None = None
        if user_vectors is not None:
            self._user_vectors = checked_vectors(
                user_vectors, shape[0], check, name, "user_vectors", "users"
            )
        dim = shape[1] if self._user_vectors is None else self._user_vectors.shape[1]
        if self._item_vectors.shape[1] != dim:
            found = self._item_vectors.shape[1]
            raise ValueError(f"{name}: item_vectors have {found} numbers, expected {dim}")
        if check_matrix(name, "seen", seen, np.float32).shape != shape:
            raise ValueError(f"{name}: seen has shape {seen.shape}, expected {shape}")
        self._seen = seen
        self._biases: Floats | None = None
        if biases is not None:
            column = np.asarray(biases)[:, None] if np.ndim(biases) == 1 else biases
            self._biases = np.ascontiguousarray(
                checked_vectors(column, shape[1], check, name, "biases", "items")[:, 0]
            )
        self._metadata = dict(metadata or {})
        self._scan: kernels.Prepared | None = None

    # ---- what it holds --------------------------------------------------------------------------

    @property
    def users(self) -> list[str]:
        """The names of the users, row by row; not to be changed."""
        return self._users

    @property
    def items(self) -> list[str]:
        """The names of the items, row by row; not to be changed."""
        return self._items

    @property
    def user_index(self) -> dict[str, int]:
        """The row of each user; not to be changed."""
        return self._user_index

    @property
    def item_index(self) -> dict[str, int]:
        """The row of each item; not to be changed."""
        return self._item_index

    @property
    def user_vectors(self) -> Floats | None:
        """(users, dim) float32, or None where a user is what she has seen."""
        return self._user_vectors

    @property
    def item_vectors(self) -> Floats:
        """(items, dim) float32."""
        return self._item_vectors

    @property
    def biases(self) -> Floats | None:
        """(items,) float32, or None."""
        return self._biases

    @property
    def seen(self) -> CSR:
        """What each user has met in training."""
        return self._seen

    @property
    def item_counts(self) -> Longs:
        """How many users have met each item in training, (items,)."""
        return np.bincount(self._seen.indices, minlength=len(self._items)).astype(np.int64)

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known about the model; kept by `save`."""
        return self._metadata

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return int(self._item_vectors.shape[1])

    def __repr__(self) -> str:
        kind = "item-item" if self._user_vectors is None else f"dim={self.dim}"
        return f"Recommender({len(self._users)} users, {len(self._items)} items, {kind})"

    def __reduce__(self) -> tuple[Any, ...]:
        parts = (self._users, self._items, self._user_vectors, self._item_vectors, self._seen)
        return _restored, (*parts, self._biases, self._metadata)

    # ---- questions ------------------------------------------------------------------------------

    def recommend(
        self,
        users: Which,
        k: int = 10,
        filter_seen: bool = True,
        *,
        exclude: Which | None = None,
        mask: npt.ArrayLike | None = None,
        threads: int | None = None,
    ) -> tuple[Longs, Floats]:
        """Return the items with the greatest scores for users.

        Parameters
        ----------
        users
            A name or a row, several of them, or vectors as `fold_in` returns: float (dim,) or
            (q, dim).
        k
            How many items for each, at least 1.
        filter_seen
            Leave out what a user has met in training; vectors have met nothing.
        exclude
            Names or rows of items that are left out for all users.
        mask
            For every item (items,) a bool; False leaves it out for all users.
        threads
            None: as many as :func:`firth.set_num_threads` says.

        Returns
        -------
        ids : int64 array (q, k), or (k,) for a single user
            Rows of items, best first; equal scores in row order. -1 where no item is left.
        scores : float32 array (q, k) or (k,)
            -inf where no item is left.

        Raises
        ------
        KeyError
            Names a user or item that is unknown.
        IndexError
            Names a row that is not there.
        ValueError, TypeError
            Another argument is out of its range or of another type.
        """
        name = "recommend"
        k = whole(name, "k", k, 1, 2**31)
        skip = flag(name, "filter_seen", filter_seen)
        rows, vectors, single = self._users_of(name, users)
        usable = self._usable(name, exclude, mask)
        many, most = len(rows), min(k, len(self._items))
        ids = np.full((many, k), -1, np.int64)
        scores = np.full((many, k), -np.inf, np.float32)
        scan = self._prepared()
        step = max(1, min(_GROUP, _NUMBERS // scan.dim))
        for first in range(0, many, step):
            part = slice(first, first + step)
            given = None if vectors is None else vectors[part]
            ids[part, :most], scores[part, :most] = kernels.topk(
                self._queries(rows[part], given),
                scan,
                most,
                exclude=self._seen_by(rows[part]) if skip else None,
                mask=usable,
                threshold=-np.inf,
                threads=threads,
            )
        return (ids[0], scores[0]) if single else (ids, scores)

    def scores(self, user: str | int | npt.NDArray[Any]) -> Floats:
        """Return the score of every item for one user, (items,) float32."""
        rows, vectors, single = self._users_of("scores", user)
        if not single:
            raise TypeError("scores: expected a single user")
        rows_of_items = self._prepared().rows
        assert rows_of_items is not None
        query = self._queries(rows, vectors)[0]
        result: Floats = (rows_of_items @ query).astype(np.float32)
        return result

    def similar_items(
        self, items: Which, k: int = 10, *, threads: int | None = None
    ) -> tuple[Longs, Floats]:
        """Return the items that are most like some item, without that item.

        Parameters
        ----------
        items
            A name or a row, or several of them.
        k
            How many for each, at least 1.

        Returns
        -------
        ids, scores
            As of `recommend`. The scores are cosines of vectors; where users have none, how much
            the item adds to the scores of others.
        """
        rows, single = _rows("similar_items", "item", items, self._item_index)
        if self._user_vectors is None:
            queries = np.zeros((len(rows), self.dim), np.float32)
            queries[np.arange(len(rows)), rows] = 1
            return _nearest(queries, self._item_vectors, "dot", rows, k, single, threads)
        vectors = self._item_vectors
        return _nearest(vectors[rows], vectors, "cosine", rows, k, single, threads)

    def similar_users(
        self, users: Which, k: int = 10, *, threads: int | None = None
    ) -> tuple[Longs, Floats]:
        """Return the users that are most like some user, without that user.

        Parameters
        ----------
        users
            A name or a row, or several of them.
        k
            How many for each, at least 1.

        Returns
        -------
        ids, scores
            As of `recommend`. The scores are cosines of vectors; where users have none, of what
            they have seen: common items over the root of the product of both numbers of items.
        """
        rows, single = _rows("similar_users", "user", users, self._user_index)
        vectors = self._user_vectors
        if vectors is not None:
            return _nearest(vectors[rows], vectors, "cosine", rows, k, single, threads)
        k = whole("similar_users", "k", k, 1, 2**31)
        ids = np.full((len(rows), k), -1, np.int64)
        scores = np.full((len(rows), k), -np.inf, np.float32)
        lengths = np.diff(self._seen.indptr)
        for at, row in enumerate(rows.tolist()):
            here = np.zeros(len(self._items) + 1, np.int64)
            here[self._of(row)] = 1
            common = np.concatenate([[0], np.cumsum(here[self._seen.indices])])
            common = np.diff(common[self._seen.indptr])
            cosines = common / np.sqrt(np.maximum(lengths * lengths[row], 1))
            cosines[row] = -np.inf
            best = np.argsort(-cosines, kind="stable")[: min(k, len(lengths) - 1)]
            ids[at, : len(best)], scores[at, : len(best)] = best, cosines[best]
        return (ids[0], scores[0]) if single else (ids, scores)

    # ---- files ----------------------------------------------------------------------------------

    def save(self, path: AnyPath) -> None:
        """Write a firth folder that `load` maps back, atomically."""
        from firth.formats import recommender_folder

        recommender_folder.write(self, path)

    @classmethod
    def load(cls, path: AnyPath, *, mmap: bool = True) -> "Recommender":
        """Load what `save` wrote.

        Parameters
        ----------
        path
            A firth folder.
        mmap
            Map the arrays from the file, read-only; False reads them into memory.

        Raises
        ------
        FormatError
            The folder is damaged or holds something else.
        """
        from firth.formats import recommender_folder

        return recommender_folder.load(path, mmap=mmap)

    # ---- how ------------------------------------------------------------------------------------

    def _prepared(self) -> kernels.Prepared:
        """Return what is scanned: vectors of items with their biases or popularity behind."""
        if self._scan is None:
            last = self._biases
            if last is None:
                last = (self.item_counts / len(self._users)).astype(np.float32)
            rows = np.concatenate([self._item_vectors, last[:, None]], axis=1)
            self._scan = kernels.prepare(rows, metric="dot")
        return self._scan

    def _users_of(self, name: str, users: Any) -> tuple[Longs, Floats | None, bool]:
        """Return rows (-1 for vectors), vectors, and whether it is a single user."""
        if isinstance(users, np.ndarray) and users.dtype.kind == "f":
            vectors = checked_vectors(np.atleast_2d(users), None, True, name)
            if vectors.shape[1] != self.dim:
                raise ValueError(
                    f"{name}: vectors of {vectors.shape[1]} numbers, expected {self.dim}"
                )
            return np.full(len(vectors), -1, np.int64), vectors, users.ndim == 1
        rows, single = _rows(name, "user", users, self._user_index)
        return rows, None, single

    def _queries(self, rows: Longs, given: Floats | None) -> Floats:
        """Return vectors of users with a 1 behind, where biases or popularity shall count."""
        queries = np.zeros((len(rows), self.dim + 1), np.float32)
        if given is not None:
            queries[:, :-1] = given
        elif self._user_vectors is not None:
            queries[:, :-1] = self._user_vectors[rows]
        else:
            for query, row in zip(queries, rows.tolist(), strict=True):
                query[self._of(row)] = 1
        queries[:, -1] = True if self._biases is not None else ~queries[:, :-1].any(axis=1)
        return queries

    def _of(self, row: int) -> npt.NDArray[np.int32]:
        return self._seen.indices[self._seen.indptr[row] : self._seen.indptr[row + 1]]

    def _seen_by(self, rows: Longs) -> Longs | None:
        """Return what some users have seen, side by side, with -1 behind."""
        if not len(rows) or rows[0] < 0:
            return None
        lengths = np.diff(self._seen.indptr)[rows]
        table = np.full((len(rows), int(lengths.max())), -1, np.int64)
        for line, row in zip(table, rows.tolist(), strict=True):
            found = self._of(row)
            line[: len(found)] = found
        return table

    def _usable(self, name: str, exclude: Any, mask: Any) -> npt.NDArray[np.bool_] | None:
        if exclude is None and mask is None:
            return None
        usable = np.ones(len(self._items), np.bool_)
        if mask is not None:
            usable = np.array(mask)
            if usable.dtype != np.bool_ or usable.shape != (len(self._items),):
                found = f"{usable.dtype} of shape {usable.shape}"
                raise ValueError(f"{name}: mask is {found}, expected bool ({len(self._items)},)")
        if exclude is not None:
            usable[_rows(name, "item", exclude, self._item_index)[0]] = False
        return usable


def _rows(name: str, what: str, given: Any, index: dict[str, int]) -> tuple[Longs, bool]:
    """Return the rows of names or rows, and whether it was a single one."""
    single = isinstance(given, (str, int, np.integer)) and not isinstance(given, bool)
    several = [given] if single else given
    if isinstance(several, (bytes, Mapping)) or not hasattr(several, "__iter__"):
        raise TypeError(f"{name}: {shown(given)} is neither a name or row of a {what} nor several")
    rows = [_row(name, what, one, index) for one in several]
    return np.array(rows, np.int64), single


def _row(name: str, what: str, one: Any, index: dict[str, int]) -> int:
    if isinstance(one, str):
        if one not in index:
            raise KeyError(f"{name}: no {what} is called {one!r}")
        return index[one]
    if isinstance(one, (bool, np.bool_)) or not isinstance(one, (int, np.integer)):
        raise TypeError(f"{name}: {shown(one)} is neither the name nor the row of a {what}")
    if not 0 <= one < len(index):
        raise IndexError(f"{name}: row {shown(one)} is not one of the {len(index)} {what}s")
    return int(one)


def _nearest(
    queries: Floats, vectors: Floats, metric: Any, own: Longs, k: int, single: bool, threads: Any
) -> tuple[Longs, Floats]:
    """Return the k rows that are nearest to each query, its own left out, -1 where none is left."""
    k = whole("similar", "k", k, 1, 2**31)
    ids = np.full((len(own), k), -1, np.int64)
    scores = np.full((len(own), k), -np.inf, np.float32)
    most = min(k, len(vectors))
    if len(own):
        ids[:, :most], scores[:, :most] = kernels.topk(
            queries, vectors, most, metric=metric, exclude=own, threshold=-np.inf, threads=threads
        )
    return (ids[0], scores[0]) if single else (ids, scores)


def _restored(*parts: Any) -> Recommender:
    """Make a pickled or copied recommender again; its numbers have been looked at before."""
    return Recommender(*parts, check=False)
