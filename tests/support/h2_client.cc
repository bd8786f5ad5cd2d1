#include "support/h2_client.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>

namespace seawall::test {
namespace {

std::string_view view_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

std::vector<nghttp2_nv> entries_of(const Lines& fields) {
  std::vector<nghttp2_nv> list;
  for (const auto& [name, value] : fields) {
    list.push_back({.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                    .value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
                    .namelen = name.size(),
                    .valuelen = value.size(),
                    .flags = NGHTTP2_NV_FLAG_NONE});
  }
  return list;
}

// RFC 7541 section 5.1, with a prefix of seven bits and no Huffman code.
void append_string(std::string& out, std::string_view text) {
  std::size_t size = text.size();
  if (size < 127) {
    out += static_cast<char>(size);
  } else {
    out += static_cast<char>(127);
    for (size -= 127; size >= 128; size /= 128) out += static_cast<char>(size % 128 + 128);
    out += static_cast<char>(size);
  }
  out += text;
}

}  // namespace

struct H2Client::Callbacks {
  static H2Client& of(void* user) { return *static_cast<H2Client*>(user); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    H2Answer& answer = of(user).answers_[frame->hd.stream_id];
    const std::string_view key = view_of(name, name_size);
    const std::string_view text = view_of(value, value_size);
    if (key == ":status") {
      answer.status = static_cast<std::uint16_t>(std::stoi(std::string(text)));
      if (answer.status < 200) answer.informational.push_back(answer.status);
    } else if (answer.status >= 200 && frame->headers.cat == NGHTTP2_HCAT_HEADERS && !answer.fields.empty()) {
      answer.trailers.add(key, text);
    } else {
      answer.fields.add(key, text);
    }
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Client& client = of(user);
    switch (frame->hd.type) {
      case NGHTTP2_GOAWAY: client.goaways_.emplace_back(frame->goaway.last_stream_id, frame->goaway.error_code); break;
      case NGHTTP2_RST_STREAM: client.answers_[frame->hd.stream_id].reset = frame->rst_stream.error_code; break;
      case NGHTTP2_DATA: client.data_frames_.emplace_back(frame->hd.stream_id, frame->hd.length); break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) ++client.pings_acked_;
        break;
      default: break;
    }
    const bool is_answer = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (is_answer && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      client.answers_[frame->hd.stream_id].has_ended = true;
    }
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes, std::size_t size,
                     void* user) {
    of(user).answers_[stream].body += view_of(bytes, size);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t, void* user) {
    of(user).answers_[stream].is_closed = true;
    return 0;
  }
  static ssize_t read_upload(nghttp2_session* session, std::int32_t stream, std::uint8_t* into, std::size_t most,
                             std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Upload& upload = of(user).uploads_[stream];
    if (upload.bytes.empty() && !upload.is_whole) {
      upload.is_deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    const std::size_t size = std::min(most, upload.bytes.size());
    std::copy_n(upload.bytes.data(), size, into);
    upload.bytes.erase(0, size);
    if (upload.bytes.empty() && upload.is_whole) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!upload.trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const auto list = entries_of(upload.trailers);
        nghttp2_submit_trailer(session, stream, list.data(), list.size());
      }
    }
    return static_cast<ssize_t>(size);
  }
};

