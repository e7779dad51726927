// A batch of samples is drawn before the first of them is trained. What they need is read side by side: the pair, the
// item that was drawn against it, whether the user has met that one, too, then the rows.
#include "firth/ranking.h"

#include "kernels.h"
#include "search.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 kBatch = kSearches;
constexpr i64 kRowsAhead = 8;  // samples whose rows are asked for before they are needed
constexpr i64 kAhead = 8;      // trials of warp that are drawn together

struct Draws {
  u32 x[kBatch], y[kBatch], z[kBatch], w[kBatch];
};

struct Batch {
  u32 user[kBatch], met[kBatch], other[kBatch];
  bool vain[kBatch];  // the user has met the other, too
  float scores[kBatch];
};

inline float dot_difference(const float* u, const float* i, const float* j, i64 dim) {
  Floats even = {}, odd = {};
  i64 d = 0;
  for (; d + 2 * kLanes <= dim; d += 2 * kLanes) {
    even += load(u + d) * (load(i + d) - load(j + d));
    odd += load(u + d + kLanes) * (load(i + d + kLanes) - load(j + d + kLanes));
  }
  for (; d < dim; d += kLanes) {
    const i64 n = dim - d < kLanes ? dim - d : kLanes;
    even += load_first(u + d, n) * (load_first(i + d, n) - load_first(j + d, n));
  }
  return sum_loose(even + odd);
}

inline void step(float* u, float* i, float* j, i64 dim, float move, float keep) {
  i64 d = 0;
  for (; d + kLanes <= dim; d += kLanes) {
    const Floats pu = load(u + d), qi = load(i + d), qj = load(j + d);
    store(u + d, pu * keep + (qi - qj) * move);
    store(i + d, qi * keep + pu * move);
    store(j + d, qj * keep - pu * move);
  }
  if (d == dim) return;
  const i64 n = dim - d;
  const Floats pu = load_first(u + d, n), qi = load_first(i + d, n), qj = load_first(j + d, n);
  store_first(u + d, pu * keep + (qi - qj) * move, n);
  store_first(i + d, qi * keep + pu * move, n);
  store_first(j + d, qj * keep - pu * move, n);
}

// The logistic loss of some scores, which are finite.
inline double logistic_loss(const float* scores, i64 count) {
  Floats loss = {};
  for (i64 k = 0; k < count; k += kLanes) {
    const i64 left = count - k;
    const Floats x = left < kLanes ? load_first(scores + k, left) : load(scores + k);
    const Floats one = max(-x, Floats{}) + log1p_unit(exp_negative(-abs(x)));
    loss += left < kLanes ? (lane_numbers() < static_cast<std::int32_t>(left) ? one : Floats{}) : one;
  }
  return sum_double(loss);
}

struct Pass {
  const Ranking& a;
  RankingOutcome& done;
  const i64 dim = a.users.dim;
  const float keep = 1 - a.lr * a.reg;

  float* user(const Batch& b, i64 i) const { return row(a.users, b.user[i]); }
  float* met(const Batch& b, i64 i) const { return row(a.items, b.met[i]); }
  float* other(const Batch& b, i64 i) const { return row(a.items, b.other[i]); }

  void fetch(const Batch& b, i64 i) const {
    fetch_to_write(user(b, i), dim);
    fetch_to_write(met(b, i), dim);
    fetch_to_write(other(b, i), dim);
  }

  float score(const Batch& b, i64 i) const {
    const Hogwild meant(true);
    const float bias = a.biases ? a.biases[b.met[i]] - a.biases[b.other[i]] : 0;
    return bias + dot_difference(user(b, i), met(b, i), other(b, i), dim);
  }

  void learn(const Batch& b, i64 i, float gradient) const {
    const Hogwild meant(true);
    const float move = a.lr * gradient;
    step(user(b, i), met(b, i), other(b, i), dim, move, keep);
    if (!a.biases) return;
    a.biases[b.met[i]] = a.biases[b.met[i]] * keep + move;
    a.biases[b.other[i]] = a.biases[b.other[i]] * keep - move;
  }

  // The pairs of samples [first, first + count).
  void pairs(i64 first, i64 count, Draws* d, Batch* b) const {
    for (i64 i = 0; i < count; ++i) {
      const Draw drawn = ranking_draw(a, static_cast<u64>(first + i), 0);
      d->x[i] = drawn.x;
      d->y[i] = drawn.y;
      d->z[i] = drawn.z;
      d->w[i] = drawn.w;
    }
    i64 pair[kBatch];
    for (i64 i = 0; i < count; ++i) {
      pair[i] = met_pair(a, {d->x[i], d->y[i], 0, 0});
      __builtin_prefetch(a.owners + pair[i]);
      __builtin_prefetch(a.links.indices + pair[i]);
    }
    for (i64 i = 0; i < count; ++i) {
      b->user[i] = a.owners[pair[i]];
      b->met[i] = a.links.indices[pair[i]];
      __builtin_prefetch(a.links.indptr + b->user[i]);
    }
  }

