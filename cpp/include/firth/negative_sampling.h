// negative_sampling: stochastic gradient descent on the skip-gram and CBOW losses with negative sampling.
//
// Loss of a pair (input i, target j):  -log s(u_i . v_j) - (negative / shared) sum_k [n_k != j] log s(-u_i . v_n_k),
// with u a row of `input` (CBOW: the mean of the company's rows), v a row of `output`, s the logistic function.
// Mikolov et al., "Distributed representations of words and phrases and their compositionality" (2013), section 2.2.
//
// Order of work. The corpus is cut into pieces of `piece` tokens, one task each. In a piece, subsampling keeps some
// tokens (section 2.3); the company of a centre is counted in kept tokens, never leaves the sentence, and does reach
// across the ends of the piece. `block` consecutive kept centres form a block: its rows are read once, all its
// gradients are taken from that one state with `shared` negatives drawn for the whole block, and the summed steps are
// added to the tables at its end. Each pair therefore weighs a shared negative negative / shared, which leaves the
// expected gradient of `negative` private ones. Sharing inside windows: Ji et al., "Parallelizing word2vec in shared
// and distributed memory" (2016).
//
// CBOW adds the whole error to each row of the company, as word2vec.c does, not its share of the mean.
//
// With bags, word w is the rows bags[w] of `input` instead of row w: u_i is their mean, in CBOW the mean of all rows of
// all the company's bags, and each row takes the whole error. A word whose bag is empty is a zero row that stays zero.
// Bojanowski, Grave, Joulin and Mikolov, "Enriching word vectors with subword information" (2017), section 3.2; the
// mean instead of the sum and the whole error are as in the program fastText.
//
// With sources, the corpus is a list of pairs: token t is the input sources[t] against the target ids[t], once, and
// there are no windows, sentences or centres beyond that (LINE's edges, users and items). keep is looked up by target.
//
// Draws (random.h) depend on the position in the corpus only, so neither threads nor cuts change which pairs are
// trained. What does depend on them is the order of the updates: threads write rows without locks (Hogwild: Niu et al.,
// 2011), as classification does: the two exceptions to the law that any cut of the range gives the same answer.
//
// On the level amx, rows and steps have the 8 significant bits of bfloat16 where they are multiplied; sums and tables
// are float32 everywhere.
//
// Rounds undo that exception. The tables stay as they are while the pieces of a round are read, [r, r + 1) * round
// tokens. Then the steps of each word as input, and of each as target or negative, are added up in the order of pieces,
// blocks and places in a block. A sum longer than kMostMove is shortened to it, since frequent words take hundreds of
// steps from one state; what is left is added to the word's row, or to each row of its bag. So the result depends on
// neither threads nor cuts: synchronous mini-batches.
#pragma once

#include "firth/array.h"
#include "firth/random.h"

namespace firth {

// What a thread adds up over its tasks, on cache lines of its own: threads that count side by side wait for each other.
struct alignas(128) Outcome {
  double loss;   // of all pairs, negatives weighted as above
  i64 pairs;     // (input, target) pairs; CBOW: centres with company
  i64 kept;      // centres
  i64 blown_up;  // position of the first piece that met a number that is not finite, or -1; this thread stops there
  i64 unknown;   // position of the first id that is no word, or -1; its piece is not trained
};

// A column of Walker's alias table: a draw that falls on it takes its word if the second draw is <= accept, else alias.
// Both lie in one cache line. Walker, "An efficient method for generating discrete random variables" (1977).
struct NoiseColumn {
  u32 accept, alias;
};

// Where the steps of a round wait: a slot for each block that its pieces can have.
struct Steps {
  char* slots;        // (pieces of a round, blocks of a piece) times slot_bytes(), 64-byte aligned; null: nothing waits
  i64 first_piece;    // of the round
  u32* last_inputs;   // (words as inputs: rows of the input, bags) zeros; for link_steps
  u32* last_targets;  // (words,)
};

struct NegativeSampling {
  Matrix<float> input, output;  // (words, dim) each; input with bags: (rows, dim), with sources of any length
  Bags bags;                    // of the words (with sources: of what they number), or none
  const u32* ids;               // (tokens,)
  const u32* sources;           // (tokens,) the input of each pair, or null where inputs come from windows
  const i64* offsets;           // (sentences + 1,)
  i64 tokens, sentences;
  const u32* keep;           // (words,): a token stays if its draw is <= keep[word]
  const NoiseColumn* noise;  // (words,): the alias table of the noise distribution
  u32 window, negative;
  bool cbow;
  i64 block, shared, piece;  // shared is a multiple of 16, piece is even
  u64 seed;
  u32 epoch;
  float lr_begin, lr_end;  // the learning rate falls linearly from the corpus' first token to its end
  Steps steps;             // of the round that is under way, if there are rounds
  void* scratch;           // negative_sampling_scratch() bytes, 64-byte aligned, one per thread
  Outcome* outcome;        // one per thread
};

// Rows of a working buffer, or numbers of a row, of which kernels read and write whole tiles.
FIRTH_HD i64 whole_tiles(i64 count) { return (count + 31) / 32 * 32; }

// Most floats that a row takes in the working buffers, whatever the instruction set.
FIRTH_HD i64 working_row(i64 dim) { return (dim + 15) / 16 * 16; }

// A slot: its two counts (of the words whose rows are inputs, and of targets), those words, as many links, then the
// steps of both in whole tiles of rows.
FIRTH_HD i64 slot_rows(const NegativeSampling& a) {
  const i64 company = a.block + 2 * static_cast<i64>(a.window);
  return whole_tiles(company) + whole_tiles(company + a.shared);
}
FIRTH_HD i64 slot_step_bytes(const NegativeSampling& a) { return 4 * slot_rows(a) * working_row(a.input.dim); }
FIRTH_HD i64 slot_bytes(const NegativeSampling& a) {
  return (16 + 8 * slot_rows(a) + 63) / 64 * 64 + slot_step_bytes(a);
}
FIRTH_HD i64 blocks_of_piece(const NegativeSampling& a) { return (a.piece + a.block - 1) / a.block; }

// Where words are bags, rows are shared out by their number modulo this.
constexpr i64 kRowParts = 64;
constexpr float kMostMove = 0.5f;  // of a round, as a length

FIRTH_HD i64 negative_sampling_scratch(const NegativeSampling& a) {
  const i64 window = static_cast<i64>(a.window), kept = a.piece + 2 * window;
  const i64 company = whole_tiles(a.block + 2 * window), targets = whole_tiles(company + a.shared);
  const i64 width = whole_tiles(a.block), rows = 2 * (company + targets + 2 * width) + 1;
  const i64 floats = rows * whole_tiles(a.input.dim) + width * (2 * company + 3 * targets);
  const i64 words = 4 * kept + 2 * a.piece + 2 * (a.piece / a.block + 2) * a.shared + 9 * width + a.shared;
  const i64 pointers = 2 * company + a.shared;
  return 4 * (floats + words) + 8 * pointers + slot_bytes(a) + 64 * 48;  // fewer than 48 arrays, rounded up to 64 bytes
}

}  // namespace firth
