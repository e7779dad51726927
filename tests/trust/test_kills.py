"""Writers that are killed: a few kills of each; ``kills.py`` is the campaign."""

import os
import random
import signal

import pytest

import firth
from firth import Embedding
from trust import kills
from trust.writers import SPILLS, WRITERS, below, two_steps

SMALL = ["Embedding.save", "Embedding.save in two steps", "checkpoint", "word2vec-text"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_killed_writer_leaves_the_old_or_the_new(tmp_path, name):
    many = 6 if name in SMALL else 2
    failures, _ = kills.kill_saves(WRITERS[name], tmp_path, many, random.Random(1), 100_000)
    assert not failures


@pytest.mark.unsanitized_threads
@pytest.mark.parametrize("name", SPILLS)
def test_what_is_spilled_is_gone_with_the_process(tmp_path, name):
    failures, _ = kills.kill_spills(name, tmp_path, 3, random.Random(1))
    assert not failures


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    failures, _ = kills.kill_training(tmp_path, 3, random.Random(1))
    assert not failures


def test_the_campaign_sees_a_writer_that_writes_in_place(tmp_path, monkeypatch):
    def in_place(made, path):
        with path.open("wb") as file:
            for row in made.vectors:
                file.write(row.tobytes())
                file.flush()

    writer = WRITERS["word2vec-binary"]
    broken = kills.Writer(
        "in place", writer.make, in_place, lambda path: path.read_bytes(), lambda made: [made]
    )
    monkeypatch.setattr(
        kills.Writer,
        "meant",
        lambda self, made: kills.told([getattr(made, "vectors", made).tobytes()]),
    )
    failures, _ = kills.kill_saves(broken, tmp_path, 9, random.Random(1), 1 << 20)
    assert failures


@pytest.mark.parametrize("read", [firth.load, lambda path: firth.read(path, "firth")])
def test_a_folder_that_was_killed_between_two_steps_is_read(tmp_path, monkeypatch, read):
    path, made = tmp_path / "model", Embedding(["a"], [[1, 2]])
    made.save(path)
    child = os.fork()
    if child == 0:
        os_rename, times = os.rename, []

        def rename(*names):
            os_rename(*names)
            times.append(names)
            if ".firth-old" in str(names[1]):
                os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(os, "rename", rename)
        with two_steps():
            made.save(path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not path.exists()
    assert len(below(tmp_path)) == 2
    assert read(path).keys == ["a"]
    made.save(path)
    assert below(tmp_path) == ["model"]
