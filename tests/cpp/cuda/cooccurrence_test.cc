// cuda/kernels/cooccurrence.cu on the host, against the definition: sentences, both sides and one, rows that cuts
// divide, several tiles of columns, sums above 32 bits, every kind of values, and counts that are merged.
#include "cuda/kernels/cooccurrence.cu"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "firth/random.h"

namespace {

using namespace firth;
using cuda::Values;

void expect(bool right, const char* what, i64 a, i64 b) {
  if (right) return;
  std::fprintf(stderr, "cuda_cooccurrence_test: not so: %s (%ld, %ld)\n", what, static_cast<long>(a),
               static_cast<long>(b));
  std::exit(1);
}

// A matrix as launchers hand it out, with something that must stay behind each array.
struct Found {
  std::vector<i64> indptr;
  std::vector<u32> indices;
  std::vector<u64> sums;
  std::vector<double> doubles;
  std::vector<float> floats;
  Values values;

  cuda::Results results(i64 rows, Values kind, double unit) {
    values = kind;
    indptr.assign(rows + 2, -7);
    return {indptr.data(), kind, unit, [this](i64 entries) {
              indices.assign(entries + 1, 0xfeedfeed);
              if (values == Values::kSums) sums.assign(entries + 1, 7);
              if (values == Values::kFloat64) doubles.assign(entries + 1, -7);
              if (values == Values::kFloat32) floats.assign(entries + 1, -7);
              void* const to = values == Values::kSums      ? static_cast<void*>(sums.data())
                               : values == Values::kFloat64 ? static_cast<void*>(doubles.data())
                                                            : static_cast<void*>(floats.data());
              return cuda::Entries{indices.data(), to};
            }};
  }
  void hold_against(const std::vector<std::map<u32, u64>>& rows, double unit) const {
    expect(indptr[0] == 0 && indptr[rows.size() + 1] == -7, "rows begin at 0 and end", indptr[0], 0);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      expect(indptr[r + 1] - indptr[r] == static_cast<i64>(rows[r].size()), "a row has all its columns", r,
             indptr[r + 1] - indptr[r]);
      i64 i = indptr[r];
      for (const auto& [column, sum] : rows[r]) {
        expect(indices[i] == column, "columns rise", r, column);
        const double value = static_cast<double>(sum) / unit;
        expect(values == Values::kSums      ? sums[i] == sum
               : values == Values::kFloat64 ? doubles[i] == value
                                            : floats[i] == static_cast<float>(value),
               "a sum is the definition's", r, column);
        ++i;
      }
    }
    expect(indices[indptr[rows.size()]] == 0xfeedfeed, "nothing is written behind the entries", 0, 0);
  }
};

struct Text {
  std::vector<u32> ids;
  i64 words;
  std::vector<i64> sentences = {};  // where they begin
  std::vector<u64> breaks = {}, weights = {};
  std::vector<i64> starts = {};
  std::vector<u32> places = {};

  i64 tokens() const { return static_cast<i64>(ids.size()); }

  void index(i64 begin, i64 end) {
    starts.assign(words + 1, 0);
    places.clear();
    for (i64 t = begin; t < end; ++t) {
      ++starts[ids[t] + 1];
      places.push_back(static_cast<u32>(t - begin));
    }
    for (i64 word = 0; word < words; ++word) starts[word + 1] += starts[word];
    std::stable_sort(places.begin(), places.end(), [&](u32 a, u32 b) { return ids[begin + a] < ids[begin + b]; });
  }
  void hold_places_against_the_definition(i64 begin, i64 end) {
    index(begin, end);
    std::vector<i64> starts_found(words + 2, -7);
    std::vector<u32> found(end - begin + 1, 0xfeedfeed);
    cuda::places(ids.data() + begin, end - begin, words, starts_found.data(), found.data(), nullptr);
    expect(starts_found.back() == -7 && found.back() == 0xfeedfeed, "nothing is written behind the index", 0, 0);
    starts_found.pop_back();
    found.pop_back();
    expect(starts_found == starts, "words start there", begin, end);
    expect(found == places, "places rise for each word", begin, end);
  }

