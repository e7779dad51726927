"""The demo and the training of real models from the command line."""

import argparse
import dataclasses
import hashlib
import json
import lzma
import shutil
import signal
import time
from pathlib import Path

import pytest

import firth
from firth.cli import flags, sources, train
from firth.cli.demo import ANALOGIES, WORDS, sample

SAMPLE = Path(__file__).parents[1] / "data" / "wiki-sample.txt.xz"
EPOCHS = [name for name in train.MODELS if hasattr(train.model_of(name), "epochs")]
TEXTS = [name for name in train.MODELS if name not in sources.GRAPHS | sources.RATINGS]


@pytest.fixture
def text(tmp_path):
    """A text in which the words of the first two analogies keep each other company."""
    path = tmp_path / "text.txt"
    path.write_text((" ".join(ANALOGIES[0].split() + ANALOGIES[1].split()) + "\n") * 500)
    return path


def test_the_sample_is_the_one_that_its_readme_describes():
    said = (SAMPLE.parent / "README.md").read_text()
    assert hashlib.sha256(SAMPLE.read_bytes()).hexdigest() in said
    text = lzma.decompress(SAMPLE.read_bytes())
    assert hashlib.sha256(text).hexdigest() in said
    words = set(text.split())
    assert {word.encode() for line in [*WORDS, *ANALOGIES] for word in line.split()} <= words


def test_the_sample_is_found_in_the_folder_and_beside_the_sources(tmp_path, monkeypatch):
    assert sample().read_bytes() == SAMPLE.read_bytes()
    target = tmp_path / "tests" / "data" / SAMPLE.name
    target.parent.mkdir(parents=True)
    shutil.copy(SAMPLE, target)
    monkeypatch.chdir(tmp_path)
    assert sample() == target


def test_without_the_sample_the_demo_asks_for_a_text(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("firth.cli.demo.__file__", str(tmp_path / "a" / "b" / "c" / "demo.py"))
    assert call("demo") == (
        1,
        "",
        "firth: error: tests/data/wiki-sample.txt.xz: no such file; give a text to train on: "
        "firth demo TEXT\n",
    )


def test_the_demo_shows_neighbours_and_analogies(call, text):
    code, out, err = call("demo", text, "--epochs", 2, "--dim", 8, "--threads", 1)
    assert (code, err) == (0, "")
    assert out.startswith("Learnt 8 words in ")
    assert "\n  father  " in out
    assert "\n  father is to mother as son is to  " in out
    code, out, _ = call("demo", text, "--epochs", 1, "--dim", 8, "--threads", 1, "--json")
    result = json.loads(out)
    assert result["keys"] == 8
    assert len(result["nearest"]["father"]) == 6
    assert [answer["expected"] for answer in result["analogies"]] == ["daughter", "spanish"]


def test_the_demo_takes_any_text(call, tmp_path):
    path = tmp_path / "other.txt"
    path.write_text("alpha beta gamma delta\n" * 2000)
    code, out, err = call("demo", path, "--epochs", 1, "--dim", 4)
    assert (code, err) == (0, "")
    assert "alpha" in out
    assert "Analogies" not in out


@pytest.mark.parametrize("name", train.MODELS)
def test_the_flags_of_a_model_are_its_fields_and_all_are_explained(name):
    model = train.model_of(name)
    parser = argparse.ArgumentParser()
    flags.add_fields(parser, model)
    assert flags.from_options(model, parser.parse_args([])) == model()
    fields = {field.name: field.init for field in dataclasses.fields(model)}
    explained = {name for name in flags.parameters(model) if fields.get(name, True)}
    assert explained == {name for name, given in fields.items() if given}


@pytest.mark.parametrize("name", TEXTS)
def test_a_model_is_trained_from_a_file_and_from_stdin(shell, text, tmp_path, name):
    options = ["--dim", 7, "--threads", 1, "--seed", 7, *(["--epochs", 1] * (name in EPOCHS))]
    done = shell("train", name, text, "-o", tmp_path / "out", *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert firth.load(tmp_path / "out").vectors.shape == (8, 7)
    done = shell("train", name, "-", "-o", "-", *options, input=text.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"8 7\n")


@pytest.mark.unsanitized
@pytest.mark.parametrize("name", [name for name in TEXTS if name in EPOCHS])
def test_ctrl_c_in_a_real_training_keeps_the_vectors(shell, tmp_path, name):
    seconds = []
    few = ["--buckets", 1000] if hasattr(train.model_of(name), "buckets") else []
    for trial in range(3):
        out = tmp_path / f"out{trial}"
        options = ["--epochs", 1000, "--progress", *few]
        process = shell("train", name, SAMPLE, "-o", out, *options, popen=True)
        bar = b""
        while b"loss" not in bar:  # the first epoch runs
            piece = process.stderr.read1(1000)
            assert piece, bar
            bar += piece
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        seconds.append(time.perf_counter() - start)
        assert process.returncode == 130
        assert "france" in firth.load(out)
    assert min(seconds) < 0.5  # 0.2 to stop and the rest to write 7 MB to the disk


@pytest.mark.parametrize("bar", [b"counting", b"factorising"])
def test_ctrl_c_in_a_real_factorisation_writes_nothing(shell, tmp_path, bar):
    options = ["--dim", 300, "--window", 50, "--min-count", 2, "--progress"]
    process = shell("train", "ppmi", SAMPLE, "-o", tmp_path / "out", *options, popen=True)
    shown = b""
    while bar not in shown:
        piece = process.stderr.read1(1000)
        assert piece, shown
        shown += piece
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", train.MODELS)
def test_help_says_what_ctrl_c_keeps(call, name):
    text = " ".join(call("train", name, "--help")[1].split())
    kept = "keeps in OUT what was learnt until then" in text
    assert (kept, "of which nothing is kept" in text) == (name in EPOCHS, name not in EPOCHS)
