"""What every kernel means, in float64 and loops. All backends are held against this file."""

import math

import numpy as np

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


def tokens(text: bytes) -> list[tuple[int, bytes]]:
    """(start, token) of each token, and (place, b"\\n") for each newline, in order."""
    found, start = [], None
    for i, byte in enumerate(text + b"\0"):
        if byte in b"\0\t\n\v\f\r ":
            if start is not None:
                found.append((start, text[start:i]))
            start = None
            if byte == 10:
                found.append((i, b"\n"))
        elif start is None:
            start = i
    return found


def token_hash(token: bytes, seed: int) -> int:
    """Fold the products of 16 bytes after the others."""
    mask, h = 2**64 - 1, 0
    other = (seed << 32 | seed >> 32) & mask
    for i in range(0, len(token), 16):
        group = token[i : i + 16].ljust(16, b"\0")
        low, high = int.from_bytes(group[:8], "little"), int.from_bytes(group[8:], "little")
        product = (low ^ h ^ seed ^ 0x9E3779B97F4A7C15) * (high ^ other ^ 0xD1B54A32D192ED03)
        h = (product & mask) ^ (product >> 64)
    return h


def corpus(texts: list[bytes], min_count: int = 1, max_vocab: int | None = None):
    """(words, counts, sentences of ids) of the texts, each of which ends a sentence."""
    sentences, counts = [[]], {}
    for text in texts:
        for _, token in [*tokens(text), (0, b"\n")]:
            if token == b"\n":
                sentences.append([])
            else:
                sentences[-1].append(token)
                counts[token] = counts.get(token, 0) + 1
    kept = [(-n, word) for word, n in counts.items() if n >= min_count]
    words = [word for _, word in sorted(kept)[:max_vocab]]
    coded = [[words.index(t) for t in sentence if t in words] for sentence in sentences]
    return words, [counts[word] for word in words], [ids for ids in coded if ids]


# ---- subwords -----------------------------------------------------------------------------------


def fnv(ngram: bytes) -> int:
    """32-bit FNV-1a, but of bytes that count as signed and are widened to 32 bits."""
    h = 2166136261
    for byte in ngram:
        h = (h ^ (byte if byte < 128 else byte + 0xFFFFFF00)) * 16777619 % 2**32
    return h


def murmur3(key: bytes, seed: int) -> list[int]:
    """MurmurHash3_x64_128 as four words, written from its description: blocks, tail, finish."""
    mask, c1, c2 = 2**64 - 1, 0x87C37B91114253D5, 0x4CF5AD432745937F

    def rotl(x: int, r: int) -> int:
        return (x << r | x >> (64 - r)) & mask

    def fmix(k: int) -> int:
        k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & mask
        k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & mask
        return k ^ k >> 33

    h1 = h2 = seed
    whole = len(key) // 16 * 16
    for i in range(0, whole, 16):
        k1, k2 = (int.from_bytes(key[j : j + 8], "little") for j in (i, i + 8))
        h1 ^= rotl(k1 * c1 & mask, 31) * c2 & mask
        h1 = ((rotl(h1, 27) + h2) * 5 + 0x52DCE729) & mask
        h2 ^= rotl(k2 * c2 & mask, 33) * c1 & mask
        h2 = ((rotl(h2, 31) + h1) * 5 + 0x38495AB5) & mask
    tail = key[whole:]
    h2 ^= rotl(int.from_bytes(tail[8:], "little") * c2 & mask, 33) * c1 & mask
    h1 ^= rotl(int.from_bytes(tail[:8], "little") * c1 & mask, 31) * c2 & mask
    h1, h2 = h1 ^ len(key), h2 ^ len(key)
    h1, h2 = (h1 + h2) & mask, (h1 + 2 * h2) & mask
    h1, h2 = fmix(h1), fmix(h2)
    h1, h2 = (h1 + h2) & mask, (h1 + 2 * h2) & mask
    return [h1 & 0xFFFFFFFF, h1 >> 32, h2 & 0xFFFFFFFF, h2 >> 32]


def ngrams(word: bytes, min_n: int, max_n: int) -> list[bytes]:
    """The n-grams of a word between its boundaries; "</s>" has none."""
    if word == b"</s>":
        return []
    characters = []
    for byte in b"<" + word + b">":
        if byte & 0xC0 == 0x80:
            characters[-1] += bytes([byte])
        else:
            characters.append(bytes([byte]))
    found, last = [], len(characters)
    for i in range(last):
        for n in range(min_n, min(max_n, last - i) + 1):
            if n > 1 or 0 < i < last - 1:
                found.append(b"".join(characters[i : i + n]))
    return found


