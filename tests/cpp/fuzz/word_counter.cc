// The word counter, by every way in which text reaches it and under bounds of memory, against a plain map.
#include "word_counter.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz.h"

namespace {

using namespace firth;
using namespace firth::fuzz;

struct Expected {
  std::map<std::string, u64> counts;
  std::vector<std::vector<std::string>> sentences{1};

  void end_sentence() { sentences.emplace_back(); }
  void add(const std::string& word) {
    ++counts[word];
    sentences.back().push_back(word);
  }
  // The tokens that start in the range, and its newlines.
  void add(const std::string& text, Range range) {
    const auto separates = [&](i64 i) {
      const char c = i < 0 || i >= static_cast<i64>(text.size()) ? ' ' : text[static_cast<std::size_t>(i)];
      return c == 0 || c == ' ' || (c >= '\t' && c <= '\r');
    };
    for (i64 i = range.begin; i < range.end; ++i) {
      if (text[static_cast<std::size_t>(i)] == '\n') end_sentence();
      if (separates(i) || !separates(i - 1)) continue;
      i64 end = i;
      while (!separates(end)) ++end;
      add(text.substr(static_cast<std::size_t>(i), static_cast<std::size_t>(end - i)));
    }
  }
};

// The files of all runs; nothing is left of them.
struct Files {
  Files() {
    for (int& file : number) CHECK((file = memfd_create("fuzz", 0)) >= 0);
  }
  void empty() const {
    for (const int file : number) CHECK(ftruncate(file, 0) == 0);
  }
  std::array<int, 3> overflow() const { return {number[0], number[1], number[2]}; }

