// negative_sampling on one core, per instruction set: raw corpus words per second of CPU time, skip-gram and CBOW, and
// explicit pairs per second, on a text whose words follow Zipf's law. The loss of a short pass is checked against the
// definition in float64 first.
// Usage: bench_negative_sampling [tokens=2000000] [words=70000]
//
// Ladder (wiki8, dim 100 unless said, window 5, negative 5, one busy core, from the logarithms on of
// Sapphire Rapids, million words/s of CPU time; what a change gave):
//   blocks of 32 centres, 32 shared negatives, dense products     1.4   against 0.12 for gensim beside it
//   products start from zero instead of cleared memory            nothing that the noise lets see
//   accept and alias in one table, asked for a piece ahead        +18%
//   the next block's rows fetched in five shares                  +0%: the waiting moved from reading to fetching
//   ... a few rows between the tiles of every product             +5% at dim 100, nothing at dim 300
//   16 centres, 16 negatives                                      +30%, but .03 of analogy accuracy lost: not kept
//   CBOW with 16 negatives                                        +40%, but .01 of analogy accuracy lost: not kept
//   64 centres, 32 negatives                                      +5% at dim 300, nothing at dim 100: not kept
//   scores in stretches of 128 dimensions, groups of even rows    nothing at dim 100 and 300: not kept
//   working memory on a huge page                                 nothing: not kept
//   each thread counts on cache lines of its own                  two threads from 1.6 to 1.8 times one
//   all rows of 500 words (everything in the second cache)        +10% at dim 300: the products, not the tables, are
//   the limit
//   bags of n-grams (wiki8, 18 rows a word)                       0.75  against 0.09 for gensim: rows are read once a
//   block
//   ... a bag's sum in registers, all of its columns at once      +5%
//   ... the next block's bags fetched, all or up to 32 rows a bag nothing: not kept
//   ... only rows that words have, frequent ones in front         +10%
//   ... in the order in which words use them                      +16% instead of those 10
//   logarithms of products of 1 + e, reciprocals for divisions    v4 from 1.6 to 1.85
//   products in bfloat16 by the tiles of a matrix unit (amx)      1.85 to 3.0; dim 300: 0.65 to 1.15; CBOW: 1.69 to 2.1
//   ... products of up to 16 instead of 32 rows at a time         nothing that the noise lets see: not kept
//   ... every other line of a row fetched; into the first cache   nothing that the noise lets see: not kept
//   ... targets scored, stepped and added 32 rows at a time       +4% with all rows in cache
//   ... all rows of the next block fetched, in order to write     3.0 to 3.25; two threads from 1.50 to 1.64 times one
//   ... the same once more before adding                          nothing: not kept
//   ... profile with all rows in cache                            tiles 31%, logistic functions 19%, reading and
//   rounding rows 17%, adding 10%, drawing 5%
//   rounds of 1024 tokens, sums pair by pair through pointers     1.8 to 2.0, one thread
//   ... steps of a word linked, summed up where the first is      about the same on one thread
#include "firth/negative_sampling.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "dispatch.h"
#include "firth/window.h"

namespace {

using namespace firth;

enum class Model { kSkipGram, kCbow, kPairs };

const char* name(Model model) {
  return model == Model::kPairs ? "pairs" : model == Model::kCbow ? "cbow" : "skip-gram";
}

struct Problem {
  Problem(i64 tokens, i64 words, i64 dim, Model model, float spread) : input(words * dim), output(words * dim) {
    for (std::size_t i = 0; i < input.size(); ++i) {
      const Draw d = draw(1, 100, 0, i);
      input[i] = spread * (unit(d.x) - 0.5f) / std::sqrt(static_cast<float>(dim));
      output[i] = spread * (unit(d.y) - 0.5f) / std::sqrt(static_cast<float>(dim));
    }
    for (i64 i = 0; i < tokens; ++i) {  // log-uniform: word r as often as 1 / r
      const Draw d = draw(1, 101, 0, i);
      ids.push_back(static_cast<u32>(std::pow(words, unit(d.x)) - 1));
      sources.push_back(static_cast<u32>(std::pow(words, unit(d.y)) - 1));
    }
    keep.assign(words, ~0u);
    for (i64 w = 0; w < words; ++w) {
      const double share = 1e-3 * std::log(words) * static_cast<double>(w + 1);
      keep[w] = static_cast<u32>(std::min(1.0, std::sqrt(share) + share) * 4294967295.0);
      noise.push_back({~0u, static_cast<u32>(w)});
    }
    offsets = {0, tokens};
    args.input = {input.data(), words, dim};
    args.output = {output.data(), words, dim};
    args.ids = ids.data();
    if (model == Model::kPairs) args.sources = sources.data();
    args.offsets = offsets.data();
    args.tokens = tokens;
    args.sentences = 1;
    args.keep = keep.data();
    args.noise = noise.data();
    args.window = 5;
    args.negative = 5;
    args.cbow = model == Model::kCbow;
    args.block = 32;
    args.shared = 32;
    args.piece = 4096;
    args.seed = 7;
    args.lr_begin = args.lr_end = 0.025f;
    args.outcome = &outcome;
    args.scratch = std::aligned_alloc(64, (negative_sampling_scratch(args) + 63) / 64 * 64);
  }
  ~Problem() { std::free(args.scratch); }

