"""What ``firth train`` reads: text, counts, a graph, interactions or sessions, and their flags."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firth.cli import Parser

COUNTING = {"glove", "ppmi"}  # these also take counts
READING = {"word2vec", "fasttext"}  # these read a text as often as they have epochs
GRAPHS = {"node2vec", "deepwalk", "line", "fastrp"}
RATINGS = {"bpr", "warp", "ease", "lightgcn"}  # what they learn is a recommender
FEATURES = {"fastrp"}

_PACKED = "may be a .gz, .bz2, .xz or .zst; - for stdin"


def input_help(model: str, supervised: bool) -> str:
    """Return what the input of a model is."""
    if model in GRAPHS:
        return f"edges, two nodes and perhaps a weight per line, {_PACKED}"
    if model in RATINGS:
        return f"interactions, a user and an item per line, {_PACKED}"
    if model == "item2vec":
        return f"sessions of items, one per line, {_PACKED}"
    what = "example with its labels" if supervised else "sentence"
    counts = ", or a folder of counts" if model in COUNTING else ""
    return f"text, one {what} per line, {_PACKED}{counts}"


def arguments(parser: "Parser", model: str) -> None:
    """Add the flags that say how the input is read."""
    if model in READING:
        text = 'what the ids of the text may take, as in "2 GB"; what does not fit goes to the '
        text += "disk (default: no limit)"
        parser.add_argument("--memory", metavar="BYTES", help=text)
        text = "where on the disk (default: that of temporary files)"
        parser.add_argument("--folder", metavar="PATH", help=text)
    if model in GRAPHS:
        parser.add_argument("--directed", action="store_true", help="edges lead one way only")
        _add_delimiter(parser)
    if model in FEATURES:
        text = "features of the nodes in row order: a .npz of scipy.sparse or a .npy (nodes, n)"
        parser.add_argument("--features", metavar="FILE", help=text)
    if model in RATINGS:
        for name, what in (("user", "0"), ("item", "1"), ("rating", "none"), ("time", "none")):
            parser.add_argument(
                f"--{name}-column",
                metavar="COLUMN",
                type=_column,
                default=int(what) if what != "none" else None,
                help=f"number from 0 or name of the column of {name}s (default: {what})",
            )
        text = "leave out interactions with a lower rating (default: none)"
        parser.add_argument("--least", type=float, metavar="X", help=text)
        _add_delimiter(parser)


def _add_delimiter(parser: "Parser") -> None:
    text = "between columns (default: found out from the first line)"
    parser.add_argument("--delimiter", metavar="TEXT", help=text)


def _column(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def read(model: str, path: str, options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """Return what a model learns from, and what else its ``fit`` is given."""
    if model in GRAPHS:
        from firth.graph import Graph

        graph = Graph.read(
            _input(path),
            directed=options.directed,
            delimiter=options.delimiter,
            progress=options.progress,
        )
        features = getattr(options, "features", None)
        return graph, {} if features is None else {"features": _features(features)}
    if model in RATINGS:
        from firth.interactions import Interactions

        found = Interactions.read(
            _input(path),
            user=options.user_column,
            item=options.item_column,
            rating=options.rating_column,
            time=options.time_column,
            least=options.least,
            delimiter=options.delimiter,
            progress=options.progress,
        )
        return found, {}
    if model in COUNTING and Path(path).is_dir():
        from firth.counts import Counts

        return Counts.load(path), {}
    return path, {}


def _input(path: str) -> Any:
    """Return the path, or standard input as a file of bytes."""
    import sys

    return sys.stdin.buffer if path == "-" else path


def _features(path: str) -> Any:
    """Return a matrix of a file, nothing of which is run."""
    if Path(path).suffix == ".npy":
        import numpy as np

        return np.load(path, allow_pickle=False)
    try:
        from scipy.sparse import load_npz
    except ImportError as error:
        raise ImportError("--features needs SciPy: pip install 'firth[scipy]'") from error
    return load_npz(path)
