// Tells the log what happens at the origins: each kind of failure of each server at most once a second, with how many
// more there were since; breakers, health, back-off and names as they change. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "base/clock.h"
#include "base/mutex.h"
#include "origin/observer.h"

namespace seawall::server {

class OriginLog final : public origin::Observer {
 public:
  explicit OriginLog(const Clock& clock) : clock_(clock) {}

  void on_failure(std::string_view origin, std::string_view server, const Error& error,
                  std::string_view reason) override;
  void on_breaker(std::string_view origin, std::string_view server, origin::Breaker::State state,
                  Millis retry_after) override;
  void on_health(std::string_view origin, std::string_view server, bool is_healthy, std::string_view reason) override;
  void on_back_off(std::string_view origin, Millis duration) override;
  void on_resolved(std::string_view origin, std::string_view name, std::size_t addresses,
                   std::string_view error) override;

 private:
  struct Said {
    MonoTime last;
    std::uint64_t since = 0;  // not told
  };
  using Key = std::tuple<std::string, std::string, ErrorCode>;

  const Clock& clock_;
  Mutex mutex_;
  std::map<Key, Said> said_ SW_GUARDED_BY(mutex_);
};

}  // namespace seawall::server
