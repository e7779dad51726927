# The compiled CUDA module (cuda/bindings.cc). Its arrays lie on a device: all that have
# __cuda_array_interface__.
from firth._backend import Floats, Longs

def devices() -> list[str]: ...
def runtime_version() -> int: ...
def topk(
    *,
    queries: Floats,
    items: Floats,
    exclude: Longs,
    cosine: bool,
    ids: Longs,
    scores: Floats,
    threads: int,
    isa: str,
) -> tuple[int, int]: ...
