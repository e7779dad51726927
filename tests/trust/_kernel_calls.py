"""Every kernel that takes long, for Ctrl-C."""

from functools import cache
from typing import Any

import numpy as np

import firth
from firth import kernels
from trust._calls import Calls, corpus, counts, folder, lines, named, vectors
from trust._graph_calls import graph, met

CALLS: Calls = {}
case, cases = named(CALLS)


@cache
def _words() -> list[str]:
    return [f"word{i}wise" for i in range(300_000)]


def _topk() -> Any:
    return lambda: kernels.topk(vectors()[:3000], vectors(), 10)


def _topk_dot() -> Any:
    return lambda: kernels.topk(vectors()[:2000], vectors(), 100, metric="dot")


def _topk_everything() -> Any:
    return lambda: kernels.topk(vectors()[:100], vectors()[:20_000], 20_000)


def _merge_topk() -> Any:
    ids = np.tile(np.arange(100), (20_000, 1))
    scores = np.tile(np.linspace(1, 0, 100, dtype=np.float32), (20_000, 1))
    return lambda: kernels.merge_topk([(ids, scores)] * 4, starts=[0, 100, 200, 300])


def _subword_means() -> Any:
    return lambda: kernels.subword_means(_words(), vectors(50_000), buckets=50_000)


def _one_long_word() -> Any:
    word = ["company" * 150_000]
    return lambda: kernels.subword_means(word, vectors(50_000), buckets=50_000)


def _one_long_bag() -> Any:
    bags = kernels.Bags(np.array([0, 10**7]), np.arange(10**7, dtype=np.uint32) % 50_000)
    return lambda: kernels.bag_means(vectors(50_000), bags)


def _bag_means() -> Any:
    ids = np.arange(10**7, dtype=np.uint32) % 50_000
    bags = kernels.Bags(np.arange(0, 10**7 + 1, 10), ids)
    return lambda: kernels.bag_means(vectors(50_000), bags)


def _tokens() -> Any:
    text = np.frombuffer(("\n".join(lines())).encode() * 8, np.uint8)
    return lambda: kernels.tokens(text)


def _cooccurrence(**options: Any) -> Any:
    known = corpus()
    if "memory" in options:
        options["folder"] = folder()
    words = len(known.vocabulary)
    return lambda: kernels.cooccurrence(known.ids, known.offsets, words=words, **options)


def _merge_counts() -> Any:
    sums = counts().sums
    return lambda: kernels.merge_counts([sums] * 3)


def _passage(**options: Any) -> Any:
    known = corpus()
    rows = len(known.vocabulary)
    tables = [vectors(rows, 64) * np.float32(0.01) for _ in range(2)]
    more = {
        "keep": kernels.keep_chances(known.vocabulary.counts, 1e-3),
        "noise": kernels.noise(known.vocabulary.counts),
    } | options
    return lambda: kernels.negative_sampling(*tables, known.ids, known.offsets, **more)


def _glove() -> Any:
    matrix = counts().matrix(np.float32)
    words, contexts = kernels.glove_tables(*matrix.shape, 50)
    return lambda: kernels.glove(words, contexts, matrix, dim=50)


def _ranking(loss: str) -> Any:
    matrix = met().csr
    users, items = (vectors(rows, 64) * np.float32(0.01) for rows in matrix.shape)
    return lambda: kernels.ranking(users, items, matrix, loss=loss, lr=1e-4)  # again and again


def _classification() -> Any:
    ids = np.arange(4 * 10**6, dtype=np.uint32) % 50_000
    bags = kernels.Bags(np.arange(0, len(ids) + 1, 20), ids)
    labels = kernels.Bags(np.arange(len(bags.offsets)), np.arange(len(ids) // 20) % 5)
    labels = kernels.Bags(labels.offsets, labels.ids.astype(np.uint32))
    input, output = vectors(50_000, 32) * np.float32(0.01), np.zeros((5, 32), np.float32)
    return lambda: kernels.classification(input, output, bags, labels)


def _walks(many: int = 10, **options: Any) -> Any:
    steps = kernels.transitions(graph().csr)
    starts = np.tile(np.arange(len(graph()), dtype=np.uint32), many)
    return lambda: kernels.walks(steps, starts, length=40, **options)


def _transitions() -> Any:
    rng = np.random.default_rng(1)
    large = firth.Graph((*rng.integers(0, 100_000, (2, 2 * 10**6)), rng.random(2 * 10**6) + 0.1))
    return lambda: kernels.transitions(large.csr)


_KERNELS: dict[str, Any] = {
    "topk": _topk,
    "topk dot": _topk_dot,
    "topk of all": _topk_everything,
    "merge_topk": _merge_topk,
    "subwords": lambda: lambda: kernels.subwords(_words()),
    "subword_means": _subword_means,
    "subword_means one long word": _one_long_word,
    "bag_means": _bag_means,
    "bag_means one long bag": _one_long_bag,
    "tokens": _tokens,
    "cooccurrence": lambda: _cooccurrence(window=8),
    "cooccurrence memory": lambda: _cooccurrence(window=8, memory=40_000_000),
    "merge_counts": _merge_counts,
    "negative_sampling": _passage,
    "negative_sampling rounds": lambda: _passage(round=1 << 16),
    "negative_sampling cbow": lambda: _passage(cbow=True, window=10),
    "noise": lambda: lambda: kernels.noise(np.arange(1, 3 * 10**6)),
    "keep_chances": lambda: lambda: kernels.keep_chances(np.arange(1, 10**7), 1e-3),
    "huffman_paths": lambda: lambda: kernels.huffman_paths(np.arange(1, 100_000)),
    "glove": _glove,
    "glove_tables": lambda: lambda: kernels.glove_tables(100_000, 100_000, 50),
    "ranking bpr": lambda: _ranking("bpr"),
    "ranking warp": lambda: _ranking("warp"),
    "classification": _classification,
    "walks": _walks,
    "walks p q": lambda: _walks(3, p=0.5, q=2),
    "transitions": _transitions,
}


@cases("kernels.", _KERNELS)
def _kernel(made: Any) -> Any:
    return made()
