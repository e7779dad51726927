// topk: for every query the k items with the greatest cosine (or dot product), exactly as float64 ranks them.
//
//   dot(q, x)    = sum_i q_i x_i           products of two float32 are exact in float64; `dot` fixes the order of
//                                          the sum
//   cosine(q, x) = dot(q, x) / (|q| |x|)   0 if either vector is zero
//
// The greater score is first, equal scores go to the smaller id. So the answer is one, whatever the scan, the backend,
// the instruction set, the number of threads and the cut of the range. All values must be finite; a row that is not is
// reported.
//
// The way: a scan over cheap copies of the rows bounds every score from both sides. An item whose upper bound lies
// below k lower bounds is discarded; what is left at the end is scored in float64. panel.h says what the copies are and
// how far they err; this file has the score, the bounds and what is kept of a query.
//
// With t the row that is ranked (x, or x / |x| for the cosine), c its codes, g its grain, and q' the query times a
// power of two that brings its length into [1, 2),
//
//   c = g t - r            the item's codes, r their rounding
//   d = h q' - s           the query's codes, s their rounding
//   h g q'.t = d.c + h q'.r + s.c,   so |h g q'.t - d.c| <= a |r| + |s| |c|,   a = h |q'|    (Cauchy and Schwarz)
//
// and the item is discarded if d.c + a |r| + e l g < w g, where w = h times what q'.t must reach, l >= |t| and |c| / g,
// and e = |s| + delta a. delta = (1.6 dim + 16) u, u = 2^-24, covers what float32 adds: a dot product of dim terms errs
// by at most dim u / (1 - dim u) |d| |c| in any order (Higham, "Accuracy and Stability of Numerical Algorithms", 2nd
// ed., section 3.1), a norm by half of that, and the test itself by a few u. It holds for dim <= 2^16; a wider row is
// never discarded, nor one whose norm is not in [2^-30, 2^60], where float32 could underflow or overflow: its grain is
// NaN, and the test is written as "not less than".
#pragma once

#include <cfloat>

#include "firth/panel.h"

