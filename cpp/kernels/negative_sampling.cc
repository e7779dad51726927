// The second half: blocks of centres against their company and shared negatives, as a few small dense products.
//
// Arithmetic per kept word at dim 100 (padded to 112), window 5, 32 negatives shared by 32 centres, vectors of 16
// floats: scores 26 company rows + 32 negatives = 362 vector multiply-adds, input steps 46 x 7 = 322, company steps
// 128, negative steps 224: 1036, against 1260 for private negatives, whose every score also needs a sum across lanes.
#include "firth/negative_sampling.h"

#include "firth/window.h"
#include "kernels.h"
#include "passage.h"
#include "product.h"
#include "rows.h"

namespace firth::FIRTH_LEVEL {
namespace {

// Which kept tokens are company of which centre of a block: a band along the diagonal of (centres, company).
struct Band {
  std::int32_t* begins;  // (width,) company of each centre is [begins, ends) without the centre
  std::int32_t* ends;
  float* pairs;  // (width,) how many that is
  float* rows;   // (width,) and of how many rows of the input table, CBOW only
};

struct Block {
  i64 first, centres, company_first, company;  // kept tokens [first, first + centres) and all that may be company
  u32* negatives;                              // (shared,)
};

// Working memory, carved once per task.
struct Work {
  i64 stride, width, tiles;  // floats of a row; block as whole tiles of kLanes centres; how many those are
  Passage passage;
  u32 *negatives, *negative_draws;  // (blocks of a piece, shared)
  Band band;
  float *centres, *centre_steps;      // (block, stride)
  float *company, *company_steps;     // (block + 2 window, stride)
  float *noise, *noise_steps;         // (shared, stride)
  float *means, *mean_steps;          // (block, stride), CBOW only
  float* turned;                      // (stride, width): the inputs' rows transposed
  float *band_scores, *noise_scores;  // (company or shared, width): scores, then steps
  float* weights;                     // (shared, width)
  Ahead ahead;
  float* shares;  // (company, width): CBOW, one over the size of the company
};

Work carve(const NegativeSampling& a) {
  Arena arena{static_cast<char*>(a.scratch)};
  Work w;
  const i64 kept = a.piece + 2 * static_cast<i64>(a.window), company = a.block + 2 * static_cast<i64>(a.window);
  w.stride = padded(a.input.dim);
  w.width = block_width(a.block);
  w.tiles = w.width / kLanes;
  w.passage.words = arena.take<u32>(kept + 1);
  w.passage.spans = arena.take<u32>(kept + 1);
  w.passage.begins = arena.take<std::int32_t>(kept);
  w.passage.ends = arena.take<std::int32_t>(kept);
  w.passage.first_draws = arena.take<u32>(a.piece + 1);
  w.passage.second_draws = arena.take<u32>(a.piece + 1);
  w.negatives = arena.take<u32>((a.piece / a.block + 2) * a.shared);
  w.negative_draws = arena.take<u32>((a.piece / a.block + 2) * a.shared);
  w.band = {arena.take<std::int32_t>(w.width), arena.take<std::int32_t>(w.width), arena.take<float>(w.width),
            arena.take<float>(w.width)};
  w.centres = arena.take<float>(w.width * w.stride);
  w.centre_steps = arena.take<float>(w.width * w.stride);
  w.company = arena.take<float>(company * w.stride);
  w.company_steps = arena.take<float>(company * w.stride);
  w.noise = arena.take<float>(a.shared * w.stride);
  w.noise_steps = arena.take<float>(a.shared * w.stride);
  w.means = arena.take<float>(w.width * w.stride);
  w.mean_steps = arena.take<float>(w.width * w.stride);
  w.turned = arena.take<float>(w.width * w.stride);
  w.band_scores = arena.take<float>(company * w.width);
  w.noise_scores = arena.take<float>(a.shared * w.width);
  w.weights = arena.take<float>(a.shared * w.width);
  w.ahead = {arena.take<const float*>(rows_ahead(a)), a.input.dim, 0, 0, 0};
  w.shares = arena.take<float>(company * w.width);
  return w;
}

// Loss and step of one vector of scores, `seen` pairs or noise, with a weight per lane.
struct Ending {
  Floats loss = {}, poison = {};  // poison turns NaN at the first score that is not finite

