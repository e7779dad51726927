"""Subwords and SubwordEmbedding: bags, vectors of keys and of words never seen, and their answers.

What an n-gram hashes to is held against the definition in tests/kernels/test_subwords.py.
"""

import copy
import json
import pickle
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import Embedding, SubwordEmbedding, Subwords, kernels
from strategies import any_keys

KEYS = ["cat", "cats", "dog", "</s>", "", "ä", "日本語", "a"]
RULES = {
    "fasttext": Subwords(min_n=3, max_n=6, buckets=50),
    "short": Subwords(min_n=1, max_n=2, buckets=7),
    "floret": Subwords(min_n=4, max_n=5, buckets=31, hashes=2),
    "words": Subwords(min_n=0, max_n=0, buckets=0),
}
UNSEEN = ["catz", "doge", "日本", "mouse", "x"]


def made(rule, keys=KEYS, dim=5, seed=0, **options):
    """An embedding of random rows."""
    rng = np.random.default_rng(seed)
    rows = rule.buckets + (len(keys) if rule.words_have_rows else 0)
    table = rng.standard_normal((rows, dim)).astype(np.float32)
    return SubwordEmbedding(keys, table, rule, **options)


@pytest.fixture(params=RULES)
def emb(request):
    rng = np.random.default_rng(1)
    output = rng.standard_normal((len(KEYS), 5)).astype(np.float32)
    return made(RULES[request.param], counts=range(8), metadata={"by": "hand"}, output=output)


@pytest.fixture
def pruned():
    """A pruned model: of 50 buckets, each third has a row."""
    rule, rng = RULES["fasttext"], np.random.default_rng(2)
    kept = np.full(50, -1, np.int32)
    kept[::3] = rng.permutation(17)
    table = rng.standard_normal((len(KEYS) + 17, 5)).astype(np.float32)
    return SubwordEmbedding(KEYS, table, rule, kept=kept)


def mean(emb, word):
    """The definition: the mean in float64 of the rows of the bag."""
    return emb.input[emb.bag(word)].astype(np.float64).mean(axis=0)


