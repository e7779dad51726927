"""Broken files of fastText's .bin format: every field of a small valid file, made wrong.

An answer is (words, vectors of the words, vector of an unseen word or None).
"""

import gzip
import os
import struct

import numpy as np
from _hostile_judge import Case

WORDS = [b"</s>", b"the", b"cat", b"sat", b"mat", b"dog", b"house", b"mouse"]
UNSEEN = "houses"
DIM, BUCKETS = 8, 50
FIELDS = {
    "magic": 793712314,
    "version": 12,
    "dim": DIM,
    "ws": 5,
    "epoch": 5,
    "minCount": 1,
    "neg": 5,
    "wordNgrams": 1,
    "loss": 2,
    "model": 2,
    "bucket": BUCKETS,
    "minn": 3,
    "maxn": 4,
    "lrUpdateRate": 100,
}
PLACE = r"byte \d|offset \d|trunc|end of (the )?file|unexpected end|damaged"


def cells(rows, seed=0):
    """Return a matrix of small random numbers."""
    return np.random.default_rng(seed).uniform(-1, 1, (rows, DIM)).astype("<f4")


def model(
    *,
    t=1e-4,
    size=None,
    nwords=None,
    nlabels=0,
    tokens=100,
    pruned=-1,
    words=WORDS,
    counts=None,
    types=None,
    flag=0,
    input=None,
    shape=None,
    output=None,
    out_shape=None,
    out_flag=0,
    **fields,
):
    """Return the bytes of a file, with the fields that are given."""
    merged = {**FIELDS, **fields}
    raw = struct.pack("<14i", *merged.values()) + struct.pack("<d", t)
    n = len(words)
    size, nwords = n if size is None else size, n if nwords is None else nwords
    raw += struct.pack("<3i2q", size, nwords, nlabels, tokens, pruned)
    counts, types = counts or [9] * n, types or [0] * n
    for word, count, kind in zip(words, counts, types, strict=True):
        raw += word + struct.pack("<xqb", count, kind)
    input = cells(n + BUCKETS) if input is None else input
    output = cells(n, 1) if output is None else output
    raw += struct.pack("<B2q", flag, *(shape or input.shape)) + input.tobytes()
    return raw + struct.pack("<B2q", out_flag, *(out_shape or output.shape)) + output.tobytes()


VALID = model()
HEAD = 92  # where the dictionary's entries begin
INPUT = HEAD + sum(len(word) + 10 for word in WORDS)
OUTPUT = INPUT + 17 + 4 * DIM * (len(WORDS) + BUCKETS)


def sound(answer):
    """Say whether words and vectors are such as the file's cells, within [-1, 1], can give."""
    words, vectors, unseen = answer
    known = len(set(words)) == len(words) == len(vectors) and bool(np.isfinite(vectors).all())
    known = known and all(isinstance(word, str) for word in words) and np.abs(vectors).max() <= 1.01
    if not known or unseen is None:
        return bool(known)
    return bool(np.isfinite(unseen).all() and 0 < np.abs(unseen).max() <= 1.01)


def whole(answer):
    """Say whether an answer is sound and has all words."""
    return sound(answer) and len(answer[0]) == len(WORDS)


def with_cell(value, row, column=3, second=False):
    """Return a file with one cell changed."""
    matrix = cells(len(WORDS), 1) if second else cells(len(WORDS) + BUCKETS)
    matrix[row, column] = value
    return model(output=matrix) if second else model(input=matrix)


def _fields():
    """Yield (name, bytes, what an error names, what is right) for each wrong number."""
    most = 2**31 - 1
    wrong = {
        "magic": (0, 1),
        "version": (13, -1, most),
        "dim": (0, -1, 7, 9, 1000, most),
        "bucket": (0, -7, 49, 2000, most),
        "minn": (-5,),
        "maxn": (-5, most),
        "loss": (0, 99, -1),
        "model": (0, 99, -1),
        "ws": (-1,),
        "epoch": (-1,),
        "minCount": (-1,),
        "neg": (-1,),
        "wordNgrams": (-1,),
        "lrUpdateRate": (-1,),
        "size": (-5, 0, 7, 9, most),
        "nwords": (-1, 0, 7, 9),
        "nlabels": (-1, 5),
        "tokens": (-1,),
        "pruned": (-2, 5, 2**40),
    }
    spelt = {"magic": "magic|format", "tokens": "tokens", "dim": "dim|columns"}
    spelt |= {"bucket": "bucket|rows", "size": "size|entr", "nwords": "nwords|size|words|entr"}
    for field, values in wrong.items():
        for value in values:
            about = rf"{spelt.get(field, field)}|{PLACE}"
            yield f"{field} {value}", model(**{field: value}), about, None
    yield "minn above maxn", model(minn=6, maxn=2), "minn|maxn", whole
    for value in ("nan", "inf"):
        yield f"t {value}", model(t=float(value)), r"\bt\b|sampl|threshold", None
    yield "a supervised model without labels", model(model=3), "label", None


