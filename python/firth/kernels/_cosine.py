"""topk and prepare: check the arguments, allocate, call the backend."""

import math
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from firth._backend import Longs, backend_of
from firth._panels import MAX_INT8_DIM, PANEL, SCANS, panel_bytes, panels_of
from firth.kernels._arguments import (
    array_module,
    first_outside,
    float_rows,
    integer,
    not_finite,
    number_of_threads,
    one_of,
    shown,
    typed,
)
from firth.kernels._prepared import METRICS, Prepared


def prepare(
    items: npt.NDArray[Any],
    metric: Literal["cosine", "dot"] = "cosine",
    *,
    scan: Literal["auto", "float32", "bfloat16", "int8"] = "auto",
    keep_exact: bool = True,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Prepared:
    """Bring items into the form that :func:`topk` scans, once for many searches.

    Parameters
    ----------
    items : (n, dim) float32
        One item a row, also float16 or float32 that is not contiguous (copied once), on the host or
        on a CUDA device.
    metric : {"cosine", "dot"}
        What :func:`topk` will rank by.
    scan : {"auto", "int8", "bfloat16", "float32"}
        What is read of every item for every query: 1, 2 or 4 bytes a number. It changes how fast an
        answer comes, not the answer. "auto" is int8, above 65536 dimensions float32.
    keep_exact : bool
        Keep the rows too (those given, not a copy, where they are float32 and contiguous): answers
        are exact whatever the scan. If False only the codes are kept, a quarter (int8) or half
        (bfloat16) of the bytes, and answers are exactly those for ``prepared.values()``.
    threads : int, optional
        How many threads to use; ``firth.set_num_threads`` sets the default.
    backend, isa
        For tests: force a backend module and an instruction set.

    Returns
    -------
    Prepared
        The rows in it must not be changed.

    Raises
    ------
    TypeError
        If the array has the wrong dtype.
    ValueError
        If a shape or another argument does not fit, or a value is NaN or infinite; without the
        rows also for ``scan="float32"``, which would keep nothing else, and at dot product for a
        row other than 0 whose norm is not between 2**-30 and 2**60.

    Examples
    --------
    >>> items = np.random.default_rng(1).standard_normal((1000, 64)).astype(np.float32)
    >>> prepared = prepare(items)
    >>> ids, scores = topk(items[:3], prepared, 1)
    >>> ids.ravel().tolist(), prepared.exact
    ([0, 1, 2], True)
    """
    xp = array_module("prepare", items=items)
    rows = float_rows("prepare", "items", items, xp)
    n, dim = rows.shape
    if dim == 0:
        raise ValueError("prepare: items have 0 columns, expected at least 1")
    one_of("prepare", "metric", metric, METRICS)
    one_of("prepare", "scan", scan, ("auto", *SCANS))
    if not isinstance(keep_exact, (bool, np.bool_)):
        raise TypeError(f"prepare: keep_exact={shown(keep_exact)} is not False or True")
    chosen: str = scan if scan != "auto" else "int8" if dim <= MAX_INT8_DIM else "float32"
    if chosen == "int8" and dim > MAX_INT8_DIM:
        raise ValueError(f"prepare: scan='int8' takes at most {MAX_INT8_DIM} columns, got {dim}")
    if chosen == "float32" and not keep_exact:
        raise ValueError(
            f"prepare: keep_exact=False needs codes: scan={scan!r} with {dim} columns has none, "
            "expected 'bfloat16' or 'int8'"
        )
    number = SCANS.index(chosen)
    shape = (panels_of(n), panel_bytes(number, dim)) if number else (0, 0)
    panels = _aligned(xp, shape, np.uint8)
    constants = _aligned(xp, (3, panels_of(n) * PANEL), np.float32)
    bad = backend_of(rows, backend=backend).prepare(
        rows=rows,
        scan=number,
        cosine=metric == "cosine",
        keep_exact=bool(keep_exact),
        panels=panels,
        constants=constants,
        threads=number_of_threads("prepare", threads),
        isa=isa or "",
    )
    if bad >= 0:
        raise not_finite("prepare", "items", bad)
    odd = xp.isnan(constants[0])
    if not keep_exact and bool(odd.any()):
        row = int(xp.argmax(odd))
        raise ValueError(
            f"prepare: items[{row}] has a norm that is not between 2**-30 and 2**60, as "
            "keep_exact=False with metric='dot' needs it"
        )
    if xp is np:
        rows = rows.view()
        for array in (rows, panels, constants):
            array.flags.writeable = False
    return Prepared(
        metric=metric,
        scan=chosen,
        dim=dim,
        count=n,
        rows=rows if keep_exact else None,
        panels=panels if number else None,
        constants=constants,
    )


def topk(
    queries: npt.NDArray[Any],
    items: npt.NDArray[Any] | Prepared,
    k: int,
    *,
    metric: Literal["cosine", "dot"] | None = None,
    exclude: npt.NDArray[Any] | None = None,
    mask: npt.NDArray[Any] | None = None,
    threshold: float | npt.NDArray[Any] | None = None,
    dtype: npt.DTypeLike = np.float32,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> tuple[Longs, npt.NDArray[Any]]:
    """Find for every query the k items with the greatest cosine or dot product.

    The ranking is exactly that of the float64 scores of the given values, equal scores going to the
    smaller id; it depends neither on the number of threads nor on the instruction set, the backend
    or how items were prepared. A vector of zeros has cosine 0 with everything.

    Parameters
    ----------
    queries : (q, dim) float32
        One query a row.
    items : (n, dim) float32, or Prepared
        One item a row; or what :func:`prepare` made of them, which pays from a few searches on.
        Queries and items may also be float16, or float32 that is not contiguous; these are copied
        once. Wider numbers are refused, for they would lose digits silently. Arrays on a CUDA
        device (CuPy's, or others' if CuPy is installed) are searched there, with all other arrays
        there too.
    k : int
        How many items to return, from 1 to the number of items.
    metric : {"cosine", "dot"}, optional
        What is greatest; None for the prepared items' own, and for the cosine otherwise.
    exclude : (q,) or (q, m) int64, optional
        For every query the ids of items to leave out (itself, often), -1 for none.
    mask : (n,) bool, optional
        False leaves an item out for all queries.
    threshold : float or (q,) float64, optional
        Only items with at least this score (as float64) are found, finite or -inf. Answers that are
        then shorter than k end in the id -1 and the score -inf.
    dtype : {np.float32, np.float64}
        Of the scores.
    threads : int, optional
        How many threads to use; ``firth.set_num_threads`` sets the default.
    backend, isa
        For tests: force a backend module and an instruction set.

    Returns
    -------
    ids : (q, k) int64
        The items found, best first.
    scores : (q, k) float32 or float64
        Their cosines or dot products, computed in float64; as float32, those above 3.4e38 are
        infinite.

    Raises
    ------
    TypeError
        If an array has the wrong dtype, or arrays on host and device are mixed.
    ValueError
        If a shape, ``k``, ``metric``, ``exclude``, ``mask``, ``threshold``, ``dtype`` or
        ``threads`` does not fit, a value is NaN or infinite, or, without a threshold, fewer than k
        items are left to a query.

    Notes
    -----
    Rows that were changed after :func:`prepare` saw them, or in which NaN was put since, are not
    looked for: answers are then of no meaning.

    A scan of float32 values or of shorter codes, with a rigorous bound of its error, discards what
    cannot be among the k best; the rest is scored in float64 [1]_. Memory beyond queries, items and
    result is for each thread the codes of a group of up to 1024 queries, 8 dim bytes a query, lists
    of at most 64 MB (or of one query, 144 k + 4096 bytes, where that is more) and a chunk of 192
    items; and for all (q, k) float64 scores, if float32 is returned, and a sorted copy of exclude.

    .. [1] N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1.

    Examples
    --------
    >>> items = np.array([[1, 0], [0, 2], [3, 3]], dtype=np.float32)
    >>> ids, scores = topk(items[:1], items, 2)
    >>> ids.tolist(), scores.round(3).tolist()
    ([[0, 2]], [[1.0, 0.7070000171661377]])
    >>> topk(items[:1], items, 2, threshold=0.9)[0].tolist()
    [[0, -1]]
    """
    table = items.constants if isinstance(items, Prepared) else items
    several = threshold if getattr(threshold, "ndim", 0) else None
    xp = array_module(
        "topk", queries=queries, items=table, exclude=exclude, mask=mask, threshold=several
    )
    queries = float_rows("topk", "queries", queries, xp)
    if metric is not None:
        one_of("topk", "metric", metric, METRICS)
    rows, panels, constants, scan, ranked_by = _table(items, metric, xp)
    q, n, dim = len(queries), len(items), rows.shape[1]
    if queries.shape[1] != dim:
        raise ValueError(
            f"topk: queries have {queries.shape[1]} columns, expected the items' {dim}"
        )
    if dim == 0:
        raise ValueError("topk: items have 0 columns, expected at least 1")
    k = integer("topk", "k", k)
    if not 1 <= k <= n:
        raise ValueError(f"topk: k={k} is not between 1 and the {n} items")
    number = number_of_threads("topk", threads)
    precision = _precision(dtype)
    left_out, masked = _excluded(exclude, q, n, xp), _masked(mask, n, xp)
    if threshold is None:
        _check_enough(left_out, masked, n, k, xp)
    ids, scores = xp.empty((q, k), dtype=np.int64), xp.empty((q, k), dtype=np.float64)
    bad_query, bad_item = backend_of(queries, constants, backend=backend).topk(
        queries=queries,
        rows=rows,
        panels=panels,
        constants=constants,
        items=n,
        scan=scan,
        cosine=ranked_by == "cosine",
        exclude=left_out,
        mask=masked,
        threshold=_thresholds(threshold, q, xp),
        ids=ids,
        scores=scores,
        threads=number,
        isa=isa or "",
    )
    if bad_query >= 0:
        raise not_finite("topk", "queries", bad_query)
    if bad_item >= 0:
        raise not_finite("topk", "items", bad_item)
    with np.errstate(over="ignore"):
        return ids, scores.astype(precision, copy=False)


def _table(items: Any, metric: str | None, xp: Any) -> tuple[Any, Any, Any, int, str]:
    """Return rows, panels, constants, the number of the scan and the metric."""
    no_panels = xp.empty((0, 0), np.uint8)
    if not isinstance(items, Prepared):
        rows = float_rows("topk", "items", items, xp)
        return rows, no_panels, xp.empty((3, 0), np.float32), -1, metric or "cosine"
    if metric not in (None, items.metric):
        raise ValueError(f"topk: metric={metric!r} contradicts items prepared for {items.metric!r}")
    rows = xp.empty((0, items.dim), np.float32) if items.rows is None else items.rows
    panels = no_panels if items.panels is None else items.panels
    return rows, panels, items.constants, SCANS.index(items.scan), items.metric


def _aligned(xp: Any, shape: tuple[int, int], dtype: type[np.generic]) -> Any:
    """Return an empty array that begins at a cache line: panels have steps of one."""
    if xp is not np:
        return xp.empty(shape, dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def _precision(dtype: npt.DTypeLike) -> np.dtype[Any]:
    try:
        found = np.dtype(dtype) if dtype is not None else None
    except (TypeError, ValueError, SyntaxError):  # numpy's, which names no argument
        found = None
    if found is None or found not in (np.float32, np.float64):
        raise ValueError(f"topk: dtype={shown(dtype)} is neither float32 nor float64")
    return found


def _excluded(exclude: Any, queries: int, items: int, xp: Any) -> Any:
    """Return a row of item ids per query, ascending, -1 for none."""
    if exclude is None:
        return xp.empty((queries, 0), dtype=np.int64)
    typed("topk", "exclude", exclude, np.int64, ((queries,), (queries, None)))
    exclude = xp.ascontiguousarray(exclude).reshape(queries, -1 if queries else 0)
    place = first_outside(exclude, -1, items)
    if place >= 0:
        query, column = divmod(place, exclude.shape[1])
        raise ValueError(
            f"topk: exclude has the id {exclude[query, column]} for queries[{query}], which is not "
            f"between -1 and {items - 1}"
        )
    return xp.sort(exclude, axis=1) if exclude.shape[1] > 1 else exclude


def _masked(mask: Any, items: int, xp: Any) -> Any:
    """Return a byte per item, 0 for those left out, or none."""
    if mask is None:
        return xp.empty(0, dtype=np.uint8)
    typed("topk", "mask", mask, np.bool_, ((items,),))
    return xp.ascontiguousarray(mask).view(np.uint8)


def _check_enough(exclude: Any, mask: Any, items: int, k: int, xp: Any) -> None:
    """Raise if fewer than k items are left to a query."""
    usable = int(mask.sum(dtype=np.int64)) if len(mask) else items
    if usable - exclude.shape[1] >= k:
        return
    real = exclude >= 0
    real[:, 1:] &= exclude[:, 1:] != exclude[:, :-1]
    if len(mask):
        real &= mask[xp.maximum(exclude, 0)] > 0
    left = usable - real.sum(axis=1)
    if bool((left < k).any()):
        query = int(xp.argmax(left < k))
        raise ValueError(
            f"topk: k={k} is not between 1 and the {left[query]} items that exclude and mask leave "
            f"to queries[{query}]"
        )


def _thresholds(threshold: Any, queries: int, xp: Any) -> Any:
    """Return the least score wanted of each query."""
    if threshold is None:
        return xp.full(queries, -np.inf)
    if getattr(threshold, "ndim", 0) == 0:
        if hasattr(threshold, "dtype") and not isinstance(threshold, np.ma.MaskedArray):
            threshold = threshold.item()
        if isinstance(threshold, bool) or not isinstance(
            threshold, (int, float, np.integer, np.floating)
        ):
            what = type(threshold).__name__
            raise TypeError(f"topk: threshold must be a number or a float64 array, got {what}")
        try:
            number = float(threshold)
        except OverflowError as error:
            raise ValueError("topk: threshold is an integer beyond all floats") from error
        if not number < np.inf:
            raise ValueError(f"topk: threshold={threshold} is neither finite nor -inf")
        return xp.full(queries, number)
    typed("topk", "threshold", threshold, np.float64, ((queries,),))
    wrong = ~(threshold < np.inf)
    if bool(wrong.any()):
        query = int(xp.argmax(wrong))
        raise ValueError(
            f"topk: threshold[{query}] is {threshold[query]}, expected a finite number or -inf"
        )
    return xp.ascontiguousarray(threshold)
