"""``firth train`` of graphs and ratings, and ``firth recommend``."""

import json
import signal

import numpy as np
import pytest

import firth
from firth.cli import sources, train

SMALL = ["--dim", 4, "--seed", 3, "--threads", 1]


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "graph.tsv"
    edges = [(i, (i + step) % 30) for i in range(30) for step in (1, 2, 7)]
    path.write_text("# a ring with chords\n" + "".join(f"{a}\t{b}\n" for a, b in edges))
    return path


@pytest.fixture
def ratings(tmp_path):
    path = tmp_path / "ratings.csv"
    rows = [(u, i, 1 + (u * i) % 5) for u in range(20) for i in range(u % 3, 40, 3)]
    rows = "".join(f"u{u},film {i},{rating}\n" for u, i, rating in rows)
    path.write_text(f"who,what,stars\n{rows}")
    return path


def flags_of(name):
    """Small sizes, as far as a model has such fields."""
    fields = train.model_of(name).__dataclass_fields__
    given = dict(zip(SMALL[::2], SMALL[1::2], strict=True))
    return [part for flag, value in given.items() if flag[2:] in fields for part in (flag, value)]


@pytest.mark.parametrize("name", sorted(sources.GRAPHS))
def test_a_graph_is_learnt_from_a_file_and_from_stdin(shell, graph, tmp_path, name):
    done = shell("train", name, graph, "-o", tmp_path / "out", *flags_of(name))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    emb = firth.load(tmp_path / "out")
    assert emb.keys == [str(i) for i in range(30)]
    assert emb.dim == 4
    done = shell("train", name, "-", "-o", "-", *flags_of(name), input=graph.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"30 4\n")


def test_flags_say_how_edges_are_read(call, tmp_path):
    (tmp_path / "graph").write_text("b|a\nc|b\na|c\n")
    argv = ("train", "deepwalk", tmp_path / "graph", "-o", tmp_path / "out", *SMALL)
    assert call(*argv, "--delimiter", "|", "--directed") == (0, "", "")
    assert firth.load(tmp_path / "out").metadata["entries"] == 3
    assert call(*argv, "--delimiter", "|") == (0, "", "")
    assert firth.load(tmp_path / "out").metadata["entries"] == 6
    code, _, err = call(*argv)
    assert code == 1
    assert "line 1: expected two nodes, found 1 columns" in err


def test_types_of_a_path_are_parted_by_commas(call, graph, tmp_path):
    argv = ("train", "node2vec", graph, "-o", tmp_path / "out", *SMALL, "--metapath", "a,b")
    code, _, err = call(*argv)
    assert code == 1
    assert "('a', 'b') needs a graph with types" in err


@pytest.mark.parametrize("name", sorted(sources.RATINGS))
def test_recommenders_are_learnt_and_asked(call, ratings, tmp_path, name):
    out, columns = tmp_path / "out", ("--user-column", "who", "--item-column", 1)
    code, shown, err = call("train", name, ratings, "-o", out, *flags_of(name), *columns, "--json")
    assert (code, err) == (0, "")
    sizes = json.loads(shown)
    assert (sizes["users"], sizes["items"]) == (20, 40)
    learnt = firth.Recommender.load(out)
    ids, scores = learnt.recommend("u1", 3)
    lines = [f"{learnt.items[i]}\t{score:.4f}" for i, score in zip(ids, scores, strict=True)]
    assert call("recommend", out, "u1", "-k", 3) == (0, "\n".join(lines) + "\n", "")
    _, shown, _ = call("recommend", out, "u1", "-k", 40, "--json")
    items = {pair["item"] for pair in json.loads(shown)["items"]}
    assert items == {f"film {i}" for i in range(40) if i % 3 != 1}
    _, shown, _ = call("recommend", out, "u1", "-k", 40, "--seen", "--json")
    assert len(json.loads(shown)["items"]) == 40


def test_questions_of_similar_items_new_users_and_stdin(call, shell, ratings, tmp_path):
    out, header = tmp_path / "out", ("--user-column", "who")
    assert call("train", "bpr", ratings, "-o", out, *SMALL, *header) == (0, "", "")
    learnt = firth.Recommender.load(out)
    _, shown, _ = call("recommend", out, "-k", 2, "--similar", "film 1", "film 2")
    assert [line.split("\t")[0] for line in shown.splitlines()] == ["film 1"] * 2 + ["film 2"] * 2
    _, shown, _ = call("recommend", out, "-k", 2, "--new", "film 1", "film 4")
    ids, _ = learnt.recommend(learnt.fold_in(["film 1", "film 4"]), 2, exclude=["film 1", "film 4"])
    assert [line.split("\t")[0] for line in shown.splitlines()] == [learnt.items[i] for i in ids]
    done = shell("recommend", out, "-k", 1, input=b"u3\nnobody\n")
    assert done.returncode == 1
    assert done.stdout.startswith(b"u3\tfilm ")
    assert b"nobody: unknown user" in done.stderr


def test_ratings_can_be_left_out(call, ratings, tmp_path):
    out = tmp_path / "out"
    least = ("--rating-column", "stars", "--least", 3)
    assert call("train", "bpr", ratings, "-o", out, *SMALL, *least) == (0, "", "")
    met = firth.Interactions.read(ratings, rating="stars", least=3)
    assert firth.Recommender.load(out).seen.nnz == len(met) < 267
    code, _, err = call("train", "bpr", ratings, "-o", out, *SMALL, "--least", 3)
    assert code == 1
    assert "least" in err


def test_a_recommender_is_no_file_of_vectors(call, ratings, tmp_path):
    code, _, err = call("train", "bpr", ratings, "-o", "-", *SMALL)
    assert code == 1
    assert "cannot be written to stdout" in err
    assert call("train", "bpr", ratings, "-o", tmp_path / "out", *SMALL) == (0, "", "")
    code, _, err = call("nearest", tmp_path / "out", "u1")
    assert code == 1
    assert "firth.Recommender.load" in err


@pytest.mark.parametrize("name", ["node2vec", "bpr"])
def test_ctrl_c_keeps_what_was_learnt(shell, graph, ratings, tmp_path, name):
    out, input = tmp_path / "out", graph if name in sources.GRAPHS else ratings
    process = shell("train", name, input, "-o", out, "--epochs", 100_000, "--progress", popen=True)
    bar = b""
    while b"loss" not in bar:
        piece = process.stderr.read1(1000)
        assert piece, bar
        bar += piece
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    kept = firth.load(out) if name in sources.GRAPHS else firth.Recommender.load(out)
    table = kept.vectors if name in sources.GRAPHS else kept.item_vectors
    assert np.isfinite(table).all()
