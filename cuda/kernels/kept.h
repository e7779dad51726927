// The first half of negative_sampling: a span of pieces is thinned out and packed, so that its kept tokens lie side by
// side, each with its sentence and reach, and with the company that reaches in from before and after. Blocks of centres
// are then ranges of one list, and nobody needs the host to find them.
#pragma once

#include "firth/negative_sampling.h"
#include "firth/window.h"
#include "sums.h"

namespace firth::cuda {
namespace {

constexpr int kPackThreads = 128, kPackWarps = kPackThreads / kWarp;

// Kept tokens are numbered from `room` on, so that as many of the company before have their places.
struct Kept {
  u32 *words, *sources, *sentences, *reaches;  // (room + tokens + room,)
  i64* starts;                                 // (pieces + 1,) kept tokens of the pieces before
  i64* blocks;                                 // (pieces + 1,) blocks of the pieces before
  u32* piece_of;                               // (blocks,)
  Range* there;                                // kept tokens with the company on both sides
  i64 room;
};

struct Packing {
  NegativeSampling a;
  Kept kept;
  Range tokens;
  i64 pieces;
};

__device__ Range piece_at(const Packing& p, i64 piece) {
  const i64 begin = p.tokens.begin + piece * p.a.piece, end = begin + p.a.piece;
  return {begin, end < p.tokens.end ? end : p.tokens.end};
}

__device__ void note_first(i64* first, i64 position) {  // -1, which is none, is the greatest unsigned number
  atomicMin(reinterpret_cast<unsigned long long*>(first), static_cast<unsigned long long>(position));
}

struct Token {
  bool stays;
  u32 word, reach;
};
__device__ Token token_at(const NegativeSampling& a, i64 position) {
  const DrawPair drawn = draw_pair(a.seed, kStreamPosition, a.epoch, static_cast<u64>(position));
  const u32 word = a.ids[position];
  if (static_cast<i64>(word) >= a.output.rows) {
    note_first(&a.outcome->unknown, position);
    return {false, 0, 0};
  }
  return {drawn.first <= a.keep[word], word, static_cast<u32>(reach(drawn.second, a.window))};
}

// The last of sentences [low, high] that begins at or before a position.
__device__ i64 sentence_of(const NegativeSampling& a, i64 position, i64 low, i64 high) {
  while (low < high) {
    const i64 middle = low + (high - low + 1) / 2;
    if (a.offsets[middle] <= position)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

__device__ void put(const Packing& p, i64 at, i64 position, const Token& token, i64 sentence) {
  p.kept.words[at] = token.word;
  if (p.a.sources) {
    p.kept.sources[at] = p.a.sources[position];
  } else {
    p.kept.sentences[at] = static_cast<u32>(sentence);
    p.kept.reaches[at] = token.reach;
  }
}

__device__ int rank_of(u32 votes) { return __popc(votes & ((1u << lane()) - 1)); }
__device__ i64 warp_number() {
  return static_cast<i64>(blockIdx.x) * kPackWarps + static_cast<int>(threadIdx.x) / kWarp;
}

// A warp a piece: how many tokens stay.
__global__ void __launch_bounds__(kPackThreads) count_kept_kernel(const __grid_constant__ Packing p) {
  for (i64 piece = warp_number(); piece <= p.pieces; piece += static_cast<i64>(gridDim.x) * kPackWarps) {
    i64 many = 0;
    if (piece < p.pieces) {
      const Range range = piece_at(p, piece);
      for (i64 at = range.begin; at < range.end; at += kWarp) {
        const bool stays = at + lane() < range.end && token_at(p.a, at + lane()).stays;
        many += __popc(__ballot_sync(kWholeWarp, stays));
      }
    }
    if (lane() == 0) {
      p.kept.starts[piece] = many;
      p.kept.blocks[piece] = (many + p.a.block - 1) / p.a.block;
    }
  }
}

// A warp a piece: packs what stays, and says which blocks are the piece's.
__global__ void __launch_bounds__(kPackThreads) pack_kernel(const __grid_constant__ Packing p) {
  for (i64 piece = warp_number(); piece < p.pieces; piece += static_cast<i64>(gridDim.x) * kPackWarps) {
    const Range range = piece_at(p, piece);
    i64 to = p.kept.room + p.kept.starts[piece], low = 0, high = 0;
    if (!p.a.sources) {
      low = sentence_of(p.a, range.begin, 0, p.a.sentences - 1);
      high = sentence_of(p.a, range.end - 1, low, p.a.sentences - 1);
    }
    for (i64 at = range.begin; at < range.end; at += kWarp) {
      const i64 mine = at + lane();
      const Token token = mine < range.end ? token_at(p.a, mine) : Token{};
      const u32 votes = __ballot_sync(kWholeWarp, token.stays);
      if (token.stays) put(p, to + rank_of(votes), mine, token, p.a.sources ? 0 : sentence_of(p.a, mine, low, high));
      to += __popc(votes);
    }
    for (i64 b = p.kept.blocks[piece] + lane(); b < p.kept.blocks[piece + 1]; b += kWarp)
      p.kept.piece_of[b] = static_cast<u32>(piece);
  }
}

// One warp: up to `window` kept tokens of the same sentence before the first piece, and after the last.
__global__ void __launch_bounds__(kWarp) reach_out_kernel(const __grid_constant__ Packing p) {
  const i64 room = p.kept.room, end = room + p.kept.starts[p.pieces];
  i64 before = 0, after = 0;
  if (!p.a.sources) {
    const i64 first = sentence_of(p.a, p.tokens.begin, 0, p.a.sentences - 1);
    for (i64 at = p.tokens.begin - 1; at >= p.a.offsets[first] && before < room; at -= kWarp) {
      const i64 mine = at - lane();
      const Token token = mine >= p.a.offsets[first] ? token_at(p.a, mine) : Token{};
      const u32 votes = __ballot_sync(kWholeWarp, token.stays);
      const i64 place = before + rank_of(votes);
      if (token.stays && place < room) put(p, room - 1 - place, mine, token, first);
      before += __popc(votes);
    }
    const i64 last = sentence_of(p.a, p.tokens.end - 1, first, p.a.sentences - 1);
    for (i64 at = p.tokens.end; at < p.a.offsets[last + 1] && after < room; at += kWarp) {
      const i64 mine = at + lane();
      const Token token = mine < p.a.offsets[last + 1] ? token_at(p.a, mine) : Token{};
      const u32 votes = __ballot_sync(kWholeWarp, token.stays);
      const i64 place = after + rank_of(votes);
      if (token.stays && place < room) put(p, end + place, mine, token, last);
      after += __popc(votes);
    }
  }
  if (lane() == 0) *p.kept.there = {room - (before < room ? before : room), end + (after < room ? after : room)};
}

void pack(const Packing& p, cudaStream_t stream) {
  const unsigned grid = blocks(p.pieces + 1, kPackWarps);
  launch("negative_sampling: count", count_kept_kernel, grid, kPackThreads, stream, p);
  sums_before(p.kept.starts, p.pieces + 1, stream);
  sums_before(p.kept.blocks, p.pieces + 1, stream);
  launch("negative_sampling: pack", pack_kernel, grid, kPackThreads, stream, p);
  launch("negative_sampling: reach", reach_out_kernel, 1, kWarp, stream, p);
}

// The range [begin, end) of kept tokens around `at` that belong to its sentence and lie within its reach.
__device__ Range company_of(const Kept& kept, i64 at) {
  const Range near = company(at, static_cast<i64>(kept.reaches[at]), *kept.there);
  const u32 mine = kept.sentences[at];
  i64 low = near.begin, high = at;  // the first of the sentence lies in [low, high]
  while (low < high) {
    const i64 middle = low + (high - low) / 2;
    if (kept.sentences[middle] == mine)
      high = middle;
    else
      low = middle + 1;
  }
  Range found = {low, 0};
  low = at, high = near.end - 1;  // the last
  while (low < high) {
    const i64 middle = low + (high - low + 1) / 2;
    if (kept.sentences[middle] == mine)
      low = middle;
    else
      high = middle - 1;
  }
  found.end = low + 1;
  return found;
}

}  // namespace
}  // namespace firth::cuda
