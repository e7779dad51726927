// The list of names: every CPU kernel, once. Each is serial over a range, allocates nothing, throws nothing and knows
// neither Python nor threads; the same source is compiled once per instruction set, in a namespace of its own.
#pragma once

#include "firth/array.h"
#include "firth/classification.h"
#include "firth/cooccurrence.h"
#include "firth/cosine.h"
#include "firth/glove.h"
#include "firth/negative_sampling.h"
#include "firth/ranking.h"
#include "firth/subwords.h"
#include "firth/tokens.h"
#include "firth/walks.h"

// topk works in three acts: begin_topk starts all queries (and returns the first that is not finite, or -1), topk scans
// ranges of items, end_topk scores what waits for one query.
// Where there are rounds, negative_sampling has more acts: link_steps finds the steps of each word, merge_steps adds up
// those of words whose first step is in some pieces and adds the sum to their rows, unless these are bags: add_to_bags
// does that, for parts of the rows. They return how many words or rows that were.
#define FIRTH_DECLARE_NEGATIVE_SAMPLING(level)                       \
  namespace level {                                                  \
  void negative_sampling(const NegativeSampling&, Range);            \
  i64 link_steps(const NegativeSampling&, i64 pieces);               \
  i64 merge_steps(const NegativeSampling&, Range pieces);            \
  i64 add_to_bags(const NegativeSampling&, i64 pieces, Range parts); \
  }

#define FIRTH_DECLARE_COSINE(level)      \
  namespace level {                      \
  void prepare(const Prepare&, Range);   \
  i64 begin_topk(const TopK&);           \
  void topk(const TopK&, Range);         \
  void end_topk(const TopK&, i64 query); \
  }

// cooccurrence has a first act where there are frequent words: count_frequent, over places; it returns how many it
// read. So has ranking: mark_met, over users; it returns how many pairs that were. newlines counts those in a part of a
// text and writes where they are, unless that is null; words often come as lines.
#define FIRTH_DECLARE(level)                         \
  FIRTH_DECLARE_COSINE(level)                        \
  FIRTH_DECLARE_NEGATIVE_SAMPLING(level)             \
  namespace level {                                  \
  void tokens(const Tokens&, Range);                 \
  i64 newlines(const unsigned char*, Range, i64*);   \
  void subwords(const Subwords&, Range);             \
  void bag_means(const BagMeans&, Range);            \
  void subword_means(const SubwordMeans&, Range);    \
  void classification(const Classification&, Range); \
  void count_frequent(FrequentCounts, Range);        \
  void cooccurrence(const Cooccurrence&, Range);     \
  void merge_counts(const MergeCounts&, Range);      \
  void glove(const Glove&, Range);                   \
  void walks(const Walks&, Range);                   \
  i64 mark_met(const Ranking&, Range);               \
  void ranking(const Ranking&, Range);               \
  }

namespace firth {

struct Kernels {
  const char* isa;
  Scan scan;  // of many queries over items that were not prepared
  void (*tokens)(const Tokens&, Range);
  void (*negative_sampling)(const NegativeSampling&, Range);
  i64 (*link_steps)(const NegativeSampling&, i64 pieces);
  i64 (*merge_steps)(const NegativeSampling&, Range pieces);
  i64 (*add_to_bags)(const NegativeSampling&, i64 pieces, Range parts);
  i64 (*newlines)(const unsigned char*, Range, i64*);
  void (*subwords)(const Subwords&, Range);
  void (*bag_means)(const BagMeans&, Range);
  void (*subword_means)(const SubwordMeans&, Range);
  void (*classification)(const Classification&, Range);
  void (*count_frequent)(FrequentCounts, Range);
  void (*cooccurrence)(const Cooccurrence&, Range);
  void (*merge_counts)(const MergeCounts&, Range);
  void (*glove)(const Glove&, Range);
  void (*walks)(const Walks&, Range);
  i64 (*mark_met)(const Ranking&, Range);
  void (*ranking)(const Ranking&, Range);
  void (*prepare)(const Prepare&, Range);
  i64 (*begin_topk)(const TopK&);
  void (*topk)(const TopK&, Range);
  void (*end_topk)(const TopK&, i64 query);
};

FIRTH_DECLARE(base)
FIRTH_DECLARE(v2)
FIRTH_DECLARE(v3)
FIRTH_DECLARE(v4)
FIRTH_DECLARE_COSINE(vnni)
FIRTH_DECLARE_COSINE(amx)
FIRTH_DECLARE_NEGATIVE_SAMPLING(amx)

}  // namespace firth
