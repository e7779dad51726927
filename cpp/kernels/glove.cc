// A tile is read row by row. A row's counts in the tile's columns lie side by side; their logarithms and weights are
// made a vector at a time, then each count in turn multiplies, compares and steps, with both rows in the first cache.
#include "firth/glove.h"

#include "kernels.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 kBatch = 64;  // counts whose logarithms are made together
constexpr i64 kAhead = 4;   // rows of contexts that are asked for before they are needed

// The first place in rising indices [begin, end) that is not below `column`.
i64 first_from(const u32* indices, i64 begin, i64 end, u32 column) {
  while (begin < end) {
    const i64 middle = begin + (end - begin) / 2;
    if (indices[middle] < column)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

// One number's AdaGrad step along `gradient`, in place.
inline void step(float* number, float* squares, Floats now, Floats gradient) {
  const Floats before = load(squares);
  store(number, now - gradient * reciprocal_root(before));
  store(squares, before + gradient * gradient);
}

struct Tile {
  const Glove& a;
  i64 width, body;  // of a row, and its part before the vector that ends with biases
  float log_x_max;
  float word_rates[kLanes], context_rates[kLanes];

  explicit Tile(const Glove& a_)
      : a(a_), width(glove_width(a_.dim)), body(width - kLanes), log_x_max(__builtin_logf(a_.x_max)) {
    for (int i = 0; i < kLanes; ++i) word_rates[i] = context_rates[i] = a.lr;
    word_rates[kLanes - 2] = context_rates[kLanes - 1] = 1;
    word_rates[kLanes - 1] = context_rates[kLanes - 2] = 0;
  }

  // Asks for a row and its next counts.
  void fetch(i64 word) const {
    const char* bytes = reinterpret_cast<const char*>(row(a.words, word));
    for (i64 b = 0; b < 8 * width; b += 64) __builtin_prefetch(bytes + b, 1, 3);
    const i64 at = a.cursors[word];
    __builtin_prefetch(a.indices + at);
    __builtin_prefetch(a.data + at);
  }

  // How many of the next counts, at most a batch, stand before column `last`.
  i64 in_span(i64 begin, i64 stop, u32 last) const {
    i64 many = 0;
    for (const i64 most = stop - begin < kBatch ? stop - begin : kBatch; many < most; ++many)
      if (a.indices[begin + many] >= last) break;
    return many;
  }

  float product(const float* w, const float* c) const {
    Floats even = load(w) * load(c), odd = {};
    i64 d = kLanes;
    for (; d + kLanes < width; d += 2 * kLanes) {
      odd += load(w + d) * load(c + d);
      even += load(w + d + kLanes) * load(c + d + kLanes);
    }
    if (d < width) odd += load(w + d) * load(c + d);
    return sum_loose(even + odd);
  }

  void update(float* w, float* c, float slope) const {
    const Floats rate = all(slope * a.lr);
    for (i64 d = 0; d < body; d += kLanes) {
      const Floats x = load(w + d), y = load(c + d);
      step(w + d, w + width + d, x, rate * y);
      step(c + d, c + width + d, y, rate * x);
    }
    const Floats x = load(w + body), y = load(c + body);
    step(w + body, w + width + body, x, load(word_rates) * slope * y);
    step(c + body, c + width + body, y, load(context_rates) * slope * x);
  }

  // Reads some counts of a row. Returns twice their loss; stops where that is not finite.
  double read(float* w, i64 begin, i64 end) const {
    float logs[kBatch], weights[kBatch];
    const i64 many = end - begin;
    for (i64 i = 0; i < many; i += kLanes) {
      const i64 left = many - i;
      Floats x = left < kLanes ? load_first(a.data + begin + i, left) : load(a.data + begin + i);
      if (left < kLanes) x = lane_numbers() < static_cast<std::int32_t>(left) ? x : all(1.0f);
      const Floats log = logarithm(x), under = (log - log_x_max) * a.alpha;
      store(logs + i, log);
      store(weights + i, exp_negative(min(under, Floats{})));
    }
    double loss = 0;
    for (i64 i = 0; i < many; ++i) {
      float* c = row(a.contexts, static_cast<i64>(a.indices[begin + i]));
      if (i + kAhead < many) {
        const char* bytes =
            reinterpret_cast<const char*>(row(a.contexts, static_cast<i64>(a.indices[begin + i + kAhead])));
        for (i64 b = 0; b < 8 * width; b += 64) __builtin_prefetch(bytes + b, 1, 3);
      }
      const float difference = product(w, c) - logs[i], slope = weights[i] * difference;
      loss += static_cast<double>(slope) * static_cast<double>(difference);
      if (!(loss <= 1e300)) return loss;
      update(w, c, slope);
    }
    return loss;
  }
};

}  // namespace

void glove(const Glove& a, Range groups) {
  const Tile tile(a);
  for (i64 g = groups.begin; g < groups.end; ++g) {
    Fitted& fitted = a.fitted[g];
    const i64 span = (g + a.shift + a.round) % a.groups, end = a.row_starts[g + 1];
    const u32 first = a.column_starts[span], last = a.column_starts[span + 1];
    for (i64 k = a.row_starts[g]; k < end && fitted.blown_up < 0; ++k) {
      const i64 word = static_cast<i64>(a.order[k]), stop = a.indptr[word + 1];
      if (k + 1 < end) tile.fetch(static_cast<i64>(a.order[k + 1]));
      i64 i = span == 0 ? a.indptr[word] : a.cursors[word];
      if (a.round == 0) i = first_from(a.indices, a.indptr[word], stop, first);
      while (i < stop && a.indices[i] < last) {
        const i64 many = tile.in_span(i, stop, last);
        const double loss = tile.read(row(a.words, word), i, i + many);
        if (!(loss <= 1e300)) {
          fitted.blown_up = word;
          break;
        }
        fitted.loss += loss / 2;
        fitted.counts += many;
        i += many;
      }
      a.cursors[word] = i;
    }
  }
}

}  // namespace firth::FIRTH_LEVEL
