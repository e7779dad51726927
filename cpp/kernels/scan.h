// Scores of queries with panels, in register tiles or on the matrix unit, and the test that few of them pass.
#pragma once

#include "codes.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr int kPanelVectors = kPanel / kLanes;
constexpr i64 kFewQueries = 4;      // so many read float32 rows as they lie
constexpr i64 kMatrixQueries = 16;  // so many are worth the matrix unit

// How a group of queries is scanned.
struct Way {
  bool rows;    // float32 rows as they lie
  bool matrix;  // on the matrix unit
  i64 tile;     // queries of a register tile
};
inline Way way_of(const TopK& args) {
  const i64 queries = args.queries.rows;
  const bool plain = args.items.scan == Scan::kFloat32;
  i64 tile = 1;
  while (tile < kScanQueries && tile < queries) tile *= 2;
  return {plain && queries <= kFewQueries, kMatrixUnit && !plain && queries >= kMatrixQueries, tile};
}

// The scratch of a search, cut up.
struct Desk {
  u32* queries;                      // their codes: [tile of queries][step][query][words], or as the way wants them
  std::int32_t* bias;                // what is to be added to each query's sums
  float *reach, *rounding, *spread;  // of each query: h reach, e, a
  float *factor, *offset;            // of each query: the test for this chunk
  unsigned char* panels;
  Constants constants;
  unsigned char *sums, *space;
};

inline i64 padded_queries(const TopK& args) { return (args.queries.rows + 31) / 32 * 32; }

inline Desk desk_of(const TopK& args) {
  const i64 queries = padded_queries(args), dim = args.items.dim;
  unsigned char* at = args.scratch;
  const auto cut = [&at](i64 bytes) {
    unsigned char* begin = at;
    at += (bytes + 63) / 64 * 64;
    return begin;
  };
  const auto floats = [&cut](i64 many) { return reinterpret_cast<float*>(cut(4 * many)); };
  Desk desk;
  desk.queries = reinterpret_cast<u32*>(cut(queries * (8 * dim + 64)));
  desk.bias = reinterpret_cast<std::int32_t*>(cut(4 * queries));
  desk.reach = floats(queries);
  desk.rounding = floats(queries);
  desk.spread = floats(queries);
  desk.factor = floats(queries);
  desk.offset = floats(queries);
  desk.panels = cut(kChunkPanels * panel_bytes(args.items.scan, dim));
  desk.constants.grain = floats(kChunkPanels * kPanel);
  desk.constants.length = floats(kChunkPanels * kPanel);
  desk.constants.rest = floats(kChunkPanels * kPanel);
  desk.sums = cut(4 * kTileBytes);
  desk.space = at;
  return desk;
}

// Some panels and their constants.
struct Chunk {
  const unsigned char* panels;
  const float *grain, *length, *rest;
  i64 first, many;      // the first item, and how many panels
  float longest, most;  // of the lengths and of the rests
};

// Lets those of 16 items that pass the test of one query wait; the test gets stricter on the way.
__attribute__((noinline)) void sift(const TopK& args, const Desk& desk, const Chunk& chunk, i64 panel, i64 query,
                                    const float* scores) {
  Standing& standing = args.standings[query];
  const float offset = desk.spread[query] * chunk.most;
  for (int v = 0; v < kPanelVectors; ++v) {
    const i64 at = panel * kPanel + v * kLanes;
    const Floats least = all(desk.factor[query]) * load(chunk.grain + at) - offset;
    for (u32 bits = not_less(load(scores + v * kLanes), least); bits; bits &= bits - 1) {
      const i64 i = __builtin_ctz(bits), id = chunk.first + at + i;
      if (id >= args.items.count) return;
      const double product = static_cast<double>(scores[v * kLanes + i]);
      const Possible found = bounds(standing, product, id, static_cast<double>(chunk.grain[at + i]),
                                    static_cast<double>(chunk.length[at + i]), static_cast<double>(chunk.rest[at + i]));
      const double before = standing.reach;
      wait(args, query, found, reinterpret_cast<float*>(desk.space));
      if (standing.reach > before) {
        desk.reach[query] = clamped(standing.grain * standing.reach);
        desk.factor[query] = desk.reach[query] - desk.rounding[query] * chunk.longest;
      }
    }
  }
}

