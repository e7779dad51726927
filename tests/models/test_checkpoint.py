"""Checkpoints: training that was stopped goes on to the same bits, and nothing else is taken."""

import dataclasses
import json
import os
import signal
import threading

import numpy as np
import pytest

import firth
from firth import Corpus, Counts, FormatError, GloVe, Vocabulary, kernels
from firth.formats.tensors import read_tensors, write_tensors

MODEL = GloVe(dim=8, window=3, epochs=4, x_max=10, threads=1)
FILE = "model.safetensors"


@pytest.fixture(scope="module")
def corpus():
    """Enough company for several groups of rows, and so for several rounds of an epoch."""
    ids = np.random.default_rng(1).integers(0, 300, 40_000).astype(np.uint32)
    tally = np.bincount(ids, minlength=300)
    rank = np.argsort(-tally, kind="stable")
    words = Vocabulary([f"{i:03}" for i in range(300)], tally[rank])
    return Corpus(np.argsort(rank).astype(np.uint32)[ids], np.array([0, len(ids)]), words)


@pytest.fixture(scope="module")
def whole(corpus):
    """What training without an interruption gives."""
    return MODEL.fit(corpus)


@pytest.fixture(scope="module")
def written(corpus, tmp_path_factory):
    """A checkpoint after two epochs."""
    path = tmp_path_factory.mktemp("checkpoints") / "saved"
    MODEL.fit(corpus, checkpoint=path, callback=stop_after(2))
    return path


@pytest.fixture
def saved(written, tmp_path):
    """A copy of the checkpoint after two epochs."""
    path = tmp_path / "saved"
    path.mkdir()
    for name in written.iterdir():
        (path / name.name).write_bytes(name.read_bytes())
    return path


def stop_after(last):
    return lambda epoch, *_: epoch == last


def contents(path):
    return {name.name: name.read_bytes() for name in path.iterdir()}


def assert_same(one, other):
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert one.metadata["losses"] == other.metadata["losses"]


def never(*args, **options):
    raise AssertionError("nothing should have been read or trained")


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_training_that_the_callback_stopped_goes_on_to_the_same_bits(
    corpus, whole, tmp_path, epochs
):
    path = tmp_path / "saved"
    part = MODEL.fit(corpus, checkpoint=path, callback=stop_after(epochs))
    assert len(part.metadata["losses"]) == epochs
    assert_same(MODEL.fit(corpus, checkpoint=path), whole)


def test_training_interrupted_within_an_epoch_goes_on_to_the_same_bits(
    corpus, whole, tmp_path, monkeypatch
):
    path, train = tmp_path / "saved", kernels.glove

    def interrupted(words, contexts, counts, *, epoch, **options):
        def stop(done, loss):
            if epoch == 2 and done > counts.nnz / 2:
                raise KeyboardInterrupt

        return train(words, contexts, counts, epoch=epoch, **{**options, "progress": stop})

    with monkeypatch.context() as patch:
        patch.setattr(kernels, "glove", interrupted)
        with pytest.raises(KeyboardInterrupt) as stop:
            MODEL.fit(corpus, checkpoint=path)
    assert stop.value.embedding.metadata["losses"] == whole.metadata["losses"][:2]
    after_two = read_tensors(path / FILE)[0]["words"][:, :8]
    kept = dataclasses.replace(MODEL, vectors="words", epochs=2).fit(corpus, checkpoint=path)
    np.testing.assert_array_equal(kept.vectors, after_two)
    seen = []
    later = MODEL.fit(corpus, checkpoint=path, callback=lambda *told: seen.append(told[:2]))
    assert_same(later, whole)
    many = later.metadata["counts"]
    assert seen == [(3, 3 * many), (4, 4 * many)]


# A signal between the opening of a file and its `with` leaves the closing to Python, which warns.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_training_stopped_by_ctrl_c_goes_on_to_the_same_bits(corpus, tmp_path):
    path = tmp_path / "saved"
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))

    def callback(epoch, *_):
        if epoch == 2:
            timer.start()

    with pytest.raises(KeyboardInterrupt) as stop:
        dataclasses.replace(MODEL, epochs=10**6).fit(corpus, checkpoint=path, callback=callback)
    timer.join()
    # The signal may have come after an epoch, but before it was saved.
    epochs = len(stop.value.embedding.metadata["losses"]) + 1
    model = dataclasses.replace(MODEL, epochs=epochs)
    assert_same(model.fit(corpus, checkpoint=path), model.fit(corpus))


