"""Embedding: what it takes, gives and refuses, and its answers held against float64 loops."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
import oracle
from firth import Embedding
from strategies import any_keys, keys_and_vectors

KEYS = ["king", "queen", "man", "woman", "zero", "far"]
ROWS = [[2, 1, 0], [2, 1, 2], [1, 0, 0], [1, 0, 1], [0, 0, 0], [-5, -5, -5]]


@pytest.fixture
def emb():
    return Embedding(KEYS, ROWS, counts=range(6, 0, -1), metadata={"by": "hand"})


def cosine(a, b):
    return oracle.score(a, b, "cosine")


# ---- what it holds ------------------------------------------------------------------------------


def test_it_gives_what_it_was_given(emb):
    assert emb.keys == KEYS
    assert list(emb) == KEYS
    assert emb.index == {key: row for row, key in enumerate(KEYS)}
    assert emb.vectors.tolist() == ROWS
    assert emb.counts.tolist() == [6, 5, 4, 3, 2, 1]
    assert emb.metadata == {"by": "hand"}
    assert (len(emb), emb.dim, repr(emb)) == (6, 3, "Embedding(6 keys, dim=3)")
    assert "king" in emb
    assert "King" not in emb
    assert 0 not in emb


def test_keys_give_vectors(emb):
    assert emb["queen"].tolist() == [2, 1, 2]
    assert emb[["man", "king", "man"]].tolist() == [ROWS[2], ROWS[0], ROWS[2]]
    assert emb[np.array(["man"])].tolist() == [ROWS[2]]
    assert emb[()].shape == (0, 3)


@pytest.mark.parametrize("keys", ["x", ["king", "x"], ("x",)])
def test_an_unknown_key_is_named(emb, keys):
    for ask in (
        lambda: emb[keys],
        lambda: emb.most_similar(keys, k=1),
        lambda: emb.most_similar("king", keys, k=1),
        lambda: emb.nearest(keys, k=1),
    ):
        with pytest.raises(KeyError, match=r"^'x'$"):
            ask()


@pytest.mark.parametrize("key", [0, b"king", None, 1.5])
def test_what_is_no_key_is_refused(emb, key):
    with pytest.raises(TypeError, match="is neither a key nor several keys"):
        emb[key]


def test_vectors_that_are_given_out_are_copies(emb):
    emb["king"][:] = 9
    emb[["king"]][:] = 9
    emb.unit()[:] = 9
    assert emb.vectors.tolist() == ROWS


def test_float32_is_kept_and_never_written_to():
    vectors = np.array(ROWS, np.float32)
    vectors.flags.writeable = False
    emb = Embedding(KEYS, vectors)
    assert emb.vectors is vectors
    emb.most_similar("king", k=2)
    emb.most_similar("king", "man", k=2, method="mul")
    emb.nearest("king", k=2)
    emb.unit()


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4", ">f8", "i4", "u1", "i8"])
@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, lambda a: a[::-1][::-1]])
def test_other_real_numbers_and_layouts_are_converted(dtype, layout):
    emb = Embedding(["a", "b"], layout(np.array([[1, 2, 3], [4, 5, 6]], dtype)))
    assert emb.vectors.dtype == np.dtype("f4")
    assert emb.vectors.flags.c_contiguous
    assert emb.vectors.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("keys", "vectors", "options", "error", "text"),
    [
        (["a", "b", "a"], np.ones((3, 1)), {}, ValueError, "keys: 'a' is given more than once"),
        ("ab", np.ones((2, 1)), {}, TypeError, "keys: expected a sequence of texts"),
        (["a", 1], np.ones((2, 1)), {}, TypeError, "keys: 1 in row 1 is no text"),
        ([b"a"], np.ones((1, 1)), {}, TypeError, "keys: b'a' in row 0 is no text"),
        (["a"], np.ones((2, 1)), {}, ValueError, "2 vectors for 1 keys"),
        (["a"], [1.0], {}, ValueError, r"shape \(1,\) does not have 2 axes"),
        (["a"], np.ones((1, 1, 1)), {}, ValueError, "does not have 2 axes"),
        (["a"], np.ones((1, 0)), {}, ValueError, "has no dimensions"),
        (["a"], [["1"]], {}, TypeError, "dtype <U1 is no real number"),
        (["a"], [[1j]], {}, TypeError, "dtype complex128 is no real number"),
        (["a"], [[True]], {}, TypeError, "dtype bool is no real number"),
        (["a"], [[None]], {}, TypeError, "dtype object is no real number"),
        (["a", "b"], [[1], [math.nan]], {}, ValueError, "row 1 has a number that is not finite"),
        (["a"], [[-math.inf]], {}, ValueError, "row 0 has a number that is not finite"),
        (["a"], [[1e39]], {}, ValueError, "not finite as float32"),
        (["a"], [[1]], {"counts": [1, 2]}, ValueError, r"counts: shape \(2,\) is not \(1,\)"),
        (["a"], [[1]], {"counts": [1.0]}, TypeError, "counts: dtype float64 is no integer"),
        (["a"], [[1]], {"counts": [-1]}, ValueError, "counts: found one that is negative"),
        (["a"], [[1]], {"counts": np.array([2**63], "u8")}, ValueError, "above 2"),
    ],
)
def test_wrong_arguments_are_named(keys, vectors, options, error, text):
    with pytest.raises(error, match=f"Embedding: .*{text}"):
        Embedding(keys, vectors, **options)


def test_unchecked_numbers_are_not_looked_at():
    emb = Embedding(["a"], [[math.nan]], check=False)
    assert math.isnan(emb.vectors[0, 0])


@given(keys_and_vectors(any_keys))
def test_pickles_and_copies_are_equal_and_apart(pair):
    keys, vectors = pair
    emb = Embedding(keys, vectors, range(len(keys)), {"a": [1]})
    for twin in (pickle.loads(pickle.dumps(emb)), copy.deepcopy(emb)):
        assert twin.keys == keys
        assert twin.vectors.tobytes() == vectors.tobytes()
        assert not np.shares_memory(twin.vectors, emb.vectors)
        assert twin.counts.tolist() == emb.counts.tolist()
        assert twin.metadata == {"a": [1]}
        assert twin.index == emb.index
    assert copy.copy(emb).keys == keys


def test_a_mapped_embedding_can_be_pickled(emb, tmp_path):
    emb.save(tmp_path / "a")
    twin = pickle.loads(pickle.dumps(firth.load(tmp_path / "a")))
    assert twin.vectors.tolist() == ROWS
    assert twin.nearest("king", k=1)[0].tolist() == [2]


def test_unit_vectors_have_length_one_or_zero():
    emb = Embedding(["a", "b", "c", "d"], [[3, 4], [0, 0], [1e30, 0], [0, -1e-30]])
    np.testing.assert_array_equal(
        emb.unit(), np.array([[0.6, 0.8], [0, 0], [1, 0], [0, -1]], np.float32)
    )


# ---- similarity ---------------------------------------------------------------------------------


def test_similarity_is_the_cosine(emb):
    assert emb.similarity("king", "king") == 1.0
    assert emb.similarity("king", "zero") == 0.0
    assert emb.similarity("zero", "zero") == 0.0
    assert emb.similarity("king", [0, 0, 1]) == 0.0
    assert emb.similarity("man", np.array([-2.0, 0, 0])) == -1.0
    assert emb.similarity("king", "queen") == pytest.approx(cosine(ROWS[0], ROWS[1]), abs=1e-15)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=6, max_size=6))
def test_similarity_of_any_vectors_is_between_minus_one_and_one(numbers):
    emb = Embedding(["a", "b"], np.array(numbers, np.float32).reshape(2, 3))
    found = emb.similarity("a", "b")
    assert -1 <= found <= 1
    assert found == emb.similarity("b", "a")
    assert found == pytest.approx(cosine(*emb.vectors), abs=1e-12)


@pytest.mark.parametrize("wrong", [[1, 2], np.ones((2, 3)), ["king", "man"], []])
def test_similarity_of_something_else_is_refused(emb, wrong):
    with pytest.raises(ValueError, match="similarity: "):
        emb.similarity("king", wrong)


# ---- most similar -------------------------------------------------------------------------------


def added(emb, plus, minus, row):
    terms = [(emb[key].astype(float), 1) for key in plus] + [
        (emb[key].astype(float), -1) for key in minus
    ]
    total = sum(sign * term / (np.linalg.norm(term) or 1) for term, sign in terms)
    return cosine(total, emb.vectors[row])


def multiplied(emb, plus, minus, row):
    near, far = (
        math.prod((1 + cosine(emb[key], emb.vectors[row])) / 2 for key in keys)
        for keys in (plus, minus)
    )
    return near / (far + 0.001)


@pytest.mark.parametrize(("method", "score"), [("add", added), ("mul", multiplied)])
@pytest.mark.parametrize(
    ("plus", "minus"),
    [(["w1"], []), (["w1", "w2"], ["w3"]), ([], ["w4"]), (["w17"], []), (["w18"], ["w17", "w5"])],
)
@pytest.mark.parametrize("among", [None, 100, 3])
def test_the_most_similar_are_those_of_the_definition(many, method, score, plus, minus, among):
    rows = range(among or 500)
    rest = [row for row in rows if many.keys[row] not in plus + minus]
    scores = {many.keys[row]: score(many, plus, minus, row) for row in rest}
    k = min(20, len(rest))
    found = many.most_similar(plus, minus, k, method=method, among=among)
    assert len(found) == k
    assert not {key for key, _ in found} & {*plus, *minus}
    for (key, value), best in zip(found, sorted(scores.values(), reverse=True), strict=False):
        assert value == pytest.approx(scores[key], rel=1e-6, abs=1e-6)
        assert value == pytest.approx(best, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("method", ["add", "mul"])
def test_equal_scores_come_in_row_order(method):
    emb = Embedding(list("qabcd"), [[1, 0], [1, 0], [2, 0], [0, 1], [4, 0]])
    found = emb.most_similar("q", k=4, method=method)
    assert [key for key, _ in found] == ["a", "b", "d", "c"]


def test_keys_and_vectors_may_be_given_alone_or_mixed(emb):
    expected = emb.most_similar(["king"], k=2)
    assert emb.most_similar("king", k=2) == expected
    with_king = emb.most_similar(emb["king"], k=3)
    assert [key for key, _ in with_king] == ["king", *(key for key, _ in expected)]
    assert emb.most_similar([emb["king"]], k=3) == with_king
    assert emb.most_similar(ROWS[0], k=3) == with_king
    mixed = emb.most_similar(["woman", ROWS[0]], ["man"], k=2)
    assert mixed[0][0] == "queen"


@pytest.mark.parametrize("method", ["add", "mul"])
def test_an_analogy_is_answered(emb, method):
    assert emb.analogy("man", "king", "woman", method=method)[0][0] == "queen"
    assert len(emb.analogy("man", "king", "woman", k=3)) == 3


def test_given_keys_behind_among_do_not_count(emb):
    found = emb.most_similar(["queen", "woman"], k=1, among=2)
    assert [key for key, _ in found] == ["king"]
    assert len(emb.most_similar("woman", k=2, among=2)) == 2


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        (([],), {}, "positive and negative are both empty"),
        (("king",), {"k": 0}, "k=0 is not between 1 and the 5 keys to choose from"),
        (("king",), {"k": 6}, "k=6 is not between 1 and the 5 keys"),
        (("king",), {"k": -1}, "k=-1 is not between"),
        (("king",), {"k": 1, "among": 0}, "among=0 is not between 1 and the 6 keys"),
        (("king",), {"k": 1, "among": 7}, "among=7 is not between 1 and the 6 keys"),
        (("king",), {"k": 1, "among": 1}, "k=1 is not between 1 and the 0 keys"),
        (("king",), {"k": 1, "method": "x"}, "method='x' is neither 'add' nor 'mul'"),
        (([1.0, 2.0],), {"k": 1}, "vectors of 2 numbers, the embedding has 3"),
        (([1.0, math.nan, 0],), {"k": 1}, "row 0 has a number that is not finite"),
    ],
)
def test_wrong_questions_are_named(emb, arguments, options, text):
    with pytest.raises(ValueError, match=f"most_similar: .*{text}"):
        emb.most_similar(*arguments, **options)
    with pytest.raises(TypeError):
        emb.most_similar("king", k=1.5)


@pytest.mark.parametrize("method", ["add", "mul"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_vectors_that_are_not_finite_are_named(method, value):
    emb = Embedding(["a", "b", "c"], [[1, 2], [2, 1], [0, value]], check=False)
    with pytest.raises(ValueError, match=r": (items|vectors)\[2\] is not finite"):
        emb.most_similar("a", "b", k=1, method=method)
    with pytest.raises(ValueError, match=r"^most_similar: positive\[1\] is not finite"):
        emb.most_similar(["a", "c"], k=1, method=method)
    with pytest.raises(ValueError, match=r"^most_similar: negative\[0\] is not finite"):
        emb.most_similar("a", "c", k=1, method=method)
    assert emb.most_similar("a", k=1, among=2, method=method)[0][0] == "b"


def test_vectors_with_great_and_small_numbers_are_found():
    emb = Embedding(["a", "b", "c"], [[3e38, 3e38], [1e-44, 1e-44], [-3e38, 1e38]])
    assert emb.most_similar("a", k=1) == [("b", 1.0)]
    assert emb.most_similar("a", k=1, method="mul")[0][0] == "b"
    assert emb.nearest("b", k=1)[0].tolist() == [0]
    assert emb.similarity("a", "b") == pytest.approx(1)
