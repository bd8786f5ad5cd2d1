// How many client connections there are, in the whole process and of each client: an IPv4 address, or an IPv6 network
// of 64 bits, which is what one subscriber has. Unix sockets count in the whole only. Owned by the server and outlives
// every Slot. Thread: any; the clients are in shards with a lock each, and without a bound for each client none is
// taken.
//
// A connection is counted for its client only if there was a bound when it was accepted: one that a reload sets holds
// for the connections that come after it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"

namespace seawall::proxy {

class ConnectionLimits {
 public:
  enum class Refusal : std::uint8_t { kTooMany, kTooManyOfClient };

  // The right to one connection; given back when it goes.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)), client_(std::exchange(other.client_, std::nullopt)) {}
    Slot& operator=(Slot&& other) noexcept {
      if (this != &other) {
        release();
        limits_ = std::exchange(other.limits_, nullptr);
        client_ = std::exchange(other.client_, std::nullopt);
      }
      return *this;
    }
    ~Slot() { release(); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    explicit operator bool() const { return limits_ != nullptr; }

   private:
    friend class ConnectionLimits;
    struct Client {
      std::uint64_t bits = 0;
      bool is_v6 = false;
      friend bool operator==(const Client&, const Client&) = default;
    };
    Slot(ConnectionLimits& limits, std::optional<Client> client) : limits_(&limits), client_(client) {}
    void release();

    ConnectionLimits* limits_ = nullptr;
    std::optional<Client> client_;  // for whom it is counted
  };

  ConnectionLimits() = default;
  ConnectionLimits(const ConnectionLimits&) = delete;
  ConnectionLimits& operator=(const ConnectionLimits&) = delete;

  // `ip` as net::Address::ip() writes it. `per_client` 0: no bound of its own.
  std::expected<Slot, Refusal> try_take(std::string_view ip, std::size_t total, std::size_t per_client);

  std::size_t connections() const { return total_.load(std::memory_order_relaxed); }
  std::size_t clients() const;  // that are counted

 private:
  using Client = Slot::Client;
  struct Hash {
    std::size_t operator()(const Client& client) const;
  };
  // A lock, and a cache line, of its own.
  struct alignas(64) Shard {
    mutable Mutex mutex;
    std::unordered_map<Client, std::size_t, Hash> counts SW_GUARDED_BY(mutex);  // none is 0
  };
  static constexpr std::size_t kShards = 64;

  static std::optional<Client> client_of(std::string_view ip);
  Shard& shard_of(const Client& client) { return shards_[Hash()(client) >> 16 & (kShards - 1)]; }
  bool try_count(const Client& client, std::size_t limit);
  void uncount(const Client& client);

  std::atomic<std::size_t> total_{0};
  std::array<Shard, kShards> shards_;
};

}  // namespace seawall::proxy
