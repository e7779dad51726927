"""Embedding.nearest and what narrows a search; the same answers from prepared vectors."""

import copy
import math
import pickle

import numpy as np
import pytest

import firth
import oracle
from firth import Embedding

KEYS = ["king", "queen", "man", "woman"]
ROWS = [[2, 1, 0], [2, 1, 2], [1, 0, 0], [1, 0, 1]]


@pytest.fixture
def emb():
    return Embedding(KEYS, ROWS)


def cosine(a, b):
    return oracle.score(a, b, "cosine")


def test_the_nearest_are_those_of_the_definition(many):
    keys = ["w3", "w17", "w18", "w499"]
    ids, scores = many.nearest(keys, k=9)
    assert (ids.dtype, ids.shape, scores.dtype) == (np.dtype("i8"), (4, 9), np.dtype("f4"))
    for key, rows, values in zip(keys, ids.tolist(), scores.tolist(), strict=True):
        own = many.index[key]
        expected = [(-cosine(many[key], v), r) for r, v in enumerate(many.vectors) if r != own]
        best = sorted(expected)[:9]
        assert rows == [row for _, row in best]
        assert values == pytest.approx([-score for score, _ in best], abs=1e-6)


def test_a_key_is_in_its_own_answer_only_if_asked_for(many):
    assert many.nearest("w3", k=1)[0].tolist() != [3]
    assert many.nearest("w3", k=1, exclude_self=False)[0].tolist() == [3]
    assert many.nearest(many["w3"], k=1)[0].tolist() == [3]
    assert many.nearest(["w3", many["w3"]], k=1)[0][1].tolist() == [3]


def test_one_query_gives_one_row_and_many_a_matrix(many):
    assert many.nearest("w1", k=4)[0].shape == (4,)
    assert many.nearest(many["w1"], k=4)[1].shape == (4,)
    assert many.nearest(many["w1"].tolist(), k=4)[1].shape == (4,)
    assert many.nearest(["w1"], k=4)[0].shape == (1, 4)
    assert many.nearest([many["w1"]], k=4)[0].shape == (1, 4)
    assert many.nearest(many.vectors[:3], k=4)[0].shape == (3, 4)
    assert many.nearest(np.array(["w1", "w2"]), k=4)[0].shape == (2, 4)
    assert many.nearest([], k=4)[0].shape == (0, 4)


def test_nearest_among_the_first(many):
    ids, _ = many.nearest(["w3", "w400"], k=9, among=10)
    assert ids.max() < 10
    assert 3 not in ids[0]
    assert len(set(ids[0].tolist())) == 9
    with pytest.raises(ValueError, match="nearest: k=10 is not between 1 and the 9 keys"):
        many.nearest(["w3", "w400"], k=10, among=10)
    assert many.nearest(["w400"], k=10, among=10)[0].shape == (1, 10)


def test_rows_that_a_mask_leaves_out_are_in_no_answer(many):
    mask = np.arange(500) % 3 > 0
    terms = ["w3", "w4", many["w7"]]
    ids, scores = many.nearest(terms, k=9, mask=mask)
    whole_ids, whole_scores = many.nearest(terms, k=499)
    for row in range(3):
        allowed = mask[whole_ids[row]]
        assert ids[row].tolist() == whole_ids[row][allowed][:9].tolist()
        assert scores[row].tolist() == whole_scores[row][allowed][:9].tolist()
    assert many.nearest("w3", k=9, mask=mask.tolist())[0].tolist() == ids[0].tolist()
    some = many.nearest("w4", k=3, among=10, mask=mask)[0]
    assert set(some.tolist()) <= {1, 2, 5, 7, 8}


def test_what_a_mask_leaves_is_what_k_may_be(many):
    mask = np.zeros(500, bool)
    mask[[3, 4, 400]] = True
    assert sorted(many.nearest("w3", k=2, mask=mask)[0].tolist()) == [4, 400]
    assert len(many.nearest(["w5", "w400"], k=2, mask=mask, among=100)[0]) == 2
    for key, k, among, left in [("w3", 3, None, 2), ("w5", 4, None, 3), ("w3", 2, 100, 1)]:
        said = f"^nearest: k={k} is not between 1 and the {left} keys"
        with pytest.raises(ValueError, match=said):
            many.nearest(key, k=k, mask=mask, among=among)


