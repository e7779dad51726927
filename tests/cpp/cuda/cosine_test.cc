// cuda/kernels/cosine.cu on the host, against the definition: every scan, hard tables, several slabs, sizes that fill
// no tile, items left out, thresholds.
#include "cuda/kernels/cosine.cu"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "firth/random.h"

namespace {

using namespace firth;

enum Kind { kGaussian, kWholeNumbers, kCopies, kNearTies, kScales, kSomeZeros };
enum Way { kRaw, kPreparedFloat32, kPreparedBfloat16, kPreparedInt8, kBfloat16Alone, kInt8Alone };
constexpr Way kWays[] = {kRaw, kPreparedFloat32, kPreparedBfloat16, kPreparedInt8, kBfloat16Alone, kInt8Alone};

Scan scan_of(Way way) {
  return way == kPreparedInt8 || way == kInt8Alone           ? Scan::kInt8
         : way == kPreparedBfloat16 || way == kBfloat16Alone ? Scan::kBfloat16
                                                             : Scan::kFloat32;
}
bool codes_alone(Way way) { return way == kBfloat16Alone || way == kInt8Alone; }

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

// Items as `prepare` leaves them.
struct Prepared {
  std::vector<float> rows;
  i64 count, dim;
  Scan scan;
  bool cosine, keep_exact;
  std::vector<cuda::Quad> panels = std::vector<cuda::Quad>(panels_of(count) * panel_bytes(scan, dim) / 16);
  std::vector<float> constants = std::vector<float>(3 * panels_of(count) * kPanel, -7.0f);
  i64 bad = -7;

  unsigned char* codes() { return scan == Scan::kFloat32 ? nullptr : reinterpret_cast<unsigned char*>(panels.data()); }
  void run() {
    cuda::prepare({{rows.data(), count, dim}, scan, cosine, keep_exact, codes(), constants.data(), nullptr, &bad},
                  nullptr);
  }
  Items items() { return {keep_exact ? rows.data() : nullptr, codes(), constants.data(), count, dim, scan, cosine}; }

  double code(i64 id, i64 d) {
    const i64 many = codes_per_word(scan);
    const unsigned char* at = codes() + id / kPanel * panel_bytes(scan, dim) + d / many * kStepBytes + id % kPanel * 4;
    if (scan == Scan::kInt8) return at[d % many] - 128.0;
    return static_cast<double>(from_bfloat16(static_cast<u32>(at[d % many * 2]) | at[d % many * 2 + 1] << 8));
  }