def test_finished_training_can_go_on_to_more_epochs(corpus, tmp_path):
    path = tmp_path / "saved"
    MODEL.fit(corpus, checkpoint=path)
    more = dataclasses.replace(MODEL, epochs=6)
    assert_same(more.fit(corpus, checkpoint=path), more.fit(corpus))


def test_a_finished_checkpoint_is_not_trained_again(corpus, whole, tmp_path, monkeypatch):
    path = tmp_path / "saved"
    MODEL.fit(corpus, checkpoint=path)
    before = contents(path)
    monkeypatch.setattr(kernels, "glove", never)
    assert_same(MODEL.fit(corpus, checkpoint=path), whole)
    assert contents(path) == before


@pytest.mark.parametrize("there", [False, True])
def test_a_checkpoint_changes_nothing_that_is_learnt(corpus, whole, tmp_path, there):
    if there:
        (tmp_path / "saved").mkdir()
    assert_same(MODEL.fit(corpus, checkpoint=str(tmp_path / "saved")), whole)


@pytest.mark.parametrize("change", [{"threads": 2}, {"memory": None}, {"min_count": 1}])
def test_what_changes_no_result_may_be_others(corpus, whole, saved, change):
    assert_same(dataclasses.replace(MODEL, **change).fit(corpus, checkpoint=saved), whole)


def test_counts_go_on_where_their_text_stopped(corpus, whole, saved):
    counts = Counts.of(corpus, window=3)
    assert_same(MODEL.fit(counts, checkpoint=saved), whole)


def test_the_embedding_may_hold_other_vectors(corpus, saved):
    words = dataclasses.replace(MODEL, vectors="words")
    assert_same(words.fit(corpus, checkpoint=saved), words.fit(corpus))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dim": 9}, "dim=8, expected 9"),
        ({"seed": 2}, "seed=1, expected 2"),
        ({"lr": 0.1}, "lr=0.05, expected 0.1"),
        ({"x_max": 11, "alpha": 1}, "x_max=10.0, expected 11.0"),
        ({"alpha": 1}, "alpha=0.75, expected 1.0"),
        ({"window": 4}, "window=3, expected 4"),
        ({"weights": "linear"}, "weights='distance', expected 'linear'"),
        ({"symmetric": False}, "symmetric=True, expected False"),
        ({"sentences": False}, "sentences=True, expected False"),
        ({"epochs": 1}, "2 finished epochs, expected at most epochs=1"),
    ],
)
def test_other_settings_are_refused_before_anything_is_counted(saved, change, says, monkeypatch):
    monkeypatch.setattr(Corpus, "read", never)
    before = contents(saved)
    with pytest.raises(ValueError, match="GloVe: the checkpoint .*saved has " + says):
        dataclasses.replace(MODEL, **change).fit("no-such-text", checkpoint=saved)
    assert contents(saved) == before


def test_other_words_counts_or_beginnings_are_refused(corpus, whole, saved):
    before = contents(saved)
    words, tally = corpus.vocabulary.words, corpus.vocabulary.counts
    renamed = dataclasses.replace(corpus, vocabulary=Vocabulary([*words[:-1], "~"], tally))
    with pytest.raises(ValueError, match=r"GloVe: the checkpoint .* has words="):
        MODEL.fit(renamed, checkpoint=saved)
    cut = dataclasses.replace(corpus, offsets=np.array([0, 9, len(corpus.ids)]))
    with pytest.raises(ValueError, match=r"GloVe: the checkpoint .* has counts="):
        MODEL.fit(cut, checkpoint=saved)
    with pytest.raises(ValueError, match=r"GloVe: the checkpoint .* has start="):
        MODEL.fit(corpus, checkpoint=saved, start=whole)
    assert contents(saved) == before


def test_start_and_a_checkpoint_go_together(corpus, whole, tmp_path):
    straight = MODEL.fit(corpus, start=whole)
    path = tmp_path / "saved"
    MODEL.fit(corpus, start=whole, checkpoint=path, callback=stop_after(3))
    assert_same(MODEL.fit(corpus, start=whole, checkpoint=path), straight)


