// Vectors of bytes and of whole numbers: the part of simd.h that kernels on text and draws need.
#pragma once

#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

// ---- text: one bit per byte, 64 bytes at a time ----

struct TextBits {
  u64 separators, newlines;
};

#if defined(__AVX512BW__)
inline TextBits text_bits(const unsigned char* p) {
  const __m512i bytes = _mm512_loadu_si512(p);
  // Each low nibble belongs to one separator (but for 0, which 32 has taken); a byte above 127 looks up 0.
  const __m512i table = _mm512_maskz_broadcast_i32x4(
      0xFFFF, _mm_setr_epi8(32, -1, -1, -1, -1, -1, -1, -1, -1, 9, 10, 11, 12, 13, -1, -1));
  return {_mm512_cmpeq_epi8_mask(bytes, _mm512_shuffle_epi8(table, bytes)) | _mm512_testn_epi8_mask(bytes, bytes),
          _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(10))};
}
#elif defined(__SSSE3__)
inline TextBits text_bits(const unsigned char* p) {
  const __m128i table = _mm_setr_epi8(32, -1, -1, -1, -1, -1, -1, -1, -1, 9, 10, 11, 12, 13, -1, -1);
  TextBits bits = {0, 0};
  for (int i = 0; i < 4; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i);
    const __m128i found =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_shuffle_epi8(table, bytes)), _mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
    const __m128i ends = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(10));
    bits.separators |= static_cast<u64>(static_cast<u32>(_mm_movemask_epi8(found))) << (16 * i);
    bits.newlines |= static_cast<u64>(static_cast<u32>(_mm_movemask_epi8(ends))) << (16 * i);
  }
  return bits;
}
#else
inline TextBits text_bits(const unsigned char* p) {
  TextBits bits = {0, 0};
  for (int i = 0; i < 64; ++i) {
    const u64 c = p[i];
    bits.separators |= static_cast<u64>(c == 0 || c == 32 || c - 9 <= 4) << i;
    bits.newlines |= static_cast<u64>(c == 10) << i;
  }
  return bits;
}
#endif

// ---- n-grams --------------------------------------------------------------------------------------------------------

typedef u32 Units __attribute__((vector_size(kBytes)));
typedef u32 LooseUnits __attribute__((vector_size(kBytes), aligned(4), may_alias));

inline Units load_units(const u32* p) { return *reinterpret_cast<const LooseUnits*>(p); }
inline void store_units(u32* p, Units v) { *reinterpret_cast<LooseUnits*>(p) = v; }
inline Units all_units(u32 x) { return x - Units{}; }

// Whole products of 32 bits by 32, as two halves.
struct Products {
  Units high, low;
};
inline Products products(Units a, u32 b) {
#if defined(__AVX512F__)
  const __m512i x = reinterpret_cast<__m512i>(a), y = _mm512_set1_epi32(static_cast<int>(b));
  const __m512i even = _mm512_mul_epu32(x, y), odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), y);
  return {reinterpret_cast<Units>(_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd)),
          reinterpret_cast<Units>(_mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32)))};
#elif defined(__AVX2__)
  const __m256i x = reinterpret_cast<__m256i>(a), y = _mm256_set1_epi32(static_cast<int>(b));
  const __m256i even = _mm256_mul_epu32(x, y), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), y);
  return {reinterpret_cast<Units>(_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA)),
          reinterpret_cast<Units>(_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA))};
#elif defined(__SSE4_1__)
  const __m128i x = reinterpret_cast<__m128i>(a), y = _mm_set1_epi32(static_cast<int>(b));
  const __m128i even = _mm_mul_epu32(x, y), odd = _mm_mul_epu32(_mm_srli_epi64(x, 32), y);
  return {reinterpret_cast<Units>(_mm_blend_epi16(_mm_srli_epi64(even, 32), odd, 0xCC)),
          reinterpret_cast<Units>(_mm_blend_epi16(even, _mm_slli_epi64(odd, 32), 0xCC))};
