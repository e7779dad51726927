"""negative_sampling: check the arrays, call the backend."""

import operator
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from firth._backend import Floats, Ids, Longs, backend_of
from firth.kernels._arguments import contiguous, first_fall, first_outside, overlap, part_of
from firth.kernels._subwords import Bags, bags_of, check_bags

_NO_IDS = np.zeros(0, np.uint32)
_NO_BAGS = Bags(np.zeros(0, np.int64), _NO_IDS)


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


def _check_array(array: object, name: str, dtype: npt.DTypeLike, ndim: int) -> None:
    kind = getattr(array, "dtype", None)
    if kind != dtype or array.ndim != ndim:  # type: ignore[attr-defined]
        found = type(array).__name__ if kind is None else f"{array.ndim}-d {kind}"  # type: ignore[attr-defined]
        raise TypeError(
            f"negative_sampling: {name} is {found}, expected {ndim}-d {np.dtype(dtype)}"
        )
    contiguous("negative_sampling", name, array)


def _check_table(table: Floats, name: str) -> None:
    dtype = getattr(table, "dtype", type(table).__name__)
    if dtype != np.float32:
        raise TypeError(f"negative_sampling: {name} has dtype {dtype}, expected float32")
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(
            f"negative_sampling: {name} has shape {table.shape}, expected (words, dim)"
        )
    flags = table.flags
    sound = getattr(flags, "writeable", True) and getattr(flags, "aligned", True)  # CuPy has none
    if not (flags.c_contiguous and sound):
        raise ValueError(
            f"negative_sampling: {name} must be C-contiguous, aligned and writeable, it is updated "
            "in place"
        )


def _checked(bags: Bags, words: int | None, rows: int) -> Bags:
    bags = bags_of("negative_sampling", "bags", bags)
    check_bags("negative_sampling", "bags", bags, rows, "input")
    if words is not None and len(bags.offsets) != words + 1:
        raise ValueError(
            f"negative_sampling: bags has {len(bags.offsets) - 1} bags, expected one for each of "
            f"the {words} words"
        )
    return bags


def _check_sources(
    sources: Ids, tokens: int, part: tuple[int, int], inputs: int, what: str, cbow: bool
) -> None:
    if cbow:
        raise ValueError(
            "negative_sampling: cbow=True is not for sources: pairs have no company to average"
        )
    _check_array(sources, "sources", np.uint32, 1)
    if len(sources) != tokens:
        raise ValueError(
            f"negative_sampling: sources has {len(sources)} entries, expected one for each of the "
            f"{tokens} ids"
        )
    place = part[0] + first_outside(sources[slice(*part)], 0, inputs)
    if place >= part[0]:
        raise ValueError(
            f"negative_sampling: sources[{place}] is {sources[place]}, expected one of the "
            f"{inputs} {what}"
        )


def _part(part: object, unit: int, name: str, tokens: int) -> tuple[int, int]:
    first, last = part_of("negative_sampling", part, tokens)
    for end in (first, last):
        if end % unit and end != tokens:
            raise ValueError(
                f"negative_sampling: part=({first}, {last}) cuts at {end}, expected multiples of "
                f"{name}={unit} or the {tokens} tokens' end"
            )
    return (first, last) if first < last else (0, 0)


