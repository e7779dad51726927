"""One small thing of every public kind, and what it is made of, to be compared."""

import dataclasses
from functools import cache
from typing import Any

import numpy as np

import firth
from firth import evaluate, kernels
from trust import _running as running

_CACHES = {"_prepared", "_scan", "_maps", "index", "_loops", "_paths", "user_index", "item_index"}
MODELS = {
    "Word2Vec": firth.Word2Vec(dim=8, epochs=1, min_count=1, threads=1),
    "FastText": firth.FastText(dim=8, epochs=1, min_count=1, buckets=300, threads=1),
    "GloVe": firth.GloVe(dim=8, epochs=1, min_count=1, window=3, threads=1),
    "PPMI": firth.PPMI(dim=8, min_count=1, window=3),
    "FastTextClassifier": firth.FastTextClassifier(dim=8, epochs=1, threads=1),
    "DeepWalk": firth.DeepWalk(dim=8, walks=1, length=8, threads=1),
    "Node2Vec": firth.Node2Vec(dim=8, walks=1, length=8, p=0.5, threads=1),
    "LINE": firth.LINE(dim=8, samples=5, threads=1),
    "FastRP": firth.FastRP(dim=8),
    "BPR": firth.BPR(dim=8, epochs=1, threads=1),
    "WARP": firth.WARP(dim=8, epochs=1, threads=1),
    "LightGCN": firth.LightGCN(dim=8, epochs=1, threads=1),
    "EASE": firth.EASE(reg=1),
    "ItemToVec": firth.ItemToVec(dim=8, epochs=1, threads=1),
}


@cache
def sources() -> dict[str, Any]:
    """What each model learns from."""
    lines = running.words(3000)
    graph, met = running.graph_of(40, 200), running.interactions_of(20, 15, 4)
    text = dict.fromkeys(("Word2Vec", "FastText", "GloVe", "PPMI"), lines)
    nodes = dict.fromkeys(("DeepWalk", "Node2Vec", "LINE", "FastRP"), graph)
    taste = dict.fromkeys(("BPR", "WARP", "LightGCN", "EASE"), met)
    sessions = met.sessions()
    labelled = running.labelled(lines)
    return text | nodes | taste | {"ItemToVec": sessions, "FastTextClassifier": labelled}


@cache
def fitted(name: str) -> Any:
    """Return what a model learns, always the same."""
    return MODELS[name].fit(sources()[name])


@cache
def things() -> dict[str, Any]:
    """Return a thing of every public kind, by a name."""
    lines = sources()["Word2Vec"]
    graph, met = sources()["LINE"], sources()["BPR"]
    corpus = firth.Corpus.read(lines, min_count=1)
    emb = fitted("Word2Vec")
    made = {
        "Corpus": corpus,
        "Vocabulary": corpus.vocabulary,
        "Counts": firth.Counts.of(corpus, window=2),
        "CSR": met.csr,
        "Embedding": emb,
        "Embedding prepared": firth.Embedding(emb.keys, emb.vectors).prepare(),
        "Graph": graph.with_types(["a", "b"] * 20),
        "Interactions": met,
        "Learner": MODELS["Word2Vec"].learner().partial_fit(lines[:50]),
        "Subwords": firth.Subwords(buckets=10),
        "FormatError": firth.FormatError("a/file", "byte 7", "a number", "nothing"),
        "Prepared": kernels.prepare(emb.vectors),
        "Bags": kernels.subwords(["a", "word"], buckets=9),
        "Transitions": kernels.transitions(graph.csr),
        "LinkSplit": evaluate.split_links(graph),
        "WordPairs": evaluate.word_pairs(emb, [("the", "of", 1), ("one", "two", 9)]),
        "Analogies": evaluate.analogies(emb, [("the", "of", "one", "two")]),
    }
    made |= {f"model {name}": model for name, model in MODELS.items()}
    return made | {f"made by {name}": fitted(name) for name in MODELS}


def parts(thing: Any) -> Any:
    """Return what a thing is made of as plain values that can be compared, caches left out."""
    if isinstance(thing, np.ndarray):
        return thing.dtype.str, thing.shape, thing.tobytes()
    if isinstance(thing, dict):
        return {key: parts(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [parts(each) for each in thing]
    if isinstance(thing, BaseException):
        return type(thing), str(thing)
    if dataclasses.is_dataclass(thing):
        names = [each.name for each in dataclasses.fields(thing)]
    elif type(thing).__module__.startswith("firth"):
        slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
        names = [*slots, *getattr(thing, "__dict__", ())]
    else:
        return thing
    kept = sorted(set(names) - _CACHES)
    return type(thing), {name: parts(getattr(thing, name)) for name in kept if hasattr(thing, name)}
