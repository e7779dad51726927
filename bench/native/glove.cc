// glove on one core, per instruction set: million counts per second of CPU time and nanoseconds a count, of an epoch
// over the counts of random pairs of words that follow Zipf's law. Medians. Losses and tables of two small epochs are
// held against the definition in float64 first.
// Usage: bench_glove [pairs=20000000] [words=20000] [dim, default: 100, then 300]
//
// Ladder (v4, one busy core, the sizes above; nanoseconds a count):
//   tiles of rows that stay in cache, a count at a time     dim 100: 108, dim 300: 258; AVX2 180 and 436
//   rows go on where they stopped; no search of a tile's first count in each row     wiki8's counts: nothing to 5%
#include "firth/glove.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "dispatch.h"
#include "firth/random.h"
#include "pages.h"

namespace {

using namespace firth;

constexpr i64 kTileBytes = i64{1} << 20, kTileCounts = i64{1} << 13;  // as the Python side chooses groups

struct Problem {
  Problem(i64 pairs, i64 words, i64 dim) : width(glove_width(dim)) {
    for (Pages& table : tables) table.resize(static_cast<std::size_t>(words * 2 * width) * sizeof(float));
    double harmonic = 0;
    for (i64 r = 1; r <= words; ++r) harmonic += 1 / static_cast<double>(r);
    indptr.push_back(0);
    std::vector<u32> columns;
    for (i64 r = 0; r < words; ++r) {
      columns.resize(static_cast<std::size_t>(static_cast<double>(pairs) / harmonic / static_cast<double>(r + 1)) + 1);
      for (std::size_t i = 0; i < columns.size(); ++i)  // log-uniform: column c as often as 1 / c
        columns[i] = static_cast<u32>(std::pow(words, unit(draw(1, 0, static_cast<u32>(r), i).x)) - 1);
      std::sort(columns.begin(), columns.end());
      for (std::size_t i = 0, first = 0; i < columns.size(); first = i) {
        while (i < columns.size() && columns[i] == columns[first]) ++i;
        const float weight = 0.1f + 0.4f * unit(draw(1, 1, static_cast<u32>(r), columns[first]).x);
        indices.push_back(std::min(columns[first], static_cast<u32>(words - 1)));
        data.push_back(static_cast<float>(i - first) * weight);
      }
      indptr.push_back(static_cast<i64>(indices.size()));
    }
    args.words = {tables[0].as<float>(), words, 2 * width};
    args.contexts = {tables[1].as<float>(), words, 2 * width};
    args.dim = dim;
    args.indptr = indptr.data();
    args.indices = indices.data();
    args.data = data.data();
    args.lr = 0.05f;
    args.x_max = 100;
    args.alpha = 0.75f;
    arrange();
    begin();
  }

  // Rows dealt out at random to groups, columns in spans of about as many counts each.
  void arrange() {
    const i64 words = args.words.rows, counts = static_cast<i64>(data.size());
    const i64 by_cache = std::max<i64>((words * 8 * width + kTileBytes - 1) / kTileBytes, 16),
              by_counts = static_cast<i64>(std::sqrt(static_cast<double>(counts) / kTileCounts));
    args.groups = std::max<i64>(1, std::min({by_cache, by_counts, words}));
    std::vector<u32> drawn(words), kept(words);
    for (i64 r = 0; r < words; ++r) drawn[r] = draw(1, 2, 0, r).x;
    order.resize(words);
    for (i64 r = 0; r < words; ++r) order[r] = static_cast<u32>(r);
    std::sort(order.begin(), order.end(), [&](u32 a, u32 b) { return drawn[a] < drawn[b]; });
    std::vector<i64> total(words);
    for (const u32 c : indices) ++total[c];
    i64 column = 0, passed = 0;
    for (i64 g = 0; g <= args.groups; ++g) {
      row_starts.push_back(g * words / args.groups);
      while (column < words && passed * args.groups < g * counts) passed += total[column++];
      column_starts.push_back(static_cast<u32>(g < args.groups ? column : words));
    }
    args.order = order.data();
    args.row_starts = row_starts.data();
    args.column_starts = column_starts.data();
  }

  void begin() {
    for (const Matrix<float>& table : {args.words, args.contexts}) {
      const bool first = table.data == args.words.data;
      for (i64 r = 0; r < table.rows; ++r) {
        float* at = row(table, r);
        for (i64 d = 0; d <= args.dim; ++d)
          at[d] = (unit(draw(1, first ? 3 : 4, static_cast<u32>(d), r).x) - 0.5f) / static_cast<float>(args.dim);
        const float bias = at[args.dim];
        std::fill(at + args.dim, at + width, 0.0f);
        at[width - 2] = first ? bias : 1.0f;
        at[width - 1] = first ? 1.0f : bias;
        std::fill(at + width, at + 2 * width, 1.0f);
      }
    }
  }

  // The loss of an epoch, summed over the counts; negative if a number was not finite.
  double run(const Kernels& level) {
    double loss = 0;
    cursors.assign(indptr.begin(), indptr.end() - 1);
    args.cursors = cursors.data();
    for (args.round = 0; args.round < args.groups; ++args.round) {
      std::vector<Fitted> fitted(args.groups, Fitted{0, 0, -1});
      args.fitted = fitted.data();
      level.glove(args, {0, args.groups});
      for (const Fitted& one : fitted) loss += one.blown_up < 0 ? one.loss : -1e300;
    }
    return loss;
  }

