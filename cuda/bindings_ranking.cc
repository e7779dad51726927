// Tables and what was met on a device -> the launcher of ranking.cu, some samples at a time. Marks are not made: a
// search in a device's caches costs little beside the rows.
#include <algorithm>
#include <vector>

#include "interface.h"
#include "kernels/kernels.h"

namespace firth::cuda {
namespace {

// Samples that are trained before Ctrl-C is looked for: of a thread block, and in all.
constexpr i64 kEach = i64{1} << 14, kMost = i64{1} << 23;

// Returns what cpp/bindings/ranking.cc returns. `threads` are samples in flight, 0: as many as device and tables allow.
py::tuple train(const py::object& users_array, const py::object& items_array, const py::object& biases_array,
                const py::object& indptr_array, const py::object& indices_array, const py::object& owners_array,
                const py::object& noise_array, u32 loss, i64 trials, i64 first, i64 last, u64 seed, u32 epoch,
                double lr, double reg, i64 threads, const std::string&, const py::object& progress) {
  const Interface users = read(users_array, "users", "<f4", 2, true);
  const Interface items = read(items_array, "items", "<f4", 2, true);
  const Interface biases = read(biases_array, "biases", "<f4", 1, true);
  const Interface indptr = read(indptr_array, "indptr", "<i8", 1, false);
  const Interface indices = read(indices_array, "indices", "<u4", 1, false);
  const Interface owners = read(owners_array, "owners", "<u4", 1, false);
  const Interface noise = read(noise_array, "noise", "<u4", 2, false);
  expect(users.columns > 0 && users.columns == items.columns && users.columns <= INT32_MAX / 2,
         "users and items differ in width, or have none");
  expect(users.rows < INT32_MAX && items.rows < INT32_MAX, "tables have more than 2^31 - 2 rows");
  expect(indptr.rows == users.rows + 1, "indptr does not fit users");
  expect(owners.rows == indices.rows && indices.rows <= i64{UINT32_MAX}, "owners do not fit indices");
  expect(biases.rows == 0 || biases.rows == items.rows, "biases do not fit items");
  expect(noise.rows == 0 || (noise.rows == items.rows && noise.columns == 2), "noise does not fit items");
  expect(loss <= 1 && trials >= 1 && trials <= 1 << 16, "loss or trials is out of range");
  expect(0 <= first && first <= last && last <= owners.rows, "part is not in the epoch");
  expect(threads >= 0 && threads <= 4096, "threads is not between 0 and 4096");
  if (first == last) return py::make_tuple(0.0, 0, 0, 0, -1);
  const int device = device_of_all({{users, "users"},
                                    {items, "items"},
                                    {biases, "biases"},
                                    {indptr, "indptr"},
                                    {indices, "indices"},
                                    {owners, "owners"},
                                    {noise, "noise"}});
  Ranking args{};
  args.users = {data<float>(users), users.rows, users.columns};
  args.items = {data<float>(items), items.rows, items.columns};
  args.biases = data<float>(biases);
  args.links = {data<const i64>(indptr), data<const u32>(indices)};
  args.owners = data<const u32>(owners);
  args.pairs = owners.rows;
  args.noise = data<const NoiseColumn>(noise);
  args.loss = static_cast<RankingLoss>(loss);
  args.trials = trials;
  args.lr = static_cast<float>(lr);
  args.reg = static_cast<float>(reg);
  args.seed = seed;
  args.epoch = epoch;

  const cudaStream_t stream = users.stream;
  const OnDevice scope(device);
  const i64 flight = ranking_flight(args, threads), blocks = ranking_blocks(args, flight);
  const i64 some = std::min(blocks * kEach, kMost);
  std::vector<RankingOutcome> outcomes(static_cast<std::size_t>(blocks), RankingOutcome{0, 0, 0, 0, -1});
  const std::size_t bytes = outcomes.size() * sizeof(RankingOutcome);
  const Scratch<RankingOutcome> on_device(blocks, stream);
  check(cudaMemcpyAsync(on_device.data(), outcomes.data(), bytes, cudaMemcpyHostToDevice, stream), "ranking: outcomes");
  args.outcome = on_device.data();
  RankingOutcome all{0, 0, 0, 0, -1};
  for (i64 at = first; at < last && all.blown_up < 0; at += some) {
    {
      const py::gil_scoped_release unlocked;
      ranking(args, flight, {at, std::min(last, at + some)}, stream);
      check(cudaMemcpyAsync(outcomes.data(), on_device.data(), bytes, cudaMemcpyDeviceToHost, stream),
            "ranking: outcomes");
      check(cudaStreamSynchronize(stream), "ranking");
    }
    all = {0, 0, 0, 0, -1};
    for (const RankingOutcome& one : outcomes) {
      all.loss += one.loss;
      all.samples += one.samples;
      all.right += one.right;
      all.skipped += one.skipped;
      if (one.blown_up >= 0 && (all.blown_up < 0 || one.blown_up < all.blown_up)) all.blown_up = one.blown_up;
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!progress.is_none()) progress(std::min(last, at + some) - first, all.loss);
  }
  return py::make_tuple(all.loss, all.samples, all.right, all.skipped, all.blown_up);
}

}  // namespace

void bind_ranking(py::module_& module) {
  module.def("ranking", &train, py::kw_only(), py::arg("users"), py::arg("items"), py::arg("biases"), py::arg("indptr"),
             py::arg("indices"), py::arg("owners"), py::arg("noise"), py::arg("loss"), py::arg("trials"),
             py::arg("first"), py::arg("last"), py::arg("seed"), py::arg("epoch"), py::arg("lr"), py::arg("reg"),
             py::arg("threads"), py::arg("isa"), py::arg("progress"));
}

}  // namespace firth::cuda
