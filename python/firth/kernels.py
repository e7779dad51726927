"""The public kernel functions: check the arguments once for all backends, allocate the outputs, call the backend."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._backend import Bytes, Doubles, Floats, Hashes, Ids, Longs, backend_of

# ---- tokens -------------------------------------------------------------------------------------


class Tokens(NamedTuple):
    """Where the tokens of a text lie."""

    starts: Longs
    lengths: Longs
    hashes: Hashes
    offsets: Longs


def tokens(
    text: bytes | bytearray | memoryview | Bytes,
    *,
    seed: int = 0,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Tokens:
    r"""Split a text at its white space.

    Bytes 0, 9-13 and 32 separate tokens, 10 (newline) also ends a sentence; all other bytes are
    part of tokens, whatever their encoding.

    Parameters
    ----------
    text
        Bytes, or a (size,) uint8 array.
    seed
        Of the hashes, below 2**64.

    Returns
    -------
    starts, lengths : (tokens,) int64
        In bytes.
    hashes : (tokens,) uint64
        Equal for equal tokens.
    offsets : (sentences + 1,) int64
        Sentence i is the tokens from ``offsets[i]`` on up to ``offsets[i + 1]``; none is empty.

    Raises
    ------
    TypeError
        If the text is a str or an array of another dtype.

    Examples
    --------
    >>> found = tokens(b"the cat\nsat")
    >>> found.starts.tolist(), found.lengths.tolist(), found.offsets.tolist()
    ([0, 4, 8], [3, 3, 3], [0, 2, 3])
    """
    if isinstance(text, str):
        raise TypeError("tokens: text is str, expected bytes: pass text.encode()")
    array = text if isinstance(text, np.ndarray) else np.frombuffer(text, np.uint8)
    if array.dtype != np.uint8 or array.ndim != 1:
        raise TypeError(
            f"tokens: text is {array.dtype} of {array.ndim} dimensions, expected uint8 of 1"
        )
    if not 0 <= seed < 2**64:
        raise ValueError(f"tokens: seed={seed} is not between 0 and 2**64 - 1")
    array = np.ascontiguousarray(array)
    chosen = backend_of(array, backend=backend)
    piece = min(len(array), 1 << 20)
    room = piece // 2 + 1
    starts, lengths, breaks = (np.empty(room + extra, np.int64) for extra in (0, 0, 1))
    keys, hashes = np.empty((room, 2), np.uint64), np.empty(room, np.uint64)
    parts: list[tuple[Longs, Longs, Hashes]] = []
    ends: list[Longs] = [np.zeros(1, np.int64)]
    total = 0
    for begin in range(0, len(array), max(1, piece)):
        n, ended = chosen.tokens(
            text=array,
            begin=begin,
            end=min(len(array), begin + piece),
            seed=seed,
            starts=starts,
            lengths=lengths,
            keys=keys,
            hashes=hashes,
            breaks=breaks,
            isa=isa or "",
        )
        parts.append((starts[:n].copy(), lengths[:n].copy(), hashes[:n].copy()))
        ends.append(breaks[:ended] + total)
        total += n
    offsets = np.unique(np.concatenate([*ends, np.array([total], np.int64)]))
    if not parts:
        return Tokens(starts[:0], lengths[:0], hashes[:0], offsets)
    found = [np.concatenate(one) for one in zip(*parts, strict=True)]
    return Tokens(found[0], found[1], found[2], offsets)


# ---- negative_sampling --------------------------------------------------------------------------


class Noise(NamedTuple):
    """Walker's alias table of a distribution over words, two draws a sample.

    Attributes
    ----------
    accept, alias
        (words,) uint32: a drawn column is taken if the second draw is at most ``accept``, else its alias is.
    """

    accept: Ids
    alias: Ids


class Pass(NamedTuple):
    """What one pass of :func:`negative_sampling` did.

    Attributes
    ----------
    loss
        Mean loss of a pair, summed in double precision; 0 if there was no pair.
    pairs
        (input, target) pairs trained; for CBOW, centres with company.
    kept
        Tokens that subsampling kept.
    """

    loss: float
    pairs: int
    kept: int


def noise(counts: npt.ArrayLike, exponent: float = 0.75) -> Noise:
    """Return the noise distribution proportional to ``counts ** exponent``.

    Parameters
    ----------
    counts
        (words,) how often each word was seen, not negative.
    exponent
        3/4 in Mikolov et al. (2013), section 2.2; 0 draws all words alike.

    Raises
    ------
    ValueError
        If there is no word, or a weight is negative or not finite, or all are 0.

    Examples
    --------
    >>> noise([3, 1], exponent=1).accept.shape
    (2,)
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 1 or not 0 < len(counts) < 2**32 - 1:
        raise ValueError(
            f"noise: counts has shape {counts.shape}, expected (words,) with words > 0"
        )
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        weights: Doubles = np.power(counts, exponent)
        total = float(weights.sum())
    if not (counts.min() >= 0 and np.isfinite(total) and total > 0):
        raise ValueError(
            f"noise: counts ** {exponent} sums to {total}, expected a positive finite number"
        )
    return Noise(*backend_of(weights).alias_table(weights=weights))


