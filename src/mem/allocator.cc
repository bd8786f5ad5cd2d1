#include "mem/allocator.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

// Null unless jemalloc is linked.
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old_value, std::size_t* old_size, void* new_value,
                                     std::size_t new_size);

// Free pages are memory that others could have, and what is cached is allocated anew all the time. MALLOC_CONF still
// has the last word.
extern "C" const char* const malloc_conf;
const char* const malloc_conf = "dirty_decay_ms:250";

namespace seawall {
namespace {

// MALLCTL_ARENAS_ALL is 4096.
constexpr const char* kDecayAll = "arena.4096.decay";
constexpr const char* kPurgeAll = "arena.4096.purge";
constexpr const char* kLargeMade = "stats.arenas.4096.large.nmalloc";
constexpr const char* kLargeFreed = "stats.arenas.4096.large.ndalloc";

template <typename T = std::uint64_t>
T read(const char* name) {
  T value{};
  std::size_t size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : T{};
}

// What large blocks take beside what may be used of them. In jemalloc 5.3 no option is against it.
struct LargePadding {
  std::size_t bytes = 0;
  std::size_t largest_without = 0;
};

LargePadding find_large_padding() {
  if (mallctl == nullptr || !read<bool>("opt.cache_oblivious")) return {};
  const auto bins = read<unsigned>("arenas.nbins");
  if (bins == 0) return {};
  const std::string last_bin = "arenas.bin." + std::to_string(bins - 1) + ".size";
  return {.bytes = read<std::size_t>("arenas.page"), .largest_without = read<std::size_t>(last_bin.c_str())};
}

const LargePadding& large_padding() {
  static const LargePadding padding = find_large_padding();
  return padding;
}

std::uint64_t padding_bytes() {
  const std::uint64_t made = read(kLargeMade);
  return (made - std::min(made, read(kLargeFreed))) * large_padding().bytes;
}

}  // namespace

std::string allocator_version() {
  if (mallctl == nullptr) return {};
  const char* version = nullptr;
  std::size_t size = sizeof version;
  if (mallctl("version", static_cast<void*>(&version), &size, nullptr, 0) != 0) return {};
  const std::string_view text(version);
  return std::string(text.substr(0, text.find('-')));
}

std::size_t block_bytes(const void* block) {
  const std::size_t usable = malloc_usable_size(const_cast<void*>(block));
  const LargePadding& padding = large_padding();
  return usable > padding.largest_without ? usable + padding.bytes : usable;
}

std::optional<AllocatorStats> allocator_stats() {
  if (mallctl == nullptr) return std::nullopt;
  std::uint64_t epoch = 1;
  if (mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch) != 0) return std::nullopt;
  return AllocatorStats{.allocated = read("stats.allocated") + padding_bytes(),
                        .active = read("stats.active"),
                        .metadata = read("stats.metadata"),
                        .resident = read("stats.resident"),
                        .retained = read("stats.retained")};
}

void give_back_old_pages() {
  if (mallctl != nullptr) mallctl(kDecayAll, nullptr, nullptr, nullptr, 0);
}

void give_back_pages() {
  if (mallctl != nullptr) {
    mallctl(kPurgeAll, nullptr, nullptr, nullptr, 0);
  } else {
    malloc_trim(0);
  }
}

std::optional<std::uint64_t> resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  std::uint64_t resident_pages = 0;
  if (!(file >> pages >> resident_pages)) return std::nullopt;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace seawall
