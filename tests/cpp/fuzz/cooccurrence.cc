// Counting company on every instruction set: any ids, sentences, weights and cuts, pieces in any order, rows of
// frequent words from the others', counts merged; against a loop over pairs.
#include "firth/cooccurrence.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "counting.h"
#include "fuzz.h"

namespace {

using namespace firth;
using namespace firth::fuzz;

// Sums of pairs (word, other), in their order and none of them twice.
struct Sum {
  i64 word, other;
  u64 sum;
  bool operator==(const Sum&) const = default;
};
using Sums = std::vector<Sum>;

Sums added_up(Sums all) {
  std::sort(all.begin(), all.end(),
            [](const Sum& a, const Sum& b) { return a.word != b.word ? a.word < b.word : a.other < b.other; });
  Sums sums;
  for (const Sum& one : all)
    if (!sums.empty() && sums.back().word == one.word && sums.back().other == one.other)
      sums.back().sum += one.sum;
    else
      sums.push_back(one);
  return sums;
}

// What a kernel works with: exactly as much as the contract asks for.
struct Desk {
  Desk(i64 width, i64 rows, i64 entries)
      : memory(counting_scratch(width) / 8 + 8, 0),
        ends(rows),
        columns(entries + kSpareEntries),
        sums(entries + kSpareEntries),
        found{0, 0, ends.data(), columns.data(), sums.data()} {}

  void* scratch() const { return aligned(memory); }
  static void* aligned(const Exact<u64>& memory) {
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(memory.data());
    return reinterpret_cast<void*>((at + 63) / 64 * 64);
  }
  void check_zero() const {
    for (i64 i = 0; i < memory.size(); ++i) CHECK(memory[i] == 0);
  }

  Exact<u64> memory;
  Exact<i64> ends;
  Exact<u32> columns;
  Exact<u64> sums;
  CountedRows found;
};

// The input: what is counted.
struct Text {
  explicit Text(Input& input) {
    const u32 how = input.byte();
    words = how & 1 ? input.between(1, 400) : input.between(1, 40);
    window = how & 2 ? 5 : input.between(1, kMaxWindow);
    symmetric = how & 4;
    for (i64 d = 0; d < window; ++d) {
      u64 weight = 1 + input.byte();
      if (how & 8) weight <<= input.byte() % 40;  // beyond what 32 bits hold
      weights.push_back(weight);
    }
    spread = how & 16;
    whole = how & 32;
    drawn = input.byte();
    grain = input.between(1, 200);
    first = input.word() % (words + 1);
    last = first + input.word() % (words - first + 1);
    begin = input.byte();
    frequent = symmetric && how & 64 ? 1 + drawn % std::min<i64>(words, 20) : 0;
    while (input.left() > 0) {
      const u32 byte = input.byte();
      starts_sentence.push_back(byte >= 0xF0);
      const u32 id = words > 200 ? byte * 7 + (spread ? input.byte() : 0) : byte;
      ids.push_back(static_cast<u32>(id % static_cast<u32>(words)));
    }
    const i64 tokens = static_cast<i64>(ids.size());
    begin = frequent ? 0 : begin % (tokens + 1);
    if (whole || frequent) {
      first = frequent;
      last = words;
    }
  }

  Sums plain() const {
    Sums sums;
    const i64 tokens = static_cast<i64>(ids.size());
    for (i64 t = begin; t < tokens; ++t)
      for (const i64 way : {1, -1})
        for (i64 d = 1; d <= window && (way > 0 || symmetric); ++d) {
          const i64 other = t + way * d;
          // A sentence begins at the later one of the last step.
          if (other < 0 || other >= tokens || starts_sentence[static_cast<std::size_t>(way > 0 ? other : other + 1)])
            break;
          const i64 word = ids[static_cast<std::size_t>(t)];
          if (word >= first - frequent && word < last)
            sums.push_back({word, ids[static_cast<std::size_t>(other)], weights[static_cast<std::size_t>(d - 1)]});
        }
    return added_up(std::move(sums));
  }

