// Ids and counts on a device -> the launchers of cooccurrence.cu. How large a matrix becomes is known only when it is
// counted, so its arrays are made here, by CuPy; all work and all arrays are of the stream that `ids` or the first part
// name.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <tuple>
#include <vector>

#include "interface.h"
#include "kernels/kernels.h"

namespace firth::cuda {
namespace {

// Makes arrays on a device by CuPy, which then owns their memory.
class Maker {
 public:
  explicit Maker(int device) : cupy_(py::module_::import("cupy")), scope_(cupy_.attr("cuda").attr("Device")(device)) {
    scope_.attr("__enter__")();
  }
  ~Maker() {
    try {
      scope_.attr("__exit__")(py::none(), py::none(), py::none());
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("cuda: device");
    }
  }
  Maker(const Maker&) = delete;
  Maker& operator=(const Maker&) = delete;

  py::object empty(i64 size, const char* dtype) const { return cupy_.attr("empty")(size, dtype); }

 private:
  py::object cupy_, scope_;
};

template <class T>
T* data_of(const py::object& array, const std::string& type) {
  return data<T>(read(array, "result", type, 1, true));
}

constexpr const char* kDtypes[] = {"float32", "float64", "uint64"};
constexpr const char* kTypes[] = {"<f4", "<f8", "<u8"};

// Calls make(results), which makes `rows` rows, and returns (indptr, indices, data).
template <class Make>
py::tuple matrix_of(int device, i64 rows, u64 unit, u32 dtype, Make make) {
  expect(dtype <= 2, "dtype is not 0, 1 or 2");
  expect(unit > 0, "unit is 0");
  const Maker maker(device);
  const py::object indptr = maker.empty(rows + 1, "int64");
  py::object indices, values;
  const Results results{data_of<i64>(indptr, "<i8"), static_cast<Values>(dtype), static_cast<double>(unit),
                        [&](i64 entries) {
                          const py::gil_scoped_acquire locked;
                          indices = maker.empty(entries, "int32");
                          values = maker.empty(entries, kDtypes[dtype]);
                          return Entries{data_of<u32>(indices, "<i4"), data_of<void>(values, kTypes[dtype])};
                        }};
  {
    const py::gil_scoped_release unlocked;
    const OnDevice scope(device);
    make(results);
  }
  return py::make_tuple(indptr, indices, values);
}

// (starts (words + 1,), places (end - begin,)) of ids[begin, end). All words are indexed: nothing is counted along the
// corpus here, and nothing goes to the disk.
py::tuple places_of(const py::object& ids_array, i64 begin, i64 end, i64 words, i64 first, i64 last, int) {
  expect(first == 0 && last == words, "some of the words are left out");
  const Interface ids = read(ids_array, "ids", "<u4", 1, false);
  expect(0 <= begin && begin <= end && end <= ids.rows && end - begin <= i64{1} << 31, "ids have no such part");
  expect(words >= 0 && words < i64{1} << 31, "words is not between 0 and 2^31 - 1");
  int device = device_of_all({{ids, "ids"}});
  if (device < 0) check(cudaGetDevice(&device), "current device");
  const Maker maker(device);
  const py::object starts = maker.empty(words + 1, "int64"), places_ = maker.empty(end - begin, "uint32");
  i64* const to_starts = data_of<i64>(starts, "<i8");
  u32* const to_places = data_of<u32>(places_, "<u4");
  {
    const py::gil_scoped_release unlocked;
    const OnDevice scope(device);
    places(data<const u32>(ids) + begin, end - begin, words, to_starts, to_places, ids.stream);
  }
  return py::make_tuple(starts, places_);
}

// Rows [first, last). Weights are the host's. `progress`, unless None, is called once, with the places that were read.
py::tuple cooccurrence_of(const py::object& ids_array, const py::object& breaks_array, const py::object& starts_array,
                          const py::object& places_array, i64 frequent, i64 origin, i64 first, i64 last,
                          const py::array_t<u64, py::array::c_style>& weights, bool symmetric, u64 unit, u32 dtype, int,
                          const std::string&, const py::object& progress) {
  const Interface ids = read(ids_array, "ids", "<u4", 1, false);
  const Interface breaks = read(breaks_array, "breaks", "<u8", 1, false);
  const Interface starts = read(starts_array, "starts", "<i8", 1, false);
  const Interface index = read(places_array, "places", "<u4", 1, false);
  expect(frequent == 0, "frequent is not 0");
  expect(breaks.rows == 0 || breaks.rows == ids.rows / 64 + 2, "breaks do not fit the ids");
  expect(starts.rows >= 1 && 0 <= first && first <= last && last < starts.rows, "starts have no such rows");
  expect(0 <= origin && origin <= ids.rows - index.rows, "places are no part of the ids");
  expect(weights.ndim() == 1 && weights.size() >= 1 && weights.size() <= i64{kMaxWindow},
         "weights are not those of 1 to 50 distances");
  const int device = device_of_all({{ids, "ids"}, {breaks, "breaks"}, {starts, "starts"}, {index, "places"}});
  Cooccurrence args{};
  args.ids = data<const u32>(ids);
  args.tokens = ids.rows;
  args.breaks = data<const u64>(breaks);
  args.starts = data<const i64>(starts);
  args.places = data<const u32>(index);
  args.origin = origin;
  args.words = starts.rows - 1;
  args.window = static_cast<u32>(weights.size());
  args.weights = weights.data();
  args.symmetric = symmetric;
  const py::tuple found = matrix_of(device, last - first, unit, dtype, [&](const Results& results) {
    cooccurrence(args, {first, last}, index.rows, results, ids.stream);
  });
  if (!progress.is_none()) progress(index.rows);
  return found;
}

py::tuple merge_counts_of(const py::list& parts, i64 columns, u64 unit, u32 dtype, int, const std::string&) {
  expect(!parts.empty(), "there are no parts");
  expect(columns >= 0 && columns < i64{1} << 31, "columns is not between 0 and 2^31 - 1");
  std::vector<MergeCounts::Part> views;
  i64 rows = 0, entries = 0;
  int device = -1;
  cudaStream_t stream = nullptr;
  for (const py::handle& part : parts) {
    const auto [indptr_array, indices_array, sums_array] = part.cast<std::tuple<py::object, py::object, py::object>>();
    const Interface indptr = read(indptr_array, "indptr", "<i8", 1, false);
    const Interface indices = read(indices_array, "indices", "<i4", 1, false);
    const Interface sums = read(sums_array, "data", "<u8", 1, false);
    expect(indptr.rows >= 1 && indices.rows == sums.rows, "indices and data differ in length");
    expect(views.empty() || indptr.rows == rows + 1, "parts differ in rows");
    const int here = device_of_all({{indptr, "indptr"}, {indices, "indices"}, {sums, "data"}});
    expect(device < 0 || here == device, "parts lie on different devices");
    if (views.empty()) stream = indptr.stream;
    device = here;
    rows = indptr.rows - 1;
    entries += indices.rows;
    views.push_back({data<const i64>(indptr), data<const u32>(indices), data<const u64>(sums)});
  }
  const MergeCounts args{views.data(), static_cast<i64>(views.size()), rows, columns, nullptr, nullptr};
  return matrix_of(device, rows, unit, dtype,
                   [&](const Results& results) { merge_counts(args, entries, results, stream); });
}

}  // namespace

void bind_cooccurrence(py::module_& module) {
  module.attr("FREQUENT_WORDS") = 0;
  module.def("places", &places_of, py::kw_only(), py::arg("ids"), py::arg("begin"), py::arg("end"), py::arg("words"),
             py::arg("first"), py::arg("last"), py::arg("threads"));
  module.def("cooccurrence", &cooccurrence_of, py::kw_only(), py::arg("ids"), py::arg("breaks"), py::arg("starts"),
             py::arg("places"), py::arg("frequent"), py::arg("origin"), py::arg("first"), py::arg("last"),
             py::arg("weights").noconvert(), py::arg("symmetric"), py::arg("unit"), py::arg("dtype"),
             py::arg("threads"), py::arg("isa"), py::arg("progress"));
  module.def("merge_counts", &merge_counts_of, py::kw_only(), py::arg("parts"), py::arg("columns"), py::arg("unit"),
             py::arg("dtype"), py::arg("threads"), py::arg("isa"));
}

}  // namespace firth::cuda
