#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "arrow.h"
#include "bridge.h"
#include "word_counter.h"

namespace firth {
namespace {

py::tuple bind_one(const Array<unsigned char>& text, i64 begin, i64 end, u64 seed, Array<i64>& starts,
                   Array<i64>& lengths, Array<u64>& keys, Array<u64>& hashes, Array<i64>& breaks,
                   const std::string& isa) {
  i64 found[2] = {0, 0};
  const Tokens args{text.data(),
                    text.size(),
                    seed,
                    starts.mutable_data(),
                    lengths.mutable_data(),
                    keys.mutable_data(),
                    hashes.mutable_data(),
                    breaks.mutable_data(),
                    found};
  const Kernels& kernel = kernels(isa);
  run(1, 1, 1, [&](Range, int) { kernel.tokens(args, {begin, end}); });
  return py::make_tuple(found[0], found[1]);
}

// Calls f(bytes, length) with the UTF-8 of a str, without leaving a copy in it; false if a surrogate stands for no
// byte.
template <class F>
bool with_utf8(PyObject* text, F f) {
  if (PyUnicode_IS_COMPACT_ASCII(text)) {
    f(static_cast<const unsigned char*>(PyUnicode_DATA(text)), static_cast<i64>(PyUnicode_GET_LENGTH(text)));
    return true;
  }
  const auto bytes = py::reinterpret_steal<py::object>(PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape"));
  if (!bytes) {
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) throw py::error_already_set();
    PyErr_Clear();
    return false;
  }
  f(reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(bytes.ptr())),
    static_cast<i64>(PyBytes_GET_SIZE(bytes.ptr())));
  return true;
}

std::string type_of(PyObject* object) { return Py_TYPE(object)->tp_name; }

void check_signals() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// The counter together with the text that waits: pieces of a stream and short rows are gathered until there is work for
// all threads, and the end of what was gathered waits until its last token is complete.
class Reader {
 public:
  Reader(int threads, const std::string& isa, u64 seed, u32 max_words, i64 memory, const py::tuple& files,
         const py::bytes& folder)
      : threads_(threads > 0 ? threads : default_threads()),
        overflow_(files.empty() ? nullptr : new Overflow(three(files), folder)),
        counter_(kernels(isa), threads_, seed, max_words, memory, overflow_.get()) {}

  void add_text(const py::buffer& data) {
    const py::buffer_info info = data.request();
    if (info.itemsize != 1 || info.ndim != 1 || (info.size > 1 && info.strides[0] != 1))
      throw py::type_error("Corpus.read: the file object gave something else than contiguous bytes");
    append(static_cast<const unsigned char*>(info.ptr), info.size);
    count_waiting();
  }

  void end_text() {
    count_waiting(true);
    counter_.end_sentence();
  }

  void add_file(int file, i64 begin, i64 end) {
    count_waiting(true);
    const i64 blocks = (end - begin + WordCounter::kBlock - 1) / WordCounter::kBlock;
    const i64 first = counter_.add_blocks(blocks, end - begin);
    run(blocks, 1, threads_, [&](Range cut, int worker) {
      for (i64 i = cut.begin; i < cut.end; ++i) counter_.count_file(first + i, worker, file, piece(begin, end, i));
    });
    check();
  }

