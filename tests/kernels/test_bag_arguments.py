"""Bags given to kernels.negative_sampling: what is refused before a row is written."""

import numpy as np
import pytest

from firth import kernels
from firth.kernels._subwords import Bags


def train(bags, rows=5, words=3, dim=4, output=None):
    input = np.ones((rows, dim), np.float32)
    kernels.negative_sampling(
        input,
        np.ones((words, dim), np.float32) if output is None else output,
        np.array([0, 1, 2, 1], np.uint32),
        np.array([0, 4]),
        keep=kernels.keep_chances(np.ones(3), 0),
        noise=kernels.noise(np.ones(3)),
        bags=bags,
        threads=1,
    )
    return input


def bags(offsets, ids):
    return Bags(np.array(offsets, np.int64), np.array(ids, np.uint32))


def test_good_bags_train_their_rows_and_no_others():
    input = train(bags([0, 1, 3, 3], [4, 0, 2]))
    assert (input != 1).any(axis=1).tolist() == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("given", "options", "error", "text"),
    [
        (
            bags([0, 1, 2], [0, 1]),
            {},
            ValueError,
            r"bags.offsets has shape \(3,\), expected \(4,\)",
        ),
        (bags([0, 1, 2, 3], [0, 1]), {}, ValueError, "bags.offsets must rise from 0 to the 2 ids"),
        (bags([1, 1, 2, 2], [0, 1]), {}, ValueError, "bags.offsets must rise"),
        (bags([0, 3, 1, 2], [0, 1]), {}, ValueError, "bags.offsets must rise"),
        (
            bags([0, 1, 2, 3], [0, 1, 5]),
            {},
            ValueError,
            "bags.ids has row 5, expected rows below 5",
        ),
        (Bags(np.zeros(4), np.zeros(0, "u4")), {}, TypeError, "bags.offsets is 1-d float64"),
        (Bags(np.zeros(4, "i8"), np.zeros(0, "i8")), {}, TypeError, "bags.ids is 1-d int64"),
        (bags([0, 0, 0, 0], []), {"output": np.ones((3, 5), "f4")}, ValueError, "output has shape"),
        (None, {}, ValueError, r"output has shape \(3, 4\), expected \(5, 4\)"),
    ],
)
def test_bags_that_do_not_fit_are_named(given, options, error, text):
    with pytest.raises(error, match=text):
        train(given, **options)
