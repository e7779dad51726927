"""fastText's binary format: files that lie, are cut or damaged, and what is allocated for them."""

import os
import re
import resource
import struct
import tracemalloc

import numpy as np
import pytest

import fasttext_files as made
import firth
from fasttext_files import LABELS, SUPERVISED, WORDS, dense, model, quantised, rows
from firth import FormatError

FORMAT = "fasttext-binary"
LARGEST = 2**31 - 1
HEADER, SIZES = 8, 64  # where the twelve arguments begin, and the sizes of the dictionary

RNG = np.random.default_rng(5)
PARTS = [RNG.standard_normal((256, size)).astype("<f4") for size in (2, 1)]
NORMS = RNG.random((256, 1)).astype("<f4")
KEPT = [(2, 1), (0, 0)]
TABLE = quantised(
    RNG.integers(0, 256, (5, 2)).astype(np.uint8), PARTS, np.arange(5, dtype=np.uint8), NORMS
)[0]
OUTPUT = quantised(RNG.integers(0, 256, (2, 2)).astype(np.uint8), PARTS)[0]
FILES = {
    "unsupervised": model(),
    "supervised": model(labels=LABELS, **SUPERVISED),
    "oldest": model(version=0),
    "pruned": model(labels=LABELS, input=TABLE, output=OUTPUT, qout=True, kept=KEPT, **SUPERVISED),
}
ENTRIES = sum(len(made.entry(*word, 0)) for word in WORDS)
LABELLED = ENTRIES + sum(len(made.entry(*label, 1)) for label in LABELS)
INPUT = SIZES + 28 + ENTRIES  # the flag of the input in FILES["unsupervised"]
PAIRS = SIZES + 28 + LABELLED  # the pruned pairs in FILES["pruned"]
QUANTISED = PAIRS + 8 * len(KEPT)  # the flag of the input there
BOOK = QUANTISED + 1 + 1 + 16 + 4 + 10  # the codebook of its rows


@pytest.fixture
def refused(tmp_path):
    """Read bytes, which must be refused in little memory and by name; return what is said."""

    def reading(content, limit=None):
        path = tmp_path / "a.bin"
        path.write_bytes(content)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tracemalloc.start()
        try:
            with pytest.raises(FormatError) as caught:
                firth.read(path, FORMAT, limit)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10  # KiB
        message = str(caught.value)
        assert message.startswith(f"{path}: byte ")
        assert ": expected " in message
        assert ", found " in message
        return message.removeprefix(f"{path}: ")

    return reading


def replaced(content, at, value, code="<i"):
    """Return the bytes with a number in another place's stead."""
    raw = struct.pack(code, value)
    return content[:at] + raw + content[at + len(raw) :]


# ---- cut files, and files that go on ------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(tmp_path, name):
    content, path = FILES[name], tmp_path / "a.bin"
    whole = set(range(min(400, len(content)))) | set(range(400, len(content), 97))
    for size in sorted(whole | {len(content) - 1}):
        path.write_bytes(content[:size])
        with pytest.raises(FormatError, match=r"a\.bin: byte [0-9]+.*: expected .*, found "):
            firth.read(path, FORMAT)


@pytest.mark.parametrize("name", FILES)
def test_what_follows_the_end_is_refused(refused, name):
    size = len(FILES[name])
    assert refused(FILES[name] + b"\0") == (
        f"byte {size}: expected the end of the file, found 1 bytes more"
    )


# ---- every number of the header -----------------------------------------------------------------

ANY = {-1: "0 to 2147483647, found -1", 0: None, LARGEST: None}
ARGUMENTS = {
    "dim": {-1: "1 to .*-1", 0: "1 to .*found 0", LARGEST: "columns of the input.*found 3"},
    **dict.fromkeys(("ws", "epoch", "minCount", "neg", "wordNgrams", "lrUpdateRate"), ANY),
    "loss": {-1: "1 to 4", 0: "1 to 4, found 0", LARGEST: "1 to 4", 5: "1 to 4, found 5"},
    "model": {-1: "1 to 3", 0: "1 to 3, found 0", LARGEST: "1 to 3", 3: "nlabels.*found 0"},
    "bucket": {-1: "0 to", 0: "at least 1 bucket for n-grams, found 0", LARGEST: "rows of the in"},
    "minn": ANY,
    "maxn": {-1: "0 to 65536, found -1", 0: None, LARGEST: "0 to 65536, found 2147483647"},
}
CASES = [(name, value) for name, values in ARGUMENTS.items() for value in values]


