// In the place of dispatch.cc where one fuzzes: the instruction sets of this processor, with the kernels that the
// targets call and no others, so that a build is quick.
#include "dispatch.h"

#define FIRTH_LEVEL_OF(level)               \
  {.isa = #level,                           \
   .tokens = level::tokens,                 \
   .newlines = level::newlines,             \
   .subwords = level::subwords,             \
   .bag_means = level::bag_means,           \
   .subword_means = level::subword_means,   \
   .count_frequent = level::count_frequent, \
   .cooccurrence = level::cooccurrence,     \
   .merge_counts = level::merge_counts}

namespace firth {

const std::vector<const Kernels*>& supported_kernels() {
  static const Kernels v2 = FIRTH_LEVEL_OF(v2), v3 = FIRTH_LEVEL_OF(v3), v4 = FIRTH_LEVEL_OF(v4);
  static const bool is_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  static const bool is_v4 = is_v3 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  static const std::vector<const Kernels*> found = is_v4   ? std::vector{&v4, &v3, &v2}
                                                   : is_v3 ? std::vector{&v3, &v2}
                                                           : std::vector{&v2};
  return found;
}

}  // namespace firth
