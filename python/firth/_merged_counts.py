"""Counts of several texts added up, whose vocabularies may differ."""

from collections.abc import Sequence

import numpy as np

from firth import kernels
from firth._backend import Longs
from firth._count_rows import row_blocks, shortened, sorted_rows
from firth.counts import RULE, Counts
from firth.csr import CSR
from firth.vocabulary import Vocabulary

_BLOCK = 1 << 21  # entries that are merged by one call, which needs a row of sums per thread


def merged(parts: tuple[Counts, ...], threads: int | None) -> Counts:
    """Add up counts; see `firth.Counts.merge`."""
    first = parts[0]
    for number, part in enumerate(parts):
        _check_rule(number, part, first)
    tokens = sum(part.tokens for part in parts)
    most = sum(int(part.vocabulary.counts.max(initial=0)) for part in parts)
    most_units = sum(int(part.sums.data.max(initial=0)) for part in parts)
    if most_units >= 2**64 or max(most, tokens) >= 2**63:
        raise OverflowError("Counts.merge: a sum could reach 2**64, or a number of words 2**63")
    vocabularies = [part.vocabulary for part in parts]
    words = first.vocabulary.words
    sums = [part.sums for part in parts]
    if all(vocabulary.words == words for vocabulary in vocabularies):
        if _is_given(parts):
            vocabulary = first.vocabulary
        else:  # ties of added counts are ties in each, so the order of the words stays right
            total = np.sum([vocabulary.counts for vocabulary in vocabularies], axis=0)
            vocabulary = Vocabulary._trusted(words, total)
        matrix = kernels.merge_counts(sums, dtype=np.uint64, threads=threads)
    else:
        vocabulary = first.vocabulary.merge(*vocabularies[1:])
        ids = vocabulary.index
        numbers = [np.array([ids[w] for w in p.vocabulary.words], np.int64) for p in parts]
        matrix = _merge_renumbered(sums, numbers, len(vocabulary), threads)
    rule = {name: getattr(first, name) for name in RULE}
    return Counts(vocabulary, matrix, **rule, tokens=tokens, check=False)


def _is_given(parts: tuple[Counts, ...]) -> bool:
    """Whether texts were read with one vocabulary that is not theirs, as the parts of a corpus are.

    A text's own vocabulary counts the tokens that were read; the counts of a given one are those of
    the text that it was made from, and adding them up would count that several times.
    """
    given = any(int(part.vocabulary.counts.sum()) != part.tokens for part in parts)
    return given and all(part.vocabulary == parts[0].vocabulary for part in parts)


def _check_rule(number: int, part: object, first: Counts) -> None:
    if not isinstance(part, Counts):
        what = type(part).__name__
        raise TypeError(f"Counts.merge: argument {number} is {what}, expected Counts")
    for name in RULE:
        expected, found = getattr(first, name), getattr(part, name)
        if found != expected:
            raise ValueError(
                f"Counts.merge: argument {number} has {name}={found!r}, "
                f"expected {expected!r} as the first has"
            )


def _merge_renumbered(
    parts: Sequence[CSR], numbers: Sequence[Longs], words: int, threads: int | None
) -> CSR:
    """Add up matrices whose word w is word ``numbers[part][w]`` of the result.

    Blocks of the result's rows are made one after the other: besides parts and result this takes
    some 100 MB.
    """
    old_rows, totals = [], np.zeros(words + 1, np.int64)
    for part, numbers_here in zip(parts, numbers, strict=True):
        rows = np.full(words, -1, np.int64)
        rows[numbers_here] = np.arange(len(numbers_here))
        old_rows.append(rows)
        totals[numbers_here + 1] += np.diff(part.indptr)
    bounds = np.cumsum(totals)
    indptr = np.zeros(words + 1, np.int64)
    indices = np.empty(int(bounds[-1]), np.int32)  # pages that stay untouched take no memory
    data = np.empty(int(bounds[-1]), np.uint64)
    for first, last in row_blocks(bounds, _BLOCK):
        pieces = [
            _renumbered(part, rows[first:last], new, words)
            for part, rows, new in zip(parts, old_rows, numbers, strict=True)
        ]
        found = kernels.merge_counts(pieces, dtype=np.uint64, threads=threads)
        begin = int(indptr[first])
        indptr[first + 1 : last + 1] = begin + found.indptr[1:]
        indices[begin : begin + found.nnz] = found.indices
        data[begin : begin + found.nnz] = found.data
    entries = int(indptr[-1])
    return CSR(indptr, shortened(indices, entries), shortened(data, entries), words)


def _renumbered(part: CSR, rows: Longs, numbers: Longs, words: int) -> CSR:
    """Return some rows (-1: an empty one) with other columns, sorted again."""
    known = rows >= 0
    begins = np.where(known, part.indptr[rows], 0)
    lengths = np.where(known, part.indptr[rows + 1], 0) - begins
    indptr = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    places = np.repeat(begins - indptr[:-1], lengths) + np.arange(indptr[-1])
    columns = numbers[part.indices[places]]
    order = sorted_rows(lengths, columns, words)
    if order is not None:
        columns, places = columns[order], places[order]
    return CSR(indptr, columns.astype(np.int32), part.data[places], words)
