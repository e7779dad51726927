"""Every reader, given files that were mutated by their structure; fuzz.py does it at length."""

import random
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust._whole import same
from trust.mutations import mutated
from trust.readers import ALL, READERS

CORPUS = Path(__file__).parent / "corpus"
SECONDS, MEMORY = 2.0, 64 << 20
readers = pytest.mark.parametrize("reader", ALL, ids=list(READERS))
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for the case at hand."""
    return tmp_path_factory.mktemp("cases")


@readers
def test_samples_are_read(reader, folder):
    for name, data in reader.samples().items():
        path = reader.write(data, folder)
        assert same(reader.read(path), reader.read(path)), name


@readers
@given(seed=seeds)
def test_mutated_files_are_refused_or_whole(reader, folder, seed):
    rng = random.Random(seed)
    data = mutated(rng, reader, rng.choice(reader.cases()))
    path = reader.write(data, folder)
    begun = time.process_time()
    reader.outcome(path)
    assert time.process_time() - begun < SECONDS


@pytest.mark.unsanitized
@readers
def test_memory_stays_within_bounds(reader, folder):
    tracemalloc.start()
    try:
        for seed in range(20):
            rng = random.Random(seed)
            data = mutated(rng, reader, rng.choice(reader.cases()))
            path = reader.write(data, folder)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            reader.outcome(path)
            assert tracemalloc.get_traced_memory()[1] - before < MEMORY + 2 * len(data), seed
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("reader", [one for one in ALL if one.summed], ids=lambda one: one.name)
@given(seed=seeds)
def test_checksums_leave_nothing_else_than_what_was_written(reader, folder, seed):
    rng = random.Random(seed)
    data = rng.choice(reader.cases())
    written = reader.read(reader.write(data, folder))
    found = reader.outcome(reader.write(mutated(rng, reader, data, sums=False), folder))
    assert found is None or same(found, written)


@pytest.mark.parametrize("case", sorted(CORPUS.iterdir()), ids=lambda case: case.name)
def test_what_was_once_answered_wrongly_is_answered_rightly(case, folder):
    reader = max((one for one in ALL if case.name.startswith(one.name)), key=lambda r: len(r.name))
    reader.outcome(reader.write(case.read_bytes(), folder))
