"""Every public thing through pickle, copy and deepcopy: equal, and made by firth's own kinds."""

import copy
import io
import pickle

import numpy as np
import pytest

import firth
from trust._things import parts, things

NAMES = sorted(things())
ARRAYS = {
    "numpy.ndarray",
    "numpy.dtype",
    "numpy._core.multiarray._reconstruct",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", [2, 4, pickle.HIGHEST_PROTOCOL])
def test_pickling_keeps_everything(name, protocol):
    thing = things()[name]
    again = pickle.loads(pickle.dumps(thing, protocol))
    assert parts(again) == parts(thing)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy])
def test_copies_are_equal(name, how):
    thing = things()[name]
    assert parts(how(thing)) == parts(thing)


@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_calls_nothing_but_firth_and_arrays(name):
    called = set()

    class Watched(pickle.Unpickler):
        def find_class(self, module, attribute):
            called.add(f"{module}.{attribute}")
            return super().find_class(module, attribute)

    Watched(io.BytesIO(pickle.dumps(things()[name]))).load()
    assert called
    assert {each for each in called if not each.startswith("firth.")} <= ARRAYS


def test_a_deep_copy_shares_no_table():
    learner = things()["Learner"]
    emb = copy.deepcopy(things()["Embedding"])
    emb.vectors[:] = 0
    assert things()["Embedding"].vectors.any()
    before = learner.embedding.vectors.copy()
    copy.deepcopy(learner).partial_fit(["the of one two"] * 20)
    assert np.array_equal(learner.embedding.vectors, before)


@pytest.mark.parametrize("name", ["made by FastText", "made by EASE", "made by BPR", "Embedding"])
def test_what_was_unpickled_answers_as_before(name):
    thing = things()[name]
    again = pickle.loads(pickle.dumps(thing))
    if isinstance(thing, firth.Recommender):
        one, other = (each.recommend(each.users, 3) for each in (thing, again))
    else:
        one, other = (each.nearest(each.keys[:9], 3) for each in (thing, again))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_parts_see_a_difference():
    one = things()["Embedding"]
    vectors = one.vectors.copy()
    vectors[3, 3] += 1
    other = firth.Embedding(one.keys, vectors, one.counts, one.metadata)
    assert parts(other) != parts(one)
