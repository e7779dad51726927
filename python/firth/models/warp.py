"""WARP: what a user has met is to score above all else; the higher what does not, the more."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from firth.models._beginning import Callback
from firth.models._ranking import fitted, ranking
from firth.models._settings import whole
from firth.recommender import Recommender


@dataclass(frozen=True)
class WARP:
    """Vectors of users and items from ranks: weighted approximate-rank pairwise loss.

    A sample is a user and an item that she has met. Items are drawn until one that she has not met
    scores higher, but for a margin of 1; how many that took says how low the item is ranked, and
    the lower, the larger the step. So it is the top of the list that is learnt, where `BPR` learns
    all of it. The loss of a rank is divided by its greatest value, the logarithm of the number of
    items, so that learning rate and regularisation mean what they do for `BPR`.

    Parameters
    ----------
    dim
        Length of the vectors.
    epochs
        How often as many samples are drawn as there are interactions.
    lr
        Learning rate at the beginning.
    min_lr
        Learning rate at the end, if ``lr`` is not below it; it falls linearly from epoch to epoch.
        Steps do not become smaller by themselves here, so that it should end near 0.
    reg
        The share of each row that a sample takes away, per unit of the learning rate.
    trials
        How many items are drawn at most; then the sample has nothing to learn. Few are quick, but
        do not see the top of long lists.
    negatives
        How items that were not met are drawn: "uniform", or "popular", in proportion to how many
        users have met them.
    biases
        Whether items have a number that is added to their scores for all users.
    seed
        Of all that is drawn.
    threads
        None: as many as ``firth.set_num_threads`` says. With more than one the result varies a
        little from run to run: rows are updated without locks. One gives the same bits each time.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Weston, Bengio and Usunier, "WSABIE: scaling up to large vocabulary image annotation" (2011),
    sections 3 and 4.

    Examples
    --------
    >>> import firth
    >>> x = firth.Interactions(["ann", "ann", "bob", "bob"], ["tea", "rum", "tea", "gin"])
    >>> WARP(dim=4, epochs=2, threads=1).fit(x)
    Recommender(2 users, 3 items, dim=4)
    """

    dim: int = 64
    epochs: int = 30
    lr: float = 0.05
    min_lr: float = 0.0
    reg: float = 0.03
    trials: int = 50
    negatives: Literal["uniform", "popular"] = "uniform"
    biases: bool = True
    seed: int = 1
    threads: int | None = None

    loss: ClassVar[Literal["bpr", "warp"]] = "warp"

    def __post_init__(self) -> None:
        ranking(self)
        whole(self, "trials", 1, 2**16)

    def fit(
        self,
        source: Any,
        *,
        start: Recommender | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> Recommender:
        """Learn a vector for each user and each item; see `BPR.fit`, also for errors."""
        return fitted(self, source, start=start, progress=progress, callback=callback)
