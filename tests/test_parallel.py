"""The choice of threads as Python sees it; tests/cpp/parallel_test.cc tests the pool itself."""

import os
import subprocess
import sys

import pytest

import firth
from firth import _cpu


@pytest.fixture(autouse=True)
def default_again():
    yield
    firth.set_num_threads(0)


def threads_said(**environment):
    """Return what a new process with these variables says of its default, or its error."""
    done = subprocess.run(
        [sys.executable, "-c", "from firth import _cpu; print(_cpu.num_threads())"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return int(done.stdout) if done.returncode == 0 else done.stderr.splitlines()[-1]


def test_default_is_what_this_process_may_use():
    assert 1 <= _cpu.available_threads() <= len(os.sched_getaffinity(0))
    assert threads_said(FIRTH_NUM_THREADS="") == _cpu.available_threads()


def test_affinity_is_obeyed():
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{one}}})\n"
    code += "from firth import _cpu; print(_cpu.available_threads())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_set_num_threads_holds_until_zero_takes_it_back():
    before = _cpu.num_threads()
    firth.set_num_threads(3)
    assert _cpu.num_threads() == 3
    firth.set_num_threads(0)
    assert _cpu.num_threads() == before


@pytest.mark.parametrize("threads", [-1, -(2**40)])
def test_set_num_threads_refuses_negative_counts(threads):
    with pytest.raises(ValueError, match=rf"set_num_threads: threads={threads} "):
        firth.set_num_threads(threads)


@pytest.mark.parametrize("threads", ["2", 2.0, None])
def test_set_num_threads_refuses_what_is_no_whole_number(threads):
    with pytest.raises(TypeError):
        firth.set_num_threads(threads)


@pytest.mark.parametrize(("text", "threads"), [("1", 1), ("7", 7), ("99999999999999999999", 1024)])
def test_environment_sets_the_default_up_to_the_limit(text, threads):
    assert threads_said(FIRTH_NUM_THREADS=text) == threads


@pytest.mark.parametrize("text", ["0", "-1", "two", "3x", "1.5", "1e3"])
def test_environment_that_is_no_count_is_an_error(text):
    said = threads_said(FIRTH_NUM_THREADS=text)
    assert said == f"ValueError: FIRTH_NUM_THREADS: '{text}' is not a positive whole number"
