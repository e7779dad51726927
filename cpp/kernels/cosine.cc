// The scans of firth/cosine.h. Items go by in chunks that stay in cache while all queries pass over them: panels as
// they were prepared, or made here. A few queries read float32 rows as they lie, in time with memory. Scores live in
// registers or in one tile; only those that pass the test are looked at again.
#include "kernels.h"
#include "scan.h"

namespace firth::FIRTH_LEVEL {
namespace {

// ---- few queries and float32: rows as they lie ----------------------------------------------------------------------

constexpr i64 kChunkItems = kChunkPanels * kPanel;

// Dot products of one row with kQueries queries, kPanel apart, and its sum of squares.
template <int kQueries>
inline void score_row(const float* item, const float* queries, i64 dim, float* squared, float* scores) {
  Floats norm{}, sums[kQueries]{};
  for (i64 d = 0; d < dim; d += kLanes) {
    const Floats x = take(item, d, dim);
    norm += x * x;
    for (int q = 0; q < kQueries; ++q) sums[q] += x * take(queries + q * dim, d, dim);
  }
  *squared = sum_loose(norm);
  for (int q = 0; q < kQueries; ++q) scores[q * kPanel] = sum_loose(sums[q]);
}

// Constants of float32 rows from their sums of squares, which lie in `grain`.
void finish_constants(const TopK& args, const Constants& to, i64 first, i64 many) {
  const i64 dim = args.items.dim;
  for (i64 i = 0; i < many; i += kLanes) {
    const Floats squared = load(to.grain + i), norm = square_root(squared), ones = all(1.0f);
    store(to.grain + i, args.items.cosine ? norm : ones);
    store(to.length + i, (args.items.cosine ? ones : norm) * slack(dim));
    store(to.rest + i, Floats{});
    const u32 odd = not_less(all(0x1p-60f), squared) | not_less(squared, all(0x1p119f));
    for (u32 bits = odd; bits; bits &= bits - 1) {
      const i64 at = i + __builtin_ctz(bits), id = first + at;
      if (id >= args.items.count) break;
      const double exact = dot(args.items.rows + id * dim, args.items.rows + id * dim, dim);
      if (!(exact < INFINITY) && id < *args.bad_item) *args.bad_item = id;
      if (exact >= 0x1p-60 && exact <= 0x1p120) continue;
      to.grain[at] = exact == 0 ? 1.0f : NAN;
      to.length[at] = 0.0f;
    }
  }
}

template <int kQueries>
void scan_rows(const TopK& args, const Desk& desk, Range range) {
  const i64 dim = args.items.dim;
  const float* queries = reinterpret_cast<const float*>(desk.queries);
  float* scores = reinterpret_cast<float*>(desk.sums);  // [query][item]
  for (i64 first = range.begin; first < range.end; first += kPanel) {
    const i64 many = range.end - first < kPanel ? range.end - first : kPanel;
    for (i64 i = 0; i < many; ++i)
      score_row<kQueries>(args.items.rows + (first + i) * dim, queries, dim, desk.constants.grain + i, scores + i);
    for (i64 i = many; i < kPanel; ++i) desk.constants.grain[i] = 1.0f;
    finish_constants(args, desk.constants, first, kPanel);
    Chunk chunk{nullptr, desk.constants.grain, desk.constants.length, desk.constants.rest, first, 1, 0, 0};
    set_tests(args, desk, chunk, false);
    for (int q = 0; q < kQueries; ++q) {
      u32 passing = 0;
      for (int v = 0; v < kPanel; v += kLanes)
        passing |= not_less(load(scores + q * kPanel + v), desk.factor[q] * load(chunk.grain + v) - desk.offset[q]);
      if (passing) sift(args, desk, chunk, 0, q, scores + q * kPanel);
    }
  }
}

// ---- panels ---------------------------------------------------------------------------------------------------------

template <Scan kScan>
Chunk next_chunk(const TopK& args, const Desk& desk, i64 first, i64 end) {
  const Items& items = args.items;
  const i64 many = panels_of(end - first < kChunkItems ? end - first : kChunkItems), panel = first / kPanel;
  const i64 size = panel_bytes(kScan, items.dim);
  if (items.panels)
    return {items.panels + panel * size,
            grains(items) + first,
            lengths(items) + first,
            rests(items) + first,
            first,
            many,
            0,
            0};
  const Prepare args_of_panels{
      {items.rows, items.count, items.dim}, kScan, items.cosine, true, nullptr, nullptr, desk.space, args.bad_item};
  for (i64 p = 0; p < many; ++p) {
    const i64 at = p * kPanel;
    fill_panel<kScan>(args_of_panels, first + at, desk.panels + p * size,
                      {desk.constants.grain + at, desk.constants.length + at, desk.constants.rest + at});
  }
  return {desk.panels, desk.constants.grain, desk.constants.length, desk.constants.rest, first, many, 0, 0};
}

template <Scan kScan>
void scan_panels(const TopK& args, const Desk& desk, Way way, Range range) {
  constexpr int kFour = kScanQueries < 4 ? kScanQueries : 4;
  const Depth depth = depth_of(steps_of(kScan, args.items.dim));
  const MatrixUnit unit(way.matrix, depth);
  for (i64 first = range.begin; first < range.end; first += kChunkItems) {
    Chunk chunk = next_chunk<kScan>(args, desk, first, range.end);
    set_tests(args, desk, chunk, way.matrix);
    if constexpr (kMatrixUnit && kScan != Scan::kFloat32) {
      if (way.matrix) {
        scan_chunk_by_matrix<kScan>(args, desk, chunk, depth);
        continue;
      }
    }
    if (way.tile == 1)
      scan_chunk<kScan, 1>(args, desk, chunk);
    else if (way.tile == 2)
      scan_chunk<kScan, 2>(args, desk, chunk);
    else if (way.tile == 4)
      scan_chunk<kScan, kFour>(args, desk, chunk);
    else
      scan_chunk<kScan, kScanQueries>(args, desk, chunk);
  }
}

}  // namespace

i64 begin_topk(const TopK& args) {
  const i64 queries = args.queries.rows, dim = args.items.dim, steps = steps_of(args.items.scan, dim);
  const Scan scan = args.items.scan;
  const Desk desk = desk_of(args);
  const Way way = way_of(args);
  const Depth depth = depth_of(steps);
  u32* words = reinterpret_cast<u32*>(desk.space);
  i64 bad = -1;
  for (i64 q = 0; q < padded_queries(args); ++q) {
    desk.bias[q] = 0;
    const bool there = q < queries;
    if (there) {
      const float* query = row(args.queries, q);
      Standing& standing = args.standings[q];
      if (!start(standing, query, dim, scan, args.threshold[q], args.items.cosine)) {
        if (bad < 0) bad = q;
        continue;
      }
      query_words(scan, query, standing, dim, words);
      desk.bias[q] = bias_of(scan, words, steps);
    } else {
      for (i64 step = 0; step < steps; ++step) words[step] = 0;
    }
    desk.reach[q] = there ? clamped(args.standings[q].grain * args.standings[q].reach) : FLT_MAX;
    desk.rounding[q] = there ? args.standings[q].rounding : 0.0f;
    desk.spread[q] = there ? args.standings[q].spread : 0.0f;
    if (way.rows) {
      if (there) __builtin_memcpy(desk.queries + q * dim, words, 4 * dim);
    } else if (way.matrix) {
      unsigned char* tile = reinterpret_cast<unsigned char*>(desk.queries) + q / kPanel * depth.tiles * kTileBytes;
      for (i64 t = 0; t < depth.tiles; ++t)
        for (i64 i = 0; i < depth.steps; ++i) {
          const i64 step = depth.begin(t, steps) + i;
          const u32 word = step < t * depth.steps ? 0 : words[step];  // the tile before has had it
          __builtin_memcpy(tile + t * kTileBytes + q % kPanel * 64 + 4 * i, &word, 4);
        }
    } else {
      const i64 wanted = words_wanted(scan);
      u32* to = desk.queries + (q / way.tile * steps * way.tile + q % way.tile) * wanted;
      for (i64 step = 0; step < steps; ++step) spread_word(scan, words[step], to + step * way.tile * wanted);
    }
  }
  return bad;
}

void topk(const TopK& args, Range range) {
  const Desk desk = desk_of(args);
  const Way way = way_of(args);
  const i64 queries = args.queries.rows;
  if (queries == 0) return;
  if (way.rows) {
    if (queries == 1) return scan_rows<1>(args, desk, range);
    if (queries == 2) return scan_rows<2>(args, desk, range);
    if (queries == 3) return scan_rows<3>(args, desk, range);
    return scan_rows<4>(args, desk, range);
  }
  if (args.items.scan == Scan::kFloat32) return scan_panels<Scan::kFloat32>(args, desk, way, range);
  if (args.items.scan == Scan::kBfloat16) return scan_panels<Scan::kBfloat16>(args, desk, way, range);
  return scan_panels<Scan::kInt8>(args, desk, way, range);
}

void end_topk(const TopK& args, i64 query) {
  Standing& standing = args.standings[query];
  Possible* waiting = args.waiting + query * waiting_room(args.k);
  thin_out(standing, waiting, args.k);
  // All rows are asked for at once, if the cache holds them: one after the other, each would be waited for.
  if (args.items.rows && standing.waiting * args.items.dim <= i64{1} << 17)
    for (i64 i = 0; i < standing.waiting; ++i) {
      const char* values = reinterpret_cast<const char*>(args.items.rows + waiting[i].id * args.items.dim);
      for (i64 at = 0; at < 4 * args.items.dim; at += 64) __builtin_prefetch(values + at);
    }
  score_waiting(args, query, standing.waiting, reinterpret_cast<float*>(desk_of(args).space));
}

void prepare(const Prepare& args, Range range) {
  const i64 padded_items = panels_of(args.rows.rows) * kPanel;
  const i64 size = panel_bytes(args.scan, args.rows.dim);
  for (i64 first = range.begin; first < range.end; first += kPanel) {
    const Constants to{args.constants + first, args.constants + padded_items + first,
                       args.constants + 2 * padded_items + first};
    if (args.scan == Scan::kInt8)
      fill_panel<Scan::kInt8>(args, first, args.panels + first / kPanel * size, to);
    else if (args.scan == Scan::kBfloat16)
      fill_panel<Scan::kBfloat16>(args, first, args.panels + first / kPanel * size, to);
    else
      fill_panel<Scan::kFloat32>(args, first, nullptr, to);
  }
}

}  // namespace firth::FIRTH_LEVEL
