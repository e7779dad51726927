// The only file, with simd_text.h, that knows how wide a vector is. Kernels are written once over `Floats` and compiled
// once per instruction set; everything here is internal to one such compilation and leaves no symbol behind.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "firth/array.h"

namespace firth::FIRTH_LEVEL {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kTileVectors = 7;  // a register tile is 4 rows x 7 vectors: 28 of 32 registers accumulate
#elif defined(__AVX__)
constexpr int kLanes = 8;
constexpr int kTileVectors = 3;  // 12 of 16
#else
constexpr int kLanes = 4;
constexpr int kTileVectors = 3;
#endif

constexpr int kBytes = 4 * kLanes;
typedef float Floats __attribute__((vector_size(kBytes)));
typedef std::int32_t Ints __attribute__((vector_size(kBytes)));
typedef float LooseFloats __attribute__((vector_size(kBytes), aligned(4), may_alias));
typedef std::int32_t LooseInts __attribute__((vector_size(kBytes), aligned(4), may_alias));

// Rows of working buffers are padded to whole vectors.
constexpr i64 padded(i64 dim) { return (dim + kLanes - 1) / kLanes * kLanes; }

inline Floats load(const float* p) { return *reinterpret_cast<const LooseFloats*>(p); }
inline Ints load_ints(const void* p) { return *static_cast<const LooseInts*>(p); }
inline void store(float* p, Floats v) { *reinterpret_cast<LooseFloats*>(p) = v; }
inline Floats all(float x) { return x - Floats{}; }
inline Ints all(std::int32_t x) { return x - Ints{}; }
inline Ints lane_numbers() {
  Ints v{};
  for (int i = 0; i < kLanes; ++i) v[i] = i;
  return v;
}

// The first n < kLanes elements; the other lanes are 0 (load) or left alone in memory (store).
inline Floats load_first(const float* p, i64 n) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
#else
  Floats v{};
  for (i64 i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
inline void store_first(float* p, Floats v, i64 n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
#else
  for (i64 i = 0; i < n; ++i) p[i] = v[i];
#endif
}

// Asks for numbers that will be written: other cores then give them up at once. x86-64 processors without the
// instruction take it for none.
inline void fetch_to_write(const float* p, i64 count) {
  const char* bytes = reinterpret_cast<const char*>(p);
#if defined(__x86_64__)
  for (i64 b = 0; b < 4 * count; b += 64) __asm__ volatile("prefetchw %0" : : "m"(bytes[b]));
#else
  for (i64 b = 0; b < 4 * count; b += 64) __builtin_prefetch(bytes + b, 1, 3);
#endif
}

inline Floats max(Floats a, Floats b) { return a > b ? a : b; }
inline Floats min(Floats a, Floats b) { return a < b ? a : b; }
inline Floats abs(Floats a) { return reinterpret_cast<Floats>(reinterpret_cast<Ints>(a) & 0x7fffffff); }

inline bool any(Ints mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(mask), reinterpret_cast<__m512i>(mask)) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_epi8(reinterpret_cast<__m256i>(mask)) != 0;
#elif defined(__x86_64__)
  return _mm_movemask_epi8(reinterpret_cast<__m128i>(mask)) != 0;
#else
  return (mask[0] | mask[1] | mask[2] | mask[3]) != 0;
#endif
}

inline float sum(Floats v) {
  float part[kLanes];
  store(part, v);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) part[i] += part[i + width];
  return part[0];
}
inline double sum_double(Floats v) {
  double total = 0;
  for (int i = 0; i < kLanes; ++i) total += static_cast<double>(v[i]);
  return total;
}

// exp(x) for x <= 0, relative error below 2e-7; below -87 the result is exp(-87) = 1.6e-38. NaN stays NaN.
inline Floats exp_negative(Floats x) {
  x = x < -87.0f ? all(-87.0f) : x;
  const Floats shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: the low bits hold the rounded exponent
  const Floats whole = shifted - 12582912.0f;
  const Floats r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;  // ln 2 in two parts (Cody and Waite)
  Floats p = all(1.0f / 5040.0f);
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const Ints exponent = (reinterpret_cast<Ints>(shifted) - 0x4B400000 + 127) << 23;
  return p * reinterpret_cast<Floats>(exponent);
}