@pytest.mark.parametrize(("name", "value"), CASES)
def test_an_argument_out_of_range_is_named(tmp_path, refused, name, value):
    at = HEADER + 4 * list(made.ARGUMENTS).index(name)
    content = replaced(FILES["unsupervised"], at, value)
    expected = ARGUMENTS[name][value]
    if expected is None:  # only kept, or another rule that the file can have
        (tmp_path / "a.bin").write_bytes(content)
        found = firth.read(tmp_path / "a.bin", FORMAT)
        assert found.metadata["fasttext"][name] == value
        return
    message = refused(content)
    assert re.search(expected, message)
    if name not in {"dim", "bucket", "model"}:
        assert message.startswith(f"byte {at} ({name})")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_threshold_that_is_no_number_is_refused(refused, value):
    content = replaced(FILES["unsupervised"], HEADER + 48, value, "<d")
    assert refused(content) == f"byte 56 (t): expected a finite number, found {value}"


def test_word_ngrams_need_buckets(refused):
    content = model(labels=LABELS, input=rows(3), **{**SUPERVISED, "bucket": 0, "maxn": 0})
    assert refused(content).startswith("byte 40 (bucket): expected at least 1 bucket")


def test_word_ngrams_of_classifiers_have_a_bound(tmp_path, refused):
    content = model(labels=LABELS, **{**SUPERVISED, "wordNgrams": 10_001})
    assert refused(content) == "byte 28 (wordNgrams): expected at most 10000, found 10001"
    (tmp_path / "a.bin").write_bytes(replaced(content, 28, 10_000))
    assert firth.read(tmp_path / "a.bin", FORMAT).word_ngrams == 10_000


SIZE_LIES = {
    "size -1": (SIZES, -1, "<i", r"byte 64 \(size\): expected 0 to 2147483647, found -1"),
    "size 0": (SIZES, 0, "<i", r"byte 68 \(nwords\): expected 0, found 3"),
    "size huge": (SIZES, LARGEST, "<i", r"byte 64 \(size\): expected 3 words \+ 0 labels"),
    "nwords -1": (SIZES + 4, -1, "<i", r"byte 68 \(nwords\): expected 0 to 3, found -1"),
    "nwords 0": (SIZES + 4, 0, "<i", r"byte 64 \(size\): expected 0 words"),
    "nwords huge": (SIZES + 4, LARGEST, "<i", r"byte 68 \(nwords\): expected 0 to 3"),
    "nlabels -1": (SIZES + 8, -1, "<i", r"byte 72 \(nlabels\): expected 0 to 3, found -1"),
    "nlabels 3": (SIZES + 8, 3, "<i", r"byte 64 \(size\): expected 3 words \+ 3 labels, found 3"),
    "nlabels huge": (SIZES + 8, LARGEST, "<i", r"byte 72 \(nlabels\)"),
    "ntokens -1": (SIZES + 12, -1, "<q", r"byte 76 \(ntokens\): expected 0 to"),
    "pruned -2": (SIZES + 20, -2, "<q", r"byte 84 \(pruned\): expected -1 to 4, found -2"),
    "pruned 0": (SIZES + 20, 0, "<q", r"byte [0-9]+ \(input\): expected a quantised matrix"),
    "pruned 5": (SIZES + 20, 5, "<q", r"byte 84 \(pruned\): expected -1 to 4, found 5"),
    "pruned huge": (SIZES + 20, 1 << 40, "<q", r"byte 84 \(pruned\): expected -1 to 4"),
}


@pytest.mark.parametrize("case", SIZE_LIES)
def test_sizes_of_the_dictionary_are_held_against_each_other(refused, case):
    at, value, code, expected = SIZE_LIES[case]
    message = refused(replaced(FILES["unsupervised"], at, value, code))
    assert re.match(expected, message)


def test_a_dictionary_beyond_the_file_is_not_allocated(refused):
    content = replaced(FILES["unsupervised"], SIZES, LARGEST)
    content = replaced(content, SIZES + 4, LARGEST)
    assert "21474836470 bytes of at least 2147483647 entries" in refused(content)


# ---- entries ------------------------------------------------------------------------------------


def test_an_entry_of_another_type_is_refused(refused):
    end = SIZES + 28 + len("the") + 9
    for kind in (7, 1, -1):
        message = refused(replaced(FILES["unsupervised"], end, kind, "<b"))
        assert message == (
            f"byte {end} (entry 1): expected type 0: 3 words (0), then labels (1), found {kind}"
        )
    at = PAIRS - 1
    assert refused(replaced(FILES["supervised"], at, 0, "<b")).startswith(f"byte {at} (entry 5)")


def test_a_count_below_zero_is_refused(refused):
    at = SIZES + 28 + len("the") + 1
    message = refused(replaced(FILES["unsupervised"], at, -5, "<q"))
    assert message == f"byte {at} (count of entry 1): expected at least 0, found -5"


