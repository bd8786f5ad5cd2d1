// What the allocator knows of itself, and its free pages. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace seawall {

// What a block of malloc() takes by itself: what may be used of it, and the page that jemalloc leaves free beside a
// large one so that not all of them begin in the same cache line.
std::size_t block_bytes(const void* block);

// In bytes; see jemalloc(3), stats.*.
struct AllocatorStats {
  std::uint64_t allocated = 0;  // in the hands of the program, in the sense of block_bytes()
  std::uint64_t active = 0;     // pages that hold some of it
  std::uint64_t metadata = 0;
  std::uint64_t resident = 0;  // pages that may be in memory: active, free ones not given back yet, metadata
  std::uint64_t retained = 0;  // address space without memory
};

// Its version, "5.3.0"; empty when it is not jemalloc.
std::string allocator_version();
// Brings its sums up to date, under its locks: not for every request. nullopt when it is not jemalloc.
std::optional<AllocatorStats> allocator_stats();
// Gives back the pages that have been free for longer than it keeps them, also those of threads that are idle.
void give_back_old_pages();
// All free pages.
void give_back_pages();

// Of the process.
std::optional<std::uint64_t> resident_bytes();

}  // namespace seawall
