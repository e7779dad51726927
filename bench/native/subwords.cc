// Words to ids of n-grams, and bags of ids to means of rows, on one core, per instruction set: million n-grams and
// words per second of CPU time, counting and filling together; million rows and GB per second of a table too large for
// the caches. Medians. Every answer is held against the definition first. Usage: bench_subwords [FILE] [rows=2000000]
// [dim=100] The words are those that a text file has at least five times; without one, or with "-", made ones.
//
// Ladder (wiki8's vocabulary, n-grams of 3 to 6, 2 M buckets, v4 on a busy core; million n-grams/s of CPU time, gains
// between runs one after the other, for absolute figures moved by half as much again):
//   each n-gram cut out and hashed from its first byte ("definition" in the table)   47
//   one running hash from each character on; words one behind the other in units of 32 bits, so that lane i hashes what
//   begins at the i-th character; remainders by a product of float32 and a minimum; a nibble a character says which
//   n-grams are whole; lengths interleaved, appended by a compressing store           580 without counting
//   bytes widened by instruction (__builtin_convertvector made single insertions)     +12%
//   bytes above 127 found by the bits of 16 bytes at a time, without branches         +20%
//   two vectors of characters at once, as each is one long chain                      +38%
//   four                                                                              +10%, +20% with AVX2
//   unsigned numbers converted as they are (AVX-512)                                  +8%
//   "</s>" looked for by its bytes first, as lengths of four cannot be predicted      +8%
//   all of it, counting included                                                      600 to 800
// Means (2 M rows of dim 100, 1.5 M ids of misspelt words; million rows/s, most of them from memory):
//   11   bags of stored ids, and bags of some words at a time, whose ids stay in cache: the same
//   11   rows fetched 4, 8, 12 or 24 ahead, into the first or the second cache: within the noise, not kept
//   14   words in alphabetical order, so that neighbours share rows (what sorting takes not counted): not kept
//    6   rows of a thousand words copied next to each other first: not kept
#include "firth/subwords.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <unordered_map>
#include <vector>

#include "dispatch.h"
#include "firth/random.h"
#include "pages.h"

namespace {

using namespace firth;

using Strings = std::vector<std::string>;

// Of few letters and many, longer ones seldom.
Strings made_words(i64 count) {
  Strings words(count);
  for (i64 w = 0; w < count; ++w) {
    const Draw d = draw(1, 0, 0, w);
    const u32 letters = 3 + (below(d.x, 8) + below(d.y, 8)) / 2 + (d.z % 16 == 0 ? below(d.w, 12) : 0);
    for (u32 i = 0; i < letters; ++i) {
      const float u = unit(draw(1, 1, static_cast<u32>(i), w).x);
      words[w] += static_cast<char>('a' + static_cast<int>(26 * u * u));
    }
  }
  return words;
}

Strings words_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::unordered_map<std::string, i64> counts;
  for (std::string word; file >> word;) ++counts[word];
  std::vector<std::pair<i64, std::string>> order;
  for (const auto& [word, count] : counts)
    if (count >= 5) order.emplace_back(-count, word);
  std::sort(order.begin(), order.end());
  Strings words;
  for (const auto& [count, word] : order) words.push_back(word);
  return words;
}

// A third of the words as they are, a third with some letters of two bytes, a third all of two and three.
Strings mixed(Strings words) {
  for (std::size_t w = 0; w < words.size(); ++w) {
    std::string text;
    for (const char letter : words[w]) {
      const auto place = static_cast<unsigned char>(letter % 32);
      if (w % 3 == 0 || (w % 3 == 1 && place % 4))
        text += letter;
      else if (w % 2)
        text += {static_cast<char>(0xD0), static_cast<char>(0xB0 + place % 16)};
      else
        text += {static_cast<char>(0xE3), static_cast<char>(0x81), static_cast<char>(0x82 + place)};
    }
    words[w] = text;
  }
  return words;
}

struct Rule {
  const char* name;
  u32 min_n, max_n, buckets, hashes;
};

