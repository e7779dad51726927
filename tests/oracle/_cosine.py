"""prepare and topk: codes of rows, and the greatest of all scores."""

import math

import numpy as np


def single(x: float) -> float:
    """The nearest float32, ties to even."""
    return float(np.float32(x))


def bfloat16(x: float) -> float:
    """The nearest number of 8 significant bits (fewer below 2^-126), ties to even."""
    unit = 2.0 ** max(math.frexp(x)[1] - 8, -133)
    return round(x / unit) * unit


def length(x) -> float:
    return math.sqrt(sum(v * v for v in x))


def prepare(items, scan: str, metric: str, keep_exact: bool) -> list[tuple]:
    """Of each row its codes, and its grain, length and rest before they are rounded."""
    found = []
    for item in items:
        x = [float(v) for v in item]
        largest, norm = max(map(abs, x)), length(x)
        codes, factor = x, 1.0
        if scan != "float32":
            power = 1 - math.frexp(largest)[1]
            codes = [single(math.ldexp(v, power)) for v in x]
            if scan == "bfloat16":
                codes = [bfloat16(v) for v in codes]
            elif largest > 0:
                factor = single(127 / max(map(abs, codes)))
                codes = [float(round(single(factor * v))) for v in codes]
            factor = math.ldexp(factor, power)
        size = length(codes)
        rest = length([factor * v - c for v, c in zip(x, codes, strict=True)])
        if keep_exact:
            grain, ranked = (factor * norm, 1.0) if metric == "cosine" else (factor, norm)
        else:
            grain, ranked, rest = (size, 1.0, 0.0) if metric == "cosine" else (factor, 0.0, 0.0)
        if norm == 0:
            found.append(([0.0] * len(x), 1.0, 0.0, 0.0))
        elif not 2.0**-30 <= norm <= 2.0**60 and (keep_exact or metric == "dot"):
            found.append(([0.0] * len(x), math.nan, 0.0, 0.0))
        else:
            found.append((codes, grain, max(ranked, size / grain), rest))
    return found


def panels(codes, scan: str, dim: int) -> list[bytes]:
    """Codes of each row in panels of 16 rows: steps of 16 words, one a row, lowest bits first."""
    many = {"bfloat16": 2, "int8": 4}[scan]
    found = []
    for first in range(0, len(codes), 16):
        panel = b""
        for d in range(0, dim, many):
            for i in range(first, first + 16):
                for at in range(d, d + many):
                    code = codes[i][at] if i < len(codes) and at < dim else 0.0
                    if scan == "int8":
                        panel += bytes([int(code) + 128])
                    else:
                        panel += np.float32(code).tobytes()[2:]
        found.append(panel)
    return found


def dot(a, b) -> float:
    """Sum of products of float32 values (each exact in float64): eight lanes, then a fixed tree."""
    lane = [0.0] * 8
    for i in range(len(a)):
        lane[i % 8] += float(a[i]) * float(b[i])
    even = (lane[0] + lane[4]) + (lane[2] + lane[6])
    odd = (lane[1] + lane[5]) + (lane[3] + lane[7])
    return even + odd


def score(a, b, metric: str) -> float:
    """Dot product or cosine; a zero vector's cosine is 0."""
    if metric == "dot":
        return dot(a, b)
    lengths = math.sqrt(dot(a, a)) * math.sqrt(dot(b, b))
    return dot(a, b) / lengths if lengths > 0 else 0.0


def topk(
    queries, items, k: int, metric: str, exclude=None, mask=None, threshold=-math.inf
) -> tuple[list, list]:
    """The k greatest scores of each query, equal ones by id; what is missing is -1 and -inf."""
    ids, scores = [], []
    for q, query in enumerate(queries):
        left_out = set() if exclude is None else set(np.ravel(exclude[q]).tolist())
        least = threshold if np.ndim(threshold) == 0 else threshold[q]
        ranked = []
        for i, item in enumerate(items):
            if i not in left_out and (mask is None or mask[i]):
                found = score(query, item, metric)
                if found >= least:
                    ranked.append((-found, i))
        ranked = [*sorted(ranked)[:k], *[(math.inf, -1)] * k][:k]
        ids.append([i for _, i in ranked])
        scores.append([-negated for negated, _ in ranked])
    return ids, scores
