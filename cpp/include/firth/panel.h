// Panels: the copies of the items that topk scans, and how far they err. Files and memory hold them in this form, which
// is the same for every processor.
//
// A panel holds 16 items. It is a sequence of steps of 64 bytes: 16 words of 32 bits, one per item, each with the codes
// of 1, 2 or 4 consecutive dimensions, the first in the lowest bits; dimensions beyond dim and items beyond the last
// have the code 0.
//
//   scan       codes of a row x                                 grain g (codes = g t - r)        a word
//   float32    x itself                                         |x|          (dot: 1)            float32
//   bfloat16   2^m x, to nearest, ties to even                  2^m |x|      (dot: 2^m)          2 bfloat16
//   int8       f x, to nearest, ties to even; f = 127 / max |x_i|  f |x|     (dot: f)            4 bytes, 128 more each
//
// 2^m brings max |x_i| into [1, 2); f and f x are float32, each rounded once. t is what is ranked: x / |x| for the
// cosine, x for the dot product. Where only the codes c are kept, they themselves are the rows: t = c / |c|, g = |c|
// (dot: t = c / g), and r = 0; the cosine's codes are then those of 2^m x, so that no norm is too small or too great.
// Three numbers are kept of each item:
//
//   grain    g;  NaN for a row that no scan may discard (its norm is not in [2^-30, 2^60]);  1 for a row of zeros
//   length   at least |t| and at least |c| / g;  0 for a row of zeros and where the grain is NaN
//   rest     at least |r|;  0 where the grain is NaN
//
// each right within (0.5 dim + 4) 2^-24 of itself, and `length` and `rest` rounded up by (dim + 16) 2^-24 of
// themselves.
#pragma once

#include <cmath>
#include <cstring>

#include "firth/array.h"

namespace firth {

enum class Scan { kFloat32, kBfloat16, kInt8 };

constexpr i64 kPanel = 16;
constexpr i64 kStepBytes = 64;
// The sum of products of int8 codes stays below 2^31 up to here.
constexpr i64 kMaxInt8Dim = 65536;

FIRTH_HD i64 codes_per_word(Scan scan) { return scan == Scan::kInt8 ? 4 : scan == Scan::kBfloat16 ? 2 : 1; }
FIRTH_HD i64 steps_of(Scan scan, i64 dim) { return (dim + codes_per_word(scan) - 1) / codes_per_word(scan); }
FIRTH_HD i64 panel_bytes(Scan scan, i64 dim) { return steps_of(scan, dim) * kStepBytes; }
FIRTH_HD i64 panels_of(i64 items) { return (items + kPanel - 1) / kPanel; }

// What is searched: rows, panels of them, or both. The constants lie as (3, panels_of(count) * kPanel): all grains, all
// lengths, all rests; those beyond the last item are 1, 0, 0.
struct Items {
  const float* rows;            // (count, dim); null if only codes are kept
  const unsigned char* panels;  // null: made in passing
  const float* constants;       // null: made in passing
  i64 count, dim;
  Scan scan;
  bool cosine;
};

FIRTH_HD const float* grains(const Items& items) { return items.constants; }
FIRTH_HD const float* lengths(const Items& items) { return items.constants + panels_of(items.count) * kPanel; }
FIRTH_HD const float* rests(const Items& items) { return items.constants + 2 * panels_of(items.count) * kPanel; }

FIRTH_HD float from_bfloat16(u32 bits) {
  const u32 word = bits << 16;
  float value;
  memcpy(&value, &word, 4);
  return value;
}

// The nearest bfloat16 of a finite number that is not close to overflow, ties to even.
FIRTH_HD u32 to_bfloat16(float value) {
  u32 word;
  memcpy(&word, &value, 4);
  return (word + 0x7fff + ((word >> 16) & 1)) >> 16;
}

// A query's code for a value that was scaled by its grain; all codes are exact in double.
FIRTH_HD double query_code(Scan scan, double value) {
  if (scan == Scan::kInt8) return rint(value);
  const float single = static_cast<float>(value);
  return scan == Scan::kBfloat16 ? from_bfloat16(to_bfloat16(single)) : single;
}

// Item `id` as the row that is ranked: the given one, or its codes / grain, written to `scratch` (dim floats).
FIRTH_HD const float* item_values(const Items& items, i64 id, float* scratch) {
  if (items.rows) return items.rows + id * items.dim;
  const i64 panel = id / kPanel, many = codes_per_word(items.scan);
  const unsigned char* word = items.panels + panel * panel_bytes(items.scan, items.dim) + id % kPanel * 4;
  const double grain = static_cast<double>(grains(items)[id]);
  for (i64 d = 0; d < items.dim; ++d) {
    const unsigned char* at = word + d / many * kStepBytes;
    const double code =
        items.scan == Scan::kInt8
            ? static_cast<double>(at[d % many]) - 128.0
            : from_bfloat16(static_cast<u32>(at[2 * (d % many)]) | static_cast<u32>(at[2 * (d % many) + 1]) << 8);
    scratch[d] = static_cast<float>(code / grain);
  }
  return scratch;
}

}  // namespace firth
