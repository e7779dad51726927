# The compiled CUDA module (cuda/bindings*.cc). Its arrays lie on a device: all that have
# __cuda_array_interface__.
from collections.abc import Callable
from typing import Any

from firth._backend import Bytes, Doubles, Floats, Hashes, Ids, Indices, Longs

def devices() -> list[str]: ...
def runtime_version() -> int: ...
def subwords(
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
) -> None: ...
def bag_means(
    *, table: Floats, offsets: Longs, ids: Ids, means: Floats, threads: int, isa: str
) -> None: ...
def subword_means(
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
) -> None: ...

# weights and shifts are the host's, all else the device's
FREQUENT_WORDS: int

def places(
    *, ids: Ids, begin: int, end: int, words: int, first: int, last: int, threads: int
) -> tuple[Longs, Ids]: ...
def cooccurrence(
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
) -> tuple[Longs, Indices, Any]: ...
def merge_counts(
    *,
    parts: list[tuple[Longs, Indices, Hashes]],
    columns: int,
    unit: int,
    dtype: int,
    threads: int,
    isa: str,
) -> tuple[Longs, Indices, Any]: ...
def glove(
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
) -> tuple[float, int, int]: ...
def negative_sampling(
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
def walks(
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
) -> None: ...
def ranking(
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
) -> tuple[float, int, int, int, int]: ...
def prepare(
    *,
    rows: Floats,
    scan: int,
    cosine: bool,
    keep_exact: bool,
    panels: Bytes,
    constants: Floats,
    threads: int,
    isa: str,
) -> int: ...
def topk(
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
) -> tuple[int, int]: ...
