"""Names of nodes -> rows: whole numbers in their order, other names in their order as text.

Everything goes in pieces: Ctrl-C is answered between them.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from firth._backend import Ids, Longs, named
from firth._backend_text import WordCounter
from firth._pieces import together
from firth._sorting import stable_order, text_order
from firth._vectors import numbered
from firth.kernels._arguments import whole

MOST_NODES = 2**31 - 1  # columns are int32
_PIECE = 1 << 16  # names that are looked at together
_STEP = 1 << 20  # numbers that are
_WHOLE = re.compile(rb"(?:(?:0|-?[1-9][0-9]{0,17})\n)*")
_MOST_TYPES = 2**16

Rows = npt.NDArray[np.int32]


def ordered(names: list[str]) -> Longs:
    """Return the places of different names in row order."""
    numbers = _numbers(names)
    if numbers is not None:
        return stable_order(numbers)
    return np.array(text_order(names), np.int64)


def _numbers(names: list[str]) -> Longs | None:
    """Return names as numbers, if all are whole numbers of up to 18 digits."""
    parts = []
    for first in range(0, len(names), _PIECE):
        some = names[first : first + _PIECE]
        text = ("\n".join(some) + "\n").encode("utf-8", "surrogatepass")
        if _WHOLE.fullmatch(text) is None or text.count(b"\n") != len(some):
            return None
        parts.append(np.fromstring(text, np.int64, sep="\n"))
    return together(parts, np.int64)


def counter() -> WordCounter:
    """Return what numbers the names of nodes."""
    counting: WordCounter = named("_cpu").WordCounter(
        threads=0, isa="", seed=int.from_bytes(os.urandom(8), "little"), max_words=MOST_NODES
    )
    return counting


def in_order(names: list[str], ids: Ids) -> tuple[list[str], Rows]:
    """Return different names in row order, and as rows what ids say of them as they were."""
    order = ordered(names)
    place = np.empty(len(names), np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    rows = np.empty(len(ids), np.int32)
    for first in range(0, len(ids), _STEP):
        rows[first : first + _STEP] = place[ids[first : first + _STEP]]
    return [names[i] for i in order.tolist()], rows


# ---- columns of names ---------------------------------------------------------------------------


def rows_of(
    function: str, labels: tuple[str, ...], columns: tuple[Any, ...]
) -> tuple[list[str], list[Rows]]:
    """Return the names in columns of names or whole numbers, and the columns as rows."""
    found = [
        column_of(function, label, column) for label, column in zip(labels, columns, strict=True)
    ]
    kinds = {isinstance(one, list) for one in found if len(one)}
    if len(kinds) > 1:
        raise TypeError(
            f"{function}: {' and '.join(labels)} are names and whole numbers, expected one of both"
        )
    if kinds == {True}:
        return _rows_of_names(function, labels, [list(one) for one in found])
    return _rows_of_numbers([np.asarray(one, np.int64) for one in found])


def column_of(function: str, label: str, column: Any) -> Longs | list[str]:
    """Return a column as int64, or as a list of names that are not empty."""
    expected = "expected whole numbers or names"
    if isinstance(column, (str, bytes, Mapping)) or not isinstance(column, Iterable):
        raise TypeError(f"{function}: {label} is {type(column).__name__}, {expected}")
    if hasattr(column, "dtype"):
        array = np.asarray(column)
        if array.ndim != 1:
            raise ValueError(f"{function}: {label} has shape {array.shape}, expected one dimension")
        if array.dtype.kind in "iu":
            if array.dtype.kind == "u" and array.max(initial=0) > np.iinfo(np.int64).max:
                raise ValueError(f"{function}: {label} has {array.max()}, expected at most 2**63-1")
            return array.astype(np.int64, copy=False)
        if array.size and array.dtype.kind not in "UTO":
            raise TypeError(f"{function}: {label} has {array.dtype}, {expected}")
        cells: Any = array
    else:
        cells = column if isinstance(column, (list, tuple)) else list(column)
    found: set[type | None] = set()
    for first in range(0, len(cells), _PIECE):
        piece = cells[first : first + _PIECE]
        kinds = set(map(type, piece.tolist() if isinstance(piece, np.ndarray) else piece))
        found |= {_sort(kind) for kind in kinds}
    if found == {str}:
        names = cells.tolist() if isinstance(cells, np.ndarray) else list(cells)
        if "" in names:
            raise ValueError(f"{function}: {label}[{names.index('')}] is an empty name")
        return names
    if found <= {int}:
        numbers = np.empty(len(cells), np.int64)
        try:
            for first in range(0, len(cells), _PIECE):
                numbers[first : first + _PIECE] = cells[first : first + _PIECE]
            return numbers
        except OverflowError:
            raise ValueError(f"{function}: {label} has numbers beyond 64 bits") from None
    kind = _sort(type(cells[0]))
    at = next(i for i, one in enumerate(cells) if kind is None or _sort(type(one)) is not kind)
    raise TypeError(f"{function}: {label}[{at}] is {cells[at]!r:.80}, {expected}")


def _sort(kind: type) -> type | None:
    """Return whether things of a type are names, whole numbers or neither."""
    if issubclass(kind, str):
        return str
    return int if issubclass(kind, (int, np.integer)) and kind is not bool else None


def _rows_of_names(
    function: str, labels: tuple[str, ...], columns: list[list[str]]
) -> tuple[list[str], list[Rows]]:
    counting = counter()
    for label, names in zip(labels, columns, strict=True):
        for first in range(0, len(names), _PIECE):
            try:
                counting.add_rows([names[first : first + _PIECE]], 0)
            except ValueError:
                at = first + next(i for i, name in enumerate(names[first:]) if _strange(name))
                raise ValueError(
                    f"{function}: {label}[{at}] is {names[at]!r:.80}, with a lone surrogate that "
                    "stands for no byte"
                ) from None
    counting.end_text()
    names, _, ids, _ = counting.finish(1, 2**62, None)
    keys, rows = in_order(names, ids)
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return keys, np.split(rows, ends)


def _strange(name: str) -> bool:
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return True
    return False


def _rows_of_numbers(columns: list[Longs]) -> tuple[list[str], list[Rows]]:
    total = sum(map(len, columns))
    if not total:
        return [], [np.zeros(0, np.int32) for _ in columns]
    least = min(int(column.min()) for column in columns if len(column))
    span = max(int(column.max()) for column in columns if len(column)) - least + 1
    pieces = [column[i : i + _STEP] for column in columns for i in range(0, len(column), _STEP)]
    if span <= max(4 * total, _STEP):  # a table of all numbers between
        there = np.zeros(span, np.bool_)
        for piece in pieces:
            there[piece - least] = True
        numbers = np.flatnonzero(there) + least
        place = np.cumsum(there, dtype=np.int64) - 1
        rows = [place[piece - least].astype(np.int32) for piece in pieces]
    else:
        several = [_once(piece) for piece in pieces]
        while len(several) > 1:
            several = [_once(np.concatenate(several[i : i + 2])) for i in range(0, len(several), 2)]
        numbers = several[0]
        rows = [_found(numbers, piece) for piece in pieces]
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return names_of(numbers), np.split(together(rows, np.int32), ends)


def _once(numbers: Longs) -> Longs:
    """Return numbers in order, each once; by sorting, since a table of them would be slow."""
    numbers = np.sort(numbers)
    fresh = np.ones(len(numbers), np.bool_)
    np.not_equal(numbers[1:], numbers[:-1], out=fresh[1:])
    return numbers[fresh]


def _found(numbers: Longs, piece: Longs) -> Rows:
    """Return the places of numbers among sorted ones; looked for in order, which caches like."""
    order = np.argsort(piece)
    rows = np.empty(len(piece), np.int32)
    rows[order] = np.searchsorted(numbers, piece[order])
    return rows


def names_of(numbers: Longs) -> list[str]:
    """Return whole numbers as names."""
    names: list[str] = []
    for first in range(0, len(numbers), _PIECE):
        names += map(str, numbers[first : first + _PIECE].tolist())
    return names


# ---- nodes that are given -----------------------------------------------------------------------


def with_nodes(
    function: str, keys: list[str], nodes: Any, unnamed: bool
) -> tuple[list[str], Rows | None]:
    """Return the names of a graph that has these nodes too, and where the rows of the keys go.

    Parameters
    ----------
    keys
        Names in row order.
    nodes
        How many there are, or names, or whole numbers.
    unnamed
        Whether rows have no names of their own, as those of a matrix.
    """
    if isinstance(nodes, (int, np.integer)) and not isinstance(nodes, bool):
        many = whole(function, "nodes", nodes, 1, MOST_NODES)
        wanted = names_of(np.arange(many))
    else:
        column = column_of(function, "nodes", nodes)
        wanted = column if isinstance(column, list) else names_of(column)
        many = -1
    place = numbered(wanted)
    if len(place) < len(wanted):
        twice = next(name for at, name in enumerate(wanted) if place[name] != at)
        raise ValueError(f"{function}: nodes has {twice!r:.80} more than once")
    if unnamed and many < 0:
        if len(wanted) != len(keys):
            raise ValueError(f"{function}: nodes has {len(wanted)} names for {len(keys)} rows")
        return wanted, None
    for key in keys:
        if key not in place:
            if many >= 0:
                raise ValueError(f"{function}: node {key!r:.80} is not one of 0 to {many - 1}")
            place[key] = len(wanted)
            wanted.append(key)
    return wanted, np.array([place[key] for key in keys], np.int32)


# ---- types of nodes -----------------------------------------------------------------------------


def types_of(function: str, types: Any, keys: list[str]) -> tuple[Ids, list[str]]:
    """Return the number of each node's type, read-only, and the types in order."""
    if isinstance(types, Mapping):
        given = {str(key): one for key, one in types.items()}
        for key in keys:
            if key not in given:
                raise ValueError(f"{function}: types has none for node {key!r:.80}")
        if len(given) > len(keys):
            known = set(keys)
            key = next(key for key in given if key not in known)
            raise ValueError(f"{function}: types has node {key!r:.80}, which the graph has not")
        types = [given[key] for key in keys]
    elif isinstance(types, (str, bytes)) or not isinstance(types, Iterable):
        kind = type(types).__name__
        raise TypeError(f"{function}: types is {kind}, expected a mapping or a type for each node")
    found = [str(one) for one in (types.tolist() if hasattr(types, "tolist") else types)]
    if len(found) != len(keys):
        raise ValueError(f"{function}: types has {len(found)} types for {len(keys)} nodes")
    names = list(dict.fromkeys(found))
    if len(names) > _MOST_TYPES:
        raise ValueError(
            f"{function}: types has {len(names)} types, expected at most {_MOST_TYPES}"
        )
    names = [names[i] for i in ordered(names).tolist()]
    place = dict(zip(names, range(len(names)), strict=True))
    numbers = np.array([place[one] for one in found], np.uint32)
    numbers.flags.writeable = False
    return numbers, names


def path_of(function: str, metapath: Any, types: Any, type_names: Sequence[str]) -> Ids:
    """Return a path of types as numbers."""
    if types is None:
        raise ValueError(f"{function}: metapath needs a graph with types (Graph.with_types)")
    if isinstance(metapath, (str, bytes)) or not isinstance(metapath, Iterable):
        raise TypeError(f"{function}: metapath={metapath!r:.80} is not a sequence of types")
    place = {name: at for at, name in enumerate(type_names)}
    for one in (path := [str(one) for one in metapath]):
        if one not in place:
            known = ", ".join(map(repr, type_names[:20]))
            raise ValueError(f"{function}: metapath has {one!r:.80}, expected types: {known}")
    if not path:
        raise ValueError(f"{function}: metapath is empty, expected types of nodes")
    return np.array([place[one] for one in path], np.uint32)
