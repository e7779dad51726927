"""Probabilities of labels from the scores of a classifier, the best labels, how good they are."""

from typing import NamedTuple

import numpy as np

from firth._backend import Doubles, Floats, Longs
from firth.kernels._subwords import Bags


class LabelScores(NamedTuple):
    """How well one label is found; NaN where there was nothing to divide by.

    Attributes
    ----------
    precision
        Share of the examples it was predicted for that have it.
    recall
        Share of the examples that have it for which it was predicted.
    f1
        Harmonic mean of the two.
    examples
        How many have it.
    """

    precision: float
    recall: float
    f1: float
    examples: int


class Scores(NamedTuple):
    """What `Classifier.test` found.

    Attributes
    ----------
    examples
        Lines with a known label and something known of their words; others are skipped.
    precision
        Share of all predictions that are right, P@k; NaN if there was none.
    recall
        Share of all labels that were predicted, R@k.
    per_label
        Of each label, in the order of `Classifier.labels`.
    """

    examples: int
    precision: float
    recall: float
    per_label: dict[str, LabelScores]


def probabilities(scores: Floats, loss: str, paths: Bags | None) -> Doubles:
    """Return the probability of each label (texts, labels), from scores of labels or nodes."""
    apart = scores.astype(np.float64)
    if loss == "softmax":
        apart -= apart.max(axis=1, keepdims=True)
        np.exp(apart, out=apart)
        apart /= apart.sum(axis=1, keepdims=True)
        return apart
    if paths is None:
        return np.exp(-np.logaddexp(0, -apart))
    left, right = -np.logaddexp(0, apart), -np.logaddexp(0, -apart)
    total = np.zeros_like(apart)
    depths = np.diff(paths.offsets)
    for depth in range(int(depths.max(initial=0))):  # all labels take a step up at a time
        there = np.flatnonzero(depths > depth)
        turns = paths.ids[paths.offsets[there] + depth]
        nodes = turns >> 1
        total[:, there] += np.where(turns & 1, right[:, nodes], left[:, nodes])
    return np.exp(total)


def top(chances: Doubles, k: int) -> Longs:
    """Return the k labels with the greatest chances (texts, k), equal ones in order."""
    many = chances.shape[1]
    if k == 1:
        best: Longs = chances.argmax(axis=1)[:, None]
        return best
    if 4 * k < many:  # those above the k-th greatest, and of its equals the first ones
        least = np.partition(chances, many - k, axis=1)[:, many - k, None]
        above = chances > least
        missing = k - above.sum(axis=1, keepdims=True)
        equal = chances == least
        chosen = above | (equal & (np.cumsum(equal, axis=1) <= missing))
        columns = np.nonzero(chosen)[1].reshape(len(chances), k)
        values = np.take_along_axis(chances, columns, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        return np.take_along_axis(columns, order, axis=1)
    return np.argsort(-chances, axis=1, kind="stable")[:, :k]
