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

// The slots of a round. Its steps are numbered through, below 2^31: the slot, then `bits` for the place in it.
struct Waiting {
  const NegativeSampling& a;
  i64 bytes, blocks, stride;  // of a slot; slots of a piece; floats of a step
  int bits;

  explicit Waiting(const NegativeSampling& args)
      : a(args),
        bytes(slot_bytes(args)),
        blocks(blocks_of_piece(args)),
        stride(padded(args.input.dim)),
        bits(64 - __builtin_clzll(static_cast<u64>(slot_rows(args)))) {}

  Slot slot(i64 number) const { return slot_in(a, a.steps.slots + number * bytes); }
  float* step(const Slot& slot, i64 i) const {
    return i < *slot.inputs ? slot.input_steps + i * stride : slot.target_steps + (i - *slot.inputs) * stride;
  }

  // Calls visit(slot, number) for each slot of some pieces.
  template <class Visit>
  void each(Range pieces, const Visit& visit) const {
    for (i64 number = pieces.begin * blocks; number < pieces.end * blocks; ++number) visit(slot(number), number);
  }
};

inline i64 steps_in(const Slot& slot) { return *slot.inputs + *slot.targets; }

constexpr u32 kFirst = 1u << 31, kNone = kFirst - 1;  // in `next`: that no step of the word comes before; or after

}  // namespace
}  // namespace firth::FIRTH_LEVEL
