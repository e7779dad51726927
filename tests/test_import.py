"""``import firth`` is quick and light; firth works after forks, in threads, when spawned."""

import importlib.metadata
import subprocess
import sys
import textwrap
import time

import pytest

import firth
import wheels

# Searches with four threads on the pool; `expect` is what every thread and process must get.
SEARCH = """
import os, sys
import numpy as np
import firth

rows = np.random.default_rng(1).integers(-8, 9, (3000, 16)).astype(np.float32)
rows[:, 0] = 20

def search(_=None):
    return firth.kernels.topk(rows[:50], rows, 5, threads=4)[0].tolist()
"""


def run(code: str, *, timeout: float = 120) -> str:
    """Run a program in a fresh interpreter and return what it printed."""
    program = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def seconds(code: str) -> float:
    """Return the least of nine times that a fresh interpreter needs for ``code``."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.unsanitized
def test_import_costs_less_than_150_ms_more_than_python_itself():
    assert seconds("import firth") - seconds("pass") < 0.150


def test_import_alone_loads_nothing_heavy():
    code = "import sys, firth; print(*sys.modules)"
    loaded = set(run(code).split())
    heavy = {"numpy", "cupy", "tqdm", "scipy", "torch", "pyarrow", "firth._cpu", "firth._cuda"}
    assert not loaded & heavy


def test_using_the_cpu_never_imports_cupy():
    code = SEARCH + "search(); print('cupy' in sys.modules, 'firth._cuda' in sys.modules)"
    assert run(code) == "False False"


def test_works_where_cupy_cannot_be_imported():
    code = "import sys; sys.modules['cupy'] = None\n" + SEARCH + "search(); firth.show_config()"
    run(code)


@pytest.mark.parametrize("name", firth.__all__)
def test_every_public_name_is_there(name):
    assert getattr(firth, name) is not None
    assert name in dir(firth)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="has no attribute 'word3vec'"):
        firth.word3vec  # noqa: B018


def test_children_of_a_fork_work_after_the_parent_has_used_its_threads():
    code = """
    expect = search()
    for _ in range(20):
        child = os.fork()
        if child == 0:
            os._exit(0 if search() == expect else 1)
        assert os.waitpid(child, 0)[1] == 0
    print(search() == expect)
    """
    assert run(SEARCH + textwrap.dedent(code)) == "True"


def test_eight_python_threads_get_the_same():
    code = """
    from concurrent.futures import ThreadPoolExecutor
    expect = search()
    with ThreadPoolExecutor(8) as pool:
        print(all(found == expect for found in pool.map(search, range(64))))
    """
    assert run(SEARCH + textwrap.dedent(code)) == "True"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works(method, tmp_path):
    main = f"""
    if __name__ == "__main__":
        import multiprocessing
        expect = search()
        with multiprocessing.get_context({method!r}).Pool(2) as pool:
            print(all(found == expect for found in pool.map(search, range(4))))
    """
    program = tmp_path / "program.py"
    program.write_text(SEARCH + textwrap.dedent(main))
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", program],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "True", done.stderr


def test_the_installed_package_says_what_it_is_made_of():
    try:
        distribution = importlib.metadata.distribution("firth")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("firth is not installed here but found on the path")
    wheels.check_parts(distribution)
