// What is linked to what, and how to ask: the rows of a sparse matrix whose columns rise. Used by walks and ranking.
#pragma once

#include "firth/array.h"

namespace firth {

// The columns of row r are indices[indptr[r], indptr[r + 1]).
struct Links {
  const i64* indptr;   // (rows + 1,)
  const u32* indices;  // rising in each row
};

// The first of `count` rising columns that is not below `column`.
FIRTH_HD i64 lower_bound(const u32* columns, i64 count, u32 column) {
  i64 first = 0;
  while (count > 0) {
    const i64 half = count / 2;
    const bool below = columns[first + half] < column;
    first += below ? half + 1 : 0;
    count = below ? count - half - 1 : half;
  }
  return first;
}

FIRTH_HD bool linked(const Links& links, i64 row, u32 column) {
  const i64 begin = links.indptr[row], count = links.indptr[row + 1] - begin;
  const i64 place = lower_bound(links.indices + begin, count, column);
  return place < count && links.indices[begin + place] == column;
}

}  // namespace firth
