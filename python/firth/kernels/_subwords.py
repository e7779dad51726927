"""subwords, bag_means, subword_means: check words, tables and bags, allocate, call the backend."""

from collections.abc import Iterable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from firth._backend import Bytes, Floats, Ids, Longs, backend_of
from firth.kernels._arguments import array_module, first_outside, integer, number_of_threads, typed
from firth.kernels._words import Words, words_of

MOST_CHARACTERS = 2**16  # of an n-gram
MOST_BUCKETS = 2**31 - 1
MOST_HASHES = 4


class Bags(NamedTuple):
    """Several bags of ids; bag b is ``ids[offsets[b]:offsets[b + 1]]``.

    Attributes
    ----------
    offsets
        (bags + 1,) int64, rising from 0 to the number of ids.
    ids
        (total,) uint32; an id may stand in a bag more than once.
    """

    offsets: Longs
    ids: Ids


def subwords(
    words: Iterable[str] | bytes | bytearray | memoryview | Bytes,
    *,
    min_n: int = 3,
    max_n: int = 6,
    buckets: int = 2_000_000,
    hashes: int = 0,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Bags:
    r"""Hash the character n-grams of words into buckets.

    A word stands between boundaries, ``<word>``, and its n-grams are the runs of n characters of
    that, by where they begin, then by n; a boundary by itself is none. A character is a byte with
    all UTF-8 continuation bytes behind it. Ids are those of the program fastText [1]_, or with
    ``hashes`` those of floret [2]_. fastText's end of a line, ``</s>``, has an empty bag.

    Parameters
    ----------
    words : iterable of str, Arrow column, or bytes
        Texts, with surrogates that stand for bytes ("surrogateescape"); a column of strings that
        has ``__arrow_c_stream__`` (pyarrow, polars, pandas 2.2), without nulls; or bytes or a
        (size,) uint8 array with a newline behind each word. The last newline may be missing, and
        nothing else separates words or is taken off them. Bytes, bytearrays and arrays are read
        where they lie and must not change meanwhile.
    min_n, max_n : int
        The shortest and the longest n-grams, in characters: ``1 <= min_n <= max_n <= 2**16``.
        ``max_n=0``: no n-grams.
    buckets : int
        From 1 to 2**31 - 1.
    hashes : int
        0: an id per n-gram, by fastText's FNV-1a. 1 to 4: floret's rule, by MurmurHash3: the whole
        ``<word>`` comes before its n-grams, and each has this many ids.
    threads : int, optional
        How many threads to use; ``firth.set_num_threads`` sets the default.
    backend, isa
        For tests: force a backend module and an instruction set.

    Returns
    -------
    Bags
        Of each word its ids, below ``buckets``; on the device where the words are on one.

    Raises
    ------
    TypeError
        If words are one str or hold something else, or a number is not whole.
    ValueError
        If a number is out of its range, or a row of an Arrow column is null.

    References
    ----------
    .. [1] Bojanowski, Grave, Joulin and Mikolov, "Enriching word vectors with subword information"
       (2017), section 3.2.
    .. [2] Tito Svenstrup, Hansen and Winther, "Hash embeddings for efficient word representations"
       (2017), whose idea floret joins to fastText's.

    Examples
    --------
    >>> bags = subwords(["as", "at"], min_n=2, max_n=3, buckets=1000)
    >>> bags.offsets.tolist()
    [0, 5, 10]
    >>> bags.ids[:5].tolist()  # <a <as as as> s>
    [750, 31, 469, 177, 20]
    >>> subwords(b"as\nat\n", min_n=2, max_n=3, buckets=1000).ids.tolist() == bags.ids.tolist()
    True
    """
    rule = _rule("subwords", min_n, max_n, buckets, hashes)
    number = number_of_threads("subwords", threads)
    found = words_of(words, "subwords", threads=number, backend=backend)
    xp = array_module("subwords", words=found.text)
    offsets = xp.zeros(len(found.begins) + 1, np.int64)
    given = {**found._asdict(), **rule, "offsets": offsets, "threads": number, "isa": isa or ""}
    call = backend_of(found.text, backend=backend).subwords
    call(**given, ids=None)
    if xp is not np:
        xp.cumsum(offsets, out=offsets)
    ids = xp.empty(int(offsets[-1]), np.uint32)
    call(**given, ids=ids)
    return Bags(offsets, ids)


def bag_means(
    table: Floats,
    bags: Bags,
    *,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Floats:
    """Take the mean of the rows that each bag names.

    Rows are added in the bag's order in float32, then multiplied by one over their number, so that
    answers are the same bits on every backend, whatever the number of threads.

    Parameters
    ----------
    table : (rows, dim) float32
        C-contiguous, on the host or on a CUDA device.
    bags : Bags
        Ids below the number of rows, in arrays where the table is.
    threads : int, optional
        How many threads to use; ``firth.set_num_threads`` sets the default.
    backend, isa
        For tests: force a backend module and an instruction set.

    Returns
    -------
    (bags, dim) float32
        Zeros for an empty bag.

    Raises
    ------
    TypeError
        If an array has another dtype, or arrays on host and device are mixed.
    ValueError
        If a shape does not fit, the table is not C-contiguous, offsets do not rise from 0 to the
        number of ids, or an id is no row of the table.

    Examples
    --------
    >>> table = np.array([[1, 2], [3, 4], [8, 0]], np.float32)
    >>> bags = Bags(np.array([0, 2, 2, 3]), np.array([0, 1, 2], np.uint32))
    >>> bag_means(table, bags).tolist()
    [[2.0, 3.0], [0.0, 0.0], [8.0, 0.0]]
    """
    offsets, ids = bags_of("bag_means", "bags", bags)
    xp = array_module("bag_means", table=table, offsets=offsets, ids=ids)
    _check_table("bag_means", table)
    check_bags("bag_means", "bags", Bags(offsets, ids), len(table), "the table")
    means = xp.empty((len(offsets) - 1, table.shape[1]), np.float32)
    backend_of(table, backend=backend).bag_means(
        table=table,
        offsets=offsets,
        ids=ids,
        means=means,
        threads=number_of_threads("bag_means", threads),
        isa=isa or "",
    )
    return means  # type: ignore[no-any-return]


def subword_means(
    words: Iterable[str] | bytes | bytearray | memoryview | Bytes,
    table: Floats,
    *,
    min_n: int = 3,
    max_n: int = 6,
    buckets: int = 2_000_000,
    hashes: int = 0,
    first_row: int = 0,
    threads: int | None = None,
    backend: ModuleType | None = None,
    isa: str | None = None,
) -> Floats:
    """Take the mean of the table's rows that the n-grams of each word are hashed to.

    The answer is that of :func:`bag_means` for the bags of :func:`subwords`, which are not stored.

    Parameters
    ----------
    words, min_n, max_n, buckets, hashes, threads, backend, isa
        As for :func:`subwords`; bytes, bytearrays and arrays are read where they lie and must not
        change meanwhile.
    table : (rows, dim) float32
        C-contiguous, on the host or on a CUDA device, where words are then brought to.
    first_row : int
        Bucket i is row ``first_row + i``; ``first_row + buckets`` is at most the number of rows.

    Returns
    -------
    (words, dim) float32
        Zeros for a word without n-grams.

    Raises
    ------
    TypeError, ValueError
        As :func:`subwords` and :func:`bag_means` do, and if buckets have no row.

    Examples
    --------
    >>> table = np.arange(20, dtype=np.float32).reshape(10, 2)
    >>> bags = subwords(["as", "at"], buckets=10)
    >>> (subword_means(["as", "at"], table, buckets=10) == bag_means(table, bags)).all()
    np.True_
    """
    rule = _rule("subword_means", min_n, max_n, buckets, hashes)
    first = integer("subword_means", "first_row", first_row)
    number = number_of_threads("subword_means", threads)
    xp = array_module("subword_means", table=table)
    _check_table("subword_means", table)
    wanted = rule["buckets"] if max_n or hashes else 0
    if not 0 <= first <= len(table) - wanted:
        raise ValueError(
            f"subword_means: first_row={first} and {buckets} buckets from there on do not lie in "
            f"the table's {len(table)} rows"
        )
    found = words_of(words, "subword_means", threads=number, backend=backend)
    if xp is not np:
        found = Words(*(xp.asarray(array) for array in found))
    means = xp.empty((len(found.begins), table.shape[1]), np.float32)
    backend_of(found.text, table, backend=backend).subword_means(
        **found._asdict(),
        **rule,
        table=table,
        first_row=first,
        means=means,
        threads=number,
        isa=isa or "",
    )
    return means  # type: ignore[no-any-return]


def _rule(
    function: str, min_n: object, max_n: object, buckets: object, hashes: object
) -> dict[str, int]:
    """Return what n-grams are made and where they go, as whole numbers in their ranges."""
    least, most, rows, each = (
        integer(function, name, value)
        for name, value in (
            ("min_n", min_n), ("max_n", max_n), ("buckets", buckets), ("hashes", hashes)
        )
    )  # fmt: skip
    if not 0 <= most <= MOST_CHARACTERS:
        raise ValueError(f"{function}: max_n={most} is not between 0 and {MOST_CHARACTERS}")
    if most > 0 and not 1 <= least <= most:
        raise ValueError(f"{function}: min_n={least} is not between 1 and max_n={most}")
    if most == 0 and not 0 <= least <= MOST_CHARACTERS:
        raise ValueError(f"{function}: min_n={least} is not between 0 and {MOST_CHARACTERS}")
    if not 1 <= rows <= MOST_BUCKETS:
        raise ValueError(f"{function}: buckets={rows} is not between 1 and {MOST_BUCKETS}")
    if not 0 <= each <= MOST_HASHES:
        raise ValueError(f"{function}: hashes={each} is not between 0 and {MOST_HASHES}")
    return {"min_n": least, "max_n": most, "buckets": rows, "hashes": each}


def _check_table(function: str, table: Any) -> None:
    typed(function, "table", table, np.float32, ((None, None),))
    if table.shape[1] == 0:
        raise ValueError(f"{function}: table has 0 columns, expected at least 1")
    if not table.flags.c_contiguous:
        raise ValueError(f"{function}: table must be C-contiguous")


def bags_of(function: str, name: str, bags: object) -> Bags:
    """Return the two arrays of bags, which may be given as any pair."""
    if not isinstance(bags, tuple) or len(bags) != 2:
        kind = type(bags).__name__
        raise TypeError(f"{function}: {name} is {kind}, expected Bags(offsets, ids)")
    return Bags(*bags)


def check_bags(function: str, name: str, bags: Bags, rows: int, of: str) -> None:
    """Raise unless offsets rise from 0 to the number of ids, all of them rows of `of`."""
    offsets, ids = bags
    typed(function, f"{name}.offsets", offsets, np.int64, ((None,),))
    typed(function, f"{name}.ids", ids, np.uint32, ((None,),))
    for part, array in bags._asdict().items():
        if not array.flags.c_contiguous:
            raise ValueError(f"{function}: {name}.{part} must be C-contiguous")
    sound = len(offsets) > 0 and int(offsets[0]) == 0 and int(offsets[-1]) == len(ids)
    if not sound or not bool((offsets[1:] >= offsets[:-1]).all()):
        raise ValueError(f"{function}: {name}.offsets must rise from 0 to the {len(ids)} ids")
    place = first_outside(ids, 0, rows)
    if place >= 0:
        raise ValueError(
            f"{function}: {name}.ids[{place}] is {ids[place]}, expected a row below the {rows} of "
            f"{of}"
        )
