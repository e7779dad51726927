// The kernel tokens on every instruction set against a loop over bytes, and so newlines.
#include "firth/tokens.h"

#include <string>
#include <vector>

#include "fuzz.h"

namespace {

using namespace firth;
using namespace firth::fuzz;

struct Found {
  std::vector<i64> starts, lengths, breaks, newlines;
};

Found plain(const std::string& text, Range range) {
  Found found;
  const i64 size = static_cast<i64>(text.size());
  const char* bytes = text.data();
  const auto separates = [&](i64 i) {
    return i < 0 || i >= size || bytes[i] == 0 || bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r');
  };
  for (i64 i = range.begin; i < range.end; ++i) {
    if (bytes[i] == '\n') {
      const i64 before = static_cast<i64>(found.starts.size());
      if (found.breaks.empty() || found.breaks.back() != before) found.breaks.push_back(before);
      found.newlines.push_back(i);
    }
    if (separates(i) || !separates(i - 1)) continue;
    i64 end = i;
    while (!separates(end)) ++end;
    found.starts.push_back(i);
    found.lengths.push_back(end - i);
  }
  return found;
}

void compare(const Kernels& kernels, const Exact<Byte>& text, Range range, u64 seed, const Found& expected) {
  const i64 most = max_tokens(range);
  const Exact<i64> starts(most), lengths(most), breaks(most + 1), found(2, -1), newlines(range.end - range.begin);
  const Exact<u64> keys(2 * most), hashes(most);
  kernels.tokens({text.data(), text.size(), seed, starts.data(), lengths.data(), keys.data(), hashes.data(),
                  breaks.data(), found.data()},
                 range);
  CHECK(found[0] == static_cast<i64>(expected.starts.size()));
  CHECK(found[1] == static_cast<i64>(expected.breaks.size()));
  for (i64 i = 0; i < found[1]; ++i) CHECK(breaks[i] == expected.breaks[static_cast<std::size_t>(i)]);
  for (i64 i = 0; i < found[0]; ++i) {
    const i64 start = starts[i], length = lengths[i];
    CHECK(start == expected.starts[static_cast<std::size_t>(i)]);
    CHECK(length == expected.lengths[static_cast<std::size_t>(i)]);
    u64 key[2];
    token_words(text.data() + start, length, key);
    CHECK(keys[2 * i] == key[0] && keys[2 * i + 1] == key[1]);
    CHECK(hashes[i] == token_hash(text.data() + start, length, seed));
  }
  const i64 many = static_cast<i64>(expected.newlines.size());
  CHECK(kernels.newlines(text.data(), range, nullptr) == many);
  CHECK(kernels.newlines(text.data(), range, newlines.data()) == many);
  for (i64 i = 0; i < many; ++i) CHECK(newlines[i] == expected.newlines[static_cast<std::size_t>(i)]);
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  Input input(data, size);
  const u32 how = input.byte();
  const u64 seed = how & 1 ? input.number() : how;
  const i64 from = input.word(), to = input.word();
  const std::string text = text_of(input, input.left(), how >= 0xF0 ? 2 + how % 16 : 1);
  const i64 many = static_cast<i64>(text.size());
  Range range = {0, many};
  if (how & 2) range.begin = from % (many + 1);
  if (how & 4) range.end = range.begin + to % (many - range.begin + 1);
  const Exact<Byte> copy = copy_of(text);
  const Found expected = plain(text, range);
  for (const Kernels* kernels : text_levels()) compare(*kernels, copy, range, seed, expected);
  return 0;
}
