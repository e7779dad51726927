"""fastText's binary files made byte by byte, and a plain reader of them to compare with."""

import struct

import numpy as np

MAGIC = 793712314
ARGUMENTS = {
    "dim": 3,
    "ws": 5,
    "epoch": 6,
    "minCount": 1,
    "neg": 7,
    "wordNgrams": 1,
    "loss": 2,
    "model": 2,
    "bucket": 4,
    "minn": 2,
    "maxn": 3,
    "lrUpdateRate": 100,
}
SUPERVISED = {"model": 3, "loss": 3, "wordNgrams": 2}
WORDS = [("the", 9), ("</s>", 5), ("käse", 2)]
LABELS = [("__label__a", 4), ("__label__b", 3)]


def rows(count, dim=3, seed=0):
    """Return a matrix of random float32."""
    return np.random.default_rng(seed).standard_normal((count, dim)).astype("<f4")


def dense(matrix):
    """Return a dense matrix as it lies in a file, without the flag in front."""
    return struct.pack("<2q", *matrix.shape) + matrix.tobytes()


def codebook(parts):
    """Return centroids as they lie in a file: an array (256, numbers of the part) per part."""
    dim = sum(part.shape[1] for part in parts)
    sizes = (dim, len(parts), parts[0].shape[1], parts[-1].shape[1])
    return struct.pack("<4i", *sizes) + b"".join(part.tobytes() for part in parts)


def quantised(codes, parts, norm_codes=None, norms=None):
    """Return a quantised matrix as it lies in a file, and the rows that it stands for."""
    decoded = np.hstack([part[codes[:, at]] for at, part in enumerate(parts)])
    raw = struct.pack("<?2qi", norms is not None, *decoded.shape, codes.size)
    raw += codes.tobytes() + codebook(parts)
    if norms is not None:
        raw += norm_codes.tobytes() + codebook([norms])
        decoded = decoded * norms[norm_codes]
    return raw, decoded


def entry(word, count, kind):
    """Return one entry of a dictionary."""
    return word.encode("utf-8", "surrogateescape") + struct.pack("<xqb", count, kind)


def model(
    words=WORDS,
    labels=(),
    *,
    input=None,
    output=None,
    version=12,
    t=1e-4,
    tokens=123,
    kept=None,
    qout=False,
    **changes,
):
    """Return a file; ``input`` and ``output`` are matrices, or bytes of quantised ones."""
    arguments = {**ARGUMENTS, **changes}
    file = struct.pack("<2i", MAGIC, version) if version else b""
    file += struct.pack("<12id", *arguments.values(), t)
    file += struct.pack("<3iq", len(words) + len(labels), len(words), len(labels), tokens)
    if version:
        file += struct.pack("<q", -1 if kept is None else len(kept))
    file += b"".join([entry(*word, 0) for word in words] + [entry(*label, 1) for label in labels])
    file += b"".join(struct.pack("<2i", *pair) for pair in kept or ())
    if input is None:
        input = rows(len(words) + arguments["bucket"])
    if output is None:
        output = rows(len(labels) if arguments["model"] == 3 else len(words), seed=1)
    for matrix, flag in ((input, isinstance(input, bytes)), (output, qout)):
        file += struct.pack("<?", flag) if version else b""
        file += matrix if isinstance(matrix, bytes) else dense(matrix)
    return file


def parse(raw):
    """Read a dense file: its arguments, words with counts, labels with counts, matrices."""
    (magic,) = struct.unpack_from("<i", raw)
    at = 8 if magic == MAGIC else 0
    arguments = dict(zip(ARGUMENTS, struct.unpack_from("<12i", raw, at), strict=True))
    at += 56
    size, nwords, _ = struct.unpack_from("<3i", raw, at)
    at += 28 if magic == MAGIC else 20
    entries = []
    for _ in range(size):
        end = raw.index(b"\0", at)
        word = raw[at:end].decode("utf-8", "surrogateescape")
        entries.append((word, struct.unpack_from("<q", raw, end + 1)[0]))
        at = end + 10
    matrices = []
    for _ in range(2):
        at += 1 if magic == MAGIC else 0
        m, n = struct.unpack_from("<2q", raw, at)
        matrices.append(np.frombuffer(raw, "<f4", m * n, at + 16).reshape(m, n))
        at += 16 + 4 * m * n
    assert at == len(raw)
    return arguments, entries[:nwords], entries[nwords:], *matrices


def ngrams(word, least, most, buckets):
    """Return the buckets of a word's n-grams, as fastText's documentation of its hash says."""
    text = f"<{word}>".encode("utf-8", "surrogateescape")
    begins = [at for at, byte in enumerate(text) if byte & 0xC0 != 0x80] + [len(text)]
    last = len(begins) - 1  # the number of characters
    found = []
    for begin in range(last):
        for end in range(begin + max(least, 1), min(begin + most, last) + 1):
            if end - begin == 1 and begin in (0, last - 1):
                continue
            hash = 2166136261
            for byte in text[begins[begin] : begins[end]]:
                signed = byte | (0xFFFFFF00 if byte >= 128 else 0)
                hash = (hash ^ signed) * 16777619 % 2**32
            found.append(hash % buckets)
    return found


def mean(table, bag):
    """Return the mean of rows as fastText adds them up, in float32."""
    total = np.zeros(table.shape[1], np.float32)
    for row in bag:
        total += table[row]
    return total * np.float32(1 / max(len(bag), 1))