  std::vector<u32> ids;
  std::vector<bool> starts_sentence;
  std::vector<u64> weights;
  i64 words, window, grain, first, last, begin, frequent;
  u32 drawn;
  bool symmetric, spread, whole;
};

// Rows [first, first + rows) of a matrix as pairs; columns must rise and no sum be zero.
Sums read(const CountedMatrix& matrix, i64 first) {
  Sums sums;
  CHECK(matrix.indptr.front() == 0 && matrix.indptr.back() == matrix.entries);
  const u32* columns = matrix.columns.as<u32>() + matrix.begin;
  const u64* values = matrix.values.as<u64>() + matrix.begin;
  for (std::size_t r = 0; r + 1 < matrix.indptr.size(); ++r)
    for (i64 i = matrix.indptr[r]; i < matrix.indptr[r + 1]; ++i) {
      CHECK(i == matrix.indptr[r] || columns[i - 1] < columns[i]);
      CHECK(values[i] > 0);
      sums.push_back({first + static_cast<i64>(r), columns[i], values[i]});
    }
  return sums;
}

std::vector<i64> order_of(i64 many, u32 drawn) {
  std::vector<i64> order;
  for (i64 i = 0; i < many; ++i) order.push_back(i);
  for (std::size_t i = order.size(); i > 1 && drawn; --i) {
    drawn = drawn * 1664525u + 1013904223u;
    std::swap(order[i - 1], order[(drawn >> 16) % i]);
  }
  return order;
}

Sums count(const Kernels& kernels, const Text& text) {
  const i64 tokens = static_cast<i64>(text.ids.size());
  const Exact<u64> breaks(tokens / 64 + 2, 0);
  for (i64 t = 0; t <= tokens; ++t)
    if (t == tokens || text.starts_sentence[static_cast<std::size_t>(t)]) breaks[t / 64] |= u64{1} << (t % 64);
  std::vector<i64> starts;
  std::vector<u32> places;
  std::vector<std::vector<u32>> places_of(static_cast<std::size_t>(text.words));
  for (i64 t = text.begin; t < tokens; ++t)
    places_of[text.ids[static_cast<std::size_t>(t)]].push_back(static_cast<u32>(t - text.begin));
  for (i64 word = 0; word < text.words; ++word) {
    starts.push_back(static_cast<i64>(places.size()));
    if (word < text.first || word >= text.last) continue;
    const std::vector<u32>& here = places_of[static_cast<std::size_t>(word)];
    places.insert(places.end(), here.begin(), here.end());
  }
  starts.push_back(static_cast<i64>(places.size()));
  Cooccurrence args{text.ids.data(),     tokens,         breaks.data(), starts.data(),
                    places.data(),       text.begin,     text.words,    static_cast<u32>(text.window),
                    text.weights.data(), text.symmetric, nullptr,       nullptr};
  std::vector<u64> among(static_cast<std::size_t>(text.frequent * text.frequent));
  if (text.frequent) {
    const Exact<u64> memory(frequent_scratch(text.frequent) / 8 + 8, 0);
    const FrequentCounts frequent{&args, text.frequent, among.data(), Desk::aligned(memory)};
    const i64 middle = text.grain % (tokens + 1);
    kernels.count_frequent(frequent, {middle, tokens});
    kernels.count_frequent(frequent, {0, middle});
  }
  const i64 size = static_cast<i64>(places.size()), company = text.window * (text.symmetric ? 2 : 1);
  const i64 from = text.frequent ? 0 : text.first;
  CountedMatrix matrix(from, text.last - from, text.words, Values::kSums, 1, text.frequent,
                       std::min(text.frequent * text.words, tokens * company));
  const Desk desk(text.words, text.words, std::min(text.grain, size) * company);
  for (const i64 piece : order_of((size + text.grain - 1) / text.grain, text.drawn)) {
    CountedRows found = desk.found;
    Cooccurrence mine = args;
    mine.scratch = desk.scratch();
    mine.found = &found;
    const Range here = {piece * text.grain, std::min(size, (piece + 1) * text.grain)};
    kernels.cooccurrence(mine, here);
    const i64 top = found.first, bottom = top + found.rows - 1;
    matrix.take(
        piece, found,
        starts[static_cast<std::size_t>(top)]<here.begin, starts[static_cast<std::size_t>(bottom) + 1]> here.end);
  }
  desk.check_zero();
  matrix.finish(among.data());
  return read(matrix, from);
}

// Counts split into parts, also empty ones, and added up again.
void merge(const Kernels& kernels, const Sums& sums, i64 words, u32 drawn) {
  const std::size_t many = 1 + drawn % 5;
  std::vector<std::vector<i64>> indptr(many, std::vector<i64>(static_cast<std::size_t>(words) + 1));
  std::vector<std::vector<u32>> columns(many);
  std::vector<std::vector<u64>> values(many);
  Sums expected;
  for (const Sum& one : sums)
    for (std::size_t p = 0; p < many; ++p) {
      if ((static_cast<u32>(one.word * 31 + one.other) + drawn) % 3 == p % 3) continue;
      ++indptr[p][static_cast<std::size_t>(one.word) + 1];
      columns[p].push_back(static_cast<u32>(one.other));
      values[p].push_back(one.sum + p);
      expected.push_back({one.word, one.other, one.sum + p});
    }
  std::vector<MergeCounts::Part> parts;
  for (std::size_t p = 0; p < many; ++p) {
    for (std::size_t row = 0; row < static_cast<std::size_t>(words); ++row) indptr[p][row + 1] += indptr[p][row];
    parts.push_back({indptr[p].data(), columns[p].data(), values[p].data()});
  }
  CountedMatrix matrix(0, words, words, Values::kSums, 1);
  const Desk desk(words, words, static_cast<i64>(expected.size()));
  const i64 rows = 1 + drawn;
  for (const i64 piece : order_of((words + rows - 1) / rows, drawn)) {
    CountedRows found = desk.found;
    kernels.merge_counts({parts.data(), static_cast<i64>(many), words, words, desk.scratch(), &found},
                         {piece * rows, std::min(words, (piece + 1) * rows)});
    matrix.take(piece, found, false, false);
  }
  desk.check_zero();
  matrix.finish();
  CHECK(read(matrix, 0) == added_up(std::move(expected)));
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  Input input(data, size);
  const Text text(input);
  if (text.ids.empty() || text.first >= text.last) return 0;  // callers have nothing to count then
  const Sums expected = text.plain();
  const auto& levels = text_levels();
  const Kernels& kernels = *levels[text.drawn % levels.size()];
  CHECK(count(kernels, text) == expected);
  merge(kernels, expected, text.words, text.drawn);
  return 0;
}
