// A batch of samples is drawn before the first of them is trained: their users' items are searched and their rows asked
// for side by side, where one sample after the other would wait for memory each time.
#include "firth/ranking.h"

#include "kernels.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 kBatch = 64;

struct Sample {
  u32 user, met, other;
  bool found;
};

inline float dot_difference(const float* u, const float* i, const float* j, i64 dim) {
  Floats sum = {};
  i64 d = 0;
  for (; d + kLanes <= dim; d += kLanes) sum += load(u + d) * (load(i + d) - load(j + d));
  if (d < dim) sum += load_first(u + d, dim - d) * (load_first(i + d, dim - d) - load_first(j + d, dim - d));
  return sum_loose(sum);
}

inline void step(float* u, float* i, float* j, i64 dim, float gradient, float keep) {
  i64 d = 0;
  for (; d + kLanes <= dim; d += kLanes) {
    const Floats pu = load(u + d), qi = load(i + d), qj = load(j + d);
    store(u + d, pu * keep + (qi - qj) * gradient);
    store(i + d, qi * keep + pu * gradient);
    store(j + d, qj * keep - pu * gradient);
  }
  if (d == dim) return;
  const i64 n = dim - d;
  const Floats pu = load_first(u + d, n), qi = load_first(i + d, n), qj = load_first(j + d, n);
  store_first(u + d, pu * keep + (qi - qj) * gradient, n);
  store_first(i + d, qi * keep + pu * gradient, n);
  store_first(j + d, qj * keep - pu * gradient, n);
}

struct Pass {
  const Ranking& a;
  RankingOutcome& done;

  float score_difference(const Sample& s) const {
    const float bias = a.biases ? a.biases[s.met] - a.biases[s.other] : 0;
    return bias + dot_difference(row(a.users, s.user), row(a.items, s.met), row(a.items, s.other), a.users.dim);
  }

  // Draws the pair and looks for an item that the user has not met.
  Sample draw_sample(u64 number) const {
    Draw d = ranking_draw(a, number, 0);
    const i64 pair = met_pair(a, d);
    Sample s{a.owners[pair], a.links.indices[pair], other_item(a, d), false};
    for (i64 trial = 1; !(s.found = !linked(a.links, s.user, s.other)) && trial < kTries; ++trial)
      s.other = other_item(a, ranking_draw(a, number, trial));
    return s;
  }

  void fetch(const Sample& s) const {
    fetch_to_write(row(a.users, s.user), a.users.dim);
    fetch_to_write(row(a.items, s.met), a.users.dim);
    fetch_to_write(row(a.items, s.other), a.users.dim);
  }

  // Trains a sample whose loss falls by `gradient`.
  void learn(const Sample& s, float gradient) const {
    const float keep = 1 - a.lr * a.reg, move = a.lr * gradient;
    step(row(a.users, s.user), row(a.items, s.met), row(a.items, s.other), a.users.dim, move, keep);
    if (!a.biases) return;
    a.biases[s.met] = a.biases[s.met] * keep + move;
    a.biases[s.other] = a.biases[s.other] * keep - move;
  }

  bool fine(float x, i64 number) const {
    if (x - x == 0) return true;
    done.blown_up = number;
    return false;
  }

  void bpr(Range numbers) const {
    Sample batch[kBatch];
    for (i64 n = numbers.begin; n < numbers.end; ++n) {
      Sample& s = batch[n - numbers.begin] = draw_sample(static_cast<u64>(n));
      if (s.found) fetch(s);
    }
    for (i64 n = numbers.begin; n < numbers.end; ++n) {
      const Sample& s = batch[n - numbers.begin];
      if (!s.found) {
        ++done.skipped;
        continue;
      }
      const float x = score_difference(s);
      if (!fine(x, n)) return;
      const float e = __builtin_expf(-__builtin_fabsf(x));
      done.loss += static_cast<double>(x < 0 ? -x : 0) + static_cast<double>(__builtin_log1pf(e));
      ++done.samples;
      done.right += x > 0;
      learn(s, (x > 0 ? e : 1) / (1 + e));
    }
  }

  void warp(Range numbers) const {
    for (i64 n = numbers.begin; n < numbers.end; ++n) {
      Draw d = ranking_draw(a, static_cast<u64>(n), 0);
      const i64 pair = met_pair(a, d);
      Sample s{a.owners[pair], a.links.indices[pair], 0, false};
      bool right = true, any = false;
      for (i64 trial = 0; trial < a.trials; ++trial) {
        if (trial > 0) d = ranking_draw(a, static_cast<u64>(n), trial);
        s.other = other_item(a, d);
        if (linked(a.links, s.user, s.other)) continue;
        any = true;
        const float x = score_difference(s);
        if (!fine(x, n)) return;
        if (x >= 1) continue;
        right = x > 0;
        const i64 quotient = (a.items.rows - 1) / (trial + 1);
        const float rank = quotient > 1 ? __builtin_logf(static_cast<float>(quotient)) : 0;
        done.loss += static_cast<double>(rank) * static_cast<double>(1 - x);
        learn(s, rank);
        break;
      }
      done.samples += any;
      done.skipped += !any;
      done.right += any && right;
    }
  }
};

}  // namespace

void ranking(const Ranking& a, Range samples) {
  const Pass pass{a, *a.outcome};
  for (i64 n = samples.begin; n < samples.end && a.outcome->blown_up < 0; n += kBatch) {
    const Range some{n, n + kBatch < samples.end ? n + kBatch : samples.end};
    if (a.loss == kBpr)
      pass.bpr(some);
    else
      pass.warp(some);
  }
}

}  // namespace firth::FIRTH_LEVEL
