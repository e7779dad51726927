"""Firth folders of subword embeddings: all comes back, and what does not fit together is named."""

import json
import mmap
import tracemalloc
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import Embedding, FormatError, SubwordEmbedding, Subwords
from firth.formats.kinds import KINDS, kind_of
from firth.formats.tensors import write_tensors
from strategies import any_keys

RULES = [Subwords(3, 4, 11), Subwords(4, 5, 9, hashes=3), Subwords(0, 0, 0), Subwords(0, 0, 6)]


def made(rule, keys, *, pruned=False, **options):
    """An embedding of random rows; if it is pruned, each second bucket has a row."""
    rng = np.random.default_rng(0)
    kept = np.arange(rule.buckets, dtype=np.int32) // 2
    kept[::2] = -1
    rows = len(keys) if rule.words_have_rows else 0
    rows += int(kept.max(initial=-1)) + 1 if pruned else rule.buckets
    table = rng.standard_normal((rows, 3)).astype(np.float32)
    return SubwordEmbedding(keys, table, rule, kept=kept if pruned else None, **options)


def same(found, expected):
    def tables(emb):
        arrays = emb.vectors, emb.input, emb.output, emb.kept, emb.counts
        return [None if x is None else (x.tobytes(), x.shape, x.dtype) for x in arrays]

    return (
        type(found) is type(expected)
        and (found.keys, found.rule, found.metadata)
        == (expected.keys, expected.rule, expected.metadata)
        and tables(found) == tables(expected)
    )


@given(
    st.lists(any_keys, unique=True, min_size=1, max_size=5),
    st.sampled_from(RULES),
    st.booleans(),
    st.booleans(),
)
def test_what_is_saved_is_loaded(tmp_path_factory, keys, rule, pruned, whole):
    options = {}
    if whole:
        options = {"counts": range(len(keys)), "output": np.ones((len(keys), 3))}
    emb = made(rule, keys, pruned=pruned, metadata={"by": "hand"}, **options)
    path = tmp_path_factory.mktemp("a") / "model"
    emb.save(path)
    for found in (firth.load(path), firth.load(path, mmap=False), firth.read(path)):
        assert same(found, emb)
    shown = json.loads((path / "config.json").read_text())
    assert (shown["kind"], shown["rule"]) == ("subword-embedding", asdict(rule))


def test_tables_are_mapped_and_answer(tmp_path):
    emb = made(RULES[0], ["cat", "dog"], output=np.ones((2, 3)))
    emb.save(tmp_path / "model")
    found = firth.load(tmp_path / "model")
    for table in (found.vectors, found.input, found.output):
        assert not table.flags.writeable
        base = table
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)
    assert found["mouse"].tolist() == emb["mouse"].tolist()
    found.save(tmp_path / "model")
    assert same(firth.load(tmp_path / "model"), emb)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("pruned", [False, True])
def test_limit_keeps_the_first_keys_and_all_buckets(tmp_path, rule, pruned):
    emb = made(rule, ["cat", "dog", "cow"], pruned=pruned, counts=[3, 2, 1], output=np.eye(3))
    emb.save(tmp_path / "model")
    found = firth.read(tmp_path / "model", limit=2)
    assert (found.keys, found.counts.tolist()) == (["cat", "dog"], [3, 2])
    assert found.output.tolist() == [[1, 0, 0], [0, 1, 0]]
    for word in ("cat", "dog", "mouse"):
        if emb.has_vector(word):
            assert found[word].tolist() == emb[word].tolist()
    assert found.has_vector("cow") == (len(rule.ngrams("cow")) > 0)
    assert same(firth.read(tmp_path / "model", limit=9), emb)


def test_a_limit_cuts_no_tree(tmp_path):
    """Rows of the output are then nodes, none of which can be left out."""
    notes = {"fasttext": {"loss": 1}}
    emb = made(RULES[0], ["cat", "dog", "cow"], output=np.eye(3), metadata=notes)
    emb.save(tmp_path / "model")
    assert firth.read(tmp_path / "model", limit=2).output is None
    assert same(firth.read(tmp_path / "model", limit=3), emb)


@pytest.mark.parametrize("rule", [Subwords(3, 4, 100_000), Subwords(3, 4, 100_000, hashes=1)])
def test_a_limit_copies_the_rows_once(rule):
    emb = made(rule, ["cat", "dog"])
    tracemalloc.start()
    found = KINDS["subword-embedding"].cut(emb, 1)
    assert tracemalloc.get_traced_memory()[1] < 1.1 * emb.input.nbytes
    tracemalloc.stop()
    assert not np.shares_memory(found.input, emb.input)


