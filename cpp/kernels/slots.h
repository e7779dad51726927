// The steps of a block, and whose they are; and how steps that wait in a round find to each other.
#pragma once

#include "firth/negative_sampling.h"
#include "rows.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 up(i64 n, i64 to) { return (n + to - 1) / to * to; }

// The steps of a block, and the words whose rows take them: inputs, then targets with the negatives at their end.
struct Slot {
  i64 *inputs, *targets;  // how many
  u32* words;
  u32* next;                          // where the word's next step of the round is, set by link_steps
  float *input_steps, *target_steps;  // (inputs, stride), (targets, stride), both with room for whole tiles
};

inline Slot slot_in(const NegativeSampling& a, char* memory) {
  const i64 company = a.block + 2 * static_cast<i64>(a.window), head = slot_bytes(a) - slot_step_bytes(a);
  i64* counts = reinterpret_cast<i64*>(memory);
  float* steps = reinterpret_cast<float*>(memory + head);
  u32* words = reinterpret_cast<u32*>(counts + 2);
  return {counts, counts + 1, words, words + slot_rows(a), steps, steps + up(company, 32) * padded(a.input.dim)};
}

// Steps of a round are numbered through, below 2^31: slot times slot_rows() and the place in it.
constexpr u32 kFirst = 1u << 31, kNone = kFirst - 1;  // in `next`: that no step of the word comes before; or after

inline Slot slot_number(const NegativeSampling& a, i64 number) {
  return slot_in(a, a.steps.slots + number * slot_bytes(a));
}

inline i64 steps_in(const Slot& slot) { return *slot.inputs + *slot.targets; }

inline float* step_in(const NegativeSampling& a, const Slot& slot, i64 i) {
  const i64 stride = padded(a.input.dim);
  return i < *slot.inputs ? slot.input_steps + i * stride : slot.target_steps + (i - *slot.inputs) * stride;
}

// Calls visit(slot, number) for each filled slot of some pieces of a round.
template <class Visit>
void each_slot(const NegativeSampling& a, Range pieces, const Visit& visit) {
  for (i64 piece = pieces.begin; piece < pieces.end; ++piece)
    for (i64 n = 0; n < a.steps.blocks[piece]; ++n) {
      const i64 number = piece * blocks_of_piece(a) + n;
      visit(slot_number(a, number), number);
    }
}

inline bool is_filled(const NegativeSampling& a, i64 number) {
  return number % blocks_of_piece(a) < a.steps.blocks[number / blocks_of_piece(a)];
}

// Adds up the steps of a word into the first of them; returns the share of that which will be added to the tables.
inline float sum_steps(const NegativeSampling& a, float* first, u32 next) {
  constexpr int kTogether = 8;
  const i64 stride = padded(a.input.dim);
  Floats squares{};
  for (i64 d = 0; d < stride; d += kTogether * kLanes) {
    const i64 left = (stride - d) / kLanes, vectors = left < kTogether ? left : kTogether;
    Floats sums[kTogether];
    for (i64 v = 0; v < vectors; ++v) sums[v] = load(first + d + v * kLanes);
    for (u32 at = next; at != kNone;) {
      const Slot slot = slot_number(a, at / slot_rows(a));
      const float* step = step_in(a, slot, at % slot_rows(a)) + d;
      at = slot.next[at % slot_rows(a)] & ~kFirst;
      for (i64 v = 0; v < vectors; ++v) sums[v] += load(step + v * kLanes);
    }
    for (i64 v = 0; v < vectors; ++v) {
      store(first + d + v * kLanes, sums[v]);
      squares += sums[v] * sums[v];
    }
  }
  const float square = sum_loose(squares);
  return square > kMostMove * kMostMove ? kMostMove / __builtin_sqrtf(square) : 1.0f;
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
