"""Recommender: users, items and what makes them meet; what every model of interactions returns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from firth import kernels
from firth._backend import Doubles, Floats, Longs
from firth._folding import linear_map, mapped
from firth._lists import (
    checked_column,
    lists_of,
    names_and_index,
    nearest_rows,
    rows_of,
    side_by_side,
    turned,
    usable_items,
)
from firth._reading import AnyPath
from firth._vectors import checked_vectors
from firth.csr import CSR
from firth.kernels._arguments import flag, whole
from firth.kernels._matrices import check_matrix

Which = str | int | Sequence[str] | Sequence[int] | npt.NDArray[Any]
_GROUP = 1024  # queries whose lists of seen items lie side by side
_NUMBERS = 1 << 26  # of a group of queries


class Recommender:
    """Scores of items for users: products of vectors, with a bias of each item where there is one.

    What it is made of are its attributes, which are not to be changed.

    Parameters
    ----------
    users, items
        Names, all different; ``user_index`` and ``item_index`` have the row of each.
    user_vectors : (users, dim) float32
        None in an `ItemRecommender`.
    item_vectors : (items, dim) float32
    seen : CSR of users x items
        What each user has met in training; the values are not looked at.
    biases : (items,) float32, optional
        Added to the scores.
    metadata : dict, optional
        Anything that JSON can hold, such as how it was trained.
    check : bool
        Look at every number and refuse NaN and infinity.

    Raises
    ------
    TypeError, ValueError
        Something is not that; it is named.

    Notes
    -----
    A user whose vector is zero, such as one without items, is recommended items by their biases;
    without biases, by how many users have met them: scores are then shares of users.

    Examples
    --------
    >>> import firth
    >>> x = firth.Interactions(["ann", "ann", "bob", "bob"], ["tea", "rum", "tea", "gin"])
    >>> rec = firth.EASE(reg=1).fit(x)
    >>> ids, scores = rec.recommend("ann", k=2)
    >>> [rec.items[i] for i in ids if i >= 0]
    ['gin']
    """

    __slots__ = (
        "_maps",
        "_scan",
        "biases",
        "item_index",
        "item_vectors",
        "items",
        "metadata",
        "seen",
        "user_index",
        "user_vectors",
        "users",
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
        self.users, self.user_index = names_and_index(name, "users", users)
        self.items, self.item_index = names_and_index(name, "items", items)
        shape = len(self.users), len(self.items)
        self.item_vectors: Floats = checked_vectors(
            item_vectors, shape[1], check, name, "item_vectors", "items"
        )
        self.user_vectors = self._checked_users(user_vectors, shape[0], check)
        if self.user_vectors is not None and self.user_vectors.shape[1] != self.dim:
            found = self.user_vectors.shape[1]
            raise ValueError(f"{name}: user_vectors have {found} numbers, item_vectors {self.dim}")
        if check_matrix(name, "seen", seen, np.float32).shape != shape:
            raise ValueError(f"{name}: seen has shape {seen.shape}, expected {shape}")
        self.seen = seen
        self.biases: Floats | None = None
        if biases is not None:
            self.biases = checked_column(name, "biases", biases, shape[1], check)
        self.metadata = dict(metadata or {})
        self._scan: kernels.Prepared | None = None
        self._maps: dict[str, Doubles] = {}

    def _checked_users(self, vectors: Any, rows: int, check: bool) -> Floats | None:
        return checked_vectors(vectors, rows, check, "Recommender", "user_vectors", "users")

    @property
    def item_counts(self) -> Longs:
        """How many users have met each item in training, (items,)."""
        return np.bincount(self.seen.indices, minlength=len(self.items)).astype(np.int64)

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return int(self.item_vectors.shape[1])

    def __repr__(self) -> str:
        sizes = f"{len(self.users)} users, {len(self.items)} items, dim={self.dim}"
        return f"{type(self).__name__}({sizes})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), *self._parts())

    def _parts(self) -> tuple[Any, ...]:
        """Return what the constructor takes, in its order."""
        vectors = self.user_vectors, self.item_vectors
        return (self.users, self.items, *vectors, self.seen, self.biases, self.metadata)

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
        usable = usable_items(name, exclude, mask, self.item_index)
        many, most = len(rows), min(k, len(self.items))
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
                exclude=side_by_side(self.seen, rows[part]) if skip and rows[0] >= 0 else None,
                mask=usable,
                threshold=-np.inf,
                threads=threads,
            )
        return (ids[0], scores[0]) if single else (ids, scores)

    def similar_items(
        self, items: Which, k: int = 10, *, threads: int | None = None
    ) -> tuple[Longs, Floats]:
        """Return the items whose vectors have the greatest cosine to an item's, without that one.

        Parameters
        ----------
        items
            A name or a row, or several of them.
        k
            How many for each, at least 1.

        Returns
        -------
        ids, scores
            As of `recommend`, with cosines as scores.
        """
        rows, single = rows_of("similar_items", "item", items, self.item_index)
        vectors = self.item_vectors
        return nearest_rows(
            "similar_items", vectors[rows], vectors, "cosine", rows, k, single, threads
        )

    def similar_users(
        self, users: Which, k: int = 10, *, threads: int | None = None
    ) -> tuple[Longs, Floats]:
        """Return the users whose vectors have the greatest cosine to a user's, without that one.

        Parameters, result and errors are those of `similar_items`.
        """
        rows, single = rows_of("similar_users", "user", users, self.user_index)
        vectors = self.user_vectors
        assert vectors is not None
        return nearest_rows(
            "similar_users", vectors[rows], vectors, "cosine", rows, k, single, threads
        )

    # ---- those that were not there --------------------------------------------------------------

    def fold_in(self, items: Which | Sequence[Which]) -> Floats:
        """Return the vector of a new user from the items that she has met; nothing is trained.

        Users' vectors are close to a linear function of the sums of their items' vectors. That
        function is found by ridge regression on all users the first time, and then applied.

        Parameters
        ----------
        items
            Names or rows, or for several users a list of such lists. No items: a vector of zeros.

        Returns
        -------
        (dim,) or (q, dim) float32
            What `recommend` takes; mind to ``exclude`` what was met.

        Raises
        ------
        KeyError, IndexError
            Names an item that is unknown.
        ValueError
            No user has met anything in training, so there is nothing to learn from.
        """
        lists, single = lists_of("fold_in", "item", items, self.item_index)
        folded = self._folded(lists, "users")
        return folded[0] if single else folded

    def fold_in_item(self, users: Which | Sequence[Which]) -> tuple[Floats, Floats | None]:
        """Return the vector and the bias of a new item from the users who have met it.

        Found as the vectors of `fold_in` are, with users and items in each other's places.

        Parameters
        ----------
        users
            Names or rows, or for several items a list of such lists.

        Returns
        -------
        vectors : (dim,) or (q, dim) float32
        biases : (1,) or (q,) float32
            None where the model has none.
        """
        lists, single = lists_of("fold_in_item", "user", users, self.user_index)
        folded = self._folded(lists, "items")
        vectors, biases = folded[:, : self.dim], None
        if self.biases is not None:
            biases = np.ascontiguousarray(folded[:, self.dim])
        vectors = np.ascontiguousarray(vectors)
        return (vectors[0] if single else vectors), biases

    def _folded(self, lists: list[Longs], what: str) -> Floats:
        """Return vectors of new users or items, given by lists of rows of the others."""
        assert self.user_vectors is not None
        wanted, others = self.user_vectors, self.item_vectors
        indptr, rows = self.seen.indptr, self.seen.indices.astype(np.int64)
        if what == "items":
            wanted, others = others, wanted
            indptr, rows = turned(self.seen)
            if self.biases is not None:
                wanted = np.concatenate([wanted, self.biases[:, None]], axis=1)
        if what not in self._maps:
            self._maps[what] = linear_map(others, indptr, rows, wanted)
        return mapped(others, lists, self._maps[what])

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
            last = self.biases
            if last is None:
                last = (self.item_counts / len(self.users)).astype(np.float32)
            rows = np.concatenate([self.item_vectors, last[:, None]], axis=1)
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
        rows, single = rows_of(name, "user", users, self.user_index)
        return rows, None, single

    def _queries(self, rows: Longs, given: Floats | None) -> Floats:
        """Return vectors of users with a 1 behind, where biases or popularity shall count."""
        queries = np.zeros((len(rows), self.dim + 1), np.float32)
        queries[:, :-1] = self._vectors_of(rows) if given is None else given
        cold = ~queries[:, :-1].any(axis=1)
        queries[:, -1] = cold if self.biases is None else 1
        return queries

    def _vectors_of(self, rows: Longs) -> Floats:
        assert self.user_vectors is not None
        vectors: Floats = self.user_vectors[rows]
        return vectors


def _restored(kind: type[Recommender], *parts: Any) -> Recommender:
    """Make a pickled or copied recommender again; its numbers have been looked at before."""
    return kind(*parts, check=False)
