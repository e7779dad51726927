"""The epochs around ``kernels.ranking``: schedule, callback, failure."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from firth import kernels
from firth._backend import Ids
from firth._progress import Progress
from firth.interactions import Interactions
from firth.models._beginning import Callback
from firth.models._ending import check_finite, stopped
from firth.models._interactions import Tables, check_arguments, interactions_of
from firth.models._settings import choice, real, whole
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
    if hasattr(model, "biases"):
        choice(model, "biases", (False, True))
    whole(model, "seed", 0, 2**64 - 1)
    if model.threads is not None:
        whole(model, "threads", 1, 1024)


def fitted(
    model: Any,
    source: Any,
    *,
    start: Recommender | None,
    progress: bool | None,
    callback: Callback | None,
    epoch_of: Callable[["Run", Tables, int, Any], kernels.Ranked] | None = None,
) -> Recommender:
    """Return what a model learns; see `firth.BPR.fit`.

    ``epoch_of`` trains an epoch in a way of its own, given also what to tell of progress.
    """
    name = type(model).__name__
    check_arguments(model, start, callback)
    x = interactions_of(name, source, progress)
    run = Run.of(model, x)
    tables = Tables.of(model, x, start)
    losses: list[float] = []

    def result() -> Recommender:
        metadata = {"model": name, **asdict(model), "interactions": len(x), "losses": losses}
        found = tables.users, tables.items, x.csr, tables.biases
        return Recommender(x.users, x.items, *found, metadata, check=False)

    try:
        run.train(tables, losses, progress, callback, epoch_of or Run.epoch)
    except KeyboardInterrupt as stop:
        stopped(stop, result, tables.users, tables.items, tables.biases, at="recommender")
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
    unit: float  # by which the loss of a sample is divided

    @classmethod
    def of(cls, model: Any, x: Interactions) -> Self:
        """Return the run that a model describes."""
        popular = model.negatives == "popular"
        noise = kernels.noise(x.item_counts, 1.0) if popular else None
        if model.loss == "bpr":
            return cls(model, x, noise, "bpr", getattr(model, "trials", 16), 1.0)
        most = max(math.log(max(x.shape[1] - 1, 1)), 1.0)  # of the loss of a rank
        return cls(model, x, noise, "warp", model.trials, 1 / most)

    def rate(self, done: float) -> float:
        """Return the learning rate when this share of all epochs is done: it falls linearly."""
        first = self.model.lr
        return float(first + (min(self.model.min_lr, first) - first) * done)

    def part(
        self, tables: Tables, epoch: int, part: tuple[int, int] | None, tell: Any
    ) -> kernels.Ranked:
        """Train samples of an epoch; None: all."""
        model = self.model
        done = kernels.ranking(
            tables.users,
            tables.items,
            self.x.csr,
            biases=tables.biases,
            noise=self.noise,
            loss=self.loss,
            trials=self.trials,
            lr=self.rate(epoch / model.epochs) * self.unit,
            reg=model.reg / self.unit,
            seed=model.seed,
            epoch=epoch,
            part=part,
            threads=model.threads,
            progress=tell,
        )
        return done._replace(loss=done.loss * self.unit)

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
                    check_finite(tables.users, tables.items, tables.biases)
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