def keep_chances(counts: npt.ArrayLike, sample: float) -> Ids:
    """Return how likely subsampling keeps each word, as thresholds for 32-bit draws.

    A word of relative frequency f stays with probability ``sqrt(sample / f) + sample / f``, as in
    word2vec.c (the paper's section 2.3 has another formula).

    Parameters
    ----------
    counts
        (words,) how often each word was seen.
    sample
        About the frequency above which words are thinned out; 0 keeps everything.

    Returns
    -------
    (words,) uint32: a word stays if its draw is at most this.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if not (np.isfinite(sample) and sample >= 0):
        raise ValueError(f"keep_chances: sample={sample} is not 0 or a positive number")
    if sample == 0:
        return np.full(len(counts), 2**32 - 1, dtype=np.uint32)
    share = sample * counts.sum() / np.maximum(counts, 1)
    chance = np.minimum(1.0, np.sqrt(share) + share)
    return np.maximum(np.round(chance * 2.0**32) - 1, 0).astype(np.uint32)


def _check_table(table: Floats, name: str) -> None:
    if table.dtype != np.float32:
        raise TypeError(f"negative_sampling: {name} has dtype {table.dtype}, expected float32")
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(
            f"negative_sampling: {name} has shape {table.shape}, expected (words, dim)"
        )
    if not (table.flags.c_contiguous and table.flags.writeable):
        raise ValueError(
            f"negative_sampling: {name} must be C-contiguous and writeable, it is updated in place"
        )


def negative_sampling(
    input: Floats,
    output: Floats,
    ids: Ids,
    offsets: Longs,
    *,
    keep: Ids,
    noise: Noise,
    window: int = 5,
    negative: int = 5,
    cbow: bool = False,
    seed: int = 1,
    epoch: int = 0,
    lr: tuple[float, float] = (0.025, 0.025),
    block: int = 32,
    shared: int = 32,
    piece: int = 4096,
    threads: int | None = None,
    progress: Callable[[int, float, int], object] | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Pass:
    """Train skip-gram or CBOW vectors with negative sampling, one pass over a corpus, in place.

    Blocks of ``block`` centres share ``shared`` negatives, each weighing ``negative / shared``:
    the expected gradient is that of ``negative`` private ones. Threads update rows without locks.
    The definition is in ``cpp/include/firth/negative_sampling.h``.

    Parameters
    ----------
    input, output
        (words, dim) float32 tables, C-contiguous, updated in place.
    ids
        (tokens,) uint32 words of the corpus.
    offsets
        (sentences + 1,) int64: sentence s is ``ids[offsets[s]:offsets[s + 1]]``.
    keep
        (words,) uint32, from :func:`keep_chances`.
    noise
        From :func:`noise`.
    window
        Largest distance of company, in kept tokens; each centre draws its own from 1 to this.
    negative
        Noise words a pair, in expectation; 0 is an error, since nothing would be learnt apart.
    cbow
        The company predicts the centre, instead of the centre its company.
    seed, epoch
        What is drawn depends on these and on the position in the corpus alone.
    lr
        Learning rate at the beginning and at the end of this pass; linear between.
    block, shared
        Multiples of 16.
    piece
        Tokens a task; an even number.
    threads
        None: as many as :func:`firth.set_num_threads` says.
    progress
        Called about every 50 ms with (tokens done, loss so far, pairs so far); what it raises stops the pass.

    Returns
    -------
    Pass

    Raises
    ------
    FloatingPointError
        A score was infinite or not a number; the block that met it was not applied.
    ValueError, TypeError
        An argument is out of its range, or an array has another shape or dtype.

    References
    ----------
    Mikolov, Sutskever, Chen, Corrado and Dean, "Distributed representations of words and phrases
    and their compositionality" (2013). Ji, Satish, Li and Dubey, "Parallelizing word2vec in shared
    and distributed memory" (2016), for sharing negatives.
    """
    _check_table(input, "input")
    _check_table(output, "output")
    words = len(input)
    if output.shape != input.shape:
        raise ValueError(
            f"negative_sampling: output has shape {output.shape}, expected {input.shape}"
        )
    for name, array, dtype in (
        ("ids", ids, np.uint32),
        ("offsets", offsets, np.int64),
        ("keep", keep, np.uint32),
        ("noise.accept", noise.accept, np.uint32),
        ("noise.alias", noise.alias, np.uint32),
    ):
        if array.dtype != dtype or array.ndim != 1:
            raise TypeError(
                f"negative_sampling: {name} is {array.ndim}-d {array.dtype}, expected 1-d {np.dtype(dtype)}"
            )
    for name, array in (
        ("keep", keep),
        ("noise.accept", noise.accept),
        ("noise.alias", noise.alias),
    ):
        if len(array) != words:
            raise ValueError(
                f"negative_sampling: {name} has {len(array)} entries, expected one for each of {words} words"
            )
    if len(noise.alias) and int(noise.alias.max()) >= words:
        raise ValueError(
            f"negative_sampling: noise.alias has {noise.alias.max()}, expected words below {words}"
        )
    sound = len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == len(ids)
    if not sound or not bool((offsets[1:] >= offsets[:-1]).all()):
        raise ValueError(f"negative_sampling: offsets must rise from 0 to the {len(ids)} tokens")
    for name, value, least, most in (
        ("window", window, 1, 10_000),
        ("negative", negative, 1, 10_000),
        ("epoch", epoch, 0, 2**32 - 1),
        ("seed", seed, 0, 2**64 - 1),
        ("block", block, 16, 4096),
        ("shared", shared, 16, 4096),
        ("piece", piece, 2, 2**20),
        ("threads", threads or 0, 0, 4096),
    ):
        if not least <= value <= most:
            raise ValueError(f"negative_sampling: {name}={value} is not between {least} and {most}")
    if block % 16 or shared % 16 or piece % 2:
        raise ValueError(
            f"negative_sampling: block={block} and shared={shared} must be multiples of 16, piece={piece} even"
        )
    if not all(np.isfinite(rate) and rate >= 0 for rate in lr):
        raise ValueError(f"negative_sampling: lr={lr} is not a pair of numbers from 0 on")
    loss, pairs, kept, blown_up, unknown = backend_of(
        input, output, ids, offsets, backend=backend
    ).negative_sampling(
        input=input,
        output=output,
        ids=ids,
        offsets=offsets,
        keep=keep,
        accept=noise.accept,
        alias=noise.alias,
        window=window,
        negative=negative,
        cbow=cbow,
        block=block,
        shared=shared,
        piece=piece,
        seed=seed,
        epoch=epoch,
        lr_begin=lr[0],
        lr_end=lr[1],
        threads=threads or 0,
        isa=isa or "",
        progress=progress,
    )
    if unknown >= 0:
        raise ValueError(
            f"negative_sampling: ids[{unknown}] is {ids[unknown]}, expected a word below {words}"
        )
    if blown_up >= 0:
        raise FloatingPointError(
            f"negative_sampling: epoch {epoch}: a score near token {blown_up} is not finite; lower lr={lr[0]:g}"
        )
    return Pass(loss / pairs if pairs else 0.0, pairs, kept)


# ---- topk ---------------------------------------------------------------------------------------


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
        Their cosines or dot products, rounded from float64.

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
    if threads is not None and number < 1:
        raise ValueError(f"topk: threads={number} is not positive")
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
        raise ValueError(
            f"topk: k={k} is not between 1 and the {items - 1} items that are not excluded"
        )
    return exclude
