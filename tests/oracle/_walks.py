"""walks: one walk after the other, and the probabilities that its steps are drawn with."""

from fractions import Fraction

from oracle._draws import draw

STREAM_WALK, TRIALS, MOST_TRIALS, NOWHERE, DRAWS = 5, 16, 2**20, 2**32 - 1, 2**32


def step_probabilities(weights, node, before, p, q):
    """Return {neighbour: probability} of a step, exactly, from {(from, to): weight}.

    ``before`` is the node before, or None at a start.
    """
    masses = {}
    for (v, x), weight in weights.items():
        if v == node:
            bias = Fraction(1)
            if before is not None and x == before:
                bias = 1 / Fraction(p)
            elif before is not None and (before, x) not in weights:
                bias = 1 / Fraction(q)
            masses[x] = Fraction(weight) * bias
    return {x: mass / sum(masses.values()) for x, mass in masses.items()}


def at_most(chance):
    return min(max(int(chance * DRAWS - 1), 0), DRAWS - 1)


class Walker:
    """The edges of a graph, and how a step is drawn from them."""

    def __init__(self, indptr, indices, thresholds, types, p, q, seed):
        self.indptr, self.indices = indptr.tolist(), indices.tolist()
        self.thresholds, self.types, self.seed = thresholds.tolist(), types, seed
        back, far = 1 / p, 1 / q
        most = max(1.0, far)
        self.second = p != 1 or q != 1
        self.accepts = {"back": at_most(back / most), "near": at_most(1 / most)}
        self.accepts["far"] = at_most(far / most)
        self.extra = max(back / most - 1, 0.0)
        biases = {"back": back, "near": 1.0, "far": far}
        greatest = max(biases.values())
        self.units = {kind: max(int(b / greatest * 2**31), 1) for kind, b in biases.items()}

    def draw(self, walk, step, trial):
        return draw(self.seed, STREAM_WALK + 256 * trial, step, walk)

    def edges(self, node, kind):
        row = node * self.types + kind
        return range(self.indptr[row], self.indptr[row + 1])

    def share(self, edges, edge):
        """How many of the 2**32 values of a draw take an edge; 1 without weights."""
        if not self.thresholds:
            return 1
        after = self.thresholds[edge + 1] if edge + 1 in edges else DRAWS
        return after - self.thresholds[edge]

    def edge_at(self, edges, word):
        if not self.thresholds:
            return edges[word * len(edges) // DRAWS]
        return max(edge for edge in edges if self.thresholds[edge] <= word)

    def relation(self, before, kind, node):
        if node == before:
            return "back"
        near = any(self.indices[edge] == node for edge in self.edges(before, kind))
        return "near" if near else "far"

    def tried(self, drawn, edges, before, kind):
        """Return the edge that a trial takes, or None where it was vain."""
        x, y, z, _ = drawn
        ways = [edge for edge in edges if self.indices[edge] == before]
        if self.extra > 0:
            if not self.thresholds:
                if z < int(DRAWS * (self.extra / (len(edges) + self.extra))):
                    return ways[0] if ways else None
            elif ways and self.share(edges, ways[0]) > 0:
                one_by_share = DRAWS / self.share(edges, ways[0])
                if z < int(DRAWS * (self.extra / (one_by_share + self.extra))):
                    return ways[0]
        edge = self.edge_at(edges, x)
        return edge if y <= self.accepts[self.relation(before, kind, self.indices[edge])] else None

    def summed(self, drawn, edges, before, kind):
        """Return the edge that a draw takes of exact sums."""
        masses = [
            self.share(edges, e) * self.units[self.relation(before, kind, self.indices[e])]
            for e in edges
        ]
        left = ((drawn[0] << 32 | drawn[1]) * sum(masses)) >> 64
        for edge, mass in zip(edges, masses, strict=True):
            if left < mass:
                return edge
            left -= mass
        raise AssertionError("a draw beyond all masses")

    def step(self, walk, step, node, before, kind):
        """Return the next node, or None where there is nowhere to go."""
        edges = self.edges(node, kind)
        if not edges:
            return None
        if not self.second or before is None:
            return self.indices[self.edge_at(edges, self.draw(walk, step, 0)[0])]
        trials = min(TRIALS + len(edges), MOST_TRIALS)
        for trial in range(trials):
            edge = self.tried(self.draw(walk, step, trial), edges, before, kind)
            if edge is not None:
                return self.indices[edge]
        return self.indices[self.summed(self.draw(walk, step, trials), edges, before, kind)]


def walks(
    indptr, indices, thresholds, *, starts, path=(0,), types=1, length, p=1.0, q=1.0, restart=0.0,
    seed, first=0,
):  # fmt: skip
    """Return the walks as lists of nodes."""
    walker = Walker(indptr, indices, thresholds, types, p, q, seed)
    found = []
    for walk, start in enumerate(starts.tolist(), first):
        nodes, before, since = [start], None, 0
        for step in range(length - 1):
            since += 1
            if walker.draw(walk, step, 0)[3] < int(restart * DRAWS):
                nodes.append(start)
                before, since = None, 0
                continue
            node = walker.step(walk, step, nodes[-1], before, path[since % len(path)])
            if node is None:
                break
            before = nodes[-1]
            nodes.append(node)
        found.append(nodes)
    return found
