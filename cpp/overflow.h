// What memory has no room for lies in files without a name, which somebody else has opened. They are written with
// pwrite, never through a mapping: a disk that is full is then an error and not a signal.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "firth/array.h"

namespace firth {

// Reads as much of [begin, begin + size) as there is; throws std::system_error.
i64 read_at(int file, void* to, i64 size, i64 begin);

// A file in the folder takes no more, or somebody else has cut it.
struct OverflowError : std::runtime_error {
  OverflowError(int number, const std::string& text, const std::string& where)
      : std::runtime_error(text), code(number), folder(where) {}
  int code;  // errno
  std::string folder;
};

// A file as it lies on the disk, read-only. It must not be empty.
class Mapping {
 public:
  Mapping(int file, std::size_t bytes);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  const void* data() const { return data_; }

 private:
  void* data_;
  std::size_t bytes_;
};

class Overflow {
 public:
  enum File { kNumbers, kIds, kOffsets };

  // The folder is for messages.
  Overflow(std::array<int, 3> files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  void write(File file, const void* from, i64 bytes, i64 begin);
  void read(File file, void* to, i64 bytes, i64 begin) const;
  // What lies there is not needed any more: its room is given back, where the file system can do that.
  void forget(File file, i64 bytes, i64 begin);
  std::unique_ptr<Mapping> map(File file, i64 bytes) const {
    return std::make_unique<Mapping>(files_[file], static_cast<std::size_t>(bytes));
  }

 private:
  std::array<int, 3> files_;
  std::string folder_;
  std::atomic<i64> held_{0};  // bytes on the disk, or on the way there
};

}  // namespace firth
