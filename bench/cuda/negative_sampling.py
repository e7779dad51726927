"""Skip-gram and CBOW with negative sampling on a GPU, beside a plain kernel of the usual kind.

Usage: python bench/cuda/negative_sampling.py [--text FILE] [--tokens N] [--words W] [--sample S]
           [--dims D ...] [--shared K ...] [--flights F ...] [--round N] [--rounds R] [--seconds S]

Without a text ids are made up, as frequent as words of a text. Before anything is timed, passes are
held against the float64 oracle of the tests, and rounds against themselves, bit for bit. Times are
medians between CUDA events of a whole pass: thinning out, drawing, training. "plain" is the first
rung of the ladder: a warp a centre, fresh negatives for each pair, an atomic addition a number; its
tokens are those that subsampling kept, so it draws no subsampling and no windows' ends.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _device import device_arrays, milliseconds

import firth
from firth import _cuda, kernels

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
LR = (0.025, 0.0001)
RULE = {"window": 5, "negative": 5, "seed": 1, "epoch": 0}
SAMPLE = 300  # tokens that the oracle trains

PLAIN = r"""
extern "C" __global__ void plain(float* input, float* output, const unsigned* ids,
    const unsigned* noise, long long tokens, unsigned words, float lr) {
  const int lane = threadIdx.x % 32, each = (DIM + 31) / 32;
  const long long warps = (long long)gridDim.x * blockDim.x / 32;
  for (long long t = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / 32; t < tokens;
       t += warps) {
    unsigned long long state = t * 0x9E3779B97F4A7C15ull + 1;
    auto draw = [&] {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      return (unsigned)(state >> 32);
    };
    float* const centre = input + (long long)ids[t] * DIM;
    const int reach = 1 + draw() % WINDOW;
    for (long long j = t - reach; j <= t + reach; ++j) {
      if (j < 0 || j >= tokens || j == t) continue;
      float x[(DIM + 31) / 32], error[(DIM + 31) / 32];
      for (int i = 0; i < each; ++i) {
        x[i] = lane + 32 * i < DIM ? centre[lane + 32 * i] : 0;
        error[i] = 0;
      }
      for (int n = 0; n <= NEGATIVE; ++n) {
        unsigned word = ids[j];
        if (n > 0) {
          const unsigned column = draw() % words;
          word = draw() <= noise[2 * column] ? column : noise[2 * column + 1];
          if (word == ids[j]) continue;
        }
        float* const target = output + (long long)word * DIM;
        float y[(DIM + 31) / 32], score = 0;
        for (int i = 0; i < each; ++i) {
          y[i] = lane + 32 * i < DIM ? target[lane + 32 * i] : 0;
          score += x[i] * y[i];
        }
        for (int s = 16; s > 0; s /= 2) score += __shfl_xor_sync(~0u, score, s);
        const float step = lr * ((n == 0) - 1 / (1 + expf(-score)));
        for (int i = 0; i < each; ++i) {
          error[i] += step * y[i];
          if (lane + 32 * i < DIM) atomicAdd(target + lane + 32 * i, step * x[i]);
        }
      }
      for (int i = 0; i < each; ++i)
        if (lane + 32 * i < DIM) atomicAdd(centre + lane + 32 * i, error[i]);
    }
  }
}
"""


def corpus_of(options: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Return ids, offsets and counts."""
    if options.text:
        corpus = firth.Corpus.read(options.text)
        ids, words = corpus.ids[: options.tokens], len(corpus.vocabulary)
    else:
        drawn = np.random.default_rng(1).random(options.tokens)
        ranks = np.exp(drawn * np.log(options.words)) - 1  # Zipf's law
        ids, words = np.minimum(ranks, options.words - 1).astype(np.uint32), options.words
    return ids, np.array([0, len(ids)]), np.maximum(np.bincount(ids, minlength=words), 1)


def tables_of(words: int, dim: int) -> tuple[Any, Any]:
    """Return tables that training could begin with, but for an output that is not zero."""
    rng = np.random.default_rng(2)
    one, other = ((rng.random((words, dim), np.float32) - 0.5) / dim for _ in range(2))
    return one, other


class Training:
    """A pass over a corpus on the device."""

    def __init__(self, cupy: Any, corpus: tuple[Any, Any, Any], dim: int, sample: float) -> None:
        """Move everything there."""
        ids, offsets, counts = corpus
        self.tables = [cupy.asarray(table) for table in tables_of(len(counts), dim)]
        self.ids, self.offsets = cupy.asarray(ids), cupy.asarray(offsets)
        self.keep = cupy.asarray(kernels.keep_chances(counts, sample))
        self.noise = cupy.asarray(kernels.noise(counts))

    def fit(self, **rule: Any) -> Any:
        """Train once over the corpus."""
        given = {**RULE, "lr": LR, "keep": self.keep, "noise": self.noise, **rule}
        return kernels.negative_sampling(
            *self.tables, self.ids, self.offsets, **given, backend=_cuda
        )


