"""What the documentation shows works: the docstrings' examples, and README's lines."""

import doctest
import importlib
import lzma
import pkgutil
import re
import shlex
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
    "name",
    [
        "firth.kernels._cosine",
        "firth.kernels._merge",
        "firth.kernels._prepared",
        "firth.kernels._subwords",
        "firth.embedding",
        "firth.corpus",
        "firth.vocabulary",
    ],
)
def test_public_functions_have_examples(name):
    finder = doctest.DocTestFinder()
    assert any(found.examples for found in finder.find(importlib.import_module(name)))


def some_text():
    """Sentences that hold the words README asks for."""
    words = ["king", "queen", "man", "woman", *(f"word{i}" for i in range(40))]
    return "\n".join(map(" ".join, np.random.default_rng(1).choice(words, (400, 10))))


def test_the_readmes_lines_run(tmp_path):
    (tmp_path / "corpus.txt").write_text(some_text(), encoding="utf-8")
    lines, search = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    shown = "print(len(emb), ids.shape)"
    whole = "ids.tolist() == kernels.topk(items[:2], items, 10)[0].tolist()"
    program = "\n".join(
        [f"import os\nos.chdir({str(tmp_path)!r})", lines, shown, search, shown, f"print({whole})"]
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "44 (2, 10)\n44 (2, 10)\nTrue\n", done.stderr


def test_the_readmes_commands_run(tmp_path):
    (tmp_path / "tests" / "data").mkdir(parents=True)
    sample = tmp_path / "tests" / "data" / "wiki-sample.txt.xz"
    sample.write_bytes(lzma.compress(some_text().encode()))
    (tmp_path / "wordsim353.tsv").write_text("king\tqueen\t8.5\nman\twoman\t8.3\nking\tman\t3\n")
    (commands,) = re.findall(r"```sh\n(firth .*?)```", README.read_text(), re.DOTALL)
    lines = [shlex.split(line, comments=True) for line in commands.splitlines()]
    assert len(lines) > 4
    for _, *arguments in lines:
        program = f"import os, sys\nos.chdir({str(tmp_path)!r})\nfrom firth.cli import main"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", f"{program}\nsys.exit(main({arguments!r}))"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout or arguments[0] in ("train", "convert")
