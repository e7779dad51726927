#pragma once

#include "firth/array.h"

namespace firth {

struct TopK {};

}  // namespace firth
