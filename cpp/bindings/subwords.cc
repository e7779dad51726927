#include "firth/subwords.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "arrow.h"
#include "bridge.h"

namespace firth {
namespace {

// Work of a task, which is not interrupted: bytes of words, or additions of rows' numbers.
constexpr i64 kTaskBytes = 1 << 18, kTaskSums = 1 << 24;

// Words or bags of a task, all taken to be of mean size.
i64 grain(i64 count, i64 work, i64 most_work, i64 most) {
  return std::clamp<i64>(static_cast<i64>(static_cast<double>(most_work) * static_cast<double>(count) /
                                          static_cast<double>(std::max<i64>(work, 1))),
                         1, most);
}

// Runs whole(range, worker) for words or bags, but for those of more work than two tasks: their parts [begin, end) of
// two tasks go one after the other through part(item, cut), with a look for Ctrl-C between.
template <class Work, class Whole, class Part>
void run_in_parts(i64 count, i64 task, int threads, const Work& work, i64 unit, const Whole& whole, const Part& part) {
  for (i64 first = 0, at = 0; at <= count; ++at) {
    const i64 units = at < count ? work(at) : 0;
    if (at < count && units <= 2 * kTaskSums / unit) continue;
    run(at - first, task, workers_for(count, task, threads),
        [&](Range range, int worker) { whole({first + range.begin, first + range.end}, worker); });
    const i64 step = std::max<i64>(1, kTaskSums / unit), pieces = (units + step - 1) / step;
    if (at < count)
      run(pieces, 1, 1, [&](Range cut, int) { part(at, {cut.begin * step, std::min(cut.end * step, units)}); });
    first = at + 1;
  }
}

constexpr i64 kBytes = 1 << 16;  // a task, where lines are looked for

// The lines of a text, each ended by a newline, the last one also by the end: (begins, ends).
py::tuple lines(const Array<unsigned char>& text, int threads) {
  const unsigned char* bytes = text.data();
  const i64 size = text.shape(0), tasks = (size + kBytes - 1) / kBytes, workers = workers_for(tasks, 1, threads);
  const Kernels& kernel = kernels("");
  const auto part = [&](i64 task) { return Range{task * kBytes, std::min(size, (task + 1) * kBytes)}; };
  std::vector<i64> before(static_cast<std::size_t>(tasks + 1));  // newlines of each task, then of those before it
  run(tasks, 1, workers, [&](Range cut, int) {
    for (i64 t = cut.begin; t < cut.end; ++t) before[t + 1] = kernel.newlines(bytes, part(t), nullptr);
  });
  for (i64 t = 0; t < tasks; ++t) before[t + 1] += before[t];
  const i64 newlines = before[tasks], count = newlines + (size > 0 && bytes[size - 1] != '\n');
  Array<i64> begins(count), ends(count);
  i64 *begin = begins.mutable_data(), *end = ends.mutable_data();
  run(tasks, 1, workers, [&](Range cut, int) {
    for (i64 t = cut.begin; t < cut.end; ++t) {
      const i64 first = before[t], last = before[t + 1];
      kernel.newlines(bytes, part(t), end + first);
      for (i64 line = first; line < last && line + 1 < count; ++line) begin[line + 1] = end[line] + 1;
    }
  });
  if (count > newlines) end[newlines] = size;
  if (count > 0) begin[0] = 0;
  return py::make_tuple(begins, ends);
}

template <class T>
Array<T> array_of(const std::vector<T>& values) {
  return Array<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

// The rows of an Arrow column, copied: (text, begins, ends).
py::tuple arrow_rows(const py::capsule& stream, const std::string& function) {
  std::vector<unsigned char> text;
  std::vector<i64> begins, ends;
  each_arrow_row(stream, function, [&](const unsigned char* bytes, i64 length) {
    if (length == kNullRow)
      throw py::value_error(function + ": words[" + std::to_string(ends.size()) + "] is null, expected a string");
    begins.push_back(static_cast<i64>(text.size()));
    text.insert(text.end(), bytes, bytes + length);
    ends.push_back(static_cast<i64>(text.size()));
    if (ends.size() % 65536 == 0 && PyErr_CheckSignals() != 0) throw py::error_already_set();
  });
  return py::make_tuple(array_of(text), array_of(begins), array_of(ends));
}

Subwords rule(const Array<unsigned char>& text, const Array<i64>& begins, const Array<i64>& ends, u32 min_n, u32 max_n,
              u32 buckets, u32 hashes) {
  return {text.data(), begins.data(), ends.data(), begins.shape(0), text.shape(0), min_n,
          max_n,       buckets,       hashes,      nullptr,         nullptr};
}

// Without ids: where the bags begin and end, into the offsets. With them: the bags, where the offsets say.
void bags(const Array<unsigned char>& text, const Array<i64>& begins, const Array<i64>& ends, u32 min_n, u32 max_n,
          u32 buckets, u32 hashes, Array<i64> offsets, py::object ids, int threads, const std::string& isa) {
  Subwords args = rule(text, begins, ends, min_n, max_n, buckets, hashes);
  args.offsets = offsets.mutable_data();
  if (!ids.is_none()) args.ids = ids.cast<Array<u32>>().mutable_data();
  const Kernels& kernel = kernels(isa);
  const i64 task = grain(args.words, args.bytes, kTaskBytes, 1024);
  run(args.words, task, workers_for(args.words, task, threads),
      [&](Range words, int) { kernel.subwords(args, words); });
  if (args.ids) return;
  args.offsets[0] = 0;
  for (i64 w = 0; w < args.words; ++w) args.offsets[w + 1] += args.offsets[w];
}

void bag_means(const Array<float>& table, const Array<i64>& offsets, const Array<u32>& ids, Array<float> means,
               int threads, const std::string& isa) {
  const BagMeans args{view(table), offsets.data(), ids.data(), offsets.shape(0) - 1, mutable_view(means)};
  const Kernels& kernel = kernels(isa);
  const i64 task = grain(args.bags, ids.shape(0) * args.table.dim, kTaskSums, 256);
  run_in_parts(
      args.bags, task, threads, [&](i64 bag) { return args.offsets[bag + 1] - args.offsets[bag]; }, args.table.dim,
      [&](Range bags, int) { kernel.bag_means(args, bags); },
      [&](i64 bag, Range part) {
        BagMeans mine = args;
        mine.part = part;
        kernel.bag_means(mine, {bag, bag + 1});
      });
}

void subword_means(const Array<unsigned char>& text, const Array<i64>& begins, const Array<i64>& ends, u32 min_n,
                   u32 max_n, u32 buckets, u32 hashes, const Array<float>& table, i64 first_row, Array<float> means,
                   int threads, const std::string& isa) {
  const Subwords words = rule(text, begins, ends, min_n, max_n, buckets, hashes);
  const Kernels& kernel = kernels(isa);
  // N-grams that begin at a byte: 3 or 4, if there are no more lengths than that.
  const i64 mean = words.bytes / std::max<i64>(words.words, 1), lengths = static_cast<i64>(max_n) - min_n + 1;
  const i64 each = std::max<i64>(1, hashes) * std::max<i64>(4, std::min(lengths, mean)) * table.shape(1);
  const i64 task = grain(words.words, words.bytes * each, kTaskSums, 256);
  const int workers = workers_for(words.words, task, threads);
  const auto scratch = std::make_unique_for_overwrite<u32[]>(static_cast<std::size_t>(workers * kSubwordScratch));
  const SubwordMeans args{words, view(table), first_row, mutable_view(means), nullptr};
  run_in_parts(
      words.words, task, threads, [&](i64 word) { return words.ends[word] - words.begins[word] + 2; },
      std::max<i64>(1, hashes) * std::max<i64>(4, lengths) * table.shape(1),
      [&](Range range, int worker) {
        SubwordMeans mine = args;
        mine.scratch = scratch.get() + worker * kSubwordScratch;
        kernel.subword_means(mine, range);
      },
      [&](i64 word, Range part) {
        SubwordMeans mine = args;
        mine.part = part;
        kernel.subword_means(mine, {word, word + 1});
      });
}

}  // namespace

void bind_subwords(py::module_& module) {
  module.def("lines", &lines, py::kw_only(), py::arg("text").noconvert(), py::arg("threads"));
  module.def("arrow_rows", &arrow_rows, py::kw_only(), py::arg("stream"), py::arg("function"));
  module.def("subwords", &bags, py::kw_only(), py::arg("text").noconvert(), py::arg("begins").noconvert(),
             py::arg("ends").noconvert(), py::arg("min_n"), py::arg("max_n"), py::arg("buckets"), py::arg("hashes"),
             py::arg("offsets").noconvert(), py::arg("ids").none(true), py::arg("threads"), py::arg("isa"));
  module.def("bag_means", &bag_means, py::kw_only(), py::arg("table").noconvert(), py::arg("offsets").noconvert(),
             py::arg("ids").noconvert(), py::arg("means").noconvert(), py::arg("threads"), py::arg("isa"));
  module.def("subword_means", &subword_means, py::kw_only(), py::arg("text").noconvert(), py::arg("begins").noconvert(),
             py::arg("ends").noconvert(), py::arg("min_n"), py::arg("max_n"), py::arg("buckets"), py::arg("hashes"),
             py::arg("table").noconvert(), py::arg("first_row"), py::arg("means").noconvert(), py::arg("threads"),
             py::arg("isa"));
}

}  // namespace firth
