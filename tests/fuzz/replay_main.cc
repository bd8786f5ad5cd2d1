// Runs a fuzz target without libFuzzer: every file of the corpus whole, cut at every offset (at no more than
// kMaxCuts of them for long files), and with single bytes replaced. The same inputs on every run.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kMaxCuts = 512;
constexpr std::string_view kIntruders{"\0\r\n\t :;,=\"\\\x7f\xff", 13};

// From a buffer of exactly the input's size, so that AddressSanitizer sees a read past the end.
void run_one(std::string_view input) {
  const std::vector<std::uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::size_t replay(const std::string& input) {
  std::size_t runs = 1;
  run_one(input);
  const std::size_t step = std::max<std::size_t>(1, input.size() / kMaxCuts);
  for (std::size_t at = 0; at < input.size(); at += step, runs += 3) {
    run_one(std::string_view(input).substr(0, at));
    run_one(std::string_view(input).substr(at));
    std::string damaged = input;
    damaged[at] = kIntruders[at % kIntruders.size()];
    run_one(damaged);
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
    return 2;
  }
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1], error)) files.push_back(entry.path());
  if (files.empty()) {
    std::fprintf(stderr, "%s: no seeds\n", argv[1]);
    return 1;
  }
  std::sort(files.begin(), files.end());
  std::size_t runs = 1;
  run_one("");
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    // Flushed first: after a crash it is the last line.
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);
    runs += replay(std::string(std::istreambuf_iterator<char>(stream), {}));
  }
  std::printf("%zu seeds, %zu runs\n", files.size(), runs);
  return 0;
}
