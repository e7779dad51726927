// negative_sampling on the device, by the contract of firth/negative_sampling.h. A span of pieces is packed (kept.h);
// then a thread block takes a block of centres: gathers its rows into shared memory, makes all scores, turns them into
// steps, multiplies these with rows, and adds what comes out to the tables with atomics, or leaves it for the end of
// the round (rounds.h). Rows too wide for shared memory are taken in slices of columns: scores are summed over slices,
// then slices are read once more for the steps. What fits in no shared memory works in device memory, slowly.
#include "centres.h"
#include "firth/negative_sampling.h"
#include "kernels.h"

namespace firth::cuda {
namespace {

template <bool kShared>
__global__ void __launch_bounds__(kThreads, kBlocksEach) train_kernel(const __grid_constant__ Work w) {
  Memory m;
  carve(w.shape, w.a.cbow, kShared ? block_memory() : w.room + static_cast<i64>(blockIdx.x) * w.shape.floats, &m);
  const i64 blocks = w.kept.blocks[w.pieces], slots = w.waiting.input_steps ? w.waiting.blocks : blocks;
  for (i64 number = blockIdx.x; number < slots; number += gridDim.x) {
    const Outcome& told = *w.a.outcome;
    const int stop = threadIdx.x == 0 && (told.unknown >= 0 || told.blown_up >= 0);
    Done done{};
    if (!__syncthreads_or(stop) && number < blocks) {
      done = train(w, m, centres_of(w, number));
    } else if (w.waiting.input_steps) {
      Centres none{};
      none.number = number;
      name_slots(w, m, none, false);
    }
    if (threadIdx.x == 0 && number < blocks) w.done[number] = done;
    __syncthreads();
  }
}

// One block adds up what all blocks did, in a fixed order.
__global__ void __launch_bounds__(kSumThreads) add_up_kernel(const __grid_constant__ Work w) {
  __shared__ double losses[kSumThreads];
  __shared__ i64 pairs[kSumWarps], centres[kSumWarps];
  const i64 blocks = w.kept.blocks[w.pieces];
  double loss = 0;
  i64 my_pairs = 0, my_centres = 0, all_pairs, all_centres;
  for (i64 b = threadIdx.x; b < blocks; b += kSumThreads) {
    loss += w.done[b].loss;
    my_pairs += w.done[b].pairs;
    my_centres += w.done[b].centres;
  }
  losses[threadIdx.x] = loss;
  sum_before(my_pairs, pairs, &all_pairs);
  sum_before(my_centres, centres, &all_centres);
  if (threadIdx.x > 0) return;
  for (int t = 1; t < kSumThreads; ++t) loss += losses[t];
  w.a.outcome->loss += loss;
  w.a.outcome->pairs += all_pairs;
  w.a.outcome->kept += all_centres;
}

// Cuts the caller's scratch up; returns how many bytes it takes.
i64 carve_scratch(const NegativeSampling& a, const SamplingPlan& plan, Work* w) {
  char* const memory = static_cast<char*>(a.scratch);  // null: it is only measured
  i64 taken = 0;
  const auto take = [&taken, memory](auto*& to, i64 count) {
    to = memory ? reinterpret_cast<std::remove_reference_t<decltype(to)>>(memory + taken) : nullptr;
    taken += (count * static_cast<i64>(sizeof *to) + 63) / 64 * 64;
  };
  const i64 room = static_cast<i64>(a.window), pieces = ceil_div(plan.tokens, a.piece), all = plan.tokens + 2 * room;
  const i64 most = pieces * blocks_of_piece(a);
  w->kept.room = room;
  take(w->kept.words, all);
  take(w->kept.sources, a.sources ? all : 0);
  take(w->kept.sentences, a.sources ? 0 : all);
  take(w->kept.reaches, a.sources ? 0 : all);
  take(w->kept.starts, pieces + 1);
  take(w->kept.blocks, pieces + 1);
  take(w->kept.piece_of, most);
  take(w->kept.there, 1);
  take(w->done, most);
  take(w->room, plan.on_chip ? 0 : plan.blocks * w->shape.floats);
  if (!plan.round) return taken;
  const int inputs = a.cbow ? w->shape.company : w->shape.width, outputs = w->shape.targets + w->shape.shared;
  w->waiting = {nullptr, nullptr, nullptr, nullptr, most, inputs, outputs, up(a.input.dim, 4)};
  expect_numbers(most * (inputs > outputs ? inputs : outputs));
  take(w->waiting.input_steps, most * inputs * w->waiting.width);
  take(w->waiting.output_steps, most * outputs * w->waiting.width);
  take(w->waiting.input_words, most * inputs);
  take(w->waiting.output_words, most * outputs);
  return taken;
}

bool aligned(const Matrix<float>& table) {
  return table.dim % 4 == 0 && reinterpret_cast<std::uintptr_t>(table.data) % 16 == 0;
}

}  // namespace

SamplingPlan negative_sampling_plan(const NegativeSampling& args, i64 tokens, bool round, i64 blocks) {
  constexpr i64 kLeastSlice = 32, kAskedFor = 2;  // columns; blocks of a multiprocessor
  constexpr i64 kRoom = 1 << 30;                  // bytes of device memory that stand in for shared memory, about
  constexpr i64 kReserved = 1 << 10;              // bytes that a block takes beside its own
  const i64 most = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, "shared memory of a block") - kReserved;
  const i64 together = attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, "shared memory");
  const i64 dim = args.input.dim;
  SamplingPlan plan{tokens, round, up(dim, 4), false, 1, 0, 0};
  for (i64 wanted = kAskedFor; wanted > 0 && !plan.on_chip; --wanted) {
    for (i64 slices = 1; !plan.on_chip && (slices == 1 || ceil_div(dim, slices) >= kLeastSlice); ++slices) {
      const i64 slice = up(ceil_div(dim, slices), 4), bytes = 4 * shape_of(args, slice).floats;
      if (bytes > most || wanted * (bytes + kReserved) > together) continue;
      plan.slice = slice;
      plan.on_chip = true;
    }
  }
  Work work{};
  work.shape = shape_of(args, plan.slice);
  const i64 bytes = 4 * work.shape.floats, room = kRoom / bytes > 1 ? kRoom / bytes : 1;
  i64 fit = (plan.on_chip ? blocks_each(train_kernel<true>, kThreads, bytes) : 1) * multiprocessors();
  if (!plan.on_chip && room < fit) fit = room;
  const i64 few = ceil_div(args.output.rows, kWordsACentre * args.block);
  plan.blocks = blocks > 0 ? blocks : round || fit < few ? fit : few;
  NegativeSampling measured = args;
  measured.scratch = nullptr;
  plan.scratch = carve_scratch(measured, plan, &work);
  const i64 sorted = work.waiting.blocks * (work.waiting.inputs + work.waiting.outputs);
  plan.needed = plan.scratch + 20 * sorted + (round ? 8 * (args.input.rows + args.output.rows) : 0);
  return plan;
}

void negative_sampling(const NegativeSampling& args, const SamplingPlan& plan, Range tokens, cudaStream_t stream) {
  if (tokens.begin == tokens.end) return;
  Work work{};
  work.a = args;
  work.shape = shape_of(args, plan.slice);
  work.tokens = tokens;
  work.pieces = ceil_div(tokens.end - tokens.begin, args.piece);
  work.fours = aligned(args.input) && aligned(args.output);
  carve_scratch(args, plan, &work);
  pack({args, work.kept, tokens, work.pieces}, stream);
  if (plan.on_chip) blocks_each(train_kernel<true>, kThreads, 4 * work.shape.floats);
  launch_with(plan.on_chip ? 4 * work.shape.floats : 0, "negative_sampling",
              plan.on_chip ? train_kernel<true> : train_kernel<false>, static_cast<unsigned>(plan.blocks), kThreads,
              stream, work);
  launch("negative_sampling: sums", add_up_kernel, 1, kSumThreads, stream, work);
  if (plan.round) end_round(args, work.waiting, work.fours, stream);
}

}  // namespace firth::cuda
