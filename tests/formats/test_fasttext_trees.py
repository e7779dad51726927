"""fastText's binary format: counts of labels whose tree would be endlessly deep, or nearly is."""

import tracemalloc

import pytest

import firth
from fasttext_files import SUPERVISED, model
from firth import FormatError

FORMAT = "fasttext-binary"


def test_a_tree_of_labels_that_were_never_seen_is_refused(tmp_path):
    """It would be a chain, whose paths take memory by the square of the labels."""
    labels = [(f"__label__{row}", 0) for row in range(20_000)]
    path = tmp_path / "a.bin"
    path.write_bytes(model(labels=labels, **{**SUPERVISED, "loss": 1}))
    with pytest.raises(FormatError, match="label_counts: found a 0, loss='hs' needs 1 or more"):
        firth.read(path, FORMAT)
    path.write_bytes(model(labels=labels, **SUPERVISED))
    assert len(firth.read(path, FORMAT).labels) == 20_000


def test_the_steepest_tree_takes_little_memory(tmp_path):
    counts = [1, 1]
    while counts[-1] + counts[-2] < 2**63:
        counts.append(counts[-1] + counts[-2])
    counts = counts[::-1] + [1] * 20_000
    labels = [(f"__label__{row}", count) for row, count in enumerate(counts)]
    (tmp_path / "a.bin").write_bytes(model(labels=labels, **{**SUPERVISED, "loss": 1}))
    found = firth.read(tmp_path / "a.bin", FORMAT)
    tracemalloc.start()
    assert len(found.predict("the")[0]) == 1
    assert tracemalloc.get_traced_memory()[1] < 64_000_000
    tracemalloc.stop()
