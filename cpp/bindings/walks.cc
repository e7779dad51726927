#include "firth/walks.h"

#include <algorithm>
#include <atomic>

#include "bridge.h"

namespace firth {
namespace {

// Walks of a task: so many that a task of the longest walks still ends soon.
constexpr i64 kGrain = 256, kGrainNodes = 1 << 15;

// Fills out (walks, length). `progress`, unless None, is called now and then with how many walks are done.
void walk(const Array<i64>& indptr, const Array<u32>& indices, const Array<u32>& thresholds, u32 types,
          const Array<u32>& path, const Array<u32>& starts, u64 first_walk, i64 length, double p, double q,
          double restart, u64 seed, Array<u32> out, int threads, const std::string& isa, const py::object& progress) {
  Walks args{};
  args.links = {indptr.data(), indices.data()};
  if (thresholds.shape(0) > 0) args.thresholds = thresholds.data();
  args.types = types;
  args.path = path.data();
  args.path_size = path.shape(0);
  args.starts = starts.data();
  args.walks = starts.shape(0);
  args.first_walk = first_walk;
  args.length = length;
  args.bias = bias_of(p, q);
  args.restart = static_cast<u32>(restart * 4294967296.0);
  args.seed = seed;
  args.out = out.mutable_data();
  const Kernels& kernel = kernels(isa);
  std::atomic<i64> done{0};
  const auto report = [&] { progress(done.load()); };
  run(
      args.walks, std::clamp<i64>(kGrainNodes / length, 1, kGrain), threads,
      [&](Range range, int) {
        kernel.walks(args, range);
        done += range.end - range.begin;
      },
      progress.is_none() ? std::function<void()>() : std::function<void()>(report));
}

}  // namespace

void bind_walks(py::module_& module) {
  module.def("walks", &walk, py::kw_only(), py::arg("indptr").noconvert(), py::arg("indices").noconvert(),
             py::arg("thresholds").noconvert(), py::arg("types"), py::arg("path").noconvert(),
             py::arg("starts").noconvert(), py::arg("first_walk"), py::arg("length"), py::arg("p"), py::arg("q"),
             py::arg("restart"), py::arg("seed"), py::arg("out").noconvert(), py::arg("threads"), py::arg("isa"),
             py::arg("progress"));
}

}  // namespace firth
