// Sparse rows that sums are added to in any order. A row is a run of places in an index, and each place adds to some
// columns. First bits mark the columns that a row has, and are counted; then, where the sum of a column stands in its
// row is the number of bits before its own, so nothing is hashed or sorted. The first columns, which are the frequent
// words, are summed up in shared memory, as there all rows have much to add.
//
// Tasks are cuts of (a constant for each row and its places), so that neither long rows nor many short ones keep a
// block longer than others. A row that a cut divides has its bits in device memory, under the number of the first cut.
//
// A Source has load(weights), called once by all threads of a block, and each(row, begin, end, weights, add), which
// shares out the places [begin, end) of a row to the block's threads and calls add(column, sum).
#pragma once

#include "firth/cooccurrence.h"
#include "kernels.h"
#include "sums.h"

namespace firth::cuda {
namespace {

constexpr u32 kTileColumns = 1 << 17;     // [?] columns whose bits lie in shared memory, 16 KB
constexpr u32 kHot = 1024;                // [?] columns summed up there, 8 KB
constexpr i64 kRowPlaces = 128;           // [?] places that take as long as a row's beginning and end
constexpr i64 kTaskPlaces = 4096;         // [?] at least
constexpr i64 kMostTasks = 1 << 14;       // [?]
constexpr i64 kMarkBytes = i64{1} << 28;  // of bits of divided rows

// What a block works with: 32.5 KB.
struct Bench {
  u32 marks[kTileColumns / 32];   // bits of columns
  u32 before[kTileColumns / 64];  // how many bits are set before each 64
  u32 low[kHot], high[kHot];      // sums of the first columns, in halves: those have atomics in shared memory
  u64 weights[kMaxWindow];
  i64 sums[kSumWarps];
};

template <class Source>
struct Rows {
  Source source;
  const i64* starts;  // (rows of the index + 1,)
  i64 first, last;    // rows that are made
  i64 columns, task, tasks;
  u32* marks;   // (tasks, words_of_marks(columns)), all 0
  i64* indptr;  // (last - first + 1,)
  u32* indices;
  u64* sums;  // all 0
};

FIRTH_HD i64 words_of_marks(i64 columns) { return (columns + 63) / 64 * 2; }

__device__ void add_to(u64* sum, u64 value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(sum), static_cast<unsigned long long>(value));
}

// What comes before a row's places, on the scale that tasks are cut from.
template <class Source>
__device__ i64 row_begins(const Rows<Source>& a, i64 row) {
  return a.starts[row] - a.starts[a.first] + kRowPlaces * (row - a.first);
}

// The last row that begins at `at` or before.
template <class Source>
__device__ i64 row_at(const Rows<Source>& a, i64 at) {
  i64 low = a.first, high = a.last;
  while (high - low > 1) {
    const i64 middle = low + (high - low) / 2;
    (row_begins(a, middle) <= at ? low : high) = middle;
  }
  return low;
}

// The number of the first cut behind a row's first place; it divides the row if it lies before the last one's end.
template <class Source>
__device__ i64 first_cut(const Rows<Source>& a, i64 row) {
  return (row_begins(a, row) + kRowPlaces) / a.task + 1;
}
template <class Source>
__device__ bool is_divided(const Rows<Source>& a, i64 row) {
  return first_cut(a, row) * a.task < row_begins(a, row) + kRowPlaces + a.starts[row + 1] - a.starts[row];
}
template <class Source>
__device__ u32* marks_of(const Rows<Source>& a, i64 cut) {
  return a.marks + cut * words_of_marks(a.columns);
}

// Calls work(row, begin, end) with the rows of a task and the places that it has of them.
template <class Source, class Work>
__device__ void each_row(const Rows<Source>& a, i64 task, Work work) {
  const i64 from = task * a.task, to = from + a.task;
  for (i64 row = row_at(a, from); row < a.last; ++row) {
    const i64 places = row_begins(a, row) + kRowPlaces, starts = a.starts[row], ends = a.starts[row + 1];
    if (places >= to) return;
    const i64 begin = from > places ? starts + (from - places) : starts;
    const i64 end = to - places < ends - starts ? starts + (to - places) : ends;
    if (begin < end) work(row, begin, end);
  }
}

// How many words of marks a tile has that begins with this column.
template <class Source>
__device__ u32 marks_of_tile(const Rows<Source>& a, i64 tile) {
  return static_cast<u32>(a.columns - tile < kTileColumns ? words_of_marks(a.columns - tile) : kTileColumns / 32);
}

// Marks the columns that some places add to.
template <class Source>
__device__ void mark(const Rows<Source>& a, Bench& bench, i64 tile, i64 row, i64 begin, i64 end) {
  for (u32 i = threadIdx.x; i < marks_of_tile(a, tile); i += kSumThreads) bench.marks[i] = 0;
  __syncthreads();
  a.source.each(row, begin, end, bench.weights, [&](u32 column, u64) {
    const u32 c = column - static_cast<u32>(tile);
    if (c < kTileColumns) atomicOr(bench.marks + c / 32, 1u << c % 32);
  });
  __syncthreads();
}

__device__ i64 bits_of(const u32* marks, i64 words) {
  i64 bits = 0;
  for (i64 i = threadIdx.x; i < words; i += kSumThreads) bits += __popc(marks[i]);
  return bits;
}

// Rows that no cut divides are counted into indptr; the marks of the others are brought together.
template <class Source>
__global__ void __launch_bounds__(kSumThreads) count_kernel(const __grid_constant__ Rows<Source> a) {
  __shared__ Bench bench;
  a.source.load(bench.weights);
  for (i64 task = blockIdx.x; task < a.tasks; task += gridDim.x)
    each_row(a, task, [&](i64 row, i64 begin, i64 end) {
      const bool divided = is_divided(a, row);
      i64 size = 0, all;
      for (i64 tile = 0; tile < a.columns; tile += kTileColumns) {
        mark(a, bench, tile, row, begin, end);
        if (divided) {
          u32* to = marks_of(a, first_cut(a, row)) + tile / 32;
          for (u32 i = threadIdx.x; i < marks_of_tile(a, tile); i += kSumThreads)
            if (bench.marks[i]) atomicOr(to + i, bench.marks[i]);
        } else {
          size += bits_of(bench.marks, marks_of_tile(a, tile));
        }
        __syncthreads();
      }
      if (divided) return;
      sum_before(size, bench.sums, &all);
      if (threadIdx.x == 0) a.indptr[row - a.first] = all;
      __syncthreads();
    });
}

// Counts the rows that are divided.
template <class Source>
__global__ void __launch_bounds__(kSumThreads) count_divided_kernel(const __grid_constant__ Rows<Source> a) {
  __shared__ i64 sums[kSumWarps];
  for (i64 cut = 1 + blockIdx.x; cut < a.tasks; cut += gridDim.x) {
    const i64 row = row_at(a, cut * a.task);
    if (!is_divided(a, row) || first_cut(a, row) != cut) continue;
    i64 all;
    sum_before(bits_of(marks_of(a, cut), words_of_marks(a.columns)), sums, &all);
    if (threadIdx.x == 0) a.indptr[row - a.first] = all;
    __syncthreads();
  }
}

// Counts the bits before each 64; returns how many there are in the tile.
__device__ i64 rank(Bench& bench, u32 words) {
  const u32 groups = words / 2, each = (groups + kSumThreads - 1) / kSumThreads;
  const u32 begin = threadIdx.x * each < groups ? threadIdx.x * each : groups;
  const u32 end = begin + each < groups ? begin + each : groups;
  i64 mine = 0, all;
  for (u32 g = begin; g < end; ++g) mine += __popc(bench.marks[2 * g]) + __popc(bench.marks[2 * g + 1]);
  u32 before = static_cast<u32>(sum_before(mine, bench.sums, &all));
  for (u32 g = begin; g < end; ++g) {
    bench.before[g] = before;
    before += static_cast<u32>(__popc(bench.marks[2 * g]) + __popc(bench.marks[2 * g + 1]));
  }
  __syncthreads();
  return all;
}

// How many marked columns of the tile come before column c of it.
__device__ i64 rank_of(const Bench& bench, u32 c) {
  const u32 word = c / 32, below = bench.marks[word] & ((1u << c % 32) - 1);
  return static_cast<i64>(bench.before[c / 64]) + __popc(below) + (word % 2 ? __popc(bench.marks[word - 1]) : 0);
}

__device__ void add_hot(Bench& bench, u32 column, u64 value) {
  const u32 low = static_cast<u32>(value), before = atomicAdd(bench.low + column, low);
  const u32 high = static_cast<u32>(value >> 32) + (before + low < before ? 1u : 0u);
  if (high) atomicAdd(bench.high + column, high);
}

// Adds the block's sums of the first columns to the row, and makes them 0 again.
template <class Source>
__device__ void add_hot_sums(const Rows<Source>& a, Bench& bench, i64 begin) {
  for (u32 c = threadIdx.x; c < kHot && c < a.columns; c += kSumThreads) {
    const u64 sum = static_cast<u64>(bench.high[c]) << 32 | bench.low[c];
    if (sum) add_to(a.sums + begin + rank_of(bench, c), sum);
    bench.low[c] = bench.high[c] = 0;
  }
}

template <class Source>
__global__ void __launch_bounds__(kSumThreads) fill_kernel(const __grid_constant__ Rows<Source> a) {
  __shared__ Bench bench;
  a.source.load(bench.weights);
  for (u32 c = threadIdx.x; c < kHot; c += kSumThreads) bench.low[c] = bench.high[c] = 0;
  __syncthreads();
  for (i64 task = blockIdx.x; task < a.tasks; task += gridDim.x)
    each_row(a, task, [&](i64 row, i64 begin, i64 end) {
      const bool divided = is_divided(a, row);
      i64 at = a.indptr[row - a.first];
      for (i64 tile = 0; tile < a.columns; tile += kTileColumns) {
        const u32 words = marks_of_tile(a, tile);
        if (divided) {
          const u32* from = marks_of(a, first_cut(a, row)) + tile / 32;
          for (u32 i = threadIdx.x; i < words; i += kSumThreads) bench.marks[i] = from[i];
          __syncthreads();
        } else {
          mark(a, bench, tile, row, begin, end);
        }
        const i64 many = rank(bench, words);
        if (begin == a.starts[row])
          for (u32 i = threadIdx.x; i < words; i += kSumThreads) {
            u32* to = a.indices + at + rank_of(bench, 32 * i);
            for (u32 bits = bench.marks[i]; bits; bits &= bits - 1)
              *to++ = static_cast<u32>(tile) + 32 * i + static_cast<u32>(__popc((bits & (~bits + 1)) - 1));
          }
        a.source.each(row, begin, end, bench.weights, [&](u32 column, u64 value) {
          const u32 c = column - static_cast<u32>(tile);
          if (column < kHot && tile == 0)
            add_hot(bench, column, value);
          else if (c < kTileColumns)
            add_to(a.sums + at + rank_of(bench, c), value);
        });
        __syncthreads();
        if (tile == 0) add_hot_sums(a, bench, at);
        __syncthreads();
        at += many;
      }
    });
}

// ---- launchers ------------------------------------------------------------------------------------------------------

// Each sum as a number of units, correctly rounded as on the host. `values` may be `sums` where they are as wide.
template <class Value>
__global__ void __launch_bounds__(kSumThreads) divide_kernel(const u64* sums, i64 many, double unit, Value* values) {
  const i64 step = static_cast<i64>(gridDim.x) * kSumThreads;
  for (i64 i = static_cast<i64>(blockIdx.x) * kSumThreads + threadIdx.x; i < many; i += step)
    values[i] = static_cast<Value>(static_cast<double>(sums[i]) / unit);
}

// Makes rows [first, last) of an index with at most `places` places. Waits once, to learn how many entries there are.
template <class Source>
void make_rows(const Source& source, const i64* starts, Range rows, i64 places, i64 columns, const Results& results,
               cudaStream_t stream) {
  const i64 many = rows.end - rows.begin, scale = many > 0 ? places + kRowPlaces * many : 0;
  const i64 width = words_of_marks(columns);
  const i64 by_marks = kMarkBytes / (4 * width + 1), most = by_marks < kMostTasks ? by_marks : kMostTasks;
  const i64 tasks_wanted = ceil_div(scale, kTaskPlaces) < most ? ceil_div(scale, kTaskPlaces) : most;
  const i64 task = ceil_div(scale, tasks_wanted > 1 ? tasks_wanted : 1), tasks = task > 0 ? ceil_div(scale, task) : 0;

  check(cudaMemsetAsync(results.indptr, 0, static_cast<std::size_t>(many + 1) * sizeof(i64), stream), "rows: indptr");
  const Scratch<u32> marks(tasks * width, stream);
  check(cudaMemsetAsync(marks.data(), 0, static_cast<std::size_t>(tasks * width) * 4, stream), "rows: marks");
  Rows<Source> all{source, starts,       rows.begin,     rows.end, columns, task,
                   tasks,  marks.data(), results.indptr, nullptr,  nullptr};
  if (tasks > 0) {
    launch("rows: count", count_kernel<Source>, blocks(tasks, 1), kSumThreads, stream, all);
    launch("rows: count divided", count_divided_kernel<Source>, blocks(tasks, 1), kSumThreads, stream, all);
    sums_before(results.indptr, many + 1, stream);
  }
  i64 entries = 0;
  check(cudaMemcpyAsync(&entries, results.indptr + many, sizeof entries, cudaMemcpyDeviceToHost, stream), "rows: size");
  check(cudaStreamSynchronize(stream), "rows: count");

  const Entries to = results.allocate(entries);
  if (entries == 0) return;
  const bool narrow = results.values == Values::kFloat32;
  const Scratch<u64> sums(narrow ? entries : 0, stream);
  all.indices = to.indices;
  all.sums = narrow ? sums.data() : static_cast<u64*>(to.values);
  check(cudaMemsetAsync(all.sums, 0, static_cast<std::size_t>(entries) * sizeof(u64), stream), "rows: sums");
  launch("rows: fill", fill_kernel<Source>, blocks(tasks, 1), kSumThreads, stream, all);
  if (narrow)
    launch("rows: divide", divide_kernel<float>, blocks(entries, kSumThreads), kSumThreads, stream, all.sums, entries,
           results.unit, static_cast<float*>(to.values));
  else if (results.values == Values::kFloat64)
    launch("rows: divide", divide_kernel<double>, blocks(entries, kSumThreads), kSumThreads, stream, all.sums, entries,
           results.unit, static_cast<double*>(to.values));
}

}  // namespace
}  // namespace firth::cuda
