#include "bridge.h"

namespace firth {

void bind_tokens(py::module_&) {}

}  // namespace firth
