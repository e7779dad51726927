"""What the campaign of fuzzing counts as a failure."""

import bz2
import time

import numpy as np
import pytest

import firth
from trust import _whole, fuzz
from trust.readers import Reader


@pytest.fixture
def failures(tmp_path, monkeypatch):
    """Run a function as a reader on one input; return what is counted as its failures."""
    monkeypatch.setattr(_whole, "EVERY", 1)

    def running(read, data=b"some", form="bytes", **options):
        def reading(path):
            content = path.read_bytes()
            return [0] if content == b"sample" else read(path, content)

        reader = Reader("tried", form, lambda: {"only": b"sample"}, reading, **options)
        target = fuzz.Target(reader, tmp_path, tmp_path / "kept")
        target(data)
        for kept in (tmp_path / "kept").glob("*"):
            assert kept.name.startswith("tried-")
        return list(target.failures.values())

    return running


def test_typed_errors_and_whole_results_are_right(failures):
    def refuses(path, content):
        raise firth.FormatError(path, "byte 0", "a number", "none")

    assert failures(refuses) == failures(lambda path, content: [content]) == []


def test_other_errors_are_failures(failures):
    (found,) = failures(lambda path, content: content[9])
    assert found.startswith("IndexError test_fuzz.py:")
    assert "--replay" in found


def test_errors_that_name_no_place_are_failures(failures):
    def refuses(path, content):
        raise firth.FormatError(path.name, "byte 0", "a number", "none")

    assert "an unclear message" in failures(refuses)[0]


def test_documented_errors_begin_as_they_should(failures):
    def refuses(path, content):
        raise ValueError("Graph.read: weights are negative")

    assert failures(refuses, says=("Graph.read: ",)) == []
    assert len(failures(refuses, says=("Corpus.read: ",))) == 1


@pytest.mark.unsanitized
def test_too_much_memory_is_a_failure(failures):
    # Memory that the process gives back meanwhile counts for the reader: hence twice the bound.
    assert failures(lambda path, content: [np.empty(48 << 20, np.uint8)]) == []
    found = failures(lambda path, content: [np.empty(128 << 20, np.uint8)])
    assert "Unable to allocate" in found[0]


@pytest.mark.unsanitized
def test_what_is_compressed_may_take_as_much_as_it_holds(failures):
    bomb = bz2.compress(bytes(80 << 20))
    assert failures(lambda path, content: [np.empty(128 << 20, np.uint8)], bomb, "bz2") == []
    assert failures(lambda path, content: [np.empty(512 << 20, np.uint8)], bomb, "bz2")


def test_too_much_time_is_a_failure(failures, monkeypatch):
    def slow(path, content):
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        return []

    assert failures(slow) == []
    monkeypatch.setattr(fuzz, "SECONDS", 0.01)
    assert failures(slow)[0].startswith("TimeoutError")


def test_a_turned_bit_that_is_not_noticed_is_a_failure(failures):
    assert "a bit was turned" in failures(lambda path, content: [content], summed=True)[0]
    assert failures(lambda path, content: [len(content)], summed=True) == []
