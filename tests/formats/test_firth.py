"""The firth folder: any key comes back, vectors are mapped, and no damaged byte goes unseen."""

import json
import mmap
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import Embedding, FormatError
from firth.formats.tensors import write_tensors
from strategies import any_keys, keys_and_vectors

KEYS = ["king", "", " ", "\n", "a\tb", "ä", "\udcc3\udca4", "\udc80", "\ud800", "\U0001f451", "\0"]


@pytest.fixture
def small(tmp_path):
    """A small folder, and what it holds."""
    vectors = np.arange(len(KEYS) * 2, dtype=np.float32).reshape(-1, 2)
    emb = Embedding(KEYS, vectors, np.arange(len(KEYS)), {"lr": 0.1, "by": "\udcff", "n": [1]})
    emb.save(tmp_path / "model")
    return tmp_path / "model", emb


def same(found, expected):
    counts = [None if emb.counts is None else emb.counts.tolist() for emb in (found, expected)]
    return (
        found.keys == expected.keys
        and found.vectors.tobytes() == expected.vectors.tobytes()
        and found.vectors.shape == expected.vectors.shape
        and counts[0] == counts[1]
        and found.metadata == expected.metadata
    )


@pytest.mark.parametrize("options", [{}, {"mmap": False}, {"verify": False}])
def test_what_is_saved_is_loaded(small, options):
    path, emb = small
    assert same(firth.load(path, **options), emb)
    assert same(firth.load(str(path), **options), emb)
    assert same(firth.read(path), emb)
    assert sorted(file.name for file in path.iterdir()) == ["config.json", "model.safetensors"]


@given(keys_and_vectors(any_keys), st.booleans(), st.dictionaries(st.text(), st.integers()))
def test_any_keys_and_numbers_come_back(tmp_path_factory, pair, counted, metadata):
    keys, vectors = pair
    counts = np.arange(len(keys)) if counted else None
    path = tmp_path_factory.mktemp("a") / "model"
    emb = Embedding(keys, vectors, counts, metadata)
    emb.save(path)
    assert same(firth.load(path), emb)


def test_an_embedding_without_keys_comes_back(tmp_path):
    Embedding([], np.zeros((0, 3))).save(tmp_path / "model")
    found = firth.load(tmp_path / "model")
    assert (len(found), found.dim, found.counts) == (0, 3, None)


def test_vectors_are_mapped_without_a_copy(small):
    found = firth.load(small[0]).vectors
    assert not found.flags.writeable
    base = found
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)
    assert firth.load(small[0], mmap=False).vectors.flags.writeable


def test_a_mapped_embedding_can_be_saved_over_its_own_folder(small):
    path, emb = small
    mapped = firth.load(path)
    mapped.save(path)
    assert same(mapped, emb)
    assert same(firth.load(path), emb)


def test_limit_reads_the_first_rows(small):
    path, emb = small
    found = firth.read(path, limit=3)
    assert found.keys == KEYS[:3]
    assert found.vectors.tolist() == emb.vectors[:3].tolist()
    assert found.counts.tolist() == [0, 1, 2]
    assert firth.read(path, limit=100).keys == KEYS


def test_a_folder_replaced_while_it_is_loaded_is_read_whole(tmp_path):
    path = tmp_path / "model"
    embeddings = [Embedding([str(n)], [[n]], metadata={"n": n}) for n in range(2)]
    embeddings[0].save(path)
    stop = threading.Event()

    def replace():
        while not stop.is_set():
            for emb in embeddings:
                emb.save(path)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(200):
            found = firth.load(path)
            assert same(found, embeddings[found.metadata["n"]])
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("metadata", [{"a": object()}, {"a": float("nan")}, {("a", 1): 2}])
def test_metadata_that_json_cannot_hold_are_refused(small, metadata):
    path, emb = small
    with pytest.raises((TypeError, ValueError), match="save: metadata that JSON cannot hold"):
        Embedding(["a"], [[1]], metadata=metadata).save(path)
    assert same(firth.load(path), emb)


# ---- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_every_changed_byte_is_found_or_means_the_same(small, name):
    path, emb = small
    good = (path / name).read_bytes()
    rejected = 0
    for at, byte in enumerate(good):
        change = (0x01, 0x20, 0x80)[at % 3]
        (path / name).write_bytes(good[:at] + bytes([byte ^ change]) + good[at + 1 :])
        try:
            assert same(firth.load(path), emb)
        except FormatError as error:
            assert name in str(error)  # noqa: PT017
            rejected += 1
    assert rejected > 0.8 * len(good)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_every_cut_is_found(small, name):
    path, _ = small
    good = (path / name).read_bytes()
    for size in range(len(good) - 2):
        (path / name).write_bytes(good[:size])
        with pytest.raises(FormatError, match=name):
            firth.load(path)


