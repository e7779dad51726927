#include "firth/subwords.h"

#include <vector>

#include "bridge.h"

namespace firth {
namespace {

constexpr i64 kWords = 1024, kBags = 256;  // a task

Subwords rule(const Array<unsigned char>& text, const Array<i64>& begins, const Array<i64>& ends, u32 min_n, u32 max_n,
              u32 buckets, u32 hashes) {
  return {text.data(), begins.data(), ends.data(), begins.shape(0), text.shape(0), min_n,
          max_n,       buckets,       hashes,      nullptr,         nullptr};
}

// Without ids: the sizes of the bags into offsets[1:]. With them: the bags, where the offsets say.
void bags(const Array<unsigned char>& text, const Array<i64>& begins, const Array<i64>& ends, u32 min_n, u32 max_n,
          u32 buckets, u32 hashes, Array<i64> offsets, py::object ids, int threads, const std::string& isa) {
  Subwords args = rule(text, begins, ends, min_n, max_n, buckets, hashes);
  args.offsets = offsets.mutable_data();
  if (!ids.is_none()) args.ids = ids.cast<Array<u32>>().mutable_data();
  const Kernels& kernel = kernels(isa);
  run(args.words, kWords, workers_for(args.words, kWords, threads),
      [&](Range words, int) { kernel.subwords(args, words); });
}

void bag_means(const Array<float>& table, const Array<i64>& offsets, const Array<u32>& ids, Array<float> means,
               int threads, const std::string& isa) {
  const BagMeans args{view(table), offsets.data(), ids.data(), offsets.shape(0) - 1, mutable_view(means)};
  const Kernels& kernel = kernels(isa);
  run(args.bags, kBags, workers_for(args.bags, kBags, threads), [&](Range bags, int) { kernel.bag_means(args, bags); });
}

void subword_means(const Array<unsigned char>& text, const Array<i64>& begins, const Array<i64>& ends, u32 min_n,
                   u32 max_n, u32 buckets, u32 hashes, const Array<float>& table, i64 first_row, Array<float> means,
                   int threads, const std::string& isa) {
  const Subwords words = rule(text, begins, ends, min_n, max_n, buckets, hashes);
  const Kernels& kernel = kernels(isa);
  const int workers = workers_for(words.words, kBags, threads);
  std::vector<u32> scratch(static_cast<std::size_t>(workers * kSubwordScratch));
  const SubwordMeans args{words, view(table), first_row, mutable_view(means), nullptr};
  run(words.words, kBags, workers, [&](Range range, int worker) {
    SubwordMeans mine = args;
    mine.scratch = scratch.data() + worker * kSubwordScratch;
    kernel.subword_means(mine, range);
  });
}

}  // namespace

void bind_subwords(py::module_& module) {
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
