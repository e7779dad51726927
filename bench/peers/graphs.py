"""Random walks and vectors of nodes: firth beside PecanPy, torch-cluster and node2vec.

Usage: python bench/peers/graphs.py [FOLDER] [--graphs NAME ...] [--parts NAME ...] [--rounds R]
           [--seeds S] [--walks W] [--length L] [--dim D] [--window W] [--bias P,Q ...] [--core C]
           [--models NAME ...] [--kept FOLDER] [--pecanpy PYTHON] [--torch PYTHON]
           [--node2vec PYTHON] [--save [TASK]]

FOLDER, by default $FIRTH_DATA/graphs, has a folder for each graph: edges.tsv.gz ("node<TAB>node",
whole numbers, undirected, each edge once) and, for classification, labels.tsv.gz
("node<TAB>label"). PYTHON is that of an environment with the peer. All run on one thread of one
core; seconds are those of the processor.

walks: steps a second, all in turn, of walks that have been looked at: each step is an edge, and
ways back, triangles and weights are as frequent with everybody. Peers' loops are timed after they
were compiled. "as called" is the function that users of PecanPy call, which compiles anew each time
and returns names of nodes; beside it stands a corpus of firth's.

jobs: from a file of edges to vectors, the same walks, dim and window for all, and how well labels
are told from them (half of the nodes learnt from, ten times). PecanPy's seconds are told without
compiling, too.

links: how well edges held out, a tenth of all, are told from pairs without an edge.

Vectors of peers that are found in the folder --kept are not learnt again, and have no seconds.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when BLAS is loaded, so before numpy is

import numpy as np  # noqa: E402
from _graphs_data import SAMPLE, Network, check, look, split  # noqa: E402
from _graphs_peers import MOST_PAIRS  # noqa: E402
from _measure import in_turn, way  # noqa: E402
from _results import save  # noqa: E402
from _word2vec_peers import means, pin  # noqa: E402
from _workers import Worker  # noqa: E402

import firth  # noqa: E402
from firth import kernels  # noqa: E402

PARTS = ("walks", "called", "jobs", "links")
MODELS = ("LINE", "FastRP")  # of firth, beside Node2Vec
PEERS = ("pecanpy", "torch", "node2vec")
MOST_PYTHON = 2_000_000  # pairs of edges of a graph that node2vec, written in Python, is given
GRAPHS = ("ppi", "blogcatalog", "facebook_ego", "wiki", "cora", "citeseer")

# ---- walks --------------------------------------------------------------------------------------


def of_firth(network, weighted, starts, length, p, q):
    """Return a way of firth's, as a function that returns walks."""
    csr = network.weighted if weighted else network.csr
    graph = kernels.transitions(csr, weighted=weighted)
    return lambda: kernels.walks(graph, starts, length=length, p=p, q=q, threads=1)


def kinds(network, bias, workers):
    """Return (title, weighted, p, q, peers): who walks how; a peer is (name, task, settings)."""

    def pecanpy(*names):
        return [(name, "pecanpy_walks", {"kind": name}) for name in names if "pecanpy" in workers]

    torch = [("torch-cluster", "torch_walks", {})] if "torch" in workers else []
    stored = ["PreComp"] if network.pairs <= MOST_PAIRS else []
    yield "first order", False, 1.0, 1.0, pecanpy("FirstOrderUnweighted") + torch
    yield "first order, weighted", True, 1.0, 1.0, pecanpy("PreCompFirstOrder")
    for p, q in bias:
        title = f"p {p:g}, q {q:g}"
        yield title, False, p, q, pecanpy("SparseOTF", *stored) + torch
        yield f"{title}, weighted", True, p, q, pecanpy("SparseOTF", *stored)


