// The products of a block in bfloat16, summed in float32, by a matrix unit. A matrix is needed in up to three forms:
// as rows, where it stands on the left; as pairs of rows, where it stands on the right; and turned, where its transpose
// does. All tiles are full: what is no row is zeros.
//
// Arithmetic for a block of 32 centres, 42 company rows and 32 negatives at dim 100: scores 5 x 2 x 4 tile products,
// input steps 2 x 7 x 3, target steps 5 x 7: 117 of 16 cycles each, 59 cycles a kept word. More goes into rounding
// rows, logistic functions and adding steps.
#pragma once

#include "firth/negative_sampling.h"
#include "logistic.h"
#include "matrix.h"
#include "slots.h"

namespace firth::FIRTH_LEVEL {
namespace {

// Floats as bfloat16, zeros up to `depth`, a multiple of 32.
inline void round_row(const float* from, i64 dim, i64 depth, u16* to) {
  i64 d = 0;
  for (; d + 32 <= dim; d += 32) store_halves(to + d, load(from + d), load(from + d + 16));
  if (d == depth) return;
  const i64 left = dim - d;
  store_halves(to + d, left < 16 ? load_first(from + d, left) : load(from + d),
               left > 16 ? load_first(from + d + 16, left - 16) : Floats{});
}

inline void zero_rows(u16* rows, i64 begin, i64 end, i64 depth) {
  for (i64 x = begin * depth; x < end * depth; x += 32) store_halves(rows + x, Floats{}, Floats{});
}

// pairs[i][d] = rows[2 i][d], rows[2 i + 1][d]: a word for each of `columns`, a multiple of 16.
inline void pair_rows(const u16* rows, i64 count, i64 depth, i64 columns, float* pairs) {
  for (i64 i = 0; i < count / 2; ++i) {
    const u16 *low = rows + 2 * i * depth, *high = low + depth;
    for (i64 d = 0; d < columns; d += 32) {
      const Paired both = paired(low + d, high + d);
      store(pairs + i * columns + d, both.first);
      if (d + 16 < columns) store(pairs + i * columns + d + 16, both.second);
    }
  }
}

struct Halves {
  i64 dim, stride, depth, width, shared;
  i64 targets;  // of this block, up to whole tiles
  u16 *input_rows, *target_rows, *company_rows;
  float *input_pairs, *target_pairs, *company_pairs;  // (half as many, stride) words of two numbers
  float* turned;                                      // (depth / 2, width) such words
  u16* steps;                                         // (targets, width)
  float *step_pairs, *steps_turned;                   // (targets / 2, width), (width, targets / 2)
  u16 *members, *members_turned;                      // CBOW: (width, company) and its transpose, 0 or 1
  float* means;                                       // (width, stride)
  float* bag;                                         // one row

  static i64 width_of(i64 block) { return up(block, 32); }

  void carve(Arena* arena, const NegativeSampling& a) {
    const i64 company = up(a.block + 2 * static_cast<i64>(a.window), 32), most = up(company + a.shared, 32);
    dim = a.input.dim;
    stride = padded(dim);
    depth = up(dim, 32);
    width = width_of(a.block);
    shared = a.shared;
    input_rows = arena->take<u16>(width * depth);
    target_rows = arena->take<u16>(32 * depth);
    company_rows = arena->take<u16>(company * depth);
    input_pairs = arena->take<float>(width / 2 * stride);
    target_pairs = arena->take<float>(most / 2 * stride);
    company_pairs = arena->take<float>(company / 2 * stride);
    turned = arena->take<float>(depth / 2 * width);
    steps = arena->take<u16>(most * width);
    step_pairs = arena->take<float>(most / 2 * width);
    steps_turned = arena->take<float>(most / 2 * width);
    members = arena->take<u16>(width * company);
    members_turned = arena->take<u16>(width * company);
    means = arena->take<float>(width * stride);
    bag = arena->take<float>(stride);
  }

