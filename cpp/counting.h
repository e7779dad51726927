// After the kernels of cooccurrence: the one matrix that becomes of the pieces that they find.
#pragma once

#include <map>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "firth/cooccurrence.h"
#include "pages.h"

namespace firth {

// What sums are handed out as: divided by the unit, or as they are.
enum class Values : u32 { kFloat32 = 0, kFloat64 = 1, kSums = 2 };
constexpr std::size_t bytes_of(Values values) { return values == Values::kFloat32 ? 4 : 8; }

// Puts pieces of rows, which threads find in any order, into one matrix in their order: where a piece goes is known
// once all before it are, and then its thread writes it there while others write theirs. Memory grows without being
// copied and without being touched before it is needed.
class CountedMatrix {
 public:
  // Rows [first_row, first_row + rows) of `width` columns. The first `frequent` of all rows are left out by the pieces:
  // finish() makes them from the others and from what frequent words have in common, and puts them into room for as
  // many entries as `most_frequent` says.
  CountedMatrix(i64 first_row, i64 rows, i64 width, Values kind, double unit, i64 frequent = 0, i64 most_frequent = 0);

  // The rows of piece number `piece`, counted from 0. A row that goes on in the next piece, or comes from the one
  // before, is said to be cut.
  void take(i64 piece, const CountedRows& found, bool first_is_cut, bool last_is_cut);
  // After the last piece. `among` (frequent, frequent) has the sums of frequent words with each other.
  void finish(const u64* among = nullptr, int threads = 1);

  std::vector<i64> indptr;  // (rows + 1,)
  Pages columns, values;    // the matrix begins with their entry number `begin`
  i64 begin, entries = 0;

 private:
  struct Piece {
    CountedRows rows;
    bool first_is_cut, last_is_cut;
    std::vector<i64> ends;  // what the rows are kept in while they wait
    std::vector<u32> columns;
    std::vector<u64> sums;
    const u32* from_columns = nullptr;  // what has a place, and where that is
    const u64* from_sums = nullptr;
    i64 many = 0, place = 0;
  };
  void give_place(Piece& piece);
  i64 add_row(i64 row, i64 many);
  void make_room();
  void end_carried();
  void fill(i64 place, const u32* from, const u64* sums, i64 many);
  void add_frequent(const u64* among, int threads);

  i64 first_row_, width_, frequent_, next_piece_ = 0, done_rows_ = 0, carried_ = -1;
  Values kind_;
  double unit_;
  std::vector<u64> carry_;  // the sums of a row that is cut
  std::map<i64, Piece> waiting_;
  std::mutex mutex_;          // of all but the entries
  std::shared_mutex memory_;  // shared by those who write entries; growing memory moves it
};

}  // namespace firth
