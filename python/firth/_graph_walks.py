"""Walks over a graph that are kept, as a corpus."""

from typing import TYPE_CHECKING, Any

import numpy as np

from firth import kernels
from firth._node_names import path_of
from firth.corpus import Corpus
from firth.kernels._arguments import whole
from firth.vocabulary import Vocabulary

if TYPE_CHECKING:
    from firth.graph import Graph


def walked(
    graph: "Graph",
    walks: int,
    length: int,
    p: float,
    q: float,
    restart: float,
    metapath: Any,
    seed: int,
    threads: int | None,
) -> Corpus:
    """Return walks from all nodes that have somewhere to go; see `firth.Graph.walks`."""
    name = "Graph.walks"
    walks = whole(name, "walks", walks, 1, 2**31 - 1)
    types = None if metapath is None else graph.types
    path = None if metapath is None else path_of(name, metapath, types, graph.type_names)
    transitions = kernels.transitions(graph.csr, weighted=graph.weighted, types=types)
    able = np.diff(transitions.indptr) > 0
    if path is not None:
        able = able.reshape(len(graph), -1)[:, path[1 % len(path)]] & (types == path[0])
    starts = np.flatnonzero(able).astype(np.uint32)
    if not len(starts):
        along = "" if metapath is None else f" along metapath={metapath!r:.80}"
        raise ValueError(f"{name}: no walk can begin, expected nodes with edges{along}")
    found = kernels.walks(
        transitions,
        np.tile(starts, walks),
        length=length,
        p=p,
        q=q,
        restart=restart,
        path=path,
        seed=seed,
        threads=threads,
    )
    counts = np.bincount(found.ids, minlength=len(graph)).astype(np.int64)
    words = [graph.keys[row].encode("utf-8", "surrogateescape") for row in range(len(graph))]
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda row: (-counts[row], words[row]))
    place = np.zeros(len(graph), np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    vocabulary = Vocabulary([graph.keys[row] for row in order], counts[order])
    return Corpus(place[found.ids], found.offsets, vocabulary)
