"""How the work of ``kernels.negative_sampling`` is cut: blocks, pieces and rounds."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from firth._backend import Doubles
from firth.kernels._subwords import Bags
from firth.models._beginning import greatest_share

Quality = Literal["fast", "balanced", "careful"]

# Centres that share one state of the tables, and negatives that they share. A block of fewer
# centres is nearer to word after word, and more work.
QUALITY = {"fast": (32, 16), "balanced": (32, 32), "careful": (16, 32)}

# The share of the learning rate that steps of skip-gram take. The pairs of a centre are trained
# from one state, where each of the original word2vec's sees what the last one did and so goes less
# far. With all of the rate, vectors of Wikipedia are better than the original's on analogies and
# relatedness and worse on similarity, with less they are alike on all; short texts want more.
# CBOW and words made of n-grams are as good as the original's, or better, without.
SKIP_GRAM_RATE = {"fast": 0.9, "balanced": 0.9, "careful": 0.85}

# Tokens of a round and of a piece of it, where steps are added in order.
ROUND, ROUND_PIECE = 1024, 256
DEVICE_ROUND = 1 << 15  # a round of fewer tokens leaves a device idle
_LEAST = 32  # tokens of a piece
_WAITING = 2**28  # bytes of steps that may wait in a round

# How far a row may be pushed from one state of the tables, as learning rate x pairs of the most
# frequent word: by a block of a corpus of a dozen words, whose vectors run away from each other
# past about this; and by a round, whose sums of steps the kernel shortens besides.
BLOCK_PUSH, ROUND_PUSH = 0.5, 8.0
MOST_PAIRS = 40  # of a centre, at the whole learning rate: windows of sessions make thousands

# Centres of a block and negatives that they share on walks, as QUALITY has them for texts.
# More negatives make up for fewer blocks: micro-F1 on BlogCatalog is .376 with 32, .387 with 64.
# Walks are short texts, which want the whole learning rate.
WALK_QUALITY = {"fast": (16, 32), "balanced": (16, 64), "careful": (8, 64)}

# A walk comes back to where it was every few steps, so that a block of it has the same rows many
# times, which take all its steps from one state: in blocks as long as for texts vectors of sparse
# graphs grow and grow. This is how far a block may push a row, as learning rate x the pairs that a
# node makes with itself. Cora's micro-F1 is .815 with it, .806 with a quarter more, .783 with twice
# as much.
WALK_PUSH = 0.2


@dataclass(frozen=True)
class Plan:
    """The arguments of the kernel that say what is done together; they mean what they mean there.

    Without rounds and with several threads results vary; otherwise they do not. ``rate`` is the
    share of the learning rate that steps take.
    """

    block: int
    shared: int
    piece: int
    round: int
    threads: int | None
    rate: float = 1.0

    @classmethod
    def of(
        cls, model: Any, lr: float, dim: int, kept: Doubles, noise: Doubles, bags: Bags | None
    ) -> Self:
        """Return how to train on a text.

        Parameters
        ----------
        model, lr
            With the fields of `Word2Vec`, and the learning rate that training begins at.
        dim
            Numbers per row.
        kept
            (words,) the share of all tokens that each word has and subsampling keeps.
        noise
            (words,) weights of the noise words.
        bags
            What words are made of, if they are.
        """
        block, shared = QUALITY[model.quality]
        kept_share = float(kept.sum())
        shares = kept / kept_share
        share = float(shares.max()) if bags is None else greatest_share(shares, bags)
        size = 1.0 if bags is None else float(shares @ np.diff(bags.offsets))
        # What a centre pushes the most frequent word, which is centre, company and noise.
        pairs = (model.window + 1) * (share + model.negative * float(noise.max() / noise.sum()))
        push = lr * pairs
        rate = 1.0 if model.cbow or bags is not None else SKIP_GRAM_RATE[model.quality]
        if not model.cbow:  # all pairs of a centre are trained from one state
            rate *= min(1.0, MOST_PAIRS / (model.window + 1))
        plan = cls(
            block=int(np.clip(BLOCK_PUSH / push, 1, block)),
            shared=shared,
            piece=piece_of(model.window, dim, size),
            round=0,
            threads=model.threads,
            rate=rate,
        )
        if model.deterministic:
            plan = plan.in_rounds(model.window, dim, push * kept_share, model.device)
        return plan if model.device == "cpu" else replace(plan, threads=None)

    def in_rounds(self, window: int, dim: int, push: float, device: str = "cpu") -> Self:
        """Return the plan in rounds that push no row too far; in one thread if that is too short.

        A row takes the steps of its whole round at once; ``push`` is what a token does to the most
        frequent word.
        """
        words = 2 * self.block + 2 * window + self.shared
        slot = 4 * words * (dim + 16)  # bytes of the steps of a block
        longest = ROUND if device == "cpu" else DEVICE_ROUND
        most = int(min(longest, ROUND_PUSH / push, _WAITING // slot * self.block))
        if most < _LEAST and device == "cpu":
            return replace(self, threads=1, round=0)
        most = max(most, _LEAST)  # a device has no order of its own, however little is under way
        piece = min(ROUND_PIECE, self.piece, max(_LEAST, most // 8 * 2))
        return replace(self, piece=piece, round=most // piece * piece)

    def on_walks(self, model: Any, again: float) -> Self:
        """Return the plan with blocks for walks; ``again`` is the node's share of its company."""
        block, shared = WALK_QUALITY[model.quality]
        push = model.lr * (model.window + 1) * max(again, 1e-9)
        return replace(
            self, block=max(1, min(block, self.block, int(WALK_PUSH / push))), shared=shared
        )


def piece_of(window: int, dim: int, bag: float) -> int:
    """Return how many tokens make a task: 4096, fewer where a token is much work.

    A task is not interrupted. A token costs about ``3 * dim`` multiply-adds for each row that its
    block works on, and its bag is added up and written to; 2**26 times three of them take some
    50 ms without AVX.
    """
    # Company of a block on both sides, its centres and negatives, and the bag.
    rows = 2 * window + 64 + bag
    return int(np.clip(2**26 // (dim * rows) // 2 * 2, _LEAST, 4096))
