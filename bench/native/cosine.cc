// topk on one core, per instruction set: queries and GFLOP per second of CPU time at batches of 1, 32 and 1024, k = 10,
// cosine, gaussian rows. Each answer is checked against float64 before it is timed. Usage: bench_cosine [items=1000000]
// [dim=100]
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

struct Aligned {
  explicit Aligned(i64 size)
      : data(static_cast<float*>(std::aligned_alloc(64, static_cast<std::size_t>(size * 4 + 63) / 64 * 64))) {}
  ~Aligned() { std::free(data); }
  float* data;
};

struct Search {
  Search(const std::vector<float>& q, const std::vector<float>& x, i64 rows, i64 dim)
      : standings(rows),
        heaps(rows * k),
        ids(rows * k),
        scores(rows * k),
        exclude(rows, -1),
        scaled(scaled_floats(rows, dim)),
        panel(panel_floats(dim)) {
    args = {{q.data(), rows, dim},
            {x.data(), static_cast<i64>(x.size()) / dim, dim},
            exclude.data(),
            k,
            true,
            standings.data(),
            scaled.data,
            heaps.data(),
            panel.data,
            &bad_item};
  }

  void run(const Kernels& level) {
    bad_item = args.items.rows;
    prepare(args);
    level.topk(args, {0, args.items.rows});
    for (i64 q = 0; q < args.queries.rows; ++q) take_sorted(heaps.data() + q * k, k, &ids[q * k], &scores[q * k]);
  }

  // The definition, for one query.
  bool right(i64 q) const {
    std::vector<Candidate> all;
    for (i64 i = 0; i < args.items.rows; ++i)
      all.push_back(
          {exact_score(row(args.queries, q), standings[q].norm, row(args.items, i), args.items.dim, true), i});
    std::partial_sort(all.begin(), all.begin() + k, all.end(), better);
    for (i64 i = 0; i < k; ++i)
      if (all[i].id != ids[q * k + i]) return false;
    return true;
  }

  static constexpr i64 k = 10;
  std::vector<Standing> standings;
  std::vector<Candidate> heaps;
  std::vector<i64> ids;
  std::vector<float> scores;
  std::vector<i64> exclude;
  Aligned scaled, panel;
  i64 bad_item = 0;
  TopK args;
};

}  // namespace

int main(int count, char** words) {
  const i64 items = count > 1 ? std::atoll(words[1]) : 1000000, dim = count > 2 ? std::atoll(words[2]) : 100;
  std::vector<float> x(items * dim), q(1024 * dim);
  fill(x, 100);
  fill(q, 101);
  std::printf("%ld items, dim %ld\n%-5s %6s %12s %10s\n", static_cast<long>(items), static_cast<long>(dim), "isa",
              "batch", "queries/s", "GFLOP/s");
  for (const Kernels* level : supported_kernels()) {
    for (const i64 batch : {1, 32, 1024}) {
      Search search(q, x, batch, dim);
      search.run(*level);
      if (!search.right(0) || !search.right(batch - 1)) {
        std::fprintf(stderr, "bench_cosine: %s finds wrong items at batch %ld\n", level->isa, static_cast<long>(batch));
        return 1;
      }
      double best = 1e30;
      for (int repeat = 0; repeat < 5; ++repeat) {
        const std::clock_t start = std::clock();
        search.run(*level);
        best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
        if (best > 2) break;
      }
      std::printf("%-5s %6ld %12.1f %10.1f\n", level->isa, static_cast<long>(batch), static_cast<double>(batch) / best,
                  2e-9 * static_cast<double>(batch) * static_cast<double>(items * dim) / best);
    }
  }
  return 0;
}
