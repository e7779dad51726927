"""``firth recommend RECOMMENDER [USER ...]``: items for users, old or new, or similar items."""

import argparse
from typing import TYPE_CHECKING, Any

from firth import cli
from firth.cli import files, flags, output

if TYPE_CHECKING:
    from firth.recommender import Recommender


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.epilog = (
        "Prints item and score, parted by a tab; where there are more users than one, or stdin is "
        "read, the user comes first on each line."
    )
    parser.add_argument("recommender", metavar="RECOMMENDER", help="what 'firth train bpr' wrote")
    parser.add_argument("names", metavar="USER", nargs="*", help="without any: lines of stdin")
    parser.add_argument("-k", type=int, default=10, metavar="N", help="how many (default: 10)")
    which = parser.add_mutually_exclusive_group()
    text = "instead: items that are similar to each of these"
    which.add_argument("--similar", nargs="+", metavar="ITEM", help=text)
    text = "instead: items for a new user who has met all of these"
    which.add_argument("--new", nargs="+", metavar="ITEM", help=text)
    parser.add_argument(
        "--seen", action="store_true", help="also print what the user has met (default: left out)"
    )
    flags.threads(parser)
    flags.common(parser, json="one line per user")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Answer."""
    from firth.recommender import Recommender

    recommender = Recommender.load(options.recommender)
    if options.new:
        vector = recommender.fold_in(options.new)
        met = None if options.seen else options.new
        answer = recommender.recommend(vector, options.k, exclude=met, threads=options.threads)
        _print(recommender, "new", answer, options, named=False)
    elif options.similar:
        for item in options.similar:
            answer = recommender.similar_items(item, options.k)
            _print(recommender, item, answer, options, named=len(options.similar) > 1)
    elif options.names:
        _recommend(recommender, options.names, options, named=len(options.names) > 1)
    else:
        code = cli.DONE
        for lot in files.questions():
            known = [name for name in lot if name in recommender.user_index]
            for name in lot:
                if name not in recommender.user_index:
                    cli.complain(f"{name}: unknown user")
                    code = cli.FAILED
            _recommend(recommender, known, options, named=True)
        return code
    return cli.DONE


def _recommend(
    recommender: "Recommender", users: list[str], options: argparse.Namespace, *, named: bool
) -> None:
    if not users:
        return
    found = recommender.recommend(users, options.k, not options.seen, threads=options.threads)
    for user, *answer in zip(users, *found, strict=True):
        _print(recommender, user, answer, options, named=named)


def _print(
    recommender: "Recommender", name: str, answer: Any, options: argparse.Namespace, *, named: bool
) -> None:
    pairs = zip(*(part.tolist() for part in answer), strict=True)
    found = [(recommender.items[i], score) for i, score in pairs if i >= 0]
    if options.json:
        items = [{"item": item, "score": score} for item, score in found]
        output.as_json({"item" if options.similar else "user": name, "items": items})
    else:
        output.table((name, *pair) if named else pair for pair in found)
