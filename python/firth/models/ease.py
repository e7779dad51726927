"""EASE: each item's company is predicted from all others by ridge regression, in closed form."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from firth._backend import Doubles
from firth._progress import Progress
from firth.csr import CSR
from firth.item_recommender import ItemRecommender
from firth.models._interactions import interactions_of
from firth.models._settings import real, whole

_BLOCK = 1 << 24  # numbers of dense rows of users; so many of them float32 counts exactly
_PIVOTS = 128  # rows that are eliminated at once
_STEP = 1 << 29  # products of a step, between which Ctrl-C is answered


@dataclass(frozen=True)
class EASE:
    """An item-item model in closed form: embarrassingly shallow autoencoder.

    The weights B, with a diagonal of zeros, are those for which X B is closest to X in terms of
    squares, plus ``reg`` times the squares of B; X is who has met what, 1 or 0. Nothing is drawn,
    and there are no epochs. It takes memory with the square of the number of items, about 12 bytes
    a pair, and time with its third power (3,700 items: some 5 s on one core).

    Parameters
    ----------
    reg
        How much squares of weights cost; about as many users as a pair of items needs to count.
    max_items
        More items are an error, rather than a machine without memory.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Steck, "Embarrassingly shallow autoencoders for sparse data" (2019), equations 5 to 8.

    Examples
    --------
    >>> import firth
    >>> x = firth.Interactions(["ann", "ann", "bob", "bob"], ["tea", "rum", "tea", "gin"])
    >>> rec = EASE(reg=1).fit(x)
    >>> rec
    ItemRecommender(2 users, 3 items, dim=3)
    >>> rec.items[rec.recommend(rec.fold_in(["rum"]), k=1, exclude=["rum"])[0][0]]
    'tea'
    """

    reg: float = 500.0
    max_items: int = 50_000

    def __post_init__(self) -> None:
        real(self, "reg", 1e-6, 1e12)
        whole(self, "max_items", 1, 2**31 - 1)

    def fit(self, source: Any, *, progress: bool | None = False) -> ItemRecommender:
        """Solve for the weights between items.

        Parameters
        ----------
        source
            `Interactions`, a path that `Interactions.read` takes, or a sparse matrix. How much a
            user has met an item does not matter.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.

        Returns
        -------
        ItemRecommender
            Users without items are recommended what most users have met.

        Raises
        ------
        ValueError
            There are more than ``max_items`` items.
        TypeError
            A source of another type.
        """
        x = interactions_of("EASE", source, progress)
        items = x.shape[1]
        if items > self.max_items:
            raise ValueError(
                f"EASE: {items} items, expected at most max_items={self.max_items} "
                f"(they take {8 * items**2 / 1e9:.1f} GB and more)"
            )
        inverse = gram_matrix(x.csr, progress)
        inverse[np.diag_indices(items)] += self.reg
        invert(inverse)
        diagonal = inverse.diagonal().copy()
        weights = np.empty((items, items), np.float32)
        step = max(1, _BLOCK // max(1, items))
        for first in range(0, items, step):
            some = slice(first, first + step)
            np.divide(inverse[some], -diagonal[some, None], out=weights[some], casting="same_kind")
        weights[np.diag_indices(items)] = 0
        metadata = {"model": "EASE", **asdict(self), "interactions": len(x)}
        rest = weights, x.csr, None, metadata, diagonal
        return ItemRecommender(x.users, x.items, None, *rest, check=False)


def gram_matrix(met: CSR, progress: bool | None = False) -> Doubles:
    """Return how many users have met both of two items, (items, items)."""
    users, items = met.shape
    gram = np.zeros((items, items))
    step = max(1, _BLOCK // items)
    with Progress(progress, users, "counting", "users") as bar:
        for first in range(0, users, step):
            ends = met.indptr[first : first + step + 1]
            lengths = np.diff(ends)
            dense = np.zeros((len(lengths), items), np.float32)
            owners = np.repeat(np.arange(len(lengths)), lengths)
            dense[owners, met.indices[ends[0] : ends[-1]]] = 1
            rows = max(1, _STEP // dense.size)
            for begin in range(0, items, rows):
                gram[begin : begin + rows] += dense[:, begin : begin + rows].T @ dense
            bar.update(len(lengths))
    return gram


def invert(matrix: Doubles) -> None:
    """Invert a positive definite matrix in place: Gauss-Jordan elimination, a block at a time."""
    many = len(matrix)
    rows = max(1, _STEP // (_PIVOTS * max(1, many)))
    for first in range(0, many, _PIVOTS):
        block = slice(first, min(first + _PIVOTS, many))
        pivot = np.linalg.inv(matrix[block, block])
        ahead = pivot @ matrix[block]
        ahead[:, block] = pivot
        for begin in range(0, many, rows):
            some = slice(begin, begin + rows)
            factors = matrix[some, block].copy()
            matrix[some, block] = 0
            matrix[some] -= factors @ ahead
        matrix[block] = ahead
