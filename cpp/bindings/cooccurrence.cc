#include "firth/cooccurrence.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bridge.h"
#include "counting.h"

namespace firth {
namespace {

constexpr i64 kTaskEntries = i64{1} << 19;  // that a task can find at most: some milliseconds

constexpr int kFrequentWords = 512;  // whose company among themselves fits into a core's cache
constexpr i64 kFrequentTask = i64{1} << 18;

// An array that keeps the pages it lies on; it begins with their element `first`.
template <class T>
py::array array_on(Pages&& pages, i64 size, i64 first = 0) {
  auto* kept = new Pages(std::move(pages));
  const py::capsule owner(kept, [](void* p) { delete static_cast<Pages*>(p); });
  return py::array_t<T>(size, kept->as<T>() + first, owner);
}

// (indptr int64, indices int32, data of the kind asked for)
py::tuple handed_out(CountedMatrix& matrix, Values values, const u64* among = nullptr, int threads = 1) {
  run(1, 1, 1, [&](Range, int) { matrix.finish(among, threads); });
  Array<i64> indptr(static_cast<py::ssize_t>(matrix.indptr.size()));
  std::copy(matrix.indptr.begin(), matrix.indptr.end(), indptr.mutable_data());
  const i64 many = matrix.entries, begin = matrix.begin;
  py::array data = values == Values::kFloat32   ? array_on<float>(std::move(matrix.values), many, begin)
                   : values == Values::kFloat64 ? array_on<double>(std::move(matrix.values), many, begin)
                                                : array_on<u64>(std::move(matrix.values), many, begin);
  return py::make_tuple(indptr, array_on<std::int32_t>(std::move(matrix.columns), many, begin), data);
}

// What a thread counts with.
struct Desk {
  Pages scratch, ends, columns, sums;
  CountedRows found;

