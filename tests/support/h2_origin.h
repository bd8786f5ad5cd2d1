// An HTTP/2 server in the test's own loop, plain or under TLS, on a port of the kernel's choice: it records what comes
// and sends what the test tells it to, malformed things included. Thread: its loop's.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/listener.h"
#include "net/loop.h"
#include "net/tls_server.h"
#include "net/transport.h"
#include "support/pump.h"

namespace seawall::test {

class H2Origin {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  // One request as it has come so far, and the answer as it is sent.
  struct Stream {
    Fields fields;
    Fields trailers;
    std::string body;
    bool is_headed = false;
    bool is_ended = false;
    std::optional<std::uint32_t> reset_code;

    std::string answer;
    bool answer_ends = false;
    Fields answer_trailers;

    std::string field(std::string_view name) const {
      for (const auto& [n, v] : fields) {
        if (n == name) return v;
      }
      return "(none)";
    }
  };

  class Peer final : private ByteStream::User {
   public:
    Peer(net::Loop& loop, Fd fd, const Fields& settings, const Ref<const net::TlsServer>& tls)
        : transport_(loop, std::move(fd)) {
      make_session();
      std::vector<nghttp2_settings_entry> entries;
      for (const auto& [id, value] : settings) {
        entries.push_back({std::stoi(id), static_cast<std::uint32_t>(std::stoul(value))});
      }
      nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size());
      transport_.set_user(*this);
      transport_.watch(true, false);
      if (tls) {
        transport_.start_tls(tls->accept());
      } else {
        flush();
      }
    }
    ~Peer() override { nghttp2_session_del(session_); }

    std::map<std::int32_t, Stream>& streams() { return streams_; }
    Stream& stream(std::int32_t id) { return streams_.at(id); }
    std::size_t open_requests() const {
      std::size_t count = 0;
      for (const auto& [id, stream] : streams_) count += stream.is_headed && !stream.reset_code && !stream.answer_ends;
      return count;
    }
    std::optional<std::uint32_t> goaway_code() const { return goaway_code_; }
    bool saw_end() const { return saw_end_; }
    nghttp2_session* session() { return session_; }

    // Without: request bodies are read, and the windows that they fill are not opened again.
    void set_consuming(bool on) { is_consuming_ = on; }
    void set_reading(bool on) {
      is_reading_ = on;
      if (!saw_end_) transport_.watch(on, false);
    }

