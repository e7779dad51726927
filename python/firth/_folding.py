"""Vectors of new users and items, from those of the items and users that they have met.

In a trained model a user's vector is close to a linear function of the sum of her items' vectors,
divided by how many there are and by the root of that: it has grown out of steps along them. Ridge
regression on all users finds that function, in closed form.
"""

from typing import Any

import numpy as np

from firth._backend import Doubles, Floats, Longs
from firth._lists import sums_of

_RIDGE = 1e-3  # times the mean of the diagonal


def linear_map(others: Floats, indptr: Longs, rows: Any, wanted: Floats) -> Doubles:
    """Return the matrix that comes closest to making wanted vectors of lists of others."""
    known = np.diff(indptr) > 0
    if not known.any():
        raise ValueError("fold_in: nobody has met anything, so there is nothing to learn from")
    features: Doubles = _features(others, indptr, rows)[known]
    gram: Any = features.T @ features
    gram[np.diag_indices_from(gram)] += _RIDGE * float(np.trace(gram)) / len(gram) + 1e-30
    result: Doubles = np.linalg.solve(gram, features.T @ wanted[known].astype(np.float64))
    return result


def mapped(others: Floats, lists: list[Longs], linear: Doubles) -> Floats:
    """Return the vectors of lists of others; zeros of an empty one."""
    ends = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    rows = np.concatenate([np.zeros(0, np.int64), *lists])
    result: Floats = (_features(others, ends, rows) @ linear).astype(np.float32)
    return result


def _features(others: Floats, indptr: Longs, rows: Any) -> Doubles:
    """Return what vectors are a linear function of; zeros for an empty list."""
    sums, counts = sums_of(others, indptr, rows), np.diff(indptr)[:, None]
    many = np.maximum(counts, 1)
    some = np.minimum(counts, 1)
    return np.concatenate([sums / many, sums / np.sqrt(many), some, np.log(many)], axis=1)
