// Bytes both ways without waiting: a socket, plain or under TLS, or one stream of an HTTP/2 connection. What a tunnel
// joins, and what an upgraded exchange hands over. Thread: one worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace seawall {

class ByteStream {
 public:
  enum class Status : std::uint8_t {
    kOk,         // `bytes` of them, at least one
    kBlocked,    // nothing now; readiness will be told if it is watched for
    kEnd,        // the peer sends no more, and says so
    kTruncated,  // it is gone without the word that TLS asks for: fine where the length is known
    kFailed,     // nothing more either way
  };
  struct Outcome {
    Status status = Status::kBlocked;
    std::size_t bytes = 0;
  };
  // Room that read() must be given, so that nothing decrypted is left behind where no readiness tells of it.
  static constexpr std::size_t kReadBytes = std::size_t{64} * 1024;

  class User {
   public:
    virtual ~User() = default;
    // May destroy the stream and the user. Both kinds of readiness may come as two calls.
    virtual void on_stream_ready(bool readable, bool writable) = 0;
  };

  virtual ~ByteStream() = default;

  virtual Outcome read(std::span<char> into) = 0;
  // As many as the stream takes now. What it has taken may still be on its way out: has_unsent().
  virtual Outcome write(std::string_view bytes) = 0;
  virtual bool has_unsent() const = 0;
  // No more will be written; reading goes on.
  virtual void end_output() = 0;
  // Level-triggered. What has_unsent() goes out by itself.
  virtual void watch(bool read, bool write) = 0;
  virtual void set_user(User& user) = 0;
};

}  // namespace seawall
