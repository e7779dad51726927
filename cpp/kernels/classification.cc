// An example at a time: the mean of its rows, a score for each output, and one pass over the outputs that both takes
// their part of the hidden vector's gradient and changes them. Rows of outputs lie side by side, so they are read at
// the speed of the second cache; rows of bags are anywhere, so those of the next examples are asked for early.
#include "firth/classification.h"

#include "kernels.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 kAhead = 48;                // rows of bags that are asked for before they are needed
constexpr int kChunk = 2 * kTileVectors;  // vectors of a row that are kept in registers, twice

struct Work {
  float *hidden, *step;    // (dim, padded): the mean of the rows, and what is added to each of them
  float *scores, *wanted;  // (outputs, padded): scores, then steps; 1 for what should be scored high
  u32* nodes;              // (outputs, padded): of a path, what its scores are of
};

Work carve(const Classification& a) {
  const i64 dim = whole_vectors(a.input.dim), outputs = whole_vectors(a.output.rows);
  float* floats = static_cast<float*>(a.scratch);
  Work w = {floats, floats + dim, floats + 2 * dim, floats + 2 * dim + outputs, nullptr};
  w.nodes = reinterpret_cast<u32*>(w.wanted + outputs);
  for (i64 i = 0; i < 2 * dim + 2 * outputs; i += kLanes) store(floats + i, Floats{});
  return w;
}

// Some rows of a table: the first ones, or those that are named. Where a group of rows goes beyond the last one, it is
// the last one's place that is taken again.
struct Rows {
  const Matrix<float>& table;
  const u32* named;
  i64 many;

  float* at(i64 i) const {
    const i64 number = i < many ? i : many - 1;
    return row(table, named ? static_cast<i64>(named[number]) : number);
  }
};

template <bool kWhole>
Floats load_part(const float* p, i64 rest) {
  if constexpr (kWhole) return load(p);
  return load_first(p, rest);
}
template <bool kWhole>
void store_part(float* p, Floats v, i64 rest) {
  if constexpr (kWhole)
    store(p, v);
  else
    store_first(p, v, rest);
}

// What is done with kVectors vectors of each row, from dimension `first` on; the last ones may be a part of a vector.

template <int kVectors, bool kWhole>
void add_scores(const Rows& rows, const float* hidden, i64 first, float* scores) {
  const i64 rest = rows.table.dim - first;
  Floats h[kVectors];
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) h[v] = load(hidden + first + v * kLanes);
  for (i64 i = 0; i < rows.many; i += kLanes) {
    Floats products[kLanes];
#pragma GCC unroll 16
    for (int r = 0; r < kLanes; ++r) {
      const float* from = rows.at(i + r) + first;
      products[r] = load_part<kWhole>(from, rest) * h[0];
#pragma GCC unroll 16
      for (int v = 1; v < kVectors; ++v) products[r] += load(from + v * kLanes) * h[v];
    }
    const Floats total = sums(products);
    store(scores + i, first ? load(scores + i) + total : total);
  }
}

template <int kVectors, bool kWhole>
void take_steps(const Rows& rows, const float* hidden, i64 first, const float* steps, float* gradient) {
  const i64 rest = rows.table.dim - first;
  Floats h[kVectors], g[kVectors];
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    h[v] = load(hidden + first + v * kLanes);
    g[v] = Floats{};
  }
  for (i64 i = 0; i < rows.many; ++i) {
    const float step = steps[i];
    if (step == 0) continue;
    float* to = rows.at(i) + first;
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const Floats before = load_part<kWhole>(to + v * kLanes, rest);
      g[v] += before * step;
      store_part<kWhole>(to + v * kLanes, before + h[v] * step, rest);
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) store(gradient + first + v * kLanes, g[v]);
}

template <int kVectors, bool kWhole>
void add_rows(const Rows& rows, i64 first, float* mean) {
  const i64 rest = rows.table.dim - first;
  const float share = static_cast<float>(1.0 / static_cast<double>(rows.many));
  Floats total[kVectors] = {};
  for (i64 i = 0; i < rows.many; ++i) {
    const float* from = rows.at(i) + first;
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) total[v] += load_part<kWhole>(from + v * kLanes, rest);
  }
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) store(mean + first + v * kLanes, total[v] * share);
}

template <int kVectors, bool kWhole>
void change_rows(const Rows& rows, i64 first, const float* step) {
  const i64 rest = rows.table.dim - first;
  Floats s[kVectors];
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) s[v] = load(step + first + v * kLanes);
  for (i64 i = 0; i < rows.many; ++i) {
    float* to = rows.at(i) + first;
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v)
      store_part<kWhole>(to + v * kLanes, load_part<kWhole>(to + v * kLanes, rest) + s[v], rest);
  }
}

enum class Act { kScores, kSteps, kMean, kRows };

template <Act kAct, int kVectors, bool kWhole>
void act(const Rows& rows, i64 first, const Work& w) {
  if constexpr (kAct == Act::kScores) add_scores<kVectors, kWhole>(rows, w.hidden, first, w.scores);
  if constexpr (kAct == Act::kSteps) take_steps<kVectors, kWhole>(rows, w.hidden, first, w.scores, w.step);
  if constexpr (kAct == Act::kMean) add_rows<kVectors, kWhole>(rows, first, w.hidden);
  if constexpr (kAct == Act::kRows) change_rows<kVectors, kWhole>(rows, first, w.step);
}

template <Act kAct, int kVectors>
void act_on(int vectors, const Rows& rows, i64 first, const Work& w) {
  if constexpr (kVectors > 0) {
    if (vectors == kVectors) return act<kAct, kVectors, true>(rows, first, w);
    act_on<kAct, kVectors - 1>(vectors, rows, first, w);
  }
}