  std::vector<std::map<u32, u64>> rows(i64 begin, i64 end, bool symmetric) const {
    std::vector<i64> sentence(ids.size(), 0);
    for (const i64 t : sentences)
      if (t < tokens()) sentence[t] = 1;
    for (std::size_t t = 1; t < ids.size(); ++t) sentence[t] += sentence[t - 1];
    std::vector<std::map<u32, u64>> found(words);
    for (i64 t = begin; t < end; ++t)
      for (i64 d = 1; d <= static_cast<i64>(weights.size()); ++d)
        for (const i64 other : {t - d, t + d})
          if (other >= 0 && other < tokens() && sentence[t] == sentence[other] && (symmetric || other > t))
            found[ids[t]][ids[other]] += weights[d - 1];
    return found;
  }

  void hold_against_the_definition(u32 window, u64 unit, bool symmetric, Values kind, i64 begin, i64 end, i64 first,
                                   i64 last) {
    weights.clear();
    for (u64 d = 1; d <= window; ++d) weights.push_back(unit / d);
    breaks.assign(tokens() / 64 + 2, 0);
    for (const i64 t : sentences) breaks[t / 64] |= u64{1} << t % 64;
    index(begin, end);
    Cooccurrence args{};
    args.ids = ids.data();
    args.tokens = tokens();
    args.breaks = sentences.empty() ? nullptr : breaks.data();
    args.starts = starts.data();
    args.places = places.data();
    args.origin = begin;
    args.words = words;
    args.window = window;
    args.weights = weights.data();
    args.symmetric = symmetric;
    Found found;
    cuda::cooccurrence(args, {first, last}, end - begin, found.results(last - first, kind, static_cast<double>(unit)),
                       nullptr);
    const auto all = rows(begin, end, symmetric);
    found.hold_against({all.begin() + first, all.begin() + last}, static_cast<double>(unit));
  }
  void hold_against_the_definition(u32 window, u64 unit, bool symmetric, Values kind) {
    hold_against_the_definition(window, unit, symmetric, kind, 0, tokens(), 0, words);
  }
};

// Word ids as in text: a few are frequent, most are not.
Text text_of(i64 tokens, i64 words, i64 sentence, u64 seed) {
  Text text{{}, words};
  for (i64 t = 0; t < tokens; ++t) {
    const float x = unit(draw(seed, 1, 0, t).x);
    text.ids.push_back(static_cast<u32>(static_cast<float>(words - 1) * x * x * x));
  }
  for (i64 t = 0; sentence > 0 && t < tokens; t += 1 + below(draw(seed, 2, 0, t).x, 2 * static_cast<u32>(sentence)))
    text.sentences.push_back(t);
  if (sentence > 0) text.sentences.push_back(tokens);
  return text;
}

void test_reach() {
  Text text = text_of(700, 5, 9, 3);
  text.breaks.assign(text.tokens() / 64 + 2, 0);
  for (const i64 t : text.sentences) text.breaks[t / 64] |= u64{1} << t % 64;
  Cooccurrence args{};
  args.breaks = text.breaks.data();
  args.tokens = text.tokens();
  args.window = kMaxWindow;
  for (i64 t = 0; t < text.tokens(); ++t)
    for (u32 d = 1; d <= kMaxWindow && t + d < text.tokens(); ++d) {
      const bool joined = cuda::joined(args.breaks, t, d);
      expect(joined == (reach_after(args, t) >= d), "as far as the contract reaches after", t, d);
      expect(joined == (reach_before(args, t + d) >= d), "as far as the contract reaches before", t, d);
    }
}

