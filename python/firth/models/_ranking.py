"""The epochs around ``kernels.ranking``: tables, schedule, callback, failure."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any, Literal, Self

import numpy as np

from firth import kernels
from firth._backend import Floats, Ids
from firth._progress import Progress
from firth._random import initial_rows
from firth.csr import CSR
from firth.interactions import Interactions
from firth.models._beginning import Callback
from firth.models._settings import choice, real, whole
from firth.models._training import check_finite
from firth.recommender import Recommender

NEGATIVES = ("uniform", "popular")


def ranking(model: Any) -> None:
    """Check the fields of a model that feeds ``ranking``."""
    whole(model, "dim", 1, 2**16)
    whole(model, "epochs", 1, 10**6)
    real(model, "lr", 1e-12, 1e3)
    real(model, "min_lr", 0, 1e3)
    real(model, "reg", 0, 1e3)
    choice(model, "negatives", NEGATIVES)
    choice(model, "biases", (False, True))
    whole(model, "seed", 0, 2**64 - 1)
    if model.threads is not None:
        whole(model, "threads", 1, 1024)


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
        biases = np.zeros(len(items), np.float32) if model.biases else None
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


def fitted(
    model: Any,
    source: Any,
    *,
    start: Recommender | None,
    progress: bool | None,
    callback: Callback | None,
    epoch_of: Callable[["Run", Tables, int, Any], kernels.Ranked] | None = None,
    final: Callable[[Tables], Tables] | None = None,
) -> Recommender:
    """Return what a model learns; see `firth.BPR.fit`.

    ``epoch_of`` trains an epoch in a way of its own; ``final`` makes of the tables what is
    returned.
    """
    name = type(model).__name__
    check_arguments(model, start, callback)
    x = interactions_of(name, source, progress)
    run = Run.of(model, x)
    tables = Tables.of(model, x, start)
    losses: list[float] = []

    def result() -> Recommender:
        made = tables if final is None else final(tables)
        metadata = {"model": name, **asdict(model), "interactions": len(x), "losses": losses}
        return Recommender(
            x.users, x.items, made.users, made.items, x.csr, made.biases, metadata, check=False
        )

    try:
        run.train(tables, losses, progress, callback, epoch_of or Run.epoch)
    except KeyboardInterrupt as stop:
        stop.recommender = result()  # type: ignore[attr-defined]
        raise
    return result()


@dataclass(frozen=True)
class Run:
    """How interactions are trained on by a model with the fields of `firth.BPR`."""

    model: Any
    x: Interactions
    noise: Ids | None
    loss: Literal["bpr", "warp"]
    trials: int

    @classmethod
    def of(cls, model: Any, x: Interactions) -> Self:
        """Return the run that a model describes."""
        popular = model.negatives == "popular"
        noise = kernels.noise(x.item_counts, 1.0) if popular else None
        trials = getattr(model, "trials", None)
        return cls(model, x, noise, "bpr" if trials is None else "warp", trials or 1)

    def rate(self, done: float) -> float:
        """Return the learning rate when this share of all epochs is done: it falls linearly."""
        first = self.model.lr
        return float(first + (min(self.model.min_lr, first) - first) * done)

    def part(
        self, tables: Tables, epoch: int, part: tuple[int, int] | None, tell: Any
    ) -> kernels.Ranked:
        """Train samples of an epoch; None: all."""
        model = self.model
        return kernels.ranking(
            tables.users,
            tables.items,
            self.x.csr,
            biases=tables.biases,
            noise=self.noise,
            loss=self.loss,
            trials=self.trials,
            lr=self.rate(epoch / model.epochs),
            reg=model.reg,
            seed=model.seed,
            epoch=epoch,
            part=part,
            threads=model.threads,
            progress=tell,
        )

    def epoch(self, tables: Tables, epoch: int, tell: Any) -> kernels.Ranked:
        """Train an epoch."""
        return self.part(tables, epoch, None, tell)

    def train(
        self,
        tables: Tables,
        losses: list[float],
        progress: bool | None,
        callback: Callback | None,
        epoch_of: Callable[["Run", Tables, int, Any], kernels.Ranked],
    ) -> None:
        """Train the tables in place; append the mean loss of a sample in each epoch.

        Raises
        ------
        FloatingPointError
            The run blew up; it names the epoch.
        """
        model, name, many = self.model, type(self.model).__name__, len(self.x)
        with Progress(progress, model.epochs * many, "training", "samples") as bar:
            for epoch in range(model.epochs):
                told = 0

                def tell(done: int, loss: float, epoch: int = epoch) -> None:
                    nonlocal told
                    bar.update(done - told)
                    told = done
                    bar.note(loss=loss / max(done, 1), lr=self.rate(epoch / model.epochs))

                try:
                    done = epoch_of(self, tables, epoch, tell if bar.enabled else None)
                    check_finite(tables.users, tables.items)
                except FloatingPointError:
                    raise FloatingPointError(
                        f"{name}: epoch {epoch + 1} of {model.epochs}: the vectors are not finite "
                        f"any more; expected a smaller lr than {model.lr:g}"
                    ) from None
                if not done.samples:
                    raise ValueError(
                        f"{name}: no sample had an item that its user has not met, so there is "
                        "nothing to learn"
                    )
                bar.update(many - told)
                losses.append(done.loss)
                rate = self.rate((epoch + 1) / model.epochs)
                if callback is not None and callback(
                    epoch + 1, (epoch + 1) * many, done.loss, rate
                ):
                    break
