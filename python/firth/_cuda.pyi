# The compiled CUDA module (cuda/bindings.cc). Its arrays lie on a device: all that have
# __cuda_array_interface__.
from firth._backend import Bytes, Doubles, Floats, Longs

def devices() -> list[str]: ...
def runtime_version() -> int: ...
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
