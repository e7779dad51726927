"""Sparse matrices: as dictionaries, which oracles have, and as arrays, which kernels have."""

import numpy as np

from firth.csr import CSR


def csr_of(entries, shape, dtype):
    """Return {(row, column): value} as a matrix."""
    pairs = sorted(entries)
    sizes = np.bincount([row for row, _ in pairs], minlength=shape[0])
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    indices = np.array([column for _, column in pairs], np.int32)
    return CSR(indptr, indices, np.array([entries[p] for p in pairs], dtype), shape[1])


def entries_of(matrix):
    """Return {(row, column): value} of a matrix, which must be in order."""
    assert matrix.indptr.dtype == np.int64
    assert matrix.indices.dtype == np.int32
    assert matrix.indptr[0] == 0
    assert matrix.indptr[-1] == len(matrix.indices) == len(matrix.data)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)).tolist()
    pairs = list(zip(rows, matrix.indices.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    return dict(zip(pairs, matrix.data.tolist(), strict=True))


def assert_same_bits(got, want):
    """Raise unless two matrices have the same arrays."""
    assert got.shape == want.shape
    for name in ("indptr", "indices", "data"):
        assert getattr(got, name).dtype == getattr(want, name).dtype
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