// The tests of all queries for the items of a chunk. On the matrix unit sums lack their bias, and the offset has it: as
// a float32 it errs by 2^-24 of 128 |sum d| <= 128 sqrt(dim) |d|, which float_error has room for, as bytes lose nothing
// else in a product.
inline void set_tests(const TopK& args, const Desk& desk, Chunk& chunk, bool biased) {
  Floats longest{}, most{};
  for (i64 i = 0; i < chunk.many * kPanel; i += kLanes) {
    longest = max(load(chunk.length + i), longest);
    most = max(load(chunk.rest + i), most);
  }
  chunk.longest = largest_lane(longest);
  chunk.most = largest_lane(most);
  for (i64 q = 0; q < padded_queries(args); q += kLanes) {
    store(desk.factor + q, load(desk.reach + q) - load(desk.rounding + q) * chunk.longest);
    const Floats bias = biased ? to_floats(load_ints(desk.bias + q)) : Floats{};
    store(desk.offset + q, load(desk.spread + q) * chunk.most + bias);
  }
}

// ---- register tiles -------------------------------------------------------------------------------------------------

template <Scan kScan>
struct Words;

template <>
struct Words<Scan::kFloat32> {
  using Sum = Floats;
  using Item = Floats;
  static Item item(const unsigned char* p) { return load(reinterpret_cast<const float*>(p)); }
  static Sum begin(std::int32_t) { return Floats{}; }
  static Sum add(Sum sum, Item item, const u32* query) {
    float value;
    __builtin_memcpy(&value, query, 4);
    return sum + item * value;
  }
  static Floats score(Sum sum) { return sum; }
};

template <>
struct Words<Scan::kBfloat16> {
  using Sum = Floats;
  struct Item {
    Floats even, odd;
  };
  static Item item(const unsigned char* p) {
    const Ints words = load_ints(p);
    return {as_floats(words << 16), as_floats(words & static_cast<std::int32_t>(0xffff0000))};
  }
  static Sum begin(std::int32_t) { return Floats{}; }
  static Sum add(Sum sum, Item item, const u32* query) {
    float values[2];
    __builtin_memcpy(values, query, 8);
    sum += item.even * values[0];
    return sum + item.odd * values[1];
  }
  static Floats score(Sum sum) { return sum; }
};

template <>
struct Words<Scan::kInt8> {
  using Sum = Ints;
  using Item = ByteItems;
  static Item item(const unsigned char* p) { return byte_items(load_ints(p)); }
  static Sum begin(std::int32_t bias) { return all(bias); }
  static Sum add(Sum sum, Item item, const u32* query) { return add_products(sum, item, query); }
  static Floats score(Sum sum) { return to_floats(sum); }
};

// Scores kQueries queries with kPanels panels. If any passes, all are stored ([query][item]) and the passing queries'
// bits returned.
template <Scan kScan, int kQueries, int kPanels>
__attribute__((noinline)) u32 score_tile(const Desk& desk, i64 query, const u32* words, const unsigned char* panels,
                                         i64 panel_size, const float* grain, float* scores) {
  using W = Words<kScan>;
  constexpr int kVectors = kPanels * kPanelVectors, kWanted = words_wanted(kScan);
  std::int32_t bias[kQueries];
  __builtin_memcpy(bias, desk.bias + query, sizeof bias);
  typename W::Sum sums[kQueries][kVectors];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[q][v] = W::begin(bias[q]);
  for (const unsigned char* end = panels + panel_size; panels != end; panels += kStepBytes) {
    typename W::Item items[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      items[v] = W::item(panels + v / kPanelVectors * panel_size + v % kPanelVectors * kBytes);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[q][v] = W::add(sums[q][v], items[v], words + q * kWanted);
    words += kQueries * kWanted;
  }
  u32 passing = 0;
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
    const Floats factor = all(desk.factor[query + q]), offset = all(desk.offset[query + q]);
    u32 lanes = 0;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      lanes |= not_less(W::score(sums[q][v]), factor * load(grain + v * kLanes) - offset);
    passing |= static_cast<u32>(lanes != 0) << q;
  }
  if (passing) {
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) store(scores + (q * kVectors + v) * kLanes, W::score(sums[q][v]));
  }
  return passing;
}

