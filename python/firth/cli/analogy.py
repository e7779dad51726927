"""``firth analogy VECTORS A B C``: A is to B as C is to the answer."""

import argparse
from typing import TYPE_CHECKING

from firth import cli
from firth.cli import files, flags, output
from firth.cli.nearest import check

if TYPE_CHECKING:
    from firth.embedding import Embedding


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.epilog = (
        "Prints word and score, parted by a tab; where stdin is read, the three words of the "
        "question come first on each line."
    )
    parser.add_argument("vectors", metavar="VECTORS", help="a firth folder or a file of vectors")
    parser.add_argument(
        "words", metavar="WORD", nargs="*", help="A B C; without any, lines of three words on stdin"
    )
    parser.add_argument("-k", type=int, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument(
        "--among", type=int, metavar="N", help="search the first N words only (default: all)"
    )
    parser.add_argument(
        "--method",
        choices=("add", "mul"),
        default="add",
        help="3CosAdd or 3CosMul (default: add)",
    )
    flags.common(parser, json="one line per question")
    parser.set_defaults(run=run, usage=parser.error)


def run(options: argparse.Namespace) -> int:
    """Answer."""
    if len(options.words) not in (0, 3):
        options.usage(f"expected three words A B C, got {len(options.words)}")
    embedding = files.searched(options.vectors)
    if options.words:
        check(embedding, options.words)
        _print(embedding, options.words, options, named=False)
        return cli.DONE
    code = cli.DONE
    for lot in files.questions():
        for line in lot:
            words = line.split()
            if len(words) != 3:
                cli.complain(f"{line}: expected three words")
            elif unknown := [word for word in words if not embedding.has_vector(word)]:
                cli.complain(f"{', '.join(unknown)}: unknown word")
            else:
                _print(embedding, words, options, named=True)
                continue
            code = cli.FAILED
    return code


def _print(
    embedding: "Embedding", words: list[str], options: argparse.Namespace, *, named: bool
) -> None:
    a, b, c = words
    found = embedding.most_similar(
        [b, c], [a], options.k, method=options.method, among=options.among
    )
    if options.json:
        output.as_json({"a": a, "b": b, "c": c, "answers": output.scored(found)})
    else:
        output.table((*words, *pair) if named else pair for pair in found)
