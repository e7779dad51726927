// numpy -> views -> kernel. Arrays are taken as they are (noconvert: a wrong dtype is a TypeError, never a silent
// copy); shapes and values were checked in python/firth/kernels/. The GIL is released here and nowhere else.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <exception>
#include <functional>
#include <string>

#include "dispatch.h"
#include "parallel.h"

namespace firth {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

template <class T>
Matrix<const T> view(const Array<T>& array) {
  return {array.data(), array.shape(0), array.shape(1)};
}

template <class T>
Matrix<T> mutable_view(Array<T>& array) {
  return {array.mutable_data(), array.shape(0), array.shape(1)};
}

// Runs `work` over [0, size) on the pool without the GIL. Every 50 ms or so Ctrl-C is looked for and `report` (may be
// null; the GIL is held) is called; an exception from either stops the work and is raised here.
inline void run(i64 size, i64 grain, int threads, const std::function<void(Range, int)>& work,
                const std::function<void()>& report = nullptr) {
  std::exception_ptr error;
  {
    py::gil_scoped_release unlocked;
    parallel(size, grain, threads, work, [&] {
      py::gil_scoped_acquire locked;
      try {
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (report) report();
      } catch (...) {
        error = std::current_exception();
      }
      return error != nullptr;
    });
  }
  if (error) std::rethrow_exception(error);
}

// One per kernel, in bindings/<word>.cc.
void bind_tokens(py::module_& module);
void bind_negative_sampling(py::module_& module);
void bind_subwords(py::module_& module);
void bind_classification(py::module_& module);
void bind_cooccurrence(py::module_& module);
void bind_glove(py::module_& module);
void bind_walks(py::module_& module);
void bind_ranking(py::module_& module);
void bind_cosine(py::module_& module);

}  // namespace firth