// The bags of words by the definition, each n-gram by itself.
void define(const Strings& words, const Rule& rule, std::vector<i64>& offsets, std::vector<u32>& ids) {
  offsets.assign(1, 0);
  ids.clear();
  for (const std::string& word : words) {
    const std::string text = "<" + word + ">";
    std::vector<std::size_t> starts;
    for (std::size_t i = 0; i < text.size(); ++i)
      if (!continues(static_cast<unsigned char>(text[i]))) starts.push_back(i);
    const std::size_t characters = starts.size();
    starts.push_back(text.size());
    const auto add = [&](std::size_t begin, std::size_t end) {
      if (rule.hashes) {
        u32 four[kMostHashes];
        murmur({reinterpret_cast<const unsigned char*>(word.data()), static_cast<i64>(word.size())},
               static_cast<i64>(begin), static_cast<i64>(end), four);
        for (u32 h = 0; h < rule.hashes; ++h) ids.push_back(four[h] % rule.buckets);
      } else {
        u32 hash = kFnvBasis;
        for (const char byte : text.substr(begin, end - begin)) hash = fnv_step(hash, static_cast<unsigned char>(byte));
        ids.push_back(hash % rule.buckets);
      }
    };
    if (word != "</s>") {
      if (rule.hashes) add(0, text.size());
      for (std::size_t i = 0; i < characters; ++i)
        for (std::size_t n = rule.min_n; n <= rule.max_n && i + n <= characters; ++n)
          if (n > 1 || (i > 0 && i + 1 < characters)) add(starts[i], starts[i + n]);
    }
    offsets.push_back(static_cast<i64>(ids.size()));
  }
}

// Median CPU seconds of a call.
template <class F>
double seconds(int rounds, F work) {
  std::vector<double> spent(rounds);
  for (double& one : spent) {
    const std::clock_t start = std::clock();
    work();
    one = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  }
  std::sort(spent.begin(), spent.end());
  return std::max(spent[rounds / 2], 1e-6);
}

// Words as the kernel takes them, one behind the other with a newline between, and where their bags go.
struct Bagging {
  Bagging(const Strings& words, const Rule& rule) {
    for (const std::string& word : words) {
      begins.push_back(static_cast<i64>(text.size()));
      text += word;
      ends.push_back(static_cast<i64>(text.size()));
      text += '\n';
    }
    define(words, rule, wanted_offsets, wanted_ids);
    offsets.resize(words.size() + 1);
    ids.resize(wanted_ids.size());
    args = {reinterpret_cast<const unsigned char*>(text.data()),
            begins.data(),
            ends.data(),
            static_cast<i64>(words.size()),
            static_cast<i64>(text.size()),
            rule.min_n,
            rule.max_n,
            rule.buckets,
            rule.hashes,
            offsets.data(),
            nullptr};
  }

  void count(const Kernels& level) {
    args.ids = nullptr;
    level.subwords(args, {0, args.words});
    for (i64 w = 0; w < args.words; ++w) offsets[w + 1] += offsets[w];
  }

  void fill(const Kernels& level) {
    args.ids = ids.data();
    level.subwords(args, {0, args.words});
  }

  std::string text;
  std::vector<i64> begins, ends, offsets, wanted_offsets;
  std::vector<u32> ids, wanted_ids;
  Subwords args;
};

bool hashing(const char* vocabulary, const Strings& words, const Rule& rule) {
  Bagging bagging(words, rule);
  const double ngrams = 1e-6 * static_cast<double>(bagging.wanted_ids.size()),
               million = 1e-6 * static_cast<double>(words.size());
  const auto show = [&](const char* isa, double counting, double both) {
    std::printf("%-10s %-12s %-16s %12.1f %12.2f %11.0f%%\n", isa, vocabulary, rule.name, ngrams / both, million / both,
                100 * counting / both);
    std::fflush(stdout);
  };
  for (const Kernels* level : supported_kernels()) {
    std::fill(bagging.ids.begin(), bagging.ids.end(), ~0u);
    std::fill(bagging.offsets.begin(), bagging.offsets.end(), 0);
    bagging.count(*level);
    const bool counted = bagging.offsets == bagging.wanted_offsets;
    if (counted) bagging.fill(*level);
    if (!counted || bagging.ids != bagging.wanted_ids) {
      std::fprintf(stderr, "bench_subwords: %s makes other ids of %s, %s\n", level->isa, vocabulary, rule.name);
      return false;
    }
    const double counting = seconds(21, [&] { bagging.count(*level); });
    show(level->isa, counting, seconds(21, [&] {
           bagging.count(*level);
           bagging.fill(*level);
         }));
  }
  std::vector<i64> offsets;
  std::vector<u32> ids;
  show("definition", 0, seconds(3, [&] { define(words, rule, offsets, ids); }));
  return true;
}

