// score -> (loss, -d loss / d score) of one pair. Kernels on the CPU use the vector form of the same formula
// (kernels/simd.h). Logistic loss with noise: Mikolov et al., "Distributed representations of words and phrases"
// (2013), equation 4.
#pragma once

#include <cmath>

#include "firth/array.h"

namespace firth {

struct LossAndStep {
  float loss, step;
};

// `seen` is 1 for a pair from the corpus and 0 for a noise pair.
FIRTH_HD LossAndStep logistic(float score, float seen) {
  const float e = expf(-fabsf(score));
  const float probability = (score >= 0.0f ? 1.0f : e) / (1.0f + e);
  const float wrong = seen > 0.5f ? -score : score;
  return {(wrong > 0.0f ? wrong : 0.0f) + log1pf(e), seen - probability};
}

}  // namespace firth
