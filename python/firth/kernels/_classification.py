"""classification: check the arrays, call the backend; and the tree of the hierarchical softmax."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._backend import Floats, Longs, backend_of
from firth.kernels._arguments import (
    first_outside,
    integer,
    number_of_threads,
    one_of,
    shown,
    typed,
)
from firth.kernels._subwords import Bags, bags_of
from firth.kernels._tables import PADDING

_NAME = "classification"
_LOSSES = ("softmax", "ova", "hs")
_DEEPEST = 192  # counts from 1 to 2**63 - 1 in falling order stay far below
_MOST_RATE = float(np.finfo(np.float32).max)


class Learnt(NamedTuple):
    """What one pass of :func:`classification` did.

    Attributes
    ----------
    loss
        Mean loss of an example, summed in double precision; 0 if there was none.
    examples
        How many were trained.
    """

    loss: float
    examples: int


def huffman_paths(counts: npt.ArrayLike) -> Bags:
    """Return the path of each label through a Huffman tree, as :func:`classification` takes it.

    Two nodes of the least counts become the children of a new one until a single node is left.
    Ties are broken as the program fastText does it, since rows of its files are nodes: labels are
    taken from the last to the first, which should have descending counts, and a label goes before
    an inner node only if its count is smaller; the child taken first is to the left.

    Parameters
    ----------
    counts
        (labels,) how often each label was seen.

    Returns
    -------
    Bags
        Of each label, from its parent to the root: twice the inner node, counted from 0 in the
        order in which they were made, plus 1 where the way down turns right.

    Raises
    ------
    ValueError
        Counts, such as many zeros, whose tree is so deep that its paths would take endless memory.

    Examples
    --------
    >>> offsets, ids = huffman_paths([5, 3, 1])
    >>> [ids[a:b].tolist() for a, b in zip(offsets, offsets[1:])]
    [[3], [1, 2], [0, 2]]
    """
    sizes = [float(count) for count in np.asarray(counts).tolist()]
    labels = len(sizes)
    parents = [-1] * max(2 * labels - 1, labels)
    right = [0] * len(parents)
    leaf, inner = labels - 1, labels
    for new in range(labels, 2 * labels - 1):
        size = 0.0
        for turn in (0, 1):
            if leaf >= 0 and (inner >= len(sizes) or sizes[leaf] < sizes[inner]):
                child, leaf = leaf, leaf - 1
            else:
                child, inner = inner, inner + 1
            parents[child], right[child] = new, turn
            size += sizes[child]
        sizes.append(size)
    depths = [0] * len(parents)
    for node in range(len(parents) - 2, -1, -1):  # a parent has a greater number
        depths[node] = depths[parents[node]] + 1
    if max(depths, default=0) > _DEEPEST:
        raise ValueError(
            f"huffman_paths: counts give a path of {max(depths)} nodes, expected at most {_DEEPEST}"
        )
    offsets = np.zeros(labels + 1, np.int64)
    np.cumsum(depths[:labels], out=offsets[1:])
    ids = np.empty(int(offsets[-1]), np.uint32)
    above, turns = np.array(parents), np.array(right)
    at, nodes = offsets[:-1], np.arange(labels)
    while (there := above[nodes] >= 0).any():  # all labels take a step up at a time
        at, nodes = at[there], nodes[there]
        ids[at] = 2 * (above[nodes] - labels) + turns[nodes]
        at, nodes = at + 1, above[nodes]
    return Bags(offsets, ids)


def classification(
    input: Floats,
    output: Floats,
    bags: Bags,
    labels: Bags,
    *,
    loss: str = "softmax",
    paths: Bags | None = None,
    positions: Longs | None = None,
    seed: int = 1,
    epoch: int = 0,
    lr: tuple[float, float] = (0.1, 0.1),
    threads: int | None = None,
    progress: Callable[[int, float, int], object] | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Learnt:
    """Train a linear classifier of bags, one pass over examples, in place.

    The mean of the rows of ``input`` that an example's bag names is scored against the rows of
    ``output``. Threads update rows without locks; one thread takes the examples in order. The
    definition is in ``cpp/include/firth/classification.h``.

    Parameters
    ----------
    input
        (rows, dim) float32, C-contiguous, updated in place.
    output
        (labels, dim) float32, updated in place; with ``loss="hs"`` row i is inner node i. Columns
        of zeros behind, up to a multiple of 16, stay zero; :func:`padded_rows` has them.
    bags
        Of each example the rows of ``input``, at least one.
    labels
        Of each example the labels, at least one.
    loss
        ``"softmax"`` and ``"hs"`` (hierarchical softmax) train an example for one of its labels,
        drawn anew in each epoch; ``"ova"`` (one against all) for all its labels.
    paths
        The way to each label, from :func:`huffman_paths`; with ``loss="hs"`` only.
    positions
        (examples + 1,) int64 rising from 0: where each example begins in what the learning rate
        falls along. None counts examples.
    seed, epoch
        The labels that are drawn depend on these and on the number of the example alone.
    lr
        Learning rate at the beginning and at the end of this pass; linear between.
    threads
        None: as many as :func:`firth.set_num_threads` says.
    progress
        Called about every 50 ms with (positions done, loss so far, examples so far); what it raises
        stops the pass.

    Returns
    -------
    Learnt

    Raises
    ------
    FloatingPointError
        A score was infinite or not a number; the example that met it changed nothing.
    ValueError, TypeError
        An argument is out of its range, or an array has another shape or dtype.

    References
    ----------
    Joulin, Grave, Bojanowski and Mikolov, "Bag of tricks for efficient text classification" (2016).
    """
    one_of(_NAME, "loss", loss, _LOSSES)
    for name, table in (("input", input), ("output", output)):
        _check_table(name, table)
    dim = input.shape[1]
    if not dim <= output.shape[1] <= -(-dim // PADDING) * PADDING:
        raise ValueError(f"{_NAME}: output has shape {output.shape}, expected (labels, {dim})")
    if output.shape[1] > dim and output[:, dim:].any():
        raise ValueError(f"{_NAME}: output has numbers behind the {dim} columns of input")
    tree = loss == "hs"
    if tree != (paths is not None):
        needed = "needs" if tree else "has no"
        raise ValueError(f"{_NAME}: loss={loss!r} {needed} paths")
    bags, labels = _given("bags", bags), _given("labels", labels)
    paths = None if paths is None else _given("paths", paths)
    many = len(output) if paths is None else len(paths.offsets) - 1
    examples = len(bags.offsets) - 1
    _check_bags("bags", bags, examples, len(input), 1)
    _check_bags("labels", labels, examples, many, 1)
    if paths is None:
        paths = Bags(np.zeros(0, np.int64), np.zeros(0, np.uint32))
    else:
        _check_bags("paths", paths, many, 2 * len(output), 0)
        longest = int(np.diff(paths.offsets).max(initial=0))
        if longest > len(output):
            raise ValueError(
                f"{_NAME}: paths has one of {longest} nodes, expected at most {len(output)}"
            )
    if positions is None:
        positions = np.arange(examples + 1, dtype=np.int64)
    typed(_NAME, "positions", positions, np.int64, ((examples + 1,),))
    if positions[0] != 0 or bool((positions[1:] < positions[:-1]).any()):
        raise ValueError(f"{_NAME}: positions must rise from 0")
    if examples and positions[-1] == 0:
        raise ValueError(f"{_NAME}: positions must rise above 0")
    for name, value, most in (("seed", seed, 2**64 - 1), ("epoch", epoch, 2**32 - 1)):
        if not 0 <= integer(_NAME, name, value) <= most:
            raise ValueError(f"{_NAME}: {name}={value} is not between 0 and {most}")
    try:
        first_rate, last_rate = (float(rate) for rate in lr)
    except (TypeError, ValueError):
        raise TypeError(f"{_NAME}: lr={shown(lr)} is not a pair of numbers") from None
    if not (0 <= first_rate <= _MOST_RATE and 0 <= last_rate <= _MOST_RATE):
        raise ValueError(f"{_NAME}: lr={lr} is not a pair of float32 numbers from 0 on")
    workers = number_of_threads(_NAME, threads)
    if not examples:
        return Learnt(0.0, 0)
    total, trained, blown_up = backend_of(input, output, backend=backend).classification(
        input=input,
        output=output,
        bag_offsets=bags.offsets,
        bag_ids=bags.ids,
        label_offsets=labels.offsets,
        label_ids=labels.ids,
        path_offsets=paths.offsets,
        path_ids=paths.ids,
        positions=np.ascontiguousarray(positions),
        loss=_LOSSES.index(loss),
        seed=seed,
        epoch=epoch,
        lr_begin=first_rate,
        lr_end=last_rate,
        threads=workers,
        isa=isa or "",
        progress=progress,
    )
    if blown_up >= 0:
        raise FloatingPointError(
            f"{_NAME}: epoch {epoch}: a score of example {blown_up} is not finite; "
            f"lower lr={first_rate:g}"
        )
    return Learnt(total / trained if trained else 0.0, trained)


def _check_table(name: str, table: Any) -> None:
    typed(_NAME, name, table, np.float32, ((None, None),))
    if 0 in table.shape:
        raise ValueError(f"{_NAME}: {name} has shape {table.shape}, expected rows of numbers")
    if not (table.flags.c_contiguous and table.flags.writeable):
        raise ValueError(
            f"{_NAME}: {name} must be C-contiguous and writeable, it is updated in place"
        )


def _given(name: str, bags: object) -> Bags:
    """Return a pair of arrays as bags, of which there may be none."""
    given = bags_of(_NAME, name, bags)
    typed(_NAME, f"{name}.offsets", given.offsets, np.int64, ((None,),))
    if not len(given.offsets):
        raise ValueError(f"{_NAME}: {name}.offsets is empty, expected at least a 0")
    return given


def _check_bags(name: str, bags: Bags, many: int, below: int, least: int) -> None:
    """Raise unless there are that many bags, of at least so many ids below a number."""
    typed(_NAME, f"{name}.offsets", bags.offsets, np.int64, ((many + 1,),))
    typed(_NAME, f"{name}.ids", bags.ids, np.uint32, ((None,),))
    if not (bags.offsets.flags.c_contiguous and bags.ids.flags.c_contiguous):
        raise ValueError(f"{_NAME}: {name} must be C-contiguous")
    sizes = np.diff(bags.offsets)
    if bags.offsets[0] != 0 or bags.offsets[-1] != len(bags.ids) or bool((sizes < 0).any()):
        raise ValueError(f"{_NAME}: {name}.offsets must rise from 0 to the {len(bags.ids)} ids")
    if bool((sizes < least).any()):
        raise ValueError(f"{_NAME}: {name} has nothing for example {int((sizes < least).argmax())}")
    place = first_outside(bags.ids, 0, below)
    if place >= 0:
        raise ValueError(
            f"{_NAME}: {name}.ids[{place}] is {bags.ids[place]}, expected one below {below}"
        )
