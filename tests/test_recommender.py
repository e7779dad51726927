"""Recommender: answers against plain numpy, new users and items, files, and what it refuses."""

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import BPR, CSR, EASE, FormatError, Recommender
from meetings import two_groups

USERS, ITEMS = ["ann", "bob", "cat", "dan"], ["gin", "rum", "tea", "ale", "port"]


def seen_of(lists, items=5):
    indptr = np.cumsum([0, *map(len, lists)])
    indices = np.concatenate([np.zeros(0, np.int32), *(np.array(one, np.int32) for one in lists)])
    return CSR(indptr.astype(np.int64), indices.astype(np.int32), np.ones(len(indices), "f"), items)


def small(biases=True, seed=1):
    """Whole numbers, so that scores are exact; dan has met nothing, bob everything but the last."""
    rng = np.random.default_rng(seed)
    users = rng.integers(-3, 4, (4, 3)).astype(np.float32)
    users[3] = 0
    vectors = rng.integers(-3, 4, (5, 3)).astype(np.float32)
    column = rng.integers(-3, 4, 5).astype(np.float32) if biases else None
    seen = seen_of([[0, 2], [0, 1, 2, 3], [2], []])
    return Recommender(USERS, ITEMS, users, vectors, seen, column, {"model": "none"})


def plain_scores(rec, user):
    """What the scores are by definition."""
    scores = rec.item_vectors @ rec.user_vectors[user]
    if rec.biases is not None:
        return scores + rec.biases
    if not rec.user_vectors[user].any():
        return np.bincount(rec.seen.indices, minlength=5).astype(np.float32) / len(rec.users)
    return scores


def met_by(rec, user):
    return rec.seen.indices[rec.seen.indptr[user] : rec.seen.indptr[user + 1]].tolist()


# ---- recommend ----------------------------------------------------------------------------------


@given(st.integers(0, 50), st.booleans(), st.booleans(), st.integers(1, 7))
def test_answers_are_the_best_scores_of_what_is_left(seed, biases, filter_seen, k):
    rec = small(biases, seed)
    ids, scores = rec.recommend(USERS, k, filter_seen)
    assert ids.dtype == np.int64
    assert scores.dtype == np.float32
    for user in range(4):
        wanted = plain_scores(rec, user)
        left = [i for i in range(5) if not (filter_seen and i in met_by(rec, user))]
        order = sorted(left, key=lambda i: (-wanted[i], i))[:k]
        assert ids[user].tolist() == order + [-1] * (k - len(order))
        assert scores[user, : len(order)].tolist() == [float(wanted[i]) for i in order]
        assert np.isneginf(scores[user, len(order) :]).all()


def test_names_rows_and_vectors_ask_for_the_same():
    rec = small()
    ids, scores = rec.recommend(["cat", "ann"], 3)
    for same in ([2, 0], np.array([2, 0]), (2, "ann")):
        assert rec.recommend(same, 3)[0].tolist() == ids.tolist()
    one, of_one = rec.recommend("cat", 3)
    assert (one.tolist(), of_one.tolist()) == (ids[0].tolist(), scores[0].tolist())
    vector = rec.user_vectors[2]
    assert rec.recommend(vector, 3, exclude=[2])[0].tolist() == one.tolist()
    assert rec.recommend(vector[None], 5)[0].shape == (1, 5)
    assert rec.recommend([], 3)[0].shape == (0, 3)


def test_users_without_items_get_what_most_have_met():
    ids, scores = small(biases=False).recommend("dan", 5)
    assert ids.tolist() == [2, 0, 1, 3, 4]
    assert scores.tolist() == [0.75, 0.5, 0.25, 0.25, 0]
    rec = small()
    assert rec.recommend("dan", 1)[0][0] == rec.biases.argmax()


def test_items_can_be_left_out_for_all():
    rec = small()
    mask = np.array([True, False, True, True, True])
    ids, _ = rec.recommend(range(4), 5, filter_seen=False, mask=mask, exclude=["tea"])
    assert {*ids.ravel().tolist()} == {0, 3, 4, -1}


