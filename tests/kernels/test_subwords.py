"""The subwords kernel against the oracle, known answers, and every kind of input."""

import functools

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from firth import _arrays, kernels
from strategies import any_words, lone_bytes, ngram_rules


def texts_of(words):
    return [word.decode("utf-8", "surrogateescape") for word in words]


def lists(bags):
    """Return bags as a list of lists."""
    assert (bags.offsets.dtype, bags.ids.dtype) == (np.int64, np.uint32)
    return [ids.tolist() for ids in np.split(bags.ids, bags.offsets[1:-1])][: len(bags.offsets) - 1]


@given(words=any_words, rule=ngram_rules(), threads=st.integers(1, 3))
def test_bags_are_the_oracles(on, words, rule, threads):
    found = kernels.subwords(texts_of(words), **rule, threads=threads, **on)
    assert lists(found) == oracle.subwords(words, **rule)


@given(words=any_words, rule=ngram_rules(), data=st.data())
def test_any_cut_of_the_words_gives_the_same_bags(on, words, rule, data):
    cut = data.draw(st.integers(0, len(words)))
    texts = texts_of(words)
    whole = lists(kernels.subwords(texts, **rule, **on))
    parts = [kernels.subwords(part, **rule, **on) for part in (texts[:cut], texts[cut:])]
    assert lists(parts[0]) + lists(parts[1]) == whole


@given(words=any_words, rule=ngram_rules(most_buckets=1000), data=st.data())
def test_words_may_lie_anywhere_in_the_text(on, words, rule, data):
    """The backends' own contract: words overlap, repeat and come in any order."""
    text = np.frombuffer(b"".join(words), np.uint8)
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    cuts = sorted(data.draw(st.lists(places, max_size=8)), key=lambda place: place[1])
    begins, ends = (np.array([f(cut) for cut in cuts], np.int64) for f in (min, max))
    offsets = np.zeros(len(cuts) + 1, np.int64)
    given = {"text": text, "begins": begins, "ends": ends, "offsets": offsets, **rule}
    on["backend"].subwords(**given, ids=None, threads=1, isa=on["isa"] or "")
    ids = np.full(offsets[-1] + 1, 2**32 - 1, np.uint32)
    on["backend"].subwords(**given, ids=ids, threads=1, isa=on["isa"] or "")
    raw = text.tobytes()
    cut_out = [raw[begin:end] for begin, end in zip(begins, ends, strict=True)]
    assert lists(kernels.Bags(offsets, ids[:-1])) == oracle.subwords(cut_out, **rule)
    assert ids[-1] == 2**32 - 1


@pytest.mark.parametrize("letters", ["ascii", "wide", "bytes"])
@pytest.mark.parametrize(
    ("min_n", "max_n", "buckets", "hashes"),
    [(3, 6, 2_000_000, 0), (1, 8, 2**31 - 1, 0), (2, 3, 2**16, 0), (1, 1, 1, 0), (4, 20, 7, 0),
     (3, 6, 50_000, 2), (5, 5, 2**31 - 1, 4)],
)  # fmt: skip
def test_many_words_of_all_lengths(on, letters, min_n, max_n, buckets, hashes):
    """More than a task has, so that compiled code takes many of them together."""
    rule = {"min_n": min_n, "max_n": max_n, "buckets": buckets, "hashes": hashes}
    texts, bags = many_words(letters, **rule)
    assert lists(kernels.subwords(texts, **rule, threads=3, **on)) == bags


@functools.cache
def many_words(letters, **rule):
    """Return texts of one kind and their bags."""
    rng = np.random.default_rng(6)
    sizes = rng.permutation(np.concatenate([np.arange(100), rng.integers(0, 14, 1500)]))
    if letters == "bytes":
        words = [rng.integers(0, 256, size, np.uint8).tobytes() for size in sizes]
    else:
        some = list("abcde</s>" if letters == "ascii" else "abéテ\U0001d11e")
        words = ["".join(rng.choice(some, size)).encode() for size in sizes]
    return texts_of(words), oracle.subwords(words, **rule)


