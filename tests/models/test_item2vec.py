"""ItemToVec: sessions in any form, and what their items end up next to."""

import numpy as np
import pytest

from firth import Interactions, ItemToVec, Learner, Word2Vec
from meetings import group_of, two_groups


def test_items_of_one_group_end_up_together():
    emb = ItemToVec(dim=8, epochs=40, lr=0.1, threads=1).fit(two_groups(users=200))
    assert len(emb) == 30
    assert emb.metadata["model"] == "ItemToVec"
    for key in emb.keys:
        near = [name for name, _ in emb.most_similar(key, k=5)]
        assert group_of(near) == group_of([key]) * 5


def test_sessions_are_word2vec_sentences_seen_as_a_whole():
    sessions = [["a", "b", "c"], ["b", "c", "d"]] * 20
    options = {"dim": 4, "epochs": 2, "min_count": 1, "sample": 0, "threads": 1}
    same = Word2Vec(**options, window=12).fit(sessions)
    assert (ItemToVec(dim=4, epochs=2, threads=1).fit(sessions).vectors == same.vectors).all()


def test_interactions_are_a_session_for_each_user():
    x = Interactions(["a", "a", "b", "b"], ["x", "y", "y", "z"])
    model = ItemToVec(dim=4, epochs=1, threads=1)
    assert (model.fit(x).vectors == model.fit([["x", "y"], ["y", "z"]]).vectors).mean() > 0.3
    assert model.fit(x).counts.tolist() == [2, 1, 1]


def test_a_learner_goes_on_with_new_sessions(tmp_path):
    learner = ItemToVec(dim=4, epochs=1, threads=1).learner()
    learner.partial_fit([["a", "b"], ["b", "c"]] * 20)
    learner.save(tmp_path / "learner")
    loaded = Learner.load(tmp_path / "learner")
    assert (loaded.embedding.vectors == learner.embedding.vectors).all()
    assert loaded.model == learner.model


def test_its_own_name_stands_in_errors():
    with pytest.raises(ValueError, match="ItemToVec: dim=0 is not between 1"):
        ItemToVec(dim=0)
    with pytest.raises(TypeError, match="source is int"):
        ItemToVec().fit(5)


def test_items_with_numbers_for_names_that_are_met_as_often_can_be_learnt():
    met = Interactions([0, 0, 1, 1, 2, 2], [9, 10, 9, 10, 100, 9])
    assert met.sessions().vocabulary.words == ["9", "10", "100"]
    assert len(ItemToVec(dim=4, epochs=1, threads=1).fit(met)) == 3


def test_sessions_of_thousands_of_items_stay_finite():
    rng = np.random.default_rng(1)
    sessions = [[f"i{item}" for item in rng.zipf(1.3, 1500) % 500] for _ in range(4)]
    emb = ItemToVec(dim=8, epochs=2, min_count=1, threads=1).fit(sessions)
    assert np.isfinite(emb.vectors).all()
    assert np.linalg.norm(emb.vectors, axis=1).max() < 20
