// Words to bags of n-grams, and bags to means of rows.
#include "firth/subwords.h"

#include "kernels.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

i64 characters_of(const unsigned char* word, i64 length) {
  i64 characters = 2;
  for (i64 i = 0; i < length; ++i) characters += !continues(word[i]);
  return characters;
}

i64 size_of(const Subwords& a, const unsigned char* word, i64 length) {
  if (ends_line(word, length)) return 0;
  const i64 ngrams = ngrams_of(characters_of(word, length), a.min_n, a.max_n);
  return a.hashes == 0 ? ngrams : (ngrams + 1) * static_cast<i64>(a.hashes);
}

u32* write_hashes(const Subwords& a, const Bounded& bytes, i64 begin, i64 end, u32* out) {
  u32 four[4];
  murmur(bytes, begin, end, four);
  for (u32 i = 0; i < a.hashes; ++i) *out++ = four[i] % a.buckets;
  return out;
}

u32* write_word(const Subwords& a, const unsigned char* word, i64 length, u32* out) {
  const Bounded bytes{word, length};
  const i64 end = size(bytes);
  if (a.hashes) out = write_hashes(a, bytes, 0, end, out);
  for (i64 i = 0; i < end; ++i) {
    if (continues(static_cast<unsigned char>(byte_at(bytes, i)))) continue;
    u32 hash = kFnvBasis;
    i64 j = i;
    for (u32 n = 1; j < end && n <= a.max_n; ++n) {
      do {
        hash = fnv_step(hash, static_cast<unsigned char>(byte_at(bytes, j++)));
      } while (j < end && continues(static_cast<unsigned char>(byte_at(bytes, j))));
      if (n < a.min_n || (n == 1 && (i == 0 || j == end))) continue;
      if (a.hashes)
        out = write_hashes(a, bytes, i, j, out);
      else
        *out++ = hash % a.buckets;
    }
  }
  return out;
}

}  // namespace

void subwords(const Subwords& a, Range words) {
  for (i64 w = words.begin; w < words.end; ++w) {
    const unsigned char* word = a.text + a.begins[w];
    const i64 length = a.ends[w] - a.begins[w];
    if (!a.ids)
      a.offsets[w + 1] = size_of(a, word, length);
    else if (!ends_line(word, length))
      write_word(a, word, length, a.ids + a.offsets[w]);
  }
}

void bag_means(const BagMeans& a, Range bags) {
  for (i64 b = bags.begin; b < bags.end; ++b) {
    float* mean = row(a.means, b);
    for (i64 d = 0; d < a.table.dim; ++d) mean[d] = 0;
    const i64 size = a.offsets[b + 1] - a.offsets[b];
    for (i64 i = a.offsets[b]; i < a.offsets[b + 1]; ++i) {
      const float* from = row(a.table, a.ids[i]);
      for (i64 d = 0; d < a.table.dim; ++d) mean[d] += from[d];
    }
    const float share = static_cast<float>(1.0 / static_cast<double>(size > 0 ? size : 1));
    for (i64 d = 0; d < a.table.dim; ++d) mean[d] *= share;
  }
}

void subword_means(const SubwordMeans& a, Range words) {
  for (i64 w = words.begin; w < words.end; ++w) {
    const unsigned char* word = a.words.text + a.words.begins[w];
    const i64 length = a.words.ends[w] - a.words.begins[w];
    float* mean = row(a.means, w);
    for (i64 d = 0; d < a.table.dim; ++d) mean[d] = 0;
    const i64 size = size_of(a.words, word, length);
    if (size == 0) continue;
    write_word(a.words, word, length, a.scratch);
    for (i64 i = 0; i < size; ++i) {
      const float* from = row(a.table, a.first_row + a.scratch[i]);
      for (i64 d = 0; d < a.table.dim; ++d) mean[d] += from[d];
    }
    const float share = static_cast<float>(1.0 / static_cast<double>(size > 0 ? size : 1));
    for (i64 d = 0; d < a.table.dim; ++d) mean[d] *= share;
  }
}

}  // namespace firth::FIRTH_LEVEL