  // Each row is a str, which is text, or a list or tuple of str, which are tokens; `first` is the number of the first
  // row.
  void add_rows(const py::list& rows, i64 first) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      PyObject* row = PyList_GET_ITEM(rows.ptr(), static_cast<Py_ssize_t>(i));
      const std::string name = "Corpus.read: row " + std::to_string(first + static_cast<i64>(i));
      if (PyUnicode_Check(row)) {
        if (!with_utf8(row, [&](const unsigned char* bytes, i64 length) { add_line(bytes, length); }))
          throw py::value_error(name + " has a lone surrogate that stands for no byte");
      } else if (PyList_Check(row) || PyTuple_Check(row)) {
        add_tokens(row, name);
      } else {
        throw py::type_error(name + " is " + type_of(row) + ", expected a str or a list of str");
      }
    }
  }

  void add_arrow(const py::capsule& stream) {
    i64 rows = 0;
    each_arrow_row(stream, "Corpus.read", [&](const unsigned char* bytes, i64 length) {
      if (length != kNullRow) add_line(bytes, length);
      if (++rows % 65536 == 0) check_signals();
    });
  }

  // (words, counts, ids, offsets): words and counts of the vocabulary that is chosen or given.
  py::tuple finish(u64 min_count, i64 max_words, const py::object& vocabulary) {
    count_waiting(true);
    counter_.merge();
    std::vector<u32> numbers;
    py::list words;
    std::vector<u64> found;
    if (vocabulary.is_none()) {
      const std::vector<WordTable::Word> chosen = counter_.choose(min_count, max_words);
      words = py::list(chosen.size());
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        PyObject* word =
            PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(chosen[i].bytes), chosen[i].length, "surrogateescape");
        if (!word) throw py::error_already_set();
        PyList_SET_ITEM(words.ptr(), static_cast<Py_ssize_t>(i), word);
        numbers.push_back(chosen[i].number);
        found.push_back(chosen[i].count);
      }
    } else {
      words = vocabulary.cast<py::list>();
      for (const py::handle word : words) {
        WordTable::Word match{nullptr, 0, 0, kNoWord};
        if (!PyUnicode_Check(word.ptr()))
          throw py::type_error("Corpus.read: a word of the vocabulary is " + type_of(word.ptr()) + ", expected str");
        with_utf8(word.ptr(), [&](const unsigned char* bytes, i64 length) { match = counter_.look_up(bytes, length); });
        numbers.push_back(match.number);
        found.push_back(match.count);
      }
    }
    counter_.assign(numbers);
    Array<i64> counts(static_cast<py::ssize_t>(found.size()));
    if (!found.empty()) std::memcpy(counts.mutable_data(), found.data(), found.size() * sizeof(u64));
    const auto [ids, offsets] = counter_.overflowed() ? on_files() : in_memory();
    return py::make_tuple(words, counts, ids, offsets);
  }

  i64 tokens() const { return counter_.tokens(); }
  i64 types() const { return counter_.types(); }

 private:
  static std::array<int, 3> three(const py::tuple& files) {
    return {files[0].cast<int>(), files[1].cast<int>(), files[2].cast<int>()};
  }

  template <class T>
  static Array<T> mapped(i64 size, std::unique_ptr<Mapping> file) {
    const T* first = static_cast<const T*>(file->data());
    const py::capsule owner(file.release(), [](void* mapping) { delete static_cast<Mapping*>(mapping); });
    Array<T> array({size}, {static_cast<py::ssize_t>(sizeof(T))}, first, owner);
    array.attr("flags").attr("writeable") = false;
    return array;
  }

  std::pair<Array<u32>, Array<i64>> in_memory() {
    run(counter_.blocks(), 1, threads_, [&](Range cut, int) {
      for (i64 i = cut.begin; i < cut.end; ++i) counter_.encode(i);
    });
    i64 kept, sentences;
    counter_.measure(&kept, &sentences);
    Array<i64> offsets(sentences + 1);
    counter_.write_offsets(offsets.mutable_data());
    auto pages = std::make_unique<Pages>(counter_.take_ids());
    u32* first = pages->as<u32>();
    const py::capsule owner(pages.release(), [](void* memory) { delete static_cast<Pages*>(memory); });
    return {Array<u32>({kept}, {static_cast<py::ssize_t>(sizeof(u32))}, first, owner), offsets};
  }

  std::pair<Array<u32>, Array<i64>> on_files() {
    const auto each = [&](i64 first, i64 many, void (WordCounter::*step)(i64, i64)) {
      run(many, 1, threads_, [&](Range cut, int) {
        for (i64 i = cut.begin; i < cut.end; ++i) (counter_.*step)(first + i, i);
      });
    };
    for (i64 first = 0; first < counter_.blocks(); first += counter_.stages()) {
      const i64 many = std::min(counter_.stages(), counter_.blocks() - first);
      each(first, many, &WordCounter::stage);
      counter_.line_up(first, many);
      each(first, many, &WordCounter::store);
    }
    i64 kept, sentences;
    counter_.close(&kept, &sentences);
    const Array<i64> offsets = mapped<i64>(sentences + 1, overflow_->map(Overflow::kOffsets, 8 * (sentences + 1)));
    return {kept ? mapped<u32>(kept, overflow_->map(Overflow::kIds, 4 * kept)) : Array<u32>(0), offsets};
  }

  static Range piece(i64 begin, i64 end, i64 number) {
    return {begin + number * WordCounter::kBlock, std::min(end, begin + (number + 1) * WordCounter::kBlock)};
  }

  void check() {
    try {
      counter_.check();
    } catch (const std::system_error& error) {
      errno = error.code().value();
      PyErr_SetFromErrno(PyExc_OSError);
      throw py::error_already_set();
    }
  }

  void append(const unsigned char* bytes, i64 length) { waiting_.insert(waiting_.end(), bytes, bytes + length); }

  void add_line(const unsigned char* bytes, i64 length) {
    append(bytes, length);
    waiting_.push_back('\n');
    count_waiting();
  }

  void add_tokens(PyObject* row, const std::string& name) {
    count_waiting(true);
    const Py_ssize_t size = PySequence_Fast_GET_SIZE(row);
    for (Py_ssize_t i = 0; i < size; ++i) {
      PyObject* token = PySequence_Fast_GET_ITEM(row, i);
      if (!PyUnicode_Check(token))
        throw py::type_error(name + ", token " + std::to_string(i) + " is " + type_of(token) + ", expected str");
      if (!with_utf8(token, [&](const unsigned char* bytes, i64 length) {
            if (length > 0) counter_.add_token(bytes, length);
          }))
        throw py::value_error(name + ", token " + std::to_string(i) + " has a lone surrogate that stands for no byte");
      if (i % 65536 == 65535) check_signals();
    }
    counter_.end_sentence();
  }

  // Counts what waits up to its last separator, if that is worth it, or all of it.
  void count_waiting(bool all = false) {
    const i64 size = static_cast<i64>(waiting_.size());
    if (size == 0 || (!all && size < WordCounter::kBlock * threads_)) return;
    i64 end = size;
    if (!all) {
      while (end > searched_ && !is_separator(waiting_[end - 1])) --end;
      searched_ = size;
      if (end == 0 || !is_separator(waiting_[end - 1])) return;
    }
    const i64 blocks = (end + WordCounter::kBlock - 1) / WordCounter::kBlock;
    const i64 first = counter_.add_blocks(blocks, end);
    run(blocks, 1, threads_, [&](Range cut, int worker) {
      for (i64 i = cut.begin; i < cut.end; ++i)
        counter_.count_text(first + i, worker, waiting_.data(), end, piece(0, end, i));
    });
    waiting_.erase(waiting_.begin(), waiting_.begin() + end);
    searched_ = static_cast<i64>(waiting_.size());
    check();
  }

  int threads_;
  std::unique_ptr<Overflow> overflow_;
  WordCounter counter_;
  std::vector<unsigned char> waiting_;
  i64 searched_ = 0;  // no separator lies before this place of waiting_
};

}  // namespace

