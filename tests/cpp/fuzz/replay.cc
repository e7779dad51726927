// Feeds a target with the files of a folder whose names begin as is said, and with every such file cut short, by any
// compiler: `fuzz_tokens FOLDER tokens-`.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz.h"

int main(int many, char** arguments) {
  CHECK(many == 3);
  const std::string prefix = arguments[2];
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1]))
    if (entry.path().filename().string().starts_with(prefix)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  CHECK(!files.empty());
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    CHECK(!stream.bad());
    std::printf("%s\n", file.filename().c_str());
    std::fflush(stdout);
    for (std::size_t size = text.size();; size /= 2) {
      const std::vector<unsigned char> bytes(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
      LLVMFuzzerTestOneInput(bytes.data(), size);
      if (size == 0) break;
    }
  }
}
