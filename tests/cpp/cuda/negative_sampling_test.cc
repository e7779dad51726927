// cuda/kernels/negative_sampling.cu on the host, against the definition in float64, pair by pair: skip-gram, CBOW, bags
// and explicit pairs, with and without rounds, rows of all kinds of width, in slices and in device memory, parts of a
// pass, subsampling, words that are no words, and numbers that are not finite.
#include "cuda/kernels/negative_sampling.cu"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cuda/kernels/sort.h"

// As cooccurrence.cu has it.
void firth::cuda::places(const u32* ids, i64 many, i64 words, i64* starts, u32* places, cudaStream_t stream) {
  sort_by_word(ids, many, words, starts, places, stream);
}

namespace {

using namespace firth;

void expect(bool right, const char* what, i64 a, i64 b) {
  if (right) return;
  std::fprintf(stderr, "cuda_negative_sampling_test: not so: %s (%ld, %ld)\n", what, static_cast<long>(a),
               static_cast<long>(b));
  std::exit(1);
}

struct Rule {
  bool cbow = false, pairs = false, bags = false;
  i64 dim = 6, tokens = 200, block = 8, shared = 16, piece = 64, round = 0;
  u32 window = 3, negative = 5;
  i64 slice = 0;           // 0: the launcher's choice
  bool in_memory = false;  // what fits into no shared memory
  i64 words = 19, rows = 29;
};

struct alignas(64) Line {
  float numbers[16];
};

// A made-up corpus and tables. Bags have none to four rows.
struct Corpus {
  Rule rule;
  std::vector<u32> ids, sources, keep, bag_ids;
  std::vector<i64> offsets = {0}, bag_offsets = {0};
  std::vector<NoiseColumn> noise;
  std::vector<Line> input_lines, output_lines;
  Matrix<float> input, output;
  Outcome outcome = {0, 0, 0, -1, -1};

