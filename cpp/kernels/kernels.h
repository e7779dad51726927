// The list of names: every CPU kernel, once. Each is serial over a range, allocates nothing, throws nothing and knows
// neither Python nor threads; the same source is compiled once per instruction set, in a namespace of its own.
#pragma once

#include "firth/array.h"
#include "firth/cosine.h"
#include "firth/negative_sampling.h"
#include "firth/tokens.h"

#define FIRTH_DECLARE(level)                              \
  namespace level {                                       \
  void tokens(const Tokens&, Range);                      \
  void negative_sampling(const NegativeSampling&, Range); \
  void topk(const TopK&, Range);                          \
  }

namespace firth {

struct Kernels {
  const char* isa;
  void (*tokens)(const Tokens&, Range);
  void (*negative_sampling)(const NegativeSampling&, Range);
  void (*topk)(const TopK&, Range);
};

FIRTH_DECLARE(base)
FIRTH_DECLARE(v2)
FIRTH_DECLARE(v3)
FIRTH_DECLARE(v4)

}  // namespace firth
