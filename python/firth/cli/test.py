"""``firth test MODEL INPUT``: how many labels of texts a classifier finds."""

import argparse
import math

from firth import cli
from firth.cli import files, flags, output


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.epilog = (
        "Prints the number of examples, precision and recall of the K best labels; lines without a "
        "known label are skipped. With --per-label, precision, recall, F1 and number of examples "
        "of each label follow."
    )
    parser.add_argument("model", metavar="MODEL", help="a classifier: a firth folder or a file")
    parser.add_argument(
        "input", metavar="INPUT", help="text, one example with its labels per line; - for stdin"
    )
    flags.answers(parser)
    parser.add_argument(
        "--label-prefix",
        metavar="TEXT",
        help="what labels begin with (default: what the model was trained with; __label__ for a "
        ".bin, which does not say)",
    )
    parser.add_argument("--per-label", action="store_true", help="print what each label scores")
    flags.common(parser, json="the scores")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Count and print."""
    scores = files.classifier(options.model).test(
        options.input, options.k, options.threshold, label_prefix=options.label_prefix
    )
    total = {"precision": scores.precision, "recall": scores.recall}
    if options.json:
        report = {"examples": scores.examples, "k": options.k, **_known(total)}
        if options.per_label:
            each = scores.per_label.items()
            report["labels"] = {label: _known(found._asdict()) for label, found in each}
        output.as_json(report)
        return cli.DONE
    output.table([("examples", scores.examples)])
    output.table((f"{name}@{options.k}", value) for name, value in total.items())
    if options.per_label:
        output.table([("label", "precision", "recall", "f1", "examples")])
        output.table((label, *found) for label, found in scores.per_label.items())
    return cli.DONE


def _known(scores: dict[str, float]) -> dict[str, float | None]:
    """Return scores as JSON has them: what is not a number is null."""
    return {name: None if math.isnan(score) else score for name, score in scores.items()}
