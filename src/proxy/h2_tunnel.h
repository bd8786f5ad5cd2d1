// The client's end of a tunnel over one HTTP/2 stream (RFC 8441): DATA frames both ways. It may outlive its stream for
// the rest of a turn, and then says kFailed. Thread: its worker.
#pragma once

#include <string>
#include <string_view>

#include "base/byte_stream.h"

namespace seawall::proxy {

class H2Stream;

class H2TunnelEnd final : public ByteStream {
 public:
  explicit H2TunnelEnd(H2Stream& stream) : stream_(&stream) {}

  // From the stream: DATA, its end, readiness to take more, and that it is gone.
  void on_data(std::string_view bytes) { received_.append(bytes); }
  void on_end_stream() { has_ended_ = true; }
  void feed();
  void on_stream_gone() { stream_ = nullptr; }
  // From the tunnel.
  void on_tunnel_closed();

  Outcome read(std::span<char> into) override;
  Outcome write(std::string_view bytes) override;
  bool has_unsent() const override;
  void end_output() override;
  void watch(bool read, bool write) override;
  void set_user(User& user) override { user_ = &user; }

 private:
  bool is_readable() const { return wants_read_ && (!received_.empty() || has_ended_ || !stream_); }
  bool is_writable() const { return wants_write_ && !has_unsent(); }

  H2Stream* stream_;
  User* user_ = nullptr;
  std::string received_;  // at most a window of it
  bool has_ended_ = false;
  bool wants_read_ = false;
  bool wants_write_ = false;
};

}  // namespace seawall::proxy
