"""Problems of ranking: what users have met, tables and rules that reach the kernel's corners."""

import itertools

import numpy as np
from hypothesis import strategies as st

import oracle
from firth import _arrays, kernels
from firth._arrays import _ranking
from matrices import csr_of

RULE = ("loss", "trials", "lr", "reg", "seed", "epoch")


def met_by_chance(rng, users, items, dense):
    """Return for each user the rising items that she has met; some have met none, or all."""
    found = []
    for user in range(users):
        share = (dense, 0.0, 1.0, dense, dense)[user % 5]
        found.append(np.flatnonzero(rng.random(items) < share).tolist())
    return found


def tables(rng, users, items, dim, biased, scale=1.0):
    """Return users, items and biases as float32, whose scores are about `scale` apart."""
    shapes = [(users, dim), (items, dim), (items,)]
    made = [rng.normal(0, (scale / dim**0.5) ** 0.5, s).astype(np.float32) for s in shapes]
    return (*made[:2], made[2] if biased else None)


@st.composite
def problems(draw):
    """Draw tables, what was met and a rule."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    users, items = draw(st.integers(1, 9)), draw(st.sampled_from([1, 2, 3, 8, 30]))
    dim = draw(st.sampled_from([1, 2, 3, 7, 8, 16, 17, 33, 64, 100]))
    noise = draw(st.sampled_from([None, "popular"]))
    return {
        "met": met_by_chance(rng, users, items, draw(st.sampled_from([0.1, 0.5, 0.9]))),
        "tables": tables(rng, users, items, dim, draw(st.booleans())),
        "noise": None if noise is None else kernels.noise(rng.zipf(1.5, items).clip(max=1000)),
        "loss": draw(st.sampled_from(["bpr", "warp"])),
        "trials": draw(st.sampled_from([1, 2, 10, 50])),
        "lr": draw(st.sampled_from([0.01, 0.05, 0.2])),
        "reg": draw(st.sampled_from([0.0, 0.01, 0.3])),
        "seed": draw(st.integers(0, 2**64 - 1)),
        "epoch": draw(st.integers(0, 2**32 - 1)),
    }


def matrix_of(problem):
    """Return what was met as the kernel takes it."""
    met, items = problem["met"], len(problem["tables"][1])
    entries = {(user, item): 1.0 for user, some in enumerate(met) for item in some}
    return csr_of(entries, (len(met), items), np.float32)


def pairs_of(problem):
    return sum(map(len, problem["met"]))


def copies(problem):
    return tuple(None if table is None else table.copy() for table in problem["tables"])


def run(problem, on, threads=1, cuts=(), **change):
    """Return the tables behind an epoch, cut in parts, and what the parts say of themselves."""
    users, items, biases = copies(problem)
    rule = {name: problem[name] for name in RULE} | change
    edges = [0, *cuts, pairs_of(problem)]
    done = [
        kernels.ranking(
            users, items, matrix_of(problem), biases=biases, noise=problem["noise"],
            part=part, threads=threads, **rule, **on,
        )
        for part in itertools.pairwise(edges)
    ]  # fmt: skip
    return (users, items, biases), done[0] if not cuts else done


def batches_of(problem, on):
    """Return the samples that see one state there, or None where each sees its own."""
    if on["backend"] is not _arrays or problem["loss"] == "bpr":
        return None
    users, items, _ = problem["tables"]
    samples = oracle.Samples(problem["met"], len(items), None, problem["seed"], problem["epoch"])
    found = []
    for begin in range(0, pairs_of(problem), _ranking.WINDOW):
        window = range(begin, min(begin + _ranking.WINDOW, pairs_of(problem)))
        pairs = np.array([samples.pair(sample) for sample in window])
        for ready in _ranking.rounds(np, pairs + np.array([0, len(users)])):
            at = (ready + begin).tolist()
            cuts = range(0, len(at), _ranking.TOGETHER)
            found += [at[cut : cut + _ranking.TOGETHER] for cut in cuts]
    return found


def define(problem, on, **change):
    """Return what the oracle says a backend does."""
    rule = {name: problem[name] for name in RULE} | change
    rule |= {"noise": problem["noise"], "batches": batches_of(problem, on)}
    users, items, biases = problem["tables"]
    return oracle.ranking(users, items, problem["met"], biases=biases, **rule)


def assert_close(got, want, steps):
    """Compare tables: float32 rounds each step of a row by some 2**-24, and scores a little more.

    What a score is off is off in the steps, which later ones carry on.
    """
    user_steps, item_steps = steps
    for here, there, many in zip(got, want, (user_steps, item_steps, item_steps), strict=True):
        assert (here is None) == (there is None)
        if here is None:
            continue
        near = 2.0**-21 * (1 + many) * max(1.0, abs(there).max(initial=0))
        assert (near >= abs(here - there).T).all()
