# The compiled CPU module (cpp/bindings). Written by hand; tests/test_stubs.py holds it against the module.
from collections.abc import Callable

from firth._backend import Doubles, Floats, Ids, Longs

# module

def draws(seed: int, stream: int, epoch: int, first: int, count: int) -> Ids: ...
def isas() -> list[str]: ...
def isa() -> str: ...
def set_num_threads(threads: int) -> None: ...
def num_threads() -> int: ...
def available_threads() -> int: ...

# tokens

# negative_sampling

def negative_sampling(
    *,
    input: Floats,
    output: Floats,
    ids: Ids,
    offsets: Longs,
    keep: Ids,
    accept: Ids,
    alias: Ids,
    window: int,
    negative: int,
    cbow: bool,
    block: int,
    shared: int,
    piece: int,
    seed: int,
    epoch: int,
    lr_begin: float,
    lr_end: float,
    threads: int,
    isa: str,
    progress: Callable[[int, float, int], object] | None,
) -> tuple[float, int, int, int, int]: ...
def alias_table(*, weights: Doubles) -> tuple[Ids, Ids]: ...

# topk
