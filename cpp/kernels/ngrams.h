// n-grams of many words at once. Words are laid one behind the other, "<w1><w2>...", one unit of 32 bits a character,
// so that vectors are full whatever the words' lengths: lane i hashes the n-grams that begin at the i-th character from
// here, all of them by one running hash. Those that would leave their word are dropped when the lanes are appended.
#pragma once

#include "firth/subwords.h"
#include "simd_text.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr int kUnits = 512;       // of a batch
constexpr i64 kLongestWord = 64;  // in bytes, of those that go into a batch
constexpr int kLongestNgram = 16, kLengths = 4;
constexpr int kTogether = 4;         // vectors
constexpr int kSpan = 32;            // of copies that are longer than most words
constexpr u32 kLeastBuckets = 4096;  // below, quotients are too large for float32

// Whether a rule's n-grams can be made in batches: few lengths, none of one character (boundaries are special there).
inline bool batched(const Subwords& a) {
  return a.hashes == 0 && a.min_n >= 2 && a.max_n >= a.min_n && a.max_n < a.min_n + kLengths &&
         a.max_n <= kLongestNgram && a.buckets >= kLeastBuckets;
}

// h % buckets. The factor is a little too small, by more than what float32 rounds, so the quotient is right or one
// less.
struct Modulo {
  Units buckets;
  Floats factor;
  explicit Modulo(u32 n) : buckets(all_units(n)), factor(all(kHalving / static_cast<float>(n) * (1.0f - 0x1p-21f))) {}
  Units operator()(Units h) const {
    const Ints quotient = __builtin_convertvector(to_floats(h) * factor, Ints);
    const Units rest = h - reinterpret_cast<Units>(quotient) * buckets;
    return min(rest, rest - buckets);
  }
};

// Whether what is looked at of a word may be read: its bytes in groups of 16, and one group at least.
inline bool readable(const Subwords& a, i64 w) {
  const i64 length = a.ends[w] - a.begins[w];
  return a.begins[w] + (length > 16 ? length + 16 : 16) <= a.bytes;
}

// ends_line() that asks first what is hardly ever so: which words have four bytes cannot be predicted.
inline bool is_end(const unsigned char* word, i64 length, bool readable) {
  if (!readable) return ends_line(word, length);
  u32 four, end;
  __builtin_memcpy(&four, word, 4);
  __builtin_memcpy(&end, "</s>", 4);
  return four == end && length == 4;
}

// The lowest `count` of 16 bits; all for more.
inline u32 first_bits(u32 bits, i64 count) { return bits & ((1u << (count < 16 ? count : 16)) - 1); }

// How many bytes of a readable word continue a character.
inline i64 continuing(const unsigned char* word, i64 length) {
  i64 found = __builtin_popcount(first_bits(continuing_bits(word), length));
  for (i64 i = 16; i < length; i += 16) found += __builtin_popcount(first_bits(continuing_bits(word + i), length - i));
  return found;
}

// Whether all bytes of a readable word are below 128.
inline bool ascii(const unsigned char* word, i64 length) {
  u32 found = first_bits(high_bits(word), length);
  for (i64 i = 16; i < length; i += 16) found |= first_bits(high_bits(word + i), length - i);
  return found == 0;
}

struct Batch {
  alignas(64) u32 units[kUnits + 3 * kSpan];
  // Which n-grams of each character are whole: a nibble with as many low bits set.
  alignas(64) unsigned char whole[kUnits + 3 * kSpan];
  unsigned char pattern[kLongestWord + 2 + kSpan] = {};  // `whole` of a word of most characters
  int size = 0, widest = 1;  // units, and the most bytes of one; 2 at least where signs matter

  explicit Batch(const Subwords& a) {
    for (i64 at = 0; at < kLongestWord + 2; ++at)
      pattern[at] = static_cast<unsigned char>((1 << ngrams_at(kLongestWord + 2 - at, a.min_n, a.max_n)) - 1);
  }

  bool has_room(i64 length) const { return size + length + 2 <= kUnits; }

