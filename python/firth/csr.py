"""CSR: a sparse matrix in compressed rows, as the kernels make and read it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Longs


@dataclass(frozen=True, eq=False, repr=False)
class CSR:
    """A sparse matrix in compressed rows, sorted, without zeros or twins.

    Attributes
    ----------
    indptr
        (rows + 1,) int64: row r has the entries ``indptr[r]`` to ``indptr[r + 1]``.
    indices
        (nnz,) int32: their columns, rising in each row.
    data
        (nnz,) their values: float32, float64, or uint64 for sums in whole units.
    columns
        How many columns there are; by default as many as rows.

    Examples
    --------
    >>> import numpy as np
    >>> CSR(np.array([0, 1, 1]), np.array([1], np.int32), np.array([2.0]))
    CSR(2 x 2, 1 entries, float64)
    """

    indptr: Longs
    indices: npt.NDArray[np.int32]
    data: npt.NDArray[Any]
    columns: int = -1

    def __post_init__(self) -> None:
        if self.columns == -1:  # others are looked at where they matter
            object.__setattr__(self, "columns", len(self.indptr) - 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.indptr) - 1, self.columns

    @property
    def nnz(self) -> int:
        """How many entries there are."""
        return len(self.data)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"CSR({rows} x {columns}, {self.nnz} entries, {self.data.dtype})"

    def to_scipy(self) -> Any:
        """Return a ``scipy.sparse.csr_array`` on the same memory.

        Raises
        ------
        ImportError
            SciPy is not installed; it comes with ``firth[scipy]``.
        """
        try:
            from scipy.sparse import csr_array
        except ImportError as error:
            raise ImportError("to_scipy needs SciPy: pip install 'firth[scipy]'") from error
        indptr = self.indptr
        if self.nnz < 2**31:
            indptr = indptr.astype(np.int32)  # of one type with the indices, which are not copied
        return csr_array((self.data, self.indices, indptr), shape=self.shape)