def test_the_kind_is_the_most_special_one():
    assert kind_of(Embedding(["a"], [[1]])) == "embedding"
    assert kind_of(made(RULES[0], ["a"])) == "subword-embedding"
    assert list(KINDS) == sorted(KINDS, key=lambda name: len(KINDS[name].type.__mro__))


RULE = {"min_n": 3, "max_n": 4, "buckets": 5, "hashes": 0}
FORGED = {
    "no rule": ({"rule": None}, {}, "rule None does not have min_n"),
    "rule a list": ({"rule": [3, 4, 5, 0]}, {}, r"rule \[3, 4, 5, 0\]"),
    "half a rule": ({"rule": {"min_n": 3}}, {}, "does not have min_n, max_n, buckets, hashes"),
    "more of a rule": ({"rule": {**RULE, "code": 1}}, {}, "does not have"),
    "a wrong rule": ({"rule": {**RULE, "max_n": 2}}, {}, "min_n=3 is not between 1 and 2"),
    "texts in a rule": ({"rule": {**RULE, "min_n": "3"}}, {}, "is not a whole number"),
    "true in a rule": ({"rule": {**RULE, "min_n": True}}, {}, "is not a whole number"),
    "fractions in a rule": ({"rule": {**RULE, "buckets": 5.0}}, {}, "is not a whole number"),
    "too many hashes": ({"rule": {**RULE, "hashes": 5}}, {}, "hashes=5"),
    "huge buckets": ({"rule": {**RULE, "buckets": 2**31 - 1}}, {}, "tensor 'input'"),
    "buckets beyond": ({"rule": {**RULE, "buckets": 2**64}}, {}, "buckets=18446744073709551616"),
    "floret's rows": ({"rule": {**RULE, "hashes": 1}}, {}, "tensor 'input'"),
    "no input": ({}, {"input": None}, "tensor 'input'.*found None"),
    "no vectors": ({}, {"vectors": None}, "tensor 'vectors'.*found None"),
    "float64": ({}, {"input": np.zeros((7, 2))}, "tensor 'input'.*float32.*float64"),
    "a flat input": ({}, {"input": np.zeros(14, "f4")}, "tensor 'input'"),
    "another dim": ({}, {"input": np.zeros((7, 3), "f4")}, "tensor 'input'"),
    "fewer rows": ({}, {"input": np.zeros((6, 2), "f4")}, "tensor 'input'"),
    "output": ({}, {"output": np.zeros((3, 2), "f4")}, "tensor 'output'"),
    "short kept": ({}, {"kept": np.zeros(4, "i4")}, "tensor 'kept'"),
    "long integers": ({}, {"kept": np.zeros(5, "i8")}, "tensor 'kept'"),
    "kept beyond": ({}, {"kept": np.full(5, 5, "i4")}, "not between -1 and 4"),
    "kept below": ({}, {"kept": np.full(5, -2, "i4")}, "not between -1 and 4"),
    "kept, flat": ({}, {"kept": np.zeros(5, "i4"), "input": np.zeros(14, "f4")}, "tensor 'input'"),
    "kept, one number": (
        {},
        {"kept": np.zeros(5, "i4"), "input": np.zeros((), "f4")},
        "tensor 'input'",
    ),
    "kept, no rows": (
        {},
        {"kept": np.full(5, -1, "i4"), "input": np.zeros((1, 2), "f4")},
        "kept: found|input has 1 rows",
    ),
    "rows of no kind": ({"kind": "embedding"}, {}, "tensor '(input|output)': expected None"),
    "kind a list": ({"kind": ["embedding"]}, {}, "of kind"),
}


@pytest.mark.parametrize("case", [None, *FORGED])
def test_a_wrong_folder_with_right_checksums_is_named(tmp_path, case):
    config, tensors, expected = FORGED.get(case, ({}, {}, ""))
    config = {
        "format": "firth",
        "version": 1,
        "kind": "subword-embedding",
        "keys": 2,
        "dim": 2,
        "rule": RULE,
        "files": ["model.safetensors"],
        "metadata": {},
        **config,
    }
    good = {
        "vectors": np.zeros((2, 2), np.float32),
        "input": np.zeros((7, 2), np.float32),
        "keys": np.frombuffer(b"ab", np.uint8),
        "key_offsets": np.array([0, 1, 2], np.int64),
    }
    tensors = {name: x for name, x in {**good, **tensors}.items() if x is not None}
    write_tensors(tmp_path / "model.safetensors", tensors, {"firth": json.dumps(config)})
    (tmp_path / "config.json").write_text(json.dumps(config))
    if case is None:
        assert firth.load(tmp_path).keys == ["a", "b"]
        return
    with pytest.raises(FormatError, match=expected):
        firth.load(tmp_path)
