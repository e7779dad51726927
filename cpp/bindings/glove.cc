#include "firth/glove.h"

#include <vector>

#include "bridge.h"

namespace firth {
namespace {

// One epoch: as many rounds as there are shifts, each of which must be one more than the one before. Returns (loss
// summed over counts, counts, the first row that met a number that is not finite or -1). `progress`, unless None, is
// called now and then with (counts done, loss so far).
py::tuple fit(Array<float> words, Array<float> contexts, i64 dim, const Array<i64>& indptr,
              const Array<std::int32_t>& indices, const Array<float>& data, const Array<u32>& order,
              const Array<i64>& row_starts, const Array<u32>& column_starts, const Array<i64>& shifts, double lr,
              double x_max, double alpha, int threads, const std::string& isa, const py::object& progress) {
  Glove args{};
  args.words = mutable_view(words);
  args.contexts = mutable_view(contexts);
  args.dim = dim;
  args.indptr = indptr.data();
  args.indices = reinterpret_cast<const u32*>(indices.data());
  args.data = data.data();
  args.order = order.data();
  args.row_starts = row_starts.data();
  args.column_starts = column_starts.data();
  args.groups = row_starts.shape(0) - 1;
  args.lr = static_cast<float>(lr);
  args.x_max = static_cast<float>(x_max);
  args.alpha = static_cast<float>(alpha);

  const Kernels& kernel = kernels(isa);
  const std::size_t groups = static_cast<std::size_t>(args.groups);
  Fitted all{0, 0, -1};
  std::vector<i64> cursors(indptr.data(), indptr.data() + words.shape(0));
  args.cursors = cursors.data();
  const auto report = [&] { progress(all.counts, all.loss); };
  const i64 rounds = shifts.shape(0);
  for (i64 round = 1; round < rounds; ++round)
    if (shifts.data()[round] != (shifts.data()[round - 1] + 1) % args.groups)
      throw py::value_error("glove: each of shifts must be one more than the one before");
  args.shift = rounds ? shifts.data()[0] : 0;
  for (args.round = 0; args.round < rounds && all.blown_up < 0; ++args.round) {
    std::vector<Fitted> fitted(groups, Fitted{0, 0, -1});
    args.fitted = fitted.data();
    run(args.groups, 1, threads, [&](Range range, int) { kernel.glove(args, range); });
    for (const Fitted& one : fitted) {
      all.loss += one.loss;
      all.counts += one.counts;
      if (one.blown_up >= 0 && (all.blown_up < 0 || one.blown_up < all.blown_up)) all.blown_up = one.blown_up;
    }
    if (!progress.is_none()) report();
  }
  return py::make_tuple(all.loss, all.counts, all.blown_up);
}

}  // namespace

void bind_glove(py::module_& module) {
  module.def("glove", &fit, py::kw_only(), py::arg("words").noconvert(), py::arg("contexts").noconvert(),
             py::arg("dim"), py::arg("indptr").noconvert(), py::arg("indices").noconvert(), py::arg("data").noconvert(),
             py::arg("order").noconvert(), py::arg("row_starts").noconvert(), py::arg("column_starts").noconvert(),
             py::arg("shifts").noconvert(), py::arg("lr"), py::arg("x_max"), py::arg("alpha"), py::arg("threads"),
             py::arg("isa"), py::arg("progress"));
}

}  // namespace firth
