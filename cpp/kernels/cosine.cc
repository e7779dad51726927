// The float32 scan of firth/cosine.h. Items go panel by panel. With few queries a panel's rows are read as they lie,
// lanes over the dimension, in time with memory; with many the panel is transposed once, lanes over the items, and
// stays in cache while all queries pass over it. Scores live in registers; only those that pass the test are looked at
// again.
#include "kernels.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr int kItems = kScoreVectors * kLanes;
static_assert(kItems <= kPanelItems && kQueryTile % kScoreQueries == 0);

// A panel of items [first, first + count): their scan norms, the transposed values and one tile of scores.
struct Panel {
  i64 first, count;
  float *norms, *values, *scores;
};

Panel panel_of(const TopK& args, i64 first, i64 end) {
  const i64 count = end - first < kItems ? end - first : kItems;
  return {first, count, args.panel, args.panel + kPanelItems * (1 + kQueryTile), args.panel + kPanelItems};
}

// Sums of squares -> norms; rows outside float32's safe range are looked at in float64.
void finish_norms(const TopK& args, const Panel& panel) {
  for (int v = 0; v < kItems; v += kLanes) {
    const Floats squared = load(panel.norms + v);
    store(panel.norms + v, square_root(squared));
    const u32 unsafe = not_less(all(0x1p-60f), squared) | not_less(squared, all(0x1p119f));
    if (unsafe == 0) continue;
    for (int i = 0; i < kLanes && v + i < panel.count; ++i) {
      if (!(unsafe >> i & 1)) continue;
      const i64 id = panel.first + v + i;
      const float* item = row(args.items, id);
      const double exact = dot(item, item, args.items.dim);
      if (!(exact < INFINITY) && id < *args.bad_item) *args.bad_item = id;
      panel.norms[v + i] = scan_norm(exact, args.cosine);
    }
  }
}

// Offers what passes the test of one query to its heap; the test gets stricter on the way.
__attribute__((noinline)) void offer_passing(const TopK& args, const Panel& panel, i64 query, const float* scores) {
  Standing& standing = args.standings[query];
  Candidate* heap = args.heaps + query * args.k;
  for (i64 i = 0; i < panel.count; ++i) {
    if (scores[i] < standing.slope * panel.norms[i] + standing.offset) continue;
    const i64 id = panel.first + i;
    if (id == args.exclude[query]) continue;
    const float* values = row(args.queries, query);
    const double score =
        standing.norm > 0 ? exact_score(values, standing.norm, row(args.items, id), args.items.dim, args.cosine) : 0.0;
    if (offer(heap, standing.count, args.k, {score, id}) && standing.count == args.k)
      set_test(standing, heap[0].score, args.items.dim, args.cosine);
  }
}

// ---- few queries: rows as they lie ----------------------------------------------------------------------------------

// Dot products of one row with kQueries queries, and its sum of squares.
template <int kQueries>
inline void score_row(const float* item, const float* scaled, i64 dim, float* squared, float* scores) {
  Floats norm{}, sums[kQueries]{};
  i64 d = 0;
  for (; d + kLanes <= dim; d += kLanes) {
    const Floats x = load(item + d);
    norm += x * x;
    for (int q = 0; q < kQueries; ++q) sums[q] += x * load(scaled + q * dim + d);
  }
  if (d < dim) {
    const Floats x = load_first(item + d, dim - d);
    norm += x * x;
    for (int q = 0; q < kQueries; ++q) sums[q] += x * load_first(scaled + q * dim + d, dim - d);
  }
  *squared = sum_loose(norm);
  for (int q = 0; q < kQueries; ++q) scores[q * kPanelItems] = sum_loose(sums[q]);
}

template <int kQueries>
void scan_rows(const TopK& args, Range range) {
  const i64 dim = args.items.dim;
  for (i64 first = range.begin; first < range.end; first += kItems) {
    const Panel panel = panel_of(args, first, range.end);
    for (i64 i = 0; i < panel.count; ++i)
      score_row<kQueries>(row(args.items, first + i), args.scaled, dim, panel.norms + i, panel.scores + i);
    for (i64 i = panel.count; i < kItems; ++i) panel.norms[i] = 1.0f;
    finish_norms(args, panel);
    for (int q = 0; q < kQueries; ++q) {
      const float* scores = panel.scores + q * kPanelItems;
      const Floats slope = all(args.standings[q].slope), offset = all(args.standings[q].offset);
      u32 passing = 0;
      for (int v = 0; v < kItems; v += kLanes)
        passing |= not_less(load(scores + v), slope * load(panel.norms + v) + offset);
      if (passing) offer_passing(args, panel, q, scores);
    }
  }
}

