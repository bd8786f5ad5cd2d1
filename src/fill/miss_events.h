// The news of misses that nobody here fetches (miss = "push"): each URL once in a while, so many a second, the last
// ones kept for those who read late. Delivery is the readers' business. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"

namespace seawall::fill {

struct MissEventOptions {
  Millis repeat{10'000};  // one URL is told again after so long
  // All together; what is past it is dropped and counted, and told when asked for again.
  std::uint32_t per_second = 1000;
  std::size_t kept = 4096;    // events for late readers
  std::size_t urls = 65'536;  // remembered for `repeat`; the oldest goes
};

struct MissEvent {
  std::uint64_t sequence = 0;  // from 1, without gaps
  WallTime time;
  std::string url;     // "http://shop.example.com/a?b"
  std::string route;   // name
  std::string origin;  // name
  std::string why;     // "uri-miss", "expired"
};

class MissEvents {
 public:
  explicit MissEvents(const MissEventOptions& options);
  ~MissEvents();
  void set_options(const MissEventOptions& options);

  // True when it became an event; false when it was told lately, or is one too many.
  bool offer(MissEvent event, std::uint64_t hash, MonoTime now);

  struct Batch {
    std::vector<MissEvent> events;  // in order
    std::uint64_t lost = 0;         // that were due but are not kept any more
  };
  // Those after `sequence`, at most `max`.
  Batch after(std::uint64_t sequence, std::size_t max) const;
  std::uint64_t last() const;

  // While it lives, `on_events` runs on the executor in a turn of its own after there were new ones (at most one turn
  // is pending). Destroy it on the executor's thread.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(Executor& executor, std::function<void()> on_events);

  struct Stats {
    std::uint64_t emitted = 0;
    std::uint64_t duplicates = 0;  // told lately
    std::uint64_t limited = 0;     // past per_second
  };
  Stats stats() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// One line of JSON without the line feed:
// {"id":1,"time":"2026-01-01T00:00:00.000Z","url":...,"route":...,"origin":...,"why":...}
std::string to_json(const MissEvent& event);

}  // namespace seawall::fill
