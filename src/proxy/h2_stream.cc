#include "proxy/h2_stream.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "proxy/h2_priority.h"
#include "proxy/h2_tunnel.h"
#include "proxy/tunnel.h"
#include "proxy/websocket.h"

namespace seawall::proxy {
namespace {

using http::BodyFraming;

constexpr std::string_view kWebSocketKey = "Sec-WebSocket-Key";
constexpr std::string_view kWebSocketAccept = "Sec-WebSocket-Accept";
// Slices that have gone and are still in the way.
constexpr std::size_t kMostGone = 64;

ssize_t read_data(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t most, std::uint32_t* flags,
                  nghttp2_data_source* source, void*) {
  return static_cast<H2Stream*>(source->ptr)->next_data(most, *flags);
}

}  // namespace

H2Stream::H2Stream(H2Connection& connection, const HandlerFactory& make_handler)
    : connection_(connection), handler_(make_handler(*this, connection.client, [this] { on_finished(); })) {}

H2Stream::~H2Stream() {
  close_tunnel();
  drop_pipe();
}

void H2Stream::open(std::int32_t id) {
  id_ = id;
  is_open_ = true;
  is_reset_ = is_deferred_ = has_submitted_ = is_ended_ = has_sent_end_ = is_extended_connect_ = ignores_body_ = false;
  first_ = offset_ = 0;
  unsent_bytes_ = 0;
  upload_ = Upload::kDone;
  received_bytes_ = 0;
  unconsumed_bytes_ = 0;
  owes_continue_ = false;
}

void H2Stream::serve(bool ends_stream, bool is_extended_connect) {
  is_extended_connect_ = is_extended_connect;
  if (is_extended_connect) {
    // Once for each tunnel: the system's own chance will do.
    Rng rng(Rng::system_seed());
    const std::string key = make_websocket_key(rng);
    websocket_accept_ = websocket_accept(key);
    request().headers.set(kWebSocketKey, key);
  }
  begin_upload(ends_stream);
  handler_->begin(pipe_);
}

void H2Stream::refuse(Error error, bool ends_stream) {
  if (!ends_stream) upload_ = Upload::kIgnored;
  // Whether an answer has a body is the method's word, whatever else is wrong.
  const http::Method method = request().method;
  request().clear();
  request().method = method;
  request().version = http::Version::kHttp2;
  handler_->begin_refused(error);
}

void H2Stream::begin_upload(bool ends_stream) {
  if (ends_stream) return;
  const http::RequestHead& head = request();
  if (is_extended_connect_) {
    upload_ = Upload::kTunnel;
  } else if (head.framing == BodyFraming::kNone || (head.framing == BodyFraming::kLength && head.content_length == 0)) {
    upload_ = Upload::kIgnored;
  } else {
    upload_ = Upload::kPiped;
    upload_at_ = connection_.loop.mono_now();
    owes_continue_ = head.expect_continue;
    pipe_ = make_ref<http::BodyPipe>(connection_.loop, kWindowBytes);
    pipe_->on_room([this] { on_room(); });
  }
}

void H2Stream::on_data(std::string_view bytes) {
  received_bytes_ += bytes.size();
  unconsumed_bytes_ += bytes.size();
  nghttp2_session_consume_connection(connection_.session, bytes.size());
  switch (upload_) {
    case Upload::kDone:
    case Upload::kIgnored: consume(bytes.size()); return;
    case Upload::kTunnel:
      if (!tunnel_end_) {
        early_upload_ += bytes;
        return;
      }
      tunnel_end_->on_data(bytes);
      connection_.hungry.push_back(*this);
      return;
    case Upload::kPiped: break;
  }
  upload_at_ = connection_.loop.mono_now();
  if (received_bytes_ > connection_.options.body_bytes) {
    return fail_upload({ErrorCode::kBodyTooLarge, Side::kClient});
  }
  // The window is as large as the pipe, so there is room for whatever may come.
  if (pipe_->write(bytes) != bytes.size()) return reset(NGHTTP2_FLOW_CONTROL_ERROR);
  consume(unconsumed_bytes_ - pipe_->peek().size());
}

void H2Stream::on_end_stream(http::HeaderMap trailers) {
  const Upload was = std::exchange(upload_, Upload::kDone);
  owes_continue_ = false;
  if (was == Upload::kPiped) pipe_->finish(std::move(trailers));
  if (was == Upload::kTunnel && tunnel_end_) {
    tunnel_end_->on_end_stream();
    connection_.hungry.push_back(*this);
  }
}

void H2Stream::on_malformed_trailers() {
  if (upload_ == Upload::kPiped) fail_upload({ErrorCode::kMalformedTrailer, Side::kClient});
  on_end_stream({});
}

void H2Stream::on_input_end() {
  switch (upload_) {
    case Upload::kDone:
    case Upload::kIgnored: return;
    case Upload::kPiped: return fail_upload({ErrorCode::kPeerClosed, Side::kClient});
    case Upload::kTunnel: return give_up();
  }
}

// In a turn of its own.
void H2Stream::on_room() {
  if (!pipe_ || !is_open_) return;
  if (owes_continue_ && pipe_->is_wanted() && !handler_->has_answered()) {
    owes_continue_ = false;
    http::ResponseHead head;
    head.status = 100;
    send_informational(head);
  }
  upload_at_ = connection_.loop.mono_now();
  consume(unconsumed_bytes_ - pipe_->peek().size());
  connection_.user.on_output();
}

// Opens the stream's window again by what nobody holds any more; that of the connection was opened at once, so that an
// origin which reads slowly holds up nobody else. A stream that has ended needs no window.
void H2Stream::consume(std::size_t bytes) {
  unconsumed_bytes_ -= bytes;
  if (bytes > 0 && upload_ != Upload::kDone) nghttp2_session_consume_stream(connection_.session, id_, bytes);
}

void H2Stream::fail_upload(Error error) {
  pipe_->fail(error);
  drop_pipe();
  upload_ = Upload::kIgnored;
  consume(unconsumed_bytes_);
}

// An exchange may hold the pipe for longer than this stream lives.
void H2Stream::drop_pipe() {
  if (pipe_) pipe_->on_room(nullptr);
  pipe_ = nullptr;
}

void H2Stream::send_informational(const http::ResponseHead& head) {
  if (!may_answer() || has_submitted_) return;
  H2Fields& fields = connection_.fields;
  fields.begin(head.status);
  http::HeaderMap kept = head.headers;
  kept.remove(http::Field::kContentLength);  // RFC 9110 section 8.6
  fields.add(kept, H2Fields::Values::kCopy);
  nghttp2_submit_headers(connection_.session, NGHTTP2_FLAG_NONE, id_, nullptr, fields.data(), fields.size(), nullptr);
  connection_.user.on_output();
}

void H2Stream::send_stored(cache::LookupResult hit, std::string_view composed, bool with_body) {
  if (!may_answer()) return;
  const cache::Object& object = *hit.object;
  H2Fields& fields = connection_.fields;
  fields.begin(object.status());
  fields.add(object.headers(), H2Fields::Values::kStay);  // as long as the hit is held
  fields.add_lines(composed);
  if (object.sends_content_length()) fields.add_length(object.complete_length());
  hit_ = std::move(hit);
  is_ended_ = true;
  if (with_body) {
    stored_ = &object.body();
    unsent_bytes_ = object.complete_length();
  }
  submit(unsent_bytes_ > 0);
}

void H2Stream::send_head(const AnswerHead& head) {
  if (!may_answer()) return;
  // RFC 8441 section 4: to the client a 2xx would mean that there is a tunnel.
  if (is_extended_connect_ && head.status / 100 == 2) return refuse_tunnel();
  H2Fields& fields = connection_.fields;
  fields.begin(head.status);
  if (head.fields) fields.add(*head.fields, H2Fields::Values::kCopy);
  fields.add_lines(head.composed);
  if (head.length) fields.add_length(*head.length);
  ignores_body_ = !head.has_body || head.length == 0;
  is_ended_ = ignores_body_;
  submit(!ignores_body_);
}

void H2Stream::submit(bool has_data) {
  const H2Fields& fields = connection_.fields;
  const nghttp2_data_provider provider{.source = {.ptr = this}, .read_callback = read_data};
  const int status =
      nghttp2_submit_response(connection_.session, id_, fields.data(), fields.size(), has_data ? &provider : nullptr);
  if (status != 0) return reset(NGHTTP2_INTERNAL_ERROR);
  has_submitted_ = true;
  progress_at_ = connection_.loop.mono_now();
  if (!fields.priority().empty()) reprioritise();
  connection_.user.on_output();
}

// RFC 9218 section 8: the origin's word over the client's, where it says anything.
void H2Stream::reprioritise() {
  H2Priority priority;
  if (!priority_update_.empty()) {
    merge_priority(priority_update_, priority);
  } else {
    merge_priority(request().headers.combined("priority").value_or(""), priority);
  }
  merge_priority(connection_.fields.priority(), priority);
  const nghttp2_extpri wanted{.urgency = priority.urgency, .inc = priority.is_incremental ? 1 : 0};
  nghttp2_session_change_extpri_stream_priority(connection_.session, id_, &wanted, 0);
}

void H2Stream::send_body(SliceChain slices) {
  if (!may_answer() || ignores_body_) return;
  for (Slice& slice : slices) push(std::move(slice));
  resume();
}

void H2Stream::end(const http::HeaderMap& trailers) {
  if (!may_answer() || ignores_body_) return;
  is_ended_ = true;
  trailers_ = trailers;
  resume();
}

void H2Stream::push(Slice slice) {
  if (slice.empty()) return;
  if (unsent_bytes_ == 0) progress_at_ = connection_.loop.mono_now();
  unsent_bytes_ += slice.size();
  queue_.push_back(std::move(slice));
}

void H2Stream::resume() {
  if (std::exchange(is_deferred_, false)) nghttp2_session_resume_data(connection_.session, id_);
  connection_.user.on_output();
}

void H2Stream::abort() {
  reset(NGHTTP2_INTERNAL_ERROR);
}

// Frames that nghttp2 holds already may point into the hit, so that stays until the stream is closed.
void H2Stream::reset(std::uint32_t error_code) {
  if (!may_answer()) return;
  is_reset_ = true;
  nghttp2_submit_rst_stream(connection_.session, NGHTTP2_FLAG_NONE, id_, error_code);
  connection_.user.on_output();
}

void H2Stream::flush() {
  connection_.user.on_output();
}

ssize_t H2Stream::next_data(std::size_t most, std::uint32_t& flags) {
  // Under a GOAWAY nghttp2 may ask for a stream that is given up here already.
  if (!may_answer() || (unsent_bytes_ == 0 && !is_ended_)) {
    is_deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  const std::size_t size = std::min<std::uint64_t>(most, unsent_bytes_);
  if (!is_ended_ || size < unsent_bytes_) return static_cast<ssize_t>(size);
  flags |= NGHTTP2_DATA_FLAG_EOF;
  if (!trailers_.empty()) {
    flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    H2Fields& fields = connection_.fields;
    fields.begin();
    fields.add(trailers_, H2Fields::Values::kCopy);
    nghttp2_submit_trailer(connection_.session, id_, fields.data(), fields.size());
  }
  return static_cast<ssize_t>(size);
}

void H2Stream::take_data(std::size_t size, net::OutQueue& out) {
  unsent_bytes_ -= size;
  progress_at_ = connection_.progress_at = connection_.loop.mono_now();
  const SliceChain& chain = stored_ ? *stored_ : queue_;
  while (size > 0) {
    const Slice& slice = chain[first_];
    const std::size_t some = std::min(size, slice.size() - offset_);
    out.push(slice.subslice(offset_, some));
    size -= some;
    offset_ += some;
    if (offset_ < slice.size()) break;
    offset_ = 0;
    if (!stored_) queue_[first_] = Slice();  // releases its segment
    ++first_;
  }
  if (!stored_ && first_ >= kMostGone && first_ * 2 >= queue_.size()) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  if (tunnel_end_ ? unsent_bytes_ == 0 : !is_ended_ && unsent_bytes_ < kHighWater / 2) {
    connection_.hungry.push_back(*this);
  }
}

void H2Stream::feed() {
  if (tunnel_end_) {
    tunnel_end_->feed();
  } else if (handler_->is_active()) {
    handler_->on_writable();
  }
}

void H2Stream::on_answer_sent() {
  has_sent_end_ = true;
  // RFC 9113 section 8.1: the rest of the request is of no interest to anyone.
  if (upload_ == Upload::kDone || tunnel_end_ || is_reset_) return;
  is_reset_ = true;
  nghttp2_submit_rst_stream(connection_.session, NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
}

void H2Stream::on_closed() {
  is_open_ = false;
  hungry_link.unlink();
  hit_ = {};
  stored_ = nullptr;
  queue_.clear();
  unsent_bytes_ = 0;
  trailers_.clear();
  priority_update_.clear();
  early_upload_ = {};
  if (upload_ == Upload::kPiped) pipe_->fail({ErrorCode::kPeerClosed, Side::kClient});
  drop_pipe();
  upload_ = Upload::kDone;
  consume(unconsumed_bytes_);
  close_tunnel();
  if (handler_->is_active()) {
    handler_->on_client_gone();
  } else {
    leave_if_done();
  }
}

// From within the handler.
void H2Stream::on_finished() {
  if (tunnel_) {
    tunnel_->start();
    return;
  }
  drop_pipe();
  if (upload_ != Upload::kDone) upload_ = Upload::kIgnored;
  early_upload_ = {};
  consume(unconsumed_bytes_);
  leave_if_done();
}

void H2Stream::leave_if_done() {
  if (!is_open_ && !handler_->is_active() && !tunnel_) connection_.user.on_done(*this);
}

std::optional<MonoTime> H2Stream::deadline() const {
  if (!may_answer()) return std::nullopt;
  // The end of the answer may be all that waits for a window.
  if (owes_data()) return progress_at_ + connection_.options.send_timeout;
  if (upload_ == Upload::kPiped && pipe_->room() > 0) return upload_at_ + connection_.options.body_timeout;
  return std::nullopt;
}

// What waits for its turn is not stalled, however long that takes: only a client that opens no window is.
bool H2Stream::is_stalled() const {
  return nghttp2_session_get_stream_remote_window_size(connection_.session, id_) <= 0 ||
         connection_.progress_at + connection_.options.send_timeout <= connection_.loop.mono_now();
}

bool H2Stream::needs_window() const {
  return may_answer() && owes_data() &&
         (nghttp2_session_get_stream_remote_window_size(connection_.session, id_) <= 0 ||
          nghttp2_session_get_remote_window_size(connection_.session) <= 0);
}

void H2Stream::on_timeout() {
  if (owes_data()) {
    if (is_stalled()) return give_up();
    progress_at_ = connection_.loop.mono_now();
    return;
  }
  fail_upload({ErrorCode::kBodyTimeout, Side::kClient});
  // Without an answer yet the exchange fails with this error, and 408 tells.
  if (handler_->has_answered()) reset(NGHTTP2_CANCEL);
}

void H2Stream::upgrade(const AnswerHead& head, std::unique_ptr<ByteStream> origin, std::string early_bytes) {
  if (!may_answer()) return;
  http::HeaderMap kept = head.fields ? *head.fields : http::HeaderMap{};
  kept.remove(http::Field::kContentLength);
  if (!is_extended_connect_ || kept.find(kWebSocketAccept) != std::string_view(websocket_accept_)) {
    return refuse_tunnel();
  }
  kept.remove(kWebSocketAccept);  // answers a key that the client has not sent
  H2Fields& fields = connection_.fields;
  fields.begin(200);
  fields.add(kept, H2Fields::Values::kCopy);
  fields.add_lines(head.composed);
  tunnel_end_ = std::make_unique<H2TunnelEnd>(*this);
  tunnel_end_->on_data(std::exchange(early_upload_, {}));
  if (upload_ == Upload::kDone) tunnel_end_->on_end_stream();
  tunnel_ = std::make_unique<Tunnel>(connection_.loop, *tunnel_end_, std::move(origin), std::move(early_bytes),
                                     std::string(), connection_.options.idle_timeout,
                                     [end = tunnel_end_.get()] { end->on_tunnel_closed(); });
  submit(true);
}

void H2Stream::refuse_tunnel() {
  ignores_body_ = true;
  is_ended_ = true;
  connection_.fields.begin(502);
  connection_.fields.add_length(0);
  submit(false);
}

void H2Stream::on_tunnel_closed() {
  const bool is_whole = is_ended_ && unsent_bytes_ == 0 && upload_ == Upload::kDone;
  close_tunnel();
  if (!is_whole) reset(NGHTTP2_CANCEL);
  leave_if_done();
}

// The tunnel may be on the stack, so it goes later, and its end of the stream after it.
void H2Stream::close_tunnel() {
  if (!tunnel_end_) return;
  tunnel_end_->on_stream_gone();
  connection_.loop.defer_delete(std::move(tunnel_));
  connection_.loop.defer_delete(std::move(tunnel_end_));
}

}  // namespace seawall::proxy
