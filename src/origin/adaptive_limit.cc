#include "origin/adaptive_limit.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace seawall::origin {
namespace {

constexpr double kTolerance = 1.5;  // of the short-term round trip over the long-term one
constexpr double kMinGradient = 0.5;
constexpr double kSmoothing = 0.2;
constexpr double kLongWindow = 600;         // samples
constexpr std::uint32_t kFirstWindow = 50;  // samples; few, for the limit may be far above the capacity already
constexpr std::uint32_t kMinWindow = 10;    // samples
constexpr double kDownwards = 0.8;          // of the long-term one, by window, while more than twice the short one
constexpr double kAfterDrop = 0.9;          // of the limit
constexpr double kAfterDrops = 0.5;         // of the limit, for those of one window together
constexpr std::uint32_t kPressed = 20;      // shrinking windows that call for a dip
constexpr std::uint32_t kDipSamples = 20;   // calm ones that replace the long-term round trip
constexpr std::uint32_t kDipWindows = 3;    // a dip ends after so many windows' samples, whatever came
constexpr std::uint32_t kFirstLimit = 20;

}  // namespace

AdaptiveLimit::AdaptiveLimit(std::uint32_t min, std::uint32_t max) : min_(min), max_(max) {
  limit_ = std::max(max / 4, kFirstLimit);
  clamp();
}

void AdaptiveLimit::set_bounds(std::uint32_t min, std::uint32_t max) {
  min_ = min;
  max_ = max;
  clamp();
}

std::uint32_t AdaptiveLimit::limit() const {
  return is_dip_ ? std::max(min_, static_cast<std::uint32_t>(limit_ / 2)) : static_cast<std::uint32_t>(limit_);
}

void AdaptiveLimit::on_sample(std::chrono::microseconds latency, std::uint32_t in_flight, bool dropped) {
  ++window_.samples;
  if (dropped) {
    limit_ = std::max({limit_ * kAfterDrop, floor_, static_cast<double>(min_)});
  } else {
    double taken = std::max(1.0, static_cast<double>(latency.count()));
    // Past that the gradient is at its least anyway, and one straggler says nothing of the others.
    if (long_term_ > 0) taken = std::min(taken, long_term_ * kTolerance / kMinGradient);
    const bool is_calm = is_dip_ ? in_flight <= limit() : in_flight < limit() / 2.0;
    ++(is_calm ? window_.calm : window_.busy);
    (is_calm ? window_.calm_sum : window_.busy_sum) += taken;
  }
  if (is_over()) end_window();
}

void AdaptiveLimit::clamp() {
  min_ = std::max(min_, 1U);
  max_ = std::max(max_, min_);
  limit_ = std::clamp(limit_, static_cast<double>(min_), static_cast<double>(max_));
  floor_ = limit_ * kAfterDrops;
}

// A whole round of calls, in a dip of calm ones: those that end first are the quick ones.
bool AdaptiveLimit::is_over() const {
  if (long_term_ == 0) return window_.samples >= kFirstWindow;
  const std::uint32_t size = std::max(static_cast<std::uint32_t>(limit_), kMinWindow);
  if (is_dip_) return window_.calm >= std::max(size, kDipSamples) || window_.samples / kDipWindows >= size;
  return window_.samples >= size;
}

void AdaptiveLimit::end_window() {
  const Window ended = std::exchange(window_, {});
  if (ended.busy + ended.calm > 0) {
    const bool is_first = long_term_ == 0;
    learn(ended);
    // A dip's busy calls are those that began before it.
    if (!is_first && !is_dip_ && ended.busy >= ended.calm) follow(ended.busy_sum / ended.busy);
  }
  is_dip_ = pressed_ >= kPressed;
  if (is_dip_) pressed_ = 0;
  clamp();
}

void AdaptiveLimit::learn(const Window& window) {
  const double mean = (window.busy_sum + window.calm_sum) / (window.busy + window.calm);
  if (long_term_ == 0) {
    long_term_ = mean;
    return;
  }
  if (long_term_ > 2 * mean) long_term_ = std::max(mean, long_term_ * kDownwards);
  if (window.calm == 0) return;
  const double weight = std::min(1.0, window.calm / (is_dip_ ? double{kDipSamples} : kLongWindow));
  long_term_ += (window.calm_sum / window.calm - long_term_) * weight;
}

void AdaptiveLimit::follow(double short_term) {
  const double gradient = std::clamp(kTolerance * long_term_ / short_term, kMinGradient, 1.0);
  const double target = limit_ * gradient + std::sqrt(limit_);
  limit_ += (target - limit_) * kSmoothing;
  if (gradient < 1) ++pressed_;
}

}  // namespace seawall::origin
