// String columns of other libraries by Arrow's C stream interface: buffers are read where they lie, no row becomes a
// Python object. The structs are the ABI that https://arrow.apache.org/docs/format/CStreamInterface.html lays down.
#pragma once

#include <functional>
#include <string>

#include "bridge.h"

namespace firth {

constexpr i64 kNullRow = -1;

// Calls row(bytes, length) for each row of the stream in an "arrow_array_stream" capsule; the length of a row that is
// null is kNullRow. TypeError unless it is one column of utf8, large_utf8 or utf8_view. Errors name the function.
void each_arrow_row(const py::capsule& stream, const std::string& function,
                    const std::function<void(const unsigned char*, i64)>& row);

}  // namespace firth
