"""ranking: what is wrong with a call is named, and nothing is trained then."""

import numpy as np
import pytest

from firth import kernels
from firth.csr import CSR
from matrices import csr_of

MET = {(0, 1): 1.0, (0, 2): 1.0, (2, 0): 1.0, (2, 3): 1.0}


@pytest.fixture
def good():
    """3 users and 4 items."""
    rng = np.random.default_rng(0)
    return {
        "users": rng.normal(0, 1, (3, 5)).astype(np.float32),
        "items": rng.normal(0, 1, (4, 5)).astype(np.float32),
        "met": csr_of(MET, (3, 4), np.float32),
    }


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def read_only(*shape):
    array = zeros(*shape)
    array.flags.writeable = False
    return array


def met(**parts):
    matrix = csr_of(MET, (3, 4), np.float32)
    arrays = {"indptr": matrix.indptr, "indices": matrix.indices, "data": matrix.data}
    return CSR(**{**arrays, "columns": 4, **parts})


def columns(*values):
    return np.array(values, np.int32)


TABLES = [
    ({"users": zeros(3, 5, dtype=float)}, TypeError, "users must be a float32 array, got float64"),
    ({"users": [[0.0] * 5] * 3}, TypeError, "users must be a float32 array, got list"),
    ({"users": None}, TypeError, "users must be a float32 array, got NoneType"),
    ({"users": zeros(2, 5)}, ValueError, r"users has shape \(2, 5\), expected \(3, any\)"),
    ({"users": zeros(3)}, ValueError, r"users has shape \(3,\), expected \(3, any\)"),
    ({"users": zeros(3, 10)[:, ::2]}, ValueError, "users must be C-contiguous and aligned"),
    ({"users": zeros(5, 3).T}, ValueError, "users must be C-contiguous and aligned"),
    ({"users": read_only(3, 5)}, ValueError, "users must be writeable"),
    ({"items": zeros(4, 6)}, ValueError, r"items has shape \(4, 6\), expected \(4, 5\)"),
    ({"items": zeros(3, 5)}, ValueError, r"items has shape \(3, 5\), expected \(4, 5\)"),
    ({"items": zeros(4, 5, dtype=np.float16)}, TypeError, "items must be a float32 array, got f"),
    ({"items": read_only(4, 5)}, ValueError, "items must be writeable"),
    ({"items": np.ma.ones((4, 5), np.float32)}, TypeError, "items must be a float32 array, got M"),
    ({"biases": zeros(3)}, ValueError, r"biases has shape \(3,\), expected \(4,\)"),
    ({"biases": zeros(4, 1)}, ValueError, r"biases has shape \(4, 1\), expected \(4,\)"),
    ({"biases": zeros(4, dtype=float)}, TypeError, "biases must be a float32 array, got float64"),
    ({"biases": zeros(8)[::2]}, ValueError, "biases must be C-contiguous"),
    ({"biases": read_only(4)}, ValueError, "biases must be writeable"),
    ({"noise": zeros(4, 2)}, TypeError, "noise must be an uint32 array, got float32"),
    ({"noise": kernels.noise([1] * 5)}, ValueError, r"noise has shape \(5, 2\), expected \(4, 2\)"),
    ({"noise": kernels.noise([1] * 8)[::2]}, ValueError, "noise must be C-contiguous"),
    ({"noise": np.full((4, 2), 4, np.uint32)}, ValueError, "noise has item 4, expected items bel"),
    ({"met": None}, TypeError, "met is NoneType, expected CSR"),
    ({"met": np.ones((3, 4), np.float32)}, TypeError, "met is ndarray, expected CSR"),
    ({"met": met(columns=5)}, ValueError, r"items has shape \(4, 5\), expected \(5, 5\)"),
    ({"met": met(columns=3)}, ValueError, r"met.indices\[3\] is 3, expected one from 0 to 2"),
    ({"met": met(indices=columns(2, 1, 0, 3))}, ValueError, r"met.indices\[1\] is 1, not above"),
    ({"met": met(indices=columns(1, 1, 0, 3))}, ValueError, r"met.indices\[1\] is 1, not above"),
    ({"met": met(indices=columns(1, 2, -1, 3))}, ValueError, r"met.indices\[2\] is -1, expected"),
    ({"met": met(indptr=np.array([0, 2, 1, 4]))}, ValueError, r"met.indptr\[2\] is 1, below"),
    ({"met": met(indptr=np.array([0, 2, 2, 3]))}, ValueError, "met.indptr goes from 0 to 3"),
    ({"met": met(data=np.ones(4))}, TypeError, "met.data must be a float32 array, got float64"),
    ({"met": met(data=zeros(4))}, ValueError, r"met.data\[0\] is 0.0, expected a finite"),
    ({"met": met(data=zeros(4) + np.float32(np.nan))}, ValueError, r"met.data\[0\] is nan"),
]
RULE = [
    ({"loss": "hinge"}, ValueError, "loss='hinge' is neither 'bpr' nor 'warp'"),
    ({"loss": 0}, ValueError, "loss=0 is neither 'bpr' nor 'warp'"),
    ({"loss": None}, ValueError, "loss=None is neither 'bpr' nor 'warp'"),
    ({"trials": 0}, ValueError, "trials=0 is not between 1 and 65536"),
    ({"trials": 2**16 + 1}, ValueError, "trials=65537 is not between 1 and 65536"),
    ({"trials": 5.0}, TypeError, "trials must be an integer, got float"),
    ({"lr": -0.1}, ValueError, "lr=-0.1 is not between 0 and 3.40282e"),
    ({"lr": float("nan")}, ValueError, "lr=nan is not between"),
    ({"lr": float("inf")}, ValueError, "lr=inf is not between"),
    ({"lr": (0.1, 0.0)}, TypeError, "lr must be a number, got tuple"),
    ({"reg": -1}, ValueError, "reg=-1 is not between"),
    ({"reg": 1e39}, ValueError, r"reg=1e\+39 is not between"),
    ({"reg": None}, TypeError, "reg must be a number, got NoneType"),
    ({"seed": -1}, ValueError, "seed=-1 is not between"),
    ({"seed": 1.5}, TypeError, "seed must be an integer, got float"),
    ({"epoch": 2**32}, ValueError, "epoch=4294967296 is not between 0 and 4294967295"),
    ({"epoch": -1}, ValueError, "epoch=-1 is not between"),
    ({"part": 2}, TypeError, "part=2 is not a pair of places"),
    ({"part": (0, 5)}, ValueError, r"part=\(0, 5\) does not rise within 0 and 4"),
    ({"part": (3, 1)}, ValueError, r"part=\(3, 1\) does not rise within 0 and 4"),
    ({"part": (-1, 2)}, ValueError, r"part=\(-1, 2\) does not rise within 0 and 4"),
    ({"part": (0, 1.0)}, TypeError, "part must be an integer, got float"),
    ({"threads": 0}, ValueError, "threads=0 is not between 1 and 4096"),
    ({"threads": "2"}, TypeError, "threads must be an integer, got str"),
]


@pytest.mark.parametrize(("change", "error", "says"), TABLES + RULE)
def test_what_is_wrong_with_a_call_is_named(on, good, change, error, says):
    before = good["users"].copy(), good["items"].copy()
    with pytest.raises(error, match=f"^ranking: {says}"):
        kernels.ranking(**{**good, **change}, **on)
    np.testing.assert_array_equal(good["users"], before[0])
    np.testing.assert_array_equal(good["items"], before[1])


def test_tables_without_columns_are_named(on, good):
    with pytest.raises(ValueError, match=r"^ranking: users has no columns, expected"):
        kernels.ranking(zeros(3, 0), zeros(4, 0), good["met"], **on)


def test_what_was_met_may_lie_where_nothing_can_be_written(on, good):
    for array in (good["met"].indptr, good["met"].indices, good["met"].data):
        array.flags.writeable = False
    noise = kernels.noise([1, 2, 3, 4])
    noise.flags.writeable = False
    assert kernels.ranking(**good, noise=noise, **on).samples == 4