void test_places() {
  text_of(4'200, 257, 0, 5).hold_places_against_the_definition(3, 4'200);  // more than a tile
  for (const i64 words : {1, 70'000}) text_of(100, words, 0, 5).hold_places_against_the_definition(0, 100);
  text_of(10, 5, 0, 5).hold_places_against_the_definition(5, 5);
}

void test_every_rule() {
  for (const u32 window : {1u, 2u, 10u, 16u, 50u})
    for (const bool symmetric : {false, true})
      for (const i64 sentence : {0, 7}) {
        Text text = text_of(300, 12, sentence, window);
        text.hold_against_the_definition(window, 2520, symmetric, Values::kSums);
      }
  Text text = text_of(300, 12, 30, 8);
  for (const Values kind : {Values::kFloat32, Values::kFloat64}) text.hold_against_the_definition(9, 2520, true, kind);
  text.hold_against_the_definition(50, u64{1} << 32, true, Values::kSums);  // beyond 32 bits
  text.hold_against_the_definition(3, 6, true, Values::kSums, 100, 250, 3, 9);
  text.hold_against_the_definition(3, 6, true, Values::kSums, 100, 250, 9, 9);
  text.hold_against_the_definition(3, 6, true, Values::kSums, 100, 100, 0, 12);
}

// Rows longer than a task, alone and between others; columns beyond those summed up in shared memory.
void test_rows_that_are_divided() {
  Text one{std::vector<u32>(9'000, 0), 1};
  one.hold_against_the_definition(2, 2, true, Values::kSums);
  Text text{std::vector<u32>(10'000, 5), 1'500};
  for (std::size_t t = 0; t < text.ids.size(); t += 2) text.ids[t] = static_cast<u32>(1'000 + t / 2 % 7 * 70);
  text.hold_against_the_definition(4, 12, true, Values::kSums);
}

void test_tiles_of_columns() {
  const i64 words = 2 * static_cast<i64>(cuda::kTileColumns) + 77;
  Text text = text_of(5'000, words, 20, 10);
  for (std::size_t t = 0; t < text.ids.size(); t += 2) text.ids[t] = static_cast<u32>(words - 1 - (t / 2) % 3);
  text.hold_against_the_definition(3, 6, true, Values::kSums, 0, text.tokens(), words - 6, words);
}

void test_merging() {
  const i64 columns = 2'000;
  std::vector<std::vector<i64>> indptr;
  std::vector<std::vector<u32>> indices;
  std::vector<std::vector<u64>> sums;
  std::vector<std::map<u32, u64>> wanted(8);
  for (u64 p = 0; p < 5; ++p) {
    indptr.push_back({0});
    indices.emplace_back();
    sums.emplace_back();
    for (std::size_t r = 0; r < wanted.size(); ++r) {
      for (u32 column = 0; column < columns; ++column) {
        const Draw drawn = draw(p, 3, r, column);
        if (p == 3 || below(drawn.x, 4) > r % 5) continue;
        const u64 sum = (u64{drawn.y} << 29) + 1;
        indices.back().push_back(column);
        sums.back().push_back(sum);
        wanted[r][column] += sum;
      }
      indptr.back().push_back(static_cast<i64>(indices.back().size()));
    }
  }
  for (const std::size_t many : {0u, 5u}) {
    std::vector<MergeCounts::Part> parts;
    i64 entries = 0;
    for (std::size_t p = 0; p < many; ++p) {
      parts.push_back({indptr[p].data(), indices[p].data(), sums[p].data()});
      entries += indptr[p].back();
    }
    Found found;
    const i64 rows = static_cast<i64>(wanted.size());
    const MergeCounts args{parts.data(), static_cast<i64>(many), rows, columns, nullptr, nullptr};
    cuda::merge_counts(args, entries, found.results(rows, many ? Values::kSums : Values::kFloat32, 3), nullptr);
    found.hold_against(many ? wanted : std::vector<std::map<u32, u64>>(wanted.size()), 3);
  }
}

}  // namespace

int main() {
  test_reach();
  test_places();
  test_every_rule();
  test_rows_that_are_divided();
  test_tiles_of_columns();
  test_merging();
  return 0;
}
