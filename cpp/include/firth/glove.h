// glove: one epoch of GloVe, weighted least squares on the logarithms of counts by AdaGrad.
//
//   loss = 1/2 sum over X[i, j] > 0 of f(X[i, j]) (w_i . c_j + b_i + b'_j - log X[i, j])^2
//   f(x) = min(1, (x / x_max)^alpha)
//
// Pennington, Socher and Manning, "GloVe: global vectors for word representation" (2014), sections 3 and 4.2; AdaGrad:
// Duchi, Hazan and Singer (2011). A count changes the tables before the next one is read. With D the difference in
// brackets, each number p of w_i has the gradient f D c, takes the step  lr f D c / sqrt(G),  and then its G, which
// begins at 1, grows by (lr f D c)^2; c_j likewise, from the state before either changed. A bias takes f D / sqrt(G),
// as the authors' program has it: its learning rate is 1.
//
// Rows of a table are 2 width floats, width = glove_width(dim): the vector, zeros, the two numbers that make the scalar
// product contain the biases (of words: bias, 1; of contexts: 1, bias), then G of each of them.
//
// Order. The rows are dealt out to `groups` groups, and columns cut into as many spans. In round r of an epoch, group g
// takes the columns of span (g + shift + r) mod groups: no two groups touch the same row of a table, so they may run at
// the same time, in any order, with the same result to the last bit, on any number of threads; after as many rounds as
// there are groups all counts have been read. Which rows make a group, in which order they come, and the shift are
// drawn anew in each epoch (Gemulla et al., "Large-scale matrix factorization with distributed stochastic gradient
// descent", 2011). Within a row, columns come in their order. A tile, a group's part of a round, is so small that its
// rows stay in cache: memory is what a shuffled list of counts would wait for.
#pragma once

#include "firth/array.h"

namespace firth {

constexpr i64 kGloveLanes = 16;

FIRTH_HD i64 glove_width(i64 dim) { return (dim + 2 + kGloveLanes - 1) / kGloveLanes * kGloveLanes; }

// What a group adds up, on cache lines of its own.
struct alignas(128) Fitted {
  double loss;  // summed over its counts, each before its step
  i64 counts;
  i64 blown_up;  // the first row that met a number that is not finite, or -1; the group stops there
};

struct Glove {
  Matrix<float> words, contexts;  // (rows, 2 width), (columns, 2 width), 64-byte aligned
  i64 dim;
  const i64* indptr;         // (rows + 1,)
  const u32* indices;        // columns, rising in each row
  const float* data;         // above 0 and finite
  const u32* order;          // (rows,) the rows, group by group
  const i64* row_starts;     // (groups + 1,) where a group begins in `order`
  const u32* column_starts;  // (groups + 1,) where a span of columns begins
  i64 groups, shift, round;
  i64* cursors;  // (rows,) where each row goes on: rounds follow each other, the first finds it; null on a device
  float lr, x_max, alpha;
  Fitted* fitted;  // (groups,)
};

}  // namespace firth
