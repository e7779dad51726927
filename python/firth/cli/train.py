"""``firth train MODEL INPUT -o OUT``: the flags of a model are the fields of its dataclass."""

import argparse
import importlib
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from firth import cli
from firth._progress import on_terminal
from firth.cli import files, flags, output

if TYPE_CHECKING:
    from firth.embedding import Embedding

# Name on the command line -> (module, class). A new model is one line here.
MODELS = {
    "word2vec": ("firth.models.word2vec", "Word2Vec"),
    "fasttext": ("firth.models.fasttext", "FastText"),
}


def arguments(parser: cli.Parser) -> None:
    """Add one subcommand for each model."""
    models = parser.add_subparsers(
        dest="model", metavar="MODEL", required=True, parser_class=cli.Parser
    )
    for name in MODELS:
        models.add_parser(name, help=f"see 'firth train {name} --help'", fill=_filled(name))


def model_of(name: str) -> type[Any]:
    """Return the dataclass of that name on the command line."""
    module, attribute = MODELS[name]
    model: type[Any] = getattr(importlib.import_module(module), attribute)
    return model


def _filled(name: str) -> Callable[[cli.Parser], None]:
    def fill(parser: cli.Parser) -> None:
        model = model_of(name)
        parser.description = (model.__doc__ or name).strip().splitlines()[0]
        parser.epilog = (
            "Ctrl-C ends the training and keeps in OUT what was learnt until then; a second one "
            "gives that up, too."
        )
        parser.add_argument(
            "input",
            metavar="INPUT",
            help="text, one sentence per line, may be a .gz, .bz2, .xz or .zst; - for stdin",
        )
        parser.add_argument(
            "-o", "--output", metavar="OUT", required=True, help="where to write; - for stdout"
        )
        parser.add_argument("--format", metavar="FORMAT", help=files.FORMAT_HELP)
        flags.progress(parser)
        flags.common(parser, json="a summary")
        flags.add_fields(parser.add_argument_group("the model"), model)
        parser.set_defaults(run=run, usage=parser.error)

    return fill


def run(options: argparse.Namespace) -> int:
    """Train and write."""
    try:
        model = flags.from_options(model_of(options.model), options)
    except (TypeError, ValueError) as error:
        options.usage(str(error))
    if options.json and options.output == "-":
        options.usage("--json and the vectors cannot both go to stdout")
    destination = files.Destination(options.output, options.format)
    start = time.perf_counter()
    with Interrupts() as interrupts:
        embedding = trained(model, options.input, options.progress)
        with interrupts.deferred():
            destination.write(embedding)
    interrupted = interrupts.count > 0
    if options.json:
        output.as_json(
            {
                "output": options.output,
                "format": destination.format,
                "keys": len(embedding),
                "dim": int(embedding.vectors.shape[1]),
                "seconds": round(time.perf_counter() - start, 3),
                "interrupted": interrupted,
            }
        )
    if interrupted or on_terminal():
        state = "interrupted; kept" if interrupted else "wrote"
        cli.complain(
            f"{state} {len(embedding)} vectors of {embedding.vectors.shape[1]} numbers "
            f"in {'stdout' if options.output == '-' else options.output}"
        )
    return cli.INTERRUPTED if interrupted else cli.DONE


def trained(model: Any, text: str, progress: bool | None) -> "Embedding":
    """Return what the model learns from the text, also if Ctrl-C ends it early.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before there was anything to keep.
    """
    try:
        embedding: Embedding = model.fit(text, progress=progress)
    except KeyboardInterrupt as stop:
        embedding = getattr(stop, "embedding", None)  # type: ignore[assignment]
        if embedding is None:
            raise
    return embedding


class Interrupts:
    """Counts Ctrl-C. The first one while a result is written waits: the result is to be kept."""

    def __init__(self) -> None:
        self.count = 0
        self._deferring = False
        self._before: Any = None

    def __enter__(self) -> Self:
        """Start to count; other threads than the main one never see a signal."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._signalled)
        return self

    def __exit__(self, *error: object) -> None:
        """Give the signal back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def deferred(self) -> "_Deferred":
        """Return a context in which the first Ctrl-C of all is only counted."""
        return _Deferred(self)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if not (self._deferring and self.count == 1):
            raise KeyboardInterrupt


class _Deferred:
    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts

    def __enter__(self) -> None:
        self.interrupts._deferring = True

    def __exit__(self, *error: object) -> None:
        self.interrupts._deferring = False