  void run(const Kernels& level) {
    outcome = {0, 0, 0, -1, -1};
    level.negative_sampling(args, {0, (args.tokens + args.piece - 1) / args.piece});
  }

  std::vector<float> input, output;
  std::vector<u32> ids, sources, keep;
  std::vector<NoiseColumn> noise;
  std::vector<i64> offsets;
  Outcome outcome{};
  NegativeSampling args{};
};

double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

// Loss of a pass that changes nothing (a learning rate of 0), pair by pair.
double loss_by_definition(const Problem& p) {
  const NegativeSampling& a = p.args;
  std::vector<i64> kept, spans;
  std::vector<std::vector<u32>> negatives;  // of each kept token's block
  for (i64 begin = 0; begin < a.tokens; begin += a.piece) {
    const i64 first = static_cast<i64>(kept.size());
    for (i64 at = begin; at < std::min(a.tokens, begin + a.piece); ++at) {
      const DrawPair d = draw_pair(a.seed, kStreamPosition, a.epoch, at);
      if (d.first > a.keep[a.ids[at]]) continue;
      const i64 number = (static_cast<i64>(kept.size()) - first) / a.block * a.block;
      std::vector<u32> drawn;
      for (i64 k = 0; k < a.shared; ++k) {
        const DrawPair n = draw_pair(a.seed, kStreamNegative, a.epoch, (begin + number) * a.shared + k);
        drawn.push_back(below(n.first, static_cast<u32>(a.output.rows)));
      }
      kept.push_back(at);
      spans.push_back(reach(d.second, a.window));
      negatives.push_back(drawn);
    }
  }
  const i64 dim = a.input.dim, count = static_cast<i64>(kept.size());
  double loss = 0;
  const auto score = [&](const std::vector<double>& left, u32 word) {
    double sum = 0;
    for (i64 d = 0; d < dim; ++d) sum += left[d] * row(a.output, word)[d];
    return sum;
  };
  const auto pair = [&](const std::vector<double>& left, u32 target, const std::vector<u32>& drawn) {
    loss += softplus(-score(left, target));
    for (const u32 n : drawn)
      if (n != target) loss += softplus(score(left, n)) * a.negative / static_cast<double>(a.shared);
  };
  for (i64 i = 0; i < count; ++i) {
    const Range around = company(i, spans[i], {0, count});
    const u32 centre = a.ids[kept[i]];
    std::vector<double> left(dim);
    for (i64 d = 0; d < dim; ++d) left[d] = row(a.input, a.sources ? a.sources[kept[i]] : centre)[d];
    if (a.sources) {
      pair(left, centre, negatives[i]);
      continue;
    }
    if (a.cbow) std::fill(left.begin(), left.end(), 0);
    for (i64 j = around.begin; j < around.end; ++j) {
      if (j == i) continue;
      const u32 other = a.ids[kept[j]];
      if (!a.cbow) pair(left, other, negatives[i]);
      for (i64 d = 0; a.cbow && d < dim; ++d)
        left[d] += row(a.input, other)[d] / static_cast<double>(around.end - around.begin - 1);
    }
    if (a.cbow && around.end - around.begin > 1) pair(left, centre, negatives[i]);
  }
  return loss;
}

}  // namespace

int main(int count, char** arguments) {
  const i64 tokens = count > 1 ? std::atoll(arguments[1]) : 2000000,
            words = count > 2 ? std::atoll(arguments[2]) : 70000;
  std::printf("%ld tokens, %ld words, window 5, negative 5\n%-5s %5s %-10s %17s\n", static_cast<long>(tokens),
              static_cast<long>(words), "isa", "dim", "model", "million tokens/s");
  for (const i64 dim : {100, 300}) {
    for (const Model model : {Model::kSkipGram, Model::kCbow, Model::kPairs}) {
      Problem small(10000, 1000, dim, model, std::sqrt(12.0f)), large(tokens, words, dim, model, 1);
      small.args.lr_begin = small.args.lr_end = 0;
      // bfloat16, too: scores of variance 1 err by thousandths either way, and there are many.
      const double wanted = loss_by_definition(small);
      for (const Kernels* level : supported_kernels()) {
        small.run(*level);
        if (!(std::fabs(small.outcome.loss - wanted) < 1e-5 * wanted)) {
          std::fprintf(stderr, "bench_negative_sampling: %s finds a loss of %.9g, the definition %.9g\n", level->isa,
                       small.outcome.loss, wanted);
          return 1;
        }
        double best = 1e30;
        for (int repeat = 0; repeat < 3; ++repeat) {
          const std::clock_t start = std::clock();
          large.run(*level);
          best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
        }
        std::printf("%-5s %5ld %-10s %17.2f\n", level->isa, static_cast<long>(dim), name(model),
                    1e-6 * static_cast<double>(tokens) / best);
      }
    }
  }
  return 0;
}
