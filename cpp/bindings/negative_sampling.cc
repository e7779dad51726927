#include "bridge.h"

namespace firth {

void bind_negative_sampling(py::module_&) {}

}  // namespace firth
