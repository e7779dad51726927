"""``firth eval VECTORS FILE ...``: word pairs and analogies; seen from a file's first line."""

import argparse
from typing import Any

from firth import cli
from firth.cli import files, flags, output


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.add_argument("vectors", metavar="VECTORS", help="a firth folder or a file of vectors")
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="word pairs (word word score) or analogies (': section' and lines of four words)",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--pairs", action="store_true", help="the files hold word pairs")
    kind.add_argument("--analogies", action="store_true", help="the files hold analogies")
    parser.add_argument(
        "--match-case", action="store_true", help="take words that differ by case for two words"
    )
    parser.add_argument(
        "--oov",
        choices=("skip", "zero", "make"),
        default="skip",
        help="pairs with an unknown word: leave out, count as cosine 0, or make its vector of its "
        "n-grams (default: skip)",
    )
    parser.add_argument(
        "--restrict",
        type=flags.or_none(int),
        default=30_000,
        metavar="N",
        help="analogies: know the first N words only, or none for all (default: 30000)",
    )
    parser.add_argument(
        "--method",
        choices=("add", "mul"),
        default="add",
        help="analogies: 3CosAdd or 3CosMul (default: add)",
    )
    parser.add_argument(
        "-k",
        type=int,
        default=1,
        metavar="N",
        help="analogies: right if among N answers (default: 1)",
    )
    flags.threads(parser)
    flags.common(parser, json="one line per file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate file by file; one that fails does not keep the others from their turn."""
    embedding = files.load(options.vectors)
    code = cli.DONE
    for name in options.files:
        try:
            result = _result(embedding, name, options)
        except (OSError, ValueError) as error:
            if options.debug:
                raise
            cli.complain(f"error: {cli.message(error)}")
            code = cli.FAILED
            continue
        if options.json:
            output.as_json({"file": name, **result.as_dict()})
        else:
            output.table([[str(result)]])
    return code


def _result(embedding: Any, name: str, options: argparse.Namespace) -> Any:
    from firth import evaluate

    shared = {"ignore_case": not options.match_case}
    if options.analogies or (not options.pairs and holds_analogies(name)):
        return evaluate.analogies(
            embedding,
            name,
            restrict=options.restrict,
            method=options.method,
            k=options.k,
            threads=options.threads,
            **shared,
        )
    return evaluate.word_pairs(embedding, name, oov=options.oov, **shared)


def holds_analogies(name: str) -> bool:
    """Say whether the first line is ``: section`` or four words of which none is a number."""
    from firth.evaluate.questions import lines

    _, first = next(lines(name), (0, ""))
    words = first.split()
    return first.startswith(":") or (len(words) == 4 and not any(map(_is_number, words)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
