"""ranking: one epoch, sample by sample."""

import math

import numpy as np

from oracle._draws import draw
from oracle._negative_sampling import noise_word

STREAM_RANKING, DRAWS = 6, 2**32


class Samples:
    """The draws of an epoch: pairs that were met, and items against them."""

    def __init__(self, met, items, noise, seed, epoch):
        """``met`` has for each user the rising items that she has met."""
        self.pairs = [(user, item) for user, some in enumerate(met) for item in some]
        self.met = [set(some) for some in met]
        self.items, self.noise, self.seed, self.epoch = items, noise, seed, epoch

    def draw(self, sample, trial):
        return draw(self.seed, STREAM_RANKING + 256 * trial, self.epoch, sample)

    def pair(self, sample):
        x, y, _, _ = self.draw(sample, 0)
        return self.pairs[len(self.pairs) * (x * DRAWS + y) // DRAWS**2]

    def others(self, sample, trials):
        """Yield (trial, item) of those that the user has not met; trials are counted from 1."""
        user, _ = self.pair(sample)
        for trial in range(trials):
            _, _, z, w = self.draw(sample, trial)
            item = z * self.items // DRAWS if self.noise is None else noise_word(self.noise, z, w)
            if item not in self.met[user]:
                yield trial + 1, item


class State:
    """Tables of float64, and the steps that wait for them."""

    def __init__(self, users, items, biases):
        self.users, self.items = users.astype(np.float64), items.astype(np.float64)
        self.biases = np.zeros(len(items)) if biases is None else biases.astype(np.float64)
        self.biased, self.waiting = biases is not None, []

    def score(self, user, item):
        return float(self.users[user] @ self.items[item]) + self.biases[item]

    def let_wait(self, user, item, other, gradient, lr, reg):
        p, q, r = self.users[user], self.items[item], self.items[other]
        self.waiting.append((self.users, user, lr * (gradient * (q - r) - reg * p)))
        self.waiting.append((self.items, item, lr * (gradient * p - reg * q)))
        self.waiting.append((self.items, other, lr * (-gradient * p - reg * r)))
        if self.biased:
            b, c = self.biases[item], self.biases[other]
            self.waiting.append((self.biases, item, lr * (gradient - reg * b)))
            self.waiting.append((self.biases, other, lr * (-gradient - reg * c)))

    def apply(self):
        for table, row, step in self.waiting:
            table[row] += step
        self.waiting.clear()


def rank_weight(items, trial):
    return math.log(max((items - 1) // trial, 1))


def ranking(
    users, items, met, *, biases=None, noise=None, loss, trials=50, lr, reg, seed, epoch=0,
    part=None, batches=None,
):  # fmt: skip
    """Train the samples of ``part`` one after the other, or batches whose samples see one state.

    Returns a dictionary: tables (users, items, biases), loss (summed), samples, right, skipped,
    steps (how many, of each user and each item), and closest (how far the next number was from one
    at which another branch is taken).
    """
    drawn = Samples(met, len(items), noise, seed, epoch)
    state = State(users, items, biases)
    done = {"loss": 0.0, "samples": 0, "right": 0, "skipped": 0, "closest": math.inf}
    done |= {"steps": (np.zeros(len(users), int), np.zeros(len(items), int))}
    if batches is None:
        batches = ([n] for n in range(*(part or (0, len(drawn.pairs)))))
    for batch in batches:
        for sample in batch:
            user, item = drawn.pair(sample)
            right, gradient, found = True, None, False
            for trial, other in drawn.others(sample, trials):
                found = True
                x = state.score(user, item) - state.score(user, other)
                done["closest"] = min(done["closest"], abs(x), abs(x - 1) if loss == "warp" else 1)
                if loss == "bpr":
                    right, gradient = x > 0, 0.5 * (1 - math.tanh(x / 2))
                    done["loss"] += np.logaddexp(0, -x)
                    break
                if x < 1:
                    right, gradient = x > 0, rank_weight(len(items), trial)
                    done["loss"] += gradient * (1 - x)
                    break
            if gradient is not None:
                state.let_wait(user, item, other, gradient, lr, reg)
                done["steps"][0][user] += 1
                done["steps"][1][[item, other]] += 1
            done["samples"] += found
            done["right"] += found and right
            done["skipped"] += not found
        state.apply()
    done["tables"] = (state.users, state.items, state.biases if state.biased else None)
    return done
