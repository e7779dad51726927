// String columns of other libraries by Arrow's C stream interface: buffers are read where they lie, no row becomes a
// Python object. The structs are the ABI that https://arrow.apache.org/docs/format/CStreamInterface.html lays down.
#pragma once

#include <functional>

#include "bridge.h"

namespace firth {

// Calls row(bytes, length) for each row of the stream in an "arrow_array_stream" capsule that is not null, and between
// them, often enough for Ctrl-C. TypeError unless it is one column of utf8, large_utf8 or utf8_view.
void each_arrow_row(const py::capsule& stream, const std::function<void(const unsigned char*, i64)>& row);

}  // namespace firth
