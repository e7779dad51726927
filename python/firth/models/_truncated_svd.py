"""The greatest singular values of a sparse matrix and their vectors, by SciPy."""

from typing import Any

import numpy as np

from firth._backend import Floats
from firth._progress import Progress
from firth._random import initial_rows
from firth.csr import CSR

# So few columns are factorised as a whole: there, singular values are often equal, and what ARPACK
# then starts anew from is drawn without our seed.
_FEW = 512


def solver(model: str) -> Any:
    """Return SciPy's solvers.

    Raises
    ------
    ImportError
        SciPy is not installed; the model is named.
    """
    try:
        import scipy.sparse.linalg
    except ImportError as error:
        raise ImportError(f"{model} needs SciPy: pip install 'firth[scipy]'") from error
    return scipy.sparse.linalg


def truncated_svd(
    linalg: Any, matrix: CSR, dim: int, seed: int, progress: bool | None
) -> tuple[Floats, Floats, Floats]:
    """Factorise a square float32 matrix that is not zero.

    Of a left vector, the number of greatest magnitude is positive: SVD leaves signs open. Rows and
    columns without entries are exactly zero.

    Returns
    -------
    tuple
        Left vectors (n, dim), singular values (dim,), greatest first, and right vectors (n, dim).
    """
    sparse = matrix.to_scipy()
    if matrix.columns <= _FEW:
        left, values, right = np.linalg.svd(sparse.toarray().astype(np.float64))
        left, values, right = left[:, :dim], values[:dim], right[:dim].T
    else:
        start = initial_rows(seed, 0, 1, matrix.columns)[0]
        with Progress(progress, 0, "factorising", "products") as bar:

            def told(product: Any) -> Any:
                bar.update(1)
                return product

            operator = linalg.LinearOperator(
                matrix.shape,
                matvec=lambda x: told(sparse @ x),
                rmatvec=lambda x: told(sparse.T @ x),
                matmat=lambda x: told(sparse @ x),
                dtype=np.float32,
            )
            # PROPACK is faster, but fails where the rank is low and turns Ctrl-C into errors.
            left, values, right = linalg.svds(operator, dim, v0=start, solver="arpack")
        left, values, right = left[:, ::-1], values[::-1], right[::-1].T
    greatest = left[np.abs(left).argmax(axis=0), np.arange(dim)]
    signs = np.where(greatest < 0, -1, 1)
    left, values, right = (
        part.astype(np.float32) for part in (left * signs, values, right * signs)
    )
    left[matrix.indptr[1:] == matrix.indptr[:-1]] = 0
    right[np.bincount(matrix.indices, minlength=matrix.columns) == 0] = 0
    return left, values, right
