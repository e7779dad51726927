// Text to tokens: where each token of a text lies, and a hash to look it up by.
//
// A token is a longest run of bytes that are not separators. Separators are the bytes 0, 9-13 and 32 (fastText's rule);
// 10 also ends a sentence. Every other byte, UTF-8 or not, is part of a token, and neither a token nor a sentence has a
// greatest length. A sentence without tokens does not exist.
//
// Range [begin, end) of bytes: the call finds the tokens that START there (they may end behind it; one that began
// before it belongs to an earlier range) and the newlines that lie there. Any cut of a text gives the same tokens. The
// caller gives room for max_tokens(range) tokens and one break more.
#pragma once

#include "firth/array.h"

namespace firth {

struct Tokens {
  const unsigned char* text;
  i64 size;  // bytes of text; nothing before or behind it is read
  u64 seed;  // of the hashes: unpredictable hashes keep hostile text from filling one slot of a table
  // Outputs, each from its first element on in every call.
  i64* starts;   // (tokens,) byte offsets into text, increasing
  i64* lengths;  // (tokens,) bytes
  u64* keys;  // (tokens, 2) the token's first 16 bytes in memory order, then zeros: with the length all of a short one
  u64* hashes;  // (tokens,) token_hash
  i64* breaks;  // (breaks,) a newline lies before the token of this number and behind the one before it; increasing
  i64* found;   // (2,) how many tokens and breaks
};

FIRTH_HD i64 max_tokens(Range range) { return (range.end - range.begin + 1) / 2; }

FIRTH_HD bool is_separator(unsigned char byte) { return byte == 0 || byte == 32 || (byte >= 9 && byte <= 13); }

// The high and low half of the 128-bit product, folded (the mixing step of wyhash, Wang Yi 2019).
FIRTH_HD u64 fold(u64 a, u64 b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<u64>(product) ^ static_cast<u64>(product >> 64);
}

// One step of the hash, which takes 16 bytes as two little-endian words. h starts as 0.
FIRTH_HD u64 token_hash_step(u64 h, u64 low, u64 high, u64 seed) {
  return fold(low ^ h ^ seed ^ 0x9E3779B97F4A7C15u, high ^ (seed << 32 | seed >> 32) ^ 0xD1B54A32D192ED03u);
}

// Up to 16 bytes as two words, filled up with zeros; reads nothing behind them.
FIRTH_HD void token_words(const unsigned char* bytes, i64 length, u64* words) {
  words[0] = words[1] = 0;
  for (i64 i = 0; i < length && i < 16; ++i) words[i / 8] |= static_cast<u64>(bytes[i]) << (8 * (i % 8));
}

// The steps over the bytes in groups of 16, the last one filled up with zeros.
FIRTH_HD u64 token_hash(const unsigned char* bytes, i64 length, u64 seed) {
  u64 h = 0, words[2];
  i64 at = 0;
  do {
    token_words(bytes + at, length - at, words);
    h = token_hash_step(h, words[0], words[1], seed);
    at += 16;
  } while (at < length);
  return h;
}

}  // namespace firth
