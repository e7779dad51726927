"""Passes of negative_sampling over small corpora: drawn, run, defined and compared."""

import numpy as np
from hypothesis import strategies as st

import oracle
from firth import _arrays, kernels

TABLES = ("input", "output")


def units(problem):
    """Where a pass can be cut: all multiples of a round, or of a piece, and the end."""
    tokens = len(problem["ids"])
    return [*range(0, tokens, problem["round"] or problem["piece"]), tokens]


@st.composite
def problems(draw, rounds=None, bags=None, pairs=None):
    """A small corpus with tables and settings that reach the corners of the kernel.

    Rounds, bags and explicit pairs are there, or are not, or are left to chance (None).
    """
    rounds, bags, pairs = (draw(st.booleans()) if b is None else b for b in (rounds, bags, pairs))
    # Not all is left to hypothesis, which likes what is small so much that most tables stood still.
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    words = draw(st.sampled_from([1, 2, 5, 12, 40]))
    lengths = rng.choice([1, 2, 10, 40], draw(st.integers(1, 5)), p=[0.2, 0.1, 0.3, 0.4])
    tokens, dim = int(lengths.sum()), draw(st.integers(1, 130) | st.just(300))
    problem = {
        "ids": rng.integers(0, words, tokens).astype(np.uint32),
        "offsets": np.cumsum([0, *lengths]).astype(np.int64),
        "keep": rng.choice([0, 2**30, 2**32 - 1], words, p=[0.1, 0.3, 0.6]).astype(np.uint32),
        "counts": rng.integers(1, 100, words),
        "window": draw(st.sampled_from([*range(1, 21), 200])),
        "negative": draw(st.sampled_from([0, 1, 5, 64]) | st.integers(0, 64)),
        "cbow": not pairs and draw(st.booleans()),
        "block": draw(st.sampled_from([1, 7, 16, 32, 48, 100])),
        "shared": draw(st.sampled_from([16, 32, 64])),
        "piece": draw(st.sampled_from([2, 30, 64] if rounds else [2, 30, 64, 4096])),
        "seed": draw(st.integers(0, 2**64 - 1)),
        "epoch": draw(st.integers(0, 3)),
    }
    problem["round"] = problem["piece"] * draw(st.integers(1, 5)) if rounds else 0
    inputs = rows = draw(st.integers(1, 40)) if pairs else words
    if pairs:
        problem["sources"] = rng.integers(0, inputs, tokens).astype(np.uint32)
    if bags:  # some empty, some with a row more than once
        rows = draw(st.integers(1, 60))
        sizes = rng.integers(0, draw(st.sampled_from([1, 4, 40])) + 1, inputs)
        problem["bags"] = [rng.integers(0, rows, size).tolist() for size in sizes]
    if draw(st.booleans()):
        problem["part"] = tuple(sorted(rng.choice(units(problem), 2, replace=False).tolist()))
    # Rows are scaled to dim so that scores stay near 0, where float32 follows float64 for a while.
    input, output = (rng.normal(0, 1 / np.sqrt(dim), (many, dim)) for many in (rows, words))
    return {**problem, "input": input.astype(np.float32), "output": output.astype(np.float32)}


def bags_of(lists):
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    return kernels.Bags(offsets, np.array([i for one in lists for i in one], np.uint32))


def rates(problem):
    """Rates so low that no state pushes a row past its mark, where rounding would be amplified."""
    centres = min(max(problem["block"], problem["round"] or problem["piece"]), len(problem["ids"]))
    pairs = centres * (1 + problem["negative"])
    if "sources" not in problem:
        pairs *= 2 * min(problem["window"], int(np.diff(problem["offsets"]).max()))
    pairs *= max(map(len, problem.get("bags", [[0]]))) or 1
    rate = min(0.05, min(len(problem["input"]), len(problem["output"])) / pairs)
    return rate, rate / 5


def run(problem, on, threads=1, lr=None):
    """Return the tables behind a pass, and what it says of itself."""
    settings = {"lr": lr or rates(problem), **problem}
    if "bags" in problem:
        settings["bags"] = bags_of(problem["bags"])
    settings["noise"] = kernels.noise(settings.pop("counts"))
    for name in TABLES:
        settings[name] = problem[name].copy()
    done = kernels.negative_sampling(**settings, threads=threads, **on)
    return settings["input"], settings["output"], done


def define(problem, on, half=None):
    """Return what the oracle says a backend does: (input, output, loss, pairs, kept)."""
    settings = dict(problem)
    settings["noise"] = kernels.noise(settings.pop("counts"))
    lr = rates(problem)
    together = 10**9 if on["backend"] is _arrays else 1
    half = is_half(on) if half is None else half
    return oracle.negative_sampling(
        **settings, lr_begin=lr[0], lr_end=lr[1], together=together, half=half
    )


def is_half(on):
    """Say whether products may be of bfloat16 there."""
    return on["isa"] == "amx"


def roundings(problem, name):
    """How often float32 rounds the row of a table that takes the most steps, about.

    A token's row takes one step from each block that has the token as a centre or as company.
    """
    words = problem["ids"] if name == "output" else problem.get("sources", problem["ids"])
    bags = problem.get("bags") if name == "input" else None
    rows = words if bags is None else [row for word in words for row in bags[word]]
    blocks = 1 if "sources" in problem else 1 + 2 * problem["window"] // problem["block"]
    return blocks * int(np.bincount(rows, minlength=1).max())


def assert_close(on, problem, got, want):
    """Compare tables with what they should be, by how far the furthest number went.

    float32 loses a little of every sum, 2**-25 in the mean, and of repeated ones always on the same
    side. Where products are of bfloat16, the oracle rounds what they do. But what lies between two
    such numbers, but for the loss of float32, may become either, and these are up to 2**-7 of each
    other apart.
    """
    share = 2**-7 if is_half(on) else 1e-4
    for name, here, there in zip(TABLES, got, want, strict=False):
        near = share * abs(there - problem[name]).max()
        near += 2e-6 + 2**-25 * abs(there).max() * roundings(problem, name)
        np.testing.assert_allclose(here, there, rtol=0, atol=near, err_msg=name)


def assert_same_tables(first, second):
    for name, here, there in zip(TABLES, first, second, strict=False):
        np.testing.assert_array_equal(here, there, err_msg=name)
