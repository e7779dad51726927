"""``firth train``: GloVe from a text or counts to a file, checkpoints, what is refused."""

import json

import numpy as np
import pytest

import firth
from firth import Corpus, Counts, GloVe, Word2Vec
from firth.cli import sources, train
from firth.models._checkpoint import Checkpoint

FLAGS = ["--dim", 4, "--window", 3, "--min-count", 1, "--threads", 1]
MODEL = GloVe(dim=4, window=3, min_count=1, epochs=3, threads=1)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat and the dog\nthe dog and the cats\n" * 20)
    return path


def test_glove_of_a_text(call, text, tmp_path):
    out = tmp_path / "out"
    code, shown, err = call("train", "glove", text, "-o", out, *FLAGS, "--epochs", 3, "--json")
    assert (code, err) == (0, "")
    assert json.loads(shown)["keys"] == 5
    emb, expected = firth.load(out), MODEL.fit(text)
    assert emb.keys == expected.keys
    assert emb.metadata == expected.metadata
    np.testing.assert_array_equal(emb.vectors, expected.vectors)


def test_settings_of_glove_are_flags(call, text, tmp_path):
    flags = ("--weights", "linear", "--no-symmetric", "--vectors", "words", "--x-max", 7)
    assert call("train", "glove", text, "-o", tmp_path / "out", *FLAGS, *flags) == (0, "", "")
    metadata = firth.load(tmp_path / "out").metadata
    names = ("weights", "symmetric", "vectors", "x_max", "memory")
    assert [metadata[name] for name in names] == ["linear", False, "words", 7.0, None]
    assert train.flags.parameters(GloVe).keys() == MODEL.__dataclass_fields__.keys()
    code, _, err = call("train", "glove", text, "-o", tmp_path / "out", "--vectors", "both")
    assert code == 2
    assert "argument --vectors: invalid choice: 'both'" in err


def test_glove_of_a_folder_of_counts(call, text, tmp_path):
    counts = Counts.of(Corpus.read(text, min_count=1), window=3)
    counts.save(tmp_path / "counts")
    argv = ("train", "glove", tmp_path / "counts", "-o", tmp_path / "out", *FLAGS, "--epochs", 3)
    assert call(*argv) == (0, "", "")
    np.testing.assert_array_equal(firth.load(tmp_path / "out").vectors, MODEL.fit(text).vectors)


def test_a_folder_is_counts_and_nothing_else(text, tmp_path, monkeypatch):
    monkeypatch.setattr(Counts, "load", lambda path: ["counts of", path], raising=False)
    assert sources.read("glove", str(tmp_path), None) == (["counts of", str(tmp_path)], {})
    assert sources.read("glove", str(text), None) == (str(text), {})
    assert sources.read("word2vec", str(tmp_path), None) == (str(tmp_path), {})


def test_a_checkpoint_is_gone_on_from(call, text, tmp_path):
    out, path = tmp_path / "out", tmp_path / "saved"
    argv = ("train", "glove", text, "-o", out, *FLAGS, "--checkpoint", path)
    MODEL.fit(text, checkpoint=path, callback=lambda epoch, *_: epoch == 2)
    assert call(*argv, "--epochs", 3) == (0, "", "")
    np.testing.assert_array_equal(firth.load(out).vectors, MODEL.fit(text).vectors)
    code, _, err = call(*argv, "--epochs", 3, "--seed", 2)
    assert code == 1
    assert err == f"firth: error: GloVe: the checkpoint {path} has seed=1, expected 2\n"


def test_a_checkpoint_and_the_output_cannot_be_the_same(call, text, tmp_path):
    out = tmp_path / "out"
    code, _, err = call("train", "glove", text, "-o", out, "--checkpoint", f"{out}/../out")
    assert code == 2
    assert "--checkpoint and -o cannot be the same folder" in err
    assert not out.exists()


