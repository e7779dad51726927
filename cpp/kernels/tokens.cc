#include "kernels.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {

void tokens(const Tokens&, Range) {}

}  // namespace firth::FIRTH_LEVEL
