// Rows into panels, and queries into the words that a scan multiplies them with (firth/panel.h says what codes are).
#pragma once

#include "firth/cosine.h"
#include "matrix.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

// ---- items ----------------------------------------------------------------------------------------------------------

// The constants of the items of some panels.
struct Constants {
  float *grain, *length, *rest;
};

// What is known of one row on its way into a panel.
struct Row {
  float squared, largest;  // |x|^2 and max |x_i|
  float factor;            // y = factor x is what is rounded
  float size, lost;        // |c|^2 and |y - c|^2
};

inline Floats take(const float* row, i64 d, i64 dim) {
  return d + kLanes <= dim ? load(row + d) : load_first(row + d, dim - d);
}

inline Row measure(const float* row, i64 dim) {
  Floats squared{}, largest{};
  for (i64 d = 0; d < dim; d += kLanes) {
    const Floats x = take(row, d, dim);
    squared += x * x;
    largest = max(abs(x), largest);
  }
  return {sum_loose(squared), largest_lane(largest), 1.0f, 0.0f, 0.0f};
}

// Whether float32 can be trusted with the row's norm.
inline bool usual(const Row& row) { return row.squared >= 0x1p-60f && row.squared < 0x1p119f; }

// 2^m that brings x into [1, 2), for x in [2^-100, 2^100].
inline float power_of_two(float x) {
  u32 bits;
  __builtin_memcpy(&bits, &x, 4);
  bits = (254u << 23) - (bits & 0x7f800000u);
  __builtin_memcpy(&x, &bits, 4);
  return x;
}

// The codes of a usual row as words. Whole vectors are written: up to kLanes codes more than there are.
template <Scan kScan>
inline void encode(const float* values, i64 dim, Row& row, unsigned char* words) {
  if constexpr (kScan == Scan::kInt8) row.factor = 127.0f / row.largest;
  if constexpr (kScan == Scan::kBfloat16) row.factor = power_of_two(row.largest);
  Floats size{}, lost{};
  for (i64 d = 0; d < dim; d += kLanes) {
    const Floats y = take(values, d, dim) * row.factor;
    Floats code = y;
    if constexpr (kScan == Scan::kInt8) {
      const Ints whole = nearest(y);
      code = to_floats(whole);
      store_bytes(words + d, whole + 128);
    } else if constexpr (kScan == Scan::kBfloat16) {
      const Ints upper = (as_ints(y) + 0x7fff + ((as_ints(y) >> 16) & 1)) >> 16 & 0xffff;
      code = as_floats(upper << 16);
      store_shorts(words + 2 * d, upper);
    } else {
      store(reinterpret_cast<float*>(words) + d, y);
    }
    size += code * code;
    lost += (y - code) * (y - code);
  }
  row.size = sum_loose(size);
  row.lost = sum_loose(lost);
}

// A factor that covers what sums of `dim` float32 terms and a few operations on them lose.
inline float slack(i64 dim) { return 1.0f + (static_cast<float>(dim) + 16.0f) * 0x1p-24f; }

template <Scan kScan>
inline void set_constants(const Row& row, i64 dim, bool cosine, bool keep_exact, const Constants& to, i64 i) {
  const float norm = __builtin_sqrtf(row.squared), size = __builtin_sqrtf(row.size);
  const float grain = !cosine ? row.factor : keep_exact ? row.factor * norm : size;
  const float whole = !keep_exact ? 0.0f : cosine ? 1.0f : norm, coded = size / grain;
  // What |y - c| leaves out: y's own rounding before it is rounded to a byte, and squares that float32 cannot hold.
  const float beside = kScan == Scan::kInt8 ? 127.0f * 0x1p-23f : kScan == Scan::kBfloat16 ? 0x1p-50f : 0.0f;
  to.grain[i] = grain;
  to.length[i] = (whole > coded ? whole : coded) * slack(dim);
  to.rest[i] =
      keep_exact ? (__builtin_sqrtf(row.lost) + beside * __builtin_sqrtf(static_cast<float>(dim))) * slack(dim) : 0.0f;
}

// Writes 16 rows of words, `stride` apart, as a panel.
inline void turn_words(const float* words, i64 stride, i64 steps, unsigned char* panel) {
  float* to = reinterpret_cast<float*>(panel);
  for (i64 step = 0; step < steps; step += kLanes) {
    const i64 width = steps - step < kLanes ? steps - step : kLanes;
    for (int part = 0; part < kPanel; part += kLanes) {
      Floats square[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) square[i] = load(words + (part + i) * stride + step);
      transpose(square);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i)
        if (i < width) store(to + (step + i) * kPanel + part, square[i]);
    }
  }
}

