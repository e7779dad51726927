// ranking on the device, by the contract of firth/ranking.h. A warp takes 32 samples. Each thread draws one; then teams
// of 8 threads, 16 or 32 for longer rows, train one each: they keep its rows in registers, a thread some groups of four
// columns, and add the steps to the tables with atomics. For warp, the threads of a team draw and look up a trial each,
// then the team scores them in order.
//
// Rows are stale by what is in flight, so the number of samples in flight is bounded by the tables. One at a time is
// the order of the contract.
#include <device_only.h>

#include "firth/ranking.h"
#include "kernels.h"
#include "warp.h"

namespace firth::cuda {
namespace {

constexpr i64 kRowsASample =
    8;  // [?] rows of the smaller table for each sample in flight, so that rows are not too old

// A team of kTeam threads, each of which keeps kParts groups of four columns of three rows.
template <int kTeam_, int kParts_>
struct Team {
  static constexpr int kTeam = kTeam_, kParts = kParts_, kTeams = kWarp / kTeam, kColumns = 4 * kTeam * kParts;

  __device__ static int number() { return lane() / kTeam; }
  __device__ static int member() { return lane() % kTeam; }

  template <class T>
  __device__ static T sum(T value) {
    for (int step = kTeam / 2; step > 0; step /= 2) value += __shfl_xor_sync(kWholeWarp, value, step);
    return value;
  }
  // What `member` of this team has.
  template <class T>
  __device__ static T of(T value, int member) {
    return __shfl_sync(kWholeWarp, value, number() * kTeam + member);
  }
  // The votes of this team; all of the warp vote.
  __device__ static unsigned votes(bool vote) {
    const unsigned all = __ballot_sync(kWholeWarp, vote);
    return kTeam == kWarp ? all : (all >> (number() * kTeam)) & ((1u << (kTeam % kWarp)) - 1);
  }
};

struct Sample {
  u32 user, met, other;
};

// What a thread has of a slice of the columns of a row.
template <class T>
struct Part {
  Four fours[T::kParts];

  // Columns from `begin` on; zeros beyond the end of the row.
  __device__ void load(const float* row, int begin, int dim, bool aligned) {
#pragma unroll
    for (int p = 0; p < T::kParts; ++p) {
      const int column = begin + 4 * (T::member() + p * T::kTeam);
      fours[p] = {{0, 0, 0, 0}};
      if (aligned && column < dim) fours[p] = read_four(row + column);
      for (int i = 0; !aligned && i < 4 && column + i < dim; ++i) fours[p].x[i] = read_one(row + column + i);
    }
  }
  __device__ void add_to(float* row, int begin, int dim, bool aligned) const {
#pragma unroll
    for (int p = 0; p < T::kParts; ++p) {
      const int column = begin + 4 * (T::member() + p * T::kTeam);
      if (aligned && column < dim) add_four(row + column, fours[p]);
      for (int i = 0; !aligned && i < 4 && column + i < dim; ++i) add_one(row + column + i, fours[p].x[i]);
    }
  }
};

// The three rows of a team's sample, or a slice of them, and what is done with them.
template <class T>
struct Rows {
  const Ranking& a;
  const int dim = static_cast<int>(a.users.dim), slices = (dim + T::kColumns - 1) / T::kColumns;
  const bool aligned = dim % 4 == 0 && reinterpret_cast<std::uintptr_t>(a.users.data) % 16 == 0 &&
                       reinterpret_cast<std::uintptr_t>(a.items.data) % 16 == 0;
  Part<T> user = {}, met = {}, other = {};

  __device__ void load_pair(const Sample& s, int slice) {
    user.load(row(a.users, s.user), slice * T::kColumns, dim, aligned);
    met.load(row(a.items, s.met), slice * T::kColumns, dim, aligned);
  }
  __device__ void load_other(const Sample& s, int slice) {
    other.load(row(a.items, s.other), slice * T::kColumns, dim, aligned);
  }

  // s(u, i) - s(u, j), the same bits in all threads of the team; 0 where there is no sample. A pair whose rows are one
  // slice is loaded once.
  __device__ float score(const Sample& s, bool there, bool loaded) {
    float sum = 0;
    for (int slice = 0; there && slice < slices; ++slice) {
      if (!loaded || slices > 1) load_pair(s, slice);
      load_other(s, slice);
#pragma unroll
      for (int p = 0; p < T::kParts; ++p)
#pragma unroll
        for (int i = 0; i < 4; ++i) sum += user.fours[p].x[i] * (met.fours[p].x[i] - other.fours[p].x[i]);
    }
    // Who reads biases also adds to them, so that it sees its own additions.
    if (there && a.biases && T::member() == 0) sum += read_one(a.biases + s.met) - read_one(a.biases + s.other);
    return T::sum(sum);
  }

