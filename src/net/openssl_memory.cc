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

using Pools = std::array<std::unique_ptr<SlotPool>, kSizes.size()>;

// Lives for ever: OpenSSL frees memory when the process ends.
Pools& pools() {
  static Pools* const made = new Pools;
  return *made;
}

SlotPool* pool_for(std::size_t size) {
  for (const auto& pool : pools()) {
    if (size <= pool->slot_bytes() && size + kMostWaste > pool->slot_bytes()) return pool.get();
  }
  return nullptr;
}

SlotPool* pool_of(const void* p) {
  for (const auto& pool : pools()) {
    if (pool->owns(p)) return pool.get();
  }
  return nullptr;
}

void* allocate(std::size_t size, const char*, int) {
  if (size == 0) return nullptr;
  SlotPool* const pool = pool_for(size);
  void* const slot = pool != nullptr ? pool->take() : nullptr;
  return slot != nullptr ? slot : std::malloc(size);
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
  if (pools().front()) return;
  Pools made;
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    made[i] = SlotPool::create(kSizes[i]);
    if (!made[i]) return;
  }
  pools() = std::move(made);
  CRYPTO_set_mem_functions(allocate, reallocate, release);
}

}  // namespace seawall::net
