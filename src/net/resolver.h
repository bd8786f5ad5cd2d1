// Names to addresses without blocking, through c-ares: A and AAAA records (and the hosts file) with their TTL, and SRV
// records. One per loop that needs it; lookups in flight are bounded by the callers. Thread: its loop's.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/address.h"
#include "net/loop.h"

namespace seawall::net {

struct ResolverOptions {
  std::vector<std::string> servers;  // "10.0.0.2", "10.0.0.2:5353", "[::1]:53"; empty: the system's (resolv.conf)
  Millis timeout{2'000};             // for a whole lookup, tries included
  Seconds min_ttl{1};
  Seconds max_ttl{60};

  friend bool operator==(const ResolverOptions&, const ResolverOptions&) = default;
};

struct ResolveError {
  ErrorCode code = ErrorCode::kResolveFailed;  // or kDnsTimeout
  std::string text;                            // for a person: "no such name", "the name server does not answer"
  bool is_negative = false;                    // the name server said that the name has no such records
};

struct Resolved {
  // With the port asked for; IPv4 first; sorted, unique; at most 256 of each family.
  std::vector<Address> addresses;
  Seconds ttl{60};  // within min_ttl..max_ttl
};

struct SrvTarget {
  std::string host;
  std::uint16_t port = 0;
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
};
struct ResolvedSrv {
  std::vector<SrvTarget> targets;  // sorted by priority, then host and port; at most 128
  Seconds ttl{60};
};

// Whether it may be the name of a host, with or without the root's dot.
bool is_host_name(std::string_view name);
// An IP address in text, with or without brackets; nullopt for names.
std::optional<Address> parse_ip(std::string_view host, std::uint16_t port);

class Resolver {
 public:
  Resolver(Loop& loop, ResolverOptions options);
  // Callbacks of lookups in flight are dropped without a call.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // The callback comes once, in a turn of its own, unless the Lookup is destroyed before.
  class Lookup {
   public:
    virtual ~Lookup() = default;
  };
  using OnResolved = std::function<void(std::expected<Resolved, ResolveError>)>;
  using OnSrv = std::function<void(std::expected<ResolvedSrv, ResolveError>)>;
  [[nodiscard]] std::unique_ptr<Lookup> resolve(const std::string& name, std::uint16_t port, OnResolved callback);
  [[nodiscard]] std::unique_ptr<Lookup> resolve_srv(const std::string& name, OnSrv callback);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seawall::net
