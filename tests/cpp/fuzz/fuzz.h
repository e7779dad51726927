// What the fuzzing targets share. A target is LLVMFuzzerTestOneInput: clang's libFuzzer calls it with bytes that it
// makes up, replay.cc with the files that are kept. Its first bytes say what is done, the others what it is done to.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "dispatch.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace firth::fuzz {

using Byte = unsigned char;

// The bytes of an input, first to last; zeros behind the end.
class Input {
 public:
  Input(const Byte* data, std::size_t size) : at_(data), end_(data + size) {}

  i64 left() const { return end_ - at_; }
  u32 byte() { return at_ < end_ ? *at_++ : 0u; }
  u32 word() { return byte() | byte() << 8; }
  u64 number() {
    u64 value = 0;
    for (int i = 0; i < 8; ++i) value |= static_cast<u64>(byte()) << (8 * i);
    return value;
  }
  // A whole number in [low, high], for at most 2^16 of them.
  i64 between(i64 low, i64 high) {
    const u32 drawn = high - low < 256 ? byte() : word();
    return low + static_cast<i64>(drawn) % (high - low + 1);
  }
  std::string bytes(i64 many) {
    if (many > left()) many = left();
    const std::string taken(reinterpret_cast<const char*>(at_), static_cast<std::size_t>(many));
    at_ += many;
    return taken;
  }

 private:
  const Byte *at_, *end_;
};

// An array of exactly so many elements, behind which a sanitizer lets nothing be touched.
template <class T>
class Exact {
 public:
  explicit Exact(i64 size) : size_(size), data_(new T[static_cast<std::size_t>(size)]) {}
  Exact(i64 size, T value) : Exact(size) {
    for (i64 i = 0; i < size; ++i) data_[i] = value;
  }
  T* data() const { return data_.get(); }
  i64 size() const { return size_; }
  T& operator[](i64 i) const { return data_[i]; }

 private:
  i64 size_;
  std::unique_ptr<T[]> data_;
};

inline Exact<Byte> copy_of(const std::string& text) {
  Exact<Byte> copy(static_cast<i64>(text.size()));
  if (!text.empty()) std::memcpy(copy.data(), text.data(), text.size());
  return copy;
}

// Some text of the input, now and then so often in a row that it is longer than what is read in one piece.
inline std::string text_of(Input& input, i64 many, i64 times) {
  const std::string once = input.bytes(many);
  std::string text;
  for (i64 i = 0; i < times; ++i) text += once;
  return text;
}

// The instruction sets that have kernels of text of their own: those beyond v4 share its.
inline const std::vector<const Kernels*>& text_levels() {
  static const std::vector<const Kernels*> levels = [] {
    std::vector<const Kernels*> found;
    for (const Kernels* level : supported_kernels())
      if (found.empty() || found.back()->tokens != level->tokens) found.push_back(level);
    return found;
  }();
  return levels;
}

}  // namespace firth::fuzz
