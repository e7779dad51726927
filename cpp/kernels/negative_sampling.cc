#include "kernels.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {

void negative_sampling(const NegativeSampling&, Range) {}

}  // namespace firth::FIRTH_LEVEL
