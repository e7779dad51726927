"""What users have -> edges -> compressed rows: arrays, matrices, networkx, edge_index, Arrow."""

from typing import Any, NamedTuple

import numpy as np

from firth._backend import Longs
from firth.csr import CSR

_MERGED: dict[str, Any] = {"sum": np.add, "max": np.maximum}


class Edges(NamedTuple):
    """Edges by number, and the names that the numbers stand for.

    Attributes
    ----------
    keys
        The names of the nodes in row order.
    sources, targets
        (m,) int64 rows.
    weights
        (m,) float64, or None.
    directed
        What the source says of itself.
    matrix
        Whether both directions of undirected edges are there already.
    """

    keys: list[str]
    sources: Longs
    targets: Longs
    weights: Any = None
    directed: bool = False
    matrix: bool = False


def edges_of(name: str, source: Any, directed: bool | None) -> Edges:
    """Return the edges of anything that `firth.Graph` takes."""
    if isinstance(source, CSR):
        return _of_matrix(name, source.indptr, source.indices, source.data, source.shape, directed)
    if hasattr(source, "tocsr"):
        matrix = source.tocsr()
        matrix.sum_duplicates()
        return _of_matrix(name, matrix.indptr, matrix.indices, matrix.data, matrix.shape, directed)
    if hasattr(source, "edge_index"):
        return _of_edge_index(
            name,
            source.edge_index,
            getattr(source, "edge_weight", None),
            getattr(source, "num_nodes", None),
        )
    if hasattr(source, "is_directed") and hasattr(source, "nodes") and hasattr(source, "edges"):
        return _of_networkx(name, source)
    if hasattr(source, "__arrow_c_stream__"):
        return _of_arrow(name, source)
    if hasattr(source, "detach"):  # a tensor
        return _of_edge_index(name, source, None, None)
    if isinstance(source, tuple) and len(source) in (2, 3) and not _is_pair(source[0]):
        return _of_columns(name, *source)
    return _of_pairs(name, source)


def _is_pair(value: Any) -> bool:
    return isinstance(value, (str, int, np.integer)) or (
        isinstance(value, tuple) and len(value) in (2, 3)
    )


def _of_pairs(name: str, source: Any) -> Edges:
    if isinstance(source, (str, bytes)):
        raise TypeError(f"{name}: edges={source!r:.80} is text; Graph.read reads files")
    if isinstance(source, np.ndarray):
        if source.ndim != 2 or source.shape[1] != 2:
            raise ValueError(f"{name}: edges has shape {source.shape}, expected (edges, 2)")
        return _of_columns(name, source[:, 0], source[:, 1])
    try:
        rows = list(source)
    except TypeError:
        kind = type(source).__name__
        raise TypeError(f"{name}: edges is {kind}, expected pairs, arrays or a graph") from None
    lengths = {len(row) if isinstance(row, (tuple, list, np.ndarray)) else 0 for row in rows}
    if (rows and lengths - {2, 3}) or len(lengths) > 1:
        place = next(
            i
            for i, row in enumerate(rows)
            if not isinstance(row, (tuple, list, np.ndarray))
            or len(row) != max(lengths & {2, 3}, default=2)
        )
        raise TypeError(f"{name}: edges[{place}]={rows[place]!r:.80} is not a pair of nodes")
    if not rows:
        return Edges([], np.zeros(0, np.int64), np.zeros(0, np.int64))
    columns = [list(column) for column in zip(*rows, strict=True)]
    return _of_columns(name, *columns)


def _of_columns(name: str, sources: Any, targets: Any, weights: Any = None) -> Edges:
    ends = [
        _column(name, label, column)
        for label, column in (("sources", sources), ("targets", targets))
    ]
    if len(ends[0]) != len(ends[1]):
        raise ValueError(f"{name}: {len(ends[0])} sources have {len(ends[1])} targets")
    if (ends[0].dtype.kind == "i") != (ends[1].dtype.kind == "i"):
        raise TypeError(f"{name}: sources and targets must both be whole numbers or both names")
    names, rows = np.unique(np.concatenate(ends), return_inverse=True)
    rows = rows.reshape(-1).astype(np.int64)
    many = len(ends[0])
    keys = [str(one) for one in names.tolist()]
    return Edges(keys, rows[:many], rows[many:], _numbers(name, weights, many))


