"""Each command called in this process: what it prints, its exit code, its one line of error."""

import json

import numpy as np
import pytest

import firth
from firth import cli

PAIRS = "man\twoman\t9\nking\tqueen\t9.5\nman\tfar\t1\nking\tyeti\t3\n"
ANALOGIES = ": family\nman king woman queen\nking man queen woman\n"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"the cat and the dog\nthe \xff dog\n")
    return path


# ---- nearest, analogy ---------------------------------------------------------------------------


def test_nearest_prints_word_and_score(call, vectors, emb):
    code, out, err = call("nearest", vectors, "king", "-k", 3)
    assert (code, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [(w, float(s)) for w, s in rows] == [
        (w, pytest.approx(s, abs=6e-5)) for w, s in emb.most_similar("king", k=3)
    ]


def test_nearest_of_several_words_names_them(call, vectors):
    _, out, _ = call("nearest", vectors, "king", "straße", "-k", 1)
    assert [line.split("\t")[:2] for line in out.splitlines()] == [
        ["king", "King"],
        ["straße", "b\udcff"],
    ]


def test_nearest_as_json_is_one_line_per_word(call, vectors):
    _, out, _ = call("nearest", vectors, "king", "straße", "-k", 2, "--json")
    first, second = map(json.loads, out.splitlines())
    assert first["word"] == "king"
    assert [found["word"] for found in first["nearest"]] == ["King", "man"]
    assert second["nearest"][0] == {"word": "b\udcff", "score": pytest.approx(0.977, abs=1e-3)}


def test_among_searches_the_first_words_only(call, vectors):
    _, out, _ = call("nearest", vectors, "king", "-k", 1, "--among", 4)
    assert not out.startswith("King")


def test_words_below_the_threshold_are_not_printed(call, vectors, emb):
    ids, scores = emb.nearest(["king", "far"], k=8, threshold=0.2)
    assert (ids[0] >= 0).sum() == 4
    code, out, _ = call("nearest", vectors, "king", "far", "-k", 8, "--threshold", 0.2)
    assert code == 0
    assert out.splitlines() == [
        f"king\t{emb.keys[row]}\t{score:.4f}"
        for row, score in zip(ids[0].tolist(), scores[0].tolist(), strict=True)
        if row >= 0
    ]
    _, out, _ = call("nearest", vectors, "king", "far", "--threshold", "-0.3", "-k", 3, "--json")
    first, second = map(json.loads, out.splitlines())
    assert (len(first["nearest"]), len(second["nearest"])) == (3, 2)
    assert call("nearest", vectors, "far", "--threshold", 0.5, "-k", 1) == (0, "", "")


@pytest.mark.parametrize("wrong", ["nan", "inf"])
def test_a_threshold_that_is_no_number_is_an_error(call, vectors, wrong):
    assert call("nearest", vectors, "king", "-k", 1, "--threshold", wrong) == (
        1,
        "",
        f"firth: error: nearest: threshold={wrong} is neither finite nor -inf\n",
    )


def test_an_unknown_word_and_a_wrong_k_are_errors(call, vectors):
    assert call("nearest", vectors, "yeti", "king", "elf") == (
        1,
        "",
        "firth: error: unknown word: yeti, elf (of 8 known ones)\n",
    )
    code, out, err = call("nearest", vectors, "king", "-k", 0)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("firth: error: nearest: k=0 is not between 1 and ")


@pytest.mark.parametrize("method", ["add", "mul"])
def test_analogy(call, vectors, emb, method):
    code, out, _ = call("analogy", vectors, "man", "king", "woman", "-k", 2, "--method", method)
    assert code == 0
    expected = emb.most_similar(["king", "woman"], ["man"], k=2, method=method)
    assert [line.split("\t")[0] for line in out.splitlines()] == [word for word, _ in expected]
    assert out.startswith("queen\t")
    _, out, _ = call("analogy", vectors, "man", "king", "woman", "-k", 1, "--json")
    answer = json.loads(out)
    assert (answer["a"], answer["b"], answer["c"]) == ("man", "king", "woman")
    assert answer["answers"][0]["word"] == "queen"


def test_analogy_wants_three_words(call, vectors):
    code, _, err = call("analogy", vectors, "man", "king")
    assert code == 2
    assert "expected three words A B C, got 2" in err


# ---- eval ---------------------------------------------------------------------------------------


@pytest.fixture
def questions(tmp_path):
    (tmp_path / "pairs.txt").write_text(PAIRS)
    (tmp_path / "family.txt").write_text(ANALOGIES)
    return tmp_path / "pairs.txt", tmp_path / "family.txt"


def test_eval_sees_what_a_file_holds(call, vectors, questions, emb):
    pairs, family = questions
    code, out, err = call("eval", vectors, pairs, family)
    assert (code, err) == (0, "")
    assert (
        out == f"{firth.evaluate.word_pairs(emb, pairs)}\n{firth.evaluate.analogies(emb, family)}\n"
    )
    code, out, _ = call("eval", vectors, pairs, family, "--json", "--oov", "zero", "--match-case")
    first, second = map(json.loads, out.splitlines())
    assert (first["file"], first["oov"], first["total"]) == (str(pairs), "zero", 4)
    assert (second["file"], second["correct"], second["restrict"]) == (str(family), 2, 8)


def test_eval_can_be_told_what_a_file_holds(call, vectors, questions):
    pairs, family = questions
    code, out, err = call("eval", vectors, "--pairs", family)
    assert (code, out) == (1, "")
    assert "family.txt: line 1: expected a word, a word and a score" in err
    code, out, err = call("eval", vectors, "--analogies", pairs)
    assert "pairs.txt: line 1: expected four words" in err


def test_eval_passes_its_options_on(call, vectors, questions):
    _, out, _ = call(
        *("eval", vectors, questions[1], "--json", "--restrict", "none", "--method", "mul"),
        *("-k", 2, "--threads", 1),
    )
    result = json.loads(out)
    assert (result["method"], result["k"], result["restrict"], result["correct"]) == (
        "mul",
        2,
        8,
        2,
    )


def test_a_file_that_fails_leaves_the_others_their_turn(call, vectors, questions, tmp_path):
    code, out, err = call("eval", vectors, tmp_path / "none.txt", questions[1], tmp_path)
    assert code == 1
    assert "family" in out
    assert err.splitlines() == [
        f"firth: error: {tmp_path}/none.txt: No such file or directory",
        f"firth: error: {tmp_path}: Is a directory",
    ]


# ---- convert, info ------------------------------------------------------------------------------


def test_convert_chooses_the_format_by_flag_or_ending(call, vectors, tmp_path, emb):
    for name, options, expected in [
        ("a.vec", [], "word2vec-text"),
        ("a.bin", [], "word2vec-binary"),
        ("folder", [], "firth"),
        ("a.any", ["--to", "glove-text"], "glove-text"),
    ]:
        path = tmp_path / name
        assert call("convert", vectors, path, *options) == (0, "", "")
        facts = json.loads(call("info", path, "--json")[1])
        assert (facts["format"], facts["keys"], facts["dim"]) == (expected, 8, 4)
        back = firth.read(path)
        assert back.keys == emb.keys
        assert np.allclose(back.vectors, emb.vectors)


def test_convert_takes_the_first_vectors(call, vectors, tmp_path):
    call("convert", vectors, tmp_path / "few.vec", "--limit", 3)
    assert firth.read(tmp_path / "few.vec").keys == ["man", "woman", "king"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["nope", "out"], "nope: No such file or directory"),
        (["VECTORS", "no/folder/out"], "no/folder: "),
        (["VECTORS", "out", "--to", "doc"], "'doc' is none of firth, "),
        (["VECTORS", "-", "--to", "firth"], "a firth folder cannot be written to stdout"),
        (["VECTORS", "out", "--limit", "0"], "limit=0 is not at least 1"),
    ],
)
def test_what_cannot_be_converted_is_one_line(call, vectors, tmp_path, monkeypatch, argv, said):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = call("convert", *(vectors if one == "VECTORS" else one for one in argv))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("firth: error: ")
    assert said in err
    assert sorted(tmp_path.iterdir()) == before