// log(1 + e) for e in [0, 1]: 2 atanh(e / (2 + e)), absolute error below 2e-7.
inline Floats log1p_unit(Floats e) {
  const Floats z = e / (e + 2.0f), q = z * z;
  Floats p = all(2.0f / 13.0f);
  p = p * q + 2.0f / 11.0f;
  p = p * q + 2.0f / 9.0f;
  p = p * q + 2.0f / 7.0f;
  p = p * q + 2.0f / 5.0f;
  p = p * q + 2.0f / 3.0f;
  p = p * q + 2.0f;
  return p * z;
}

// ---- cosine ---------------------------------------------------------------------------------------------------------

// A tile of scores is kScanQueries queries x kScanPanels panels of 16 items: 24 of 32 registers accumulate, 8 of 16.
#if defined(__AVX512F__)
constexpr int kScanQueries = 8, kScanPanels = 3;
#elif defined(__AVX__) || defined(__aarch64__)
constexpr int kScanQueries = 4, kScanPanels = 1;
#else
constexpr int kScanQueries = 2, kScanPanels = 1;
#endif

inline Floats as_floats(Ints v) { return reinterpret_cast<Floats>(v); }
inline Ints as_ints(Floats v) { return reinterpret_cast<Ints>(v); }
inline Floats to_floats(Ints v) { return __builtin_convertvector(v, Floats); }
// To nearest, ties to even, for |v| < 2^31. By instruction: adding a great number could be fused with what made v.
inline Ints nearest(Floats v) {
#if defined(__AVX512F__)
  return reinterpret_cast<Ints>(_mm512_maskz_cvtps_epi32(0xffff, v));
#elif defined(__AVX__)
  return reinterpret_cast<Ints>(_mm256_cvtps_epi32(v));
#elif defined(__x86_64__)
  return reinterpret_cast<Ints>(_mm_cvtps_epi32(v));
#else
  Ints whole{};
  for (int i = 0; i < kLanes; ++i) whole[i] = static_cast<std::int32_t>(__builtin_rintf(v[i]));
  return whole;
#endif
}

typedef unsigned char PackedBytes __attribute__((vector_size(kLanes)));
typedef unsigned short PackedShorts __attribute__((vector_size(2 * kLanes)));
inline void store_bytes(unsigned char* p, Ints v) {
  const PackedBytes bytes = __builtin_convertvector(v, PackedBytes);
  __builtin_memcpy(p, &bytes, sizeof bytes);
}
inline void store_shorts(unsigned char* p, Ints v) {
  const PackedShorts shorts = __builtin_convertvector(v, PackedShorts);
  __builtin_memcpy(p, &shorts, sizeof shorts);
}

// Products of 4 unsigned bytes an item with 4 signed bytes of a query, added to 32-bit sums without saturation.
#if defined(__AVX512VNNI__)
constexpr bool kByteProducts = true;  // one instruction a word
using ByteItems = Ints;
inline ByteItems byte_items(Ints words) { return words; }
inline Ints add_products(Ints sums, ByteItems items, const u32* query) {
  return reinterpret_cast<Ints>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums), reinterpret_cast<__m512i>(items),
                                                    _mm512_set1_epi32(static_cast<int>(*query))));
}
#else
constexpr bool kByteProducts = false;  // even and odd bytes apart, in 16 bits
struct ByteItems {
  Ints even, odd;
};
inline ByteItems byte_items(Ints words) {
  typedef unsigned short Shorts __attribute__((vector_size(kBytes)));
  return {words & 0x00ff00ff, reinterpret_cast<Ints>(reinterpret_cast<Shorts>(words) >> 8)};
}
inline Ints multiply_pairs(Ints a, Ints b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__x86_64__)
  return reinterpret_cast<Ints>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  return ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}
