// What a thread block does with a block of centres: rows are gathered, scored and stepped from (block.h), and the steps
// leave for the tables or for the slots of a round (rounds.h).
//
// CBOW is the same with other rows: inputs are means of the company, and what they get goes to all of it. So are
// explicit pairs: each input has one target.
#pragma once

#include "rounds.h"

namespace firth::cuda {
namespace {

// What a block of centres has done; added up in a fixed order.
struct Done {
  double loss;
  u32 pairs, centres;
};

struct Work {
  NegativeSampling a;
  Kept kept;
  Shape shape;
  Range tokens;
  i64 pieces;
  Waiting waiting;  // where steps go in a round
  Done* done;       // (blocks,)
  float* room;      // working memory of each thread block, if it is not shared memory
  bool fours;       // rows are read and written 16 bytes at a time
};

// A block of centres.
struct Centres {
  i64 number, begin;         // of the block, and where its piece begins
  i64 first, company_first;  // kept tokens
  int centres, company, offset;
};

__device__ Centres centres_of(const Work& w, i64 number) {
  const i64 piece = static_cast<i64>(w.kept.piece_of[number]), end = w.kept.room + w.kept.starts[piece + 1];
  Centres c;
  c.number = number;
  c.begin = w.tokens.begin + piece * w.a.piece;
  c.first = w.kept.room + w.kept.starts[piece] + (number - w.kept.blocks[piece]) * w.a.block;
  const i64 last = c.first + w.a.block < end ? c.first + w.a.block : end, window = w.a.sources ? 0 : w.kept.room;
  const Range there = *w.kept.there;
  c.company_first = c.first - window > there.begin ? c.first - window : there.begin;
  c.company = static_cast<int>((last + window < there.end ? last + window : there.end) - c.company_first);
  c.centres = static_cast<int>(last - c.first);
  c.offset = static_cast<int>(c.first - c.company_first);
  if (!w.a.sources) return c;
  c.company_first = c.first;
  c.company = c.centres;
  c.offset = 0;
  return c;
}

// Words, company and negatives of a block, and zeros where no score will be.
__device__ void set_up(const Work& w, const Memory& m, const Centres& c) {
  const NegativeSampling& a = w.a;
  const Shape& s = w.shape;
  const int me = static_cast<int>(threadIdx.x);
  const u64 base = static_cast<u64>(c.begin + (c.number - w.kept.blocks[w.kept.piece_of[c.number]]) * a.block) *
                   static_cast<u64>(a.shared);
  for (int j = me; j < c.company; j += kThreads) m.around[j] = w.kept.words[c.company_first + j];
  for (int k = me; k < s.shared; k += kThreads) {
    const DrawPair drawn = draw_pair(a.seed, kStreamNegative, a.epoch, base + static_cast<u64>(k));
    const u32 column = below(drawn.first, static_cast<u32>(a.output.rows));
    const NoiseColumn noise = a.noise[column];
    m.negatives[k] = drawn.second <= noise.accept ? column : noise.alias;
    m.hit[k] = 0;
  }
  for (int x = me; x < s.targets * s.width; x += kThreads) m.band[x] = 0;
  for (int i = me; i < s.width; i += kThreads) {
    Range range = {0, 0};
    if (i < c.centres && a.sources) {
      m.sources[i] = w.kept.sources[c.first + i];
      range = {c.first + i, c.first + i + 1};
    } else if (i < c.centres) {
      range = company_of(w.kept, c.first + i);
    }
    const i64 many = range.end - range.begin;
    i64 rows = many - 1;
    if (a.cbow && a.bags.offsets) {
      rows = 0;
      for (i64 j = range.begin; j < range.end; ++j) {
        const i64 word = static_cast<i64>(w.kept.words[j]);
        if (j != c.first + i) rows += a.bags.offsets[word + 1] - a.bags.offsets[word];
      }
    }
    m.begins[i] = many ? static_cast<int>(range.begin - c.company_first) : 0;
    m.ends[i] = many ? static_cast<int>(range.end - c.company_first) : 0;
    m.pairs[i] = a.sources ? static_cast<float>(many) : many > 1 ? a.cbow ? 1.0f : static_cast<float>(many - 1) : 0.0f;
    m.shares[i] = rows > 0 ? 1.0f / static_cast<float>(rows) : 1.0f;
  }
  __syncthreads();
  for (int x = me; x < s.shared * c.company; x += kThreads)
    if (m.negatives[x % s.shared] == m.around[x / s.shared]) atomicOr(m.hit + x % s.shared, 1u);
  if (!a.cbow) return;
  for (int x = me; x < s.company * s.width; x += kThreads) {
    const int j = x / s.width, i = x % s.width;
    m.members[x] = j >= m.begins[i] && j < m.ends[i] && j != i + c.offset ? 1.0f : 0.0f;
  }
}

// Rows of a block, in the columns from `begin` on; CBOW averages its company.
__device__ void load(const Work& w, const Memory& m, const Centres& c, int begin, int chunks) {
  const NegativeSampling& a = w.a;
  const Shape& s = w.shape;
  const u32* const centres = m.around + c.offset;
  const auto read = [&](const Matrix<float>& table, bool bags, const u32* words, int count, int rows, float* to) {
    gather(table, bags ? a.bags : Bags{}, !a.cbow, w.fours, words, count, rows, begin, chunks, s.stride, to);
  };
  read(a.output, false, m.negatives, s.shared, s.shared, m.noise);
  if (a.cbow) {
    read(a.output, false, centres, c.centres, s.width, m.targets);
    read(a.input, true, m.around, c.company, s.company, m.others);
  } else {
    read(a.output, false, m.around, c.company, s.targets, m.targets);
    read(a.input, true, a.sources ? m.sources : centres, c.centres, s.width, m.inputs);
  }
  __syncthreads();
  if (!a.cbow) return;
  for (Unit unit(chunks); unit.line < s.width / kGroup; unit.next()) {
    const int first = unit.line * kGroup, column = 4 * unit.chunk;
    const Near company = near(first, c.offset, static_cast<int>(w.kept.room), c.company);
    Sums sums{};
    add_down(m.members + first, s.width, m.others + column, s.company, s.stride, company.begin, company.end, sums);
    for (int r = 0; r < kGroup; ++r) {
      for (int d = 0; d < 4; ++d) sums.rows[r].x[d] *= m.shares[first + r];
      *reinterpret_cast<Four*>(m.inputs + slot(first + r, s.width) * s.stride + column) = sums.rows[r];
    }
  }
  __syncthreads();
}

// The loss of a score, and the step it becomes.
struct Ending {
  float loss = 0;

