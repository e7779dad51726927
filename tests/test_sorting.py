"""Sorting in piles against numpy's sorting of everything at once."""

import numpy as np
import pytest

import firth
from firth import _sorting


@pytest.fixture(autouse=True)
def small_piles(monkeypatch):
    monkeypatch.setattr(_sorting, "STEP", 50)
    monkeypatch.setattr("firth._meetings.STEP", 50)


def values(kind, many):
    rng = np.random.default_rng(many)
    return {
        "few": lambda: rng.integers(0, 3, many),
        "many": lambda: rng.integers(-(2**62), 2**62, many),
        "equal": lambda: np.full(many, 7),
        "rising": lambda: np.arange(many),
        "falling": lambda: -np.arange(many),
        "unsigned": lambda: rng.integers(0, 2**64, many, np.uint64),
        "reals": lambda: rng.choice([-np.inf, -0.0, 0.0, 1.5, *rng.standard_normal(20)], many),
    }[kind]()


KINDS = ("few", "many", "equal", "rising", "falling", "unsigned", "reals")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("many", [0, 1, 99, 101, 1234])
def test_order_and_different_values_are_those_of_numpy(kind, many):
    given = values(kind, many)
    order = _sorting.stable_order(given)
    assert order.tolist() == np.argsort(given, kind="stable").tolist()
    found, places = _sorting.different(given)
    expected, at = np.unique(given, return_inverse=True)
    assert found.dtype == given.dtype
    assert (found.tolist(), places.tolist()) == (expected.tolist(), at.tolist())


@pytest.mark.parametrize("form", [str, bytes])
@pytest.mark.parametrize("many", [0, 1, 49, 51, 1234])
def test_names_are_ordered_and_kept_once_as_python_does(monkeypatch, form, many):
    monkeypatch.setattr(_sorting, "_NAMES", 50)
    numbers = np.random.default_rng(many).integers(0, 400, many).tolist()
    names = [str(number) if form is str else b"%d" % number for number in numbers]
    assert _sorting.once(names) == list(dict.fromkeys(names))
    assert [names[place] for place in _sorting.text_order(names)] == sorted(names)


def test_rows_are_dealt_out_in_their_order():
    piles = np.random.default_rng(1).integers(0, 9, 777)
    found = _sorting.dealt(777, 11, lambda part: piles[part])
    assert [rows.tolist() for rows in found] == [
        np.flatnonzero(piles == pile).tolist() for pile in range(11)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_order_in_rows_is_that_of_lexsort(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.choice([0, 1, 3, 40, 200], 60, p=[0.3, 0.3, 0.2, 0.15, 0.05])
    indptr = np.cumsum([0, *lengths])
    one, other = rng.integers(0, 5, (2, indptr[-1]))
    owners = np.repeat(np.arange(60), lengths)
    assert np.array_equal(
        _sorting.order_in_rows(indptr, one, other), np.lexsort((one, other, owners))
    )


@pytest.mark.parametrize("duplicates", ["sum", "max", "first", "last"])
@pytest.mark.parametrize("timed", [False, True])
def test_interactions_of_many_piles_are_those_of_one(duplicates, timed, monkeypatch):
    rng = np.random.default_rng(5)
    users, items = rng.integers(0, 70, 3000) ** 2, rng.integers(0, 12, 3000)
    given = {"values": rng.random(3000) * 5, "duplicates": duplicates}
    given["times"] = rng.integers(0, 9, 3000) if timed else None
    found = firth.Interactions(users, items, **given)
    monkeypatch.setattr(_sorting, "STEP", 10**6)
    monkeypatch.setattr("firth._meetings.STEP", 10**6)
    expected = firth.Interactions(users, items, **given)
    assert (found.users, found.items) == (expected.users, expected.items)
    for part in ("indptr", "indices", "data"):
        assert np.array_equal(getattr(found.csr, part), getattr(expected.csr, part))
    assert np.array_equal(found.times, expected.times) or not timed