  explicit Corpus(const Rule& r) : rule(r) {
    for (i64 t = 0; t < r.tokens; ++t) {
      const Draw d = draw(3, 9, 0, static_cast<u64>(t));
      ids.push_back(static_cast<u32>(static_cast<float>(r.words) * unit(d.x) * unit(d.y)));
      sources.push_back(below(d.z, static_cast<u32>(r.rows)));
      if (below(d.w, 23) == 0) offsets.push_back(t + 1);
      if (below(d.w, 46) == 0) offsets.push_back(t + 1);  // a sentence without tokens
    }
    offsets.push_back(r.tokens);
    for (i64 w = 0; w < r.words; ++w) {
      const Draw d = draw(3, 8, 0, static_cast<u64>(w));
      keep.push_back(w < 3 ? 0x90000000u : ~0u);
      noise.push_back({d.x, below(d.y, static_cast<u32>(r.words))});
    }
    for (i64 b = 0; b < r.rows; ++b) {  // as many as pairs may have sources
      for (i64 n = b % 5; n > 0; --n)
        bag_ids.push_back(below(draw(3, 7, 0, static_cast<u64>(5 * b + n)).x, static_cast<u32>(r.rows)));
      bag_offsets.push_back(static_cast<i64>(bag_ids.size()));
    }
    input = table(input_lines, r.bags || r.pairs ? r.rows : r.words, 1);
    output = table(output_lines, r.words, 2);
  }
  Matrix<float> table(std::vector<Line>& lines, i64 rows, u32 stream) const {
    lines.resize(rows * rule.dim / 16 + 1);
    for (i64 x = 0; x < rows * rule.dim; ++x)
      lines[0].numbers[x] = unit(draw(1, stream, 5, static_cast<u64>(x)).x) - 0.5f;
    return {lines[0].numbers, rows, rule.dim};
  }
  NegativeSampling args() {
    NegativeSampling a{};
    a.input = input;
    a.output = output;
    if (rule.bags) a.bags = {bag_offsets.data(), bag_ids.data()};
    a.ids = ids.data();
    if (rule.pairs) a.sources = sources.data();
    a.offsets = offsets.data();
    a.tokens = rule.tokens;
    a.sentences = static_cast<i64>(offsets.size()) - 1;
    a.keep = keep.data();
    a.noise = noise.data();
    a.window = rule.window;
    a.negative = rule.negative;
    a.cbow = rule.cbow;
    a.block = rule.block;
    a.shared = rule.shared;
    a.piece = rule.piece;
    a.seed = 77;
    a.epoch = 2;
    a.lr_begin = 0.1f;
    a.lr_end = 0.02f;
    a.outcome = &outcome;
    return a;
  }
  std::vector<double> wide(const Matrix<float>& from) const { return {from.data, from.data + from.rows * from.dim}; }
};

// Spans of a round, or of a whole number of pieces, one after the other.
void train(Corpus& corpus, i64 begin, i64 end) {
  const Rule& r = corpus.rule;
  NegativeSampling args = corpus.args();
  cuda::SamplingPlan plan = cuda::negative_sampling_plan(args, r.round ? r.round : 2 * r.piece, r.round > 0, 1);
  expect(plan.on_chip == !r.in_memory, "the plan is as wanted", plan.on_chip, r.dim);
  if (r.slice) expect(plan.slice == r.slice, "rows are in slices", plan.slice, r.slice);
  std::vector<Line> scratch(plan.scratch / 64 + 1);
  args.scratch = scratch.data();
  for (i64 at = begin; at < end; at += plan.tokens)
    cuda::negative_sampling(args, plan, {at, at + plan.tokens < end ? at + plan.tokens : end}, nullptr);
}

struct Definition {
  std::vector<double> input, output, input_steps, output_steps;
  double loss = 0;
  i64 pairs = 0, kept = 0;
};

double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

// One pair: rows of the input whose mean predicts a target, with the block's negatives.
void learn(const Rule& r, Definition& d, const std::vector<u32>& rows, u32 target, const std::vector<u32>& negatives,
           double lr) {
  std::vector<double> mean(r.dim), error(r.dim);
  for (const u32 row : rows)
    for (i64 x = 0; x < r.dim; ++x) mean[x] += d.input[row * r.dim + x] / static_cast<double>(rows.size());
  const auto one = [&](u32 word, double weight, double seen) {
    double score = 0;
    for (i64 x = 0; x < r.dim; ++x) score += mean[x] * d.output[word * r.dim + x];
    d.loss += weight * softplus(seen > 0 ? -score : score);
    const double step = lr * weight * (seen - 1 / (1 + std::exp(-score)));
    for (i64 x = 0; x < r.dim; ++x) {
      error[x] += step * d.output[word * r.dim + x];
      d.output_steps[word * r.dim + x] += step * mean[x];
    }
  };
  one(target, 1, 1);
  for (const u32 word : negatives)
    if (word != target && r.negative) one(word, static_cast<double>(r.negative) / static_cast<double>(r.shared), 0);
  for (const u32 row : rows)
    for (i64 x = 0; x < r.dim; ++x) d.input_steps[row * r.dim + x] += error[x];
  ++d.pairs;
}

void end_steps(Definition& d) {
  for (std::size_t x = 0; x < d.input.size(); ++x) d.input[x] += d.input_steps[x];
  for (std::size_t x = 0; x < d.output.size(); ++x) d.output[x] += d.output_steps[x];
  d.input_steps.assign(d.input.size(), 0);
  d.output_steps.assign(d.output.size(), 0);
}

Definition define(Corpus& corpus) {
  const Rule& r = corpus.rule;
  const NegativeSampling a = corpus.args();
  Definition d{corpus.wide(corpus.input), corpus.wide(corpus.output), std::vector<double>(corpus.input.rows * r.dim),
               std::vector<double>(corpus.output.rows * r.dim)};
  struct Kept {
    i64 position, sentence, reach;
  };
  std::vector<Kept> kept;
  for (i64 s = 0; s < a.sentences; ++s)
    for (i64 t = a.offsets[s]; t < a.offsets[s + 1]; ++t) {
      const DrawPair drawn = draw_pair(a.seed, kStreamPosition, a.epoch, static_cast<u64>(t));
      if (drawn.first <= a.keep[a.ids[t]]) kept.push_back({t, s, reach(drawn.second, r.window)});
    }
  const auto rows_of = [&](u32 word, std::vector<u32>& rows) {
    if (!r.bags) rows.push_back(word);
    if (r.bags)
      for (i64 b = a.bags.offsets[word]; b < a.bags.offsets[word + 1]; ++b) rows.push_back(a.bags.ids[b]);
  };
  const i64 many = static_cast<i64>(kept.size());
  for (i64 i = 0, in_piece = 0; i < many; ++i, ++in_piece) {
    const i64 begin = kept[i].position / r.piece * r.piece;
    if (i > 0 && kept[i - 1].position < begin) in_piece = 0;
    const bool next_round = r.round && i > 0 && kept[i - 1].position / r.round < kept[i].position / r.round;
    if (next_round || (!r.round && in_piece % r.block == 0)) end_steps(d);
    const double lr = 0.1 + (0.02 - 0.1) * static_cast<double>(begin) / static_cast<double>(r.tokens);
    std::vector<u32> negatives, rows;
    for (i64 k = 0; k < r.shared; ++k) {
      const u64 number = static_cast<u64>((begin + in_piece / r.block * r.block) * r.shared + k);
      const DrawPair drawn = draw_pair(a.seed, kStreamNegative, a.epoch, number);
      const u32 column = below(drawn.first, static_cast<u32>(r.words));
      negatives.push_back(drawn.second <= a.noise[column].accept ? column : a.noise[column].alias);
    }
    const u32 centre = a.ids[kept[i].position];
    if (r.pairs) {
      rows_of(a.sources[kept[i].position], rows);
      learn(r, d, rows, centre, negatives, lr);
      continue;
    }
    bool company = false;
    if (!r.cbow) rows_of(centre, rows);
    for (i64 j = i - kept[i].reach; j <= i + kept[i].reach; ++j) {
      if (j < 0 || j >= many || j == i || kept[j].sentence != kept[i].sentence) continue;
      const u32 word = a.ids[kept[j].position];
      company = true;
      if (r.cbow)
        rows_of(word, rows);
      else
        learn(r, d, rows, word, negatives, lr);
    }
    if (r.cbow && company) learn(r, d, rows, centre, negatives, lr);
  }
  d.kept = many;
  end_steps(d);
  return d;
}

void hold_near(const Corpus& corpus, const Matrix<float>& found, const std::vector<double>& wanted, const char* what) {
  for (std::size_t x = 0; x < wanted.size(); ++x)
    expect(std::fabs(static_cast<double>(found.data[x]) - wanted[x]) <= 2e-5 * (1 + std::fabs(wanted[x])), what,
           static_cast<i64>(x), corpus.rule.dim);
}

void hold(const Corpus& corpus, const Definition& wanted) {
  const Outcome& told = corpus.outcome;
  expect(told.blown_up == -1 && told.unknown == -1, "all is finite and known", told.blown_up, told.unknown);
  expect(told.kept == wanted.kept && told.pairs == wanted.pairs, "all pairs are trained", told.pairs, wanted.pairs);
  expect(std::fabs(told.loss - wanted.loss) <= 1e-5 * wanted.loss, "the loss is the definition's", corpus.rule.dim, 0);
  hold_near(corpus, corpus.input, wanted.input, "a number of the input is the definition's");
  hold_near(corpus, corpus.output, wanted.output, "a number of the output is the definition's");
}

void hold_against_the_definition(const Rule& rule) {
  Corpus corpus(rule);
  const Definition wanted = define(corpus);
  train(corpus, 0, rule.tokens);
  hold(corpus, wanted);
  if (!rule.round) return;
  Corpus again(rule);
  train(again, 0, rule.round);  // in parts
  train(again, rule.round, rule.tokens);
  expect(corpus.wide(corpus.input) == again.wide(again.input), "the same bits each time", rule.dim, 0);
  expect(corpus.wide(corpus.output) == again.wide(again.output), "the same bits each time", rule.dim, 1);
}

void test_an_id_that_is_no_word() {
  Corpus corpus({}), untouched({});
  corpus.ids[140] = 19;
  train(corpus, 0, 128);
  expect(corpus.outcome.unknown == -1 || corpus.outcome.unknown == 140, "only company can meet it", 0, 0);
  corpus = Corpus({});
  corpus.ids[70] = 19;
  train(corpus, 0, 200);
  expect(corpus.outcome.unknown == 70, "its position is told", corpus.outcome.unknown, 70);
  expect(corpus.wide(corpus.input) == untouched.wide(untouched.input), "nothing was trained", 0, 0);
}

void test_a_number_that_is_not_finite(i64 round) {
  Rule rule;
  rule.round = round;
  Corpus corpus(rule);
  for (i64 x = 0; x < rule.dim; ++x) corpus.output.data[corpus.ids[199] * rule.dim + x] = 3e38f;
  for (i64 x = 0; x < corpus.input.rows * rule.dim; ++x) corpus.input.data[x] *= 1e3f;
  const std::vector<double> before = corpus.wide(corpus.input);
  train(corpus, 128, 200);
  expect(corpus.outcome.blown_up == 128 || corpus.outcome.blown_up == 192, "a piece is told", corpus.outcome.blown_up,
         round);
  for (const double x : corpus.wide(corpus.input)) expect(std::isfinite(x), "nothing spreads", 0, round);
  if (round) expect(corpus.wide(corpus.input) == before, "no step of the round is added", 0, round);
}

}  // namespace

