#include "firth/classification.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <vector>

#include "bridge.h"

namespace firth {
namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// What one thread has done so far, readable while it goes on.
struct alignas(128) Done {
  std::atomic<i64> positions{0}, examples{0};
  std::atomic<double> loss{0};
};

// Examples of a task, which cannot be interrupted: about 2^25 multiply-adds.
i64 grain_of(const Classification& a, i64 ids) {
  const i64 rows = 2 * ids / std::max<i64>(a.examples, 1) + 3 * (a.loss == ClassLoss::kTree ? 16 : a.output.rows);
  return std::clamp<i64>((i64{1} << 25) / (rows * a.input.dim), 1, 1024);
}

// One pass over the examples. Returns (loss summed over examples, examples, the first example that met a number that is
// not finite or -1). `progress`, unless None, is called now and then with (positions done, loss and examples so far).
py::tuple classify(Array<float> input, Array<float> output, const Array<i64>& bag_offsets, const Array<u32>& bag_ids,
                   const Array<i64>& label_offsets, const Array<u32>& label_ids, const Array<i64>& path_offsets,
                   const Array<u32>& path_ids, const Array<i64>& positions, u32 loss, u64 seed, u32 epoch,
                   double lr_begin, double lr_end, int threads, const std::string& isa, const py::object& progress) {
  Classification args{};
  args.input = mutable_view(input);
  args.output = mutable_view(output);
  args.bags = {bag_offsets.data(), bag_ids.data()};
  args.labels = {label_offsets.data(), label_ids.data()};
  if (path_offsets.shape(0) > 0) args.paths = {path_offsets.data(), path_ids.data()};
  args.positions = positions.data();
  args.examples = positions.shape(0) - 1;
  args.loss = static_cast<ClassLoss>(loss);
  args.seed = seed;
  args.epoch = epoch;
  args.lr_begin = static_cast<float>(lr_begin);
  args.lr_end = static_cast<float>(lr_end);

  const Kernels& kernel = kernels(isa);
  const i64 grain = grain_of(args, bag_ids.shape(0));
  const int workers = workers_for(args.examples, grain, threads);
  const std::size_t bytes = static_cast<std::size_t>((classification_scratch(args) + 63) / 64 * 64);
  std::vector<Learnt> learnt(static_cast<std::size_t>(workers), Learnt{0, 0, -1});
  std::vector<Done> done(static_cast<std::size_t>(workers));
  std::vector<std::unique_ptr<void, Free>> scratch;
  for (int i = 0; i < workers; ++i) {
    scratch.emplace_back(std::aligned_alloc(64, bytes));
    if (scratch.back()) continue;
    PyErr_Format(PyExc_MemoryError, "classification: %d threads need %zu bytes each, found less", workers, bytes);
    throw py::error_already_set();
  }
  const auto work = [&](Range range, int number) {
    const std::size_t thread = static_cast<std::size_t>(number);
    Classification mine = args;
    mine.scratch = scratch[thread].get();
    mine.learnt = &learnt[thread];
    kernel.classification(mine, range);
    done[thread].positions += args.positions[range.end] - args.positions[range.begin];
    done[thread].examples = learnt[thread].examples;
    done[thread].loss = learnt[thread].loss;
  };
  const auto report = [&] {
    i64 position = 0, examples = 0;
    double so_far = 0;
    for (const Done& one : done) {
      position += one.positions;
      examples += one.examples;
      so_far += one.loss;
    }
    progress(position, so_far, examples);
  };
  run(args.examples, grain, workers, work, progress.is_none() ? std::function<void()>() : report);
  Learnt all{0, 0, -1};
  for (const Learnt& one : learnt) {
    all.loss += one.loss;
    all.examples += one.examples;
    if (one.blown_up >= 0 && (all.blown_up < 0 || one.blown_up < all.blown_up)) all.blown_up = one.blown_up;
  }
  return py::make_tuple(all.loss, all.examples, all.blown_up);
}

}  // namespace

void bind_classification(py::module_& module) {
  module.def("classification", &classify, py::kw_only(), py::arg("input").noconvert(), py::arg("output").noconvert(),
             py::arg("bag_offsets").noconvert(), py::arg("bag_ids").noconvert(), py::arg("label_offsets").noconvert(),
             py::arg("label_ids").noconvert(), py::arg("path_offsets").noconvert(), py::arg("path_ids").noconvert(),
             py::arg("positions").noconvert(), py::arg("loss"), py::arg("seed"), py::arg("epoch"), py::arg("lr_begin"),
             py::arg("lr_end"), py::arg("threads"), py::arg("isa"), py::arg("progress"));
}

}  // namespace firth
