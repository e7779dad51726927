"""subwords, bag_means and subword_means on a device: the bits of the host, from the same call.

Both compiled modules are called with the same keywords; only where the arrays lie differs.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import _cpu

pytestmark = pytest.mark.gpu

RULES = {
    "fastText": {"min_n": 3, "max_n": 6, "buckets": 2_000_000, "hashes": 0},
    "floret": {"min_n": 4, "max_n": 5, "buckets": 50_000, "hashes": 2},
    "single characters": {"min_n": 1, "max_n": 2, "buckets": 999, "hashes": 0},
    "long": {"min_n": 1, "max_n": 700, "buckets": 1_000_003, "hashes": 0},
    "whole words": {"min_n": 3, "max_n": 0, "buckets": 77, "hashes": 3},
    "nothing": {"min_n": 3, "max_n": 0, "buckets": 77, "hashes": 0},
}
RUN = {"threads": 0, "isa": ""}


@pytest.fixture(scope="module")
def cuda():
    """The CUDA module, or a skip that says why there is none."""
    return pytest.importorskip("firth._cuda", reason="the CUDA module was not built")


def text_of(words):
    """Words as `text`, `begins` and `ends`, with something between them."""
    text = np.frombuffer(b"".join(word + b"\x80|" for word in words), np.uint8)
    lengths = np.array([len(word) for word in words], np.int64)
    ends = np.cumsum(lengths + 2) - 2
    return {"text": text, "begins": ends - lengths, "ends": ends}


def there(xp, text):
    return {name: xp.asarray(array) for name, array in text.items()}


def bags_of(module, xp, text, rule):
    """Count, then fill, as the public function does."""
    offsets = xp.zeros(len(text["begins"]) + 1, np.int64)
    given = {**there(xp, text), **rule, **RUN, "offsets": offsets}
    module.subwords(**given, ids=None)
    offsets[:] = xp.cumsum(offsets)
    ids = xp.empty(int(offsets[-1]), np.uint32)
    module.subwords(**given, ids=ids)
    return offsets, ids


def bag_means_of(module, xp, table, offsets, ids):
    means = xp.full((len(offsets) - 1, table.shape[1]), np.nan, np.float32)
    module.bag_means(table=table, offsets=offsets, ids=ids, means=means, **RUN)
    return means


def assert_same_bits(cupy, found, wanted):
    assert isinstance(found, cupy.ndarray)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(cupy.asnumpy(found).view(np.uint32), wanted.view(np.uint32))


def check(cupy, cuda, words, rule, dim, skew=0):
    """Hold ids and both ways to the means against the host; tables start `skew` floats late."""
    text, first = text_of(words), 5
    wanted = bags_of(_cpu, np, text, rule)
    found = bags_of(cuda, cupy, text, rule)
    for a, b in zip(found, wanted, strict=True):
        assert_same_bits(cupy, a, b)

    rng = np.random.default_rng(3)
    rows = first + rule["buckets"]
    flat = cupy.asarray(rng.standard_normal(skew + rows * dim, dtype=np.float32))
    table = flat[skew:].reshape(rows, dim)
    wanted = bag_means_of(_cpu, np, cupy.asnumpy(table)[first:], *wanted)
    assert_same_bits(cupy, bag_means_of(cuda, cupy, table[first:], *found), wanted)
    means = cupy.full((len(words), dim), np.nan, np.float32)
    cuda.subword_means(
        **there(cupy, text), **rule, **RUN, table=table, first_row=first, means=means
    )
    assert_same_bits(cupy, means, wanted)


CHARACTERS = [
    b"a",
    b"b",
    b"<",
    b">",
    b"/",
    b"s",
    "é".encode(),
    "漢".encode(),
    "😀".encode(),
    b"\x80",
]
WORDS = st.one_of(
    st.lists(st.sampled_from(CHARACTERS), max_size=20).map(b"".join),
    st.binary(max_size=12),
    st.just(b"</s>"),
)


@given(
    words=st.lists(WORDS, max_size=80),
    min_n=st.integers(1, 5),
    lengths=st.integers(0, 4),
    buckets=st.integers(1, 5000),
    hashes=st.integers(0, 4),
    dim=st.integers(1, 70),
)
def test_any_words_have_the_bags_and_means_of_the_host(
    cupy, cuda, words, min_n, lengths, buckets, hashes, dim
):
    rule = {"min_n": min_n, "max_n": min_n + lengths, "buckets": buckets, "hashes": hashes}
    check(cupy, cuda, words, rule, dim)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_many_words_have_the_bags_and_means_of_the_host(cupy, cuda, rule):
    rng = np.random.default_rng(1)
    lengths = rng.poisson(8, 300_000)
    letters = rng.choice(np.frombuffer(b"etaoinshrdlu", np.uint8), lengths.sum()).tobytes()
    ends = np.cumsum(lengths)
    words = [letters[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    words[:3] = [b"", b"</s>", "bücher".encode()]
    words[1000] = letters[:30_000]
    check(cupy, cuda, words, rule, dim=20)


@pytest.mark.parametrize("dim", [1, 3, 4, 50, 100, 128, 300, 1000])
@pytest.mark.parametrize("skew", [0, 1])
def test_rows_of_any_width_are_averaged_in_order(cupy, cuda, dim, skew):
    rng = np.random.default_rng(2)
    words = [b"".join(rng.choice(CHARACTERS, size)) for size in rng.integers(0, 30, 3000)]
    check(cupy, cuda, words, {"min_n": 3, "max_n": 6, "buckets": 5000, "hashes": 0}, dim, skew)


@pytest.mark.parametrize("hashes", [0, 4])
def test_a_word_of_a_megabyte_has_the_bag_of_the_host(cupy, cuda, hashes):
    word = np.random.default_rng(4).integers(0, 256, 1 << 20, dtype=np.uint8).tobytes()
    check(cupy, cuda, [b"a", word, b"b"], {**RULES["fastText"], "hashes": hashes}, dim=4)


def test_words_that_lie_in_any_order_and_share_bytes(cupy, cuda):
    text = {
        "text": np.frombuffer(b"somewhere", np.uint8),
        "begins": np.array([4, 0, 0, 9, 2], np.int64),
        "ends": np.array([9, 4, 9, 9, 7], np.int64),
    }
    wanted = bags_of(_cpu, np, text, RULES["fastText"])
    for a, b in zip(bags_of(cuda, cupy, text, RULES["fastText"]), wanted, strict=True):
        assert_same_bits(cupy, a, b)


def test_work_is_queued_on_the_current_stream(cupy, cuda):
    """What is read was written just before on the same stream, with no wait between."""
    text = text_of([b"where"] * 100_000)
    wanted = bags_of(_cpu, np, text, RULES["fastText"])
    with cupy.cuda.Stream(non_blocking=True) as stream:
        found = bags_of(cuda, cupy, text, RULES["fastText"])
        table = cupy.full((2_000_000, 4), 0.5, np.float32) * 6
        means = bag_means_of(cuda, cupy, table, *found)
        stream.synchronize()
    for a, b in zip(found, wanted, strict=True):
        assert_same_bits(cupy, a, b)
    wanted = bag_means_of(_cpu, np, np.full((2_000_000, 4), 3, np.float32), *wanted)
    assert_same_bits(cupy, means, wanted)
