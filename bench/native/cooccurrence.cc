// cooccurrence and merge_counts on one core, per instruction set: million tokens per second of CPU time, of the index
// of places, of counting by it, and of both; million entries per second that merging four parts reads. Medians. A small
// corpus is held against the definition first, entry by entry, also cut into pieces and with sentences; the large one
// must add up to what its length says.
// Usage: bench_cooccurrence [FILE] [tokens=2000000] [words=50000]: ids drawn by Zipf's law, with exponent 1, or those
// of FILE (raw uint32, one sentence; "-": none).
//
// Ladder (v4, one busy core, window 10, the 17 M tokens of wiki8; million tokens/s of index and counting together):
//   a dense row of sums per word, 32 bits wide where they suffice; marks for words that are not frequent    9
//   the same where only this core is busy, with the matrix's conversion (kernels.cooccurrence)             11.5
//   frequent words along the corpus: 512 of them are 61% of the places; only kernels.cooccurrence has it   14.4
//   ... loops over windows of 5, 10 and 15 written out                                                     14 to 15.5
//   profile: waiting for the lines around a place 35%, new pages for the matrix 16%, the frequent 15%, index 8%
//   tried on a prototype: ids of 16 bits to halve those lines (-10% of reading, not kept: larger words need a way out);
//   places fetched 8, 16, 32, 64 ahead into L1 or L2 (the same); one line fetched, not two (half as fast)
// merge_counts (million entries/s of four parts): 126
#include "firth/cooccurrence.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "counting.h"
#include "dispatch.h"
#include "firth/random.h"

namespace {

using namespace firth;

using Counted = std::unique_ptr<CountedMatrix>;

constexpr i64 kTaskEntries = i64{1} << 19, kParts = 4;

// Places and sums of a corpus, as the bindings hold them.
struct Counter {
  Counter(std::vector<u32> corpus, i64 words, u32 window, i64 sentence = 0) : ids(std::move(corpus)), weights(window) {
    u64 multiple = 1;
    for (u64 d = 1; d <= window; ++d) multiple = std::lcm(multiple, d);
    for (u32 d = 0; d < window; ++d) weights[d] = multiple / (d + 1);
    one = static_cast<double>(multiple);
    const i64 tokens = static_cast<i64>(ids.size());
    if (sentence) {
      breaks.resize(tokens / 64 + 2);
      for (i64 t = 0; t <= tokens; ++t)
        if (t % sentence == 0 || t == tokens) breaks[t / 64] |= u64{1} << t % 64;
    }
    args.ids = ids.data();
    args.tokens = tokens;
    args.breaks = sentence ? breaks.data() : nullptr;
    args.words = words;
    args.window = window;
    args.weights = weights.data();
    args.symmetric = true;
  }

  void index(i64 begin, i64 end) {
    starts.assign(args.words + 1, 0);
    places.resize(end - begin);
    for (i64 t = begin; t < end; ++t) ++starts[ids[t] + 1];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    std::vector<i64> next(starts.begin(), starts.end() - 1);
    for (i64 t = begin; t < end; ++t) places[next[ids[t]]++] = static_cast<u32>(t - begin);
    args.starts = starts.data();
    args.places = places.data();
    args.origin = begin;
  }

  Counted count(const Kernels& level, Values values, i64 entries = kTaskEntries) {
    const i64 grain = std::max<i64>(entries / (2 * args.window), 1), size = starts.back();
    scratch.resize(counting_scratch(args.words));
    ends.resize(8 * args.words);
    columns.resize(4 * (grain * 2 * args.window + kSpareEntries));
    sums.resize(8 * (grain * 2 * args.window + kSpareEntries));
    CountedRows found{0, 0, ends.as<i64>(), columns.as<u32>(), sums.as<u64>()};
    args.scratch = scratch.as<void>();
    args.found = &found;
    auto matrix = std::make_unique<CountedMatrix>(0, args.words, args.words, values, one);
    for (i64 at = 0; at < size; at += grain) {
      const Range here = {at, std::min(at + grain, size)};
      level.cooccurrence(args, here);
      const i64 bottom = found.first + found.rows - 1;
      matrix->take(at / grain, found, starts[found.first]<here.begin, starts[bottom + 1]> here.end);
    }
    matrix->finish();
    return matrix;
  }

