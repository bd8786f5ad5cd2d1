#include "mem/allocator.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

// Null unless jemalloc is linked.
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old_value, std::size_t* old_size, void* new_value,
                                     std::size_t new_size);

// Free pages are memory that others could have, and what is cached is allocated anew all the time. MALLOC_CONF still
// has the last word.
extern "C" const char* const malloc_conf;
const char* const malloc_conf = "dirty_decay_ms:1000";

namespace seawall {
namespace {

// MALLCTL_ARENAS_ALL is 4096.
constexpr const char* kDecayAll = "arena.4096.decay";
constexpr const char* kPurgeAll = "arena.4096.purge";

std::uint64_t read(const char* name) {
  std::size_t value = 0;
  std::size_t size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
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

std::optional<AllocatorStats> allocator_stats() {
  if (mallctl == nullptr) return std::nullopt;
  std::uint64_t epoch = 1;
  if (mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch) != 0) return std::nullopt;
  return AllocatorStats{.allocated = read("stats.allocated"),
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
