"""``firth train fasttext --supervised``, ``firth predict`` and ``firth test``."""

import json

import numpy as np
import pytest

import firth
from firth import Classifier, Subwords

TEXT = "__label__sun it is warm\n__label__rain it is wet\n" * 40


@pytest.fixture
def model(tmp_path):
    """A folder with a classifier of two words, and the classifier."""
    table = 4 * np.eye(2, dtype=np.float32)
    labels = ["__label__sun", "__label__rain"]
    made = Classifier(["warm", "wet"], table, Subwords(0, 0, 0), table, labels)
    made.save(tmp_path / "model")
    return tmp_path / "model"


def test_training_makes_a_classifier(call, tmp_path):
    (tmp_path / "text").write_text(TEXT)
    out = tmp_path / "out"
    code, printed, err = call(
        *("train", "fasttext", "--supervised", tmp_path / "text", "-o", out, "--json"),
        *("--dim", 4, "--lr", 1, "--loss", "hs", "--word-ngrams", 2, "--buckets", 50),
    )
    assert (code, err) == (0, "")
    assert json.loads(printed)["keys"] == 5
    model = firth.load(out)
    assert isinstance(model, Classifier)
    assert (model.loss, model.word_ngrams, model.metadata["epochs"]) == ("hs", 2, 5)
    assert call("predict", out, "wet")[1].startswith("__label__rain\t")


def test_without_the_flag_it_is_the_other_model(call, tmp_path):
    (tmp_path / "text").write_text(TEXT)
    code, _, err = call("train", "fasttext", tmp_path / "text", "-o", "x", "--word-ngrams", 2)
    assert code == 2
    assert "--word-ngrams" in err
    code, _, err = call("train", "word2vec", tmp_path / "text", "-o", "x", "--supervised")
    assert code == 2
    assert "--word-ngrams" in call("train", "fasttext", "--supervised", "--help")[1]
    assert "--supervised" in call("train", "fasttext", "--help")[1]


def test_predictions_of_arguments(call, model):
    code, out, err = call("predict", model, "so warm", "wet wet", "unknown", "-k", 2)
    assert (code, err) == (0, "")
    assert out == (
        "__label__sun\t1.0000\t__label__rain\t0.0000\n"
        "__label__rain\t1.0000\t__label__sun\t0.0000\n"
        "\n"
    )
    assert (
        call("predict", model, "warm", "-k", 2, "--threshold", 0.5)[1] == "__label__sun\t1.0000\n"
    )


def test_predictions_of_lines_keep_their_places(shell, model):
    for argv in (["predict", model, "-"], ["predict", model]):
        done = shell(*argv, input="warm\n\nwet \xff\n".encode("latin-1"))
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == b"__label__sun\t1.0000\n\n__label__rain\t1.0000\n"


def test_lines_lose_ascii_white_space_only(shell, tmp_path):
    word = "\xa0warm\u3000"
    table = np.eye(2, dtype=np.float32)
    Classifier([word, "wet"], table, Subwords(0, 0, 0), table, ["a", "b"]).save(tmp_path / "m")
    done = shell("predict", tmp_path / "m", input=f" \t\0{word}\v\f\r\n\x1c{word}".encode())
    assert done.stdout.decode().splitlines() == ["a\t0.7311", ""]


def test_predictions_as_json(call, model):
    _, out, _ = call("predict", model, "so warm", "unknown", "--json")
    first, second = map(json.loads, out.splitlines())
    assert first["text"] == "so warm"
    assert first["labels"][0]["label"] == "__label__sun"
    assert first["labels"][0]["probability"] == pytest.approx(1, abs=1e-4)
    assert second["labels"] == []


def test_scores(call, model, tmp_path):
    text = tmp_path / "test"
    text.write_text("__label__sun warm\n__label__rain warm\n__label__rain wet\nwet\n")
    code, out, err = call("test", model, text)
    assert (code, err) == (0, "")
    assert out == "examples\t3\nprecision@1\t0.6667\nrecall@1\t0.6667\n"
    _, out, _ = call("test", model, text, "--per-label")
    assert out.splitlines()[3:] == [
        "label\tprecision\trecall\tf1\texamples",
        "__label__sun\t0.5000\t1.0000\t0.6667\t1",
        "__label__rain\t1.0000\t0.5000\t0.6667\t2",
    ]
    report = json.loads(call("test", model, text, "--per-label", "--json", "-k", 2)[1])
    assert (report["examples"], report["k"], report["recall"]) == (3, 2, 1)
    assert report["labels"]["__label__sun"]["examples"] == 1
    report = json.loads(call("test", model, text, "--json", "--threshold", 2)[1])
    assert (report["precision"], report["recall"]) == (None, 0)


def test_labels_with_another_prefix_are_told_from_words(call, tmp_path):
    table = [[10, 0], [0, 2]]
    model = Classifier(["sun"], table, Subwords(3, 3, 1), np.eye(2), ["#a", "#b"], label_prefix="#")
    model.write(tmp_path / "a.bin", format="fasttext-binary")
    model.save(tmp_path / "folder")
    (tmp_path / "test").write_text("#a #zzz sun\n")
    for given, right in (
        (["a.bin"], 0),
        (["a.bin", "--label-prefix", "#"], 1),
        (["folder"], 1),
        (["folder", "--label-prefix", "__label__"], 0),
    ):
        argv = ("test", tmp_path / given[0], tmp_path / "test", "--json", *given[1:])
        assert json.loads(call(*argv)[1])["precision"] == right
    assert call(*argv[:4], "--label-prefix", "")[2].startswith("firth: error: test: label_prefix=")


def test_what_has_no_labels_cannot_predict(call, vectors, tmp_path):
    for command in (["predict", vectors, "king"], ["test", vectors, tmp_path / "none"]):
        code, out, err = call(*command)
        assert (code, out) == (1, "")
        assert "has no labels, expected a classifier" in err


def test_bad_numbers_are_named(call, model):
    assert call("predict", model, "warm", "-k", 0)[2].startswith("firth: error: predict: k=0")
