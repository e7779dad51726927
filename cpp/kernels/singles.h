// The products of a block in float32: a few register tiles for each, along the band where it is one.
//
// Arithmetic per kept word at dim 100 (padded to 112), window 5, 32 negatives shared by 32 centres, vectors of 16
// floats: scores 26 company rows + 32 negatives = 362 vector multiply-adds, input steps 46 x 7 = 322, company steps
// 128, negative steps 224: 1036, against 1260 for private negatives, whose every score also needs a sum across lanes.
#pragma once

#include "firth/negative_sampling.h"
#include "logistic.h"
#include "product.h"
#include "rows.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 kFetched = 4;  // rows of the next block at each of some thirty stops in a block

// product() eight rows at a time, with rows of the next block fetched in between.
inline void product_fetching(Ahead* ahead, Into into, i64 rows, i64 vectors, i64 depth, Strided a, const float* b,
                             i64 b_row, float* c, i64 c_row) {
  for (i64 r = 0; r < rows; r += 8) {
    const i64 now = rows - r < 8 ? rows - r : 8;
    product(into, now, vectors, depth, {a.data + r * a.row, a.row, a.column}, b, b_row, c + r * c_row, c_row);
    ahead->fetch(kFetched);
  }
}

constexpr i64 kGroup = 4;  // rows that one register tile handles together

inline i64 group_at(i64 begin, i64 end) { return end - begin < kGroup ? end - begin : kGroup; }

struct Singles {
  i64 dim, stride, width, shared;
  float *inputs, *targets, *company;  // (width), (targets), (company) rows; the last for CBOW only
  float *turned, *shares;             // (stride, width) inputs; (company, width) one over the size of the company

  static i64 width_of(i64 block) { return (block + kLanes - 1) / kLanes * kLanes; }

  void carve(Arena* arena, const NegativeSampling& a) {
    const i64 most = a.block + 2 * static_cast<i64>(a.window);
    dim = a.input.dim;
    stride = padded(dim);
    width = width_of(a.block);
    shared = a.shared;
    inputs = arena->take<float>(width * stride);
    targets = arena->take<float>((most + shared) * stride);
    company = arena->take<float>(most * stride);
    turned = arena->take<float>(stride * width);
    shares = arena->take<float>(most * width);
  }

  void read_inputs(const Matrix<float>& table, const Bags& bags, const u32* words, i64 count) {
    gather_bags(table, bags, words, count, true, inputs, stride);
    turn(inputs, count, stride, turned, width);
  }
  // CBOW: inputs are the means of the company's rows.
  void read_means(const Matrix<float>& table, const Bags& bags, const u32* words, const Diagonal& diagonal,
                  const Band& band, const float* rows, Ahead* ahead) {
    gather_bags(table, bags, words, diagonal.rows, false, company, stride);
    zero(shares, diagonal.rows * width);
    for (i64 lane = 0; lane < diagonal.lanes; lane += kLanes) {
      const Floats share = 1.0f / max(load(rows + lane), all(1.0f));
      const Range around = diagonal.rows_of(lane, kLanes);
      for (i64 r = around.begin; r < around.end; ++r)
        store(shares + r * width + lane, band.has(lane, r) ? share : Floats{});
    }
    for (i64 i = 0; i < diagonal.lanes; i += kGroup) {
      const i64 group = group_at(i, diagonal.lanes);
      ahead->fetch(kFetched);
      const Range around = diagonal.rows_of(i, group);
      product(Into::kZero, group, stride / kLanes, around.end - around.begin,
              {shares + around.begin * width + i, 1, width}, company + around.begin * stride, stride,
              inputs + i * stride, stride);
    }
    turn(inputs, diagonal.lanes, stride, turned, width);
  }

  // Scores of the inputs and some rows of a table, of which the last `shared` are negatives.
  void score(const Matrix<float>& table, const u32* words, const Diagonal& diagonal, float* scores, Ahead* ahead) {
    gather(table, words, diagonal.rows + shared, targets, stride);
    for (i64 lane = 0; lane < diagonal.lanes; lane += kLanes) {
      const Range rows = diagonal.rows_of(lane, kLanes);
      product(Into::kZero, rows.end - rows.begin, 1, dim, {targets + rows.begin * stride, stride, 1}, turned + lane,
              width, scores + rows.begin * width + lane, width);
    }
    product_fetching(ahead, Into::kZero, shared, width / kLanes, dim, {targets + diagonal.rows * stride, stride, 1},
                     turned, width, scores + diagonal.rows * width, width);
  }

  // Steps of all scores -> those of the inputs.
  void step_inputs(const Diagonal& diagonal, const float* steps, float* input_steps, Ahead* ahead) {
    const i64 vectors = stride / kLanes, rows = diagonal.rows;
    for (i64 i = 0; i < diagonal.lanes; i += kGroup) {
      const i64 group = group_at(i, diagonal.lanes);
      ahead->fetch(kFetched);
      const Range around = diagonal.rows_of(i, group);
      product(Into::kZero, group, vectors, around.end - around.begin, {steps + around.begin * width + i, 1, width},
              targets + around.begin * stride, stride, input_steps + i * stride, stride);
    }
    product_fetching(ahead, Into::kSum, diagonal.lanes, vectors, shared, {steps + rows * width, 1, width},
                     targets + rows * stride, stride, input_steps, stride);
  }
  // Those of some targets.
  void step_targets(const Diagonal& diagonal, const float* steps, Range rows, float* target_steps, Ahead* ahead) {
    const i64 seen = rows.end < diagonal.rows ? rows.end : diagonal.rows;
    spread(diagonal, steps, inputs, {rows.begin, seen}, target_steps, ahead);
    const i64 first = rows.begin < diagonal.rows ? diagonal.rows : rows.begin;
    product_fetching(ahead, Into::kZero, rows.end - first, stride / kLanes, diagonal.lanes,
                     {steps + first * width, width, 1}, inputs, stride, target_steps + (first - rows.begin) * stride,
                     stride);
  }

  // CBOW: the whole error of a mean goes to each row of its company, so the shares become ones.
  void begin_company(const Diagonal& diagonal, const float*) {
    for (i64 x = 0; x < diagonal.rows * width; x += kLanes) {
      const Floats share = load(shares + x);
      store(shares + x, share > 0.0f ? all(1.0f) : Floats{});
    }
  }
  void step_company(const Diagonal& diagonal, const float* mean_steps, Range rows, float* company_steps, Ahead* ahead) {
    spread(diagonal, shares, mean_steps, rows, company_steps, ahead);
  }

 private:
  // to (rows of the band, dim) = band x from (lanes, dim), for some rows.
  void spread(const Diagonal& diagonal, const float* band, const float* from, Range rows, float* to, Ahead* ahead) {
    for (i64 j = rows.begin; j < rows.end; j += kGroup) {
      const i64 group = group_at(j, rows.end);
      ahead->fetch(kFetched);
      const Range lanes = diagonal.lanes_of(j, group);
      product(Into::kZero, group, stride / kLanes, lanes.end - lanes.begin, {band + j * width + lanes.begin, width, 1},
              from + lanes.begin * stride, stride, to + (j - rows.begin) * stride, stride);
    }
  }
};

}  // namespace
}  // namespace firth::FIRTH_LEVEL
