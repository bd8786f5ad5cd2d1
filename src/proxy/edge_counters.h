// What happened to clients' connections before their first request, counted over all workers since the start. Nothing
// here is touched by a request. Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/tls_options.h"
#include "proxy/connection_limits.h"

namespace seawall::proxy {

enum class ProxyFault : std::uint8_t {
  kMalformed,
  kMissing,    // a trusted proxy sent something else
  kUntrusted,  // whoever has connected is no trusted proxy
};
inline constexpr std::array<std::string_view, 3> kProxyFaults = {"malformed", "missing", "untrusted"};

// In the order of ConnectionLimits::Refusal.
inline constexpr std::array<std::string_view, 2> kRefusals = {"total", "client"};

class EdgeCounters {
 public:
  using Cell = std::atomic<std::uint64_t>;

  void count_handshake(net::TlsVersion version, bool is_resumed) {
    add(handshakes_[static_cast<std::size_t>(version)][is_resumed ? 1 : 0]);
  }
  void count_handshake_failure(ErrorCode code) { add(failures_[static_cast<std::size_t>(code)]); }
  void count(ProxyFault fault) { add(proxy_faults_[static_cast<std::size_t>(fault)]); }
  void count(ConnectionLimits::Refusal refusal) { add(refusals_[static_cast<std::size_t>(refusal)]); }
  // True when that is to be told: once a minute at most, by whichever worker it is.
  bool count_failed_accept(MonoTime now) {
    add(failed_accepts_);
    MonoTime due = tell_accept_at_.load(std::memory_order_relaxed);
    return now >= due && tell_accept_at_.compare_exchange_strong(due, now + Seconds{60}, std::memory_order_relaxed);
  }

  std::uint64_t handshakes(net::TlsVersion version, bool is_resumed) const {
    return handshakes_[static_cast<std::size_t>(version)][is_resumed ? 1 : 0].load(std::memory_order_relaxed);
  }
  std::uint64_t handshake_failures(ErrorCode code) const {
    return failures_[static_cast<std::size_t>(code)].load(std::memory_order_relaxed);
  }
  std::uint64_t proxy_faults(ProxyFault fault) const {
    return proxy_faults_[static_cast<std::size_t>(fault)].load(std::memory_order_relaxed);
  }
  std::uint64_t refusals(ConnectionLimits::Refusal refusal) const {
    return refusals_[static_cast<std::size_t>(refusal)].load(std::memory_order_relaxed);
  }
  std::uint64_t failed_accepts() const { return failed_accepts_.load(std::memory_order_relaxed); }
  // The codes that count_handshake_failure() is called with.
  static constexpr std::array kHandshakeFailures = {
      ErrorCode::kTlsFailed,
      ErrorCode::kTlsTimeout,
      ErrorCode::kTlsVersion,
      ErrorCode::kTlsCertificateExpired,
      ErrorCode::kTlsCertificateUntrusted,
      ErrorCode::kTlsCertificateName,
      ErrorCode::kTlsClientCertificate,
      ErrorCode::kPlainOnTls,
      ErrorCode::kPeerClosed,
  };

 private:
  static void add(Cell& cell) { cell.fetch_add(1, std::memory_order_relaxed); }

  std::array<std::array<Cell, 2>, 2> handshakes_{};
  std::array<Cell, static_cast<std::size_t>(ErrorCode::kNotCached) + 1> failures_{};
  std::array<Cell, kProxyFaults.size()> proxy_faults_{};
  std::array<Cell, kRefusals.size()> refusals_{};
  Cell failed_accepts_{0};
  std::atomic<MonoTime> tell_accept_at_{MonoTime{std::numeric_limits<std::int64_t>::min()}};
};

}  // namespace seawall::proxy
