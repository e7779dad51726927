"""Every model with something small to learn from, for what is tried on all of them."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import firth
from meetings import two_groups


def _material() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    words = np.array([f"w{i}" for i in range(60)])
    tokens = [rng.choice(words, 12).tolist() for _ in range(60)]
    ends = rng.integers(0, 30, (150, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    return {
        "text": [" ".join(line) for line in tokens],
        "labelled": [f"__label__{i % 3} " + " ".join(line) for i, line in enumerate(tokens)],
        "sessions": tokens,
        "graph": firth.Graph([(f"n{a}", f"n{b}") for a, b in ends.tolist()]),
        "meetings": two_groups(),
    }


MATERIAL = _material()

_TEXT = {"dim": 8, "epochs": 2, "min_count": 1, "sample": 0.0}
_WALKS = {"dim": 8, "walks": 2, "length": 20, "sample": 0.0}
_RANKED = {"dim": 8, "epochs": 3}

# name -> (model, what it learns from, its settings)
MODELS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "Word2Vec": (firth.Word2Vec, "text", _TEXT),
    "Word2Vec CBOW": (firth.Word2Vec, "text", {**_TEXT, "cbow": True}),
    "Word2Vec deterministic": (firth.Word2Vec, "text", {**_TEXT, "deterministic": True}),
    "FastText": (firth.FastText, "text", {**_TEXT, "buckets": 500}),
    "FastText CBOW": (firth.FastText, "text", {**_TEXT, "buckets": 500, "cbow": True}),
    "FastText deterministic": (
        firth.FastText,
        "text",
        {**_TEXT, "buckets": 500, "deterministic": True},
    ),
    "FastTextClassifier softmax": (
        firth.FastTextClassifier,
        "labelled",
        {"dim": 8, "epochs": 2, "buckets": 500, "word_ngrams": 2},
    ),
    "FastTextClassifier ova": (
        firth.FastTextClassifier,
        "labelled",
        {"dim": 8, "epochs": 2, "buckets": 500, "loss": "ova"},
    ),
    "FastTextClassifier hs": (
        firth.FastTextClassifier,
        "labelled",
        {"dim": 8, "epochs": 2, "buckets": 500, "loss": "hs"},
    ),
    "GloVe": (firth.GloVe, "text", {"dim": 8, "epochs": 3, "min_count": 1}),
    "PPMI": (firth.PPMI, "text", {"dim": 8, "min_count": 1}),
    "Node2Vec": (firth.Node2Vec, "graph", {**_WALKS, "p": 0.5}),
    "DeepWalk": (firth.DeepWalk, "graph", _WALKS),
    "LINE": (firth.LINE, "graph", {"dim": 8, "samples": 20}),
    "FastRP": (firth.FastRP, "graph", {"dim": 8}),
    "ItemToVec": (firth.ItemToVec, "sessions", {"dim": 8, "epochs": 2}),
    "BPR": (firth.BPR, "meetings", _RANKED),
    "WARP": (firth.WARP, "meetings", _RANKED),
    "LightGCN": (firth.LightGCN, "meetings", _RANKED),
    "EASE": (firth.EASE, "meetings", {}),
}


def learnt(name: str, start: Any = None, **changed: Any) -> Any:
    """Return what the model learns with some settings changed."""
    kind, material, settings = MODELS[name]
    settings = {**settings, **changed}
    if "threads" in inspect.signature(kind).parameters:
        settings.setdefault("threads", 1)
    model = kind(**settings)
    return (
        model.fit(MATERIAL[material])
        if start is None
        else model.fit(MATERIAL[material], start=start)
    )


def fields(name: str) -> set[str]:
    """Return the settings that the model has."""
    return set(inspect.signature(MODELS[name][0]).parameters)


WITH_LR = [name for name in MODELS if "lr" in fields(name)]
_ARRAYS = ("vectors", "user_vectors", "item_vectors", "biases", "label_vectors", "weights")


def arrays_of(found: Any) -> Iterator[tuple[str, Any]]:
    """Yield every array of numbers that a result has."""
    for name in _ARRAYS:
        array = getattr(found, name, None)
        if isinstance(array, np.ndarray):
            yield name, array


def unsound(found: Any) -> str:
    """Return what is wrong with the numbers of a result; nothing if they are all finite."""
    arrays = dict(arrays_of(found))
    if not arrays:
        return f"{type(found).__name__} has none of {_ARRAYS}"
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            return f"{name} is not finite"
    if not np.isfinite(found.metadata.get("losses", [])).all():
        return "a loss is not finite"
    return ""


def answer(name: str, call: Callable[[], Any], says: tuple[str, ...]) -> str:
    """Return what is wrong with the answer of a call: a sound result, or an error that says so."""
    try:
        found = call()
    except (ValueError, TypeError, FloatingPointError) as error:
        missing = [word for word in says if word not in str(error)]
        return f"{name}: {error!r} does not name {missing}" if missing else ""
    wrong = unsound(found)
    return f"{name}: {wrong}" if wrong else ""
