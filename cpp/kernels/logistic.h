// From the scores of a block to its steps: which pairs there are, and the logistic loss of each. A band along the
// diagonal of (targets, inputs) has the pairs that were seen; below it stand the negatives, against all inputs.
#pragma once

#include "passage.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

// Row r and lane l can be a pair where r + shift - reach <= l <= r + shift + reach.
struct Diagonal {
  i64 rows, lanes, shift, reach;

  Range rows_of(i64 lane, i64 count) const {
    const i64 begin = lane - shift - reach, end = lane + count - shift + reach;
    return {begin < 0 ? 0 : begin, end > rows ? rows : end};
  }
  Range lanes_of(i64 row, i64 count) const {
    const i64 begin = row + shift - reach, end = row + count + shift + reach;
    return {begin < 0 ? 0 : begin, end > lanes ? lanes : end};
  }
};

// Which rows are pairs of which lane: [begins, ends), but for the row of the lane's own token if that is no company.
struct Band {
  std::int32_t *begins, *ends, *own;  // (width,)
  float* pairs;                       // (width,) how many that is

  Ints has(i64 lane, i64 row) const {
    const Ints other = all(static_cast<std::int32_t>(row));
    return (other >= load_ints(begins + lane)) & (other < load_ints(ends + lane)) & (other != load_ints(own + lane));
  }
};

// The loss of a block, and the share of the error that each score's step takes.
struct Logistic {
  Floats loss = {}, poison = {};  // poison turns NaN at the first score that is not finite
  Floats linear = {}, grown = all(1.0f);

  // s(wrong), where wrong is -score for what was seen. The loss is max(wrong, 0) + log(1 + e): logarithms are taken of
  // products of as many 1 + e as a float32 can hold.
  template <bool kSeen>
  Floats share(Floats score, Floats* over, Floats* more) {
    poison += score * 0.0f;
    const Floats e = exp_negative(-abs(score)), wrong = kSeen ? -score : score;
    *over = max(wrong, Floats{});
    *more = e + 1.0f;
    return (wrong > 0.0f ? all(1.0f) : e) * reciprocal(*more);
  }
  void take(Floats weight) {
    loss += weight * (linear + logarithm(grown));
    linear = Floats{};
    grown = all(1.0f);
  }
};

constexpr i64 kProduct = 64;  // factors of at most 2

// Scores of the band -> steps; zero where there is no pair.
inline void end_pairs(const Diagonal& diagonal, const Band& band, i64 lane, float lr, float* scores, i64 width,
                      Logistic* logistic) {
  const Range rows = lane < diagonal.lanes ? diagonal.rows_of(lane, kLanes) : Range{0, 0};
  for (i64 r = 0; r < diagonal.rows; ++r) {
    float* at = scores + r * width + lane;
    if (r < rows.begin || r >= rows.end) {
      store(at, Floats{});
      continue;
    }
    const Ints pair = band.has(lane, r);
    Floats over, more;
    const Floats step = logistic->share<true>(load(at), &over, &more) * lr;
    logistic->linear += pair ? over : Floats{};
    logistic->grown *= pair ? more : all(1.0f);
    store(at, pair ? step : Floats{});
    if ((r - rows.begin) % kProduct == kProduct - 1) logistic->take(all(1.0f));
  }
  logistic->take(all(1.0f));
}

// The same of the negatives that are no target of the block: all of a lane's have one weight. `met` has a bit for each
// that is one; their rows are left to end_met.
inline void end_negatives(i64 shared, const u64* met, Floats weight, float lr, float* scores, i64 width,
                          Logistic* logistic) {
  const Floats rate = -lr * weight;
  i64 factors = 0;
  for (i64 k = 0; k < shared; ++k) {
    if (met[k / 64] >> (k % 64) & 1) continue;
    float* at = scores + k * width;
    Floats over, more;
    const Floats share = logistic->share<false>(load(at), &over, &more);
    logistic->linear += over;
    logistic->grown *= more;
    store(at, share * rate);
    if (++factors % kProduct == 0) logistic->take(weight);
  }
  logistic->take(weight);
}

// And of one that is: each lane's weight is that of its targets which are other words.
inline void end_met(Floats weight, float lr, float* scores, Logistic* logistic) {
  Floats over, more;
  const Floats share = logistic->share<false>(load(scores), &over, &more);
  logistic->loss += weight * (over + logarithm(more));
  store(scores, share * (-lr * weight));
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
