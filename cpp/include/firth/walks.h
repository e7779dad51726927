// walks: random walks over a graph, each a sentence of nodes.
//
// From v a walk goes to x with a probability in proportion to  w(v, x) a(u, x),  where u is the node before v, and
//
//   a(u, x) = 1/p if x = u;  1 if there is an edge from u to x;  1/q otherwise        (p = q = 1: always 1)
//
// Grover and Leskovec, "node2vec: scalable feature learning for networks" (2016), section 3.2; with p = q = 1 the walks
// of Perozzi, Al-Rfou and Skiena, "DeepWalk" (2014). The first step has no u: a = 1.
//
// No probabilities of second order are stored: that would take a number for each pair of edges that meet. A neighbour
// is drawn by w and accepted with probability a(u, x) / M, M = max(1, 1/q); what the way back has above M is a strip of
// its own beside the others, at which a dart is thrown first (Yang et al., "KnightKing: a fast distributed graph random
// walk engine", 2019, sections 4.2 and 4.3). After kTrials + degree vain trials, the neighbour is drawn from exact sums
// over all of them, so a step never takes more than about twice what looking at all neighbours would.
//
// Weights. Where edges have weights, those of a node divide the 2^32 values of a draw among themselves: an edge takes
// the draws from its threshold on, up to the next edge's. An edge of less than 2^-32 of its node's weight may get none.
//
// Types. A walk may be told the types of the nodes that it visits: node number t after a start has the type
// path[t mod path_size] (Dong, Chawla and Swami, "metapath2vec", 2017, section 3.2). Edges lie in order of (node, type
// of the neighbour, neighbour), and row v * types + t of `links` has the neighbours of v of type t. Without types that
// is the graph itself, and path is {0}.
//
// A walk ends where there is nowhere to go; what is left of its row is kNowhere. With the probability restart / 2^32 a
// step goes back to the start instead (Tong, Faloutsos and Pan, 2006), which need not be an edge; the path of types
// begins again there, too.
//
// Draws (random.h): draw(seed, kStreamWalk + 256 * trial, step, walk) and nothing else, so that neither threads nor
// cuts change a walk.
#pragma once

#include "firth/links.h"
#include "firth/random.h"