  // Codes are exactly the definition's, and what is kept of an item bounds what was lost.
  void hold_against_the_definition() {
    const i64 many = codes_per_word(scan), padded = steps_of(scan, dim) * many;
    for (i64 id = 0; id < panels_of(count) * kPanel; ++id) {
      const double grain = static_cast<double>(grains(items())[id]), length = static_cast<double>(lengths(items())[id]),
                   rest = static_cast<double>(rests(items())[id]);
      const float* x = id < count ? &rows[id * dim] : nullptr;
      const double norm = x ? std::sqrt(dot(x, x, dim)) : 0.0;
      const bool small_or_great = norm > 0 && !(norm >= 0x1p-30 && norm <= 0x1p60) && (keep_exact || !cosine);
      expect(std::isnan(grain) == small_or_great, "only unusual rows have no grain", id, count);
      if (norm == 0 || small_or_great) {
        expect(length == 0 && rest == 0 && (small_or_great || grain == 1), "such a row is never scanned", id, count);
        for (i64 d = 0; scan != Scan::kFloat32 && d < padded; ++d) expect(code(id, d) == 0, "its codes are 0", id, d);
        continue;
      }
      float greatest = 0;
      for (i64 d = 0; d < dim; ++d) greatest = std::fmax(greatest, std::fabs(x[d]));
      const double up = std::ldexp(1.0, -std::ilogb(greatest));
      const float factor = 127.0f / static_cast<float>(greatest * up);
      double size = 0, lost = 0;
      for (i64 d = 0; scan != Scan::kFloat32 && d < padded; ++d) {
        const double scaled = d < dim ? x[d] * up : 0.0;
        const float single = static_cast<float>(scaled);
        const float want = scan == Scan::kInt8 ? std::nearbyint(single * factor) : from_bfloat16(to_bfloat16(single));
        expect(code(id, d) == static_cast<double>(want), "the code is the definition's", id, d);
        if (keep_exact && d < dim && !cosine) lost += std::pow(grain * x[d] - want, 2);
        if (keep_exact && d < dim && cosine) lost += std::pow(grain * x[d] / norm - want, 2);
        size += static_cast<double>(want) * static_cast<double>(want);
      }
      if (scan == Scan::kFloat32) size = norm * norm;
      const double slack = grain * length * 0x1p-22;  // the grain is rounded to float32
      expect(rest + slack >= std::sqrt(lost) && rest <= std::sqrt(lost) + slack + rest * 1e-5, "rest bounds", id,
             count);
      const double ranked = cosine ? 1.0 : keep_exact ? norm : 0.0;
      const double longest = std::fmax(ranked, std::sqrt(size) / grain);
      expect(length >= longest && length <= longest * (1 + 1e-6), "length bounds", id, count);
      const double wanted = scan == Scan::kFloat32  ? (cosine ? norm : 1.0)
                            : cosine && !keep_exact ? std::sqrt(size)
                                                    : (scan == Scan::kInt8 ? factor * up : up) * (cosine ? norm : 1.0);
      expect(std::fabs(grain - wanted) <= wanted * 0x1p-24, "the grain is the definition's", id, count);
    }
  }
};

struct Search {
  std::vector<float> q, x;
  i64 queries, count, dim, k;
  bool cosine;
  Way way = kRaw;
  i64 excluded = 1;
  std::vector<i64> exclude = std::vector<i64>(queries * excluded, -1);
  std::vector<unsigned char> mask = {};
  std::vector<double> threshold = std::vector<double>(queries, -INFINITY);
  std::vector<i64> ids = std::vector<i64>(queries * k, -7);
  std::vector<double> scores = std::vector<double>(queries * k, -7.0);
  cuda::Bad bad = {};
  Prepared prepared = {x, count, dim, scan_of(way), cosine, !codes_alone(way)};

  TopK args() {
    Items items = prepared.items();
    if (way == kRaw) items.constants = nullptr;
    return {{q.data(), queries, dim},
            items,
            exclude.data(),
            excluded,
            mask.empty() ? nullptr : mask.data(),
            threshold.data(),
            k,
            nullptr,
            nullptr,
            nullptr,
            nullptr,
            nullptr};
  }
  void run() {
    if (way != kRaw) prepared.run();
    cuda::topk(args(), ids.data(), scores.data(), &bad, nullptr);
  }

