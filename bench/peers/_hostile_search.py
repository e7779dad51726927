"""Bad questions: to searches in arrays, to keys with their vectors, and to texts' vectors.

Searches are by dot product: a case gives a dict of ``items``, ``queries`` and ``k``; the answer is
(ids, scores). Cases of keys give ``keys``, ``vectors`` and a ``call``: (name, arguments), which
every peer spells in its own way; answers are what the call returns.
"""

import re

import numpy as np
from _hostile_judge import Case

SEARCH, KEYS = "search", "keys and vectors"
_DRAW = np.random.default_rng(0)
ITEMS = _DRAW.standard_normal((1000, 16)).astype(np.float32)
QUERIES = _DRAW.standard_normal((5, 16)).astype(np.float32)
K = 10


def true(items=ITEMS, queries=QUERIES, k=K, least=1e-4):
    """Return a rule: the ids of the greatest products, or of as great ones."""

    def rule(answer):
        ids, scores = (np.asarray(one) for one in answer)
        with np.errstate(all="ignore"):
            products = np.asarray(queries, np.float64) @ np.asarray(items, np.float64).T
        if ids.shape != (len(products), k) or ids.min(initial=0) < 0:
            return False
        best = -np.sort(-products, axis=1)[:, :k]
        found = np.take_along_axis(products, ids.astype(np.int64), axis=1)
        with np.errstate(over="ignore"):
            told = best.astype(np.float32)  # infinite beyond it
        return bool(
            np.allclose(found, best, 1e-4, least) and np.allclose(scores, told, 1e-4, least)
        )

    return rule


def _value(value):
    """Return a pattern of a value; a short one would be found anywhere."""
    return re.escape(str(value)) if len(str(value)) > 2 else "$^"


def _changed(array, value, row=3):
    result = array.copy()
    result[row] = value
    return result


