"""Graph: who is linked to whom, with names, weights and types; what node models learn from."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from firth import kernels
from firth._backend import Ids, Longs
from firth._edges import Edges, check_weights, compressed, edges_of
from firth._vectors import checked_keys, index_of
from firth.csr import CSR
from firth.kernels._arguments import flag, one_of, whole

Twins = Literal["sum", "max", "first"]
_MOST_NODES = 2**31 - 1  # columns are int32


class Graph:
    """Nodes and the edges between them, in compressed rows.

    Nodes. Where all names are whole numbers, the rows are in their order, gaps left out; names in a
    file otherwise come by degree, then by bytes, and names in arrays in their order as text.

    Edges. An edge given twice is one: without weights it counts once, with them as ``twins`` says.
    In an undirected graph, a-b and b-a are the same edge; in a matrix the two must be equal.
    Self-loops are left out unless ``loops``.

    Parameters
    ----------
    edges
        One of

        - (m, 2) whole numbers or names, or a sequence of pairs;
        - ``(sources, targets)`` or ``(sources, targets, weights)``, each (m,);
        - a sparse matrix of SciPy or a square `CSR`, entries of which are weights;
        - a graph of networkx, whose edges' ``weight`` are their weights;
        - data of PyTorch Geometric (``edge_index``, ``edge_weight``, ``num_nodes``), or a (2, m)
          tensor of it;
        - a table that speaks Arrow (``__arrow_c_stream__``): two columns, a third one is weights.
    directed
        Whether an edge leads one way only; None: as networkx or a matrix has it, else False.
    weighted
        Whether weights are used; None: if there are any.
    nodes
        Names of further nodes, or how many nodes 0, 1, ... there are.
    types
        As for :meth:`with_types`.
    loops
        Keep edges from a node to itself.
    twins
        Weights of an edge that is given several times are added up ("sum"), or the greatest
        ("max") or first one ("first") is taken.

    Raises
    ------
    ValueError
        There is no node, or a weight is negative, 0, NaN or infinite: it is named.
    TypeError
        Edges of another kind.

    Examples
    --------
    >>> graph = Graph([("ann", "bob"), ("bob", "cid"), ("bob", "ann")])
    >>> graph
    Graph(3 nodes, 2 edges)
    >>> graph.keys, graph.neighbours("bob"), graph.degrees.tolist()
    (['ann', 'bob', 'cid'], ['ann', 'cid'], [1, 2, 1])
    """

    def __init__(
        self,
        edges: Any,
        *,
        directed: bool | None = None,
        weighted: bool | None = None,
        nodes: int | Sequence[str] | None = None,
        types: Mapping[str, Any] | npt.ArrayLike | None = None,
        loops: bool = False,
        twins: Twins = "sum",
    ) -> None:
        name = "Graph"
        one_of(name, "twins", twins, ("sum", "max", "first"))
        flag(name, "loops", loops)
        for label, value in (("directed", directed), ("weighted", weighted)):
            if value is not None:
                flag(name, label, value)
        found = edges if isinstance(edges, Edges) else edges_of(name, edges, directed)
        keys, found = _with_nodes(name, found, nodes)
        if not keys:
            raise ValueError(f"{name}: the graph is empty, expected at least one node")
        if len(keys) > _MOST_NODES:
            raise ValueError(f"{name}: {len(keys)} nodes, expected at most {_MOST_NODES}")
        if weighted and found.weights is None:
            raise ValueError(f"{name}: weighted=True, but the edges have no weights")
        check_weights(name, found, keys)
        self.directed = bool(found.directed) if directed is None else bool(directed)
        self.weighted = found.weights is not None and weighted is not False
        self._keys = keys
        csr = compressed(name, found, keys, self.directed, self.weighted, loops, twins)
        for array in (csr.indptr, csr.indices, csr.data):
            array.flags.writeable = False
        self.csr = csr
        self.types: Ids | None = None
        self.type_names: list[str] = []
        if types is not None:
            self.types, self.type_names = _checked_types(name, types, keys)

    @classmethod
    def read(
        cls,
        source: Any,
        *,
        directed: bool = False,
        weighted: bool | None = None,
        delimiter: str | None = None,
        header: bool | None = None,
        comment: str | None = "#",
        loops: bool = False,
        twins: Twins = "sum",
        progress: bool | None = False,
    ) -> Self:
        r"""Read an edge list: a line for each edge, with two nodes and, perhaps, a weight.

        Parameters
        ----------
        source
            A path (also ``.gz``, ``.bz2``, ``.xz``, ``.zst``; ``.parquet`` needs pyarrow), several
            paths, or an open file.
        directed, loops, twins
            As for `Graph`.
        weighted
            Whether the third column is weights; None: if it has numbers. Further columns are left
            out.
        delimiter
            What separates columns: a character, or None for white space, unless the first line has
            tabs, commas or semicolons. Where it is none of white space, names may have spaces.
        header
            Whether the first line names the columns; None: if it has no numbers where the second
            line has some.
        comment
            Lines that begin with this are left out.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.

        Returns
        -------
        Graph

        Raises
        ------
        FormatError
            A line has too few columns, or a weight that is no number; or a compressed file is
            damaged.
        ValueError
            As for `Graph`.

        Examples
        --------
        >>> import io
        >>> Graph.read(io.BytesIO(b"# a path\n1 2\n2 3\n"))
        Graph(3 nodes, 2 edges)
        """
        from firth._edge_lists import read_edges

        found = read_edges(
            source,
            weighted=weighted,
            delimiter=delimiter,
            header=header,
            comment=comment,
            progress=progress,
        )
        return cls(found, directed=directed, weighted=weighted, loops=loops, twins=twins)

    # ---- what it holds --------------------------------------------------------------------------

    @property
    def keys(self) -> list[str]:
        """The names of the nodes in row order; not to be changed."""
        return self._keys

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each name; not to be changed."""
        return index_of(self._keys)

    @property
    def edges(self) -> int:
        """How many edges there are; an undirected one counts once."""
        if self.directed:
            return self.csr.nnz
        return (self.csr.nnz + self._loops) // 2

    @cached_property
    def _loops(self) -> int:
        rows = np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.csr.indptr))
        return int((rows == self.csr.indices).sum())

    @property
    def degrees(self) -> Longs:
        """How many edges leave each node (nodes,)."""
        found: Longs = np.diff(self.csr.indptr)
        return found

    @property
    def isolated(self) -> Longs:
        """The rows of nodes without any edge, in or out."""
        alone = self.degrees == 0
        if self.directed:
            alone[self.csr.indices] = False
        rows: Longs = np.flatnonzero(alone)
        return rows

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self.index

    def __repr__(self) -> str:
        kinds = ["directed"] * self.directed + ["weighted"] * self.weighted
        more = "".join(f", {kind}" for kind in kinds)
        return f"Graph({len(self)} nodes, {self.edges} edges{more})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (
            self._keys,
            self.csr,
            self.directed,
            self.weighted,
            self.types,
            self.type_names,
        )

    def row(self, key: str) -> int:
        """Return the row of a node.

        Raises
        ------
        KeyError
            Names the node that is unknown.
        """
        return self.index[key]

    def neighbours(self, key: str) -> list[str]:
        """Return the nodes that edges lead to from a node."""
        row = self.row(key)
        return [self._keys[i] for i in self.csr.indices[slice(*self.csr.indptr[row : row + 2])]]

    def with_types(self, types: Mapping[str, Any] | npt.ArrayLike) -> "Graph":
        """Return the graph with a type for each node, for walks along a path of types.

        Parameters
        ----------
        types
            A mapping from each node's name to its type, or one type for each node, in row order.
            Types are any text or numbers; ``type_names`` has them in order.
        """
        found, names = _checked_types("Graph.with_types", types, self._keys)
        return _restored(self._keys, self.csr, self.directed, self.weighted, found, names)

    def pairs(self) -> Longs:
        """Return the edges as rows (edges, 2), an undirected one once, the lower row first."""
        rows = np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.csr.indptr))
        found = np.stack([rows, self.csr.indices.astype(np.int64)], axis=1)
        return found if self.directed else found[found[:, 0] <= found[:, 1]]

    # ---- walks ----------------------------------------------------------------------------------

    def walks(
        self,
        walks: int = 10,
        length: int = 80,
        *,
        p: float = 1.0,
        q: float = 1.0,
        restart: float = 0.0,
        metapath: Sequence[str] | None = None,
        seed: int = 1,
        threads: int | None = None,
    ) -> Any:
        """Return random walks as a corpus, 4 bytes for each node of them.

        Models walk by themselves and do not keep what they walked; this is for looking at it.

        Parameters
        ----------
        walks
            From each node that has an edge to go.
        length, p, q, restart, seed, threads
            As in :func:`firth.kernels.walks`.
        metapath
            Types of the nodes that a walk visits, over and over.

        Returns
        -------
        Corpus
            A sentence for each walk; its words are the nodes, in row order.

        Examples
        --------
        >>> corpus = Graph([("ann", "bob")]).walks(1, 4)
        >>> [corpus.vocabulary.words[i] for i in corpus.ids[:4]]
        ['ann', 'bob', 'ann', 'bob']
        """
        from firth.corpus import Corpus
        from firth.vocabulary import Vocabulary

        name = "Graph.walks"
        walks = whole(name, "walks", walks, 1, 2**31 - 1)
        path = None if metapath is None else self._path(name, metapath)
        types = None if path is None else self.types
        transitions = kernels.transitions(self.csr, weighted=self.weighted, types=types)
        begins = np.ones(len(self), bool) if path is None or types is None else types == path[0]
        starts = np.flatnonzero(begins & (self.degrees > 0)).astype(np.uint32)
        found = kernels.walks(
            transitions,
            np.tile(starts, walks),
            length=length,
            p=p,
            q=q,
            restart=restart,
            path=path,
            seed=seed,
            threads=threads,
        )
        counts = np.bincount(found.ids, minlength=len(self)).astype(np.int64)
        return Corpus(found.ids, found.offsets, Vocabulary._trusted(self._keys, counts))

    def _path(self, name: str, metapath: Sequence[str]) -> Ids:
        if self.types is None:
            raise ValueError(f"{name}: metapath needs a graph with types (Graph.with_types)")
        for one in metapath:
            if str(one) not in self.type_names:
                known = ", ".join(map(repr, self.type_names))
                raise ValueError(f"{name}: metapath has {one!r}, expected types: {known}")
        return np.array([self.type_names.index(str(one)) for one in metapath], np.uint32)