def test_words_that_stand_twice_are_refused(refused):
    message = refused(model([("the", 9), ("a", 3), ("the", 2)]))
    at = SIZES + 28 + 13 + 11
    assert message == f"byte {at} (entry 3): expected entries that differ, 'the' was entry 1, " + (
        "found it again"
    )
    label = [("__label__a", 4), ("the", 3)]
    assert "(entry 5): expected entries that differ" in refused(model(labels=label, **SUPERVISED))


def test_a_word_without_an_end_is_refused(refused):
    content = FILES["unsupervised"][: SIZES + 28] + b"x" * 4000
    assert refused(content) == (
        "byte 92 (entry 1): expected a word, 0, its count and its type, "
        "found 4000 bytes without an end"
    )


def test_a_word_with_too_many_ngrams_is_refused(refused):
    message = refused(model([("x" * 9000, 2)], maxn=1 << 16))
    assert message.startswith("byte 92 (entry 1): expected a word of at most ")


# ---- matrices -----------------------------------------------------------------------------------

SHAPES = [-1, 0, 6, 8, 1 << 40, 1 << 61, (1 << 63) - 1, -(1 << 63)]


@pytest.mark.parametrize("value", SHAPES)
def test_rows_and_columns_must_be_those_of_the_header(refused, value):
    content = FILES["unsupervised"]
    for at, what, expected in [
        (INPUT + 1, "rows of the input", 7),
        (INPUT + 9, "columns of the input", 3),
        (INPUT + 17 + 84 + 1, "rows of the output", 3),
        (INPUT + 17 + 84 + 9, "columns of the output", 3),
    ]:
        message = refused(replaced(content, at, value, "<q"))
        assert message == f"byte {at} ({what}): expected {expected}, found {value}"


def test_a_matrix_beyond_the_file_is_not_allocated(refused):
    """A header and a matrix that agree on sizes which the file does not have."""
    head = model([], dim=LARGEST, bucket=LARGEST, input=rows(0))[: SIZES + 28]
    lies = struct.pack("<?2q", False, LARGEST, LARGEST)
    message = refused(head + lies)
    assert message.startswith(f"byte 109: expected {4 * LARGEST**2} bytes of ")