  Desk(i64 width, i64 rows, i64 entries)
      : scratch(static_cast<std::size_t>(counting_scratch(width))),
        ends(8 * static_cast<std::size_t>(rows)),
        columns(4 * static_cast<std::size_t>(entries + kSpareEntries)),
        sums(8 * static_cast<std::size_t>(entries + kSpareEntries)),
        found{0, 0, ends.as<i64>(), columns.as<u32>(), sums.as<u64>()} {}
};

std::function<void()> reporter(const py::object& progress, std::atomic<i64>& done) {
  if (progress.is_none()) return nullptr;
  return [&progress, &done] { progress(done.load()); };
}

// (starts (words + 1,) int64, places (part,) uint32 less `begin`): where each word of [first, last) stands in
// ids[begin, end). The other words have no places; theirs are all written to one spare place, since a branch here could
// not be predicted.
py::tuple places(const Array<u32>& ids, i64 begin, i64 end, i64 words, i64 first, i64 last, int threads) {
  constexpr i64 kStep = i64{1} << 21;  // tokens of a slice before Ctrl-C is looked for
  constexpr i64 kApart = 16;           // spare places of slices lie in cache lines of their own
  const i64 tokens = end - begin, slices = workers_for(tokens, kStep, threads);
  const std::size_t many = static_cast<std::size_t>(words);
  const u32 low = static_cast<u32>(first), span = static_cast<u32>(last - first);
  Array<i64> starts(words + 1);
  std::vector<std::vector<u32>> next(static_cast<std::size_t>(slices));
  for (std::vector<u32>& one : next) one.resize(many);
  const auto over = [&](const auto& work) {
    const i64 longest = (tokens + slices - 1) / slices;
    for (i64 from = 0; from < longest; from += kStep)
      run(slices, 1, threads, [&](Range range, int) {
        for (i64 s = range.begin; s < range.end; ++s) {
          const i64 stop = std::min((s + 1) * longest, tokens), start = std::min(s * longest + from, stop);
          work(start, std::min(start + kStep, stop), next[static_cast<std::size_t>(s)].data());
        }
      });
  };
  const u32* read = ids.data() + begin;
  over([&](i64 start, i64 stop, u32* counts) {
    for (i64 t = start; t < stop; ++t) ++counts[read[t]];
  });
  i64* to_starts = starts.mutable_data();
  i64 at = 0;
  for (i64 word = 0; word < words; ++word) {
    to_starts[word] = at;
    if (word < first || word >= last) continue;
    for (std::vector<u32>& counts : next) {
      const u32 here = counts[static_cast<std::size_t>(word)];
      counts[static_cast<std::size_t>(word)] = static_cast<u32>(at);
      at += here;
    }
  }
  to_starts[words] = at;
  i64 spare = at;
  for (std::vector<u32>& cursors : next) {
    spare += kApart;
    std::fill(cursors.begin(), cursors.begin() + first, static_cast<u32>(spare));
    std::fill(cursors.begin() + last, cursors.end(), static_cast<u32>(spare));
  }
  Pages places_(4 * static_cast<std::size_t>(spare + 1));
  u32* to = places_.as<u32>();
  over([&](i64 start, i64 stop, u32* cursors) {
    for (i64 t = start; t < stop; ++t) {
      u32& cursor = cursors[read[t]];
      to[cursor] = static_cast<u32>(t);
      cursor += read[t] - low < span;
    }
  });
  return py::make_tuple(starts, array_on<u32>(std::move(places_), at));
}

// The sums of frequent words with those before them, (frequent, frequent).
std::vector<u64> count_frequent(const Kernels& kernel, const Cooccurrence& of, i64 frequent, int threads,
                                const std::function<void(i64)>& read, const std::function<void()>& report) {
  const std::size_t cells = static_cast<std::size_t>(frequent * frequent);
  const int workers = workers_for(of.tokens, kFrequentTask, threads);
  std::vector<std::vector<u64>> sums(static_cast<std::size_t>(workers));
  for (std::vector<u64>& one : sums) one.resize(cells);
  std::vector<Pages> scratch;
  for (int i = 0; i < workers; ++i) scratch.emplace_back(static_cast<std::size_t>(frequent_scratch(frequent)));
  run(
      of.tokens, kFrequentTask, workers,
      [&](Range range, int number) {
        const std::size_t thread = static_cast<std::size_t>(number);
        kernel.count_frequent({&of, frequent, sums[thread].data(), scratch[thread].as<void>()}, range);
        read(range.end - range.begin);
      },
      report);
  for (std::size_t thread = 1; thread < sums.size(); ++thread)
    for (std::size_t cell = 0; cell < cells; ++cell) sums[0][cell] += sums[thread][cell];
  return std::move(sums[0]);
}

// Counts rows [first, last). `progress`, unless None, is called now and then with the places that were read.
py::tuple count(const Array<u32>& ids, const Array<u64>& breaks, const Array<i64>& starts, const Array<u32>& places,
                i64 frequent, i64 origin, i64 first, i64 last, const Array<u64>& weights, bool symmetric, u64 unit,
                u32 dtype, int threads, const std::string& isa, const py::object& progress) {
  Cooccurrence args{};
  args.ids = ids.data();
  args.tokens = ids.shape(0);
  if (breaks.shape(0) > 0) args.breaks = breaks.data();
  args.starts = starts.data();
  args.places = places.data();
  args.origin = origin;
  args.words = starts.shape(0) - 1;
  args.window = static_cast<u32>(weights.shape(0));
  args.weights = weights.data();
  args.symmetric = symmetric;

  const Kernels& kernel = kernels(isa);
  const Values values = static_cast<Values>(dtype);
  const i64 begin = starts.data()[first], size = starts.data()[last] - begin;
  const i64 company = static_cast<i64>(args.window) * (symmetric ? 2 : 1);
  const i64 grain = std::max<i64>(kTaskEntries / company, 64);
  const int workers = workers_for(size, grain, threads);
  std::atomic<i64> done{0};
  const auto report = reporter(progress, done);
  const i64 frequent_places = frequent > 0 ? args.tokens - size : 0;
  std::vector<u64> among;
  if (frequent > 0) {
    const double share = static_cast<double>(frequent_places) / static_cast<double>(args.tokens);
    const auto read = [&](i64 tokens) { done += static_cast<i64>(share * static_cast<double>(tokens)); };
    among = count_frequent(kernel, args, frequent, threads, read, report);
  }
  done = frequent_places;
  const i64 most_frequent = std::min(frequent * args.words, args.tokens * company);
  CountedMatrix matrix(first, last - first, args.words, values, static_cast<double>(unit), frequent, most_frequent);
  std::vector<Desk> desks;
  for (int i = 0; i < workers; ++i) desks.emplace_back(args.words, args.words, std::min(grain, size) * company);
  const auto work = [&](Range range, int number) {
    Desk& desk = desks[static_cast<std::size_t>(number)];
    Cooccurrence mine = args;
    mine.scratch = desk.scratch.as<void>();
    mine.found = &desk.found;
    const Range here = {begin + range.begin, begin + range.end};
    kernel.cooccurrence(mine, here);
    const i64 top = desk.found.first, bottom = top + desk.found.rows - 1;
    const bool bottom_is_cut = args.starts[bottom + 1] > here.end;
    matrix.take(range.begin / grain, desk.found, args.starts[top] < here.begin, bottom_is_cut);
    done += range.end - range.begin;
  };
  run(size, grain, workers, work, report);
  return handed_out(matrix, values, among.data(), threads);
}

// Adds up counts of the same words, each (indptr, indices, sums).
py::tuple merge(const py::list& parts, i64 columns, u64 unit, u32 dtype, int threads, const std::string& isa) {
  std::vector<MergeCounts::Part> views;
  i64 rows = 0;
  for (const py::handle& part : parts) {
    const auto [indptr, indices, sums] = part.cast<std::tuple<py::object, py::object, py::object>>();
    if (!py::isinstance<Array<i64>>(indptr) || !py::isinstance<Array<std::int32_t>>(indices) ||
        !py::isinstance<Array<u64>>(sums))
      throw py::type_error("merge_counts: a part is not of int64, int32 and uint64");
    const auto starts = py::reinterpret_borrow<Array<i64>>(indptr);
    const auto columns_ = py::reinterpret_borrow<Array<std::int32_t>>(indices);
    views.push_back({starts.data(), reinterpret_cast<const u32*>(columns_.data()),
                     py::reinterpret_borrow<Array<u64>>(sums).data()});
    rows = starts.shape(0) - 1;
  }
  std::vector<i64> cuts{0};  // tasks of rows, of about as many entries
  i64 most_rows = 0, most = 0, entries = 0;
  for (i64 row = 0; row < rows; ++row) {
    i64 here = 0;
    for (const MergeCounts::Part& part : views) here += part.indptr[row + 1] - part.indptr[row];
    if (entries > 0 && entries + here > kTaskEntries) {
      cuts.push_back(row);
      entries = 0;
    }
    entries += here;
    most = std::max(most, entries);
    most_rows = std::max(most_rows, row + 1 - cuts.back());
  }
  cuts.push_back(rows);

  MergeCounts args{views.data(), static_cast<i64>(views.size()), rows, columns, nullptr, nullptr};
  const Kernels& kernel = kernels(isa);
  const Values values = static_cast<Values>(dtype);
  const i64 tasks = static_cast<i64>(cuts.size()) - 1;
  const int workers = workers_for(tasks, 1, threads);
  CountedMatrix matrix(0, rows, columns, values, static_cast<double>(unit));
  std::vector<Desk> desks;
  for (int i = 0; i < workers; ++i) desks.emplace_back(columns, most_rows, most);
  run(tasks, 1, workers, [&](Range range, int number) {
    Desk& desk = desks[static_cast<std::size_t>(number)];
    MergeCounts mine = args;
    mine.scratch = desk.scratch.as<void>();
    mine.found = &desk.found;
    const std::size_t task = static_cast<std::size_t>(range.begin);
    kernel.merge_counts(mine, {cuts[task], cuts[task + 1]});
    matrix.take(range.begin, desk.found, false, false);
  });
  return handed_out(matrix, values);
}

}  // namespace

void bind_cooccurrence(py::module_& module) {
  module.attr("FREQUENT_WORDS") = kFrequentWords;
  module.def("places", &places, py::kw_only(), py::arg("ids").noconvert(), py::arg("begin"), py::arg("end"),
             py::arg("words"), py::arg("first"), py::arg("last"), py::arg("threads"));
  module.def("cooccurrence", &count, py::kw_only(), py::arg("ids").noconvert(), py::arg("breaks").noconvert(),
             py::arg("starts").noconvert(), py::arg("places").noconvert(), py::arg("frequent"), py::arg("origin"),
             py::arg("first"), py::arg("last"), py::arg("weights").noconvert(), py::arg("symmetric"), py::arg("unit"),
             py::arg("dtype"), py::arg("threads"), py::arg("isa"), py::arg("progress"));
  module.def("merge_counts", &merge, py::kw_only(), py::arg("parts"), py::arg("columns"), py::arg("unit"),
             py::arg("dtype"), py::arg("threads"), py::arg("isa"));
}

}  // namespace firth
