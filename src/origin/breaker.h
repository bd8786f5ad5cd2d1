// A circuit breaker over a sliding window of calls. Pure.
//
//   kClosed    calls go through and are counted; trips on the failure ratio (with a minimum volume), or on connect
//              failures in a row
//   kOpen      calls are refused until the interval is over; it doubles with each trip that follows, with jitter
//   kHalfOpen  a few calls at once as probes; those of clients only once the others have had their chance;
//              `close_after` good ones close it, a bad one opens it again
//
// What counts: connect failures, DNS, TLS, time-outs, responses cut off, 502, 503, 504; slow calls where set; 500 half,
// and only when several URLs answer so. A URL that fails again within a window adds to the volume and not to the
// ratio, and the ratio says nothing until three URLs have failed, so that one poisonous URL does not open it; connect
// failures always count, for they reached no URL. 4xx, aborts of clients, and our own refusals never count: report them
// with kNeutral. Thread: one owner, or a lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "origin/origin_options.h"

namespace seawall::origin {

enum class Outcome : std::uint8_t {
  kSuccess,
  kSlow,            // answered, but past BreakerOptions::slow
  kServerError,     // 500
  kGatewayError,    // 502, 503, 504
  kConnectFailure,  // refused, unreachable, connect time-out, DNS, TLS
  kBroken,          // time-outs past the connect, resets, truncated responses
  kNeutral,         // says nothing of the server
};

// Who asks: probes prefer those without a client behind them.
enum class Caller : std::uint8_t { kHealthCheck, kBackground, kClient };

class Breaker {
 public:
  enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };
  enum class Admission : std::uint8_t { kCall, kProbe, kRefused };

  explicit Breaker(const BreakerOptions& options);

  // New options keep the state: it survives a reload. Another length of the window begins a new one; off closes.
  void set_options(const BreakerOptions& options);
  // How long after the interval clients' calls may be probes: 0 when nothing else would probe.
  void set_client_delay(Millis delay) { client_delay_ = delay; }

  // kProbe and kCall must be reported with record(), once.
  Admission admit(MonoTime now, Caller caller);
  // What admit() would say, changing nothing.
  bool would_admit(MonoTime now, Caller caller) const;
  // `url` is the hash of the request's key. True when the state has changed by it.
  bool record(MonoTime now, Admission admitted, Outcome outcome, std::uint64_t url, Rng& rng);

  State state(MonoTime now) const;
  // Until the next probe may go; 0 unless open.
  Millis retry_after(MonoTime now) const;
  std::uint32_t trips() const { return trips_; }  // since it was last closed
  std::uint64_t opened_total() const { return opened_total_; }

  // Within the window, for people.
  struct Window {
    std::uint32_t calls = 0;
    double failures = 0;
  };
  Window window(MonoTime now) const;

 private:
  static constexpr std::int64_t kBuckets = 10;
  static constexpr std::size_t kUrls = 128;  // remembered; those past it are taken for new ones
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

  struct Counts {
    std::uint32_t calls = 0;
    std::uint32_t failures = 0;
    std::uint32_t server_errors = 0;  // URLs
    std::uint32_t repeats = 0;        // calls whose URL had failed in this window already
  };
  // A tenth of the window, by its number since the clock's start.
  struct Bucket {
    std::int64_t tenth = kNever;
    Counts counts;
  };
  struct Url {
    std::int64_t tenth = kNever;  // when its failure was counted
    std::uint64_t hash = 0;
  };

  std::int64_t tenth_of(MonoTime now) const { return now.us / tenth_us_; }
  static bool is_within(std::int64_t tenth, std::int64_t current) { return tenth > current - kBuckets; }
  Counts counts(MonoTime now) const;
  std::size_t probes_out(MonoTime now) const;

  bool count(MonoTime now, Outcome outcome, std::uint64_t url);
  bool remember(std::uint64_t url, std::int64_t current);
  bool should_trip(MonoTime now) const;
  bool record_probe(MonoTime now, Outcome outcome, std::uint64_t url, Rng& rng);
  void trip(MonoTime now, Rng& rng);
  void close();
  void clear_window();

  BreakerOptions options_;
  Millis client_delay_{0};
  std::int64_t tenth_us_;

  std::array<Bucket, kBuckets> buckets_;
  std::array<Url, kUrls> urls_;
  std::uint32_t connect_failures_ = 0;  // without a success between

  bool has_tripped_ = false;  // kOpen or kHalfOpen, by open_until_
  MonoTime open_until_;
  Millis interval_{0};  // the last, before jitter
  std::uint32_t trips_ = 0;
  std::uint64_t opened_total_ = 0;
  std::uint32_t good_probes_ = 0;     // since it was last open
  std::vector<MonoTime> probes_out_;  // when they went, oldest first; at most BreakerOptions::probes
};

}  // namespace seawall::origin
