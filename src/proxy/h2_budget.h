// How much of what is cheap to send and dear to serve one HTTP/2 connection may send: a bucket for each kind of abuse,
// refilled with time and by honest work, for those who fetch much also open, reset and update much. A bucket that is
// empty ends the connection with ENHANCE_YOUR_CALM (RFC 9113 section 10.5). Pure. Thread: one owner.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace seawall::proxy {

enum class H2Abuse : std::uint8_t {
  kReset,         // RST_STREAM by the client: requests begun and given up (CVE-2023-44487)
  kStreamError,   // streams that we reset because of what the client sent on them (CVE-2025-8671)
  kSettings,      // SETTINGS frames (CVE-2019-9515)
  kPing,          // PING frames (CVE-2019-9512)
  kEmptyFrame,    // DATA, HEADERS and CONTINUATION frames that carry nothing, or padding (CVE-2019-9518)
  kContinuation,  // CONTINUATION frames that are neither full nor last, or too many of one head (CVE-2024-28182)
  kHeaderBomb,    // field sections far larger than we said we take, compressed well (CVE-2016-6581)
  kPriority,      // PRIORITY and PRIORITY_UPDATE frames (CVE-2019-9513)
  kWindowUpdate,  // WINDOW_UPDATE frames
  kTinyWindow,    // DATA frames that a small window cuts into crumbs (CVE-2019-9511)
  kUnknownFrame,  // frames of types that nobody here knows (RFC 9113 section 5.5 lets a few pass)
  kLateData,      // DATA frames of streams that had ended
  kUnreadReply,   // more SETTINGS and PING frames than it reads the replies to
};
inline constexpr std::size_t kH2Abuses = static_cast<std::size_t>(H2Abuse::kUnreadReply) + 1;

// "rapid-reset": stable, lower case, for logs and metrics.
std::string_view to_string(H2Abuse kind);

class H2Budget {
 public:
  explicit H2Budget(MonoTime now);

  // False: there was not as much left.
  bool spend(H2Abuse kind, MonoTime now, std::uint32_t count = 1);
  // A request came; it brings what clients send along with one.
  void earn_request();
  // A request was answered to its end.
  void earn_answer();
  // A DATA frame of ours went out that was not cut short by a window.
  void earn_data();

 private:
  struct Bucket {
    std::int64_t level = 0;  // in millionths
    MonoTime filled_at{};
  };
  Bucket& bucket(H2Abuse kind) { return buckets_[static_cast<std::size_t>(kind)]; }
  void earn(H2Abuse kind, std::int64_t count);

  std::array<Bucket, kH2Abuses> buckets_;
  std::uint32_t answers_ = 0;
};

// Of one worker's HTTP/2 connections with clients; others add them up. Thread: written by the worker, read by any.
struct H2Counters {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> streams{0};
  std::array<std::atomic<std::uint64_t>, kH2Abuses> abuse{};

  // There is one writer, so no locked instruction is needed.
  static void count(std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void count(H2Abuse kind) { count(abuse[static_cast<std::size_t>(kind)]); }
};

}  // namespace seawall::proxy