  void hold_against_the_definition() {
    expect(bad.query == queries && bad.item == count, "every row is finite", bad.query, bad.item);
    const TopK all_of_it = args();
    std::vector<float> scratch(dim);
    for (i64 a = 0; a < queries; ++a) {
      const float* query = row(all_of_it.queries, a);
      const double norm = std::sqrt(dot(query, query, dim));
      std::vector<Candidate> all;
      for (i64 i = 0; i < count; ++i) {
        const bool excepted = std::count(exclude.begin() + a * excluded, exclude.begin() + (a + 1) * excluded, i) > 0;
        if (excepted || (!mask.empty() && !mask[i])) continue;
        const float* item = item_values(all_of_it.items, i, scratch.data());
        const double score = exact_score(query, norm, item, dim, cosine);
        if (score >= threshold[a]) all.push_back({score, i});
      }
      std::sort(all.begin(), all.end(), [](Candidate left, Candidate right) { return better(left, right); });
      all.resize(std::max<std::size_t>(all.size(), k), {-INFINITY, -1});
      for (i64 j = 0; j < k; ++j) {
        expect(ids[a * k + j] == all[j].id, "the item is the definition's", a, j);
        expect(scores[a * k + j] == all[j].score, "the score is the definition's", a, j);
      }
    }
  }
};

void test_prepare() {
  for (int kind = kGaussian; kind <= kSomeZeros; ++kind)
    for (const bool cosine : {true, false})
      for (const Way way : kWays) {
        if (way == kRaw) continue;
        Prepared prepared{table(static_cast<Kind>(kind), 37, 19, 5), 37, 19, scan_of(way), cosine, !codes_alone(way)};
        prepared.run();
        expect(prepared.bad == 37, "every row is finite", prepared.bad, 37);
        prepared.hold_against_the_definition();
      }
  Prepared prepared{table(kGaussian, 37, 19, 5), 37, 19, Scan::kInt8, true, true};
  prepared.rows[36 * 19] = NAN;
  prepared.rows[20 * 19 + 18] = -INFINITY;
  prepared.run();
  expect(prepared.bad == 20, "the first row that is not finite is named", prepared.bad, 20);
}

void test_every_scan_of_hard_tables() {
  for (int kind = kGaussian; kind <= kSomeZeros; ++kind)
    for (const bool cosine : {true, false})
      for (const Way way : kWays) {
        if (kind == kScales && codes_alone(way) && !cosine) continue;  // refused: such rows have no grain
        Search search{table(static_cast<Kind>(kind), 2, 37, 5),
                      table(static_cast<Kind>(kind), 90, 37, 6),
                      2,
                      90,
                      37,
                      9,
                      cosine,
                      way};
        search.exclude = {0, 89};
        search.run();
        search.hold_against_the_definition();
      }
}

void test_several_slabs_and_broad_tiles() {
  for (const Way way : {kRaw, kPreparedBfloat16, kInt8Alone}) {
    Search search{table(kGaussian, 35, 33, 7), table(kCopies, 2200, 33, 8), 35, 2200, 33, 50, true, way};
    search.run();
    search.hold_against_the_definition();
  }
  for (const Way way : {kRaw, kPreparedInt8}) {  // the best are more equal rows of the last slab than can wait
    Search search{table(kGaussian, 9, 75, 7), table(kCopies, 3300, 75, 8), 9, 3300, 75, 3, false, way};
    for (i64 i = 2600 * 75; i < 3300 * 75; ++i) search.x[i] = search.q[i % 75];
    search.prepared.rows = search.x;
    search.run();
    search.hold_against_the_definition();
  }
}

// What must be reached is the exact score of an item, and all that reach it are asked for: a test that is too strict by
// far less than a code's rounding loses some.
void test_bounds_are_sharp_and_hold() {
  for (const Way way : kWays)
    for (const bool cosine : {true, false}) {
      Search search{table(kGaussian, 3, 3, 21), table(kGaussian, 600, 3, 22), 3, 600, 3, 600, cosine, way};
      if (way != kRaw) search.prepared.run();
      for (i64 a = 0; a < 3; ++a) {
        const float* query = row(search.args().queries, a);
        float values[3];
        const float* item = item_values(search.args().items, 20 + a, values);
        search.threshold[a] = exact_score(query, std::sqrt(dot(query, query, 3)), item, 3, cosine);
      }
      search.run();
      search.hold_against_the_definition();
    }
}

void test_what_is_left_out_and_thresholds() {
  for (const Way way : kWays) {
    Search search{table(kGaussian, 4, 12, 9), table(kWholeNumbers, 400, 12, 10), 4, 400, 12, 30, true, way, 3};
    search.exclude = {-1, 2, 399, -1, -1, -1, 7, 8, 9, 0, 1, 2};
    search.mask.assign(400, 1);
    for (i64 i = 0; i < 400; ++i) search.mask[i] = i % 5 != 2;
    search.threshold = {0.5, -INFINITY, 0.999, -0.25};
    search.run();
    search.hold_against_the_definition();
  }
}

}  // namespace

int main() {
  test_prepare();
  test_every_scan_of_hard_tables();
  test_several_slabs_and_broad_tiles();
  test_bounds_are_sharp_and_hold();
  test_what_is_left_out_and_thresholds();
  for (const bool zeros : {false, true}) {  // all items, and a query of zeros
    Search search{table(kSomeZeros, 5, 1, 9), table(kScales, 65, 1, 10), 5, 65, 1, 65, true};
    if (zeros) search.q.assign(5, 0.0f);
    search.run();
    search.hold_against_the_definition();
  }
  {  // the first rows that are not finite are named
    Search search{table(kGaussian, 3, 8, 11), table(kGaussian, 90, 8, 12), 3, 90, 8, 2, true};
    search.prepared.rows[71 * 8] = NAN;
    search.prepared.rows[33 * 8 + 7] = INFINITY;
    search.q[2 * 8] = -INFINITY;
    search.run();
    expect(search.bad.query == 2 && search.bad.item == 33, "bad rows are named", search.bad.query, search.bad.item);
  }
  return 0;
}