  std::vector<u32> ids, places;
  std::vector<u64> weights, breaks;
  std::vector<i64> starts;
  Pages scratch, ends, columns, sums;
  double one;  // the unit
  Cooccurrence args{};
};

Counted merged(const Kernels& level, const std::vector<Counted>& parts, i64 words, double unit) {
  std::vector<MergeCounts::Part> views;
  for (const Counted& part : parts)
    views.push_back({part->indptr.data(), part->columns.as<u32>(), part->values.as<u64>()});
  std::vector<i64> ends(words);
  const Pages scratch(counting_scratch(words));
  Pages columns, sums;
  MergeCounts args{views.data(), kParts, words, words, scratch.as<void>(), nullptr};
  auto matrix = std::make_unique<CountedMatrix>(0, words, words, Values::kFloat32, unit);
  i64 piece = 0;
  for (i64 row = 0; row < words; ++piece) {
    const i64 first = row;
    i64 entries = 0;
    do {
      for (const Counted& part : parts) entries += part->indptr[row + 1] - part->indptr[row];
      ++row;
    } while (row < words && entries < kTaskEntries);
    columns.resize(std::max<std::size_t>(columns.bytes(), 4 * (entries + kSpareEntries)));
    sums.resize(std::max<std::size_t>(sums.bytes(), 8 * (entries + kSpareEntries)));
    CountedRows found{0, 0, ends.data(), columns.as<u32>(), sums.as<u64>()};
    args.found = &found;
    level.merge_counts(args, {first, row});
    matrix->take(piece, found, false, false);
  }
  matrix->finish();
  return matrix;
}

std::vector<u32> zipf(i64 tokens, i64 words) {
  std::vector<u32> ids(tokens);
  for (i64 t = 0; t < tokens; ++t)  // log-uniform: word r as often as 1 / r
    ids[t] = std::min(static_cast<u32>(std::pow(words, unit(draw(1, 0, 0, t).x)) - 1), static_cast<u32>(words - 1));
  return ids;
}

std::vector<u32> stored(const char* path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<u32> ids(file ? static_cast<std::size_t>(file.tellg()) / 4 : 0);
  file.seekg(0);
  file.read(reinterpret_cast<char*>(ids.data()), static_cast<std::streamsize>(4 * ids.size()));
  return ids;
}

bool same(const CountedMatrix& a, const CountedMatrix& b) {
  return a.indptr == b.indptr && std::memcmp(a.columns.as<u32>(), b.columns.as<u32>(), 4 * a.entries) == 0 &&
         std::memcmp(a.values.as<float>(), b.values.as<float>(), 4 * a.entries) == 0;
}

// Holds a small corpus against the definition, pair by pair.
bool sound(const Kernels& level, u32 window, i64 sentence) {
  constexpr i64 kTokens = 20000, kWords = 500;
  Counter counter(zipf(kTokens, kWords), kWords, window, sentence);
  std::vector<u64> wanted(kWords * kWords);
  for (i64 t = 0; t < kTokens; ++t)
    for (i64 d = 1; d <= window && t + d < kTokens; ++d) {
      if (sentence && t / sentence != (t + d) / sentence) break;
      wanted[counter.ids[t] * kWords + counter.ids[t + d]] += counter.weights[d - 1];
      wanted[counter.ids[t + d] * kWords + counter.ids[t]] += counter.weights[d - 1];
    }
  counter.index(0, kTokens);
  for (const i64 entries : {i64{1000}, kTaskEntries}) {
    const Counted matrix = counter.count(level, Values::kSums, entries);
    std::vector<u64> found(wanted.size());
    for (i64 row = 0; row < kWords; ++row)
      for (i64 i = matrix->indptr[row]; i < matrix->indptr[row + 1]; ++i)
        found[row * kWords + matrix->columns.as<u32>()[i]] = matrix->values.as<u64>()[i];
    if (found != wanted) return false;
  }
  return true;
}

// Whether sums of one sentence add up to what its length says.
bool whole(const Counter& counter, const CountedMatrix& matrix) {
  double wanted = 0, found = 0;
  for (i64 d = 1; d <= counter.args.window && d < counter.args.tokens; ++d)
    wanted += 2 * static_cast<double>(counter.args.tokens - d) / static_cast<double>(d);
  for (i64 i = 0; i < matrix.entries; ++i) found += static_cast<double>(matrix.values.as<float>()[i]);
  return std::fabs(found - wanted) <= 1e-6 * wanted;
}

// Median CPU seconds of three calls.
double seconds(const std::function<void()>& work) {
  double spent[3];
  for (double& one : spent) {
    const std::clock_t start = std::clock();
    work();
    one = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  }
  std::sort(spent, spent + 3);
  return std::max(spent[1], 1e-6);
}

bool timed(const Kernels& level, Counter& counter) {
  const i64 tokens = counter.args.tokens, words = counter.args.words;
  const double million = 1e-6 * static_cast<double>(tokens);
  const double indexing = seconds([&] { counter.index(0, tokens); });
  Counted all;
  const double counting = seconds([&] {
    all.reset();
    all = counter.count(level, Values::kFloat32);
  });
  bool right = whole(counter, *all);

  std::vector<Counted> parts;
  i64 read = 0;
  for (i64 part = 0; part < kParts; ++part) {
    counter.index(part * tokens / kParts, (part + 1) * tokens / kParts);
    parts.push_back(counter.count(level, Values::kSums));
    read += parts.back()->entries;
  }
  right = right && same(*merged(level, parts, words, counter.one), *all);
  const double merging = seconds([&] { merged(level, parts, words, counter.one); });
  std::printf("%-5s %6u %12ld %10.1f %10.1f %10.1f %16.1f %14.1f\n", level.isa, counter.args.window,
              static_cast<long>(all->entries), million / indexing, million / counting, million / (indexing + counting),
              2 * counter.args.window * million / counting, 1e-6 * static_cast<double>(read) / merging);
  std::fflush(stdout);
  return right;
}

// The instruction sets that have a kernel of their own: those for the cosine alone share it with the next one.
std::vector<const Kernels*> own_kernels() {
  std::vector<const Kernels*> own;
  for (const Kernels* level : supported_kernels()) {
    if (!own.empty() && own.back()->cooccurrence == level->cooccurrence) own.pop_back();
    own.push_back(level);
  }
  return own;
}

}  // namespace