def _searches():
    for k in (0, -1, 2.5, "5", None, float("nan"), True, [5], 2**31, 2**63, 10**9, len(ITEMS) + 1):
        empty = (lambda a: np.asarray(a[0]).shape == (5, 0)) if k == 0 else None
        yield f"k {k!r}", {"k": k}, rf"\bk\b|count|wanted|neighbo|{_value(k)}", empty
    yield "k as many as items", {"k": 1000}, "k", true(k=1000)
    yield "k of numpy", {"k": np.int64(10)}, "k", true()
    finite = r"finite|nan|inf|overflow|float32"
    for value in (np.nan, np.inf, -np.inf):
        yield f"{value} in a query", {"queries": _changed(QUERIES, value, (3, 2))}, finite, None
        yield f"{value} in an item", {"items": _changed(ITEMS, value, (3, 2))}, finite, None
    yield "a query of NaN", {"queries": np.full((1, 16), np.nan, np.float32)}, finite, None
    yield "items of NaN", {"items": np.full_like(ITEMS, np.nan)}, finite, None
    half = ITEMS.copy()
    half[::2] = np.nan
    yield "every second item NaN", {"items": half}, finite, None
    zero = np.zeros((1, 16), np.float32)
    yield "a query of zeros", {"queries": zero}, "zero", true(queries=zero)
    yield "an item of zeros", {"items": _changed(ITEMS, 0)}, "zero", true(_changed(ITEMS, 0))
    yield "items of zeros", {"items": 0 * ITEMS}, "zero", true(0 * ITEMS)
    huge = QUERIES.astype(np.float64) * 1e300
    yield "a query beyond float32", {"queries": huge}, rf"{finite}|dtype|float", None
    large = {"items": ITEMS * np.float32(5e37), "queries": QUERIES * np.float32(100)}
    yield "products beyond float32", large, finite, true(**large)
    tiny = ITEMS * np.float32(1e-40)
    yield "denormal items", {"items": tiny}, "denormal|subnormal", true(tiny, least=1e-43)
    shape = r"shape|dim|columns|length|width|axis|2-d|two|ndim|matri"
    for name, wrong in {
        "of more numbers": np.ones((5, 17), np.float32),
        "of fewer numbers": np.ones((5, 15), np.float32),
        "of no numbers": np.ones((5, 0), np.float32),
        "of no dimension": np.float32(3),
        "of three dimensions": np.ones((2, 5, 16), np.float32),
        "of twice the numbers in one": np.ones(32, np.float32),
    }.items():
        yield f"queries {name}", {"queries": wrong}, shape, None
    none = np.empty((0, 16), np.float32)
    yield "no queries", {"queries": none}, shape, lambda a: len(a[0]) == 0
    yield "no items", {"items": none}, rf"{shape}|item|empty|\bk\b", None
    yield "items of no numbers", {"items": np.empty((9, 0), np.float32), "k": 3}, shape, None
    yield "items of one dimension", {"items": ITEMS[0]}, shape, None
    kind = r"dtype|type|float|array|complex|object|string|cast|convert"
    for name, change in {
        "float64": lambda a: a.astype(np.float64),
        "big-endian": lambda a: a.astype(">f4"),
        "Fortran order": np.asfortranarray,
        "read-only": _locked,
        "lists": np.ndarray.tolist,
        "not aligned": _shifted,
        "backwards": lambda a: a[::-1].copy()[::-1],
        "every second column": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
        "masked": lambda a: np.ma.masked_array(a, a > 9),
        "object": lambda a: a.astype(object),
    }.items():
        for part, array in (("queries", QUERIES), ("items", ITEMS)):
            given = {part: change(array)}
            plain = np.array(given[part], np.float64)
            yield f"{part}: {name}", given, kind, true(**{part: plain})
    for name, change in {
        "complex": lambda a: a + 1j,
        "text": lambda a: a.astype(str),
        "dates": lambda a: a.astype(np.int64).astype("M8[s]"),
        "None": lambda a: None,
        "ragged": lambda a: [[1.0, 2.0], [1.0]],
        "a dict": lambda a: {"a": 1},
        "bytes": lambda a: a.tobytes(),
        "records": lambda a: np.zeros(len(a), "f4,i4"),
    }.items():
        for part, array in (("queries", QUERIES), ("items", ITEMS)):
            yield f"{part}: {name}", {part: change(array)}, rf"{kind}|{shape}", None


