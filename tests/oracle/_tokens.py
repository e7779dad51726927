"""tokens: text -> words and ids."""


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
