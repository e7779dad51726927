#include "firth/negative_sampling.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
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

std::unique_ptr<void, Free> room(std::size_t bytes, const NegativeSampling& args, const std::string& who) {
  std::unique_ptr<void, Free> memory(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  if (memory) return memory;
  PyErr_Format(PyExc_MemoryError, "negative_sampling: %s of dim=%lld, window=%u need %zu bytes each, found less",
               who.c_str(), static_cast<long long>(args.input.dim), args.window, bytes);
  throw py::error_already_set();
}

// What all threads, or all pieces of a round, did: sums and first positions.
template <class Outcomes>
Outcome together(const Outcomes& outcomes) {
  Outcome all{0, 0, 0, -1, -1};
  const auto first_of = [](i64 a, i64 b) { return a < 0 || (b >= 0 && b < a) ? b : a; };
  for (const Outcome& one : outcomes) {
    all.loss += one.loss;
    all.pairs += one.pairs;
    all.kept += one.kept;
    all.blown_up = first_of(all.blown_up, one.blown_up);
    all.unknown = first_of(all.unknown, one.unknown);
  }
  return all;
}

// Tells `progress`, unless it is None, (tokens done, loss so far, pairs so far).
using Report = std::function<void(i64, double, i64)>;

struct Pass {
  NegativeSampling args;
  const Kernels& kernel;
  Range pieces;
  int workers;
  std::vector<std::unique_ptr<void, Free>> scratch;
  Report report;
  std::size_t inputs;  // words that inputs can be

  i64 tokens(i64 end) const { return std::min(args.tokens, end * args.piece) - pieces.begin * args.piece; }

  // Threads add steps as they find them.
  Outcome at_once() {
    std::vector<Outcome> outcomes(static_cast<std::size_t>(workers), Outcome{0, 0, 0, -1, -1});
    std::vector<Done> done(static_cast<std::size_t>(workers));
    const auto work = [&](Range range, int number) {
      const std::size_t thread = static_cast<std::size_t>(number);
      NegativeSampling mine = args;
      mine.scratch = scratch[thread].get();
      mine.outcome = &outcomes[thread];
      range = {range.begin + pieces.begin, range.end + pieces.begin};
      kernel.negative_sampling(mine, range);
      done[thread].tokens += tokens(range.end) - tokens(range.begin);
      done[thread].pairs = outcomes[thread].pairs;
      done[thread].loss = outcomes[thread].loss;
    };
    const auto tell = [&] {
      i64 read = 0, pairs = 0;
      double loss = 0;
      for (const Done& one : done) {
        read += one.tokens;
        pairs += one.pairs;
        loss += one.loss;
      }
      report(read, loss, pairs);
    };
    run(pieces.end - pieces.begin, 1, workers, work, report ? tell : std::function<void()>());
    return together(outcomes);
  }

  // Round after round: all steps are found, then those of each word are linked, added up and added to the tables.
  // Outcomes are added up by pieces, so that the loss does not depend on threads either.
  Outcome in_rounds(i64 size) {
    const std::size_t most = static_cast<std::size_t>(size);
    const i64 piece_bytes = blocks_of_piece(args) * slot_bytes(args);
    if (2 * size * blocks_of_piece(args) * slot_rows(args) >= i64{1} << 31)
      throw py::value_error("negative_sampling: a round may have 2^30 steps or more, expected fewer: lower round");
    const auto slots = room(most * static_cast<std::size_t>(piece_bytes), args, "rounds");
    std::vector<u32> last_inputs(inputs), last_targets(static_cast<std::size_t>(args.output.rows));
    Outcome all{0, 0, 0, -1, -1};
    i64 begin = pieces.begin;
    const auto tell = [&] { report(tokens(begin), all.loss, all.pairs); };
    const std::function<void()> told = report ? tell : std::function<void()>();
    for (; begin < pieces.end && all.blown_up < 0 && all.unknown < 0; begin += size) {
      const i64 count = std::min(size, pieces.end - begin);
      std::vector<Outcome> outcomes(static_cast<std::size_t>(count), Outcome{0, 0, 0, -1, -1});
      NegativeSampling round = args;
      round.steps = {static_cast<char*>(slots.get()), begin, last_inputs.data(), last_targets.data()};
      run(
          count, 1, workers,
          [&](Range range, int number) {
            NegativeSampling mine = round;
            mine.scratch = scratch[static_cast<std::size_t>(number)].get();
            mine.outcome = &outcomes[static_cast<std::size_t>(range.begin)];
            kernel.negative_sampling(mine, {range.begin + begin, range.end + begin});
          },
          told);
      const Outcome found = together(outcomes);
      all = together(std::vector<Outcome>{all, found});
      if (found.blown_up >= 0 || found.unknown >= 0) break;
      run(1, 1, 1, [&](Range, int) { kernel.link_steps(round, count); });
      run(count, 1, workers, [&](Range some, int) { kernel.merge_steps(round, some); });
      if (args.bags.offsets)
        run(kRowParts, (kRowParts + workers - 1) / workers, workers,
            [&](Range parts, int) { kernel.add_to_bags(round, count, parts); });
    }
    return all;
  }
};

// The pass over tokens [first, last) of the corpus. Returns (loss summed over pairs, pairs, kept tokens, position of
// the first piece that met a number that is not finite or -1, position of the first id that is no word or -1).
// `progress`, unless None, is called now and then.
py::tuple train(Array<float> input, Array<float> output, const Array<u32>& ids, const Array<u32>& sources,
                const Array<i64>& offsets, const Array<i64>& bag_offsets, const Array<u32>& bag_ids,
                const Array<u32>& keep, const Array<u32>& noise, u32 window, u32 negative, bool cbow, i64 block,
                i64 shared, i64 piece, i64 round, i64 first, i64 last, u64 seed, u32 epoch, double lr_begin,
                double lr_end, int threads, const std::string& isa, const py::object& progress) {
  NegativeSampling args{};
  args.input = mutable_view(input);
  args.output = mutable_view(output);
  if (bag_offsets.shape(0) > 0) args.bags = {bag_offsets.data(), bag_ids.data()};
  args.ids = ids.data();
  if (sources.shape(0) > 0) args.sources = sources.data();
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

  Pass pass{args, kernels(isa), {first / piece, (last + piece - 1) / piece}, 1, {}, {}, 0};
  pass.inputs = static_cast<std::size_t>(args.bags.offsets ? bag_offsets.shape(0) - 1 : args.input.rows);
  const i64 size = round / piece, at_most = round > 0 ? size : pass.pieces.end - pass.pieces.begin;
  pass.workers = workers_for(at_most, 1, threads);
  for (int i = 0; i < pass.workers; ++i)
    pass.scratch.push_back(room(static_cast<std::size_t>(negative_sampling_scratch(args)), args,
                                std::to_string(pass.workers) + " threads"));
  if (!progress.is_none()) pass.report = [&](i64 tokens, double loss, i64 pairs) { progress(tokens, loss, pairs); };
  const Outcome all = round > 0 ? pass.in_rounds(size) : pass.at_once();
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
             py::arg("ids").noconvert(), py::arg("sources").noconvert(), py::arg("offsets").noconvert(),
             py::arg("bag_offsets").noconvert(), py::arg("bag_ids").noconvert(), py::arg("keep").noconvert(),
             py::arg("noise").noconvert(), py::arg("window"), py::arg("negative"), py::arg("cbow"), py::arg("block"),
             py::arg("shared"), py::arg("piece"), py::arg("round"), py::arg("first"), py::arg("last"), py::arg("seed"),
             py::arg("epoch"), py::arg("lr_begin"), py::arg("lr_end"), py::arg("threads"), py::arg("isa"),
             py::arg("progress"));
  module.def("alias_table", &alias_table, py::kw_only(), py::arg("weights").noconvert());
}

}  // namespace firth
