"""Forks after use, spawned processes, and numpy's threads beside those of firth."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import firth
from firth import kernels
from trust import _running as running
from trust._things import fitted
from trust._uses import USES, answer, broken, nearest_of, recommended_by

# What a child does of a use: for those of one process each, the answer is the exit code.
_WAIT = 60


def in_child(work):
    """Return what ``work`` says in a forked child: True, or False for anything else."""
    child = os.fork()
    if child == 0:
        signal.alarm(_WAIT)  # a child that hangs is killed, and seen
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.unsanitized_threads
@pytest.mark.parametrize("name", USES)
def test_a_forked_child_answers_as_its_parent(name):
    expected = answer(name)
    assert in_child(lambda: answer(name) == expected)
    assert answer(name) == expected


@pytest.mark.unsanitized_threads
def test_a_child_of_a_child_has_threads_of_its_own():
    vectors = fitted("Word2Vec").vectors
    expected = kernels.topk(vectors, vectors, 3, threads=4)[0].tolist()

    def search():
        return kernels.topk(vectors, vectors, 3, threads=4)[0].tolist() == expected

    assert in_child(lambda: search() and in_child(search) and search())
    assert search()


def test_a_fork_while_other_threads_work_does_not_hang():
    code = """
    import os, signal, threading
    import numpy as np
    from firth import kernels
    table = np.random.default_rng(1).standard_normal((4000, 32)).astype(np.float32)
    expected = kernels.topk(table[:50], table, 3, threads=2)[0].tolist()
    stop = threading.Event()
    def busy():
        while not stop.is_set():
            kernels.topk(table[:200], table, 3, threads=2)
    threads = [threading.Thread(target=busy) for _ in range(2)]
    [thread.start() for thread in threads]
    fine = 0
    for _ in range(20):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            found = kernels.topk(table[:50], table, 3, threads=2)[0].tolist()
            os._exit(0 if found == expected else 1)
        fine += os.waitpid(child, 0)[1] == 0
    stop.set()
    [thread.join() for thread in threads]
    print(fine)
    """
    options = ["-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)]
    done = subprocess.run([sys.executable, *options], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "20", done.stderr


@pytest.mark.parametrize(
    "method",
    [pytest.param("fork", marks=pytest.mark.unsanitized_threads), "spawn", "forkserver"],
)
def test_models_go_to_other_processes_and_come_back(method, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    context = multiprocessing.get_context(method)
    emb, rec = fitted("FastText"), fitted("EASE")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        found = list(pool.map(nearest_of, [emb] * 4))
        assert found == [nearest_of(emb)] * 4
        assert pool.submit(recommended_by, rec).result(_WAIT) == recommended_by(rec)
        learnt = pool.submit(firth.Word2Vec(dim=4, epochs=1, threads=1).fit, ["a b c"] * 99)
        assert learnt.result(_WAIT).dim == 4
        with pytest.raises(firth.FormatError, match=r"broken.txt: .*expected"):
            pool.submit(broken, tmp_path / "broken.txt").result(_WAIT)


# ---- beside numpy -------------------------------------------------------------------------------


def test_numpy_and_firth_in_turn_keep_the_threads_that_they_have():
    table = np.random.default_rng(1).standard_normal((600, 600)).astype(np.float32)
    for _ in range(2):
        kernels.topk(table, table, 3)
        table @ table
    before = running.threads()
    for _ in range(20):
        kernels.topk(table, table, 3)
        table @ table
    assert running.threads() == before


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_no_more_threads_than_asked_for(threads):
    code = f"""
    import os, threading, time
    import numpy as np
    first = threading.Thread(target=int)  # sanitizers have a thread of their own beside it
    first.start()
    first.join()
    while os.path.exists(f"/proc/self/task/{{first.native_id}}"):  # which ends after the join
        time.sleep(0.001)
    before = len(os.listdir("/proc/self/task"))
    import firth
    firth.set_num_threads({threads})
    table = np.random.default_rng(1).standard_normal((4000, 32)).astype(np.float32)
    for _ in range(5):
        firth.kernels.topk(table, table, 3)
        firth.Corpus.read(["a b c d"] * 50000)
    print(len(os.listdir("/proc/self/task")) - before)
    """
    program = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=_WAIT)
    assert int(done.stdout) == threads - 1, done.stderr
