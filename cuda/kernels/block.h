// What a thread block has of a block of centres: rows in working memory, scores of tiles of 4 x 4 in registers, and
// products of steps with rows, eight rows by four columns a thread.
//
// Where rows lie. The rows of a list are dealt out: row r of `rows` lies at slot (r % 4) rows / 4 + r / 4, and a row
// takes an odd number of groups of 16 bytes. So both the threads of a tile, which read rows 0, 4, 8, ... at one column,
// and the threads of a product, which read one row at neighbouring columns, meet all banks of shared memory.
#pragma once

#include <device_only.h>

#include "kept.h"

namespace firth::cuda {
namespace {

constexpr int kThreads = 128, kGroup = 8;  // threads of a block; rows of a product that a thread adds up
constexpr int kBlocksEach = 3;             // of a multiprocessor, which bounds registers
constexpr i64 kWordsACentre = 8;  // [?] words of the vocabulary for each centre in flight, so that rows are not too old

// How working memory is laid out, in floats.
struct Shape {
  int width, company, targets, shared;  // rows of inputs, company, targets and negatives; multiples of 8
  int reach;                            // how far targets lie from their input: 0 where each input has one
  int slice, stride;                    // columns that are there at a time, and what a row takes
  i64 floats;
};

__host__ __device__ inline int up(i64 value, i64 to) { return static_cast<int>((value + to - 1) / to * to); }

// The arrays of working memory.
struct Memory {
  float *inputs, *targets, *noise, *others;  // rows; others are the company of CBOW, then what its rows get
  float *band, *noise_scores, *members;      // (targets, width), (shared, width), (company, width): scores, then steps
  float *pairs, *shares;                     // (width,) targets of each input, and one over the rows it is the mean of
  int *begins, *ends;                        // (width,) company of each centre, as rows of the block's
  u32 *around, *sources, *negatives, *hit;   // (company,), (width,), (shared,), (shared,): is it a target anywhere here
};

// Cuts working memory up; returns how many floats it takes.
__host__ __device__ inline i64 carve(const Shape& s, bool cbow, float* memory, Memory* m) {
  i64 taken = 0;
  const auto take = [&taken, memory](i64 count) {
    taken += count;
    return memory ? memory + (taken - count) : nullptr;  // null: it is only measured
  };
  const i64 width = s.width, stride = s.stride, others = cbow ? s.company : 0;
  m->inputs = take(width * stride);
  m->targets = take(s.targets * stride);
  m->noise = take(s.shared * stride);
  m->others = take(others * stride);
  m->band = take(s.targets * width);
  m->noise_scores = take(s.shared * width);
  m->members = take(others * width);
  m->pairs = take(width);
  m->shares = take(width);
  m->begins = reinterpret_cast<int*>(take(width));
  m->ends = reinterpret_cast<int*>(take(width));
  m->around = reinterpret_cast<u32*>(take(s.company));
  m->sources = reinterpret_cast<u32*>(take(width));
  m->negatives = reinterpret_cast<u32*>(take(s.shared));
  m->hit = reinterpret_cast<u32*>(take(s.shared));
  return taken;
}

Shape shape_of(const NegativeSampling& a, i64 slice) {
  Shape s{};
  const i64 window = a.sources ? 0 : static_cast<i64>(a.window);
  s.width = up(a.block, kGroup);
  s.company = up(a.block + 2 * window, kGroup);
  s.targets = a.cbow ? s.width : s.company;
  s.shared = a.negative > 0 ? static_cast<int>(a.shared) : 0;
  s.reach = a.cbow ? 0 : static_cast<int>(window);
  s.slice = static_cast<int>(slice);
  s.stride = s.slice / 4 % 2 ? s.slice : s.slice + 4;
  Memory unused;
  s.floats = carve(s, a.cbow, nullptr, &unused);
  return s;
}

__device__ int slot(int r, int rows) { return (r & 3) * (rows / 4) + (r >> 2); }

// Goes through the (row, chunk of four columns) pairs of a list, a thread each, without a division for each of them.
struct Unit {
  int line, chunk, lines_on, chunks_on, chunks;

