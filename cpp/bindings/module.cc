// The compiled CPU module: one bind_<word> per kernel, and the two choices made below Python.
#include <algorithm>

#include "bridge.h"
#include "firth/random.h"

namespace firth {
namespace {

// (count,) words of the stream from word `first` on: what tests and array code compare their own draws with.
Array<u32> draws(u64 seed, u32 stream, u32 epoch, i64 first, i64 count) {
  Array<u32> out(count);
  u32* words = out.mutable_data();
  for (i64 at = first / 4; 4 * at < first + count; ++at) {
    const Draw d = draw(seed, stream, epoch, static_cast<u64>(at));
    const u32 four[4] = {d.x, d.y, d.z, d.w};
    for (i64 i = std::max(first, 4 * at); i < std::min(first + count, 4 * at + 4); ++i) words[i - first] = four[i % 4];
  }
  return out;
}

}  // namespace
}  // namespace firth

PYBIND11_MODULE(_cpu, module, pybind11::mod_gil_not_used()) {
  using namespace firth;
  bind_tokens(module);
  bind_negative_sampling(module);
  bind_subwords(module);
  bind_classification(module);
  bind_cooccurrence(module);
  bind_glove(module);
  bind_walks(module);
  bind_ranking(module);
  bind_cosine(module);
  module.def("draws", &draws, py::arg("seed"), py::arg("stream"), py::arg("epoch"), py::arg("first"), py::arg("count"));
  module.def("isas", [] {
    py::list names;
    for (const Kernels* level : supported_kernels()) names.append(level->isa);
    return names;
  });
  module.def("isa", [] { return std::string(kernels("").isa); });
  module.def("set_num_threads", &set_threads, py::arg("threads"));
  module.def("num_threads", &default_threads);
  module.def("available_threads", &available_threads);
}