def test_many_users_are_answered_in_groups(monkeypatch):
    rec = BPR(dim=4, epochs=2, threads=1).fit(two_groups())
    whole = rec.recommend(rec.users, 4)
    monkeypatch.setattr("firth.recommender._GROUP", 7)
    parts = rec.recommend(rec.users, 4)
    assert all((a == b).all() for a, b in zip(whole, parts, strict=True))


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda rec: rec.recommend("eve"), KeyError, "no user is called 'eve'"),
        (lambda rec: rec.recommend(4), IndexError, "row 4 is not one of the 4 users"),
        (lambda rec: rec.recommend([-1]), IndexError, "row -1"),
        (lambda rec: rec.recommend(1.0), TypeError, "neither a name or row of a user"),
        (lambda rec: rec.recommend([True]), TypeError, "neither the name nor the row"),
        (lambda rec: rec.recommend(b"ann"), TypeError, "neither a name or row"),
        (lambda rec: rec.recommend("ann", 0), ValueError, "k=0 is not between 1"),
        (lambda rec: rec.recommend("ann", 1, 1), TypeError, "filter_seen=1"),
        (lambda rec: rec.recommend("ann", exclude="ann"), KeyError, "no item is called 'ann'"),
        (lambda rec: rec.recommend("ann", mask=[1]), ValueError, "mask is int64"),
        (lambda rec: rec.recommend(np.ones(2)), ValueError, "vectors of 2 numbers, expected 3"),
        (lambda rec: rec.recommend(np.full(3, np.nan)), ValueError, "not finite"),
        (lambda rec: rec.similar_items("eve"), KeyError, "similar_items: no item is called 'eve'"),
        (lambda rec: rec.similar_users("tea"), KeyError, "similar_users: no user is called 'tea'"),
        (lambda rec: rec.similar_users("ann", 0), ValueError, "similar_users: k=0"),
        (lambda rec: rec.fold_in("tea"), TypeError, "one item, expected several"),
        (lambda rec: rec.fold_in(["eve"]), KeyError, "no item is called 'eve'"),
        (lambda rec: rec.fold_in_item([9]), IndexError, "row 9"),
    ],
)
def test_questions_that_make_no_sense_are_refused(ask, error, message):
    with pytest.raises(error, match=message):
        ask(small())


# ---- alike --------------------------------------------------------------------------------------


def test_similar_ones_have_the_greatest_cosines():
    rec = BPR(dim=4, epochs=5, threads=1).fit(two_groups())
    for vectors, ask in (
        (rec.item_vectors, rec.similar_items),
        (rec.user_vectors, rec.similar_users),
    ):
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, -np.inf)
        ids, scores = ask([0, 3], 4)
        assert ids.tolist() == np.argsort(-cosines[[0, 3]], axis=1)[:, :4].tolist()
        np.testing.assert_allclose(scores, -np.sort(-cosines[[0, 3]])[:, :4], atol=1e-6)
        most = ask(0, len(vectors) + 1)
        assert most[0][-2:].tolist() == [-1, -1]


def test_item_models_say_how_much_items_add_and_whose_items_are_the_same():
    rec = EASE(reg=1).fit(two_groups())
    ids, scores = rec.similar_items("i03", 4)
    column = rec.item_vectors[:, 3].copy()
    column[3] = -np.inf
    assert ids.tolist() == np.argsort(-column, kind="stable")[:4].tolist()
    np.testing.assert_allclose(scores, column[ids])
    dense = rec.seen.to_scipy().toarray()
    cosines = dense @ dense[5] / 8
    cosines[5] = -np.inf
    found, values = rec.similar_users(5, 3)
    assert found.tolist() == np.argsort(-cosines, kind="stable")[:3].tolist()
    np.testing.assert_allclose(values, cosines[found], atol=1e-6)


# ---- new users and items ------------------------------------------------------------------------


@pytest.mark.parametrize("model", [BPR(dim=8, epochs=200, threads=1), EASE(reg=5)])
def test_new_users_are_recommended_the_items_of_their_group(model):
    rec = model.fit(two_groups(each=6))
    for items in (["i00", "i04", "i09"], ["i20", "i22", "i29"]):
        vector = rec.fold_in(items)
        assert vector.shape == (rec.dim,)
        ids, _ = rec.recommend(vector, 6, exclude=items)
        assert ((ids >= 15) == (items[0] > "i14")).all()
    both = rec.fold_in([["i00", "i04", "i09"], [20, 22, 29]])
    np.testing.assert_allclose(both, [rec.fold_in([0, 4, 9]), rec.fold_in([20, 22, 29])], 1e-4)
    assert not rec.fold_in([]).any()
    assert rec.fold_in([[], ["i00"]]).shape == (2, rec.dim)


def test_new_items_are_recommended_to_the_users_of_their_group():
    rec = BPR(dim=8, epochs=200, threads=1).fit(two_groups(each=6))
    vector, bias = rec.fold_in_item(["u00", "u04", "u08", "u10"])
    scores = rec.user_vectors @ vector + bias
    assert scores[::2].mean() > scores[1::2].mean() + 1
    assert rec.fold_in_item([[0], [1, 3]])[1].shape == (2,)


