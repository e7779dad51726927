// Walks go in step, a group at a time: what a step needs (draws, where a node's edges lie, an edge, whether two nodes
// are linked) is read for all of them side by side, where one walk after the other would wait for memory at each of
// these. A walk is the one of `walk_from` in the contract.
#include "firth/walks.h"

#include "draws.h"
#include "kernels.h"
#include "search.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 kGroup = kSearches;

struct Group {
  i64 size;                                 // walks that have not ended
  u32 walk_low[kGroup], walk_high[kGroup];  // the number of each
  u32 start[kGroup], node[kGroup], before[kGroup], type[kGroup];
  i64 since[kGroup];  // steps since the start
  u32* out[kGroup];
  Range edges[kGroup];
  i64 taken[kGroup];   // the edge of this step
  u32 strips[kGroup];  // darts below this hit the way back,
  i64 back[kGroup];    // which with weights is this edge
};

// Some walks of a group that are at the same trial, and their draws.
struct Trial {
  i64 size;
  i64 which[kGroup];
  u32 walk_low[kGroup], walk_high[kGroup];
  u32 x[kGroup], y[kGroup], z[kGroup], w[kGroup];
};

struct Walker {
  const Walks& a;
  const bool second = a.bias.second, dart = second && a.bias.extra > 0;
  const bool plain = !second && !a.thresholds && a.restart == 0 && a.types == 1;
  const bool near_only = a.bias.near > a.bias.far;                       // what other draws accept is linked, or is not
  const u32 sure = a.bias.near < a.bias.far ? a.bias.near : a.bias.far;  // draws that accept whatever is linked

  void draw_all(i64 step, i64 trial, Trial* t) const {
    const u32 stream = kStreamWalk + 256 * static_cast<u32>(trial);
    for (i64 n = 0; n < t->size; n += kLanes) {
      const Units low = load_units(t->walk_low + n), high = load_units(t->walk_high + n);
      const Draws d = draw_lanes(a.seed, stream, static_cast<u32>(step), low, high);
      store_units(t->x + n, d.x);
      store_units(t->y + n, d.y);
      store_units(t->z + n, d.z);
      store_units(t->w + n, d.w);
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

  // How wide the strip of the way back is, and where weights say so, which edge that is.
  void draw_strips(const Trial& t, Group* g) const {
    Searches searches;
    i64 asked[kGroup];
    for (i64 n = 0; n < t.size; ++n) {
      const i64 i = t.which[n], begin = g->edges[i].begin, degree = g->edges[i].end - begin;
      g->strips[i] = a.thresholds || g->before[i] == kNowhere ? 0 : strip(a.bias.extra, static_cast<double>(degree));
      if (!a.thresholds || g->before[i] == kNowhere) continue;
      asked[searches.size] = i;
      searches.add(begin, degree, g->before[i]);
    }
    searches.run(a.links.indices);
    for (i64 s = 0; s < searches.size; ++s) {
      const i64 i = asked[s], edge = searches.at[s];
      if (a.links.indices[edge] != searches.wanted[s]) continue;
      const u64 share = share_of(a, g->edges[i], edge);
      g->back[i] = edge;
      if (share > 0) g->strips[i] = strip(a.bias.extra, 4294967296.0 / static_cast<double>(share));
    }
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
      if (dart && t->z[n] < g->strips[i]) {
        g->taken[i] = a.thresholds ? g->back[i] : way_back(a, g->edges[i], g->before[i]);
        continue;
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
      t->walk_low[left] = g->walk_low[i];
      t->walk_high[left++] = g->walk_high[i];
    }
    t->size = left;
  }

  // Those that have tried often enough are decided by exact sums.
  void sum_up(i64 step, i64 trials, Group* g, Trial* t) const {
    i64 left = 0;
    for (i64 n = 0; n < t->size; ++n) {
      const i64 i = t->which[n];
      if (trials >= most_trials(g->edges[i].end - g->edges[i].begin)) {
        g->taken[i] = summed(a, walk_draw(a, u64{g->walk_high[i]} << 32 | g->walk_low[i], step, trials), g->edges[i],
                             g->before[i], g->type[i]);
        continue;
      }
      t->which[left] = i;
      t->walk_low[left] = t->walk_low[n];
      t->walk_high[left++] = t->walk_high[n];
    }
    t->size = left;
  }

  // A step of first order, all edges alike, if no walk ends: loops that compilers make vectors of.
  bool plain_step(i64 step, const u32* words, Group* g) const {
    i64 begins[kGroup], ends = 0;
    u32 degrees[kGroup];
    for (i64 i = 0; i < g->size; ++i) {
      const i64 at = g->node[i];
      begins[i] = a.links.indptr[at];
      degrees[i] = static_cast<u32>(a.links.indptr[at + 1] - begins[i]);
      ends += degrees[i] == 0;
    }
    if (ends > 0) return false;
    for (i64 i = 0; i < g->size; ++i) begins[i] += below(words[i], degrees[i]);
    for (i64 i = 0; i < g->size; ++i) __builtin_prefetch(a.links.indices + begins[i]);
    for (i64 i = 0; i < g->size; ++i) g->node[i] = a.links.indices[begins[i]];
    for (i64 i = 0; i < g->size; ++i) {
      g->out[i][step + 1] = g->node[i];
      __builtin_prefetch(a.links.indptr + g->node[i]);
    }
    return true;
  }

  // Takes one step of all walks of the group.
  void advance(i64 step, Group* g) const {
    Trial t;
    t.size = g->size;
    for (i64 i = 0; i < kGroup; ++i) {
      t.walk_low[i] = g->walk_low[i];
      t.walk_high[i] = g->walk_high[i];
    }
    draw_all(step, 0, &t);
    if (plain && plain_step(step, t.x, g)) return;
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
      t.walk_low[many] = t.walk_low[i];
      t.walk_high[many] = t.walk_high[i];
      t.x[many] = t.x[i];
      t.y[many] = t.y[i];
      t.z[many++] = t.z[i];
    }
    t.size = many;
    if (dart) draw_strips(t, g);
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
      g->walk_low[left] = g->walk_low[i];
      g->walk_high[left] = g->walk_high[i];
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
  Group g{};
  for (i64 first = range.begin; first < range.end; first += kGroup) {
    g.size = range.end - first < kGroup ? range.end - first : kGroup;
    for (i64 i = 0; i < g.size; ++i) {
      const u64 walk = a.first_walk + static_cast<u64>(first + i);
      g.walk_low[i] = static_cast<u32>(walk);
      g.walk_high[i] = static_cast<u32>(walk >> 32);
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
