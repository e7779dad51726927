"""``firth train MODEL INPUT -o OUT``: the flags of a model are the fields of its dataclass."""

import argparse
import importlib
import inspect
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
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
    "ppmi": ("firth.models.ppmi", "PPMI"),
    "fasttext": ("firth.models.fasttext", "FastText"),
    "glove": ("firth.models.glove", "GloVe"),
}
COUNTING = {"glove", "ppmi"}
READING = {"word2vec", "fasttext"}  # that read a text as often as they have epochs
# What a model is with --supervised: one that learns labels.
SUPERVISED = {"fasttext": ("firth.models.fasttext_classifier", "FastTextClassifier")}
FLAG = "--supervised"


def arguments(parser: cli.Parser) -> None:
    """Add one subcommand for each model."""
    models = parser.add_subparsers(
        dest="model", metavar="MODEL", required=True, parser_class=_Parser
    )
    for name in MODELS:
        models.add_parser(name, help=f"see 'firth train {name} --help'", fill=_filled(name))


class _Parser(cli.Parser):
    """A parser of a model's flags, which are others with --supervised."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Fill the parser for the model that is meant, then parse."""
        name = self.prog.rpartition(" ")[2]
        if self._fill is not None and name in SUPERVISED and FLAG in (args or ()):
            self._fill = _filled(f"{name} {FLAG}")
        return super().parse_known_args(args, namespace)


def model_of(name: str) -> type[Any]:
    """Return the dataclass of that name on the command line."""
    plain, _, supervised = name.partition(" ")
    module, attribute = (SUPERVISED if supervised else MODELS)[plain]
    model: type[Any] = getattr(importlib.import_module(module), attribute)
    return model


def _filled(name: str) -> Callable[[cli.Parser], None]:
    supervised = name.endswith(FLAG)

    def fill(parser: cli.Parser) -> None:
        model = model_of(name)
        parser.description = (model.__doc__ or name).strip().splitlines()[0]
        taken = inspect.signature(model.fit).parameters
        parser.epilog = (
            "Ctrl-C ends the training and keeps in OUT what was learnt until then; a second one "
            "gives that up, too."
            if "callback" in taken  # that is, in epochs
            else "Ctrl-C ends the training, of which nothing is kept: it has no epochs."
        )
        counts = ", or a folder of counts" if name in COUNTING else ""
        parser.add_argument(
            "input",
            metavar="INPUT",
            help=f"text, one {'example with its labels' if supervised else 'sentence'} per line, "
            f"may be a .gz, .bz2, .xz or .zst; - for stdin{counts}",
        )
        parser.add_argument(
            "-o", "--output", metavar="OUT", required=True, help="where to write; - for stdout"
        )
        parser.add_argument("--format", metavar="FORMAT", help=files.FORMAT_HELP)
        if "checkpoint" in taken:
            text = "folder to save to after each epoch; training goes on from what is there"
            parser.add_argument("--checkpoint", metavar="PATH", help=text)
        if "every" in taken:
            text = "save to --checkpoint after about so many words instead"
            parser.add_argument("--every", type=int, metavar="N", help=text)
        if name in READING:
            text = 'what the ids of the text may take, as in "2 GB"; what does not fit goes to the '
            text += "disk (default: no limit)"
            parser.add_argument("--memory", metavar="BYTES", help=text)
            text = "where on the disk (default: that of temporary files)"
            parser.add_argument("--folder", metavar="PATH", help=text)
        flags.progress(parser)
        flags.common(parser, json="a summary")
        flags.add_fields(parser.add_argument_group("the model"), model)
        if supervised or name in SUPERVISED:
            text = "learn labels of texts; other flags then: see --supervised --help"
            parser.add_argument(FLAG, action="store_true", help=text)
        parser.set_defaults(run=run, usage=parser.error, model=name)

    return fill


def run(options: argparse.Namespace) -> int:
    """Train and write."""
    try:
        model = flags.from_options(model_of(options.model), options)
        if getattr(options, "memory", None) is not None:
            from firth.kernels._arguments import number_of_bytes

            number_of_bytes("train", "memory", options.memory)
    except (TypeError, ValueError) as error:
        options.usage(str(error))
    if options.json and options.output == "-":
        options.usage("--json and the vectors cannot both go to stdout")
    if options.output != "-" and Path(options.output).resolve() == Path(options.input).resolve():
        options.usage("INPUT and -o cannot be the same")
    destination = files.Destination(options.output, options.format)
    destination.expect(getattr(model, "rule", None), labels=options.model.endswith(FLAG))
    more: dict[str, Any] = {}
    if getattr(options, "checkpoint", None) is not None:
        more["checkpoint"] = options.checkpoint
        if Path(options.checkpoint).resolve() == Path(options.output).resolve():
            options.usage("--checkpoint and -o cannot be the same folder")
    if getattr(options, "every", None) is not None:
        if not more:
            options.usage("--every needs --checkpoint")
        if options.every < 1:
            options.usage(f"--every {options.every} is not at least 1")
        more["every"] = options.every
    start = time.perf_counter()
    with Interrupts() as interrupts:
        source = within(options, model, source_of(options.model, options.input))
        embedding = trained(model, source, progress=options.progress, **more)
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


def source_of(model: str, text: str) -> object:
    """Return the path of a text, or the counts in a folder."""
    if model not in COUNTING or not Path(text).is_dir():
        return text
    from firth.counts import Counts

    return Counts.load(text)


def within(options: argparse.Namespace, model: Any, source: object) -> object:
    """Return a text as a corpus within the budget, or as it is if none was asked for."""
    if getattr(options, "memory", None) is None:
        return source
    from firth.corpus import Corpus

    return Corpus.read(
        source,
        min_count=model.min_count,
        max_vocab=model.max_vocab,
        memory=options.memory,
        folder=options.folder,
        threads=model.threads,
        progress=options.progress,
    )


def trained(model: Any, source: object, **options: Any) -> "Embedding":
    """Return what the model learns from a text or counts, also if Ctrl-C ends it early.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before there was anything to keep.
    """
    try:
        embedding: Embedding = model.fit(source, **options)
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
