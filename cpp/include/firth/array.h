// What every kernel's arguments are made of: views that own nothing and cross the CPU/GPU border by value.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define FIRTH_HD __host__ __device__ static inline
#else
#define FIRTH_HD static inline
#endif

namespace firth {

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
