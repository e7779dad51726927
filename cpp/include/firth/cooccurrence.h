// cooccurrence: how often words keep each other's company, each time weighted by how far apart they are.
//
//   X[a, b] = sum over places t of word a and distances d in [1, window] of w(d) ([id(t + d) = b] + [id(t - d) = b])
//
// with the second term only where counts are symmetric; directed, X[a, b] is about b after a. Places t - d and t + d
// count if they lie in the sentence of t. Pennington, Socher and Manning, "GloVe: global vectors for word
// representation" (2014), section 3 (w(d) = 1/d); Lund and Burgess (1996) (linear weights).
//
// Sums are whole numbers: weights are multiples of 1/unit, so that no order of summation, number of threads, cut of the
// corpus or backend can change a bit. The caller chooses the unit (1/d: the least common multiple of 1..window where
// that is below 2^32, else 2^32 and weights are rounded to its nearest multiple) and has made sure that no sum reaches
// 2^64.
//
// The corpus is read word by word through an index of the places where each word stands, so that a row is summed up in
// one dense array and comes out in order: no pair is ever written down or sorted. Where all places of symmetric counts
// are read, the most frequent words, which are most of the places, need no index: their company among themselves is
// counted along the corpus in one small table, and what they have in common with other words stands in the others'
// rows.
//
// Edge rules. Any cut of the places gives rows that add up to the same sums; a row that a cut divides comes out on both
// sides. A cut of the corpus by places does the same, since each ordered pair belongs to the place of its first word.
#pragma once

#include "firth/array.h"

namespace firth {

constexpr u32 kMaxWindow = 50;

// Some rows, as a kernel finds them: row first + r has the columns [ends[r - 1], ends[r]), rising, with sums above 0.
struct CountedRows {
  i64 first, rows;
  i64* ends;  // (rows of the range,)
  u32* columns;
  u64* sums;  // these two have room for kSpareEntries more than there can be: in a row as many as there are columns, or
              // as the company of its places
};

struct Cooccurrence {
  const u32* ids;  // (tokens,) below `words`
  i64 tokens;
  const u64* breaks;  // (tokens / 64 + 2,) bit t is set where a sentence begins, and bit `tokens`; null: one sentence
  const i64* starts;  // (words + 1,) where each word's places begin
  const u32* places;  // (starts[words],) of each word, rising, less `origin`
  i64 origin, words;
  u32 window;
  const u64* weights;  // (window,) of distances 1, 2, ...
  bool symmetric;
  void* scratch;       // counting_scratch(words) bytes, 64-byte aligned and zero, one per thread; zero again afterwards
  CountedRows* found;  // one per thread
};

// The first act where there are frequent words: D[a, b], a and b below `frequent`, b before a, for the places a of a
// range; X[a, b] = D[a, b] + D[b, a].
struct FrequentCounts {
  const Cooccurrence* of;  // ids, tokens, breaks, window and weights
  i64 frequent;
  u64* sums;      // (frequent, frequent), added to
  void* scratch;  // frequent_scratch(frequent) bytes, 64-byte aligned and zero; zero again afterwards
};

// Adds up rows of several counts of the same words.
struct MergeCounts {
  struct Part {
    const i64* indptr;   // (words + 1,)
    const u32* columns;  // rising in each row
    const u64* sums;
  };
  const Part* parts;
  i64 many, words, columns;
  void* scratch;  // counting_scratch(columns) bytes, as above
  CountedRows* found;
};

constexpr i64 kTouchedColumns = 16;  // share a mark that says that one of them has a sum
constexpr i64 kSpareEntries = 16;    // may be written behind the last one

// Sums of all columns, 8 bytes each, then their marks; both in whole cache lines.
FIRTH_HD i64 counting_marks(i64 columns) { return (columns + 63) / 64 * 64 * 8; }
FIRTH_HD i64 counting_scratch(i64 columns) {
  return counting_marks(columns) + (columns / kTouchedColumns + 64) / 64 * 64 + 64;
}

constexpr i64 kFrequentPiece = 4096;  // places whose ids are looked at together

FIRTH_HD i64 frequent_stride(i64 frequent) { return (frequent + 16) / 16 * 16; }  // a column is that of all others
FIRTH_HD i64 frequent_scratch(i64 frequent) {
  return frequent * frequent_stride(frequent) * 8 + (2 * kFrequentPiece + kMaxWindow) * 4;
}

// How many tokens before place t are in its sentence, at most `window`.
FIRTH_HD i64 reach_before(const Cooccurrence& a, i64 t) {
  const i64 window = static_cast<i64>(a.window), all = t < window ? t : window;
  if (!a.breaks) return all;
  const i64 word = t / 64, shift = t % 64;
  u64 bits = a.breaks[word] << (63 - shift);  // of [t - 63, t], t on top
  if (shift < 63 && word > 0) bits |= a.breaks[word - 1] >> (shift + 1);
  if (bits == 0) return all;
  i64 near = 0;
  for (; near < all && !(bits >> 63); ++near) bits <<= 1;
  return near;
}

// How many tokens after place t are in its sentence, at most `window`.
FIRTH_HD i64 reach_after(const Cooccurrence& a, i64 t) {
  const i64 window = static_cast<i64>(a.window), left = a.tokens - 1 - t, all = left < window ? left : window;
  if (!a.breaks) return all;
  const i64 word = t / 64, shift = t % 64;
  u64 bits = a.breaks[word + 1] << (63 - shift);  // of [t + 1, t + 64], t + 1 lowest
  if (shift < 63) bits |= a.breaks[word] >> (shift + 1);
  if (bits == 0) return all;
  i64 near = 0;
  for (; near < all && !(bits & 1); ++near) bits >>= 1;
  return near;
}

}  // namespace firth
