// What every kernel's arguments are made of: views that own nothing and cross the CPU/GPU border by value.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define FIRTH_HD __host__ __device__ static inline
#else
#define FIRTH_HD static inline
#endif

#if defined(__SANITIZE_THREAD__)
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#define FIRTH_RACES(what) AnnotateIgnoreReads##what(__FILE__, __LINE__), AnnotateIgnoreWrites##what(__FILE__, __LINE__)
#else
#define FIRTH_RACES(what) static_cast<void>(0)
#endif

namespace firth {

// While one of these lives, its thread reads and writes rows that others change without being asked: Hogwild (Recht et
// al. 2011). ThreadSanitizer is told that these races are meant, and reports all others.
class Hogwild {
 public:
  explicit Hogwild(bool meant) : meant_(meant) {
    if (meant_) FIRTH_RACES(Begin);
  }
  ~Hogwild() {
    if (meant_) FIRTH_RACES(End);
  }
  Hogwild(const Hogwild&) = delete;
  Hogwild& operator=(const Hogwild&) = delete;

 private:
  bool meant_;
};

using i64 = std::int64_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// A half-open cut [begin, end) of a kernel's tasks.
struct Range {
  i64 begin, end;
};

// Row-major rows of `dim` contiguous elements.
template <class T>
struct Matrix {
  T* data;
  i64 rows, dim;
};

// Bag b is ids[offsets[b], offsets[b + 1]).
struct Bags {
  const i64* offsets;  // (bags + 1,), or null where there are none
  const u32* ids;
};

template <class T>
FIRTH_HD T* row(const Matrix<T>& matrix, i64 index) {
  return matrix.data + index * matrix.dim;
}

}  // namespace firth
