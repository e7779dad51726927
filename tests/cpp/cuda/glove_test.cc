// cuda/kernels/glove.cu on the host, against the definition in float64, count by count in the order of the contract:
// vectors of one to eight groups of four floats a thread, groups and spans, empty rows, columns that follow themselves,
// more than 32 rows and counts, and numbers that are not finite.
#include "cuda/kernels/glove.cu"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "firth/random.h"

namespace {

using namespace firth;

void expect(bool right, const char* what, i64 a, i64 b) {
  if (right) return;
  std::fprintf(stderr, "cuda_glove_test: not so: %s (%ld, %ld)\n", what, static_cast<long>(a), static_cast<long>(b));
  std::exit(1);
}

// A table whose rows are aligned to 64 bytes.
struct alignas(64) Line {
  float numbers[16];
};
struct Table {
  std::vector<Line> lines;
  i64 rows, dim;

  Table(i64 rows_, i64 dim_, u64 stream) : lines(rows_ * 2 * glove_width(dim_) / 16), rows(rows_), dim(dim_) {
    const i64 width = glove_width(dim);
    for (i64 r = 0; r < rows; ++r)
      for (i64 d = 0; d < 2 * width; ++d) {
        const bool vector = d < dim || d == width - 2 + static_cast<i64>(stream);
        row(r)[d] = d >= width || d >= width - 2 ? 1.0f : 0.0f;
        if (vector) row(r)[d] = unit(draw(7, stream, r, d).x) - 0.5f;
      }
  }
  float* row(i64 r) { return lines[r * 2 * glove_width(dim) / 16].numbers; }
  Matrix<float> view() { return {row(0), rows, 2 * glove_width(dim)}; }
  std::vector<double> wide() { return {row(0), row(0) + rows * 2 * glove_width(dim)}; }
};

struct Counts {
  i64 rows, columns, dim, groups;
  std::vector<i64> indptr = {0}, row_starts = {};
  std::vector<u32> indices = {}, order = {}, column_starts = {};
  std::vector<float> data = {};

  // About one in `few` columns of each row, but for every fifth row, which has none.
  Counts(i64 rows_, i64 columns_, i64 dim_, i64 groups_, u32 few)
      : rows(rows_), columns(columns_), dim(dim_), groups(groups_) {
    for (i64 r = 0; r < rows; ++r) {
      for (i64 c = 0; c < columns; ++c) {
        const Draw drawn = draw(5, 1, r, c);
        if (r % 5 == 3 || below(drawn.x, few) > 0) continue;
        indices.push_back(static_cast<u32>(c));
        data.push_back(0.05f + 30 * unit(drawn.y) * unit(drawn.z));
      }
      indptr.push_back(static_cast<i64>(indices.size()));
      order.push_back(static_cast<u32>((r * 7 + 3) % rows));  // rows are no multiple of 7
    }
    for (i64 g = 0; g <= groups; ++g) {
      row_starts.push_back(rows * g / groups);
      column_starts.push_back(static_cast<u32>(columns * g * g / (groups * groups)));
    }
  }

