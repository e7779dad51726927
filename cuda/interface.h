// Device arrays -> views, for the bindings. Arrays are any objects with __cuda_array_interface__ (CuPy's, Numba's,
// PyTorch's), taken as they are.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <initializer_list>
#include <string>

#include "launch.h"

namespace firth::cuda {

namespace py = pybind11;

struct Interface {
  void* data;
  i64 rows, columns;  // columns is 1 for a vector
  cudaStream_t stream;
};

// Reads a C-contiguous array of `dimensions` 1 or 2 whose typestr is `type`; anything else is a TypeError or
// ValueError.
inline Interface read(const py::object& object, const char* name, const std::string& type, py::size_t dimensions,
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

inline int device_of(const Interface& view, const char* name) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, view.data), name);
  if (attributes.type != cudaMemoryTypeDevice && attributes.type != cudaMemoryTypeManaged)
    throw py::value_error(std::string("cuda: ") + name + " does not point to device memory");
  return attributes.device;
}

inline void expect(bool right, const char* what) {
  if (!right) throw py::value_error(std::string("cuda: ") + what);
}

// Arrays that must lie on one device; those without elements lie nowhere.
struct Named {
  const Interface& view;
  const char* name;
};
inline int device_of_all(std::initializer_list<Named> arrays) {
  int found = -1;
  for (const Named& array : arrays) {
    if (array.view.rows == 0 || array.view.columns == 0) continue;
    const int device = device_of(array.view, array.name);
    expect(found < 0 || found == device, "arrays lie on different devices");
    found = device;
  }
  return found;
}

template <class T>
T* data(const Interface& view) {
  return view.rows > 0 && view.columns > 0 ? static_cast<T*>(view.data) : nullptr;
}

// One per contract header that has no place in bindings.cc, in bindings_<word>.cc.
void bind_cooccurrence(py::module_& module);
void bind_glove(py::module_& module);
void bind_negative_sampling(py::module_& module);
void bind_ranking(py::module_& module);
void bind_subwords(py::module_& module);
void bind_walks(py::module_& module);

}  // namespace firth::cuda
