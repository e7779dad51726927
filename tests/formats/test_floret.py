"""floret's text format: the rule in its header, the rows in order, every way it can be wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import Embedding, FormatError
from firth.subword_embedding import SubwordEmbedding
from firth.subwords import Subwords
from strategies import finite

GOOD = b"3 2 2 4 2 2166136261 < >\n0 1 -2.5 \n1 0.5 3 \n2 0 1e-05 \n"
TABLE = np.array([[1, -2.5], [0.5, 3], [0, 1e-5]], np.float32)


@pytest.fixture
def read(tmp_path):
    """Read bytes as a file of this format."""

    def reading(content, limit=None):
        (tmp_path / "a.floret").write_bytes(content)
        return firth.read(tmp_path / "a.floret", limit=limit)

    return reading


@pytest.mark.parametrize("content", [GOOD, GOOD[:-2], GOOD.replace(b" \n", b"\r\n")])
@pytest.mark.parametrize("limit", [None, 1])
def test_a_table_and_its_rule_are_read(read, content, limit):
    emb = read(content, limit)
    assert (emb.keys, emb.rule) == ([], Subwords(2, 4, 3, 2))
    np.testing.assert_array_equal(emb.input, TABLE)
    assert emb.has_vector("any")
    assert emb.output is None


# Of the program floret 0.10.5 (mode floret), trained on six lines of text: what it saved, and the
# vectors that it prints itself, from rows with more digits.
PROGRAM = b"""8 2 3 4 2 2166136261 < >
0 0.098339 -0.26405 
1 -0.16964 0.28113 
2 0.1825 -0.37096 
3 0.021317 -0.32291 
4 0.26795 -0.48109 
5 0.21115 0.075021 
6 0.0022841 -0.003602 
7 0.0020154 -0.0036931 
"""  # noqa: W291
PRINTED = {
    "boat": (0.074788995, -0.12569351),
    "river": (0.09679952, -0.20582326),
    "harbours": (0.07685576, -0.13473342),
    "käse": (0.058639042, -0.09698461),
    "a": (0.006427154, -0.04491566),
}


def test_words_have_the_vectors_that_floret_gives_them(read):
    emb = read(PROGRAM)
    np.testing.assert_allclose(emb[list(PRINTED)], list(PRINTED.values()), rtol=0, atol=1e-5)
    assert not emb.has_vector("</s>")  # zero in floret


def test_what_is_written_has_the_form_of_floret(tmp_path):
    emb = SubwordEmbedding([], TABLE, Subwords(2, 4, 3, 2))
    emb.write(tmp_path / "a", format="floret")
    assert (tmp_path / "a").read_bytes() == GOOD.replace(b" \n", b"\n")


@st.composite
def tables(draw):
    """Draw a table and a rule."""
    least, more = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    most = draw(st.sampled_from([0, least + more]))
    buckets, dim = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    numbers = draw(st.lists(finite, min_size=buckets * dim, max_size=buckets * dim))
    rule = Subwords(least, most, buckets, draw(st.integers(1, 4)))
    return np.array(numbers, np.float32).reshape(buckets, dim), rule


@given(tables())
def test_what_is_written_is_read(tmp_path_factory, pair):
    table, rule = pair
    path = tmp_path_factory.mktemp("a") / "a"
    SubwordEmbedding([], table, rule).write(path, format="floret")
    found = firth.read(path)
    assert found.rule == rule
    np.testing.assert_array_equal(found.input, table)


def test_keys_are_no_part_of_the_format(tmp_path, read):
    emb = SubwordEmbedding(["a"], TABLE, Subwords(2, 4, 3, 2))
    emb.write(tmp_path / "a", format="floret")
    np.testing.assert_array_equal(firth.read(tmp_path / "a")["a"], emb["a"])


def test_what_has_no_table_of_floret_is_refused(tmp_path):
    for emb in (Embedding(["a"], [[1]]), SubwordEmbedding([], TABLE, Subwords(2, 4, 3))):
        with pytest.raises(ValueError, match="floret: expected a SubwordEmbedding"):
            emb.write(tmp_path / "a", format="floret")
    assert not (tmp_path / "a").exists()


DAMAGED = {
    "another seed": (GOOD.replace(b"2166136261", b"1"), "line 1 .*the seed 2166136261, found 1"),
    "other boundaries": (GOOD.replace(b"< >", b"^ $"), "line 1 .*the boundaries < >, found ^ $"),
    "no hash": (GOOD.replace(b"4 2 21", b"4 0 21"), "1 to 4 hashes .*found 0"),
    "many hashes": (GOOD.replace(b"4 2 21", b"4 5 21"), "1 to 4 hashes .*found 5"),
    "no dim": (GOOD.replace(b"3 2 2", b"3 0 2"), "at least 1 number per row, found 2 and 0"),
    "no bucket": (GOOD.replace(b"3 2 2", b"0 2 2"), "a rule, found .*buckets=0"),
    "long n-grams": (GOOD.replace(b"2 4 2", b"2 70000 2"), "a rule, found .*max_n=70000"),
    "many buckets": (GOOD.replace(b"3 2 2", b"999999999 2 2"), "at least 5999999993 bytes"),
    "huge dim": (GOOD.replace(b"3 2 2", b"3 999999999 2"), "at least 5999999999 bytes"),
    "dim larger": (GOOD.replace(b"3 2 2", b"3 3 2"), "line 2 .*expected 3 numbers, found 2"),
    "a row less": (GOOD.replace(b"3 2 2", b"4 2 2"), "line 5 .*row 4 of 4, found the end"),
    "a row more": (GOOD.replace(b"3 2 2", b"2 2 2"), "byte .*the end after 2 rows"),
    "order": (GOOD.replace(b"\n1 ", b"\n7 "), "line 3: expected row 1, found '7'"),
    "twice": (GOOD.replace(b"\n1 ", b"\n0 "), "line 3 .*'0' was in line 2"),
    "NaN": (GOOD.replace(b"0.5", b"nan"), "line 3 .*a finite decimal number, found b'nan'"),
    "too large": (GOOD.replace(b"0.5", b"1e39"), "line 3: expected numbers within float32"),
    "cut": (GOOD[:40], "at least .* bytes|numbers"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named_with_the_place(read, case):
    content, expected = DAMAGED[case]
    with pytest.raises(FormatError, match=expected.replace("^ $", r"\^ \$")):
        read(content)


def test_a_file_of_another_format_is_refused_by_name(tmp_path):
    (tmp_path / "a").write_bytes(b"2 1\na 1\nb 2\n")
    with pytest.raises(FormatError, match=r"line 1 .*a header, .buckets dim min_n"):
        firth.read(tmp_path / "a", "floret")


def test_mutations_are_refused_or_read_to_finite_numbers(read):
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(600):
        content = bytearray(GOOD)
        content[rng.integers(len(content))] = rng.integers(256)
        try:
            emb = read(bytes(content))
        except FormatError:
            refused += 1
        else:
            assert np.isfinite(emb.vectors).all()
    assert refused > 200
