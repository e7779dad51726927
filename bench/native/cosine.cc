// topk on one core, per instruction set and scan: queries and GFLOP (2 items dim, whatever the scan) per second of CPU
// time, and how many items a query had to score in float64. Each answer is checked against float64 before it is timed.
// Rows are gaussian, or those of a file of float32.
// Usage: bench_cosine [items=1000000] [dim=100] [k=10] [file]
//
// The ladder (1 M x 100, k = 10, one core; queries/s at batch 1024; of several runs, which
// differ by a fifth):
//   float32 in register tiles of 8 x 48, every item that passes scored at once     570
//   int8 codes, dpbusd in the same tiles, items wait with their bounds            1 800   batch 1: 3 to 5 times float32
//   AMX, tiles of 32 x 32 that begin with each query's bias: loading it took a third   2 400
//   AMX, tiles that begin with zero, the bias in the test                         3 500
//   room to wait 4 k + 128, not 2 k + 64: less is scored early (k = 100: 200 items a query, not 800)
//   room 8 k + 256, and of a full one the k with the best lower bounds are scored first (k = 100, word vectors tiled
//   with noise of a tenth: 1 100 items a query, not 2 060)                         825 -> 1 055; bench/peers/topk.py
//   showed no gain beyond its noise
// Not kept: a block looked at while the unit works on the next (the core does that by itself); the next chunk fetched
// ahead (batch 1 and 32: nothing, the machine's prefetch does); lists of a group that fit the L2 (k = 100: nothing);
// dpbf16ps instead of a shift and two multiplications (half the speed on Sapphire Rapids).
#include "firth/cosine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "dispatch.h"
#include "firth/random.h"

namespace {

using namespace firth;

// Close enough to a gaussian: the sum of four uniform draws.
void fill(std::vector<float>& values, u32 stream) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Draw d = draw(1, stream, 0, i);
    values[i] = unit(d.x) + unit(d.y) + unit(d.z) + unit(d.w) - 2.0f;
  }
}

template <class T>
struct Aligned {
  explicit Aligned(i64 size)
      : data(static_cast<T*>(std::aligned_alloc(64, (static_cast<std::size_t>(size) * sizeof(T) + 63) / 64 * 64))) {}
  ~Aligned() { std::free(data); }
  T* data;
};

// Items as `prepare` makes them; without panels, as topk finds them when nothing was prepared.
struct Prepared {
  Prepared(const std::vector<float>& x, i64 dim, Scan scan, bool panels_too, const Kernels& level)
      : count(static_cast<i64>(x.size()) / dim),
        panels(panels_of(count) * panel_bytes(scan, dim)),
        constants(3 * panels_of(count) * kPanel) {
    items = {x.data(), nullptr, nullptr, count, dim, scan, true};
    if (!panels_too) return;
    i64 bad = count;
    const Aligned<unsigned char> scratch(scratch_bytes(0, dim));
    level.prepare({{x.data(), count, dim}, scan, true, true, panels.data, constants.data, scratch.data, &bad},
                  {0, count});
    items.panels = scan == Scan::kFloat32 ? nullptr : panels.data;
    items.constants = constants.data;
  }
  i64 count;
  Aligned<unsigned char> panels;
  Aligned<float> constants;
  Items items;
};

struct Search {
  Search(const std::vector<float>& q, const Items& items, i64 rows, i64 most)
      : k(most),
        standings(rows),
        threshold(rows, -INFINITY),
        ids(rows * k),
        scores(rows * k),
        waiting(rows * waiting_room(k)),
        heaps(rows * k),
        scratch(scratch_bytes(rows, items.dim)),
        bad_item(items.count) {
    args = {{q.data(), rows, items.dim},
            items,
            nullptr,
            0,
            nullptr,
            threshold.data(),
            k,
            standings.data(),
            waiting.data,
            heaps.data,
            scratch.data,
            &bad_item};
  }

  void run(const Kernels& level) {
    level.begin_topk(args);
    level.topk(args, {0, args.items.count});
    for (i64 q = 0; q < args.queries.rows; ++q) {
      level.end_topk(args, q);
      take_sorted(args.heaps + q * k, standings[q].count, k, &ids[q * k], &scores[q * k]);
    }
  }

