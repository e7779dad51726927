// Text to ids, MB of text per second: the kernel alone, with the word table, and all of a corpus, per instruction set.
// bench_tokens [FILE]; without a file, 50 MB of words drawn by Zipf's law.
#include <unistd.h>

#include <algorithm>
#include <chrono>
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
#include "parallel.h"
#include "word_counter.h"

using namespace firth;

namespace {

using Text = std::vector<unsigned char>;

Text zipf_text(i64 size) {
  Text text;
  for (u64 i = 0; static_cast<i64>(text.size()) < size; ++i) {
    const Draw d = draw(1, 0, 0, i);
    const double rank = std::exp(static_cast<double>(d.x) / 4294967296.0 * std::log(200000.0));
    for (u64 word = 7 + static_cast<u64>(rank); word; word /= 26)
      text.push_back(static_cast<unsigned char>('a' + word % 26));
    text.push_back(d.y % 1000 == 0 ? '\n' : ' ');
  }
  return text;
}

// Least CPU time of the process over a few runs: other programs disturb it less than the wall clock.
template <class F>
double seconds(F work) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    work();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    best = std::min(best, static_cast<double>(after.tv_sec - before.tv_sec) +
                              1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec));
  }
  return best;
}

struct Buffers {
  explicit Buffers(i64 piece)
      : starts(piece / 2), lengths(piece / 2), breaks(piece / 2 + 1), keys(piece), hashes(piece / 2), ids(piece / 2) {}
  std::vector<i64> starts, lengths, breaks;
  std::vector<u64> keys, hashes;
  std::vector<u32> ids;
};

i64 scan(const Kernels& level, const Text& text, WordTable* table) {
  constexpr i64 kPiece = 8 << 10;
  static Buffers out(kPiece);
  i64 found[2], tokens = 0;
  const i64 size = static_cast<i64>(text.size());
  const Tokens args{
      text.data(),       size, 0, out.starts.data(), out.lengths.data(), out.keys.data(), out.hashes.data(),
      out.breaks.data(), found};
  for (i64 at = 0; at < size; at += kPiece) {
    level.tokens(args, {at, std::min(size, at + kPiece)});
    if (table) table->add(args, found[0], out.ids.data());
    tokens += found[0];
  }
  return tokens;
}

// All of Corpus.read but for making Python's strings: the ids of words of count 5 and more.
Pages corpus(const Kernels& level, const Text& text, int threads) {
  const i64 size = static_cast<i64>(text.size()), blocks = (size + WordCounter::kBlock - 1) / WordCounter::kBlock;
  WordCounter counter(level, threads, 0, kNoWord - 1);
  counter.add_blocks(blocks, size);
  parallel(blocks, 1, threads, [&](Range cut, int worker) {
    const i64 begin = cut.begin * WordCounter::kBlock;
    counter.count_text(cut.begin, worker, text.data(), size, {begin, std::min(size, begin + WordCounter::kBlock)});
  });
  counter.check();
  counter.merge();
  std::vector<u32> numbers;
  for (const WordTable::Word& word : counter.choose(5, i64{1} << 40)) numbers.push_back(word.number);
  counter.assign(numbers);
  parallel(counter.blocks(), 1, threads, [&](Range cut, int) { counter.encode(cut.begin); });
  i64 kept, sentences;
  counter.measure(&kept, &sentences);
  return counter.take_ids();
}

// The same by the standard library.
std::vector<u32> expected(const Text& text) {
  std::vector<std::string> tokens(1);
  for (const unsigned char byte : text) {
    if (!is_separator(byte))
      tokens.back() += static_cast<char>(byte);
    else if (!tokens.back().empty())
      tokens.emplace_back();
  }
  if (tokens.back().empty()) tokens.pop_back();
  std::unordered_map<std::string, i64> counts;
  for (const std::string& token : tokens) ++counts[token];
  std::vector<std::pair<i64, std::string>> order;
  for (const auto& [word, count] : counts)
    if (count >= 5) order.emplace_back(-count, word);
  std::sort(order.begin(), order.end());
  std::unordered_map<std::string, u32> index;
  for (std::size_t i = 0; i < order.size(); ++i) index[order[i].second] = static_cast<u32>(i);
  std::vector<u32> ids;
  for (const std::string& token : tokens)
    if (const auto found = index.find(token); found != index.end()) ids.push_back(found->second);
  return ids;
}

}  // namespace

int main(int count, char** arguments) {
  Text text;
  if (count > 1) {
    std::ifstream file(arguments[1], std::ios::binary);
    if (!file) return std::fprintf(stderr, "bench_tokens: cannot read %s\n", arguments[1]), 1;
    text.assign(std::istreambuf_iterator<char>(file), {});
  } else {
    text = zipf_text(50 << 20);
  }
  const std::vector<u32> answer = expected(text);
  const double size = static_cast<double>(text.size()) / 1e6;
  for (const Kernels* level : supported_kernels()) {
    for (int threads = 1; threads <= 3; ++threads)
      if (const Pages ids = corpus(*level, text, threads);
          ids.bytes() != answer.size() * sizeof(u32) || std::memcmp(ids.as<u32>(), answer.data(), ids.bytes()))
        return std::fprintf(stderr, "bench_tokens: %s gives another corpus with %d threads\n", level->isa, threads), 1;
    const double kernel = seconds([&] { scan(*level, text, nullptr); });
    const double table = seconds([&] {
      WordTable words(0, kNoWord - 1);
      scan(*level, text, &words);
    });
    const double whole = seconds([&] { corpus(*level, text, 1); });
    std::printf("tokens %-4s kernel %6.0f MB/s   with table %5.0f MB/s   corpus %5.0f MB/s\n", level->isa,
                size / kernel, size / table, size / whole);
  }
}
