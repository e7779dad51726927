"""Draws: the compiled function is the oracle's, the oracle's the published one, bits are fair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from firth import _cpu, _random
from oracle import draw

WORD = 2**32 - 1
words = st.integers(0, WORD)


@pytest.mark.parametrize(
    ("counter", "key", "want"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((WORD,) * 4, (WORD,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_oracle_gives_the_known_answers_of_random123(counter, key, want):
    # tests/cpp/random_test.cc holds the compiled function to the same three.
    low, high, stream, epoch = counter
    assert draw(key[0] | key[1] << 32, stream, epoch, low | high << 32) == want


def test_compiled_draws_give_the_first_known_answer():
    assert _cpu.draws(0, 0, 0, 0, 4).tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@given(st.integers(0, 2**64 - 1), words, words, st.integers(0, 2**60), st.integers(0, 9))
def test_compiled_draws_are_the_oracles(seed, stream, epoch, first, count):
    want = [draw(seed, stream, epoch, i // 4)[i % 4] for i in range(first, first + count)]
    got = _cpu.draws(seed, stream, epoch, first, count)
    assert got.dtype == np.uint32
    assert got.tolist() == want


def test_seeds_streams_epochs_and_indices_do_not_share_draws():
    n = 1 << 14
    origins = [
        (1, 0, 0, 0),
        (1, 0, 0, n),
        (1, 1, 0, 0),
        (1, 0, 1, 0),
        (2, 0, 0, 0),
        (1 << 32, 0, 0, 0),
    ]
    drawn = [_cpu.draws(*origin, n) for origin in origins]
    blocks = np.concatenate(drawn).reshape(-1, 4)
    assert len(np.unique(blocks, axis=0)) == len(blocks)
    correlation = np.corrcoef(np.array(drawn, dtype=np.float64))
    assert np.abs(correlation - np.eye(len(drawn))).max() < 5 / np.sqrt(n)


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_every_bit_is_fair(seed):
    n = 1 << 16
    drawn = _cpu.draws(seed, 0, 0, 0, n)
    ones = np.unpackbits(drawn.view(np.uint8)).reshape(n, 32).sum(axis=0, dtype=np.int64)
    chi = (((ones - n / 2) ** 2) / (n / 4)).sum()
    assert 1e-4 < stats.chi2.sf(chi, df=32) < 1 - 1e-4


@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_every_byte_is_uniform(shift):
    n = 1 << 16
    counts = np.bincount((_cpu.draws(7, 1, 0, 0, n) >> shift) & 255, minlength=256)
    assert 1e-4 < stats.chisquare(counts).pvalue < 1 - 1e-4


def test_neighbouring_words_are_independent():
    n = 1 << 16
    drawn = _cpu.draws(3, 0, 0, 0, 2 * n) >> 28
    table = np.bincount(drawn[0::2] * 16 + drawn[1::2], minlength=256)
    assert 1e-4 < stats.chisquare(table).pvalue < 1 - 1e-4


@pytest.mark.parametrize("dim", [1, 3, 8, 70_000])
def test_tables_begin_with_the_same_rows_where_nothing_is_compiled(monkeypatch, dim):
    def missing(name):
        raise ImportError(name)

    compiled = _random.initial_rows(5, 3, 9, dim)
    monkeypatch.setattr(_random, "named", missing)
    assert np.array_equal(compiled, _random.initial_rows(5, 3, 9, dim))