void bind_tokens(py::module_& module) {
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const OverflowError& error) {
      const std::string what = "Corpus.read: " + std::string(error.what()) + ": " + std::strerror(error.code);
      const auto folder = py::reinterpret_steal<py::object>(PyUnicode_DecodeFSDefault(error.folder.c_str()));
      PyErr_SetObject(PyExc_OSError, py::make_tuple(error.code, what, folder).ptr());
    }
  });
  module.def("tokens", &bind_one, py::kw_only(), py::arg("text").noconvert(), py::arg("begin"), py::arg("end"),
             py::arg("seed"), py::arg("starts").noconvert(), py::arg("lengths").noconvert(),
             py::arg("keys").noconvert(), py::arg("hashes").noconvert(), py::arg("breaks").noconvert(), py::arg("isa"));
  py::class_<Reader>(module, "WordCounter")
      .def(py::init<int, const std::string&, u64, u32, i64, const py::tuple&, const py::bytes&>(), py::kw_only(),
           py::arg("threads"), py::arg("isa"), py::arg("seed"), py::arg("max_words"), py::arg("memory") = 0,
           py::arg("files") = py::tuple(), py::arg("folder") = py::bytes())
      .def("add_text", &Reader::add_text, py::arg("data"))
      .def("end_text", &Reader::end_text)
      .def("add_file", &Reader::add_file, py::arg("file"), py::arg("begin"), py::arg("end"))
      .def("add_rows", &Reader::add_rows, py::arg("rows"), py::arg("first"))
      .def("add_arrow", &Reader::add_arrow, py::arg("stream"))
      .def("finish", &Reader::finish, py::arg("min_count"), py::arg("max_words"), py::arg("vocabulary").none(true))
      .def_property_readonly("tokens", &Reader::tokens)
      .def_property_readonly("types", &Reader::types);
}

}  // namespace firth
