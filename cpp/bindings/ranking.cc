#include "firth/ranking.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "bridge.h"

namespace firth {
namespace {

constexpr i64 kGrain = 1024;  // samples of a task, or users

// Samples [first, last) of an epoch. Returns (loss summed, samples, right ones, skipped ones, the first sample that met
// a number that is not finite or -1). `progress`, unless None, is called now and then with (samples done, loss so far).
py::tuple train(Array<float> users, Array<float> items, Array<float> biases, const Array<i64>& indptr,
                const Array<u32>& indices, const Array<u32>& owners, const Array<u32>& noise, u32 loss, i64 trials,
                i64 first, i64 last, u64 seed, u32 epoch, double lr, double reg, int threads, const std::string& isa,
                const py::object& progress) {
  Ranking args{};
  args.users = mutable_view(users);
  args.items = mutable_view(items);
  if (biases.shape(0) > 0) args.biases = biases.mutable_data();
  args.links = {indptr.data(), indices.data()};
  args.owners = owners.data();
  args.pairs = indices.shape(0);
  if (noise.shape(0) > 0) args.noise = reinterpret_cast<const NoiseColumn*>(noise.data());
  args.loss = static_cast<RankingLoss>(loss);
  args.trials = trials;
  args.lr = static_cast<float>(lr);
  args.reg = static_cast<float>(reg);
  args.seed = seed;
  args.epoch = epoch;

  const Kernels& kernel = kernels(isa);
  const i64 size = last - first, most = (size + kGrain - 1) / kGrain;
  const int workers = workers_for(most, 1, threads);
  std::vector<RankingOutcome> outcomes(static_cast<std::size_t>(std::max(workers, 1)), RankingOutcome{0, 0, 0, 0, -1});
  std::vector<unsigned char> marks(static_cast<std::size_t>(args.pairs));
  args.marks = marks.data();
  run(args.users.rows, kGrain, threads, [&](Range range, int) { kernel.mark_met(args, range); });
  std::atomic<i64> done{0};
  std::atomic<double> lost{0};
  const auto report = [&] { progress(done.load(), lost.load()); };
  run(
      size, kGrain, threads,
      [&](Range range, int number) {
        Ranking mine = args;
        mine.outcome = &outcomes[static_cast<std::size_t>(number)];
        if (mine.outcome->blown_up >= 0) return;
        const double before = mine.outcome->loss;
        kernel.ranking(mine, {first + range.begin, first + range.end});
        done += range.end - range.begin;
        lost += mine.outcome->loss - before;
      },
      progress.is_none() ? std::function<void()>() : std::function<void()>(report));
  RankingOutcome all{0, 0, 0, 0, -1};
  for (const RankingOutcome& one : outcomes) {
    all.loss += one.loss;
    all.samples += one.samples;
    all.right += one.right;
    all.skipped += one.skipped;
    if (one.blown_up >= 0 && (all.blown_up < 0 || one.blown_up < all.blown_up)) all.blown_up = one.blown_up;
  }
  return py::make_tuple(all.loss, all.samples, all.right, all.skipped, all.blown_up);
}

}  // namespace

void bind_ranking(py::module_& module) {
  module.def("ranking", &train, py::kw_only(), py::arg("users").noconvert(), py::arg("items").noconvert(),
             py::arg("biases").noconvert(), py::arg("indptr").noconvert(), py::arg("indices").noconvert(),
             py::arg("owners").noconvert(), py::arg("noise").noconvert(), py::arg("loss"), py::arg("trials"),
             py::arg("first"), py::arg("last"), py::arg("seed"), py::arg("epoch"), py::arg("lr"), py::arg("reg"),
             py::arg("threads"), py::arg("isa"), py::arg("progress"));
}

}  // namespace firth
