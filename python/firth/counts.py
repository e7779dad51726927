"""Counts: how often words keep each other's company, with the words and the rule of counting."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from firth import association, kernels
from firth.corpus import Corpus
from firth.csr import CSR
from firth.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False, repr=False)
class Counts:
    """How often words keep each other's company.

    Attributes
    ----------
    vocabulary
        The words, row by row and column by column.
    sums
        The counts as whole multiples of ``1 / unit``: data are uint64.
    unit, window, weights, symmetric, sentences
        How they were counted; see `firth.kernels.cooccurrence`.
    tokens
        How many tokens were read.
    """

    vocabulary: Vocabulary
    sums: CSR
    unit: int
    window: int
    weights: str
    symmetric: bool
    sentences: bool
    tokens: int

    @classmethod
    def of(
        cls,
        corpus: Corpus,
        *,
        window: int = 10,
        weights: str = "distance",
        symmetric: bool = True,
        sentences: bool = True,
        memory: int | str | None = None,
        folder: str | None = None,
        threads: int | None = None,
        progress: bool | None = False,
    ) -> Self:
        """Count a corpus."""
        sums = kernels.cooccurrence(
            corpus.ids,
            corpus.offsets if sentences else None,
            words=len(corpus.vocabulary),
            window=window,
            weights=weights,
            symmetric=symmetric,
            dtype=np.uint64,
            threads=threads,
        )
        _, unit = kernels.distance_weights(window, weights)
        rule = (unit, window, weights, symmetric, sentences)
        return cls(corpus.vocabulary, sums, *rule, len(corpus.ids))

    def matrix(self, dtype: npt.DTypeLike = np.float32) -> CSR:
        """Return the counts as numbers, ``sums / unit``."""
        data = (self.sums.data / float(self.unit)).astype(dtype, copy=False)
        return CSR(self.sums.indptr, self.sums.indices, data, self.sums.columns)

    def ppmi(self, shift: float = 1.0, smoothing: float = 0.75) -> CSR:
        """Return the positive pointwise mutual information; see `firth.association.ppmi`."""
        return association.ppmi(self.sums, shift=shift, smoothing=smoothing)

    collocations = association.collocations
