// topk: cuts queries into groups that fit the caches, items into ranges, and merges what the threads found.
#include <memory>
#include <vector>

#include "bridge.h"

namespace firth {
namespace {

// So many products at most between two looks for Ctrl-C: tens of milliseconds.
constexpr double kPieceProducts = 5e8;
constexpr i64 kGroupQueries = 512;
constexpr i64 kGroupBytes = 64 << 20;  // of heaps, per thread

// 64-byte aligned floats.
class Buffer {
 public:
  explicit Buffer(i64 size) : memory_(static_cast<float*>(::operator new(4 * size, std::align_val_t{64}))) {}
  float* data() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(float* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<float, Free> memory_;
};

// What one thread needs to search for one group of queries.
struct Seat {
  Seat(i64 queries, i64 k, i64 dim)
      : standings(queries), heaps(queries * k), scaled(scaled_floats(queries, dim)), panel(panel_floats(dim)) {}
  std::vector<Standing> standings;
  std::vector<Candidate> heaps;
  Buffer scaled, panel;
  i64 bad_item = 0, bad_query = 0;
};

struct Search {
  Matrix<const float> queries, items;
  const i64* exclude;
  bool cosine;
  i64 k;
  i64* ids;
  float* scores;
  const Kernels& level;

  TopK args(Seat& seat, Range group) const {
    return {{row(queries, group.begin), group.end - group.begin, queries.dim},
            items,
            exclude + group.begin,
            k,
            cosine,
            seat.standings.data(),
            seat.scaled.data(),
            seat.heaps.data(),
            seat.panel.data(),
            &seat.bad_item};
  }

  void start(Seat& seat, Range group) const {
    const i64 bad = prepare(args(seat, group));
    if (bad >= 0) seat.bad_query = std::min(seat.bad_query, group.begin + bad);
  }

  // The best of all seats for query `q` of the group, sorted.
  void merge(std::vector<Seat>& seats, Range group, i64 q) const {
    Candidate* heap = seats[0].heaps.data() + q * k;
    for (std::size_t s = 1; s < seats.size(); ++s)
      for (i64 i = 0; i < seats[s].standings[q].count; ++i)
        offer(heap, seats[0].standings[q].count, k, seats[s].heaps[q * k + i]);
    if (seats[0].standings[q].count < k) return;  // only where a row was not finite
    take_sorted(heap, k, ids + (group.begin + q) * k, scores + (group.begin + q) * k);
  }
};

// Fills ids and scores; returns the first query and the first item that are not finite, or -1.
py::tuple topk(const Array<float>& queries, const Array<float>& items, const Array<i64>& exclude, bool cosine,
               Array<i64> ids, Array<float> scores, int threads, const std::string& isa) {
  const Search search{view(queries), view(items),        exclude.data(),        cosine,
                      ids.shape(1),  ids.mutable_data(), scores.mutable_data(), kernels(isa)};
  const i64 rows = queries.shape(0), n = items.shape(0), dim = items.shape(1), k = search.k;
  if (threads <= 0) threads = default_threads();
  // Threads share out the items, each with heaps of its own, unless there are too few; then they share out the queries.
  const i64 by_items = std::min<i64>(threads, n / 16384), by_queries = std::min<i64>(threads, (rows + 7) / 8);
  const bool over_items = by_items >= by_queries;
  threads = static_cast<int>(std::max<i64>(1, over_items ? by_items : by_queries));
  const i64 fitting = std::max<i64>(1, kGroupBytes / (k * static_cast<i64>(sizeof(Candidate))));
  i64 group = std::min({kGroupQueries, fitting, std::max<i64>(1, rows)});
  if (!over_items) {
    const i64 quick = static_cast<i64>(kPieceProducts / (static_cast<double>(n) * dim));
    group = std::min({group, std::max<i64>(kQueryTile, quick), (rows + threads - 1) / threads});
    group = std::max<i64>(1, group);
    if (group > kQueryTile) group = group / kQueryTile * kQueryTile;
  }
  std::vector<Seat> seats;
  seats.reserve(threads);
  for (int t = 0; t < threads; ++t) {
    seats.emplace_back(group, k, dim);
    seats.back().bad_item = n;
    seats.back().bad_query = rows;
  }
  if (over_items) {
    const i64 quick = static_cast<i64>(kPieceProducts / (static_cast<double>(group) * dim)) / kPanelItems + 1;
    const i64 share = n / (8 * threads) / kPanelItems + 1;
    const i64 grain = std::min(quick, share) * kPanelItems;
    for (i64 begin = 0; begin < rows; begin += group) {
      const Range part{begin, std::min(rows, begin + group)};
      run(threads, 1, threads, [&](Range pieces, int) {
        for (i64 t = pieces.begin; t < pieces.end; ++t) search.start(seats[t], part);
      });
      run(n, grain, threads,
          [&](Range range, int thread) { search.level.topk(search.args(seats[thread], part), range); });
      run(part.end - part.begin, 64, threads, [&](Range piece, int) {
        for (i64 q = piece.begin; q < piece.end; ++q) search.merge(seats, part, q);
      });
    }
  } else {
    run(rows, group, threads, [&](Range part, int thread) {
      Seat& seat = seats[thread];
      search.start(seat, part);
      search.level.topk(search.args(seat, part), {0, n});
      for (i64 q = 0; q < part.end - part.begin; ++q) {
        if (seat.standings[q].count < k) continue;
        take_sorted(seat.heaps.data() + q * k, k, search.ids + (part.begin + q) * k,
                    search.scores + (part.begin + q) * k);
      }
    });
  }
  i64 bad_query = rows, bad_item = n;
  for (const Seat& seat : seats) {
    bad_query = std::min(bad_query, seat.bad_query);
    bad_item = std::min(bad_item, seat.bad_item);
  }
  return py::make_tuple(bad_query < rows ? bad_query : -1, bad_item < n ? bad_item : -1);
}

}  // namespace

void bind_cosine(py::module_& module) {
  module.def("topk", &topk, py::kw_only(), py::arg("queries").noconvert(), py::arg("items").noconvert(),
             py::arg("exclude").noconvert(), py::arg("cosine"), py::arg("ids").noconvert(),
             py::arg("scores").noconvert(), py::arg("threads"), py::arg("isa"));
}

}  // namespace firth