def test_a_threshold_pads_the_answers_of_nearest(many):
    ids, scores = many.nearest(["w3", "w17"], k=500, threshold=0.5)
    best_ids, best_scores = many.nearest(["w3", "w17"], k=499)
    enough = int((best_scores[0] >= 0.5).sum())
    assert 0 < enough < 499
    assert ids[0].tolist() == best_ids[0][:enough].tolist() + [-1] * (500 - enough)
    assert scores[0].tolist() == best_scores[0][:enough].tolist() + [-math.inf] * (500 - enough)
    assert set(ids[1].tolist()) == {-1}  # a vector of zeros has cosine 0 with everything
    ids, scores = many.nearest("w3", k=500, threshold=-math.inf)
    assert (ids[:-1].tolist(), ids[-1], scores[-1]) == (best_ids[0].tolist(), -1, -math.inf)
    nothing = many.nearest("w3", k=1, threshold=-1, mask=np.zeros(500, bool))
    assert (nothing[0].tolist(), nothing[1].tolist()) == ([-1], [-math.inf])


def test_a_threshold_is_itself_enough():
    emb = Embedding(["a", "b", "c"], [[3, 4], [1, 0], [0, 1]])
    assert emb.nearest("a", k=2, threshold=0.6)[0].tolist() == [2, 1]
    above = np.nextafter(0.6, 1)
    assert emb.nearest("a", k=2, threshold=above)[0].tolist() == [2, -1]
    assert emb.nearest("a", k=2, threshold=1)[0].tolist() == [-1, -1]


@pytest.mark.parametrize("method", ["add", "mul"])
def test_a_threshold_shortens_the_most_similar(many, method):
    whole = many.most_similar(["w1", "w2"], "w3", k=497, method=method)
    least = 0.5
    enough = [(key, score) for key, score in whole if score >= least]
    assert 0 < len(enough) < 497
    found = many.most_similar(["w1", "w2"], "w3", k=500, method=method, threshold=least)
    assert found == enough
    found = many.most_similar(["w1", "w2"], "w3", k=2, method=method, threshold=least)
    assert found == enough[:2]
    everything = {"method": method, "threshold": -math.inf}
    assert many.most_similar(["w1", "w2"], "w3", k=500, **everything) == whole
    assert many.most_similar("w1", k=1, method=method, threshold=1e9) == []


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"mask": np.ones(499, bool)}, ValueError, r"mask: shape \(499,\) is not \(500,\)"),
        ({"mask": np.ones((500, 1), bool)}, ValueError, "mask: shape"),
        ({"mask": np.ones(500)}, TypeError, "mask: dtype float64 is not bool"),
        ({"mask": np.ma.masked_array(np.ones(500, bool))}, TypeError, "mask: .* MaskedArray"),
        ({"mask": ["w1", "w2"]}, TypeError, "mask: dtype <U2 is not bool"),
        ({"threshold": math.nan}, ValueError, "threshold=nan is neither finite nor -inf"),
        ({"threshold": math.inf}, ValueError, "threshold=inf is neither finite nor -inf"),
        ({"threshold": 10**400}, ValueError, "threshold is an integer beyond all floats"),
        ({"threshold": "0.5"}, TypeError, "threshold must be a number, got str"),
        ({"threshold": True}, TypeError, "threshold must be a number, got bool"),
        ({"threshold": 0.5, "k": 501}, ValueError, "k=501 is not between 1 and the 500 keys"),
        ({"threshold": 0.5, "k": 0}, ValueError, "k=0 is not between 1 and the 500 keys"),
        ({"k": 2.0}, TypeError, "k must be an integer, got float"),
        ({"k": None}, TypeError, "k must be an integer, got NoneType"),
        ({"k": True}, TypeError, "k must be an integer, got bool"),
        ({"k": 10**5000}, ValueError, "k is an integer of 16610 bits"),
        ({"among": 2.0}, TypeError, "among must be an integer, got float"),
        ({"among": False}, TypeError, "among must be an integer, got bool"),
        ({"among": 10**5000}, ValueError, "among is an integer of 16610 bits"),
    ],
)
def test_wrong_masks_and_thresholds_are_named(many, options, error, text):
    arguments = {"k": 1, **options}
    with pytest.raises(error, match=f"^nearest: {text}"):
        many.nearest("w1", **arguments)
    if "mask" not in options:
        with pytest.raises(error, match=f"^most_similar: {text}"):
            many.most_similar("w1", **arguments)


