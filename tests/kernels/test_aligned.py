"""Arrays whose numbers do not lie at multiples of their size: copied or refused, never read so."""

import numpy as np
import pytest

import firth
from firth import kernels

ROWS = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)
IDS = np.array([0, 1, 2, 1], np.uint32)
OFFSETS = np.array([0, 2, 4])
KEEP, NOISE = np.full(6, 2**32 - 1, np.uint32), np.array([[0, 0]] * 6, np.uint32)


def shifted(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    found = raw[1:].view(array.dtype).reshape(array.shape)
    found[:] = array
    assert not found.flags.aligned
    return found


def test_searches_copy_them():
    right = kernels.topk(ROWS, ROWS, 2)
    for items, queries in ((shifted(ROWS), ROWS), (ROWS, shifted(ROWS))):
        assert all(map(np.array_equal, kernels.topk(items, queries, 2), right))
    assert np.array_equal(kernels.prepare(shifted(ROWS)).values(), ROWS)
    keys = [str(row) for row in range(6)]
    assert firth.Embedding(keys, shifted(ROWS)).vectors.flags.aligned


BAGS = kernels.Bags(OFFSETS, IDS)
CALLS = {
    "exclude": lambda x: kernels.topk(ROWS, ROWS, 2, exclude=x(np.arange(6))),
    "threshold": lambda x: kernels.topk(ROWS, ROWS, 2, threshold=x(np.zeros(6))),
    "table": lambda x: kernels.bag_means(x(ROWS), BAGS),
    "bags.ids": lambda x: kernels.bag_means(ROWS, kernels.Bags(OFFSETS, x(IDS))),
    "bags.offsets": lambda x: kernels.bag_means(ROWS, kernels.Bags(x(OFFSETS), IDS)),
    "input": lambda x: _train(input=x(ROWS)),
    "output": lambda x: _train(output=x(ROWS)),
    "ids": lambda x: _train(ids=x(IDS)),
    "offsets": lambda x: _train(offsets=x(OFFSETS)),
    "keep": lambda x: _train(keep=x(KEEP)),
    "noise": lambda x: _train(noise=x(NOISE)),
    "labels.ids": lambda x: _classify(labels=kernels.Bags(np.arange(3), x(IDS[:2]))),
    "classifier's input": lambda x: _classify(input=x(ROWS)),
}


def _train(**changes):
    given = {"input": ROWS.copy(), "output": ROWS.copy(), "ids": IDS, "offsets": OFFSETS}
    given |= {"keep": KEEP, "noise": NOISE}
    return kernels.negative_sampling(**(given | changes))


def _classify(**changes):
    given = {"input": ROWS.copy(), "output": ROWS.copy(), "bags": BAGS}
    given |= {"labels": kernels.Bags(np.arange(3), IDS[:2])}
    return kernels.classification(**(given | changes))


@pytest.mark.parametrize("name", CALLS)
def test_other_kernels_refuse_them(name):
    CALLS[name](np.copy)
    with pytest.raises(ValueError, match=rf"{name.split()[-1]} must be .*aligned"):
        CALLS[name](shifted)


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_columns_of_arrow_are_read_wherever_they_lie(kind):
    pyarrow = pytest.importorskip("pyarrow")
    words = ["company", "a word of more than twelve bytes", "", "words"]
    column = pyarrow.array(words, getattr(pyarrow, kind)())
    buffers = [
        None if part is None else pyarrow.py_buffer(b"\0" + part.to_pybytes())[1:]
        for part in column.buffers()
    ]
    moved = pyarrow.Array.from_buffers(column.type, len(words), buffers)
    moved = pyarrow.chunked_array([moved])  # which hands on a stream
    assert kernels.subwords(moved).ids.tolist() == kernels.subwords(words).ids.tolist()