  void read_inputs(const Matrix<float>& table, const Bags& bags, const u32* words, i64 count) {
    read(table, bags, words, count, true, input_rows);
    end_inputs(count);
  }
  // CBOW: inputs are the means of the company's rows.
  void read_means(const Matrix<float>& table, const Bags& bags, const u32* words, const Diagonal& diagonal,
                  const Band& band, const float* rows, Ahead* ahead) {
    const i64 company = up(diagonal.rows, 32);
    read(table, bags, words, diagonal.rows, false, company_rows);
    zero_rows(company_rows, diagonal.rows, company, depth);
    pair_rows(company_rows, company, depth, stride, company_pairs);
    zero_rows(members, 0, width, company);
    zero_rows(members_turned, 0, company, width);
    constexpr u16 kOne = 0x3f80;
    for (i64 i = 0; i < diagonal.lanes; ++i)
      for (i64 r = band.begins[i]; r < band.ends[i]; ++r)
        if (r != band.own[i]) members[i * company + r] = members_turned[r * width + i] = kOne;
    product_of_halves(width, stride, company, members, company, company_pairs, stride, means, stride);
    ahead->fetch(8 * kFetchedAtOnce);
    for (i64 i = 0; i < diagonal.lanes; ++i) {
      const float share = 1.0f / (rows[i] > 1.0f ? rows[i] : 1.0f);
      for (i64 d = 0; d < stride; d += kLanes) store(means + i * stride + d, load(means + i * stride + d) * share);
      round_row(means + i * stride, dim, depth, input_rows + i * depth);
    }
    end_inputs(diagonal.lanes);
  }

  // Scores of the inputs and some rows of a table, of which the last `shared` are negatives; read 32 at a time, so that
  // they are in the first cache while they are scored.
  void score(const Matrix<float>& table, const u32* words, const Diagonal& diagonal, float* scores, Ahead* ahead) {
    const i64 count = diagonal.rows + shared;
    targets = up(count, 32);
    for (i64 r = 0; r < count; r += 32) {
      const i64 some = count - r < 32 ? count - r : 32;
      read(table, {nullptr, nullptr}, words + r, some, false, target_rows);
      zero_rows(target_rows, some, 32, depth);
      pair_rows(target_rows, 32, depth, stride, target_pairs + r / 2 * stride);
      for (i64 h = 0; h < up(some, 16); h += 16) {
        product_of_halves(16, width, depth, target_rows + h * depth, depth, turned, width, scores + (r + h) * width,
                          width);
        ahead->fetch(kFetchedAtOnce / 2);
      }
    }
  }

  // Steps of all scores -> those of the inputs.
  void step_inputs(const Diagonal& diagonal, const float* scores, float* input_steps, Ahead* ahead) {
    const i64 count = diagonal.rows + shared;
    for (i64 x = 0; x < count * width; x += 32) store_halves(steps + x, load(scores + x), load(scores + x + 16));
    zero_rows(steps, count, targets, width);
    pair_rows(steps, targets, width, width, step_pairs);
    turn(step_pairs, targets / 2, width, steps_turned, targets / 2);
    ahead->fetch(kFetchedAtOnce);
    product_of_halves(width, stride, targets, reinterpret_cast<const u16*>(steps_turned), targets, target_pairs, stride,
                      input_steps, stride);
    ahead->fetch(kFetchedAtOnce);
  }
  // Those of some targets.
  void step_targets(const Diagonal&, const float*, Range rows, float* target_steps, Ahead* ahead) {
    product_of_halves(up(rows.end - rows.begin, 16), stride, width, steps + rows.begin * width, width, input_pairs,
                      stride, target_steps, stride);
    ahead->fetch(kFetchedAtOnce);
  }

  // CBOW: the whole error of a mean goes to each row of its company.
  void begin_company(const Diagonal&, const float* mean_steps) {
    for (i64 i = 0; i < width; ++i) round_row(mean_steps + i * stride, dim, depth, input_rows + i * depth);
    pair_rows(input_rows, width, depth, stride, input_pairs);
  }
  void step_company(const Diagonal&, const float*, Range rows, float* company_steps, Ahead* ahead) {
    product_of_halves(up(rows.end - rows.begin, 16), stride, width, members_turned + rows.begin * width, width,
                      input_pairs, stride, company_steps, stride);
    ahead->fetch(kFetchedAtOnce);
  }

 private:
  static constexpr i64 kFetchedAtOnce = 12;

  void read(const Matrix<float>& table, const Bags& bags, const u32* words, i64 count, bool mean, u16* rows) {
    for (i64 i = 0; i < count; ++i) {
      if (bags.offsets) gather_bags(table, bags, words + i, 1, mean, bag, stride);
      round_row(bags.offsets ? bag : row(table, words[i]), dim, depth, rows + i * depth);
    }
  }
  void end_inputs(i64 count) {
    zero_rows(input_rows, count, width, depth);
    pair_rows(input_rows, width, depth, stride, input_pairs);
    turn(reinterpret_cast<const float*>(input_rows), width, depth / 2, turned, width);
  }
};

}  // namespace
}  // namespace firth::FIRTH_LEVEL
