#include "arrow.h"

#include <cstring>
#include <string>

namespace firth {
namespace {

struct ArrowSchema {
  const char *format, *name, *metadata;
  i64 flags, n_children;
  ArrowSchema **children, *dictionary;
  void (*release)(ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  i64 length, null_count, offset, n_buffers, n_children;
  const void** buffers;
  ArrowArray **children, *dictionary;
  void (*release)(ArrowArray*);
  void* private_data;
};

struct ArrowArrayStream {
  int (*get_schema)(ArrowArrayStream*, ArrowSchema*);
  int (*get_next)(ArrowArrayStream*, ArrowArray*);
  const char* (*get_last_error)(ArrowArrayStream*);
  void (*release)(ArrowArrayStream*);
  void* private_data;
};

template <class T>
struct Released : T {
  Released() : T{} {}
  ~Released() {
    if (this->release) this->release(this);
  }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;
};

using Row = std::function<void(const unsigned char*, i64)>;

// One view of utf8_view: a prefix and where the whole lies, or all of it, if it has no more bytes than that.
struct View {
  std::int32_t length;
  unsigned char prefix[4];
  std::int32_t buffer, offset;
};
constexpr i64 kInPlace = sizeof(View) - sizeof(std::int32_t);

bool is_valid(const ArrowArray& array, i64 i) {
  const auto* bits = static_cast<const unsigned char*>(array.buffers[0]);
  return array.null_count == 0 || !bits || (bits[i / 8] >> (i % 8) & 1);
}

// Element i of a buffer, which need not lie where its type should.
template <class T>
T at(const void* buffer, i64 i) {
  T value;
  std::memcpy(&value, static_cast<const unsigned char*>(buffer) + i * static_cast<i64>(sizeof(T)), sizeof(T));
  return value;
}

template <class Offset>
void each_string(const ArrowArray& array, const std::string& function, const Row& row) {
  const auto* bytes = static_cast<const unsigned char*>(array.buffers[2]);
  for (i64 i = array.offset; i < array.offset + array.length; ++i) {
    if (!is_valid(array, i)) {
      row(nullptr, kNullRow);
      continue;
    }
    const i64 begin = at<Offset>(array.buffers[1], i), end = at<Offset>(array.buffers[1], i + 1);
    if (begin < 0 || end < begin) throw py::value_error(function + ": the Arrow column's offsets decrease");
    row(bytes + begin, end - begin);
  }
}

void each_view(const ArrowArray& array, const std::string& function, const Row& row) {
  const auto* views = static_cast<const unsigned char*>(array.buffers[1]);
  const i64 buffers = array.n_buffers - 3;
  for (i64 i = array.offset; i < array.offset + array.length; ++i) {
    if (!is_valid(array, i)) {
      row(nullptr, kNullRow);
      continue;
    }
    const auto view = at<View>(views, i);
    if (view.length >= 0 && view.length <= kInPlace) {
      row(views + i * static_cast<i64>(sizeof(View)) + sizeof(view.length), view.length);
      continue;
    }
    const i64 buffer = view.buffer, offset = view.offset;
    if (view.length < 0 || buffer < 0 || buffer >= buffers || offset < 0 ||
        offset + view.length > at<i64>(array.buffers[array.n_buffers - 1], buffer))
      throw py::value_error(function + ": a view of the Arrow column points outside its buffers");
    row(static_cast<const unsigned char*>(array.buffers[2 + buffer]) + offset, view.length);
  }
}

}  // namespace

void each_arrow_row(const py::capsule& capsule, const std::string& function, const Row& row) {
  auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream"));
  if (!stream) throw py::error_already_set();
  if (!stream->release) throw py::value_error(function + ": this Arrow stream was already read");
  const auto check = [&](int code) {
    if (code == 0) return;
    const char* message = stream->get_last_error(stream);
    throw py::value_error(function +
                          ": the Arrow stream failed: " + std::string(message ? message : "no reason given"));
  };
  Released<ArrowSchema> schema;
  check(stream->get_schema(stream, &schema));
  const std::string format = schema.format;
  if (schema.dictionary || (format != "u" && format != "U" && format != "vu"))
    throw py::type_error(
        function + ": expected one Arrow column of strings, found " +
        (schema.dictionary ? std::string("a dictionary (categorical) column; cast it to strings")
         : format == "+s" ? std::string("a table of ") + std::to_string(schema.n_children) + " columns; pass one column"
                          : "format '" + format + "'"));
  for (;;) {
    Released<ArrowArray> array;
    check(stream->get_next(stream, &array));
    if (!array.release) break;
    if (format == "u") each_string<std::int32_t>(array, function, row);
    if (format == "U") each_string<i64>(array, function, row);
    if (format == "vu") each_view(array, function, row);
  }
}

}  // namespace firth
