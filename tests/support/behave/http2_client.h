// HTTP/2 frame by frame, so that a test decides what goes out and when: whatever it is told to send it sends, valid or
// not. HPACK is nghttp2's. It answers SETTINGS and PING, and gives back flow control windows unless told not to.
// Thread: one owner.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/behave/client.h"
#include "support/behave/message.h"

namespace seawall::behave {

using Http2Fields = std::vector<std::pair<std::string, std::string>>;

struct Http2Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::int32_t stream = 0;
  std::string payload;
};

class Http2Client {
 public:
  enum class Windows { kGivenBack, kKept };

  // Under TLS with ALPN h2 when the options say so, else with prior knowledge. The preface and SETTINGS are sent.
  explicit Http2Client(const Seawall& seawall, ClientOptions options = {}, Windows windows = Windows::kGivenBack);
  explicit Http2Client(std::uint16_t port, ClientOptions options = {}, Windows windows = Windows::kGivenBack);

  // A new stream with these fields; its number.
  std::int32_t open(const Http2Fields& fields, bool is_end = true);
  // The same for a.test, as a browser would ask; `more` goes behind.
  std::int32_t open(std::string_view method, std::string_view path, const Http2Fields& more = {}, bool is_end = true);
  void send_data(std::int32_t stream, std::string_view bytes, bool is_end = false);
  void send_trailers(std::int32_t stream, const Http2Fields& fields);
  void reset(std::int32_t stream, std::uint32_t error = NGHTTP2_CANCEL);
  void give_window(std::int32_t stream, std::uint32_t bytes);
  void send_frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream, std::string_view payload);
  void send_raw(std::string_view bytes) { must_send(bytes); }

  // To the end of the response, or its reset; throws Failure when neither comes in time.
  Response read(std::int32_t stream, Millis limit = kLimit);
  // Until so many bytes of its body are there.
  const Response& read_body(std::int32_t stream, std::size_t size, Millis limit = kLimit);
  const Response& read_head(std::int32_t stream, Millis limit = kLimit) { return read_body(stream, 0, limit); }
  Response request(const Http2Fields& fields) { return read(open(fields)); }
  Response get(std::string_view path, const Http2Fields& more = {}) { return read(open("GET", path, more)); }

  // What the server said to that stream's reset; nullopt: nothing.
  std::optional<std::uint32_t> reset_code(std::int32_t stream) const;
  // Reads until so many GOAWAY came, and gives the error of the last one; nullopt when the connection ended before.
  std::optional<std::uint32_t> read_goaway(std::size_t count = 1);
  std::int32_t goaway_last_stream() const { return goaway_last_stream_; }
  std::size_t goaways() const { return goaways_; }
  // Reads until the connection is closed.
  bool is_closed(Millis limit = kLimit);
  // The peer's SETTINGS, by identifier.
  std::optional<std::uint32_t> setting(std::uint16_t id);
  // The streams in the order of their DATA frames.
  const std::vector<std::int32_t>& data_order() const { return data_order_; }
  Client& connection() { return connection_; }

 private:
  struct Stream {
    Response response;
    bool ended = false;
    std::optional<std::uint32_t> reset;
  };
  struct Free {
    void operator()(nghttp2_hd_deflater* deflater) const { nghttp2_hd_deflate_del(deflater); }
    void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
  };

  void must_send(std::string_view bytes);
  std::string compressed(const Http2Fields& fields);
  // False when the connection has ended.
  bool read_until(const std::function<bool()>& enough, Millis limit);
  bool take_frame();
  void on_frame(const Http2Frame& frame);
  void on_header_block(std::int32_t stream, std::string_view block);

  Client connection_;
  const Windows windows_;
  const std::string scheme_;
  std::unique_ptr<nghttp2_hd_deflater, Free> deflater_;
  std::unique_ptr<nghttp2_hd_inflater, Free> inflater_;
  std::string buffer_;
  std::string header_block_;
  std::map<std::int32_t, Stream> streams_;
  std::map<std::uint16_t, std::uint32_t> settings_;
  std::vector<std::int32_t> data_order_;
  std::optional<std::uint32_t> goaway_;
  std::int32_t goaway_last_stream_ = 0;
  std::size_t goaways_ = 0;
  bool has_settings_ = false;
  bool has_ended_ = false;
  std::int32_t next_stream_ = 1;
};

}  // namespace seawall::behave