def test_folding_in_is_the_least_squares_that_it_says():
    rec = BPR(dim=4, epochs=5, biases=False, threads=1).fit(two_groups())
    dense = rec.seen.to_scipy().toarray().astype(np.float64)
    sums, many = dense @ rec.item_vectors, dense.sum(1, keepdims=True)
    features = np.hstack([sums / many, sums / many**0.5, np.ones_like(many), np.log(many)])
    gram = features.T @ features
    gram += 1e-3 * np.trace(gram) / len(gram) * np.eye(len(gram))
    wanted = features @ np.linalg.solve(gram, features.T @ rec.user_vectors)
    np.testing.assert_allclose(rec.fold_in([met_by(rec, u) for u in range(40)]), wanted, atol=1e-5)
    assert rec.fold_in_item([0])[1] is None


def test_a_new_item_of_an_item_model_is_the_ridge_regression_on_the_others():
    rec = EASE(reg=3).fit(two_groups())
    dense = rec.seen.to_scipy().toarray().astype(np.float64)
    met = np.zeros(40)
    met[[0, 2, 4]] = 1
    wanted = np.linalg.solve(dense.T @ dense + 3 * np.eye(30), dense.T @ met)
    vector, bias = rec.fold_in_item([0, 2, 4])
    assert bias is None
    np.testing.assert_allclose(vector, wanted, atol=1e-5)


# ---- what it is made of -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"users": ["ann"] * 4}, "users: 'ann' is given more than once"),
        ({"items": []}, "items: there are none"),
        ({"users": ["ann"]}, "4 user_vectors for 1 users"),
        ({"user_vectors": np.ones((4, 2))}, "user_vectors have 2 numbers, item_vectors 3"),
        ({"item_vectors": np.full((5, 3), np.nan)}, "item_vectors: row 0"),
        ({"biases": np.ones((5, 1))}, r"biases has shape \(5, 1\), expected \(5,\)"),
        ({"biases": [np.inf] * 5}, "biases: row 0"),
        ({"seen": seen_of([[0]])}, r"seen has shape \(1, 5\), expected \(4, 5\)"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    rec = small()
    names = ("users", "items", "user_vectors", "item_vectors", "seen", "biases")
    with pytest.raises(ValueError, match=message):
        Recommender(**({name: getattr(rec, name) for name in names} | change))


def test_pickles_and_copies_answer_the_same():
    for rec in (small(), EASE(reg=1).fit(two_groups())):
        for other in (pickle.loads(pickle.dumps(rec)), copy.deepcopy(rec)):
            assert type(other) is type(rec)
            assert other.recommend(0, 4)[1].tolist() == rec.recommend(0, 4)[1].tolist()
            assert other.metadata == rec.metadata
    assert repr(small()) == "Recommender(4 users, 5 items, dim=3)"


# ---- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("make", [small, lambda: small(False), lambda: EASE(1).fit(two_groups())])
def test_a_folder_brings_back_the_same(tmp_path, make, mmap):
    rec = make()
    rec.save(tmp_path / "rec")
    other = Recommender.load(tmp_path / "rec", mmap=mmap)
    assert type(other) is type(rec)
    assert (other.users, other.items, other.metadata) == (rec.users, rec.items, rec.metadata)
    for name in ("user_vectors", "item_vectors", "biases", "diagonal"):
        a, b = getattr(rec, name, None), getattr(other, name, None)
        assert (a is None) == (b is None)
        assert a is None or (a == b).all()
    assert other.recommend([0, 1], 5)[0].tolist() == rec.recommend([0, 1], 5)[0].tolist()


def test_firth_load_says_what_reads_a_recommender(tmp_path):
    small().save(tmp_path / "rec")
    with pytest.raises(FormatError, match=r"firth\.Recommender\.load reads it"):
        firth.load(tmp_path / "rec")
    firth.Embedding(["a"], [[1]]).save(tmp_path / "emb")
    with pytest.raises(FormatError, match="version 1 of a recommender"):
        Recommender.load(tmp_path / "emb")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("users", 3),
        ("items", -1),
        ("dim", 4),
        ("seen", 6),
        ("keys", 8),
        ("users", 9.0),
        ("metadata", []),
        ("version", 2),
    ],
)
def test_a_folder_that_contradicts_itself_is_refused(tmp_path, monkeypatch, key, value):
    dumps = json.dumps
    monkeypatch.setattr(json, "dumps", lambda config, **o: dumps({**config, key: value}, **o))
    small().save(tmp_path / "rec")
    monkeypatch.undo()
    with pytest.raises(FormatError):
        Recommender.load(tmp_path / "rec")


def test_items_beyond_the_last_in_a_file_are_refused(tmp_path):
    rec = small()
    rec.seen.indices[0] = 77  # behind the back of the check
    rec.save(tmp_path / "rec")
    with pytest.raises(FormatError, match="a recommender"):
        Recommender.load(tmp_path / "rec")
