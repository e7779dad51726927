// The word counter where blocks are filled out of order, which threads do only by accident, and where some of them do
// not fit in memory.
#include "word_counter.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "check.h"

namespace {

using namespace firth;

struct Result {
  std::vector<u32> ids;
  std::vector<i64> offsets;
  bool operator==(const Result&) const = default;
};

// Three files that nothing is left of.
struct Files {
  Files() {
    for (std::FILE*& file : open) CHECK((file = std::tmpfile()) != nullptr);
  }
  ~Files() {
    for (std::FILE* file : open) std::fclose(file);
  }
  std::array<int, 3> numbers() const { return {fileno(open[0]), fileno(open[1]), fileno(open[2])}; }

  std::FILE* open[3];
};

// What is left where ids and offsets went to files; `backwards` fills the stages from the last one on.
Result read_back(WordCounter& counter, const Overflow& overflow, bool backwards) {
  for (i64 first = 0; first < counter.blocks(); first += counter.stages()) {
    const i64 many = std::min(counter.stages(), counter.blocks() - first);
    const auto each = [&](auto step) {
      for (i64 i = 0; i < many; ++i) step(backwards ? many - 1 - i : i);
    };
    each([&](i64 i) { counter.stage(first + i, i); });
    counter.line_up(first, many);
    each([&](i64 i) { counter.store(first + i, i); });
  }
  i64 kept, sentences;
  counter.close(&kept, &sentences);
  Result result{std::vector<u32>(static_cast<std::size_t>(kept)),
                std::vector<i64>(static_cast<std::size_t>(sentences) + 1)};
  overflow.read(Overflow::kIds, result.ids.data(), 4 * kept, 0);
  overflow.read(Overflow::kOffsets, result.offsets.data(), 8 * (sentences + 1), 0);
  return result;
}

// Reads text in blocks of `size` bytes, filled in this order by workers in turn; below 0 there is no bound of memory.
Result read(const std::string& text, i64 size, const std::vector<i64>& order, int workers, u64 min_count,
            i64 memory = -1) {
  const Files files;
  Overflow overflow(files.numbers(), "here");
  WordCounter counter(*supported_kernels()[0], workers, 1, kNoWord - 1, memory, memory < 0 ? nullptr : &overflow);
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  const i64 end = static_cast<i64>(text.size());
  counter.add_blocks(static_cast<i64>(order.size()), end);
  for (std::size_t i = 0; i < order.size(); ++i)
    counter.count_text(order[i], static_cast<int>(i) % workers, bytes, end,
                       {order[i] * size, std::min(end, (order[i] + 1) * size)});
  counter.check();
  counter.merge();
  std::vector<u32> numbers;
  for (const WordTable::Word& word : counter.choose(min_count, 1000)) numbers.push_back(word.number);
  counter.assign(numbers);
  if (counter.overflowed()) return read_back(counter, overflow, order[0] > 0);
  for (i64 block = 0; block < counter.blocks(); ++block) counter.encode(block);
  i64 kept, sentences;
  counter.measure(&kept, &sentences);
  Result result;
  result.offsets.resize(static_cast<std::size_t>(sentences) + 1);
  counter.write_offsets(result.offsets.data());
  const Pages ids = counter.take_ids();
  CHECK(ids.bytes() == static_cast<std::size_t>(kept) * sizeof(u32));
  result.ids.assign(ids.as<u32>(), ids.as<u32>() + kept);
  return result;
}

std::vector<i64> order_of(i64 blocks, u32 seed) {
  std::vector<i64> order;
  for (i64 i = 0; i < blocks; ++i) order.push_back(i);
  for (std::size_t i = order.size(); i > 1 && seed; --i) {
    seed = seed * 1664525u + 1013904223u;
    std::swap(order[i - 1], order[(seed >> 16) % i]);
  }
  return order;
}

void test_a_file_that_takes_no_more() {
  const int full = open("/dev/full", O_RDWR);
  Overflow overflow({full, full, full}, "here");
  WordCounter counter(*supported_kernels()[0], 1, 1, kNoWord - 1, 8, &overflow);
  const unsigned char text[] = "a b c\n";
  counter.add_blocks(2, 12);
  counter.count_text(0, 0, text, 6, {0, 3});
  counter.check();  // two tokens are 8 bytes
  counter.count_text(1, 0, text, 6, {3, 6});
  try {
    counter.check();
    CHECK(false);
  } catch (const OverflowError& error) {
    CHECK(error.code == ENOSPC && error.folder == "here");
    CHECK(std::string(error.what()) == "needs 4 bytes or more in this folder");
  }
  close(full);
}

void test_a_file_that_was_cut() {
  const Files files;
  Overflow overflow(files.numbers(), "here");
  const u32 some[3] = {1, 2, 3};
  u32 back[3] = {};
  overflow.write(Overflow::kIds, some, 12, 0);
  overflow.read(Overflow::kIds, back, 12, 0);
  CHECK(back[2] == 3);
  const std::unique_ptr<Mapping> mapped = overflow.map(Overflow::kIds, 12);
  CHECK(static_cast<const u32*>(mapped->data())[1] == 2);
  overflow.forget(Overflow::kIds, 4, 0);
  overflow.read(Overflow::kIds, back, 12, 0);
  CHECK(back[1] == 2 && back[2] == 3);
  CHECK(ftruncate(files.numbers()[1], 11) == 0);
  try {
    overflow.read(Overflow::kIds, back, 12, 0);
    CHECK(false);
  } catch (const OverflowError& error) {
    CHECK(error.code == EIO);
  }
}

}  // namespace

int main() {
  std::string text;
  u32 state = 1;
  for (int i = 0; i < 20000; ++i) {
    state = state * 1664525u + 1013904223u;
    text += std::string(1 + (state >> 28), static_cast<char>('a' + (state >> 16) % 7));
    text += (state >> 20) % 50 == 0 ? '\n' : ' ';
  }
  const i64 size = 1000, blocks = (static_cast<i64>(text.size()) + size - 1) / size;
  for (const u64 min_count : {1, 150, 180}) {
    const Result whole = read(text, static_cast<i64>(text.size()), {0}, 1, min_count);
    CHECK(!whole.ids.empty());
    CHECK(read(text, size, order_of(blocks, 0), 1, min_count) == whole);
    for (u32 seed = 1; seed <= 20; ++seed)
      CHECK(read(text, size, order_of(blocks, seed), 1 + static_cast<int>(seed % 4), min_count) == whole);
    std::vector<i64> backwards = order_of(blocks, 0);
    std::reverse(backwards.begin(), backwards.end());
    CHECK(read(text, size, backwards, 2, min_count) == whole);
    for (i64 memory = 0; memory < 600'000; memory = 3 * memory + 1) {
      CHECK(read(text, size, order_of(blocks, 0), 1, min_count, memory) == whole);
      CHECK(read(text, size, backwards, 3, min_count, memory) == whole);
      CHECK(read(text, size, order_of(blocks, static_cast<u32>(memory) + 1), 7, min_count, memory) == whole);
    }
  }
  test_a_file_that_takes_no_more();
  test_a_file_that_was_cut();
}
