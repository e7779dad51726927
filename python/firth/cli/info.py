"""``firth info PATH``: what a file or folder of vectors holds."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firth import cli
from firth.cli import files, flags, output


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.add_argument("path", metavar="PATH", help="a firth folder or a file of vectors")
    flags.common(parser, json="it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print one line per fact."""
    from firth import formats

    name = options.path
    embedding = files.load(name)
    counts, rule = embedding.counts, getattr(embedding, "rule", None)
    facts: dict[str, Any] = {
        "path": name,
        "format": formats._sniffed(name),
        "bytes": files.size(name),
        "keys": len(embedding),
        "dim": int(embedding.vectors.shape[1]),
        "dtype": str(embedding.vectors.dtype),
        "counted": None if counts is None else int(counts.sum()),
        "rule": None if rule is None else asdict(rule),
        "first": embedding.keys[:5],
        "metadata": embedding.metadata,
    }
    if options.json:
        output.as_json(facts, indent=2)
        return cli.DONE
    facts["first"] = " ".join(facts["first"])
    if counts is None:
        del facts["counted"]
    for group in ("rule", "metadata"):
        facts.update({f"{group}.{key}": x for key, x in (facts.pop(group) or {}).items()})
    facts["path"] = Path(name)
    output.table(facts.items())
    return cli.DONE