# ---- places and files that are no checkpoints ---------------------------------------------------


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("file", NotADirectoryError),
        ("others", FileExistsError),
        ("embedding", FormatError),
        ("nowhere/saved", FileNotFoundError),
        ("", ValueError),
    ],
)
def test_a_place_for_no_checkpoint_is_refused_before_anything_is_counted(
    whole, tmp_path, place, error, monkeypatch
):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "file").write_text("mine")
    whole.save(tmp_path / "embedding")
    monkeypatch.setattr(Corpus, "read", never)
    with pytest.raises(error):
        MODEL.fit("no-such-text", checkpoint=tmp_path / place if place else "")
    assert (tmp_path / "file").read_text() == (tmp_path / "others" / "file").read_text() == "mine"
    np.testing.assert_array_equal(firth.load(tmp_path / "embedding").vectors, whole.vectors)


def test_a_checkpoint_is_no_embedding(saved):
    with pytest.raises(FormatError, match="glove-checkpoint"):
        firth.load(saved)


def test_every_damaged_byte_is_found(corpus, saved):
    raw = (saved / FILE).read_bytes()
    rng = np.random.default_rng(5)
    places = [*range(0, 64, 7), *rng.integers(0, len(raw), 60).tolist(), len(raw) - 1]
    for at in places:
        broken = bytearray(raw)
        broken[at] ^= 1 << int(rng.integers(8))
        (saved / FILE).write_bytes(broken)
        with pytest.raises(FormatError, match=FILE):
            MODEL.fit("no-such-text", checkpoint=saved)


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.5, 0.999])
def test_a_file_cut_short_is_refused(saved, share):
    raw = (saved / FILE).read_bytes()
    (saved / FILE).write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(FormatError, match=FILE):
        MODEL.fit("no-such-text", checkpoint=saved)


def test_a_folder_without_its_file_is_refused(saved):
    (saved / FILE).unlink()
    with pytest.raises(FormatError, match="expected a glove-checkpoint, found none"):
        MODEL.fit("no-such-text", checkpoint=saved)


def set_(**entries):
    return lambda config, tensors: (config | entries, tensors)


def table(name, change):
    return lambda config, tensors: (config, tensors | {name: change(tensors[name].copy())})


def put(row, column, value):
    def change(array):
        array[row, column] = value
        return array

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_(kind="embedding"), "version 1"),
        (set_(kind=["glove-checkpoint"]), "version 1"),
        (set_(version=2), "version 2"),
        (set_(settings=7), "settings"),
        (set_(settings={}), "'dim'"),
        (set_(losses="many"), "losses"),
        (set_(losses=[]), "losses"),
        (set_(losses=[0.1, "0.1"]), "losses"),
        (set_(losses=[0.1, float("inf")]), "losses"),
        (set_(losses=[0.1, True]), "losses"),
        (lambda config, tensors: ([config], tensors), "header"),
        (lambda config, tensors: ({"kind": "glove-checkpoint"}, tensors), "header"),
        (table("words", lambda a: a[:-1]), "tensor 'words'"),
        (table("words", lambda a: a[:, :-1]), "tensor 'words'"),
        (table("contexts", lambda a: a.astype(np.float64)), "tensor 'contexts'"),
        (table("contexts", lambda a: a.reshape(-1)), "tensor 'contexts'"),
        (table("contexts", put(3, 1, np.nan)), "tensor 'contexts'"),
        (table("words", put(3, 1, np.inf)), "tensor 'words'"),
        (table("words", put(3, -1, 0)), "state of AdaGrad"),
        (table("contexts", put(3, -1, -5)), "state of AdaGrad"),
        (lambda config, tensors: (config, {"words": tensors["words"]}), "tensor 'contexts'"),
        (lambda config, tensors: (config, tensors | {"more": np.zeros(1)}), "tensor 'more'"),
    ],
)
def test_a_forged_file_is_refused(corpus, saved, change, says):
    tensors, notes = read_tensors(saved / FILE, mmap=False)
    config, tensors = change(json.loads(notes["firth"]), tensors)
    write_tensors(saved / FILE, tensors, {"firth": json.dumps(config)})
    with pytest.raises(FormatError, match=says):
        MODEL.fit(corpus, checkpoint=saved)


@pytest.mark.parametrize("note", [None, "", "{", "[" * 100_000])
def test_a_header_that_is_no_configuration_is_refused(corpus, saved, note):
    tensors, _ = read_tensors(saved / FILE, mmap=False)
    write_tensors(saved / FILE, tensors, {} if note is None else {"firth": note})
    with pytest.raises(FormatError, match="header"):
        MODEL.fit(corpus, checkpoint=saved)
