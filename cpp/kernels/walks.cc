// Walks go in step, a group at a time: what a step needs (draws, where a node's edges lie, an edge, whether two nodes
// are linked) is read for all of them side by side, where one walk after the other would wait for memory at each of
// these. A walk is the one of `walk_from` in the contract.
#include "firth/walks.h"

#include "kernels.h"
#include "search.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 kGroup = kSearches;

struct Group {
  i64 size;  // walks that have not ended
  u64 walk[kGroup];
  u32 start[kGroup], node[kGroup], before[kGroup], type[kGroup];
  i64 since[kGroup];  // steps since the start
  u32* out[kGroup];
  Range edges[kGroup];
  i64 taken[kGroup];  // the edge of this step
};

// Some walks of a group that are at the same trial, and their draws.
struct Trial {
  i64 size;
  i64 which[kGroup];
  u64 walk[kGroup];
  u32 x[kGroup], y[kGroup], z[kGroup], w[kGroup];
};

struct Walker {
  const Walks& a;
  const bool second = a.bias.second, dart = second && a.bias.extra > 0;
  const bool near_only = a.bias.near > a.bias.far;                       // what other draws accept is linked, or is not
  const u32 sure = a.bias.near < a.bias.far ? a.bias.near : a.bias.far;  // draws that accept whatever is linked

  // Written so that compilers make vectors of it.
  void draw_all(i64 step, i64 trial, Trial* t) const {
    for (i64 n = 0; n < t->size; ++n) {
      const Draw d = walk_draw(a, t->walk[n], step, trial);
      t->x[n] = d.x;
      t->y[n] = d.y;
      t->z[n] = d.z;
      t->w[n] = d.w;
    }
  }

  // Where the edges of the walk's node lie for the step to come.
  void aim(Group* g, i64 i) const {
    g->type[i] = a.path_size == 1 ? a.path[0] : a.path[(g->since[i] + 1) % a.path_size];
    __builtin_prefetch(a.links.indptr + static_cast<i64>(g->node[i]) * a.types + g->type[i]);
  }

  // The edges that the draws of a trial take.
  void candidates(const Group& g, const Trial& t, i64* edges) const {
    if (!a.thresholds) {
      for (i64 n = 0; n < t.size; ++n) {
        const Range& of = g.edges[t.which[n]];
        edges[n] = of.begin + below(t.x[n], static_cast<u32>(of.end - of.begin));
        __builtin_prefetch(a.links.indices + edges[n]);
      }
      return;
    }
    Searches searches;
    for (i64 n = 0; n < t.size; ++n) {
      const Range& of = g.edges[t.which[n]];
      searches.add(of.begin, of.end - of.begin, t.x[n]);
    }
    searches.run(a.thresholds);
    for (i64 n = 0; n < t.size; ++n) {
      edges[n] = searches.at[n];
      __builtin_prefetch(a.links.indices + edges[n]);
    }
  }

  // Throws the dart at the way back: the edge, -1 for a vain trial, -2 where it fell beside the strip.
  i64 thrown(const Group& g, i64 i, u32 word) const {
    const Range& of = g.edges[i];
    if (!a.thresholds) {
      if (word >= strip(a.bias.extra, static_cast<double>(of.end - of.begin))) return -2;
      return way_back(a, of, g.before[i]);
    }
    const i64 back = way_back(a, of, g.before[i]);
    const u64 share = back < 0 ? 0 : share_of(a, of, back);
    return share > 0 && word < strip(a.bias.extra, 4294967296.0 / static_cast<double>(share)) ? back : -2;
  }

