"""Bad texts and settings to learn word vectors from.

A case gives a dict: settings by firth's names, and ``corpus``: a list or another object, a function
that makes one, or bytes, which are those of a file; as a `Text`, what is to be put at its path. An
answer is (words, vectors). Peers begin with numbers within 1 / dim: larger ones have been learnt.
"""

import bz2
import gzip
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from _hostile_judge import Case

GROUP, SUBWORDS = "training", "training with subwords"
WORDS = [f"{kind}{number}" for kind in "abc" for number in range(10)]
MOST = 2**31 - 1


def sentences(count=300, seed=0):
    """Return sentences of 12 tokens, each of one of three topics of 10 words."""
    draw = np.random.default_rng(seed)
    topics = draw.integers(0, 3, count)
    return [[WORDS[10 * t + w] for w in draw.integers(0, 10, 12)] for t in topics.tolist()]


@dataclass(frozen=True)
class Text:
    """What lies at the path of a text."""

    data: Any
    name: str = "text.txt"


DEFAULTS = {"dim": 20, "lr": 0.05, "epochs": 10, "min_count": 1, "threads": 1, "sample": 0}
SAID = {
    "dim": r"\bdim|vector_size|\bsize",
    "window": r"window|\bws\b",
    "negative": r"negative|\bneg\b",
    "lr": r"\blr\b|alpha|learning.rate|diverge|too large",
    "epochs": "epoch",
    "threads": "thread|worker",
    "min_count": "min_?count|occurs|vocab",
    "sample": r"sample|\bt\b|threshold",
    "noise_exponent": "exponent",
    "seed": "seed",
    "max_vocab": "max_(final_)?vocab",
    "cbow": r"\blr\b|alpha|learning.rate|diverge|cbow",
    "buckets": "bucket",
    "min_n": "min_?n|max_?n",
    "max_n": "max_?n|min_?n",
}


def sane(answer):
    """Say whether there is a finite vector of no wild numbers for every word."""
    words, vectors = answer
    if len(words) != len(vectors) or not len(words) or not np.isfinite(vectors).all():
        return False
    return bool(0 < np.abs(vectors).max() < 1e3)


def trained(answer):
    """Say whether every number is sane, and what came out has been learnt."""
    return sane(answer) and bool(np.abs(answer[1]).max() > 1.2 / answer[1].shape[1])


def _settings():
    """Yield (setting, value, whether there is a right answer)."""
    nan, inf = float("nan"), float("inf")
    lists = {
        "dim": ((1, True), 0, -1, 10**9, 2.5, "20", None, nan, [20]),
        "window": (0, -3, 10**12, 2.5, "5", None, nan),
        "negative": (-5, 10**10, 2.5, "5", nan),
        "lr": (0, -0.5, -1e30, (100, True), 1e8, 1e30, nan, inf, "fast", [0.05]),
        "epochs": (0, -1, "3", 2.5, nan, None),
        "threads": (0, -1, (300, True), 10**9, 2.5, "2", nan),
        "min_count": ((0, True), (-1, True), 10**9, "5", nan, [5]),
        "sample": (-1, nan, inf, "1e-3", None),
        "noise_exponent": (1e6, -1e6, nan, "0.75"),
        "seed": (-1, 2**70, nan, "x", 2.5, [1]),
        "max_vocab": (0, -1, 2.5, "9"),
    }
    for name, values in lists.items():
        for value in values:
            yield (name, *value) if isinstance(value, tuple) else (name, value, False)


def _said(name, value):
    """Return a pattern of a setting's name or value; a short one would be found anywhere."""
    return f"{SAID[name]}|{re.escape(str(value))}" if len(str(value)) > 2 else SAID[name]


def _rule(name):
    return sane if name == "dim" else trained


def _subword_settings():
    for lr in (1, 2, 10, 100, 1e3, 1e8):
        yield "cbow", {"cbow": True, "lr": lr}, trained, f"cbow, lr {lr:g}"
    for name, values in {
        "buckets": (0, -5, 2**31, 2**40, 2.5, "100", None),
        "min_n": (-1, 7, 2.5, "3"),
        "max_n": (-1, 10**9, 2.5, "6", None),
    }.items():
        for value in values:
            rule = trained if (name, value) == ("buckets", 0) else None
            yield name, {name: value}, rule, f"{name} {value!r}"


def _late(error, count=200):
    """Return a corpus that fails in its middle, each time it is read."""

    class Late:
        def __iter__(self):
            for at, sentence in enumerate(sentences()):
                if at == count:
                    if isinstance(error, Exception):
                        raise error
                    yield error
                yield sentence

    return Late


class SecondTime:
    """A corpus that fails when it is read again, as does one whose disk has gone."""

    times = 0

    def __iter__(self):
        self.times += 1
        for at, sentence in enumerate(sentences()):
            if self.times > 1 and at > 20:
                raise OSError("the disk was unplugged")
            yield sentence


