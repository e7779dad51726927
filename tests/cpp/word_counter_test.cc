// The word counter where blocks are filled out of order, which threads do only by accident.
#include "word_counter.h"

#include <algorithm>
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

// Reads text in blocks of `size` bytes, filled in this order by workers in turn.
Result read(const std::string& text, i64 size, const std::vector<i64>& order, int workers, u64 min_count) {
  WordCounter counter(*supported_kernels()[0], workers, 1, kNoWord - 1);
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
  }
}
