// cuda/kernels/walks.cu on the host, against walk_from of the contract, walk by walk: both orders, weights, types,
// restarts, ends, rows that are not aligned, and steps that are vain so often that a warp helps, to the exact sums.
#include "cuda/kernels/walks.cu"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using namespace firth;

void expect(bool right, const char* what, i64 a, i64 b) {
  if (right) return;
  std::fprintf(stderr, "cuda_walks_test: not so: %s (%ld, %ld)\n", what, static_cast<long>(a), static_cast<long>(b));
  std::exit(1);
}

constexpr u32 kNodes = 90, kUntouched = 0xABABABABu;

struct Rule {
  double p = 1, q = 1, restart = 0;
  bool weighted = false, both = false;  // both: parts of a graph without triangles, where no step is to a near node
  u32 types = 1;
  std::vector<u32> path = {0};
  i64 length = 19, walks = 150;
  i64 offset = 0;  // of the rows in memory, in nodes
};

// Node 0 is a hub; every ninth node leads nowhere.
struct Graph {
  std::vector<i64> indptr = {0};
  std::vector<u32> indices, thresholds;

  explicit Graph(const Rule& rule) {
    for (u32 v = 0; v < kNodes; ++v)
      for (u32 t = 0; t < rule.types; ++t) {
        for (u32 x = 0; x < kNodes; ++x) {
          const u32 apart = (x + kNodes - v) % kNodes;
          const bool to_hub = v == 0 || x == 0, near = apart == 1 || apart == 2 || apart == kNodes - 1;
          const bool there = rule.both ? v % 2 != x % 2 && (to_hub || below(draw(2, 9, v, x).x, 9) == 0)
                                       : x != v && v % 9 != 8 && (to_hub || near);
          if (there && x % rule.types == t) indices.push_back(x);
        }
        indptr.push_back(static_cast<i64>(indices.size()));
      }
    if (!rule.weighted) return;
    thresholds.resize(indices.size());
    for (std::size_t row = 0; row + 1 < indptr.size(); ++row) {
      const auto first = thresholds.begin() + indptr[row], last = thresholds.begin() + indptr[row + 1];
      for (i64 e = indptr[row]; e < indptr[row + 1]; ++e) thresholds[e] = draw(2, 8, 0, static_cast<u64>(e)).x;
      std::sort(first, last);
      if (first != last) *first = 0;
      if (last - first > 4) *(first + 2) = *(first + 1);  // an edge that gets no draw
    }
  }
};

void hold_against_the_contract(const Rule& rule) {
  const Graph graph(rule);
  std::vector<u32> starts, found(rule.offset + rule.walks * rule.length + 8, kUntouched);
  for (i64 n = 0; n < rule.walks; ++n) {
    const u32 node = below(draw(1, 7, 0, static_cast<u64>(n)).x, kNodes);
    starts.push_back(n % 4 == 0 ? 0 : node);
  }
  Walks args{};
  args.links = {graph.indptr.data(), graph.indices.data()};
  if (rule.weighted) args.thresholds = graph.thresholds.data();
  args.types = rule.types;
  args.path = rule.path.data();
  args.path_size = static_cast<i64>(rule.path.size());
  args.starts = starts.data();
  args.walks = rule.walks;
  args.first_walk = (u64{1} << 40) + 3;
  args.length = rule.length;
  args.bias = bias_of(rule.p, rule.q);
  args.restart = static_cast<u32>(rule.restart * 4294967296.0);
  args.seed = (u64{7} << 33) + 1;
  args.out = found.data() + rule.offset;
  cuda::walks(args, nullptr);

  i64 ended = 0, summed_up = 0;
  std::vector<u32> wanted(rule.length);
  for (i64 n = 0; n < rule.walks; ++n) {
    walk_from(args, n, wanted.data());
    for (i64 s = 0; s < rule.length; ++s)
      expect(args.out[n * rule.length + s] == wanted[s], "a node is the contract's", n, s);
    ended += wanted.back() == kNowhere;
    for (i64 s = 1; s + 1 < rule.length; ++s) {
      if (!rule.both || rule.weighted || wanted[s + 1] == kNowhere) continue;
      const Range edges = edges_of(args, wanted[s], 0);
      const i64 most = most_trials(edges.end - edges.begin);
      i64 edge = -1;
      for (i64 trial = 0; edge < 0 && trial < most; ++trial)
        edge = tried(args, walk_draw(args, args.first_walk + static_cast<u64>(n), s, trial), edges, wanted[s - 1], 0);
      summed_up += edge < 0;
    }
  }
  for (i64 x = 0; x < rule.offset; ++x) expect(found[x] == kUntouched, "nothing is written before", x, 0);
  for (i64 x = 0; x < 8; ++x) expect(found[found.size() - 1 - x] == kUntouched, "nothing is written behind", x, 0);
  if (!rule.both && rule.length > 1 && rule.walks > 1) expect(ended > 0, "walks end", ended, rule.walks);
  if (rule.both && !rule.weighted && rule.q > 1000) expect(summed_up > 20, "steps need sums", summed_up, rule.walks);
}

}  // namespace

int main() {
  for (const bool weighted : {false, true}) {
    Rule rule;
    rule.weighted = weighted;
    hold_against_the_contract(rule);
    rule.restart = 0.2;
    rule.offset = 1;
    hold_against_the_contract(rule);
    for (const double p : {0.03, 4.0})
      for (const double q : {0.25, 3.0}) {
        rule.p = p;
        rule.q = q;
        rule.restart = p < 1 ? 0.1 : 0;
        hold_against_the_contract(rule);
      }
    rule.both = true;
    rule.p = 60;
    rule.q = 50;  // a warp finds most steps
    hold_against_the_contract(rule);
    rule.p = rule.q = 1e6;
    rule.length = 7;
    hold_against_the_contract(rule);
    Rule typed;
    typed.weighted = weighted;
    typed.types = 3;
    typed.path = {0, 2, 1, 2};
    typed.q = 0.5;
    typed.length = 16;
    typed.restart = 0.05;
    hold_against_the_contract(typed);
  }
  Rule rule;
  for (const i64 length : {1, 2, 8, 24}) {
    rule.length = length;
    rule.walks = 300;
    hold_against_the_contract(rule);
  }
  rule.walks = 1;
  hold_against_the_contract(rule);
  cuda::walks({}, nullptr);  // no walks
  return 0;
}