def test_a_missing_part_is_named(small, tmp_path):
    path, _ = small
    (path / "config.json").rename(tmp_path / "config.json")
    with pytest.raises(FormatError, match=r"config\.json: file: expected a configuration"):
        firth.load(path)
    with pytest.raises(FormatError, match=r"a folder without config\.json"):
        firth.read(path)
    (tmp_path / "config.json").rename(path / "config.json")
    (path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        firth.load(path)
    with pytest.raises(FileNotFoundError, match="missing"):
        firth.load(tmp_path / "missing")
    with pytest.raises(NotADirectoryError, match=r"firth\.read reads files"):
        firth.load(path / "config.json")


def test_the_model_of_another_folder_is_found(small, tmp_path):
    path, _ = small
    Embedding(["a"], [[1, 2]]).save(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(path / "model.safetensors")
    with pytest.raises(FormatError, match=r"what the header of model\.safetensors says"):
        firth.load(path)


def longs(*numbers):
    return np.array(numbers, np.int64)


def text(raw):
    return np.frombuffer(raw, np.uint8)


FORGED = {
    "version": ({"version": 2}, {}, "version 1 of an embedding, found version 2"),
    "kind": ({"kind": "graph"}, {}, "of kind 'graph'"),
    "format": ({"format": "other"}, {}, '"format": "firth"'),
    "keys a text": ({"keys": "2"}, {}, "keys and dim"),
    "keys true": ({"keys": True}, {}, "keys and dim"),
    "no dimensions": ({"dim": 0}, {"vectors": np.zeros((2, 0), "f4")}, "keys and dim"),
    "metadata a list": ({"metadata": []}, {}, "metadata"),
    "more keys": ({"keys": 3}, {}, "tensor"),
    "fewer keys": ({"keys": 1}, {}, "tensor"),
    "huge": ({"keys": 2**70}, {}, "tensor"),
    "negative": ({"keys": -1}, {}, "tensor"),
    "no vectors": ({}, {"vectors": None}, "tensor 'vectors': expected .*found None"),
    "no keys": ({}, {"keys": None}, "tensor 'keys'"),
    "a tensor more": ({}, {"more": longs(1)}, "tensor 'more': expected None"),
    "float64": ({}, {"vectors": np.zeros((2, 2))}, "tensor 'vectors'.*float32.*float64"),
    "flat vectors": ({}, {"vectors": np.zeros(4, "f4")}, "tensor 'vectors'"),
    "counts": ({}, {"counts": longs(1)}, "tensor 'counts'"),
    "negative counts": ({}, {"counts": longs(1, -1)}, "counts: found one that is negative"),
    "offsets start late": ({}, {"key_offsets": longs(1, 1, 3)}, "ascending 0 to 3"),
    "offsets end early": ({}, {"key_offsets": longs(0, 1, 2)}, "ascending 0 to 3"),
    "offsets go back": ({}, {"key_offsets": longs(0, 4, 3)}, "ascending 0 to 3"),
    "inside a character": ({}, {"key_offsets": longs(0, 2, 3)}, "the beginning of a character"),
    "not UTF-8": ({}, {"keys": text(b"a\xff\xff")}, "tensor 'keys' at 1: expected UTF-8"),
    "a key twice": ({}, {"keys": text(b"aa"), "key_offsets": longs(0, 1, 2)}, "more than once"),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_wrong_folder_with_right_checksums_is_named(tmp_path, case):
    config, tensors, expected = FORGED[case]
    good_config = {"format": "firth", "version": 1, "kind": "embedding", "keys": 2, "dim": 2}
    good = {
        "vectors": np.zeros((2, 2), np.float32),
        "keys": text("aä".encode()),
        "key_offsets": longs(0, 1, 3),
    }
    config = {**good_config, "files": ["model.safetensors"], "metadata": {}, **config}
    tensors = {name: x for name, x in {**good, **tensors}.items() if x is not None}
    write_tensors(tmp_path / "model.safetensors", tensors, {"firth": json.dumps(config)})
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(FormatError, match=expected):
        firth.load(tmp_path)


def test_the_forged_folder_is_right_otherwise(tmp_path):
    Embedding(["a", "ä"], np.zeros((2, 2))).save(tmp_path / "model")
    assert firth.load(tmp_path / "model").keys == ["a", "ä"]