def test_info_says_what_is_there(call, vectors):
    code, out, _ = call("info", vectors)
    facts = dict(line.split("\t") for line in out.splitlines())
    assert code == 0
    assert (
        facts.items()
        >= {
            "format": "firth",
            "keys": "8",
            "dim": "4",
            "counted": "360",
            "first": "man woman king queen King",
            "metadata.model": "by hand",
        }.items()
    )
    assert json.loads(call("info", vectors, "--json")[1])["metadata"] == {"model": "by hand"}


# ---- train --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("counter")
def test_train_writes_what_the_model_learnt(call, text, tmp_path):
    out = tmp_path / "out"
    assert call("train", "counter", text, "-o", out, "--dim", 3) == (0, "", "")
    emb = firth.load(out)
    assert emb.keys == ["the", "dog", "and", "cat", "\udcff"]
    assert emb.vectors.shape == (5, 3)


@pytest.mark.usefixtures("counter")
def test_train_summary_and_formats(call, text, tmp_path):
    out = tmp_path / "out.vec"
    _, said, _ = call("train", "counter", text, "-o", out, "--json", "--min-count", 2)
    assert (
        json.loads(said).items()
        >= {
            "output": str(out),
            "format": "word2vec-text",
            "keys": 2,
            "dim": 2,
            "interrupted": False,
        }.items()
    )
    code, said, err = call("train", "counter", text, "-o", "-")
    assert (code, err) == (0, "")
    first = ["5", "the", "dog", "and", "cat", "\udcff"]
    assert [line.split()[0] for line in said.splitlines()] == first