bool meaning(const Strings& words, i64 rows, i64 dim) {
  const Rule rule{"3..6", 3, 6, static_cast<u32>(rows), 0};
  Bagging bagging(words, rule);
  const Pages pages(static_cast<std::size_t>(rows * dim) * sizeof(float));
  float* values = pages.as<float>();
  for (i64 i = 0; i < rows * dim; ++i) values[i] = static_cast<float>((static_cast<u32>(i) * 2654435761u) >> 8) * 1e-7f;
  const Matrix<const float> table = {values, rows, dim};

  const i64 size = static_cast<i64>(words.size()) * dim;
  std::vector<float> wanted(size), found(size);
  for (std::size_t w = 0; w < words.size(); ++w) {
    float* mean = &wanted[w * dim];
    const i64 begin = bagging.wanted_offsets[w], end = bagging.wanted_offsets[w + 1];
    for (i64 i = begin; i < end; ++i)
      for (i64 d = 0; d < dim; ++d) mean[d] += row(table, bagging.wanted_ids[i])[d];
    const auto share = static_cast<float>(1.0 / static_cast<double>(std::max<i64>(end - begin, 1)));
    for (i64 d = 0; d < dim; ++d) mean[d] *= share;
  }

  std::vector<u32> scratch(kSubwordScratch);
  const Matrix<float> means = {found.data(), bagging.args.words, dim};
  const BagMeans bags = {table, bagging.wanted_offsets.data(), bagging.wanted_ids.data(), bagging.args.words, means};
  const SubwordMeans unstored = {bagging.args, table, 0, means, scratch.data()};
  const double million = 1e-6 * static_cast<double>(bagging.wanted_ids.size());
  std::printf("%ld rows, dim %ld\n%-10s %-14s %14s %14s %8s\n", static_cast<long>(rows), static_cast<long>(dim), "isa",
              "kernel", "million rows/s", "million words/s", "GB/s");
  for (const Kernels* level : supported_kernels()) {
    for (const bool stored : {true, false}) {
      const auto run = [&] {
        if (stored)
          level->bag_means(bags, {0, bags.bags});
        else
          level->subword_means(unstored, {0, bags.bags});
      };
      std::fill(found.begin(), found.end(), -1.0f);
      run();
      const char* name = stored ? "bag_means" : "subword_means";
      if (std::memcmp(found.data(), wanted.data(), found.size() * sizeof(float)) != 0) {
        std::fprintf(stderr, "bench_subwords: %s of %s finds other means\n", name, level->isa);
        return false;
      }
      const double spent = seconds(5, run);
      std::printf("%-10s %-14s %14.1f %14.3f %8.1f\n", level->isa, name, million / spent,
                  1e-6 * static_cast<double>(words.size()) / spent, 4e-3 * million * static_cast<double>(dim) / spent);
      std::fflush(stdout);
    }
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  const bool given = count > 1 && std::strcmp(arguments[1], "-") != 0;
  const i64 rows = count > 2 ? std::atoll(arguments[2]) : 2000000, dim = count > 3 ? std::atoll(arguments[3]) : 100;
  const Strings words = given ? words_of(arguments[1]) : made_words(70000);
  if (words.empty()) {
    std::fprintf(stderr, "bench_subwords: %s has no word five times\n", arguments[1]);
    return 1;
  }
  const Strings foreign = mixed(words);
  std::printf("%zu words\n%-10s %-12s %-16s %12s %12s %12s\n", words.size(), "isa", "words", "n-grams", "million/s",
              "M words/s", "counting");
  const char* name = given ? "of the file" : "made";
  const Rule usual{"3..6", 3, 6, 2000000, 0}, single{"5..5", 5, 5, 2000000, 0}, floret{"3..6, floret", 3, 6, 200000, 2};
  const bool sound = hashing(name, words, usual) && hashing(name, words, single) &&
                     hashing("mixed UTF-8", foreign, usual) && hashing(name, words, floret) &&
                     meaning(words, rows, dim);
  return sound ? 0 : 1;
}
