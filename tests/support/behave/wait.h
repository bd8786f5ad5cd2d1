// How the behaviour tests wait: for a gate to open or a condition to hold, always with a limit, never for time to pass.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stdexcept>

namespace seawall::behave {

using Millis = std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// Past it an operation has failed.
inline constexpr Millis kLimit{kSanitized ? 15'000 : 5'000};
// For what must not happen: short, because a passing test waits for all of it.
inline constexpr Millis kQuiet{150};

// A step of a test could not be done: the message says which.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// False when the condition did not come to hold within the limit.
bool until(const std::function<bool()>& condition, Millis limit = kLimit);

// Closed until opened, then open for good. Thread: any.
class Gate {
 public:
  void open();
  bool is_open() const;
  // False when it stayed closed for that long.
  bool wait(Millis limit) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace seawall::behave
