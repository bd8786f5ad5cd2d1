#include "support/behave/http2_client.h"

#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

constexpr std::size_t kFrameHeadBytes = 9;

std::string big_endian(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::uint32_t number(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

std::string_view without_padding(const Http2Frame& frame) {
  std::string_view payload = frame.payload;
  if ((frame.flags & NGHTTP2_FLAG_PADDED) == 0 || payload.empty()) return payload;
  const auto padding = static_cast<unsigned char>(payload.front());
  payload.remove_prefix(1);
  return payload.substr(0, payload.size() - std::min<std::size_t>(padding, payload.size()));
}

ClientOptions with_alpn(ClientOptions options) {
  if (options.tls && options.tls->alpn.empty()) options.tls->alpn = {"h2"};
  return options;
}

}  // namespace

Http2Client::Http2Client(const Seawall& seawall, ClientOptions options, Windows windows)
    : Http2Client(seawall.port(), std::move(options), windows) {}

Http2Client::Http2Client(std::uint16_t port, ClientOptions options, Windows windows)
    : connection_(port, with_alpn(options)), windows_(windows), scheme_(options.tls ? "https" : "http") {
  nghttp2_hd_deflater* deflater = nullptr;
  nghttp2_hd_inflater* inflater = nullptr;
  if (nghttp2_hd_deflate_new(&deflater, 4096) != 0 || nghttp2_hd_inflate_new(&inflater) != 0) throw Failure("HPACK");
  deflater_.reset(deflater);
  inflater_.reset(inflater);
  must_send(NGHTTP2_CLIENT_MAGIC);
  send_frame(NGHTTP2_SETTINGS, 0, 0, {});
}

void Http2Client::must_send(std::string_view bytes) {
  if (!connection_.send(bytes)) throw Failure("the HTTP/2 connection takes no more");
}

void Http2Client::send_frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream, std::string_view payload) {
  must_send(big_endian(static_cast<std::uint32_t>(payload.size()), 3) + static_cast<char>(type) +
            static_cast<char>(flags) + big_endian(static_cast<std::uint32_t>(stream), 4) + std::string(payload));
}

