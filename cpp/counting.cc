#include "counting.h"

#include <algorithm>
#include <cstring>

#include "parallel.h"

namespace firth {

CountedMatrix::CountedMatrix(i64 first_row, i64 rows, i64 width, Values kind, double unit, i64 frequent,
                             i64 most_frequent)
    : indptr(static_cast<std::size_t>(rows) + 1),
      begin(most_frequent),
      first_row_(first_row),
      width_(width),
      frequent_(frequent),
      kind_(kind),
      unit_(unit) {}

void CountedMatrix::take(i64 piece, const CountedRows& found, bool first_is_cut, bool last_is_cut) {
  std::vector<Piece> placed(1);
  Piece& mine = placed[0];
  mine.rows = found;
  mine.first_is_cut = first_is_cut;
  mine.last_is_cut = last_is_cut;
  std::unique_lock lock(mutex_);
  if (piece != next_piece_) {
    lock.unlock();  // copied by this thread alone, which then goes on
    const i64 many = found.rows ? found.ends[found.rows - 1] : 0;
    mine.ends.assign(found.ends, found.ends + found.rows);
    mine.columns.assign(found.columns, found.columns + many);
    mine.sums.assign(found.sums, found.sums + many);
    mine.rows = {found.first, found.rows, mine.ends.data(), mine.columns.data(), mine.sums.data()};
    lock.lock();
    if (piece != next_piece_) {
      waiting_.emplace(piece, std::move(mine));
      return;
    }
  }
  give_place(mine);
  for (++next_piece_; !waiting_.empty() && waiting_.begin()->first == next_piece_; ++next_piece_) {
    placed.push_back(std::move(waiting_.begin()->second));
    waiting_.erase(waiting_.begin());
    give_place(placed.back());
  }
  lock.unlock();
  for (Piece& one : placed) {
    fill(one.place, one.from_columns, one.from_sums, one.many);
    one = Piece{};  // what waited is not kept any longer
  }
}

// Whole rows of a piece lie side by side, in the piece as in the matrix; those that are cut are added up first.
void CountedMatrix::give_place(Piece& piece) {
  const CountedRows& found = piece.rows;
  piece.place = -1;
  i64 from = 0;
  for (i64 r = 0; r < found.rows; ++r) {
    const i64 row = found.first + r, end = found.ends[r];
    const bool comes = r == 0 && piece.first_is_cut, goes = r + 1 == found.rows && piece.last_is_cut;
    if (!comes) end_carried();
    if (comes || goes) {
      if (carry_.empty()) carry_.resize(static_cast<std::size_t>(width_));
      carried_ = row;
      for (i64 i = from; i < end; ++i) carry_[found.columns[i]] += found.sums[i];
    } else {
      const i64 place = add_row(row, end - from);
      if (piece.place < 0) {
        piece.place = place;
        piece.from_columns = found.columns + from;
        piece.from_sums = found.sums + from;
      }
      piece.many += end - from;
    }
    from = end;
    if (comes && !goes) end_carried();
  }
  make_room();
}

// Where the entries of the next row go.
i64 CountedMatrix::add_row(i64 row, i64 many) {
  for (; done_rows_ <= row - first_row_; ++done_rows_) indptr[static_cast<std::size_t>(done_rows_)] = entries;
  entries += many;
  return begin + entries - many;
}

void CountedMatrix::make_room() {
  if (4 * static_cast<std::size_t>(begin + entries) <= columns.bytes()) return;
  const std::unique_lock nobody_writes(memory_);
  const std::size_t room = static_cast<std::size_t>(begin + std::max(2 * entries, i64{1} << 14));
  columns.resize(4 * room);
  values.resize(bytes_of(kind_) * room);
}

void CountedMatrix::end_carried() {
  if (carried_ < 0) return;
  std::vector<u32> there;
  std::vector<u64> sums;
  for (std::size_t column = 0; column < carry_.size(); ++column) {
    if (!carry_[column]) continue;
    there.push_back(static_cast<u32>(column));
    sums.push_back(carry_[column]);
    carry_[column] = 0;
  }
  const i64 many = static_cast<i64>(there.size()), place = add_row(carried_, many);
  make_room();
  fill(place, there.data(), sums.data(), many);
  carried_ = -1;
}

void CountedMatrix::fill(i64 place, const u32* from, const u64* sums, i64 many) {
  if (many == 0) return;
  const std::shared_lock stays(memory_);
  std::copy(from, from + many, columns.as<u32>() + place);
  if (kind_ == Values::kFloat32) {
    float* to = values.as<float>() + place;
    for (i64 i = 0; i < many; ++i) to[i] = static_cast<float>(static_cast<double>(sums[i]) / unit_);
  } else if (kind_ == Values::kFloat64) {
    double* to = values.as<double>() + place;
    for (i64 i = 0; i < many; ++i) to[i] = static_cast<double>(sums[i]) / unit_;
  } else {
    std::copy(sums, sums + many, values.as<u64>() + place);
  }
}

void CountedMatrix::finish(const u64* among, int threads) {
  end_carried();
  make_room();
  for (; done_rows_ < static_cast<i64>(indptr.size()); ++done_rows_)
    indptr[static_cast<std::size_t>(done_rows_)] = entries;
  if (frequent_ > 0) add_frequent(among, threads);
  columns.resize(4 * static_cast<std::size_t>(begin + entries));
  values.resize(bytes_of(kind_) * static_cast<std::size_t>(begin + entries));
}

// Rows of frequent words go before the others, where room was left that nothing has touched: first what they have in
// common with each other, then with all others, in whose rows they stand first. The others are shared out in slices.
void CountedMatrix::add_frequent(const u64* among, int threads) {
  const i64 rows = static_cast<i64>(indptr.size()) - 1, others = rows - frequent_;
  const i64 slices = workers_for(others, 4096, threads);
  const std::size_t frequent = static_cast<std::size_t>(frequent_), bytes = bytes_of(kind_);
  u32* all = columns.as<u32>();
  char* data = values.as<char>();
  std::vector<std::vector<i64>> next(static_cast<std::size_t>(slices) + 1, std::vector<i64>(frequent));
  const auto over = [&](const auto& work) {
    parallel(slices, 1, threads, [&](Range range, int) {
      std::vector<i64>& mine = next[static_cast<std::size_t>(range.begin) + 1];
      for (i64 row = frequent_ + others * range.begin / slices; row < frequent_ + others * range.end / slices; ++row)
        for (i64 i = begin + indptr[static_cast<std::size_t>(row)];
             i < begin + indptr[static_cast<std::size_t>(row) + 1] && all[i] < frequent; ++i)
          work(row, i, mine[all[i]]);
    });
  };
  const auto together = [&](std::size_t a, std::size_t b) { return among[a * frequent + b] + among[b * frequent + a]; };
  for (std::size_t a = 0; a < frequent; ++a)
    for (std::size_t b = 0; b < frequent; ++b) next[0][a] += together(a, b) != 0;
  over([](i64, i64, i64& size) { ++size; });
  i64 added = 0;
  std::vector<i64> begins(frequent);
  for (std::size_t a = 0; a < frequent; ++a) {
    begins[a] = added;
    for (std::vector<i64>& sizes : next) {  // sizes become places
      const i64 size = sizes[a];
      sizes[a] = added;
      added += size;
    }
  }
  const i64 start = begin - added;
  std::vector<u32> there;
  std::vector<u64> sums;
  for (std::size_t a = 0; a < frequent; ++a) {
    there.clear();
    sums.clear();
    for (std::size_t b = 0; b < frequent; ++b) {
      if (together(a, b) == 0) continue;
      there.push_back(static_cast<u32>(b));
      sums.push_back(together(a, b));
    }
    fill(start + next[0][a], there.data(), sums.data(), static_cast<i64>(there.size()));
  }
  over([&](i64 row, i64 from, i64& to) {
    const i64 place = start + to++;
    all[place] = static_cast<u32>(row);
    std::memcpy(data + bytes * static_cast<std::size_t>(place), data + bytes * static_cast<std::size_t>(from), bytes);
  });
  for (std::size_t row = frequent; row < indptr.size(); ++row) indptr[row] += added;
  std::copy(begins.begin(), begins.end(), indptr.begin());
  begin = start;
  entries += added;
}

}  // namespace firth
