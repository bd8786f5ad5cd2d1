#include "server/origin_log.h"

#include <utility>

#include "obs/log.h"

namespace seawall::server {
namespace {

using obs::log;
using obs::LogLevel;

constexpr Millis kInterval{1000};
constexpr std::size_t kMaxKinds = 1024;  // remembered at once

// "origin shop (10.0.0.5:3000)".
std::string place(std::string_view origin, std::string_view server) {
  std::string text = "origin ";
  text += origin;
  if (!server.empty() && server != origin) {
    text += " (";
    text += server;
    text += ')';
  }
  return text;
}

// What to do about it, where that is not plain from its name.
std::string_view hint_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kTlsCertificateUntrusted: return "; nobody trusted has signed its certificate: see origin.tls.ca";
    case ErrorCode::kTlsCertificateExpired: return "; its certificate is out of date: renew it there";
    case ErrorCode::kTlsCertificateName: return "; its certificate is for another name: see origin.tls.server_name";
    case ErrorCode::kTlsClientCertificate: return "; it wants another client certificate: see origin.tls.certificate";
    case ErrorCode::kTlsVersion: return "; no TLS version or cipher in common: see origin.tls.min_version";
    case ErrorCode::kTlsFailed: return "; does it speak TLS at this port?";
    case ErrorCode::kHttp2Failed: return "; it does not speak HTTP/2 as it should: see origin.protocol";
    case ErrorCode::kStreamTimeout:
      return "; all HTTP/2 streams that it allows are taken: allow more there, or lower origin.limit.in_flight";
    case ErrorCode::kNoDescriptors: return "; raise the limit of open files (LimitNOFILE, ulimit -n)";
    case ErrorCode::kNoLocalPort:
      return "; widen net.ipv4.ip_local_port_range, or let more connections stay: see origin.idle_connections";
    default: return "";
  }
}

}  // namespace

void OriginLog::on_failure(std::string_view origin, std::string_view server, const Error& error,
                           std::string_view reason) {
  const MonoTime now = clock_.mono_now();
  std::uint64_t more = 0;
  {
    MutexLock lock(mutex_);
    if (said_.size() >= kMaxKinds) said_.clear();
    auto [at, is_new] = said_.try_emplace(Key(origin, server, error.code), Said{now, 0});
    if (!is_new) {
      if (now - at->second.last < kInterval) {
        ++at->second.since;
        return;
      }
      more = std::exchange(at->second.since, 0);
      at->second.last = now;
    }
  }
  if (more == 0) {
    log(LogLevel::kWarning, "{}: {}{}{}{}", place(origin, server), to_string(error.code), reason.empty() ? "" : ": ",
        reason, hint_of(error.code));
  } else {
    log(LogLevel::kWarning, "{}: {} (and {} more like it)", place(origin, server), to_string(error.code), more);
  }
}

void OriginLog::on_breaker(std::string_view origin, std::string_view server, origin::Breaker::State state,
                           Millis retry_after) {
  switch (state) {
    case origin::Breaker::State::kClosed:
      log(LogLevel::kInfo, "{}: breaker closed: requests go through again", place(origin, server));
      return;
    case origin::Breaker::State::kOpen:
      log(LogLevel::kWarning, "{}: breaker open: not asked for {} ms", place(origin, server), retry_after.count());
      return;
    case origin::Breaker::State::kHalfOpen:
      log(LogLevel::kInfo, "{}: breaker half open: probing", place(origin, server));
      return;
  }
}

void OriginLog::on_health(std::string_view origin, std::string_view server, bool is_healthy, std::string_view reason) {
  if (is_healthy) {
    log(LogLevel::kInfo, "{}: health check: healthy again", place(origin, server));
  } else {
    log(LogLevel::kWarning, "{}: health check: sick: {}", place(origin, server), reason);
  }
}

void OriginLog::on_back_off(std::string_view origin, Millis duration) {
  log(LogLevel::kWarning, "{}: 429 with Retry-After: not asked for {} ms", place(origin, {}), duration.count());
}

void OriginLog::on_resolved(std::string_view origin, std::string_view name, std::size_t addresses,
                            std::string_view error) {
  if (error.empty()) {
    log(LogLevel::kInfo, "{}: {} has {} {}", place(origin, {}), name, addresses,
        addresses == 1 ? "address" : "addresses");
  } else {
    log(LogLevel::kWarning, "{}: {}: {}; {}", place(origin, {}), name, error,
        addresses == 0 ? "no address is known" : "the last known addresses stay in use");
  }
}

}  // namespace seawall::server
