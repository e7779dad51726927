"""Who is measured by recommend.py beside firth: implicit, on one thread.

Run by recommend.py with the Python of an environment that has it (see _workers.py). Seconds are
those of the processor. Arrays come and go in files of numpy.
"""

import functools
import importlib
import time

import numpy as np
from _workers import serve


def version():
    """Return which one is there, or None."""
    try:
        return importlib.import_module("implicit").__version__
    except ImportError:
        return None


@functools.cache
def matrix(train):
    """Return what users have met, as recommend.py wrote it."""
    sparse = importlib.import_module("scipy.sparse")
    with np.load(train) as arrays:
        parts = tuple(arrays[name] for name in ("data", "indices", "indptr"))
        return sparse.csr_matrix(parts, shape=tuple(arrays["shape"]))


def model(kind, seed, settings):
    """Return a model."""
    if kind == "bpr":
        kept = importlib.import_module("implicit.cpu.bpr").BayesianPersonalizedRanking
        settings = {"verify_negative_samples": True} | settings
    else:
        kept = importlib.import_module("implicit.cpu.als").AlternatingLeastSquares
    return kept(num_threads=1, random_state=seed, **settings)


def fit(kind, train, seed, settings, out=None):
    """Learn, and write vectors of users and items; return the seconds."""
    made, given = model(kind, seed, settings), matrix(train)
    start = time.process_time()
    made.fit(given, show_progress=False)
    spent = time.process_time() - start
    if out:
        np.savez(out, users=made.user_factors, items=made.item_factors)
    return {"seconds": spent, "epochs": made.iterations}


if __name__ == "__main__":
    serve({"version": version, "fit": fit})
