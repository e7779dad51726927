"""Where memory or threads run out: a MemoryError, and objects as they were."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import firth
from firth import kernels
from firth.kernels import Bags

TESTS = Path(__file__).parents[1]
SMALLEST = np.float32(2**-149)  # the least denormal


def child(code, **options):
    """Run code in a process of its own, and return what it printed."""
    paths = os.pathsep.join([str(Path(firth.__file__).parents[1]), str(TESTS)])
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )
    assert found.returncode == 0, (found.returncode, found.stderr[-2000:])
    return found.stdout


SCARCE = """
import resource, sys
import numpy as np
import firth
from firth import kernels
from trust._models import MODELS, learnt, unsound

def scarce(extra):
    held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + extra, -1))

def plenty():
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
"""


@pytest.mark.unsanitized_threads
@pytest.mark.parametrize("name", ["Word2Vec", "FastText", "GloVe", "DeepWalk", "BPR"])
def test_models_that_find_too_little_memory_say_so_and_can_be_fitted_later(name):
    said = child(
        SCARCE
        + f"""
learnt({name!r})
failed = fine = 0
for kb in [0, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384]:
    scarce(kb << 10)
    try:
        found = learnt({name!r}, dim=2048)
        plenty()
        assert not unsound(found)
        fine += 1
    except MemoryError:
        plenty()
        failed += 1
assert failed, fine
assert not unsound(learnt({name!r}))
print("whole")
"""
    )
    assert said == "whole\n"


@pytest.mark.unsanitized
def test_objects_are_unchanged_by_calls_that_found_no_memory():
    said = child(
        SCARCE
        + """
rng = np.random.default_rng(1)
vectors = rng.normal(size=(60_000, 64)).astype(np.float32)
keys = [str(i) for i in range(len(vectors))]
emb = firth.Embedding(keys, vectors)
near = repr(emb.nearest("7", 3))
calls = {
    "prepare": lambda: kernels.prepare(vectors),
    "topk": lambda: kernels.topk(vectors[:4000], vectors, 500),
    "nearest": lambda: emb.nearest(keys[:4000], 500),
    "bag_means": lambda: kernels.bag_means(
        vectors, kernels.Bags(np.arange(60_001), np.arange(60_000, dtype=np.uint32))
    ),
    "cooccurrence": lambda: kernels.cooccurrence(
        rng.integers(0, 60_000, 2_000_000).astype(np.uint32), words=60_000, window=5
    ),
    "tokens": lambda: firth.Corpus.read([" ".join(keys)] * 20, min_count=1),
    "embedding": lambda: firth.Embedding(keys, vectors.astype(np.float64)),
}
for name, call in calls.items():
    scarce(1 << 20)
    try:
        call()
        plenty()
        print(name, "had enough")
    except MemoryError:
        plenty()
    assert repr(emb.nearest("7", 3)) == near, name
print("whole")
"""
    )
    assert said == "whole\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user here")
def test_without_a_thread_to_spare_the_caller_works_alone():
    said = child(
        """
        import os, resource, threading
        import numpy as np
        from firth import kernels
        items = np.random.default_rng(1).normal(size=(5000, 16)).astype(np.float32)
        kernels.topk(items[:5], items[:5], 1, threads=1)  # what it imports
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        os.setuid(65533)
        try:
            threading.Thread(target=int).start()
            print("threads could be started")
        except RuntimeError:
            pass
        alone, many = (kernels.topk(items, items, 3, threads=n) for n in (1, 8))
        assert all((a == b).all() for a, b in zip(alone, many))
        print("whole")
        """
    )
    assert said == "whole\n"


def test_import_and_kernels_leave_denormals_alone_in_every_thread():
    said = child(
        """
        import threading
        import numpy as np
        least = np.array([2.0**-149], np.float32)

        def kept():
            return bool((least * np.float32(1))[0] > 0 and (least + least)[0] == 2.0**-148)

        answers = [kept()]
        import firth
        from firth import kernels
        answers.append(kept())
        items = np.random.default_rng(1).normal(size=(5000, 16)).astype(np.float32)
        kernels.topk(items, items, 3, threads=4)
        firth.Word2Vec(dim=8, epochs=1, min_count=1, threads=4).fit(["a b c d"] * 2000)
        answers.append(kept())
        threads = [threading.Thread(target=lambda: answers.append(kept())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(all(answers), len(answers))
        """
    )
    assert said == "True 6\n"


def test_denormals_are_summed_as_they_are_by_all_threads(on):
    table = np.full((4096, 32), SMALLEST, np.float32)
    bags = Bags(np.arange(0, 8193, 2), np.repeat(np.arange(4096, dtype=np.uint32), 2))
    found = kernels.bag_means(table, bags, threads=4, **on)
    np.testing.assert_array_equal(found, table)


def test_the_nearest_of_denormal_vectors_are_those_of_larger_ones(on):
    whole = np.random.default_rng(2).integers(-1000, 1000, (300, 16)).astype(np.float32)
    tiny = np.ldexp(whole, -149)
    assert (np.ldexp(tiny, 149) == whole).all()
    ids, scores = kernels.topk(tiny[:20], tiny, 5, threads=4, **on)
    expected = kernels.topk(whole[:20], whole, 5, threads=1)
    np.testing.assert_array_equal(ids, expected[0])
    np.testing.assert_allclose(scores, expected[1], rtol=1e-6)
