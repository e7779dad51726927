// glove on the device, by the contract of firth/glove.h. Two kernels a round. One finds where each row's counts in its
// group's span of columns begin and end. In the other a warp walks a group's tile: it makes the logarithms and weights
// of 32 counts at a time, whichever rows they are of, then takes them one by one, with both rows in registers. While it
// computes, the rows of the next count are on their way. Groups share nothing, so a round needs no atomics, and its
// result does not depend on which group runs when.
#include "firth/glove.h"
#include "kernels.h"
#include "warp.h"

namespace firth::cuda {
namespace {

constexpr int kFindThreads = 256;
constexpr i64 kMostParts = 8;  // groups of four floats of a vector that a thread keeps in registers
static_assert(kMostDeviceDim + 2 <= 4 * kWarp * kMostParts);

// The first place in rising indices [begin, end) that is not below `column`.
__device__ i64 first_from(const u32* indices, i64 begin, i64 end, u32 column) {
  while (begin < end) {
    const i64 middle = begin + (end - begin) / 2;
    if (indices[middle] < column)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

// The group that the k-th row in order belongs to: the last that begins there or before.
__device__ i64 group_of(const Glove& a, i64 k) {
  i64 low = 0, high = a.groups;
  while (high - low > 1) {
    const i64 middle = low + (high - low) / 2;
    (a.row_starts[middle] <= k ? low : high) = middle;
  }
  return low;
}

__global__ void __launch_bounds__(kFindThreads) find_kernel(const __grid_constant__ Glove a, Range* counts) {
  const i64 step = static_cast<i64>(gridDim.x) * kFindThreads;
  for (i64 k = static_cast<i64>(blockIdx.x) * kFindThreads + threadIdx.x; k < a.words.rows; k += step) {
    const i64 word = static_cast<i64>(a.order[k]), span = (group_of(a, k) + a.shift + a.round) % a.groups;
    const i64 end = a.indptr[word + 1];
    const i64 begin = first_from(a.indices, a.indptr[word], end, a.column_starts[span]);
    counts[k] = {begin, first_from(a.indices, begin, end, a.column_starts[span + 1])};
  }
}

struct alignas(16) Four {
  float x[4];
};

// A row of a table: each thread of the warp has some of its numbers and of their G. What lies beyond its end is 0, and
// its G is 1, as a step divides by its root.
template <int kParts>
struct Row {
  Four numbers[kParts], squares[kParts];

  __device__ Row() {
#pragma unroll
    for (int p = 0; p < kParts; ++p) {
      numbers[p] = {{0, 0, 0, 0}};
      squares[p] = {{1, 1, 1, 1}};
    }
  }
};

// Thread t has the fours t, t + 32, ... of a vector of `width` floats.
__device__ int four_of(int part) { return lane() + part * kWarp; }

template <int kParts>
__device__ void load(Row<kParts>& to, const float* row, int width) {
#pragma unroll
  for (int p = 0; p < kParts; ++p) {
    if (4 * four_of(p) >= width) continue;
    to.numbers[p] = reinterpret_cast<const Four*>(row)[four_of(p)];
    to.squares[p] = reinterpret_cast<const Four*>(row + width)[four_of(p)];
  }
}

template <int kParts>
__device__ void store(const Row<kParts>& from, float* row, int width) {
#pragma unroll
  for (int p = 0; p < kParts; ++p) {
    if (4 * four_of(p) >= width) continue;
    reinterpret_cast<Four*>(row)[four_of(p)] = from.numbers[p];
    reinterpret_cast<Four*>(row + width)[four_of(p)] = from.squares[p];
  }
}

// The scalar product of two vectors, the same bits in all threads.
template <int kParts>
__device__ float product(const Row<kParts>& a, const Row<kParts>& b) {
  float sum = 0;
#pragma unroll
  for (int p = 0; p < kParts; ++p)
#pragma unroll
    for (int i = 0; i < 4; ++i) sum += a.numbers[p].x[i] * b.numbers[p].x[i];
  for (int step = kWarp / 2; step > 0; step /= 2) sum += __shfl_xor_sync(kWholeWarp, sum, step);
  return sum;
}

__device__ void step(float& number, float& squares, float gradient) {
  number -= gradient * rsqrtf(squares);
  squares += gradient * gradient;
}

// Both rows' steps, from the state before either changed. The last two numbers hold the biases.
template <int kParts>
__device__ void update(Row<kParts>& w, Row<kParts>& c, float slope, float lr, int width) {
  const float rate = slope * lr;
#pragma unroll
  for (int p = 0; p < kParts; ++p) {
    const bool biases = 4 * four_of(p) == width - 4;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float x = w.numbers[p].x[i], y = c.numbers[p].x[i];
      const float of_word = !biases || i < 2 ? rate : i == 2 ? slope : 0;
      const float of_context = !biases || i < 2 ? rate : i == 3 ? slope : 0;
      step(w.numbers[p].x[i], w.squares[p].x[i], of_word * y);
      step(c.numbers[p].x[i], c.squares[p].x[i], of_context * x);
    }
  }
}

// 32 rows of a group, and 32 of their counts.
struct Batch {
  u32 words[kWarp];
  i64 ends[kWarp],
      places[kWarp];  // count q of these rows is of the first with ends[r] > q, and stands at places[r] + q
  u32 rows[kWarp], columns[kWarp];
  float logs[kWarp], weights[kWarp];
};

__device__ void read_rows(const Glove& a, const Range* counts, Batch& batch, i64 k, i64 end) {
  const bool there = k + lane() < end;
  const Range mine = there ? counts[k + lane()] : Range{0, 0};
  const i64 up_to = sum_up_to(mine.end - mine.begin);
  batch.words[lane()] = there ? a.order[k + lane()] : 0;
  batch.ends[lane()] = up_to;
  batch.places[lane()] = mine.end - up_to;
  __syncwarp();
}

__device__ void read_counts(const Glove& a, Batch& batch, i64 first, float log_x_max) {
  const i64 q = first + lane();
  if (q < batch.ends[kWarp - 1]) {
    int low = 0, high = kWarp - 1;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (batch.ends[middle] <= q)
        low = middle + 1;
      else
        high = middle;
    }
    const i64 place = batch.places[low] + q;
    const float log = logf(a.data[place]), under = (log - log_x_max) * a.alpha;
    batch.rows[lane()] = batch.words[low];
    batch.columns[lane()] = a.indices[place];
    batch.logs[lane()] = log;
    batch.weights[lane()] = under < 0 ? expf(under) : 1.0f;
  }
  __syncwarp();
}

// Block g walks group g's tile of this round.
template <int kParts>
__global__ void __launch_bounds__(kWarp) walk_kernel(const __grid_constant__ Glove a, const Range* counts) {
  __shared__ Batch batch;
  const i64 g = blockIdx.x;
  Fitted fitted = a.fitted[g];
  if (fitted.blown_up >= 0) return;
  const int width = static_cast<int>(glove_width(a.dim));
  const float log_x_max = logf(a.x_max);
  Row<kParts> w, c, next_w, next_c;
  i64 word = -1;  // whose row is in w
  for (i64 k = a.row_starts[g]; k < a.row_starts[g + 1] && fitted.blown_up < 0; k += kWarp) {
    read_rows(a, counts, batch, k, a.row_starts[g + 1]);
    const i64 total = batch.ends[kWarp - 1];
    for (i64 first = 0; first < total && fitted.blown_up < 0; first += kWarp) {
      read_counts(a, batch, first, log_x_max);
      const int many = static_cast<int>(total - first < kWarp ? total - first : kWarp);
      if (static_cast<i64>(batch.rows[0]) != word) {
        if (word >= 0) store(w, row(a.words, word), width);
        word = static_cast<i64>(batch.rows[0]);
        load(w, row(a.words, word), width);
      }
      load(c, row(a.contexts, static_cast<i64>(batch.columns[0])), width);
      for (int i = 0; i < many; ++i) {
        const u32 column = batch.columns[i];
        const bool more = i + 1 < many;
        const i64 next_word = more ? static_cast<i64>(batch.rows[i + 1]) : word;
        const u32 next_column = more ? batch.columns[i + 1] : column;
        if (next_word != word) load(next_w, row(a.words, next_word), width);
        if (next_column != column) load(next_c, row(a.contexts, static_cast<i64>(next_column)), width);

        const float difference = product(w, c) - batch.logs[i], slope = batch.weights[i] * difference;
        const double loss = static_cast<double>(slope) * static_cast<double>(difference);
        if (!(loss <= 1e300)) {
          fitted.blown_up = word;
          break;
        }
        fitted.loss += loss / 2;
        ++fitted.counts;
        update(w, c, slope, a.lr, width);

        store(c, row(a.contexts, static_cast<i64>(column)), width);
        if (next_column != column) c = next_c;  // two rows after each other may share a column
        if (next_word != word) {
          store(w, row(a.words, word), width);
          w = next_w;
          word = next_word;
        }
      }
      __syncwarp();
    }
    __syncwarp();
  }
  if (word >= 0) store(w, row(a.words, word), width);
  __syncwarp();
  if (threadIdx.x == 0) a.fitted[g] = fitted;
}

using Walk = void (*)(Glove, const Range*);
Walk walk_of(i64 parts) {
  return parts <= 1   ? walk_kernel<1>
         : parts <= 2 ? walk_kernel<2>
         : parts <= 3 ? walk_kernel<3>
         : parts <= 4 ? walk_kernel<4>
                      : walk_kernel<kMostParts>;
}

}  // namespace

void glove(const Glove& args, Range* counts, cudaStream_t stream) {
  if (args.groups == 0 || args.words.rows == 0) return;
  const i64 parts = ceil_div(glove_width(args.dim), 4 * kWarp);
  launch("glove: find", find_kernel, blocks(args.words.rows, kFindThreads), kFindThreads, stream, args, counts);
  launch("glove", walk_of(parts), static_cast<unsigned>(args.groups), kWarp, stream, args, counts);
}

}  // namespace firth::cuda