  __device__ float step(float score, float weight, bool seen, float lr) {
    const float e = expf(-fabsf(score)), wrong = seen ? -score : score;
    loss += weight * ((wrong > 0 ? wrong : 0.0f) + logf(1.0f + e));
    return (seen ? weight : -weight) * ((wrong > 0 ? 1.0f : e) / (1.0f + e)) * lr;
  }
};

// Scores become steps; pairs that are none take none.
__device__ float make_steps(const Work& w, const Memory& m, const Centres& c, float lr) {
  const Shape& s = w.shape;
  const bool windows = !w.a.cbow && !w.a.sources;  // an input has its company as targets, else one
  const int offset = windows ? c.offset : 0;
  Ending ending;
  for (int x = static_cast<int>(threadIdx.x); x < (2 * s.reach + 1) * s.width; x += kThreads) {
    const int i = x % s.width, j = i + offset + x / s.width - s.reach;
    if (j < 0 || j >= s.targets) continue;
    const bool there = windows ? j >= m.begins[i] && j < m.ends[i] && j != i + offset : m.pairs[i] > 0;
    float* const score = m.band + j * s.width + i;
    *score = there ? ending.step(*score, 1, true, lr) : 0.0f;
  }
  const float ratio = s.shared ? static_cast<float>(w.a.negative) / static_cast<float>(s.shared) : 0.0f;
  for (int x = static_cast<int>(threadIdx.x); x < s.shared * s.width; x += kThreads) {
    const int k = x / s.width, i = x % s.width;
    float pairs = m.pairs[i];
    if (m.hit[k] && windows) {
      for (int j = m.begins[i]; j < m.ends[i]; ++j)
        pairs -= j != i + offset && m.around[j] == m.negatives[k] ? 1.0f : 0.0f;
    } else if (m.hit[k] && pairs > 0) {
      pairs = m.around[i + c.offset] == m.negatives[k] ? 0.0f : pairs;
    }
    m.noise_scores[x] = pairs > 0 ? ending.step(m.noise_scores[x], pairs * ratio, false, lr) : 0.0f;
  }
  return ending.loss;
}

// Where steps of a list of rows go: to a table, by atomics, or into the slots of the block.
struct Leaving {
  Matrix<float> table;
  Bags bags;
  const u32* words;
  float* slots;
  int count, width;
  bool fours;