def _column(name: str, label: str, column: Any) -> Any:
    array = np.asarray(column if hasattr(column, "dtype") else list(column))
    if array.ndim != 1:
        raise ValueError(f"{name}: {label} has shape {array.shape}, expected one dimension")
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind in "iu":
        if array.dtype.kind == "u" and int(array.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"{name}: {label} has {array.max()}, expected at most 2**63 - 1")
        return array.astype(np.int64)
    if array.dtype.kind == "U" and (
        hasattr(column, "dtype") or all(isinstance(one, str) for one in column)
    ):
        return array.astype(object)
    if array.dtype.kind in "OT":
        strange = next((one for one in array.tolist() if not isinstance(one, str)), None)
        if strange is None:
            return array.astype(object)
        kind = type(strange).__name__
    else:
        kind = str(array.dtype)
    raise TypeError(f"{name}: {label} has {kind}, expected whole numbers or names")


def _numbers(name: str, weights: Any, many: int) -> Any:
    if weights is None:
        return None
    array = np.asarray(weights)
    if array.dtype.kind not in "iuf" or array.ndim != 1:
        raise TypeError(f"{name}: weights is {array.ndim}-d {array.dtype}, expected numbers")
    if len(array) != many:
        raise ValueError(f"{name}: {len(array)} weights for {many} edges")
    return array.astype(np.float64)


def _of_matrix(
    name: str, indptr: Any, indices: Any, data: Any, shape: Any, directed: bool | None
) -> Edges:
    if shape[0] != shape[1]:
        raise ValueError(f"{name}: the matrix is {shape[0]} x {shape[1]}, expected a square one")
    if np.asarray(data).dtype.kind not in "iufb":
        raise TypeError(f"{name}: the matrix has {np.asarray(data).dtype}, expected real numbers")
    rows = np.repeat(np.arange(shape[0], dtype=np.int64), np.diff(indptr))
    weights = np.asarray(data, np.float64)
    alike = bool((weights == 1).all())
    keys = [str(i) for i in range(shape[0])]
    one_way = bool(directed)
    return Edges(
        keys, rows, np.asarray(indices, np.int64), None if alike else weights, one_way, True
    )


def _of_networkx(name: str, graph: Any) -> Edges:
    names = list(graph.nodes)
    keys = [str(one) for one in names]
    if len(set(keys)) < len(keys):
        raise ValueError(f"{name}: two nodes of the graph have the same name as text")
    if all(isinstance(one, int) and not isinstance(one, bool) for one in names):
        order = sorted(range(len(names)), key=names.__getitem__)
        names, keys = [names[i] for i in order], [keys[i] for i in order]
    rows = {one: i for i, one in enumerate(names)}
    ends, weights = [], []
    for a, b, weight in graph.edges(data="weight"):
        ends.append((rows[a], rows[b]))
        weights.append(weight)
    pairs = np.array(ends, np.int64).reshape(-1, 2)
    given = [weight is not None for weight in weights]
    if any(given) and not all(given):
        a, b = ends[given.index(False)]
        raise ValueError(
            f"{name}: the edge from {keys[a]!r} to {keys[b]!r} has no weight, others do"
        )
    numbers = _numbers(name, np.array(weights, np.float64), len(ends)) if any(given) else None
    return Edges(keys, pairs[:, 0], pairs[:, 1], numbers, bool(graph.is_directed()))


def _of_edge_index(name: str, index: Any, weights: Any, nodes: Any) -> Edges:
    pairs = _host(index)
    if pairs.ndim != 2 or pairs.shape[0] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: edge_index is {pairs.dtype} of shape {pairs.shape}, expected whole numbers "
            "(2, edges)"
        )
    found = _of_columns(name, pairs[0], pairs[1], None if weights is None else _host(weights))
    if nodes is None:
        return found
    numbers = np.array([int(key) for key in found.keys], np.int64)
    if len(numbers) and not 0 <= numbers[0] <= numbers[-1] < int(nodes):
        raise ValueError(f"{name}: edge_index has a node not between 0 and {int(nodes) - 1}")
    keys = [str(i) for i in range(int(nodes))]
    return found._replace(keys=keys, sources=numbers[found.sources], targets=numbers[found.targets])


