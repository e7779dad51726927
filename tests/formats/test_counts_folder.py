"""Firth folders of counts: all comes back, mapped; damage and forgery are named, never believed."""

import json
import mmap
import random
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
import firth.cli
from counted import same, small, some_sentences
from firth import Counts, FormatError
from firth.formats.tensors import write_tensors


@given(some_sentences, st.sampled_from(["distance", "uniform", "linear"]), st.booleans())
def test_what_is_saved_is_loaded(tmp_path_factory, rows, weights, symmetric):
    path = tmp_path_factory.mktemp("a") / "counts"
    counts = Counts.of(rows, window=4, min_count=1, weights=weights, symmetric=symmetric)
    counts.save(path)
    for found in (Counts.load(path), Counts.load(str(path), mmap=False)):
        assert same(found, counts)
    assert same(Counts.load(path).merge(counts), counts.merge(counts))


def test_sums_are_mapped_and_can_be_saved_over_their_own_folder(tmp_path):
    counts = small(sentences=False)
    counts.save(tmp_path / "counts")
    found = Counts.load(tmp_path / "counts")
    for array in (found.sums.indptr, found.sums.indices, found.sums.data):
        assert not array.flags.writeable
        base = array
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)
    found.save(tmp_path / "counts")
    assert same(Counts.load(tmp_path / "counts"), counts)
    assert Counts.load(tmp_path / "counts", mmap=False).sums.data.flags.writeable


def test_the_configuration_says_how_it_was_counted(tmp_path):
    small().save(tmp_path / "counts")
    shown = json.loads((tmp_path / "counts" / "config.json").read_text())
    assert shown == {
        "format": "firth", "version": 1, "kind": "counts", "keys": 7, "entries": 19, "unit": 6,
        "window": 3, "weights": "distance", "symmetric": True, "sentences": True, "tokens": 10,
        "files": ["model.safetensors"],
    }  # fmt: skip


def test_counts_are_no_vectors_and_vectors_no_counts(tmp_path):
    small().save(tmp_path / "counts")
    for read in (firth.load, firth.read):
        with pytest.raises(FormatError, match=r"an embedding, .* 'counts' \(firth\.Counts\.load"):
            read(tmp_path / "counts")
    firth.Embedding(["a"], [[1]]).save(tmp_path / "model")
    with pytest.raises(FormatError, match=r"expected version 1 of counts, found .* 'embedding'"):
        Counts.load(tmp_path / "model")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        Counts.load(tmp_path / "none")
    with pytest.raises(NotADirectoryError, match="expected a firth folder"):
        Counts.load(tmp_path / "counts" / "config.json")
    with pytest.raises(FormatError, match="as in a firth folder"):
        Counts.load(tmp_path)