@pytest.mark.parametrize(("min_n", "max_n"), [(2, 5), (3, 6), (5, 5)])
def test_a_byte_above_127_counts_as_signed_wherever_its_word_stands(on, min_n, max_n):
    """Also where no character has two bytes, and without words around it."""
    rule = {"min_n": min_n, "max_n": max_n, "buckets": 2_000_000, "hashes": 0}
    for byte in range(127, 256):
        for word in (bytes([byte]) + b"bcde", b"abcd" + bytes([byte]), bytes([byte, 64, byte])):
            expected = oracle.subwords([word], **rule)
            assert lists(kernels.subwords(texts_of([word]), **rule, **on)) == expected
            assert lists(kernels.subwords(word + b"\n" + b"x" * 20, **rule, **on))[:1] == expected


@given(st.lists(lone_bytes, min_size=1, max_size=6), st.integers(2, 5), st.data())
def test_bags_do_not_depend_on_the_words_around_them(on, words, min_n, data):
    max_n = data.draw(st.integers(min_n, min_n + 3))
    buckets = data.draw(st.integers(4096, 2**31 - 1))
    rule = {"min_n": min_n, "max_n": max_n, "buckets": buckets, "hashes": 0}
    together = lists(kernels.subwords(texts_of(words), **rule, **on))
    assert together == oracle.subwords(words, **rule)
    alone = [lists(kernels.subwords(texts_of([word]), **rule, **on))[0] for word in words]
    assert together == alone


# ---- known answers ------------------------------------------------------------------------------


def test_ngrams_are_those_that_fasttext_prints(on, data):
    """A list of `fasttext print-ngrams` per word: n-grams, each followed by its vector of 5."""
    blocks = (data / "formats" / "fb-ngrams.txt").read_text("utf-8").split("<start>\n")[1:]
    assert len(blocks) == 6
    for block in blocks:
        word, _, *lines = block.removesuffix("<end>\n").splitlines()
        printed = [line.rsplit(" ", 6)[0].encode() for line in lines]
        assert printed == oracle.ngrams(word.encode(), 3, 6)
        ids = kernels.subwords([word], **on).ids.tolist()
        assert ids == [oracle.fnv(ngram) % 2_000_000 for ngram in printed]


@pytest.mark.parametrize(
    ("word", "rule", "ids"),
    [
        ("été", (3, 6, 2_000_000, 0), [1908133, 59617, 999949, 187927, 196363, 1291535]),
        ("été", (2, 4, 1000, 0), [627, 133, 617, 975, 927, 363, 387, 535, 781]),
        ("été", (1, 3, 97, 0), [63, 91, 6, 55, 6, 71, 77, 71, 6, 24]),
        ("</s>", (1, 6, 2_000_000, 0), []),
        ("été", (4, 5, 1000, 3), [308, 993, 126, 427, 145, 681, 308, 993, 126, 69, 238, 280]),
        ("a", (2, 5, 2_000_000, 1), [1496305, 1868105, 1496305, 1174281]),
        ("", (1, 3, 97, 4), [57, 59, 8, 20, 57, 59, 8, 20]),
        ("</s>", (1, 6, 2_000_000, 4), []),
    ],
)
def test_ids_are_those_of_fasttext_and_floret(on, word, rule, ids):
    """What their get_subwords gives, less the number of words."""
    min_n, max_n, buckets, hashes = rule
    settings = {"min_n": min_n, "max_n": max_n, "buckets": buckets, "hashes": hashes}
    assert kernels.subwords([word], **settings, **on).ids.tolist() == ids


# ---- words of any length ------------------------------------------------------------------------