H2Client::H2Client(Fd fd, const H2ClientOptions& options) : fd_(std::move(fd)), is_raw_(options.is_raw) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  BOOST_REQUIRE(nghttp2_session_callbacks_new(&callbacks) == 0);
  BOOST_REQUIRE(nghttp2_option_new(&option) == 0);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_close);
  if (!options.opens_windows) nghttp2_option_set_no_auto_window_update(option, 1);
  BOOST_REQUIRE(nghttp2_session_client_new2(&session_, callbacks, this, option) == 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  if (!options.sends_preface) return;
  if (is_raw_) {
    out_ = NGHTTP2_CLIENT_MAGIC;
    std::string window("\0\x04", 2);
    for (int shift = 24; shift >= 0; shift -= 8) window += static_cast<char>(options.window >> shift);
    out_ += frame(NGHTTP2_SETTINGS, 0, 0, window);
    return;
  }
  const std::array<nghttp2_settings_entry, 2> settings = {
      {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.window}, {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
}

H2Client::~H2Client() {
  nghttp2_session_del(session_);
}

std::int32_t H2Client::send(const Lines& fields, std::optional<std::string> body, bool is_whole) {
  const auto list = entries_of(fields);
  const nghttp2_data_provider provider{.source = {.ptr = nullptr}, .read_callback = Callbacks::read_upload};
  const std::int32_t stream =
      nghttp2_submit_request(session_, nullptr, list.data(), list.size(), body ? &provider : nullptr, nullptr);
  BOOST_REQUIRE(stream > 0);
  if (body) uploads_[stream] = {.bytes = *body, .is_whole = is_whole};
  return stream;
}

std::int32_t H2Client::get(std::string_view path, const Lines& more) {
  Lines fields = {{":method", "GET"}, {":scheme", "http"}, {":authority", "example.com"}, {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return send(fields);
}

void H2Client::more_body(std::int32_t stream, std::string_view bytes, bool is_whole, const Lines& trailers) {
  Upload& upload = uploads_[stream];
  upload.bytes += bytes;
  upload.is_whole = is_whole;
  upload.trailers = trailers;
  if (std::exchange(upload.is_deferred, false)) nghttp2_session_resume_data(session_, stream);
}

void H2Client::reset(std::int32_t stream, std::uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, code);
}

void H2Client::open_window(std::int32_t stream, std::int32_t bytes) {
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream, bytes);
}

void H2Client::ping() {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

void H2Client::raw(std::string_view bytes) {
  out_ += bytes;
}

std::string H2Client::frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream, std::string_view payload) {
  std::string out;
  for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift & 0xff);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<std::uint32_t>(stream) >> shift);
  out += payload;
  return out;
}

std::string H2Client::encode(const Lines& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += '\0';
    append_string(out, name);
    append_string(out, value);
  }
  return out;
}

bool H2Client::flush() {
  while (!is_raw_) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) break;
    out_ += view_of(bytes, static_cast<std::size_t>(size));
  }
  if (out_.empty() || has_end_) return false;
  const ssize_t sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent <= 0) return false;
  out_.erase(0, static_cast<std::size_t>(sent));
  return true;
}

bool H2Client::pump() {
  if (!fd_) return false;
  bool has_moved = flush();
  std::array<std::uint8_t, 65536> buffer;
  while (is_reading_ && !has_end_) {
    const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) break;
    has_moved = true;
    has_end_ = size <= 0;
    if (has_end_) break;
    take(view_of(buffer.data(), static_cast<std::size_t>(size)));
  }
  return flush() || has_moved;
}

void H2Client::take(std::string_view bytes) {
  if (is_raw_) return take_raw(bytes);
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  BOOST_REQUIRE_MESSAGE(taken == static_cast<ssize_t>(bytes.size()),
                        "the server broke HTTP/2: " << nghttp2_strerror(static_cast<int>(taken)));
}

void H2Client::take_raw(std::string_view bytes) {
  constexpr std::size_t kHead = 9;
  in_ += bytes;
  const auto number = [this](std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(in_[at + i]);
    return value;
  };
  while (in_.size() >= kHead) {
    const std::size_t size = number(0, 3);
    if (in_.size() < kHead + size) return;
    const auto type = static_cast<unsigned char>(in_[3]);
    const auto flags = static_cast<unsigned char>(in_[4]);
    const auto stream = static_cast<std::int32_t>(number(5, 4));
    if (type == NGHTTP2_GOAWAY) {
      goaways_.emplace_back(static_cast<std::int32_t>(number(kHead, 4)), number(kHead + 4, 4));
    }
    if (type == NGHTTP2_RST_STREAM) answers_[stream].reset = number(kHead, 4);
    if (type == NGHTTP2_DATA) data_frames_.emplace_back(stream, size);
    if (type == NGHTTP2_PING && (flags & NGHTTP2_FLAG_ACK) != 0) ++pings_acked_;
    const bool is_answer = type == NGHTTP2_DATA || type == NGHTTP2_HEADERS;
    if (is_answer && (flags & NGHTTP2_FLAG_END_STREAM) != 0) answers_[stream].has_ended = true;
    in_.erase(0, kHead + size);
  }
}

void H2Client::half_close() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void H2Client::close() {
  fd_ = Fd();
  has_end_ = true;
}

}  // namespace seawall::test
