// A row at a time, summed up in a dense array. Rows of many places are looked up in all columns at the end; others
// leave marks where they wrote, for groups of columns. Sums are 32 bits wide where the row cannot need more: twice as
// many lie in cache.
#include "firth/cooccurrence.h"

#include "kernels.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 kAhead = 16;  // places whose company is asked for before it is needed

// Sums by column, zero again once they are taken.
template <class Sum>
struct Row {
  Sum* sums;
  unsigned char* marks;
  i64 columns;

  Row(void* scratch, i64 columns_)
      : sums(static_cast<Sum*>(scratch)),
        marks(static_cast<unsigned char*>(scratch) + counting_marks(columns_)),
        columns(columns_) {}

  template <bool kMarks>
  void add(u32 column, Sum sum) const {
    sums[column] += sum;
    if constexpr (kMarks) marks[column / kTouchedColumns] = 1;
  }

  // Appends the sums to what was found; returns how many entries there are then.
  template <bool kMarks>
  i64 take(const CountedRows& found, i64 entries) const {
    const i64 groups = (columns + kTouchedColumns - 1) / kTouchedColumns;
    const auto take_group = [&](i64 group) {
      const i64 first = group * kTouchedColumns;
      entries += take_sums(sums + first, static_cast<u32>(first), found.columns + entries, found.sums + entries);
    };
    if constexpr (!kMarks) {
      for (i64 group = 0; group < groups; ++group) take_group(group);
    } else {
      for (i64 first = 0; first < groups; first += 64) {
        u64 bits = nonzero_bytes(marks + first);
        if (!bits) continue;
        __builtin_memset(marks + first, 0, 64);
        for (; bits; bits &= bits - 1) take_group(first + __builtin_ctzll(bits));
      }
    }
    return entries;
  }
};

// Calls `work` with the window as a constant where it is one of those most used, so that loops over it are written out,
// else with 0.
template <i64 kNumber>
struct Constant {
  static constexpr i64 value = kNumber;
};
template <class Work>
void for_window(u32 window, const Work& work) {
  if (window == 5) return work(Constant<5>());
  if (window == 10) return work(Constant<10>());
  if (window == 15) return work(Constant<15>());
  work(Constant<0>());
}

// Adds up the company of some places of one word.
template <class Sum, bool kMarks, i64 kWindow>
i64 count(const Cooccurrence& a, Range places, i64 entries) {
  const Row<Sum> row(a.scratch, a.words);
  const i64 window = kWindow ? kWindow : static_cast<i64>(a.window), last = a.starts[a.words] - 1;
  Sum weights[kMaxWindow];
  for (i64 d = 0; d < window; ++d) weights[d] = static_cast<Sum>(a.weights[d]);
  for (i64 i = places.begin; i < places.end; ++i) {
    const i64 t = a.origin + static_cast<i64>(a.places[i]);
    const i64 next = a.origin + static_cast<i64>(a.places[i + kAhead < last ? i + kAhead : last]);
    __builtin_prefetch(a.ids + (next < window ? 0 : next - window));
    __builtin_prefetch(a.ids + next + window);
    const u32* id = a.ids + t;
    const i64 before = a.symmetric ? reach_before(a, t) : 0, after = reach_after(a, t);
    if (before == window && after == window) {
#pragma GCC unroll 15
      for (i64 d = 1; d <= window; ++d) {
        row.template add<kMarks>(id[-d], weights[d - 1]);
        row.template add<kMarks>(id[d], weights[d - 1]);
      }
    } else if (before == 0 && after == window) {
#pragma GCC unroll 15
      for (i64 d = 1; d <= window; ++d) row.template add<kMarks>(id[d], weights[d - 1]);
    } else {
      for (i64 d = 1; d <= before; ++d) row.template add<kMarks>(id[-d], weights[d - 1]);
      for (i64 d = 1; d <= after; ++d) row.template add<kMarks>(id[d], weights[d - 1]);
    }
  }
  return row.template take<kMarks>(*a.found, entries);
}

