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
        "firth.formats",
        "firth.kernels._classification",
        "firth.kernels._cooccurrence",
        "firth.kernels._cosine",
        "firth.kernels._glove",
        "firth.kernels._merge",
        "firth.kernels._prepared",
        "firth.kernels._subwords",
        "firth.classifier",
        "firth.corpus",
        "firth.counts",
        "firth.embedding",
        "firth.models.fasttext",
        "firth.models.fasttext_classifier",
        "firth.models.glove",
        "firth.subword_embedding",
        "firth.subwords",
        "firth.vocabulary",
    ],
)
def test_public_functions_have_examples(name):
    finder = doctest.DocTestFinder()
    assert any(found.examples for found in finder.find(importlib.import_module(name)))


def some_text():
    """Sentences that hold the words README asks for."""
    words = ["king", "queen", "man", "woman", *(f"word{i}" for i in range(120))]
    return "\n".join(map(" ".join, np.random.default_rng(1).choice(words, (1000, 10))))


def some_labels():
    """Texts with the labels and the words that README's commands and lines ask for."""
    return "__label__sun a hot dry day\n__label__rain a cold wet day\n" * 20


def write_graph_and_ratings(folder):
    """A ring of nodes with chords, and ratings of items that have a taste in common."""
    edges = [(i, (i + step) % 40) for i in range(40) for step in (1, 2, 5)]
    (folder / "graph.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in edges))
    rated = [(u, i, 5 - (u + i) % 3) for u in range(1, 31) for i in (*range(u % 4, 60, 4), 7, 50)]
    rows = "".join(f"{u},{i},{rating}\n" for u, i, rating in rated)
    (folder / "ratings.csv").write_text(f"user,item,rating\n{rows}")


def test_the_readmes_lines_run(tmp_path):
    write_graph_and_ratings(tmp_path)
    (tmp_path / "corpus.txt").write_text(some_text(), encoding="utf-8")
    for name in ("train.txt", "valid.txt"):
        (tmp_path / name).write_text(some_labels())
    for name in ("text.txt", "january.txt", "february.txt"):
        (tmp_path / name).write_text(some_text())
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    lines, going_on, ngrams, labels, company, nodes, liked, search = blocks
    shown = "print(len(emb), ids.shape)"
    gone_on = "print(emb, learner)"
    made = 'print("quen" in emb, emb.has_vector("quen"), emb.subwords("quen")[0][0], len(bags.ids))'
    predicted = "print(labels[0], model.test('valid.txt').precision)"
    counted = "print(emb, phrases.collocations(1)[0].count >= 5, counts['king', 'queen'] > 0)"
    whole = "print(ids.tolist() == kernels.topk(items[:2], items, 10)[0].tolist())"
    program = [f"import os\nos.chdir({str(tmp_path)!r})", lines, shown]
    program += [going_on, gone_on, ngrams, made]
    walked = "print(len(walks), len(emb), split.test.positives.shape)"
    recommended = "print(liked, len({'50', '7'} & {liked.items[i] for i in items}), len(items))"
    program += [labels, predicted, nodes, walked, liked, recommended]
    program = "\n".join([*program, company, counted, search, shown, whole])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
    )
    size = "124 (2, 10)"
    made, counted = "False True <qu 24", "Embedding(124 keys, dim=100) True True"
    gone_on = "Embedding(124 keys, dim=100) Learner(Word2Vec, 124 words of 20000 tokens)"
    nodes = ["8 40 (12, 2)", "Recommender(30 users, 60 items, dim=32) 0 5"]
    said = [size, gone_on, made, "__label__sun 1.0", *nodes, counted, size, "True"]
    assert done.stdout.splitlines() == said, done.stderr


def test_the_readmes_commands_run(tmp_path):
    (tmp_path / "tests" / "data").mkdir(parents=True)
    write_graph_and_ratings(tmp_path)
    sample = tmp_path / "tests" / "data" / "wiki-sample.txt.xz"
    sample.write_bytes(lzma.compress(some_text().encode()))
    (tmp_path / "wordsim353.tsv").write_text("king\tqueen\t8.5\nman\twoman\t8.3\nking\tman\t3\n")
    for name in ("train.txt", "valid.txt"):
        (tmp_path / name).write_text(some_labels())
    (commands,) = re.findall(r"```sh\n(firth .*?)```", README.read_text(), re.DOTALL)
    lines = [shlex.split(line, comments=True) for line in commands.splitlines() if line]
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
        assert done.stdout or "-o" in arguments or arguments[0] == "convert"
