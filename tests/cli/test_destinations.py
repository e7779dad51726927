"""What an ending means to ``convert`` and ``train``; files of fastText and floret on the way."""

import json

import pytest

import firth
from firth import Classifier, Embedding, SubwordEmbedding

SMALL = ["--dim", 4, "--buckets", 50, "--epochs", 1, "--threads", 1]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("__label__a the cat and the dog\n__label__b the dog and the cats\n" * 20)
    return path


@pytest.fixture
def trained(call, text, tmp_path):
    """Train fastText on a small text with further flags and write it under a name."""

    def run(name, *flags):
        out = tmp_path / name
        assert call("train", "fasttext", text, "-o", out, *SMALL, *flags) == (0, "", "")
        return out

    return run


def format_of(call, path):
    facts = json.loads(call("info", path, "--json")[1])
    return facts["format"]


def test_bin_is_fasttexts_where_words_are_made_of_ngrams(call, trained, tmp_path):
    model = trained("a.bin")
    assert format_of(call, model) == "fasttext-binary"
    assert type(firth.read(model)) is SubwordEmbedding
    assert call("nearest", model, "catz", "-k", 2)[0] == 0
    assert call("convert", model, tmp_path / "b.bin") == (0, "", "")
    assert (tmp_path / "b.bin").read_bytes() == model.read_bytes()


def test_bin_is_word2vecs_for_plain_vectors(call, trained, tmp_path):
    assert call("convert", trained("a.bin"), tmp_path / "a.vec") == (0, "", "")
    assert type(firth.read(tmp_path / "a.vec")) is Embedding
    assert call("convert", tmp_path / "a.vec", tmp_path / "b.bin") == (0, "", "")
    assert format_of(call, tmp_path / "b.bin") == "word2vec-binary"
    forced = ("--to", "fasttext-binary")
    assert call("convert", tmp_path / "a.vec", tmp_path / "c.bin", *forced) == (0, "", "")
    assert format_of(call, tmp_path / "c.bin") == "fasttext-binary"


def test_bin_can_be_word2vecs_for_vectors_of_ngrams_too(call, trained, tmp_path):
    path = tmp_path / "b.bin"
    assert call("convert", trained("a.bin"), path, "--to", "word2vec-binary") == (0, "", "")
    assert format_of(call, path) == "word2vec-binary"


def test_a_classifier_goes_into_bin(call, text, tmp_path):
    out = tmp_path / "a.bin"
    done = call("train", "fasttext", text, "-o", out, "--supervised", "--dim", 4, "--json")
    assert json.loads(done[1])["format"] == "fasttext-binary"
    assert type(firth.read(out)) is Classifier
    assert call("predict", out, "cats")[1].startswith("__label__")
    assert call("test", out, text)[1].startswith("examples\t40\n")
    facts = dict(line.split("\t") for line in call("info", out)[1].splitlines())
    assert (facts["classifier.labels"], facts["classifier.loss"]) == ("2", "softmax")
    assert facts["metadata.fasttext.model"] == "3"


@pytest.mark.parametrize("name", ["a.vec", "a.txt", "-"])
def test_labels_are_not_lost_unless_that_was_said(call, text, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    train = ("train", "fasttext", "--supervised", text, "-o", "a.bin", "--dim", 4)
    assert call(*train) == (0, "", "")
    before = sorted(tmp_path.iterdir())
    for argv, flag in (
        (("convert", "a.bin", name), "--to"),
        (("train", "fasttext", "--supervised", "no-such-input.txt", "-o", name), "--format"),
    ):
        code, out, err = call(*argv)
        assert (code, out) == (1, "")
        assert f"{name}: word2vec-text holds no labels: choose a firth folder or .bin" in err
        assert sorted(tmp_path.iterdir()) == before
        given = [text if one == "no-such-input.txt" else one for one in argv]
        code, out, err = call(*given, flag, "word2vec-text")
        assert (code, err) == (0, "")
        written = out if name == "-" else (tmp_path / name).read_text()
        assert "cats " in written
        if name != "-":
            (tmp_path / name).unlink()


def test_floret_has_an_ending(call, trained, tmp_path):
    path = trained("a.floret", "--hashes", 2)
    assert format_of(call, path) == "floret"
    assert firth.read(path).rule.hashes == 2
    assert call("convert", path, tmp_path / "b.floret") == (0, "", "")
    assert (tmp_path / "b.floret").read_bytes() == path.read_bytes()


def test_rows_without_words_answer_nothing_and_are_no_word_vectors(call, trained, tmp_path):
    path = trained("a.floret", "--hashes", 1)
    for command in (["nearest", path, "cat"], ["analogy", path, "a", "b", "c"]):
        code, out, err = call(*command)
        assert (code, out) == (1, "")
        assert err.endswith("there are no words to choose from\n")
    for name in ("a.vec", "-"):
        code, out, err = call("convert", path, name if name == "-" else tmp_path / name)
        assert (code, out) == (1, "")
        assert "word2vec-text holds words, and there are rows of n-grams only" in err
    assert not (tmp_path / "a.vec").exists()


@pytest.mark.parametrize(
    ("model", "argv", "said"),
    [
        ("fasttext", ["-o", "x.bin", "--hashes", 2], "fastText's files hold no words of hashes=2"),
        ("fasttext", ["-o", "x.floret"], "floret's files hold words of hashes=1 to 4, not 0"),
        ("word2vec", ["-o", "x", "--format", "floret"], "hashes=1 to 4, not 0"),
        ("fasttext", ["-o", "x.ftz"], "quantised models (.ftz) are read only, .bin is written"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_training(
    call, tmp_path, monkeypatch, model, argv, said
):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("train", model, "no-such-input.txt", *argv)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert said in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["toy-model.bin", "crime-and-punishment.bin", "pang_lee_polarity_fasttext.bin"]
)
def test_fasttexts_own_files_are_written_as_they_were(call, data, tmp_path, name):
    path = data / "formats" / name
    assert call("convert", path, tmp_path / name) == (0, "", "")
    assert (tmp_path / name).read_bytes() == path.read_bytes()


def test_fasttexts_own_files_answer(call, data):
    path = data / "formats" / "lee_fasttext_new.bin"
    code, out, _ = call("nearest", path, "govrnmentt", "-k", 3)
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        word for word, _ in firth.read(path).most_similar("govrnmentt", k=3)
    ]