// In chunks of rows of about the same size, then what is less than a vector.
template <Act kAct>
void each(const Rows& rows, const Work& w) {
  const i64 vectors = rows.table.dim / kLanes, chunks = (vectors + kChunk - 1) / kChunk;
  for (i64 c = 0; c < chunks; ++c) {
    const i64 begin = vectors * c / chunks, end = vectors * (c + 1) / chunks;
    act_on<kAct, kChunk>(static_cast<int>(end - begin), rows, begin * kLanes, w);
  }
  if (rows.table.dim % kLanes) act<kAct, 1, false>(rows, vectors * kLanes, w);
}

constexpr float kLeastShare = 0x1p-24f;

// Scores become steps. Returns the loss; NaN or infinity if one of the scores is not finite.
double softmax(const Work& w, i64 many, i64 target, float lr) {
  for (i64 i = many; i < whole_vectors(many); ++i) w.scores[i] = -3e38f;
  Floats top = all(-3e38f), poison = {}, total = {};
  for (i64 i = 0; i < many; i += kLanes) {
    const Floats score = load(w.scores + i);
    poison += score * 0.0f;
    top = max(top, score);
  }
  const float most = largest_lane(top), score = w.scores[target];
  for (i64 i = 0; i < many; i += kLanes) {
    const Floats share = exp_negative(load(w.scores + i) - most);
    total += share;
    store(w.scores + i, share);
  }
  const float whole = sum(total), mine = w.scores[target] / whole;
  for (i64 i = 0; i < many; i += kLanes) {
    const Floats share = load(w.scores + i) / whole;
    store(w.scores + i, share > kLeastShare ? share * -lr : Floats{});
  }
  w.scores[target] = (1.0f - mine) * lr;
  const double distance = static_cast<double>(most) - static_cast<double>(score);
  return __builtin_log(static_cast<double>(whole)) + distance + sum_double(poison);
}

// The same for outputs that are wanted or not each by itself.
double logistic(const Work& w, i64 many, float lr) {
  Floats loss = {};
  for (i64 i = 0; i < many; i += kLanes) {
    const Floats score = load(w.scores + i), e = exp_negative(-abs(score));
    const Ints seen = load(w.wanted + i) > 0.0f, there = lane_numbers() < static_cast<std::int32_t>(many - i);
    const Floats wrong = seen ? -score : score;
    loss += there ? max(wrong, Floats{}) + log1p_unit(e) + score * 0.0f : Floats{};
    const Floats share = (wrong > 0.0f ? all(1.0f) : e) / (e + 1.0f);  // s(wrong)
    store(w.scores + i, share > kLeastShare ? (seen ? share : -share) * lr : Floats{});
  }
  return sum_double(loss);
}

// Trains one example; returns its loss. Where that is not finite nothing was changed.
double train(const Classification& a, const Work& w, i64 example) {
  const Hogwild meant(true);
  const i64 bag = a.bags.offsets[example], size = a.bags.offsets[example + 1] - bag;
  const Rows inputs = {a.input, a.bags.ids + bag, size};
  Rows outputs = {a.output, nullptr, a.output.rows};
  const float lr = rate_at(a, example);
  each<Act::kMean>(inputs, w);
  u32 target = 0;
  if (a.loss != ClassLoss::kOneVersusAll) target = drawn_label(a, example);
  if (a.loss == ClassLoss::kTree) {
    const i64 path = a.paths.offsets[target];
    outputs.named = w.nodes;
    outputs.many = a.paths.offsets[target + 1] - path;
    for (i64 i = 0; i < outputs.many; ++i) {
      w.nodes[i] = a.paths.ids[path + i] / 2;
      w.wanted[i] = a.paths.ids[path + i] % 2 ? 1.0f : 0.0f;
    }
  }
  each<Act::kScores>(outputs, w);
  double loss = 0;
  if (a.loss == ClassLoss::kSoftmax) {
    loss = softmax(w, outputs.many, target, lr);
  } else if (a.loss == ClassLoss::kTree) {
    loss = logistic(w, outputs.many, lr);
  } else {
    const i64 first = a.labels.offsets[example], last = a.labels.offsets[example + 1];
    for (i64 i = first; i < last; ++i) w.wanted[a.labels.ids[i]] = 1;
    loss = logistic(w, outputs.many, lr);
    for (i64 i = first; i < last; ++i) w.wanted[a.labels.ids[i]] = 0;
  }
  if (!(loss <= 1e300)) return loss;
  each<Act::kSteps>(outputs, w);
  const float share = static_cast<float>(1.0 / static_cast<double>(size));
  for (i64 d = 0; d < a.input.dim; d += kLanes) store(w.step + d, load(w.step + d) * share);
  each<Act::kRows>(inputs, w);
  return loss;
}

}  // namespace

void classification(const Classification& a, Range examples) {
  if (a.learnt->blown_up >= 0) return;
  const Work work = carve(a);
  i64 asked = a.bags.offsets[examples.begin];
  for (i64 e = examples.begin; e < examples.end; ++e) {
    const i64 reach = a.bags.offsets[e + 1] + kAhead, all = a.bags.offsets[a.examples];
    for (const i64 stop = reach < all ? reach : all; asked < stop; ++asked) {
      const char* bytes = reinterpret_cast<const char*>(row(a.input, static_cast<i64>(a.bags.ids[asked])));
      for (i64 b = 0; b < 4 * a.input.dim; b += 64) __builtin_prefetch(bytes + b, 1, 2);
    }
    const double loss = train(a, work, e);
    if (!(loss <= 1e300)) {
      a.learnt->blown_up = e;
      return;
    }
    a.learnt->loss += loss;
    a.learnt->examples += 1;
  }
}

}  // namespace firth::FIRTH_LEVEL