def subwords(words: list[bytes], min_n: int, max_n: int, buckets: int, hashes: int = 0):
    """The bag of each word: buckets of its n-grams, after that of the whole for floret's rule."""
    bags = []
    for word in words:
        found = ngrams(word, min_n, max_n)
        codes = [[fnv(ngram)] for ngram in found]
        if hashes:
            found = found if word == b"</s>" else [b"<" + word + b">", *found]
            codes = [murmur3(ngram, 2166136261)[:hashes] for ngram in found]
        bags.append([code % buckets for some in codes for code in some])
    return bags


def bag_means(table, bags):
    """Of each bag the sum of its rows, in order and rounded to float32 each time, over its size."""
    means = np.zeros((len(bags), table.shape[1]), np.float32)
    for mean, bag in zip(means, bags, strict=True):
        for row in bag:
            mean += table[row]
        mean *= np.float32(1 / max(len(bag), 1))
    return means


def subword_means(words, table, min_n, max_n, buckets, hashes=0, first_row=0):
    bags = subwords(words, min_n, max_n, buckets, hashes)
    return bag_means(table, [[first_row + bucket for bucket in bag] for bag in bags])


# ---- negative_sampling --------------------------------------------------------------------------

STREAM_POSITION, STREAM_NEGATIVE = 0, 1


def draw_pair(seed: int, stream: int, epoch: int, index: int) -> tuple[int, int]:
    four = draw(seed, stream, epoch, index // 2)
    return four[2:] if index % 2 else four[:2]


def noise_word(noise, first: int, second: int) -> int:
    column = first * len(noise) >> 32
    accept, alias = noise[column]
    return column if second <= accept else int(alias)


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))


def kept_tokens(ids, offsets, keep, window, seed, epoch):
    """Position, word, reach and sentence of every token that subsampling keeps."""
    kept = []
    for sentence in range(len(offsets) - 1):
        for position in range(offsets[sentence], offsets[sentence + 1]):
            chance, size = draw_pair(seed, STREAM_POSITION, epoch, position)
            if chance <= keep[ids[position]]:
                kept.append((position, int(ids[position]), 1 + (size * window >> 32), sentence))
    return kept


def negative_sampling(
    input, output, ids, offsets, keep, noise, *, window, negative, cbow, block, shared,
    piece, seed, epoch, lr_begin, lr_end, together=1, bags=None,
):  # fmt: skip
    """One pass over the corpus; returns (input, output, loss, pairs, kept).

    ``bags``: for each word its rows of the input; None: row w for word w.

    ``together`` blocks of a piece see one state of the tables: 1 is the definition, array code
    takes whole pieces.
    """
    input, output = input.astype(np.float64), output.astype(np.float64)
    kept = kept_tokens(ids, offsets, keep, window, seed, epoch)
    total_loss, total_pairs = 0.0, 0
    for begin in range(0, len(ids), piece):
        lr = lr_begin + (lr_end - lr_begin) * begin / len(ids)
        centres = [i for i, (at, *_) in enumerate(kept) if begin <= at < begin + piece]
        blocks = [centres[i : i + block] for i in range(0, len(centres), block)]
        for first in range(0, len(blocks), together):
            input_step, output_step = np.zeros_like(input), np.zeros_like(output)
            for number, members in enumerate(blocks[first : first + together], start=first):
                base = (begin + number * block) * shared
                draws = (draw_pair(seed, STREAM_NEGATIVE, epoch, base + k) for k in range(shared))
                negatives = [noise_word(noise, *pair) for pair in draws]
                for i in members:
                    _, centre, reach, sentence = kept[i]
                    around = kept[max(0, i - reach) : i] + kept[i + 1 : i + 1 + reach]
                    company = [word for _, word, _, s in around if s == sentence]
                    if not company:
                        continue
                    pairs = [(company, centre)] if cbow else [([centre], w) for w in company]
                    for inputs, target in pairs:
                        rows = [r for word in inputs for r in (bags[word] if bags else [word])]
                        mean = input[rows].sum(axis=0) / max(1, len(rows))
                        error = np.zeros_like(mean)
                        apart = [(n, negative / shared) for n in negatives if n != target]
                        for word, weight, seen in [(target, 1.0, 1)] + [(*n, 0) for n in apart]:
                            score = float(mean @ output[word])
                            total_loss -= weight * log_sigmoid(score if seen else -score)
                            step = lr * weight * (seen - math.exp(log_sigmoid(score)))
                            error += step * output[word]
                            output_step[word] += step * mean
                        for row in rows:
                            input_step[row] += error
                        total_pairs += 1
            input += input_step
            output += output_step
    return input, output, total_loss, total_pairs, len(kept)


# ---- prepare ------------------------------------------------------------------------------------


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


# ---- classification -----------------------------------------------------------------------------

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
