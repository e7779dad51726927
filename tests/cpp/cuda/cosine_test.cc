// cuda/kernels/cosine.cu on the host, against the definition: hard tables, several slabs, sizes that fill no tile.
#include "cuda/kernels/cosine.cu"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "firth/random.h"

namespace {

using namespace firth;

enum Kind { kGaussian, kWholeNumbers, kCopies, kNearTies, kScales, kSomeZeros };

std::vector<float> table(Kind kind, i64 rows, i64 dim, u64 seed) {
  std::vector<float> values(rows * dim);
  for (i64 r = 0; r < rows; ++r) {
    const Draw choice = draw(seed, 1, 0, r);
    const i64 source = kind == kCopies ? below(choice.x, 1 + rows / 8) : r;
    const float scale = kind == kScales ? std::ldexp(1.0f, static_cast<int>(below(choice.y, 240)) - 130) : 1.0f;
    for (i64 d = 0; d < dim; ++d) {
      const Draw word = draw(seed, 2, 0, source * dim + d);
      float x = unit(word.x) + unit(word.y) + unit(word.z) + unit(word.w) - 2.0f;
      if (kind == kWholeNumbers) x = static_cast<float>(below(word.x, 5)) - 2.0f;
      if (kind == kNearTies) x = unit(draw(seed, 3, 0, d).x) + 1e-7f * x;
      if (kind == kSomeZeros && choice.z % 3 == 0) x = 0.0f;
      values[r * dim + d] = scale * x;
    }
  }
  return values;
}

void expect(bool right, const char* what, i64 a, i64 b) {
  if (right) return;
  std::fprintf(stderr, "cuda_cosine_test: not so: %s (%ld, %ld)\n", what, static_cast<long>(a), static_cast<long>(b));
  std::exit(1);
}

struct Search {
  std::vector<float> q, x;
  i64 queries, items, dim, k;
  bool cosine;
  std::vector<i64> exclude = std::vector<i64>(queries, -1), ids = std::vector<i64>(queries * k, -7);
  std::vector<float> scores = std::vector<float>(queries * k, -7.0f);
  cuda::Bad bad{};

  TopK args() const {
    return {{q.data(), queries, dim},
            {x.data(), items, dim},
            exclude.data(),
            k,
            cosine,
            nullptr,
            nullptr,
            nullptr,
            nullptr,
            nullptr};
  }
  void run() { cuda::topk(args(), ids.data(), scores.data(), &bad, nullptr); }

  void hold_against_the_definition() const {
    expect(bad.query == queries && bad.item == items, "every row is finite", bad.query, bad.item);
    for (i64 a = 0; a < queries; ++a) {
      const float* query = row(args().queries, a);
      const double norm = std::sqrt(dot(query, query, dim));
      std::vector<Candidate> all;
      for (i64 i = 0; i < items; ++i)
        if (i != exclude[a])
          all.push_back({norm > 0 ? exact_score(query, norm, row(args().items, i), dim, cosine) : 0.0, i});
      std::sort(all.begin(), all.end(), [](Candidate left, Candidate right) { return better(left, right); });
      for (i64 j = 0; j < k; ++j) {
        expect(ids[a * k + j] == all[j].id, "the item is the definition's", a, j);
        expect(scores[a * k + j] == static_cast<float>(all[j].score), "the score is the definition's", a, j);
      }
    }
  }
};

}  // namespace

int main() {
  for (int kind = kGaussian; kind <= kSomeZeros; ++kind)
    for (const bool cosine : {true, false}) {
      Search search{
          table(static_cast<Kind>(kind), 3, 37, 5), table(static_cast<Kind>(kind), 150, 37, 6), 3, 150, 37, 9, cosine};
      search.exclude = {0, -1, 149};
      search.run();
      search.hold_against_the_definition();
    }
  {  // two tiles of queries, several slabs, k that is not small
    Search search{table(kGaussian, 35, 33, 7), table(kCopies, 3300, 33, 8), 35, 3300, 33, 70, true};
    search.run();
    search.hold_against_the_definition();
  }
  {  // all items, and a query of zeros
    Search search{table(kSomeZeros, 5, 1, 9), table(kScales, 65, 1, 10), 5, 65, 1, 65, true};
    search.run();
    search.hold_against_the_definition();
  }
  {  // the first rows that are not finite are named
    Search search{table(kGaussian, 3, 8, 11), table(kGaussian, 90, 8, 12), 3, 90, 8, 2, true};
    search.x[71 * 8] = NAN;
    search.x[33 * 8 + 7] = INFINITY;
    search.q[2 * 8] = -INFINITY;
    search.run();
    expect(search.bad.query == 2 && search.bad.item == 33, "bad rows are named", search.bad.query, search.bad.item);
  }
  return 0;
}