#else
  Products p;
  for (int i = 0; i < kLanes; ++i) {
    const u64 product = static_cast<u64>(a[i]) * b;
    p.high[i] = static_cast<u32>(product >> 32);
    p.low[i] = static_cast<u32>(product);
  }
  return p;
#endif
}

inline Units min(Units a, Units b) { return a < b ? a : b; }

// Numbers rounded to float32, some halved: see kHalving.
inline Floats to_floats(Units v) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtepu32_ps(0xffff, reinterpret_cast<__m512i>(v));
#else
  return __builtin_convertvector(reinterpret_cast<Ints>(v >> 1), Floats);
#endif
}
#if defined(__AVX512F__)
constexpr float kHalving = 1.0f;
#else
constexpr float kHalving = 2.0f;  // signed numbers alone can be converted
#endif

// kLanes bytes as words. By instruction: compilers make single insertions of __builtin_convertvector here.
inline Units widened(const unsigned char* p) {
#if defined(__AVX512F__)
  return reinterpret_cast<Units>(
      _mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return reinterpret_cast<Units>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#elif defined(__SSE4_1__)
  int bytes;
  __builtin_memcpy(&bytes, p, 4);
  return reinterpret_cast<Units>(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)));
#else
  return Units{p[0], p[1], p[2], p[3]};
#endif
}

// Of 16 bytes, a bit for each that is above 127; and for each that is 10xxxxxx, below -64 as a signed number.
inline u32 high_bits(const unsigned char* p) {
#if defined(__x86_64__)
  return static_cast<u32>(_mm_movemask_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
  u32 bits = 0;
  for (int i = 0; i < 16; ++i) bits |= static_cast<u32>(p[i] >> 7) << i;
  return bits;
#endif
}
inline u32 continuing_bits(const unsigned char* p) {
#if defined(__x86_64__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return static_cast<u32>(_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(-64))));
#else
  u32 bits = 0;
  for (int i = 0; i < 16; ++i) bits |= static_cast<u32>((p[i] & 0xC0) == 0x80) << i;
  return bits;
#endif
}

// Elements of `width` words from the lower or upper halves of a and b, in turn.
template <int width>
inline Units interleaved(Units a, Units b, bool upper) {
  const Units lane = reinterpret_cast<Units>(lane_numbers());
  const Units from = lane / (2 * width) * width + lane % width + (upper ? kLanes / 2 : 0);
  return __builtin_shuffle(a, b, (lane / width) % 2 ? from + kLanes : from);
}

// Appends words of v to `out`, of each four as many of the first as `counts` has bits in their nibble; may write kLanes
// words whatever the counts. Returns the new end.
inline u32* append(u32* out, Units v, u32 counts) {
#if defined(__AVX512F__)
  const __m512i packed = _mm512_maskz_compress_epi32(static_cast<__mmask16>(counts), reinterpret_cast<__m512i>(v));
  store_units(out, reinterpret_cast<Units>(packed));
  return out + __builtin_popcount(counts);
#else
  u32 words[kLanes];
  store_units(words, v);
  for (int i = 0; i < kLanes; i += 4, counts >>= 4) {
    __builtin_memcpy(out, words + i, 16);
    out += __builtin_popcount(counts & 15);
  }
  return out;
#endif
}

// The low nibbles of kLanes / 4 bytes, the first one lowest.
inline u32 nibbles(const unsigned char* p) {
  u32 bytes = 0;
  __builtin_memcpy(&bytes, p, kLanes / 4);
#if defined(__BMI2__)
  return _pext_u32(bytes, 0x0F0F0F0Fu);
#else
  return (bytes & 0xF) | (bytes >> 4 & 0xF0) | (bytes >> 8 & 0xF00) | (bytes >> 12 & 0xF000);
#endif
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