  // The definition, for one query.
  bool right(i64 q) const {
    std::vector<Candidate> all;
    const i64 dim = args.items.dim;
    for (i64 i = 0; i < args.items.count; ++i)
      all.push_back(
          {exact_score(row(args.queries, q), standings[q].norm, args.items.rows + i * dim, dim, args.items.cosine), i});
    std::partial_sort(all.begin(), all.begin() + k, all.end(), better);
    for (i64 i = 0; i < k; ++i)
      if (all[i].id != ids[q * k + i]) return false;
    return true;
  }

  double scored() const {
    double total = 0;
    for (const Standing& standing : standings) total += static_cast<double>(standing.scored);
    return total / static_cast<double>(standings.size());
  }

  i64 k;
  std::vector<Standing> standings;
  std::vector<double> threshold;
  std::vector<i64> ids;
  std::vector<double> scores;
  Aligned<Possible> waiting;
  Aligned<Candidate> heaps;
  Aligned<unsigned char> scratch;
  i64 bad_item;
  TopK args;
};

bool measure(const std::vector<float>& q, const Prepared& prepared, const char* name, i64 k, const Kernels& level) {
  const i64 dim = prepared.items.dim;
  for (const i64 batch : {1, 32, 1024}) {
    Search search(q, prepared.items, batch, k);
    search.run(level);
    if (!search.right(0) || !search.right(batch - 1)) {
      std::fprintf(stderr, "bench_cosine: %s, %s finds wrong items at batch %ld\n", level.isa, name,
                   static_cast<long>(batch));
      return false;
    }
    double best = 1e30;
    for (int repeat = 0; repeat < 5; ++repeat) {
      const std::clock_t start = std::clock();
      search.run(level);
      best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
      if (best > 2) break;
    }
    const double work = static_cast<double>(batch) * static_cast<double>(prepared.count * dim);
    std::printf("%-5s %-12s %6ld %12.1f %10.1f %10.1f\n", level.isa, name, static_cast<long>(batch),
                static_cast<double>(batch) / best, 2e-9 * work / best, search.scored());
    std::fflush(stdout);
  }
  return true;
}

bool read(std::vector<float>& values, const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  const bool whole = file && std::fread(values.data(), 4, values.size(), file) == values.size();
  if (file) std::fclose(file);
  return whole;
}

}  // namespace

int main(int count, char** words) {
  const i64 items = count > 1 ? std::atoll(words[1]) : 1000000, dim = count > 2 ? std::atoll(words[2]) : 100;
  const i64 k = count > 3 ? std::atoll(words[3]) : 10;
  std::vector<float> x(items * dim), q(1024 * dim);
  fill(q, 101);
  if (count > 4) {
    if (!read(x, words[4])) {
      std::fprintf(stderr, "bench_cosine: %s does not hold %ld float32\n", words[4], static_cast<long>(items * dim));
      return 1;
    }
    // Queries are rows from all over the table and a little of something else.
    for (i64 i = 0; i < static_cast<i64>(q.size()); ++i) {
      const float value = x[i / dim * 977 % items * dim + i % dim];
      q[i] = value + 0.1f * q[i] * std::fabs(value);
    }
  } else {
    fill(x, 100);
  }
  std::printf("%ld items, dim %ld, k %ld\n%-5s %-12s %6s %12s %10s %10s\n", static_cast<long>(items),
              static_cast<long>(dim), static_cast<long>(k), "isa", "scan", "batch", "queries/s", "GFLOP/s",
              "re-scored");
  struct {
    const char* name;
    Scan scan;
    bool prepared;
  } const scans[] = {{"none", Scan::kFloat32, false},
                     {"none, int8", Scan::kInt8, false},
                     {"bfloat16", Scan::kBfloat16, true},
                     {"int8", Scan::kInt8, true}};
  for (const Kernels* level : supported_kernels())
    for (const auto& scan : scans)
      if (!measure(q, Prepared(x, dim, scan.scan, scan.prepared, *level), scan.name, k, *level)) return 1;
  return 0;
}
