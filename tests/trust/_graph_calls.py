"""Long public calls of graphs, interactions, recommenders and measures, for Ctrl-C."""

import gzip
from functools import cache
from pathlib import Path
from typing import Any

import networkx
import numpy as np

import firth
from firth import evaluate
from trust import _running as running
from trust._calls import Calls, folder, named, vectors

CALLS: Calls = {}
case, cases = named(CALLS)
_EDGES = 1_500_000


@cache
def columns(edges: int = _EDGES, nodes: int = 100_000) -> tuple[np.ndarray, np.ndarray]:
    """The two ends of drawn edges."""
    drawn = (nodes * np.random.default_rng(1).random((2, edges)) ** 2).astype(np.int64)
    return drawn[0], drawn[1]


@cache
def graph() -> firth.Graph:
    """A graph that models take a second or two for."""
    return running.graph_of(20_000, 200_000, weighted=True)


@cache
def met() -> firth.Interactions:
    """Interactions of users and items."""
    return running.interactions_of(8000, 2000, 40)


@cache
def edge_file(weights: bool = False) -> Path:
    """Edges as text."""
    path = folder() / f"edges-{weights}.txt"
    ends = (each[:600_000].tolist() for each in columns())
    more = " 2.5" * weights
    path.write_text("".join(f"{a} {b}{more}\n" for a, b in zip(*ends, strict=True)))
    return path


# ---- graphs -------------------------------------------------------------------------------------


def _named_pairs() -> Any:
    return [(f"n{a}", f"n{b}") for a, b in zip(*(c[:400_000].tolist() for c in columns()))]  # noqa: B905


def _weighted() -> Any:
    return (*columns(3 * 10**6), np.ones(3 * 10**6, np.float32) * 2)


def _networkx() -> Any:
    return networkx.from_edgelist(zip(*(c[:150_000].tolist() for c in columns()), strict=True))


_FORMS = {
    "columns": columns,
    "weighted columns": _weighted,
    "rows": lambda: np.stack(columns(), axis=1),
    "pairs of names": _named_pairs,
    "columns of names": lambda: tuple(np.char.mod("n%d", c[:400_000]) for c in columns()),
    "sparse matrix": lambda: _large().csr.to_scipy(),
    "networkx": _networkx,
}


@cache
def _large() -> firth.Graph:
    return firth.Graph(_weighted())


@cases("Graph of ", _FORMS)
def _graph(form: Any) -> Any:
    edges = form()
    return lambda: firth.Graph(edges)


def _compressed() -> Path:
    path = folder() / "edges.gz"
    path.write_bytes(gzip.compress(edge_file().read_bytes()))
    return path


@cases("Graph.read ", {"text": edge_file, "weights": lambda: edge_file(True), "gz": _compressed})
def _graph_read(file: Any) -> Any:
    path = file()
    return lambda: firth.Graph.read(path)


