// How many client connections there are, in all and of each client. An IPv6 client is its /64, for that is what one
// customer gets; Unix sockets are counted in all only. Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "proxy/edge_counters.h"

namespace seawall::proxy {

class ConnectionLimits {
 public:
  // One connection's place; given back when it goes. Outlived by the limits.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)), client_(std::exchange(other.client_, kNobody)) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(limits_, other.limits_);
      std::swap(client_, other.client_);
      return *this;
    }
    ~Slot() {
      if (limits_) limits_->give_back(client_);
    }

   private:
    friend class ConnectionLimits;
    Slot(ConnectionLimits& limits, std::uint64_t client) : limits_(&limits), client_(client) {}

    ConnectionLimits* limits_ = nullptr;
    std::uint64_t client_ = kNobody;
  };

  // `ip` as net::Address::ip() writes it. `per_client` 0: no bound of its own, and then no lock either.
  std::expected<Slot, Refusal> try_take(std::string_view ip, std::size_t total, std::size_t per_client);
  std::size_t total() const { return total_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t kNobody = 0;
  static constexpr std::size_t kShards = 16;
  struct alignas(64) Shard {
    Mutex mutex;
    std::unordered_map<std::uint64_t, std::uint32_t> counts SW_GUARDED_BY(mutex);  // only of clients that have any
  };

  static std::uint64_t client_of(std::string_view ip);
  void give_back(std::uint64_t client);
  Shard& shard_of(std::uint64_t client) { return shards_[(client * 0x9E3779B97F4A7C15U) >> 60]; }

  std::atomic<std::size_t> total_{0};
  std::array<Shard, kShards> shards_;
};

}  // namespace seawall::proxy
