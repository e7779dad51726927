// subwords, bag_means and subword_means on the device, by the contract of firth/subwords.h and with its functions. A
// warp takes a tile of consecutive words. Their bytes, boundaries included, are laid end to end, and each thread takes
// one: if a character begins there, the thread writes all n-grams that begin there, with one hash that rolls on. Where
// they stand in the bag follows from how many characters come before, so that no thread waits for another's n-grams.
// Ids go into a window of shared memory, from where they are stored in order, or named rows are added up at once.
#include "kernels.h"
#include "warp.h"

namespace firth::cuda {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / kWarp;
constexpr int kBlocks = 8, kMeansBlocks = 6;  // [?] that a multiprocessor is to hold at least
constexpr int kRoom = 512;                    // [?] ids of a window
constexpr i64 kLong = 256;                    // [?] bytes of a word whose characters a warp counts together
constexpr i64 kWarpsEach = 32;  // [?] warps that a multiprocessor should have before tiles have several words
constexpr int kAhead = 4;       // rows that a thread asks for before it adds the first

__device__ i64 warp_of_grid() { return static_cast<i64>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kWarp; }
__device__ i64 warps_of_grid() { return static_cast<i64>(gridDim.x) * kWarps; }

// hash % buckets without a division. With reciprocal = floor((2^32 - 1) / buckets) the quotient comes out right or one
// too small: hash (2^32 - reciprocal buckets) / (2^32 buckets) is less than 1.
struct Modulo {
  u32 buckets, reciprocal;
};
FIRTH_HD Modulo modulo(u32 buckets) { return {buckets, 0xffffffff / buckets}; }
FIRTH_HD u32 bucket_of(u32 hash, Modulo m) {
  const u32 rest = hash - static_cast<u32>(static_cast<u64>(hash) * m.reciprocal >> 32) * m.buckets;
  return rest < m.buckets ? rest : rest - m.buckets;
}

// ---- words ----------------------------------------------------------------------------------------------------------

struct Task {
  Subwords words;
  Modulo modulo;
  i64 each;  // words of a tile, at most kWarp
};
__host__ __device__ i64 tiles_of(const Task& task) { return (task.words.words + task.each - 1) / task.each; }

struct Size {
  i64 bytes, characters, ids;  // of "<w>"; all 0 if w has no n-grams because it ends a line
};

__device__ i64 begin_of(const Subwords& a, i64 word) { return a.begins[word]; }
__device__ i64 length_of(const Subwords& a, i64 word) { return a.ends[word] - a.begins[word]; }

// Each thread of a warp gets the size of its word. Long words are counted by all threads, one after the other.
__device__ Size size_of_mine(const Subwords& a, i64 first, i64 count) {
  const bool here = lane() < count;
  const unsigned char* word = here ? a.text + begin_of(a, first + lane()) : nullptr;
  const i64 length = here ? length_of(a, first + lane()) : 0;
  i64 characters = 2;
  if (length <= kLong)
    for (i64 i = 0; i < length; ++i) characters += !continues(word[i]);
  for (u32 longs = __ballot_sync(kWholeWarp, length > kLong); longs; longs &= longs - 1) {
    const int owner = __popc((longs & (~longs + 1)) - 1);
    const unsigned char* it = a.text + begin_of(a, first + owner);
    const i64 bytes = length_of(a, first + owner);
    i64 some = 0;
    for (i64 i = lane(); i < bytes; i += kWarp) some += !continues(it[i]);
    const i64 all = __shfl_sync(kWholeWarp, sum_up_to(some), kWarp - 1);
    if (lane() == owner) characters += all;
  }
  if (!here || ends_line(word, length)) return {0, 0, 0};
  const i64 ngrams = ngrams_of(characters, a.min_n, a.max_n);
  return {length + 2, characters, a.hashes == 0 ? ngrams : (ngrams + 1) * static_cast<i64>(a.hashes)};
}

// A tile of a warp: word w has bytes, characters and ids [w, w + 1) of these; and a window of ids.
struct Tile {
  i64 bytes[kWarp + 1], characters[kWarp + 1], ids[kWarp + 1];
  u32 window[kRoom];
};

__device__ void measure(const Subwords& a, Tile& tile, i64 first, i64 count) {
  const Size size = size_of_mine(a, first, count);
  const i64 bytes = sum_up_to(size.bytes), characters = sum_up_to(size.characters), ids = sum_up_to(size.ids);
  if (lane() == 0) tile.bytes[0] = tile.characters[0] = tile.ids[0] = 0;
  tile.bytes[lane() + 1] = bytes;
  tile.characters[lane() + 1] = characters;
  tile.ids[lane() + 1] = ids;
  __syncwarp();
}

// ---- n-grams --------------------------------------------------------------------------------------------------------

// What is left to write of the n-grams that begin at one character.
struct Run {
  Bounded bytes;
  i64 begin, end;  // the bytes of the last n-gram
  i64 index;       // of the next id in the tile
  u32 n, hash;     // characters in the last n-gram, and their hash
  bool whole;      // "<w>" itself comes next
};
__device__ bool goes_on(const Subwords& a, const Run& run) {
  return run.whole || (run.end < size(run.bytes) && run.n < a.max_n);
}

template <bool kFloret>
__device__ void write(const Task& task, Run& run, i64 begin, i64 end, u32* window) {
  if (kFloret) {
    u32 four[4];
    murmur(run.bytes, begin, end, four);
#pragma unroll
    for (u32 i = 0; i < kMostHashes; ++i)
      if (i < task.words.hashes) window[i] = bucket_of(four[i], task.modulo);
    run.index += task.words.hashes;
  } else {
    *window = bucket_of(run.hash, task.modulo);
    ++run.index;
  }
}

// Writes a run's ids as far as they are of the window [low, high) of the tile's.
template <bool kFloret>
__device__ void write_run(const Task& task, Run& run, u32* window, i64 low, i64 high) {
  const i64 end = size(run.bytes);
  if (kFloret && run.whole && run.index < high) {
    write<kFloret>(task, run, 0, end, window + (run.index - low));
    run.whole = false;
  }
  while (run.index < high && run.end < end && run.n < task.words.max_n) {
    u32 byte = byte_at(run.bytes, run.end);
    do {
      if (!kFloret) run.hash = fnv_step(run.hash, static_cast<unsigned char>(byte));
      byte = ++run.end < end ? byte_at(run.bytes, run.end) : 0;
    } while (continues(static_cast<unsigned char>(byte)));
    ++run.n;
    if (run.n < task.words.min_n || (run.n == 1 && (run.begin == 0 || run.end == end))) continue;
    write<kFloret>(task, run, run.begin, run.end, window + (run.index - low));
  }
}

// Fills the window with the ids of a tile that was measured, again and again, and calls take(low, high) when it has ids
// [low, high) of the tile; the last time high is their number.
template <bool kFloret, class Take>
__device__ void each_window(const Task& task, Tile& tile, i64 first, i64 count, Take take) {
  const Subwords& a = task.words;
  const i64 many = kFloret ? a.hashes : 1, room = kRoom - kRoom % many;
  const i64 total = tile.ids[count], bytes = total > 0 ? tile.bytes[count] : 0;
  i64 low = 0, characters = 0;  // that began before
  int w = 0;                    // the word of this thread's byte
  for (i64 at = 0;; at += kWarp) {
    Run run{};
    bool begins = false;
    if (at + lane() < bytes) {
      while (at + lane() >= tile.bytes[w + 1]) ++w;
      run.bytes = {a.text + begin_of(a, first + w), length_of(a, first + w)};
      run.begin = run.end = at + lane() - tile.bytes[w];
      begins = !continues(static_cast<unsigned char>(byte_at(run.bytes, run.begin)));
    }
    const u32 beginning = __ballot_sync(kWholeWarp, begins);
    if (begins) {
      const i64 before = characters + __popc(beginning & ((1u << lane()) - 1)) - tile.characters[w];
      const i64 all = tile.characters[w + 1] - tile.characters[w];
      run.hash = kFnvBasis;
      run.whole = kFloret && before == 0;
      run.index = tile.ids[w] + many * (ngrams_before(all, before, a.min_n, a.max_n) + (kFloret && before > 0 ? 1 : 0));
    }
    characters += __popc(beginning);
    for (bool full = true; full; low += room) {
      if (begins) write_run<kFloret>(task, run, tile.window, low, low + room);
      full = __ballot_sync(kWholeWarp, begins && goes_on(a, run)) != 0;
      if (!full && at < bytes) break;
      __syncwarp();
      take(low, full ? low + room : total);
      __syncwarp();
      if (!full) return;
    }
  }
}

__global__ void __launch_bounds__(kThreads) count_kernel(const __grid_constant__ Task task) {
  const Subwords& a = task.words;
  for (i64 t = warp_of_grid(); t < tiles_of(task); t += warps_of_grid()) {
    const i64 first = t * task.each, left = a.words - first, count = left < task.each ? left : task.each;
    const Size size = size_of_mine(a, first, count);
    if (lane() < count) a.offsets[first + lane() + 1] = size.ids;
  }
}

template <bool kFloret>
__global__ void __launch_bounds__(kThreads, kBlocks) subwords_kernel(const __grid_constant__ Task task) {
  __shared__ Tile tiles[kWarps];
  const Subwords& a = task.words;
  Tile& tile = tiles[threadIdx.x / kWarp];
  for (i64 t = warp_of_grid(); t < tiles_of(task); t += warps_of_grid()) {
    const i64 first = t * task.each, left = a.words - first, count = left < task.each ? left : task.each;
    measure(a, tile, first, count);
    u32* ids = a.ids + a.offsets[first];  // bags lie one behind the other
    each_window<kFloret>(task, tile, first, count, [&](i64 low, i64 high) {
      for (i64 i = low + lane(); i < high; i += kWarp) ids[i] = tile.window[i - low];
    });
  }
}

// ---- means ----------------------------------------------------------------------------------------------------------

// Neighbouring dimensions, which a thread reads at once.
template <int kWidth>
struct alignas(4 * kWidth) Part {
  float values[kWidth];
};
template <int kWidth>
__device__ Part<kWidth>& part(float* row, i64 d) {
  return *reinterpret_cast<Part<kWidth>*>(row + d);
}
template <int kWidth>
__device__ const Part<kWidth>& part(const float* row, i64 d) {
  return *reinterpret_cast<const Part<kWidth>*>(row + d);
}

// Adds the rows that ids name, in their order. There is nothing here that could become one fused operation.
template <int kWidth>
__device__ void add_rows(Part<kWidth>& sum, const Matrix<const float>& table, const u32* ids, i64 count, i64 d) {
  for (i64 i = 0; i < count; i += kAhead) {
    Part<kWidth> rows[kAhead] = {};
#pragma unroll
    for (int j = 0; j < kAhead; ++j)
      if (i + j < count) rows[j] = part<kWidth>(row(table, ids[i + j]), d);
#pragma unroll
    for (int j = 0; j < kAhead; ++j)
      if (i + j < count)
        for (int e = 0; e < kWidth; ++e) sum.values[e] += rows[j].values[e];
  }
}

template <int kWidth>
__device__ void multiply(Part<kWidth>& sum, i64 size) {
  const float share = static_cast<float>(1.0 / static_cast<double>(size > 0 ? size : 1));
  for (int e = 0; e < kWidth; ++e) sum.values[e] *= share;
}

// A group of threads takes `group * kWidth` dimensions of a bag.
template <int kWidth>
__global__ void __launch_bounds__(kThreads) bag_means_kernel(const BagMeans a, int group) {
  const i64 dim = a.table.dim, parts = (dim + group * kWidth - 1) / (group * kWidth);
  const i64 groups = kThreads / group, step = static_cast<i64>(gridDim.x) * groups;
  for (i64 t = static_cast<i64>(blockIdx.x) * groups + static_cast<int>(threadIdx.x) / group; t < a.bags * parts;
       t += step) {
    const i64 bag = t / parts, d = (t % parts * group + static_cast<int>(threadIdx.x) % group) * kWidth;
    if (d >= dim) continue;
    const i64 begin = a.offsets[bag], size = a.offsets[bag + 1] - begin;
    Part<kWidth> sum{};
    add_rows(sum, a.table, a.ids + begin, size, d);
    multiply(sum, size);
    part<kWidth>(row(a.means, bag), d) = sum;
  }
}

struct MeansTask {
  Task task;
  Matrix<const float> table;  // its first row is bucket 0's
  Matrix<float> means;
  int group;  // threads that share a row
};

// A word whose ids do not all stand in one window has its sum so far in its mean.
template <bool kFloret, int kWidth>
__global__ void __launch_bounds__(kThreads, kMeansBlocks) subword_means_kernel(const __grid_constant__ MeansTask a) {
  __shared__ Tile tiles[kWarps];
  const Task& task = a.task;
  Tile& tile = tiles[threadIdx.x / kWarp];
  const int groups = kWarp / a.group, group = lane() / a.group;
  for (i64 t = warp_of_grid(); t < tiles_of(task); t += warps_of_grid()) {
    const i64 first = t * task.each, left = task.words.words - first, count = left < task.each ? left : task.each;
    measure(task.words, tile, first, count);
    i64 done = 0;  // words
    each_window<kFloret>(task, tile, first, count, [&](i64 low, i64 high) {
      const i64* ids = tile.ids;
      for (i64 w = done + group; w < count && (ids[w] < high || ids[w + 1] <= high); w += groups) {
        const i64 begin = ids[w] < low ? low : ids[w], end = ids[w + 1] < high ? ids[w + 1] : high;
        for (i64 d = lane() % a.group * kWidth; d < a.table.dim; d += a.group * kWidth) {
          Part<kWidth>& mean = part<kWidth>(row(a.means, first + w), d);
          Part<kWidth> sum{};
          if (ids[w] < low) sum = mean;
          add_rows(sum, a.table, tile.window + (begin - low), end - begin, d);
          if (ids[w + 1] <= high) multiply(sum, ids[w + 1] - ids[w]);
          mean = sum;
        }
      }
      while (done < count && ids[done + 1] <= high) ++done;
    });
  }
}

// ---- launchers ------------------------------------------------------------------------------------------------------

// Tiles are full where there are words enough to keep the device busy.
Task task_of(const Subwords& words) {
  const i64 each = words.words / (multiprocessors() * kWarpsEach);
  return {words, modulo(words.buckets), each < 1 ? 1 : each < kWarp ? each : kWarp};
}

// Whether rows of both can be read four dimensions at a time.
bool by_fours(const Matrix<const float>& table, const Matrix<float>& means) {
  const auto low_bits = reinterpret_cast<std::uintptr_t>(table.data) | reinterpret_cast<std::uintptr_t>(means.data);
  return table.dim % 4 == 0 && low_bits % 16 == 0;
}

// As many threads for a row as it has parts, but a power of 2 and no more than a warp.
int group_of(i64 dim, i64 width) {
  int group = 1;
  while (group < kWarp && group * width < dim) group *= 2;
  return group;
}

}  // namespace

