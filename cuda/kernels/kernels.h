// The list of names: every CUDA kernel's launcher, once. Launchers queue work on the stream and do not wait for it. All
// pointers are the device's.
#pragma once

#include <cuda_runtime.h>

#include <functional>

#include "firth/cooccurrence.h"
#include "firth/cosine.h"
#include "firth/glove.h"
#include "firth/negative_sampling.h"
#include "firth/ranking.h"
#include "firth/subwords.h"
#include "firth/walks.h"

namespace firth::cuda {

// What a search leaves behind on the device: the first query and the first item that are not finite.
struct Bad {
  i64 query, item;  // queries.rows and items.count if all are; items that come with constants are
};

// Fills panels (16-byte aligned) and constants; sets *bad_item. Scratch is not used.
void prepare(const Prepare& args, cudaStream_t stream);

// Lists and scratch are the launcher's own. Rows without constants are scanned as float32.
void topk(const TopK& args, i64* ids, double* scores, Bad* bad, cudaStream_t stream);

// Fills offsets[1:] if ids is null, else ids.
void subwords(const Subwords& args, cudaStream_t stream);

void bag_means(const BagMeans& args, cudaStream_t stream);

// Scratch is not used.
void subword_means(const SubwordMeans& args, cudaStream_t stream);

enum class Values : u32 { kFloat32 = 0, kFloat64 = 1, kSums = 2 };  // as cpp/counting.h has them

// Rows whose size is not known before they are counted: allocate(entries) says where their entries go.
struct Entries {
  u32* indices;
  void* values;
};
struct Results {
  i64* indptr;  // (rows + 1,)
  Values values;
  double unit;
  std::function<Entries(i64)> allocate;
};

// Fills starts (words + 1,) and places (many,) of the index of ids (many,).
void places(const u32* ids, i64 many, i64 words, i64* starts, u32* places, cudaStream_t stream);

// Makes rows [begin, end) of an index of `places` places. Weights are the host's; scratch is not used. This and
// merge_counts wait for the stream once, to learn how many entries there are.
void cooccurrence(const Cooccurrence& args, Range rows, i64 places, const Results& results, cudaStream_t stream);

// Parts have `entries` in all and are listed on the host. Scratch is not used.
void merge_counts(const MergeCounts& args, i64 entries, const Results& results, cudaStream_t stream);

constexpr i64 kMostDeviceDim = 1022;  // of glove: a warp keeps four rows in registers

// One round. Adds to what fitted (groups,) has; a group that stopped in a round before stays where it is. `counts` is
// scratch of (rows,).
void glove(const Glove& args, Range* counts, cudaStream_t stream);

// How negative_sampling works on the current device, made once for all spans of a pass.
struct SamplingPlan {
  i64 words_in;  // words that may be inputs: rows of the input, or bags
  i64 tokens;    // of a span, at most; a multiple of `piece`
  bool round;    // a span is a round: steps wait for its end and are added in the order of the contract
  i64 slice;     // columns of the rows that are worked on at a time,
  bool on_chip;  // in shared memory, or else in device memory
  i64 blocks;    // thread blocks in flight
  i64 scratch;   // bytes that the caller brings
  i64 needed;    // bytes of device memory in all, but for rows of bags in rounds
};
// `blocks` in flight, or as many as the device and the vocabulary allow: 0.
SamplingPlan negative_sampling_plan(const NegativeSampling& args, i64 words_in, i64 tokens, bool round, i64 blocks);

// One span of whole pieces; adds to *outcome (one). Steps and `scratch` are not those of the host.
void negative_sampling(const NegativeSampling& args, const SamplingPlan& plan, Range tokens, cudaStream_t stream);

// Fills out (walks, length).
void walks(const Walks& args, cudaStream_t stream);

// Samples of `ranking` in flight on the current device: `wanted`, or as many as device and tables allow: 0.
i64 ranking_flight(const Ranking& args, i64 wanted);

// The thread blocks that train as many samples side by side.
i64 ranking_blocks(const Ranking& args, i64 flight);

// Samples of an epoch. Block b adds to outcome[b]; one that has met a number that is not finite does nothing more.
void ranking(const Ranking& args, i64 flight, Range samples, cudaStream_t stream);

}  // namespace firth::cuda
