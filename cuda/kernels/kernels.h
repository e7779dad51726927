// The list of names: every CUDA kernel's launcher, once. Launchers queue work on the stream and do not wait for it. All
// pointers are the device's.
#pragma once

#include <cuda_runtime.h>

#include "firth/cosine.h"
#include "firth/subwords.h"

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

}  // namespace firth::cuda