  // Item after draws z and w of some samples, and whether their users have met it.
  void others(const i64* which, i64 count, const Draws& d, Batch* b) const {
    if (a.noise)
      for (i64 n = 0; n < count; ++n) __builtin_prefetch(a.noise + below(d.z[n], static_cast<u32>(a.items.rows)));
    i64 marks[kBatch], searched[kBatch + 1];
    for (i64 n = 0; n < count; ++n) {
      const i64 i = which[n];
      b->other[i] = other_item(a, {0, 0, d.z[n], d.w[n]});
      marks[n] = mark_of(a.links.indptr[b->user[i]], a.links.indptr[b->user[i] + 1], b->other[i]);
      __builtin_prefetch(a.marks + marks[n] / 8);
    }
    Searches searches;
    for (i64 n = 0; n < count; ++n) {
      const i64 i = which[n], begin = a.links.indptr[b->user[i]];
      b->vain[i] = false;
      searched[searches.size] = i;
      searches.set(begin, a.links.indptr[b->user[i] + 1] - begin, b->other[i]);
      searches.size += a.marks[marks[n] / 8] >> (marks[n] % 8) & 1;
    }
    searches.run(a.links.indices);
    for (i64 n = 0; n < searches.size; ++n)
      b->vain[searched[n]] = a.links.indices[searches.at[n]] == searches.wanted[n];
  }

  void bpr(Range numbers) const {
    const i64 count = numbers.end - numbers.begin;
    Draws d;
    Batch b;
    pairs(numbers.begin, count, &d, &b);
    i64 waiting[kBatch], many = count;
    for (i64 i = 0; i < count; ++i) waiting[i] = i;
    for (i64 trial = 0; many > 0 && trial < a.trials; ++trial) {
      if (trial > 0)
        for (i64 n = 0; n < many; ++n) {
          const Draw drawn = ranking_draw(a, static_cast<u64>(numbers.begin + waiting[n]), trial);
          d.z[n] = drawn.z;
          d.w[n] = drawn.w;
        }
      others(waiting, many, d, &b);
      i64 left = 0;
      for (i64 n = 0; n < many; ++n) {
        waiting[left] = waiting[n];
        left += b.vain[waiting[n]];
      }
      many = left;
    }
    for (i64 i = 0; i < count && i < kRowsAhead; ++i) fetch(b, i);
    i64 trained = 0;
    for (i64 i = 0; i < count; ++i) {
      if (i + kRowsAhead < count) fetch(b, i + kRowsAhead);
      if (b.vain[i]) continue;
      const float x = score(b, i);
      if (!(x - x == 0)) {
        done.blown_up = numbers.begin + i;
        break;
      }
      const Floats e = exp_negative(-abs(all(x)));
      learn(b, i, ((x > 0 ? e : all(1.0f)) * reciprocal(e + 1.0f))[0]);
      done.right += x > 0;
      b.scores[trained++] = x;
    }
    done.loss += logistic_loss(b.scores, trained);
    done.samples += trained;
    done.skipped += many;
  }

  // Looks for an item that is ranked too high among `kAhead` trials at a time, and learns from it.
  void warp(i64 number, Batch* b, i64 i) const {
    Batch tried;
    Draws d;
    const i64 at[kAhead] = {0, 1, 2, 3, 4, 5, 6, 7};
    bool any = false, right = true;
    for (i64 n = 0; n < kAhead; ++n) {
      tried.user[n] = b->user[i];
      tried.met[n] = b->met[i];
    }
    for (i64 trial = 0; trial < a.trials; trial += kAhead) {
      const i64 count = a.trials - trial < kAhead ? a.trials - trial : kAhead;
      for (i64 n = 0; n < count; ++n) {
        const Draw drawn = ranking_draw(a, static_cast<u64>(number), trial + n);
        d.z[n] = drawn.z;
        d.w[n] = drawn.w;
      }
      others(at, count, d, &tried);
      for (i64 n = 0; n < count; ++n) __builtin_prefetch(other(tried, n), 1);
      for (i64 n = 0; n < count; ++n) {
        if (tried.vain[n]) continue;
        any = true;
        const float x = score(tried, n);
        if (!(x - x == 0)) {
          done.blown_up = number;
          return;
        }
        if (x >= 1) continue;
        right = x > 0;
        const i64 quotient = (a.items.rows - 1) / (trial + n + 1);
        const float rank = quotient > 1 ? logarithm(all(static_cast<float>(quotient)))[0] : 0;
        done.loss += static_cast<double>(rank) * static_cast<double>(1 - x);
        learn(tried, n, rank);
        trial = a.trials;
        break;
      }
    }
    done.samples += any;
    done.right += any && right;
    done.skipped += !any;
  }

  void warp(Range numbers) const {
    const i64 count = numbers.end - numbers.begin;
    Draws d;
    Batch b;
    pairs(numbers.begin, count, &d, &b);
    for (i64 i = 0; i < count; ++i) {
      fetch_to_write(user(b, i), dim);
      fetch_to_write(met(b, i), dim);
    }
    for (i64 i = 0; i < count && done.blown_up < 0; ++i) warp(numbers.begin + i, &b, i);
  }
};

}  // namespace

i64 mark_met(const Ranking& a, Range users) {
  for (i64 u = users.begin; u < users.end; ++u) {
    const i64 begin = a.links.indptr[u], end = a.links.indptr[u + 1];
    for (i64 k = begin; k < end; ++k) {
      const i64 mark = mark_of(begin, end, a.links.indices[k]);
      a.marks[mark / 8] = static_cast<unsigned char>(a.marks[mark / 8] | 1 << mark % 8);
    }
  }
  return a.links.indptr[users.end] - a.links.indptr[users.begin];
}

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
