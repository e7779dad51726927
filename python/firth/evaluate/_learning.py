"""What evaluations that learn share: scikit-learn, rows of names, numbers that a head can eat."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from firth._backend import Floats, Longs
    from firth.embedding import Embedding


def logistic(function: str) -> Any:
    """Return scikit-learn's logistic regression.

    Raises
    ------
    ImportError
        scikit-learn is not installed; the function is named.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise ImportError(f"{function} needs scikit-learn: pip install 'firth[sklearn]'") from error
    return LogisticRegression


def rows_of(embedding: "Embedding", keys: Sequence[str]) -> "Longs":
    """Return the row of each key, -1 for those without a vector."""
    if embedding.keys is keys or embedding.keys == keys:
        return np.arange(len(keys))
    index = embedding.index
    return np.fromiter((index.get(key, -1) for key in keys), np.int64, len(keys))


def check_known(function: str, rows: "Longs", nodes: "Longs", keys: Sequence[str]) -> None:
    """Raise a KeyError that names a node without a vector, if there is one among these."""
    unknown = nodes[rows[nodes] < 0]
    if len(unknown):
        raise KeyError(f"{function}: node {keys[int(unknown[0])]!r} has no vector in the embedding")


def moments(features: npt.NDArray[Any]) -> tuple["Floats", "Floats"]:
    """Return what each column is brought to mean 0 and variance 1 by: its mean and deviation."""
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    deviation[deviation <= 1e-12 * np.abs(mean)] = 1  # the same number throughout
    deviation[deviation == 0] = 1
    return mean.astype(np.float32), deviation.astype(np.float32)
