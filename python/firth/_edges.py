"""What users have -> edges: pairs, columns, matrices, networkx, edge_index, Arrow."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from firth._edge_rows import Edges
from firth._node_names import MOST_NODES, in_order, names_of, rows_of
from firth.csr import CSR

_ENDS = ("sources", "targets")
_PIECE = 1 << 16  # weights of a list that are looked at together


def edges_of(name: str, source: Any, weighted: bool | None) -> Edges:
    """Return the edges of anything that `firth.Graph` takes."""
    if isinstance(source, CSR):
        return _of_matrix(name, source, source.shape)
    if hasattr(source, "tocsr"):
        return _of_matrix(name, source.tocsr(), source.shape)
    if hasattr(source, "edge_index"):
        weights = getattr(source, "edge_weight", None)
        return _of_index(name, source.edge_index, weights, getattr(source, "num_nodes", None))
    if hasattr(source, "is_directed") and hasattr(source, "nodes") and hasattr(source, "edges"):
        return _of_networkx(name, source)
    if hasattr(source, "__arrow_c_stream__"):
        return of_arrow(name, source, weighted)
    if hasattr(source, "detach"):  # a tensor
        return _of_index(name, source, None, None)
    if isinstance(source, tuple) and len(source) in (2, 3) and not _is_edge(source[0]):
        return of_columns(name, *source)
    return _of_pairs(name, source)


def _is_edge(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) in (2, 3)


def _of_pairs(name: str, source: Any) -> Edges:
    if isinstance(source, (str, bytes, Mapping)) or not isinstance(source, Iterable):
        hint = "; Graph.read reads files" if isinstance(source, str) else ""
        kind = type(source).__name__
        raise TypeError(f"{name}: edges is {kind}, expected pairs, arrays or a graph{hint}")
    if isinstance(source, np.ndarray):
        if source.ndim != 2 or source.shape[1] != 2:
            raise ValueError(
                f"{name}: edges has shape {source.shape}, expected (edges, 2), or a tuple of "
                "sources and targets"
            )
        return of_columns(name, source[:, 0], source[:, 1])
    rows = source if isinstance(source, (list, tuple)) else list(source)
    width = len(rows[0]) if rows and _is_row(rows[0]) else 2
    for at, row in enumerate(rows):
        if not _is_row(row) or len(row) != width or width not in (2, 3):
            expected = "a pair of nodes" if width != 3 else "two nodes and a weight"
            raise TypeError(f"{name}: edges[{at}]={row!r:.80} is not {expected}")
    return of_columns(name, *([row[i] for row in rows] for i in range(width)))


def _is_row(row: Any) -> bool:
    return isinstance(row, (tuple, list, np.ndarray))


def of_columns(name: str, sources: Any, targets: Any, weights: Any = None) -> Edges:
    """Return the edges of two columns of nodes and, perhaps, one of weights."""
    keys, (sources, targets) = rows_of(name, _ENDS, (sources, targets))
    if len(sources) != len(targets):
        raise ValueError(f"{name}: {len(sources)} sources have {len(targets)} targets")
    return Edges(keys, sources, targets, _numbers(name, weights, len(sources)))


def _numbers(name: str, weights: Any, many: int) -> Any:
    if weights is None:
        return None
    if isinstance(weights, str) or not isinstance(weights, Iterable):
        raise TypeError(f"{name}: weights is {type(weights).__name__}, expected numbers")
    if not hasattr(weights, "__array__") and not isinstance(weights, (list, tuple)):
        weights = list(weights)
    try:
        if isinstance(weights, (list, tuple)) and len(weights) > _PIECE:  # Ctrl-C between pieces
            cuts = range(0, len(weights), _PIECE)
            array = np.concatenate([np.asarray(weights[at : at + _PIECE]) for at in cuts])
        else:
            array = np.asarray(weights)
    except ValueError:  # of several lengths
        raise TypeError(f"{name}: weights are rows of several lengths, expected numbers") from None
    if array.shape == (many, 1):
        array = array[:, 0]
    if (array.size and array.dtype.kind not in "iuf") or array.ndim != 1:
        raise TypeError(f"{name}: weights are {array.dtype} {array.shape}, expected ({many},)")
    if len(array) != many:
        raise ValueError(f"{name}: {len(array)} weights for {many} edges")
    return array


def _of_matrix(name: str, matrix: Any, shape: Any) -> Edges:
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"{name}: the matrix has shape {tuple(shape)}, expected a square one")
    if shape[0] > MOST_NODES:
        raise ValueError(f"{name}: {shape[0]} nodes, expected at most {MOST_NODES}")
    weights = np.asarray(matrix.data)
    if weights.dtype.kind not in "iufb":
        raise TypeError(f"{name}: the matrix has {weights.dtype}, expected real numbers")
    if weights.dtype.kind == "b":
        weights = weights.astype(np.uint8)
    if isinstance(matrix, CSR):
        from firth.kernels._matrices import check_matrix

        check_matrix(name, "edges", matrix, matrix.data.dtype)
    rows = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(matrix.indptr))
    keys = names_of(np.arange(shape[0]))
    columns = np.asarray(matrix.indices).astype(np.int32, copy=False)
    alike = bool((weights == 1).all())
    return Edges(keys, rows, columns, None if alike else weights, None, "matrix")


def _of_networkx(name: str, graph: Any) -> Edges:
    names = list(graph.nodes)
    whole = all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in names)
    label = {one: one if whole else str(one) for one in names}
    sources, targets, weights = [], [], []
    for a, b, weight in graph.edges(data="weight"):
        sources.append(label[a])
        targets.append(label[b])
        weights.append(weight)
    columns = (sources, targets, list(label.values()))
    keys, (rows, ends, _) = rows_of(name, (*_ENDS, "nodes"), columns)
    if len(keys) < len(names):
        raise ValueError(f"{name}: two nodes of the graph have the same name as text")
    given = [weight is not None for weight in weights]
    numbers = None
    if any(given):
        if not all(given):
            at = given.index(False)
            ends_of_it = f"{str(sources[at])!r:.80} to {str(targets[at])!r:.80}"
            raise ValueError(f"{name}: the edge from {ends_of_it} has no weight, others do")
        numbers = _numbers(name, weights, len(weights))
    return Edges(keys, rows, ends, numbers, bool(graph.is_directed()))


def _of_index(name: str, index: Any, weights: Any, nodes: Any) -> Edges:
    pairs = _host(index)
    if pairs.ndim != 2 or pairs.shape[0] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: edge_index is {pairs.dtype} of shape {pairs.shape}, expected whole numbers "
            "(2, edges)"
        )
    weights = None if weights is None else _host(weights)
    most = max(int(pairs.max(initial=-1)) + 1, 0)
    many = most if nodes is None else int(nodes)
    if int(pairs.min(initial=0)) < 0 or most > many or many > MOST_NODES:
        found = int(pairs.min(initial=0)) if int(pairs.min(initial=0)) < 0 else most - 1
        raise ValueError(f"{name}: edge_index has node {found}, expected 0 to {many - 1}")
    sources, targets = (row.astype(np.int32) for row in pairs)
    numbers = _numbers(name, weights, pairs.shape[1])
    return Edges(names_of(np.arange(many)), sources, targets, numbers, None, "index")


def _host(tensor: Any) -> Any:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().numpy()
    return np.asarray(tensor)


# ---- Arrow --------------------------------------------------------------------------------------


def of_arrow(name: str, source: Any, weighted: bool | None) -> Edges:
    """Return the edges of a table that speaks Arrow: two columns of nodes, a third of weights."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ImportError(f"{name}: Arrow tables need pyarrow: pip install pyarrow") from error
    table = pa.table(source)
    if table.num_columns < 2:
        raise ValueError(f"{name}: the table has {table.num_columns} columns, expected 2 or 3")
    wanted = 2 + (table.num_columns > 2 and weighted is not False)
    columns = []
    for at, label in enumerate(table.column_names[:wanted]):
        column = table.column(at)
        if column.null_count:
            at = column.is_null().to_numpy().argmax()
            raise ValueError(f"{name}: column {label!r} of the table has no value in row {at}")
        columns.append(column)
    if wanted == 3:
        kind = columns[2].type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            if weighted:
                label = table.column_names[2]
                raise TypeError(f"{name}: column {label!r} has {kind}, expected numbers as weights")
            columns.pop()
    values = columns[2].to_numpy() if len(columns) == 3 else None
    if any(_is_text(column.type) for column in columns[:2]):
        return _of_texts(name, table.column_names[:2], columns[:2], values)
    return of_columns(name, columns[0].to_numpy(), columns[1].to_numpy(), values)


def _is_text(kind: Any) -> bool:
    import pyarrow.types as is_

    if is_.is_dictionary(kind):
        kind = kind.value_type
    return bool(is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind))


def _of_texts(name: str, labels: list[str], columns: list[Any], weights: Any) -> Edges:
    import pyarrow as pa

    for label, column in zip(labels, columns, strict=True):
        if not _is_text(column.type):
            raise TypeError(f"{name}: column {label!r} has {column.type}, expected names as beside")
    chunks = [chunk for column in columns for chunk in column.cast(pa.large_string()).chunks]
    texts = pa.chunked_array(chunks, pa.large_string()).dictionary_encode().unify_dictionaries()
    names = texts.chunk(0).dictionary.to_pylist() if texts.num_chunks else []
    ids = [chunk.indices.to_numpy() for chunk in texts.chunks] or [np.zeros(0, np.int32)]
    if "" in names:
        at = int((np.concatenate(ids) == names.index("")).argmax()) % len(columns[0])
        raise ValueError(f"{name}: the table has an empty name in row {at}")
    keys, rows = in_order(names, np.concatenate(ids))
    many = len(columns[0])
    return Edges(keys, rows[:many], rows[many:], _numbers(name, weights, many))
