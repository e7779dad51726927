"""Recommendation: whether what users went on to meet is among the first that they are offered."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from firth.evaluate.ranking import AtK, AtSums
from firth.kernels._arguments import flag, whole

if TYPE_CHECKING:
    from firth._backend import Longs

SCORES = 1 << 23  # how many scores are held at once
BATCH = 4096  # users a call


def recommendation(
    recommender: Any,
    test: Any,
    k: int = 10,
    *,
    train: Any = None,
    filter_seen: bool = True,
    batch: int = BATCH,
) -> AtK:
    """Hold the first k items that users are offered against those held out.

    Parameters
    ----------
    recommender
        Anything with ``recommend(users, k, filter_seen=...)``, which for (q,) int64 rows of users
        returns (q, k) ids of items, best first and -1 for none, alone or before anything else (a
        `Recommender`); or scores (users, items), as an array or as a function of rows of users that
        returns (q, items). Equal scores are ranked in the order of items, and -inf never.
    test
        What was held out: `Interactions`, or a CSR (users, items). All that is there is relevant.
    k
        How many items are offered.
    train
        What was met before, in the same form; only where scores are given, from which it is left
        out. A recommender knows it.
    filter_seen
        Do not offer what was met before.
    batch
        How many users are asked for at once.

    Returns
    -------
    AtK
        Means over the users with anything in `test`; the definitions are there. Where there are
        fewer than k items left to offer, the places without one are misses.

    Raises
    ------
    ValueError
        Nobody has anything in `test`; users or items that are not those of the recommender; `k`
        beyond the items.
    TypeError
        An argument of another type.

    Examples
    --------
    >>> import numpy as np
    >>> from firth import CSR
    >>> from firth.evaluate import recommendation
    >>> held_out = CSR(np.array([0, 1, 2]), np.array([2, 0], np.int32), np.ones(2), columns=3)
    >>> popularity = np.array([[3.0, 2.0, 1.0]] * 2)
    >>> recommendation(popularity, held_out, k=2).recall
    0.5
    """
    name = "recommendation"
    k = whole(name, "k", k, 1, 2**31)
    batch = whole(name, "batch", batch, 1, 2**31)
    filter_seen = flag(name, "filter_seen", filter_seen)
    held = _matrix(name, "test", test)
    users, items = (int(size) for size in held.shape)
    if k > items:
        raise ValueError(f"{name}: k={k} is not between 1 and the {items} items")
    asked = np.flatnonzero(np.diff(held.indptr) > 0)
    if hasattr(recommender, "recommend"):
        _check_names(recommender, test, asked)

        def offered(rows: "Longs") -> Any:
            found = recommender.recommend(rows, k, filter_seen=filter_seen)
            return found[0] if isinstance(found, tuple) else found
    else:
        scored = _scored(recommender, (users, items))
        seen = None
        if filter_seen and train is not None:
            seen = _matrix(name, "train", train)
            if tuple(seen.shape) != (users, items):
                raise ValueError(
                    f"{name}: train is of {tuple(seen.shape)}, expected test's {(users, items)}"
                )
        batch = max(1, min(batch, SCORES // max(1, items)))

        def offered(rows: "Longs") -> Any:
            return _best(_checked(scored(rows), (len(rows), items)), rows, seen, k)

    sums = AtSums(np.zeros(5), 0)
    for begin in range(0, len(asked), batch):
        rows = asked[begin : begin + batch].astype(np.int64)
        sums = sums.plus(AtSums.of(offered(rows), _Rows(held, rows), k))
    return sums.means(name)


class _Rows:
    """Some rows of a sparse matrix, without its values."""

    def __init__(self, matrix: Any, rows: "Longs") -> None:
        sizes = np.diff(matrix.indptr)[rows].astype(np.int64)
        self.indptr = np.concatenate([[0], np.cumsum(sizes)])
        at = np.repeat(matrix.indptr[rows] - self.indptr[:-1], sizes) + np.arange(self.indptr[-1])
        self.indices = matrix.indices[at]
        self.shape = (len(rows), int(matrix.shape[1]))


def _matrix(function: str, name: str, given: Any) -> Any:
    """Return the CSR of interactions, or what is one."""
    matrix = getattr(given, "csr", given)
    if not all(hasattr(matrix, part) for part in ("indptr", "indices", "shape")):
        raise TypeError(
            f"{function}: {name} must be Interactions or a CSR, got {type(given).__name__}"
        )
    return matrix


def _check_names(recommender: Any, test: Any, asked: "Longs") -> None:
    """Raise if rows would stand for other users or items than those learnt.

    Items that were not learnt may come behind the others, and are never offered; so may users, if
    nothing of theirs is held out.
    """
    for what in ("users", "items"):
        learnt, held = getattr(recommender, what, None), getattr(test, what, None)
        if not isinstance(learnt, list) or not isinstance(held, list) or learnt is held:
            continue
        if learnt != held[: len(learnt)]:
            raise ValueError(
                f"recommendation: test has other {what} than the recommender ({len(held)} and "
                f"{len(learnt)}): split interactions that were read together, or bring them into "
                "its order (Interactions.like)"
            )
        if what == "users" and len(asked) and int(asked[-1]) >= len(learnt):
            raise ValueError(
                f"recommendation: user {held[int(asked[-1])]!r} of test is unknown to the "
                "recommender"
            )


def _scored(given: Any, shape: tuple[int, int]) -> Callable[["Longs"], Any]:
    """Return a function of rows that gives their scores."""
    if callable(given):
        return given  # type: ignore[no-any-return]
    if not isinstance(given, np.ndarray):
        raise TypeError(
            "recommendation: recommender must have recommend(), or be scores (users, items) or a "
            f"function, got {type(given).__name__}"
        )
    if given.shape != shape:
        raise ValueError(f"recommendation: scores have shape {given.shape}, expected {shape}")
    return lambda rows: given[rows]


def _checked(scores: Any, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """Return a copy of scores, (q, items)."""
    given = np.asarray(scores)
    if given.dtype.kind not in "fiu":
        raise TypeError(f"recommendation: scores: dtype {given.dtype} is no real number")
    if given.shape != shape:
        raise ValueError(f"recommendation: scores have shape {given.shape}, expected {shape}")
    made = given.astype(np.float32 if given.dtype == np.float32 else np.float64)
    if np.isnan(made).any():
        raise ValueError("recommendation: scores have NaN")
    return made


def _best(scores: npt.NDArray[Any], rows: "Longs", seen: Any, k: int) -> "Longs":
    """Return the ids of the k highest of each row (q, k), -1 for none; eats the scores."""
    if seen is not None:
        met = _Rows(seen, rows)
        scores[np.repeat(np.arange(len(rows)), np.diff(met.indptr)), met.indices] = -np.inf
    # All that reach the k-th highest, of which there are more where scores are equal.
    least = np.partition(scores, -k, axis=1)[:, -k]
    ids = np.empty((len(scores), k), np.int64)
    for row, bar in enumerate(least):
        some = np.flatnonzero(scores[row] >= bar)
        ids[row] = some[np.argsort(-scores[row, some], kind="stable")[:k]]
    found: Longs = np.where(np.take_along_axis(scores, ids, axis=1) > -np.inf, ids, -1)
    return found
