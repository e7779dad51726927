"""Checkpoints of Word2Vec and FastText: killed anywhere, training goes on to the same bits."""

import dataclasses
import json
import lzma
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import Corpus, FastText, FormatError, Word2Vec
from firth.formats.tensors import read_tensors, write_tensors
from firth.models import _checkpoint

FILE = "model.safetensors"
PACKAGE = str(Path(firth.__file__).parents[1])
MODEL = Word2Vec(dim=8, epochs=3, threads=1, min_count=1)
ROUNDS = dataclasses.replace(MODEL, deterministic=True, threads=2)
ROWS = FastText(dim=8, epochs=3, threads=1, min_count=1, buckets=300)
EVERY = 5000  # words, more than a piece and less than an epoch


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    """The first words of a real text: three pieces of a pass and a rest."""
    packed = Path(__file__).parents[1] / "data" / "wiki-sample.txt.xz"
    with lzma.open(packed, "rt") as file:
        words = file.read(400_000).split()[:14_000]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(" ".join(words[i : i + 20]) + "\n" for i in range(0, len(words), 20)))
    return path


@pytest.fixture(scope="session")
def corpus(text):
    return Corpus.read(text, min_count=1)


@pytest.fixture(scope="session")
def whole(corpus):
    """What training without an interruption gives, by model."""
    return {model: model.fit(corpus) for model in (MODEL, ROUNDS, ROWS)}


class PowerCutError(Exception):
    """Ends a training where nothing can be done about it."""


def stopping(patch, saves):
    """Let training be cut off right after so many checkpoints."""
    save, done = _checkpoint.Checkpoint.save, []

    def cut(self, *args, **tables):
        save(self, *args, **tables)
        done.append(1)
        if len(done) == saves:
            raise PowerCutError

    patch.setattr(_checkpoint.Checkpoint, "save", cut)


def interrupted(model, corpus, path, saves, **options):
    with pytest.MonkeyPatch.context() as patch:
        stopping(patch, saves)
        with pytest.raises(PowerCutError):
            model.fit(corpus, checkpoint=path, **options)


def assert_same(one, other):
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert one.metadata["losses"] == pytest.approx(other.metadata["losses"], rel=1e-12)
    if isinstance(one, firth.SubwordEmbedding):
        np.testing.assert_array_equal(one.input, other.input)
        np.testing.assert_array_equal(one.output, other.output)


@pytest.fixture
def saved(corpus, tmp_path):
    """A checkpoint within the second epoch."""
    interrupted(MODEL, corpus, tmp_path / "saved", 3, every=EVERY)
    return tmp_path / "saved"


@pytest.mark.parametrize("model", [MODEL, ROUNDS, ROWS], ids=["one thread", "rounds", "rows"])
@pytest.mark.parametrize(
    ("every", "saves"), [(1, 5), (EVERY, 1), (EVERY, 3), (20_000, 1), (None, 2)]
)
def test_training_cut_off_after_a_checkpoint_goes_on_to_the_same_bits(
    corpus, whole, tmp_path, model, every, saves
):
    interrupted(model, corpus, tmp_path / "saved", saves, every=every)
    assert_same(model.fit(corpus, checkpoint=tmp_path / "saved", every=every), whole[model])


@given(every=st.integers(1, 50_000), saves=st.integers(1, 9), after=st.integers(1, 50_000))
def test_no_place_of_a_checkpoint_changes_what_is_learnt(
    corpus, whole, tmp_path_factory, every, saves, after
):
    path = tmp_path_factory.mktemp("saved") / "saved"
    with pytest.MonkeyPatch.context() as patch:
        stopping(patch, saves)
        try:
            found = MODEL.fit(corpus, checkpoint=path, every=every)
        except PowerCutError:
            patch.undo()
            found = MODEL.fit(corpus, checkpoint=path, every=after)
    assert_same(found, whole[MODEL])


def test_losses_have_the_same_bits_as_without_the_interruption(corpus, saved, tmp_path):
    straight = MODEL.fit(corpus, checkpoint=tmp_path / "other", every=EVERY)
    later = MODEL.fit(corpus, checkpoint=saved, every=EVERY)
    assert later.metadata == straight.metadata


CHILD = """
import sys
from firth import Word2Vec
print("ready", flush=True)
model = Word2Vec(dim=8, epochs=3, min_count=1, deterministic=True, threads=2)
model.fit(sys.argv[1], checkpoint=sys.argv[2], every=2000)
print("done", flush=True)
"""


