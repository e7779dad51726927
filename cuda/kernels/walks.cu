// walks on the device, by the functions of firth/walks.h. A thread has a walk, and what it does in a round is one
// trial: threads whose trial was vain try again while others are a step further, and who is at the end takes the next
// walk, so that nobody waits for the unlucky. A step that stays vain is taken over by the whole warp: 32 trials at a
// time, then exact sums over 32 edges at a time. They are of whole numbers, so all of this is the host's answer, bit
// for bit.
#include <device_only.h>

#include "firth/walks.h"
#include "kernels.h"
#include "warp.h"

namespace firth::cuda {
namespace {

constexpr int kWalkThreads = 128, kBlocksEach = 7;  // of a multiprocessor: for more, walks of second order spill
constexpr int kAlone = 48;                          // [?] trials of a step before its warp helps
constexpr int kSector = 8;                          // nodes that are written together: 32 bytes

struct alignas(16) FourNodes {
  u32 x[4];
};

struct Walker {
  i64 number;               // of the walk; -1: none
  int step, phase;          // nodes before this one; steps since the start, modulo the path's length
  int trial;                // of this step
  u32 start, node, before;  // before is kNowhere at a start
};

constexpr i64 kVain = -1, kHelp = -2;  // instead of an edge: the walk has none yet, or its warp must help

// The nodes of each thread that are not written yet, at their place in `out` modulo kSector.
struct Unwritten {
  u32 nodes[kSector][kWalkThreads];
};

__device__ void write(const Walks& a, const Unwritten& unwritten, i64 begin, i64 end) {
  const int me = static_cast<int>(threadIdx.x);
  if (end - begin == kSector && reinterpret_cast<std::uintptr_t>(a.out) % 16 == 0) {
#pragma unroll
    for (int half = 0; half < kSector; half += 4) {
      FourNodes four;
#pragma unroll
      for (int i = 0; i < 4; ++i) four.x[i] = unwritten.nodes[half + i][me];
      *reinterpret_cast<FourNodes*>(a.out + begin + half) = four;
    }
    return;
  }
  for (i64 at = begin; at < end; ++at) a.out[at] = unwritten.nodes[at % kSector][me];
}

// Notes the walk's node; whole sectors, and what is left at the end, are written.
__device__ void note(const Walks& a, Unwritten& unwritten, const Walker& w, bool end) {
  const i64 first = w.number * a.length, place = first + w.step;
  unwritten.nodes[place % kSector][threadIdx.x] = w.node;
  if (!end && (place + 1) % kSector != 0) return;
  const i64 begin = place / kSector * kSector;
  write(a, unwritten, begin > first ? begin : first, place + 1);
}

__device__ void finish(const Walks& a, const Unwritten& unwritten, Walker& w) {
  const i64 first = w.number * a.length, end = first + w.step + 1, begin = end / kSector * kSector;
  if (begin < end) write(a, unwritten, begin > first ? begin : first, end);
  w.number = -1;
}

// Threads without a walk take the next ones. Returns whether there were enough.
__device__ bool take_walks(const Walks& a, Unwritten& unwritten, unsigned long long* next, Walker& w) {
  const unsigned idle = __ballot_sync(kWholeWarp, w.number < 0);
  if (idle == 0) return true;
  unsigned long long first = 0;
  if (lane() == 0) first = atomicAdd(next, static_cast<unsigned long long>(__popc(idle)));
  first = __shfl_sync(kWholeWarp, first, 0);
  const unsigned before = idle & ((1u << lane()) - 1);
  const i64 mine = static_cast<i64>(first) + __popc(before);
  if (w.number < 0 && mine < a.walks) {
    w = {mine, 0, 0, 0, a.starts[mine], 0, kNowhere};
    w.node = w.start;
    note(a, unwritten, w, a.length == 1);
    if (a.length == 1) w.number = -1;
  }
  return static_cast<i64>(first) + __popc(idle) <= a.walks;
}

// The walk goes to its next node, of a step or back at the start.
__device__ void arrive(const Walks& a, Unwritten& unwritten, Walker& w, u32 node, u32 before, int phase) {
  w.before = before;
  w.node = node;
  w.phase = phase;
  w.trial = 0;
  ++w.step;
  const bool end = w.step + 1 == a.length;
  note(a, unwritten, w, end);
  if (end) w.number = -1;
}

__device__ int next_phase(const Walks& a, const Walker& w) { return w.phase + 1 < a.path_size ? w.phase + 1 : 0; }

// One trial of a thread's own: an edge, or why there is none to follow.
__device__ i64 attempt(const Walks& a, Unwritten& unwritten, Walker& w) {
  const Draw d = walk_draw(a, a.first_walk + static_cast<u64>(w.number), w.step, w.trial);
  if (w.trial == 0 && a.restart > 0 && d.w < a.restart) {
    arrive(a, unwritten, w, w.start, kNowhere, 0);
    return kVain;
  }
  const u32 type = a.path[next_phase(a, w)];
  const Range edges = edges_of(a, w.node, type);
  const i64 degree = edges.end - edges.begin;
  if (degree == 0) {
    finish(a, unwritten, w);
    return kVain;
  }
  if (!a.bias.second || w.before == kNowhere) return edge_at(a, edges, d.x);
  const i64 edge = tried(a, d, edges, w.before, type);
  if (edge >= 0) return edge;
  ++w.trial;
  return w.trial >= kAlone || w.trial >= most_trials(degree) ? kHelp : kVain;
}

// The edge by exact sums, as `summed` has it.
__device__ i64 summed_by_warp(const Walks& a, const Draw& d, Range edges, u32 before, u32 type) {
  u64 total = 0;
  for (i64 e = edges.begin + lane(); e < edges.end; e += kWarp) total += mass_of(a, edges, e, before, type);
  for (int step = kWarp / 2; step > 0; step /= 2) total += __shfl_xor_sync(kWholeWarp, total, step);
  u64 left = high_product_64(static_cast<u64>(d.x) << 32 | d.y, total);
  for (i64 first = edges.begin; first < edges.end; first += kWarp) {
    const i64 e = first + lane();
    const u64 up_to = sum_up_to(e < edges.end ? mass_of(a, edges, e, before, type) : u64{0});
    const unsigned over = __ballot_sync(kWholeWarp, left < up_to);
    if (over != 0) return first + first_of(over);
    left -= __shfl_sync(kWholeWarp, up_to, kWarp - 1);
  }
  return edges.end - 1;
}

// All threads work on the step of one of them.
__device__ i64 helped(const Walks& a, const Walker& w, int whose) {
  const auto told = [whose](auto mine) { return __shfl_sync(kWholeWarp, mine, whose); };
  const u64 walk = a.first_walk + static_cast<u64>(told(w.number));
  const int step = told(w.step), trial = told(w.trial);
  const u32 before = told(w.before), type = a.path[told(next_phase(a, w))];
  const Range edges = edges_of(a, told(w.node), type);
  const i64 trials = most_trials(edges.end - edges.begin);
  for (i64 first = trial; first < trials; first += kWarp) {
    const i64 mine = first + lane();
    const i64 edge = mine < trials ? tried(a, walk_draw(a, walk, step, mine), edges, before, type) : -1;
    const unsigned right = __ballot_sync(kWholeWarp, edge >= 0);
    if (right != 0) return __shfl_sync(kWholeWarp, edge, first_of(right));
  }
  return summed_by_warp(a, walk_draw(a, walk, step, trials), edges, before, type);
}

template <bool kSecond>
__device__ void walk(const Walks& a, unsigned long long* next) {
  __shared__ Unwritten unwritten;
  Walker w{};
  w.number = -1;
  for (bool more = true;;) {
    if (more) more = take_walks(a, unwritten, next, w);
    if (__ballot_sync(kWholeWarp, w.number >= 0) == 0) {
      if (!more) return;
      continue;
    }
    i64 edge = w.number >= 0 ? attempt(a, unwritten, w) : kVain;
    for (unsigned waiting = kSecond ? __ballot_sync(kWholeWarp, edge == kHelp) : 0; waiting != 0;
         waiting &= waiting - 1) {
      const int whose = first_of(waiting);
      const i64 found = helped(a, w, whose);
      if (lane() == whose) edge = found;
    }
    if (edge >= 0) arrive(a, unwritten, w, a.links.indices[edge], w.node, next_phase(a, w));
  }
}

// What the two orders do not share takes registers, so each has a kernel.
__global__ void __launch_bounds__(kWalkThreads)
    first_order_kernel(const __grid_constant__ Walks given, unsigned long long* next) {
  Walks a = given;
  a.bias.second = false;
  walk<false>(a, next);
}

__global__ void __launch_bounds__(kWalkThreads, kBlocksEach)
    second_order_kernel(const __grid_constant__ Walks a, unsigned long long* next) {
  walk<true>(a, next);
}

}  // namespace

void walks(const Walks& args, cudaStream_t stream) {
  if (args.walks == 0) return;
  const std::size_t bytes = static_cast<std::size_t>(args.walks * args.length) * sizeof(u32);
  check(cudaMemsetAsync(args.out, 0xff, bytes, stream), "walks: nowhere");  // behind those that will end
  const Scratch<unsigned long long> next(1, stream);
  check(cudaMemsetAsync(next.data(), 0, sizeof(unsigned long long), stream), "walks: next");
  const auto kernel = args.bias.second ? second_order_kernel : first_order_kernel;
  const i64 fit = blocks_each(kernel, kWalkThreads, 0) * multiprocessors();
  const i64 wanted = ceil_div(args.walks, kWalkThreads);
  launch("walks", kernel, static_cast<unsigned>(wanted < fit ? wanted : fit), kWalkThreads, stream, args, next.data());
}

}  // namespace firth::cuda
