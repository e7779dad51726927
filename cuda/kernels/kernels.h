// The list of names: every CUDA kernel's launcher, once. Launchers queue work on the stream and do not wait for it.
#pragma once

#include <cuda_runtime.h>

#include "firth/cosine.h"

namespace firth::cuda {

// What a search leaves behind on the device: the first query and the first item that are not finite.
struct Bad {
  i64 query, item;  // queries.rows and items.rows if all are
};

// All pointers are the device's. Of `args` only queries, items, exclude, k and cosine are read.
void topk(const TopK& args, i64* ids, float* scores, Bad* bad, cudaStream_t stream);

}  // namespace firth::cuda
