// An HTTP/2 client at the other end of a socket, pumped by hand: nghttp2 for what is well-formed, raw frames for what
// is not. A raw client takes frames apart and does nothing else with them. Thread: one.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "http/header_map.h"
#include "support/fake_upstream.h"

namespace seawall::test {

struct H2Answer {
  std::uint16_t status = 0;
  http::HeaderMap fields;
  std::string body;
  http::HeaderMap trailers;
  std::vector<std::uint16_t> informational;
  bool has_ended = false;  // END_STREAM
  bool is_closed = false;
  std::optional<std::uint32_t> reset;  // RST_STREAM and its code

  std::string_view field(std::string_view name) const { return fields.find(name).value_or(""); }
};

struct H2ClientOptions {
  bool opens_windows = true;  // by itself, as data comes
  std::uint32_t window = 65'535;
  bool sends_preface = true;
  bool is_raw = false;  // only raw() sends; of answers only END_STREAM, RST_STREAM and the sizes of DATA are seen
};

class H2Client {
 public:
  H2Client(Fd fd, const H2ClientOptions& options);
  ~H2Client();
  H2Client(const H2Client&) = delete;
  H2Client& operator=(const H2Client&) = delete;

  // Fields in order, pseudo-header fields included. nullopt: no body; what body there is ends the stream unless more
  // is to come.
  std::int32_t send(const Lines& fields, std::optional<std::string> body = std::nullopt, bool is_whole = true);
  std::int32_t get(std::string_view path, const Lines& more = {});
  void more_body(std::int32_t stream, std::string_view bytes, bool is_whole, const Lines& trailers = {});
  void reset(std::int32_t stream, std::uint32_t code = NGHTTP2_CANCEL);
  void open_window(std::int32_t stream, std::int32_t bytes);
  void ping();
  // Frames as they are.
  void raw(std::string_view bytes);
  static std::string frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream, std::string_view payload);
  // Literal fields without indexing or Huffman codes, for raw HEADERS.
  static std::string encode(const Lines& fields);

  // Sends what can be sent and takes what has come. True: something moved.
  bool pump();
  void stop_reading() { is_reading_ = false; }
  void resume_reading() { is_reading_ = true; }
  void half_close();
  void close();

  H2Answer& answer(std::int32_t stream) { return answers_[stream]; }
  bool is_connected() const { return !has_end_; }
  // GOAWAY frames: last stream and code.
  const std::vector<std::pair<std::int32_t, std::uint32_t>>& goaways() const { return goaways_; }
  // DATA frames in their order: stream and size.
  const std::vector<std::pair<std::int32_t, std::size_t>>& data_frames() const { return data_frames_; }
  std::uint32_t setting(nghttp2_settings_id id) const { return nghttp2_session_get_remote_settings(session_, id); }
  std::int32_t stream_window(std::int32_t stream) const {
    return nghttp2_session_get_stream_remote_window_size(session_, stream);
  }
  std::int32_t connection_window() const { return nghttp2_session_get_remote_window_size(session_); }
  std::size_t pings_acked() const { return pings_acked_; }
  nghttp2_session* session() { return session_; }

 private:
  struct Callbacks;
  struct Upload {
    std::string bytes;
    bool is_whole = true;
    bool is_deferred = false;
    Lines trailers;
  };

  bool flush();
  void take(std::string_view bytes);
  void take_raw(std::string_view bytes);

  Fd fd_;
  bool is_raw_;
  std::string in_;  // of a raw client: an incomplete frame
  nghttp2_session* session_ = nullptr;
  std::string out_;
  bool is_reading_ = true;
  bool has_end_ = false;
  std::map<std::int32_t, H2Answer> answers_;
  std::map<std::int32_t, Upload> uploads_;
  std::vector<std::pair<std::int32_t, std::uint32_t>> goaways_;
  std::vector<std::pair<std::int32_t, std::size_t>> data_frames_;
  std::size_t pings_acked_ = 0;
};

}  // namespace seawall::test
