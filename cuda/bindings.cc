// Device arrays -> views -> launcher. Arrays are any objects with __cuda_array_interface__ (CuPy's, Numba's,
// PyTorch's), taken as they are; results go into arrays that the caller allocated. Work is queued on the stream of the
// output array's interface; the only wait is for that stream, to learn whether a row was not finite.
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

#include "kernels/kernels.h"
#include "launch.h"

namespace firth::cuda {
namespace {

namespace py = pybind11;

struct Interface {
  void* data;
  i64 rows, columns;  // columns is 1 for a vector
  cudaStream_t stream;
};

// Reads a C-contiguous array of `dimensions` 1 or 2 whose typestr is `type`; anything else is a TypeError or
// ValueError.
Interface read(const py::object& object, const char* name, const std::string& type, py::size_t dimensions,
               bool written) {
  const std::string who = std::string("cuda: ") + name;
  if (!py::hasattr(object, "__cuda_array_interface__"))
    throw py::type_error(who + " has no __cuda_array_interface__: it is not a device array");
  const py::dict found = object.attr("__cuda_array_interface__");
  const auto given = found["typestr"].cast<std::string>();
  if (given != type) throw py::type_error(who + " has typestr " + given + ", expected " + type);
  const py::tuple shape = found["shape"];
  if (shape.size() != dimensions)
    throw py::value_error(who + " has " + std::to_string(shape.size()) + " dimensions, expected " +
                          std::to_string(dimensions));
  Interface view{};
  view.rows = shape[0].cast<i64>();
  view.columns = dimensions == 2 ? shape[1].cast<i64>() : 1;
  if (found.contains("strides") && !found["strides"].is_none() && view.rows > 0 && view.columns > 0) {
    const py::tuple strides = found["strides"];
    const i64 width = type.back() - '0';
    if (strides[0].cast<i64>() != width * view.columns || (dimensions == 2 && strides[1].cast<i64>() != width))
      throw py::value_error(who + " is not C-contiguous");
  }
  if (found.contains("mask") && !found["mask"].is_none()) throw py::value_error(who + " has a mask");
  const py::tuple data = found["data"];
  view.data = reinterpret_cast<void*>(data[0].cast<std::uintptr_t>());
  if (written && data[1].cast<bool>()) throw py::value_error(who + " is read-only");
  // 1 is the legacy default stream, 2 the thread's own: the values of cudaStreamLegacy and cudaStreamPerThread.
  if (found.contains("stream") && !found["stream"].is_none())
    view.stream = reinterpret_cast<cudaStream_t>(found["stream"].cast<std::uintptr_t>());
  return view;
}

int device_of(const Interface& view, const char* name) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, view.data), name);
  if (attributes.type != cudaMemoryTypeDevice && attributes.type != cudaMemoryTypeManaged)
    throw py::value_error(std::string("cuda: ") + name + " does not point to device memory");
  return attributes.device;
}

void expect(bool right, const char* what) {
  if (!right) throw py::value_error(std::string("cuda: ") + what);
}

// Fills ids and scores; returns the first query and the first item that are not finite, or -1.
py::tuple topk_of(const py::object& queries_array, const py::object& items_array, const py::object& exclude_array,
                  bool cosine, const py::object& ids_array, const py::object& scores_array, int, const std::string&) {
  const Interface queries = read(queries_array, "queries", "<f4", 2, false);
  const Interface items = read(items_array, "items", "<f4", 2, false);
  const Interface exclude = read(exclude_array, "exclude", "<i8", 1, false);
  const Interface ids = read(ids_array, "ids", "<i8", 2, true);
  const Interface scores = read(scores_array, "scores", "<f4", 2, true);
  expect(queries.columns == items.columns && items.columns > 0, "queries and items differ in width");
  expect(ids.columns > 0 && ids.columns <= items.rows, "ids has not between 1 and the items' number of columns");
  expect(ids.rows == queries.rows && scores.rows == queries.rows && exclude.rows == queries.rows &&
             scores.columns == ids.columns,
         "queries, exclude, ids and scores differ in length");
  if (queries.rows == 0) return py::make_tuple(-1, -1);
  const int device = device_of(ids, "ids");
  expect(device == device_of(queries, "queries") && device == device_of(items, "items") &&
             device == device_of(exclude, "exclude") && device == device_of(scores, "scores"),
         "arrays lie on different devices");
  const TopK args{{static_cast<const float*>(queries.data), queries.rows, queries.columns},
                  {static_cast<const float*>(items.data), items.rows, items.columns},
                  static_cast<const i64*>(exclude.data),
                  ids.columns,
                  cosine,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr};
  Bad bad{};
  {
    const py::gil_scoped_release unlocked;
    const OnDevice scope(device);
    const Scratch<Bad> on_device(1, ids.stream);
    topk(args, static_cast<i64*>(ids.data), static_cast<float*>(scores.data), on_device.data(), ids.stream);
    check(cudaMemcpyAsync(&bad, on_device.data(), sizeof bad, cudaMemcpyDeviceToHost, ids.stream), "topk: status");
    check(cudaStreamSynchronize(ids.stream), "topk");
  }
  return py::make_tuple(bad.query < queries.rows ? bad.query : -1, bad.item < items.rows ? bad.item : -1);
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
  module.def("topk", &topk_of, py::kw_only(), py::arg("queries"), py::arg("items"), py::arg("exclude"),
             py::arg("cosine"), py::arg("ids"), py::arg("scores"), py::arg("threads"), py::arg("isa"));
  module.def("devices", &devices);
  module.def("runtime_version", &runtime_version);
}