# ---- prepared -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scan", ["auto", "float32", "bfloat16", "int8"])
def test_prepared_vectors_give_the_same_answers(many, scan):
    def ask(emb):
        yield emb.nearest(["w3", "w17", "w18", "w499"], k=9)
        yield emb.nearest(many.vectors, k=3, among=77)
        yield emb.nearest(["w3", "w400"], k=9, threshold=0.6, mask=np.arange(500) % 2 > 0)
        yield emb.most_similar(["w1", "w2"], "w3", k=20)
        yield emb.most_similar("w1", k=20, among=33)
        yield emb.most_similar("w1", k=20, method="mul", threshold=0.1)
        yield emb.analogy("w1", "w2", "w3", k=5)

    emb = Embedding(many.keys, many.vectors)
    assert emb.prepared is None
    assert emb.prepare(scan) is emb
    assert emb.prepared.scan == ("int8" if scan == "auto" else scan)
    assert np.shares_memory(emb.prepared.rows, many.vectors)
    for found, expected in zip(ask(emb), ask(many), strict=True):
        if isinstance(found, list):
            assert found == expected
        else:
            assert [array.tolist() for array in found] == [array.tolist() for array in expected]


def test_searches_scan_what_was_prepared(monkeypatch):
    asked = []
    topk = firth.kernels.topk
    monkeypatch.setattr(
        "firth.embedding.kernels.topk",
        lambda queries, items, *more, **options: (
            asked.append(items) or topk(queries, items, *more, **options)
        ),
    )
    emb = Embedding(KEYS, ROWS).prepare()
    emb.nearest("king", k=1)
    emb.most_similar("king", k=1)
    emb.nearest("king", k=1, among=3)
    assert asked[0] is asked[1] is emb.prepared
    assert isinstance(asked[2], firth.kernels.Prepared)
    assert len(asked[2]) == 3


def test_pickles_and_copies_are_not_prepared(emb):
    before = len(pickle.dumps(emb))
    emb.prepare()
    for twin in (pickle.loads(pickle.dumps(emb)), copy.deepcopy(emb), copy.copy(emb)):
        assert twin.prepared is None
        assert twin.nearest("king", k=2)[0].tolist() == emb.nearest("king", k=2)[0].tolist()
    assert len(pickle.dumps(emb)) == before


def test_a_mapped_embedding_can_be_prepared(emb, tmp_path):
    emb.save(tmp_path / "a")
    mapped = firth.load(tmp_path / "a").prepare()
    assert np.shares_memory(mapped.prepared.rows, mapped.vectors)
    assert mapped.nearest("king", k=3)[0].tolist() == emb.nearest("king", k=3)[0].tolist()
    mapped.save(tmp_path / "b")
    assert firth.load(tmp_path / "b").prepared is None


def test_what_cannot_be_prepared_is_refused(emb):
    with pytest.raises(ValueError, match=r"^prepare: scan='int4' is neither"):
        emb.prepare("int4")
    with pytest.raises(ValueError, match=r"^prepare: threads=0 is not between"):
        emb.prepare(threads=0)
    assert emb.prepared is None
    with pytest.raises(ValueError, match=r"^prepare: items\[0\] is not finite"):
        Embedding(["a"], [[math.nan]], check=False).prepare()
    assert len(Embedding([], np.ones((0, 3))).prepare().prepared) == 0