@pytest.mark.parametrize("hashes", [0, 2])
def test_a_word_of_a_megabyte(on, hashes):
    """Its letters have a period, so all but the ends of its bag has one too."""
    rng = np.random.default_rng(3)
    part = rng.integers(97, 123, 1000 if hashes == 0 else 4000, np.uint8).tobytes()
    many = 1000 if hashes == 0 else 10
    rule = {"min_n": 3, "max_n": 6, "buckets": 2_000_000, "hashes": hashes}
    bag = kernels.subwords(["x", (part * many).decode(), ""], **rule, threads=2, **on)
    (short,) = oracle.subwords([part * 3], **rule)
    bag, short = bag.ids[bag.offsets[1] :], np.array(short, np.uint32)
    if hashes:  # the whole words come first
        bag, short = bag[hashes:-hashes], short[hashes:]
    period = 4 * len(part) * max(hashes, 1)
    head = 2 * period
    assert len(bag) == len(short) + (many - 3) * period
    np.testing.assert_array_equal(bag[:head], short[:head])
    np.testing.assert_array_equal(bag[-period:], short[-period:])
    np.testing.assert_array_equal(bag[period:-head], bag[2 * period : -period])


def test_no_words_have_no_bags(on):
    for nothing in ([], b"", (), iter(())):
        found = kernels.subwords(nothing, **on)
        assert (found.offsets.tolist(), found.ids.tolist()) == ([0], [])


# ---- kinds of input -----------------------------------------------------------------------------


@given(words=any_words)
def test_bytes_and_texts_are_the_same_words(on, words):
    words = [word.replace(b"\n", b"") for word in words]
    raw = b"".join(word + b"\n" for word in words)
    expected = lists(kernels.subwords(texts_of(words), **on))
    array = np.frombuffer(raw + b"?", np.uint8)[:-1]
    for same in (raw, bytearray(raw), memoryview(raw), array, np.repeat(array, 2)[::2]):
        assert lists(kernels.subwords(same, **on)) == expected
    if words and words[-1]:
        assert lists(kernels.subwords(raw[:-1], **on)) == expected


def test_nothing_but_newlines_separates_words(on):
    raw = b"a b\r\n\n\ta\0b \x0b\x0c\xc2\x85\xe2\x80\xa8\r\nlast\r"
    expected = oracle.subwords(raw.split(b"\n"), 1, 4, 1000)
    assert lists(kernels.subwords(raw, min_n=1, max_n=4, buckets=1000, **on)) == expected


@pytest.mark.parametrize("size", [0, 1, 8, 9, 2**16, 2**16 + 1, 200_003])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 1.0])
def test_lines_are_found_in_all_parts_of_a_text(on, size, share):
    newlines = np.random.default_rng(size).random(size) < share
    text = np.where(newlines, 10, np.arange(size) % 256).astype(np.uint8)
    ends = np.flatnonzero(text == 10).tolist()
    if size and text[-1] != 10:
        ends.append(size)
    for threads in (1, 3):
        begins, found = on["backend"].lines(text=text, threads=threads)
        assert found.tolist() == ends
        assert begins.tolist() == [0, *(end + 1 for end in ends)][: len(ends)]


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_arrow_columns(on, kind, polars):
    words = ["a\nb", "", "a word of more than twelve bytes", "é", "x", "\0"]
    columns = [
        pyarrow.chunked_array([pyarrow.array(words, kind), pyarrow.array(words, kind).slice(2, 3)]),
        pyarrow.chunked_array([], getattr(pyarrow, kind)()),
        polars.Series(words),
    ]
    for column, same in zip(columns, (words + words[2:5], [], words), strict=True):
        if on["backend"] is _arrays:
            with pytest.raises(TypeError, match="subwords: Arrow columns need the compiled"):
                kernels.subwords(column, **on)
            continue
        found = kernels.subwords(column, min_n=1, **on)
        assert lists(found) == lists(kernels.subwords(same, min_n=1, **on))


class Characters(str):
    """A text whose length is another one."""

    __slots__ = ()

    def __len__(self):
        return 100


