"""ItemRecommender: items that add to each other's scores; users are what they have met."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Floats, Longs
from firth._lists import checked_column, nearest_rows, no_answers, rows_of
from firth.csr import CSR
from firth.recommender import Recommender, Which


class ItemRecommender(Recommender):
    """Scores that are sums over what a user has met: an item-item model.

    Parameters
    ----------
    users, items, seen, biases, metadata, check
        As of `Recommender`.
    user_vectors
        None: a user is a vector with a number for each item, 1 if she has met it, else 0.
    item_vectors : (items, items) float32
        Row i has what each item adds to the score of i.
    diagonal : (items,) float32, optional
        Of the inverse of the regularised Gram matrix, from which `EASE` made the rest. Without it
        there is no `fold_in_item`.
    """

    __slots__ = ("diagonal",)

    def __init__(
        self,
        users: Sequence[str],
        items: Sequence[str],
        user_vectors: None,
        item_vectors: npt.ArrayLike,
        seen: CSR,
        biases: npt.ArrayLike | None = None,
        metadata: Mapping[str, Any] | None = None,
        diagonal: npt.ArrayLike | None = None,
        *,
        check: bool = True,
    ) -> None:
        super().__init__(
            users, items, user_vectors, item_vectors, seen, biases, metadata, check=check
        )
        if self.dim != len(self.items):
            found = self.item_vectors.shape
            raise ValueError(f"Recommender: item_vectors have shape {found}, expected a square")
        self.diagonal: Floats | None = None
        if diagonal is not None:
            self.diagonal = checked_column("Recommender", "diagonal", diagonal, self.dim, check)

    def _checked_users(self, vectors: Any, rows: int, check: bool) -> Floats | None:
        if vectors is not None:
            raise ValueError("Recommender: user_vectors of an item-item model are None")
        return None

    def _parts(self) -> tuple[Any, ...]:
        return (*super()._parts(), self.diagonal)

    def _vectors_of(self, rows: Longs) -> Floats:
        return self._met([self._of(row) for row in rows.tolist()])

    def _met(self, lists: Sequence[npt.NDArray[Any]]) -> Floats:
        vectors = np.zeros((len(lists), self.dim), np.float32)
        for vector, rows in zip(vectors, lists, strict=True):
            vector[rows] = 1
        return vectors

    def _of(self, row: int) -> npt.NDArray[np.int32]:
        return self.seen.indices[self.seen.indptr[row] : self.seen.indptr[row + 1]]

    def similar_items(
        self, items: Which, k: int = 10, *, threads: int | None = None
    ) -> tuple[Longs, Floats]:
        """Return the items to whose scores an item adds most, and how much.

        Parameters and the form of the result are those of `Recommender.similar_items`.
        """
        rows, single = rows_of("similar_items", "item", items, self.item_index)
        queries = self._met(list(rows[:, None]))
        return nearest_rows(
            "similar_items", queries, self.item_vectors, "dot", rows, k, single, threads
        )

    def similar_users(
        self, users: Which, k: int = 10, *, threads: int | None = None
    ) -> tuple[Longs, Floats]:
        """Return the users who have met most of what a user has met, in terms of the cosine.

        That is the number of items both have met over the root of the product of how many each
        has met; 0 for those without items. Parameters and the form of the result are those of
        `Recommender.similar_users`.
        """
        rows, single = rows_of("similar_users", "user", users, self.user_index)
        ids, scores, k = no_answers("similar_users", len(rows), k)
        lengths = np.diff(self.seen.indptr)
        for at, row in enumerate(rows.tolist()):
            here = np.zeros(self.dim, np.int64)
            here[self._of(row)] = 1
            common = np.concatenate([[0], np.cumsum(here[self.seen.indices])])
            cosines = np.diff(common[self.seen.indptr]).astype(np.float64)
            cosines /= np.sqrt(np.maximum(lengths * lengths[row], 1))
            cosines[row] = -np.inf
            best = np.argsort(-cosines, kind="stable")[: min(k, len(lengths) - 1)]
            ids[at, : len(best)], scores[at, : len(best)] = best, cosines[best]
        return (ids[0], scores[0]) if single else (ids, scores)

    def _folded(self, lists: list[Longs], what: str) -> Floats:
        """Return new users as what they have met, or rows of new items.

        The row of a new item is the ridge regression of who has met it on who has met the others.
        With G the regularised Gram matrix that is G^-1 times how many of its users have met each
        item, and G^-1 follows from the weights B and its diagonal d: B_ij = -G^-1_ij / d_j.
        """
        if what == "users":
            return self._met(lists)
        if self.diagonal is None:
            raise ValueError("fold_in_item: this model has no diagonal; expected one from EASE")
        result = np.zeros((len(lists), self.dim), np.float32)
        for row, users in zip(result, lists, strict=True):
            met = np.concatenate([np.zeros(0, np.int32), *(self._of(user) for user in users)])
            counts = np.bincount(met, minlength=self.dim) * self.diagonal.astype(np.float64)
            row[:] = counts - counts @ self.item_vectors
        return result
