"""Features of nodes: checked, projected to the columns that say most, and put to length 1."""

from typing import Any

import numpy as np

from firth._backend import Floats
from firth._progress import Progress
from firth._random import initial_rows

_FEW = 4096  # features whose scalar products are a matrix that is factorised as a whole


def checked_features(features: Any, nodes: int) -> Any:
    """Return features as a float32 array or sparse matrix in rows, the greatest about 1.

    Their unit does not matter, but squares of very great or small ones are no float32 numbers.
    """
    sparse = hasattr(features, "tocsr")
    if not sparse:
        features = np.asarray(features)
    if features.ndim != 2 or features.dtype.kind not in "iufb":
        raise TypeError(
            f"FastRP: features is {features.ndim}-d {features.dtype}, expected numbers "
            "(nodes, features)"
        )
    if features.shape[0] != nodes or not features.shape[1]:
        raise ValueError(
            f"FastRP: features has shape {features.shape}, expected a row for each of the "
            f"{nodes} nodes"
        )
    with np.errstate(over="ignore"):  # what is too great is told with its node
        found = (features.tocsr() if sparse else features).astype(np.float32)
    finite = np.isfinite(found.data if sparse else found)
    if not finite.all():
        place = int(finite.reshape(-1).argmin())
        row = (
            int(np.searchsorted(found.indptr, place, side="right")) - 1
            if sparse
            else place // found.shape[1]
        )
        raise ValueError(f"FastRP: features of node {row} are not finite float32 numbers")
    values = found.data if sparse else found
    np.ldexp(values, -np.frexp(np.abs(values).max(initial=0))[1], out=values)
    return found


def projected(linalg: Any, known: Any, dim: int, seed: int, progress: bool | None) -> Floats:
    """Return features in the columns of their truncated SVD, signs as for PPMI."""
    if known.shape[1] <= _FEW:
        gram = known.T @ known
        gram = np.asarray(gram.toarray() if hasattr(gram, "toarray") else gram, np.float64)
        right = np.linalg.eigh(gram)[1][:, ::-1][:, :dim]
    else:
        start = initial_rows(seed, 0, 1, min(known.shape))[0]
        with Progress(progress, 0, "factorising", "products"):
            right = linalg.svds(known, dim, v0=start, solver="arpack")[2][::-1].T
    greatest = right[np.abs(right).argmax(axis=0), np.arange(right.shape[1])]
    found: Floats = np.asarray(known @ (right * np.where(greatest < 0, -1, 1)), np.float32)
    return found


def at_length_one(rows: Floats) -> Floats:
    """Return rows at length 1; zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Floats = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return found
