#include "bridge.h"

namespace firth {

void bind_cosine(py::module_&) {}

}  // namespace firth