std::string Http2Client::compressed(const Http2Fields& fields) {
  std::vector<nghttp2_nv> pairs;
  for (const auto& [name, value] : fields) {
    const auto bytes = [](const std::string& text) {
      return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    pairs.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  std::string out(nghttp2_hd_deflate_bound(deflater_.get(), pairs.data(), pairs.size()), '\0');
  const auto size = nghttp2_hd_deflate_hd(deflater_.get(), reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                                          pairs.data(), pairs.size());
  if (size < 0) throw Failure("HPACK");
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::int32_t Http2Client::open(const Http2Fields& fields, bool is_end) {
  const std::int32_t stream = next_stream_;
  next_stream_ += 2;
  streams_[stream];
  send_frame(NGHTTP2_HEADERS,
             static_cast<std::uint8_t>(NGHTTP2_FLAG_END_HEADERS | (is_end ? NGHTTP2_FLAG_END_STREAM : 0)), stream,
             compressed(fields));
  return stream;
}

std::int32_t Http2Client::open(std::string_view method, std::string_view path, const Http2Fields& more, bool is_end) {
  Http2Fields fields = {
      {":method", std::string(method)}, {":scheme", scheme_}, {":authority", "a.test"}, {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return open(fields, is_end);
}

void Http2Client::send_data(std::int32_t stream, std::string_view bytes, bool is_end) {
  send_frame(NGHTTP2_DATA, is_end ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE, stream, bytes);
}

void Http2Client::send_trailers(std::int32_t stream, const Http2Fields& fields) {
  send_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream, compressed(fields));
}

void Http2Client::reset(std::int32_t stream, std::uint32_t error) {
  send_frame(NGHTTP2_RST_STREAM, 0, stream, big_endian(error, 4));
}

void Http2Client::give_window(std::int32_t stream, std::uint32_t bytes) {
  send_frame(NGHTTP2_WINDOW_UPDATE, 0, stream, big_endian(bytes, 4));
}

bool Http2Client::read_until(const std::function<bool()>& enough, Millis limit) {
  const auto end = SteadyClock::now() + limit;
  for (;;) {
    while (take_frame()) continue;
    if (enough()) return true;
    if (has_ended_) return false;
    const auto left = std::chrono::duration_cast<Millis>(end - SteadyClock::now());
    switch (connection_.socket().receive(buffer_, std::max(left, Millis{0}))) {
      case Socket::Read::kBytes: break;
      case Socket::Read::kTimeout: throw Failure("nothing more came over HTTP/2 in time");
      case Socket::Read::kEof:
      case Socket::Read::kReset: has_ended_ = true; break;
    }
  }
}

bool Http2Client::take_frame() {
  if (buffer_.size() < kFrameHeadBytes) return false;
  const std::size_t size = number(std::string_view(buffer_).substr(0, 3));
  if (buffer_.size() < kFrameHeadBytes + size) return false;
  Http2Frame frame{.type = static_cast<std::uint8_t>(buffer_[3]),
                   .flags = static_cast<std::uint8_t>(buffer_[4]),
                   .stream = static_cast<std::int32_t>(number(std::string_view(buffer_).substr(5, 4)) & 0x7fffffff),
                   .payload = buffer_.substr(kFrameHeadBytes, size)};
  buffer_.erase(0, kFrameHeadBytes + size);
  on_frame(frame);
  return true;
}

void Http2Client::on_frame(const Http2Frame& frame) {
  const bool is_ack = (frame.flags & NGHTTP2_FLAG_ACK) != 0;
  switch (frame.type) {
    case NGHTTP2_DATA: {
      data_order_.push_back(frame.stream);
      streams_[frame.stream].response.body += without_padding(frame);
      if (windows_ == Windows::kKept || frame.payload.empty()) break;
      // Whoever closes first need not be told.
      for (const std::int32_t stream : {0, frame.stream}) {
        if (stream != 0 && (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0) continue;
        connection_.send(big_endian(4, 3) + static_cast<char>(NGHTTP2_WINDOW_UPDATE) + '\0' +
                         big_endian(static_cast<std::uint32_t>(stream), 4) +
                         big_endian(static_cast<std::uint32_t>(frame.payload.size()), 4));
      }
      break;
    }
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION: {
      std::string_view block = frame.type == NGHTTP2_HEADERS ? without_padding(frame) : frame.payload;
      if (frame.type == NGHTTP2_HEADERS && (frame.flags & NGHTTP2_FLAG_PRIORITY) != 0) block.remove_prefix(5);
      header_block_ += block;
      if ((frame.flags & NGHTTP2_FLAG_END_HEADERS) == 0) break;
      on_header_block(frame.stream, std::exchange(header_block_, {}));
      break;
    }
    case NGHTTP2_RST_STREAM: streams_[frame.stream].reset = number(frame.payload); break;
    case NGHTTP2_SETTINGS:
      if (is_ack) break;
      has_settings_ = true;
      for (std::size_t at = 0; at + 6 <= frame.payload.size(); at += 6) {
        const std::string_view entry = std::string_view(frame.payload).substr(at, 6);
        settings_[static_cast<std::uint16_t>(number(entry.substr(0, 2)))] = number(entry.substr(2));
      }
      connection_.send(std::string("\0\0\0\4\1\0\0\0\0", kFrameHeadBytes));
      break;
    case NGHTTP2_PING:
      if (!is_ack) send_frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, frame.payload);
      break;
    case NGHTTP2_GOAWAY:
      goaway_last_stream_ = static_cast<std::int32_t>(number(std::string_view(frame.payload).substr(0, 4)));
      goaway_ = number(std::string_view(frame.payload).substr(4, 4));
      ++goaways_;
      break;
    default: break;
  }
  // END_STREAM of HEADERS holds although CONTINUATION follows; nobody here looks in between.
  const bool may_end = frame.type == NGHTTP2_DATA || frame.type == NGHTTP2_HEADERS;
  if (may_end && (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    Stream& stream = streams_[frame.stream];
    stream.ended = stream.response.complete = true;
  }
}

void Http2Client::on_header_block(std::int32_t stream, std::string_view block) {
  Response& response = streams_[stream].response;
  const bool is_trailer = response.status >= 200;
  if (!is_trailer && response.status != 0) {
    Response informational;
    std::swap(informational, response);
    response.informational = std::move(informational.informational);
    response.informational.push_back(std::move(informational));
  }
  Fields& fields = is_trailer ? response.trailers : response.headers;
  response.version = "HTTP/2";
  for (;;) {
    nghttp2_nv pair{};
    int flags = 0;
    const auto used = nghttp2_hd_inflate_hd2(inflater_.get(), &pair, &flags,
                                             reinterpret_cast<const std::uint8_t*>(block.data()), block.size(), 1);
    if (used < 0) throw Failure("HPACK of a response");
    block.remove_prefix(static_cast<std::size_t>(used));
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      const std::string name(reinterpret_cast<const char*>(pair.name), pair.namelen);
      const std::string value(reinterpret_cast<const char*>(pair.value), pair.valuelen);
      if (name == ":status") {
        response.status = std::stoi(value);
      } else {
        response.head += name + ": " + value + "\n";
        fields.lines.emplace_back(name, value);
      }
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
  }
  nghttp2_hd_inflate_end_headers(inflater_.get());
}

Response Http2Client::read(std::int32_t stream, Millis limit) {
  read_until([&] { return streams_[stream].ended || streams_[stream].reset; }, limit);
  Response response = streams_[stream].response;
  response.closed = has_ended_;
  return response;
}

const Response& Http2Client::read_body(std::int32_t stream, std::size_t size, Millis limit) {
  read_until(
      [&] {
        const Stream& state = streams_[stream];
        return state.ended || state.reset || (state.response.status >= 200 && state.response.body.size() >= size);
      },
      limit);
  return streams_[stream].response;
}

std::optional<std::uint32_t> Http2Client::reset_code(std::int32_t stream) const {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? std::nullopt : found->second.reset;
}

std::optional<std::uint32_t> Http2Client::read_goaway(std::size_t count) {
  read_until([&] { return goaways_ >= count; }, kLimit);
  return goaways_ >= count ? goaway_ : std::nullopt;
}

bool Http2Client::is_closed(Millis limit) {
  try {
    return !read_until([] { return false; }, limit);
  } catch (const Failure&) {
    return false;
  }
}

std::optional<std::uint32_t> Http2Client::setting(std::uint16_t id) {
  read_until([this] { return has_settings_; }, kLimit);
  const auto found = settings_.find(id);
  return found == settings_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace seawall::behave
