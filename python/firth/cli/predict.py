"""``firth predict MODEL [TEXT ...]``: the labels of texts, of arguments or of lines on stdin."""

import argparse
from typing import TYPE_CHECKING

from firth import cli
from firth.cli import files, flags, output

if TYPE_CHECKING:
    from firth.classifier import Classifier


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.epilog = (
        "Prints one line for each text: its labels, each with its probability behind it, parted by "
        "tabs. The line is empty where nothing is known of a text."
    )
    parser.add_argument("model", metavar="MODEL", help="a classifier: a firth folder or a file")
    parser.add_argument(
        "texts", metavar="TEXT", nargs="*", help="without any, or -: lines of stdin"
    )
    flags.answers(parser)
    flags.common(parser, json="one line per text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Answer."""
    model = files.classifier(options.model)
    if options.texts and options.texts != ["-"]:
        _print(model, options.texts, options)
        return cli.DONE
    for lot in files.questions(empty=True):
        _print(model, lot, options)
    return cli.DONE


def _print(model: "Classifier", texts: list[str], options: argparse.Namespace) -> None:
    answers = zip(*model.predict(texts, options.k, options.threshold), strict=True)
    for text, (labels, chances) in zip(texts, answers, strict=True):
        pairs = list(zip(labels, chances.tolist(), strict=True))
        if options.json:
            found = [{"label": label, "probability": chance} for label, chance in pairs]
            output.as_json({"text": text, "labels": found})
        else:
            output.table([[cell for pair in pairs for cell in pair]])
