#include "proxy/h2_budget.h"

#include <algorithm>

namespace seawall::proxy {
namespace {

constexpr std::int64_t kOne = 1'000'000;

// What a bucket holds at most, and what it gets back.
struct Allowance {
  std::int64_t burst;
  std::int64_t per_second;
  std::int64_t per_request = 0;
  std::int64_t per_ten_answers = 0;
  std::int64_t per_data = 0;
};

// A browser that leaves a page resets all that it had open; gRPC sends a PING for each round trip that carries data;
// clients with small buffers update two windows for each frame that they get.
constexpr Allowance allowance_of(H2Abuse kind) {
  switch (kind) {
    case H2Abuse::kReset: return {.burst = 400, .per_second = 50, .per_ten_answers = 1};
    case H2Abuse::kStreamError: return {.burst = 50, .per_second = 5};
    case H2Abuse::kSettings: return {.burst = 20, .per_second = 1};
    case H2Abuse::kPing: return {.burst = 500, .per_second = 100, .per_data = 1};
    case H2Abuse::kEmptyFrame: return {.burst = 50, .per_second = 10};
    case H2Abuse::kContinuation: return {.burst = 100, .per_second = 20};
    case H2Abuse::kHeaderBomb: return {.burst = 10, .per_second = 1};
    case H2Abuse::kPriority: return {.burst = 500, .per_second = 50, .per_request = 2};
    case H2Abuse::kWindowUpdate: return {.burst = 2'000, .per_second = 200, .per_request = 4, .per_data = 4};
    case H2Abuse::kTinyWindow: return {.burst = 500, .per_second = 50, .per_data = 2};
    case H2Abuse::kUnknownFrame: return {.burst = 200, .per_second = 20, .per_request = 4};
    case H2Abuse::kLateData: return {.burst = 100, .per_second = 10};
    case H2Abuse::kUnreadReply: return {.burst = 0, .per_second = 0};
  }
  return {};
}

constexpr std::array<Allowance, kH2Abuses> kAllowances = [] {
  std::array<Allowance, kH2Abuses> table{};
  for (std::size_t i = 0; i < kH2Abuses; ++i) table[i] = allowance_of(static_cast<H2Abuse>(i));
  return table;
}();

constexpr const Allowance& allowance(H2Abuse kind) {
  return kAllowances[static_cast<std::size_t>(kind)];
}

}  // namespace

std::string_view to_string(H2Abuse kind) {
  switch (kind) {
    case H2Abuse::kReset: return "rapid-reset";
    case H2Abuse::kStreamError: return "made-you-reset";
    case H2Abuse::kSettings: return "settings";
    case H2Abuse::kPing: return "ping";
    case H2Abuse::kEmptyFrame: return "empty-frames";
    case H2Abuse::kContinuation: return "continuation";
    case H2Abuse::kHeaderBomb: return "headers";
    case H2Abuse::kPriority: return "priority";
    case H2Abuse::kWindowUpdate: return "window-update";
    case H2Abuse::kTinyWindow: return "tiny-window";
    case H2Abuse::kUnknownFrame: return "unknown-frames";
    case H2Abuse::kLateData: return "late-data";
    case H2Abuse::kUnreadReply: return "unread-reply";
  }
  return "";
}

H2Budget::H2Budget(MonoTime now) {
  for (std::size_t i = 0; i < kH2Abuses; ++i) {
    buckets_[i] = {.level = kAllowances[i].burst * kOne, .filled_at = now};
  }
}

bool H2Budget::spend(H2Abuse kind, MonoTime now, std::uint32_t count) {
  Bucket& b = bucket(kind);
  const Allowance& allowed = allowance(kind);
  // A rate in millionths for a microsecond is the rate for a second. Past this time any bucket is full.
  constexpr std::int64_t kLongestUs = std::int64_t{3600} * 1'000'000;
  const std::int64_t elapsed_us = std::clamp((now - b.filled_at).count(), std::int64_t{0}, kLongestUs);
  b.filled_at = now;
  b.level = std::min(allowed.burst * kOne, b.level + elapsed_us * allowed.per_second);
  b.level -= std::int64_t{count} * kOne;
  if (b.level >= 0) return true;
  b.level = 0;
  return false;
}

void H2Budget::earn(H2Abuse kind, std::int64_t count) {
  Bucket& b = bucket(kind);
  b.level = std::min(allowance(kind).burst * kOne, b.level + count * kOne);
}

void H2Budget::earn_request() {
  for (const H2Abuse kind : {H2Abuse::kPriority, H2Abuse::kWindowUpdate, H2Abuse::kUnknownFrame}) {
    earn(kind, allowance(kind).per_request);
  }
}

void H2Budget::earn_answer() {
  // One for one would let whoever asks for something cheap in between reset without end.
  if (++answers_ % 10 == 0) earn(H2Abuse::kReset, allowance(H2Abuse::kReset).per_ten_answers);
}

void H2Budget::earn_data() {
  earn(H2Abuse::kPing, allowance(H2Abuse::kPing).per_data);
  earn(H2Abuse::kWindowUpdate, allowance(H2Abuse::kWindowUpdate).per_data);
  earn(H2Abuse::kTinyWindow, allowance(H2Abuse::kTinyWindow).per_data);
}

}  // namespace seawall::proxy
