"""``firth count INPUT -o OUT``: how often words keep each other's company, and who does most."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth import cli
from firth.cli import flags, output

if TYPE_CHECKING:
    from firth.counts import Counts

MEASURES = ("npmi", "pmi", "log-likelihood", "count")
WEIGHTS = ("distance", "uniform", "linear")
_WORDS = ".vocab.txt"
_RULE = ("window", "weights", "symmetric", "sentences", "max_vocab", "memory", "folder")


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.epilog = (
        "With --top, prints word, word, score and count, parted by tabs; --directed --window 1 "
        "finds phrases. 'firth train glove' and 'firth train ppmi' take the folder of counts in "
        "the place of a text."
    )
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="text, one sentence per line, may be a .gz, .bz2, .xz or .zst, or a folder of counts; "
        "- for stdin",
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="where to write the counts")
    parser.add_argument(
        "--format",
        choices=("firth", "glove"),
        default="firth",
        help="of OUT: a firth folder, or the binary file of Stanford's GloVe programs with the "
        f"words in OUT{_WORDS} (default: firth)",
    )
    flags.progress(parser)
    flags.common(parser, json="a summary and the pairs")
    _counting(parser.add_argument_group("counting"))
    _pairs(parser.add_argument_group("pairs"))
    parser.set_defaults(run=run, usage=parser.error)


def _counting(group: Any) -> None:
    group.add_argument("--window", type=int, metavar="N", help="greatest distance (default: 10)")
    group.add_argument(
        "--weights",
        choices=WEIGHTS,
        help="what a pair d words apart counts: 1/d, 1, or less by the same at each step "
        "(default: distance)",
    )
    order = group.add_mutually_exclusive_group()
    order.add_argument(
        "--symmetric",
        action="store_true",
        default=None,
        help="count what stands on either side (default)",
    )
    order.add_argument(
        "--directed",
        dest="symmetric",
        action="store_false",
        default=None,
        help="count only what comes after a word",
    )
    group.add_argument(
        "--sentences",
        action=argparse.BooleanOptionalAction,
        help="windows end where lines do (default: yes)",
    )
    group.add_argument(
        "--min-count",
        type=int,
        default=5,
        metavar="N",
        help="leave out words that occur fewer times (default: 5)",
    )
    group.add_argument(
        "--max-vocab",
        type=flags.or_none(int),
        metavar="N",
        help="take the N most frequent words only (default: none)",
    )
    group.add_argument(
        "--memory",
        metavar="BYTES",
        help='what counting may take beside text and counts, as in "2 GB"; what does not fit goes '
        "to the disk (default: no limit)",
    )
    group.add_argument(
        "--folder", metavar="PATH", help="where on the disk (default: that of temporary files)"
    )
    flags.threads(group)


def _pairs(group: Any) -> None:
    group.add_argument("--top", type=int, metavar="N", help="print the N best pairs of words")
    group.add_argument(
        "--measure",
        choices=MEASURES,
        default="npmi",
        help="by which pairs are ordered (default: npmi)",
    )
    group.add_argument(
        "--min-pairs",
        type=float,
        default=5.0,
        metavar="X",
        help="leave out pairs that were counted fewer times (default: 5)",
    )
    group.add_argument("--repeats", action="store_true", help="take a word with itself, too")


def run(options: argparse.Namespace) -> int:
    """Count, write, print."""
    if options.output is None and options.top is None:
        options.usage("nothing to do: expected -o OUT, --top N or both")
    if options.output == "-":
        options.usage("counts cannot be written to stdout")
    if options.top is not None and options.top < 1:
        options.usage(f"--top: {options.top} is not at least 1")
    if options.output is not None:
        if Path(options.output).resolve() == Path(options.input).resolve():
            options.usage("INPUT and -o cannot be the same")
        _try(options.output, options.format)
    counts = _counted(options)
    if options.output is not None:
        _write(counts, options.output, options.format)
    pairs = []
    if options.top is not None:
        pairs = counts.collocations(
            options.top,
            options.measure,
            min_count=options.min_count,
            min_pairs=options.min_pairs,
            repeats=options.repeats,
        )
    if options.json:
        facts: dict[str, Any] = {
            "output": options.output,
            "words": len(counts.vocabulary),
            "tokens": counts.tokens,
            "entries": counts.sums.nnz,
        }
        if options.top is not None:
            facts["measure"] = options.measure
            facts["pairs"] = [pair._asdict() for pair in pairs]
        output.as_json(facts)
    else:
        output.table(pairs)
    return cli.DONE


def _counted(options: argparse.Namespace) -> "Counts":
    """Count a text, or load counts."""
    from firth.counts import Counts

    given = {name: value for name in _RULE if (value := getattr(options, name)) is not None}
    if Path(options.input).is_dir():
        if given:
            flag = min(given).replace("_", "-")
            options.usage(f"INPUT has been counted already, so that --{flag} comes too late")
        return Counts.load(options.input)
    return Counts.of(
        options.input,
        **given,
        min_count=options.min_count,
        threads=options.threads,
        progress=options.progress,
    )


class _TriedError(Exception):
    """Ends the trial of a destination, which leaves nothing behind."""


def _try(name: str, format: str) -> None:
    """Raise at once if nothing can be written there."""
    from firth._files import atomic_file, atomic_folder

    writers: list[Any] = [atomic_folder(name)]
    if format == "glove":
        writers = [atomic_file(name), atomic_file(name + _WORDS)]
    for writer in writers:
        with contextlib.suppress(_TriedError), writer:
            raise _TriedError


def _write(counts: "Counts", name: str, format: str) -> None:
    if format == "firth":
        counts.save(name)
    else:
        counts.write_glove(name)
        counts.vocabulary.save(name + _WORDS)  # which those programs read with a tab, too
