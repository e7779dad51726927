"""``firth demo [TEXT]``: train on a small real text and show what was learnt, in under a minute."""

import argparse
import errno
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth import cli
from firth.cli import flags, output
from firth.cli.train import trained

if TYPE_CHECKING:
    from firth.embedding import Embedding

SAMPLE = Path("tests", "data", "wiki-sample.txt.xz")
WORDS = ["france", "seven", "june", "physics", "piano", "army", "father", "planet"]
ANALOGIES = [
    "father mother son daughter",
    "france french spain spanish",
    "good better large larger",
    "one two three four",
    "man he woman she",
    "go went take took",
]


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.add_argument(
        "text",
        metavar="TEXT",
        nargs="?",
        help="text to train on (default: the sample of Wikipedia in firth's repository)",
    )
    parser.add_argument("--dim", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    flags.threads(parser)
    flags.progress(parser)
    flags.common(parser, json="the answers")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, then print neighbours and analogies."""
    import firth

    text = options.text or str(sample())
    model = firth.Word2Vec(
        dim=options.dim, epochs=options.epochs, seed=options.seed, threads=options.threads
    )
    start = time.perf_counter()
    embedding = trained(model, text, progress=options.progress)
    seconds = time.perf_counter() - start
    words = [word for word in WORDS if word in embedding] or embedding.keys[:8]
    questions = [q for line in ANALOGIES if set(q := line.split()) <= embedding.index.keys()]
    neighbours = {
        word: embedding.most_similar(word, k=min(6, len(embedding) - 1)) for word in words
    }
    answers = {
        tuple(q): embedding.most_similar([q[1], q[2]], [q[0]], k=min(3, len(embedding) - 3))
        for q in questions
    }
    if options.json:
        output.as_json(_facts(embedding, seconds, neighbours, answers), indent=2)
        return cli.DONE
    lines = [f"Learnt {len(embedding)} words in {seconds:.1f} s. The words closest to", ""]
    width = max(map(len, words))
    lines += [f"  {word:<{width}}  {_listed(found)}" for word, found in neighbours.items()]
    if answers:
        lines += ["", "Analogies (* is the expected answer)", ""]
    for (a, b, c, expected), found in answers.items():
        marked = [(f"*{word}" if word == expected else word, score) for word, score in found]
        lines.append(f"  {a} is to {b} as {c} is to  {_listed(marked)}")
    output.table([line] for line in lines)
    return cli.DONE


def sample() -> Path:
    """Return the sample text, looked for here and in the checkout that firth is imported from.

    Raises
    ------
    FileNotFoundError
        It is in neither place, as in an installed firth: the wheel does not carry it.
    """
    places = [Path.cwd(), Path(__file__).parents[3]]
    for place in places:
        if (place / SAMPLE).is_file():
            return place / SAMPLE
    text = "no such file; give a text to train on: firth demo TEXT"
    raise FileNotFoundError(errno.ENOENT, text, str(SAMPLE))


def _listed(found: list[tuple[str, float]]) -> str:
    return "  ".join(f"{word} {score:.2f}" for word, score in found)


def _facts(
    embedding: "Embedding", seconds: float, neighbours: dict[str, Any], answers: dict[Any, Any]
) -> dict[str, Any]:
    return {
        "keys": len(embedding),
        "seconds": round(seconds, 3),
        "nearest": {word: output.scored(found) for word, found in neighbours.items()},
        "analogies": [
            {"a": a, "b": b, "c": c, "expected": expected, "answers": output.scored(found)}
            for (a, b, c, expected), found in answers.items()
        ],
    }