_OF_GRAPHS = {
    "pairs": lambda: _large().pairs(),
    "with_csr": lambda: _large().with_csr(_large().csr),
    "with_types": lambda: _large().with_types(["a", "b"] * (len(_large()) // 2)),
    "walks": lambda: graph().walks(10, 40),
    "walks p q": lambda: graph().walks(5, 40, p=0.5, q=2),
}


@cases("Graph.", _OF_GRAPHS)
def _of_graph(call: Any) -> Any:
    return call, lambda: repr(graph())


_NODES = {
    "DeepWalk": firth.DeepWalk(dim=32, walks=2, length=40),
    "Node2Vec": firth.Node2Vec(dim=32, walks=2, length=40, p=0.5, q=2),
    "LINE": firth.LINE(dim=32, samples=100),
    "FastRP": firth.FastRP(dim=64),
    "FastRP random": firth.FastRP(dim=128, projection="random"),
}


@cases("fit: ", _NODES)
def _fit_nodes(model: Any) -> Any:
    return lambda: model.fit(graph())


# ---- interactions -------------------------------------------------------------------------------


@case("Interactions of columns")
def _interactions() -> Any:
    users, items = columns()
    return lambda: firth.Interactions(users, items, times=np.arange(len(users)))


@case("Interactions of names")
def _interactions_names() -> Any:
    users, items = ([f"n{i}" for i in c[:600_000].tolist()] for c in columns())
    return lambda: firth.Interactions(users, items)


@cases("Interactions.read ", {"pairs": False, "lists": True})
def _interactions_read(lists: bool) -> Any:
    path = folder() / "lists.txt"
    if lists:
        rows = np.random.default_rng(1).integers(0, 40_000, (20_000, 40)).tolist()
        path.write_text("".join(f"{u} {' '.join(map(str, row))}\n" for u, row in enumerate(rows)))
        return lambda: firth.Interactions.read(path, lists=True)
    return lambda: firth.Interactions.read(edge_file())


@cases("Interactions.", {"split": {"leave": 1}, "split share": {"share": 0.2}})
def _split(how: dict[str, Any]) -> Any:
    return lambda: met().split(**how)


@case("Interactions.sessions")
def _sessions() -> Any:
    return lambda: met().sessions()


_TASTE = {
    "BPR": firth.BPR(dim=32, epochs=3),
    "WARP": firth.WARP(dim=32, epochs=2),
    "LightGCN": firth.LightGCN(dim=32, epochs=2),
    "EASE": firth.EASE(),
    "ItemToVec": firth.ItemToVec(dim=16, epochs=1, window=20),
}


@cases("fit: ", _TASTE)
def _fit_taste(model: Any) -> Any:
    source = met().sessions() if isinstance(model, firth.ItemToVec) else met()
    return lambda: model.fit(source)


@cache
def recommender() -> firth.Recommender:
    """A recommender of vectors."""
    return firth.BPR(dim=32, epochs=1).fit(met())


@cache
def closed() -> firth.Recommender:
    """A recommender of weights between items."""
    return firth.EASE().fit(met())


_ASKED = {
    "Recommender.recommend": lambda: recommender().recommend(recommender().users),
    "Recommender.similar_users": lambda: recommender().similar_users(recommender().users[:4000]),
    "Recommender.fold_in": lambda: recommender().fold_in([[1, 2, 3]] * 20_000),
    "EASE.recommend": lambda: closed().recommend(closed().users),
    "EASE.similar_items": lambda: closed().similar_items(closed().items),
}


@cases("", _ASKED)
def _asked(call: Any) -> Any:
    return call, lambda: [r.recommend(5, 4)[0].tolist() for r in (recommender(), closed())]


@cases("Recommender.save and load ", {"vectors": recommender, "weights": closed})
def _recommender_files(made: Any) -> Any:
    path, rec = folder() / "recommender", made()

    def call() -> None:
        rec.save(path)
        firth.Recommender.load(path)

    return call


# ---- measures -----------------------------------------------------------------------------------


@cache
def node_vectors() -> firth.Embedding:
    """Vectors of the nodes."""
    return firth.Embedding(graph().keys, vectors(20_000)[:, :32])


@cache
def split() -> evaluate.LinkSplit:
    """Links held out."""
    return evaluate.split_links(graph())


_KEYS = {"a": [f"w{i}" for i in range(30_000)]}


@cache
def word_vectors() -> firth.Embedding:
    """Vectors of words."""
    return firth.Embedding(_KEYS["a"], vectors(30_000))


def _questions() -> list[tuple[str, str, str, str]]:
    keys = _KEYS["a"]
    return [(keys[i], keys[i + 1], keys[i + 2], keys[i + 3]) for i in range(5000)]


def _word_pairs() -> list[tuple[str, str, float]]:
    keys = _KEYS["a"]
    return [(keys[i], keys[-i], float(i % 10)) for i in range(1, 20_000)]


def _numbers(shape: int | tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(2).random(shape)


def _links(name: str) -> Any:
    more = {"queries": 2000} if name == "link_ranking" else {"examples": 20_000}
    return lambda: getattr(evaluate, name)(node_vectors(), split(), **more)


def _nodes() -> Any:
    labels = {key: f"c{len(key) % 3}{row % 4}" for row, key in enumerate(graph().keys[:3000])}
    return lambda: evaluate.node_classification(node_vectors(), labels, repeats=1)


def _recommendation() -> Any:
    train, test = met().split(leave=1)
    return lambda: evaluate.recommendation(recommender(), test, train=train)


def _ranks() -> Any:
    positives, negatives = _numbers(200_000), _numbers(1_000_000)
    return lambda: evaluate.ranks_among(positives, negatives)


def _judged(name: str) -> Any:
    labels, scores = _numbers(1_000_000) < 0.3, _numbers(1_000_000)
    return lambda: getattr(evaluate, name)(labels, scores)


def _at_k() -> Any:
    ids = np.random.default_rng(1).permuted(np.tile(np.arange(1000), (10_000, 1)), axis=1)[:, :20]
    relevant = firth.CSR(
        np.arange(0, 30_001, 3),
        np.tile(np.array([1, 2, 3], np.int32), 10_000),
        columns=1000,
        data=np.ones(30_000, np.float32),
    )
    return lambda: evaluate.metrics_at_k(ids, relevant)


_MEASURES: dict[str, Any] = {
    "analogies": lambda: lambda: evaluate.analogies(word_vectors(), _questions()),
    "analogies mul": lambda: (
        lambda: evaluate.analogies(word_vectors(), _questions()[:300], method="mul")
    ),
    "word_pairs": lambda: lambda: evaluate.word_pairs(word_vectors(), _word_pairs()),
    "split_links": lambda: lambda: evaluate.split_links(graph()),
    "link_prediction": lambda: _links("link_prediction"),
    "link_ranking": lambda: _links("link_ranking"),
    "predict_links": lambda: lambda: evaluate.predict_links(node_vectors(), graph(), 10),
    "node_classification": _nodes,
    "recommendation": _recommendation,
    "ranks_among": _ranks,
    "auc": lambda: _judged("auc"),
    "average_precision": lambda: _judged("average_precision"),
    "metrics_at_k": _at_k,
    "edge_features": lambda: (
        lambda: evaluate.edge_features(
            node_vectors().vectors, np.tile(split().test.positives, (20, 1))
        )
    ),
}


@cases("evaluate.", _MEASURES)
def _measure(made: Any) -> Any:
    return made()
