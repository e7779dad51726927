// cuda/kernels/ranking.cu on the host, against the definition in float64, sample by sample: both losses, rows of all
// kinds of width, in slices and not aligned, biases, noise, users who have met everything, several samples in flight,
// parts of an epoch, and numbers that are not finite.
#include "cuda/kernels/ranking.cu"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using namespace firth;

void expect(bool right, const char* what, i64 a, i64 b) {
  if (right) return;
  std::fprintf(stderr, "cuda_ranking_test: not so: %s (%ld, %ld)\n", what, static_cast<long>(a), static_cast<long>(b));
  std::exit(1);
}

struct Rule {
  RankingLoss loss = kBpr;
  i64 dim = 12, users = 23, items = 31, samples = 150, trials = 20, flight = 1;
  bool biases = true, noise = true, shifted = false;  // shifted: rows that are not aligned to 16 bytes
  double lr = 0.2, reg = 0.05;
};

struct alignas(64) Line {
  float numbers[16];
};

// The last user has met everything, the first nothing.
struct Problem {
  Rule rule;
  std::vector<i64> indptr = {0};
  std::vector<u32> indices, owners;
  std::vector<NoiseColumn> noise;
  std::vector<Line> user_lines, item_lines, bias_lines;
  Matrix<float> users, items, biases;

  explicit Problem(const Rule& r) : rule(r) {
    for (i64 u = 0; u < r.users; ++u) {
      for (i64 i = 0; i < r.items; ++i) {
        if (u == 0 || (u + 1 < r.users && below(draw(4, 5, 0, static_cast<u64>(u * r.items + i)).x, 4) > 0)) continue;
        indices.push_back(static_cast<u32>(i));
        owners.push_back(static_cast<u32>(u));
      }
      indptr.push_back(static_cast<i64>(indices.size()));
    }
    for (i64 i = 0; i < r.items; ++i) {
      const Draw d = draw(4, 6, 0, static_cast<u64>(i));
      noise.push_back({d.x, below(d.y, static_cast<u32>(r.items))});
    }
    users = table(user_lines, r.users, r.dim, 1);
    items = table(item_lines, r.items, r.dim, 2);
    biases = table(bias_lines, r.items, 1, 3);
  }
  Matrix<float> table(std::vector<Line>& lines, i64 rows, i64 dim, u32 stream) const {
    lines.resize(rows * dim / 16 + 2);
    float* const numbers = lines[0].numbers + rule.shifted;
    for (i64 x = 0; x < rows * dim; ++x)
      numbers[x] = (unit(draw(1, stream, 5, static_cast<u64>(x)).x) - 0.5f) * 4 / std::sqrt(static_cast<float>(dim));
    return {numbers, rows, dim};
  }
  Ranking args(RankingOutcome* outcome) {
    Ranking a{};
    a.users = users;
    a.items = items;
    if (rule.biases) a.biases = biases.data;
    a.links = {indptr.data(), indices.data()};
    a.owners = owners.data();
    a.pairs = static_cast<i64>(indices.size());
    if (rule.noise) a.noise = noise.data();
    a.loss = rule.loss;
    a.trials = rule.trials;
    a.lr = static_cast<float>(rule.lr);
    a.reg = static_cast<float>(rule.reg);
    a.seed = 99;
    a.epoch = 3;
    a.outcome = outcome;
    return a;
  }
  std::vector<double> wide(const Matrix<float>& from) const { return {from.data, from.data + from.rows * from.dim}; }
};

RankingOutcome run(Problem& problem, Range samples) {
  Ranking args = problem.args(nullptr);
  const i64 flight = cuda::ranking_flight(args, problem.rule.flight), blocks = cuda::ranking_blocks(args, flight);
  std::vector<RankingOutcome> outcomes(static_cast<std::size_t>(blocks), RankingOutcome{0, 0, 0, 0, -1});
  args.outcome = outcomes.data();
  const i64 middle = (samples.begin + samples.end) / 2;
  cuda::ranking(args, flight, {samples.begin, middle}, nullptr);  // outcomes are added to
  cuda::ranking(args, flight, {middle, samples.end}, nullptr);
  RankingOutcome all{0, 0, 0, 0, -1};
  for (const RankingOutcome& one : outcomes) {
    all.loss += one.loss;
    all.samples += one.samples;
    all.right += one.right;
    all.skipped += one.skipped;
    if (one.blown_up >= 0) all.blown_up = one.blown_up;
  }
  return all;
}

struct Definition {
  std::vector<double> users, items, biases;
  RankingOutcome done;
};

