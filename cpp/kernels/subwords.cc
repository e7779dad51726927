// Words to bags of n-grams, and bags to means of rows.
#include "firth/subwords.h"

#include "kernels.h"
#include "ngrams.h"
#include "rows.h"

namespace firth::FIRTH_LEVEL {
namespace {

i64 size_of(const Subwords& a, i64 w) {
  const unsigned char* word = a.text + a.begins[w];
  const i64 length = a.ends[w] - a.begins[w];
  const bool quick = readable(a, w);
  if (is_end(word, length, quick)) return 0;
  i64 characters = length + 2;
  if (quick)
    characters -= continuing(word, length);
  else
    for (i64 i = 0; i < length; ++i) characters -= continues(word[i]);
  const i64 ngrams = ngrams_of(characters, a.min_n, a.max_n);
  return a.hashes == 0 ? ngrams : (ngrams + 1) * static_cast<i64>(a.hashes);
}

// Calls take(id) for each id of a word's bag that begins in a part of the word, in order.
template <class Take>
void each_id(const Subwords& a, const unsigned char* word, i64 length, Range part, const Take& take) {
  if (ends_line(word, length)) return;
  const Bounded bytes{word, length};
  const i64 end = size(bytes);
  const auto hashed = [&](i64 from, i64 to) {
    u32 four[kMostHashes];
    murmur(bytes, from, to, four);
    for (u32 i = 0; i < a.hashes; ++i) take(four[i] % a.buckets);
  };
  if (a.hashes && part.begin == 0) hashed(0, end);
  for (i64 i = part.begin; i < end && i < part.end; ++i) {
    if (continues(static_cast<unsigned char>(byte_at(bytes, i)))) continue;
    u32 hash = kFnvBasis;
    i64 j = i;
    for (u32 n = 1; j < end && n <= a.max_n; ++n) {
      do {
        hash = fnv_step(hash, static_cast<unsigned char>(byte_at(bytes, j++)));
      } while (j < end && continues(static_cast<unsigned char>(byte_at(bytes, j))));
      if (n < a.min_n || (n == 1 && (i == 0 || j == end))) continue;
      if (a.hashes)
        hashed(i, j);
      else
        take(hash % a.buckets);
    }
  }
}

u32* write_word(const Subwords& a, const unsigned char* word, i64 length, u32* out) {
  each_id(a, word, length, {0, kToTheEnd}, [&](u32 id) { *out++ = id; });
  return out;
}

// mean *= 1 / size, as fastText rounds it; 0 stays what it is.
void divide(float* mean, i64 dim, i64 size) {
  const float share = static_cast<float>(1.0 / static_cast<double>(size > 0 ? size : 1));
  for (i64 d = 0; d < dim; ++d) mean[d] *= share;
}

void clear(float* mean, i64 dim) {
  for (i64 d = 0; d < dim; ++d) mean[d] = 0;
}

// The mean of a word whose bag has no room in scratch, or what a part of it adds to that.
void mean_of_long_word(const SubwordMeans& a, i64 w) {
  float* mean = row(a.means, w);
  if (a.part.begin == 0) clear(mean, a.table.dim);
  const unsigned char* word = a.words.text + a.words.begins[w];
  const i64 length = a.words.ends[w] - a.words.begins[w];
  each_id(a.words, word, length, a.part, [&](u32 id) {
    const float* from = row(a.table, a.first_row + static_cast<i64>(id));
    for (i64 d = 0; d < a.table.dim; ++d) mean[d] += from[d];
  });
  if (a.part.end >= length + 2) divide(mean, a.table.dim, size_of(a.words, w));
}

bool is_whole(Range part) { return part.begin == 0 && part.end == kToTheEnd; }

// What a part of a bag adds to its mean.
void add_part(const BagMeans& a, i64 b) {
  float* mean = row(a.means, b);
  const i64 size = a.offsets[b + 1] - a.offsets[b], end = a.part.end < size ? a.part.end : size;
  if (a.part.begin == 0) clear(mean, a.table.dim);
  for (i64 i = a.part.begin; i < end; ++i) {
    const float* from = row(a.table, a.ids[a.offsets[b] + i]);
    for (i64 d = 0; d < a.table.dim; ++d) mean[d] += from[d];
  }
  if (end == size) divide(mean, a.table.dim, size);
}

// Writes the bags of some words one behind the other from `out` on, `end` being where they end.
void write_bags(const Subwords& a, Range words, u32* out, u32* end) {
  if (!batched(a)) {
    for (i64 w = words.begin; w < words.end; ++w)
      out = write_word(a, a.text + a.begins[w], a.ends[w] - a.begins[w], out);
    return;
  }
  Batch batch(a);
  const Modulo modulo(a.buckets);
  // A batch writes a little more than it has: what lies behind `end` may be another thread's.
  const auto flush = [&] {
    if (end - out >= kUnits * kLengths + kLanes) {
      out = batch.write(a, modulo, out);
    } else {
      u32 last[kUnits * kLengths + kLanes];
      const i64 size = batch.write(a, modulo, last) - last;
      __builtin_memcpy(out, last, static_cast<std::size_t>(size) * sizeof(u32));
      out += size;
    }
  };
  for (i64 w = words.begin; w < words.end; ++w) {
    const unsigned char* word = a.text + a.begins[w];
    const i64 length = a.ends[w] - a.begins[w];
    const bool quick = readable(a, w);
    if (is_end(word, length, quick)) continue;
    if (length <= kLongestWord) {
      if (!batch.has_room(length)) flush();
      if (batch.add(word, length, quick)) continue;
    }
    flush();
    out = write_word(a, word, length, out);
  }
  flush();
}

}  // namespace

i64 newlines(const unsigned char* text, Range part, i64* found) {
  i64 count = 0, at = part.begin;
  for (; at + 64 <= part.end; at += 64) {
    u64 bits = text_bits(text + at).newlines;
    if (!found)
      count += __builtin_popcountll(bits);
    else
      for (; bits; bits &= bits - 1) found[count++] = at + __builtin_ctzll(bits);
  }
  for (; at < part.end; ++at) {
    if (text[at] != '\n') continue;
    if (found) found[count] = at;
    ++count;
  }
  return count;
}

void subwords(const Subwords& a, Range words) {
  if (a.ids) return write_bags(a, words, a.ids + a.offsets[words.begin], a.ids + a.offsets[words.end]);
  for (i64 w = words.begin; w < words.end; ++w) a.offsets[w + 1] = size_of(a, w);
}

// The bags of as many words as scratch has room for, then their means.
void subword_means(const SubwordMeans& a, Range words) {
  constexpr i64 kTogether = 256;
  i64 offsets[kTogether + 1];
  for (i64 first = words.begin, last = first; first < words.end; first = last) {
    offsets[0] = 0;
    for (; last < words.end && last - first < kTogether; ++last) {
      const i64 bag = size_of(a.words, last);
      if (offsets[last - first] + bag > kSubwordScratch) break;
      offsets[last - first + 1] = offsets[last - first] + bag;
    }
    if (last == first || !is_whole(a.part)) {
      mean_of_long_word(a, first);
      last = first + 1;
      continue;
    }
    write_bags(a.words, {first, last}, a.scratch, a.scratch + offsets[last - first]);
    const Matrix<const float> buckets = {row(a.table, a.first_row), a.table.rows - a.first_row, a.table.dim};
    bag_means({buckets, offsets, a.scratch, last - first, {row(a.means, first), last - first, a.table.dim}},
              {0, last - first});
  }
}

void bag_means(const BagMeans& a, Range bags) {
  for (i64 b = bags.begin; b < bags.end; ++b) {
    if (!is_whole(a.part)) {
      add_part(a, b);
      continue;
    }
    float* mean = row(a.means, b);
    const i64 size = a.offsets[b + 1] - a.offsets[b];
    sum_rows(a.table, a.ids + a.offsets[b], size, mean);
    divide(mean, a.table.dim, size);
  }
}

}  // namespace firth::FIRTH_LEVEL