def _restored(
    keys: list[str],
    csr: CSR,
    directed: bool,
    weighted: bool,
    types: Ids | None = None,
    type_names: Sequence[str] = (),
) -> Graph:
    """Return a graph of parts that were a graph's."""
    graph = Graph.__new__(Graph)
    graph._keys, graph.csr, graph.directed, graph.weighted = keys, csr, directed, weighted
    graph.types, graph.type_names = types, list(type_names)
    return graph


def _with_nodes(
    name: str, found: Edges, nodes: int | Sequence[str] | None
) -> tuple[list[str], Edges]:
    """Return names and edges of the graph that has these nodes, too."""
    if nodes is None:
        return found.keys, found
    if isinstance(nodes, str):
        raise TypeError(f"{name}: nodes={nodes!r} is neither a number nor several names")
    if isinstance(nodes, (int, np.integer)):
        nodes = whole(name, "nodes", nodes, 1, _MOST_NODES)
        wanted = [str(i) for i in range(nodes)]
    else:
        wanted = checked_keys(nodes)
        more = set(wanted)
        wanted += [key for key in found.keys if key not in more]
    rows = index_of(wanted)
    for key in found.keys:
        if key not in rows:
            raise ValueError(f"{name}: node {key} is none of the nodes 0 to {len(wanted) - 1}")
    moved = np.array([rows[key] for key in found.keys], np.int64)
    return wanted, Edges(
        wanted,
        moved[found.sources],
        moved[found.targets],
        found.weights,
        found.directed,
        found.matrix,
    )


def _checked_types(name: str, types: Any, keys: list[str]) -> tuple[Ids, list[str]]:
    if isinstance(types, Mapping):
        missing = next((key for key in keys if key not in types), None)
        if missing is not None:
            raise ValueError(f"{name}: types has none for node {missing!r}")
        types = [types[key] for key in keys]
    found = [str(one) for one in (types.tolist() if hasattr(types, "tolist") else types)]
    if len(found) != len(keys):
        raise ValueError(f"{name}: types has {len(found)} entries for {len(keys)} nodes")
    names, numbers = np.unique(np.array(found, dtype=object), return_inverse=True)
    return numbers.reshape(-1).astype(np.uint32), [str(one) for one in names]
