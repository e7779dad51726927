// Tables and a corpus on a device -> the launcher of negative_sampling.cu, a span of pieces or a round at a time. Spans
// are queued without looking at the device; what was done is read now and then.
#include <algorithm>
#include <cstdint>

#include "interface.h"
#include "kernels/kernels.h"

namespace firth::cuda {
namespace {

constexpr i64 kSpan = i64{1} << 22;  // tokens that are packed together, and queued before Ctrl-C is looked for

// What the pass needs, before any of it is allocated.
void expect_room(const SamplingPlan& plan) {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "memory of the device");
  if (static_cast<u64>(plan.needed) <= free) return;
  PyErr_Format(PyExc_MemoryError,
               "negative_sampling: %lld MB are needed on the device beside the tables, %zu MB of %zu MB are free",
               static_cast<long long>(plan.needed >> 20), free >> 20, total >> 20);
  throw py::error_already_set();
}

// An array that may be left out: empty, wherever it is.
Interface read_some(const py::object& object, const char* name, const std::string& type) {
  if (!py::hasattr(object, "__cuda_array_interface__") && py::len(object) == 0) return {};
  return read(object, name, type, 1, false);
}

// Returns what cpp/bindings/negative_sampling.cc returns. `threads` are thread blocks in flight, 0: the plan's choice.
py::tuple train(const py::object& input_array, const py::object& output_array, const py::object& ids_array,
                const py::object& sources_array, const py::object& offsets_array, const py::object& bag_offsets_array,
                const py::object& bag_ids_array, const py::object& keep_array, const py::object& noise_array,
                u32 window, u32 negative, bool cbow, i64 block, i64 shared, i64 piece, i64 round, i64 first, i64 last,
                u64 seed, u32 epoch, double lr_begin, double lr_end, i64 threads, const std::string&,
                const py::object& progress) {
  const Interface input = read(input_array, "input", "<f4", 2, true);
  const Interface output = read(output_array, "output", "<f4", 2, true);
  const Interface ids = read(ids_array, "ids", "<u4", 1, false);
  const Interface sources = read_some(sources_array, "sources", "<u4");
  const Interface offsets = read(offsets_array, "offsets", "<i8", 1, false);
  const Interface bag_offsets = read_some(bag_offsets_array, "bag_offsets", "<i8");
  const Interface bag_ids = read_some(bag_ids_array, "bag_ids", "<u4");
  const Interface keep = read(keep_array, "keep", "<u4", 1, false);
  const Interface noise = read(noise_array, "noise", "<u4", 2, false);
  const bool free = bag_offsets.rows > 0 || sources.rows > 0;
  expect(input.columns > 0 && input.columns == output.columns, "input and output differ in width");
  expect(output.rows > 0 && output.rows < INT32_MAX && input.rows > 0 && input.rows < INT32_MAX,
         "tables have not between 1 and 2^31 - 2 rows");
  expect(free || input.rows == output.rows, "input and output differ in length");
  expect(keep.rows == output.rows && noise.rows == output.rows && noise.columns == 2, "keep and noise fit no words");
  expect(sources.rows == 0 || (sources.rows == ids.rows && !cbow), "sources are not those of the tokens of skip-gram");
  expect(bag_offsets.rows == 0 || sources.rows > 0 || bag_offsets.rows == output.rows + 1, "bags fit no words");
  expect(offsets.rows > 0 && offsets.rows < INT32_MAX, "offsets are of no or of too many sentences");
  expect(window >= 1 && window <= 10'000 && negative <= 10'000, "window or negative is out of range");
  expect(block >= 1 && block <= 4096 && shared >= 16 && shared <= 4096 && shared % 16 == 0,
         "block is not between 1 and 4096, or shared no multiple of 16 up to 4096");
  expect(piece >= 2 && piece <= i64{1} << 20 && piece % 2 == 0, "piece is not an even number up to 2^20");
  expect(round >= 0 && round <= i64{1} << 30 && round % piece == 0, "round is no multiple of piece");
  expect(0 <= first && first <= last && last <= ids.rows && first % piece == 0, "part is not in the corpus");
  expect(threads >= 0 && threads <= 4096, "threads is not between 0 and 4096");
  if (first == last) return py::make_tuple(0.0, 0, 0, -1, -1);
  const int device = device_of_all({{input, "input"},
                                    {output, "output"},
                                    {ids, "ids"},
                                    {sources, "sources"},
                                    {offsets, "offsets"},
                                    {bag_offsets, "bag_offsets"},
                                    {bag_ids, "bag_ids"},
                                    {keep, "keep"},
                                    {noise, "noise"}});
  NegativeSampling args{};
  args.input = {data<float>(input), input.rows, input.columns};
  args.output = {data<float>(output), output.rows, output.columns};
  args.bags = {data<const i64>(bag_offsets), data<const u32>(bag_ids)};
  args.ids = data<const u32>(ids);
  args.sources = data<const u32>(sources);
  args.offsets = data<const i64>(offsets);
  args.tokens = ids.rows;
  args.sentences = offsets.rows - 1;
  args.keep = data<const u32>(keep);
  args.noise = data<const NoiseColumn>(noise);
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

  const cudaStream_t stream = input.stream;
  const OnDevice scope(device);
  const i64 whole = ceil_div(last - first, piece) * piece;
  const i64 span = std::min(whole, round > 0 ? round : ceil_div(kSpan, piece) * piece);
  const SamplingPlan plan = negative_sampling_plan(args, span, round > 0, threads);
  expect_room(plan);
  const Scratch<char> scratch(plan.scratch, stream);
  const Scratch<Outcome> told(1, stream);
  Outcome outcome{0, 0, 0, -1, -1};
  args.scratch = scratch.data();
  args.outcome = told.data();
  check(cudaMemcpyAsync(told.data(), &outcome, sizeof outcome, cudaMemcpyHostToDevice, stream), "outcome");
  for (i64 at = first; at < last && outcome.blown_up < 0 && outcome.unknown < 0;) {
    {
      const py::gil_scoped_release unlocked;
      const i64 stop = std::min(last, at + std::max(kSpan, span));
      for (; at < stop; at += span) negative_sampling(args, plan, {at, std::min(last, at + span)}, stream);
      check(cudaMemcpyAsync(&outcome, told.data(), sizeof outcome, cudaMemcpyDeviceToHost, stream), "outcome");
      check(cudaStreamSynchronize(stream), "negative_sampling");
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!progress.is_none()) progress(std::min(last, at) - first, outcome.loss, outcome.pairs);
  }
  return py::make_tuple(outcome.loss, outcome.pairs, outcome.kept, outcome.blown_up, outcome.unknown);
}

}  // namespace

void bind_negative_sampling(py::module_& module) {
  module.def("negative_sampling", &train, py::kw_only(), py::arg("input"), py::arg("output"), py::arg("ids"),
             py::arg("sources"), py::arg("offsets"), py::arg("bag_offsets"), py::arg("bag_ids"), py::arg("keep"),
             py::arg("noise"), py::arg("window"), py::arg("negative"), py::arg("cbow"), py::arg("block"),
             py::arg("shared"), py::arg("piece"), py::arg("round"), py::arg("first"), py::arg("last"), py::arg("seed"),
             py::arg("epoch"), py::arg("lr_begin"), py::arg("lr_end"), py::arg("threads"), py::arg("isa"),
             py::arg("progress"));
}

}  // namespace firth::cuda
