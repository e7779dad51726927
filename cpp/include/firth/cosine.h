// topk: for every query the k items with the greatest cosine (or dot product), exactly as float64 ranks them.
//
//   dot(q, x)    = sum_i q_i x_i           products of two float32 are exact in float64; `dot` fixes the order of the
//   sum cosine(q, x) = dot(q, x) / (|q| |x|)   0 if either vector is zero
//
// The greater score is first, equal scores go to the smaller id, and one item per query may be left out. So the answer
// is one, whatever the backend, the instruction set, the number of threads and the cut of the range. All values must be
// finite; a row that is not is reported.
//
// The way: a float32 scan discards what provably is not among the k best; what it cannot discard is scored in float64
// on the spot and offered to the query's exact heap. With u = 2^-24 a float32 dot product of dim terms, summed in any
// order, errs by at most g |q| |x|, g = dim u / (1 - dim u) (Higham, "Accuracy and Stability of Numerical Algorithms",
// 2nd ed., section 3.1), and |x| from a float32 sum of squares by g / 2 |x|. Item x is discarded if, with the query
// scaled to q',
//
//   q'.x < slope |x| + offset       cosine: slope = (worst - e) |q'|, offset = 0;   dot: slope = -e |q'|, offset =
//   worst'
//
// where worst is the least score in a full heap and e = (1.6 dim + 16) u covers the errors above for dim <= 2^16 and
// the rounding of the test itself (a wider row is never discarded). Scaling by a power of two brings |q'| into [1, 2);
// rows whose norm is not in [2^-30, 2^60], where float32 could underflow or overflow, get the norm NaN and are never
// discarded. So the test is written as "not less than": a NaN passes.
#pragma once

#include <cfloat>
#include <cmath>

#include "firth/array.h"

namespace firth {

// One item and its float64 score.
struct Candidate {
  double score;
  i64 id;
};

// What is known of one query; the heap itself is `k` candidates in caller-owned memory, the worst of them first.
struct Standing {
  float slope, offset;  // the test above; (0, -inf) lets everything pass until the heap is full
  double norm;          // |q|
  double scale;         // q' = scale q, a power of two
  i64 count;            // candidates in the heap
};

// Queries come in tiles of this many, in a layout [tile][dim][kQueryTile]; up to kFewQueries they stay rows.
constexpr int kQueryTile = 8;
constexpr int kFewQueries = 4;
// A panel is this many items at most, transposed; so many floats of scratch does the scan of one range need.
constexpr int kPanelItems = 48;
FIRTH_HD i64 panel_floats(i64 dim) { return kPanelItems * (dim + 1 + kQueryTile); }
FIRTH_HD i64 scaled_floats(i64 queries, i64 dim) { return (queries + kQueryTile - 1) / kQueryTile * kQueryTile * dim; }

// The scan over a range of items. Ranges may come in any order and any cut; the heaps hold the best of all so far.
struct TopK {
  Matrix<const float> queries, items;
  const i64* exclude;   // (queries,) item left out, -1 for none
  i64 k;                // at least 1
  bool cosine;          // else dot
  Standing* standings;  // (queries,) from `prepare`
  float* scaled;        // scaled_floats(queries, dim), from `prepare`, 64-byte aligned
  Candidate* heaps;     // (queries, k)
  float* panel;         // panel_floats(dim), scratch, 64-byte aligned
  i64* bad_item;        // the smallest row found that is not finite; starts at items.rows
};

// The sum of a_i b_i in eight lanes, lane i % 8 in order of i, lanes added in a fixed tree. As every product is exact,
// it makes no difference whether multiplication and addition are fused.
FIRTH_HD double dot(const float* a, const float* b, i64 dim) {
  double lane[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  i64 i = 0;
  for (; i + 8 <= dim; i += 8)
    for (int j = 0; j < 8; ++j) lane[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  for (int j = 0; i + j < dim; ++j) lane[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

// The score that ranks; `norm` is |q|.
FIRTH_HD double exact_score(const float* query, double norm, const float* item, i64 dim, bool cosine) {
  const double product = dot(query, item, dim);
  if (!cosine) return product;
  const double both = norm * sqrt(dot(item, item, dim));
  return both > 0 ? product / both : 0.0;
}

// |x| as the scan wants it, from the exact sum of squares of a finite row.
FIRTH_HD float scan_norm(double squared, bool cosine) {
  if (squared == 0) return cosine ? 1.0f : 0.0f;  // its cosine is 0, which a norm of 1 tests correctly
  const bool safe = squared >= 0x1p-60 && squared <= 0x1p120;
  return safe ? static_cast<float>(sqrt(squared)) : NAN;
}

FIRTH_HD float clamped(double x) { return static_cast<float>(x > FLT_MAX ? FLT_MAX : x < -FLT_MAX ? -FLT_MAX : x); }

FIRTH_HD double scan_error(i64 dim) {
  return dim <= 65536 ? (1.6 * static_cast<double>(dim) + 16.0) * 0x1p-24 : INFINITY;
}

// The test for a full heap whose worst score is `worst`.
FIRTH_HD void set_test(Standing& standing, double worst, i64 dim, bool cosine) {
  const double error = scan_error(dim), norm = standing.norm * standing.scale;
  standing.slope = clamped(cosine ? (worst - error) * norm : -error * norm);
  standing.offset = cosine ? 0.0f : clamped(worst * standing.scale);
}

// Starts a query with an empty heap. False if the query is not finite.
FIRTH_HD bool start(Standing& standing, const float* query, i64 dim) {
  const double squared = dot(query, query, dim);
  const bool finite = squared < INFINITY;
  const double norm = finite ? sqrt(squared) : 0.0;
  standing = {0.0f, -INFINITY, norm, norm > 0 ? ldexp(1.0, -ilogb(norm)) : 1.0, 0};
  return finite;
}

// Starts all queries and lays their scaled values out. Returns the first query that is not finite, or -1.
FIRTH_HD i64 prepare(const TopK& args) {
  const i64 queries = args.queries.rows, dim = args.queries.dim;
  i64 bad = -1;
  for (i64 q = 0; q < scaled_floats(queries, dim) / dim; ++q) {
    const bool there = q < queries, rows = queries <= kFewQueries;
    if (there && !start(args.standings[q], row(args.queries, q), dim) && bad < 0) bad = q;
    float* to = args.scaled + (rows ? q * dim : q / kQueryTile * kQueryTile * dim + q % kQueryTile);
    for (i64 d = 0; d < dim; ++d)
      to[rows ? d : d * kQueryTile] =
          there ? static_cast<float>(row(args.queries, q)[d] * args.standings[q].scale) : 0.0f;
  }
  return bad;
}

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

// Empties a full heap into sorted ids and scores, best first.
FIRTH_HD void take_sorted(Candidate* heap, i64 k, i64* ids, float* scores) {
  for (i64 left = k; left > 0; --left) {
    ids[left - 1] = heap[0].id;
    scores[left - 1] = static_cast<float>(heap[0].score);
    sink(heap, left - 1, heap[left - 1]);
  }
}

}  // namespace firth
