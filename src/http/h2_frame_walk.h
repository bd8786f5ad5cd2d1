// Where the frames of an HTTP/2 connection begin, read from its bytes beside nghttp2, which says nothing of frames that
// it drops: those of unknown types, and DATA of streams that are closed. Pure. Thread: one owner.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace seawall::http {

// What one frame carries at most, as long as no SETTINGS allow more.
inline constexpr std::size_t kH2FrameBytes = std::size_t{16} * 1024;

// How many CONTINUATION frames a head of `header_bytes` may come in: as many full ones as it needs, and a few for those
// who do not fill them.
constexpr std::size_t max_continuations(std::size_t header_bytes) {
  return header_bytes / kH2FrameBytes + 8;
}

class H2FrameWalk {
 public:
  // What a client sends ahead of its frames (RFC 9113 section 3.4).
  static constexpr std::size_t kPrefaceBytes = 24;

  explicit H2FrameWalk(std::size_t preface_bytes) : skipped_(preface_bytes) {}

  // Calls on_frame(type, payload bytes) for each head that is complete with these bytes.
  template <typename OnFrame>
  void feed(std::string_view bytes, OnFrame on_frame) {
    while (!bytes.empty()) {
      const std::size_t taken = std::min(skipped_ > 0 ? skipped_ : head_.size() - head_bytes_, bytes.size());
      const std::string_view piece = bytes.substr(0, taken);
      bytes.remove_prefix(taken);
      if (skipped_ > 0) {
        skipped_ -= taken;
        continue;
      }
      std::ranges::copy(piece, head_.begin() + static_cast<std::ptrdiff_t>(head_bytes_));
      head_bytes_ += taken;
      if (head_bytes_ < head_.size()) return;
      head_bytes_ = 0;
      skipped_ = (std::size_t{octet(0)} << 16) | (std::size_t{octet(1)} << 8) | octet(2);
      on_frame(octet(3), skipped_);
    }
  }

 private:
  std::uint8_t octet(std::size_t i) const { return static_cast<std::uint8_t>(head_[i]); }

  std::size_t skipped_;  // bytes to come that are of no interest
  std::array<char, 9> head_{};
  std::size_t head_bytes_ = 0;
};

// DATA of streams that are closed. What was on its way when we closed one is nobody's fault, and bounded by the
// stream's window; whatever comes beside that is. Pure. Thread: one owner.
class H2LateData {
 public:
  // A small frame costs as much as so many bytes.
  static constexpr std::size_t kFrameBytes = 64;

  // `most` bytes may be on their way in all.
  explicit H2LateData(std::size_t most) : most_(most) {}

  // We have reset a stream, of which so much may be on its way.
  void on_reset(std::size_t window) { excused_ = std::min(most_, excused_ + window); }
  // Whether these were to be expected.
  bool excuses(std::size_t frames, std::size_t bytes) {
    const std::size_t size = bytes + frames * kFrameBytes;
    const bool is_covered = size <= excused_;
    excused_ -= std::min(size, excused_);
    return is_covered;
  }

 private:
  std::size_t most_;
  std::size_t excused_ = 0;
};

}  // namespace seawall::http