Definition define(Problem& problem) {
  const Rule& r = problem.rule;
  const Ranking a = problem.args(nullptr);
  Definition d{problem.wide(problem.users), problem.wide(problem.items), problem.wide(problem.biases), {}};
  if (!r.biases) d.biases.assign(d.biases.size(), 0);
  for (i64 n = 0; n < r.samples; ++n) {
    const u64 number = static_cast<u64>(n);
    const i64 pair = met_pair(a, ranking_draw(a, number, 0));
    const u32 u = problem.owners[pair], i = problem.indices[pair];
    double* const p = d.users.data() + u * r.dim;
    double* const q = d.items.data() + i * r.dim;
    const auto difference = [&](u32 j) {
      double x = d.biases[i] - d.biases[j];
      for (i64 c = 0; c < r.dim; ++c) x += p[c] * (q[c] - d.items[j * r.dim + c]);
      return x;
    };
    i64 found = -1;
    double x = 0, gradient = 0;
    bool open = false;
    for (i64 trial = 0; found < 0 && trial < r.trials; ++trial) {
      const u32 j = other_item(a, ranking_draw(a, number, trial));
      if (linked(a.links, static_cast<i64>(u), j)) continue;
      open = true;
      x = difference(j);
      if (r.loss == kWarp && x >= 1) continue;
      found = static_cast<i64>(j);
      if (r.loss == kBpr) {
        gradient = 1 / (1 + std::exp(x));
        d.done.loss += std::log1p(std::exp(-x));
      } else {
        gradient =
            std::log(std::fmax(1, std::floor(static_cast<double>(r.items - 1) / static_cast<double>(trial + 1))));
        d.done.loss += gradient * (1 - x);
      }
    }
    d.done.samples += open;
    d.done.skipped += !open;
    d.done.right += open && (found < 0 || x > 0);
    if (found < 0) continue;
    double* const o = d.items.data() + found * r.dim;
    const auto step = [&](double& at, double by) { at += r.lr * (by - r.reg * at); };
    for (i64 c = 0; c < r.dim; ++c) {
      const double pc = p[c], qc = q[c], oc = o[c];
      step(p[c], gradient * (qc - oc));
      step(q[c], gradient * pc);
      step(o[c], -gradient * pc);
    }
    if (!r.biases) continue;
    step(d.biases[i], gradient);
    step(d.biases[found], -gradient);
  }
  return d;
}

void hold_near(const Matrix<float>& found, const std::vector<double>& wanted, double tolerance, const char* what) {
  for (i64 x = 0; x < found.rows * found.dim; ++x)
    expect(std::fabs(static_cast<double>(found.data[x]) - wanted[x]) <= tolerance * (1 + std::fabs(wanted[x])), what, x,
           found.dim);
}

// With several samples in flight rows are stale by a few steps, whose size lr bounds.
void hold_against_the_definition(const Rule& rule, double tolerance = 1e-5) {
  Problem problem(rule), untouched(rule);
  const Definition wanted = define(problem);
  const RankingOutcome told = run(problem, {0, rule.samples});
  expect(told.blown_up == -1, "all is finite", told.blown_up, rule.dim);
  expect(told.samples == wanted.done.samples && told.skipped == wanted.done.skipped, "all samples are trained",
         told.samples, wanted.done.samples);
  expect(told.right == wanted.done.right || rule.flight != 1, "right ones are counted", told.right, wanted.done.right);
  expect(std::fabs(told.loss - wanted.done.loss) <= 10 * tolerance * wanted.done.loss, "the loss is the definition's",
         rule.dim, rule.flight);
  hold_near(problem.users, wanted.users, tolerance, "a number of users is the definition's");
  hold_near(problem.items, wanted.items, tolerance, "a number of items is the definition's");
  if (rule.biases)
    hold_near(problem.biases, wanted.biases, tolerance, "a bias is the definition's");
  else
    hold_near(problem.biases, untouched.wide(untouched.biases), 0, "biases are left alone");
  expect(wanted.done.skipped > 0 || rule.samples < 100, "some user has met everything", wanted.done.skipped, 0);
  expect(wanted.done.right > 0 && wanted.done.right < wanted.done.samples, "some are right", wanted.done.right, 0);
}

void test_numbers_that_are_not_finite(RankingLoss loss, i64 flight) {
  Rule rule;
  rule.loss = loss;
  rule.flight = flight;
  Problem problem(rule);
  const Ranking a = problem.args(nullptr);
  i64 first = -1;
  const u32 bad = problem.owners[met_pair(a, ranking_draw(a, 70, 0))];
  for (i64 n = 0; n < rule.samples && first < 0; ++n) {
    const u32 user = problem.owners[met_pair(a, ranking_draw(a, static_cast<u64>(n), 0))];
    first = user == bad && user + 1 < rule.users ? n : -1;
  }
  expect(first >= 0, "the sample is one that is trained", first, bad);
  problem.users.data[bad * rule.dim] = std::nanf("");
  const RankingOutcome told = run(problem, {0, rule.samples});
  expect(told.blown_up == first, "the sample is told", told.blown_up, first);
  expect(told.samples + told.skipped < rule.samples || loss == kBpr, "training stops", told.samples, 0);
  for (const double x : problem.wide(problem.items)) expect(std::isfinite(x), "nothing spreads", loss, flight);
}

}  // namespace

int main() {
  for (const RankingLoss loss : {kBpr, kWarp}) {
    Rule rule;
    rule.loss = loss;
    hold_against_the_definition(rule);
    rule.biases = false;
    rule.noise = false;
    rule.shifted = true;
    hold_against_the_definition(rule);
    Rule wide;
    wide.loss = loss;
    wide.samples = 40;
    for (const i64 dim : {1, 7, 32, 50, 64, 100, 128, 130, 256, 300, 512, 700, 1028}) {
      wide.dim = dim;
      wide.biases = dim % 3 == 0;
      hold_against_the_definition(wide);
    }
    for (const i64 flight : {3, 4, 11}) {
      Rule together;
      together.loss = loss;
      together.flight = flight;
      together.samples = 300;
      together.lr = 0;
      hold_against_the_definition(together);
      together.lr = 1e-3;
      hold_against_the_definition(together, 1e-3);
    }
    test_numbers_that_are_not_finite(loss, 1);
  }
  test_numbers_that_are_not_finite(kBpr, 4);
  Rule rule;
  rule.loss = kWarp;
  rule.trials = 1;
  hold_against_the_definition(rule);
  rule.trials = 300;  // more than there are items
  hold_against_the_definition(rule);
  Problem problem(rule);
  expect(cuda::ranking_flight(problem.args(nullptr), 0) == 3, "few rows bound the flight", 0, 0);
  run(problem, {5, 5});
  return 0;
}
