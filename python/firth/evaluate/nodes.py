"""Node classification: how well the labels of nodes can be told from their vectors."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._errors import FormatError
from firth._reading import AnyPath
from firth.evaluate import _pairs
from firth.evaluate._learning import logistic, moments
from firth.evaluate.questions import lines, quoted
from firth.kernels._arguments import one_of, real, whole

if TYPE_CHECKING:
    from firth._backend import Doubles, Longs
    from firth.embedding import Embedding

Labels = AnyPath | Mapping[Any, Any]
Bools = npt.NDArray[np.bool_]

SCALES = ("none", "standard", "unit")
FEW = 1024  # up to so many columns, Newton's method is quicker than L-BFGS
SINGLE, DOUBLE = 4e6, 1e9  # greatest conditions that float32 and float64 are enough for


class NodeClassification(NamedTuple):
    """What `node_classification` found.

    Attributes
    ----------
    micro_f1, macro_f1
        Mean over the repeats: F1 of all decisions together, and the mean of the F1 of the classes;
        a class that is neither there nor predicted has F1 0.
    micro_sd, macro_sd
        Their standard deviation over the repeats (n - 1); 0 of one.
    repeats
        How many train and test sets there were.
    classes
        How many labels there are.
    nodes
        How many nodes with labels took part.
    unknown
        How many nodes with labels have no vector.
    """

    micro_f1: float
    macro_f1: float
    micro_sd: float
    macro_sd: float
    repeats: int
    classes: int
    nodes: int
    unknown: int


def node_classification(
    embedding: "Embedding",
    labels: Labels,
    *,
    train_share: float = 0.5,
    repeats: int = 10,
    train: Iterable[Any] | None = None,
    test: Iterable[Any] | None = None,
    scale: Literal["none", "standard", "unit"] = "none",
    strength: float = 1.0,
    oov: Literal["error", "skip", "zero"] = "error",
    seed: int = 1,
) -> NodeClassification:
    """Learn labels from the vectors of some nodes and tell those of the others.

    Parameters
    ----------
    embedding
        The vectors to judge.
    labels
        {node: its label, or a list, tuple or set of labels}, or a file with ``node<TAB>label`` on
        each line (also other white space; lines that start with # are comments), with several lines
        for nodes with several labels. Nodes are keys; whole numbers stand for their digits.
    train_share
        Of the nodes with labels, drawn anew for each repeat, unless `train` and `test` are given.
    repeats
        How many times.
    train, test
        Nodes of one fixed split; all have labels, and none is in both.
    scale
        What is learnt from: vectors as they are ("none"), with each column at mean 0 and variance
        1 over the training nodes ("standard"), or at length one ("unit"). As they are, short
        vectors are regularised more strongly than long ones.
    strength
        Of the regression: the inverse of its regularisation, scikit-learn's C.
    oov
        Nodes with labels but without a vector: "error" refuses them, "skip" leaves them out, "zero"
        gives them zeros. How many there are is reported.
    seed
        Of the train sets.

    Returns
    -------
    NodeClassification

    Raises
    ------
    KeyError
        A node without a vector, or one of `train` or `test` without a label.
    ValueError
        No labels, a single class, nobody to train on or to test; an argument out of range.
    FormatError
        A line that is not a node and a label, with its number, or a file without any.
    ImportError
        scikit-learn is not installed; it comes with ``firth[sklearn]``.

    Notes
    -----
    A logistic regression for each class is trained against the rest. A test node with m labels is
    given the m classes with the highest probability: the number of labels is taken as known, as in
    the paper. A class that no training node has comes after all others.

    References
    ----------
    Perozzi, Al-Rfou and Skiena, "DeepWalk: online learning of social representations" (2014),
    section 5.

    Examples
    --------
    >>> import firth
    >>> from firth.evaluate import node_classification
    >>> emb = firth.Embedding(list("abcdef"), [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])
    >>> sides = {"a": "left", "b": "left", "c": "left", "d": "right", "e": "right", "f": "right"}
    >>> node_classification(emb, sides, train=["a", "d"], test=["b", "f"]).micro_f1
    1.0
    """
    name = "node_classification"
    share = real(name, "train_share", train_share, 0, 1)
    repeats = whole(name, "repeats", repeats, 1, 10_000)
    one_of(name, "scale", scale, SCALES)
    one_of(name, "oov", oov, ("error", "skip", "zero"))
    real(name, "strength", strength, 1e-12, 1e12)
    seed = whole(name, "seed", seed, 0, 2**64 - 1)
    regression = logistic(name)
    given = read_labels(labels) if isinstance(labels, (str, os.PathLike)) else _named(labels)
    given = {node: found for node, found in given.items() if found}
    missing = [node for node in given if node not in embedding.index]
    if missing and oov == "error":
        raise KeyError(
            f"{name}: node {missing[0]!r} has a label and no vector ({len(missing)} of "
            f"{len(given)}; oov='skip' leaves them out, oov='zero' gives them zeros)"
        )
    if oov == "skip":
        for node in missing:
            del given[node]
    nodes, classes, is_of = _table(embedding, given)
    if len(classes) < 2:
        what = f"the single label {classes[0]!r}" if classes else "no label"
        raise ValueError(f"{name}: {len(nodes)} nodes with a vector have {what}, expected several")
    vectors = _vectors(embedding, nodes, scale)
    if (train is None) != (test is None):
        raise ValueError(f"{name}: train and test must be given both or not at all")
    if train is not None and test is not None:
        splits = [_fixed(train, test, nodes, missing if oov == "skip" else [])]
    else:
        many = round(share * len(nodes))
        if not 0 < many < len(nodes):
            raise ValueError(
                f"{name}: train_share={share:g} of {len(nodes)} nodes leaves nobody to "
                f"{'test' if many else 'train on'}"
            )
        orders = (
            _pairs.shuffled(len(nodes), seed, _pairs.NODES + repeat) for repeat in range(repeats)
        )
        splits = [(order[:many], order[many:]) for order in orders]
    scores = []
    for taught, asked in splits:
        learnt, tested = _scaled(vectors, taught, asked, scale)
        chances = _chances(regression, learnt, is_of[taught], tested, strength)
        scores.append(f1(is_of[asked], best(chances, is_of[asked].sum(axis=1))))
    micro, macro = np.array(scores).T
    spread = np.array(scores).std(axis=0, ddof=1) if len(scores) > 1 else np.zeros(2)
    return NodeClassification(
        micro_f1=float(micro.mean()),
        macro_f1=float(macro.mean()),
        micro_sd=float(spread[0]),
        macro_sd=float(spread[1]),
        repeats=len(scores),
        classes=len(classes),
        nodes=len(nodes),
        unknown=len(missing),
    )


def read_labels(path: AnyPath) -> dict[str, list[str]]:
    """Return the labels of each node of a file; `node_classification` says what it looks like."""
    found: dict[str, list[str]] = {}
    line = 0
    for line, text in lines(path):
        fields = text.split("\t") if text.count("\t") == 1 else text.split()
        node, label = (field.strip() for field in fields) if len(fields) == 2 else ("", "")
        if not node or not label:
            raise FormatError(path, f"line {line}", "a node and a label", quoted(text))
        found.setdefault(node, []).append(label)
    if not found:
        raise FormatError(path, f"line {line + 1}", "a node and a label", "the end of the file")
    return found


def best(chances: "Doubles", many: "Longs") -> Bools:
    """Return for each row so many of its greatest, (n, classes) bool; equal ones in order."""
    order = np.argsort(-chances, axis=1, kind="stable")
    chosen = np.zeros(chances.shape, np.bool_)
    np.put_along_axis(chosen, order, np.arange(chances.shape[1]) < many[:, None], axis=1)
    return chosen


def f1(truth: Bools, predicted: Bools) -> tuple[float, float]:
    """Return micro and macro F1 of decisions (n, classes); a class without any has F1 0."""
    right = (truth & predicted).sum(axis=0)
    all_of = truth.sum(axis=0) + predicted.sum(axis=0)
    return (
        float(2 * right.sum() / max(1, all_of.sum())),
        float((2 * right / np.maximum(1, all_of)).mean()),
    )


def _named(labels: Any) -> dict[str, list[Any]]:
    """Return the labels of each node as a list, and its name."""
    if not isinstance(labels, Mapping):
        raise TypeError(
            f"node_classification: labels must be a dict or a path, got {type(labels).__name__}"
        )
    several = (list, tuple, set, frozenset, np.ndarray)
    return {
        _name(node): list(found) if isinstance(found, several) else [found]
        for node, found in labels.items()
    }


def _name(node: Any) -> str:
    return node if isinstance(node, str) else str(int(node)) if _is_whole(node) else str(node)


def _is_whole(node: Any) -> bool:
    return isinstance(node, (int, np.integer)) and not isinstance(node, bool)


def _table(
    embedding: "Embedding", given: dict[str, list[Any]]
) -> tuple[list[str], list[Any], Bools]:
    """Return nodes in the order of their rows, classes, and which node is of which (n, classes)."""
    last = len(embedding.keys)
    nodes = sorted(given, key=lambda node: (embedding.index.get(node, last), node))
    kinds = {label for found in given.values() for label in found}
    classes = sorted(kinds, key=lambda label: (str(type(label)), label))
    column = {label: place for place, label in enumerate(classes)}
    is_of = np.zeros((len(nodes), len(classes)), np.bool_)
    for row, node in enumerate(nodes):
        is_of[row, [column[label] for label in given[node]]] = True
    return nodes, classes, is_of


def _vectors(embedding: "Embedding", nodes: list[str], scale: str) -> "Doubles":
    """Return a row for each node; zeros where there is no vector."""
    rows = np.array([embedding.index.get(node, -1) for node in nodes], np.int64)
    vectors = embedding.vectors[rows].astype(np.float64)
    vectors[rows < 0] = 0
    if scale == "unit":
        lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return vectors


def _scaled(
    vectors: "Doubles", taught: "Longs", asked: "Longs", scale: str
) -> tuple["Doubles", "Doubles"]:
    learnt, tested = vectors[taught], vectors[asked]
    if scale == "standard":
        mean, deviation = moments(learnt)
        learnt, tested = (learnt - mean) / deviation, (tested - mean) / deviation
    return learnt, tested


def _fixed(
    train: Iterable[Any], test: Iterable[Any], nodes: list[str], skipped: list[str]
) -> tuple["Longs", "Longs"]:
    """Return the places of the nodes of a fixed split."""
    name = "node_classification"
    place = {node: at for at, node in enumerate(nodes)}
    left_out, sides = set(skipped), []
    for what, side in (("train", train), ("test", test)):
        if isinstance(side, (str, bytes)):
            raise TypeError(f"{name}: {what} must be several nodes, got a single text")
        wanted = [node for node in map(_name, side) if node not in left_out]
        for node in wanted:
            if node not in place:
                raise KeyError(f"{name}: node {node!r} of {what} has no label")
        if not wanted:
            raise ValueError(f"{name}: {what} has no node with a label and a vector")
        sides.append(np.array([place[node] for node in dict.fromkeys(wanted)], np.int64))
    both = np.intersect1d(sides[0], sides[1])
    if len(both):
        raise ValueError(f"{name}: node {nodes[int(both[0])]!r} is in train and in test")
    return sides[0], sides[1]


def _chances(
    regression: Any,
    learnt: npt.NDArray[Any],
    is_of: Bools,
    tested: npt.NDArray[Any],
    strength: float,
) -> "Doubles":
    """Return how likely each tested node is of each class, as log odds."""
    solver = "newton-cholesky" if learnt.shape[1] <= FEW else "lbfgs"
    # About the condition of what Newton's method solves. Beyond that of float64 nothing would be
    # regularised that numbers can tell: there, vectors are shorter.
    condition = strength * np.square(learnt).sum()
    if condition > DOUBLE:
        factor = np.sqrt(DOUBLE / condition)
        learnt, tested = learnt * factor, tested * factor
    dtype = np.float32 if condition < SINGLE else np.float64
    learnt, tested = learnt.astype(dtype), tested.astype(dtype)
    model = regression(C=float(strength), solver=solver, max_iter=1000)
    odds = np.empty((len(tested), is_of.shape[1]))
    for column, truth in enumerate(is_of.T):
        if truth.all() or not truth.any():
            odds[:, column] = np.inf if truth.all() else -np.inf
        else:
            odds[:, column] = model.fit(learnt, truth).decision_function(tested)
    return odds