def _matrices():
    for which, key, flag in (("input", "shape", "flag"), ("output", "out_shape", "out_flag")):
        rows = len(WORDS) + BUCKETS if which == "input" else len(WORDS)
        shapes = ((2**61, 8), (-1, DIM), (10**9, DIM), (0, DIM), (rows - 1, DIM), (rows + 1, DIM))
        shapes += ((rows, 2**61), (rows, -1), (rows, 0), (rows, 7), (2**32, 2**32))
        about = rf"rows|columns|shape|matri|{PLACE}"
        for m, n in shapes:
            yield f"{which} of {m} x {n}", model(**{key: (m, n)}), about, None
        for value in (1, 7):
            about = rf"quant|flag|{PLACE}"
            yield f"{which}: quantised says {value}", model(**{flag: value}), about, None
        finite = rf"finite|nan|inf|{PLACE}"
        places = {"of a word": 2, "of a bucket": len(WORDS) + 20} if which == "input" else {"": 2}
        for place, row in places.items():
            for value in ("nan", "inf", "-inf"):
                raw = with_cell(float(value), row, second=which == "output")
                yield f"{value} in the {which} {place}".strip(), raw, finite, None
    every = np.full((len(WORDS) + BUCKETS, DIM), np.inf, "<f4")
    yield "every cell infinite", model(input=every), finite, None
    big = np.full((len(WORDS) + BUCKETS, DIM), 3e38, "<f4")
    yield "sums that overflow", model(input=big), rf"overflow|large|{finite}", None
    tiny = np.full((len(WORDS) + BUCKETS, DIM), 1e-40, "<f4")
    yield "denormal cells", model(input=tiny), finite, whole
    yield "all cells zero", model(input=0 * tiny), finite, lambda a: bool((a[1] == 0).all())


def _entries():
    def replaced(word):
        return [*WORDS[:4], word, *WORDS[5:]]

    about = rf"entry|word|dictionary|utf|{PLACE}"
    yield "a word twice", model(words=replaced(b"cat")), about, None
    yield "an empty word", model(words=replaced(b"")), about, whole
    yield "a word that is no UTF-8", model(words=replaced(b"\xff\xfe")), about, whole
    yield "half a UTF-8 character", model(words=replaced("häü".encode()[:-1])), about, whole
    yield "a space in a word", model(words=replaced(b"new york")), about, whole
    yield "a line end in a word", model(words=replaced(b"new\nyork")), about, whole
    yield "a word of 1 MB", model(words=replaced(b"x" * 2**20)), about, whole
    yield "a surrogate in UTF-8", model(words=replaced(b"\xed\xa0\x80")), about, whole
    n = len(WORDS)
    about = rf"type|entry|{PLACE}"
    yield "a type 7", model(types=[0] * (n - 1) + [7]), about, None
    yield "a label among words", model(types=[0, 1] + [0] * (n - 2)), about, None
    about = rf"count|entry|{PLACE}"
    yield "a count of -1", model(counts=[-1] + [9] * (n - 1)), about, None
    yield "counts of 0", model(counts=[0] * n), about, whole
    yield "a count of 2^62", model(counts=[2**62] + [9] * (n - 1)), about, whole
    yield "counts whose sum overflows", model(counts=[2**62] * n), about, whole


def _cuts():
    places = {
        "empty": 0,
        "of 1 byte": 1,
        "cut behind the magic": 4,
        "cut in the arguments": 30,
        "cut before the dictionary": 64,
        "cut in the dictionary's head": 70,
        "cut before the entries": HEAD,
        "cut in a word": HEAD + 16,
        "cut behind a word": INPUT - 9,
        "cut before the input": INPUT,
        "cut in the input's shape": INPUT + 9,
        "cut in the input": INPUT + 300,
        "cut before the output": OUTPUT,
        "cut in the output's shape": OUTPUT + 5,
        "cut in the output": OUTPUT + 100,
        "without its last byte": len(VALID) - 1,
    }
    about = rf"{PLACE}|empty|bytes|magic|wrong file format|byte"
    for name, end in places.items():
        yield name, VALID[:end], about, None
    about = rf"trail|left|more|{PLACE}"
    yield "1 byte too many", VALID + b"\0", about, None
    yield "1 MB too many", VALID + bytes(2**20), about, None
    yield "twice itself", VALID * 2, about, None
    about = rf"format|magic|gzip|compressed|{PLACE}"
    yield "gzipped", gzip.compress(VALID), about, None
    yield "4 KB of zeros", bytes(4096), about, None
    yield "4 KB of 255", b"\xff" * 4096, about, None
    yield "a text", b"the cat sat on the mat\n" * 100, about, None
    yield "big-endian", struct.pack(">14i", *FIELDS.values()) + VALID[56:], about, None
    yield "with \\r\\n for \\n", b"\r\n" + VALID, about, None


def placed(given, path):
    """Put a case's file at a path and return where to read from."""
    if given == "missing":
        return path
    if given == "folder":
        path.mkdir()
        return path
    if given == "zeros":
        path.symlink_to("/dev/zero")
        return path
    if given == "dangling":
        path.symlink_to(path.with_name("nowhere"))
        return path
    if given == "pipe":
        os.mkfifo(path)
        return path
    path.write_bytes(given)
    return path


SPECIAL = {
    "missing": r"no such file|not found|cannot be opened|exist|missing",
    "folder": r"director|folder|cannot be opened|magic|format",
    "dangling": r"no such file|not found|cannot be opened|exist",
    "zeros": r"format|magic|regular|device|byte|line \d|header|wrong file",
    "pipe": r"regular|pipe|seek|fifo|not a file",
}


def specials(group):
    """Return the cases of paths that are no files."""
    names = {"zeros": "/dev/zero", "pipe": "a pipe no one writes to", "dangling": "a dangling link"}
    return [Case(group, names.get(at, at), at, about) for at, about in SPECIAL.items()]


GROUP = "fastText .bin"
CASES = [
    Case(GROUP, "control", VALID, right=whole),
    *specials(GROUP),
    *(
        Case(GROUP, name, given, about, right, VALID)
        for part in (_cuts, _fields, _entries, _matrices)
        for name, given, about, right in part()
    ),
]
