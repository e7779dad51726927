// Device arrays -> views -> launcher. Results go into arrays that the caller allocated. Work is queued on the stream of
// the output array's interface; the only wait is for that stream, to learn whether a row was not finite.
#include "interface.h"
#include "kernels/kernels.h"

namespace firth::cuda {
namespace {

// Items that are searched or made. A scan reads 16 bytes of a panel at a time.
void expect_panels(const Interface& panels, i64 items, Scan scan, i64 dim) {
  expect(scan != Scan::kInt8 || dim <= kMaxInt8Dim, "int8 has too many columns");
  expect(panels.rows == panels_of(items) && panels.columns == panel_bytes(scan, dim), "panels do not fit the items");
  expect(reinterpret_cast<std::uintptr_t>(panels.data) % 16 == 0, "panels are not aligned to 16 bytes");
}

// Fills panels and constants; returns the first row that is not finite, or -1.
i64 prepare_of(const py::object& rows_array, int number, bool cosine, bool keep_exact, const py::object& panels_array,
               const py::object& constants_array, int, const std::string&) {
  const Interface rows = read(rows_array, "rows", "<f4", 2, false);
  const Interface panels = read(panels_array, "panels", "|u1", 2, true);
  const Interface constants = read(constants_array, "constants", "<f4", 2, true);
  expect(number >= 0 && number <= 2, "scan is not 0, 1 or 2");
  const Scan scan = static_cast<Scan>(number);
  expect(rows.columns > 0, "rows have no columns");
  expect(constants.rows == 3 && constants.columns == panels_of(rows.rows) * kPanel, "constants do not fit the rows");
  if (scan != Scan::kFloat32) expect_panels(panels, rows.rows, scan, rows.columns);
  expect(scan != Scan::kFloat32 || (keep_exact && panels.rows == 0), "float32 has panels or does not keep its rows");
  if (rows.rows == 0) return -1;
  const int device = device_of_all({{rows, "rows"}, {panels, "panels"}, {constants, "constants"}});
  i64 bad = 0;
  {
    const py::gil_scoped_release unlocked;
    const OnDevice scope(device);
    const Scratch<i64> on_device(1, constants.stream);
    prepare({{data<const float>(rows), rows.rows, rows.columns},
             scan,
             cosine,
             keep_exact,
             data<unsigned char>(panels),
             data<float>(constants),
             nullptr,
             on_device.data()},
            constants.stream);
    check(cudaMemcpyAsync(&bad, on_device.data(), sizeof bad, cudaMemcpyDeviceToHost, constants.stream),
          "prepare: status");
    check(cudaStreamSynchronize(constants.stream), "prepare");
  }
  return bad < rows.rows ? bad : -1;
}

// Fills ids and scores; returns the first query and the first item that are not finite, or -1.
py::tuple topk_of(const py::object& queries_array, const py::object& rows_array, const py::object& panels_array,
                  const py::object& constants_array, i64 count, int number, bool cosine,
                  const py::object& exclude_array, const py::object& mask_array, const py::object& threshold_array,
                  const py::object& ids_array, const py::object& scores_array, int, const std::string&) {
  const Interface queries = read(queries_array, "queries", "<f4", 2, false);
  const Interface rows = read(rows_array, "rows", "<f4", 2, false);
  const Interface panels = read(panels_array, "panels", "|u1", 2, false);
  const Interface constants = read(constants_array, "constants", "<f4", 2, false);
  const Interface exclude = read(exclude_array, "exclude", "<i8", 2, false);
  const Interface mask = read(mask_array, "mask", "|u1", 1, false);
  const Interface threshold = read(threshold_array, "threshold", "<f8", 1, false);
  const Interface ids = read(ids_array, "ids", "<i8", 2, true);
  const Interface scores = read(scores_array, "scores", "<f8", 2, true);
  const i64 dim = queries.columns;
  expect(number >= -1 && number <= 2, "scan is not -1, 0, 1 or 2");
  const Scan scan = number < 0 ? Scan::kFloat32 : static_cast<Scan>(number);
  const bool coded = scan != Scan::kFloat32, raw = constants.columns == 0;
  expect(dim > 0 && rows.columns == dim, "queries and rows differ in width");
  expect(ids.columns > 0 && ids.columns <= count, "ids has not between 1 and the items' number of columns");
  expect(rows.rows == count || (rows.rows == 0 && coded), "rows are not those of the items");
  expect(constants.rows == 3 && (raw ? !coded : constants.columns == panels_of(count) * kPanel),
         "constants do not fit the items");
  if (coded) expect_panels(panels, count, scan, dim);
  expect(mask.rows == 0 || mask.rows == count, "mask does not fit the items");
  expect(ids.rows == queries.rows && scores.rows == queries.rows && exclude.rows == queries.rows &&
             threshold.rows == queries.rows && scores.columns == ids.columns,
         "queries, exclude, threshold, ids and scores differ in length");
  if (queries.rows == 0) return py::make_tuple(-1, -1);
  const int device = device_of_all({{queries, "queries"},
                                    {rows, "rows"},
                                    {panels, "panels"},
                                    {constants, "constants"},
                                    {exclude, "exclude"},
                                    {mask, "mask"},
                                    {threshold, "threshold"},
                                    {ids, "ids"},
                                    {scores, "scores"}});
  TopK args{};
  args.queries = {data<const float>(queries), queries.rows, dim};
  args.items = {data<const float>(rows),
                data<const unsigned char>(panels),
                data<const float>(constants),
                count,
                dim,
                scan,
                cosine};
  args.exclude = data<const i64>(exclude);
  args.excluded = exclude.columns;
  args.mask = data<const unsigned char>(mask);
  args.threshold = data<const double>(threshold);
  args.k = ids.columns;
  Bad bad{};
  {
    const py::gil_scoped_release unlocked;
    const OnDevice scope(device);
    const Scratch<Bad> on_device(1, ids.stream);
    topk(args, data<i64>(ids), data<double>(scores), on_device.data(), ids.stream);
    check(cudaMemcpyAsync(&bad, on_device.data(), sizeof bad, cudaMemcpyDeviceToHost, ids.stream), "topk: status");
    check(cudaStreamSynchronize(ids.stream), "topk");
  }
  return py::make_tuple(bad.query < queries.rows ? bad.query : -1, bad.item < count ? bad.item : -1);
}

// The devices' names; RuntimeError says why there is none.
py::list devices() {
  int count = 0;  // without a driver the call leaves it as it is
  check(cudaGetDeviceCount(&count), "devices");
  py::list names;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), "device");
    names.append(std::string(properties.name) + " (sm_" + std::to_string(properties.major) +
                 std::to_string(properties.minor) + ")");
  }
  return names;
}

int runtime_version() {
  int version = 0;
  check(cudaRuntimeGetVersion(&version), "runtime version");
  return version;
}

}  // namespace
}  // namespace firth::cuda

PYBIND11_MODULE(_cuda, module, pybind11::mod_gil_not_used()) {
  using namespace firth::cuda;
  module.def("prepare", &prepare_of, py::kw_only(), py::arg("rows"), py::arg("scan"), py::arg("cosine"),
             py::arg("keep_exact"), py::arg("panels"), py::arg("constants"), py::arg("threads"), py::arg("isa"));
  module.def("topk", &topk_of, py::kw_only(), py::arg("queries"), py::arg("rows"), py::arg("panels"),
             py::arg("constants"), py::arg("items"), py::arg("scan"), py::arg("cosine"), py::arg("exclude"),
             py::arg("mask"), py::arg("threshold"), py::arg("ids"), py::arg("scores"), py::arg("threads"),
             py::arg("isa"));
  bind_cooccurrence(module);
  bind_glove(module);
  bind_negative_sampling(module);
  bind_ranking(module);
  bind_subwords(module);
  bind_walks(module);
  module.def("devices", &devices);
  module.def("runtime_version", &runtime_version);
}
