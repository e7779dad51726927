"""``firth links GRAPH [VECTORS]``: links that may be next; edges held out, and vectors judged."""

import argparse
from typing import TYPE_CHECKING, Any

from firth import cli
from firth.cli import files, flags, output, sources

if TYPE_CHECKING:
    from firth.evaluate import LinkSplit
    from firth.graph import Graph


def arguments(parser: cli.Parser) -> None:
    """Add the options."""
    parser.epilog = (
        "Without --hold-out and --judge, prints the pairs of nodes that no edge joins and whose "
        "vectors are closest: node, node and score, parted by tabs. To judge a model: 'firth links "
        "GRAPH --hold-out TRAIN', then train on TRAIN, then 'firth links GRAPH VECTORS --judge' "
        "with the same --valid, --test, --seed and --disconnect: the same edges are held out again."
    )
    parser.add_argument("graph", metavar="GRAPH", help=sources.input_help("node2vec", False))
    parser.add_argument("vectors", metavar="VECTORS", nargs="?", help="vectors of its nodes")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--nodes", nargs="+", metavar="NODE", help="K pairs for each of these (default: K in all)"
    )
    which.add_argument(
        "--hold-out", metavar="TRAIN", help="instead: write the edges that a model may learn from"
    )
    which.add_argument(
        "--judge", action="store_true", help="instead: how well vectors tell edges held out"
    )
    parser.add_argument("-k", type=int, default=10, metavar="K", help="how many (default: 10)")
    parser.add_argument(
        "--metric",
        choices=("cosine", "dot"),
        default="cosine",
        help="what pairs and ranks go by (default: cosine)",
    )
    sources.arguments(parser, "node2vec")
    flags.threads(parser)
    flags.progress(parser)
    flags.common(parser, json="one line per pair, or the figures,")
    split = parser.add_argument_group("edges held out")
    for name in ("valid", "test"):
        text = f"share of the edges for {name} (default: 0.1)"
        split.add_argument(f"--{name}", type=float, default=0.1, metavar="X", help=text)
    split.add_argument("--seed", type=int, default=1, metavar="N", help="of these (default: 1)")
    text = "hold out any edges, also the last ones of nodes, which are then left out of TRAIN "
    text += "(default: nodes that are connected stay so)"
    split.add_argument("--disconnect", action="store_true", help=text)
    split.add_argument(
        "--on", choices=("valid", "test"), default="test", help="which are judged (default: test)"
    )
    split.add_argument(
        "--operator",
        choices=("dot", "cosine", "average", "hadamard", "l1", "l2"),
        default="hadamard",
        help="what a pair is judged by: one of the first two as it is, or features from which a "
        "logistic regression is learnt (scikit-learn; default: hadamard)",
    )
    parser.set_defaults(run=run, usage=parser.error)


def run(options: argparse.Namespace) -> int:
    """Print links, or split, or judge."""
    if options.hold_out is None and options.vectors is None:
        options.usage("VECTORS are needed without --hold-out")
    if options.hold_out is not None and options.vectors is not None:
        options.usage("--hold-out takes no VECTORS: they are trained on what it writes")
    if options.graph == options.vectors == "-":
        options.usage("GRAPH and VECTORS cannot both be stdin")
    graph, _ = sources.read("node2vec", options.graph, options)
    if options.hold_out is not None:
        _hold_out(graph, options)
    elif options.judge:
        _judge(graph, options)
    else:
        _predict(graph, options)
    return cli.DONE


def _predict(graph: "Graph", options: argparse.Namespace) -> None:
    from firth import evaluate

    found = evaluate.predict_links(
        files.load(options.vectors),
        graph,
        options.k,
        nodes=options.nodes,
        metric=options.metric,
        threads=options.threads,
    )
    named = [[graph.keys[row] for row in pair] for pair in found.pairs.tolist()]
    for (a, b), score in zip(named, found.scores.tolist(), strict=True):
        if options.json:
            output.as_json({"source": a, "target": b, "score": score})
        else:
            output.table([(a, b, score)])


def _split(graph: "Graph", options: argparse.Namespace) -> "LinkSplit":
    from firth import evaluate

    return evaluate.split_links(
        graph,
        options.valid,
        options.test,
        connected=not options.disconnect,
        seed=options.seed,
    )


def _hold_out(graph: "Graph", options: argparse.Namespace) -> None:
    """Write the edges of the training graph as they are read: names, and weights where they are."""
    import sys

    from firth._files import atomic_file

    train = _split(graph, options).train
    if options.hold_out == "-":
        _write(train, sys.stdout.buffer)
        sys.stdout.flush()
    else:
        with atomic_file(options.hold_out) as file:
            _write(train, file)
    cut = graph.edges - train.edges
    facts = {"output": options.hold_out, "edges": train.edges, "held_out": cut}
    if options.json and options.hold_out != "-":
        output.as_json(facts)


def _write(graph: "Graph", file: Any) -> None:
    import numpy as np

    rows = np.repeat(np.arange(len(graph)), np.diff(graph.csr.indptr))
    once = slice(None) if graph.directed else rows <= graph.csr.indices
    names = [key.encode("utf-8", "surrogateescape") for key in graph.keys]
    columns = [rows[once].tolist(), graph.csr.indices[once].tolist(), graph.csr.data[once].tolist()]
    for a, b, weight in zip(*columns, strict=True):
        more = b"\t%.9g" % weight if graph.weighted else b""
        file.write(names[a] + b"\t" + names[b] + more + b"\n")


def _judge(graph: "Graph", options: argparse.Namespace) -> None:
    from firth import evaluate

    embedding = files.load(options.vectors)
    split = _split(graph, options)
    found = evaluate.link_prediction(embedding, split, options.operator, on=options.on)
    ranked = evaluate.link_ranking(
        embedding, split, on=options.on, metric=options.metric, threads=options.threads
    )
    facts = {
        "operator": options.operator,
        "auc": found.auc,
        "average_precision": found.average_precision,
        **{f"hits@{k}": share for k, share in found.hits.items()},
        "mrr": found.mrr,
        **{f"ranking_hits@{k}": share for k, share in ranked.hits.items()},
        "ranking_mrr": ranked.mrr,
        "edges": len(getattr(split, options.on).positives),
    }
    if options.json:
        output.as_json(facts)
    else:
        output.table(facts.items())