void subwords(const Subwords& args, cudaStream_t stream) {
  if (args.words == 0) return;
  const Task task = task_of(args);
  launch("subwords",
         !args.ids     ? count_kernel
         : args.hashes ? subwords_kernel<true>
                       : subwords_kernel<false>,
         blocks(tiles_of(task), kWarps), kThreads, stream, task);
}

void bag_means(const BagMeans& args, cudaStream_t stream) {
  if (args.bags == 0 || args.table.dim == 0) return;
  const bool fours = by_fours(args.table, args.means);
  const int group = group_of(args.table.dim, fours ? 4 : 1);
  const i64 parts = ceil_div(args.table.dim, group * (fours ? 4 : 1));
  launch("bag_means", fours ? bag_means_kernel<4> : bag_means_kernel<1>, blocks(args.bags * parts, kThreads / group),
         kThreads, stream, args, group);
}

void subword_means(const SubwordMeans& args, cudaStream_t stream) {
  if (args.words.words == 0 || args.table.dim == 0) return;
  const bool fours = by_fours(args.table, args.means), floret = args.words.hashes > 0;
  const Task task = task_of(args.words);
  const MeansTask all{task,
                      {args.table.data + args.first_row * args.table.dim, args.words.buckets, args.table.dim},
                      args.means,
                      group_of(args.table.dim, fours ? 4 : 1)};
  void (*const kernel)(MeansTask) = fours ? (floret ? subword_means_kernel<true, 4> : subword_means_kernel<false, 4>)
                                          : (floret ? subword_means_kernel<true, 1> : subword_means_kernel<false, 1>);
  launch("subword_means", kernel, blocks(tiles_of(task), kWarps), kThreads, stream, all);
}

}  // namespace firth::cuda