def close(found, expected):
    """Equal to within what adding some float32 rows may lose."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    return True


def same(found, expected):
    def tables(emb):
        arrays = emb.vectors, emb.input, emb.output, emb.kept, emb.counts
        return [None if x is None else (x.tobytes(), x.shape, x.dtype) for x in arrays]

    return (
        type(found) is type(expected)
        and found.keys == expected.keys
        and tables(found) == tables(expected)
        and found.rule == expected.rule
        and found.metadata == expected.metadata
    )


# ---- the rule -----------------------------------------------------------------------------------


def test_a_rule_is_plain_numbers():
    rule = Subwords(min_n=np.int64(2), max_n=np.uint8(4), buckets=np.int32(9))
    found = json.loads(json.dumps(asdict(rule)))
    assert found == {"min_n": 2, "max_n": 4, "buckets": 9, "hashes": 0}
    assert rule == Subwords(2, 4, 9)


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"min_n": 7}, ValueError, "Subwords: min_n=7 is not between 1 and 6"),
        ({"min_n": 0}, ValueError, "min_n=0 is not between 1 and 6"),
        ({"max_n": -1}, ValueError, "max_n=-1"),
        ({"max_n": 2**16 + 1}, ValueError, "max_n=65537"),
        ({"max_n": 2}, ValueError, "min_n=3 is not between 1 and 2"),
        ({"buckets": 0}, ValueError, "buckets=0 is not between 1"),
        ({"buckets": 2**31}, ValueError, "buckets=2147483648"),
        ({"max_n": 0, "hashes": 1, "buckets": 0}, ValueError, "buckets=0"),
        ({"hashes": 5}, ValueError, "hashes=5 is not between 0 and 4"),
        ({"min_n": 3.0}, TypeError, "min_n=3.0 is not a whole number"),
        ({"buckets": True}, TypeError, "buckets=True"),
    ],
)
def test_a_wrong_setting_is_named(settings, error, text):
    with pytest.raises(error, match=text):
        Subwords(**settings)


@given(st.lists(any_keys, max_size=6), st.sampled_from(sorted(RULES)), st.integers(0, 2**20))
def test_bags_are_the_kernels_from_a_row_on(words, name, first):
    rule = RULES[name]
    found = rule.bags(words, first_row=first)
    alone = [rule.bags([word]).ids.astype(np.int64) + first for word in words]
    assert found.offsets.tolist() == np.cumsum([0, *map(len, alone)]).tolist()
    assert found.ids.tolist() == [int(row) for bag in alone for row in bag]
    assert (found.ids.dtype, found.offsets.dtype) == (np.uint32, np.int64)
    for word, bag in zip(words, alone, strict=True):
        ngrams = rule.ngrams(word)
        assert [bucket + first for _, bucket in ngrams] == bag.tolist()


def test_ngrams_are_the_texts_of_the_buckets():
    texts = [text for text, _ in RULES["fasttext"].ngrams("äb")]
    assert texts == ["<äb", "<äb>", "äb>"]
    assert [text for text, _ in RULES["short"].ngrams("a")] == ["<a", "a", "a>"]
    floret = RULES["floret"].ngrams("ab")
    assert [text for text, _ in floret] == ["<ab>", "<ab>", "<ab>", "<ab>"]
    assert floret[:2] == floret[2:]
    assert RULES["words"].ngrams("cat") == []
    assert all(rule.ngrams("</s>") == [] for rule in RULES.values())


# ---- what it holds ------------------------------------------------------------------------------


def test_it_gives_what_it_was_given(emb):
    assert (emb.keys, len(emb), emb.dim, list(emb)) == (KEYS, 8, 5, KEYS)
    assert emb.counts.tolist() == list(range(8))
    assert emb.metadata == {"by": "hand"}
    assert emb.output.shape == (8, 5)
    assert repr(emb) == f"SubwordEmbedding(8 keys, dim=5, buckets={emb.rule.buckets})"


def test_tables_are_kept_without_a_copy():
    table, output = np.ones((52, 3), np.float32), np.ones((2, 3), np.float32)
    table.flags.writeable = output.flags.writeable = False
    found = SubwordEmbedding(["a", "b"], table, RULES["fasttext"], output=output)
    assert found.input is table
    assert found.output is output
    assert SubwordEmbedding(["a"], np.ones((51, 2)), RULES["fasttext"]).input.dtype == np.float32


def test_the_vector_of_a_key_is_the_mean_of_its_bag(emb):
    for row, key in enumerate(KEYS):
        bag = emb.bag(key)
        own = [row] if emb.rule.words_have_rows else []
        first = len(KEYS) if own else 0
        ngrams = [bucket + first for _, bucket in emb.rule.ngrams(key)]
        assert bag.tolist() == own + ngrams
        if len(bag):
            assert close(emb.vectors[row], mean(emb, key))
        else:
            assert not emb.vectors[row].any()
        assert emb[key].tolist() == emb.vectors[row].tolist()


def test_an_unseen_word_is_the_mean_of_its_ngrams(emb):
    rule, first = emb.rule, len(KEYS) if emb.rule.words_have_rows else 0
    words = [word for word in UNSEEN if rule.ngrams(word)]
    for word in words:
        assert word not in emb
        assert emb.has_vector(word)
        assert close(emb[word], mean(emb, word))
    settings = {"max_n": rule.max_n, "hashes": rule.hashes, "first_row": first}
    if words:
        settings |= {"min_n": rule.min_n, "buckets": rule.buckets}
        expected = kernels.subword_means(words, emb.input, **settings)
        assert emb[words].tobytes() == expected.tobytes()
        mixed = emb[["dog", *words, "cat"]]
        assert mixed[0].tolist() == emb["dog"].tolist()
        assert mixed[1:-1].tobytes() == expected.tobytes()
        assert mixed[-1].tolist() == emb["cat"].tolist()


def test_a_word_without_a_bag_is_unknown():
    emb = made(RULES["words"])
    assert not emb.has_vector("mouse")
    for words in ("mouse", ["cat", "mouse", "house"]):
        with pytest.raises(KeyError, match="'mouse'"):
            emb[words]
    for ask in (emb.nearest, emb.most_similar, lambda word: emb.similarity("cat", word)):
        with pytest.raises(KeyError, match="mouse"):
            ask("mouse")
    without = made(RULES["fasttext"], keys=["cat"])
    assert not without.has_vector("</s>")
    assert not without.has_vector(5)
    for word in ("</s>", 5):
        with pytest.raises(KeyError, match=str(word)):
            without[[word]]


def test_a_bag_of_rows_that_cancel_is_a_zero_vector_and_no_error():
    emb = SubwordEmbedding([], np.zeros((50, 2)), RULES["fasttext"])
    assert emb["cat"].tolist() == [0, 0]
    assert emb[["cat", "dog"]].shape == (2, 2)


def test_pruned_buckets_are_left_out(pruned):
    raw = RULES["fasttext"].ngrams("catalogue")
    rows = [int(pruned.kept[bucket]) + len(KEYS) for _, bucket in raw if pruned.kept[bucket] >= 0]
    assert 0 < len(rows) < len(raw)
    assert pruned.bag("catalogue").tolist() == rows
    assert [row for _, row in pruned.subwords("catalogue")] == rows
    assert close(pruned["catalogue"], mean(pruned, "catalogue"))
    cats = pruned.subwords("cats")
    assert cats[0] == ("cats", 1)
    assert [row for _, row in cats] == pruned.bag("cats").tolist()
    assert close(pruned["cats"], mean(pruned, "cats"))
    nothing = SubwordEmbedding(["a"], [[1.0]], RULES["fasttext"], kept=np.full(50, -1, np.int32))
    assert nothing["a"].tolist() == [1]
    assert not nothing.has_vector("catalogue")


def test_bags_of_many_keys_are_made_in_parts(monkeypatch):
    whole = made(RULES["fasttext"]).vectors
    monkeypatch.setattr("firth.subword_embedding._NGRAMS", 40)
    assert made(RULES["fasttext"]).vectors.tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"rule": {"min_n": 3}}, TypeError, "rule is dict, expected Subwords"),
        ({"input": np.ones((51, 2))}, ValueError, "input has 51 rows, expected 2 of keys and 50"),
        ({"input": np.ones((0, 2))}, ValueError, "input has 0 rows"),
        ({"input": [["a"]] * 52}, TypeError, "input: dtype"),
        ({"input": np.ones(52)}, ValueError, "input: shape"),
        ({"input": np.full((52, 2), np.nan)}, ValueError, "input: row 0 has a number"),
        ({"output": np.ones((3, 2))}, ValueError, "3 output for 2 keys"),
        ({"output": np.ones((2, 3))}, ValueError, "output: dim 3, but that of input is 2"),
        ({"vectors": np.ones((2, 3))}, ValueError, "vectors: dim 3"),
        ({"vectors": np.ones((1, 2))}, ValueError, "1 vectors for 2 keys"),
        ({"kept": np.zeros(50)}, TypeError, "kept: dtype float64 is not int32"),
        ({"kept": np.zeros(49, "i4")}, ValueError, r"kept: shape \(49,\) is not \(50,\)"),
        ({"kept": np.full(50, 50, "i4")}, ValueError, "not between -1 and 49"),
        ({"kept": np.full(50, -2, "i4")}, ValueError, "not between -1 and 49"),
        ({"kept": np.zeros(50, "i4"), "input": np.ones((1, 2))}, ValueError, "kept|rows"),
        ({"keys": ["a", "a"]}, ValueError, "'a' is given more than once"),
        ({"keys": ["a", 1]}, TypeError, "is no text"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, text):
    good = {"keys": ["a", "b"], "input": np.ones((52, 2)), "rule": RULES["fasttext"]}
    with pytest.raises(error, match=text):
        SubwordEmbedding(**{**good, **arguments})


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_pickles_and_copies_are_equal(emb, pruned, copied):
    assert same(copied(emb), emb)
    assert same(copied(pruned), pruned)


# ---- questions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fasttext", "floret", "short"])
def test_questions_about_unseen_words_are_those_about_their_vectors(name):
    keys = [f"word{n}" for n in range(40)]
    emb = made(RULES[name], keys=keys)
    unseen = "sword77"
    plain = Embedding(keys, emb.vectors)
    ids, scores = emb.nearest([unseen, "word3", emb["word5"]], k=5)
    expected = [plain.nearest(x, k=5) for x in (emb[unseen], "word3", emb["word5"])]
    assert ids.tolist() == [rows.tolist() for rows, _ in expected]
    assert scores.tolist() == [cosines.tolist() for _, cosines in expected]
    assert emb.nearest(unseen, k=5)[0].tolist() == ids[0].tolist()
    assert emb.nearest(unseen, k=5)[0].shape == (5,)
    assert emb.nearest([unseen], k=5)[0].shape == (1, 5)
    assert emb.nearest(unseen, k=40)[0].shape == (40,)  # no row of its own to leave out
    for method in ("add", "mul"):
        found = emb.most_similar([unseen, "word3"], "word9", k=4, method=method)
        vector = emb[unseen]
        assert found == plain.most_similar([vector, "word3"], "word9", k=4, method=method)
        analogy = emb.analogy("word1", unseen, "word2", k=2, method=method)
        assert analogy == plain.most_similar([vector, "word2"], "word1", k=2, method=method)
    assert emb.similarity(unseen, "word3") == plain.similarity(emb[unseen], "word3")
    assert emb.prepare().nearest(unseen, k=5)[0].tolist() == ids[0].tolist()


def test_unseen_words_are_worked_out_together(monkeypatch):
    emb, calls = made(RULES["fasttext"]), []
    means = kernels.subword_means

    def counted(words, *arguments, **options):
        calls.append(list(words))
        return means(words, *arguments, **options)

    monkeypatch.setattr(kernels, "subword_means", counted)
    emb.nearest(["catz", "cat", "doge"], k=2)
    assert calls == [["catz", "doge"]]


def test_zero_vectors_are_looked_at_together(monkeypatch):
    emb, calls = SubwordEmbedding(["a"], np.zeros((51, 2)), RULES["fasttext"]), []
    subwords = kernels.subwords

    def counted(words, **options):
        calls.append(list(words))
        return subwords(words, **options)

    monkeypatch.setattr(kernels, "subwords", counted)
    assert not emb[["catz", "doge", "a"]].any()
    assert calls == [["catz", "doge"]]
    with pytest.raises(KeyError, match="</s>"):
        emb[["catz", "</s>", "doge"]]


def test_bags_are_of_any_several_texts(emb):
    assert emb.bags(iter(["cat", "catz"])).ids.tolist() == [*emb.bag("cat"), *emb.bag("catz")]


@pytest.mark.parametrize("words", ["cat", b"cat\ndog\n", bytearray(b"a\n"), 5, [b"cat"], [None]])
def test_what_is_not_several_texts_has_no_bags(emb, words):
    with pytest.raises(TypeError, match="words"):
        emb.bags(words)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"first_row": -1}, ValueError, "bags: first_row=-1 is not between 0 and 4294967246"),
        ({"first_row": 2**32 - 49}, ValueError, "first_row=4294967247"),
        ({"first_row": 1.5}, TypeError, "bags: first_row must be an integer, got float"),
        (
            {"kept": np.zeros(49, "i4")},
            ValueError,
            r"bags: kept has shape \(49,\), expected \(50,\)",
        ),
        ({"kept": np.zeros(50)}, TypeError, "bags: kept must be an int32 array"),
        ({"kept": [0] * 50}, TypeError, "bags: kept must be an int32 array, got list"),
    ],
)
def test_a_row_or_pruning_that_does_not_fit_is_named(options, error, text):
    with pytest.raises(error, match=text):
        RULES["fasttext"].bags(["cat"], **options)


def test_a_sentence_is_a_text(emb):
    for text in (5, None, b"cat", ["cat"]):
        with pytest.raises(TypeError, match=r"sentence_vector: text is .*, expected a str"):
            emb.sentence_vector(text)


def test_the_vector_of_a_sentence_is_the_mean_of_unit_vectors():
    emb = made(RULES["fasttext"])
    tokens = ["cat", "doge", "</s>", "x"]  # the last has an n-gram, "<x>"
    units = [emb[token].astype(np.float64) / np.linalg.norm(emb[token]) for token in tokens]
    close(emb.sentence_vector(" cat\tdoge\n</s>\v\f\rx "), np.mean(units, axis=0))
    assert emb.sentence_vector("").tolist() == [0] * 5
    words = made(RULES["words"])
    assert close(words.sentence_vector("cat mouse"), words["cat"] / np.linalg.norm(words["cat"]))


def test_tokens_are_parted_at_ascii_white_space_only():
    emb = made(RULES["fasttext"])
    joined = emb["cat\xa0dog"]
    assert close(emb.sentence_vector("cat\xa0dog"), joined / np.linalg.norm(joined))


@given(st.lists(any_keys, unique=True, max_size=6), any_keys, st.sampled_from(sorted(RULES)))
def test_any_text_is_a_key_and_may_be_asked_for(keys, word, name):
    emb = made(RULES[name], keys=keys)
    assert emb[keys].tobytes() == emb.vectors.tobytes()
    if emb.has_vector(word):
        expected = mean(emb, word) if len(emb.bag(word)) else np.zeros(5)
        assert close(emb[word], expected)
    else:
        with pytest.raises(KeyError):
            emb[word]


# ---- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["word2vec-text", "word2vec-binary", "glove-text"])
def test_formats_of_vectors_hold_keys_and_vectors(tmp_path, format):
    emb = made(RULES["fasttext"], keys=["cat", "dog"])
    emb.write(tmp_path / "file", format=format)
    found = firth.read(tmp_path / "file", format)
    assert type(found) is Embedding
    assert found.keys == emb.keys
    assert found.vectors.tobytes() == emb.vectors.tobytes()
