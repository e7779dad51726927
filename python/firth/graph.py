"""Graph: who is linked to whom, with names, weights and types; what node models learn from."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from firth import _node_names
from firth._backend import Ids, Longs
from firth._edge_rows import check_symmetric, entries
from firth._edges import edges_of
from firth._graph_parts import Rule, Twins, parts_of
from firth._vectors import numbered
from firth.csr import CSR
from firth.kernels._matrices import check_matrix

if TYPE_CHECKING:
    from firth.corpus import Corpus


class Graph:
    """Nodes and the edges between them, in compressed rows.

    Nodes. Where all are whole numbers (given as numbers, or as texts of up to 18 digits as Python
    writes them), rows are in the order of the numbers, and there may be gaps; otherwise in the
    order of the names as text. Names are texts: that of the number 7 is ``"7"``. So neither the
    order of the edges nor the form in which they come changes a graph.

    Edges. An edge that is given twice is one: without weights it counts once, with them as
    ``twins`` says. In an undirected graph, a-b and b-a are the same edge; a matrix has both, and
    they must be equal; an ``edge_index`` has one or both, which must be equal, too. Self-loops are
    left out unless ``loops``, but their nodes stay.

    Parameters
    ----------
    edges
        One of

        - (m, 2) whole numbers or names, or pairs, or triples that end with a weight;
        - ``(sources, targets)`` or ``(sources, targets, weights)``, a tuple of columns (m,);
        - a sparse matrix of SciPy or a square `CSR`, whose entries are weights, unless all are 1;
        - a graph of networkx, whose edges' ``weight`` are their weights;
        - data of PyTorch Geometric (``edge_index``, ``edge_weight``, ``num_nodes``), or its
          (2, m) tensor;
        - a table that speaks Arrow (``__arrow_c_stream__``) with two columns of nodes; if a third
          one has numbers, they are weights. It needs pyarrow.
    directed
        Whether an edge leads one way only; None: as networkx has it, otherwise False.
    weighted
        Whether weights are used; None: if there are any.
    nodes
        Names or numbers of all nodes in row order, also of such without edges; what edges have
        beside them comes after. For a matrix or ``edge_index``, names of its rows. Or a number n:
        the nodes are 0 to n - 1.
    types
        As for :meth:`with_types`.
    loops
        Keep edges from a node to itself.
    twins
        Weights of an edge that is given several times are added up ("sum"), or the greatest
        ("max") or first one ("first") is taken.

    Attributes
    ----------
    csr
        (nodes, nodes) `CSR`, float32: row v has the edges from v, in both directions if the graph
        is undirected. Read-only; all ones if there are no weights.
    directed, weighted
        As above.
    types
        (nodes,) uint32, or None: numbers in ``type_names``.
    type_names
        The types in order.

    Raises
    ------
    ValueError
        There is no node; a weight is negative, 0, NaN or infinite: its edge is named; a matrix is
        not symmetric; nodes have other edges than they should.
    TypeError
        Edges of another kind.

    Examples
    --------
    >>> graph = Graph([("ann", "bob"), ("bob", "cid"), ("bob", "ann")])
    >>> graph
    Graph(3 nodes, 2 edges)
    >>> graph.keys, graph.neighbours("bob"), graph.degrees.tolist()
    (['ann', 'bob', 'cid'], ['ann', 'cid'], [1, 2, 1])
    >>> Graph([(3, 20, 0.5), (20, 100, 1.5), (3, 20, 1)]).csr.data.tolist()
    [1.5, 1.5, 1.5, 1.5]
    """

    csr: CSR
    directed: bool
    weighted: bool
    types: Ids | None
    type_names: list[str]

    def __init__(
        self,
        edges: Any,
        *,
        directed: bool | None = None,
        weighted: bool | None = None,
        nodes: int | Sequence[str] | Sequence[int] | None = None,
        types: Mapping[Any, Any] | npt.ArrayLike | None = None,
        loops: bool = False,
        twins: Twins = "sum",
    ) -> None:
        rule = Rule("Graph", directed, weighted, nodes, loops, twins)
        self._set(*parts_of(edges_of("Graph", edges, weighted), rule))
        if types is not None:
            self.types, self.type_names = _node_names.types_of("Graph", types, self._keys)

    def _set(
        self,
        keys: list[str],
        csr: CSR,
        directed: bool,
        weighted: bool,
        types: Ids | None = None,
        type_names: Sequence[str] = (),
    ) -> None:
        for array in (csr.indptr, csr.indices, csr.data, types):
            if array is not None:
                array.flags.writeable = False
        self._keys, self.csr, self.directed, self.weighted = keys, csr, directed, weighted
        self.types, self.type_names = types, list(type_names)

    def _parts(self) -> tuple[Any, ...]:
        return self._keys, self.csr, self.directed, self.weighted, self.types, self.type_names

    @classmethod
    def _of(cls, *parts: Any) -> Self:
        """Return a graph of parts that were a graph's."""
        graph = cls.__new__(cls)
        graph._set(*parts)
        return graph

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), *self._parts())

    @classmethod
    def read(
        cls,
        source: Any,
        *,
        directed: bool | None = None,
        weighted: bool | None = None,
        delimiter: str | None = None,
        header: bool | None = None,
        comment: str | None = "#",
        nodes: int | Sequence[str] | Sequence[int] | None = None,
        loops: bool = False,
        twins: Twins = "sum",
        progress: bool | None = False,
    ) -> Self:
        r"""Read an edge list: a line for each edge, with two nodes and, perhaps, a weight.

        Lines of white space are left out. Nothing is kept but the nodes of each edge and its
        weight, 8 bytes each, and the names.

        Parameters
        ----------
        source
            A path (also ``.gz``, ``.bz2``, ``.xz``, ``.zst``; ``"-"`` is the standard input;
            ``.parquet`` needs pyarrow), a list of paths, or an open file.
        directed, nodes, loops, twins
            As for `Graph`.
        weighted
            Whether the third column is weights, and further ones are left out; None: if it has
            numbers, and then all lines of a file must have as many columns as the first.
        delimiter
            What separates columns: a character, or a space for any white space. None: a tab, comma
            or semicolon, if the first line has one, or else white space. Unless it is white space,
            names may have spaces within, and quotes around them where it is a comma or semicolon.
        header
            Whether the first line names the columns; None: if it has no number where the second
            line has some, or begins with source and target, src and dst, head and tail, or node1
            and node2.
        comment
            Lines that begin with this are left out; None: no line is.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.

        Returns
        -------
        Graph

        Raises
        ------
        FormatError
            A line has too few columns, a weight that is no number, or more than a MiB; or a file
            is no text, or damaged.
        FileNotFoundError, IsADirectoryError, PermissionError
            As opening the file does.
        ImportError
            A ``.zst`` file needs the extra ``firth[zstd]``, a ``.parquet`` file pyarrow.
        ValueError, TypeError
            As for `Graph`.

        Examples
        --------
        >>> import io
        >>> Graph.read(io.BytesIO(b"# a path\n1 2\n2 3\n"))
        Graph(3 nodes, 2 edges)
        """
        from firth._edge_lists import Layout, read_edges

        rule = Rule("Graph.read", directed, weighted, nodes, loops, twins)
        layout = Layout(weighted, delimiter, header, comment)
        return cls._of(*parts_of(read_edges(rule.function, source, layout, progress), rule))

    # ---- what it holds --------------------------------------------------------------------------

    @property
    def keys(self) -> list[str]:
        """The names of the nodes in row order; not to be changed."""
        return self._keys

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each name; not to be changed."""
        return numbered(self._keys)

    @property
    def edges(self) -> int:
        """How many edges there are; an undirected one counts once."""
        return self.csr.nnz if self.directed else (self.csr.nnz + self._loops) // 2

    @cached_property
    def _loops(self) -> int:
        return sum(int((rows == columns).sum()) for rows, columns, _ in entries(self.csr))

    @property
    def degrees(self) -> Longs:
        """How many edges leave each node (nodes,) int64; a loop counts once."""
        found: Longs = np.diff(self.csr.indptr)
        return found

    @property
    def isolated(self) -> Longs:
        """The rows of nodes without any edge, in or out, int64."""
        alone = self.degrees == 0
        if self.directed:
            alone[self.csr.indices] = False
        rows: Longs = np.flatnonzero(alone)
        return rows

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return _named(key) in self.index

    def __repr__(self) -> str:
        kinds = ["directed"] * self.directed + ["weighted"] * self.weighted
        kinds += [f"{len(self.type_names)} types"] * (self.types is not None)
        more = "".join(f", {kind}" for kind in kinds)
        return f"Graph({len(self)} nodes, {self.edges} edges{more})"

    def row(self, key: str | int) -> int:
        """Return the row of a node, by its name, or by its number where that is its name.

        Raises
        ------
        KeyError
            Names the node that is unknown.
        """
        try:
            return self.index[_named(key)]
        except (KeyError, TypeError):
            raise KeyError(f"Graph: {key!r:.80} is not one of the {len(self)} nodes") from None

    def neighbours(self, key: str | int) -> list[str]:
        """Return the nodes that edges lead to from a node, in row order."""
        row = self.row(key)
        return [self._keys[i] for i in self.csr.indices[slice(*self.csr.indptr[row : row + 2])]]

    def pairs(self) -> Longs:
        """Return edges as rows (edges, 2) int64, an undirected one once, the lower row first."""
        found = np.empty((self.edges, 2), np.int64)
        at = 0
        for rows, columns, _ in entries(self.csr):
            once = np.ones(len(rows), np.bool_) if self.directed else rows <= columns
            last = at + int(once.sum())
            found[at:last, 0], found[at:last, 1] = rows[once], columns[once]
            at = last
        return found

    # ---- other graphs of the same nodes ---------------------------------------------------------

    def with_types(self, types: Mapping[Any, Any] | npt.ArrayLike) -> Self:
        """Return the graph with a type for each node, for walks along a path of types.

        Parameters
        ----------
        types
            A mapping from the name of each node to its type, or a type for each node, in row order.
            Types are texts or numbers; ``type_names`` has them in the order that names have.

        Raises
        ------
        ValueError
            A node has no type, or the mapping has one that the graph has not.

        Examples
        --------
        >>> graph = Graph([("ann", "x"), ("bob", "x")])
        >>> graph = graph.with_types({"ann": "author", "bob": "author", "x": "paper"})
        >>> graph.types.tolist(), graph.type_names
        ([0, 0, 1], ['author', 'paper'])
        """
        found = _node_names.types_of("Graph.with_types", types, self._keys)
        return self._of(*self._parts()[:4], *found)

    def with_csr(self, csr: CSR) -> Self:
        """Return a graph of the same nodes, with other edges.

        Parameters
        ----------
        csr
            (nodes, nodes) float32; symmetric if the graph is undirected. It becomes read-only.

        Raises
        ------
        ValueError, TypeError
            It is not that.
        """
        name = "Graph.with_csr"
        check_matrix(name, "csr", csr, np.float32)
        if csr.shape != self.csr.shape:
            raise ValueError(f"{name}: csr has shape {csr.shape}, expected {self.csr.shape}")
        if not self.directed:
            check_symmetric(name, csr, self._keys)
        weighted = self.weighted or bool((csr.data != 1).any())
        return self._of(self._keys, csr, self.directed, weighted, self.types, self.type_names)

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
    ) -> "Corpus":
        """Return random walks as a corpus, 4 bytes for each node of them.

        Models walk by themselves and do not keep what they walked; this is for looking at it, or
        for other models of text.

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
            A sentence for each walk; its words are the nodes that were visited, most often visited
            first, as in all texts.

        Raises
        ------
        ValueError
            No walk can begin, or an argument is out of its range.

        Examples
        --------
        >>> corpus = Graph([("ann", "bob")]).walks(1, 4)
        >>> corpus.sentence(0), corpus.sentence(1)
        (['ann', 'bob', 'ann', 'bob'], ['bob', 'ann', 'bob', 'ann'])
        """
        from firth._graph_walks import walked

        return walked(self, walks, length, p, q, restart, metapath, seed, threads)


def _named(key: object) -> Any:
    whole = isinstance(key, (int, np.integer)) and not isinstance(key, bool)
    return str(key) if whole else key


def _restored(kind: type[Graph], *parts: Any) -> Graph:
    return kind._of(*parts)
