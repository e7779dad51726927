"""Eight threads of Python at once on everything, and what a caller's exception leaves behind."""

import itertools
import subprocess
import sys
import sysconfig
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import firth
from firth import kernels
from trust import _running as running
from trust._things import fitted, sources, things
from trust._uses import USES, answer

THREADS = 8


def all_at_once(names):
    """Return what each name answers, begun at the same moment."""
    gate = threading.Barrier(len(names))

    def one(name):
        gate.wait(60)
        return answer(name)

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(one, names))


@pytest.mark.parametrize("name", USES)
def test_eight_threads_get_what_one_gets(name):
    expected = answer(name)
    assert all(found == expected for found in all_at_once([name] * THREADS))


def test_threads_that_do_different_things_do_not_mix():
    names = list(USES)
    expected = {name: answer(name) for name in names}
    for first in range(0, len(names), THREADS):
        some = names[first : first + THREADS]
        assert all_at_once(some) == [expected[name] for name in some]


def test_threads_write_and_read_one_folder(tmp_path):
    one, other = fitted("Word2Vec"), fitted("LINE")
    one.save(tmp_path / "model")
    sizes = {len(one), len(other)}

    def work(number):
        for _ in range(10):
            if number % 4 == 0:
                (one if number else other).save(tmp_path / "model")
            assert len(firth.load(tmp_path / "model")) in sizes
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(work, range(THREADS)))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_pool_of_threads_does_not_grow():
    vectors = fitted("Word2Vec").vectors
    kernels.topk(vectors, vectors, 3, threads=4)
    for name in USES:
        answer(name)
    before = running.threads()
    all_at_once(["nearest", "kernels", "texts", "graphs"] * 2)
    assert running.threads_within(before + 2 * THREADS)  # as many as were wanted at once, no more
    time.sleep(0.05)
    most = running.threads()
    for _ in range(5):
        all_at_once(["nearest", "kernels", "texts", "graphs"] * 2)
    assert running.threads_within(most + 2)


# ---- other threads ------------------------------------------------------------------------------


@pytest.mark.unsanitized
def test_threads_that_wait_take_no_time_from_others():
    vectors = fitted("Word2Vec").vectors
    for name in ("nearest", "kernels", "texts", "graphs"):
        answer(name)
    kernels.topk(vectors, vectors, 3, threads=8)
    begin = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - begin < 0.15  # of 0.3 to 2.4 s, were they to wait in a loop


def test_torch_keeps_its_threads_and_firth_its_answers():
    torch = pytest.importorskip("torch")
    vectors = fitted("Word2Vec").vectors
    right = kernels.topk(vectors, vectors, 3, threads=4)[0].tolist()
    many, matrix = torch.get_num_threads(), torch.rand(300, 300)
    product = (matrix @ matrix).tolist()

    def work(number):
        if number % 2:
            return (matrix @ matrix).tolist() == product
        return kernels.topk(vectors, vectors, 3, threads=4)[0].tolist() == right

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(work, range(4 * THREADS)))
    assert torch.get_num_threads() == many


def test_a_python_without_a_gil_stays_without_it():
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this Python has a GIL")
    code = "import sys, firth._cpu; sys.exit(sys._is_gil_enabled())"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- what the caller's own code raises ----------------------------------------------------------


class MineError(Exception):
    """What nobody else raises."""


def raises(*_):
    raise MineError("mine")


def rows_that_fail(rows, at=2000):
    for number, row in enumerate(rows):
        if number == at:
            raise MineError("mine")
        yield row


CALLBACKS = [name for name in things() if name.startswith("model ")]
WITHOUT = {"model PPMI", "model FastRP", "model EASE"}


@pytest.mark.parametrize("name", sorted(set(CALLBACKS) - WITHOUT))
def test_an_exception_in_a_callback_leaves_at_once_with_its_traceback(name):
    model, source = things()[name], sources()[name.removeprefix("model ")]
    model.fit(source)
    before, threads = threading.active_count(), running.threads()
    with pytest.raises(MineError) as caught:
        model.fit(source, callback=raises)
    frames = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert frames[-1] == "raises"
    assert threading.active_count() <= before
    assert running.threads_within(threads)


_FORMS = ("documents", "sentences", "lazy sentences")
_READERS = ("Corpus.read", "Counts.of", "Word2Vec")


@pytest.mark.parametrize(
    ("use", "form"),
    [*itertools.product(_READERS, _FORMS), ("FastTextClassifier", "documents")],
)
def test_an_exception_in_an_iterator_leaves_at_once_with_its_traceback(use, form):
    lines = running.labelled(running.words(60_000))
    forms = {
        "documents": lambda: rows_that_fail(lines),
        "sentences": lambda: rows_that_fail([line.split() for line in lines]),
        "lazy sentences": lambda: (rows_that_fail(line.split(), 2) for line in lines),
    }
    calls = {
        "Corpus.read": lambda source: firth.Corpus.read(source, threads=2),
        "Counts.of": lambda source: firth.Counts.of(source, threads=2),
        "Word2Vec": firth.Word2Vec(dim=4, epochs=1, threads=2).fit,
        "FastTextClassifier": firth.FastTextClassifier(dim=4, epochs=1, threads=2).fit,
    }
    calls["Corpus.read"](lines)
    before, begin = running.threads(), time.monotonic()
    with pytest.raises(MineError) as caught:
        calls[use](forms[form]())
    assert time.monotonic() - begin < 5
    assert traceback.extract_tb(caught.tb)[-1].name == "rows_that_fail"
    assert running.threads_within(before)


def test_an_exception_in_the_progress_of_a_kernel_leaves_it():
    graph = kernels.transitions(running.graph_of(200, 4000).csr)
    starts = np.tile(np.arange(200, dtype=np.uint32), 2000)
    with pytest.raises(MineError) as caught:
        kernels.walks(graph, starts, progress=raises, threads=2)
    assert traceback.extract_tb(caught.tb)[-1].name == "raises"


def test_an_open_file_that_fails_is_the_error():
    class Failing:
        def read(self, size=-1):
            raise MineError("mine")

    with pytest.raises(MineError):
        firth.Corpus.read(Failing())