  i64 width;
  Pages tables[2];
  std::vector<i64> indptr, row_starts, cursors;
  std::vector<u32> indices, order, column_starts;
  std::vector<float> data;
  Glove args{};
};

// Vectors, biases and squares of both tables, in float64 and as the formula has them.
struct Definition {
  explicit Definition(const Problem& problem) : p(problem) {
    for (int t = 0; t < 2; ++t) {
      const Matrix<float>& table = t ? p.args.contexts : p.args.words;
      numbers[t].assign(table.data, table.data + table.rows * table.dim);
    }
  }

  double run() {
    const Glove& a = p.args;
    double loss = 0;
    for (i64 shift = 0; shift < a.groups; ++shift)
      for (i64 g = 0; g < a.groups; ++g) {
        const i64 span = (g + shift) % a.groups;
        for (i64 k = a.row_starts[g]; k < a.row_starts[g + 1]; ++k)
          for (i64 i = a.indptr[a.order[k]]; i < a.indptr[a.order[k] + 1]; ++i)
            if (a.indices[i] >= a.column_starts[span] && a.indices[i] < a.column_starts[span + 1])
              loss += read(a.order[k], a.indices[i], static_cast<double>(a.data[i]));
      }
    return loss;
  }

  double read(i64 i, i64 j, double x) {
    double *w = &numbers[0][i * 2 * p.width], *c = &numbers[1][j * 2 * p.width];
    const i64 dim = p.args.dim, bias = p.width - 2, other = p.width - 1;
    double difference = w[bias] + c[other] - std::log(x);
    for (i64 d = 0; d < dim; ++d) difference += w[d] * c[d];
    const double slope = std::min(1.0, std::pow(x / p.args.x_max, p.args.alpha)) * difference;
    const auto step = [&](double& number, double& square, double gradient) {
      number -= gradient / std::sqrt(square);
      square += gradient * gradient;
    };
    for (i64 d = 0; d < dim; ++d) {
      const double before = w[d];
      step(w[d], w[p.width + d], p.args.lr * slope * c[d]);
      step(c[d], c[p.width + d], p.args.lr * slope * before);
    }
    step(w[bias], w[p.width + bias], slope);
    step(c[other], c[p.width + other], slope);
    return slope * difference / 2;
  }

  // The greatest difference between these tables and the problem's.
  double apart() const {
    double most = 0;
    for (int t = 0; t < 2; ++t) {
      const Matrix<float>& table = t ? p.args.contexts : p.args.words;
      for (i64 i = 0; i < table.rows * table.dim; ++i)
        most = std::max(most, std::fabs(numbers[t][i] - static_cast<double>(table.data[i])));
    }
    return most;
  }

  const Problem& p;
  std::vector<double> numbers[2];
};

bool sound(const Kernels& level, i64 dim) {
  Problem small(100000, 700, dim);
  Definition definition(small);
  for (int epoch = 0; epoch < 2; ++epoch) {
    const double wanted = definition.run(), found = small.run(level);
    if (!(std::fabs(found - wanted) <= 1e-4 * wanted)) {
      std::fprintf(stderr, "bench_glove: %s finds a loss of %.9g, the definition %.9g\n", level.isa, found, wanted);
      return false;
    }
  }
  if (!(definition.apart() <= 1e-3)) {
    std::fprintf(stderr, "bench_glove: tables of %s are off by %.3g\n", level.isa, definition.apart());
    return false;
  }
  return true;
}

void timed(const Kernels& level, Problem& problem) {
  constexpr int kEpochs = 3;
  std::vector<double> spent;
  problem.begin();
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const std::clock_t start = std::clock();
    problem.run(level);
    spent.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::sort(spent.begin(), spent.end());
  const double seconds = std::max(spent[kEpochs / 2], 1e-6), counts = static_cast<double>(problem.data.size());
  std::printf("%-5s %6ld %8ld %14.1f %12.1f\n", level.isa, static_cast<long>(problem.args.dim),
              static_cast<long>(problem.args.groups), 1e-6 * counts / seconds, 1e9 * seconds / counts);
  std::fflush(stdout);
}

// The instruction sets that have a kernel of their own: those for the cosine alone share it with the next one.
std::vector<const Kernels*> own_kernels() {
  std::vector<const Kernels*> own;
  for (const Kernels* level : supported_kernels()) {
    if (!own.empty() && own.back()->glove == level->glove) own.pop_back();
    own.push_back(level);
  }
  return own;
}

}  // namespace

int main(int count, char** arguments) {
  const i64 pairs = count > 1 ? std::atoll(arguments[1]) : 20000000,
            words = count > 2 ? std::atoll(arguments[2]) : 20000;
  std::vector<i64> dims{100, 300};
  if (count > 3) dims = {std::atoll(arguments[3])};
  bool titled = false;
  for (const i64 dim : dims) {
    Problem large(pairs, words, dim);
    if (!titled)
      std::printf("%zu counts of %ld words\n%-5s %6s %8s %14s %12s\n", large.data.size(), static_cast<long>(words),
                  "isa", "dim", "groups", "M counts/s", "ns a count");
    titled = true;
    for (const Kernels* level : own_kernels()) {
      if (!sound(*level, dim)) return 1;
      timed(*level, large);
    }
  }
  return 0;
}
