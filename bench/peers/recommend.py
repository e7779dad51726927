"""Learning to recommend: firth's models beside implicit's BPR and ALS, on the same split.

Usage: python bench/peers/recommend.py [FOLDER] [--parts NAME ...] [--models NAME ...] [--seeds S]
           [--rounds R] [--dim D] [--epochs E] [--lr LR ...] [--reg REG] [--k K ...] [--core C]
           [--implicit PYTHON] [--save [TASK]]

FOLDER, by default $FIRTH_DATA/rec/ml-1m, has train.txt.gz and test.txt.gz: a user and the items
that she has met on each line. PYTHON is that of an environment with implicit. All run on one thread
of one core; seconds are those of the processor.

epochs: seconds of an epoch of BPR with the same settings, in turn; it is a fit of several epochs
less a fit of one. An epoch has as many samples as there are interactions. implicit draws items that
were not met in proportion to how many users have met them, which firth does where told to, and
leaves a sample out if the user has met that item, where firth draws again: it trains on fewer, and
the share that it leaves out is told. ALS is beside it, an iteration of which goes over all users
and items.

quality: precision, recall, NDCG, MAP and MRR (definitions are those of firth.evaluate.metrics_at_k)
of everybody with so many seeds: each learning rate of BPR with the same settings, ALS with two
settings of its own, and what is popular alone. implicit's own precision is greater: it divides by
min(k, relevant). A standard error is that of the mean.
"""

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when BLAS is loaded, so before numpy is

import numpy as np  # noqa: E402
from _measure import in_turn  # noqa: E402
from _results import save  # noqa: E402
from _word2vec_peers import means, pin  # noqa: E402
from _workers import Worker  # noqa: E402

import firth  # noqa: E402
from firth.evaluate import recommendation  # noqa: E402

PARTS = ("epochs", "quality")
MODELS = ("WARP", "EASE", "LightGCN")  # of firth, beside BPR
NEGATIVES = ("uniform", "popular")  # how items that were not met are drawn
ALS = {"as it comes": {}, "alpha 2, reg 0.1": {"alpha": 2.0, "regularization": 0.1}}
SEVERAL = 4  # epochs of which a fit is timed, less one
METRICS = ("precision", "recall", "ndcg", "map", "mrr")


@dataclass(frozen=True)
class Job:
    """A split, and a folder for what is made of it."""

    source: Path
    folder: Path

    @cached_property
    def split(self):
        """What is learnt from and what is held out, of the same users and items."""
        names = ("train.txt.gz", "test.txt.gz")
        train, test = (firth.Interactions.read(self.source / name) for name in names)
        test = test.like(train)
        return train.like(test), test

    @cached_property
    def train(self):
        """A file of the matrix that is learnt from, for peers."""
        path = self.folder / "train.npz"
        csr = self.split[0].csr
        np.savez(path, data=csr.data, indices=csr.indices, indptr=csr.indptr, shape=csr.shape)
        return str(path)


def of_firth(options, lr, epochs, seed, negatives):
    """Return firth's BPR, whose learning rate does not fall, either."""
    given = {"reg": options.reg, "negatives": negatives, "seed": seed, "threads": 1}
    return firth.BPR(options.dim, epochs=epochs, lr=lr, min_lr=lr, **given)


def of_implicit(options, lr, epochs):
    """Return the same settings for implicit."""
    rates = {"learning_rate": lr, "regularization": options.reg}
    return {"factors": options.dim, "iterations": epochs} | rates


def left_out(train):
    """Return the share of samples whose user has met both items, which implicit leaves out."""
    csr = train.csr
    counts = np.bincount(csr.indices, minlength=csr.shape[1])
    near = np.add.reduceat(counts[csr.indices], csr.indptr[:-1][np.diff(csr.indptr) > 0])
    sizes = np.diff(csr.indptr)
    return float((sizes[sizes > 0] * near).sum() / len(csr.indices) ** 2)


def by_firth(model, job):
    """Learn; return a recommender and the seconds."""
    start = time.process_time()
    found = model.fit(job.split[0])
    return found, time.process_time() - start


def by_implicit(worker, kind, job, seed, settings):
    """Learn; return a function that scores all items for users, and the seconds."""
    out = job.folder / "vectors.npz"
    spent = worker("fit", kind=kind, train=job.train, seed=seed, settings=settings, out=str(out))
    with np.load(out) as arrays:
        users, items = arrays["users"], arrays["items"]
    return (lambda rows: users[rows] @ items.T), spent["seconds"]


# ---- epochs -------------------------------------------------------------------------------------


