"""The law of the kernels' objects, on the objects of the newest build and on two that break it."""

import subprocess

import pytest

from check_symbols import ROOT, kernel_objects, offences

OBJECTS = kernel_objects(ROOT / "build")


@pytest.mark.parametrize("key", sorted(OBJECTS), ids="-".join)
def test_a_kernel_object_has_nothing_a_linker_may_merge(key):
    assert offences(OBJECTS[key]) == []


@pytest.mark.parametrize(
    "source",
    [
        "inline int twice(int x) { return 2 * x; } int (*use)(int) = twice;",
        "int* take() { return new int[4]; }",
        "void fail() { throw 1; }",
    ],
    ids=["merges", "allocates", "throws"],
)
def test_the_check_sees_an_object_that_breaks_the_law(tmp_path, source):
    (tmp_path / "bad.cc").write_text(source)
    subprocess.run(["c++", "-O2", "-c", "bad.cc", "-o", "bad.o"], cwd=tmp_path, check=True)
    assert offences(tmp_path / "bad.o")


def test_the_check_wants_every_kernel(tmp_path):
    with pytest.raises(FileNotFoundError, match="no object of"):
        kernel_objects(tmp_path)
