#include "proxy/connection_limits.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace seawall::proxy {

void ConnectionLimits::Slot::release() {
  if (limits_ == nullptr) return;
  if (client_) limits_->uncount(*client_);
  limits_->total_.fetch_sub(1, std::memory_order_relaxed);
  limits_ = nullptr;
}

// Who chooses addresses must not choose buckets with them: bits mixed as by MurmurHash's finalizer.
std::size_t ConnectionLimits::Hash::operator()(const Client& client) const {
  std::uint64_t bits = client.bits ^ (client.is_v6 ? 0x9E3779B97F4A7C15U : 0U);
  bits = (bits ^ bits >> 33) * 0xFF51AFD7ED558CCDU;
  bits = (bits ^ bits >> 33) * 0xC4CEB9FE1A85EC53U;
  return bits ^ bits >> 33;
}

std::optional<ConnectionLimits::Client> ConnectionLimits::client_of(std::string_view ip) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (ip.size() >= terminated.size()) return std::nullopt;
  std::ranges::copy(ip, terminated.begin());
  in_addr v4{};
  if (::inet_pton(AF_INET, terminated.data(), &v4) == 1) return Client{.bits = v4.s_addr, .is_v6 = false};
  in6_addr v6{};
  if (::inet_pton(AF_INET6, terminated.data(), &v6) != 1) return std::nullopt;
  Client client{.is_v6 = true};
  std::memcpy(&client.bits, &v6, sizeof client.bits);
  return client;
}

bool ConnectionLimits::try_count(const Client& client, std::size_t limit) {
  Shard& shard = shard_of(client);
  const MutexLock lock(shard.mutex);
  std::size_t& count = shard.counts[client];
  if (count >= limit) return false;
  ++count;
  return true;
}

void ConnectionLimits::uncount(const Client& client) {
  Shard& shard = shard_of(client);
  const MutexLock lock(shard.mutex);
  const auto at = shard.counts.find(client);
  if (--at->second == 0) shard.counts.erase(at);
}

std::expected<ConnectionLimits::Slot, ConnectionLimits::Refusal> ConnectionLimits::try_take(std::string_view ip,
                                                                                            std::size_t total,
                                                                                            std::size_t per_client) {
  // Taken before it is looked at, so that two at once cannot both have the last place.
  if (total_.fetch_add(1, std::memory_order_relaxed) >= total) {
    total_.fetch_sub(1, std::memory_order_relaxed);
    return std::unexpected(Refusal::kTooMany);
  }
  Slot slot(*this, std::nullopt);
  if (per_client == 0) return slot;
  const auto client = client_of(ip);
  if (!client) return slot;
  if (!try_count(*client, per_client)) return std::unexpected(Refusal::kTooManyOfClient);
  slot.client_ = client;
  return slot;
}

std::size_t ConnectionLimits::clients() const {
  std::size_t count = 0;
  for (const Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    count += shard.counts.size();
  }
  return count;
}

}  // namespace seawall::proxy
