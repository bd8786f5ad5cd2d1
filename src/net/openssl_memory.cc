#include "net/openssl_memory.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "mem/slot_pool.h"

namespace seawall::net {
namespace {

// What OpenSSL 3.0 keeps for each connection: SSL, two ciphers, the session, CERT, the ciphers of the peer. With
// another OpenSSL these sizes are others, and a piece that none of them fits comes from malloc().
constexpr std::array<std::size_t, 5> kSizes = {7616, 960, 928, 544, 336};
// A piece of less than this below the size of a slot is better off with malloc().
constexpr std::size_t kMostWaste = 32;

constexpr std::size_t kLeastPooled = std::ranges::min(kSizes) - kMostWaste;

struct Pools {
  std::array<std::unique_ptr<SlotPool>, kSizes.size()> of_size;
  // No slot lies outside: most of what OpenSSL frees never was one.
  const char* lowest = nullptr;
  const char* end = nullptr;
};

// Lives for ever: OpenSSL frees memory when the process ends.
constinit Pools* pools = nullptr;

SlotPool* pool_for(std::size_t size) {
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    if (size <= kSizes[i] && size + kMostWaste > kSizes[i]) return pools->of_size[i].get();
  }
  return nullptr;
}

SlotPool* pool_of(const void* p) {
  const auto* const at = static_cast<const char*>(p);
  if (at < pools->lowest || at >= pools->end) return nullptr;
  for (const auto& pool : pools->of_size) {
    if (pool->owns(p)) return pool.get();
  }
  return nullptr;
}

[[gnu::noinline]] void* allocate_large(std::size_t size) {
  SlotPool* const pool = pool_for(size);
  void* const slot = pool != nullptr ? pool->take() : nullptr;
  return slot != nullptr ? slot : std::malloc(size);
}

// Hundreds of times in a handshake, nearly always for less than any slot.
void* allocate(std::size_t size, const char*, int) {
  if (size > kLeastPooled) return allocate_large(size);
  return size != 0 ? std::malloc(size) : nullptr;
}

void release(void* p, const char*, int) {
  if (SlotPool* const pool = pool_of(p)) return pool->give(p);
  std::free(p);
}

void* reallocate(void* p, std::size_t size, const char* file, int line) {
  if (p == nullptr) return allocate(size, file, line);
  if (size == 0) {
    release(p, file, line);
    return nullptr;
  }
  SlotPool* const pool = pool_of(p);
  if (pool == nullptr) return std::realloc(p, size);
  void* const larger = allocate(size, file, line);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, p, std::min(size, pool->slot_bytes()));
  pool->give(p);
  return larger;
}

}  // namespace

void use_openssl_pools() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return;  // they watch malloc()
#endif
  if (pools != nullptr) return;
  auto made = std::make_unique<Pools>();
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    made->of_size[i] = SlotPool::create(kSizes[i]);
    if (!made->of_size[i]) return;
  }
  const auto begin_of = [](const auto& pool) { return pool->range().data(); };
  made->lowest = begin_of(*std::ranges::min_element(made->of_size, {}, begin_of));
  const auto& last = *std::ranges::max_element(made->of_size, {}, begin_of);
  made->end = begin_of(last) + last->range().size();
  pools = made.release();
  CRYPTO_set_mem_functions(allocate, reallocate, release);
}

}  // namespace seawall::net
