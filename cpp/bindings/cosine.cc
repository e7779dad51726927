// prepare and topk: cuts queries into groups that fit the caches, items into ranges, and merges what the threads found.
#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "bridge.h"

namespace firth {
namespace {

// So many products at most between two looks for Ctrl-C, of numbers and of codes where these are quick: tens of
// milliseconds.
constexpr double kFloatProducts = 5e8, kCodeProducts = 4e9;
constexpr i64 kChunk = kChunkPanels * kPanel;
constexpr i64 kGroupQueries = 1024;
constexpr i64 kGroupBytes = 64 << 20;  // of lists, per thread
constexpr i64 kManyQueries = 32;       // so many are worth making codes of items that were not prepared

// 64-byte aligned bytes.
class Buffer {
 public:
  explicit Buffer(i64 size) : memory_(static_cast<unsigned char*>(::operator new(size, std::align_val_t{64}))) {}
  unsigned char* data() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(unsigned char* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<unsigned char, Free> memory_;
};

// What one thread needs to search for one group of queries. Lists are not written before they are used.
struct Seat {
  Seat(i64 queries, i64 k, i64 dim, i64 items)
      : standings(queries),
        waiting(queries * waiting_room(k) * static_cast<i64>(sizeof(Possible))),
        heaps(queries * k * static_cast<i64>(sizeof(Candidate))),
        scratch(scratch_bytes(queries, dim)),
        bad_item(items) {}
  std::vector<Standing> standings;
  Buffer waiting, heaps, scratch;
  i64 bad_item;
  i64 bad_query = INT64_MAX;
};

struct Search {
  Matrix<const float> queries;
  Items items;
  const i64* exclude;
  i64 excluded;
  const unsigned char* mask;
  const double* threshold;
  i64 k;
  i64* ids;
  double* scores;
  const Kernels& level;

  TopK args(Seat& seat, Range group) const {
    return {{row(queries, group.begin), group.end - group.begin, queries.dim},
            items,
            exclude + group.begin * excluded,
            excluded,
            mask,
            threshold + group.begin,
            k,
            seat.standings.data(),
            reinterpret_cast<Possible*>(seat.waiting.data()),
            reinterpret_cast<Candidate*>(seat.heaps.data()),
            seat.scratch.data(),
            &seat.bad_item};
  }

  void begin(Seat& seat, Range group) const {
    const i64 bad = level.begin_topk(args(seat, group));
    if (bad >= 0) seat.bad_query = std::min(seat.bad_query, group.begin + bad);
  }

  // A query that is not finite ends the search.
  bool any_bad(const std::vector<Seat>& seats) const {
    return std::any_of(seats.begin(), seats.end(), [](const Seat& seat) { return seat.bad_query < INT64_MAX; });
  }

  // So many items at most between two looks for Ctrl-C.
  i64 slab(i64 group) const {
    const double products = level.scan == Scan::kInt8 && items.scan != Scan::kFloat32 ? kCodeProducts : kFloatProducts;
    const double many = products / (static_cast<double>(group) * static_cast<double>(items.dim));
    return (static_cast<i64>(many) / kChunk + 1) * kChunk;
  }