def test_texts_of_other_classes_are_texts(on):
    expected = lists(kernels.subwords(["two", "wörds"], **on))
    for same in (
        np.array(["two", "wörds"]),
        (word for word in ("two", "wörds")),
        {"two": 1, "wörds": 2},
        [Characters("two"), Characters("wörds")],
    ):
        assert lists(kernels.subwords(same, **on)) == expected


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"min_n": 7}, ValueError, r"min_n=7 is not between 1 and max_n=6"),
        ({"min_n": 0}, ValueError, r"min_n=0 is not between 1 and max_n=6"),
        ({"min_n": -1, "max_n": 0}, ValueError, r"min_n=-1 is not between 0 and 65536"),
        ({"min_n": True}, TypeError, r"min_n must be an integer, got bool"),
        ({"max_n": -1}, ValueError, r"max_n=-1 is not between 0 and 65536"),
        ({"max_n": 2**16 + 1}, ValueError, r"max_n=65537 is not between 0 and 65536"),
        ({"max_n": 6.0}, TypeError, r"max_n must be an integer, got float"),
        ({"buckets": 0}, ValueError, r"buckets=0 is not between 1 and 2147483647"),
        ({"buckets": 2**31}, ValueError, r"buckets=2147483648 is not between 1 and 2147483647"),
        ({"buckets": 10**5000}, ValueError, r"buckets is an integer of \d+ bits"),
        ({"buckets": 2e6}, TypeError, r"buckets must be an integer, got float"),
        ({"hashes": 5}, ValueError, r"hashes=5 is not between 0 and 4"),
        ({"hashes": -1}, ValueError, r"hashes=-1 is not between 0 and 4"),
        ({"hashes": None}, TypeError, r"hashes must be an integer, got NoneType"),
        ({"threads": 0}, ValueError, r"threads=0 is not between 1 and 4096"),
        ({"words": "word"}, TypeError, r"words is one str, expected several: pass a list"),
        ({"words": None}, TypeError, r"words is NoneType, expected an iterable of str"),
        ({"words": ["a", 3]}, TypeError, r"words\[1\] is int, expected str"),
        ({"words": ["é", b"b"]}, TypeError, r"words\[1\] is bytes, expected str"),
        ({"words": ["a", ["b"]]}, TypeError, r"words\[1\] is list, expected str"),
        ({"words": [None]}, TypeError, r"words\[0\] is NoneType, expected str"),
        ({"words": np.array([97, 98])}, TypeError, r"words\[0\] is int64, expected str"),
        ({"words": np.zeros((2, 2), np.uint8)}, ValueError, r"words has shape \(2, 2\)"),
        ({"words": memoryview(b"abcd")[::2]}, TypeError, r"something else than contiguous bytes"),
        ({"words": memoryview(b"abcd").cast("h")}, TypeError, r"something else than contiguous"),
    ],
)
def test_bad_arguments_are_named(on, change, error, says):
    with pytest.raises(error, match=rf"^subwords: .*{says}"):
        kernels.subwords(**{"words": ["a"], **change}, **on)


def test_bad_arrow_columns_are_named():
    for column, error, says in (
        (pyarrow.chunked_array([["a"], ["b", None]]), ValueError, r"words\[2\] is null, expected"),
        (pyarrow.array([1, 2]), TypeError, "expected one Arrow column of strings, found format"),
        (pyarrow.array(["a"]).dictionary_encode(), TypeError, ".*categorical"),
    ):
        with pytest.raises(error, match=rf"^subwords: {says}"):
            kernels.subwords(pyarrow.chunked_array(column))


def test_a_lone_surrogate_stands_for_a_byte_or_for_the_three_that_utf8_would_give_it():
    odd = kernels.subwords(["\udc80b", "b\ud800"])
    plain = kernels.subwords(b"\x80b\nb\xed\xa0\x80\n")
    assert odd.ids.tolist() == plain.ids.tolist()
    assert odd.offsets.tolist() == plain.offsets.tolist()
