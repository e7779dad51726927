// Two loops over a few KB at a time: first every border between token and separator goes into a list, 64 bytes to a bit
// mask, then the list is read in pairs. Apart they run without a mispredicted branch per token.
#include "kernels.h"
#include "simd_text.h"

namespace firth::FIRTH_LEVEL {
namespace {

using Byte = unsigned char;
typedef u64 LooseWord __attribute__((aligned(1), may_alias));

constexpr i64 kGroup = 64, kChunk = 32 * kGroup;

// kFirst[n] keeps the first n of 16 bytes: a table, because a branch on a length is often mispredicted.
constexpr u64 kAll = ~u64{0};
constexpr u64 kFirst[17][2] = {{0, 0},
                               {kAll >> 56, 0},
                               {kAll >> 48, 0},
                               {kAll >> 40, 0},
                               {kAll >> 32, 0},
                               {kAll >> 24, 0},
                               {kAll >> 16, 0},
                               {kAll >> 8, 0},
                               {kAll, 0},
                               {kAll, kAll >> 56},
                               {kAll, kAll >> 48},
                               {kAll, kAll >> 40},
                               {kAll, kAll >> 32},
                               {kAll, kAll >> 24},
                               {kAll, kAll >> 16},
                               {kAll, kAll >> 8},
                               {kAll, kAll}};

// Bit masks of text[at, at + 64), where everything from `end` on counts as separators.
inline TextBits bits_at(const Tokens& args, i64 at, i64 end) {
  TextBits bits;
  if (at + kGroup <= args.size) {
    bits = text_bits(args.text + at);
  } else {
    Byte rest[kGroup] = {};
    for (i64 i = 0; i < args.size - at; ++i) rest[i] = args.text[at + i];
    bits = text_bits(rest);
  }
  if (end - at < kGroup) {
    const u64 outside = ~u64{0} << (end - at);
    bits.separators |= outside;
    bits.newlines &= ~outside;
  }
  return bits;
}

// The first separator of text[at, end), else end.
inline i64 find_separator(const Tokens& args, i64 at, i64 end) {
  for (; at < end; at += kGroup)
    if (const u64 found = bits_at(args, at, end).separators) {
      at += __builtin_ctzll(found);
      return at < end ? at : end;
    }
  return end;
}

struct Output {
  const Tokens& args;
  i64 tokens = 0, breaks = 0;

  void put(i64 start, i64 end) {
    const i64 length = end - start;
    const Byte* bytes = args.text + start;
    u64 words[2];
    if (start + 16 <= args.size) {
      const u64* mask = kFirst[length < 16 ? length : 16];
      words[0] = *reinterpret_cast<const LooseWord*>(bytes) & mask[0];
      words[1] = *reinterpret_cast<const LooseWord*>(bytes + 8) & mask[1];
    } else {
      token_words(bytes, length, words);
    }
    u64 hash = token_hash_step(0, words[0], words[1], args.seed);
    if (length > 16) {
      i64 at = 16;
      for (; at + 16 <= length; at += 16)
        hash = token_hash_step(hash, *reinterpret_cast<const LooseWord*>(bytes + at),
                               *reinterpret_cast<const LooseWord*>(bytes + at + 8), args.seed);
      if (at < length) {
        u64 rest[2];
        token_words(bytes + at, length - at, rest);
        hash = token_hash_step(hash, rest[0], rest[1], args.seed);
      }
    }
    args.starts[tokens] = start;
    args.lengths[tokens] = length;
    args.keys[2 * tokens] = words[0];
    args.keys[2 * tokens + 1] = words[1];
    args.hashes[tokens] = hash;
    ++tokens;
  }

  void put_breaks(u64 newlines, u64 starts, i64 started) {
    for (; newlines; newlines &= newlines - 1) {
      const i64 before = started + __builtin_popcountll(starts & (newlines ^ (newlines - 1)));
      if (breaks == 0 || args.breaks[breaks - 1] != before) args.breaks[breaks++] = before;
    }
  }
};

}  // namespace

void tokens(const Tokens& args, Range range) {
  Output out{args};
  i64 at = range.begin;
  if (at > 0 && at < range.end && !is_separator(args.text[at - 1])) at = find_separator(args, at, range.end);

  i64 borders[kChunk + kGroup];  // start, end, start, end ...: an open token's start is last
  i64 count = 0;
  u64 before = 1;  // whether the byte before `at` is a separator
  while (at < range.end) {
    const i64 chunk_end = at + kChunk < range.end ? at + kChunk : range.end;
    for (; at < chunk_end; at += kGroup) {
      const TextBits bits = bits_at(args, at, range.end);
      u64 changes = bits.separators ^ (bits.separators << 1 | before);
      before = bits.separators >> 63;
      if (bits.newlines) out.put_breaks(bits.newlines, changes & ~bits.separators, out.tokens + (count + 1) / 2);
      const int found = __builtin_popcountll(changes);
      // More than there are is written, then overwritten: a loop of exact length would be mispredicted each time.
      i64* next = borders + count;
      for (int done = 0; done < found; done += 8)
        for (int i = 0; i < 8; ++i) {
          next[done + i] = at + __builtin_ctzll(changes | u64{1} << 63);
          changes &= changes - 1;
        }
      count += found;
    }
    if (at >= range.end && count % 2 == 1) borders[count++] = range.end;
    // A token that reaches the end of the range may go on behind it.
    if (at >= range.end && count > 0 && borders[count - 1] == range.end)
      borders[count - 1] = find_separator(args, range.end, args.size);
    for (i64 i = 0; i + 1 < count; i += 2) out.put(borders[i], borders[i + 1]);
    borders[0] = borders[count - count % 2];
    count %= 2;
  }
  args.found[0] = out.tokens;
  args.found[1] = out.breaks;
}

}  // namespace firth::FIRTH_LEVEL