def negative_sampling(
    input: Floats,
    output: Floats,
    ids: Ids,
    offsets: Longs,
    *,
    keep: Ids,
    noise: Ids,
    sources: Ids | None = None,
    bags: Bags | None = None,
    window: int = 5,
    negative: int = 5,
    cbow: bool = False,
    seed: int = 1,
    epoch: int = 0,
    lr: tuple[float, float] = (0.025, 0.025),
    block: int = 32,
    shared: int = 32,
    piece: int = 4096,
    round: int = 0,
    part: tuple[int, int] | None = None,
    threads: int | None = None,
    progress: Callable[[int, float, int], object] | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Pass:
    """Train skip-gram or CBOW vectors with negative sampling, one pass over a corpus, in place.

    Blocks of ``block`` centres share ``shared`` negatives, each weighing ``negative / shared``:
    the expected gradient is that of ``negative`` private ones. Threads update rows without locks,
    unless there are rounds. The definition is in ``cpp/include/firth/negative_sampling.h``.

    Parameters
    ----------
    input, output
        (words, dim) float32 tables, C-contiguous, updated in place. With ``bags`` the input is
        (rows, dim).
    ids
        (tokens,) uint32 words of the corpus.
    offsets
        (sentences + 1,) int64: sentence s is ``ids[offsets[s]:offsets[s + 1]]``.
    keep
        (words,) uint32, from :func:`keep_chances`.
    noise
        From :func:`noise`.
    sources
        (tokens,) uint32: explicit pairs, such as edges of a graph, or users and items. Token t is
        then one pair, the input ``sources[t]`` and the target ``ids[t]``; windows and sentences
        mean nothing, ``keep`` is that of targets, and ``input`` may have any number of rows, or
        ``bags`` any number of bags. Not with ``cbow``.
    bags
        For each word rows of ``input``, as :class:`Bags` of (words + 1,) int64 offsets and uint32
        ids. A word is then the mean of its rows (the company of CBOW that of all rows of its
        words), and each row takes the whole step, once for each time it stands in the bag. A word
        whose bag is empty is zeros and stays so. None: word w is row w.
    window
        Largest distance of company, in kept tokens; each centre draws its own from 1 to this.
    negative
        Noise words a pair, in expectation. 0: none, so that nothing keeps vectors apart.
    cbow
        The company predicts the centre, instead of the centre its company.
    seed, epoch
        What is drawn depends on these and on the position in the corpus alone; negatives also on
        ``block``, ``shared`` and ``piece``.
    lr
        Learning rate at the beginning and at the end of this pass; linear between.
    block
        Centres that see one state of the tables and share negatives. Where few words make up the
        corpus, small blocks are needed: a row takes all the steps of its block at once.
    shared
        Negatives of a block, a multiple of 16.
    piece
        Tokens a task; an even number.
    round
        0: steps are added as they are found; with several threads results vary a little. A multiple
        of ``piece``: so many tokens see one state of the tables, and their steps are then added in
        order, which makes the tables the same, bit for bit, on any number of threads; ``input`` and
        ``output`` must then not share memory. Array code works in rounds always, of ``piece``
        tokens for 0.
    part
        Train the tokens [first, last) of the corpus alone, as the whole pass does when it comes to
        them: with the same draws, company and learning rate. Both are multiples of ``round``, or
        of ``piece`` without rounds, or the corpus' end. None: all.
    threads
        None: as many as :func:`firth.set_num_threads` says.
    progress
        Called about every 50 ms with (tokens done, loss so far, pairs so far) of this call; what it
        raises stops the pass.

    Returns
    -------
    Pass

    Raises
    ------
    FloatingPointError
        A score was infinite or not a number; the block that met it, or its round, was not applied.
    ValueError, TypeError
        An argument is out of its range, or an array has another shape or dtype.

    Examples
    --------
    Users 0 and 1 met items 2 and 0 of three; what met moves together:

    >>> import numpy as np
    >>> from firth.kernels import keep_chances, noise
    >>> users, items = np.ones((2, 4), np.float32), np.zeros((3, 4), np.float32)
    >>> met, by = np.array([2, 0], np.uint32), np.array([0, 1], np.uint32)
    >>> done = negative_sampling(users, items, met, np.array([0, 2]), sources=by, negative=0,
    ...                          keep=keep_chances([1, 0, 1], 0), noise=noise([1, 0, 1]), lr=(1, 1))
    >>> done.pairs, items[:, 0].tolist()
    (2, [0.5, 0.0, 0.5])

    References
    ----------
    Mikolov, Sutskever, Chen, Corrado and Dean, "Distributed representations of words and phrases
    and their compositionality" (2013). Bojanowski, Grave, Joulin and Mikolov, "Enriching word
    vectors with subword information" (2017), for bags. Ji, Satish, Li and Dubey, "Parallelizing
    word2vec in shared and distributed memory" (2016), for sharing negatives.
    """
    _check_table(input, "input")
    _check_table(output, "output")
    words = len(output)
    free = bags is not None or sources is not None  # the input has as many rows as it likes
    expected = (words, input.shape[1]) if free else input.shape
    if output.shape != expected:
        raise ValueError(f"negative_sampling: output has shape {output.shape}, expected {expected}")
    bag_offsets, bag_ids = (
        _NO_BAGS if bags is None else _checked(bags, words if sources is None else None, len(input))
    )
    for name, array, dtype, ndim in (
        ("ids", ids, np.uint32, 1),
        ("offsets", offsets, np.int64, 1),
        ("keep", keep, np.uint32, 1),
        ("noise", noise, np.uint32, 2),
    ):
        _check_array(array, name, dtype, ndim)
    for name, array, shape in (("keep", keep, (words,)), ("noise", noise, (words, 2))):
        if array.shape != shape:
            raise ValueError(f"negative_sampling: {name} has shape {array.shape}, expected {shape}")
    if int(noise[:, 1].max()) >= words:
        raise ValueError(
            f"negative_sampling: noise has word {noise[:, 1].max()}, expected words below {words}"
        )
    sound = len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == len(ids)
    if not sound or first_fall(offsets) > 0:
        raise ValueError(f"negative_sampling: offsets must rise from 0 to the {len(ids)} tokens")
    for name, value, least, most in (
        ("window", window, 1, 10_000),
        ("negative", negative, 0, 10_000),
        ("epoch", epoch, 0, 2**32 - 1),
        ("seed", seed, 0, 2**64 - 1),
        ("block", block, 1, 4096),
        ("shared", shared, 16, 4096),
        ("piece", piece, 2, 2**20),
        ("round", round, 0, 2**30),
        ("threads", threads or 0, 0, 4096),
    ):
        try:
            operator.index(value)
        except TypeError:
            raise TypeError(f"negative_sampling: {name}={value!r} is not a whole number") from None
        if not least <= value <= most:
            raise ValueError(f"negative_sampling: {name}={value} is not between {least} and {most}")
    if shared % 16 or piece % 2:
        raise ValueError(
            f"negative_sampling: shared={shared} must be a multiple of 16, piece={piece} even"
        )
    most_lr = float(np.finfo(np.float32).max)
    try:
        first_lr, last_lr = (float(rate) for rate in lr)
    except (TypeError, ValueError):
        raise TypeError(f"negative_sampling: lr={lr!r} is not a pair of numbers") from None
    if not (0 <= first_lr <= most_lr and 0 <= last_lr <= most_lr):
        raise ValueError(f"negative_sampling: lr={lr} is not a pair of float32 numbers from 0 on")
    if not isinstance(cbow, (bool, np.bool_)):
        raise TypeError(f"negative_sampling: cbow={cbow!r} is not False or True")
    if round % piece:
        raise ValueError(f"negative_sampling: round={round} is not a multiple of piece={piece}")
    if round and overlap(input, output):
        raise ValueError(
            "negative_sampling: input and output share memory, expected two tables for rounds"
        )
    first, last = _part(part, round or piece, "round" if round else "piece", len(ids))
    arrays = [input, output, ids, offsets]
    if sources is not None:
        what, inputs = ("rows", len(input)) if bags is None else ("bags", len(bag_offsets) - 1)
        _check_sources(sources, len(ids), (first, last), inputs, what, cbow)
        arrays.append(sources)
    loss, pairs, kept, blown_up, unknown = backend_of(*arrays, backend=backend).negative_sampling(
        input=input,
        output=output,
        ids=ids,
        sources=_NO_IDS if sources is None else sources,
        offsets=offsets,
        bag_offsets=bag_offsets,
        bag_ids=bag_ids,
        keep=keep,
        noise=noise,
        window=window,
        negative=negative,
        cbow=bool(cbow),
        block=block,
        shared=shared,
        piece=piece,
        round=min(round, -(-(last - first) // piece) * piece),  # more would be room for nothing
        first=first,
        last=last,
        seed=seed,
        epoch=epoch,
        lr_begin=first_lr,
        lr_end=last_lr,
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
            f"negative_sampling: epoch {epoch}: a score near token {blown_up} is not finite; "
            f"lower lr={first_lr:g}"
        )
    return Pass(loss / pairs if pairs else 0.0, pairs, kept)
