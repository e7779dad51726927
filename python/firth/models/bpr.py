"""BPR: what a user has met is to score above what she has not, pair by pair."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from firth.models._beginning import Callback
from firth.models._ranking import fitted, ranking
from firth.models._settings import whole
from firth.recommender import Recommender


@dataclass(frozen=True)
class BPR:
    """Vectors of users and items from pairs: Bayesian personalised ranking.

    An epoch has as many samples as there are interactions, drawn with replacement; each is a user,
    an item that she has met, and one that she has not.

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
    reg
        The share of each row that a sample takes away, per unit of the learning rate.
    negatives
        How items that were not met are drawn: "uniform", or "popular", in proportion to how many
        users have met them. Those that the user has met are drawn again.
    trials
        How many items are drawn at most to go with one that was met: those that the user has met
        are drawn anew, and after so many the sample is left out. 1 and "popular" give samples like
        those of the library implicit.
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
    Rendle, Freudenthaler, Gantner and Schmidt-Thieme, "BPR: Bayesian personalized ranking from
    implicit feedback" (2009), sections 4 and 5.

    Examples
    --------
    >>> import firth
    >>> x = firth.Interactions(["ann", "ann", "bob", "bob"], ["tea", "rum", "tea", "gin"])
    >>> BPR(dim=4, epochs=2, threads=1).fit(x)
    Recommender(2 users, 3 items, dim=4)
    """

    dim: int = 64
    epochs: int = 100
    lr: float = 0.05
    min_lr: float = 0.0
    reg: float = 0.01
    negatives: Literal["uniform", "popular"] = "uniform"
    trials: int = 16
    biases: bool = True
    seed: int = 1
    threads: int | None = None

    loss: ClassVar[Literal["bpr", "warp"]] = "bpr"

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
        """Learn a vector for each user and each item.

        Parameters
        ----------
        source
            `Interactions`, a path that `Interactions.read` takes, or a sparse matrix. How much a
            user has met an item does not matter.
        start
            Go on from these vectors: users and items it has begin there, all others at random.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.
        callback
            Called after each epoch with its number from 1, the samples drawn so far in all epochs,
            the epoch's mean loss of a sample and the learning rate; training stops if it returns
            something true.

        Returns
        -------
        Recommender
            Users without items have a vector of zeros. The metadata say how it was trained, with
            the loss of each epoch.

        Raises
        ------
        ValueError
            Every user has met all items, or ``start`` has another dim.
        TypeError
            A source, start or callback of another type.
        FloatingPointError
            The learning rate was too large; it names the epoch.
        KeyboardInterrupt
            With the attribute ``recommender``: what was learnt until then.
        """
        return fitted(self, source, start=start, progress=progress, callback=callback)
