#include "origin/breaker.h"

#include <algorithm>
#include <chrono>

namespace seawall::origin {
namespace {

using std::chrono::microseconds;

// A 500 is as often the fault of the one request as of the server.
constexpr double kServerErrorWeight = 0.5;
constexpr std::uint32_t kServerErrorUrls = 3;
// Fewer may be poisonous requests to a good server.
constexpr std::uint32_t kFailedUrls = 3;
constexpr double kJitter = 0.2;

bool is_failure(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSuccess:
    case Outcome::kNeutral: return false;
    case Outcome::kSlow:
    case Outcome::kServerError:
    case Outcome::kGatewayError:
    case Outcome::kConnectFailure:
    case Outcome::kBroken: return true;
  }
  return false;
}

std::int64_t tenth_us(const BreakerOptions& options) {
  return std::max<std::int64_t>(1, microseconds(options.window).count() / 10);
}

}  // namespace

Breaker::Breaker(const BreakerOptions& options) : options_(options), tenth_us_(tenth_us(options)) {}

void Breaker::set_options(const BreakerOptions& options) {
  if (options.window != options_.window) clear_window();
  options_ = options;
  tenth_us_ = tenth_us(options);
  if (!options_.is_on) close();
}

Breaker::Admission Breaker::admit(MonoTime now, Caller caller) {
  if (!would_admit(now, caller)) return Admission::kRefused;
  if (!has_tripped_) return Admission::kCall;
  const auto is_lost = [&](MonoTime since) { return now >= since + options_.open_max; };
  std::erase_if(probes_out_, is_lost);
  probes_out_.push_back(now);
  return Admission::kProbe;
}

bool Breaker::would_admit(MonoTime now, Caller caller) const {
  if (!has_tripped_) return true;
  const MonoTime from = caller == Caller::kClient ? open_until_ + client_delay_ : open_until_;
  return now >= from && probes_out(now) < std::max(options_.probes, 1U);
}

bool Breaker::record(MonoTime now, Admission admitted, Outcome outcome, std::uint64_t url, Rng& rng) {
  if (!options_.is_on || admitted == Admission::kRefused) return false;
  if (has_tripped_) return admitted == Admission::kProbe && record_probe(now, outcome, url, rng);
  if (!count(now, outcome, url) || !should_trip(now)) return false;
  trip(now, rng);
  return true;
}

Breaker::State Breaker::state(MonoTime now) const {
  if (!has_tripped_) return State::kClosed;
  return now < open_until_ ? State::kOpen : State::kHalfOpen;
}

Millis Breaker::retry_after(MonoTime now) const {
  if (state(now) != State::kOpen) return Millis{0};
  return std::chrono::ceil<Millis>(open_until_ - now);
}

Breaker::Window Breaker::window(MonoTime now) const {
  const Counts c = counts(now);
  Window window{.calls = c.calls, .failures = static_cast<double>(c.failures)};
  if (c.server_errors >= kServerErrorUrls) window.failures += kServerErrorWeight * c.server_errors;
  return window;
}

Breaker::Counts Breaker::counts(MonoTime now) const {
  Counts sum;
  for (const Bucket& bucket : buckets_) {
    if (!is_within(bucket.tenth, tenth_of(now))) continue;
    sum.calls += bucket.counts.calls;
    sum.failures += bucket.counts.failures;
    sum.server_errors += bucket.counts.server_errors;
    sum.repeats += bucket.counts.repeats;
  }
  return sum;
}

// Those that have not reported within open_max are taken for lost.
std::size_t Breaker::probes_out(MonoTime now) const {
  const auto is_out = [&](MonoTime since) { return now < since + options_.open_max; };
  return static_cast<std::size_t>(std::ranges::count_if(probes_out_, is_out));
}

// True when it speaks for a trip.
bool Breaker::count(MonoTime now, Outcome outcome, std::uint64_t url) {
  if (outcome == Outcome::kNeutral) return false;
  const std::int64_t current = tenth_of(now);
  Bucket& bucket = buckets_[static_cast<std::size_t>(current % kBuckets)];
  if (bucket.tenth < current) bucket = {.tenth = current, .counts = {}};
  ++bucket.counts.calls;
  if (outcome == Outcome::kSuccess) connect_failures_ = 0;
  if (!is_failure(outcome)) return false;
  if (outcome == Outcome::kConnectFailure) {
    ++connect_failures_;
  } else if (!remember(url, current)) {
    ++bucket.counts.repeats;
    return true;
  }
  ++(outcome == Outcome::kServerError ? bucket.counts.server_errors : bucket.counts.failures);
  return true;
}

// False when a failure of the URL was counted already in this window.
bool Breaker::remember(std::uint64_t url, std::int64_t current) {
  Url* free = nullptr;
  for (Url& known : urls_) {
    if (!is_within(known.tenth, current)) {
      free = &known;
    } else if (known.hash == url) {
      return false;
    }
  }
  if (free != nullptr) *free = {.tenth = current, .hash = url};
  return true;
}

bool Breaker::should_trip(MonoTime now) const {
  if (connect_failures_ >= std::max(options_.connect_failures, 1U)) return true;
  const Counts c = counts(now);
  if (c.calls < options_.min_requests || c.failures + c.server_errors < kFailedUrls) return false;
  return window(now).failures >= options_.failure_ratio * (c.calls - c.repeats);
}

bool Breaker::record_probe(MonoTime now, Outcome outcome, std::uint64_t url, Rng& rng) {
  if (!probes_out_.empty()) probes_out_.erase(probes_out_.begin());
  // Another probe of the same round may have opened it again.
  if (state(now) == State::kOpen || outcome == Outcome::kNeutral) return false;
  count(now, outcome, url);
  if (outcome == Outcome::kServerError && counts(now).server_errors < kServerErrorUrls) return false;
  if (is_failure(outcome)) {
    trip(now, rng);
    return true;
  }
  if (++good_probes_ < options_.close_after) return false;
  close();
  return true;
}

void Breaker::trip(MonoTime now, Rng& rng) {
  interval_ = std::min(trips_ == 0 ? options_.open : interval_ * 2, options_.open_max);
  const double factor = 1 - kJitter + 2 * kJitter * rng.unit();
  const auto jittered = static_cast<std::int64_t>(factor * static_cast<double>(microseconds(interval_).count()));
  open_until_ = now + std::min<microseconds>(microseconds{jittered}, options_.open_max);
  has_tripped_ = true;
  good_probes_ = 0;
  ++trips_;
  ++opened_total_;
}

void Breaker::close() {
  has_tripped_ = false;
  trips_ = 0;
  probes_out_.clear();
  clear_window();
}

void Breaker::clear_window() {
  buckets_.fill({});
  urls_.fill({});
  connect_failures_ = 0;
}

}  // namespace seawall::origin
