// Randomness as a function: draw(seed, stream, epoch, index) depends on nothing else, so neither the
// number of threads nor the backend changes what is drawn.
// Philox 4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), section 4.3.
#pragma once

#include "firth/array.h"

namespace firth {

// What a draw is for; streams never share draws.
enum Stream : u32 {
  kStreamPosition = 0,  // pair number = position in the corpus: first keeps or drops the token, second sizes its window
  kStreamNegative =
      1,  // pair number = position of the piece + number of the block's first centre in it, times `shared`, + k
  kStreamInitial = 2,  // word number = row * dim + column
  kStreamLabel = 3,    // pair number = example: first chooses the label that it is trained for
  kStreamOrder = 4,    // word number = row, then one for the shift: the order in which counts are read
  kStreamWalk = 5,     // + 256 * trial; number = walk, epoch = step
  kStreamRanking = 6,  // + 256 * trial; number = sample
};

struct Draw {
  u32 x, y, z, w;
};

FIRTH_HD u32 high_product(u32 a, u32 b) { return static_cast<u32>((static_cast<u64>(a) * b) >> 32); }

FIRTH_HD Draw draw(u64 seed, u32 stream, u32 epoch, u64 index) {
  u32 k0 = static_cast<u32>(seed), k1 = static_cast<u32>(seed >> 32);
  Draw c = {static_cast<u32>(index), static_cast<u32>(index >> 32), stream, epoch};
  for (int round = 0; round < 10; ++round) {
    const u32 h0 = high_product(0xD2511F53u, c.x), l0 = 0xD2511F53u * c.x;
    const u32 h1 = high_product(0xCD9E8D57u, c.z), l1 = 0xCD9E8D57u * c.z;
    c = {h1 ^ c.y ^ k0, l1, h0 ^ c.w ^ k1, l0};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// Half a draw: number `index` of a stream of pairs.
struct DrawPair {
  u32 first, second;
};
FIRTH_HD DrawPair draw_pair(u64 seed, u32 stream, u32 epoch, u64 index) {
  const Draw d = draw(seed, stream, epoch, index / 2);
  return index % 2 ? DrawPair{d.z, d.w} : DrawPair{d.x, d.y};
}

// A whole number in [0, size), every value within 2^-32 of equally likely.
FIRTH_HD u32 below(u32 word, u32 size) { return high_product(word, size); }

// A float32 in [0, 1) with 24 random bits.
FIRTH_HD float unit(u32 word) { return static_cast<float>(word >> 8) * (1.0f / 16777216.0f); }

}  // namespace firth
