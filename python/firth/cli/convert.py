"""``firth convert IN OUT``: read vectors in one format, write them in another."""

import argparse

from firth import cli
from firth.cli import files, flags


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.add_argument("input", metavar="IN", help="firth folder or file of vectors; - for stdin")
    parser.add_argument("output", metavar="OUT", help="where to write; - for stdout")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FORMAT",
        help="format of IN (default: seen from its first bytes)",
    )
    parser.add_argument("--to", metavar="FORMAT", help=files.FORMAT_HELP)
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="take the first N words only, rows of n-grams all (default: all)",
    )
    flags.common(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read and write."""
    import firth

    destination = files.Destination(options.output, options.to)
    with files.incoming(options.input) as path:
        embedding = firth.read(path, options.source, options.limit)
    destination.write(embedding)
    return cli.DONE
