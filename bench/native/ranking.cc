// ranking on one core, per instruction set: million samples per second of CPU time and nanoseconds a sample, with users
// and items of MovieLens-1M's size and items met as often as Zipf's law says. Medians. Two small epochs are held
// against the definition in float64 first. Usage: bench_ranking [pairs=800000] [dim=64]
//
// Ladder (v4, one busy core, MovieLens-1M, dim 64, negatives as popular as they are; nanoseconds a sample):
//   sample after sample, expf and log1pf                                                  560 to 620
//   64 samples at a time: draws by vectors, searches side by side, losses by vectors      280 to 320
//   searches without branches                                                             180 to 190
//   rows asked for 8 samples ahead instead of 64                                          no difference
//   a byte for each pair says what needs no search                                        see README
#include "firth/ranking.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "dispatch.h"

namespace {

using namespace firth;

struct Problem {
  Problem(i64 pairs, i64 users, i64 items, i64 dim) {
    std::vector<std::pair<u32, u32>> all;
    for (i64 k = 0; k < pairs; ++k) {
      const Draw d = draw(1, 0, 0, static_cast<u64>(k));
      const double item = std::pow(static_cast<double>(items), unit(d.y)) - 1;
      all.push_back({below(d.x, static_cast<u32>(users)), static_cast<u32>(item)});
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    indptr.assign(static_cast<std::size_t>(users) + 1, 0);
    for (const auto& [user, item] : all) {
      ++indptr[user + 1];
      indices.push_back(item);
      owners.push_back(user);
    }
    for (i64 u = 0; u < users; ++u) indptr[u + 1] += indptr[u];
    tables.resize(static_cast<std::size_t>((users + items) * dim + items));
    marks.resize(indices.size());
    args.users = {tables.data(), users, dim};
    args.items = {tables.data() + users * dim, items, dim};
    args.biases = tables.data() + (users + items) * dim;
    args.links = {indptr.data(), indices.data()};
    args.owners = owners.data();
    args.pairs = static_cast<i64>(indices.size());
    args.trials = 20;
    args.reg = 0.01f;
    args.seed = 1;
    args.marks = marks.data();
  }

  void begin(RankingLoss loss) {
    args.loss = loss;
    args.lr = loss == kBpr ? 0.05f : 0.01f;
    for (std::size_t i = 0; i < tables.size(); ++i)
      tables[i] = (unit(draw(1, 2, 0, i).x) - 0.5f) / static_cast<float>(args.users.dim);
  }

  RankingOutcome run(const Kernels& level, u32 epoch) {
    RankingOutcome done{0, 0, 0, 0, -1};
    args.epoch = epoch;
    args.outcome = &done;
    std::fill(marks.begin(), marks.end(), static_cast<unsigned char>(0));
    level.mark_met(args, {0, args.users.rows});
    level.ranking(args, {0, args.pairs});
    return done;
  }

  std::vector<i64> indptr;
  std::vector<u32> indices, owners;
  std::vector<float> tables;
  std::vector<unsigned char> marks;
  Ranking args{};
};

// The loss of an epoch as it is defined, in float64; `numbers` are the tables.
double define(const Problem& problem, u32 epoch, std::vector<double>& numbers) {
  Ranking a = problem.args;
  a.epoch = epoch;
  const i64 dim = a.users.dim;
  double loss = 0, *biases = &numbers[static_cast<std::size_t>((a.users.rows + a.items.rows) * dim)];
  for (i64 n = 0; n < a.pairs; ++n) {
    const i64 pair = met_pair(a, ranking_draw(a, static_cast<u64>(n), 0));
    const i64 i = a.links.indices[pair];
    double* p = &numbers[static_cast<std::size_t>(a.owners[pair] * dim)];
    double* q = &numbers[static_cast<std::size_t>((a.users.rows + i) * dim)];
    for (i64 trial = 0; trial < a.trials; ++trial) {
      const i64 j = other_item(a, ranking_draw(a, static_cast<u64>(n), trial));
      if (linked(a.links, a.owners[pair], static_cast<u32>(j))) continue;
      double* r = &numbers[static_cast<std::size_t>((a.users.rows + j) * dim)];
      double x = biases[i] - biases[j];
      for (i64 d = 0; d < dim; ++d) x += p[d] * (q[d] - r[d]);
      if (a.loss == kWarp && x >= 1) continue;
      const double rank = std::log(std::max<i64>((a.items.rows - 1) / (trial + 1), 1));
      const double gradient = a.loss == kBpr ? 1 / (1 + std::exp(x)) : rank, lr = a.lr, keep = 1 - lr * a.reg;
      loss += a.loss == kBpr ? std::log1p(std::exp(-x)) : rank * (1 - x);
      for (i64 d = 0; d < dim; ++d) {
        const double u = p[d], v = q[d], w = r[d];
        p[d] = keep * u + lr * gradient * (v - w);
        q[d] = keep * v + lr * gradient * u;
        r[d] = keep * w - lr * gradient * u;
      }
      biases[i] = keep * biases[i] + lr * gradient;
      biases[j] = keep * biases[j] - lr * gradient;
      break;
    }
  }
  return loss;
}

bool sound(const Kernels& level, RankingLoss loss) {
  Problem small(3000, 50, 40, 21);
  small.begin(loss);
  std::vector<double> numbers(small.tables.begin(), small.tables.end());
  for (u32 epoch = 0; epoch < 2; ++epoch) {
    const double wanted = define(small, epoch, numbers), found = small.run(level, epoch).loss;
    double apart = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i)
      apart = std::max(apart, std::fabs(numbers[i] - static_cast<double>(small.tables[i])));
    if (std::fabs(found - wanted) <= 1e-4 * wanted && apart <= 1e-3) continue;
    std::fprintf(stderr, "bench_ranking: %s finds a loss of %.9g, the definition %.9g; tables are off by %.3g\n",
                 level.isa, found, wanted, apart);
    return false;
  }
  return true;
}

void timed(const Kernels& level, Problem& problem, RankingLoss loss) {
  constexpr u32 kEpochs = 5;
  std::vector<double> spent;
  problem.begin(loss);
  for (u32 epoch = 0; epoch < kEpochs; ++epoch) {
    const std::clock_t start = std::clock();
    problem.run(level, epoch);
    spent.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::sort(spent.begin(), spent.end());
  const double seconds = std::max(spent[kEpochs / 2], 1e-6), samples = static_cast<double>(problem.args.pairs);
  std::printf("%-5s %-5s %6ld %14.2f %12.1f\n", level.isa, loss == kBpr ? "bpr" : "warp",
              static_cast<long>(problem.args.users.dim), 1e-6 * samples / seconds, 1e9 * seconds / samples);
  std::fflush(stdout);
}

// The instruction sets that have a kernel of their own.
std::vector<const Kernels*> own_kernels() {
  std::vector<const Kernels*> own;
  for (const Kernels* level : supported_kernels()) {
    if (!own.empty() && own.back()->ranking == level->ranking) own.pop_back();
    own.push_back(level);
  }
  return own;
}

}  // namespace

int main(int count, char** arguments) {
  const i64 pairs = count > 1 ? std::atoll(arguments[1]) : 800000, dim = count > 2 ? std::atoll(arguments[2]) : 64;
  if (pairs < 1 || dim < 1) {
    std::fprintf(stderr, "usage: bench_ranking [pairs] [dim], both at least 1\n");
    return 2;
  }
  for (const Kernels* level : own_kernels())
    for (const RankingLoss loss : {kBpr, kWarp})
      if (!sound(*level, loss)) return 1;
  Problem problem(pairs, 6040, 3706, dim);
  std::printf("%-5s %-5s %6s %14s %12s\n", "isa", "loss", "dim", "M samples/s", "ns/sample");
  for (const RankingLoss loss : {kBpr, kWarp})
    for (const Kernels* level : own_kernels()) timed(*level, problem, loss);
  return 0;
}
