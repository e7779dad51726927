"""Analogies: hand-made embeddings with known answers, and loops over all words as the oracle."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import FormatError
from firth.evaluate import analogies
from firth.evaluate.analogy import read_analogies

CAPITALS = """\
: capitals
paris france berlin germany
france paris germany berlin
paris france yetitown yetiland

: family
# the oldest one
man king woman queen
"""
WORDS = {
    "paris": [1, 0, 1, 0, 0],
    "france": [1, 0, 0, 1, 0],
    "berlin": [0, 1, 1, 0, 0],
    "germany": [0, 1, 0, 1, 0],
    "man": [1, 1, 0, 0, 1],
    "woman": [1, 1, 0, 0, -1],
    "king": [0, 0, -1, 1, 1],
    "queen": [0, 0, -1, 1, -1],
}


def embedding(keys, vectors):
    return SimpleNamespace(keys=list(keys), vectors=np.array(vectors, dtype=np.float32))


@pytest.fixture
def words():
    return embedding(WORDS, list(WORDS.values()))


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "questions.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def oracle(words, question, *, method, k, fold=str.casefold, restrict=None):
    """One question by loops in float64; None where a word is unknown."""
    keys = words.keys[:restrict]
    first = {}
    for row, key in enumerate(keys):
        first.setdefault(fold(key), row)
    if any(fold(word) not in first for word in question):
        return None
    units = [v / np.linalg.norm(v) for v in words.vectors[:restrict].astype(np.float64)]
    a, b, c = (units[first[fold(word)]] for word in question[:3])
    asked = {fold(word) for word in question[:3]}
    scores = []
    for row, key in enumerate(keys):
        u = units[row]
        if fold(key) in asked:
            continue
        if method == "add":
            score = u @ (b - a + c)
        else:
            score = ((u @ b + 1) / 2) * ((u @ c + 1) / 2) / ((u @ a + 1) / 2 + 0.001)
        scores.append((-score, row))
    return fold(question[3]) in {fold(keys[row]) for _, row in sorted(scores)[:k]}


@pytest.mark.parametrize("method", ["add", "mul"])
def test_a_file_is_answered_section_by_section(words, file, method):
    result = analogies(words, file(CAPITALS), method=method)
    assert [(s.name, s.correct, s.total, s.skipped) for s in result.sections] == [
        ("capitals", 2, 2, 1),
        ("family", 1, 1, 0),
    ]
    assert (result.correct, result.total, result.skipped, result.accuracy) == (3, 3, 1, 1.0)


@pytest.mark.parametrize("method", ["add", "mul"])
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 5),
    restrict=st.sampled_from([10, 25, 1000, None]),
    ignore_case=st.booleans(),
)
def test_counts_are_those_of_loops_over_all_words(method, seed, k, restrict, ignore_case):
    random = np.random.default_rng(seed)
    # "w3", "W3" and so on: up to four spellings of one word
    names = [f"{a}{b}{n}" for n in range(12) for a in "wW" for b in "xX"]
    keys = list(random.permutation(names))[:40]
    words = embedding(keys, random.normal(size=(40, 6)))
    questions = [tuple(random.choice(names, 4)) for _ in range(60)]
    fold = str.casefold if ignore_case else str
    expected = [
        oracle(words, q, method=method, k=k, fold=fold, restrict=restrict) for q in questions
    ]
    result = analogies(
        words, questions, method=method, k=k, restrict=restrict, ignore_case=ignore_case
    )
    assert (result.correct, result.skipped) == (expected.count(True), expected.count(None))
    assert result.total == 60 - result.skipped


def test_the_words_of_the_question_are_never_the_answer():
    words = embedding(["a", "b", "c", "d"], [[1, 0], [0.9, 0.1], [0.95, 0.05], [-1, 0]])
    assert analogies(words, [("a", "b", "c", "d")]).correct == 1
    assert analogies(words, [("a", "b", "c", "b")]).correct == 0
    assert analogies(words, [("a", "b", "c", "b")], k=4).correct == 0


def test_of_equal_scores_the_more_frequent_word_is_taken():
    vectors = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [0, 1, 1]]
    words = embedding(["a", "b", "c", "often", "rare"], vectors)
    for method in ("add", "mul"):
        assert analogies(words, [("a", "b", "c", "often")], method=method).correct == 1
        assert analogies(words, [("a", "b", "c", "rare")], method=method).correct == 0
        assert analogies(words, [("a", "b", "c", "rare")], method=method, k=2).correct == 1


def test_restrict_makes_later_rows_unknown(words, file):
    result = analogies(words, file(CAPITALS), restrict=4)
    assert [(s.total, s.skipped) for s in result.sections] == [(2, 1), (0, 1)]
    assert result.sections[1].accuracy == 0.0
    assert result.restrict == 4


def test_case_is_ignored_unless_told_otherwise(words, file):
    path = file(CAPITALS.replace("paris", "Paris").replace("berlin", "BERLIN"))
    assert analogies(words, path).correct == 3
    exact = analogies(words, path, ignore_case=False)
    assert (exact.correct, exact.total, exact.skipped) == (1, 1, 3)


def test_many_questions_cross_the_blocks(words, monkeypatch):
    monkeypatch.setattr("firth.evaluate.analogy.BLOCK", 3)
    monkeypatch.setattr("firth.evaluate.analogy.SCORES", 16)  # of 8 rows each
    questions = [("man", "king", "woman", "queen"), ("man", "king", "woman", "paris")] * 5
    for method in ("add", "mul"):
        result = analogies(words, questions, method=method)
        assert (result.correct, result.total) == (5, 10)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b": s\na b c d\na b c\n", "line 3"),
        (b": s\na b c d e\n", "line 2"),
        (b"", "line 1"),
        (b": s\n: t\n", "line 3"),
        (b"\x00" * 100_000, "line 1"),
    ],
)
def test_malformed_files_are_refused_with_the_line(words, file, text, line):
    with pytest.raises(FormatError) as error:
        analogies(words, file(text))
    assert f"questions.txt: {line}: expected four words" in str(error.value)
    assert len(str(error.value)) < 400


def test_questions_without_a_section_and_sections_that_come_back(file):
    text = "a b c d\n: s\ne f g h\n: t\na b c d\n: s\nb\xff b c d\n".encode("latin-1")
    assert read_analogies(file(text)) == {
        "questions": [("a", "b", "c", "d")],
        "s": [("e", "f", "g", "h"), ("b\udcff", "b", "c", "d")],
        "t": [("a", "b", "c", "d")],
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "analogies: k=0 is not between 1 and the 8 words searched"),
        ({"k": 9}, "analogies: k=9 is not between 1 and the 8 words searched"),
        ({"restrict": 0}, "analogies: restrict=0 is not at least 1"),
        ({"method": "sum"}, "analogies: method='sum' is neither 'add' nor 'mul'"),
        ({"questions": []}, "analogies: questions holds no question"),
    ],
)
def test_bad_arguments_are_named(words, options, message):
    arguments = {"questions": [("a", "b", "c", "d")], **options}
    with pytest.raises(ValueError, match="analogies: ") as error:
        analogies(words, **arguments)
    assert str(error.value) == message


def test_no_known_question_is_a_result_of_zero(words):
    result = analogies(words, [("who", "knows", "these", "words")])
    assert (result.correct, result.total, result.skipped, result.accuracy) == (0, 0, 1, 0.0)


def test_the_result_reads_well_and_is_json(words, file):
    result = analogies(words, file(CAPITALS))
    assert str(result).splitlines() == [
        "  capitals  1.000      2 of     2, 1 unknown",
        "  family    1.000      1 of     1, 0 unknown",
        "questions   1.000      3 of     3, 1 unknown",
    ]
    again = json.loads(json.dumps(result.as_dict()))
    assert again["accuracy"] == 1.0
    assert again["sections"][0] == {
        "name": "capitals",
        "correct": 2,
        "total": 2,
        "skipped": 1,
        "accuracy": 1.0,
    }


def test_the_real_file_is_read_whole(data):
    sections = read_analogies(data / "analogy" / "questions-words.txt")
    assert len(sections) == 14
    assert sum(map(len, sections.values())) == 19544


def test_evaluate_needs_no_scipy():
    import subprocess
    import sys

    code = "import sys, firth; firth.evaluate.word_pairs; assert 'scipy' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 0
