// The end of a round: steps that wait in slots are sorted by the word they are for, stably, so that one warp adds up
// each word's in the order of the contract, shortens the sum, and adds it to the word's row. With bags, what waits then
// are the sums: sorted by the rows that they are for, they are added to those. No atomics, so the result has the same
// bits each time.
#pragma once

#include "block.h"
#include "kernels.h"

namespace firth::cuda {
namespace {

// Slots of the blocks of a round: each has as many rows as any block may need, and names what they are for.
struct Waiting {
  float *input_steps, *output_steps;  // (blocks, inputs, width), (blocks, outputs, width); null without a round
  u32 *input_words, *output_words;    // (blocks, inputs), (blocks, outputs); of no word: words_in, rows of the output
  i64 blocks;
  int inputs, outputs, width;
  i64 words_in;  // words that may be inputs: rows of the input, or bags
};

// Slots by what they are for: words, or rows of bags.
struct Adding {
  Matrix<float> table;  // that a sum is added to; without data sums are left where they are
  float* steps;
  const i64* starts;          // (rows + 1,) of each row in places
  const u32 *places, *slots;  // slots[place] is where a step waits; without slots the place itself
  int width;
  bool sums, fours;  // steps are to be added up and shortened first; rows are read 16 bytes at a time
  const Outcome* outcome;
};

__device__ Four* step_at(const Adding& a, i64 i, int column) {
  const i64 place = static_cast<i64>(a.places[i]), slot = a.slots ? static_cast<i64>(a.slots[place]) : place;
  return reinterpret_cast<Four*>(a.steps + slot * a.width + column);
}

// The steps [begin, end) at four columns, added to `sum` one after the other.
__device__ Four add_up(const Adding& a, Four sum, i64 begin, i64 end, int column) {
  constexpr int kAhead = 4;
  for (i64 i = begin; i < end; i += kAhead) {
    Four steps[kAhead];
#pragma unroll
    for (int n = 0; n < kAhead; ++n)
      if (i + n < end) steps[n] = *step_at(a, i + n, column);
#pragma unroll
    for (int n = 0; n < kAhead; ++n)
      for (int d = 0; d < 4; ++d)
        if (i + n < end) sum.x[d] += steps[n].x[d];
  }
  return sum;
}

// The first of the steps becomes their sum, or what is left of it. Each thread reads what it wrote itself, here and in
// add_to_row.
__device__ void shorten_sum(const Adding& a, i64 begin, i64 end) {
  const int dim = static_cast<int>(a.table.dim);
  float square = 0;
  for (int column = 4 * lane(); column < dim; column += 4 * kWarp) {
    Four* const first = step_at(a, begin, column);
    const Four sum = add_up(a, *first, begin + 1, end, column);
    *first = sum;
    for (int d = 0; d < 4; ++d)
      if (column + d < dim) square += sum.x[d] * sum.x[d];
  }
  for (int step = kWarp / 2; step > 0; step /= 2) square += __shfl_xor_sync(kWholeWarp, square, step);
  if (!(square > kMostMove * kMostMove)) return;
  const float share = kMostMove / sqrtf(square);
  for (int column = 4 * lane(); column < dim; column += 4 * kWarp)
    for (float& x : step_at(a, begin, column)->x) x *= share;
}

__device__ void add_to_row(const Adding& a, i64 number, i64 begin, i64 end) {
  const int dim = static_cast<int>(a.table.dim);
  float* const to = row(a.table, number);
  for (int column = 4 * lane(); column < dim; column += 4 * kWarp) {
    const Four sum = add_up(a, read_columns(to, column, dim, a.fours), begin, end, column);
    for (int d = 0; d < 4; ++d)
      if (column + d < dim) to[column + d] = sum.x[d];
  }
}

// A warp looks at 32 rows, and adds to those for which steps wait.
__global__ void __launch_bounds__(kThreads) add_steps_kernel(const __grid_constant__ Adding a) {
  constexpr i64 kWarps = kThreads / kWarp;
  if (a.outcome->unknown >= 0 || a.outcome->blown_up >= 0) return;
  const i64 warp = static_cast<i64>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kWarp;
  for (i64 first = warp * kWarp; first < a.table.rows; first += gridDim.x * kWarps * kWarp) {
    const i64 mine = first + lane();
    const i64 begin = mine < a.table.rows ? a.starts[mine] : 0, end = mine < a.table.rows ? a.starts[mine + 1] : 0;
    for (u32 busy = __ballot_sync(kWholeWarp, end > begin); busy; busy &= busy - 1) {
      const int owner = __popc((busy & (~busy + 1)) - 1);
      const i64 from = __shfl_sync(kWholeWarp, begin, owner), to = __shfl_sync(kWholeWarp, end, owner);
      if (a.sums) shorten_sum(a, from, to);
      if (a.table.data) add_to_row(a, first + owner, from, a.sums ? from + 1 : to);
    }
  }
}

// The words of slots, of which the first of each word holds its sum.
struct Summed {
  const u32* words;
  i64 many, words_in;
  const i64* starts;
  const u32* places;
  Bags bags;
};

// What bags make of sums: how many rows each is for, and those.
__global__ void __launch_bounds__(kThreads) bag_sizes_kernel(const __grid_constant__ Summed a, i64* sizes) {
  const i64 step = static_cast<i64>(gridDim.x) * kThreads;
  for (i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x; i <= a.many; i += step) {
    const i64 word = i < a.many ? static_cast<i64>(a.words[i]) : a.words_in;
    const bool sum = word < a.words_in && static_cast<i64>(a.places[a.starts[word]]) == i;
    sizes[i] = sum ? a.bags.offsets[word + 1] - a.bags.offsets[word] : 0;
  }
}
__global__ void __launch_bounds__(kThreads)
    bag_rows_kernel(const __grid_constant__ Summed a, const i64* starts, u32* rows, u32* slots) {
  const i64 step = static_cast<i64>(gridDim.x) * kThreads;
  for (i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x; i < a.many; i += step) {
    const i64 size = starts[i + 1] - starts[i];
    for (i64 n = 0; n < size; ++n) {
      rows[starts[i] + n] = a.bags.ids[a.bags.offsets[a.words[i]] + n];
      slots[starts[i] + n] = static_cast<u32>(i);
    }
  }
}

void expect_numbers(i64 many) {
  if (many < i64{1} << 32) return;
  throw std::invalid_argument("cuda: negative_sampling: a round has " + std::to_string(many) +
                              " rows of steps, expected fewer than 2^32: lower round");
}

// `many` rows of steps, which name a word each, or none of them: the number of words.
void add_steps(const NegativeSampling& args, const Matrix<float>& table, float* steps, const u32* words, i64 many,
               int width, bool fours, cudaStream_t stream) {
  const Scratch<i64> starts(table.rows + 2, stream);
  const Scratch<u32> sorted(many, stream);
  places(words, many, table.rows + 1, starts.data(), sorted.data(), stream);
  launch("negative_sampling: steps", add_steps_kernel, blocks(table.rows, kThreads), kThreads, stream,
         Adding{table, steps, starts.data(), sorted.data(), nullptr, width, true, fours, args.outcome});
}

// The same for words that are bags of rows. It waits for the stream, to learn how many rows there are.
void add_bag_steps(const NegativeSampling& args, const Waiting& q, i64 many, bool fours, cudaStream_t stream) {
  const Matrix<float> table = args.input, bags = {nullptr, q.words_in, table.dim};
  const Scratch<i64> words(q.words_in + 2, stream), sizes(many + 1, stream), starts(table.rows + 1, stream);
  const Scratch<u32> sorted_words(many, stream);
  places(q.input_words, many, q.words_in + 1, words.data(), sorted_words.data(), stream);
  launch("negative_sampling: sums of bags", add_steps_kernel, blocks(q.words_in, kThreads), kThreads, stream,
         Adding{bags, q.input_steps, words.data(), sorted_words.data(), nullptr, q.width, true, fours, args.outcome});
  const Summed sums{q.input_words, many, q.words_in, words.data(), sorted_words.data(), args.bags};
  launch("negative_sampling: bags", bag_sizes_kernel, blocks(many + 1, kThreads), kThreads, stream, sums, sizes.data());
  sums_before(sizes.data(), many + 1, stream);
  i64 total = 0;
  check(cudaMemcpyAsync(&total, sizes.data() + many, sizeof total, cudaMemcpyDeviceToHost, stream), "rows of bags");
  check(cudaStreamSynchronize(stream), "rows of bags");
  expect_numbers(total);
  const Scratch<u32> rows(total, stream), slots(total, stream), sorted(total, stream);
  launch("negative_sampling: rows", bag_rows_kernel, blocks(many, kThreads), kThreads, stream, sums, sizes.data(),
         rows.data(), slots.data());
  places(rows.data(), total, table.rows, starts.data(), sorted.data(), stream);
  launch("negative_sampling: steps", add_steps_kernel, blocks(table.rows, kThreads), kThreads, stream,
         Adding{table, q.input_steps, starts.data(), sorted.data(), slots.data(), q.width, false, fours, args.outcome});
}

void end_round(const NegativeSampling& args, const Waiting& q, bool fours, cudaStream_t stream) {
  const i64 inputs = q.blocks * q.inputs, outputs = q.blocks * q.outputs;
  if (args.bags.offsets)
    add_bag_steps(args, q, inputs, fours, stream);
  else
    add_steps(args, args.input, q.input_steps, q.input_words, inputs, q.width, fours, stream);
  add_steps(args, args.output, q.output_steps, q.output_words, outputs, q.width, fours, stream);
}

}  // namespace
}  // namespace firth::cuda