// Looks at an unusual row in float64. Returns the values to encode, which may be in `scaled`, or null: then `grain` is
// its grain, and it has no codes.
inline const float* look_again(const Prepare& args, i64 id, float* scaled, Row& found, float* grain) {
  const i64 dim = args.rows.dim;
  const float* values = row(args.rows, id);
  const double squared = dot(values, values, dim);
  *grain = squared == 0 ? 1.0f : NAN;
  if (!(squared < INFINITY) && id < *args.bad_item) *args.bad_item = id;
  if (squared >= 0x1p-60 && squared <= 0x1p120) return values;
  if (args.keep_exact || !args.cosine || !(squared > 0 && squared < INFINITY)) return nullptr;
  const double up = ldexp(1.0, -ilogb(static_cast<double>(found.largest)));
  for (i64 d = 0; d < dim; ++d) scaled[d] = static_cast<float>(values[d] * up);
  found = measure(scaled, dim);
  return scaled;
}

// Rows [first, first + 16) as one panel, and their constants at [0, 16) of `to`.
template <Scan kScan>
inline void fill_panel(const Prepare& args, i64 first, unsigned char* panel, const Constants& to) {
  const i64 dim = args.rows.dim, steps = steps_of(kScan, dim), stride = padded(steps) + kLanes;
  float* words = reinterpret_cast<float*>(args.scratch);
  float* scaled = words + kPanel * stride;
  for (i64 i = 0; i < kPanel; ++i) {
    const i64 id = first + i;
    const bool there = id < args.rows.rows;
    const float* values = there ? row(args.rows, id) : nullptr;
    float* code_words = words + i * stride;
    Row found{};
    to.grain[i] = 1.0f;
    if (there) found = measure(values, dim);
    if (there && !usual(found)) values = look_again(args, id, scaled, found, to.grain + i);
    if (values) {
      encode<kScan>(values, dim, found, reinterpret_cast<unsigned char*>(code_words));
      set_constants<kScan>(found, dim, args.cosine, args.keep_exact, to, i);
      continue;
    }
    const Floats nothing = kScan == Scan::kInt8 ? as_floats(all(static_cast<std::int32_t>(0x80808080))) : Floats{};
    for (i64 step = 0; step < steps; step += kLanes) store(code_words + step, nothing);
    to.length[i] = to.rest[i] = 0.0f;
  }
  if (panel) turn_words(words, stride, steps, panel);
}

// ---- queries --------------------------------------------------------------------------------------------------------

// A query's codes in 32-bit words as panels have them, but bytes signed.
inline void query_words(Scan scan, const float* query, const Standing& standing, i64 dim, u32* words) {
  const double factor = standing.scale * static_cast<double>(standing.grain);
  const i64 many = codes_per_word(scan), bits = 32 / many;
  for (i64 step = 0; step < steps_of(scan, dim); ++step) words[step] = 0;
  for (i64 d = 0; d < dim; ++d) {
    const double code = query_code(scan, query[d] * factor);
    const float single = static_cast<float>(code);
    u32 word;
    __builtin_memcpy(&word, &single, 4);
    if (scan == Scan::kBfloat16) word >>= 16;
    if (scan == Scan::kInt8) word = static_cast<u32>(static_cast<int>(code)) & 0xff;
    words[d / many] |= word << (d % many * bits);
  }
}

// How many words a register tile wants for one word of codes, and which: what the items' word is multiplied with.
constexpr int words_wanted(Scan scan) {
  return scan == Scan::kBfloat16 || (scan == Scan::kInt8 && !kByteProducts) ? 2 : 1;
}
inline void spread_word(Scan scan, u32 word, u32* to) {
  if (words_wanted(scan) == 1) {
    *to = word;
  } else if (scan == Scan::kBfloat16) {
    to[0] = word << 16;
    to[1] = word & 0xffff0000;
  } else {
    const auto byte = [word](int i) { return static_cast<u32>(static_cast<signed char>(word >> 8 * i)); };
    to[0] = (byte(0) & 0xffff) | byte(2) << 16;
    to[1] = (byte(1) & 0xffff) | byte(3) << 16;
  }
}

// What the 128 that is added to each of the items' bytes adds to a product, taken away.
inline std::int32_t bias_of(Scan scan, const u32* words, i64 steps) {
  if (scan != Scan::kInt8) return 0;
  std::int32_t total = 0;
  for (i64 step = 0; step < steps; ++step)
    for (int i = 0; i < 4; ++i) total += static_cast<signed char>(words[step] >> 8 * i);
  return -128 * total;
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
