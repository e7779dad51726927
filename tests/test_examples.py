"""What the documentation shows works: the docstrings' examples, and README's ten lines."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import firth

README = Path(__file__).parents[1] / "README.md"
MODULES = [
    module.name
    for module in pkgutil.walk_packages(firth.__path__, "firth.")
    if not module.name.endswith(("_cpu", "_cuda", "__main__"))
]


@pytest.mark.parametrize("name", MODULES)
def test_the_docstrings_examples_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


@pytest.mark.parametrize(
    "name", ["firth.kernels._cosine", "firth.embedding", "firth.corpus", "firth.vocabulary"]
)
def test_public_functions_have_examples(name):
    finder = doctest.DocTestFinder()
    assert any(found.examples for found in finder.find(importlib.import_module(name)))


def test_the_readmes_lines_run(tmp_path):
    words = ["king", "queen", "man", "woman", *(f"word{i}" for i in range(40))]
    text = np.random.default_rng(1).choice(words, (400, 10))
    (tmp_path / "corpus.txt").write_text("\n".join(map(" ".join, text)), encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    program = f"import os\nos.chdir({str(tmp_path)!r})\n{code}\nprint(len(emb), ids.shape)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "44 (2, 10)\n", done.stderr