  // One trial; what it leaves undecided stays in `t`.
  void attempt(Group* g, Trial* t) const {
    i64 edges[kGroup], asked[kGroup];
    candidates(*g, *t, edges);
    Searches searches;
    i64 left = 0;
    for (i64 n = 0; n < t->size; ++n) {
      const i64 i = t->which[n];
      g->taken[i] = -1;
      if (dart && g->before[i] != kNowhere) {
        const i64 hit = thrown(*g, i, t->z[n]);
        if (hit != -2) {
          g->taken[i] = hit;
          continue;
        }
      }
      const u32 node = a.links.indices[edges[n]];
      if (!second || g->before[i] == kNowhere || t->y[n] <= (node == g->before[i] ? a.bias.back : sure)) {
        g->taken[i] = edges[n];
      } else if (node != g->before[i]) {
        const Range near = edges_of(a, g->before[i], g->type[i]);
        if (near.begin == near.end) {
          if (!near_only) g->taken[i] = edges[n];
          continue;
        }
        asked[searches.size] = n;
        searches.add(near.begin, near.end - near.begin, node);
      }
    }
    searches.run(a.links.indices);
    for (i64 s = 0; s < searches.size; ++s)
      if ((a.links.indices[searches.at[s]] == searches.wanted[s]) == near_only)
        g->taken[t->which[asked[s]]] = edges[asked[s]];
    if (!second) return;
    for (i64 n = 0; n < t->size; ++n) {
      const i64 i = t->which[n];
      if (g->taken[i] >= 0) continue;
      t->which[left] = i;
      t->walk[left++] = g->walk[i];
    }
    t->size = left;
  }

  // Those that have tried often enough are decided by exact sums.
  void sum_up(i64 step, i64 trials, Group* g, Trial* t) const {
    i64 left = 0;
    for (i64 n = 0; n < t->size; ++n) {
      const i64 i = t->which[n];
      if (trials >= most_trials(g->edges[i].end - g->edges[i].begin)) {
        g->taken[i] = summed(a, walk_draw(a, g->walk[i], step, trials), g->edges[i], g->before[i], g->type[i]);
        continue;
      }
      t->which[left] = i;
      t->walk[left++] = t->walk[n];
    }
    t->size = left;
  }

  // Takes one step of all walks of the group.
  void advance(i64 step, Group* g) const {
    Trial t;
    t.size = g->size;
    for (i64 i = 0; i < g->size; ++i) t.walk[i] = g->walk[i];
    draw_all(step, 0, &t);
    i64 many = 0;
    for (i64 i = 0; i < g->size; ++i) {
      if (a.restart > 0 && t.w[i] < a.restart) {
        g->taken[i] = -2;
        continue;
      }
      g->edges[i] = edges_of(a, g->node[i], g->type[i]);
      g->taken[i] = -1;
      if (g->edges[i].begin == g->edges[i].end) continue;
      t.which[many] = i;
      t.walk[many] = t.walk[i];
      t.x[many] = t.x[i];
      t.y[many] = t.y[i];
      t.z[many++] = t.z[i];
    }
    t.size = many;
    attempt(g, &t);
    if (second)
      for (i64 trial = 1; t.size > 0; ++trial) {
        if (trial >= kTrials) sum_up(step, trial, g, &t);
        draw_all(step, trial, &t);
        attempt(g, &t);
      }
    move(step, g);
  }

  // Goes where the step leads; walks that cannot go on leave the group.
  void move(i64 step, Group* g) const {
    i64 left = 0;
    for (i64 i = 0; i < g->size; ++i) {
      u32 node = g->start[i], before = kNowhere;
      i64 since = 0;
      if (g->taken[i] >= 0) {
        node = a.links.indices[g->taken[i]];
        before = g->node[i];
        since = g->since[i] + 1;
      } else if (g->taken[i] == -1) {
        for (i64 s = step + 1; s < a.length; ++s) g->out[i][s] = kNowhere;
        continue;
      }
      g->out[i][step + 1] = node;
      g->walk[left] = g->walk[i];
      g->start[left] = g->start[i];
      g->node[left] = node;
      g->before[left] = before;
      g->since[left] = since;
      g->out[left] = g->out[i];
      aim(g, left++);
    }
    g->size = left;
  }
};

}  // namespace

void walks(const Walks& a, Range range) {
  const Walker walker{a};
  Group g;
  for (i64 first = range.begin; first < range.end; first += kGroup) {
    g.size = range.end - first < kGroup ? range.end - first : kGroup;
    for (i64 i = 0; i < g.size; ++i) {
      g.walk[i] = a.first_walk + static_cast<u64>(first + i);
      g.start[i] = g.node[i] = a.starts[first + i];
      g.before[i] = kNowhere;
      g.since[i] = 0;
      g.out[i] = a.out + (first + i) * a.length;
      g.out[i][0] = g.start[i];
      walker.aim(&g, i);
    }
    for (i64 step = 0; step + 1 < a.length && g.size > 0; ++step) walker.advance(step, &g);
  }
}

}  // namespace firth::FIRTH_LEVEL
