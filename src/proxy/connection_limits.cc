#include "proxy/connection_limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

namespace seawall::proxy {

// IPv4 in the lower half, IPv6 by its first 64 bits; no two clients share a number but by ::/64 against 0.0.0.0/0,
// which no client has.
std::uint64_t ConnectionLimits::client_of(std::string_view ip) {
  const std::string text(ip);
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return ntohl(v4.s_addr);
  in6_addr v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6) != 1) return kNobody;
  std::uint64_t network = 0;
  std::memcpy(&network, &v6, sizeof network);
  return be64toh(network) | (std::uint64_t{1} << 63);
}

std::expected<ConnectionLimits::Slot, Refusal> ConnectionLimits::try_take(std::string_view ip, std::size_t total,
                                                                          std::size_t per_client) {
  if (total_.fetch_add(1, std::memory_order_relaxed) >= total) {
    total_.fetch_sub(1, std::memory_order_relaxed);
    return std::unexpected(Refusal::kTotal);
  }
  const std::uint64_t client = per_client == 0 ? kNobody : client_of(ip);
  if (client == kNobody) return Slot(*this, kNobody);
  Shard& shard = shard_of(client);
  {
    MutexLock lock(shard.mutex);
    std::uint32_t& count = shard.counts[client];
    if (count < per_client) {
      ++count;
      return Slot(*this, client);
    }
  }
  total_.fetch_sub(1, std::memory_order_relaxed);
  return std::unexpected(Refusal::kClient);
}

void ConnectionLimits::give_back(std::uint64_t client) {
  total_.fetch_sub(1, std::memory_order_relaxed);
  if (client == kNobody) return;
  Shard& shard = shard_of(client);
  MutexLock lock(shard.mutex);
  const auto at = shard.counts.find(client);
  if (--at->second == 0) shard.counts.erase(at);
}

}  // namespace seawall::proxy