  __device__ void add(const Sums& sums, int first, int column) const {
    const int dim = static_cast<int>(table.dim);
#pragma unroll
    for (int r = 0; r < kGroup; ++r) {
      if (first + r >= count) continue;
      if (slots) {
        *reinterpret_cast<Four*>(slots + static_cast<i64>(first + r) * width + column) = sums.rows[r];
        continue;
      }
      const i64 word = static_cast<i64>(words[first + r]);
      const i64 begin = bags.offsets ? bags.offsets[word] : word,
                end = bags.offsets ? bags.offsets[word + 1] : word + 1;
      for (i64 at = begin; at < end; ++at) {
        float* const to = row(table, bags.offsets ? static_cast<i64>(bags.ids[at]) : at) + column;
        if (fours) {
          add_four(to, sums.rows[r]);
          continue;
        }
        for (int d = 0; d < 4; ++d)
          if (column + d < dim) add_one(to + d, sums.rows[r].x[d]);
      }
    }
  }
};

__device__ Leaving leaving(const Work& w, const Centres& c, bool input, const u32* words, int count, int before) {
  const int width = w.waiting.width;
  float* slots = nullptr;
  if (w.waiting.input_steps)
    slots = input ? w.waiting.input_steps + c.number * w.waiting.inputs * width
                  : w.waiting.output_steps + (c.number * w.waiting.outputs + before) * width;
  return {input ? w.a.input : w.a.output, input ? w.a.bags : Bags{}, words, slots, count, width, w.fours};
}

// Adds a slice's steps to where they go.
__device__ void leave(const Work& w, const Memory& m, const Centres& c, int begin, int chunks) {
  const Shape& s = w.shape;
  const bool cbow = w.a.cbow;
  const int offset = s.reach ? c.offset : 0, targets = cbow ? c.centres : c.company;
  const u32* const centres = m.around + c.offset;
  const Leaving inputs = leaving(w, c, true,
                                 cbow          ? m.around
                                 : w.a.sources ? m.sources
                                               : centres,
                                 cbow ? c.company : c.centres, 0);
  const Leaving seen = leaving(w, c, false, cbow ? centres : m.around, targets, 0);
  const Leaving noise = leaving(w, c, false, m.negatives, s.shared, s.targets);
  for (Unit unit(chunks); unit.line < s.width / kGroup; unit.next()) {
    const int first = unit.line * kGroup, column = 4 * unit.chunk;
    const Near rows = near(first, offset, s.reach, s.targets);
    Sums sums{};
    add_down(m.band + first, s.width, m.targets + column, s.targets, s.stride, rows.begin, rows.end, sums);
    add_down(m.noise_scores + first, s.width, m.noise + column, s.shared, s.stride, 0, s.shared, sums);
    if (!cbow) {
      inputs.add(sums, first, begin + column);
      continue;
    }
    for (int r = 0; r < kGroup; ++r)
      *reinterpret_cast<Four*>(m.others + slot(first + r, s.width) * s.stride + column) = sums.rows[r];
  }
  const auto across = [&](const float* weights, const float* vectors, int reach, int shift, int rows, int count,
                          const Leaving& to) {
    for (Unit unit(chunks); unit.line < rows / kGroup && unit.line * kGroup < count; unit.next()) {
      const int first = unit.line * kGroup, column = 4 * unit.chunk;
      Near near_by = {0, s.width};
      if (reach >= 0) near_by = near(first, -shift, reach, s.width);
      Sums sums{};
      add_across(weights + first * s.width, s.width, vectors + column, s.width, s.stride, near_by.begin & ~3,
                 up(near_by.end, 4), sums);
      to.add(sums, first, begin + column);
    }
  };
  across(m.band, m.inputs, s.reach, offset, s.targets, targets, seen);
  across(m.noise_scores, m.inputs, -1, 0, s.shared, s.shared, noise);
  if (!cbow) return;
  __syncthreads();
  across(m.members, m.others, static_cast<int>(w.kept.room), c.offset, s.company, c.company, inputs);
}

// In a round, which rows the slots of a block are for; what is not used is for none.
__device__ void name_slots(const Work& w, const Memory& m, const Centres& c, bool trained) {
  const Waiting& q = w.waiting;
  const u32 no_input = w.a.bags.offsets ? ~0u : static_cast<u32>(w.a.input.rows);
  const u32* const inputs = w.a.cbow ? m.around : w.a.sources ? m.sources : m.around + c.offset;
  const u32* const targets = w.a.cbow ? m.around + c.offset : m.around;
  const int many_inputs = w.a.cbow ? c.company : c.centres, many_targets = w.a.cbow ? c.centres : c.company;
  for (int r = static_cast<int>(threadIdx.x); r < q.inputs; r += kThreads)
    q.input_words[c.number * q.inputs + r] = trained && r < many_inputs ? inputs[r] : no_input;
  for (int r = static_cast<int>(threadIdx.x); r < q.outputs; r += kThreads) {
    const int k = r - w.shape.targets;
    u32 word = static_cast<u32>(w.a.output.rows);
    if (trained && r < many_targets) word = targets[r];
    if (trained && k >= 0) word = m.negatives[k];
    q.output_words[c.number * q.outputs + r] = word;
  }
}

__device__ Done train(const Work& w, const Memory& m, const Centres& c) {
  __shared__ Done parts[kThreads / kWarp];
  const NegativeSampling& a = w.a;
  const Shape& s = w.shape;
  const int dim = static_cast<int>(a.input.dim), slices = (dim + s.slice - 1) / s.slice;
  const auto chunks_at = [&](int n) { return ((n + 1) * s.slice < dim ? s.slice : dim - n * s.slice + 3) / 4; };
  set_up(w, m, c);
  bool bad = false;
  float loss = 0;
  for (int n = 0; n < slices; ++n) {
    __syncthreads();
    load(w, m, c, n * s.slice, chunks_at(n));
    bad |= add_scores(s, m, s.reach ? c.offset : 0, chunks_at(n), n == 0, n + 1 == slices);
  }
  const float lr = a.lr_begin + (a.lr_end - a.lr_begin) * (static_cast<float>(c.begin) / static_cast<float>(a.tokens));
  if (!__syncthreads_or(bad)) loss = make_steps(w, m, c, lr);
  if (__syncthreads_or(bad || !(loss <= 3.4e38f))) {
    if (threadIdx.x == 0) note_first(&a.outcome->blown_up, c.begin);
    if (w.waiting.input_steps) name_slots(w, m, c, false);
    return {};
  }
  for (int n = slices - 1; n >= 0; --n) {
    if (n + 1 < slices) {
      __syncthreads();
      load(w, m, c, n * s.slice, chunks_at(n));
    }
    leave(w, m, c, n * s.slice, chunks_at(n));
  }
  if (w.waiting.input_steps) name_slots(w, m, c, true);
  double all = static_cast<double>(loss);
  float pairs = 0;
  for (int i = static_cast<int>(threadIdx.x); i < c.centres; i += kThreads) pairs += m.pairs[i];
  for (int step = kWarp / 2; step > 0; step /= 2) {
    all += __shfl_xor_sync(kWholeWarp, all, step);
    pairs += __shfl_xor_sync(kWholeWarp, pairs, step);
  }
  if (lane() == 0) parts[threadIdx.x / kWarp] = {all, static_cast<u32>(pairs), 0};
  __syncthreads();
  Done done{0, 0, static_cast<u32>(c.centres)};
  for (const Done& part : parts) {
    done.loss += part.loss;
    done.pairs += part.pairs;
  }
  return done;
}

}  // namespace
}  // namespace firth::cuda