def check(cupy: Any, corpus: tuple[Any, Any, Any], dim: int) -> None:
    """Hold passes over a part of the corpus against the oracle, and rounds against themselves."""
    import oracle

    ids = np.unique(corpus[0][:SAMPLE], return_inverse=True)[1].astype(np.uint32)
    some = ids, np.array([0, len(ids)]), np.bincount(ids)
    host = {"ids": ids, "offsets": some[1], "noise": kernels.noise(some[2])}
    host["keep"] = kernels.keep_chances(some[2], 1e-2)
    tables = dict(zip(("input", "output"), tables_of(len(some[2]), dim), strict=True))
    for cbow in (False, True):
        rule = {"cbow": cbow, "block": 32, "shared": 32, "piece": 128}
        for round in (0, 256):
            work = [Training(cupy, some, dim, 1e-2) for _ in range(2)]
            told = [one.fit(**rule, round=round, threads=1) for one in work]
            wanted = oracle.negative_sampling(
                **tables, **host, **RULE, **rule, round=round, lr_begin=LR[0], lr_end=LR[1]
            )
            found = [[cupy.asnumpy(table) for table in one.tables] for one in work]
            near = all(
                np.allclose(a, b, rtol=1e-3, atol=1e-5)
                for a, b in zip(found[0], wanted[:2], strict=True)
            )
            if not near or told[0][1:] != wanted[3:]:
                sys.exit("bench/cuda/negative_sampling.py: a pass is not the oracle's")
            if round and not all(map(np.array_equal, *found)):
                sys.exit("bench/cuda/negative_sampling.py: rounds differ from run to run")


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description="Negative sampling on a GPU.")
    parser.add_argument("--text", help="a file to train on, one sentence")
    parser.add_argument("--tokens", type=int, default=17_000_000)
    parser.add_argument("--words", type=int, default=71_000)
    parser.add_argument("--sample", type=float, default=1e-3)
    parser.add_argument("--dims", type=int, nargs="+", default=[100, 128, 300])
    parser.add_argument("--shared", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--flights", type=int, nargs="+", default=[0, 66, 132, 264, 396])
    parser.add_argument("--round", type=int, default=32_768, help="tokens of a round")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for one figure, about")
    return parser.parse_args()


class Table:
    """Prints a line for each way of training."""

    def __init__(self, cupy: Any, tokens: int, options: argparse.Namespace) -> None:
        """Print what the columns are."""
        self.cupy, self.tokens, self.options = cupy, tokens, options
        print(f"{'':<44}{'ms':>9}{'M tokens/s':>12}{'M kept/s':>10}{'M pairs/s':>11}{'loss':>8}")

    def add(self, name: str, run: Any) -> None:
        """Time a pass, which returns what it did."""
        done = run()
        ms = milliseconds(self.cupy, run, self.options.rounds, self.options.seconds)
        figures = [count / ms / 1e3 for count in (self.tokens, done.kept, done.pairs)]
        print(
            f"{name:<44}{ms:>9.2f}{figures[0]:>12.1f}{figures[1]:>10.1f}{figures[2]:>11.1f}"
            f"{done.loss:>8.4f}"
        )


def by_plain(cupy: Any, work: Training, words: int, dim: int) -> Any:
    """Return a pass of the plain kernel over the tokens that are kept."""
    flags = (f"-DDIM={dim}", f"-DWINDOW={RULE['window']}", f"-DNEGATIVE={RULE['negative']}")
    kernel = cupy.RawKernel(PLAIN, "plain", options=("--std=c++17", *flags))
    kept = work.ids[cupy.random.random(len(work.ids)) * 2.0**32 <= work.keep[work.ids]]
    grid = 8 * cupy.cuda.runtime.getDeviceProperties(0)["multiProcessorCount"]
    rest = (np.int64(len(kept)), np.uint32(words), np.float32(LR[1]))

    def run() -> Any:
        kernel((grid,), (256,), (*work.tables, kept, work.noise, *rest))
        return kernels.Pass(float("nan"), 6 * len(kept), len(kept))

    return run


def time_dim(cupy: Any, corpus: tuple[Any, Any, Any], dim: int, table: Table) -> None:
    """Print the lines of one width of rows."""
    options = table.options
    work = Training(cupy, corpus, dim, options.sample)
    for shared in options.shared:
        for flight in options.flights if shared == 32 else [0]:
            blocks = f", {flight} blocks in flight" if flight else ""
            run = partial(work.fit, shared=shared, threads=flight or None)
            table.add(f"dim {dim}, 32 x {shared}{blocks}", run)
    table.add(f"dim {dim}, 32 x 32, CBOW", partial(work.fit, cbow=True))
    run = partial(work.fit, piece=128, round=options.round)
    table.add(f"dim {dim}, 32 x 32, rounds of {options.round}", run)
    table.add(f"dim {dim}, plain", by_plain(cupy, work, len(corpus[2]), dim))


def main() -> None:
    """Check, time, print."""
    options = arguments()
    cupy = device_arrays()
    firth.show_config()
    corpus = corpus_of(options)
    check(cupy, corpus, options.dims[0])
    print(f"{len(corpus[0])} tokens, {len(corpus[2])} words, sample {options.sample}, window 5")
    table = Table(cupy, len(corpus[0]), options)
    for dim in options.dims:
        time_dim(cupy, corpus, dim, table)


if __name__ == "__main__":
    main()