def test_flags_are_zero_or_one(refused):
    content = FILES["unsupervised"]
    assert refused(replaced(content, INPUT, 7, "<B")).endswith("expected 0 to 1, found 7")
    at = INPUT + 17 + 84
    message = refused(replaced(content, at, 1, "<B"))  # quantised although the input is not
    assert message == f"byte {at} (whether the output is quantised): expected 0, found 1"
    assert "(qnorm of the input)" in refused(replaced(FILES["pruned"], QUANTISED + 1, 2, "<B"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(refused, value):
    content = FILES["unsupervised"]
    for at, what in [(INPUT + 17 + 4 * 20, "input"), (INPUT + 17 + 84 + 17 + 4, "output")]:
        message = refused(replaced(content, at, value, "<f"))
        expected = f"byte {at} (number in the {what}): expected a finite number, found {value}"
        assert message == expected


def test_sums_that_are_not_finite_are_refused(tmp_path):
    (tmp_path / "a.bin").write_bytes(model(input=np.full((7, 3), 3e38, "<f4")))
    with pytest.raises(FormatError, match=r"entry 1 .'the'.: expected rows with a finite sum"):
        firth.read(tmp_path / "a.bin", FORMAT)


# ---- quantised ----------------------------------------------------------------------------------

BOOK_LIES = {
    "bucket out of range": (PAIRS, 4, r"\(bucket\): expected a bucket below 4 .*, found 4"),
    "bucket below zero": (PAIRS, -1, r"\(bucket\): .*found -1"),
    "bucket twice": (PAIRS + 8, 2, r"\(bucket\): expected .* not given twice, found 2"),
    "row out of range": (PAIRS + 4, 2, r"\(row\): expected a row below 2 .*, found 2"),
    "row below zero": (PAIRS + 4, -1, r"\(row\)"),
    "row twice": (PAIRS + 12, 1, r"\(row\): .*, found 1"),
    "codes -1": (QUANTISED + 18, -1, r"\(size of the codes of the input\): expected 0 to 15"),
    "codes 0": (QUANTISED + 18, 0, r"\(size of the codes\): expected a multiple of 5 rows"),
    "codes 9": (QUANTISED + 18, 9, r"\(size of the codes\): expected a multiple of 5 rows"),
    "codes huge": (QUANTISED + 18, LARGEST, r"\(size of the codes of the input\)"),
    "codes of one part": (QUANTISED + 18, 5, r"\(columns in the codebook of the input\)"),
    "columns": (BOOK, 4, r"\(columns in the codebook of the input\): expected 3, found 4"),
    "parts": (BOOK + 4, 3, r"\(parts\): expected 2, as many as there are codes per row, found 3"),
    "parts 0": (BOOK + 4, 0, r"\(parts in the codebook of the input\): expected 1 to 3"),
    "parts huge": (BOOK + 4, LARGEST, r"\(parts in the codebook"),
    "dsub": (BOOK + 8, 1, r"\(dsub\): expected parts of 3 numbers together, found 2"),
    "dsub huge": (BOOK + 8, LARGEST, r"\(dsub in the codebook of the input\): expected 1 to 64"),
    "last dsub": (BOOK + 12, 2, r"\(dsub\): expected parts of 3 numbers together, found 4"),
    "last dsub 0": (BOOK + 12, 0, r"\(last dsub in the codebook of the input\): expected 1 to 2"),
}


@pytest.mark.parametrize("case", BOOK_LIES)
def test_what_a_quantised_matrix_says_of_itself_is_checked(refused, case):
    at, value, expected = BOOK_LIES[case]
    message = refused(replaced(FILES["pruned"], at, value))
    assert re.match(rf"byte [0-9]+ {expected}", message)


def test_centroids_that_are_not_finite_are_refused(refused):
    for at, what in [(BOOK + 16, "input"), (BOOK + 16 + 3072 + 5 + 16, "norms of the input")]:
        message = refused(replaced(FILES["pruned"], at, np.nan, "<f"))
        assert message.startswith(f"byte {at} (centroid of the {what}): expected a finite number")
    parts = [np.full((256, 3), 3e38, "<f4")]
    norms = np.full((256, 1), 10, "<f4")
    with np.errstate(over="ignore"):
        raw = quantised(np.zeros((7, 1), np.uint8), parts, np.zeros(7, np.uint8), norms)[0]
    assert "(rows of the input): expected finite numbers" in refused(model(input=raw))


def test_a_pruned_file_cannot_speak_of_endless_buckets(refused):
    content = replaced(FILES["pruned"], HEADER + 32, LARGEST)
    assert refused(content).startswith("byte 84 (pruned): expected at most 16777216 buckets")


def test_a_pruned_matrix_is_quantised(refused):
    content = model(labels=LABELS, input=rows(5), kept=KEPT, **SUPERVISED)
    assert refused(content) == (
        f"byte {QUANTISED} (input): expected a quantised matrix if pruned, found dense"
    )


# ---- chance -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_mutations_are_refused_or_read_to_a_model(tmp_path, name):
    content, path = FILES[name], tmp_path / "a.bin"
    path.write_bytes(content)
    rng = np.random.default_rng(0)
    small = min(len(content), QUANTISED + 40)  # centroids are most of a file and seldom matter
    refused = 0
    for _ in range(500):
        at = int(rng.integers(small if rng.random() < 0.9 else len(content)))
        word = int(rng.choice([-1, 0, 1, 2, 7, 255, 1 << 16, LARGEST, -LARGEST]))
        raw = rng.bytes(1) if rng.random() < 0.6 else struct.pack("<i", word)
        raw = raw[: len(content) - at]
        with path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), raw, at)
        try:
            emb = firth.read(path, FORMAT)
        except FormatError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017
            refused += 1
            continue
        finally:
            with path.open("r+b", buffering=0) as file:
                os.pwrite(file.fileno(), content[at : at + len(raw)], at)
        assert np.isfinite(emb.vectors).all()
        assert emb.vectors.shape == (len(emb), 3)
        assert len(set(emb.keys)) == len(emb)
        if emb.has_vector("unseen"):
            assert emb["unseen"].shape == (3,)
    assert 150 < refused < 500


def test_long_words_with_many_ngrams_take_little_memory(tmp_path):
    """Together their n-grams are 50 million, which would be 200 MB of ids."""
    words = [("x" * 999 + chr(64 + row), 1) for row in range(100)]
    (tmp_path / "a.bin").write_bytes(model(words, maxn=1 << 16))
    tracemalloc.start()
    assert len(firth.read(tmp_path / "a.bin", FORMAT)) == 100
    assert tracemalloc.get_traced_memory()[1] < 64_000_000
    tracemalloc.stop()


def test_a_large_file_is_read_without_a_second_copy(tmp_path):
    words = [(f"w{row}", 1) for row in range(1000)]
    table = rows(1000 + 50_000, 100)
    sizes = {"dim": 100, "bucket": 50_000, "minn": 0, "maxn": 0}
    content = model(words, input=table, output=rows(1000, 100), **sizes)
    (tmp_path / "a.bin").write_bytes(content)
    tracemalloc.start()
    emb = firth.read(tmp_path / "a.bin", FORMAT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert emb.input.tobytes() == table.tobytes()
    assert peak < 1.05 * len(content) + 1_000_000
    assert dense(emb.input) in content
