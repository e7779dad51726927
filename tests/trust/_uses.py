"""Something that each public thing answers, small and always the same: for threads and forks."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import firth
from firth import evaluate, kernels
from trust._things import MODELS, fitted, parts, sources, things


def _again(write: Callable[[Path], object], read: Callable[[Path], object]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return read(path)


def _learnt(name: str) -> Any:
    return MODELS[name].fit(sources()[name])


def _formats() -> Any:
    emb, model = fitted("Word2Vec"), fitted("FastText")
    names = ("firth", "word2vec-text", "word2vec-binary", "glove-text")
    found = [_again(partial(emb.write, format=name), firth.read) for name in names]
    return [*found, _again(partial(model.write, format="fasttext-binary"), firth.read)]


def _folders() -> Any:
    known = things()
    pairs = [(known["Corpus"], firth.Corpus.load), (known["Counts"], firth.Counts.load)]
    pairs += [(known["Learner"], firth.Learner.load), (known["Prepared"], kernels.Prepared.load)]
    pairs += [(known["made by BPR"], firth.Recommender.load)]
    return [_again(thing.save, partial(_loaded, load)) for thing, load in pairs]


def _loaded(load: Callable[[Path], Any], path: Path) -> Any:
    return parts(load(path))


def _nearest(name: str) -> Any:
    emb = things()[name]
    found = emb.nearest(emb.keys[:20], 5, threads=2)
    return found, emb.most_similar(emb.keys[0], k=3), emb.unit()


def _recommended(name: str) -> Any:
    rec = fitted(name)
    return [rec.recommend(rec.users, 4, threads=2), rec.similar_items(rec.items, 2)]


def _texts() -> Any:
    lines = sources()["Word2Vec"]
    return [
        firth.Corpus.read(lines, min_count=1, threads=2),
        firth.Corpus.read(iter(lines), min_count=1, memory="1 MB", threads=2),
        firth.Counts.of(lines, window=3, min_count=1, threads=2),
    ]


def _graphs() -> Any:
    graph = sources()["LINE"]
    rows = graph.pairs().tolist()
    text = "".join(f"{a} {b}\n" for a, b in rows)
    path = partial(Path.write_text, data=text)
    return [firth.Graph(rows), _again(path, firth.Graph.read), graph.walks(2, 9, threads=2)]


def _measures() -> Any:
    graph, emb = sources()["LINE"], fitted("LINE")
    return [
        evaluate.split_links(graph),
        evaluate.predict_links(emb, graph, 3, threads=2),
        evaluate.link_ranking(emb, evaluate.split_links(graph), threads=2),
        evaluate.word_pairs(fitted("Word2Vec"), [("the", "of", 1), ("one", "two", 9)]),
        evaluate.recommendation(fitted("EASE"), sources()["EASE"], 5, filter_seen=False),
    ]


def _subwords() -> Any:
    words = [f"unseen{i}" for i in range(50)]
    model = fitted("FastText")
    return model[words], model.bags(words, threads=2), model.sentence_vector("the of unseen")


def _predicted() -> Any:
    model, lines = fitted("FastTextClassifier"), sources()["FastTextClassifier"]
    return model.predict(["the of and", "one two"], k=2), str(model.test(lines[:20]))


def _kernels() -> Any:
    rng = np.random.default_rng(1)
    table = rng.standard_normal((500, 12)).astype(np.float32)
    counts = things()["Counts"].sums
    return [
        kernels.topk(table[:30], table, 4, threads=2),
        kernels.topk(table[:30], kernels.prepare(table, scan="int8", threads=2), 4, threads=2),
        kernels.subword_means(["a", "bee"], table, buckets=500, threads=2),
        kernels.merge_counts([counts, counts], threads=2),
        kernels.tokens(np.frombuffer(b"a b  c\n" * 500, np.uint8)),
        kernels.huffman_paths(np.arange(1, 50)),
    ]


USES: dict[str, Callable[[], Any]] = {
    **{f"fit: {name}": partial(_learnt, name) for name in MODELS},
    "formats": _formats,
    "folders": _folders,
    "nearest": partial(_nearest, "Embedding"),
    "nearest prepared": partial(_nearest, "Embedding prepared"),
    "recommend": partial(_recommended, "BPR"),
    "recommend by items": partial(_recommended, "EASE"),
    "texts": _texts,
    "graphs": _graphs,
    "measures": _measures,
    "subwords": _subwords,
    "classifier": _predicted,
    "kernels": _kernels,
}


def answer(name: str) -> Any:
    """Return what one use gives, as plain values."""
    return parts(USES[name]())


def nearest_of(model: firth.Embedding) -> Any:
    """What another process does."""
    return model.nearest(model.keys[:5], 3)[0].tolist()


def recommended_by(model: firth.Recommender) -> Any:
    """What another process does."""
    return model.recommend(model.users[:5], 3)[0].tolist()


def broken(path: Path) -> Any:
    """Raise FormatError."""
    path.write_bytes(b"3 2\na 1")
    return firth.read(path)
