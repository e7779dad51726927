"""places, cooccurrence and merge_counts on a device: the bits of the host, from the same call.

Both compiled modules are called with the same keywords; only where the arrays lie differs.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import _cpu
from firth.kernels._cooccurrence import distance_weights, sentence_breaks

pytestmark = pytest.mark.gpu

DTYPES = [np.float32, np.float64, np.uint64]
RUN = {"threads": 0, "isa": ""}


@pytest.fixture(scope="module")
def cuda():
    """The CUDA module, or a skip that says why there is none."""
    return pytest.importorskip("firth._cuda", reason="the CUDA module was not built")


def text_of(tokens, words, seed=1):
    """Return made-up ids: few of them are frequent, most are not."""
    drawn = np.random.default_rng(seed).random(tokens)
    return np.minimum(words * drawn**4, words - 1).astype(np.uint32)


def sentences_of(tokens, longest, seed=2):
    lengths = np.random.default_rng(seed).integers(0, longest + 1, tokens)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return np.concatenate([ends[ends < tokens], [tokens]]).astype(np.int64)


def counted(module, xp, ids, offsets, rule, words, begin=0, end=None, rows=None, progress=None):
    """Index a part of the ids, then count rows, all of them unless some are asked for."""
    window, weights, symmetric, dtype = rule
    table, unit = distance_weights(window, weights)
    breaks = np.zeros(0, np.uint64) if offsets is None else sentence_breaks(offsets, len(ids))
    ids = xp.asarray(ids)
    end = len(ids) if end is None else end
    starts, places = module.places(
        ids=ids, begin=begin, end=end, words=words, first=0, last=words, threads=0
    )
    first, last = rows or (0, words)
    found = module.cooccurrence(
        ids=ids,
        breaks=xp.asarray(breaks),
        starts=starts,
        places=places,
        frequent=0,
        origin=begin,
        first=first,
        last=last,
        weights=table,
        symmetric=symmetric,
        unit=unit,
        dtype=DTYPES.index(dtype),
        **RUN,
        progress=progress,
    )
    return starts, places, *found


def assert_same_bits(cupy, found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert isinstance(a, cupy.ndarray)
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert cupy.asnumpy(a).tobytes() == b.tobytes()


def check(cupy, cuda, *given, **options):
    """Hold the index and the rows against the host."""
    wanted = counted(_cpu, np, *given, **options)
    assert_same_bits(cupy, counted(cuda, cupy, *given, **options), wanted)
    return wanted


@given(
    ids=st.lists(st.integers(0, 11), max_size=300),
    longest=st.one_of(st.none(), st.integers(0, 40)),
    window=st.integers(1, 50),
    weights=st.sampled_from(["distance", "uniform", "linear"]),
    symmetric=st.booleans(),
    dtype=st.sampled_from(DTYPES),
    cut=st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 12), st.integers(0, 12)),
)
def test_any_text_has_the_counts_of_the_host(
    cupy, cuda, ids, longest, window, weights, symmetric, dtype, cut
):
    ids = np.array(ids, np.uint32)
    offsets = None if longest is None else sentences_of(len(ids), longest)
    begin, end = sorted(min(at, len(ids)) for at in cut[:2])
    rule = (window, weights, symmetric, dtype)
    rows = tuple(sorted(cut[2:]))
    check(cupy, cuda, ids, offsets, rule, 12, begin=begin, end=end, rows=rows)


@pytest.mark.parametrize("words", [300, 60_000, 400_000])
@pytest.mark.parametrize("longest", [None, 30])
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_long_text_has_the_counts_of_the_host(cupy, cuda, words, longest, symmetric):
    """Rows divided between blocks, columns in several tiles, words that are not there."""
    ids = text_of(1_000_000, words)
    offsets = None if longest is None else sentences_of(len(ids), longest)
    check(cupy, cuda, ids, offsets, (10, "distance", symmetric, np.float32), words)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_word_alone_has_sums_beyond_32_bits(cupy, cuda, dtype):
    ids = np.zeros(300_000, np.uint32)
    *_, sums = check(cupy, cuda, ids, None, (50, "distance", True, dtype), 1)
    assert dtype != np.uint64 or sums[0] > 2**48


def test_places_of_every_width_of_ids(cupy, cuda):
    for words in (1, 2, 256, 257, 65_537, 2**24 + 5):
        ids = text_of(50_000, words)
        wanted = _cpu.places(
            ids=ids, begin=7, end=49_000, words=words, first=0, last=words, threads=0
        )
        found = cuda.places(
            ids=cupy.asarray(ids), begin=7, end=49_000, words=words, first=0, last=words, threads=0
        )
        assert_same_bits(cupy, found, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_are_merged_as_on_the_host(cupy, cuda, dtype):
    words, rule = 3000, (10, "distance", True, np.uint64)
    parts = [
        counted(_cpu, np, text_of(tokens, words, seed), None, rule, words)[2:]
        for seed, tokens in enumerate([50_000, 0, 1, 20_000])
    ]
    options = {"columns": words, "unit": 2520, "dtype": DTYPES.index(dtype), **RUN}
    wanted = _cpu.merge_counts(parts=parts, **options)
    there = [tuple(cupy.asarray(array) for array in part) for part in parts]
    assert_same_bits(cupy, cuda.merge_counts(parts=there, **options), wanted)


def test_cuts_of_a_corpus_add_up_to_the_whole(cupy, cuda):
    ids, words, rule = text_of(40_000, 900), 900, (7, "uniform", True, np.uint64)
    whole = counted(cuda, cupy, ids, None, rule, words)[2:]
    cuts = [0, 1, 17_000, 17_000, 40_000]
    parts = [
        counted(cuda, cupy, ids, None, rule, words, begin=begin, end=end)[2:]
        for begin, end in pairwise(cuts)
    ]
    found = cuda.merge_counts(parts=parts, columns=words, unit=1, dtype=2, **RUN)
    assert_same_bits(cupy, found, [cupy.asnumpy(array) for array in whole])


def test_progress_is_told_all_places(cupy, cuda):
    told = []
    rule = (2, "uniform", True, np.uint64)
    counted(cuda, cupy, text_of(1000, 9), None, rule, 9, end=900, progress=told.append)
    assert told == [900]


def test_arrays_that_do_not_fit_are_refused(cupy, cuda):
    ids = cupy.asarray(text_of(100, 9))
    with pytest.raises(ValueError, match="ids have no such part"):
        cuda.places(ids=ids, begin=0, end=101, words=9, first=0, last=9, threads=0)
    with pytest.raises(ValueError, match="there are no parts"):
        cuda.merge_counts(parts=[], columns=3, unit=1, dtype=2, **RUN)
    with pytest.raises(TypeError, match="not a device array"):
        cuda.places(ids=cupy.asnumpy(ids), begin=0, end=100, words=9, first=0, last=9, threads=0)


def test_work_is_queued_on_the_current_stream(cupy, cuda):
    """What is read was written just before on the same stream, with no wait between."""
    ids, rule = text_of(500_000, 2000), (10, "distance", True, np.float64)
    wanted = counted(_cpu, np, ids, None, rule, 2000)
    with cupy.cuda.Stream(non_blocking=True) as stream:
        found = counted(cuda, cupy, ids, None, rule, 2000)
        stream.synchronize()
    assert_same_bits(cupy, found, wanted)
