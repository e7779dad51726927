"""Who is measured by topk.py: firth's ways and its peers, each as a search on one thread.

Peers get items and queries at unit length, made before timing starts, and share one copy of them
unless they must have their own; firth gets them as they are.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import firth

ROWS = 1 << 16  # rows taken at once where an array as large as the items would not do
PART, SCORES = 128, 1 << 27  # queries and scores that numpy and torch take at once, at most


def unit(rows: Any) -> Any:
    """Return the rows at length 1; rows of zeros stay."""
    result = np.empty_like(rows)
    for at in range(0, len(rows), ROWS):
        block = rows[at : at + ROWS]
        norms = np.linalg.norm(block, axis=1, keepdims=True)
        np.divide(block, np.where(norms > 0, norms, 1), out=result[at : at + ROWS])
    return result


@dataclass(frozen=True)
class Peer:
    """A search, and how it is to be treated."""

    search: Callable[[Any, int], Any]  # queries (q, dim), k -> ids (q, k)
    limit: int | None = None  # queries it is given of each batch, as it would take too long
    as_given: bool = False  # gets the queries as they are, not at unit length
    values: Callable[[Any], Any] | None = None  # ids -> the rows it ranks, if not the items
    exact: bool = False  # must rank as float64 does
    rescored: Callable[[], float] | None = None  # share of the items scored again by the last call


class Peers:
    """All of them, by name; a copy of the items is made when the first peer asks for it."""

    def __init__(self, items: Any):
        self.items = items
        self.ways: dict[str, Callable[[], Peer]] = {
            "firth": self._firth,
            "firth, prepared": lambda: self._prepared("int8"),
            "firth, bfloat16": lambda: self._prepared("bfloat16"),
            "firth, float32": lambda: self._prepared("float32"),
            "firth, codes only": lambda: self._prepared("int8", keep_exact=False),
            "numpy": self._numpy,
            "torch": self._torch,
            "faiss": self._faiss,
            "faiss, tuned": lambda: self._faiss(blas_from=1),
            "usearch": self._usearch,
            "scikit-learn": self._sklearn,
            "gensim": self._gensim,
        }

    def named(self, names: list[str]) -> dict[str, Peer]:
        """Return these peers; who is not installed is told and left out."""
        found = {}
        for name in names:
            try:
                found[name] = self.ways[name]()
            except ImportError as error:
                print(f"{name} is left out: {error}")
        return found

    @cached_property
    def units(self) -> Any:
        """The items at unit length."""
        return unit(self.items)

    @cached_property
    def flat(self) -> Any:
        """The items in faiss's flat index."""
        faiss = importlib.import_module("faiss")
        faiss.omp_set_num_threads(1)
        index = faiss.IndexFlatIP(self.items.shape[1])
        index.add(self.units)
        return index

    @cached_property
    def scores(self) -> Any:
        """Where numpy and torch put the scores of some queries; new memory would cost them more."""
        return np.empty((max(1, min(PART, SCORES // len(self.items))), len(self.items)), np.float32)

    def _firth(self) -> Peer:
        """Search exactly, norms and all else included."""
        return Peer(
            lambda queries, k: firth.kernels.topk(queries, self.items, k, threads=1)[0],
            as_given=True,
            exact=True,
        )

    def _prepared(self, scan: str, keep_exact: bool = True) -> Peer:
        """Search prepared items, exactly; if only codes are kept, exactly in these."""
        items = firth.kernels.prepare(self.items, scan=scan, keep_exact=keep_exact, threads=1)
        return Peer(
            lambda queries, k: firth.kernels.topk(queries, items, k, metric=None, threads=1)[0],
            as_given=True,
            exact=True,
            values=None if keep_exact else items.values,
        )

    def _numpy(self) -> Peer:
        """Search by matrix product, argpartition and a sort of k, some queries at a time."""
        items, memory = self.units, self.scores

        def some(queries: Any, k: int) -> Any:
            scores = np.matmul(queries, items.T, out=memory[: len(queries)])
            least = len(items) - k
            best = np.stack([np.argpartition(row, least)[least:] for row in scores])
            order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
            return np.take_along_axis(best, order, axis=1)

        def search(queries: Any, k: int) -> Any:
            starts = range(0, len(queries), len(memory))
            return np.concatenate([some(queries[at : at + len(memory)], k) for at in starts])

        return Peer(search, limit=2 * PART)

    def _torch(self) -> Peer:
        """Search by matrix product and topk, some queries at a time."""
        torch = importlib.import_module("torch")
        torch.set_num_threads(1)
        items, memory = torch.from_numpy(self.units), torch.from_numpy(self.scores)

        def some(queries: Any, k: int) -> Any:
            return torch.topk(torch.matmul(queries, items.T, out=memory[: len(queries)]), k)[1]

        def search(queries: Any, k: int) -> Any:
            parts = torch.from_numpy(queries).split(len(memory))
            return torch.cat([some(part, k) for part in parts]).numpy()

        return Peer(search, limit=2 * PART)

    def _faiss(self, blas_from: int | None = None) -> Peer:
        """Search IndexFlatIP; `blas_from`: from which batch on it uses BLAS, if not its default."""
        faiss, index = importlib.import_module("faiss"), self.flat
        usual = faiss.cvar.distance_compute_blas_threshold

        def search(queries: Any, k: int) -> Any:
            faiss.cvar.distance_compute_blas_threshold = usual if blas_from is None else blas_from
            try:
                return index.search(queries, k)[1]
            finally:
                faiss.cvar.distance_compute_blas_threshold = usual

        # Without BLAS, as recent versions are up to 128000 queries, a batch gains nothing.
        return Peer(search, limit=64 if blas_from is None and usual > 64 else None)

    def _usearch(self) -> Peer:
        """Search exactly, without an index; it holds the scores of all its queries."""
        index = importlib.import_module("usearch.index")
        items, product = self.units, index.MetricKind.IP

        def search(queries: Any, k: int) -> Any:
            found = index.search(items, queries, k, product, exact=True, threads=1)
            return found.keys.reshape(len(queries), k)

        return Peer(search, limit=16)

    def _sklearn(self) -> Peer:
        """Search by brute force; every call brings all items to unit length."""
        neighbors = importlib.import_module("sklearn.neighbors").NearestNeighbors
        fitted = neighbors(algorithm="brute", metric="cosine", n_jobs=1).fit(self.units)
        return Peer(lambda q, k: fitted.kneighbors(q, k, return_distance=False), limit=128)

    def _gensim(self) -> Peer:
        """Search by `KeyedVectors.most_similar`, which takes one query at a time."""
        n, dim = self.items.shape
        keyed = importlib.import_module("gensim.models").KeyedVectors(dim)
        keyed.index_to_key = list(range(n))
        keyed.key_to_index = dict(zip(range(n), range(n), strict=True))
        keyed.vectors = self.units
        keyed.fill_norms()

        def one(query: Any, k: int) -> list[int]:
            return [key for key, _ in keyed.most_similar([query], topn=k)]

        return Peer(lambda queries, k: np.array([one(query, k) for query in queries]), limit=16)
