// What every launcher needs: checked calls, grid sizes, and scratch memory that lives in stream order.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "firth/array.h"

namespace firth::cuda {

inline void check(cudaError_t result, const char* what) {
  if (result == cudaSuccess) return;
  throw std::runtime_error(std::string("cuda: ") + what + ": " + cudaGetErrorName(result) + ": " +
                           cudaGetErrorString(result));
}

inline i64 ceil_div(i64 a, i64 b) { return (a + b - 1) / b; }

// Blocks of `threads` for `tasks`, which the kernel strides over.
inline unsigned blocks(i64 tasks, i64 threads) {
  constexpr i64 kMost = 1 << 20;
  const i64 wanted = ceil_div(tasks, threads);
  return static_cast<unsigned>(wanted < 1 ? 1 : wanted < kMost ? wanted : kMost);
}

// Queues a kernel and reports a launch that was refused; it does not wait for the kernel. A function, not <<<>>>: so
// the kernels' text is plain C++, which tests/cpp/cuda runs on the host.
// Each block gets `bytes` of shared memory beside what its kernel declares.
template <class... Parameters, class... Arguments>
void launch_with(i64 bytes, const char* name, void (*kernel)(Parameters...), dim3 grid, int threads,
                 cudaStream_t stream, Arguments... arguments) {
  cudaLaunchConfig_t how{};
  how.gridDim = grid;
  how.blockDim = dim3(static_cast<unsigned>(threads));
  how.dynamicSmemBytes = static_cast<std::size_t>(bytes);
  how.stream = stream;
  check(cudaLaunchKernelEx(&how, kernel, arguments...), name);
}
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, int threads, cudaStream_t stream,
            Arguments... arguments) {
  launch_with(0, name, kernel, grid, threads, stream, arguments...);
}

inline i64 attribute(cudaDeviceAttr which, const char* what) {
  int device = 0, value = 1;
  check(cudaGetDevice(&device), "current device");
  check(cudaDeviceGetAttribute(&value, which, device), what);
  return value;
}
inline i64 multiprocessors() { return attribute(cudaDevAttrMultiProcessorCount, "multiprocessors"); }

// Memory from the stream's pool, given back in stream order: neither end waits for the device.
template <class T>
class Scratch {
 public:
  Scratch(i64 size, cudaStream_t stream) : stream_(stream) {
    check(cudaMallocAsync(reinterpret_cast<void**>(&data_), static_cast<std::size_t>(size) * sizeof(T), stream),
          "scratch memory");
  }
  ~Scratch() { cudaFreeAsync(data_, stream_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  T* data_ = nullptr;
  cudaStream_t stream_;
};

// Makes the device that an array lives on the current one, for as long as it is in scope.
class OnDevice {
 public:
  explicit OnDevice(int device) {
    check(cudaGetDevice(&before_), "current device");
    check(cudaSetDevice(device), "device");
  }
  ~OnDevice() { cudaSetDevice(before_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  int before_ = 0;
};

}  // namespace firth::cuda
