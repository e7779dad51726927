"""``firth info PATH``: what a file or folder holds: format, words, rule, labels."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firth import cli
from firth.cli import files, flags, output


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.add_argument(
        "path", metavar="PATH", help="a firth folder (of vectors or counts) or a file of vectors"
    )
    flags.common(parser, json="it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print one line per fact."""
    from firth import formats
    from firth.formats import firth

    name = options.path
    if Path(name).is_dir() and firth.kind_in(name) == "counts":
        return _counts(name, options.json)
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
        "classifier": _labels(embedding),
        "first": embedding.keys[:5],
        "metadata": embedding.metadata,
    }
    if options.json:
        output.as_json(facts, indent=2)
        return cli.DONE
    facts["first"] = " ".join(facts["first"])
    if counts is None:
        del facts["counted"]
    for group in ("rule", "classifier", "metadata"):
        facts.update(_flat(group, facts.pop(group) or {}))
    facts["path"] = Path(name)
    output.table(facts.items())
    return cli.DONE


def _counts(name: str, json: bool) -> int:
    """Print what there is to know of a folder of counts."""
    from firth.counts import RULE, Counts

    counts = Counts.load(name)
    facts: dict[str, Any] = {
        "path": name,
        "format": "firth",
        "bytes": files.size(name),
        "kind": "counts",
        "words": len(counts),
        "entries": counts.sums.nnz,
        "tokens": counts.tokens,
        "rule": {rule: getattr(counts, rule) for rule in RULE},
        "first": counts.vocabulary.words[:5],
    }
    if json:
        output.as_json(facts, indent=2)
        return cli.DONE
    facts["first"] = " ".join(facts["first"])
    facts.update(_flat("rule", facts.pop("rule")))
    facts["path"] = Path(name)
    output.table(facts.items())
    return cli.DONE


def _labels(embedding: Any) -> dict[str, Any] | None:
    """Return what is to be known of a classifier besides its words."""
    from firth.classifier import Classifier

    if not isinstance(embedding, Classifier):
        return None
    facts = {"labels": len(embedding.labels), "label_prefix": embedding.label_prefix}
    return {**facts, "loss": embedding.loss, "word_ngrams": embedding.word_ngrams}


def _flat(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts with the names of the groups that they are in."""
    found: dict[str, Any] = {}
    for key, value in facts.items():
        path = f"{name}.{key}"
        found.update(_flat(path, value) if isinstance(value, dict) else {path: value})
    return found