  __device__ explicit Unit(int many) : chunks(many) {
    line = static_cast<int>(threadIdx.x) / chunks;
    chunk = static_cast<int>(threadIdx.x) - line * chunks;
    lines_on = kThreads / chunks;
    chunks_on = kThreads - lines_on * chunks;
  }
  __device__ void next() {
    line += lines_on;
    chunk += chunks_on;
    if (chunk < chunks) return;
    chunk -= chunks;
    ++line;
  }
};

// Four numbers of a row from `column` on, zeros beyond its end.
__device__ Four read_columns(const float* row, int column, int dim, bool fours) {
  if (fours) return read_four(row + column);
  Four read{};
  for (int i = 0; i < 4; ++i)
    if (column + i < dim) read.x[i] = read_one(row + column + i);
  return read;
}

// The slice's columns of the rows of words; rows from `count` on are zeros. Words are rows, or bags of rows: their
// sums, or means.
__device__ void gather(const Matrix<float>& table, const Bags& bags, bool mean, bool fours, const u32* words, int count,
                       int rows, int begin, int chunks, int stride, float* to) {
  constexpr int kAhead = 4;  // that are asked for before the first is stored
  const int dim = static_cast<int>(table.dim);
  for (Unit unit(chunks); unit.line < rows;) {
    Four read[kAhead] = {};
    int places[kAhead];
#pragma unroll
    for (int n = 0; n < kAhead; ++n, unit.next()) {
      places[n] = unit.line < rows ? slot(unit.line, rows) * stride + 4 * unit.chunk : -1;
      if (unit.line >= count) continue;
      const int column = begin + 4 * unit.chunk;
      const i64 word = static_cast<i64>(words[unit.line]);
      if (!bags.offsets) {
        read[n] = read_columns(row(table, word), column, dim, fours);
        continue;
      }
      const i64 first = bags.offsets[word], last = bags.offsets[word + 1];
      for (i64 at = first; at < last; ++at) {
        const Four one = read_columns(row(table, static_cast<i64>(bags.ids[at])), column, dim, fours);
        for (int i = 0; i < 4; ++i) read[n].x[i] += one.x[i];
      }
      const float share = mean && last > first ? 1.0f / static_cast<float>(last - first) : 1.0f;
      for (int i = 0; i < 4; ++i) read[n].x[i] *= share;
    }
#pragma unroll
    for (int n = 0; n < kAhead; ++n)
      if (places[n] >= 0) *reinterpret_cast<Four*>(to + places[n]) = read[n];
  }
}

// Adds the products of four rows with four inputs, over the columns of a slice.
__device__ void add_tile(const float* inputs, int width, int ti, const float* rows, int many, int tj, int stride,
                         int chunks, float (&sums)[4][4]) {
  const Four* const x = reinterpret_cast<const Four*>(inputs + ti * stride);
  const Four* const y = reinterpret_cast<const Four*>(rows + tj * stride);
  const int step = stride / 4, x_step = width / 4 * step, y_step = many / 4 * step;
  for (int q = 0; q < chunks; ++q) {
    Four a[4], b[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      a[i] = x[i * x_step + q];
      b[i] = y[i * y_step + q];
    }
#pragma unroll
    for (int r = 0; r < 4; ++r)
#pragma unroll
      for (int c = 0; c < 4; ++c)
#pragma unroll
        for (int d = 0; d < 4; ++d) sums[r][c] += b[r].x[d] * a[c].x[d];
  }
}

// All scores of a block, whose first centre is row `offset` of its company; a slice of columns is added to those
// before. With the last one, what is out of everybody's reach becomes 0. Returns whether a score was not finite.
__device__ bool add_scores(const Shape& s, const Memory& m, int offset, int chunks, bool first, bool last) {
  const int across = s.width / 4, needed = (2 * s.reach + 3) / 4 + 2, each = needed < across ? needed : across;
  const int band_tiles = s.targets / 4 * each, tiles = band_tiles + s.shared / 4 * across;
  bool bad = false;
  for (int n = static_cast<int>(threadIdx.x); n < tiles; n += kThreads) {
    const bool banded = n < band_tiles;
    const int number = banded ? n : n - band_tiles, tj = number / (banded ? each : across);
    int ti = number - tj * (banded ? each : across);
    if (banded) {
      const int least = 4 * tj - offset - s.reach, most = 4 * tj + 3 - offset + s.reach;
      ti += least > 0 ? least / 4 : 0;
      if (ti >= across || 4 * ti > most) continue;
    }
    float sums[4][4] = {};
    float* const to = (banded ? m.band : m.noise_scores) + 4 * tj * s.width + 4 * ti;
    if (!first)
      for (int r = 0; r < 4; ++r) {
        const Four before = *reinterpret_cast<const Four*>(to + r * s.width);
        for (int c = 0; c < 4; ++c) sums[r][c] = before.x[c];
      }
    add_tile(m.inputs, s.width, ti, banded ? m.targets : m.noise, banded ? s.targets : s.shared, tj, s.stride, chunks,
             sums);
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      Four now;
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const int distance = 4 * tj + r - offset - 4 * ti - c;
        if (last) bad |= !(fabsf(sums[r][c]) <= 3.4e38f);
        now.x[c] = last && banded && (distance < 0 ? -distance : distance) > s.reach ? 0.0f : sums[r][c];
      }
      *reinterpret_cast<Four*>(to + r * s.width) = now;
    }
  }
  return bad;
}