inline Ints add_products(Ints sums, ByteItems items, const u32* query) {
  sums += multiply_pairs(items.even, all(static_cast<std::int32_t>(query[0])));
  return sums + multiply_pairs(items.odd, all(static_cast<std::int32_t>(query[1])));
}
#endif

inline Floats square_root(Floats v) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(0xffff, v);  // the plain form warns of an undefined value
#elif defined(__AVX__)
  return _mm256_sqrt_ps(v);
#elif defined(__x86_64__)
  return _mm_sqrt_ps(v);
#else
  Floats root{};
  for (int i = 0; i < kLanes; ++i) root[i] = __builtin_sqrtf(v[i]);
  return root;
#endif
}

// Bit i is set where lane i of `a` is not less than that of `b`, or either is NaN.
inline u32 not_less(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ);
#elif defined(__AVX__)
  return static_cast<u32>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NLT_UQ)));
#elif defined(__x86_64__)
  return static_cast<u32>(_mm_movemask_ps(_mm_cmpnlt_ps(a, b)));
#else
  u32 bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= static_cast<u32>(!(a[i] < b[i])) << i;
  return bits;
#endif
}

inline float largest_lane(Floats v) {
  float most = v[0];
  for (int i = 1; i < kLanes; ++i) most = v[i] > most ? v[i] : most;
  return most;
}

// The sum of the lanes in registers; the order differs between instruction sets.
inline float sum_loose(Floats v) {
#if defined(__AVX__)
#if defined(__AVX512F__)
  const __m256 eight = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                       __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  const __m256 eight = v;
#endif
  __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);
  four += _mm_movehl_ps(four, four);
  return four[0] + four[1];
#else
  for (int width = kLanes / 2; width > 0; width /= 2)
    v += __builtin_shuffle(v, (lane_numbers() + width) & (kLanes - 1));
  return v[0];
#endif
}

// Turns kLanes rows of kLanes into columns: at each step pairs of rows swap blocks of `width` off the diagonal.
inline void transpose(Floats (&rows)[kLanes]) {
#pragma GCC unroll 4
  for (int width = 1; width < kLanes; width *= 2) {
    const Ints lane = lane_numbers(), odd = (lane & width) != 0;
    const Ints upper = odd ? lane + (kLanes - width) : lane, lower = odd ? lane + kLanes : lane + width;
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
      if (i & width) continue;
      const Floats a = rows[i], b = rows[i + width];
      rows[i] = __builtin_shuffle(a, b, upper);
      rows[i + width] = __builtin_shuffle(a, b, lower);
    }
  }
}

// The sums of kLanes rows in one vector: at each step pairs of rows add up what `transpose` would swap.
inline Floats sums(Floats (&rows)[kLanes]) {
#pragma GCC unroll 4
  for (int width = 1; width < kLanes; width *= 2) {
    const Ints lane = lane_numbers(), odd = (lane & width) != 0;
    const Ints upper = odd ? lane + (kLanes - width) : lane, lower = odd ? lane + kLanes : lane + width;
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; i += 2 * width)
      rows[i] = __builtin_shuffle(rows[i], rows[i + width], upper) + __builtin_shuffle(rows[i], rows[i + width], lower);
  }
  return rows[0];
}

// ---- cooccurrence ---------------------------------------------------------------------------------------------------

// Bit i is set where byte i of 64 is not zero.
inline u64 nonzero_bytes(const unsigned char* p) {
#if defined(__AVX512BW__)
  const __m512i v = _mm512_loadu_si512(p);
  return _mm512_test_epi8_mask(v, v);
#else
  u64 bits = 0;
  for (int part = 0; part < 8; ++part) {
    u64 eight;
    __builtin_memcpy(&eight, p + 8 * part, 8);
    while (eight) {
      const int at = __builtin_ctzll(eight) / 8;
      bits |= u64{1} << (8 * part + at);
      eight &= ~(u64{0xff} << (8 * at));
    }
  }
  return bits;
#endif
}

