// A graph and starts on a device -> the launcher of walks.cu, some walks at a time.
#include <algorithm>

#include "interface.h"
#include "kernels/kernels.h"

namespace firth::cuda {
namespace {

// Nodes that are walked before Ctrl-C is looked for, about, and how many walks that are at least.
constexpr i64 kNodes = i64{1} << 27, kLeast = 1 << 12;

// Fills out (walks, length). `progress`, unless None, is called now and then with how many walks are done; what it
// raises stops the rest.
void walk(const py::object& indptr_array, const py::object& indices_array, const py::object& thresholds_array,
          u32 types, const py::object& path_array, const py::object& starts_array, u64 first_walk, i64 length, double p,
          double q, double restart, u64 seed, const py::object& out_array, int, const std::string&,
          const py::object& progress) {
  const Interface indptr = read(indptr_array, "indptr", "<i8", 1, false);
  const Interface indices = read(indices_array, "indices", "<u4", 1, false);
  const Interface thresholds = read(thresholds_array, "thresholds", "<u4", 1, false);
  const Interface path = read(path_array, "path", "<u4", 1, false);
  const Interface starts = read(starts_array, "starts", "<u4", 1, false);
  const Interface out = read(out_array, "out", "<u4", 2, true);
  expect(types >= 1 && types <= 1 << 16, "types is not between 1 and 65536");
  expect(indptr.rows >= 1 && (indptr.rows - 1) % static_cast<i64>(types) == 0, "indptr is not that of whole nodes");
  expect(thresholds.rows == 0 || thresholds.rows == indices.rows, "thresholds do not fit indices");
  expect(path.rows >= 1 && path.rows <= 1 << 16, "path is not of 1 to 65536 types");
  expect(length >= 1 && length <= 1 << 20, "length is not between 1 and 2^20");
  expect(out.rows == starts.rows && out.columns == length, "out is not (walks, length)");
  const double least = 1.0 / (1 << 20), most = 1 << 20;
  expect(p >= least && p <= most && q >= least && q <= most, "p or q is not between 2^-20 and 2^20");
  expect(restart >= 0 && restart < 1, "restart is not between 0 and 1");
  if (starts.rows == 0) return;
  const int device = device_of_all({{indptr, "indptr"},
                                    {indices, "indices"},
                                    {thresholds, "thresholds"},
                                    {path, "path"},
                                    {starts, "starts"},
                                    {out, "out"}});
  Walks args{};
  args.links = {data<const i64>(indptr), data<const u32>(indices)};
  args.thresholds = data<const u32>(thresholds);
  args.types = types;
  args.path = data<const u32>(path);
  args.path_size = path.rows;
  args.length = length;
  args.bias = bias_of(p, q);
  args.restart = static_cast<u32>(restart * 4294967296.0);
  args.seed = seed;
  const OnDevice scope(device);
  const i64 some = std::max(kNodes / length / 8 * 8, kLeast);  // rows of all parts are aligned as the first is
  for (i64 first = 0; first < starts.rows; first += some) {
    args.starts = data<const u32>(starts) + first;
    args.walks = std::min(some, starts.rows - first);
    args.first_walk = first_walk + static_cast<u64>(first);
    args.out = data<u32>(out) + first * length;
    {
      const py::gil_scoped_release unlocked;
      walks(args, out.stream);
      if (starts.rows <= some && progress.is_none()) return;
      check(cudaStreamSynchronize(out.stream), "walks");
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!progress.is_none()) progress(first + args.walks);
  }
}

}  // namespace

void bind_walks(py::module_& module) {
  module.def("walks", &walk, py::kw_only(), py::arg("indptr"), py::arg("indices"), py::arg("thresholds"),
             py::arg("types"), py::arg("path"), py::arg("starts"), py::arg("first_walk"), py::arg("length"),
             py::arg("p"), py::arg("q"), py::arg("restart"), py::arg("seed"), py::arg("out"), py::arg("threads"),
             py::arg("isa"), py::arg("progress"));
}

}  // namespace firth::cuda
