// classification: stochastic gradient descent for a linear classifier of bags, such as the words of a text.
//
// The hidden vector h of an example is the mean of the rows of `input` that its bag names, and output o scores
// s_o = h . v_o, v a row of `output`. Loss of an example with the labels Y:
//   softmax  -log(exp(s_y) / sum_o exp(s_o)) of one y of Y, drawn anew in each epoch
//   ova      sum_o of -log s(s_o) if o is in Y, else -log s(-s_o): one classifier against all others for each label
//   hs       sum over the path of one drawn y through a binary tree of -log s(s_n) at inner nodes n where it goes to
//            the right, -log s(-s_n) where it goes to the left; outputs are inner nodes
// with s the logistic function. Joulin, Grave, Bojanowski and Mikolov, "Bag of tricks for efficient text
// classification" (2016), section 2. An example changes the tables before the next one is read; its step of the hidden
// vector, divided by the size of the bag, is added to each row of the bag, as often as the bag names it, as the program
// fastText does it.
//
// Rows of outputs may have further columns, up to a multiple of 16, which are zero and stay so: rows that begin and end
// with a cache line are faster.
//
// Edge rules. Each example has a bag and a label; a label given twice counts once under ova and twice in draws.
// Outputs whose step rounds to nothing against one, that is whose share of the gradient is at most 2^-24, are left as
// they are. The learning rate falls linearly in `positions`, which the caller counts in what it likes (tokens). Draws
// (random.h) depend on the number of the example only. What depends on cuts and threads is the order of the updates:
// threads write rows without locks (Hogwild: Niu et al., 2011), an exception to the law that any cut of the range gives
// the same answer. One thread takes the examples in order and always computes the same.
#pragma once

#include "firth/array.h"
#include "firth/random.h"

namespace firth {

enum class ClassLoss : u32 { kSoftmax = 0, kOneVersusAll = 1, kTree = 2 };

// What a thread adds up over its tasks, on cache lines of its own.
struct alignas(128) Learnt {
  double loss;  // of all examples
  i64 examples;
  i64 blown_up;  // the first example that met a number that is not finite, or -1; this thread stops there
};

struct Classification {
  Matrix<float> input;   // (rows, dim)
  Matrix<float> output;  // (outputs, dim or more): of labels, or with kTree of inner nodes; see below
  Bags bags;             // of the examples, rows of `input`; none is empty
  Bags labels;           // of the examples; none is empty
  Bags paths;            // kTree: of the labels, twice the inner node, plus 1 where the path turns right; else none
  const i64* positions;  // (examples + 1,), rising from 0
  i64 examples;
  ClassLoss loss;
  u64 seed;
  u32 epoch;
  float lr_begin, lr_end;  // at the first position and at the last
  void* scratch;           // classification_scratch() bytes, 64-byte aligned, one per thread
  Learnt* learnt;          // one per thread
};

constexpr i64 kWidestVector = 16;  // floats

FIRTH_HD i64 whole_vectors(i64 size) { return (size + kWidestVector - 1) / kWidestVector * kWidestVector; }

FIRTH_HD i64 classification_scratch(const Classification& a) {
  return 4 * (2 * whole_vectors(a.input.dim) + 3 * whole_vectors(a.output.rows));
}

// The label that an example is trained for where that is one.
FIRTH_HD u32 drawn_label(const Classification& a, i64 example) {
  const i64 first = a.labels.offsets[example], many = a.labels.offsets[example + 1] - first;
  const u32 word = draw_pair(a.seed, kStreamLabel, a.epoch, static_cast<u64>(example)).first;
  return a.labels.ids[first + static_cast<i64>(below(word, static_cast<u32>(many)))];
}

// The learning rate when that example is read.
FIRTH_HD float rate_at(const Classification& a, i64 example) {
  const double done = static_cast<double>(a.positions[example]), all = static_cast<double>(a.positions[a.examples]);
  return a.lr_begin + (a.lr_end - a.lr_begin) * static_cast<float>(done / all);
}

}  // namespace firth
