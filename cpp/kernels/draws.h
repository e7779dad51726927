// draw() of random.h for a vector of numbers.
#pragma once

#include "simd_text.h"

namespace firth::FIRTH_LEVEL {
namespace {

struct Draws {
  Units x, y, z, w;
};

inline Draws draw_lanes(u64 seed, u32 stream, u32 epoch, Units low, Units high) {
  u32 k0 = static_cast<u32>(seed), k1 = static_cast<u32>(seed >> 32);
  Draws c = {low, high, all_units(stream), all_units(epoch)};
  for (int round = 0; round < 10; ++round) {
    const Products p = products(c.x, 0xD2511F53u), q = products(c.z, 0xCD9E8D57u);
    c = {q.high ^ c.y ^ k0, q.low, p.high ^ c.w ^ k1, p.low};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
