// The n-grams of words of any bytes on every instruction set, and the means of their rows, against the definition.
#include "firth/subwords.h"

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz.h"

namespace {

using namespace firth;
using namespace firth::fuzz;

constexpr i64 kMostIds = 70'000;                              // of all words: more than scratch has room for
constexpr i64 kMostBytes = 1 << 19, kMostMurmured = 1 << 16;  // of all n-grams: how long an input may take

// Characters as strings; what continues one belongs to it.
std::vector<std::string> characters_of(const std::string& word) {
  std::vector<std::string> characters;
  for (const char c : "<" + word + ">")
    if ((static_cast<Byte>(c) & 0xC0) == 0x80)
      characters.back() += c;
    else
      characters.emplace_back(1, c);
  return characters;
}

// The ids of an n-gram. murmur() itself is held against its description by the tests in Python.
void put(const Subwords& rule, const std::string& ngram, std::vector<u32>& ids) {
  if (rule.hashes == 0) {
    u32 hash = 2166136261u;
    for (const char c : ngram)
      hash = (hash ^ static_cast<u32>(static_cast<int>(static_cast<signed char>(c)))) * 16777619u;
    ids.push_back(hash % rule.buckets);
    return;
  }
  u32 four[kMostHashes];
  const i64 length = static_cast<i64>(ngram.size());
  murmur({reinterpret_cast<const Byte*>(ngram.data()), length}, 1, 1 + length, four);  // without "<" and ">"
  for (u32 i = 0; i < rule.hashes; ++i) ids.push_back(four[i] % rule.buckets);
}

// Appends the bag of a word; false if there are too many ids to go on.
bool add_bag(const Subwords& rule, const std::string& word, std::vector<u32>& ids, i64& work) {
  if (word == "</s>") return true;
  const std::vector<std::string> characters = characters_of(word);
  const std::size_t last = characters.size();
  if (rule.hashes) put(rule, "<" + word + ">", ids);
  for (std::size_t i = 0; i < last; ++i) {
    std::string ngram;
    for (std::size_t n = 1; n <= rule.max_n && i + n <= last; ++n) {
      ngram += characters[i + n - 1];
      if (n < rule.min_n || (n == 1 && (i == 0 || i + 1 == last))) continue;
      put(rule, ngram, ids);
      work += static_cast<i64>(ngram.size());
      if (static_cast<i64>(ids.size()) > kMostIds || work > (rule.hashes ? kMostMurmured : kMostBytes)) return false;
    }
  }
  return true;
}

// Rows whose sum depends on the order of its terms. They end where the memory ends.
const float* rows_of(i64 rows, i64 dim) {
  constexpr i64 kMost = (4500 + 16) * 35;
  static const Exact<float> memory = [] {
    Exact<float> filled(kMost);
    u32 state = 1;
    for (i64 i = 0; i < kMost; ++i) {
      state = state * 1664525u + 1013904223u;
      filled[i] = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-28f;
    }
    return filled;
  }();
  CHECK(rows * dim <= kMost);
  return memory.data() + kMost - rows * dim;
}

std::vector<float> plain_means(const Matrix<const float>& table, const std::vector<i64>& offsets,
                               const std::vector<u32>& ids, i64 first_row) {
  std::vector<float> means;
  for (std::size_t w = 0; w + 1 < offsets.size(); ++w) {
    const float share = static_cast<float>(1.0 / static_cast<double>(std::max<i64>(offsets[w + 1] - offsets[w], 1)));
    for (i64 d = 0; d < table.dim; ++d) {
      float sum = 0;
      for (i64 i = offsets[w]; i < offsets[w + 1]; ++i)
        sum += row(table, first_row + static_cast<i64>(ids[static_cast<std::size_t>(i)]))[d];
      means.push_back(sum * share);
    }
  }
  return means;
}

template <class T>
bool same(const Exact<T>& found, const std::vector<T>& expected) {
  return found.size() == static_cast<i64>(expected.size()) &&
         std::equal(expected.begin(), expected.end(), found.data());
}

void compare(const Kernels& kernels, Subwords rule, const std::vector<i64>& expected, const std::vector<u32>& ids,
             const Matrix<const float>& table, i64 first_row, const std::vector<float>& expected_means, i64 cut) {
  const Exact<i64> offsets(rule.words + 1, 0);
  rule.offsets = offsets.data();
  kernels.subwords(rule, {0, rule.words});
  for (i64 w = 0; w < rule.words; ++w) offsets[w + 1] += offsets[w];
  CHECK(same(offsets, expected));
  const Exact<u32> found(static_cast<i64>(ids.size()), 0xFFFFFFFF);
  rule.ids = found.data();
  const i64 middle = cut % (rule.words + 1);
  kernels.subwords(rule, {middle, rule.words});  // what a range writes behind its end would show
  kernels.subwords(rule, {0, middle});
  CHECK(same(found, ids));
  if (table.dim == 0) return;

  const i64 dim = table.dim;
  const Exact<float> means(rule.words * dim, -1.0f), again(rule.words * dim, -1.0f);
  kernels.bag_means({{row(table, first_row), table.rows - first_row, dim},
                     offsets.data(),
                     found.data(),
                     rule.words,
                     {means.data(), rule.words, dim}},
                    {0, rule.words});
  CHECK(same(means, expected_means));
  static const Exact<u32> scratch(kSubwordScratch);
  rule.ids = nullptr;
  rule.offsets = nullptr;
  kernels.subword_means({rule, table, first_row, {again.data(), rule.words, dim}, scratch.data()}, {0, rule.words});
  CHECK(same(again, expected_means));
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  Input input(data, size);
  const u32 how = input.byte();
  u32 min_n = 1 + input.byte() % 20, max_n = min_n + input.byte() % 8;
  if (how & 1) {
    min_n = 3;
    max_n = 6;
  }
  if (how >= 0xF0) max_n = how == 0xF0 ? 0 : 1 << 16;
  const i64 dim = how & 2 ? input.between(1, 35) : 0, first_row = dim ? input.between(0, 15) : 0, cut = input.byte();
  u32 buckets = 1 + input.word() % 4500;
  if (!dim && how & 4) buckets = 1 + static_cast<u32>(input.number() & 0x7FFFFFFE) % 0x7FFFFFFFu;
  const u32 hashes = how & 8 ? 1 + how / 16 % 4 : 0;

  std::vector<i64> begins, ends;
  std::vector<std::pair<i64, i64>> places;
  if (how & 64) {  // anywhere, also one over the other
    for (i64 left = input.between(0, 40); left > 0; --left) {
      const i64 begin = input.byte();
      places.emplace_back(begin, input.byte());
    }
  }
  const std::string text = input.bytes(input.left());
  const i64 many = static_cast<i64>(text.size());
  for (const auto& [begin, length] : places) {
    begins.push_back(begin % (many + 1));
    ends.push_back(std::min(many, begins.back() + length));
  }
  if (!(how & 64)) {
    for (i64 begin = 0; begin <= many; begin = ends.back() + 1) {
      const std::size_t end = text.find('\n', static_cast<std::size_t>(begin));
      begins.push_back(begin);
      ends.push_back(end == std::string::npos ? many : static_cast<i64>(end));
    }
  }
  const i64 words = static_cast<i64>(begins.size());
  const Exact<Byte> copy = copy_of(text);
  const Subwords rule = {copy.data(), begins.data(), ends.data(), words,   many,   min_n,
                         max_n,       buckets,       hashes,      nullptr, nullptr};
  std::vector<i64> offsets{0};
  std::vector<u32> ids;
  i64 work = 0;
  for (i64 w = 0; w < words; ++w) {
    const std::size_t begin = static_cast<std::size_t>(begins[static_cast<std::size_t>(w)]);
    const std::size_t end = static_cast<std::size_t>(ends[static_cast<std::size_t>(w)]);
    if (!add_bag(rule, text.substr(begin, end - begin), ids, work)) return 0;
    offsets.push_back(static_cast<i64>(ids.size()));
  }
  const i64 rows = first_row + static_cast<i64>(buckets);
  const Matrix<const float> table = {dim ? rows_of(rows, dim) : nullptr, rows, dim};
  const std::vector<float> means = plain_means(table, offsets, ids, first_row);
  for (const Kernels* kernels : text_levels()) compare(*kernels, rule, offsets, ids, table, first_row, means, cut);
  return 0;
}
