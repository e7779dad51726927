"""Who is measured by graphs.py beside firth: PecanPy, torch-cluster and node2vec, on one thread.

Run by graphs.py with the Python of an environment that has some of them (see _workers.py). Seconds
are those of the processor. Arrays come and go in files of numpy.
"""

import functools
import importlib
import time

import numpy as np
from _workers import serve

MOST_PAIRS = 30_000_000  # of edges one after the other, whose probabilities a peer may store


def version(package):
    """Return which version is there, or None."""
    try:
        importlib.import_module(package)
    except ImportError:
        return None
    return importlib.import_module("importlib.metadata").version(package)


@functools.cache
def stored(graph):
    """Return the arrays of a graph that graphs.py wrote."""
    with np.load(graph) as arrays:
        return {name: arrays[name] for name in arrays.files}


def clocked(parts, name, task):
    """Return what a task returns, its seconds kept under a name."""
    start = time.process_time()
    done = task()
    parts[name] = time.process_time() - start
    return done


# ---- PecanPy ------------------------------------------------------------------------------------


def pecanpy(kind, p, q, seed, edges=None, graph=None):
    """Return its model of a graph, given as a file of edges or as arrays."""
    module = importlib.import_module("pecanpy.pecanpy")
    model = getattr(module, kind)(p=p, q=q, workers=1, verbose=False, random_state=seed)
    if edges:
        model.read_edg(edges, weighted=False, directed=False)
    else:
        arrays = stored(graph)
        model.indptr = arrays["indptr"].astype(np.uint32)
        model.indices = arrays["indices"].astype(np.uint32)
        model.data = arrays["data"]
        model.set_node_ids([str(row) for row in range(len(model.indptr) - 1)])
    return model


def walker(model):
    """Return its compiled loop over walks as a function of (starts, steps, seed), called once.

    Each call of its `simulate_walks` compiles the loop anew; here it is compiled once.
    """
    bar = importlib.import_module("numba_progress").ProgressBar
    model._preprocess_transition_probs()
    step, has = model.get_move_forward(), model.get_has_nbrs()

    def walked(starts, steps, seed):
        with bar(total=len(starts), disable=True) as progress:
            return model._random_walks(len(starts), steps, seed, starts, has, step, progress)

    walked(np.zeros(2, np.uint32), 3, 1)
    return walked


@functools.cache
def ready(kind, p, q, graph):
    """Return a compiled walker of a graph, and the seconds until it is there."""
    parts = {}
    model = pecanpy(kind, p, q, 1, graph=graph)
    return clocked(parts, "ready", lambda: walker(model)), parts["ready"]


def pecanpy_walks(kind, p, q, graph, starts, length, seed, out=None):
    """Walk by the compiled loop; its walks end with how many of their nodes count."""
    walked, before = ready(kind, p, q, graph)
    parts, begins = {}, np.load(starts)
    found = clocked(parts, "walks", lambda: walked(begins, length - 1, seed))
    if out:
        if (found[:, -1] != length).any():
            raise ValueError("a walk ended early")
        np.save(out, found[:, :-1])
    return parts | {"ready": before}


def pecanpy_called(kind, p, q, graph, walks, length, seed):
    """Walk by the function that users call: it compiles, and returns walks as names of nodes."""
    model, parts = pecanpy(kind, p, q, seed, graph=graph), {}
    clocked(parts, "called", lambda: model.simulate_walks(walks, length - 1))
    return parts


def pecanpy_job(kind, p, q, edges, walks, length, dim, window, seed, out):
    """Go from a file of edges to vectors as its `embed` does, the parts clocked."""
    parts = {}
    model = clocked(parts, "read", lambda: pecanpy(kind, p, q, seed, edges=edges))
    walked = clocked(parts, "compile", lambda: walker(model))
    np.random.seed(seed)  # noqa: NPY002  # it is what the peer draws from
    starts = np.tile(np.arange(model.num_nodes, dtype=np.uint32), walks)
    np.random.shuffle(starts)  # noqa: NPY002
    rows = clocked(parts, "walks", lambda: walked(starts, length - 1, seed))
    text = clocked(parts, "names", lambda: [model._map_walk(row) for row in rows])
    vectors = clocked(parts, "vectors", lambda: gensim(text, dim, window, seed))
    save(out, vectors)
    return parts


def gensim(walks, dim, window, seed):
    """Learn from walks as PecanPy does."""
    return importlib.import_module("gensim.models").Word2Vec(
        walks, vector_size=dim, window=window, sg=1, min_count=0, workers=1, epochs=1, seed=seed
    ).wv  # fmt: skip


def save(out, vectors):
    """Write vectors with their nodes."""
    np.savez(out, keys=np.array(vectors.index_to_key), vectors=vectors.vectors)


# ---- torch-cluster, which PyG walks with --------------------------------------------------------


@functools.cache
def tensors(graph):
    """Return a graph for torch, on one thread."""
    torch = importlib.import_module("torch")
    importlib.import_module("torch_cluster")
    torch.set_num_threads(1)
    arrays = stored(graph)
    rows = torch.from_numpy(arrays["indptr"].astype(np.int64))
    return torch, rows, torch.from_numpy(arrays["indices"].astype(np.int64))


def torch_walks(p, q, graph, starts, length, seed, out=None):
    """Walk by torch-cluster, on rows that are ready."""
    torch, rows, targets = tensors(graph)
    torch.manual_seed(seed)
    begins, parts = torch.from_numpy(np.load(starts).astype(np.int64)), {}
    walk = torch.ops.torch_cluster.random_walk
    found = clocked(parts, "walks", lambda: walk(rows, targets, begins, length - 1, p, q)[0])
    if out:
        np.save(out, found.numpy().astype(np.uint32))
    return parts


# ---- node2vec, which networkx holds the graph of ------------------------------------------------


def node2vec_job(p, q, edges, walks, length, dim, window, seed, out):
    """Go from a file of edges to vectors; walking has probabilities of all pairs of edges."""
    module, networkx = (importlib.import_module(name) for name in ("node2vec", "networkx"))
    parts = {}
    graph = clocked(parts, "read", lambda: networkx.read_edgelist(edges))
    settings = {"dimensions": dim, "walk_length": length, "num_walks": walks, "p": p, "q": q}
    made = clocked(
        parts,
        "walks",
        lambda: module.Node2Vec(graph, **settings, workers=1, quiet=True, seed=seed),
    )
    learnt = {"window": window, "min_count": 0, "epochs": 1, "seed": seed}
    save(out, clocked(parts, "vectors", lambda: made.fit(**learnt)).wv)
    return parts


if __name__ == "__main__":
    serve(
        {
            "version": version,
            "pecanpy_walks": pecanpy_walks,
            "pecanpy_called": pecanpy_called,
            "pecanpy_job": pecanpy_job,
            "torch_walks": torch_walks,
            "node2vec_job": node2vec_job,
        }
    )
