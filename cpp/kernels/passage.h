// The first half of negative sampling: one piece of the corpus becomes a passage of kept tokens that know how far their
// company reaches. Everything is drawn by position, so a passage is the same whoever reads it.
#pragma once

#include "firth/negative_sampling.h"
#include "firth/window.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

// Kept tokens: those of the piece, with up to `window` of the same sentences on either side.
struct Passage {
  u32* words;
  u32* spans;            // how many kept tokens on each side are company; of explicit pairs, the input
  std::int32_t* begins;  // the kept tokens [begins, ends) are this token's sentence
  std::int32_t* ends;
  u32* first_draws;  // room for the piece's draws
  u32* second_draws;
  i64 first, last, size;  // centres are [first, last)
};

// Cuts working memory into 64-byte aligned arrays.
struct Arena {
  char* next;
  template <class T>
  T* take(i64 count) {
    T* taken = reinterpret_cast<T*>(next);
    next += (count * static_cast<i64>(sizeof(T)) + 63) / 64 * 64;
    return taken;
  }
};

// The pairs [begin, begin + count) of a stream; begin is even. Written so that compilers make vectors of it.
inline void draw_pairs(const NegativeSampling& a, u32 stream, u64 begin, i64 count, u32* __restrict first,
                       u32* __restrict second) {
  for (i64 i = 0; i < (count + 1) / 2; ++i) {
    const Draw d = draw(a.seed, stream, a.epoch, begin / 2 + static_cast<u64>(i));
    first[2 * i] = d.x;
    second[2 * i] = d.y;
    first[2 * i + 1] = d.z;
    second[2 * i + 1] = d.w;
  }
}

// The negatives of a piece's blocks, (blocks, shared). Columns are all asked for before the first is read.
inline void draw_negatives(const NegativeSampling& a, i64 begin, i64 blocks, u32* words, u32* second) {
  for (i64 n = 0; n < blocks; ++n) {
    const u64 base = static_cast<u64>(begin + n * a.block) * static_cast<u64>(a.shared);
    draw_pairs(a, kStreamNegative, base, a.shared, words + n * a.shared, second + n * a.shared);
  }
  for (i64 k = 0; k < blocks * a.shared; ++k) {
    words[k] = below(words[k], static_cast<u32>(a.output.rows));
    __builtin_prefetch(a.noise + words[k]);
  }
  for (i64 k = 0; k < blocks * a.shared; ++k) {
    const NoiseColumn column = a.noise[words[k]];
    words[k] = second[k] <= column.accept ? words[k] : column.alias;
  }
}

// The word at a position; an id that is no word is noted and read as word 0.
inline u32 word_at(const NegativeSampling& a, i64 position) {
  const u32 id = a.ids[position];
  if (id < static_cast<u32>(a.output.rows)) return id;
  if (a.outcome->unknown < 0) a.outcome->unknown = position;
  return 0;
}

inline bool keeps(const NegativeSampling& a, i64 position, u32* span) {
  const DrawPair d = draw_pair(a.seed, kStreamPosition, a.epoch, static_cast<u64>(position));
  *span = static_cast<u32>(reach(d.second, a.window));
  return d.first <= a.keep[word_at(a, position)];
}

// The sentence that holds `position`: the last one that begins at or before it.
inline i64 sentence_of(const NegativeSampling& a, i64 position) {
  i64 low = 0, high = a.sentences;
  while (high - low > 1) {
    const i64 middle = (low + high) / 2;
    (a.offsets[middle] <= position ? low : high) = middle;
  }
  return low;
}

// Explicit pairs: the targets are the words, and nothing is company of anything.
inline void read_pairs(const NegativeSampling& a, i64 begin, i64 end, Passage* p) {
  draw_pairs(a, kStreamPosition, static_cast<u64>(begin), end - begin, p->first_draws, p->second_draws);
  i64 n = 0;
  for (i64 at = begin; at < end; ++at) {
    p->words[n] = word_at(a, at);
    p->spans[n] = a.sources[at];
    n += p->first_draws[at - begin] <= a.keep[p->words[n]];
  }
  p->first = 0;
  p->last = p->size = n;
}

// The company of a kept token and itself, as kept tokens.
inline Range reached(const Passage& p, i64 at) { return company(at, p.spans[at], {p.begins[at], p.ends[at]}); }

inline void read_passage(const NegativeSampling& a, i64 begin, i64 end, Passage* p) {
  draw_pairs(a, kStreamPosition, static_cast<u64>(begin), end - begin, p->first_draws, p->second_draws);
  i64 sentence = sentence_of(a, begin), n = 0;
  const i64 window = static_cast<i64>(a.window);

  // Company before the piece, nearest first, then turned round.
  for (i64 at = begin - 1; at >= a.offsets[sentence] && n < window; --at) {
    p->words[n] = word_at(a, at);
    n += keeps(a, at, &p->spans[n]);
  }
  for (i64 i = 0, j = n - 1; i < j; ++i, --j) {
    const u32 word = p->words[i], span = p->spans[i];
    p->words[i] = p->words[j];
    p->spans[i] = p->spans[j];
    p->words[j] = word;
    p->spans[j] = span;
  }
  p->first = n;

  i64 opened = 0;  // where the current sentence begins among the kept tokens
  for (i64 at = begin; at < end; ++sentence) {
    const i64 sentence_end = a.offsets[sentence + 1], stop = sentence_end < end ? sentence_end : end;
    for (; at < stop; ++at) {
      const u32 word = word_at(a, at);
      p->words[n] = word;
      p->spans[n] = static_cast<u32>(reach(p->second_draws[at - begin], a.window));
      n += p->first_draws[at - begin] <= a.keep[word];
    }
    if (stop == end) {
      p->last = n;
      for (; at < sentence_end && n < p->last + window; ++at) {
        p->words[n] = word_at(a, at);
        n += keeps(a, at, &p->spans[n]);
      }
      at = end;
    }
    for (i64 i = opened; i < n; ++i) {
      p->begins[i] = static_cast<std::int32_t>(opened);
      p->ends[i] = static_cast<std::int32_t>(n);
    }
    opened = n;
  }
  p->size = n;
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
