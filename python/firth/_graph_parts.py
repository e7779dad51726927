"""Edges of any kind, and what is wanted of them -> what a graph is made of."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from firth._edge_rows import Edges, check_weights, compressed
from firth._node_names import MOST_NODES, with_nodes
from firth.csr import CSR
from firth.kernels._arguments import flag, one_of

Twins = Literal["sum", "max", "first"]


@dataclass(frozen=True)
class Rule:
    """What `firth.Graph` is told of edges, checked."""

    function: str
    directed: bool | None
    weighted: bool | None
    nodes: Any
    loops: bool
    twins: Twins

    def __post_init__(self) -> None:
        one_of(self.function, "twins", self.twins, ("sum", "max", "first"))
        flag(self.function, "loops", self.loops)
        for label in ("directed", "weighted"):
            if (value := getattr(self, label)) is not None:
                flag(self.function, label, value)


def parts_of(found: Edges, rule: Rule) -> tuple[list[str], CSR, bool, bool]:
    """Return the names of nodes, compressed rows, and whether they are directed and weighted."""
    name = rule.function
    if rule.nodes is not None:
        keys, rows = with_nodes(name, found.keys, rule.nodes, found.kind != "list")
        found = found._replace(keys=keys)
        if rows is not None and len(rows):
            found = found._replace(sources=rows[found.sources], targets=rows[found.targets])
    if not 0 < len(found.keys) <= MOST_NODES:
        many = f"has {len(found.keys)} nodes" if found.keys else "is empty"
        raise ValueError(f"{name}: the graph {many}, expected between 1 and {MOST_NODES} nodes")
    if rule.weighted and found.weights is None:
        if found.kind != "matrix":
            raise ValueError(f"{name}: weighted=True, but the edges have no weights")
        found = found._replace(weights=np.ones(len(found.sources), np.float32))
    if rule.weighted is False:
        found = found._replace(weights=None)
    if found.weights is not None:
        check_weights(name, found)
    directed = bool(found.directed) if rule.directed is None else bool(rule.directed)
    csr = compressed(name, found, directed, rule.loops, rule.twins)
    return found.keys, csr, directed, found.weights is not None
