"""Ctrl-C into calls that once did not look for it for long; ``interrupts.py`` tries all."""

import signal
import sys

import numpy as np
import pytest

import firth
from firth import kernels
from trust._sender import LIMIT, Sender


@pytest.fixture(scope="module")
def sender():
    before, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    made = Sender()
    yield made
    made.close()
    signal.signal(signal.SIGINT, before)
    sys.unraisablehook = hook


def one_word():
    table = np.ones((200_000, 100), np.float32)
    word = ["company" * 300_000]
    return lambda: kernels.subword_means(word, table, buckets=200_000, threads=2)


def one_bag():
    table = np.ones((200_000, 100), np.float32)
    ids = np.arange(2 * 10**7, dtype=np.uint32) % 200_000
    return lambda: kernels.bag_means(table, kernels.Bags(np.array([0, len(ids)]), ids), threads=2)


def weights_in_a_list():
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 1000, 4_000_000)
    sources, weights = rng.integers(1, 1000, (2, 4_000_000)).tolist()
    return lambda: firth.Graph((sources, targets, weights))


def doubles():
    vectors = np.random.default_rng(1).random((400_000, 200))
    keys = [str(row) for row in range(len(vectors))]
    return lambda: firth.Embedding(keys, vectors)


@pytest.mark.unsanitized
@pytest.mark.parametrize("made", [one_word, one_bag, weights_in_a_list, doubles])
def test_ctrl_c_is_answered_soon(made, sender):
    call = made()
    quickest = []
    for delay in (0.02, 0.05, 0.1):  # the machine may be busy: each moment has several chances
        tries = [sender.during(call, delay) for _ in range(3)]
        assert {outcome for outcome, *_ in tries} <= {"interrupted", "missed"}
        quickest.append(min(own for *_, own, _ in tries))
    assert max(quickest) < LIMIT