def _objects():
    """Yield (name, corpus, what an error names, right)."""
    kind = r"str|int|bytes|float|None|list|token|iterable|sentence|document|type|row"
    empty = r"empty|no tokens|no words|0 tokens|at least|no word"
    lone = r"compan|one word|single|too few|1 word|at least|different"
    yield "no sentences", [], empty, None
    yield "empty sentences", [[], [], []], empty, None
    yield "one word", [["a"] * 12] * 50, lone, sane
    yield "sentences of one token", [[word] for word in WORDS * 20], lone, None
    yield "one sentence of two words", [["a", "b"]], f"{lone}|{empty}", lambda a: len(a[0]) == 2
    documents = [" ".join(sentence) for sentence in sentences()]
    texts = list(WORDS)
    whole = lambda a: trained(a) and sorted(a[0]) == texts  # noqa: E731
    yield "documents instead of tokens", documents, kind, whole
    yield "one document for all", " ".join(documents), rf"no such|exist|file name|{kind}", None
    yield "bytes for documents", [one.encode() for one in documents], kind, None
    yield "bytes for tokens", [[b"a", b"b"] * 6] * 50, kind, None
    yield "None", None, kind, None
    yield "a number", 7, kind, None
    yield "numbers for sentences", [1, 2, 3], kind, None
    yield "numbers for tokens", [[1, 2, 3] * 4] * 50, kind, None
    yield "None for sentences", [None, None], kind, None
    yield "None among tokens", [["a", None, "b"] * 4] * 50, kind, None
    yield "NaN among tokens", [["a", float("nan"), "b"] * 4] * 50, kind, None
    yield "tokens in lists of lists", [[["a", "b"]] * 6] * 50, kind, None
    yield "a dict of words", {"a": 1, "b": 2}, rf"{kind}|{lone}|{empty}", None
    yield "an array of numbers", np.zeros((5, 5)), kind, None
    yield "a type", list, kind, None
    yield "a generator", lambda: (one for one in sentences()), kind + "|generator", whole
    yield "a spent generator", lambda: iter(()), f"{empty}|generator", None
    yield "tuples for lists", [tuple(one) for one in sentences()], kind, whole
    yield "an empty token", [[*one, ""] for one in sentences()], "token|empty", trained
    yield "NUL in a token", [["a\0b", *one] for one in sentences()], "NUL", trained
    odd = [["\ud800", *one] for one in sentences()]
    yield "a lone surrogate", odd, "surrogate|utf", trained
    yield "a token of 1 MB", [*sentences(), ["a0", "x" * 2**20]], "long|length", trained
    fault = "the disk was unplugged"
    yield "raises at once", _late(OSError(fault), 0), fault, None
    yield "raises in the middle", _late(OSError(fault)), fault, None
    yield "raises when read again", SecondTime, fault, whole
    yield "a number in the middle", _late(7), kind, None
    yield "None in the middle", _late(None), kind, None


def _files():
    """Yield (name, what lies at the path, what an error names, right)."""
    text = "\n".join(" ".join(one) for one in sentences()).encode() + b"\n"
    empty = r"empty|no tokens|no words|0 tokens|vocabulary"
    yield "a control in a file", Text(text), "", trained
    yield "an empty file", Text(b""), empty, None
    yield "blank lines", Text(b"\n" * 1000), empty, None
    yield "blanks", Text(b" \t\r\n" * 1000), empty, None
    yield "no UTF-8", Text(text.replace(b"a1 ", b"a\xff1 ")), r"utf|decode", trained
    yield "NUL in a file", Text(text.replace(b"a1 ", b"a\0 ")), "NUL", trained
    yield "random bytes", Text(np.random.default_rng(1).bytes(50_000)), "utf|decode", sane
    long = " ".join(word for one in sentences(3000) for word in one).encode()
    long += b" zebra" * 1000 + b"\n"
    seen = lambda a: trained(a) and np.abs(a[1][list(a[0]).index("zebra")]).max() > 0.06  # noqa: E731
    yield "a line of 37,000 tokens", Text(long), "line|long|token", seen
    yield "4 MB without a blank", Text(text + b"x" * 2**22), "long|length", trained
    broken = r"gzip|bz2|compress|CRC|damaged|end|corrupt|invalid"
    packed = gzip.compress(text)
    yield "a gzipped file", Text(packed, "text.txt.gz"), broken, trained
    yield "a gzipped file cut", Text(packed[:-200], "text.txt.gz"), broken, None
    yield "a gzipped file changed", Text(_flipped(packed), "text.txt.gz"), broken, None
    yield "no gzip in .gz", Text(text, "text.txt.gz"), broken, None
    yield "a bz2 file cut", Text(bz2.compress(text)[:-50], "text.txt.bz2"), broken, None
    path = r"no such|exist|missing|cannot be opened|director|too long|name|null|file"
    yield "a missing file", Text("missing"), path, None
    yield "a folder", Text("folder"), path, None
    yield "a dangling link", Text("dangling"), path, None
    yield "a path of 300 characters", Text("missing", "x" * 300), path, None
    yield "NUL in the path", Text("missing", "a\0b"), path, None


def _flipped(raw):
    changed = bytearray(raw)
    changed[len(raw) // 2] ^= 0xFF
    return bytes(changed)


def _case(group, name, given, about="", right=None, **more):
    return Case(group, name, {**DEFAULTS, "corpus": sentences(), **given}, about, right, **more)


CASES = [
    _case(GROUP, "control", {}, right=trained),
    *(
        _case(
            GROUP,
            f"{name} {value!r}",
            {name: value},
            _said(name, value),
            _rule(name) if right else None,
        )
        for name, value, right in _settings()
    ),
    *(
        _case(GROUP, name, {"corpus": corpus}, about, right)
        for part in (_objects, _files)
        for name, corpus, about, right in part()
    ),
    *(
        _case(GROUP, f"4 threads, {name}", {"corpus": corpus, "threads": 4}, about, right)
        for name, corpus, about, right in _objects()
        if "middle" in name
    ),
    _case(GROUP, "raises in a callback", {"callback": True}, "the callback has failed"),
    _case(SUBWORDS, "control", {"min_n": 2, "max_n": 4, "buckets": 1000}, right=trained),
    *(
        _case(
            SUBWORDS,
            title,
            {"min_n": 2, "max_n": 4, "buckets": 1000, **given},
            _said(name, given[name]),
            right,
        )
        for name, given, right, title in _subword_settings()
    ),
]