@pytest.mark.usefixtures("counter")
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--dim", "0", "-o", "out"], "Counter: dim=0 is not at least 1"),
        ([], "the following arguments are required: -o/--output"),
        (["-o", "-", "--json"], "--json and the vectors cannot both go to stdout"),
        (["-o", "out", "--di", "3"], "unrecognized arguments: --di"),
    ],
)
def test_wrong_usage_of_train(call, text, argv, said):
    code, out, err = call("train", "counter", text, *argv)
    assert (code, out) == (2, "")
    assert said in err
    assert err.startswith("usage: firth ")


@pytest.mark.usefixtures("counter")
@pytest.mark.parametrize("target", ["no/such/folder", ".", "text.txt"])
def test_a_place_that_cannot_be_written_is_refused_before_the_training(
    call, text, target, monkeypatch
):
    monkeypatch.chdir(text.parent)
    code, out, err = call(
        "train", "counter", "no-such-input.txt", "-o", target, "--format", "firth"
    )
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "no-such-input" not in err
    assert list(text.parent.iterdir()) == [text]


@pytest.mark.usefixtures("counter")
def test_no_input_leaves_nothing_behind(call, tmp_path):
    code, _, err = call("train", "counter", tmp_path / "none.txt", "-o", tmp_path / "out")
    assert code == 1
    assert err.startswith(f"firth: error: {tmp_path}/none.txt: no such file")
    assert list(tmp_path.iterdir()) == []


# ---- words made of n-grams ----------------------------------------------------------------------


@pytest.fixture
def subwords(tmp_path, text):
    """What `firth train fasttext` made of the small text."""
    out = tmp_path / "subwords"
    settings = ["--dim", "4", "--buckets", "50", "--min-count", "1", "--sample", "0"]
    assert cli.main(["train", "fasttext", str(text), "-o", str(out), *settings]) == 0
    return out


def test_unseen_words_are_answered(call, subwords):
    emb = firth.load(subwords)
    _, out, _ = call("nearest", subwords, "cats", "-k", 2)
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        word for word, _ in emb.most_similar("cats", k=2)
    ]
    assert call("analogy", subwords, "cat", "cats", "dog", "-k", 1)[0] == 0
    code, _, err = call("nearest", subwords, "</s>")
    assert (code, err) == (1, "firth: error: unknown word: </s> (of 5 known ones)\n")


def test_info_tells_the_rule_and_convert_writes_vectors(call, subwords, tmp_path):
    facts = dict(line.split("\t") for line in call("info", subwords)[1].splitlines())
    assert (facts["rule.min_n"], facts["rule.buckets"], facts["keys"]) == ("3", "50", "5")
    assert json.loads(call("info", subwords, "--json")[1])["rule"]["hashes"] == 0
    assert call("convert", subwords, tmp_path / "a.vec") == (0, "", "")
    assert type(firth.read(tmp_path / "a.vec")) is firth.Embedding
    assert call("convert", subwords, tmp_path / "cut", "--limit", "2") == (0, "", "")
    assert firth.load(tmp_path / "cut").rule.buckets == 50


# ---- all ----------------------------------------------------------------------------------------


def test_usage_version_and_help(call, vectors):
    assert call("--version") == (0, f"firth {firth.__version__}\n", "")
    assert call()[0] == 2
    assert call("no-such-command")[0] == 2
    assert call("nearest")[0] == 2
    assert call("nearest", vectors, "king", "-k", "x")[0] == 2
    assert call("nearest", vectors, "king", "--threshold", "x")[0] == 2
    for command in ["train", "nearest", "analogy", "eval", "convert", "info", "demo"]:
        code, out, err = call(command, "--help")
        assert (code, err) == (0, "")
        assert out.startswith(f"usage: firth {command} ")
        assert command in call("--help")[1]


def test_debug_shows_where(call, tmp_path):
    with pytest.raises(FileNotFoundError):
        call("info", tmp_path / "none", "--debug")


def test_an_error_of_the_programmer_has_its_type(call, vectors, monkeypatch):
    monkeypatch.setattr(firth.Embedding, "nearest", lambda *a, **k: [].nothing)
    assert call("nearest", vectors, "king") == (
        1,
        "",
        "firth: error: AttributeError: 'list' object has no attribute 'nothing' "
        "(--debug shows where)\n",
    )


def test_a_damaged_file_is_one_line(call, tmp_path):
    (tmp_path / "bad.bin").write_bytes(bytes(range(256)) * 10)
    code, _, err = call("info", tmp_path / "bad.bin")
    assert code == 1
    assert err.startswith(f"firth: error: {tmp_path}/bad.bin: ")
    assert err.count("\n") == 1
