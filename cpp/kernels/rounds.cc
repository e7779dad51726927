// The end of a round: steps that wait in slots are linked by word, added up, shortened and added to the tables.
#include "kernels.h"
#include "slots.h"

namespace firth::FIRTH_LEVEL {
namespace {

// The share of a sum of steps that is added: all, unless it is too long.
float share_of(const float* sum, i64 stride) {
  Floats squares{};
  for (i64 d = 0; d < stride; d += kLanes) squares += load(sum + d) * load(sum + d);
  const float square = sum_loose(squares);
  return square > kMostMove * kMostMove ? kMostMove / __builtin_sqrtf(square) : 1.0f;
}

}  // namespace

// `last` has a number for each word; what earlier rounds left there is known by the word at that place.
i64 link_steps(const NegativeSampling& a, i64 pieces) {
  i64 words = 0;
  const Waiting waiting(a);
  const u32 mask = (1u << waiting.bits) - 1;
  waiting.each({0, pieces}, [&](const Slot& slot, i64 number) {
    for (i64 i = 0; i < steps_in(slot); ++i) {
      const u32 word = slot.words[i], here = static_cast<u32>(number << waiting.bits | i);
      u32& last = (i < *slot.inputs ? a.steps.last_inputs : a.steps.last_targets)[word];
      slot.next[i] = kNone | kFirst;
      if (last < here) {
        const Slot before = waiting.slot(last >> waiting.bits);
        const i64 at = last & mask;
        const bool input = at < *before.inputs;
        if (at < steps_in(before) && before.words[at] == word && input == (i < *slot.inputs)) {
          before.next[at] = (before.next[at] & kFirst) | here;
          slot.next[i] = kNone;
        }
      }
      words += slot.next[i] & kFirst ? 1 : 0;
      last = here;
    }
  });
  return words;
}

i64 merge_steps(const NegativeSampling& a, Range pieces) {
  constexpr i64 kEarlier = 8;
  i64 merged = 0;
  const Waiting waiting(a);
  const u32 mask = (1u << waiting.bits) - 1;
  const bool bags = a.bags.offsets != nullptr;
  waiting.each(pieces, [&](const Slot& slot, i64) {
    for (i64 i = 0; i < steps_in(slot); ++i) {
      const i64 later = i + kEarlier;
      if (later < steps_in(slot) && slot.next[later] & kFirst && !(bags && later < *slot.inputs))
        fetch_row(later < *slot.inputs ? a.input : a.output, slot.words[later]);
      if (!(slot.next[i] & kFirst)) continue;
      float* sum = waiting.step(slot, i);
      for (u32 at = slot.next[i] & ~kFirst; at != kNone;) {
        const Slot other = waiting.slot(at >> waiting.bits);
        const float* step = waiting.step(other, at & mask);
        at = other.next[at & mask];
        for (i64 d = 0; d < waiting.stride; d += kLanes) store(sum + d, load(sum + d) + load(step + d));
      }
      const float share = share_of(sum, waiting.stride);
      if (bags && i < *slot.inputs) {
        for (i64 d = 0; d < waiting.stride; d += kLanes) store(sum + d, load(sum + d) * share);
      } else {
        add_share(i < *slot.inputs ? a.input : a.output, slot.words[i], sum, share);
      }
      ++merged;
    }
  });
  return merged;
}

i64 add_to_bags(const NegativeSampling& a, i64 pieces, Range parts) {
  i64 added = 0;
  const Waiting waiting(a);
  waiting.each({0, pieces}, [&](const Slot& slot, i64) {
    for (i64 i = 0; i < *slot.inputs; ++i) {
      if (!(slot.next[i] & kFirst)) continue;
      const u32 word = slot.words[i];
      for (i64 r = a.bags.offsets[word]; r < a.bags.offsets[word + 1]; ++r) {
        const i64 part = static_cast<i64>(a.bags.ids[r] % kRowParts);
        if (part < parts.begin || part >= parts.end) continue;
        add_share(a.input, a.bags.ids[r], waiting.step(slot, i), 1.0f);
        ++added;
      }
    }
  });
  return added;
}

}  // namespace firth::FIRTH_LEVEL