def _locked(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def _shifted(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    result = raw[1:].view(array.dtype).reshape(array.shape)
    result[:] = array
    return result


WORDS = ["the", "cat", "sat", "mat", "dog"]
VECTORS = np.array(_DRAW.standard_normal((5, 4)), np.float32)


def _found(*words):
    return lambda answer: [word for word, _ in answer] == list(words)


def _ranked(query):
    lengths = np.linalg.norm(VECTORS, axis=1)
    return [WORDS[at] for at in np.argsort(-(VECTORS @ query) / lengths)]


def _keys():
    """Yield (name, changes of keys and vectors, call, what an error names, right)."""
    near = ("similar", ["cat"], 2)
    shape = r"shape|dim|length|number|rows|vectors|keys|columns"
    most = lambda a: len(a) == 2 and np.isfinite([score for _, score in a]).all()  # noqa: E731
    yield "fewer keys", {"keys": WORDS[:4]}, near, shape, None
    yield "more keys", {"keys": [*WORDS, "bird"]}, near, shape, None
    yield "a key twice", {"keys": [*WORDS[:4], "cat"]}, near, "twice|duplicate|cat", None
    yield "a key that is a number", {"keys": [*WORDS[:4], 7]}, near, "key|str|int|7", None
    yield "a key that is None", {"keys": [*WORDS[:4], None]}, near, "key|str|None", None
    yield "a key in a list", {"keys": [*WORDS[:4], ["x"]]}, near, "key|str|list", None
    yield "keys as one text", {"keys": "abcde", "vectors": VECTORS}, near, "key|str|cat", None
    yield "an empty key", {"keys": [*WORDS[:4], ""]}, near, "key|empty", most
    finite = "finite|nan|inf"
    for value in (np.nan, np.inf, -np.inf):
        changed = {"vectors": _changed(VECTORS, value, (3, 1))}
        yield f"{value} in a vector", changed, near, finite, None
    yield "a zero vector", {"vectors": _changed(VECTORS, 0)}, near, "zero", most
    yield (
        "a zero vector's own",
        {"vectors": _changed(VECTORS, 0)},
        ("similar", ["mat"], 2),
        "zero",
        most,
    )
    yield "vectors of no numbers", {"vectors": VECTORS[:, :0]}, near, shape, None
    yield "vectors of one dimension", {"vectors": VECTORS[:, 0]}, near, shape, None
    yield "vectors of text", {"vectors": VECTORS.astype(str)}, near, "float|number|dtype|str", None
    complex = {"vectors": VECTORS + 1j}
    yield "complex vectors", complex, near, "complex|float|number|dtype", None
    big = {"vectors": VECTORS.astype(np.float64) * 1e300}
    yield "vectors beyond float32", big, near, f"{finite}|float32|large", None
    for key in ("bird", "", "x" * 50_000_000):
        title = f"{len(key) >> 20} MB" if len(key) > 99 else repr(key)
        about = key[:20] or "''|empty"
        yield f"the vector of the unknown key {title}", {}, ("vector", key), about, None
        yield f"neighbours of the unknown key {title}", {}, ("similar", [key], 2), about, None
    for key in (7, None, 1.5, b"cat", {"a": 1}):
        about = "key|str|int|float|bytes|dict|None|'a'|cat"
        yield f"the vector of {key!r}", {}, ("vector", key), about, None
    for k in (0, -1, 10**9, 2.5, "2", float("nan")):
        rule = (lambda a: a == []) if k == 0 else None
        yield f"{k!r} neighbours", {}, ("similar", ["cat"], k), r"\bk\b|topn", rule
    yield "neighbours of nothing", {}, ("similar", [], 2), "empty|positive|nothing|at least", None
    for value in (np.nan, np.inf):
        query = np.full(4, value, np.float32)
        yield f"neighbours of {value}", {}, ("similar", [query], 2), finite, None
    query = np.zeros(4, np.float32)
    yield "neighbours of zero", {}, ("similar", [query], 2), "zero", most
    for size in (3, 5):
        query = np.ones(size, np.float32)
        yield f"neighbours of {size} numbers for 4", {}, ("similar", [query], 2), shape, None
    query = np.full(4, 3e38, np.float32)
    right = _found(*_ranked(np.ones(4, np.float32))[:2])
    yield "neighbours of 3e38", {}, ("similar", [query], 2), f"{finite}|large", right
    small = VECTORS * np.float32(1e-30)
    words = _ranked(VECTORS[1])[1:3]
    yield "tiny vectors", {"vectors": small}, near, "small|tiny", _found(*words)
    large = VECTORS * np.float32(1e30)
    yield "huge vectors", {"vectors": large}, near, "large|overflow", _found(*words)
    yield "similarity with an unknown key", {}, ("similarity", "cat", "bird"), "bird", None
    yield (
        "similarity of itself",
        {},
        ("similarity", "cat", "cat"),
        "cat",
        lambda a: abs(a - 1) < 1e-6,
    )
    yield "vectors changed behind its back", {}, ("changed", "cat"), "read-only", _changed_right


def _changed_right(answer):
    return bool(np.isfinite(answer) and abs(answer) <= 1.0001)


CASES = [
    *(
        Case(SEARCH, name, {"items": ITEMS, "queries": QUERIES, "k": K, **given}, about, right)
        for name, given, about, right in [("control", {}, "", true()), *_searches()]
    ),
    *(
        Case(KEYS, name, {"keys": WORDS, "vectors": VECTORS, **given, "call": call}, about, right)
        for name, given, call, about, right in [
            ("control", {}, ("similar", ["cat"], 2), "", _found(*_ranked(VECTORS[1])[1:3])),
            *_keys(),
        ]
    ),
]