int main(int count, char** arguments) {
  const bool given = count > 1 && std::strcmp(arguments[1], "-") != 0;
  const i64 tokens = count > 2 ? std::atoll(arguments[2]) : 2000000,
            some = count > 3 ? std::atoll(arguments[3]) : 50000;
  const std::vector<u32> ids = given ? stored(arguments[1]) : zipf(tokens, some);
  if (ids.empty()) {
    std::fprintf(stderr, "bench_cooccurrence: there are no ids\n");
    return 1;
  }
  const i64 words = given ? *std::max_element(ids.begin(), ids.end()) + i64{1} : some;
  std::printf("%ld tokens of %ld words; million a second\n%-5s %6s %12s %10s %10s %10s %16s %14s\n",
              static_cast<long>(ids.size()), static_cast<long>(words), "isa", "window", "entries", "index", "counting",
              "both", "pairs counted", "entries merged");
  for (const u32 window : {10u, 15u}) {
    Counter counter(ids, words, window);
    for (const Kernels* level : own_kernels()) {
      if (!sound(*level, window, 0) || !sound(*level, window, 23) || !timed(*level, counter)) {
        std::fprintf(stderr, "bench_cooccurrence: %s counts something else, window %u\n", level->isa, window);
        return 1;
      }
    }
  }
  return 0;
}