// Adds up what stands before the frequent words of some places in a table that is so narrow that it lies in cache, with
// one column for all other words, then adds that to the sums.
template <class Sum, i64 kWindow>
void count_frequent_in(const FrequentCounts& f, Range places) {
  const Cooccurrence& a = *f.of;
  const i64 window = kWindow ? kWindow : static_cast<i64>(a.window), other = f.frequent,
            stride = frequent_stride(other);
  Sum* table = static_cast<Sum*>(f.scratch);
  u32* ids = reinterpret_cast<u32*>(static_cast<u64*>(f.scratch) + other * stride);
  u32* found = ids + kFrequentPiece + kMaxWindow;
  Sum weights[kMaxWindow];
  for (i64 d = 0; d < window; ++d) weights[d] = static_cast<Sum>(a.weights[d]);
  for (i64 begin = places.begin; begin < places.end; begin += kFrequentPiece) {
    const i64 end = begin + kFrequentPiece < places.end ? begin + kFrequentPiece : places.end;
    const i64 first = begin < window ? 0 : begin - window;
    for (i64 t = first; t < end; ++t) ids[t - first] = a.ids[t] < other ? a.ids[t] : static_cast<u32>(other);
    i64 many = 0;
    for (i64 t = begin; t < end; ++t) {
      found[many] = static_cast<u32>(t - first);
      many += ids[t - first] < other;
    }
    for (i64 i = 0; i < many; ++i) {
      const u32* id = ids + found[i];
      Sum* row = table + static_cast<i64>(*id) * stride;
      const i64 before = reach_before(a, first + static_cast<i64>(found[i]));
      if (before == window) {
#pragma GCC unroll 15
        for (i64 d = 1; d <= window; ++d) row[id[-d]] += weights[d - 1];
      } else {
        for (i64 d = 1; d <= before; ++d) row[id[-d]] += weights[d - 1];
      }
    }
  }
  for (i64 r = 0; r < other; ++r) {
    for (i64 c = 0; c < other; ++c) f.sums[r * other + c] += table[r * stride + c];
    for (i64 c = 0; c < stride; ++c) table[r * stride + c] = 0;
  }
}

}  // namespace

void count_frequent(FrequentCounts f, Range places) {
  u64 most = 0;  // that a place can add to a sum
  for (u32 d = 0; d < f.of->window; ++d) most += f.of->weights[d];
  const bool is_narrow = static_cast<u64>(places.end - places.begin) <= 0xffffffffu / most;
  for_window(f.of->window, [&](auto window) {
    constexpr i64 kWindow = decltype(window)::value;
    is_narrow ? count_frequent_in<u32, kWindow>(f, places) : count_frequent_in<u64, kWindow>(f, places);
  });
}

void cooccurrence(const Cooccurrence& a, Range places) {
  CountedRows& found = *a.found;
  i64 low = 0, high = a.words;  // the last row that begins at places.begin or before
  while (high - low > 1) {
    const i64 middle = (low + high) / 2;
    (a.starts[middle] <= places.begin ? low : high) = middle;
  }
  u64 most = 0;  // that a place can add to a sum
  for (u32 d = 0; d < a.window; ++d) most += 2 * a.weights[d];
  const i64 narrow = static_cast<i64>(0xffffffffu / most), company = static_cast<i64>(a.window) * (a.symmetric ? 2 : 1);
  found.first = low;
  found.rows = 0;
  i64 entries = 0;
  for (i64 word = low; word < a.words && a.starts[word] < places.end; ++word) {
    const i64 begin = a.starts[word] > places.begin ? a.starts[word] : places.begin;
    const i64 end = a.starts[word + 1] < places.end ? a.starts[word + 1] : places.end;
    if (begin < end) {
      const bool is_narrow = end - begin <= narrow, marks = (end - begin) * company < a.words / 2;
      const Range mine = {begin, end};
      for_window(a.window, [&](auto window) {
        constexpr i64 kWindow = decltype(window)::value;
        entries = is_narrow ? marks ? count<u32, true, kWindow>(a, mine, entries)
                                    : count<u32, false, kWindow>(a, mine, entries)
                  : marks   ? count<u64, true, kWindow>(a, mine, entries)
                            : count<u64, false, kWindow>(a, mine, entries);
      });
    }
    found.ends[found.rows++] = entries;
  }
}

void merge_counts(const MergeCounts& a, Range rows) {
  const Row<u64> row(a.scratch, a.columns);
  a.found->first = rows.begin;
  a.found->rows = rows.end - rows.begin;
  i64 entries = 0;
  for (i64 r = rows.begin; r < rows.end; ++r) {
    for (i64 p = 0; p < a.many; ++p) {
      const MergeCounts::Part& part = a.parts[p];
      for (i64 i = part.indptr[r]; i < part.indptr[r + 1]; ++i) row.add<true>(part.columns[i], part.sums[i]);
    }
    entries = row.take<true>(*a.found, entries);
    a.found->ends[r - rows.begin] = entries;
  }
}

}  // namespace firth::FIRTH_LEVEL
