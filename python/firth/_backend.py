"""CHOICE: device. The arrays decide which backend runs; all satisfy one Protocol, checked by mypy.

``_cpu`` (compiled, numpy arrays), ``_cuda`` (compiled, device arrays) and ``_arrays`` (plain array
code, the fallback where nothing is compiled) are modules with the same functions. ``isa`` forces an
instruction set of ``_cpu``; the others have none to choose and ignore it, as they ignore
``threads``.
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ids = npt.NDArray[np.uint32]
Longs = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int32]


class Backend(Protocol):
    """What every backend offers: one function per kernel, all arrays by keyword."""

    # tokens
    def tokens(
        self,
        *,
        text: Bytes,
        begin: int,
        end: int,
        seed: int,
        starts: Longs,
        lengths: Longs,
        keys: Hashes,
        hashes: Hashes,
        breaks: Longs,
        isa: str,
    ) -> tuple[int, int]: ...

    # negative_sampling

    def negative_sampling(
        self,
        *,
        input: Floats,
        output: Floats,
        ids: Ids,
        sources: Ids,
        offsets: Longs,
        bag_offsets: Longs,
        bag_ids: Ids,
        keep: Ids,
        noise: Ids,
        window: int,
        negative: int,
        cbow: bool,
        block: int,
        shared: int,
        piece: int,
        round: int,
        first: int,
        last: int,
        seed: int,
        epoch: int,
        lr_begin: float,
        lr_end: float,
        threads: int,
        isa: str,
        progress: Callable[[int, float, int], object] | None,
    ) -> tuple[float, int, int, int, int]: ...

    def alias_table(self, *, weights: Doubles) -> Ids: ...

    # subwords

    def subwords(
        self,
        *,
        text: Bytes,
        begins: Longs,
        ends: Longs,
        min_n: int,
        max_n: int,
        buckets: int,
        hashes: int,
        offsets: Longs,
        ids: Ids | None,
        threads: int,
        isa: str,
    ) -> None:
        """Write where bags begin and end into ``offsets``, or into ``ids`` bags where those say.

        Words are ``text[begins[w]:ends[w]]``. On a device only the sizes of bags are written, into
        ``offsets[1:]``: the caller's library adds them up.
        """

    def bag_means(
        self, *, table: Floats, offsets: Longs, ids: Ids, means: Floats, threads: int, isa: str
    ) -> None:
        """Fill ``means`` (bags, dim) with the mean of the rows of each bag, 0 for empty ones."""

    def subword_means(
        self,
        *,
        text: Bytes,
        begins: Longs,
        ends: Longs,
        min_n: int,
        max_n: int,
        buckets: int,
        hashes: int,
        table: Floats,
        first_row: int,
        means: Floats,
        threads: int,
        isa: str,
    ) -> None:
        """Fill ``means`` (words, dim) with those of the words' bags.

        Bucket i is row ``first_row + i`` of the table.
        """

    # classification

    def classification(
        self,
        *,
        input: Floats,
        output: Floats,
        bag_offsets: Longs,
        bag_ids: Ids,
        label_offsets: Longs,
        label_ids: Ids,
        path_offsets: Longs,
        path_ids: Ids,
        positions: Longs,
        loss: int,
        seed: int,
        epoch: int,
        lr_begin: float,
        lr_end: float,
        threads: int,
        isa: str,
        progress: Callable[[int, float, int], object] | None,
    ) -> tuple[float, int, int]:
        """Return the loss summed over examples, their number, and the first not finite or -1.

        Losses are numbered softmax, ova, hs; ``path_offsets`` is (0,) without a tree.
        """

    # cooccurrence

    FREQUENT_WORDS: int  # at most as many can be counted along the corpus; 0: none

    def places(
        self, *, ids: Ids, begin: int, end: int, words: int, first: int, last: int, threads: int
    ) -> tuple[Longs, Ids]:
        """Return where words [first, last) stand in ``ids[begin:end]``: starts, and places.

        Starts are (words + 1,); other words have no places. Places are counted from ``begin`` and
        rise for each word.
        """

    def cooccurrence(
        self,
        *,
        ids: Ids,
        breaks: Hashes,
        starts: Longs,
        places: Ids,
        frequent: int,
        origin: int,
        first: int,
        last: int,
        weights: Hashes,
        symmetric: bool,
        unit: int,
        dtype: int,
        threads: int,
        isa: str,
        progress: Callable[[int], object] | None,
    ) -> tuple[Longs, Indices, Any]:
        """Return rows [first, last) as indptr (last - first + 1,), indices and data.

        The first ``frequent`` words have no places: their company is counted along the corpus, all
        of which is counted then, on both sides; 0 where parts of it are. ``breaks`` is (tokens //
        64 + 2,), or (0,) without sentences; ``weights`` (window,) are
        multiples of 1 / unit; ``progress`` gets the places that were read. Data are numbered
        float32, float64 and uint64, the last of sums that are not divided by the unit.
        """

    def merge_counts(
        self,
        *,
        parts: list[tuple[Longs, Indices, Hashes]],
        columns: int,
        unit: int,
        dtype: int,
        threads: int,
        isa: str,
    ) -> tuple[Longs, Indices, Any]:
        """Return the sum of matrices of as many rows, each (indptr, indices, sums)."""

    # glove

    def glove(
        self,
        *,
        words: Floats,
        contexts: Floats,
        dim: int,
        indptr: Longs,
        indices: Indices,
        data: Floats,
        order: Ids,
        row_starts: Longs,
        column_starts: Ids,
        shifts: Longs,
        lr: float,
        x_max: float,
        alpha: float,
        threads: int,
        isa: str,
        progress: Callable[[int, float], object] | None,
    ) -> tuple[float, int, int]:
        """Return the loss summed over counts, their number, and the first row not finite or -1."""

    # walks

    def walks(
        self,
        *,
        indptr: Longs,
        indices: Ids,
        thresholds: Ids,
        types: int,
        path: Ids,
        starts: Ids,
        first_walk: int,
        length: int,
        p: float,
        q: float,
        restart: float,
        seed: int,
        out: Ids,
        threads: int,
        isa: str,
        progress: Callable[[int], object] | None,
    ) -> None:
        """Fill ``out`` (walks, length), 2**32 - 1 behind a walk that ended.

        ``thresholds`` is (edges,), or (0,) where all edges weigh the same.
        """

    # ranking

    def ranking(
        self,
        *,
        users: Floats,
        items: Floats,
        biases: Floats,
        indptr: Longs,
        indices: Ids,
        owners: Ids,
        noise: Ids,
        loss: int,
        trials: int,
        first: int,
        last: int,
        seed: int,
        epoch: int,
        lr: float,
        reg: float,
        threads: int,
        isa: str,
        progress: Callable[[int, float], object] | None,
    ) -> tuple[float, int, int, int, int]:
        """Return the loss summed, samples, right ones, skipped ones, first not finite or -1.

        Losses are numbered bpr, warp; ``biases`` is (0,) without them, and ``noise`` (0, 2) where
        all items are drawn alike.
        """

    # topk and prepare

    def prepare(
        self,
        *,
        rows: Floats,
        scan: int,
        cosine: bool,
        keep_exact: bool,
        panels: Bytes,
        constants: Floats,
        threads: int,
        isa: str,
    ) -> int:
        """Fill ``panels`` (panels, panel_bytes), none for scan 0 (float32), and ``constants``.

        Return the first row that is not finite, or -1. Scans are numbered as in `_panels.SCANS`.
        """

    def topk(
        self,
        *,
        queries: Floats,
        rows: Floats,
        panels: Bytes,
        constants: Floats,
        items: int,
        scan: int,
        cosine: bool,
        exclude: Longs,
        mask: Bytes,
        threshold: Doubles,
        ids: Longs,
        scores: Doubles,
        threads: int,
        isa: str,
    ) -> tuple[int, int]:
        """Fill ``ids`` and ``scores`` (q, k); return the first query and item not finite, or -1.

        ``rows`` is (items, dim), or (0, dim) where only codes are kept. ``panels`` is (0, 0) and
        ``constants`` (3, 0) for rows that were not prepared; the scan -1 then is the backend's
        choice. ``exclude`` (q, m) has ascending rows, -1 for none; ``mask`` is (items,) or (0,);
        ``threshold`` is (q,), -inf for none. What is missing up to k becomes -1 and -inf.
        """


def named(name: str) -> Any:
    """Return the backend module ``_cpu``, ``_cuda`` or ``_arrays``."""
    return importlib.import_module(f"firth.{name}")


def backend_of(*arrays: object, backend: ModuleType | None = None) -> Any:
    """Return the backend for these arrays: numpy runs on the CPU, device arrays where they live.

    Parameters
    ----------
    arrays
        What the kernel is called with; numpy arrays and device arrays
        (``__cuda_array_interface__``) do not mix.
    backend
        Overrides the choice; tests use it to run one body on all backends.
    """
    if backend is not None:
        return backend
    on_device = [hasattr(array, "__cuda_array_interface__") for array in arrays]
    if not any(on_device):
        try:
            return named("_cpu")
        except ImportError:
            return named("_arrays")
    if not all(on_device):
        raise TypeError("arrays: expected all on the host or all on one device, found both")
    try:
        return named("_cuda")
    except ImportError:
        return named("_arrays")