// ---- many queries: transposed panels --------------------------------------------------------------------------------

// Columns [d, d + width) of up to kLanes rows into values[d][lane]; missing rows become zeros.
inline void transpose_block(const TopK& args, i64 first, i64 count, i64 d, i64 width, float* values) {
  Floats rows[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    rows[i] = Floats{};
    if (i >= count) continue;
    const float* item = row(args.items, first + i) + d;
    rows[i] = width == kLanes ? load(item) : load_first(item, width);
  }
  transpose(rows);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i)
    if (i < width) store(values + (d + i) * kItems, rows[i]);
}

void fill_panel(const TopK& args, const Panel& panel) {
  const i64 dim = args.items.dim;
  for (int v = 0; v < kItems; v += kLanes) {
    const i64 left = panel.count - v, count = left < 0 ? 0 : left > kLanes ? kLanes : left;
    i64 d = 0;
    if (count == kLanes)
      for (; d + kLanes <= dim; d += kLanes)
        transpose_block(args, panel.first + v, kLanes, d, kLanes, panel.values + v);
    for (; d < dim; d += kLanes)
      transpose_block(args, panel.first + v, count, d, dim - d < kLanes ? dim - d : kLanes, panel.values + v);
  }
  Floats squared[kScoreVectors]{};
  for (i64 d = 0; d < dim; ++d)
    for (int v = 0; v < kScoreVectors; ++v) {
      const Floats x = load(panel.values + d * kItems + v * kLanes);
      squared[v] += x * x;
    }
  for (int v = 0; v < kScoreVectors; ++v) store(panel.norms + v * kLanes, squared[v]);
  finish_norms(args, panel);
}

// Scores of kScoreQueries queries with the panel. If any passes, all are stored and the passing queries' bits returned.
__attribute__((noinline)) u32 score_tile(const float* scaled, const float* values, i64 dim, const Standing* standings,
                                         i64 queries, const float* norms, float* scores) {
  Floats sums[kScoreQueries][kScoreVectors]{};
  for (i64 d = 0; d < dim; ++d) {
    Floats x[kScoreVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kScoreVectors; ++v) x[v] = load(values + d * kItems + v * kLanes);
#pragma GCC unroll 8
    for (int q = 0; q < kScoreQueries; ++q) {
      const Floats y = all(scaled[d * kQueryTile + q]);
#pragma GCC unroll 8
      for (int v = 0; v < kScoreVectors; ++v) sums[q][v] += x[v] * y;
    }
  }
  u32 passing = 0;
#pragma GCC unroll 8
  for (int q = 0; q < kScoreQueries; ++q) {
    if (q >= queries) break;
    const Floats slope = all(standings[q].slope), offset = all(standings[q].offset);
    u32 lanes = 0;
#pragma GCC unroll 8
    for (int v = 0; v < kScoreVectors; ++v) lanes |= not_less(sums[q][v], slope * load(norms + v * kLanes) + offset);
    passing |= static_cast<u32>(lanes != 0) << q;
  }
  if (passing) {
#pragma GCC unroll 8
    for (int q = 0; q < kScoreQueries; ++q)
#pragma GCC unroll 8
      for (int v = 0; v < kScoreVectors; ++v) store(scores + q * kPanelItems + v * kLanes, sums[q][v]);
  }
  return passing;
}

void scan_panels(const TopK& args, Range range) {
  const i64 dim = args.items.dim, queries = args.queries.rows;
  for (i64 first = range.begin; first < range.end; first += kItems) {
    const Panel panel = panel_of(args, first, range.end);
    fill_panel(args, panel);
    for (i64 query = 0; query < queries; query += kScoreQueries) {
      const float* scaled = args.scaled + query / kQueryTile * kQueryTile * dim + query % kQueryTile;
      u32 passing =
          score_tile(scaled, panel.values, dim, args.standings + query, queries - query, panel.norms, panel.scores);
      for (int q = 0; passing; ++q, passing >>= 1)
        if (passing & 1) offer_passing(args, panel, query + q, panel.scores + q * kPanelItems);
    }
  }
}

}  // namespace

void topk(const TopK& args, Range range) {
  switch (args.queries.rows) {
    case 0:
      return;
    case 1:
      return scan_rows<1>(args, range);
    case 2:
      return scan_rows<2>(args, range);
    case 3:
      return scan_rows<3>(args, range);
    case 4:
      return scan_rows<4>(args, range);
    default:
      return scan_panels(args, range);
  }
}

}  // namespace firth::FIRTH_LEVEL
