// The end of a round: steps that wait in slots are sorted by the row they are for, stably, so that one warp adds up
// each row in the order of the contract. No atomics, so the result has the same bits each time.
#pragma once

#include "block.h"
#include "kernels.h"

namespace firth::cuda {
namespace {

// Slots of the blocks of a round: each has as many rows as any block may need, and names what they are for.
struct Waiting {
  float *input_steps, *output_steps;  // (blocks, inputs, width), (blocks, outputs, width); null without a round
  u32 *input_words, *output_words;    // (blocks, inputs), (blocks, outputs)
  i64 blocks;
  int inputs, outputs, width;
};

struct Adding {
  Matrix<float> table;
  const float* steps;
  const i64* starts;          // (rows + 1,) of each row in places
  const u32 *places, *slots;  // slots[place] is where a step waits; without slots the place itself
  int width;
  bool fours;
  const Outcome* outcome;
};

__device__ Four step_at(const Adding& a, i64 i, int column) {
  const i64 place = static_cast<i64>(a.places[i]), slot = a.slots ? static_cast<i64>(a.slots[place]) : place;
  return *reinterpret_cast<const Four*>(a.steps + slot * a.width + column);
}

__device__ void add_to_row(const Adding& a, i64 number, i64 begin, i64 end) {
  constexpr int kAhead = 4;
  const int dim = static_cast<int>(a.table.dim);
  float* const to = row(a.table, number);
  for (int column = 4 * lane(); column < dim; column += 4 * kWarp) {
    Four sum = read_columns(to, column, dim, a.fours);
    for (i64 i = begin; i < end; i += kAhead) {
      Four steps[kAhead];
#pragma unroll
      for (int n = 0; n < kAhead; ++n)
        if (i + n < end) steps[n] = step_at(a, i + n, column);
#pragma unroll
      for (int n = 0; n < kAhead; ++n)
        for (int d = 0; d < 4; ++d)
          if (i + n < end) sum.x[d] += steps[n].x[d];
    }
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
      add_to_row(a, first + owner, from, to);
    }
  }
}

// What bags make of the words of slots: how many rows each names, and those.
__global__ void __launch_bounds__(kThreads) bag_sizes_kernel(const u32* words, i64 many, Bags bags, i64* sizes) {
  const i64 step = static_cast<i64>(gridDim.x) * kThreads;
  for (i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x; i <= many; i += step) {
    const u32 word = i < many ? words[i] : ~0u;
    sizes[i] = word == ~0u ? 0 : bags.offsets[word + 1] - bags.offsets[word];
  }
}
__global__ void __launch_bounds__(kThreads)
    bag_rows_kernel(const u32* words, i64 many, Bags bags, const i64* starts, u32* rows, u32* slots) {
  const i64 step = static_cast<i64>(gridDim.x) * kThreads;
  for (i64 i = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x; i < many; i += step) {
    const i64 size = starts[i + 1] - starts[i];
    for (i64 n = 0; n < size; ++n) {
      rows[starts[i] + n] = bags.ids[bags.offsets[words[i]] + n];
      slots[starts[i] + n] = static_cast<u32>(i);
    }
  }
}

void expect_numbers(i64 many) {
  if (many < i64{1} << 32) return;
  throw std::invalid_argument("cuda: negative_sampling: a round has " + std::to_string(many) +
                              " rows of steps, expected fewer than 2^32: lower round");
}

// `many` rows of steps, which name a row of the table each, or none of them: the number of rows.
void add_steps(const NegativeSampling& args, const Matrix<float>& table, const float* steps, const u32* words, i64 many,
               int width, bool fours, cudaStream_t stream) {
  const Scratch<i64> starts(table.rows + 2, stream);
  const Scratch<u32> sorted(many, stream);
  places(words, many, table.rows + 1, starts.data(), sorted.data(), stream);
  launch("negative_sampling: steps", add_steps_kernel, blocks(table.rows, kThreads), kThreads, stream,
         Adding{table, steps, starts.data(), sorted.data(), nullptr, width, fours, args.outcome});
}

// The same for words that are bags of rows, or none: ~0. It waits for the stream, to learn how many rows there are.
void add_bag_steps(const NegativeSampling& args, const float* steps, const u32* words, i64 many, int width, bool fours,
                   cudaStream_t stream) {
  const Matrix<float>& table = args.input;
  const Scratch<i64> sizes(many + 1, stream), starts(table.rows + 1, stream);
  launch("negative_sampling: bags", bag_sizes_kernel, blocks(many + 1, kThreads), kThreads, stream, words, many,
         args.bags, sizes.data());
  sums_before(sizes.data(), many + 1, stream);
  i64 total = 0;
  check(cudaMemcpyAsync(&total, sizes.data() + many, sizeof total, cudaMemcpyDeviceToHost, stream), "rows of bags");
  check(cudaStreamSynchronize(stream), "rows of bags");
  expect_numbers(total);
  const Scratch<u32> rows(total, stream), slots(total, stream), sorted(total, stream);
  launch("negative_sampling: rows", bag_rows_kernel, blocks(many, kThreads), kThreads, stream, words, many, args.bags,
         sizes.data(), rows.data(), slots.data());
  places(rows.data(), total, table.rows, starts.data(), sorted.data(), stream);
  launch("negative_sampling: steps", add_steps_kernel, blocks(table.rows, kThreads), kThreads, stream,
         Adding{table, steps, starts.data(), sorted.data(), slots.data(), width, fours, args.outcome});
}

void end_round(const NegativeSampling& args, const Waiting& q, bool fours, cudaStream_t stream) {
  const i64 inputs = q.blocks * q.inputs, outputs = q.blocks * q.outputs;
  if (args.bags.offsets)
    add_bag_steps(args, q.input_steps, q.input_words, inputs, q.width, fours, stream);
  else
    add_steps(args, args.input, q.input_steps, q.input_words, inputs, q.width, fours, stream);
  add_steps(args, args.output, q.output_steps, q.output_words, outputs, q.width, fours, stream);
}

}  // namespace
}  // namespace firth::cuda
