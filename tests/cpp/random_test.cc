// Known answers of Philox 4x32-10 from Random123 (tests/kat_vectors): Python cannot reach counters this large.
#include "firth/random.h"

#include "check.h"

using namespace firth;

int main() {
  struct Known {
    u64 seed;
    u32 stream, epoch;
    u64 index;
    Draw want;
  };
  const Known known[] = {
      {0, 0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {~0ull, ~0u, ~0u, ~0ull, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {0x299f31d0a4093822,
       0x13198a2e,
       0x03707344,
       0x85a308d3243f6a88,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Known& k : known) {
    const Draw d = draw(k.seed, k.stream, k.epoch, k.index);
    CHECK(d.x == k.want.x && d.y == k.want.y && d.z == k.want.z && d.w == k.want.w);
  }

  CHECK(below(0, 7) == 0 && below(~0u, 7) == 6);
  CHECK(below(~0u, ~0u) == ~0u - 1);
  CHECK(unit(0) == 0.0f && unit(~0u) < 1.0f);
}
