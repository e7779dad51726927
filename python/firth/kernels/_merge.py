"""merge_topk: the answer over a whole from the answers over its shards."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from firth.kernels._arguments import array_module, first_outside, integer, typed

_LAST = np.iinfo(np.int64).max
_END = 2**62  # of ids and of starts, so that a sum of both is less than _LAST


def merge_topk(
    parts: Sequence[tuple[Any, Any]],
    k: int | None = None,
    *,
    starts: Sequence[int] | None = None,
) -> tuple[Any, Any]:
    """Merge what :func:`topk` found for the same queries in disjoint shards of the items.

    If each part is the answer over its shard with float64 scores (``dtype=np.float64``) and has
    `k` columns, or as many as its shard has items, the result is exactly the answer over all
    items. From float32 scores, scores that were rounded to one number are ordered by id.

    Parameters
    ----------
    parts
        Pairs (ids, scores) of (q, k_i) int64 and float32 or float64, as :func:`topk` returns them;
        ids are less than 2**62, and -1 with -inf is padding.
    k
        How many to return for each query, from 1 to the columns of all parts together; None for the
        most columns of a part.
    starts
        For each part the id of its shard's first item, less than 2**62, which is added to the
        part's ids; None if the ids are those of the whole already.

    Returns
    -------
    ids : (q, k) int64
        Best first, equal scores by id, padding last.
    scores : (q, k), of the parts' dtype
        Their scores.

    Raises
    ------
    TypeError, ValueError
        If a part has another shape or dtype, or `k` or `starts` do not fit; if a score is NaN, an
        id is not between -1 and 2**62 - 1, padding has a score, or one item stands twice in an
        answer.

    Examples
    --------
    >>> from firth.kernels import topk
    >>> items = np.array([[1, 0], [0, 2], [3, 3], [2, 1]], dtype=np.float32)
    >>> shards = [topk(items[:1], part, 2, dtype=np.float64) for part in (items[:2], items[2:])]
    >>> merge_topk(shards, starts=[0, 2])[0].tolist()
    [[0, 3]]
    """
    if not isinstance(parts, Sequence) or not parts:
        raise ValueError("merge_topk: parts has no part, expected a sequence of (ids, scores)")
    pairs = [_checked(number, part) for number, part in enumerate(parts)]
    first = pairs[0]
    for number, (ids, scores) in enumerate(pairs):
        if len(ids) != len(first[0]) or scores.dtype != first[1].dtype:
            raise ValueError(
                f"merge_topk: parts[{number}] has {len(ids)} queries and {scores.dtype} scores, "
                f"expected {len(first[0])} and {first[1].dtype} as in parts[0]"
            )
    columns = [ids.shape[1] for ids, _ in pairs]
    k = max(columns) if k is None else integer("merge_topk", "k", k)
    if not 1 <= k <= sum(columns):
        raise ValueError(
            f"merge_topk: k={k} is not between 1 and the {sum(columns)} columns of all parts"
        )
    names = {f"parts[{i}]": array for i, pair in enumerate(pairs) for array in pair}
    xp = array_module("merge_topk", **names)
    offsets = _offsets(starts, len(pairs))
    # Padding gets the last id, so that it comes behind every item with a score of -inf.
    moved = [xp.where(pair[0] < 0, _LAST, pair[0] + offsets[i]) for i, pair in enumerate(pairs)]
    ids = xp.concatenate(moved, axis=1)
    scores = xp.concatenate([scores for _, scores in pairs], axis=1)
    order = xp.argsort(ids, axis=1, kind="stable")
    ids, scores = (xp.take_along_axis(array, order, axis=1) for array in (ids, scores))
    twice = (ids[:, 1:] == ids[:, :-1]) & (ids[:, 1:] < _LAST)
    if bool(twice.any()):
        query, place = divmod(int(xp.argmax(twice)), twice.shape[1])
        raise ValueError(
            f"merge_topk: item {ids[query, place]} stands twice in the answers to queries[{query}],"
            " expected disjoint shards (is starts missing?)"
        )
    order = xp.argsort(0 - scores, axis=1, kind="stable")[:, :k]
    ids, scores = (xp.take_along_axis(array, order, axis=1) for array in (ids, scores))
    return xp.where(ids < _LAST, ids, -1), scores


def _checked(number: int, part: Any) -> tuple[Any, Any]:
    """Return one part's ids and scores."""
    name = f"parts[{number}]"
    if not isinstance(part, Sequence) or len(part) != 2:
        raise TypeError(f"merge_topk: {name} is not a pair (ids, scores)")
    ids, scores = part
    typed("merge_topk", f"{name} ids", ids, np.int64, ((None, None),))
    dtype = np.float32 if getattr(scores, "dtype", None) == np.float32 else np.float64
    typed("merge_topk", f"{name} scores", scores, dtype, (ids.shape,))
    place = first_outside(ids, -1, _END)
    if place >= 0:
        query, column = divmod(place, ids.shape[1])
        raise ValueError(
            f"merge_topk: {name} has the id {ids[query, column]} for queries[{query}], which is "
            "not between -1 and 2**62 - 1"
        )
    if bool(np.isnan(scores).any()):
        raise ValueError(f"merge_topk: {name} has scores that are NaN")
    if bool(((ids < 0) & (scores > -np.inf)).any()):
        raise ValueError(f"merge_topk: {name} has the id -1 with a score, expected -inf")
    return ids, scores


def _offsets(starts: Sequence[int] | None, parts: int) -> list[int]:
    if starts is None:
        return [0] * parts
    if not isinstance(starts, (Sequence, np.ndarray)) or getattr(starts, "ndim", 1) == 0:
        what = type(starts).__name__
        raise TypeError(f"merge_topk: starts must be a sequence of integers, got {what}")
    if len(starts) != parts:
        raise ValueError(f"merge_topk: starts has length {len(starts)}, expected {parts}")
    offsets = [integer("merge_topk", f"starts[{i}]", start) for i, start in enumerate(starts)]
    for i, offset in enumerate(offsets):
        if not 0 <= offset < _END:
            raise ValueError(f"merge_topk: starts[{i}]={offset} is not between 0 and 2**62 - 1")
    return offsets
