// Tables, counts and their order on a device -> the launcher of glove.cu, once a round. The order of the rounds itself
// is the host's, which queues them and looks at what groups report only now and then.
#include <pybind11/numpy.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "interface.h"
#include "kernels/kernels.h"

namespace firth::cuda {
namespace {

constexpr i64 kRounds = 16;  // that are queued before Ctrl-C is looked for

// Returns (loss summed over counts, counts, the first row that met a number that is not finite or -1). `progress`,
// unless None, is called now and then with (counts done, loss so far).
py::tuple glove_of(const py::object& words_array, const py::object& contexts_array, i64 dim,
                   const py::object& indptr_array, const py::object& indices_array, const py::object& data_array,
                   const py::object& order_array, const py::object& row_starts_array,
                   const py::object& column_starts_array, const py::array_t<i64, py::array::c_style>& shifts, double lr,
                   double x_max, double alpha, int, const std::string&, const py::object& progress) {
  const Interface words = read(words_array, "words", "<f4", 2, true);
  const Interface contexts = read(contexts_array, "contexts", "<f4", 2, true);
  const Interface indptr = read(indptr_array, "indptr", "<i8", 1, false);
  const Interface indices = read(indices_array, "indices", "<i4", 1, false);
  const Interface counts = read(data_array, "data", "<f4", 1, false);
  const Interface order = read(order_array, "order", "<u4", 1, false);
  const Interface row_starts = read(row_starts_array, "row_starts", "<i8", 1, false);
  const Interface column_starts = read(column_starts_array, "column_starts", "<u4", 1, false);
  const i64 groups = row_starts.rows - 1;
  expect(dim >= 1 && dim <= kMostDeviceDim, "glove: dim is not between 1 and 1022");
  expect(words.columns == 2 * glove_width(dim) && contexts.columns == words.columns, "tables do not fit dim");
  expect(words.rows == indptr.rows - 1 && words.rows == order.rows, "indptr, order and words differ in length");
  expect(indices.rows == counts.rows, "indices and data differ in length");
  expect(groups >= 1 && groups <= words.rows && column_starts.rows == groups + 1,
         "row_starts and column_starts are not those of as many groups");
  for (const Interface& table : {words, contexts})
    expect(reinterpret_cast<std::uintptr_t>(table.data) % 16 == 0, "a table is not aligned to 16 bytes");
  const int device = device_of_all({{words, "words"},
                                    {contexts, "contexts"},
                                    {indptr, "indptr"},
                                    {indices, "indices"},
                                    {counts, "data"},
                                    {order, "order"},
                                    {row_starts, "row_starts"},
                                    {column_starts, "column_starts"}});
  Glove args{};
  args.words = {data<float>(words), words.rows, words.columns};
  args.contexts = {data<float>(contexts), contexts.rows, contexts.columns};
  args.dim = dim;
  args.indptr = data<const i64>(indptr);
  args.indices = data<const u32>(indices);
  args.data = data<const float>(counts);
  args.order = data<const u32>(order);
  args.row_starts = data<const i64>(row_starts);
  args.column_starts = data<const u32>(column_starts);
  args.groups = groups;
  args.lr = static_cast<float>(lr);
  args.x_max = static_cast<float>(x_max);
  args.alpha = static_cast<float>(alpha);

  const cudaStream_t stream = words.stream;
  const i64* shift = shifts.data();
  const OnDevice scope(device);
  std::vector<Fitted> fitted(static_cast<std::size_t>(groups), Fitted{0, 0, -1});
  const std::size_t bytes = fitted.size() * sizeof(Fitted);
  const Scratch<Fitted> on_device(groups, stream);
  const Scratch<Range> found(words.rows, stream);
  check(cudaMemcpyAsync(on_device.data(), fitted.data(), bytes, cudaMemcpyHostToDevice, stream), "glove: groups");
  args.fitted = on_device.data();
  Fitted all{0, 0, -1};
  for (i64 round = 0; round < shifts.size() && all.blown_up < 0;) {
    {
      const py::gil_scoped_release unlocked;
      for (const i64 last = std::min<i64>(round + kRounds, shifts.size()); round < last; ++round) {
        args.shift = shift[round];
        glove(args, found.data(), stream);
      }
      check(cudaMemcpyAsync(fitted.data(), on_device.data(), bytes, cudaMemcpyDeviceToHost, stream), "glove: groups");
      check(cudaStreamSynchronize(stream), "glove");
    }
    all = {0, 0, -1};
    for (const Fitted& one : fitted) {
      all.loss += one.loss;
      all.counts += one.counts;
      if (one.blown_up >= 0 && (all.blown_up < 0 || one.blown_up < all.blown_up)) all.blown_up = one.blown_up;
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!progress.is_none()) progress(all.counts, all.loss);
  }
  return py::make_tuple(all.loss, all.counts, all.blown_up);
}

}  // namespace

void bind_glove(py::module_& module) {
  module.def("glove", &glove_of, py::kw_only(), py::arg("words"), py::arg("contexts"), py::arg("dim"),
             py::arg("indptr"), py::arg("indices"), py::arg("data"), py::arg("order"), py::arg("row_starts"),
             py::arg("column_starts"), py::arg("shifts").noconvert(), py::arg("lr"), py::arg("x_max"), py::arg("alpha"),
             py::arg("threads"), py::arg("isa"), py::arg("progress"));
}

}  // namespace firth::cuda
