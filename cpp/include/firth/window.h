// The company a token keeps: the span of positions around a centre, clipped to its sentence.
// Dynamic windows: Mikolov et al., "Efficient estimation of word representations in vector space" (2013), section 3.2.
#pragma once

#include "firth/array.h"
#include "firth/random.h"

namespace firth {

// The reach of a dynamic window: 1, ..., window, equally likely.
FIRTH_HD i64 reach(u32 word, u32 window) { return 1 + static_cast<i64>(below(word, window)); }

// [begin, end) around `centre`, inside the sentence [sentence.begin, sentence.end). The centre itself is in it.
FIRTH_HD Range company(i64 centre, i64 reach, Range sentence) {
  const i64 begin = centre - reach, end = centre + reach + 1;
  return {begin < sentence.begin ? sentence.begin : begin, end > sentence.end ? sentence.end : end};
}

}  // namespace firth
