"""negative_sampling: one pass over a corpus, pair by pair."""

import math

import numpy as np

from oracle._draws import draw_pair

STREAM_POSITION, STREAM_NEGATIVE = 0, 1


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
