"""ranking: check the tables and what was met, call the backend."""

from collections.abc import Callable
from types import ModuleType
from typing import Literal, NamedTuple

import numpy as np

from firth._backend import Floats, Ids, backend_of
from firth.csr import CSR
from firth.kernels._arguments import (
    array_module,
    contiguous,
    number_of_threads,
    one_of,
    overlap,
    part_of,
    real,
    typed,
    whole,
)
from firth.kernels._matrices import check_matrix

LOSSES = ("bpr", "warp")
_TRIALS = {"bpr": 16, "warp": 50}
_NONE = np.zeros(0, np.float32)
_UNIFORM = np.zeros((0, 2), np.uint32)
_MOST_PAIRS = 2**32 - 1
_MOST = float(np.finfo(np.float32).max)


class Ranked(NamedTuple):
    """What an epoch of :func:`ranking` did.

    Attributes
    ----------
    loss
        Mean loss of a sample, each taken before its step; 0 if there was none.
    samples
        How many were trained.
    right
        Share of them in which the item that was met scored higher.
    skipped
        Samples for which no item was found that the user has not met.
    """

    loss: float
    samples: int
    right: float
    skipped: int


def ranking(
    users: Floats,
    items: Floats,
    met: CSR,
    *,
    biases: Floats | None = None,
    noise: Ids | None = None,
    loss: Literal["bpr", "warp"] = "bpr",
    trials: int | None = None,
    lr: float = 0.05,
    reg: float = 0.01,
    seed: int = 1,
    epoch: int = 0,
    part: tuple[int, int] | None = None,
    threads: int | None = None,
    progress: Callable[[int, float], object] | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Ranked:
    """Train vectors of users and items to rank what was met above what was not, in place.

    An epoch has as many samples as there are pairs in ``met``, drawn with replacement. Threads
    update rows without locks; one thread always learns the same. The definition is in
    ``cpp/include/firth/ranking.h``.

    Parameters
    ----------
    users, items
        (users, dim) and (items, dim) float32 tables, C-contiguous, updated in place.
    met
        `CSR` of (users, items) with float32 data, which are not looked at: what each user has met.
    biases
        (items,) float32, updated in place: what is added to the scores of items. None: nothing.
    noise
        From :func:`noise`, of the items: how often each is drawn as not met. None: all alike.
    loss
        "bpr" (the logarithm of the logistic function of the difference), or "warp" (items are drawn
        until one is ranked too high, which says about how many are).
    trials
        How many items are drawn at most to go with one that was met, 1 to 65536; None: 16 for
        "bpr", which draws anew what the user has met, and 50 for "warp".
    lr, reg
        Learning rate, and the share of each row that a step takes away per unit of it, not
        negative.
    seed, epoch
        What is drawn depends on these and on the number of the sample alone.
    part
        Train the samples [first, last) of the epoch alone. None: all.
    threads
        None: as many as :func:`firth.set_num_threads` says.
    progress
        Called about every 50 ms with (samples done, loss so far); what it raises stops the epoch.

    Returns
    -------
    Ranked

    Raises
    ------
    FloatingPointError
        A score was infinite or not a number; the tables hold what was learnt until then.
    ValueError, TypeError
        An argument is out of its range, or an array has another shape or dtype.

    Examples
    --------
    One user, who has met the second of two items:

    >>> import numpy as np
    >>> met = CSR(np.array([0, 1]), np.array([1], np.int32), np.ones(1, np.float32), columns=2)
    >>> users, items = np.ones((1, 4), np.float32), np.zeros((2, 4), np.float32)
    >>> ranking(users, items, met, lr=1, reg=0).samples, items[:, 0].tolist()
    (1, [-0.5, 0.5])

    References
    ----------
    Rendle, Freudenthaler, Gantner and Schmidt-Thieme, "BPR: Bayesian personalized ranking from
    implicit feedback" (2009). Weston, Bengio and Usunier, "WSABIE" (2011), for WARP.
    """
    name = "ranking"
    one_of(name, "loss", loss, LOSSES)
    check_matrix(name, "met", met, np.float32)
    rows, columns = met.shape
    given = {"users": users, "items": items, "biases": biases, "noise": noise, "met": met.indptr}
    array_module(name, **given)
    typed(name, "users", users, np.float32, ((rows, None),))
    typed(name, "items", items, np.float32, ((columns, users.shape[1]),))
    tables = [("users", users), ("items", items)]
    if biases is not None:
        typed(name, "biases", biases, np.float32, ((columns,),))
        tables.append(("biases", biases))
    for table, array in tables:
        contiguous(name, table, array)
        if not getattr(array.flags, "writeable", True):
            raise ValueError(f"{name}: {table} must be writeable, it is updated in place")
    if users.size and items.size and overlap(users, items):
        raise ValueError(f"{name}: users and items share memory, expected two tables")
    if noise is not None:
        typed(name, "noise", noise, np.uint32, ((columns, 2),))
        contiguous(name, "noise", noise)
        if columns and int(noise[:, 1].max()) >= columns:
            raise ValueError(
                f"{name}: noise has item {noise[:, 1].max()}, expected items below {columns}"
            )
    if met.nnz > _MOST_PAIRS:
        raise ValueError(f"{name}: met has {met.nnz} pairs, expected at most {_MOST_PAIRS}")
    trials = whole(name, "trials", _TRIALS[loss] if trials is None else trials, 1, 2**16)
    lr, reg = real(name, "lr", lr, 0, _MOST), real(name, "reg", reg, 0, _MOST)
    seed = whole(name, "seed", seed, 0, 2**64 - 1)
    epoch = whole(name, "epoch", epoch, 0, 2**32 - 1)
    first, last = part_of(name, part, met.nnz)
    number = number_of_threads(name, threads)
    if not users.shape[1]:
        raise ValueError(f"{name}: users has no columns, expected (users, dim) with dim > 0")
    xp = array_module(name, met=met.indptr)
    if xp is np:
        owners = np.repeat(np.arange(rows, dtype=np.uint32), np.diff(met.indptr))
    else:  # CuPy repeats by a list only
        places = xp.arange(met.nnz)
        owners = xp.searchsorted(met.indptr[1:], places, side="right").astype(np.uint32)
    total, samples, right, skipped, blown_up = backend_of(users, items, backend=backend).ranking(
        users=users,
        items=items,
        biases=xp.asarray(_NONE) if biases is None else biases,
        indptr=met.indptr,
        indices=met.indices.view(np.uint32),
        owners=owners,
        noise=xp.asarray(_UNIFORM) if noise is None else noise,
        loss=LOSSES.index(loss),
        trials=trials,
        first=first,
        last=last,
        seed=seed,
        epoch=epoch,
        lr=lr,
        reg=reg,
        threads=number,
        isa=isa or "",
        progress=progress,
    )
    if blown_up >= 0:
        raise FloatingPointError(
            f"{name}: sample {blown_up} has a score that is not finite; expected a smaller lr"
        )
    return Ranked(total / max(samples, 1), samples, right / max(samples, 1), skipped)
