"""``firth count``: what it writes, what it prints, and what it refuses before it counts."""

import json

import numpy as np
import pytest

import firth
from firth import Corpus, Counts
from firth.cli import count

LINES = ["new york is a new city", "new york is old", "a city is old", "b\udcff is in new york"] * 4
ALL = ["--min-count", 1]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("\n".join(LINES).encode("utf-8", "surrogateescape") + b"\n")
    return path


def same(one, other):
    """Say whether two counts are the same."""
    return (
        one.vocabulary == other.vocabulary
        and (one.unit, one.window, one.weights) == (other.unit, other.window, other.weights)
        and (one.symmetric, one.sentences) == (other.symmetric, other.sentences)
        and one.tokens == other.tokens
        and all(
            np.array_equal(getattr(one.sums, name), getattr(other.sums, name))
            for name in ("indptr", "indices", "data")
        )
    )


# ---- counts -------------------------------------------------------------------------------------


def test_counts_are_written_and_nothing_is_printed(call, text, tmp_path):
    assert call("count", text, "-o", tmp_path / "out") == (0, "", "")
    assert same(Counts.load(tmp_path / "out"), Counts.of(Corpus.read(text)))


def test_every_flag_of_counting_arrives(call, text, tmp_path):
    argv = ["--window", 3, "--weights", "linear", "--directed", "--min-count", 2]
    argv += ["--max-vocab", 4, "--no-sentences", "--threads", 1]
    argv += ["--memory", "100 MB", "--folder", tmp_path]
    assert call("count", text, "-o", tmp_path / "out", *argv) == (0, "", "")
    corpus = Corpus.read(text, min_count=2, max_vocab=4)
    rule = {"window": 3, "weights": "linear", "symmetric": False, "sentences": False}
    assert same(Counts.load(tmp_path / "out"), Counts.of(corpus, **rule))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "text.txt"]


def test_memory_may_be_a_number_of_bytes(call, text, tmp_path):
    assert call("count", text, "-o", tmp_path / "out", "--memory", 100_000_000)[0] == 0
    assert same(Counts.load(tmp_path / "out"), Counts.of(Corpus.read(text)))


def test_stanfords_file_has_its_words_beside_it(call, text, tmp_path):
    out = tmp_path / "co.bin"
    argv = ["--format", "glove", "--window", 4, *ALL]
    assert call("count", text, "-o", out, *argv) == (0, "", "")
    counts = Counts.of(Corpus.read(text, min_count=1), window=4)
    back = Counts.read_glove(out, tmp_path / "co.bin.vocab.txt", window=4)
    assert back.vocabulary == counts.vocabulary
    assert np.array_equal(back.sums.data, counts.sums.data)
    assert out.stat().st_size == 16 * counts.sums.nnz


def test_a_model_takes_what_was_counted(call, text, tmp_path):
    assert call("count", text, "-o", tmp_path / "counts", *ALL) == (0, "", "")
    for name, source in (("a", tmp_path / "counts"), ("b", text)):
        argv = ["-o", tmp_path / name, "--dim", 3, "--min-count", 1]
        assert call("train", "ppmi", source, *argv) == (0, "", "")
    one, other = firth.load(tmp_path / "a"), firth.load(tmp_path / "b")
    assert np.array_equal(one.vectors, other.vectors)


# ---- pairs --------------------------------------------------------------------------------------


def rows(out):
    return [tuple(line.split("\t")) for line in out.splitlines()]


@pytest.mark.parametrize("measure", count.MEASURES)
def test_the_best_pairs_are_printed(call, text, measure):
    argv = ["--directed", "--window", 1, *ALL]
    code, out, err = call("count", text, "--top", 4, "--measure", measure, *argv)
    assert (code, err) == (0, "")
    corpus = Corpus.read(text, min_count=1)
    counts = Counts.of(corpus, window=1, symmetric=False)
    best = counts.collocations(4, measure, min_count=1)
    assert rows(out) == [(a, b, f"{score:.4f}", f"{n:.4f}") for a, b, score, n in best]


def test_any_word_is_printed_as_it_came(call, text):
    _, out, _ = call("count", text, "--top", 100, "--min-pairs", 0, *ALL)
    assert any("b\udcff" in row for row in rows(out))


def test_pairs_of_a_word_with_itself_are_there_if_asked(call, text):
    argv = ["count", text, "--top", 100, "--min-pairs", 0, *ALL]
    assert not [row for row in rows(call(*argv)[1]) if row[0] == row[1]]
    assert [row for row in rows(call(*argv, "--repeats")[1]) if row[0] == row[1]]


