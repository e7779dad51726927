"""Classifier: texts become bags as in the original, and scores labels."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import Classifier, Subwords
from firth._texts import END, Reader, lines_of, lines_of_texts, token_hashes

PLAIN = Subwords(0, 0, 0)
LABELS = ["__label__good", "__label__bad", "__label__odd"]


def made(rule=PLAIN, keys=("sun", END, "rain"), dim=4, labels=LABELS, **options):
    rng = np.random.default_rng(3)
    table = rng.standard_normal((len(keys) + rule.buckets, dim)).astype(np.float32)
    output = rng.standard_normal((len(labels), dim)).astype(np.float32)
    options.setdefault("label_counts", range(len(labels), 0, -1))
    return Classifier(list(keys), table, rule, output, labels, **options)


# ---- what the original does, word by word -------------------------------------------------------


def fnv(token):
    value = 2166136261
    for byte in token.encode("utf-8", "surrogateescape"):
        value = (value ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * 16777619 % 2**32
    return value


def signed(value):
    return (value - 2**32 if value >= 2**31 else value) % 2**64


def bag_of(tokens, keys, rule, word_ngrams, prefix="__label__", kept=None):
    """The rows of a line, written down from the original."""
    rows, hashes = [], []

    def add(bucket):
        if kept is None or kept[bucket] >= 0:
            rows.append(len(keys) + (bucket if kept is None else int(kept[bucket])))

    for token in tokens:
        if token not in keys and token.startswith(prefix):
            continue
        if token in keys:
            rows.append(keys.index(token))
        if token != END:
            for _, bucket in rule.ngrams(token):
                add(bucket)
        hashes.append(signed(fnv(token)))
        if token == END:
            break
    for i in range(len(hashes)):
        value = hashes[i]
        for j in range(i + 1, min(i + word_ngrams, len(hashes))):
            value = (value * 116049371 + hashes[j]) % 2**64
            add(value % rule.buckets)
    return sorted(rows)


words = st.sampled_from(["sun", "rain", "x", "ü", "\udcff\udc80", "__label__a", "__label__z", END])


@given(
    st.lists(st.lists(words, max_size=8), min_size=1, max_size=5),
    st.sampled_from([Subwords(0, 0, 97), Subwords(2, 3, 31)]),
    st.integers(1, 4),
    st.booleans(),
)
def test_bags_equal_the_original_s(lines, rule, word_ngrams, pruned):
    keys = ["sun", END, "ü", "x"]
    kept = np.arange(rule.buckets, dtype=np.int32) // 2 if pruned else None
    if pruned:
        kept[::2] = -1
    index = {key: row for row, key in enumerate(keys)}
    reader = Reader(index, {"__label__a": 0}, rule, word_ngrams, "__label__", kept)
    bags, labels = reader.read(lines_of_texts([" ".join(line) for line in lines], "predict"))
    for i, line in enumerate(lines):
        line = [*line, END]
        line = line[: line.index(END) + 1]
        found = bags.ids[bags.offsets[i] : bags.offsets[i + 1]]
        assert sorted(found.tolist()) == bag_of(line, keys, rule, word_ngrams, kept=kept)
        count = labels.offsets[i + 1] - labels.offsets[i]
        assert count == line.count("__label__a")


def test_lines_of_a_corpus_end_where_the_original_s_do():
    corpus = firth.Corpus.read([["a", "b"], ["a", END, "c"], ["b", END]], min_count=1)
    types, ids, offsets = lines_of(corpus)
    lines = [[types[i] for i in ids[a:b]] for a, b in pairwise(offsets)]
    assert lines == [["a", "b", END], ["a", END], ["c", END], ["b", END], [END]]


@given(st.lists(st.text(max_size=5), max_size=5))
def test_hashes_of_tokens_are_fnv(tokens):
    tokens = [*(t.encode("utf-8", "ignore").decode() for t in tokens), "é" * 70, "x" * 64, "y" * 65]
    assert token_hashes(tokens).tolist() == [fnv(token) for token in tokens]


def test_many_lines_are_read_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["sun", "rain", "x"], n)) for n in rng.integers(0, 9, 50)]
    reader = Reader({"sun": 0, END: 1}, {}, Subwords(0, 0, 50), 3, "__label__")
    whole = reader.read(lines_of_texts(texts, "predict"))
    monkeypatch.setattr("firth._texts._TOKENS", 7)
    parts = reader.read(lines_of_texts(texts, "predict"))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one.offsets, other.offsets)
        np.testing.assert_array_equal(one.ids, other.ids)


def test_lessons_that_are_cut_are_the_same(monkeypatch):
    rng = np.random.default_rng(4)
    texts = [
        f"__label__{i % 3} " + " ".join(rng.choice(["a", "bc", "d"], i % 9)) for i in range(60)
    ]
    model = firth.FastTextClassifier(dim=4, epochs=2, min_n=1, max_n=2, buckets=99, threads=1)
    corpus = firth.Corpus.read([*texts, f"x {END} y", ""], min_count=1)
    lines, whole = lines_of(corpus), model.fit(corpus)
    monkeypatch.setattr("firth._texts._TOKENS", 7)
    for one, other in zip(lines, lines_of(corpus), strict=True):
        np.testing.assert_array_equal(one, other)
    parts = model.fit(corpus)
    np.testing.assert_array_equal(whole.input, parts.input)
    np.testing.assert_array_equal(whole.output, parts.output)


# ---- predictions --------------------------------------------------------------------------------


def scores_of(model, tokens):
    index = {key: row for row, key in enumerate(model.keys)}
    rows = [model.input[index[token]] for token in [*tokens, END] if token in index]
    return model.output.astype(float) @ np.mean(rows, axis=0, dtype=float)


def test_softmax_gives_probabilities_of_all_labels():
    model = made()
    labels, chances = model.predict("sun  rain\tsun", k=-1)
    scores = scores_of(model, ["sun", "rain", "sun"])
    expected = np.exp(scores) / np.exp(scores).sum()
    assert labels == [LABELS[i] for i in np.argsort(-expected)]
    assert chances.tolist() == pytest.approx(sorted(expected, reverse=True), rel=1e-5)


@pytest.mark.parametrize("loss", ["ova", "ns"])
def test_one_against_all_gives_each_label_its_own(loss):
    model = made(loss=loss)
    labels, chances = model.predict("sun", k=3)
    expected = 1 / (1 + np.exp(-scores_of(model, ["sun"])))
    assert dict(zip(labels, chances, strict=True)) == pytest.approx(
        dict(zip(LABELS, expected, strict=True)), rel=1e-5
    )


def test_the_tree_s_probabilities_are_products_along_paths():
    model = made(loss="hs", label_counts=[5, 3, 1])
    labels, chances = model.predict("sun", k=3)
    node, root = 1 / (1 + np.exp(-scores_of(model, ["sun"])[:2]))
    expected = {LABELS[0]: root, LABELS[1]: node * (1 - root), LABELS[2]: (1 - node) * (1 - root)}
    assert dict(zip(labels, chances, strict=True)) == pytest.approx(expected, rel=1e-5)
    assert chances.sum() == pytest.approx(1)


def test_the_tree_is_made_once_and_not_pickled(monkeypatch):
    model, calls = made(loss="hs", label_counts=[5, 3, 1]), []
    paths = firth.classifier.huffman_paths
    monkeypatch.setattr(
        "firth.classifier.huffman_paths", lambda counts: calls.append(1) or paths(counts)
    )
    first = model.predict("sun", k=3)[1].tolist()
    assert model.predict("sun", k=3)[1].tolist() == first
    assert len(calls) == 1
    assert pickle.loads(pickle.dumps(model)).predict("sun", k=3)[1].tolist() == first
    assert len(calls) == 2


def test_several_texts_have_lists_of_answers():
    model = made()
    labels, chances = model.predict(["sun", "", "rain rain"], k=2)
    assert [len(one) for one in labels] == [len(one) for one in chances] == [2, 2, 2]
    for text, found in zip(["sun", "", "rain rain"], labels, strict=True):
        assert model.predict(text, k=2)[0] == found
    assert model.predict([]) == ([], [])
    assert model.predict(iter(["sun"]))[0] == [labels[0][:1]]


def test_a_text_of_which_nothing_is_known_has_no_label():
    model = made(keys=("sun", "rain"))
    labels, _ = model.predict(["snow", "sun", ""])
    assert [len(one) for one in labels] == [0, 1, 0]
    assert model.predict("snow")[0] == []


def test_the_threshold_cuts_answers():
    model = made()
    _, chances = model.predict("sun", k=3)
    assert model.predict("sun", k=3, threshold=chances[1])[1].tolist() == chances[:2].tolist()
    assert model.predict("sun", threshold=1.1)[0] == []


@pytest.mark.parametrize("k", [1, 2, 3, 30, 40])
def test_equal_labels_come_in_order(k):
    labels = [f"l{i}" for i in range(40)]
    output = np.zeros((40, 4), np.float32)
    output[[7, 30]] = 1
    model = Classifier(["a"], np.ones((1, 4), "f4"), PLAIN, output, labels, label_prefix="l")
    found, _ = model.predict("a", k=k)
    others = [name for name in labels if name not in ("l7", "l30")]
    assert found == ["l7", "l30", *others][:k]


def test_a_token_that_ends_a_line_ends_what_is_read():
    model = made()
    np.testing.assert_array_equal(
        model.predict(f"sun {END} rain", k=3)[1], model.predict("sun", k=3)[1]
    )


def test_a_newline_in_a_text_is_refused():
    with pytest.raises(ValueError, match="predict: text 1 holds a newline"):
        made().predict(["sun", "sun\nrain"])


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (([1],), TypeError, "text 0 is int"),
        ((b"sun",), TypeError, "texts is bytes"),
        (("sun", 0), ValueError, "k=0"),
        (("sun", -2), ValueError, "k=-2"),
        (("sun", 1.5), TypeError, "k must be an integer"),
        (("sun", 1, float("nan")), ValueError, "threshold=nan"),
        (("sun", 1, "0.5"), TypeError, "predict: threshold must be a number, got str"),
        (("sun", 1, None), TypeError, "predict: threshold must be a number, got None"),
        ((5,), TypeError, "predict: texts is int"),
    ],
)
def test_bad_questions_are_named(arguments, error, says):
    with pytest.raises(error, match=says):
        made().predict(*arguments)


# ---- scores -------------------------------------------------------------------------------------


def test_scores_are_counted_over_all_examples():
    """Words that are nearly labels: each predicts its own."""
    table = np.eye(3, dtype=np.float32) * 9
    model = Classifier(["a", "b", "c"], table, PLAIN, table, ["la", "lb", "lc"], label_prefix="l")
    lines = ["la a", "lb b", "lb lc b", "la b", "a", "lc unknown", "lx a", "la lx a"]
    scores = model.test(lines)
    assert scores.examples == 5  # without "a", "lc unknown" and "lx a"
    assert scores.precision == 4 / 5
    assert scores.recall == 4 / 6
    assert scores.per_label["la"] == (1, 2 / 3, 4 / 5, 3)
    assert scores.per_label["lb"] == (2 / 3, 1, 4 / 5, 2)
    precision, recall, f1, examples = scores.per_label["lc"]
    assert math.isnan(precision)
    assert (recall, f1, examples) == (0, 0, 1)
    both = model.test(lines, k=2)
    assert both.precision == pytest.approx(5 / 10)
    none = model.test(lines, threshold=2)
    assert math.isnan(none.precision)
    assert none.recall == 0


def test_the_prefix_of_labels_can_be_another_where_texts_are_tested():
    """A label that is not known is no word then, and has no n-grams; here they speak for "#b"."""
    table = [[10, 0], [0, 2]]
    model = Classifier(["sun"], table, Subwords(3, 3, 1), np.eye(2), ["#a", "#b"])
    assert model.test(["#a #zzz sun"]).precision == 0
    assert model.test(["#a #zzz sun"], label_prefix="#").precision == 1
    for bad in ("", 5):
        with pytest.raises(ValueError, match="test: label_prefix="):
            model.test(["#a sun"], label_prefix=bad)


def test_nothing_to_test_is_an_error(file):
    with pytest.raises(ValueError, match="none of the 2 lines has a label that is known"):
        made().test(["sun", "__label__new sun"])


# ---- what it holds ------------------------------------------------------------------------------


def test_it_is_an_embedding_of_its_words():
    model = made(Subwords(2, 3, 20), counts=[5, 4, 3])
    assert isinstance(model, firth.SubwordEmbedding)
    assert model["sun"].shape == model["sunny"].shape == (4,)
    assert (len(model), model.labels, model.label_counts.tolist()) == (3, LABELS, [3, 2, 1])
    assert repr(model) == "Classifier(3 keys, dim=4, buckets=20, labels=3, loss='softmax')"
    assert made()["sun"].tolist() == made().input[0].tolist()


def same(one, other):
    def arrays(model):
        names = ("vectors", "input", "output", "kept", "counts", "label_counts")
        return [None if x is None else x.tolist() for x in (getattr(model, n) for n in names)]

    def rest(model):
        names = ("keys", "rule", "labels", "loss", "word_ngrams", "label_prefix", "metadata")
        return [getattr(model, name) for name in names]

    return type(one) is type(other) and arrays(one) == arrays(other) and rest(one) == rest(other)


MODELS = {
    "plain": {},
    "ngrams": {"rule": Subwords(2, 3, 20), "word_ngrams": 3, "counts": [5, 4, 3]},
    "tree": {"loss": "hs", "metadata": {"by": "hand"}},
    "prefix": {"label_prefix": "#", "labels": ["#\udcff", "#ü x", "#"], "label_counts": None},
}


@pytest.mark.parametrize("case", MODELS)
def test_it_is_pickled_and_saved(tmp_path, case):
    model = made(**MODELS[case])
    assert same(pickle.loads(pickle.dumps(model)), model)
    model.save(tmp_path / "model")
    for found in (firth.load(tmp_path / "model"), firth.read(tmp_path / "model")):
        assert same(found, model)
        assert found.predict("sun rain", k=3)[0] == model.predict("sun rain", k=3)[0]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"labels": []}, ValueError, "labels is empty"),
        ({"labels": ["a", "b", "a"]}, ValueError, "'a' is given more than once"),
        ({"labels": ["a", "b", "sun"]}, ValueError, "'sun' is both a key and a label"),
        ({"labels": ["a", "b", 3]}, TypeError, "Classifier: labels: 3 in row 2 is no text"),
        ({"loss": "hinge"}, ValueError, "loss='hinge'"),
        ({"loss": "hs", "label_counts": None}, ValueError, "needs label_counts"),
        ({"word_ngrams": 2}, ValueError, "word_ngrams=2 needs buckets"),
        ({"word_ngrams": "2"}, TypeError, "word_ngrams must be an integer"),
        ({"word_ngrams": 0}, ValueError, "word_ngrams=0 is not between 1 and 10000"),
        ({"word_ngrams": 10_001}, ValueError, "word_ngrams=10001 is not between 1 and 10000"),
        ({"loss": "hs", "label_counts": [2, 1, 0]}, ValueError, "label_counts: found a 0"),
        ({"label_prefix": ""}, ValueError, "label_prefix=''"),
        ({"label_counts": [1, 2]}, ValueError, "Classifier: label_counts: shape"),
        ({"kept": [0]}, (TypeError, ValueError), "kept"),
    ],
)
def test_what_does_not_fit_together_is_named(change, error, says):
    with pytest.raises(error, match=says):
        made(**change)


def test_an_output_of_another_shape_is_named():
    table = np.ones((1, 4), np.float32)
    with pytest.raises(ValueError, match="Classifier: 1 output for 2 labels"):
        Classifier(["a"], table, PLAIN, table, ["x", "y"])
    with pytest.raises(ValueError, match="output: dim 3"):
        Classifier(["a"], table, PLAIN, table[:, :3], ["x"])