def child(*arguments):
    """Start to train in another process, and return it when it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    return process


def test_training_that_was_killed_at_any_moment_goes_on_to_the_same_bits(text, tmp_path):
    straight = ROUNDS.fit(text)
    with child(text, tmp_path / "timed") as process:
        began = time.monotonic()
        process.stdout.readline()
        lasted = time.monotonic() - began
    for number, share in enumerate(np.random.default_rng(7).random(10)):
        path = tmp_path / str(number)
        with child(text, path) as process:
            time.sleep(share * lasted)
            process.send_signal(signal.SIGKILL)
        assert_same(ROUNDS.fit(text, checkpoint=path), straight)


def test_ctrl_c_within_an_epoch_brings_what_was_learnt_and_goes_on(corpus, whole, tmp_path):
    path, save = tmp_path / "saved", _checkpoint.Checkpoint.save
    calls = []

    def interrupt(self, *args, **tables):
        save(self, *args, **tables)
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_checkpoint.Checkpoint, "save", interrupt)
        with pytest.raises(KeyboardInterrupt) as stop:
            MODEL.fit(corpus, checkpoint=path, every=EVERY)
    assert len(stop.value.embedding.metadata["losses"]) == 1
    assert_same(MODEL.fit(corpus, checkpoint=path), whole[MODEL])


def test_the_callback_sees_the_epochs_that_are_left_and_can_stop(corpus, whole, saved):
    seen = []

    def callback(epoch, words, loss, lr):
        seen.append((epoch, words))
        return epoch == 2

    MODEL.fit(corpus, checkpoint=saved, every=10**6, callback=callback)
    MODEL.fit(corpus, checkpoint=saved, callback=lambda *told: seen.append(told[:2]))
    words = len(corpus.ids)
    assert seen == [(2, 2 * words), (3, 3 * words)]
    assert_same(MODEL.fit(corpus, checkpoint=saved), whole[MODEL])


def test_a_finished_checkpoint_is_not_trained_again(corpus, whole, tmp_path, monkeypatch):
    path = tmp_path / "saved"
    MODEL.fit(corpus, checkpoint=path, every=10**9)
    before = (path / FILE).read_bytes()
    monkeypatch.setattr(firth.kernels, "negative_sampling", None)
    assert_same(MODEL.fit(corpus, checkpoint=path), whole[MODEL])
    assert (path / FILE).read_bytes() == before


def test_start_and_a_checkpoint_go_together(corpus, whole, tmp_path):
    path, start = tmp_path / "saved", whole[ROWS]
    straight = ROWS.fit(corpus, start=start)
    interrupted(ROWS, corpus, path, 2, start=start, every=EVERY)
    with pytest.raises(ValueError, match=r"FastText: the checkpoint .* has start="):
        ROWS.fit(corpus, checkpoint=path)
    assert_same(ROWS.fit(corpus, start=start, checkpoint=path), straight)


@pytest.mark.parametrize("change", [{"min_count": 2}, {"max_vocab": 10**6}])
def test_what_a_corpus_has_decided_may_be_others(corpus, whole, saved, change):
    assert_same(dataclasses.replace(MODEL, **change).fit(corpus, checkpoint=saved), whole[MODEL])


def test_rounds_go_on_with_other_threads(corpus, whole, tmp_path):
    interrupted(ROUNDS, corpus, tmp_path / "saved", 2, every=EVERY)
    other = dataclasses.replace(ROUNDS, threads=1)
    assert_same(other.fit(corpus, checkpoint=tmp_path / "saved"), whole[ROUNDS])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dim": 9}, "dim=8, expected 9"),
        ({"window": 4}, "window=5, expected 4"),
        ({"negative": 4}, "negative=5, expected 4"),
        ({"epochs": 4}, "epochs=3, expected 4"),
        ({"lr": 0.1}, "lr=0.025, expected 0.1"),
        ({"min_lr": 0}, "min_lr=0.0001, expected 0.0"),
        ({"sample": 0}, "sample=0.001, expected 0.0"),
        ({"noise_exponent": 1}, "noise_exponent=0.75, expected 1.0"),
        ({"cbow": True, "lr": 0.025}, "cbow=False, expected True"),
        ({"seed": 2}, "seed=1, expected 2"),
        ({"quality": "careful"}, "quality='balanced', expected 'careful'"),
        ({"deterministic": True}, "deterministic=False, expected True"),
    ],
)
def test_other_settings_are_refused_before_the_text_is_read(saved, change, says):
    before = (saved / FILE).read_bytes()
    with pytest.raises(ValueError, match="Word2Vec: the checkpoint .*saved has " + says):
        dataclasses.replace(MODEL, **change).fit("no-such-text", checkpoint=saved)
    assert (saved / FILE).read_bytes() == before


@pytest.mark.parametrize("change", [{"min_n": 2}, {"max_n": 5}, {"buckets": 9}, {"hashes": 1}])
def test_other_rows_are_refused(corpus, tmp_path, change):
    interrupted(ROWS, corpus, tmp_path / "saved", 1, every=EVERY)
    with pytest.raises(ValueError, match=f"FastText: the checkpoint .* has {next(iter(change))}="):
        dataclasses.replace(ROWS, **change).fit("no-such-text", checkpoint=tmp_path / "saved")


def test_a_checkpoint_of_another_model_is_refused(corpus, saved):
    with pytest.raises(FormatError, match="expected a fasttext-checkpoint"):
        ROWS.fit(corpus, checkpoint=saved)


@pytest.mark.parametrize("change", ["word", "count", "id", "sentence"])
def test_another_text_is_refused(corpus, saved, change):
    words, counts = corpus.vocabulary.words, corpus.vocabulary.counts.copy()
    ids, offsets = corpus.ids.copy(), corpus.offsets.copy()
    if change == "word":
        words = [*words[:-1], "~"]
    if change == "count":
        counts[0] += 1
    if change == "id":
        ids[7777] ^= 1
    if change == "sentence":
        offsets = np.delete(offsets, 300)
    other = Corpus(ids, offsets, firth.Vocabulary(words, counts))
    name = "words" if change in ("word", "count") else "text"
    with pytest.raises(ValueError, match=f"Word2Vec: the checkpoint .* has {name}="):
        MODEL.fit(other, checkpoint=saved)


@pytest.mark.parametrize(
    ("every", "error", "says"),
    [
        (0, ValueError, "every=0 is not between"),
        (-1, ValueError, "every=-1 is not between"),
        (2**62, ValueError, f"every={2**62} is not between"),
        (1.5, TypeError, r"every=1\.5 is not a whole number"),
        (True, TypeError, "every=True is not a whole number"),
    ],
)
def test_every_that_is_no_number_of_words_is_refused(tmp_path, every, error, says):
    with pytest.raises(error, match=f"Word2Vec: {says}"):
        MODEL.fit("no-such-text", checkpoint=tmp_path / "saved", every=every)


def test_every_without_a_checkpoint_is_refused():
    with pytest.raises(ValueError, match="Word2Vec: every=100 needs checkpoint"):
        MODEL.fit("no-such-text", every=100)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (7, "place"),
        ({}, "place"),
        ({"words": 4096, "loss": 1.5}, "place"),
        ({"words": -4096, "loss": 1.5, "pairs": 3}, "place"),
        ({"words": 4096.0, "loss": 1.5, "pairs": 3}, "place"),
        ({"words": 4096, "loss": float("nan"), "pairs": 3}, "place"),
        ({"words": 4096, "loss": 1.5, "pairs": True}, "place"),
        ({"words": 4097, "loss": 1.5, "pairs": 3}, "words: expected a multiple of 4096 below"),
        ({"words": 2**30, "loss": 1.5, "pairs": 3}, "words: expected a multiple of 4096 below"),
    ],
)
def test_a_forged_place_is_refused(corpus, saved, place, says):
    tensors, notes = read_tensors(saved / FILE, mmap=False)
    config = {**json.loads(notes["firth"]), "place": place}
    write_tensors(saved / FILE, tensors, {"firth": json.dumps(config)})
    with pytest.raises(FormatError, match=says):
        MODEL.fit(corpus, checkpoint=saved)


def test_a_run_that_blows_up_leaves_the_last_checkpoint(corpus, tmp_path):
    model = dataclasses.replace(MODEL, lr=1000.0, dim=100)
    with pytest.raises(FloatingPointError, match=r"Word2Vec: epoch \d of 3"):
        model.fit(corpus, checkpoint=tmp_path / "saved", every=1)
    if (tmp_path / "saved").exists():
        for table in read_tensors(tmp_path / "saved" / FILE)[0].values():
            assert np.isfinite(table).all()
