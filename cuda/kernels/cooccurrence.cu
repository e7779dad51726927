// places, cooccurrence and merge_counts on the device, by the contract of firth/cooccurrence.h. rows.h makes rows of
// whatever adds to them: here the company of a word's places, or the entries that other counts have of it. Sums are
// integers, so that their order cannot change a bit.
#include "rows.h"
#include "sort.h"

namespace firth::cuda {
namespace {

// Whether no sentence begins at places (t, t + distance].
__device__ bool joined(const u64* breaks, i64 t, u32 distance) {
  const i64 word = t / 64, shift = t % 64;
  u64 bits = breaks[word + 1] << (63 - shift);  // of [t + 1, t + 64], t + 1 lowest
  if (shift < 63) bits |= breaks[word] >> (shift + 1);
  return bits << (64 - distance) == 0;
}

// A place of an index adds the words around it. A few neighbouring threads share a place, and read words side by side.
struct Company {
  Cooccurrence args;
  u32 group;  // threads that share a place
  u64 table[kMaxWindow];

  __device__ void load(u64* weights) const {
    if (threadIdx.x < args.window) weights[threadIdx.x] = table[threadIdx.x];
  }
  template <class Add>
  __device__ void each(i64, i64 begin, i64 end, const u64* weights, Add add) const {
    const i64 window = static_cast<i64>(args.window);
    const i64 first = args.symmetric ? -window : 1, company = args.symmetric ? 2 * window : window;
    for (i64 i = begin + threadIdx.x / group; i < end; i += kSumThreads / group) {
      const i64 t = args.origin + static_cast<i64>(args.places[i]);
      for (i64 j = threadIdx.x % group; j < company; j += group) {
        const i64 offset = first + j + (args.symmetric && j >= window ? 1 : 0), other = t + offset;
        const u32 distance = static_cast<u32>(offset < 0 ? -offset : offset);
        if (other < 0 || other >= args.tokens) continue;
        if (args.breaks && !joined(args.breaks, other < t ? other : t, distance)) continue;
        add(args.ids[other], weights[distance - 1]);
      }
    }
  }
};

// The entries of a row in several counts, one count behind the other.
struct Parts {
  const MergeCounts::Part* parts;
  i64 many;
  const i64* starts;

  __device__ void load(u64*) const {}
  template <class Add>
  __device__ void each(i64 row, i64 begin, i64 end, const u64*, Add add) const {
    i64 before = starts[row];
    for (i64 p = 0; p < many; ++p) {
      const MergeCounts::Part& part = parts[p];
      const i64 from = part.indptr[row], size = part.indptr[row + 1] - from;
      const i64 last = end - before < size ? end - before : size;
      for (i64 i = (begin > before ? begin - before : 0) + threadIdx.x; i < last; i += kSumThreads)
        add(part.columns[from + i], part.sums[from + i]);
      before += size;
    }
  }
};

// Where the rows of all parts together begin.
__global__ void __launch_bounds__(kSumThreads)
    joint_starts_kernel(const MergeCounts::Part* parts, i64 many, i64 rows, i64* starts) {
  const i64 step = static_cast<i64>(gridDim.x) * kSumThreads;
  for (i64 row = static_cast<i64>(blockIdx.x) * kSumThreads + threadIdx.x; row <= rows; row += step) {
    i64 start = 0;
    for (i64 p = 0; p < many; ++p) start += parts[p].indptr[row];
    starts[row] = start;
  }
}

// As many threads for a place as leave few of them idle; 8 read a sector of memory.
u32 group_of(u32 company) {
  u32 best = 8;
  for (const u32 group : {16u, 32u})
    if ((company + group - 1) / group * group <= (company + best - 1) / best * best) best = group;
  return best;
}

}  // namespace

void places(const u32* ids, i64 many, i64 words, i64* starts, u32* places, cudaStream_t stream) {
  sort_by_word(ids, many, words, starts, places, stream);
}

void cooccurrence(const Cooccurrence& args, Range rows, i64 places, const Results& results, cudaStream_t stream) {
  Company source{args, group_of(args.window * (args.symmetric ? 2 : 1)), {}};
  for (u32 d = 0; d < args.window; ++d) source.table[d] = args.weights[d];
  source.args.weights = nullptr;  // of the host
  make_rows(source, args.starts, rows, places, args.words, results, stream);
}

void merge_counts(const MergeCounts& args, i64 entries, const Results& results, cudaStream_t stream) {
  const Scratch<MergeCounts::Part> parts(args.many, stream);
  const Scratch<i64> starts(args.words + 1, stream);
  check(cudaMemcpyAsync(parts.data(), args.parts, static_cast<std::size_t>(args.many) * sizeof(MergeCounts::Part),
                        cudaMemcpyHostToDevice, stream),
        "merge_counts: parts");
  const MergeCounts::Part* all = parts.data();
  launch("merge_counts: starts", joint_starts_kernel, blocks(args.words + 1, kSumThreads), kSumThreads, stream, all,
         args.many, args.words, starts.data());
  const i64* joint = starts.data();
  make_rows(Parts{all, args.many, joint}, joint, {0, args.words}, entries, args.columns, results, stream);
}

}  // namespace firth::cuda