namespace firth {

// Makes panels and constants of the rows of a range, which begins at a multiple of kPanel.
struct Prepare {
  Matrix<const float> rows;
  Scan scan;
  bool cosine;
  bool keep_exact;         // the rows are kept; else the codes are the rows
  unsigned char* panels;   // (panels_of(rows), panel_bytes); null for float32, whose panels are made in passing
  float* constants;        // (3, panels_of(rows) * kPanel)
  unsigned char* scratch;  // scratch_bytes(0, dim), 64-byte aligned
  i64* bad_item;           // the smallest row found that is not finite; starts at rows.rows
};

// One item and its float64 score.
struct Candidate {
  double score;
  i64 id;
};

// One item and bounds of q'.t.
struct Possible {
  float low, high;
  i64 id;
};

// What is known of one query; its lists are in caller-owned memory.
struct Standing {
  double norm;     // |q|
  double scale;    // q' = scale q, a power of two
  double reach;    // what q'.t must reach to be among the k best; only grows
  float grain;     // h
  float spread;    // a
  float rounding;  // e
  i64 waiting;     // how many are not yet scored
  i64 count;       // how many are in the heap
  i64 scored;      // how many were scored in float64
};

// The scan over a range of items, which begins at a multiple of kPanel. Ranges may come in any order and any cut; the
// lists hold the best of all so far.
struct TopK {
  Matrix<const float> queries;
  Items items;
  const i64* exclude;  // (queries, excluded) items left out, each row ascending, -1 for none
  i64 excluded;
  const unsigned char* mask;  // (items,), 0 for what is left out; or null
  const double* threshold;    // (queries,) least score wanted
  i64 k;                      // at least 1
  Standing* standings;        // (queries,) from `start`
  Possible* waiting;          // (queries, waiting_room(k))
  Candidate* heaps;           // (queries, k), each a heap whose root is the worst
  unsigned char* scratch;     // scratch_bytes(queries, dim), 64-byte aligned
  i64* bad_item;              // the smallest row found that is not finite; starts at items.count
};

FIRTH_HD i64 waiting_room(i64 k) { return 8 * k + 256; }

// Items are scanned in chunks of so many panels. Scratch holds the queries' codes, tests and scores and one such chunk.
constexpr i64 kChunkPanels = 12;
FIRTH_HD i64 scratch_bytes(i64 queries, i64 dim) {
  return (queries + 32) * (8 * dim + 192) + kChunkPanels * kPanel * (4 * dim + 128) + 8 * kPanel * (dim + 64) + 16384;
}

// ---- the score ------------------------------------------------------------------------------------------------------

FIRTH_HD double sum_of_lanes(const double* lane) {
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

// The sum of a_i b_i in eight lanes, lane i % 8 in order of i, lanes added in a fixed tree. As every product is exact,
// it makes no difference whether multiplication and addition are fused.
FIRTH_HD double dot(const float* a, const float* b, i64 dim) {
  double lane[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  i64 i = 0;
  for (; i + 8 <= dim; i += 8)
    for (int j = 0; j < 8; ++j) lane[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  for (int j = 0; i + j < dim; ++j) lane[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  return sum_of_lanes(lane);
}

// The cosine of a dot product q.x, with |q| and |x|^2.
FIRTH_HD double cosine_of(double product, double norm, double squared) {
  const double both = norm * sqrt(squared);
  return both > 0 ? product / both : 0.0;
}

// The score that ranks; `norm` is |q|.
FIRTH_HD double exact_score(const float* query, double norm, const float* item, i64 dim, bool cosine) {
  if (norm == 0) return 0.0;
  const double product = dot(query, item, dim);
  return cosine ? cosine_of(product, norm, dot(item, item, dim)) : product;
}

// ---- a query's bounds -----------------------------------------------------------------------------------------------

FIRTH_HD double float_error(i64 dim) {
  return dim <= 65536 ? (1.6 * static_cast<double>(dim) + 16.0) * 0x1p-24 : INFINITY;
}

FIRTH_HD float clamped(double x) { return static_cast<float>(x > FLT_MAX ? FLT_MAX : x < -FLT_MAX ? -FLT_MAX : x); }

// q'.t that belongs to a score. An infinite score stays infinite.
FIRTH_HD double reach_of(const Standing& standing, double score, bool cosine) {
  return score * standing.scale * (cosine ? standing.norm : 1.0);
}

// Starts a query with empty lists. False if the query is not finite.
FIRTH_HD bool start(Standing& standing, const float* query, i64 dim, Scan scan, double threshold, bool cosine) {
  const double squared = dot(query, query, dim);
  const bool finite = squared < INFINITY;
  const double norm = finite ? sqrt(squared) : 0.0, scale = norm > 0 ? ldexp(1.0, -ilogb(norm)) : 1.0;
  standing = {norm, scale, -INFINITY, 1.0f, 0.0f, 0.0f, 0, 0, 0};
  if (norm > 0) {
    double largest = 0, lost = 0;
    for (i64 d = 0; d < dim; ++d) largest = fmax(largest, fabs(static_cast<double>(query[d])));
    standing.grain = scan == Scan::kInt8 ? static_cast<float>(127.0 / (largest * scale)) : 1.0f;
    for (i64 d = 0; d < dim; ++d) {
      const double wanted = query[d] * scale * standing.grain, error = wanted - query_code(scan, wanted);
      lost += error * error;
    }
    const double spread = norm * scale * standing.grain, delta = float_error(dim);
    standing.spread = static_cast<float>(spread * (1 + delta) * (1 + 0x1p-20));
    standing.rounding = static_cast<float>((sqrt(lost) + spread * delta) * (1 + 0x1p-20));
  }
  if (norm > 0 || threshold > 0) standing.reach = norm > 0 ? reach_of(standing, threshold, cosine) : INFINITY;
  return finite;
}

// The bounds of an item whose codes have the product d.c, rounded outwards.
FIRTH_HD Possible bounds(const Standing& standing, double product, i64 id, double grain, double length, double rest) {
  const double unit = 1.0 / (grain * standing.grain), middle = product * unit;
  const double error = (standing.spread * rest + standing.rounding * length * grain) * unit;
  const double low = middle - error, high = middle + error;
  if (!(high < INFINITY)) return {-INFINITY, INFINITY, id};  // a grain that is NaN, or beyond all numbers
  return {clamped(low - fabs(low) * 0x1p-22), clamped(high + fabs(high) * 0x1p-22), id};
}

// ---- a query's lists ------------------------------------------------------------------------------------------------

FIRTH_HD bool better(Candidate a, Candidate b) { return a.score > b.score || (a.score == b.score && a.id < b.id); }

// Lets `candidate` sink from the root of a heap of `count` whose root is the worst.
FIRTH_HD void sink(Candidate* heap, i64 count, Candidate candidate) {
  i64 at = 0;
  for (i64 child = 1; child < count; child = 2 * at + 1) {
    if (child + 1 < count && better(heap[child], heap[child + 1])) ++child;
    if (!better(candidate, heap[child])) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = candidate;
}

// Keeps the k best of what is offered. True if the heap changed.
FIRTH_HD bool offer(Candidate* heap, i64& count, i64 k, Candidate candidate) {
  if (count == k) {
    if (!better(candidate, heap[0])) return false;
    sink(heap, k, candidate);
    return true;
  }
  i64 at = count++;
  for (; at > 0 && better(heap[(at - 1) / 2], candidate); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
  heap[at] = candidate;
  return true;
}

// Empties a heap of `count` into sorted ids and scores, best first; what is missing up to k is -1 and -infinity.
FIRTH_HD void take_sorted(Candidate* heap, i64 count, i64 k, i64* ids, double* scores) {
  for (i64 left = k; left > count; --left) {
    ids[left - 1] = -1;
    scores[left - 1] = -INFINITY;
  }
  for (i64 left = count; left > 0; --left) {
    ids[left - 1] = heap[0].id;
    scores[left - 1] = heap[0].score;
    sink(heap, left - 1, heap[left - 1]);
  }
}

// The k-th greatest lower bound of `count` >= k; reorders the list (Hoare's quickselect).
FIRTH_HD float kth_low(Possible* list, i64 count, i64 k) {
  i64 left = 0, right = count - 1;
  while (left < right) {
    const float pivot = list[left + (right - left) / 2].low;
    i64 i = left, j = right;
    while (i <= j) {
      while (list[i].low > pivot) ++i;
      while (list[j].low < pivot) --j;
      if (i > j) break;
      const Possible other = list[i];
      list[i++] = list[j];
      list[j--] = other;
    }
    if (k - 1 <= j)
      right = j;
    else if (k - 1 >= i)
      left = i;
    else
      break;
  }
  return list[k - 1].low;
}

// Raises a query's reach by the lower bounds that wait and drops what lies below it.
FIRTH_HD void thin_out(Standing& standing, Possible* waiting, i64 k) {
  if (standing.waiting >= k) {
    const double low = kth_low(waiting, standing.waiting, k);
    if (low > standing.reach) standing.reach = low;
  }
  i64 kept = 0;
  for (i64 i = 0; i < standing.waiting; ++i)
    if (!(waiting[i].high < standing.reach)) waiting[kept++] = waiting[i];
  standing.waiting = kept;
}

// True if an item is left out for a query (index into the part).
FIRTH_HD bool left_out(const TopK& args, i64 query, i64 id) {
  if (args.mask && !args.mask[id]) return true;
  const i64* list = args.exclude + query * args.excluded;
  i64 low = 0, high = args.excluded;
  while (low < high) {
    const i64 middle = low + (high - low) / 2;
    if (list[middle] == id) return true;
    if (list[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return false;
}

// Scores the first `many` that wait for a query, but for those that are discarded by then; `scratch` is dim floats, for
// items kept as codes only.
FIRTH_HD void score_waiting(const TopK& args, i64 query, i64 many, float* scratch) {
  Standing& standing = args.standings[query];
  Possible* waiting = args.waiting + query * waiting_room(args.k);
  Candidate* heap = args.heaps + query * args.k;
  const float* values = row(args.queries, query);
  if (many > standing.waiting) many = standing.waiting;
  for (i64 i = 0; i < many; ++i) {
    if (waiting[i].high < standing.reach) continue;
    const i64 id = waiting[i].id;
    const float* item = item_values(args.items, id, scratch);
    ++standing.scored;
    const double score = exact_score(values, standing.norm, item, args.items.dim, args.items.cosine);
    if (score < args.threshold[query]) continue;
    offer(heap, standing.count, args.k, {score, id});
    if (standing.count < args.k) continue;
    const double reach = reach_of(standing, heap[0].score, args.items.cosine);
    if (standing.norm > 0 && reach > standing.reach) standing.reach = reach;
  }
  standing.waiting -= many;
  for (i64 i = 0; i < standing.waiting; ++i) waiting[i] = waiting[many + i];
}

// Lets an item wait; when the room is full, makes room: by what waits, then by scoring the k with the best lower
// bounds, which thin_out has put first, then by scoring them all.
FIRTH_HD void wait(const TopK& args, i64 query, Possible possible, float* scratch) {
  Standing& standing = args.standings[query];
  Possible* waiting = args.waiting + query * waiting_room(args.k);
  if (possible.high < standing.reach || left_out(args, query, possible.id)) return;
  waiting[standing.waiting++] = possible;
  const i64 room = waiting_room(args.k);
  if (standing.waiting < room) return;
  thin_out(standing, waiting, args.k);
  if (2 * standing.waiting <= room) return;
  score_waiting(args, query, args.k, scratch);
  thin_out(standing, waiting, args.k);
  if (4 * standing.waiting > 3 * room) score_waiting(args, query, room, scratch);
}

}  // namespace firth