  int number[4];
};

// A text in blocks, which workers fill in an order that is drawn.
void add_text(WordCounter& counter, const Files& files, const std::string& text, Range range, i64 size, int workers,
              u32 drawn, bool from_file) {
  const i64 blocks = (range.end - range.begin + size - 1) / size,
            first = counter.add_blocks(blocks, range.end - range.begin);
  const Exact<Byte> copy = copy_of(text);
  if (from_file) {
    CHECK(ftruncate(files.number[3], 0) == 0);
    CHECK(pwrite(files.number[3], text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }
  std::vector<i64> order;
  for (i64 i = 0; i < blocks; ++i) order.push_back(i);
  for (std::size_t i = order.size(); i > 1 && drawn; --i) {
    drawn = drawn * 1664525u + 1013904223u;
    std::swap(order[i - 1], order[(drawn >> 16) % i]);
  }
  for (const i64 i : order) {
    const int worker = static_cast<int>((static_cast<u32>(i) + drawn) % static_cast<u32>(workers));
    const Range block = {range.begin + i * size, std::min(range.end, range.begin + (i + 1) * size)};
    if (from_file)
      counter.count_file(first + i, worker, files.number[3], block);
    else
      counter.count_text(first + i, worker, copy.data(), copy.size(), block);
  }
  counter.check();
}

// What the input says to read; false if there were more words than the counter takes.
bool read(Input& input, WordCounter& counter, Expected& expected, const Files& files, int workers) {
  try {
    i64 room = i64{1} << 16;  // bytes, with repetitions: more than is read in one piece
    while (input.left() > 0) {
      const u32 what = input.byte();
      if ((what & 3) == 3) {
        counter.end_sentence();
        expected.end_sentence();
        continue;
      }
      const i64 length = input.between(0, 255) * (what & 4 ? 16 : 1), cut = input.between(0, 255);
      const i64 often = what >= 0xFC ? 64 : what >= 0xE0 ? 8 : 1, times = length * often <= room ? often : 1;
      const std::string text = text_of(input, length, times);
      const i64 many = static_cast<i64>(text.size());
      room -= many;
      if ((what & 3) == 2) {
        if (many == 0) continue;
        counter.add_token(reinterpret_cast<const Byte*>(text.data()), many);
        expected.add(text);
        continue;
      }
      Range range = {0, many};
      if (what & 8) range.begin = cut % (many + 1);
      if (what & 16) range.end -= (many - range.begin) / 3;
      add_text(counter, files, text, range, std::max<i64>(1 + cut, many / 32), workers, what & 32 ? what + 1 : 0,
               (what & 3) == 1);
      expected.add(text, range);
    }
    counter.merge();
  } catch (const std::length_error&) {
    return false;
  }
  return true;
}

struct Corpus {
  std::vector<u32> ids;
  std::vector<i64> offsets;
};

Corpus in_memory(WordCounter& counter) {
  for (i64 block = counter.blocks(); block-- > 0;) counter.encode(block);
  i64 kept, sentences;
  counter.measure(&kept, &sentences);
  Corpus corpus{{}, std::vector<i64>(static_cast<std::size_t>(sentences) + 1)};
  counter.write_offsets(corpus.offsets.data());
  const Pages ids = counter.take_ids();
  CHECK(ids.bytes() == static_cast<std::size_t>(kept) * sizeof(u32));
  corpus.ids.assign(ids.as<u32>(), ids.as<u32>() + kept);
  return corpus;
}

Corpus on_files(WordCounter& counter, const Overflow& overflow) {
  for (i64 first = 0; first < counter.blocks(); first += counter.stages()) {
    const i64 many = std::min(counter.stages(), counter.blocks() - first);
    for (i64 i = many; i-- > 0;) counter.stage(first + i, i);
    counter.line_up(first, many);
    for (i64 i = 0; i < many; ++i) counter.store(first + i, i);
  }
  i64 kept, sentences;
  counter.close(&kept, &sentences);
  Corpus corpus{std::vector<u32>(static_cast<std::size_t>(kept)),
                std::vector<i64>(static_cast<std::size_t>(sentences) + 1)};
  overflow.read(Overflow::kIds, corpus.ids.data(), 4 * kept, 0);
  overflow.read(Overflow::kOffsets, corpus.offsets.data(), 8 * (sentences + 1), 0);
  return corpus;
}

std::string text_of(const WordTable::Word& word) {
  return {reinterpret_cast<const char*>(word.bytes), static_cast<std::size_t>(word.length)};
}

WordTable::Word look_up(const WordCounter& counter, const std::string& word) {
  return counter.look_up(reinterpret_cast<const Byte*>(word.data()), static_cast<i64>(word.size()));
}

// The words that must be chosen, most frequent first.
std::vector<std::string> ranked(const Expected& expected, u64 min_count, std::size_t most) {
  std::vector<std::pair<u64, std::string>> order;
  for (const auto& [word, count] : expected.counts)
    if (count >= min_count) order.emplace_back(~count, word);
  std::sort(order.begin(), order.end());
  std::vector<std::string> words;
  for (std::size_t i = 0; i < order.size() && i < most; ++i) words.push_back(order[i].second);
  return words;
}

void compare(const Corpus& found, const Expected& expected, const std::vector<std::string>& words) {
  std::map<std::string, u32> id_of;
  for (const std::string& word : words) id_of.emplace(word, static_cast<u32>(id_of.size()));
  std::size_t at = 0, sentence = 0;
  CHECK(found.offsets.at(0) == 0);
  for (const std::vector<std::string>& tokens : expected.sentences) {
    const std::size_t before = at;
    for (const std::string& token : tokens)
      if (const auto id = id_of.find(token); id != id_of.end()) CHECK(found.ids.at(at++) == id->second);
    if (at > before) CHECK(found.offsets.at(++sentence) == static_cast<i64>(at));
  }
  CHECK(at == found.ids.size() && sentence + 1 == found.offsets.size());
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const Files files;
  Input input(data, size);
  const u32 how = input.byte();
  const u64 min_count = 1 + input.byte() % 4;
  const u32 most = input.byte();
  const int workers = 1 + static_cast<int>(how & 3) / 2 * static_cast<int>(how & 1 ? 2 : 1);
  const auto& levels = supported_kernels();
  const i64 memory = how & 4 ? (i64{1} << (how >> 4)) - 1 : 0;
  const u32 max_words = how & 8 ? most % 16 : kNoWord - 1;
  files.empty();
  Overflow overflow(files.overflow(), "here");
  WordCounter counter(*levels[most % levels.size()], workers, min_count, max_words, memory,
                      how & 4 ? &overflow : nullptr);
  Expected expected;
  if (!read(input, counter, expected, files, workers)) {
    CHECK(max_words != kNoWord - 1);
    return 0;
  }
  CHECK(expected.counts.size() <= max_words);
  CHECK(counter.types() == expected.counts.size());
  i64 tokens = 0;
  for (const auto& sentence : expected.sentences) tokens += static_cast<i64>(sentence.size());
  CHECK(counter.tokens() == tokens);

  std::vector<std::string> words = ranked(expected, min_count, most);
  const std::vector<WordTable::Word> chosen = counter.choose(min_count, most);
  CHECK(chosen.size() == words.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    CHECK(text_of(chosen[i]) == words[i]);
    CHECK(chosen[i].count == expected.counts[words[i]]);
  }
  if (most & 64) {  // a vocabulary that is given
    std::reverse(words.begin(), words.end());
    const std::string other = "in no text";  // unless it is
    if (std::find(words.begin(), words.end(), other) == words.end()) words.push_back(other);
  }
  std::vector<u32> numbers;
  for (const std::string& word : words) {
    const WordTable::Word found = look_up(counter, word);
    const auto there = expected.counts.find(word);
    CHECK(found.count == (there == expected.counts.end() ? 0 : there->second));
    CHECK((found.number == kNoWord) == (there == expected.counts.end()));
    numbers.push_back(found.number);
  }
  counter.assign(numbers);
  compare(counter.overflowed() ? on_files(counter, overflow) : in_memory(counter), expected, words);
  return 0;
}
