"""``firth nearest VECTORS [WORD ...]``: the closest words, of arguments or of lines on stdin."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from firth import cli
from firth.cli import files, flags, output

if TYPE_CHECKING:
    from firth.embedding import Embedding


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.epilog = (
        "Prints word and cosine, parted by a tab; where there are more words than one, or stdin is "
        "read, the word that was asked for comes first on each line."
    )
    parser.add_argument("vectors", metavar="VECTORS", help="a firth folder or a file of vectors")
    parser.add_argument("words", metavar="WORD", nargs="*", help="without any: lines of stdin")
    parser.add_argument("-k", type=int, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument(
        "--among", type=int, metavar="N", help="search the first N words only (default: all)"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="X",
        help="print words with a cosine of at least X only (default: all of the N)",
    )
    flags.threads(parser)
    flags.common(parser, json="one line per word")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Answer."""
    embedding = files.searched(options.vectors)
    if options.words:
        check(embedding, options.words)
        _print(embedding, options.words, options, named=len(options.words) > 1)
        return cli.DONE
    code = cli.DONE
    for lot in files.questions():
        known = [word for word in lot if embedding.has_vector(word)]
        for word in lot:
            if not embedding.has_vector(word):
                cli.complain(f"{word}: unknown word")
                code = cli.FAILED
        _print(embedding, known, options, named=True)
    return code


def check(embedding: "Embedding", words: Iterable[str]) -> None:
    """Raise a KeyError that names the words that are unknown."""
    unknown = [word for word in words if not embedding.has_vector(word)]
    if unknown:
        raise KeyError(f"unknown word: {', '.join(unknown)} (of {len(embedding)} known ones)")


def _print(
    embedding: "Embedding", words: list[str], options: argparse.Namespace, *, named: bool
) -> None:
    if not words:
        return
    ids, scores = embedding.nearest(
        words,
        options.k,
        among=options.among,
        threshold=options.threshold,
        threads=options.threads,
    )
    for word, row, cosines in zip(words, ids.tolist(), scores.tolist(), strict=True):
        pairs = zip(row, cosines, strict=True)
        found = [(embedding.keys[i], score) for i, score in pairs if i >= 0]
        if options.json:
            output.as_json({"word": word, "nearest": output.scored(found)})
        else:
            output.table((word, *pair) if named else pair for pair in found)
