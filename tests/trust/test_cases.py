"""firth's column of bench/peers/hostile.py: bad input is refused clearly or answered rightly."""

import signal
import struct
import threading

import pytest

import firth
from trust._cases import CASES, FIRTH, JUDGE, wanted

PATIENCE = 15  # seconds, a bound against hangs that a busy machine does not reach
KINDS = (ValueError, TypeError, KeyError, OSError, EOFError, MemoryError, FloatingPointError)


class LateError(BaseException):
    """A test has hung; nothing that catches exceptions catches this one."""


@pytest.fixture(autouse=True)
def patience():
    """End a test that hangs."""

    def late(*_):
        raise LateError(f"no answer in {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}: {case.name}"[:80])
def test_a_bad_input_is_refused_clearly_or_answered_rightly(case, tmp_path):
    threads, raised = threading.active_count(), []

    def way(case, folder):
        try:
            return FIRTH.WAYS[case.group](case, folder)
        except Exception as error:
            raised.append(error)
            raise

    found, words = JUDGE.verdict(case, way, tmp_path)
    assert found in wanted(case), words
    assert threading.active_count() == threads
    if case.name == "raises in a callback":
        assert [type(error) for error in raised] == [RuntimeError]
    elif case.group == "fastText .bin" and isinstance(case.given, bytes):
        assert all(isinstance(error, firth.FormatError) for error in raised), raised
    else:
        assert all(isinstance(error, KINDS) for error in raised), raised


def test_names_are_given_once():
    names = [(case.group, case.name) for case in CASES]
    assert len(set(names)) == len(names) > 600


def case(about="window", right=None, control=None):
    return JUDGE.Case("group", "name", 3, about, right, control)


def failing(error):
    def way(*_):
        raise error

    return way


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (ValueError("fit: window=0 is not at least 1"), "error"),
        (KeyError("window"), "error"),
        (ValueError(""), "unclear"),
        (ValueError("high <= 0"), "unclear"),
        (MemoryError("std::bad_alloc"), "unclear"),
        (AssertionError("window"), "unclear"),
        (IndexError("the window is out of range"), "unclear"),
        (struct.error("unpack requires a window of 8 bytes"), "unclear"),
    ],
)
def test_an_error_is_clear_if_it_names_what_is_wrong(error, found, tmp_path):
    assert JUDGE.verdict(case(), failing(error), tmp_path)[0] == found


def test_answers_are_judged_by_what_is_right_and_by_the_undamaged_input(tmp_path):
    def way(case, _):
        return case.given

    rules = (None, lambda answer: answer == 3, lambda answer: answer == 4)
    verdicts = [JUDGE.verdict(case(right=rule), way, tmp_path)[0] for rule in rules]
    assert verdicts == ["wrong", "right", "wrong"]
    (tmp_path / "same").mkdir()
    (tmp_path / "other").mkdir()
    assert JUDGE.verdict(case(control=3), way, tmp_path / "same")[0] == "ignored"
    assert JUDGE.verdict(case(control=4), way, tmp_path / "other")[0] == "wrong"