  // One step; the last slice is still there.
  __device__ void learn(const Sample& s, float gradient) {
    const float move = a.lr * gradient, decay = a.lr * a.reg;
    for (int slice = slices - 1; slice >= 0; --slice) {
      if (slice + 1 < slices) {
        load_pair(s, slice);
        load_other(s, slice);
      }
#pragma unroll
      for (int p = 0; p < T::kParts; ++p)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float u = user.fours[p].x[i], m = met.fours[p].x[i], o = other.fours[p].x[i];
          user.fours[p].x[i] = move * (m - o) - decay * u;
          met.fours[p].x[i] = move * u - decay * m;
          other.fours[p].x[i] = -move * u - decay * o;
        }
      const int begin = slice * T::kColumns;
      user.add_to(row(a.users, s.user), begin, dim, aligned);
      met.add_to(row(a.items, s.met), begin, dim, aligned);
      other.add_to(row(a.items, s.other), begin, dim, aligned);
    }
    if (!a.biases || T::member() > 0) return;
    add_one(a.biases + s.met, move - decay * read_one(a.biases + s.met));
    add_one(a.biases + s.other, -move - decay * read_one(a.biases + s.other));
  }
};

__device__ bool has_met(const Ranking& a, u32 user, u32 item) { return linked(a.links, static_cast<i64>(user), item); }

__device__ Sample drawn(const Ranking& a, const Draw& d) {
  const i64 pair = met_pair(a, d);
  return {a.owners[pair], a.links.indices[pair], other_item(a, d)};
}

__device__ bool finite(float x) { return x - x == 0; }

// The sample of thread k, in all threads of a team; threads without a team have k = 32 or more.
__device__ Sample told(const Sample& mine, int k) {
  return {__shfl_sync(kWholeWarp, mine.user, k % kWarp), __shfl_sync(kWholeWarp, mine.met, k % kWarp),
          __shfl_sync(kWholeWarp, mine.other, k % kWarp)};
}

// Trains samples [first, first + count), `each` teams of the warp side by side. `done` is that of a team, kept by its
// first thread; blown_up by all.
template <class T>
__device__ void bpr(const Ranking& a, i64 first, int count, int each, RankingOutcome& done) {
  Sample mine{0, 0, 0};
  bool vain = true;
  if (lane() < count) {
    const u64 number = static_cast<u64>(first + lane());
    mine = drawn(a, ranking_draw(a, number, 0));
    vain = has_met(a, mine.user, mine.other);
    for (i64 trial = 1; vain && trial < a.trials; ++trial) {
      mine.other = other_item(a, ranking_draw(a, number, trial));
      vain = has_met(a, mine.user, mine.other);
    }
  }
  const unsigned found = __ballot_sync(kWholeWarp, !vain);
  if (lane() == 0) done.skipped += count - __popc(found);
  Rows<T> rows{a};
  for (int begin = 0; begin < count; begin += each) {
    if (__ballot_sync(kWholeWarp, done.blown_up >= 0) != 0) return;
    const int k = begin + T::number();
    const Sample s = told(mine, k);
    const bool there = T::number() < each && k < count && (found >> k & 1) != 0;
    const float x = rows.score(s, there, false);
    if (!there) continue;
    if (!finite(x)) {
      done.blown_up = first + k;
      continue;
    }
    const float e = expf(-fabsf(x));
    rows.learn(s, (x > 0 ? e : 1.0f) / (1.0f + e));
    if (T::member() > 0) continue;
    done.loss += static_cast<double>((x > 0 ? 0.0f : -x) + log1pf(e));
    ++done.samples;
    done.right += x > 0;
  }
}

// The same for warp. A team that is done with its sample takes the next one, whatever the others do.
template <class T>
__device__ void warp(const Ranking& a, i64 first, int count, int each, RankingOutcome& done) {
  Sample mine{0, 0, 0};
  if (lane() < count) mine = drawn(a, ranking_draw(a, static_cast<u64>(first + lane()), 0));
  Rows<T> rows{a};
  int k = T::number() < each ? T::number() : kWarp;
  i64 trial = 0;     // of all those before it none was ranked too high,
  bool any = false;  // and one of them was not met
  while (__ballot_sync(kWholeWarp, k < count) != 0) {
    if (__ballot_sync(kWholeWarp, done.blown_up >= 0) != 0) return;
    Sample s = told(mine, k);
    const i64 tried = trial + T::member();
    u32 item = 0;
    bool open = false;
    if (k < count && tried < a.trials) {
      item = other_item(a, ranking_draw(a, static_cast<u64>(first + k), tried));
      open = !has_met(a, s.user, item);
    }
    unsigned left = T::votes(open);
    any = any || left != 0;
    bool loaded = false, ended = trial + T::kTeam >= a.trials, right = true;
    while (__ballot_sync(kWholeWarp, left != 0) != 0) {
      const bool there = left != 0;
      const int next = there ? first_of(left) : 0;
      s.other = T::of(item, next);
      const float x = rows.score(s, there, loaded);
      if (!there) continue;
      loaded = true;
      left &= left - 1;
      if (finite(x) && x >= 1) continue;
      left = 0;
      ended = true;
      if (!finite(x)) {
        done.blown_up = first + k;
        continue;
      }
      right = x > 0;
      const u32 quotient = static_cast<u32>(a.items.rows - 1) / static_cast<u32>(trial + next + 1);
      const float rank = quotient > 1 ? logf(static_cast<float>(quotient)) : 0.0f;
      if (T::member() == 0) done.loss += static_cast<double>(rank) * static_cast<double>(1 - x);
      rows.learn(s, rank);
    }
    trial += T::kTeam;
    if (!ended || k >= count || done.blown_up >= 0) continue;
    if (T::member() == 0) {
      done.samples += any;
      done.right += any && right;
      done.skipped += !any;
    }
    k += each;
    trial = 0;
    any = false;
  }
}

template <class T, bool kOfWarp>
__global__ void __launch_bounds__(kWarp)
    ranking_kernel(const __grid_constant__ Ranking a, i64 flight, const __grid_constant__ Range samples) {
  RankingOutcome done{0, 0, 0, 0, a.outcome[blockIdx.x].blown_up};
  const int each = static_cast<int>(flight < T::kTeams ? flight : T::kTeams);
  const i64 step = static_cast<i64>(gridDim.x) * kWarp;
  for (i64 first = samples.begin + static_cast<i64>(blockIdx.x) * kWarp; first < samples.end; first += step) {
    if (__ballot_sync(kWholeWarp, done.blown_up >= 0) != 0) break;
    const int count = static_cast<int>(samples.end - first < kWarp ? samples.end - first : kWarp);
    if (kOfWarp)
      warp<T>(a, first, count, each, done);
    else
      bpr<T>(a, first, count, each, done);
  }
  u64 bad = static_cast<u64>(done.blown_up);  // -1, which is none, is the greatest
  for (int way = kWarp / 2; way > 0; way /= 2) {
    done.loss += __shfl_xor_sync(kWholeWarp, done.loss, way);
    done.samples += __shfl_xor_sync(kWholeWarp, done.samples, way);
    done.right += __shfl_xor_sync(kWholeWarp, done.right, way);
    done.skipped += __shfl_xor_sync(kWholeWarp, done.skipped, way);
    const u64 other = __shfl_xor_sync(kWholeWarp, bad, way);
    bad = other < bad ? other : bad;
  }
  __syncwarp();  // all have read what lane 0 writes
  if (lane() > 0) return;
  RankingOutcome& all = a.outcome[blockIdx.x];
  all.loss += done.loss;
  all.samples += done.samples;
  all.right += done.right;
  all.skipped += done.skipped;
  all.blown_up = static_cast<i64>(bad);
}

struct Way {
  void (*kernel)(Ranking, i64, Range);
  i64 teams;  // of a warp
};
template <class T>
Way way(const Ranking& a) {
  return {a.loss == firth::kWarp ? ranking_kernel<T, true> : ranking_kernel<T, false>, T::kTeams};
}
Way way_of(const Ranking& a) {
  const i64 dim = a.users.dim;
  return dim <= 32    ? way<Team<8, 1>>(a)
         : dim <= 64  ? way<Team<8, 2>>(a)
         : dim <= 128 ? way<Team<16, 2>>(a)
         : dim <= 256 ? way<Team<32, 2>>(a)
                      : way<Team<32, 3>>(a);
}

}  // namespace

i64 ranking_flight(const Ranking& args, i64 wanted) {
  const Way way = way_of(args);
  const i64 fit = blocks_each(way.kernel, kWarp, 0) * multiprocessors() * way.teams;
  const i64 rows = args.users.rows < args.items.rows ? args.users.rows : args.items.rows;
  const i64 few = ceil_div(rows, kRowsASample), most = fit < few ? fit : few;
  return wanted > 0 ? wanted : most > 1 ? most : 1;
}

i64 ranking_blocks(const Ranking& args, i64 flight) { return ceil_div(flight, way_of(args).teams); }

void ranking(const Ranking& args, i64 flight, Range samples, cudaStream_t stream) {
  if (samples.begin == samples.end) return;
  launch("ranking", way_of(args).kernel, static_cast<unsigned>(ranking_blocks(args, flight)), kWarp, stream, args,
         flight, samples);
}

}  // namespace firth::cuda
