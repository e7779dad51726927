// Words, bags and tables on a device -> the launchers of subwords.cu. Nothing here waits for the device.
#include "interface.h"
#include "kernels/kernels.h"

namespace firth::cuda {
namespace {

struct Words {
  Interface text, begins, ends;
  Subwords args;
};

// Words on a device and the rule, checked.
Words words_of(const py::object& text, const py::object& begins, const py::object& ends, u32 min_n, u32 max_n,
               u32 buckets, u32 hashes) {
  Words words{read(text, "text", "|u1", 1, false),
              read(begins, "begins", "<i8", 1, false),
              read(ends, "ends", "<i8", 1, false),
              {}};
  expect(words.begins.rows == words.ends.rows, "begins and ends differ in length");
  expect(max_n == 0 || (min_n >= 1 && min_n <= max_n && max_n <= 1u << 16), "min_n and max_n are no range of lengths");
  expect(buckets >= 1 && buckets < 1u << 31, "buckets is not between 1 and 2^31 - 1");
  expect(hashes <= kMostHashes, "hashes is not between 0 and 4");
  words.args = {data<const unsigned char>(words.text),
                data<const i64>(words.begins),
                data<const i64>(words.ends),
                words.begins.rows,
                words.text.rows,
                min_n,
                max_n,
                buckets,
                hashes,
                nullptr,
                nullptr};
  return words;
}

// Without ids: the sizes of the bags into offsets[1:]. With them: the bags, where the offsets say.
void subwords_of(const py::object& text, const py::object& begins, const py::object& ends, u32 min_n, u32 max_n,
                 u32 buckets, u32 hashes, const py::object& offsets_array, const py::object& ids_array, int,
                 const std::string&) {
  Words words = words_of(text, begins, ends, min_n, max_n, buckets, hashes);
  const bool counts = ids_array.is_none();
  const Interface offsets = read(offsets_array, "offsets", "<i8", 1, counts);
  const Interface ids = counts ? Interface{} : read(ids_array, "ids", "<u4", 1, true);
  expect(offsets.rows == words.args.words + 1, "offsets are not one more than the words");
  if (words.args.words == 0 || (!counts && ids.rows == 0)) return;
  const int device = device_of_all(
      {{words.text, "text"}, {words.begins, "begins"}, {words.ends, "ends"}, {offsets, "offsets"}, {ids, "ids"}});
  words.args.offsets = data<i64>(offsets);
  words.args.ids = data<u32>(ids);
  const py::gil_scoped_release unlocked;
  const OnDevice scope(device);
  subwords(words.args, counts ? offsets.stream : ids.stream);
}

void bag_means_of(const py::object& table_array, const py::object& offsets_array, const py::object& ids_array,
                  const py::object& means_array, int, const std::string&) {
  const Interface table = read(table_array, "table", "<f4", 2, false);
  const Interface offsets = read(offsets_array, "offsets", "<i8", 1, false);
  const Interface ids = read(ids_array, "ids", "<u4", 1, false);
  const Interface means = read(means_array, "means", "<f4", 2, true);
  expect(offsets.rows == means.rows + 1, "offsets are not one more than the means");
  expect(means.columns == table.columns, "table and means differ in width");
  if (means.rows == 0 || means.columns == 0) return;
  const int device = device_of_all({{table, "table"}, {offsets, "offsets"}, {ids, "ids"}, {means, "means"}});
  const py::gil_scoped_release unlocked;
  const OnDevice scope(device);
  bag_means({{data<const float>(table), table.rows, table.columns},
             data<const i64>(offsets),
             data<const u32>(ids),
             means.rows,
             {data<float>(means), means.rows, means.columns}},
            means.stream);
}

void subword_means_of(const py::object& text, const py::object& begins, const py::object& ends, u32 min_n, u32 max_n,
                      u32 buckets, u32 hashes, const py::object& table_array, i64 first_row,
                      const py::object& means_array, int, const std::string&) {
  const Words words = words_of(text, begins, ends, min_n, max_n, buckets, hashes);
  const Interface table = read(table_array, "table", "<f4", 2, false);
  const Interface means = read(means_array, "means", "<f4", 2, true);
  expect(means.rows == words.args.words, "means are not as many as the words");
  expect(means.columns == table.columns, "table and means differ in width");
  const bool any = max_n > 0 || hashes > 0;
  expect(!any || (first_row >= 0 && first_row <= table.rows - static_cast<i64>(buckets)),
         "the table has not a row for each bucket");
  if (means.rows == 0 || means.columns == 0) return;
  const int device = device_of_all(
      {{words.text, "text"}, {words.begins, "begins"}, {words.ends, "ends"}, {table, "table"}, {means, "means"}});
  const py::gil_scoped_release unlocked;
  const OnDevice scope(device);
  subword_means({words.args,
                 {data<const float>(table), table.rows, table.columns},
                 first_row,
                 {data<float>(means), means.rows, means.columns},
                 nullptr},
                means.stream);
}

}  // namespace

void bind_subwords(py::module_& module) {
  module.def("subwords", &subwords_of, py::kw_only(), py::arg("text"), py::arg("begins"), py::arg("ends"),
             py::arg("min_n"), py::arg("max_n"), py::arg("buckets"), py::arg("hashes"), py::arg("offsets"),
             py::arg("ids"), py::arg("threads"), py::arg("isa"));
  module.def("bag_means", &bag_means_of, py::kw_only(), py::arg("table"), py::arg("offsets"), py::arg("ids"),
             py::arg("means"), py::arg("threads"), py::arg("isa"));
  module.def("subword_means", &subword_means_of, py::kw_only(), py::arg("text"), py::arg("begins"), py::arg("ends"),
             py::arg("min_n"), py::arg("max_n"), py::arg("buckets"), py::arg("hashes"), py::arg("table"),
             py::arg("first_row"), py::arg("means"), py::arg("threads"), py::arg("isa"));
}

}  // namespace firth::cuda
