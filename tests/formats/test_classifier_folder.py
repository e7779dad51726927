"""Firth folders of classifiers: what does not fit together is named, a limit keeps the labels."""

import json

import numpy as np
import pytest

import firth
from firth import Classifier, FormatError, Subwords
from firth.formats.kinds import kind_of
from firth.formats.tensors import write_tensors


def test_limit_keeps_the_first_words_and_all_labels(tmp_path):
    rng = np.random.default_rng(0)
    table, output = rng.standard_normal((13, 2)), rng.standard_normal((4, 2))
    model = Classifier(
        ["a", "b", "c"], table, Subwords(2, 3, 10), output, ["w", "x", "y", "z"],
        word_ngrams=2, label_prefix="#", counts=[3, 2, 1], label_counts=[4, 3, 2, 1],
    )  # fmt: skip
    assert kind_of(model) == "classifier"
    model.save(tmp_path / "model")
    found = firth.read(tmp_path / "model", limit=2)
    assert (found.keys, found.labels, found.counts.tolist()) == (["a", "b"], model.labels, [3, 2])
    assert found.predict("a b", k=4)[0] == model.predict("a b", k=4)[0]
    assert "c" not in found


FORGED = {
    "no loss": ({"loss": None}, {}, "loss None is no str"),
    "a wrong loss": ({"loss": "hinge"}, {}, "loss='hinge'"),
    "a list of losses": ({"loss": ["hs"]}, {}, r"loss \['hs'\] is no str"),
    "a tree without counts": ({"loss": "hs"}, {}, "needs label_counts"),
    "a tree of labels never seen": (
        {"loss": "hs"},
        {"label_counts": np.array([1, 0])},
        "label_counts: found a 0",
    ),
    "endless n-grams": ({"word_ngrams": 10**9}, {}, "word_ngrams=1000000000 is not between"),
    "no n-grams": ({"word_ngrams": None}, {}, "word_ngrams None is no int"),
    "true n-grams": ({"word_ngrams": True}, {}, "word_ngrams True is no int"),
    "n-grams without buckets": ({"word_ngrams": 2}, {}, "word_ngrams=2 needs buckets"),
    "no prefix": ({"label_prefix": 3}, {}, "label_prefix 3 is no str"),
    "an empty prefix": ({"label_prefix": ""}, {}, "label_prefix=''"),
    "no labels": ({}, {"labels": None}, "tensor 'labels'"),
    "no offsets": ({}, {"label_offsets": None}, "tensor '"),
    "empty offsets": ({}, {"label_offsets": np.zeros(0, "i8")}, "tensor '"),
    "flat offsets": ({}, {"label_offsets": np.zeros((3, 1), "i8")}, "tensor 'label_offsets'"),
    "short labels": ({}, {"label_offsets": np.array([0, 1, 3])}, "label_offsets do not rise"),
    "falling offsets": ({}, {"label_offsets": np.array([0, 9, 2])}, "label_offsets do not rise"),
    "the same label": ({}, {"labels": np.frombuffer(b"xx", "u1")}, "'x' is given more than once"),
    "a word as a label": ({}, {"labels": np.frombuffer(b"xa", "u1")}, "'a' is both"),
    "broken labels": ({}, {"labels": np.frombuffer(b"x\xff", "u1")}, "invalid start byte"),
    "fewer rows": ({}, {"output": np.zeros((1, 2), "f4")}, "tensor 'output'"),
    "no output": ({}, {"output": None}, "tensor 'output'"),
    "short counts": ({}, {"label_counts": np.ones(1, "i8")}, "tensor 'label_counts'"),
    "negative counts": ({}, {"label_counts": -np.ones(2, "i8")}, "negative"),
    "another kind": ({"kind": "subword-embedding"}, {}, "tensor '"),
}


@pytest.mark.parametrize("case", [None, *FORGED])
def test_a_wrong_folder_with_right_checksums_is_named(tmp_path, case):
    config, tensors, expected = FORGED.get(case, ({}, {}, ""))
    config = {
        "format": "firth", "version": 1, "kind": "classifier", "keys": 2, "dim": 2,
        "rule": {"min_n": 0, "max_n": 0, "buckets": 0, "hashes": 0}, "loss": "softmax",
        "word_ngrams": 1, "label_prefix": "#", "files": ["model.safetensors"], "metadata": {},
        **config,
    }  # fmt: skip
    good = {
        "vectors": np.zeros((2, 2), np.float32),
        "input": np.zeros((2, 2), np.float32),
        "output": np.zeros((2, 2), np.float32),
        "keys": np.frombuffer(b"ab", np.uint8),
        "key_offsets": np.array([0, 1, 2], np.int64),
        "labels": np.frombuffer(b"xy", np.uint8),
        "label_offsets": np.array([0, 1, 2], np.int64),
    }
    tensors = {name: x for name, x in {**good, **tensors}.items() if x is not None}
    write_tensors(tmp_path / "model.safetensors", tensors, {"firth": json.dumps(config)})
    (tmp_path / "config.json").write_text(json.dumps(config))
    if case is None:
        assert firth.load(tmp_path).labels == ["x", "y"]
        return
    with pytest.raises(FormatError, match=expected):
        firth.load(tmp_path)