    void informational(std::int32_t id, const Fields& fields) { headers(id, fields, NGHTTP2_FLAG_NONE); }
    void head(std::int32_t id, const Fields& fields, bool ends_stream = false) {
      const auto list = list_of(fields);
      const nghttp2_data_provider provider{.source = {}, .read_callback = read_answer};
      nghttp2_submit_response(session_, id, list.data(), list.size(), ends_stream ? nullptr : &provider);
      if (ends_stream) stream(id).answer_ends = true;
      flush();
    }
    void headers(std::int32_t id, const Fields& fields, std::uint8_t flags) {
      const auto list = list_of(fields);
      nghttp2_submit_headers(session_, flags, id, nullptr, list.data(), list.size(), nullptr);
      flush();
    }
    void data(std::int32_t id, std::string_view bytes, bool ends_stream = false, const Fields& trailers = {}) {
      Stream& s = stream(id);
      s.answer.append(bytes);
      s.answer_ends = ends_stream;
      s.answer_trailers = trailers;
      nghttp2_session_resume_data(session_, id);
      flush();
    }
    void answer(std::int32_t id, std::string_view body = "ok") {
      head(id, {{":status", "200"}});
      data(id, body, true);
    }
    void reset(std::int32_t id, std::uint32_t code) {
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
      stream(id).reset_code = code;
      flush();
    }
    void goaway(std::int32_t last_stream_id, std::uint32_t code = NGHTTP2_NO_ERROR) {
      nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_stream_id, code, nullptr, 0);
      flush();
    }
    void raw(std::string_view bytes) {
      flush();
      out_.append(bytes);
      flush();
    }
    void frame(std::uint8_t type, std::uint8_t flags, std::int32_t id, std::string_view payload) {
      raw(frame_of(type, flags, id, payload));
    }
    static std::string frame_of(std::uint8_t type, std::uint8_t flags, std::int32_t id, std::string_view payload) {
      const auto byte = [](std::size_t value) { return static_cast<char>(value & 0xff); };
      const auto size = payload.size();
      const auto stream = static_cast<std::size_t>(id);
      std::string out = {byte(size >> 16),   byte(size >> 8),    byte(size),        byte(type),  byte(flags),
                         byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)};
      return out.append(payload);
    }
    void flush() {
      if (saw_end_ || !transport_.is_established()) return;
      const std::uint8_t* bytes = nullptr;
      for (ssize_t n; (n = nghttp2_session_mem_send(session_, &bytes)) > 0;) {
        out_.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
      }
      if (!out_.empty()) out_.erase(0, transport_.write(out_).bytes);
      transport_.watch(is_reading_, !out_.empty());
    }
    // The TCP connection is closed in an orderly way, or reset.
    void close() {
      saw_end_ = true;
      transport_.watch(false, false);
      transport_.end_output();
    }
    void abort() {
      saw_end_ = true;
      transport_.watch(false, false);
      transport_.reset_on_close();
    }

   private:
    static Peer& of(void* user) { return *static_cast<Peer*>(user); }
    static std::string text_of(const std::uint8_t* bytes, std::size_t size) {
      return {reinterpret_cast<const char*>(bytes), size};
    }
    static std::vector<nghttp2_nv> list_of(const Fields& fields) {
      std::vector<nghttp2_nv> list;
      const auto bytes_of = [](const std::string& text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
      };
      for (const auto& [name, value] : fields) {
        list.push_back({bytes_of(name), bytes_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
      }
      return list;
    }
    static ssize_t read_answer(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t most,
                               std::uint32_t* flags, nghttp2_data_source*, void* user) {
      Stream& s = of(user).stream(id);
      const std::size_t size = s.answer.copy(reinterpret_cast<char*>(into), most);
      s.answer.erase(0, size);
      if (s.answer.empty() && s.answer_ends) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (!s.answer_trailers.empty()) {
          *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
          const auto list = list_of(s.answer_trailers);
          nghttp2_submit_trailer(session, id, list.data(), list.size());
        }
        return static_cast<ssize_t>(size);
      }
      return size > 0 ? static_cast<ssize_t>(size) : ssize_t{NGHTTP2_ERR_DEFERRED};
    }

    void make_session() {
      nghttp2_session_callbacks* callbacks = nullptr;
      nghttp2_option* option = nullptr;
      nghttp2_session_callbacks_new(&callbacks);
      nghttp2_option_new(&option);
      nghttp2_option_set_no_http_messaging(option, 1);
      nghttp2_option_set_no_auto_window_update(option, 1);
      nghttp2_option_set_max_send_header_block_length(option, std::size_t{1024} * 1024);
      nghttp2_session_callbacks_set_on_header_callback(
          callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                        const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
            Stream& s = of(user).streams_[frame->hd.stream_id];
            (s.is_headed ? s.trailers : s.fields).emplace_back(text_of(name, name_size), text_of(value, value_size));
            return 0;
          });
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
          callbacks, [](nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                        std::size_t size, void* user) {
            of(user).streams_[id].body += text_of(bytes, size);
            if (of(user).is_consuming_) nghttp2_session_consume(session, id, size);
            return 0;
          });
      nghttp2_session_callbacks_set_on_frame_recv_callback(
          callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
            Peer& self = of(user);
            const std::int32_t id = frame->hd.stream_id;
            if (frame->hd.type == NGHTTP2_GOAWAY) self.goaway_code_ = frame->goaway.error_code;
            if (frame->hd.type == NGHTTP2_RST_STREAM) self.streams_[id].reset_code = frame->rst_stream.error_code;
            if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
            if (frame->hd.type == NGHTTP2_HEADERS) self.streams_[id].is_headed = true;
            if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) self.streams_[id].is_ended = true;
            return 0;
          });
      nghttp2_session_server_new2(&session_, callbacks, this, option);
      nghttp2_option_del(option);
      nghttp2_session_callbacks_del(callbacks);
    }

    void on_stream_ready(bool readable, bool) override {
      if (readable) receive();
      flush();
    }
    void receive() {
      std::vector<char> buffer(ByteStream::kReadBytes);
      const ByteStream::Outcome outcome = transport_.read(buffer);
      if (outcome.status == ByteStream::Status::kOk) {
        nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(buffer.data()), outcome.bytes);
      } else if (outcome.status != ByteStream::Status::kBlocked) {
        saw_end_ = true;
        transport_.watch(false, false);
        transport_.end_output();
      }
    }

    net::Transport transport_;
    nghttp2_session* session_ = nullptr;
    std::string out_;
    std::map<std::int32_t, Stream> streams_;
    std::optional<std::uint32_t> goaway_code_;
    bool is_consuming_ = true;
    bool is_reading_ = true;
    bool saw_end_ = false;
  };

  // `settings`: pairs of an identifier and a value. `tls` null: plain.
  explicit H2Origin(net::Loop& loop, Fields settings = {}, Ref<const net::TlsServer> tls = {})
      : loop_(loop), settings_(std::move(settings)), tls_(std::move(tls)) {
    auto listener = net::Listener::bind(*net::Address::parse("127.0.0.1:0"));
    BOOST_REQUIRE(listener.has_value());
    listener_ = std::move(*listener);
    listener_->start(loop, [this](Fd fd, const net::Address&) {
      peers_.push_back(std::make_unique<Peer>(loop_, std::move(fd), settings_, tls_));
    });
  }

  const net::Address& address() const { return listener_->address(); }
  std::size_t connections() const { return peers_.size(); }
  Peer& peer(std::size_t i = 0) { return *peers_.at(i); }
  void set_settings(Fields settings) { settings_ = std::move(settings); }
  // New connections are refused.
  void stop_listening() { listener_.reset(); }
  // The peer is gone, its socket included.
  void destroy(std::size_t i) { peers_.at(i).reset(); }
  // Pumps until the i-th connection has this many requests without an answer.
  Peer& await(std::size_t requests = 1, std::size_t i = 0) {
    pump_until(loop_, "requests", [&] { return peers_.size() > i && peer(i).open_requests() >= requests; });
    return peer(i);
  }

 private:
  net::Loop& loop_;
  Fields settings_;
  Ref<const net::TlsServer> tls_;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace seawall::test
