// Around the kernels of cooccurrence: the index that they read, and the one matrix that becomes of their pieces.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "firth/cooccurrence.h"
#include "pages.h"

namespace firth {

// What sums are handed out as: divided by the unit, or as they are.
enum class Values : u32 { kFloat32 = 0, kFloat64 = 1, kSums = 2 };
constexpr std::size_t bytes_of(Values values) { return values == Values::kFloat32 ? 4 : 8; }

// Puts pieces of rows, which threads find in any order, into one matrix in their order. Memory grows without being
// copied and without being touched before it is needed.
class CountedMatrix {
 public:
  // Rows [first_row, first_row + rows) of `width` columns. The first `frequent` of all rows are left out by the pieces:
  // finish() makes them from the others and from what frequent words have in common.
  CountedMatrix(i64 first_row, i64 rows, i64 width, Values kind, double unit, i64 frequent = 0);

  // The rows of piece number `piece`, counted from 0. A row that goes on in the next piece, or comes from the one
  // before, is said to be cut.
  void take(i64 piece, const CountedRows& found, bool first_is_cut, bool last_is_cut);
  // After the last piece. `among` (frequent, frequent) has the sums of frequent words with each other.
  void finish(const u64* among = nullptr);

  std::vector<i64> indptr;  // (rows + 1,)
  Pages columns, values;    // whose first `gap` entries are none
  i64 gap, entries = 0;

 private:
  struct Waiting {
    CountedRows rows;
    std::vector<i64> ends;
    std::vector<u32> columns;
    std::vector<u64> sums;
    bool first_is_cut, last_is_cut;
  };
  void append(const CountedRows& found, bool first_is_cut, bool last_is_cut);
  void append_row(i64 row, const u32* columns, const u64* sums, i64 many);
  void end_carried();
  void write(i64 place, u64 sum);
  void add_frequent(const u64* among);

  i64 first_row_, width_, frequent_, next_piece_ = 0, done_rows_ = 0, carried_ = -1;
  Values kind_;
  double unit_;
  std::vector<u64> carry_;  // the sums of a row that is cut
  std::map<i64, Waiting> waiting_;
  std::mutex mutex_;
};

}  // namespace firth