def epochs(job, options, worker):
    """Return the seconds of an epoch of everybody."""

    def one(fit):
        return (fit(1 + SEVERAL) - fit(1)) / SEVERAL

    def mine(many, negatives):
        return by_firth(of_firth(options, options.lr[0], many, 1, negatives), job)[1]

    def theirs(kind, many):
        settings = {"factors": options.dim, "iterations": many}
        if kind == "bpr":
            settings = of_implicit(options, options.lr[0], many)
        return worker("fit", kind=kind, train=job.train, seed=1, settings=settings)["seconds"]

    ways = {
        f"firth BPR, {negatives}": lambda negatives=negatives: one(lambda n: mine(n, negatives))
        for negatives in NEGATIVES
    }
    if worker:
        ways["implicit BPR"] = lambda: one(lambda many: theirs("bpr", many))
        ways["implicit ALS"] = lambda: one(lambda many: theirs("als", many))
    spent, share = in_turn(ways, options.rounds), left_out(job.split[0])
    print(f"{'':<24}{'s an epoch':>12}{'firth, popular, is':>20}")
    for name, seconds in spent.items():
        ratio = seconds / spent["firth BPR, popular"]
        print(f"{name:<24}{seconds:>12.4f}{ratio:>19.2f}x", flush=True)
    if worker:
        print(f"implicit's BPR leaves {share:.1%} of its samples out")
    return spent | {"samples that implicit leaves out": share}


# ---- quality ------------------------------------------------------------------------------------


def entrants(job, options, worker, seed):
    """Yield (name, recommender, seconds) of everybody, one after the other."""
    for lr in options.lr:
        for negatives in NEGATIVES:
            model = of_firth(options, lr, options.epochs, seed, negatives)
            yield f"firth BPR, {negatives}, lr {lr:g}", *by_firth(model, job)
        if worker:
            settings = of_implicit(options, lr, options.epochs)
            yield f"implicit BPR, lr {lr:g}", *by_implicit(worker, "bpr", job, seed, settings)
    for title, settings in ALS.items() if worker else ():
        settings = settings | {"factors": options.dim}
        yield f"implicit ALS, {title}", *by_implicit(worker, "als", job, seed, settings)
    if seed == 1:
        counts = np.diff(job.split[0].csr.to_scipy().tocsc().indptr).astype(np.float32)
        yield "popularity", (lambda rows: np.tile(counts, (len(rows), 1))), 0.0
    for name in options.models:
        if name == "EASE":
            if seed == 1:  # nothing is drawn
                yield "firth EASE", *by_firth(firth.EASE(), job)
        else:
            yield f"firth {name}", *by_firth(getattr(firth, name)(seed=seed, threads=1), job)


def quality(job, options, worker):
    """Return the metrics of everybody."""
    rows = {}
    train, test = job.split
    for seed in range(1, options.seeds + 1):
        for name, found, seconds in entrants(job, options, worker, seed):
            figures = {"seconds": seconds}
            for k in options.k:
                given = {"train": train} if callable(found) else {}
                at = recommendation(found, test, k, **given)
                figures |= {f"{metric}@{k}": getattr(at, metric) for metric in METRICS}
            rows.setdefault(name, []).append(figures)
            told(f"{name}, seed {seed}", figures)
    report = {}
    for name, found in rows.items():
        report[name] = means(found) | {"seeds": len(found)}
        if len(found) > 1:
            for key in found[0]:
                error = statistics.stdev(row[key] for row in found) / len(found) ** 0.5
                report[name][f"{key}, standard error"] = error
        told(f"{name}, mean of {len(found)}", report[name])
    return report


def told(title, figures):
    """Print figures on a line."""
    row = "  ".join(f"{key} {value:.4g}" for key, value in figures.items() if "error" not in key)
    print(f"{title:<36} {row}", flush=True)


# ---- all of it ----------------------------------------------------------------------------------


def arguments():
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = Path(os.environ.get("FIRTH_DATA", "data")) / "rec/ml-1m"
    parser.add_argument("folder", nargs="?", type=Path, default=data)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3, help="of epochs")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=100, help="of BPR")
    parser.add_argument("--lr", type=float, nargs="+", default=[0.05, 0.01], help="of BPR")
    parser.add_argument("--reg", type=float, default=0.01, help="of BPR")
    parser.add_argument("--k", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--core", type=int, help="run on this one; default: the last allowed")
    parser.add_argument("--implicit", metavar="PYTHON", help="of an environment that has it")
    parser.add_argument("--save", nargs="?", const="recommend", metavar="TASK",
                        help="write bench/results/<machine>/TASK.json")  # fmt: skip
    return parser.parse_args()


def main():
    """Check, measure, print; write only if asked to."""
    options = arguments()
    if not options.folder.is_dir():
        print(f"there are no ratings in {options.folder}: nothing is measured")
        return
    cores = pin(options.core)
    print(f"firth {firth.__version__}, {options.folder.name}, one thread, CPU seconds")
    worker = Worker(options.implicit, "_recommend_peers.py") if options.implicit else None
    version = worker("version") if worker else None
    if not version:
        worker = print(f"implicit is left out: {options.implicit or 'not asked for'}")
    settings = ("dim", "epochs", "lr", "reg", "rounds")
    report = {"data": options.folder.name, "implicit": version}
    report |= {name: getattr(options, name) for name in settings}
    with tempfile.TemporaryDirectory(prefix="firth-") as folder:
        job = Job(options.folder, Path(folder))
        if "epochs" in options.parts:
            report["seconds of an epoch"] = epochs(job, options, worker)
        if "quality" in options.parts:
            report["quality"] = quality(job, options, worker)
    if worker:
        worker.close()
    os.sched_setaffinity(0, cores)  # the results say how many the machine has
    if options.save:
        print(f"written to {save(options.save, report)}")


if __name__ == "__main__":
    main()
