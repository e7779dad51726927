// cuda/kernels/subwords.cu on the host, against the definition: both rules, hard bytes, words longer than a window,
// tiles of one word and of many, rows that can and cannot be read by fours.
#include "cuda/kernels/subwords.cu"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "firth/random.h"

namespace {

using namespace firth;

struct Rule {
  u32 min_n, max_n, buckets, hashes;
};
constexpr Rule kFastText{3, 6, 2'000'000, 0}, kFloret{4, 5, 50'000, 2};

void expect(bool right, const char* what, i64 a, i64 b) {
  if (right) return;
  std::fprintf(stderr, "cuda_subwords_test: not so: %s (%ld, %ld)\n", what, static_cast<long>(a), static_cast<long>(b));
  std::exit(1);
}

std::vector<u32> hashes_of(const Rule& rule, const std::string& bytes) {
  if (rule.hashes == 0) {
    u32 hash = kFnvBasis;
    for (const char byte : bytes) hash = fnv_step(hash, static_cast<unsigned char>(byte));
    return {hash % rule.buckets};
  }
  // murmur puts boundaries around what it is given, and takes any part of that.
  u32 four[4];
  murmur({reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<i64>(bytes.size())}, 1,
         static_cast<i64>(bytes.size()) + 1, four);
  for (u32& hash : four) hash %= rule.buckets;
  return {four, four + rule.hashes};
}

// "<w>" is cut into characters, which are put together again.
std::vector<u32> bag_of(const Rule& rule, const std::string& word) {
  std::vector<u32> bag;
  if (word == "</s>") return bag;
  const auto add = [&](const std::string& bytes) {
    for (const u32 id : hashes_of(rule, bytes)) bag.push_back(id);
  };
  const std::string whole = "<" + word + ">";
  std::vector<std::string> characters;
  for (const char byte : whole)
    if ((byte & 0xC0) == 0x80)
      characters.back() += byte;
    else
      characters.emplace_back(1, byte);
  if (rule.hashes > 0) add(whole);
  const std::size_t count = characters.size();
  for (std::size_t i = 0; i < count; ++i) {
    std::string bytes;
    for (std::size_t n = 1; n <= rule.max_n && i + n <= count; ++n) {
      bytes += characters[i + n - 1];
      if (n >= rule.min_n && !(n == 1 && (i == 0 || i + 1 == count))) add(bytes);
    }
  }
  return bag;
}

// Letters, characters of two to four bytes, and bytes that are no text.
std::string word_of(i64 characters, u64 seed) {
  const char* const kCharacters[] = {
      "a",    "b",    "c",       "n", "e", "<", ">", "/", "s", "\xC3\xA9", "\xE6\xBC\xA2", "\xF0\x9F\x98\x80",
      "\x80", "\xFF", "\xBF\xBF"};
  std::string word;
  for (i64 i = 0; i < characters; ++i) word += kCharacters[below(draw(seed, 1, 0, i).x, std::size(kCharacters))];
  return word;
}

std::vector<std::string> words_of(i64 count, u64 seed) {
  std::vector<std::string> words;
  for (i64 w = 0; w < count; ++w) words.push_back(word_of(below(draw(seed, 2, 0, w).x, 12), seed + w));
  return words;
}

std::vector<float> table_of(i64 rows, i64 dim, u64 seed) {
  std::vector<float> values(rows * dim);
  for (i64 i = 0; i < rows * dim; ++i) values[i] = unit(draw(seed, 3, 0, i).x) - 0.5f;
  return values;
}

// The mean in the order of the bag, as the contract has it.
std::vector<float> mean_of(const std::vector<u32>& bag, const float* table, i64 dim) {
  std::vector<float> mean(dim);
  for (const u32 id : bag)
    for (i64 d = 0; d < dim; ++d) mean[d] = mean[d] + table[id * dim + d];
  const float share = static_cast<float>(1.0 / static_cast<double>(bag.empty() ? 1 : bag.size()));
  for (float& x : mean) x = x * share;
  return mean;
}

struct Text {
  std::vector<std::string> words;
  Rule rule;
  std::string bytes = {};
  std::vector<i64> begins = {}, ends = {}, offsets = {};
  std::vector<std::vector<u32>> bags = {};
  std::vector<u32> ids = {};

  // Words lie in the text backwards, with something between them.
  Subwords args() {
    if (begins.empty())
      for (auto word = words.rbegin(); word != words.rend(); ++word) {
        bytes += "\x80|";
        begins.insert(begins.begin(), static_cast<i64>(bytes.size()));
        bytes += *word;
        ends.insert(ends.begin(), static_cast<i64>(bytes.size()));
        bags.insert(bags.begin(), bag_of(rule, *word));
      }
    return {reinterpret_cast<const unsigned char*>(bytes.data()),
            begins.data(),
            ends.data(),
            static_cast<i64>(words.size()),
            static_cast<i64>(bytes.size()),
            rule.min_n,
            rule.max_n,
            rule.buckets,
            rule.hashes,
            offsets.data(),
            nullptr};
  }

  void hold_against_the_definition() {
    offsets.assign(words.size() + 1, 0);
    Subwords counting = args();
    cuda::subwords(counting, nullptr);
    for (std::size_t w = 0; w < words.size(); ++w) {
      expect(offsets[w + 1] == static_cast<i64>(bags[w].size()), "a bag is as large as the definition's", w,
             offsets[w + 1]);
      offsets[w + 1] += offsets[w];
    }
    ids.assign(offsets.back() + 2, 0xfeedfeed);
    counting.ids = ids.data() + 1;
    cuda::subwords(counting, nullptr);
    expect(ids.front() == 0xfeedfeed && ids.back() == 0xfeedfeed, "nothing is written beside the bags", 0, 0);
    for (std::size_t w = 0; w < words.size(); ++w)
      for (std::size_t i = 0; i < bags[w].size(); ++i)
        expect(ids[1 + offsets[w] + i] == bags[w][i], "an id is the definition's", w, i);
  }

  // `skew` floats before tables, so that they are not aligned.
  void hold_means_against_the_definition(i64 dim, i64 skew = 0) {
    constexpr i64 kFirst = 3;
    const Subwords words_alone = args();
    const std::vector<float> table = table_of(skew + kFirst + rule.buckets, dim, 5);
    const i64 count = static_cast<i64>(words.size());
    std::vector<float> means(skew + count * dim, -7.0f), again = means;
    const float* rows = table.data() + skew;
    cuda::subword_means(
        {words_alone, {rows, kFirst + rule.buckets, dim}, kFirst, {means.data() + skew, count, dim}, nullptr}, nullptr);
    std::vector<i64> ends_of_bags(1);
    std::vector<u32> all;
    for (const auto& bag : bags) {
      all.insert(all.end(), bag.begin(), bag.end());
      ends_of_bags.push_back(static_cast<i64>(all.size()));
    }
    cuda::bag_means({{rows + kFirst * dim, rule.buckets, dim},
                     ends_of_bags.data(),
                     all.data(),
                     count,
                     {again.data() + skew, count, dim}},
                    nullptr);
    for (i64 w = 0; w < count; ++w) {
      const std::vector<float> wanted = mean_of(bags[w], rows + kFirst * dim, dim);
      for (i64 d = 0; d < dim; ++d) {
        expect(means[skew + w * dim + d] == wanted[d], "a mean of subword_means is the definition's", w, d);
        expect(again[skew + w * dim + d] == wanted[d], "a mean of bag_means is the definition's", w, d);
      }
    }
  }
};

void test_where_ngrams_stand() {
  for (u32 min_n = 1; min_n < 5; ++min_n)
    for (u32 max_n = min_n; max_n < 8; ++max_n)
      for (i64 characters = 2; characters < 12; ++characters) {
        const auto before = [&](i64 at) { return ngrams_before(characters, at, min_n, max_n); };
        expect(before(0) == 0 && before(characters) == ngrams_of(characters, min_n, max_n), "all stand", min_n, max_n);
        for (i64 at = 0; at < characters; ++at) {
          const bool boundary = min_n == 1 && (at == 0 || at + 1 == characters);
          expect(before(at + 1) - before(at) == ngrams_at(characters - at, min_n, max_n) - boundary, "each stands", at,
                 characters);
        }
      }
  expect(ngrams_before(7, 3, 1, 0) == 0, "where there are none", 7, 3);
}

void test_remainders() {
  for (const u32 buckets : {1u, 2u, 3u, 7u, 4096u, 65537u, 2'000'000u, (1u << 30) + 1, (1u << 31) - 1}) {
    const cuda::Modulo modulo = cuda::modulo(buckets);
    for (i64 i = 0; i < 4000; ++i) {
      const Draw draws = draw(9, 4, 0, i);
      for (const u32 hash : {draws.x, draws.y - draws.y % buckets, draws.z - draws.z % buckets - 1, u32(i), ~u32(i)})
        expect(cuda::bucket_of(hash, modulo) == hash % buckets, "a remainder is exact", hash, buckets);
    }
  }
}

void test_every_rule() {
  std::vector<std::string> words = words_of(70, 1);
  words.insert(words.begin() + 3, {"", "</s>", "</s", "a", "where", "\x80", ">", "<"});
  for (const Rule& rule :
       {kFastText, kFloret, Rule{1, 1, 1, 0}, Rule{1, 3, 101, 0}, Rule{2, 2, 7, 0}, Rule{1, 65536, 999, 0},
        Rule{9, 20, 999, 0}, Rule{3, 0, 5, 0}, Rule{3, 0, 5, 1}, Rule{1, 2, 77, 3}, Rule{3, 9, 77, 4}})
    Text{words, rule}.hold_against_the_definition();
}

// Runs that fill more than one window, alone and with others; words that are counted by a warp.
void test_long_words() {
  for (const Rule& rule : {kFastText, Rule{1, 700, 1000, 0}, Rule{1, 600, 1000, 3}}) {
    Text text{{"short", word_of(900, 3), "", word_of(257, 4), std::string(256, '\x80'), "end"}, rule};
    text.hold_against_the_definition();
  }
}

// As many words as fill tiles, some of them long.
void test_full_tiles() {
  std::vector<std::string> words = words_of(2 * cuda::kWarpsEach * 32 + 5, 11);
  words[40] = word_of(300, 12);
  words[63] = words[64] = word_of(270, 13);
  for (i64 w = 96; w < 130; ++w) words[w] = "</s>";
  for (const Rule& rule : {kFastText, Rule{1, 4, 501, 0}, Rule{3, 4, 501, 3}}) {
    Text text{words, rule};
    text.hold_against_the_definition();
  }
  for (const u32 hashes : {0u, 3u}) {
    Text text{words, {2, 5, 501, hashes}};
    text.hold_means_against_the_definition(12);
  }
}

void test_means() {
  std::vector<std::string> words = words_of(40, 21);
  words[7] = words[8] = "</s>";
  words[9] = word_of(400, 22);
  for (const Rule& rule : {Rule{3, 6, 301, 0}, Rule{2, 4, 301, 2}, Rule{3, 0, 9, 0}}) {
    Text text{words, rule};
    for (const i64 dim : {1, 4, 8, 33, 100, 300}) text.hold_means_against_the_definition(dim);
    text.hold_means_against_the_definition(8, 1);
  }
}

}  // namespace

int main() {
  test_where_ngrams_stand();
  test_remainders();
  test_every_rule();
  test_long_words();
  test_full_tiles();
  test_means();
  Text{{}, kFastText}.hold_against_the_definition();  // no words
  return 0;
}