int main() {
  for (const i64 round : {0, 128}) {
    for (const bool bags : {false, true}) {
      for (const bool cbow : {false, true}) {
        Rule rule;
        rule.round = round;
        rule.bags = bags;
        rule.cbow = cbow;
        hold_against_the_definition(rule);
      }
      Rule rule;
      rule.round = round;
      rule.bags = bags;
      rule.pairs = true;
      hold_against_the_definition(rule);
    }
    test_a_number_that_is_not_finite(round);
  }
  Rule rule;
  rule.tokens = 90;
  for (const i64 dim : {1, 7, 64, 100}) {
    rule.dim = dim;
    hold_against_the_definition(rule);
  }
  rule.negative = 0;
  rule.block = 13;
  hold_against_the_definition(rule);
  rule.negative = 3;
  rule.window = 40;
  rule.shared = 48;
  rule.block = 40;
  hold_against_the_definition(rule);
  rule.window = 5;
  rule.dim = 150;
  host_shared_bytes = 70 << 10;
  rule.slice = 76;
  for (const bool cbow : {false, true}) {
    rule.cbow = cbow;
    rule.slice = cbow ? 52 : 76;
    hold_against_the_definition(rule);
  }
  host_shared_bytes = 8 << 10;
  rule.slice = 152;
  rule.in_memory = true;
  hold_against_the_definition(rule);
  test_an_id_that_is_no_word();
  return 0;
}
