// walks on one core, per instruction set: million steps per second of CPU time, over a graph whose degrees follow a
// power law, both ways: first order, node2vec (p = 0.5, q = 2), and both with weights. Medians. Each walk of a small
// graph is held against the definition first.
// Usage: bench_walks [nodes=100000] [edges=1000000] [length=80]
//
// Ladder (v4, one busy core, BlogCatalog's 334 000 edges; million steps a second):
//   walk after walk, as it is defined                                           first order 6.8; p = 0.5, q = 2: 7.0
//   64 walks in step; draws by vectors, searches side by side                   42; 9 to 10
// What is left of the second order is the search whether two nodes are linked, two thirds of it waiting for memory.
#include "firth/walks.h"

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
  Problem(i64 nodes, i64 edges, i64 length) : out(static_cast<std::size_t>(nodes * length)) {
    std::vector<std::pair<u32, u32>> pairs;
    const double size = static_cast<double>(nodes);
    for (i64 e = 0; e < edges; ++e) {
      const Draw d = draw(1, 0, 0, static_cast<u64>(e));
      // Ends with a density that falls like 1 / sqrt(node): degrees follow a power law.
      const double a = unit(d.x), b = unit(d.y);
      const u32 from = static_cast<u32>(a * a * size), to = static_cast<u32>(b * b * size);
      if (from == to) continue;
      pairs.push_back({from, to});
      pairs.push_back({to, from});
    }
    std::sort(pairs.begin(), pairs.end());
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
    indptr.assign(static_cast<std::size_t>(nodes) + 1, 0);
    for (const auto& [from, to] : pairs) {
      ++indptr[from + 1];
      indices.push_back(to);
    }
    for (i64 v = 0; v < nodes; ++v) indptr[v + 1] += indptr[v];
    thresholds.resize(indices.size());
    for (i64 v = 0; v < nodes; ++v) {
      double total = 0, before = 0;
      const auto weight = [](i64 e) { return 0.1 + unit(draw(1, 1, 0, static_cast<u64>(e)).x); };
      for (i64 e = indptr[v]; e < indptr[v + 1]; ++e) total += weight(e);
      for (i64 e = indptr[v]; e < indptr[v + 1]; ++e) {
        thresholds[e] = static_cast<u32>(before / total * 4294967295.0);
        before += weight(e);
      }
    }
    for (i64 v = 0; v < nodes; ++v) starts.push_back(static_cast<u32>(v));
    args.links = {indptr.data(), indices.data()};
    args.types = 1;
    args.path = &path;
    args.path_size = 1;
    args.starts = starts.data();
    args.walks = nodes;
    args.length = length;
    args.seed = 1;
    args.out = out.data();
  }

  void rule(double p, double q, bool weighted) {
    args.bias = bias_of(p, q);
    args.thresholds = weighted ? thresholds.data() : nullptr;
  }

  i64 steps() const {
    return std::count_if(out.begin(), out.end(), [](u32 node) { return node != kNowhere; }) - args.walks;
  }

  std::vector<i64> indptr;
  std::vector<u32> indices, thresholds, starts, out;
  u32 path = 0;
  Walks args{};
};

struct Rule {
  const char* name;
  double p, q;
  bool weighted;
};
constexpr Rule kRules[] = {{"first order", 1, 1, false},
                           {"p=0.5 q=2", 0.5, 2, false},
                           {"weights", 1, 1, true},
                           {"weights, p=0.5 q=2", 0.5, 2, true}};

bool sound(const Kernels& level) {
  Problem small(300, 2000, 30);
  std::vector<u32> wanted(30);
  for (const Rule& rule : kRules) {
    small.rule(rule.p, rule.q, rule.weighted);
    level.walks(small.args, {0, small.args.walks});
    for (i64 w = 0; w < small.args.walks; ++w) {
      walk_from(small.args, w, wanted.data());
      if (std::equal(wanted.begin(), wanted.end(), small.out.begin() + w * 30)) continue;
      std::fprintf(stderr, "bench_walks: %s, %s: walk %ld is not the one that is defined\n", level.isa, rule.name,
                   static_cast<long>(w));
      return false;
    }
  }
  return true;
}

void timed(const Kernels& level, Problem& problem, const Rule& rule) {
  constexpr int kRounds = 3;
  std::vector<double> spent;
  problem.rule(rule.p, rule.q, rule.weighted);
  for (int round = 0; round < kRounds; ++round) {
    const std::clock_t start = std::clock();
    level.walks(problem.args, {0, problem.args.walks});
    spent.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::sort(spent.begin(), spent.end());
  const double seconds = std::max(spent[kRounds / 2], 1e-6);
  std::printf("%-5s %-20s %14.1f\n", level.isa, rule.name, 1e-6 * static_cast<double>(problem.steps()) / seconds);
  std::fflush(stdout);
}

// The instruction sets that have a kernel of their own.
std::vector<const Kernels*> own_kernels() {
  std::vector<const Kernels*> own;
  for (const Kernels* level : supported_kernels()) {
    if (!own.empty() && own.back()->walks == level->walks) own.pop_back();
    own.push_back(level);
  }
  return own;
}

}  // namespace

int main(int count, char** arguments) {
  const i64 nodes = count > 1 ? std::atoll(arguments[1]) : 100000,
            edges = count > 2 ? std::atoll(arguments[2]) : 1000000, length = count > 3 ? std::atoll(arguments[3]) : 80;
  if (nodes < 2 || nodes >= i64{1} << 31 || edges < 1 || length < 2) {
    std::fprintf(stderr, "usage: bench_walks [nodes] [edges] [length], at least 2, 1 and 2\n");
    return 2;
  }
  for (const Kernels* level : own_kernels())
    if (!sound(*level)) return 1;
  Problem problem(nodes, edges, length);
  std::printf("%-5s %-20s %14s\n", "isa", "walks", "M steps/s");
  for (const Rule& rule : kRules)
    for (const Kernels* level : own_kernels()) timed(*level, problem, rule);
  return 0;
}
