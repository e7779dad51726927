"""topk: check queries and items, allocate, call the backend."""

import importlib
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from firth._backend import Floats, Longs, backend_of


def topk(
    queries: npt.NDArray[Any],
    items: npt.NDArray[Any],
    k: int,
    *,
    metric: Literal["cosine", "dot"] = "cosine",
    exclude: npt.NDArray[Any] | None = None,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> tuple[Longs, Floats]:
    """Find for every query the k items with the greatest cosine or dot product.

    The ranking is exactly that of the float64 scores of the given values, equal scores going to the
    smaller id; it depends neither on the number of threads nor on the instruction set or backend.
    A vector of zeros has cosine 0 with everything.

    Parameters
    ----------
    queries : (q, dim) float32
        One query a row.
    items : (n, dim) float32
        One item a row. Queries and items may also be float16, or float32 that is not contiguous;
        these are copied once. Wider numbers are refused, for they would lose digits silently.
        Arrays on a CUDA device (CuPy's, or others' if CuPy is installed) are searched there.
    k : int
        How many items to return, from 1 to the number of items (less one where one is excluded).
    metric : {"cosine", "dot"}
        What is greatest.
    exclude : (q,) int64, optional
        For every query the id of one item to leave out (itself, often), or -1 for none.
    threads : int, optional
        How many threads to use; ``firth.set_num_threads`` sets the default.
    backend, isa
        For tests: force a backend module and an instruction set.

    Returns
    -------
    ids : (q, k) int64
        The items found, best first.
    scores : (q, k) float32
        Their cosines or dot products, rounded from float64 (above 3.4e38 to infinity).

    Raises
    ------
    TypeError
        If an array has the wrong dtype, or arrays on host and device are mixed.
    ValueError
        If a shape, ``k``, ``metric``, ``exclude`` or ``threads`` does not fit, or a value is NaN
        or infinite.

    Notes
    -----
    A float32 scan with a rigorous bound of its rounding error discards what cannot be among the k
    best; the rest is scored in float64 [1]_. Memory beyond the result is at most 64 MB per thread,
    or 16 bytes times k if that is more.

    .. [1] N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> items = np.array([[1, 0], [0, 2], [3, 3]], dtype=np.float32)
    >>> ids, scores = topk(items[:1], items, 2)
    >>> ids.tolist(), scores.round(3).tolist()
    ([[0, 2]], [[1.0, 0.7070000171661377]])
    """
    xp = _array_module("topk", queries=queries, items=items)
    queries = _float_rows("topk", "queries", queries, xp)
    items = _float_rows("topk", "items", items, xp)
    n, dim = items.shape
    if queries.shape[1] != dim:
        raise ValueError(
            f"topk: queries have {queries.shape[1]} columns, expected the items' {dim}"
        )
    if dim == 0:
        raise ValueError("topk: items have 0 columns, expected at least 1")
    if metric not in ("cosine", "dot"):
        raise ValueError(f"topk: metric={metric!r} is neither 'cosine' nor 'dot'")
    k = _integer("topk", "k", k)
    if not 1 <= k <= n:
        raise ValueError(f"topk: k={k} is not between 1 and the {n} items")
    number = 0 if threads is None else _integer("topk", "threads", threads)
    if threads is not None and not 1 <= number <= 4096:
        raise ValueError(f"topk: threads={number} is not between 1 and 4096")
    left_out = _excluded(exclude, len(queries), n, k, xp)
    ids = xp.empty((len(queries), k), dtype=np.int64)
    scores = xp.empty((len(queries), k), dtype=np.float32)
    bad_query, bad_item = backend_of(queries, items, left_out, backend=backend).topk(
        queries=queries,
        items=items,
        exclude=left_out,
        cosine=metric == "cosine",
        ids=ids,
        scores=scores,
        threads=number,
        isa=isa or "",
    )
    if bad_query >= 0:
        raise ValueError(f"topk: queries[{bad_query}] is not finite: it has NaN or infinite values")
    if bad_item >= 0:
        raise ValueError(f"topk: items[{bad_item}] is not finite: it has NaN or infinite values")
    return ids, scores


def _array_module(function: str, **arrays: object) -> Any:
    """Return numpy, or cupy if all arrays are on a device."""
    on_device = [hasattr(array, "__cuda_array_interface__") for array in arrays.values()]
    if not any(on_device):
        return np
    if not all(on_device):
        names = " and ".join(arrays)
        raise TypeError(
            f"{function}: {names} must be all on the host or all on one device, found both"
        )
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        raise TypeError(f"{function}: arrays on a CUDA device need CuPy (firth[cuda13])") from error


def _integer(function: str, name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{function}: {name} must be an integer, got {type(value).__name__}")
    return int(value)


def _float_rows(function: str, name: str, array: Any, xp: Any) -> Any:
    """Return a C-contiguous float32 matrix, copied only from float16 or from other strides."""
    kind = getattr(array, "dtype", None)
    if kind is None or isinstance(array, np.ma.MaskedArray):
        what = type(array).__name__
        raise TypeError(f"{function}: {name} must be a float32 or float16 array, got {what}")
    array = xp.asarray(array)
    if array.dtype != np.float32 and array.dtype != np.float16:
        raise TypeError(f"{function}: {name} must be float32 or float16, got {array.dtype}")
    if array.ndim != 2:
        raise ValueError(f"{function}: {name} must have 2 dimensions, got {array.ndim}")
    return xp.ascontiguousarray(array, dtype=np.float32)


def _excluded(exclude: Any, queries: int, items: int, k: int, xp: Any) -> Any:
    """Return one item id per query, -1 for none."""
    if exclude is None:
        return xp.full(queries, -1, dtype=np.int64)
    kind = getattr(exclude, "dtype", None)
    if kind != np.int64:
        what = type(exclude).__name__ if kind is None else kind
        raise TypeError(f"topk: exclude must be an int64 array, got {what}")
    if exclude.shape != (queries,):
        raise ValueError(f"topk: exclude has shape {exclude.shape}, expected ({queries},)")
    exclude = xp.ascontiguousarray(exclude)
    if queries and (int(exclude.min()) < -1 or int(exclude.max()) >= items):
        raise ValueError(f"topk: exclude has ids not between -1 and {items - 1}")
    if k == items and queries and int(exclude.max()) >= 0:
        raise ValueError(f"topk: k={k} is not between 1 and the {items - 1} items not excluded")
    return exclude
