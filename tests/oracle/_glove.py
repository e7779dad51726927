"""glove: one epoch, count by count, in the order that the contract's header defines."""

import math

import numpy as np


def glove_order(counts, order, row_starts, column_starts, shifts):
    """Yield the rounds, each the tiles of all groups, each the (row, column) that it reads."""
    groups = len(row_starts) - 1
    for shift in shifts:
        tiles = []
        for group in range(groups):
            span = (group + int(shift)) % groups
            rows = order[row_starts[group] : row_starts[group + 1]].tolist()
            columns = range(int(column_starts[span]), int(column_starts[span + 1]))
            tiles.append([(i, j) for i in rows for j in columns if (i, j) in counts])
        yield tiles


def glove(
    words, contexts, counts, *, dim, order, row_starts, column_starts, shifts, lr, x_max, alpha
):
    """Return (words, contexts, loss summed over counts); counts are {(row, column): x}."""
    words, contexts = words.astype(np.float64), contexts.astype(np.float64)
    width = words.shape[1] // 2
    w_bias, c_bias = width - 2, width - 1
    loss = 0.0
    for tiles in glove_order(counts, order, row_starts, column_starts, shifts):
        for i, j in (pair for tile in tiles for pair in tile):
            x = float(counts[i, j])
            w, c = words[i].copy(), contexts[j].copy()
            score = float(w[:dim] @ c[:dim]) + w[w_bias] + c[c_bias]
            difference = score - math.log(x)
            weight = min(1.0, (x / x_max) ** alpha)
            loss += weight * difference**2 / 2
            slope = weight * difference
            steps = [(words[i], d, lr * slope * c[d]) for d in range(dim)]
            steps += [(contexts[j], d, lr * slope * w[d]) for d in range(dim)]
            steps += [(words[i], w_bias, slope), (contexts[j], c_bias, slope)]
            for row, d, step in steps:
                row[d] -= step / math.sqrt(row[width + d])
                row[width + d] += step**2
    return words, contexts, loss
