#include "firth/walks.h"

#include "kernels.h"

namespace firth::FIRTH_LEVEL {

void walks(const Walks& a, Range range) {
  for (i64 n = range.begin; n < range.end; ++n) walk_from(a, n, a.out + n * a.length);
}

}  // namespace firth::FIRTH_LEVEL
