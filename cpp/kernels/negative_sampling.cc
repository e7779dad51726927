// The second half: blocks of inputs against the targets that were seen with them and shared negatives, as a few small
// dense products, in float32 (singles.h) or bfloat16 (halves.h).
#include "firth/negative_sampling.h"

#include "firth/window.h"
#include "halves.h"
#include "kernels.h"
#include "logistic.h"
#include "passage.h"
#include "rows.h"
#include "singles.h"
#include "slots.h"

namespace firth::FIRTH_LEVEL {
namespace {

template <bool kChoice, class A, class B>
struct Either {
  using Type = A;
};
template <class A, class B>
struct Either<false, A, B> {
  using Type = B;
};
using Products = Either<kMatrixUnit, Halves, Singles>::Type;

enum class Model { kSkipGram, kCbow, kPairs };

Model model_of(const NegativeSampling& a) {
  return a.sources ? Model::kPairs : a.cbow ? Model::kCbow : Model::kSkipGram;
}

struct Block {
  i64 first, centres, company_first, company;  // kept tokens [first, first + centres) and all that may be company
  u32* negatives;                              // (shared,)
};

// Working memory, carved once per task.
struct Work {
  i64 stride, width;
  Passage passage;
  u32 *negatives, *negative_draws;  // (blocks of a piece, shared)
  Band around, own;                 // the company of each centre; its own token alone
  float* rows;                      // (width,) of how many rows of the input table a mean is made, CBOW only
  Products products;
  float* scores;      // (targets, width): scores, then steps
  float* mean_steps;  // (width, stride), CBOW only
  u64* met;           // a bit for each negative that is a target of the block
  char* slot;         // of steps that do not wait
  Ahead ahead;
};

Band take_band(Arena* arena, i64 width) {
  return {arena->take<std::int32_t>(width), arena->take<std::int32_t>(width), arena->take<std::int32_t>(width),
          arena->take<float>(width)};
}

Work carve(const NegativeSampling& a) {
  Arena arena{static_cast<char*>(a.scratch)};
  Work w;
  const i64 window = static_cast<i64>(a.window), kept = a.piece + 2 * window;
  w.stride = padded(a.input.dim);
  w.width = Products::width_of(a.block);
  w.passage.words = arena.take<u32>(kept + 1);
  w.passage.spans = arena.take<u32>(kept + 1);
  w.passage.begins = arena.take<std::int32_t>(kept);
  w.passage.ends = arena.take<std::int32_t>(kept);
  w.passage.first_draws = arena.take<u32>(a.piece + 1);
  w.passage.second_draws = arena.take<u32>(a.piece + 1);
  w.negatives = arena.take<u32>((blocks_of_piece(a) + 1) * a.shared);
  w.negative_draws = arena.take<u32>((blocks_of_piece(a) + 1) * a.shared);
  w.around = take_band(&arena, w.width);
  w.own = take_band(&arena, w.width);
  w.rows = arena.take<float>(w.width);
  w.products.carve(&arena, a);
  w.scores = arena.take<float>(up(a.block + 2 * window + a.shared, 32) * w.width);
  w.mean_steps = arena.take<float>(w.width * w.stride);
  w.met = arena.take<u64>(a.shared / 64 + 1);
  w.slot = arena.take<char>(slot_bytes(a));
  w.ahead = {arena.take<const float*>(2 * a.block + 2 * window + a.shared), a.input.dim, 0, 0};
  return w;
}

// The company of each centre, and how many pairs that makes.
void find_company(const NegativeSampling& a, const Passage& p, const Block& b, Work* w) {
  const Model model = model_of(a);
  for (i64 i = 0; i < w->width; ++i) {
    const i64 at = b.first + i;
    Range around = {0, 0};
    if (i < b.centres) around = model == Model::kPairs ? Range{at, at + 2} : reached(p, at);
    const i64 others = around.end > around.begin ? around.end - around.begin - 1 : 0;
    w->around.begins[i] = static_cast<std::int32_t>(around.begin - b.company_first);
    w->around.ends[i] = static_cast<std::int32_t>(around.end - b.company_first);
    w->around.own[i] = static_cast<std::int32_t>(at - b.company_first);
    w->around.pairs[i] = static_cast<float>(others);
    w->own.begins[i] = static_cast<std::int32_t>(i);
    w->own.ends[i] = static_cast<std::int32_t>(others > 0 ? i + 1 : i);
    w->own.own[i] = -1;
    w->own.pairs[i] = others > 0 ? 1.0f : 0.0f;
    w->rows[i] = static_cast<float>(others);
    if (model != Model::kCbow || !a.bags.offsets) continue;
    i64 rows = 0;
    for (i64 j = around.begin; j < around.end; ++j) {
      if (j == at) continue;
      rows += a.bags.offsets[p.words[j] + 1] - a.bags.offsets[p.words[j]];
    }
    w->rows[i] = static_cast<float>(rows);
  }
}

// Scores -> steps, for all pairs and negatives of a block.
void end(const NegativeSampling& a, const Work& w, const Diagonal& diagonal, const Band& band, const u32* words,
         float lr, Logistic* logistic) {
  for (i64 lane = 0; lane < w.width; lane += kLanes) end_pairs(diagonal, band, lane, lr, w.scores, w.width, logistic);

  const u32* negatives = words + diagonal.rows;
  for (i64 k = 0; k <= a.shared / 64; ++k) w.met[k] = 0;
  for (i64 r = 0; r < diagonal.rows; ++r) {
    const Ints word = all(static_cast<std::int32_t>(words[r]));
    for (i64 k = 0; k < a.shared; k += kLanes) {
      if (!any(load_ints(negatives + k) == word)) continue;
      for (i64 same = k; same < k + kLanes; ++same)
        if (negatives[same] == words[r]) w.met[same / 64] |= u64{1} << (same % 64);
    }
  }
  const float ratio = static_cast<float>(a.negative) / static_cast<float>(a.shared);
  float* scores = w.scores + diagonal.rows * w.width;
  for (i64 lane = 0; lane < w.width; lane += kLanes)
    end_negatives(a.shared, w.met, load(band.pairs + lane) * ratio, lr, scores + lane, w.width, logistic);
  for (i64 k = 0; k < a.shared; ++k) {
    if (!(w.met[k / 64] >> (k % 64) & 1)) continue;
    for (i64 lane = 0; lane < w.width; lane += kLanes) {
      Floats pairs = load(band.pairs + lane);
      for (i64 r = 0; r < diagonal.rows; ++r)
        if (words[r] == negatives[k]) pairs -= band.has(lane, r) ? all(1.0f) : Floats{};
      end_met(pairs * ratio, lr, scores + k * w.width + lane, logistic);
    }
  }
}

void copy(const u32* from, i64 count, u32* to) {
  for (i64 i = 0; i < count; ++i) to[i] = from[i];
}

constexpr i64 kStepRows = 32;  // made together and added while they are in the first cache

// All of a block, from rows to steps, which are added at once unless they wait in a slot. Returns its loss; where a
// number is not finite that is NaN or infinite, and no step is made.
double fit(const NegativeSampling& a, Work& w, const Block& b, float lr, const Slot& slot, bool waits) {
  const Hogwild meant(!waits);
  const u32* words = w.passage.words;
  const bool cbow = model_of(a) == Model::kCbow, pairs = model_of(a) == Model::kPairs;
  const Diagonal company = {b.company, b.centres, b.company_first - b.first, static_cast<i64>(a.window)};
  const Diagonal diagonal = cbow || pairs ? Diagonal{b.centres, b.centres, 0, 0} : company;

  const u32* inputs = pairs ? w.passage.spans + b.first : words + (cbow ? b.company_first : b.first);
  *slot.inputs = cbow ? b.company : b.centres;
  *slot.targets = diagonal.rows + a.shared;
  copy(inputs, *slot.inputs, slot.words);
  u32* targets = slot.words + *slot.inputs;
  copy(words + (cbow || pairs ? b.first : b.company_first), diagonal.rows, targets);
  copy(b.negatives, a.shared, targets + diagonal.rows);

  if (cbow)
    w.products.read_means(a.input, a.bags, slot.words, company, w.around, w.rows, &w.ahead);
  else
    w.products.read_inputs(a.input, a.bags, slot.words, b.centres);
  w.products.score(a.output, targets, diagonal, w.scores, &w.ahead);
  Logistic logistic;
  end(a, w, diagonal, cbow || pairs ? w.own : w.around, targets, lr, &logistic);
  const double loss = sum_double(logistic.loss) + static_cast<double>(sum(logistic.poison));
  if (!(loss <= 1e300)) return loss;

  const i64 row = waits ? w.stride : 0;  // steps that do not wait are all made in one place
  w.products.step_inputs(diagonal, w.scores, cbow ? w.mean_steps : slot.input_steps, &w.ahead);
  if (!cbow && !waits) add_bags(a.input, a.bags, slot.words, b.centres, slot.input_steps, w.stride);
  for (Range rows = {0, 0}; rows.begin < *slot.targets; rows.begin = rows.end) {
    rows.end = rows.begin + kStepRows < *slot.targets ? rows.begin + kStepRows : *slot.targets;
    float* steps = slot.target_steps + rows.begin * row;
    w.products.step_targets(diagonal, w.scores, rows, steps, &w.ahead);
    if (!waits) add(a.output, targets + rows.begin, rows.end - rows.begin, steps, w.stride);
  }
  if (!cbow) return loss;
  w.products.begin_company(company, w.mean_steps);
  for (Range rows = {0, 0}; rows.begin < b.company; rows.begin = rows.end) {
    rows.end = rows.begin + kStepRows < b.company ? rows.begin + kStepRows : b.company;
    float* steps = slot.input_steps + rows.begin * row;
    w.products.step_company(company, w.mean_steps, rows, steps, &w.ahead);
    if (!waits) add_bags(a.input, a.bags, slot.words + rows.begin, rows.end - rows.begin, steps, w.stride);
  }
  return loss;
}

Block block_at(const NegativeSampling& a, const Work& w, i64 number) {
  const Passage& p = w.passage;
  const i64 window = a.sources ? 0 : static_cast<i64>(a.window);
  Block b;
  b.first = p.first + number * a.block;
  b.centres = p.last - b.first < a.block ? p.last - b.first : a.block;
  b.company_first = b.first > window ? b.first - window : 0;
  const i64 company_last = b.first + b.centres + window < p.size ? b.first + b.centres + window : p.size;
  b.company = company_last - b.company_first;
  b.negatives = w.negatives + number * a.shared;
  return b;
}

void look_ahead(const NegativeSampling& a, const Work& w, i64 number, Ahead* ahead) {
  ahead->count = ahead->done = 0;
  const Passage& p = w.passage;
  if (p.first + number * a.block >= p.last) return;
  const Block b = block_at(a, w, number);
  const i64 met = b.first + static_cast<i64>(a.window);  // company up to here was company of the block before
  const i64 end = b.company_first + b.company;
  // The rows of bags are left to the processor: they are so many that asking for them here gained nothing.
  const bool bags = a.bags.offsets != nullptr;
  if (a.sources) {
    if (!bags) ahead->note(a.input, p.spans + b.first, b.centres);
    ahead->note(a.output, p.words + b.first, b.centres);
  } else {
    const Matrix<float>&centres = a.cbow ? a.output : a.input, &company = a.cbow ? a.input : a.output;
    if (!bags || a.cbow) ahead->note(centres, p.words + b.first, b.centres);
    if (met < end && !(bags && a.cbow)) ahead->note(company, p.words + met, end - met);
  }
  ahead->note(a.output, b.negatives, a.shared);
}

// One piece. Stops at a number that is not finite, leaving the tables without that block's steps.
void train(const NegativeSampling& a, Work& w, i64 piece, i64 begin, i64 end) {
  if (a.sources)
    read_pairs(a, begin, end, &w.passage);
  else
    read_passage(a, begin, end, &w.passage);
  if (a.outcome->unknown >= 0) return;
  const Passage& p = w.passage;
  const i64 blocks = (p.last - p.first + a.block - 1) / a.block;
  draw_negatives(a, begin, blocks, w.negatives, w.negative_draws);
  const float lr = a.lr_begin + (a.lr_end - a.lr_begin) * (static_cast<float>(begin) / static_cast<float>(a.tokens));
  char* slots = a.steps.slots;
  if (slots) {
    slots += (piece - a.steps.first_piece) * blocks_of_piece(a) * slot_bytes(a);
    for (i64 n = blocks; n < blocks_of_piece(a); ++n) {
      const Slot none = slot_in(a, slots + n * slot_bytes(a));
      *none.inputs = *none.targets = 0;
    }
  }
  for (i64 n = 0; n < blocks; ++n) {
    const Block b = block_at(a, w, n);
    const Slot slot = slot_in(a, slots ? slots + n * slot_bytes(a) : w.slot);
    look_ahead(a, w, n + 1, &w.ahead);
    find_company(a, p, b, &w);
    const double loss = fit(a, w, b, lr, slot, slots != nullptr);
    if (!(loss <= 1e300)) {
      a.outcome->blown_up = begin;
      return;
    }
    a.outcome->loss += loss;
    a.outcome->kept += b.centres;
    const Band& band = model_of(a) == Model::kSkipGram ? w.around : w.own;
    for (i64 i = 0; i < b.centres; ++i) a.outcome->pairs += static_cast<i64>(band.pairs[i]);
  }
}

}  // namespace

void negative_sampling(const NegativeSampling& a, Range pieces) {
  const MatrixUnit unit(kMatrixUnit, {1, 16});
  Work work = carve(a);
  for (i64 piece = pieces.begin; piece < pieces.end; ++piece) {
    if (a.outcome->blown_up >= 0 || a.outcome->unknown >= 0) return;
    const i64 begin = piece * a.piece, end = begin + a.piece < a.tokens ? begin + a.piece : a.tokens;
    train(a, work, piece, begin, end);
  }
}

}  // namespace firth::FIRTH_LEVEL
