"""The command ``firth``: its parser, and the one place where errors become messages and exit codes.

Data goes to stdout, everything else to stderr. Each command is a module with ``arguments(parser)``
and ``run(options)``, which is imported when the command is used.
"""

import argparse
import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from firth import __version__

DONE, FAILED, USAGE = 0, 1, 2
INTERRUPTED = 128 + signal.SIGINT
CLOSED = 128 + signal.SIGPIPE

# Name -> (module, what it does).
COMMANDS = {
    "train": ("firth.cli.train", "train a model on a text, a graph or ratings"),
    "count": ("firth.cli.count", "count who stands beside whom in a text"),
    "nearest": ("firth.cli.nearest", "print the words closest to a word"),
    "analogy": ("firth.cli.analogy", "answer: A is to B as C is to what?"),
    "links": ("firth.cli.links", "print links that may be next, or judge by links held out"),
    "recommend": ("firth.cli.recommend", "print what users will like, or similar items"),
    "predict": ("firth.cli.predict", "print the labels of texts"),
    "test": ("firth.cli.test", "hold a classifier against texts with labels"),
    "eval": ("firth.cli.evaluate", "hold vectors against word pairs and analogies"),
    "convert": ("firth.cli.convert", "turn one file format into another"),
    "info": ("firth.cli.info", "say what a file of vectors holds"),
    "demo": ("firth.cli.demo", "train on a small text and show what was learnt"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv
        The arguments after the command's name; None takes those of the process.

    Returns
    -------
    int
        0 done, 1 failed, 2 wrong usage, 130 interrupted by Ctrl-C, 141 nobody reads the output.
    """
    options = argparse.Namespace(debug=False)
    if sys.stdout is None:  # closed by the caller, who wants nothing printed but may want a file
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):  # words are bytes: they leave as they came
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
        _parser().parse_args(argv, options)
        code: int = options.run(options)
        sys.stdout.flush()
    except SystemExit as stop:  # from argparse: after --help or --version, or on wrong usage
        return stop.code if isinstance(stop.code, int) else FAILED
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, BrokenPipeError):
            _drop_output()
            return CLOSED
        if options.debug:
            raise
        if isinstance(error, OSError):
            _drop_output()  # it may be the output that failed, and would fail again at the exit
        complain(f"error: {message(error)}")
        return FAILED
    return code


def complain(text: str) -> None:
    """Write one line to stderr, unless there is nobody to read it."""
    if sys.stderr is None:
        return
    line = f"firth: {' '.join(text.split())}\n"
    try:
        sys.stderr.write(line.encode("utf-8", "backslashreplace").decode())
        sys.stderr.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise


def message(error: Exception) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"out of memory{': ' if error.args else ''}{error}"
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, (ValueError, OSError, KeyError, FloatingPointError)) and text:
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"


class Parser(argparse.ArgumentParser):
    """A parser that is filled when it is first used, so that only one command is imported."""

    def __init__(self, fill: Callable[["Parser"], None] | None = None, **more: Any) -> None:
        super().__init__(allow_abbrev=False, **more)
        self._fill = fill

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Fill the parser, then parse."""
        if self._fill is not None:
            fill, self._fill = self._fill, None
            fill(self)
        return super().parse_known_args(args, namespace)


def _parser() -> Parser:
    parser = Parser(
        prog="firth",
        description="Embeddings from the company things keep.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. "
        "'firth COMMAND --help' says more.",
    )
    parser.add_argument("--version", action="version", version=f"firth {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=Parser
    )
    for name, (module, text) in COMMANDS.items():
        commands.add_parser(name, help=text, description=text.capitalize(), fill=_filled(module))
    return parser


def _filled(module: str) -> Callable[[Parser], None]:
    def fill(parser: Parser) -> None:
        importlib.import_module(module).arguments(parser)

    return fill


def _drop_output() -> None:
    """Send what is left in stdout's buffer nowhere, if it can go nowhere else."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        try:
            with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
        except (OSError, ValueError):  # stdout has no file: there is nothing to flush at the exit
            return