  // Adds a word of at most kLongestWord bytes, `readable` as above; false, and nothing is added, if a character has
  // more than four bytes.
  bool add(const unsigned char* word, i64 length, bool readable) {
    u32* to = units + size;
    to[0] = '<';
    i64 characters = length + 2;
    if (readable && ascii(word, length)) {
      for (i64 i = 0; i < kSpan / 2; i += kLanes) store_units(to + 1 + i, widened(word + i));
      for (i64 i = kSpan / 2; i < length; i += kLanes) store_units(to + 1 + i, widened(word + i));
    } else {
      i64 at = 0;
      int bytes = 1, most = 1;
      for (i64 i = 0; i < length; ++i) {
        if (continues(word[i])) {
          if (bytes == 4) return false;
          to[at] |= static_cast<u32>(word[i]) << (8 * bytes++);
          most = bytes > most ? bytes : most;
        } else {
          to[++at] = word[i];
          bytes = 1;
          most = word[i] > 127 && most < 2 ? 2 : most;
        }
      }
      characters = at + 2;
      widest = most > widest ? most : widest;
    }
    to[characters - 1] = '>';
    const unsigned char* last = pattern + kLongestWord + 2 - characters;
    __builtin_memcpy(whole + size, last, kSpan);
    for (i64 i = kSpan; i < characters; i += kSpan) __builtin_memcpy(whole + size + i, last + i, kSpan);
    size += static_cast<int>(characters);
    return true;
  }

  // Appends the n-grams of all words to `out`, where up to kLanes words more are written, and empties the batch.
  u32* write(const Subwords& a, const Modulo& modulo, u32* out) {
    __builtin_memset(whole + size, 0, kTogether * kLanes);
    for (int at = 0; at < size; at += kTogether * kLanes)
      out = widest == 1   ? step<1>(a, modulo, at, out)
            : widest == 2 ? step<2>(a, modulo, at, out)
                          : step<4>(a, modulo, at, out);
    size = 0;
    widest = 1;
    return out;
  }

  // kTogether vectors of characters at once: each is one long chain of operations that wait for each other.
  template <int kWidest>
  u32* step(const Subwords& a, const Modulo& modulo, int at, u32* out) const {
    Units ids[kTogether][kLengths] = {}, hash[kTogether];
#pragma GCC unroll 4
    for (int t = 0; t < kTogether; ++t) hash[t] = all_units(kFnvBasis);
    const int before = static_cast<int>(a.min_n) - 1, lengths = static_cast<int>(a.max_n) - before;
    for (int n = 0; n < before; ++n)
#pragma GCC unroll 4
      for (int t = 0; t < kTogether; ++t) hash[t] = next<kWidest>(hash[t], load_units(units + at + t * kLanes + n));
#pragma GCC unroll 4
    for (int n = 0; n < kLengths; ++n) {
      if (n >= lengths) break;
#pragma GCC unroll 4
      for (int t = 0; t < kTogether; ++t) {
        hash[t] = next<kWidest>(hash[t], load_units(units + at + t * kLanes + before + n));
        ids[t][n] = modulo(hash[t]);
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < kTogether; ++t) {
      const unsigned char* counts = whole + at + t * kLanes;
      const Units low = interleaved<1>(ids[t][0], ids[t][1], false), high = interleaved<1>(ids[t][0], ids[t][1], true);
      const Units low_rest = interleaved<1>(ids[t][2], ids[t][3], false);
      const Units high_rest = interleaved<1>(ids[t][2], ids[t][3], true);
      out = append(out, interleaved<2>(low, low_rest, false), nibbles(counts));
      out = append(out, interleaved<2>(low, low_rest, true), nibbles(counts + kLanes / 4));
      out = append(out, interleaved<2>(high, high_rest, false), nibbles(counts + kLanes / 2));
      out = append(out, interleaved<2>(high, high_rest, true), nibbles(counts + 3 * kLanes / 4));
    }
    return out;
  }

  // The hash after a character of up to kWidest bytes; those behind the first are never zero.
  template <int kWidest>
  static Units next(Units hash, Units unit) {
    if constexpr (kWidest == 1) return (hash ^ unit) * kFnvPrime;
    const Ints bytes = reinterpret_cast<Ints>(unit);
    hash = (hash ^ reinterpret_cast<Units>(bytes << 24 >> 24)) * kFnvPrime;
#pragma GCC unroll 3
    for (int i = 1; i < kWidest; ++i) {
      const Units longer = (hash ^ reinterpret_cast<Units>(bytes << (24 - 8 * i) >> 24)) * kFnvPrime;
      hash = unit >= (1u << (8 * i)) ? longer : hash;
    }
    return hash;
  }
};

}  // namespace
}  // namespace firth::FIRTH_LEVEL
