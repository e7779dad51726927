#include "counting.h"

#include <algorithm>
#include <cstring>

namespace firth {

CountedMatrix::CountedMatrix(i64 first_row, i64 rows, i64 width, Values kind, double unit, i64 frequent)
    : indptr(static_cast<std::size_t>(rows) + 1),
      gap(frequent * width),
      first_row_(first_row),
      width_(width),
      frequent_(frequent),
      kind_(kind),
      unit_(unit) {}

void CountedMatrix::take(i64 piece, const CountedRows& found, bool first_is_cut, bool last_is_cut) {
  std::unique_lock lock(mutex_);
  if (piece != next_piece_) {
    lock.unlock();  // copied by this thread alone, which then goes on
    const i64 many = found.rows ? found.ends[found.rows - 1] : 0;
    Waiting copy{found,
                 {found.ends, found.ends + found.rows},
                 {found.columns, found.columns + many},
                 {found.sums, found.sums + many},
                 first_is_cut,
                 last_is_cut};
    lock.lock();
    if (piece != next_piece_) {
      waiting_.emplace(piece, std::move(copy));
      return;
    }
  }
  append(found, first_is_cut, last_is_cut);
  for (++next_piece_; !waiting_.empty() && waiting_.begin()->first == next_piece_; ++next_piece_) {
    Waiting& next = waiting_.begin()->second;
    next.rows.ends = next.ends.data();
    next.rows.columns = next.columns.data();
    next.rows.sums = next.sums.data();
    append(next.rows, next.first_is_cut, next.last_is_cut);
    waiting_.erase(waiting_.begin());
  }
}

void CountedMatrix::append(const CountedRows& found, bool first_is_cut, bool last_is_cut) {
  i64 begin = 0;
  for (i64 r = 0; r < found.rows; ++r) {
    const i64 row = found.first + r, many = found.ends[r] - begin;
    const u32* at = found.columns + begin;
    const u64* sums = found.sums + begin;
    if (!(r == 0 && first_is_cut) && carried_ >= 0) end_carried();
    if ((r == 0 && first_is_cut) || (r + 1 == found.rows && last_is_cut)) {
      if (carry_.empty()) carry_.resize(static_cast<std::size_t>(width_));
      carried_ = row;
      for (i64 i = 0; i < many; ++i) carry_[at[i]] += sums[i];
    } else {
      append_row(row, at, sums, many);
    }
    begin = found.ends[r];
  }
}

void CountedMatrix::end_carried() {
  std::vector<u32> there;
  std::vector<u64> sums;
  for (std::size_t column = 0; column < carry_.size(); ++column) {
    if (!carry_[column]) continue;
    there.push_back(static_cast<u32>(column));
    sums.push_back(carry_[column]);
    carry_[column] = 0;
  }
  append_row(carried_, there.data(), sums.data(), static_cast<i64>(there.size()));
  carried_ = -1;
}

void CountedMatrix::append_row(i64 row, const u32* from, const u64* sums, i64 many) {
  const std::size_t needed = static_cast<std::size_t>(gap + entries + many);
  if (4 * needed > columns.bytes()) {
    const std::size_t room = std::max<std::size_t>(2 * needed, std::size_t{1} << 16);
    columns.resize(4 * room);
    values.resize(bytes_of(kind_) * room);
  }
  const i64 place = gap + entries;
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
  for (; done_rows_ <= row - first_row_; ++done_rows_) indptr[static_cast<std::size_t>(done_rows_)] = entries;
  entries += many;
}

void CountedMatrix::write(i64 place, u64 sum) {
  if (kind_ == Values::kFloat32)
    values.as<float>()[place] = static_cast<float>(static_cast<double>(sum) / unit_);
  else if (kind_ == Values::kFloat64)
    values.as<double>()[place] = static_cast<double>(sum) / unit_;
  else
    values.as<u64>()[place] = sum;
}

void CountedMatrix::finish(const u64* among) {
  if (carried_ >= 0) end_carried();
  for (; done_rows_ < static_cast<i64>(indptr.size()); ++done_rows_)
    indptr[static_cast<std::size_t>(done_rows_)] = entries;
  if (frequent_ > 0) add_frequent(among);
  columns.resize(4 * static_cast<std::size_t>(gap + entries));
  values.resize(bytes_of(kind_) * static_cast<std::size_t>(gap + entries));
}

// Rows of frequent words go before the others, where room was left that nothing has touched: first what they have in
// common with each other, then with all others, in whose rows they stand first.
void CountedMatrix::add_frequent(const u64* among) {
  const std::size_t frequent = static_cast<std::size_t>(frequent_), rows = indptr.size() - 1;
  if (columns.bytes() == 0) {
    columns.resize(4 * static_cast<std::size_t>(gap));
    values.resize(bytes_of(kind_) * static_cast<std::size_t>(gap));
  }
  const u32* others = columns.as<u32>() + gap;
  std::vector<i64> next(frequent + 1);  // sizes of rows, then where they go on
  for (std::size_t a = 0; a < frequent; ++a)
    for (std::size_t b = 0; b < frequent; ++b) next[a + 1] += (among[a * frequent + b] + among[b * frequent + a]) != 0;
  for (std::size_t row = frequent; row < rows; ++row)
    for (i64 i = indptr[row]; i < indptr[row + 1] && others[i] < frequent; ++i) ++next[others[i] + 1];
  for (std::size_t a = 0; a < frequent; ++a) next[a + 1] += next[a];
  const i64 added = next[frequent], start = gap - added;
  std::vector<i64> ends(next.begin() + 1, next.end());
  for (std::size_t a = 0; a < frequent; ++a) {
    for (std::size_t b = 0; b < frequent; ++b) {
      const u64 sum = among[a * frequent + b] + among[b * frequent + a];
      if (sum == 0) continue;
      columns.as<u32>()[start + next[a]] = static_cast<u32>(b);
      write(start + next[a]++, sum);
    }
  }
  const std::size_t bytes = bytes_of(kind_);
  char* all = values.as<char>();
  for (std::size_t row = frequent; row < rows; ++row) {
    for (i64 i = indptr[row]; i < indptr[row + 1] && others[i] < frequent; ++i) {
      const i64 place = start + next[others[i]]++;
      columns.as<u32>()[place] = static_cast<u32>(row);
      std::memcpy(all + bytes * static_cast<std::size_t>(place), all + bytes * static_cast<std::size_t>(gap + i),
                  bytes);
    }
  }
  for (std::size_t row = frequent; row <= rows; ++row) indptr[row] += added;
  indptr[0] = 0;
  for (std::size_t a = 1; a < frequent; ++a) indptr[a] = ends[a - 1];
  gap = start;
  entries += added;
}

}  // namespace firth
