// ranking: stochastic gradient descent on losses that want what a user has met above what she has not.
//
// A sample is a user u, an item i that she has met and an item j that she has not; s(u, i) = p_u . q_i + b_i.
//
//   bpr   -log s(x),  x = s(u, i) - s(u, j), s the logistic function: Rendle, Freudenthaler, Gantner and
//   Schmidt-Thieme,
//         "BPR: Bayesian personalized ranking from implicit feedback" (2009), section 4
//   warp  items j are drawn until one has s(u, j) > s(u, i) - 1, `trials` at most; then L(k) (1 - x), where k was the
//         trial that found it and L(k) = log((items - 1) / k), the quotient without its fraction and at least 1; no
//         step if none is found, nor a loss: Weston, Bengio and Usunier, "WSABIE: scaling up to large vocabulary image
//         annotation" (2011), section 4.1, with a logarithm for its sum of 1 / r
//
// With g the step of the loss (bpr: 1 - s(x); warp: L(k)), all from the state before any of them changed:
//
//   p_u += lr (g (q_i - q_j) - reg p_u)     q_i += lr (g p_u - reg q_i)     q_j += lr (-g p_u - reg q_j)
//   b_i += lr (g - reg b_i)                 b_j += lr (-g - reg b_j)
//
// Samples. An epoch has `samples` of them, each of a pair (u, i) drawn evenly from all that met, with replacement, as
// in section 5 of the paper; one after the other in a task. j is drawn from `noise`, evenly without it. One that she
// has met is a vain trial; after `trials` of them the sample is skipped. Draws depend on the number of the sample
// alone: draw(seed, kStreamRanking + 256 * trial, epoch, sample), x and y of trial 0 for the pair, z and w of each for
// j; so neither threads nor cuts change what is trained. The order of updates they do change: threads write rows
// without locks (Hogwild), the exception to the law that any cut of the range gives the same answer.
#pragma once

#include "firth/links.h"
#include "firth/negative_sampling.h"
#include "firth/random.h"

namespace firth {

enum RankingLoss : u32 { kBpr = 0, kWarp = 1 };

// What a thread adds up, on cache lines of its own.
struct alignas(128) RankingOutcome {
  double loss;
  i64 samples;   // trained; of warp, also those where nothing was to be done
  i64 right;     // x > 0
  i64 skipped;   // all trials drew what the user has met
  i64 blown_up;  // the first sample that met a number that is not finite, or -1; this thread stops there
};

struct Ranking {
  Matrix<float> users, items;  // (users, dim), (items, dim)
  float* biases;               // (items,), or null
  Links links;                 // rows: users; what each has met
  const u32* owners;           // (pairs,) the user of each
  i64 pairs;
  const NoiseColumn* noise;  // (items,) an alias table, or null: all items alike
  RankingLoss loss;
  i64 trials;  // items that are drawn for a sample, at most
  float lr, reg;
  u64 seed;
  u32 epoch;
  // (pairs,) bytes, or null: a user's are 8 bits for each item that she has met, of which each sets one. Where an
  // item's is not set, nobody needs to search for it; about one in nine that she has not met has it set, too.
  unsigned char* marks;
  RankingOutcome* outcome;  // one per thread
};

// The bit of an item among a user's.
FIRTH_HD i64 mark_of(i64 begin, i64 end, u32 item) {
  const u64 bits = 8 * static_cast<u64>(end - begin);
  return 8 * begin + static_cast<i64>((item * 0x9E3779B1u * bits) >> 32);
}

FIRTH_HD Draw ranking_draw(const Ranking& a, u64 sample, i64 trial) {
  return draw(a.seed, kStreamRanking + 256 * static_cast<u32>(trial), a.epoch, sample);
}

// The pair that a sample is of.
FIRTH_HD i64 met_pair(const Ranking& a, const Draw& d) {
  const u64 pairs = static_cast<u64>(a.pairs);
  return static_cast<i64>((pairs * d.x + ((pairs * d.y) >> 32)) >> 32);  // pairs below 2^32
}

// The item that a draw says, met or not.
FIRTH_HD u32 other_item(const Ranking& a, const Draw& d) {
  const u32 column = below(d.z, static_cast<u32>(a.items.rows));
  if (!a.noise) return column;
  return d.w <= a.noise[column].accept ? column : a.noise[column].alias;
}

}  // namespace firth