  Floats step(Floats score, Floats weight, bool seen, float lr) {
    poison += score * 0.0f;
    const Floats e = exp_negative(-abs(score));
    const Floats wrong = seen ? -score : score;
    loss += weight * (max(wrong, Floats{}) + log1p_unit(e));
    const Floats share = (wrong > 0.0f ? all(1.0f) : e) / (e + 1.0f);  // s(wrong)
    return (seen ? weight : -weight) * share * lr;
  }
};

// The company of each centre, and how many pairs that makes.
void find_company(const NegativeSampling& a, const Passage& p, const Block& b, const Band& band, i64 width) {
  for (i64 i = 0; i < width; ++i) {
    const i64 at = b.first + i;
    Range around = {0, 0};
    if (i < b.centres) around = company(at, p.spans[at], {p.begins[at], p.ends[at]});
    band.begins[i] = static_cast<std::int32_t>(around.begin);
    band.ends[i] = static_cast<std::int32_t>(around.end);
    band.pairs[i] = around.end > around.begin ? static_cast<float>(around.end - around.begin - 1) : 0.0f;
    band.rows[i] = band.pairs[i];
    if (!a.cbow || !a.bags.offsets) continue;
    i64 rows = 0;
    for (i64 j = around.begin; j < around.end; ++j) {
      if (j == at) continue;
      rows += a.bags.offsets[p.words[j] + 1] - a.bags.offsets[p.words[j]];
    }
    band.rows[i] = static_cast<float>(rows);
  }
}

// Which lanes of tile `t` count kept token `at` among their company.
Ints in_company(const Block& b, const Band& band, i64 t, i64 at) {
  const Ints other = all(static_cast<std::int32_t>(at));
  const Ints begins = load_ints(band.begins + t * kLanes), ends = load_ints(band.ends + t * kLanes);
  const Ints self = lane_numbers() + static_cast<std::int32_t>(b.first + t * kLanes);
  return (other >= begins) & (other < ends) & (other != self);
}

// Company that the centres [first_lane, first_lane + lanes) can reach, as rows of the block's company.
Range reachable(const NegativeSampling& a, const Block& b, i64 first_lane, i64 lanes) {
  const i64 window = static_cast<i64>(a.window);
  const i64 begin = b.first + first_lane - window - b.company_first;
  const i64 end = b.first + first_lane + lanes + window - b.company_first;
  return {begin < 0 ? 0 : begin, end > b.company ? b.company : end};
}

// Centres that the kept tokens [at, at + count) can be company of.
Range reachable_centres(const NegativeSampling& a, const Block& b, i64 at, i64 count) {
  const i64 window = static_cast<i64>(a.window);
  const i64 begin = at - window - b.first, end = at + count + window - b.first;
  return {begin < 0 ? 0 : begin, end > b.centres ? b.centres : end};
}

constexpr i64 kStops = 30;  // in a block, at which rows of the next one are fetched

// product() eight rows at a time, with rows of the next block fetched in between.
void product_fetching(Ahead* ahead, Into into, i64 rows, i64 vectors, i64 depth, Strided a, const float* b, i64 b_row,
                      float* c, i64 c_row) {
  for (i64 r = 0; r < rows; r += 8) {
    const i64 now = rows - r < 8 ? rows - r : 8;
    product(into, now, vectors, depth, {a.data + r * a.row, a.row, a.column}, b, b_row, c + r * c_row, c_row);
    ahead->fetch();
  }
}

constexpr i64 kGroup = 4;  // rows that one register tile handles together

i64 group_at(i64 begin, i64 end) { return end - begin < kGroup ? end - begin : kGroup; }

// noise_scores -> steps. Each input weighs each negative by its pairs whose target is another word.
void noise_ending(const NegativeSampling& a, const Work& w, const Block& b, float lr, Ending* ending) {
  const i64 targets_first = a.cbow ? b.first : b.company_first, targets = a.cbow ? b.centres : b.company;
  const float ratio = static_cast<float>(a.negative) / static_cast<float>(a.shared);
  for (i64 k = 0; k < a.shared; ++k) {
    for (i64 t = 0; t < w.tiles; ++t) {
      const Floats pairs = load(w.band.pairs + t * kLanes);
      store(w.weights + k * w.width + t * kLanes, (a.cbow ? min(pairs, all(1.0f)) : pairs) * ratio);
    }
  }
  for (i64 j = 0; j < targets; ++j) {
    const i64 at = targets_first + j;
    const Ints word = all(static_cast<std::int32_t>(w.passage.words[at]));
    for (i64 k = 0; k < a.shared; k += kLanes) {
      if (!any(load_ints(b.negatives + k) == word)) continue;
      for (i64 same = k; same < k + kLanes; ++same) {
        if (b.negatives[same] != w.passage.words[at]) continue;
        for (i64 t = 0; t < w.tiles; ++t) {
          float* weights = w.weights + same * w.width + t * kLanes;
          const Ints itself = lane_numbers() == static_cast<std::int32_t>(j - t * kLanes);
          const Ints hit = a.cbow ? itself : in_company(b, w.band, t, at);
          store(weights, max(load(weights) - (hit ? all(ratio) : Floats{}), Floats{}));
        }
      }
    }
  }
  for (i64 x = 0; x < a.shared * w.width; x += kLanes)
    store(w.noise_scores + x, ending->step(load(w.noise_scores + x), load(w.weights + x), false, lr));
}

void skip_gram(const NegativeSampling& a, Work& w, const Block& b, float lr, Ending* ending) {
  const Passage& p = w.passage;
  const i64 vectors = w.stride / kLanes;
  gather_bags(a.input, a.bags, p.words + b.first, b.centres, true, w.centres, w.stride);
  gather(a.output, p.words + b.company_first, b.company, w.company, w.stride);
  gather(a.output, b.negatives, a.shared, w.noise, w.stride);
  turn(w.centres, b.centres, w.stride, w.turned, w.width);
  zero(w.band_scores, b.company * w.width);

  for (i64 t = 0; t < w.tiles && t * kLanes < b.centres; ++t) {
    const Range rows = reachable(a, b, t * kLanes, kLanes);
    product(Into::kZero, rows.end - rows.begin, 1, a.input.dim, {w.company + rows.begin * w.stride, w.stride, 1},
            w.turned + t * kLanes, w.width, w.band_scores + rows.begin * w.width + t * kLanes, w.width);
    for (i64 j = rows.begin; j < rows.end; ++j) {
      float* scores = w.band_scores + j * w.width + t * kLanes;
      const Floats weight = in_company(b, w.band, t, b.company_first + j) ? all(1.0f) : Floats{};
      store(scores, ending->step(load(scores), weight, true, lr));
    }
  }
  product_fetching(&w.ahead, Into::kZero, a.shared, w.tiles, a.input.dim, {w.noise, w.stride, 1}, w.turned, w.width,
                   w.noise_scores, w.width);
  noise_ending(a, w, b, lr, ending);

  for (i64 i = 0; i < b.centres; i += kGroup) {
    const i64 group = group_at(i, b.centres);
    w.ahead.fetch();
    const Range rows = reachable(a, b, i, group);
    float* steps = w.centre_steps + i * w.stride;
    product(Into::kZero, group, vectors, rows.end - rows.begin, {w.band_scores + rows.begin * w.width + i, 1, w.width},
            w.company + rows.begin * w.stride, w.stride, steps, w.stride);
  }
  product_fetching(&w.ahead, Into::kSum, b.centres, vectors, a.shared, {w.noise_scores, 1, w.width}, w.noise, w.stride,
                   w.centre_steps, w.stride);
  for (i64 j = 0; j < b.company; j += kGroup) {
    const i64 group = group_at(j, b.company);
    w.ahead.fetch();
    const Range centres = reachable_centres(a, b, b.company_first + j, group);
    product(Into::kZero, group, vectors, centres.end - centres.begin,
            {w.band_scores + j * w.width + centres.begin, w.width, 1}, w.centres + centres.begin * w.stride, w.stride,
            w.company_steps + j * w.stride, w.stride);
  }
  product_fetching(&w.ahead, Into::kZero, a.shared, vectors, b.centres, {w.noise_scores, w.width, 1}, w.centres,
                   w.stride, w.noise_steps, w.stride);
}

// The same products the other way round: the company's rows are the inputs, averaged; the centre is the one target.
void cbow(const NegativeSampling& a, Work& w, const Block& b, float lr, Ending* ending) {
  const Passage& p = w.passage;
  const i64 vectors = w.stride / kLanes;
  gather(a.output, p.words + b.first, b.centres, w.centres, w.stride);
  gather_bags(a.input, a.bags, p.words + b.company_first, b.company, false, w.company, w.stride);
  gather(a.output, b.negatives, a.shared, w.noise, w.stride);
  zero(w.shares, b.company * w.width);

  for (i64 t = 0; t < w.tiles && t * kLanes < b.centres; ++t) {
    const Floats share = 1.0f / max(load(w.band.rows + t * kLanes), all(1.0f));
    const Range rows = reachable(a, b, t * kLanes, kLanes);
    for (i64 j = rows.begin; j < rows.end; ++j) {
      const Ints mine = in_company(b, w.band, t, b.company_first + j);
      store(w.shares + j * w.width + t * kLanes, mine ? share : Floats{});
    }
  }
  for (i64 i = 0; i < b.centres; i += kGroup) {
    const i64 group = group_at(i, b.centres);
    w.ahead.fetch();
    const Range rows = reachable(a, b, i, group);
    product(Into::kZero, group, vectors, rows.end - rows.begin, {w.shares + rows.begin * w.width + i, 1, w.width},
            w.company + rows.begin * w.stride, w.stride, w.means + i * w.stride, w.stride);
  }

  // One target per centre: a dot product each, its step kept where the score was.
  float* scores = w.band_scores;
  zero(scores, w.width);
  for (i64 i = 0; i < b.centres; ++i) {
    Floats dot = {};
    for (i64 d = 0; d < w.stride; d += kLanes)
      dot += load(w.means + i * w.stride + d) * load(w.centres + i * w.stride + d);
    scores[i] = sum(dot);
  }
  for (i64 t = 0; t < w.tiles; ++t) {
    const Floats weight = min(load(w.band.pairs + t * kLanes), all(1.0f));
    store(scores + t * kLanes, ending->step(load(scores + t * kLanes), weight, true, lr));
  }
  turn(w.means, b.centres, w.stride, w.turned, w.width);
  product_fetching(&w.ahead, Into::kZero, a.shared, w.tiles, a.input.dim, {w.noise, w.stride, 1}, w.turned, w.width,
                   w.noise_scores, w.width);
  noise_ending(a, w, b, lr, ending);

  for (i64 i = 0; i < b.centres; ++i) {
    for (i64 d = 0; d < w.stride; d += kLanes) {
      store(w.mean_steps + i * w.stride + d, load(w.centres + i * w.stride + d) * scores[i]);
      store(w.centre_steps + i * w.stride + d, load(w.means + i * w.stride + d) * scores[i]);
    }
  }
  product_fetching(&w.ahead, Into::kSum, b.centres, vectors, a.shared, {w.noise_scores, 1, w.width}, w.noise, w.stride,
                   w.mean_steps, w.stride);
  product_fetching(&w.ahead, Into::kZero, a.shared, vectors, b.centres, {w.noise_scores, w.width, 1}, w.means, w.stride,
                   w.noise_steps, w.stride);

  // The whole error goes to each row of the company: the shares become ones.
  for (i64 x = 0; x < b.company * w.width; x += kLanes) {
    const Floats share = load(w.shares + x);
    store(w.shares + x, share > 0.0f ? all(1.0f) : Floats{});
  }
  for (i64 j = 0; j < b.company; j += kGroup) {
    const i64 group = group_at(j, b.company);
    w.ahead.fetch();
    const Range centres = reachable_centres(a, b, b.company_first + j, group);
    product(Into::kZero, group, vectors, centres.end - centres.begin,
            {w.shares + j * w.width + centres.begin, w.width, 1}, w.mean_steps + centres.begin * w.stride, w.stride,
            w.company_steps + j * w.stride, w.stride);
  }
}

Block block_at(const NegativeSampling& a, const Work& w, i64 number) {
  const Passage& p = w.passage;
  const i64 window = static_cast<i64>(a.window);
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
  const u32 *centres = p.words + b.first, *company = p.words + met;
  const i64 strangers = met < end ? end - met : 0;
  if (a.cbow) {
    ahead->note(a.output, centres, b.centres);
    ahead->note_bags(a.input, a.bags, company, strangers);
  } else {
    ahead->note_bags(a.input, a.bags, centres, b.centres);
    ahead->note(a.output, company, strangers);
  }
  ahead->note(a.output, b.negatives, a.shared);
  ahead->stride = (ahead->count + kStops - 1) / kStops;
}

// One piece. Stops at a number that is not finite, leaving the tables without that block's steps.
void train(const NegativeSampling& a, Work& w, i64 begin, i64 end) {
  read_passage(a, begin, end, &w.passage);
  if (a.outcome->unknown >= 0) return;
  const Passage& p = w.passage;
  const i64 blocks = (p.last - p.first + a.block - 1) / a.block;
  draw_negatives(a, begin, blocks, w.negatives, w.negative_draws);
  const float lr = a.lr_begin + (a.lr_end - a.lr_begin) * (static_cast<float>(begin) / static_cast<float>(a.tokens));
  for (i64 n = 0; n < blocks; ++n) {
    const Block b = block_at(a, w, n);
    look_ahead(a, w, n + 1, &w.ahead);
    find_company(a, p, b, w.band, w.width);
    Ending ending;
    (a.cbow ? cbow : skip_gram)(a, w, b, lr, &ending);
    const double loss = sum_double(ending.loss);
    if (!(sum(ending.poison) == 0.0f && loss <= 1e300)) {
      a.outcome->blown_up = begin;
      return;
    }
    if (a.cbow) {
      add(a.output, p.words + b.first, b.centres, w.centre_steps, w.stride);
      add_bags(a.input, a.bags, p.words + b.company_first, b.company, w.company_steps, w.stride);
    } else {
      add_bags(a.input, a.bags, p.words + b.first, b.centres, w.centre_steps, w.stride);
      add(a.output, p.words + b.company_first, b.company, w.company_steps, w.stride);
    }
    add(a.output, b.negatives, a.shared, w.noise_steps, w.stride);
    a.outcome->loss += loss;
    a.outcome->kept += b.centres;
    for (i64 i = 0; i < b.centres; ++i) {
      const i64 pairs = static_cast<i64>(w.band.pairs[i]);
      a.outcome->pairs += a.cbow ? pairs > 0 : pairs;
    }
  }
}

}  // namespace

void negative_sampling(const NegativeSampling& a, Range pieces) {
  Work work = carve(a);
  for (i64 piece = pieces.begin; piece < pieces.end; ++piece) {
    if (a.outcome->blown_up >= 0 || a.outcome->unknown >= 0) return;
    const i64 begin = piece * a.piece, end = begin + a.piece < a.tokens ? begin + a.piece : a.tokens;
    train(a, work, begin, end);
  }
}

}  // namespace firth::FIRTH_LEVEL
