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
from typing import Any, Self

from firth import cli
from firth._progress import on_terminal
from firth.cli import files, flags, output, sources

# Name on the command line -> (module, class). A new model is one line here.
MODELS = {
    "word2vec": ("firth.models.word2vec", "Word2Vec"),
    "ppmi": ("firth.models.ppmi", "PPMI"),
    "fasttext": ("firth.models.fasttext", "FastText"),
    "glove": ("firth.models.glove", "GloVe"),
    "node2vec": ("firth.models.node2vec", "Node2Vec"),
    "deepwalk": ("firth.models.node2vec", "DeepWalk"),
    "line": ("firth.models.line", "LINE"),
    "fastrp": ("firth.models.fastrp", "FastRP"),
    "bpr": ("firth.models.bpr", "BPR"),
    "warp": ("firth.models.warp", "WARP"),
    "ease": ("firth.models.ease", "EASE"),
    "lightgcn": ("firth.models.lightgcn", "LightGCN"),
    "item2vec": ("firth.models.item2vec", "ItemToVec"),
}
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
        parser.add_argument("input", metavar="INPUT", help=sources.input_help(name, supervised))
        parser.add_argument(
            "-o", "--output", metavar="OUT", required=True, help="where to write; - for stdout"
        )
        if name not in sources.RATINGS:
            parser.add_argument("--format", metavar="FORMAT", help=files.FORMAT_HELP)
        if "checkpoint" in taken:
            text = "folder to save to after each epoch; training goes on from what is there"
            parser.add_argument("--checkpoint", metavar="PATH", help=text)
        if "every" in taken:
            text = "save to --checkpoint after about so many words instead"
            parser.add_argument("--every", type=int, metavar="N", help=text)
        sources.arguments(parser, name)
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
    recommends = options.model in sources.RATINGS
    format = "firth" if recommends else options.format
    destination = files.Destination(options.output, format)
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
        source, given = sources.read(options.model, options.input, options)
        source = within(options, model, source)
        learnt = trained(model, source, progress=options.progress, **more, **given)
        with interrupts.deferred():
            destination.write(learnt)
    interrupted = interrupts.count > 0
    sizes = (
        {"keys": len(learnt), "dim": int(learnt.vectors.shape[1])}
        if not recommends
        else {"users": len(learnt.users), "items": len(learnt.items), "dim": learnt.dim}
    )
    if options.json:
        output.as_json(
            {
                "output": options.output,
                "format": destination.format,
                **sizes,
                "seconds": round(time.perf_counter() - start, 3),
                "interrupted": interrupted,
            }
        )
    if interrupted or on_terminal():
        many, dim = sum(sizes.values()) - sizes["dim"], sizes["dim"]
        state = "interrupted; kept" if interrupted else "wrote"
        cli.complain(
            f"{state} {many} vectors of {dim} numbers "
            f"in {'stdout' if options.output == '-' else options.output}"
        )
    return cli.INTERRUPTED if interrupted else cli.DONE


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


def trained(model: Any, source: object, **options: Any) -> Any:
    """Return the embedding or recommender that is learnt, also if Ctrl-C ends it early.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before there was anything to keep.
    """
    try:
        return model.fit(source, **options)
    except KeyboardInterrupt as stop:
        learnt = getattr(stop, "embedding", None) or getattr(stop, "recommender", None)
        if learnt is None:
            raise
    return learnt


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