def walks(network, options, workers):
    """Return the steps a second of everybody, whose walks have been checked."""
    report = {}
    several = network.starts(options.walks)
    some = network.starts(-(-SAMPLE * options.walks // len(several)))[:SAMPLE]
    files = {}
    for name, starts in (("all", several), ("some", some)):
        files[name] = network.folder / f"{network.name}-{name}.npy"
        np.save(files[name], starts)
    for title, weighted, p, q, peers in kinds(network, options.bias, workers):
        given = {"p": p, "q": q, "graph": network.arrays(weighted), "length": options.length}
        sample = of_firth(network, weighted, some, options.length, p, q)()
        wanted = look("firth", network, weighted, sample.ids.reshape(len(some), -1))
        walk = of_firth(network, weighted, several, options.length, p, q)
        ways = {"firth": timed(lambda walk=walk: way(walk)(), len(several), options)}
        for name, task, settings in peers:
            worker = workers["torch" if task == "torch_walks" else "pecanpy"]
            asked = given | settings
            out = str(network.folder / "walks.npy")
            worker(task, **asked, starts=str(files["some"]), seed=1, out=out)
            check(name, look(name, network, weighted, np.load(out)), wanted)
            slow = name == "SparseOTF"
            asked |= {"starts": str(files["some" if slow else "all"]), "seed": 2}
            ways[name] = timed(
                lambda worker=worker, task=task, asked=asked: worker(task, **asked)["walks"],
                len(some if slow else several), options,
            )  # fmt: skip
        spent = in_turn(ways, options.rounds)
        report[title] = {name: 1 / seconds for name, seconds in spent.items()}
        shown(f"{network.name}, {title}", "M steps/s", report[title], 1e-6)
    return report


def timed(seconds, many, options):
    """Return a way whose seconds are those of a step."""
    return lambda: seconds() / (many * (options.length - 1))


def called(network, options, workers):
    """Return the steps a second of what users call, names and compiling with it."""
    if "pecanpy" not in workers:
        return {}
    report, graph = {}, firth.Graph.read(network.edges)
    given = {"graph": network.arrays(False), "walks": options.walks, "length": options.length}
    for p, q, kind in ((1.0, 1.0, "FirstOrderUnweighted"), (*options.bias[0], "SparseOTF")):
        asked = given | {"p": p, "q": q, "kind": kind, "seed": 1}
        settings = {"walks": options.walks, "length": options.length, "p": p, "q": q, "seed": 1}
        walk = way(lambda settings=settings: graph.walks(**settings, threads=1))
        many = len(network.starts(options.walks))
        ways = {
            "firth": timed(walk, many, options),
            kind: timed(
                lambda asked=asked: workers["pecanpy"]("pecanpy_called", **asked)["called"],
                many, options,
            ),
        }  # fmt: skip
        rounds = 1 if kind == "SparseOTF" else options.rounds
        spent = in_turn(ways, rounds, warm=kind != "SparseOTF")
        title = f"as called, p {p:g}, q {q:g}"
        report[title] = {name: 1 / seconds for name, seconds in spent.items()}
        shown(f"{network.name}, {title}", "M steps/s", report[title], 1e-6)
    return report


# ---- vectors ------------------------------------------------------------------------------------


def models(options, p, q, seed):
    """Return firth's models by name."""
    threads = {"seed": seed, "threads": 1}
    walking = {"walks": options.walks, "length": options.length, "window": options.window}
    found = {"firth": firth.Node2Vec(options.dim, **walking, p=p, q=q, **threads)}
    if "LINE" in options.models:
        found["firth LINE"] = firth.LINE(options.dim, **threads)
    if "FastRP" in options.models:
        found["firth FastRP"] = firth.FastRP(options.dim, **threads)
    return found


def by_firth(model, edges):
    """Go from a file of edges to vectors; return them and the seconds of its parts."""
    start = time.process_time()
    graph = firth.Graph.read(edges)
    read = time.process_time()
    emb = model.fit(graph)
    return emb, {"read": read - start, "vectors": time.process_time() - read}


def tasks(network, workers):
    """Return the peers' jobs on a graph: {name: (worker, task, settings)}."""
    found = {}
    if "pecanpy" in workers:
        found["pecanpy"] = (workers["pecanpy"], "pecanpy_job", {"kind": "SparseOTF"})
    if "node2vec" in workers and network.pairs <= MOST_PYTHON:
        found["node2vec"] = (workers["node2vec"], "node2vec_job", {})
    return found


def learnt(network, edges, options, workers, p, q, seed, mark=""):
    """Yield (name, vectors, seconds of the parts) of everybody, one after the other."""
    for name, model in models(options, p, q, seed).items():
        yield name, *by_firth(model, edges)
    given = {"walks": options.walks, "length": options.length, "dim": options.dim}
    given |= {"window": options.window, "p": p, "q": q, "seed": seed, "edges": str(edges)}
    for name, (worker, task, settings) in tasks(network, workers).items():
        stem = f"{network.name}{mark}-{name}-{p:g}-{q:g}-{seed}.npz"
        out, parts = (options.kept or network.folder) / stem, {}
        if not out.exists():
            parts = worker(task, **given, **settings, out=str(out))
        with np.load(out) as arrays:
            emb = firth.Embedding([str(key) for key in arrays["keys"]], arrays["vectors"])
        yield name, emb, parts


def several(run, options):
    """Return means over the seeds of what everybody has, and how far a mean may be off."""
    rows = {}
    for seed in range(1, options.seeds + 1):
        for name, figures in run(seed):
            rows.setdefault(name, []).append(figures)
    report = {}
    for name, found in rows.items():
        report[name] = means(found) | {"seeds": len(found)}
        if len(found) > 1:
            report[name] |= {
                f"{key}, standard error": statistics.stdev(row[key] for row in found)
                / len(found) ** 0.5
                for key in found[0]
            }
    return report


def jobs(network, options, workers):
    """Return seconds from edges to vectors, and F1, of everybody."""
    report = {}
    for p, q in options.bias:

        def run(seed, p=p, q=q):
            for name, emb, parts in learnt(network, network.edges, options, workers, p, q, seed):
                figures = {}
                if parts:
                    figures = {"seconds": sum(parts.values())} | parts
                if "compile" in parts:
                    figures["seconds, compiled"] = figures["seconds"] - parts["compile"]
                if network.labels:
                    found = firth.evaluate.node_classification(emb, network.labels, oov="skip")
                    figures |= {"micro F1": found.micro_f1, "macro F1": found.macro_f1}
                told(f"{network.name}, p {p:g}, q {q:g}, {name}, seed {seed}", figures)
                yield name, figures

        report[f"p {p:g}, q {q:g}"] = several(run, options)
        for name, figures in report[f"p {p:g}, q {q:g}"].items():
            told(f"{network.name}, p {p:g}, q {q:g}, {name}, mean", figures)
    return report


def links(network, options, workers):
    """Return AUC and average precision of everybody."""
    report = {}
    held, edges = split(network, options.kept)
    for p, q in options.bias:

        def run(seed, p=p, q=q):
            found = learnt(network, edges, options, workers, p, q, seed, "-links")
            for name, emb, _ in found:
                figures = {}
                for operator in ("hadamard", "l2", "dot"):
                    got = firth.evaluate.link_prediction(emb, held, operator)
                    figures[f"AUC, {operator}"] = got.auc
                    figures[f"AP, {operator}"] = got.average_precision
                told(f"{network.name}, p {p:g}, q {q:g}, {name}, seed {seed}", figures)
                yield name, figures

        report[f"p {p:g}, q {q:g}"] = several(run, options)
        for name, figures in report[f"p {p:g}, q {q:g}"].items():
            told(f"{network.name}, p {p:g}, q {q:g}, {name}, mean", figures)
    return report


# ---- all of it ----------------------------------------------------------------------------------


def shown(title, unit, rates, scale=1.0):
    """Print a table of rates."""
    print(f"{title:<44}{unit:>12}{'firth is':>10}")
    for name, rate in rates.items():
        print(f"  {name:<42}{rate * scale:>12.3f}{rates['firth'] / rate:>9.2f}x", flush=True)


def told(title, figures):
    """Print figures on a line."""
    row = "  ".join(f"{key} {value:.4g}" for key, value in figures.items() if "error" not in key)
    print(f"{title:<48} {row}", flush=True)


def pair(text):
    """Return p and q of the command line."""
    p, q = map(float, text.split(","))
    return p, q


def arguments():
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = Path(os.environ.get("FIRTH_DATA", "data")) / "graphs"
    parser.add_argument("folder", nargs="?", type=Path, default=data)
    parser.add_argument("--graphs", nargs="+", default=GRAPHS[:2], metavar="NAME")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=())
    parser.add_argument("--rounds", type=int, default=5, help="of walks")
    parser.add_argument("--seeds", type=int, default=1, help="of jobs and links")
    parser.add_argument("--walks", type=int, default=10, help="from each node")
    parser.add_argument("--length", type=int, default=80, help="nodes of a walk")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--window", type=int, default=10)
    parser.add_argument("--bias", type=pair, nargs="+", default=[(0.5, 2.0)], metavar="P,Q")
    parser.add_argument("--kept", type=Path, help="vectors of peers, and edges held out")
    parser.add_argument("--core", type=int, help="run on this one; default: the last allowed")
    for name in PEERS:
        parser.add_argument(f"--{name}", metavar="PYTHON", help="of an environment that has it")
    parser.add_argument("--save", nargs="?", const="graphs", metavar="TASK",
                        help="write bench/results/<machine>/TASK.json")  # fmt: skip
    return parser.parse_args()


def main():
    """Check, measure, print; write only if asked to."""
    options = arguments()
    if not options.folder.is_dir():
        print(f"there are no graphs in {options.folder}: nothing is measured")
        return
    cores = pin(options.core)
    print(f"firth {firth.__version__}, one thread, CPU seconds")
    workers, versions = {}, {}
    for name, package in zip(PEERS, ("pecanpy", "torch_cluster", "node2vec"), strict=True):
        python = getattr(options, name)
        if python:
            worker = Worker(python, "_graphs_peers.py")
            versions[name] = worker("version", package=package)
            if versions[name]:
                workers[name] = worker
        if name not in workers:
            print(f"{package} is left out: {f'{python} has none' if python else 'not asked for'}")
    settings = ("walks", "length", "dim", "window", "rounds")
    report = {name: getattr(options, name) for name in settings} | {"versions": versions}
    with tempfile.TemporaryDirectory(prefix="firth-") as folder:
        for name in options.graphs:
            network = Network(options.folder / name, Path(folder))
            found = {}
            for part in options.parts:
                found[part] = globals()[part](network, options, workers)
            report[name] = found
    for worker in workers.values():
        worker.close()
    os.sched_setaffinity(0, cores)  # the results say how many the machine has
    if options.save:
        print(f"written to {save(options.save, report)}")


if __name__ == "__main__":
    main()