def test_models_without_checkpoints_have_no_such_flag(call, text, tmp_path):
    argv = ("train", "ppmi", text, "-o", tmp_path / "out", "--checkpoint", tmp_path / "saved")
    code, _, err = call(*argv)
    assert code == 2
    assert "unrecognized arguments: --checkpoint" in err


def test_a_checkpoint_within_an_epoch_is_gone_on_from(call, text, tmp_path, monkeypatch):
    model = Word2Vec(dim=4, window=3, min_count=1, epochs=3, sample=0, deterministic=True)
    path, out = tmp_path / "saved", tmp_path / "out"
    text.write_text(" ".join(str(number**2 % 199) for number in range(5000)))
    argv = ["train", "word2vec", text, "-o", out, "--dim", 4, "--window", 3, "--min-count", 1]
    argv += ["--epochs", 3, "--sample", 0, "--deterministic", "--checkpoint", path, "--every", 50]
    save = Checkpoint.save

    def interrupted(self, losses, place=None, **tables):
        save(self, losses, place, **tables)
        if losses and place:
            raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", interrupted)
        assert call(*argv)[0] == 1
    assert call(*argv) == (0, "", "")
    np.testing.assert_array_equal(firth.load(out).vectors, model.fit(text).vectors)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--every", 7], "--every needs --checkpoint"),
        (["--checkpoint", "saved", "--every", 0], "--every 0 is not at least 1"),
        (["--quality", "best"], "argument --quality: invalid choice: 'best'"),
    ],
)
def test_flags_that_make_no_sense_are_refused(call, text, tmp_path, more, says):
    code, _, err = call("train", "word2vec", text, "-o", tmp_path / "out", *more)
    assert (code, says in err) == (2, True)


@pytest.mark.parametrize("model", ["glove", "ppmi"])
def test_counts_are_not_replaced_by_what_is_learnt_from_them(call, text, tmp_path, model):
    folder = tmp_path / "counts"
    assert call("count", text, "-o", folder, "--min-count", 1)[0] == 0
    code, _, err = call("train", model, folder, "-o", f"{folder}/../counts", "--dim", 2)
    assert (code, "INPUT and -o cannot be the same" in err) == (2, True)
    assert firth.Counts.load(folder)


@pytest.mark.parametrize("model", ["word2vec", "fasttext"])
def test_a_text_within_a_budget_gives_the_same_vectors(call, text, tmp_path, model, monkeypatch):
    budgets, unwatched = [], Corpus.read.__func__

    def read(cls, source, **options):
        budgets.append((options.get("memory"), options.get("folder")))
        return unwatched(cls, source, **options)

    monkeypatch.setattr(Corpus, "read", classmethod(read))
    flags = ["--dim", 4, "--min-count", 2, "--max-vocab", 4, "--threads", 1]
    if model == "fasttext":
        flags += ["--buckets", 100]
    argv = ("train", model, text, *flags)
    assert call(*argv, "-o", tmp_path / "plain") == (0, "", "")
    disk = ("--memory", "1 KB", "--folder", tmp_path)
    assert call(*argv, "-o", tmp_path / "within", *disk) == (0, "", "")
    assert budgets == [(None, None), ("1 KB", str(tmp_path))]
    plain, within = (firth.load(tmp_path / name) for name in ("plain", "within"))
    assert plain.keys == within.keys
    assert plain.metadata == within.metadata
    np.testing.assert_array_equal(plain.vectors, within.vectors)
    code, _, err = call("train", model, "none", "-o", tmp_path / "x", "--memory", "much")
    assert (code, "train: memory='much' is no amount" in err) == (2, True)
    code, _, err = call(*argv, "-o", tmp_path / "x", "--memory", 1, "--folder", tmp_path / "none")
    assert (code, "folder is none that files can be made in" in err) == (1, True)
    assert not (tmp_path / "x").exists()


def test_memory_that_is_no_amount_is_refused_before_the_text_is_read(call, tmp_path):
    code, _, err = call("train", "glove", "no-such-file", "-o", tmp_path / "x", "--memory", "much")
    assert (code, "GloVe: memory='much' is no amount" in err) == (2, True)
