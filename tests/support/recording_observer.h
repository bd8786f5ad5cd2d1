// Writes down what it is told of origins, a line each:
//   failure 127.0.0.1:3000 connect-refused
//   failure 127.0.0.1:3000 tls-certificate-expired: certificate has expired
//   breaker [origin] open         or closed; a server's by its name
//   health 127.0.0.1:3000 sick: timeout
//   back-off 5000
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "origin/observer.h"

namespace seawall::test {

class RecordingObserver final : public origin::Observer {
 public:
  // What was told since the last time.
  std::vector<std::string> take() {
    MutexLock lock(mutex_);
    return std::exchange(told_, {});
  }

  void on_failure(std::string_view, std::string_view server, const Error& error, std::string_view reason) override {
    std::string line = "failure " + std::string(server) + " " + std::string(to_string(error.code));
    if (!reason.empty()) line += ": " + std::string(reason);
    tell(std::move(line));
  }
  void on_breaker(std::string_view, std::string_view server, origin::Breaker::State state, Millis) override {
    const std::string_view word = state == origin::Breaker::State::kOpen       ? "open"
                                  : state == origin::Breaker::State::kHalfOpen ? "half-open"
                                                                               : "closed";
    tell("breaker " + std::string(server.empty() ? "[origin]" : server) + " " + std::string(word));
  }
  void on_health(std::string_view, std::string_view server, bool is_healthy, std::string_view reason) override {
    tell("health " + std::string(server) + (is_healthy ? " healthy" : " sick: " + std::string(reason)));
  }
  void on_back_off(std::string_view, Millis duration) override { tell("back-off " + std::to_string(duration.count())); }
  void on_resolved(std::string_view, std::string_view name, std::size_t addresses, std::string_view) override {
    tell("resolved " + std::string(name) + " " + std::to_string(addresses));
  }

 private:
  void tell(std::string line) {
    MutexLock lock(mutex_);
    told_.push_back(std::move(line));
  }

  Mutex mutex_;
  std::vector<std::string> told_ SW_GUARDED_BY(mutex_);
};

}  // namespace seawall::test
