"""classification: one pass over examples; and Huffman trees."""

import math

import numpy as np

from oracle._draws import draw_pair
from oracle._negative_sampling import log_sigmoid

STREAM_LABEL = 3


def classification(
    input, output, bags, labels, *, loss, paths=None, positions, seed, epoch, lr_begin, lr_end
):
    """One pass over the examples, each two lists; returns (input, output, loss)."""
    input, output = input.astype(np.float64), output.astype(np.float64)
    total = 0.0
    for example, (bag, known) in enumerate(zip(bags, labels, strict=True)):
        lr = lr_begin + (lr_end - lr_begin) * positions[example] / positions[-1]
        word = draw_pair(seed, STREAM_LABEL, epoch, example)[0]
        target = known[word * len(known) >> 32]
        hidden = sum(input[row] for row in bag) / len(bag)
        scores = [float(row @ hidden) for row in output]
        if loss == "softmax":
            whole = math.log(sum(math.exp(score - max(scores)) for score in scores)) + max(scores)
            total += whole - scores[target]
            steps = [(o, (o == target) - math.exp(s - whole)) for o, s in enumerate(scores)]
        else:
            wanted = [(o, o in known) for o in range(len(output))]
            if loss == "hs":
                wanted = [(code // 2, code % 2) for code in paths[target]]
            total -= sum(log_sigmoid(scores[o] if up else -scores[o]) for o, up in wanted)
            steps = [(o, up - math.exp(log_sigmoid(scores[o]))) for o, up in wanted]
        error = sum((lr * share * output[o] for o, share in steps), np.zeros_like(hidden))
        for o, share in steps:
            output[o] += lr * share * hidden
        for row in bag:
            input[row] += error / len(bag)
    return input, output, total


def huffman_paths(counts) -> list[list[int]]:
    """The path of each label up to the root: twice the inner node, plus 1 for a right child."""
    waiting = [(n, label) for label, n in reversed(list(enumerate(counts)))]  # leaves, last first
    made, above = [], {}
    for node in range(len(counts), 2 * len(counts) - 1):
        size = 0
        for right in (0, 1):
            queue = waiting if waiting and (not made or waiting[0][0] < made[0][0]) else made
            count, child = queue.pop(0)
            above[child] = (node, right)
            size += count
        made.append((size, node))
    paths = []
    for label in range(len(counts)):
        path, node = [], label
        while node in above:
            node, right = above[node]
            path.append(2 * (node - len(counts)) + right)
        paths.append(path)
    return paths
