"""What stands before a recommender is learnt: arguments, interactions, tables to begin with."""

from dataclasses import dataclass
from os import PathLike
from typing import Any, Self

import numpy as np

from firth._backend import Floats
from firth._random import initial_rows
from firth.csr import CSR
from firth.interactions import Interactions
from firth.recommender import Recommender


def check_arguments(model: Any, start: Any, callback: Any) -> None:
    """Say what is wrong with what ``fit`` was given, before a file is read for nothing."""
    name = type(model).__name__
    if start is not None:
        if not isinstance(start, Recommender):
            raise TypeError(f"{name}: start is {type(start).__name__}, expected a Recommender")
        if start.user_vectors is None or start.dim != model.dim:
            found = "no vectors of users" if start.user_vectors is None else f"dim {start.dim}"
            raise ValueError(f"{name}: start has {found}, expected dim {model.dim}")
    if callback is not None and not callable(callback):
        raise TypeError(f"{name}: callback={callback!r} cannot be called")


def interactions_of(name: str, source: Any, progress: bool | None) -> Interactions:
    """Return the interactions that ``fit`` was given, or read them."""
    if isinstance(source, Interactions):
        return source
    if isinstance(source, (str, PathLike)) or hasattr(source, "read"):
        return Interactions.read(source, progress=progress)
    if isinstance(source, CSR) or hasattr(source, "tocsr"):
        return Interactions(source)
    kind = type(source).__name__
    raise TypeError(f"{name}: source is {kind}, expected Interactions, a path or a sparse matrix")


@dataclass
class Tables:
    """What is trained: vectors of users and of items, and biases of items or None."""

    users: Floats
    items: Floats
    biases: Floats | None

    @classmethod
    def of(cls, model: Any, x: Interactions, start: Recommender | None) -> Self:
        """Return random vectors and no biases, or those of ``start`` where it has the names."""
        rows = initial_rows(model.seed, 0, sum(x.shape), model.dim)
        users, items = rows[: x.shape[0]].copy(), rows[x.shape[0] :].copy()
        biases = np.zeros(len(items), np.float32) if getattr(model, "biases", False) else None
        if start is not None:
            assert start.user_vectors is not None
            for table, names, index, known in (
                (users, x.users, start.user_index, start.user_vectors),
                (items, x.items, start.item_index, start.item_vectors),
            ):
                places = np.array([index.get(name, -1) for name in names], np.int64)
                table[places >= 0] = known[places[places >= 0]]
            if biases is not None and start.biases is not None:  # places are those of the items
                biases[places >= 0] = start.biases[places[places >= 0]]
        users[np.diff(x.csr.indptr) == 0] = 0  # of whom nothing will be learnt
        return cls(users, items, biases)