  Glove args(Table& words, Table& contexts, Fitted* fitted, i64 shift) {
    return {words.view(),
            contexts.view(),
            dim,
            indptr.data(),
            indices.data(),
            data.data(),
            order.data(),
            row_starts.data(),
            column_starts.data(),
            groups,
            shift,
            0,
            nullptr,
            0.05f,
            10.0f,
            0.75f,
            fitted};
  }
};

// The definition, from tables of float64. Returns the loss.
double epoch_of(const Counts& a, std::vector<double>& words, std::vector<double>& contexts) {
  const i64 width = glove_width(a.dim);
  double loss = 0;
  for (i64 shift = 0; shift < a.groups; ++shift)
    for (i64 g = 0; g < a.groups; ++g)
      for (i64 k = a.row_starts[g]; k < a.row_starts[g + 1]; ++k)
        for (i64 i = a.indptr[a.order[k]]; i < a.indptr[a.order[k] + 1]; ++i) {
          const i64 span = (g + shift) % a.groups;
          if (a.indices[i] < a.column_starts[span] || a.indices[i] >= a.column_starts[span + 1]) continue;
          double* const w = words.data() + a.order[k] * 2 * width;
          double* const c = contexts.data() + a.indices[i] * 2 * width;
          double difference = -std::log(static_cast<double>(a.data[i]));
          for (i64 d = 0; d < width; ++d) difference += w[d] * c[d];
          const double slope = std::fmin(1, std::pow(a.data[i] / 10.0, 0.75)) * difference;
          loss += slope * difference / 2;
          for (i64 d = 0; d < width; ++d) {
            const double of_word = slope * (d < width - 2 ? 0.05 : d == width - 2 ? 1 : 0) * c[d];
            const double of_context = slope * (d < width - 2 ? 0.05 : d == width - 1 ? 1 : 0) * w[d];
            w[d] -= of_word / std::sqrt(w[width + d]);
            c[d] -= of_context / std::sqrt(c[width + d]);
            w[width + d] += of_word * of_word;
            c[width + d] += of_context * of_context;
          }
        }
  return loss;
}

std::vector<Fitted> run(Counts& counts, Table& words, Table& contexts) {
  std::vector<Fitted> fitted(counts.groups, Fitted{0, 0, -1});
  std::vector<Range> found(counts.rows);
  for (i64 shift = 0; shift < counts.groups; ++shift)
    cuda::glove(counts.args(words, contexts, fitted.data(), shift), found.data(), nullptr);
  return fitted;
}

void hold_near(Table& found, const std::vector<double>& wanted, const char* what) {
  const std::vector<double> numbers = found.wide();
  for (std::size_t i = 0; i < wanted.size(); ++i)
    expect(std::fabs(numbers[i] - wanted[i]) <= 1e-4 * (0.1 + std::fabs(wanted[i])), what, i, found.dim);
}

void hold_against_the_definition(Counts counts) {
  Table words(counts.rows, counts.dim, 0), contexts(counts.columns, counts.dim, 1);
  std::vector<double> w = words.wide(), c = contexts.wide();
  const double wanted = epoch_of(counts, w, c);
  double loss = 0;
  i64 many = 0;
  for (const Fitted& one : run(counts, words, contexts)) {
    expect(one.blown_up == -1, "all is finite", one.blown_up, 0);
    loss += one.loss;
    many += one.counts;
  }
  expect(many == static_cast<i64>(counts.data.size()), "all counts are read once", many, counts.dim);
  expect(std::fabs(loss - wanted) <= 1e-4 * wanted, "the loss is the definition's", counts.dim, counts.groups);
  hold_near(words, w, "a number of words is the definition's");
  hold_near(contexts, c, "a number of contexts is the definition's");

  Table again_words(counts.rows, counts.dim, 0), again_contexts(counts.columns, counts.dim, 1);
  run(counts, again_words, again_contexts);
  expect(words.wide() == again_words.wide() && contexts.wide() == again_contexts.wide(), "the same bits each time",
         counts.dim, counts.groups);
}

void test_numbers_that_are_not_finite() {
  Counts counts(13, 9, 6, 2, 2);
  Table words(13, 6, 0), contexts(9, 6, 1), untouched(13, 6, 0);
  const i64 bad = static_cast<i64>(counts.order[1]);
  words.row(bad)[2] = std::nanf("");
  const std::vector<Fitted> fitted = run(counts, words, contexts);
  expect(fitted[0].blown_up == bad, "the row is named", fitted[0].blown_up, bad);
  expect(fitted[1].blown_up == -1 && fitted[1].counts > 0, "another group goes on", fitted[1].blown_up, 0);
  const i64 later = static_cast<i64>(counts.order[2]);
  expect(std::memcmp(words.row(later), untouched.row(later), 64) == 0, "the group stops", later, 0);
  for (const double number : contexts.wide()) expect(std::isfinite(number), "nothing spreads", 0, 0);
}

}  // namespace

int main() {
  hold_against_the_definition({41, 5, 3, 1, 2});   // columns that follow themselves
  hold_against_the_definition({39, 37, 8, 3, 4});  // more rows than a warp has threads
  hold_against_the_definition({3, 150, 100, 1, 2});
  for (const i64 dim : {1, 14, 126, 200, 300, 500, 1022}) hold_against_the_definition({8, 9, dim, 2, 2});
  hold_against_the_definition({8, 9, 4, 8, 1});
  test_numbers_that_are_not_finite();
  cuda::glove({}, nullptr, nullptr);  // no rows
  return 0;
}
