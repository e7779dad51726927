"""The folder of a learner: what is no such folder, is damaged or was forged."""

import json

import numpy as np
import pytest

import firth
from firth import FormatError, Learner
from firth.formats.tensors import read_tensors, write_tensors
from learners import EVERYDAY, PLAIN, ROWS, learnt_from

FILE = "model.safetensors"


def test_a_folder_of_a_learner_is_no_embedding(tmp_path):
    learnt_from(PLAIN, EVERYDAY[:1]).save(tmp_path / "saved")
    with pytest.raises(FormatError, match=r"firth\.Learner\.load reads it"):
        firth.load(tmp_path / "saved")
    PLAIN.fit(EVERYDAY[0]).save(tmp_path / "vectors")
    with pytest.raises(FormatError, match="expected version 1 of a learner"):
        Learner.load(tmp_path / "vectors")
    with pytest.raises(FileNotFoundError):
        Learner.load(tmp_path / "nothing")


@pytest.fixture(params=[PLAIN, ROWS], ids=["plain", "rows"])
def saved(request, tmp_path):
    learnt_from(request.param, EVERYDAY[:2]).save(tmp_path / "saved")
    return tmp_path / "saved"


def test_every_damaged_byte_is_found(saved):
    raw = (saved / FILE).read_bytes()
    rng = np.random.default_rng(5)
    for at in [*range(0, 64, 7), *rng.integers(0, len(raw), 60).tolist(), len(raw) - 1]:
        broken = bytearray(raw)
        broken[at] ^= 1 << int(rng.integers(8))
        (saved / FILE).write_bytes(broken)
        with pytest.raises(FormatError):
            Learner.load(saved)


def entry(**entries):
    return lambda config, tensors: config.update(entries)


def setting(**settings):
    return lambda config, tensors: config["settings"].update(settings)


def tensor(name, change):
    return lambda config, tensors: tensors.update({name: change(tensors[name].copy())})


@pytest.mark.parametrize(
    "change",
    [
        entry(version=2),
        entry(kind="counts"),
        entry(model="GloVe"),
        entry(model=["Word2Vec"]),
        entry(settings=7),
        entry(settings={}),
        entry(words=-1),
        entry(words=10**6),
        entry(words=1),
        entry(words=True),
        entry(keys=10**6),
        entry(tokens="many"),
        entry(epochs=2**32),
        entry(losses=None),
        entry(losses=[1]),
        entry(losses=[float("nan")]),
        setting(dim=5),
        setting(dim=0),
        setting(dim="4"),
        setting(threads=-1),
        setting(more=1),
        tensor("input", lambda a: a[:-1]),
        tensor("input", lambda a: a.astype(np.float64)),
        tensor("output", lambda a: a[:, :-1]),
        tensor("counts", lambda a: a * 0),
        tensor("counts", lambda a: a[:-1]),
        tensor("keys", lambda a: a * 0 + ord("a")),
        lambda config, tensors: tensors.pop("input"),
        lambda config, tensors: tensors.update(more=np.zeros(1)),
    ],
)
def test_a_forged_folder_is_refused(saved, change):
    forge(saved, change)
    with pytest.raises(FormatError):
        Learner.load(saved)


def forge(saved, change):
    tensors, notes = read_tensors(saved / FILE, mmap=False)
    config = json.loads(notes["firth"])
    change(config, tensors)
    write_tensors(saved / FILE, tensors, {"firth": json.dumps(config)})
    (saved / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "change",
    [
        tensor("places", lambda a: a[:-1]),
        tensor("places", lambda a: a - 1),
        tensor("places", lambda a: a + 2**33),
        tensor("places", lambda a: np.full_like(a, a[0])),
        lambda config, tensors: tensors.pop("places"),
        setting(buckets=51),
        setting(min_n=2),
        setting(hashes=1),
    ],
)
def test_rows_of_other_words_are_refused(tmp_path, change):
    learnt_from(ROWS, EVERYDAY[:2]).save(tmp_path / "saved")
    forge(tmp_path / "saved", change)
    with pytest.raises(FormatError):
        Learner.load(tmp_path / "saved")
