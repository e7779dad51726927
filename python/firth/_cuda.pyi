# The compiled CUDA module (cuda/bindings*.cc). Its arrays lie on a device: all that have
# __cuda_array_interface__.
from firth._backend import Bytes, Doubles, Floats, Ids, Longs

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
