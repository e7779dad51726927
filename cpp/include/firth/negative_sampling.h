#pragma once

#include "firth/array.h"

namespace firth {

struct NegativeSampling {};

}  // namespace firth
