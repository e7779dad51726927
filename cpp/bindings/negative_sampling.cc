#include "firth/negative_sampling.h"

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
  std::atomic<i64> tokens{0}, pairs{0};
  std::atomic<double> loss{0};
};

// One pass over the corpus. Returns (loss summed over pairs, pairs, kept tokens, position of the first piece that met a
// number that is not finite or -1, position of the first id that is no word or -1). `progress`, unless None, is called
// now and then with (tokens done, loss so far, pairs so far).
py::tuple train(Array<float> input, Array<float> output, const Array<u32>& ids, const Array<i64>& offsets,
                const Array<i64>& bag_offsets, const Array<u32>& bag_ids, const Array<u32>& keep,
                const Array<u32>& noise, u32 window, u32 negative, bool cbow, i64 block, i64 shared, i64 piece,
                u64 seed, u32 epoch, double lr_begin, double lr_end, int threads, const std::string& isa,
                const py::object& progress) {
  NegativeSampling args{};
  args.input = mutable_view(input);
  args.output = mutable_view(output);
  if (bag_offsets.shape(0) > 0) args.bags = {bag_offsets.data(), bag_ids.data()};
  args.ids = ids.data();
  args.offsets = offsets.data();
  args.tokens = ids.shape(0);
  args.sentences = offsets.shape(0) - 1;
  args.keep = keep.data();
  args.noise = reinterpret_cast<const NoiseColumn*>(noise.data());
  args.window = window;
  args.negative = negative;
  args.cbow = cbow;
  args.block = block;
  args.shared = shared;
  args.piece = piece;
  args.seed = seed;
  args.epoch = epoch;
  args.lr_begin = static_cast<float>(lr_begin);
  args.lr_end = static_cast<float>(lr_end);

  const Kernels& kernel = kernels(isa);
  const i64 pieces = (args.tokens + piece - 1) / piece;
  const int workers = workers_for(pieces, 1, threads);
  const std::size_t bytes = static_cast<std::size_t>((negative_sampling_scratch(args) + 63) / 64 * 64);
  std::vector<Outcome> outcomes(static_cast<std::size_t>(workers), Outcome{0, 0, 0, -1, -1});
  std::vector<Done> done(static_cast<std::size_t>(workers));
  std::vector<std::unique_ptr<void, Free>> scratch;
  for (int i = 0; i < workers; ++i) {
    scratch.emplace_back(std::aligned_alloc(64, bytes));
    if (scratch.back()) continue;
    PyErr_Format(PyExc_MemoryError,
                 "negative_sampling: %d threads of dim=%lld, window=%u need %zu bytes each, found less", workers,
                 static_cast<long long>(args.input.dim), window, bytes);
    throw py::error_already_set();
  }
  const auto work = [&](Range range, int number) {
    const std::size_t thread = static_cast<std::size_t>(number);
    NegativeSampling mine = args;
    mine.scratch = scratch[thread].get();
    mine.outcome = &outcomes[thread];
    kernel.negative_sampling(mine, range);
    done[thread].tokens += std::min(args.tokens, range.end * piece) - range.begin * piece;
    done[thread].pairs = outcomes[thread].pairs;
    done[thread].loss = outcomes[thread].loss;
  };
  const auto report = [&] {
    i64 tokens = 0, pairs_done = 0;
    double loss = 0;
    for (const Done& one : done) {
      tokens += one.tokens;
      pairs_done += one.pairs;
      loss += one.loss;
    }
    progress(tokens, loss, pairs_done);
  };
  run(pieces, 1, workers, work, progress.is_none() ? std::function<void()>() : report);
  Outcome all{0, 0, 0, -1, -1};
  const auto first_of = [](i64 a, i64 b) { return a < 0 || (b >= 0 && b < a) ? b : a; };
  for (const Outcome& one : outcomes) {
    all.loss += one.loss;
    all.pairs += one.pairs;
    all.kept += one.kept;
    all.blown_up = first_of(all.blown_up, one.blown_up);
    all.unknown = first_of(all.unknown, one.unknown);
  }
  return py::make_tuple(all.loss, all.pairs, all.kept, all.blown_up, all.unknown);
}

// The alias table of `weights`, (words, 2), built by Vose's method.
Array<u32> alias_table(const Array<double>& weights) {
  const i64 n = weights.shape(0);
  Array<u32> table({n, i64{2}});
  NoiseColumn* columns = reinterpret_cast<NoiseColumn*>(table.mutable_data());
  double total = 0;
  for (i64 i = 0; i < n; ++i) total += weights.data()[i];
  std::vector<double> height(static_cast<std::size_t>(n));
  std::vector<u32> small, large;
  for (i64 i = 0; i < n; ++i) {
    const u32 word = static_cast<u32>(i);
    height[word] = weights.data()[i] / total * static_cast<double>(n);
    (height[word] < 1 ? small : large).push_back(word);
    columns[word] = {~0u, word};
  }
  while (!small.empty() && !large.empty()) {
    const u32 low = small.back(), high = large.back();
    small.pop_back();
    columns[low] = {static_cast<u32>(height[low] * 4294967295.0), high};
    height[high] -= 1 - height[low];
    if (height[high] >= 1) continue;
    large.pop_back();
    small.push_back(high);
  }
  return table;
}

}  // namespace

void bind_negative_sampling(py::module_& module) {
  module.def("negative_sampling", &train, py::kw_only(), py::arg("input").noconvert(), py::arg("output").noconvert(),
             py::arg("ids").noconvert(), py::arg("offsets").noconvert(), py::arg("bag_offsets").noconvert(),
             py::arg("bag_ids").noconvert(), py::arg("keep").noconvert(), py::arg("noise").noconvert(),
             py::arg("window"), py::arg("negative"), py::arg("cbow"), py::arg("block"), py::arg("shared"),
             py::arg("piece"), py::arg("seed"), py::arg("epoch"), py::arg("lr_begin"), py::arg("lr_end"),
             py::arg("threads"), py::arg("isa"), py::arg("progress"));
  module.def("alias_table", &alias_table, py::kw_only(), py::arg("weights").noconvert());
}

}  // namespace firth
