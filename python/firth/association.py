"""How strongly words are associated: PPMI matrices and collocations, out of counts.

Both need a count and its marginals only, so they go through the entries in blocks: beside what they
return, they take memory for the marginals and for one block, however many entries there are.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from firth._backend import Doubles, Longs
from firth._count_rows import BLOCK
from firth.csr import CSR
from firth.kernels._arguments import first_outside, flag, integer, one_of, real

if TYPE_CHECKING:
    from firth.counts import Counts

_CHANCE = 1 + 1e-12  # a ratio up to here is one, but for rounding
_MOST = 2**31 - 1


class Collocation(NamedTuple):
    """Two words that keep each other's company.

    Attributes
    ----------
    first, second
        The words: in the order of the text if that was counted, otherwise the more frequent first.
    score
        How strongly they are associated.
    count
        How often they were met together, weighted as the counts are.
    """

    first: str
    second: str
    score: float
    count: float  # type: ignore[assignment]  # stands before the tuple's method


class Marginals(NamedTuple):
    """What the entries of a matrix add up to.

    Attributes
    ----------
    rows, columns
        (rows,) and (columns,) float64.
    total
        Of all entries.
    """

    rows: Doubles
    columns: Doubles
    total: float


_Entries = tuple[Longs, npt.NDArray[np.int32], Doubles]  # rows, columns and values of some entries


def marginals(counts: CSR, *, name: str = "marginals") -> Marginals:
    """Add up the rows, the columns and all entries of a matrix.

    Parameters
    ----------
    counts
        Whole or real numbers, none of them negative.
    name
        The function that errors name.

    Raises
    ------
    ValueError
        A number that is negative or not finite; a column that the matrix does not have.

    Examples
    --------
    >>> marginals(CSR(np.array([0, 2, 2]), np.array([0, 1], np.int32), np.array([3.0, 1.0])))
    Marginals(rows=array([4., 0.]), columns=array([3., 1.]), total=4.0)
    """
    rows, columns = (np.zeros(size) for size in counts.shape)
    first = 0
    for row, column, value in _blocks(counts, len(rows)):
        if (place := first_outside(column, 0, len(columns))) >= 0:
            what = f"indices[{first + place}]={column[place]}"
            raise ValueError(f"{name}: {what} is not one of the {len(columns)} columns")
        wrong = ~(np.isfinite(value) & (value >= 0))
        if wrong.any():
            place = int(wrong.argmax())
            what = f"data[{first + place}]={value[place]:g}"
            raise ValueError(f"{name}: {what} is negative or not finite")
        rows[row[0] : row[-1] + 1] += np.bincount(row - row[0], value)
        columns += np.bincount(column, value, len(columns))
        first += len(value)
    return Marginals(rows, columns, float(rows.sum()))


def _blocks(counts: CSR, rows: int) -> Iterator[_Entries]:
    """Yield the entries of the first rows in blocks."""
    indptr = counts.indptr
    end = int(indptr[rows])
    for first in range(0, end, BLOCK):
        last = min(first + BLOCK, end)
        begin = int(np.searchsorted(indptr, first, "right")) - 1
        behind = int(np.searchsorted(indptr, last, "left"))
        ends = np.clip(indptr[begin : behind + 1], first, last)
        row = np.repeat(np.arange(begin, behind), ends[1:] - ends[:-1])
        value = counts.data[first:last].astype(np.float64)
        yield row, counts.indices[first:last], value


# ---- PPMI ---------------------------------------------------------------------------------------


def ppmi(counts: CSR, *, shift: float = 1.0, smoothing: float = 0.75) -> CSR:
    """Return the positive pointwise mutual information of rows and columns.

    An entry is ``max(0, log(p(a, b) / (p(a) q(b))) - log(shift))``, in which ``q(b)`` is in
    proportion to ``p(b) ** smoothing``. Entries that are 0 are left out.

    Parameters
    ----------
    counts
        How often rows and columns were met together, in any unit.
    shift
        How much more often than by chance a pair must occur: the number of negative samples in
        models that draw them.
    smoothing
        Below 1, rare columns seem more frequent than they are: PMI is too great for those.

    Returns
    -------
    CSR
        float32, of the same shape. The logarithm is the natural one.

    Raises
    ------
    TypeError, ValueError
        A setting out of its range; counts that are negative or not finite.

    References
    ----------
    Levy, Goldberg and Dagan, "Improving distributional similarity with lessons learned from word
    embeddings" (2015), sections 2.1 and 3.2; Levy and Goldberg, "Neural word embedding as implicit
    matrix factorization" (2014), section 4.1, for the shift.

    Examples
    --------
    >>> counts = CSR(np.array([0, 2, 3]), np.array([0, 1, 1], np.int32), np.array([2.0, 1, 1]))
    >>> ppmi(counts, smoothing=1).data  # log(4/3) and log(2)
    array([0.2876821, 0.6931472], dtype=float32)
    """
    name = "ppmi"
    shift = real(name, "shift", shift, 1e-9, 1e9)
    smoothing = real(name, "smoothing", smoothing, 0, 1)
    rows, columns, _ = marginals(counts, name=name)
    met = columns > 0
    scale = np.zeros_like(columns)
    scale[met] = columns[met] ** smoothing
    scale[met] = scale.sum() / scale[met] / shift
    rows[rows == 0] = 1  # which have no entries, or zeros only

    def kept() -> Iterator[_Entries]:
        for row, column, value in _blocks(counts, len(rows)):
            ratio = value / rows[row] * scale[column]
            more = ratio > _CHANCE
            yield row[more], column[more], ratio[more]

    # Twice, since nobody knows before how many there will be, and they are to be held only once.
    many = np.zeros(len(rows), np.int64)
    for row, _, _ in kept():
        if len(row):
            many[row[0] : row[-1] + 1] += np.bincount(row - row[0])
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(many)])
    indices, data = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    at = 0
    for _, column, ratio in kept():
        indices[at : at + len(column)], data[at : at + len(column)] = column, np.log(ratio)
        at += len(column)
    return CSR(indptr, indices, data, counts.columns)


# ---- collocations -------------------------------------------------------------------------------


def collocations(
    counts: "Counts",
    n: int = 20,
    measure: str = "npmi",
    *,
    min_count: int = 5,
    min_pairs: float = 5.0,
    repeats: bool = False,
) -> list[Collocation]:
    """Return the pairs of words that are associated most strongly.

    Parameters
    ----------
    counts
        How often words were met together. If the order of the words does not matter there, each
        pair is listed once.
    n
        How many pairs; fewer if there are not so many.
    measure
        Of ``p(a, b)``, the pair's share of all counts, and ``p(a)`` and ``p(b)``, the shares of its
        row and its column:

        - ``"count"``: the count itself;
        - ``"pmi"``: ``log2(p(a, b) / (p(a) p(b)))``, in bits; favours rare words;
        - ``"npmi"``: the same divided by ``-log2(p(a, b))``: at most 1, the score of words that are
          met with each other only;
        - ``"log-likelihood"``: twice the logarithm of the likelihood ratio of the 2 x 2 table,
          negative where the pair is rarer than by chance; favours frequent words.
    min_count
        Pairs of words that occur fewer times in the text are left out.
    min_pairs
        So are pairs that were counted fewer times.
    repeats
        Take pairs of a word with itself, too.

    Returns
    -------
    list of Collocation
        Best first; equal scores in the order of the vocabulary.

    Raises
    ------
    TypeError, ValueError
        A setting that is none of these, or out of its range.

    References
    ----------
    Church and Hanks, "Word association norms, mutual information, and lexicography" (1990), for
    PMI; Bouma, "Normalized (pointwise) mutual information in collocation extraction" (2009);
    Dunning, "Accurate methods for the statistics of surprise and coincidence" (1993).

    Examples
    --------
    >>> from firth import Corpus, Counts
    >>> corpus = Corpus.read(["new york is new", "york is old", "new york"] * 5, min_count=1)
    >>> counts = Counts.of(corpus, window=1, weights="uniform", symmetric=False)
    >>> collocations(counts, 1, "count")
    [Collocation(first='new', second='york', score=10.0, count=10.0)]
    """
    name = "collocations"
    if not 1 <= integer(name, "n", n) <= _MOST:
        raise ValueError(f"{name}: n={n} is not between 1 and {_MOST}")
    one_of(name, "measure", measure, MEASURES)
    if integer(name, "min_count", min_count) < 1:
        raise ValueError(f"{name}: min_count={min_count} is not at least 1")
    repeats = flag(name, "repeats", repeats)
    min_pairs = real(name, "min_pairs", min_pairs, 0, 1e300)
    words, unit, score = counts.vocabulary.words, counts.unit, _SCORES[measure]
    known = int((counts.vocabulary.counts >= min_count).sum())  # which are the first ones
    sums = marginals(counts.sums, name=name)
    rows, columns, total = sums.rows / unit, sums.columns / unit, sums.total / unit

    best = np.empty((4, 0))  # scores, rows, columns and counts
    for row, column, value in _blocks(counts.sums, known):
        value /= unit
        taken = (column < known) & (value >= min_pairs) & (value > 0)
        if counts.symmetric:
            taken &= column >= row
        if not repeats:
            taken &= column != row
        row, column, value = row[taken], column[taken], value[taken]
        scores = score(value, rows[row], columns[column], total)
        best = _greatest(np.hstack([best, np.stack([scores, row, column, value])]), n)
    best = best[:, np.argsort(-best[0], kind="stable")]
    return [
        Collocation(words[int(row)], words[int(column)], score, count)
        for score, row, column, count in best.T.tolist()
    ]


def _greatest(table: Doubles, n: int) -> Doubles:
    """Return the n columns whose first number is greatest, in their order; of equals the first."""
    if table.shape[1] <= n:
        return table
    least = np.partition(table[0], -n)[-n]
    taken = table[0] > least
    taken[np.flatnonzero(table[0] == least)[: n - int(taken.sum())]] = True
    return table[:, taken]


def _count(n: Doubles, row: Doubles, column: Doubles, total: float) -> Doubles:
    return n


def _pmi(n: Doubles, row: Doubles, column: Doubles, total: float) -> Doubles:
    bits: Doubles = (math.log2(total) - np.log2(row)) + (np.log2(n) - np.log2(column))
    return bits


def _npmi(n: Doubles, row: Doubles, column: Doubles, total: float) -> Doubles:
    bits = math.log2(total) - np.log2(n)  # the same logarithms: of n = row = column, exactly 1
    everything = bits <= 0  # where 1 is the limit
    share = _pmi(n, row, column, total) / np.where(everything, 1, bits)
    return np.where(everything, 1, np.minimum(share, 1))


def _log_likelihood(n: Doubles, row: Doubles, column: Doubles, total: float) -> Doubles:
    half = np.zeros_like(n)
    others = (total - row, total - column)
    for seen, a, b in (
        (n, row, column),
        (row - n, row, others[1]),
        (column - n, others[0], column),
        (others[0] - (column - n), *others),
    ):
        there = (seen > 0) & (a > 0) & (b > 0)  # nothing, or less by rounding, adds nothing
        seen, chance = seen[there], (a * (b / total))[there]
        half[there] += seen * np.log(seen / chance)
    signed: Doubles = np.copysign(2 * np.maximum(half, 0), n - row * (column / total))
    return signed


_SCORES: dict[str, Callable[[Doubles, Doubles, Doubles, float], Doubles]] = {
    "count": _count,
    "pmi": _pmi,
    "npmi": _npmi,
    "log-likelihood": _log_likelihood,
}
MEASURES = tuple(_SCORES)