template <Scan kScan, int kQueries, int kPanels>
inline void scan_tiles(const TopK& args, const Desk& desk, const Chunk& chunk, i64 panel) {
  const i64 queries = args.queries.rows, steps = steps_of(kScan, args.items.dim);
  const i64 size = panel_bytes(kScan, args.items.dim);
  float* scores = reinterpret_cast<float*>(desk.sums);
  for (i64 query = 0; query < queries; query += kQueries) {
    u32 passing =
        score_tile<kScan, kQueries, kPanels>(desk, query, desk.queries + query * steps * words_wanted(kScan),
                                             chunk.panels + panel * size, size, chunk.grain + panel * kPanel, scores);
    for (; passing; passing &= passing - 1) {
      const int q = __builtin_ctz(passing);
      if (query + q >= queries) break;
      for (int p = 0; p < kPanels; ++p)
        sift(args, desk, chunk, panel + p, query + q, scores + (q * kPanels + p) * kPanel);
    }
  }
}

template <Scan kScan, int kQueries>
inline void scan_chunk(const TopK& args, const Desk& desk, const Chunk& chunk) {
  i64 panel = 0;
  for (; panel + kScanPanels <= chunk.many; panel += kScanPanels)
    scan_tiles<kScan, kQueries, kScanPanels>(args, desk, chunk, panel);
  for (; panel < chunk.many; ++panel) scan_tiles<kScan, kQueries, 1>(args, desk, chunk, panel);
}

// ---- the matrix unit ------------------------------------------------------------------------------------------------

// Looks at one tile of sums: 16 queries from `query` on with the items of one panel.
template <Scan kScan>
inline void sift_tile(const TopK& args, const Desk& desk, const Chunk& chunk, i64 panel, i64 query,
                      const unsigned char* sums) {
  const auto score = [sums](int at, std::int32_t bias) {
    const unsigned char* p = sums + 4 * at;
    return kScan == Scan::kInt8 ? to_floats(load_ints(p) + bias) : load(reinterpret_cast<const float*>(p));
  };
  Floats grain[kPanelVectors];
  for (int v = 0; v < kPanelVectors; ++v) grain[v] = load(chunk.grain + panel * kPanel + v * kLanes);
  u32 passing = 0;
#pragma GCC unroll 16
  for (int q = 0; q < kPanel; ++q) {
    const Floats factor = all(desk.factor[query + q]), offset = all(desk.offset[query + q]);
    u32 lanes = 0;
    for (int v = 0; v < kPanelVectors; ++v)
      lanes |= not_less(score(q * kPanel + v * kLanes, 0), factor * grain[v] - offset);
    passing |= static_cast<u32>(lanes != 0) << q;
  }
  for (; passing; passing &= passing - 1) {
    const int q = __builtin_ctz(passing);
    if (query + q >= args.queries.rows) return;
    alignas(64) float scores[kPanel];
    for (int v = 0; v < kPanelVectors; ++v)
      store(scores + v * kLanes, score(q * kPanel + v * kLanes, desk.bias[query + q]));
    sift(args, desk, chunk, panel, query + q, scores);
  }
}

// The products of kQueryTiles x kPanels tiles, and a look at their sums.
template <Scan kScan, int kQueryTiles, int kPanels>
inline void scan_block(const TopK& args, const Desk& desk, const Chunk& chunk, Depth depth, i64 query, i64 panel) {
  const i64 size = panel_bytes(kScan, args.items.dim);
  const auto* queries = reinterpret_cast<const unsigned char*>(desk.queries);
  multiply<kScan, kQueryTiles, kPanels>(queries + query / kPanel * depth.tiles * kTileBytes,
                                        chunk.panels + panel * size, size, size / kStepBytes, depth, desk.sums);
  for (int q = 0; q < kQueryTiles; ++q)
    for (int p = 0; p < kPanels; ++p)
      sift_tile<kScan>(args, desk, chunk, panel + p, query + q * kPanel, desk.sums + (2 * q + p) * kTileBytes);
}

template <Scan kScan>
inline void scan_chunk_by_matrix(const TopK& args, const Desk& desk, const Chunk& chunk, Depth depth) {
  for (i64 query = 0; query < args.queries.rows; query += 2 * kPanel) {
    const bool two = query + kPanel < args.queries.rows;
    for (i64 panel = 0; panel < chunk.many; panel += 2) {
      const bool pair = panel + 1 < chunk.many;
      if (two && pair)
        scan_block<kScan, 2, 2>(args, desk, chunk, depth, query, panel);
      else if (two)
        scan_block<kScan, 2, 1>(args, desk, chunk, depth, query, panel);
      else if (pair)
        scan_block<kScan, 1, 2>(args, desk, chunk, depth, query, panel);
      else
        scan_block<kScan, 1, 1>(args, desk, chunk, depth, query, panel);
    }
  }
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
