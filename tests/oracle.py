"""What every kernel means: float64, loops, no cleverness. All backends are held against this file."""

import math

# ---- draws --------------------------------------------------------------------------------------


def draw(seed: int, stream: int, epoch: int, index: int) -> tuple[int, int, int, int]:
    """Philox 4x32-10, written from the paper."""
    mask = 0xFFFFFFFF
    k0, k1 = seed & mask, seed >> 32
    c = [index & mask, index >> 32, stream, epoch]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & mask, (p0 >> 32) ^ c[3] ^ k1, p0 & mask]
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return c[0], c[1], c[2], c[3]


# ---- tokens -------------------------------------------------------------------------------------


# ---- negative_sampling --------------------------------------------------------------------------


# ---- topk ---------------------------------------------------------------------------------------


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


def topk(queries, items, k: int, metric: str, exclude=None) -> tuple[list, list]:
    """The k greatest scores of each query, equal ones by id."""
    ids, scores = [], []
    for q, query in enumerate(queries):
        left_out = -1 if exclude is None else exclude[q]
        ranked = sorted(
            (-score(query, item, metric), i) for i, item in enumerate(items) if i != left_out
        )[:k]
        ids.append([i for _, i in ranked])
        scores.append([-negated for negated, _ in ranked])
    return ids, scores
