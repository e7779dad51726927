# The compiled CPU module (cpp/bindings). Written by hand; tests/test_stubs.py holds it against the module.
from firth._backend import Floats, Ids, Longs

# module

def draws(seed: int, stream: int, epoch: int, first: int, count: int) -> Ids: ...
def isas() -> list[str]: ...
def isa() -> str: ...
def set_num_threads(threads: int) -> None: ...
def num_threads() -> int: ...
def available_threads() -> int: ...

# tokens

# negative_sampling

# topk

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