  // The best of all seats for query `q` of the group, sorted. `own` is the seat whose scratch is free.
  void end(std::span<Seat> seats, Range group, i64 q, const Seat& own) const {
    Standing& best = seats[0].standings[q];
    Candidate* heap = args(seats[0], group).heaps + q * k;
    for (const Seat& seat : seats) best.reach = std::max(best.reach, seat.standings[q].reach);
    for (Seat& seat : seats) {
      TopK part = args(seat, group);
      part.scratch = own.scratch.data();
      seat.standings[q].reach = std::max(seat.standings[q].reach, best.reach);
      level.end_topk(part, q);
      if (&seat == &seats[0]) continue;
      for (i64 i = 0; i < seat.standings[q].count; ++i) offer(heap, best.count, k, part.heaps[q * k + i]);
    }
    take_sorted(heap, best.count, k, ids + (group.begin + q) * k, scores + (group.begin + q) * k);
  }
};

// Threads share out the items, each with lists of its own for the same queries.
void share_items(const Search& search, std::vector<Seat>& seats, i64 group) {
  const i64 n = search.items.count, rows = search.queries.rows;
  const int threads = static_cast<int>(seats.size());
  const i64 grain = std::min(search.slab(group), n / (8 * threads) / kChunk * kChunk + kChunk);
  for (i64 begin = 0; begin < rows; begin += group) {
    const Range part{begin, std::min(rows, begin + group)};
    run(threads, 1, threads, [&](Range some, int) {
      for (i64 t = some.begin; t < some.end; ++t) search.begin(seats[t], part);
    });
    if (search.any_bad(seats)) return;
    run(n, grain, threads,
        [&](Range range, int thread) { search.level.topk(search.args(seats[thread], part), range); });
    run(part.end - part.begin, 16, threads, [&](Range some, int thread) {
      for (i64 q = some.begin; q < some.end; ++q) search.end(seats, part, q, seats[thread]);
    });
  }
}

// Threads share out the queries and go through the items in step, so that memory is read once for all of them.
void share_queries(const Search& search, std::vector<Seat>& seats, i64 group) {
  const i64 n = search.items.count, rows = search.queries.rows, slab = search.slab(group);
  const int threads = static_cast<int>(seats.size());
  for (i64 begin = 0; begin < rows; begin += group * threads) {
    const auto part = [=](i64 t) {
      return Range{std::min(rows, begin + t * group), std::min(rows, begin + (t + 1) * group)};
    };
    const auto all_seats = [&](const std::function<void(Seat&, Range)>& work) {
      run(threads, 1, threads, [&](Range some, int) {
        for (i64 t = some.begin; t < some.end; ++t) work(seats[t], part(t));
      });
    };
    all_seats([&](Seat& seat, Range own) { search.begin(seat, own); });
    if (search.any_bad(seats)) return;
    for (i64 first = 0; first < n; first += slab)
      all_seats([&](Seat& seat, Range own) {
        search.level.topk(search.args(seat, own), {first, std::min(n, first + slab)});
      });
    run(std::min(rows - begin, group * threads), 16, threads, [&](Range some, int thread) {
      for (i64 q = some.begin; q < some.end; ++q)
        search.end({&seats[q / group], 1}, part(q / group), q % group, seats[thread]);
    });
  }
}

const unsigned char* or_null(const Array<unsigned char>& array) { return array.size() ? array.data() : nullptr; }

// Fills ids and scores; returns the first query and the first item that are not finite, or -1.
py::tuple topk(const Array<float>& queries, const Array<float>& rows, const Array<unsigned char>& panels,
               const Array<float>& constants, i64 count, int scan, bool cosine, const Array<i64>& exclude,
               const Array<unsigned char>& mask, const Array<double>& threshold, Array<i64> ids, Array<double> scores,
               int threads, const std::string& isa) {
  const Kernels& level = kernels(isa);
  const i64 many = queries.shape(0), dim = queries.shape(1), k = ids.shape(1);
  const Scan chosen = scan >= 0                                  ? static_cast<Scan>(scan)
                      : many < kManyQueries || dim > kMaxInt8Dim ? Scan::kFloat32
                                                                 : level.scan;
  const Items items{rows.size() ? rows.data() : nullptr,
                    or_null(panels),
                    constants.size() ? constants.data() : nullptr,
                    count,
                    dim,
                    chosen,
                    cosine};
  const Search search{view(queries),    items, exclude.data(),     exclude.shape(1),      or_null(mask),
                      threshold.data(), k,     ids.mutable_data(), scores.mutable_data(), level};
  threads = threads > 0 ? std::min(threads, kMaxThreads) : default_threads();
  // Lists of few items for many queries are quick to fill, and codes made in passing are best made once.
  const bool over_items = count / 4096 >= threads && (many < 32 * threads || !items.panels);
  if (over_items) threads = static_cast<int>(std::min<i64>(threads, count / 4096));
  const i64 each = over_items ? many : (many + threads - 1) / threads;
  const i64 list_bytes = k * static_cast<i64>(sizeof(Candidate)) + waiting_room(k) * static_cast<i64>(sizeof(Possible));
  const i64 fitting = std::max<i64>(1, std::min(kGroupQueries, kGroupBytes / list_bytes));
  const i64 group = std::max<i64>(1, std::min(each, fitting > 32 ? fitting / 32 * 32 : fitting));
  if (!over_items) threads = static_cast<int>(std::max<i64>(1, std::min<i64>(threads, (many + group - 1) / group)));
  std::vector<Seat> seats;
  seats.reserve(threads);
  for (int t = 0; t < threads; ++t) seats.emplace_back(group, k, dim, count);
  if (over_items)
    share_items(search, seats, group);
  else
    share_queries(search, seats, group);
  i64 bad_query = many, bad_item = count;
  for (const Seat& seat : seats) {
    bad_query = std::min(bad_query, seat.bad_query);
    bad_item = std::min(bad_item, seat.bad_item);
  }
  return py::make_tuple(bad_query < many ? bad_query : -1, bad_item < count ? bad_item : -1);
}

// Fills panels and constants; returns the first row that is not finite, or -1.
i64 prepare_items(const Array<float>& rows, int scan, bool cosine, bool keep_exact, Array<unsigned char> panels,
                  Array<float> constants, int threads, const std::string& isa) {
  const Kernels& level = kernels(isa);
  const i64 count = rows.shape(0), dim = rows.shape(1);
  const i64 grain = (static_cast<i64>(kFloatProducts / 100.0 / static_cast<double>(dim)) / kPanel + 1) * kPanel;
  const int workers = workers_for(count, grain, threads);
  std::vector<Buffer> scratch;
  for (int t = 0; t < workers; ++t) scratch.emplace_back(scratch_bytes(0, dim));
  std::vector<i64> bad(workers, count);
  run(count, grain, threads, [&](Range range, int thread) {
    level.prepare({view(rows), static_cast<Scan>(scan), cosine, keep_exact, panels.mutable_data(),
                   constants.mutable_data(), scratch[thread].data(), &bad[thread]},
                  range);
  });
  const i64 first = *std::min_element(bad.begin(), bad.end());
  return first < count ? first : -1;
}

}  // namespace

void bind_cosine(py::module_& module) {
  module.def("prepare", &prepare_items, py::kw_only(), py::arg("rows").noconvert(), py::arg("scan"), py::arg("cosine"),
             py::arg("keep_exact"), py::arg("panels").noconvert(), py::arg("constants").noconvert(), py::arg("threads"),
             py::arg("isa"));
  module.def("topk", &topk, py::kw_only(), py::arg("queries").noconvert(), py::arg("rows").noconvert(),
             py::arg("panels").noconvert(), py::arg("constants").noconvert(), py::arg("items"), py::arg("scan"),
             py::arg("cosine"), py::arg("exclude").noconvert(), py::arg("mask").noconvert(),
             py::arg("threshold").noconvert(), py::arg("ids").noconvert(), py::arg("scores").noconvert(),
             py::arg("threads"), py::arg("isa"));
}

}  // namespace firth
