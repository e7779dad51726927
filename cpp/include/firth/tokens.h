#pragma once

#include "firth/array.h"

namespace firth {

struct Tokens {};

}  // namespace firth
