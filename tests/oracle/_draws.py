"""Draws: which random numbers a place in the data has."""


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


def draw_pair(seed: int, stream: int, epoch: int, index: int) -> tuple[int, int]:
    four = draw(seed, stream, epoch, index // 2)
    return four[2:] if index % 2 else four[:2]
