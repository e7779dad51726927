"""classification in array code: an example after the other, each in a few operations on arrays."""

import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from firth._backend import Floats, Ids, Longs
from firth._random import STREAM_LABEL, draw_pairs

_LEAST_SHARE = 2.0**-24


def classification(
    *,
    input: Floats,
    output: Floats,
    bag_offsets: Longs,
    bag_ids: Ids,
    label_offsets: Longs,
    label_ids: Ids,
    path_offsets: Longs,
    path_ids: Ids,
    positions: Longs,
    loss: int,
    seed: int,
    epoch: int,
    lr_begin: float,
    lr_end: float,
    threads: int,
    isa: str,
    progress: Callable[[int, float, int], object] | None,
) -> tuple[float, int, int]:
    """Train example by example."""
    xp: Any = np if isinstance(input, np.ndarray) else importlib.import_module("cupy")
    output = output[:, : input.shape[1]]  # the other columns are zero and stay so
    examples = len(positions) - 1
    at = xp.arange(examples, dtype=xp.uint64)
    words, _ = draw_pairs(xp, seed, STREAM_LABEL, epoch, at)
    many = (label_offsets[1:] - label_offsets[:-1]).astype(xp.uint64)
    drawn = label_ids[label_offsets[:-1] + (words * many >> xp.uint64(32)).astype(xp.int64)]
    done = positions[:-1] / max(int(positions[-1]), 1)
    rates = (lr_begin + (lr_end - lr_begin) * done).astype(xp.float32)
    total, told = 0.0, time.monotonic()
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is looked for below
        for example in range(examples):
            rows = bag_ids[int(bag_offsets[example]) : int(bag_offsets[example + 1])]
            hidden = input[rows].sum(axis=0) * xp.float32(1 / len(rows))
            target = int(drawn[example])
            nodes: Any = slice(None)
            if loss == 2:
                path = path_ids[int(path_offsets[target]) : int(path_offsets[target + 1])]
                nodes, wanted = path >> 1, (path & 1).astype(bool)
            else:
                wanted = xp.zeros(len(output), bool)
                labels = label_ids[int(label_offsets[example]) : int(label_offsets[example + 1])]
                wanted[labels if loss == 1 else target] = True
            scores = output[nodes] @ hidden
            shares, part = (_softmax if loss == 0 else _logistic)(xp, scores, wanted)
            if not (bool(xp.isfinite(scores).all()) and part < float("inf")):
                return total, example, example
            total += part
            shares[xp.abs(shares) <= _LEAST_SHARE] = 0
            steps = shares * rates[example]
            step = (steps @ output[nodes]) * xp.float32(1 / len(rows))
            output[nodes] += steps[:, None] * hidden
            xp.add.at(input, rows, step)
            if progress is not None and time.monotonic() - told > 0.05:
                told = time.monotonic()
                progress(int(positions[example + 1]), total, example + 1)
    return total, examples, -1


def _softmax(xp: Any, scores: Any, wanted: Any) -> tuple[Any, float]:
    """Return how much each output is to rise, at a learning rate of 1, and the loss."""
    apart = scores - scores.max()
    shares = xp.exp(apart)
    whole = shares.sum()
    part = xp.log(whole) - apart[wanted].sum(dtype=xp.float64)
    return wanted - shares / whole, float(part)


def _logistic(xp: Any, scores: Any, wanted: Any) -> tuple[Any, float]:
    wrong = xp.where(wanted, -scores, scores)
    e = xp.exp(-xp.abs(scores))
    shares = xp.where(wrong > 0, xp.float32(1), e) / (1 + e)
    part = (xp.maximum(wrong, 0) + xp.log1p(e)).sum(dtype=xp.float64)
    return xp.where(wanted, shares, -shares), float(part)