struct Sums {
  Four rows[kGroup];
};

// sums[r] += weights[k][r] vectors[k] for k in [begin, end). `vectors` begins at the thread's four columns.
__device__ void add_down(const float* weights, int width, const float* vectors, int many, int stride, int begin,
                         int end, Sums& sums) {
  for (int k = begin; k < end; ++k) {
    const Four* const by = reinterpret_cast<const Four*>(weights + k * width);
    const Four low = by[0], high = by[1], x = *reinterpret_cast<const Four*>(vectors + slot(k, many) * stride);
#pragma unroll
    for (int r = 0; r < kGroup; ++r)
#pragma unroll
      for (int d = 0; d < 4; ++d) sums.rows[r].x[d] += (r < 4 ? low : high).x[r % 4] * x.x[d];
  }
}

// sums[r] += weights[r][k] vectors[k] for k in [begin, end), both multiples of four.
__device__ void add_across(const float* weights, int width, const float* vectors, int many, int stride, int begin,
                           int end, Sums& sums) {
  for (int k = begin; k < end; k += 4) {
    Four x[4];
#pragma unroll
    for (int c = 0; c < 4; ++c) x[c] = *reinterpret_cast<const Four*>(vectors + slot(k + c, many) * stride);
#pragma unroll
    for (int r = 0; r < kGroup; ++r) {
      const Four by = *reinterpret_cast<const Four*>(weights + r * width + k);
#pragma unroll
      for (int c = 0; c < 4; ++c)
#pragma unroll
        for (int d = 0; d < 4; ++d) sums.rows[r].x[d] += by.x[c] * x[c].x[d];
    }
  }
}

struct Near {
  int begin, end;
};
// Which of `rows` can be within `reach` of eight others from `first` on, shifted by `offset`.
__device__ Near near(int first, int offset, int reach, int rows) {
  const int begin = first + offset - reach, end = first + kGroup + offset + reach;
  return {begin < 0 ? 0 : begin, end > rows ? rows : end < 0 ? 0 : end};
}

}  // namespace
}  // namespace firth::cuda