def test_pairs_as_json(call, text):
    argv = ["--top", 2, "--measure", "count", "--window", 1, "--directed", *ALL]
    code, out, err = call("count", text, "--json", *argv)
    assert (code, err, out.count("\n")) == (0, "", 1)
    facts = json.loads(out)
    assert facts["pairs"][0] == {"first": "new", "second": "york", "score": 12.0, "count": 12.0}
    assert len(facts["pairs"]) == 2
    assert (facts["output"], facts["measure"], facts["words"]) == (None, "count", 8)


def test_a_summary_as_json(call, text, tmp_path):
    code, out, _ = call("count", text, "-o", tmp_path / "out", "--json", *ALL)
    counts = Counts.of(Corpus.read(text, min_count=1))
    assert code == 0
    assert json.loads(out) == {
        "output": str(tmp_path / "out"),
        "words": 8,
        "tokens": counts.tokens,
        "entries": counts.sums.nnz,
    }


def test_counts_that_were_written_have_pairs(call, text, tmp_path):
    out = tmp_path / "out"
    first = call("count", text, "-o", out, "--top", 3, *ALL)
    assert first[1].count("\n") == 3
    assert call("count", out, "--top", 3, *ALL) == first


def test_the_text_may_come_from_stdin(shell, text):
    argv = ["--top", 1, "--window", 1, "--measure", "count", *ALL]
    done = shell("count", "-", *argv, input=text.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split(b"\t")[:2] == [b"new", b"york"]


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "nothing to do: expected -o OUT, --top N or both"),
        (["-o", "-"], "counts cannot be written to stdout"),
        (["--top", "0"], "--top: 0 is not at least 1"),
        (["--top", "x"], "argument --top: invalid int value: 'x'"),
        (["--top", "1", "--measure", "chi"], "argument --measure: invalid choice: 'chi'"),
        (["--top", "1", "--weights", "none"], "argument --weights: invalid choice: 'none'"),
        (["--top", "1", "--directed", "--symmetric"], "not allowed with argument --directed"),
        (["-o", "out", "--format", "text"], "argument --format: invalid choice: 'text'"),
    ],
)
def test_wrong_usage(call, text, argv, said):
    code, out, err = call("count", text, *argv)
    assert (code, out) == (2, "")
    assert err.startswith("usage: firth count ")
    assert said in err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["-o", "no/folder/out"], "no/folder: "),
        (["-o", "text.txt"], "text.txt: expected a folder"),
        (["-o", ".", "--format", "glove"], ".: "),
        (["-o", "taken", "--format", "glove"], "taken.vocab.txt: "),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_counting(
    call, text, monkeypatch, argv, said
):
    monkeypatch.chdir(text.parent)
    (text.parent / "taken.vocab.txt").mkdir()
    before = sorted(text.parent.iterdir())
    code, out, err = call("count", "no-such-input.txt", *argv)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert said in err
    assert "no-such-input" not in err
    assert sorted(text.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--window", 0], "window=0 is not between 1 and 50"),
        (["--min-count", 0], "min_count=0 is not at least 1"),
        (["--max-vocab", 0], "max_vocab=0 is not at least 1"),
        (["--min-pairs", "nan"], "min_pairs=nan is not between 0 and"),
        (["--threads", 0], "threads=0 is not "),
        (["--memory", "much"], "memory="),
    ],
)
def test_a_value_out_of_range_is_one_line(call, text, argv, said):
    code, out, err = call("count", text, "--top", 1, *argv)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("firth: error: ")
    assert said in err


def test_no_input_leaves_nothing_behind(call, tmp_path):
    code, _, err = call("count", tmp_path / "none.txt", "-o", tmp_path / "out")
    assert code == 1
    assert err.startswith(f"firth: error: {tmp_path}/none.txt: no such file")
    assert list(tmp_path.iterdir()) == []


def test_the_choices_are_those_of_the_library():
    assert set(count.MEASURES) == set(firth.association.MEASURES)
    assert set(count.WEIGHTS) == set(firth.kernels._cooccurrence.WEIGHTS)


def test_help(call):
    code, out, err = call("count", "--help")
    assert (code, err) == (0, "")
    assert out.startswith("usage: firth count ")
    assert "count" in call("--help")[1]


@pytest.mark.parametrize(
    ("argv", "flag"),
    [
        (["--window", 3], "--window"),
        (["--directed"], "--symmetric"),
        (["--max-vocab", 9], "--max-"),
    ],
)
def test_what_has_been_counted_cannot_be_counted_otherwise(call, text, tmp_path, argv, flag):
    assert call("count", text, "-o", tmp_path / "counts")[0] == 0
    code, out, err = call("count", tmp_path / "counts", "--top", 3, *argv)
    assert (code, out) == (2, "")
    assert f"INPUT has been counted already, so that {flag}" in err


def test_the_text_is_not_replaced_by_its_counts(call, text):
    before = text.read_bytes()
    code, _, err = call("count", text, "-o", text, "--format", "glove")
    assert (code, "INPUT and -o cannot be the same" in err) == (2, True)
    assert text.read_bytes() == before
