// Memory straight from the system: it comes zeroed, goes back at once when freed, and a big piece can lie on huge
// pages. malloc promises none of this, and the memory use of reading a corpus rests on them.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

namespace firth {

class Pages {
 public:
  Pages() = default;
  explicit Pages(std::size_t bytes) { resize(bytes); }
  Pages(Pages&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Pages() {
    if (data_) munmap(data_, bytes_);
  }

  // What was there stays (its address does not); what is new is zero. Only what is touched takes memory.
  void resize(std::size_t bytes) {
    if (bytes == 0) {
      *this = Pages();
      return;
    }
    constexpr int kAsked = PROT_READ | PROT_WRITE, kKind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* fresh = data_ ? mremap(data_, bytes_, bytes, MREMAP_MAYMOVE) : mmap(nullptr, bytes, kAsked, kKind, -1, 0);
    if (fresh == MAP_FAILED) throw std::bad_alloc();
    data_ = fresh;
    bytes_ = bytes;
    if (bytes >= std::size_t{4} << 20) madvise(data_, bytes, MADV_HUGEPAGE);  // advice only
  }
  std::size_t bytes() const { return bytes_; }

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace firth
