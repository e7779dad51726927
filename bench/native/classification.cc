// classification on one core, per instruction set: thousand examples per second of CPU time, for each loss, on bags of
// rows that follow Zipf's law. The loss of a short pass is checked against the definition in float64 first.
// Usage: bench_classification [examples=20000] [rows=100000] [labels=735] [dim=100] [bag=25]
//
// Ladder (the sizes above, one busy core with AVX-512, thousand examples/s; what a change gave, within what the noise
// of a shared machine lets see):
//   one example at a time, 16 scores at once, steps and gradient in one pass   softmax 49, hs 660
//   rows of outputs that begin and end with cache lines                        softmax 58; AVX2 from 24 to 49
//   rows of bags asked for 48 ahead, not 0                                     hs +8%; softmax of 2 labels nothing
//   ... 128 ahead                                                              hs -10%: not kept
//   a table of reached rows alone (the model's work, not the kernel's)         see bench/peers/classification.py
#include "firth/classification.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "dispatch.h"

namespace {

using namespace firth;

struct Problem {
  Problem(i64 examples, i64 rows, i64 labels, i64 dim, i64 bag, ClassLoss loss)
      : input(rows * dim), output(labels * whole_vectors(dim) + 16), label_ids(examples), drawn(examples * bag) {
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = (unit(draw(1, 100, 0, i).x) - 0.5f) / dim;
    float* aligned = output.data() + (64 - reinterpret_cast<std::uintptr_t>(output.data()) % 64) % 64 / 4;
    args.output = {aligned, labels, whole_vectors(dim)};
    for (i64 label = 0; label < labels; ++label)
      for (i64 d = 0; d < dim; ++d) row(args.output, label)[d] = unit(draw(1, 101, 0, label * dim + d).x) - 0.5f;
    for (std::size_t i = 0; i < drawn.size(); ++i)  // log-uniform: row r as often as 1 / r
      drawn[i] = static_cast<u32>(std::pow(rows, unit(draw(1, 102, 0, i).x)) - 1);
    for (i64 e = 0; e <= examples; ++e) {
      bag_offsets.push_back(e * bag);
      positions.push_back(e);
      if (e < examples) label_ids[e] = below(draw(1, 103, 0, e).x, static_cast<u32>(labels));
    }
    path_offsets.push_back(0);
    for (i64 label = 0; label < labels; ++label) {  // a balanced tree in which node n has children 2 n + 1 and 2 n + 2
      for (i64 node = label + labels - 1; node > 0; node = (node - 1) / 2)
        path_ids.push_back(static_cast<u32>((node - 1) / 2 * 2 + (node % 2 == 0)));
      path_offsets.push_back(static_cast<i64>(path_ids.size()));
    }
    args.input = {input.data(), rows, dim};
    args.bags = {bag_offsets.data(), drawn.data()};
    args.labels = {positions.data(), label_ids.data()};
    args.paths = {path_offsets.data(), path_ids.data()};
    args.positions = positions.data();
    args.examples = examples;
    args.loss = loss;
    args.seed = 7;
    args.learnt = &learnt;
    args.scratch = std::aligned_alloc(64, (classification_scratch(args) + 63) / 64 * 64);
  }
  ~Problem() { std::free(args.scratch); }

  void run(const Kernels& level) {
    learnt = {0, 0, -1};
    level.classification(args, {0, args.examples});
  }

  std::vector<float> input, output;
  std::vector<u32> label_ids, drawn, path_ids;
  std::vector<i64> bag_offsets, positions, path_offsets;
  Learnt learnt{};
  Classification args{};
};

double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

// Loss of a pass that changes nothing (a learning rate of 0).
double loss_by_definition(const Problem& p) {
  const Classification& a = p.args;
  double loss = 0;
  for (i64 e = 0; e < a.examples; ++e) {
    std::vector<double> hidden(a.input.dim), scores(a.output.rows);
    for (i64 i = a.bags.offsets[e]; i < a.bags.offsets[e + 1]; ++i)
      for (i64 d = 0; d < a.input.dim; ++d)
        hidden[d] += row(a.input, a.bags.ids[i])[d] / static_cast<double>(a.bags.offsets[e + 1] - a.bags.offsets[e]);
    for (i64 o = 0; o < a.output.rows; ++o)
      for (i64 d = 0; d < a.input.dim; ++d) scores[o] += hidden[d] * row(a.output, o)[d];
    const u32 target = a.labels.ids[e];
    double whole = 0;
    for (i64 o = 0; o < a.output.rows; ++o) {
      if (a.loss == ClassLoss::kOneVersusAll) loss += softplus(o == target ? -scores[o] : scores[o]);
      whole += std::exp(scores[o]);
    }
    if (a.loss == ClassLoss::kSoftmax) loss += std::log(whole) - scores[target];
    for (i64 i = a.paths.offsets[target]; a.loss == ClassLoss::kTree && i < a.paths.offsets[target + 1]; ++i)
      loss += softplus(a.paths.ids[i] % 2 ? -scores[a.paths.ids[i] / 2] : scores[a.paths.ids[i] / 2]);
  }
  return loss;
}

}  // namespace

int main(int count, char** arguments) {
  const i64 usual[] = {20000, 100000, 735, 100, 25};
  i64 sizes[5];
  for (int i = 0; i < 5; ++i) sizes[i] = count > i + 1 ? std::atoll(arguments[i + 1]) : usual[i];
  const auto [examples, rows, labels, dim, bag] = sizes;
  std::printf("%ld examples of %ld of %ld rows, %ld labels, dim %ld\n%-5s %-8s %20s\n", static_cast<long>(examples),
              static_cast<long>(bag), static_cast<long>(rows), static_cast<long>(labels), static_cast<long>(dim), "isa",
              "loss", "thousand examples/s");
  const char* names[] = {"softmax", "ova", "hs"};
  for (u32 loss = 0; loss < 3; ++loss) {
    Problem small(100, 1000, labels, dim, bag, static_cast<ClassLoss>(loss));
    Problem large(examples, rows, labels, dim, bag, static_cast<ClassLoss>(loss));
    const double wanted = loss_by_definition(small);
    for (const Kernels* level : supported_kernels()) {
      small.run(*level);
      if (!(std::fabs(small.learnt.loss - wanted) < 1e-5 * wanted)) {
        std::fprintf(stderr, "bench_classification: %s finds a loss of %.9g, the definition %.9g\n", level->isa,
                     small.learnt.loss, wanted);
        return 1;
      }
      large.args.lr_begin = large.args.lr_end = 0.1f;
      double best = 1e30;
      for (int repeat = 0; repeat < 3; ++repeat) {
        const std::clock_t start = std::clock();
        large.run(*level);
        best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
      }
      std::printf("%-5s %-8s %20.1f\n", level->isa, names[loss], 1e-3 * static_cast<double>(examples) / best);
    }
  }
  return 0;
}
