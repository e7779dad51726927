// subwords: words -> bags of character n-grams, as ids of buckets; and the mean of the table rows that a bag names.
//
// A word w stands between boundaries, "<w>". Its n-grams are the runs of n characters of that, min_n <= n <= max_n, by
// where they begin, then by n; a single boundary is none. A character is a byte with all continuation bytes (10xxxxxx)
// behind it, so that any bytes are a word and "<" may take such bytes with it. An n-gram is the FNV-1a hash of its
// bytes, modulo buckets. Bojanowski, Grave, Joulin and Mikolov, "Enriching word vectors with subword information"
// (2017), section 3.2; what the paper leaves open (sign-extended bytes, the order, no n-grams in "</s>", which ends a
// line) is as in the program fastText, whose models must be read.
//
// With hashes > 0 it is floret's rule: "<w>" as a whole comes first, then its n-grams, and each becomes the first
// `hashes` of the four 32-bit words (lowest first) of its 128-bit MurmurHash3 (x64, seed 2166136261), modulo buckets.
#pragma once

#include "firth/array.h"

namespace firth {

constexpr u32 kFnvBasis = 2166136261u, kFnvPrime = 16777619u;
constexpr u32 kFloretSeed = 2166136261u;
constexpr u32 kMostHashes = 4;

// One step of fastText's FNV-1a: bytes count as signed.
FIRTH_HD u32 fnv_step(u32 hash, unsigned char byte) {
  return (hash ^ static_cast<u32>(static_cast<std::int32_t>(static_cast<signed char>(byte)))) * kFnvPrime;
}

FIRTH_HD bool continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// fastText's end of a line, which has no n-grams.
FIRTH_HD bool ends_line(const unsigned char* word, i64 length) {
  return length == 4 && word[0] == '<' && word[1] == '/' && word[2] == 's' && word[3] == '>';
}

// "<w>" as bytes, without a copy of w.
struct Bounded {
  const unsigned char* word;
  i64 length;  // of w
};
FIRTH_HD i64 size(const Bounded& b) { return b.length + 2; }
FIRTH_HD u32 byte_at(const Bounded& b, i64 i) { return i == 0 ? '<' : i <= b.length ? b.word[i - 1] : '>'; }

FIRTH_HD u64 turned_left(u64 x, int bits) { return x << bits | x >> (64 - bits); }

// The last mixing of MurmurHash3: every bit of x comes to bear on every bit of the result.
FIRTH_HD u64 stirred(u64 x) {
  x = (x ^ x >> 33) * 0xFF51AFD7ED558CCDu;
  x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53u;
  return x ^ x >> 33;
}

// The 128-bit MurmurHash3 for x64 (Austin Appleby, public domain) of bytes [begin, end), as four words, lowest first.
FIRTH_HD void murmur(const Bounded& b, i64 begin, i64 end, u32* four) {
  constexpr u64 kFirst = 0x87C37B91114253D5u, kSecond = 0x4CF5AD432745937Fu;
  u64 low = kFloretSeed, high = kFloretSeed;
  for (i64 at = begin;; at += 16) {
    u64 part[2] = {0, 0};  // zeros behind the end change nothing below
    for (i64 i = 0; i < 16 && at + i < end; ++i) part[i / 8] |= static_cast<u64>(byte_at(b, at + i)) << (8 * (i % 8));
    const u64 first = turned_left(part[0] * kFirst, 31) * kSecond, second = turned_left(part[1] * kSecond, 33) * kFirst;
    low ^= first;
    if (at + 16 > end) {
      high ^= second;
      break;
    }
    low = (turned_left(low, 27) + high) * 5 + 0x52DCE729u;
    high = (turned_left(high ^ second, 31) + low) * 5 + 0x38495AB5u;
  }
  const u64 length = static_cast<u64>(end - begin);
  low ^= length;
  high ^= length;
  low += high;
  high += low;
  low = stirred(low);
  high = stirred(high);
  low += high;
  high += low;
  four[0] = static_cast<u32>(low);
  four[1] = static_cast<u32>(low >> 32);
  four[2] = static_cast<u32>(high);
  four[3] = static_cast<u32>(high >> 32);
}

// Strings of bytes and what their n-grams are. The bag of word w is written to ids[offsets[w], offsets[w + 1]).
struct Subwords {
  const unsigned char* text;  // (bytes,)
  const i64 *begins, *ends;   // (words,): word w is text[begins[w], ends[w])
  i64 words, bytes;           // begins and ends lie within the bytes
  u32 min_n, max_n, buckets;  // 1 <= min_n <= max_n <= 2^16, or max_n = 0 for no n-grams; 1 <= buckets < 2^31
  u32 hashes;                 // 0: fastText's rule; 1..4: floret's
  i64* offsets;               // (words + 1,)
  u32* ids;                   // null: only count, writing how many ids word w has to offsets[w + 1]
};

// How many n-grams begin at a character that has `left` characters from there on, itself included.
FIRTH_HD i64 ngrams_at(i64 left, u32 min_n, u32 max_n) {
  const i64 most = left < static_cast<i64>(max_n) ? left : static_cast<i64>(max_n);
  return most >= static_cast<i64>(min_n) ? most - static_cast<i64>(min_n) + 1 : 0;
}

// How many n-grams "<w>" of that many characters has.
FIRTH_HD i64 ngrams_of(i64 characters, u32 min_n, u32 max_n) {
  if (max_n == 0) return 0;
  const i64 least = static_cast<i64>(min_n),
            longest = characters < static_cast<i64>(max_n) ? characters : static_cast<i64>(max_n);
  if (longest < least) return 0;
  const i64 lengths = longest - least + 1;  // characters - n + 1 n-grams of each length n
  const i64 all = lengths * (characters + 1) - (least + longest) * lengths / 2;
  return least == 1 ? all - 2 : all;  // the boundaries by themselves
}

// How many n-grams of "<w>" of that many characters begin before character `at`: where those of `at` stand in the bag.
FIRTH_HD i64 ngrams_before(i64 characters, i64 at, u32 min_n, u32 max_n) {
  if (at <= 0 || max_n == 0) return 0;
  const i64 from_there = ngrams_of(characters - at, min_n, max_n);  // of what has its own boundaries left out, as here
  return ngrams_of(characters, min_n, max_n) - from_there - (min_n == 1 && at < characters ? 1 : 0);
}

constexpr i64 kToTheEnd = INT64_MAX;

// means[b] = the mean of the rows that bag b names, added up in its order in float32, then multiplied by one over their
// number; zero for an empty bag.
struct BagMeans {
  Matrix<const float> table;  // (rows, dim)
  const i64* offsets;         // (bags + 1,)
  const u32* ids;             // each below rows
  i64 bags;
  Matrix<float> means;  // (bags, dim)
  // Only these of each bag's ids, by place: parts in order, one call after the other, are the whole bag, and its mean
  // is there after the last of them. The CPU's kernels know it, for bags that take long.
  Range part = {0, kToTheEnd};
};

// bag_means of the bags of `words`, whose ids are not stored: bucket i is row first_row + i of the table. It has no
// offsets and ids. Row w of the means is that of word w.
struct SubwordMeans {
  Subwords words;
  Matrix<const float> table;
  i64 first_row;
  Matrix<float> means;          // (words, dim)
  u32* scratch;                 // kSubwordScratch of them, one part per thread
  Range part = {0, kToTheEnd};  // as there: n-grams that begin at these bytes of "<w>"
};

constexpr i64 kSubwordScratch = 1 << 16;  // ids that are worked on together

}  // namespace firth