namespace firth {

constexpr u32 kNowhere = 0xFFFFFFFFu;
constexpr i64 kTrials = 16, kMostTrials = 1 << 20;

// a(u, x) as numbers that draws are compared with.
struct Bias {
  u32 back, near, far;  // y <= this: accepted. Shares of M, so that the greater of near and far is all ones
  double extra;         // what the way back has above M, as a share of M; 0: nothing
  u32 masses[3];        // back, near, far in 2^-31 of the greatest, at least 1; for exact sums
  bool second;          // false: p = q = 1
};

// A chance in [0, 1] as what draws are compared with by <=.
FIRTH_HD u32 at_most(double chance) {
  const double draws = chance * 4294967296.0 - 1;
  return draws >= 4294967295.0 ? 0xFFFFFFFFu : draws > 0 ? static_cast<u32>(draws) : 0;
}

FIRTH_HD u32 mass(double weight, double greatest) {
  const u32 units = static_cast<u32>(weight / greatest * 2147483648.0);
  return units > 0 ? units : 1;
}

FIRTH_HD Bias bias_of(double p, double q) {
  const double back = 1 / p, far = 1 / q, most = far > 1 ? far : 1, greatest = back > most ? back : most;
  Bias bias{};
  bias.back = at_most(back / most);
  bias.near = at_most(1 / most);
  bias.far = at_most(far / most);
  bias.extra = back > most ? back / most - 1 : 0;
  bias.masses[0] = mass(back, greatest);
  bias.masses[1] = mass(1, greatest);
  bias.masses[2] = mass(far, greatest);
  bias.second = p != 1 || q != 1;
  return bias;
}

struct Walks {
  Links links;            // rows: nodes * types
  const u32* thresholds;  // (edges,), or null where all edges weigh the same
  u32 types;
  const u32* path;  // (path_size,)
  i64 path_size;
  const u32* starts;  // (walks,)
  i64 walks;
  u64 first_walk;  // the number of the first of them
  i64 length;      // nodes of a walk, the start included
  Bias bias;
  u32 restart;  // of 2^32
  u64 seed;
  u32* out;  // (walks, length)
};

FIRTH_HD Draw walk_draw(const Walks& a, u64 walk, i64 step, i64 trial) {
  return draw(a.seed, kStreamWalk + 256 * static_cast<u32>(trial), static_cast<u32>(step), walk);
}

FIRTH_HD i64 most_trials(i64 degree) { return kTrials + degree < kMostTrials ? kTrials + degree : kMostTrials; }

// The edges of a node that a step may take.
FIRTH_HD Range edges_of(const Walks& a, u32 node, u32 type) {
  const i64 row = static_cast<i64>(node) * a.types + type;
  return {a.links.indptr[row], a.links.indptr[row + 1]};
}

// The values of a draw that take this edge of a node; 1 each without weights.
FIRTH_HD u64 share_of(const Walks& a, Range edges, i64 edge) {
  if (!a.thresholds) return 1;
  const u64 next = edge + 1 < edges.end ? a.thresholds[edge + 1] : u64{1} << 32;
  return next - a.thresholds[edge];
}

// The edge that a draw takes.
FIRTH_HD i64 edge_at(const Walks& a, Range edges, u32 word) {
  const i64 degree = edges.end - edges.begin;
  if (!a.thresholds) return edges.begin + below(word, static_cast<u32>(degree));
  // The last threshold that is not above the word. The first is 0.
  return word == 0xFFFFFFFFu ? edges.end - 1
                             : edges.begin + lower_bound(a.thresholds + edges.begin, degree, word + 1) - 1;
}

// Whether the walk may go from `from` to `node`, which is of this type.
FIRTH_HD bool is_near(const Walks& a, u32 from, u32 type, u32 node) {
  return linked(a.links, static_cast<i64>(from) * a.types + type, node);
}

// Darts below this hit the strip of the way back: extra / (1 / its share + extra) of 2^32.
FIRTH_HD u32 strip(double extra, double one_by_share) {
  return static_cast<u32>(4294967296.0 * (extra / (one_by_share + extra)));
}

// floor(a b / 2^64)
FIRTH_HD u64 high_product_64(u64 a, u64 b) {
  const u64 a0 = a & 0xFFFFFFFFu, a1 = a >> 32, b0 = b & 0xFFFFFFFFu, b1 = b >> 32;
  const u64 middle = a1 * b0 + ((a0 * b0) >> 32), other = a0 * b1 + (middle & 0xFFFFFFFFu);
  return a1 * b1 + (middle >> 32) + (other >> 32);
}

// The place of the way back among the edges of a node, or -1.
FIRTH_HD i64 way_back(const Walks& a, Range edges, u32 before) {
  const i64 degree = edges.end - edges.begin, place = lower_bound(a.links.indices + edges.begin, degree, before);
  return place < degree && a.links.indices[edges.begin + place] == before ? edges.begin + place : -1;
}

// What a draw makes of a step of second order: the edge, or -1 where the trial was vain. `before` is u.
FIRTH_HD i64 tried(const Walks& a, const Draw& d, Range edges, u32 before, u32 type) {
  if (a.bias.extra > 0) {
    if (a.thresholds) {
      const i64 back = way_back(a, edges, before);
      const u64 share = back < 0 ? 0 : share_of(a, edges, back);
      if (share > 0 && d.z < strip(a.bias.extra, 4294967296.0 / static_cast<double>(share))) return back;
    } else if (d.z < strip(a.bias.extra, static_cast<double>(edges.end - edges.begin))) {
      return way_back(a, edges, before);
    }
  }
  const i64 edge = edge_at(a, edges, d.x);
  const u32 node = a.links.indices[edge];
  if (node == before) return d.y <= a.bias.back ? edge : -1;
  if (d.y <= a.bias.near && d.y <= a.bias.far) return edge;
  return is_near(a, before, type, node) == (a.bias.near > a.bias.far) ? edge : -1;
}

FIRTH_HD u64 mass_of(const Walks& a, Range edges, i64 edge, u32 before, u32 type) {
  const u32 node = a.links.indices[edge];
  const int kind = node == before ? 0 : is_near(a, before, type, node) ? 1 : 2;
  return share_of(a, edges, edge) * a.bias.masses[kind];
}

// The edge by exact sums.
FIRTH_HD i64 summed(const Walks& a, const Draw& d, Range edges, u32 before, u32 type) {
  u64 total = 0;
  for (i64 e = edges.begin; e < edges.end; ++e) total += mass_of(a, edges, e, before, type);
  u64 left = high_product_64(static_cast<u64>(d.x) << 32 | d.y, total);
  for (i64 e = edges.begin; e < edges.end; ++e) {
    const u64 mass = mass_of(a, edges, e, before, type);
    if (left < mass) return e;
    left -= mass;
  }
  return edges.end - 1;
}

// One step, from `node`; `before` is kNowhere at a start.
FIRTH_HD u32 next_node(const Walks& a, u64 walk, i64 step, u32 node, u32 before, u32 type) {
  const Range edges = edges_of(a, node, type);
  const i64 degree = edges.end - edges.begin;
  if (degree == 0) return kNowhere;
  if (!a.bias.second || before == kNowhere) return a.links.indices[edge_at(a, edges, walk_draw(a, walk, step, 0).x)];
  const i64 trials = most_trials(degree);
  i64 edge = -1;
  for (i64 trial = 0; edge < 0 && trial < trials; ++trial)
    edge = tried(a, walk_draw(a, walk, step, trial), edges, before, type);
  if (edge < 0) edge = summed(a, walk_draw(a, walk, step, trials), edges, before, type);
  return a.links.indices[edge];
}

// A whole walk, written as it is meant.
FIRTH_HD void walk_from(const Walks& a, i64 number, u32* out) {
  const u64 walk = a.first_walk + static_cast<u64>(number);
  const u32 start = a.starts[number];
  u32 node = start, before = kNowhere;
  i64 since = 0;  // steps since the start
  for (i64 step = 0; step < a.length; ++step) {
    out[step] = node;
    if (node == kNowhere || step + 1 == a.length) continue;
    ++since;
    if (a.restart > 0 && walk_draw(a, walk, step, 0).w < a.restart) {
      node = start;
      before = kNowhere;
      since = 0;
      continue;
    }
    const u32 next = next_node(a, walk, step, node, before, a.path[since % a.path_size]);
    before = node;
    node = next;
  }
}

}  // namespace firth