def test_info_says_what_was_counted(tmp_path, capsys):
    Counts.of([["the", "cat"]], window=3, min_count=1).save(tmp_path / "counts")
    assert firth.cli.main(["info", str(tmp_path / "counts")]) == 0
    facts = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert facts["kind"] == "counts"
    assert (facts["words"], facts["entries"], facts["tokens"]) == ("2", "2", "2")
    assert (facts["rule.window"], facts["rule.weights"]) == ("3", "distance")
    assert firth.cli.main(["info", str(tmp_path / "counts"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rule"]["unit"] == 6


# ---- damage and forgery -------------------------------------------------------------------------

GOOD = {
    "indptr": np.array([0, 1, 3]),
    "indices": np.array([1, 0, 1], np.int32),
    "sums": np.array([2, 2, 4], np.uint64),
    "counts": np.array([3, 2]),
    "keys": np.frombuffer(b"ab", np.uint8),
    "key_offsets": np.array([0, 1, 2]),
}
FORGED = {
    "version": ({"version": 2}, {}, "version 2 of kind 'counts'"),
    "no words": ({"keys": None}, {}, "keys and entries"),
    "true words": ({"keys": True}, {}, "keys and entries"),
    "other words": ({"keys": 3}, {}, "tensor '"),
    "words below 0": ({"keys": -2}, {}, "tensor '"),
    "many words": ({"keys": 2**70}, {}, "tensor '"),
    "other entries": ({"entries": 2}, {}, "tensor '(indices|sums)'"),
    "a fraction": ({"entries": 3.0}, {}, "keys and entries"),
    "no unit": ({"unit": None}, {}, "unit must be an integer"),
    "another unit": ({"unit": 3}, {}, "unit=3, expected 2"),
    "window 0": ({"window": 0}, {}, "window=0"),
    "a long window": ({"window": "long"}, {}, "integer|digits"),
    "weights": ({"weights": {}}, {}, "weights="),
    "symmetric": ({"symmetric": 1}, {}, "symmetric=1 is not"),
    "sentences": ({"sentences": "no"}, {}, "sentences='no' is not"),
    "tokens": ({"tokens": -3}, {}, "tokens=-3"),
    "no sums": ({}, {"sums": None}, "tensor 'sums'.*found None"),
    "more": ({}, {"vectors": np.zeros((2, 2), "f4")}, "tensor 'vectors': expected None"),
    "float sums": ({}, {"sums": np.ones(3)}, "tensor 'sums'.*uint64.*float64"),
    "long indices": ({}, {"indices": np.array([1, 0, 1])}, "tensor 'indices'.*int32"),
    "falling": ({}, {"indptr": np.array([0, 4, 3])}, "indptr"),
    "late": ({}, {"indptr": np.array([1, 1, 3])}, "indptr"),
    "short": ({}, {"indptr": np.array([0, 1, 2])}, "indptr"),
    "wild": ({}, {"indptr": np.array([0, -(2**62), 3])}, "indptr"),
    "outside": ({}, {"indices": np.array([2, 0, 1], np.int32)}, r"indices\[0\].*2"),
    "negative": ({}, {"indices": np.array([-1, 0, 1], np.int32)}, r"indices\[0\].*-1"),
    "twins": ({}, {"indices": np.array([1, 1, 1], np.int32)}, r"indices\[2\].*in its row"),
    "zero": ({}, {"sums": np.array([2, 0, 4], np.uint64)}, r"data\[1\] is 0"),
    "order": ({}, {"counts": np.array([2, 3])}, "most frequent first"),
    "no counts": ({}, {"counts": np.array([3, 0])}, "count 0 of 'b' is not positive"),
    "one word": ({}, {"keys": np.frombuffer(b"aa", "u1")}, "Vocabulary"),
    "no text": ({}, {"keys": np.frombuffer(b"a\xff", "u1")}, "UTF-8"),
    "lone": ({}, {"keys": np.frombuffer(b"a\xed\xa0\x80", "u1")}, "key_offsets"),
    "surrogate": (
        {},
        {"keys": np.frombuffer(b"a\xed\xa0\x80", "u1"), "key_offsets": np.array([0, 1, 4])},
        "surrogates not allowed",
    ),
}


@pytest.mark.parametrize("case", [None, *FORGED])
@pytest.mark.parametrize("mapped", [True, False])
def test_a_wrong_folder_with_right_checksums_is_named(tmp_path, case, mapped):
    config, tensors, expected = FORGED.get(case, ({}, {}, ""))
    config = {
        "format": "firth", "version": 1, "kind": "counts", "keys": 2, "entries": 3, "unit": 2,
        "window": 2, "weights": "distance", "symmetric": True, "sentences": True, "tokens": 5,
        "files": ["model.safetensors"], **config,
    }  # fmt: skip
    tensors = {name: x for name, x in {**GOOD, **tensors}.items() if x is not None}
    note = json.dumps(config).replace('"long"', "1" + "0" * 5000)
    write_tensors(tmp_path / "model.safetensors", tensors, {"firth": note})
    (tmp_path / "config.json").write_text(note)
    if case is None:
        assert Counts.load(tmp_path, mmap=mapped)["b", "b"] == 2.0
        return
    with pytest.raises(FormatError, match=expected):
        Counts.load(tmp_path, mmap=mapped)


def test_no_damaged_byte_goes_unseen(tmp_path):
    counts = small()
    counts.save(tmp_path / "counts")
    dice = random.Random(0)
    for name in ("model.safetensors", "config.json"):
        file = tmp_path / "counts" / name
        good = file.read_bytes()
        for _ in range(150):
            bad = bytearray(good)
            at = dice.randrange(len(bad))
            if dice.random() < 0.3:
                bad = bad[:at]
            else:
                bad[at] ^= 1 << dice.randrange(8)
            file.write_bytes(bad)
            with suppress(FormatError):
                assert same(Counts.load(tmp_path / "counts"), counts)  # white space may change
        file.write_bytes(good)