def _host(tensor: Any) -> Any:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().numpy()
    return np.asarray(tensor)


def _of_arrow(name: str, table: Any) -> Edges:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(f"{name}: Arrow tables need pyarrow: pip install pyarrow") from error
    columns = pyarrow.table(table).columns
    if len(columns) < 2:
        raise ValueError(f"{name}: the table has {len(columns)} columns, expected 2 or 3")
    for number, column in enumerate(columns[:3]):
        if column.null_count:
            raise ValueError(f"{name}: column {number} of the table has missing values")
    return _of_columns(name, *(column.to_numpy() for column in columns[:3]))


def check_weights(name: str, found: Edges, keys: list[str]) -> None:
    """Raise ValueError at the first weight that is none."""
    if found.weights is None:
        return
    fine = (found.weights >= np.finfo(np.float32).tiny) & (
        found.weights <= np.finfo(np.float32).max
    )
    if not fine.all():
        place = int(fine.argmin())
        ends = f"{keys[found.sources[place]]!r} to {keys[found.targets[place]]!r}"
        raise ValueError(
            f"{name}: the edge from {ends} has the weight {found.weights[place]}, expected a "
            "positive finite float32"
        )


def compressed(
    name: str,
    found: Edges,
    keys: list[str],
    directed: bool,
    weighted: bool,
    loops: bool,
    twins: str,
) -> CSR:
    """Return the rows of edges: sorted, without twins, both ways where they are undirected."""
    nodes = len(keys)
    a, b, weights = found.sources, found.targets, found.weights if weighted else None
    if not loops and bool((a == b).any()):
        stay = a != b
        a, b = a[stay], b[stay]
        weights = None if weights is None else weights[stay]
    if not (directed or found.matrix):
        a, b = np.minimum(a, b), np.maximum(a, b)
    cells, weights = _merged(a * np.int64(nodes) + b, weights, twins)
    del a, b
    if not directed:
        rows, columns = cells // nodes, cells % nodes
        turned = columns * np.int64(nodes) + rows
        if found.matrix:
            _check_symmetric(name, cells, turned, weights, nodes, keys)
        else:
            apart = rows != columns
            cells = np.concatenate([cells, turned[apart]])
            if weights is not None:
                weights = np.concatenate([weights, weights[apart]])
            del rows, columns, turned, apart
            cells, weights = _merged(cells, weights, twins)
    indptr = np.searchsorted(cells, np.arange(nodes + 1, dtype=np.int64) * nodes)
    indices = (cells % nodes).astype(np.int32)
    data = np.ones(len(cells), np.float32) if weights is None else weights.astype(np.float32)
    return CSR(indptr.astype(np.int64), indices, data)


def _merged(cells: Longs, weights: Any, twins: str) -> tuple[Longs, Any]:
    """Return cells in order, each once."""
    if weights is None:
        cells = np.sort(cells)
        fresh = np.ones(len(cells), bool)
        np.not_equal(cells[1:], cells[:-1], out=fresh[1:])
        return (cells if bool(fresh.all()) else cells[fresh]), None
    order = np.argsort(cells, kind="stable")
    cells, weights = cells[order], weights[order]
    firsts = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]])[: len(cells)])
    if len(firsts) == len(cells):
        return cells, weights
    kept = weights[firsts] if twins == "first" else _MERGED[twins].reduceat(weights, firsts)
    return cells[firsts], kept


def _check_symmetric(
    name: str, cells: Longs, turned: Longs, weights: Any, nodes: int, keys: list[str]
) -> None:
    order = np.argsort(turned)
    same = turned[order] == cells
    if weights is not None:
        same &= weights[order] == weights
    if not bool(same.all()):
        a, b = divmod(int(cells[int(same.argmin())]), nodes)
        raise ValueError(
            f"{name}: the matrix is not symmetric between {keys[a]!r} and {keys[b]!r}; expected "
            "directed=True or a symmetric one"
        )
