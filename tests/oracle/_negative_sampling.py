"""negative_sampling: one pass over a corpus, centre by centre."""

import itertools

import numpy as np

from oracle._draws import draw_pair

STREAM_POSITION, STREAM_NEGATIVE = 0, 1


def noise_word(noise, first: int, second: int) -> int:
    column = first * len(noise) >> 32
    accept, alias = noise[column]
    return column if second <= accept else int(alias)


def log_sigmoid(x):
    return -np.logaddexp(0, -x)


def bfloat16(x):
    """The nearest numbers of 8 significant bits, of two the even one; all are finite."""
    bits = np.asarray(x).astype(np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


def kept_tokens(ids, offsets, keep, window, seed, epoch):
    """Position, word, reach and sentence of every token that subsampling keeps."""
    kept = []
    for sentence in range(len(offsets) - 1):
        for position in range(offsets[sentence], offsets[sentence + 1]):
            chance, size = draw_pair(seed, STREAM_POSITION, epoch, position)
            if chance <= keep[ids[position]]:
                kept.append((position, int(ids[position]), 1 + (size * window >> 32), sentence))
    return kept


def blocks_of(kept, tokens, piece, block):
    """First token of its piece, number in the piece and centres of every block of the tokens."""
    for begin in range(*tokens, piece):
        centres = [i for i, (at, *_) in enumerate(kept) if begin <= at < begin + piece]
        for number, first in enumerate(range(0, len(centres), block)):
            yield begin, number, centres[first : first + block]


def shortened(sums):
    """Rows, each at most 0.5 long."""
    lengths = np.sqrt((sums**2).sum(axis=1, keepdims=True))
    return sums * (0.5 / np.maximum(lengths, 0.5))


def pairs_of(kept, i, cbow, sources):
    """The inputs that make one mean for a centre, and its targets."""
    at, centre, reach, sentence = kept[i]
    if sources is not None:
        return [int(sources[at])], [centre]
    around = kept[max(0, i - reach) : i] + kept[i + 1 : i + 1 + reach]
    company = [word for _, word, _, s in around if s == sentence]
    return (company, [centre] if company else []) if cbow else ([centre], company)


def negative_sampling(
    input, output, ids, offsets, keep, noise, *, window, negative, cbow, block, shared,
    piece, seed, epoch, lr_begin, lr_end, together=1, round=0, part=None, sources=None, bags=None,
    half=False,
):  # fmt: skip
    """One pass over the corpus, or over the tokens of ``part``.

    Returns (input, output, loss, pairs, kept); the pairs of a loss are added up, not averaged.

    ``bags``: for each word its rows of the input; None: row w for word w.
    ``sources``: for each token the input of the one pair whose target is the token.
    ``round``: all blocks of so many tokens see one state of the tables, and the sum of a word's
    steps is shortened. 0: ``together`` blocks of a piece do; 1 is the definition, array code takes
    whole pieces, as rounds.
    ``half``: what products are made of has the 8 significant bits of bfloat16: means of inputs,
    rows of the output, and the steps that multiply either; for CBOW also what the mean is one of,
    words' sums of rows, and the error that all of them take. Sums and tables are exact.
    """
    rounded = bfloat16 if half else np.asarray
    company_rounded = rounded if cbow else np.asarray
    input, output = input.astype(np.float64), output.astype(np.float64)
    kept = kept_tokens(ids, offsets, keep, window, seed, epoch)
    total_loss, total_pairs, total_kept = 0.0, 0, 0

    def state(block):
        begin, number, _ = block
        return begin // round if round else (begin, number // together)

    for _, blocks in itertools.groupby(
        blocks_of(kept, part or (0, len(ids)), piece, block), key=state
    ):
        input_step = np.zeros((len(bags) if bags else len(input), input.shape[1]))
        output_step = np.zeros_like(output)
        for begin, number, centres in blocks:
            lr = lr_begin + (lr_end - lr_begin) * begin / len(ids)
            base = (begin + number * block) * shared
            draws = (draw_pair(seed, STREAM_NEGATIVE, epoch, base + k) for k in range(shared))
            negatives = [noise_word(noise, *pair) for pair in draws]
            for i in centres:
                total_kept += 1
                inputs, targets = pairs_of(kept, i, cbow, sources)
                if not targets:
                    continue
                rows_of = [bags[word] if bags else [word] for word in inputs]
                rows = [row for some in rows_of for row in some]
                sums = [company_rounded(input[some].sum(axis=0)) for some in rows_of]
                mean = rounded(sum(sums) / max(1, len(rows)))
                words = targets + negatives
                seen = np.array([1] * len(targets) + [0] * shared)
                apart = [sum(n != target for target in targets) for n in negatives]
                weights = np.array([1.0] * len(targets) + [a * negative / shared for a in apart])
                company = rounded(output[words])
                scores = company @ mean
                total_loss -= (weights * log_sigmoid(np.where(seen, scores, -scores))).sum()
                steps = rounded(lr * weights * (seen - np.exp(log_sigmoid(scores))))
                np.add.at(output_step, words, np.outer(steps, mean))
                np.add.at(input_step, inputs, company_rounded(steps @ company))
                total_pairs += len(targets)
        if round or together > 1:
            input_step, output_step = shortened(input_step), shortened(output_step)
        for word, step in enumerate(input_step):
            np.add.at(input, bags[word] if bags else [word], step)
        output += output_step
    return input, output, total_loss, total_pairs, total_kept