// Appends those of 16 sums that are not zero, and their numbers from `first` on, and makes them zero. Returns how many.
// May write to 16 places behind the last one that it returns.
inline i64 take_sums(u32* sums, u32 first, u32* columns, u64* to) {
#if defined(__AVX512F__)
  const __m512i v = _mm512_loadu_si512(sums);
  const __mmask16 there = _mm512_test_epi32_mask(v, v);
  const int all = __builtin_popcount(there);
  const __m512i numbers =
      _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)), reinterpret_cast<__m512i>(lane_numbers()));
  _mm512_storeu_si512(columns, _mm512_maskz_compress_epi32(there, numbers));
  const __m512i packed = _mm512_maskz_compress_epi32(there, v);
  _mm512_storeu_si512(to, _mm512_maskz_cvtepu32_epi64(0xff, _mm512_castsi512_si256(packed)));
  if (all > 8) _mm512_storeu_si512(to + 8, _mm512_maskz_cvtepu32_epi64(0xff, _mm512_extracti64x4_epi64(packed, 1)));
  _mm512_storeu_si512(sums, _mm512_setzero_si512());
  return all;
#else
  i64 many = 0;
  for (u32 i = 0; i < 16; ++i) {
    columns[many] = first + i;
    to[many] = sums[i];
    many += sums[i] != 0;
    sums[i] = 0;
  }
  return many;
#endif
}
inline i64 take_sums(u64* sums, u32 first, u32* columns, u64* to) {
  i64 many = 0;
#if defined(__AVX512F__)
  for (u32 half = 0; half < 16; half += 8) {
    const __m512i v = _mm512_loadu_si512(sums + half);
    const __mmask8 there = _mm512_test_epi64_mask(v, v);
    const __m512i numbers =
        _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first + half)), reinterpret_cast<__m512i>(lane_numbers()));
    _mm512_storeu_si512(columns + many, _mm512_maskz_compress_epi32(there, numbers));
    _mm512_storeu_si512(to + many, _mm512_maskz_compress_epi64(there, v));
    _mm512_storeu_si512(sums + half, _mm512_setzero_si512());
    many += __builtin_popcount(there);
  }
#else
  for (u32 i = 0; i < 16; ++i) {
    columns[many] = first + i;
    to[many] = sums[i];
    many += sums[i] != 0;
    sums[i] = 0;
  }
#endif
  return many;
}

// 1 / v for v in [1, 2], relative error below 2e-7.
inline Floats reciprocal(Floats v) {
#if defined(__AVX512F__)
  const Floats y = reinterpret_cast<Floats>(_mm512_maskz_rcp14_ps(0xffff, reinterpret_cast<__m512>(v)));
  return y * (2.0f - v * y);
#else
  return 1.0f / v;
#endif
}

inline Floats reciprocal_root(Floats v) {  // 1 / sqrt(v) for v > 0, relative error below 1e-6
#if defined(__AVX512F__)
  const Floats y = reinterpret_cast<Floats>(_mm512_maskz_rsqrt14_ps(0xffff, reinterpret_cast<__m512>(v)));
  return y * (1.5f - 0.5f * v * y * y);
#else
  return 1.0f / square_root(v);
#endif
}

// log(x) for finite x > 0 that is not subnormal, absolute error below 1e-6 beside that of rounding it.
inline Floats logarithm(Floats x) {
  const Ints bits = as_ints(x) - 0x3f3504f3;  // sqrt(1/2): the mantissa is taken from [sqrt(1/2), sqrt(2))
  const Floats exponent = to_floats(bits >> 23);
  const Floats m = as_floats((bits & 0x007fffff) + 0x3f3504f3);
  const Floats z = (m - 1.0f) / (m + 1.0f), q = z * z;  // 2 atanh(z)
  Floats p = all(2.0f / 9.0f);
  p = p * q + 2.0f / 7.0f;
  p = p * q + 2.0f / 5.0f;
  p = p * q + 2.0f / 3.0f;
  p = p * q + 2.0f;
  return exponent * 0.693359375f + (p * z + exponent * -2.12194440e-4f);
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
