"""What negative sampling draws by: noise words, and the words that subsampling keeps."""

import numpy as np
import numpy.typing as npt

from firth._backend import Doubles, Ids, backend_of

_COUNTS = 1 << 18  # looked at together: they stay in cache, and Ctrl-C is answered after them


def noise(counts: npt.ArrayLike, exponent: float = 0.75) -> Ids:
    """Return the noise distribution proportional to ``counts ** exponent``.

    Parameters
    ----------
    counts
        (words,) how often each word was seen, not negative.
    exponent
        3/4 in Mikolov et al. (2013), section 2.2; 0 draws all words alike.

    Returns
    -------
    (words, 2) uint32: Walker's alias table. A draw picks a column; it stands for its own word if a
    second draw is at most the first number, else for the word that is the second number.

    Raises
    ------
    ValueError
        If there is no word, or a weight is negative or not finite, or all are 0.

    Examples
    --------
    >>> noise([3, 1], exponent=1).shape
    (2, 2)
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 1 or not 0 < len(counts) < 2**32 - 1:
        raise ValueError(
            f"noise: counts has shape {counts.shape}, expected (words,) with words > 0"
        )
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        weights: Doubles = np.power(counts, exponent)
        total = float(weights.sum())
    if not (counts.min() >= 0 and np.isfinite(total) and total > 0):
        raise ValueError(
            f"noise: counts ** {exponent} sums to {total}, expected a positive finite number"
        )
    table: Ids = backend_of(weights).alias_table(weights=weights)
    return table


def keep_chances(counts: npt.ArrayLike, sample: float) -> Ids:
    """Return how likely subsampling keeps each word, as thresholds for 32-bit draws.

    A word of relative frequency f stays with probability ``sqrt(sample / f) + sample / f``, as in
    word2vec.c (the paper's section 2.3 has another formula).

    Parameters
    ----------
    counts
        (words,) how often each word was seen, not negative.
    sample
        About the frequency above which words are thinned out; 0 keeps everything.

    Returns
    -------
    (words,) uint32: a word stays if its draw is at most this.

    Raises
    ------
    ValueError
        If a count is negative or not finite, or `sample` is.
    """
    counts = np.asarray(counts)
    if counts.dtype.kind not in "iuf":
        counts = counts.astype(np.float64)
    if counts.ndim != 1:
        raise ValueError(f"keep_chances: counts has shape {counts.shape}, expected (words,)")
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(counts.sum(dtype=np.float64))
    if not (counts.min(initial=0) >= 0 and np.isfinite(total)):
        raise ValueError(
            f"keep_chances: counts sum to {total}, expected numbers not negative and a finite sum"
        )
    if not (np.isfinite(sample) and sample >= 0):
        raise ValueError(f"keep_chances: sample={sample} is not 0 or a positive number")
    if sample == 0:
        return np.full(len(counts), 2**32 - 1, dtype=np.uint32)
    thresholds = np.empty(len(counts), np.uint32)
    for at in range(0, len(counts), _COUNTS):
        share = sample * total / np.maximum(counts[at : at + _COUNTS].astype(np.float64), 1)
        chance = np.minimum(1.0, np.sqrt(share) + share)
        thresholds[at : at + _COUNTS] = np.maximum(np.round(chance * 2.0**32) - 1, 0)
    return thresholds
