#include "origin/h2_exchange.h"

#include <algorithm>
#include <utility>

#include "origin/h2_pool.h"
#include "origin/h2_request_fields.h"

namespace seawall::origin {
namespace {

constexpr std::size_t kMostPayload = std::size_t{64} * 1024;
constexpr int kMaxInformational = 16;
constexpr std::uint16_t kContinue = 100;

}  // namespace

H2Exchange::H2Exchange(net::Loop& loop, const ServerOptions& options, H2Pool& pool, http::OutgoingRequest request,
                       http::ExchangeSink& sink)
    : loop_(loop),
      options_(options),
      pool_(pool),
      request_(std::move(request)),
      sink_(&sink),
      timer_([this] { on_timeout(); }),
      reader_(options.head_limits) {}

void H2Exchange::start() {
  rearm(false);
  pool_.enqueue(*this);
}

void H2Exchange::pause() {
  if (paused_) return;
  paused_ = true;
  if (h1_) return h1_->pause();
  if (state_ == State::kBody) rearm(false);
}

void H2Exchange::resume() {
  if (!paused_) return;
  paused_ = false;
  if (h1_) return h1_->resume();
  if (state_ != State::kBody) return;
  if (connection_) connection_->consume(*this, std::exchange(unconsumed_bytes_, 0));
  if (!kept_.empty()) {
    ++tasks_;
    loop_.post([this] {
      --tasks_;
      deliver_kept();
    });
  }
  rearm(false);
}

void H2Exchange::abandon(std::unique_ptr<H2Exchange> exchange) {
  H2Exchange& self = *exchange;
  self.sink_ = nullptr;
  self.h1_.reset();
  if (self.state_ != State::kFinished) {
    self.drop_body();
    self.finish(NGHTTP2_CANCEL);
  }
  if (self.tasks_ > 0) {
    // Tasks run in order of posting: this one deletes after those that still refer to us.
    self.loop_.post([doomed = std::move(exchange)] {});
  } else {
    self.loop_.defer_delete(std::move(exchange));
  }
}

void H2Exchange::begin(H2Connection& connection) {
  connection_ = &connection;
  state_ = State::kHead;
  is_reused_ = connection.is_proven();
  request_time_ = loop_.wall_now();  // until it is known when the head has left
  is_sending_ = true;
  body_left_ = request_.body_length.value_or(0);
  const bool has_body = request_.body && request_.body_length != 0;
  request_framed_ = !has_body;
  connection.submit(*this, H2RequestFields(request_, pool_.scheme()), has_body);
  if (request_.body) {
    request_.body->on_data([this] { on_pipe_data(); });
    request_.body->want();
    if (const auto error = body_fault()) return fail_later(*error);
  }
  rearm(true);
}

void H2Exchange::on_no_connection(Error error) {
  if (state_ == State::kWaiting) fail(error, NGHTTP2_NO_ERROR);
}

void H2Exchange::become_h1(std::unique_ptr<net::Transport>& transport) {
  if (state_ != State::kWaiting) return;
  state_ = State::kFinished;
  timer_.cancel();
  pool_.start_h1(std::move(request_), *std::exchange(sink_, nullptr), std::move(transport), h1_);
  if (h1_ && paused_) h1_->pause();
}

void H2Exchange::on_pipe_data() {
  if (!is_sending_) return;
  if (const auto error = body_fault()) return fail(*error, NGHTTP2_CANCEL);
  if (std::exchange(is_deferred_, false)) connection_->resume(*this);
  rearm(false);
}

// Why the rest of the body will not come.
std::optional<Error> H2Exchange::body_fault() const {
  const http::BodyPipe& pipe = *request_.body;
  if (request_framed_ || (request_.body_length && body_left_ == 0)) return std::nullopt;
  if (pipe.error()) return pipe.error();
  if (request_.body_length && pipe.is_finished()) {
    return Error{ErrorCode::kIncompleteBody, Side::kClient, Retry::kNo};
  }
  return std::nullopt;
}

bool H2Exchange::has_body_to_send() const {
  return !request_framed_ && (!request_.body->peek().empty() || request_.body->is_finished());
}

ssize_t H2Exchange::next_data(std::size_t most, std::uint32_t& flags) {
  // On a connection that may have died the pipe stays untouched until the head has left, so that the request can be
  // sent again.
  const bool may_send = is_sending_ && (head_flushed_ || !is_reused_) && !body_fault();
  const http::BodyPipe& pipe = *request_.body;
  std::string_view data = may_send ? pipe.peek().substr(0, most) : std::string_view();
  if (request_.body_length) data = data.substr(0, body_left_);
  const bool is_end = may_send && (request_.body_length ? data.size() == body_left_ : pipe.is_finished());
  if (data.empty() && !is_end) {
    is_deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (!is_end) return static_cast<ssize_t>(data.size());
  flags |= NGHTTP2_DATA_FLAG_EOF;
  request_framed_ = true;
  if (const H2RequestFields trailers(pipe.trailers()); !request_.body_length && trailers.size() > 0) {
    flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    connection_->submit_trailers(*this, trailers);
  }
  return static_cast<ssize_t>(data.size());
}

void H2Exchange::take_data(std::size_t size, net::OutQueue& out) {
  if (size == 0) return;
  http::BodyPipe& pipe = *request_.body;
  out.push(pipe.peek().substr(0, size));
  pipe.consume(size);
  if (request_.body_length) body_left_ -= size;
  rearm(true);
}

void H2Exchange::on_flushed() {
  if (!std::exchange(head_flushed_, true)) {
    if (!has_received_) request_time_ = loop_.wall_now();
    if (std::exchange(is_deferred_, false)) connection_->resume(*this);
  }
  if (request_framed_) is_sending_ = false;
  rearm(true);
}

// What is left of the body is not wanted any more: the client's side need not wait for room.
void H2Exchange::drop_body() {
  if (!request_.body || request_framed_) return;
  request_.body->on_data({});
  request_.body->discard();
}

void H2Exchange::on_section_begin() {
  if (state_ == State::kHead) {
    reader_.begin(head_);
  } else {
    trailers_.take();
  }
}

std::size_t H2Exchange::on_field(std::string_view name, std::string_view value) {
  if (state_ == State::kHead) {
    reader_.add(name, value, head_);
    return reader_.list_bytes();
  }
  trailers_.add(name, value);
  return trailers_.list_bytes();
}

void H2Exchange::on_section_end(bool ends_stream) {
  has_received_ = true;
  if (state_ == State::kHead) {
    on_head(ends_stream);
  } else {
    on_trailers(ends_stream);
  }
}

void H2Exchange::on_head(bool ends_stream) {
  const Result<void> read = reader_.finish(ends_stream, request_.method, head_);
  if (!read) return fail_malformed(read.error().code);
  if (head_.status < 200) {
    if (++informational_ > kMaxInformational) return fail_malformed(ErrorCode::kHeadersTooLarge);
    http::ResponseHead head = std::exchange(head_, {});
    if (head.status != kContinue) sink_->on_informational(std::move(head));  // we never ask for 100
    if (sink_) rearm(true);
    return;
  }
  state_ = State::kBody;
  framing_ = head_.framing;
  awaited_bytes_ = framing_ == http::BodyFraming::kLength ? head_.content_length : 0;
  if (is_sending_ && head_.status >= 300) {
    is_sending_ = false;
    drop_body();
  }
  sink_->on_head(std::exchange(head_, {}), request_time_, loop_.wall_now());
  if (!sink_) return;
  if (ends_stream) return complete();
  rearm(true);
}

void H2Exchange::on_trailers(bool ends_stream) {
  // RFC 9113 section 8.1.
  if (!ends_stream || trailers_.is_malformed()) return fail_malformed(ErrorCode::kMalformedTrailer);
  on_end_stream();
}

void H2Exchange::on_data(std::string_view bytes) {
  has_received_ = true;
  if (state_ != State::kBody) return fail_malformed(ErrorCode::kHttp2Failed);
  if (framing_ == http::BodyFraming::kNone) return fail_malformed(ErrorCode::kUnsolicitedData);
  if (framing_ == http::BodyFraming::kLength) {
    // RFC 9113 section 8.1.1.
    if (bytes.size() > awaited_bytes_) return fail_malformed(ErrorCode::kBadContentLength);
    awaited_bytes_ -= bytes.size();
  }
  if (paused_ || !kept_.empty()) {
    kept_.append(bytes);
    return;
  }
  deliver(bytes);
}

void H2Exchange::deliver(std::string_view payload) {
  sink_->on_body(payload);
  if (!sink_) return;
  if (paused_) {
    unconsumed_bytes_ += payload.size();
  } else if (connection_) {
    connection_->consume(*this, payload.size());
  }
  rearm(true);
}

void H2Exchange::deliver_kept() {
  if (state_ != State::kBody || paused_) return;
  const std::string kept = std::exchange(kept_, {});
  std::string_view left = kept;
  while (!left.empty() && !paused_) {
    const std::string_view piece = left.substr(0, kMostPayload);
    left.remove_prefix(piece.size());
    deliver(piece);
    if (!sink_) return;
  }
  kept_ = std::string(left);
  if (kept_.empty() && has_ended_) complete();
}

void H2Exchange::on_end_stream() {
  if (state_ != State::kBody) return fail_malformed(ErrorCode::kHttp2Failed);
  if (awaited_bytes_ > 0) return fail_malformed(ErrorCode::kIncompleteBody);
  has_ended_ = true;
  if (kept_.empty()) return complete();
  rearm(true);
}

void H2Exchange::on_lost(ErrorCode code, Loss loss) {
  connection_ = nullptr;
  if (has_ended_) return;  // there is only the sink to wait for
  if (state_ == State::kBody) {
    if (code == ErrorCode::kPeerClosed) code = ErrorCode::kIncompleteBody;
    return fail(Error{code, Side::kOrigin, Retry::kNo}, NGHTTP2_NO_ERROR);
  }
  if (may_resend(code, loss)) return resend(loss);
  fail(Error{code, Side::kOrigin, retry_hint(loss)}, NGHTTP2_NO_ERROR);
}

void H2Exchange::complete() {
  drop_body();
  const http::HeaderMap trailers = trailers_.take();
  finish(request_framed_ ? std::nullopt : std::optional<std::uint32_t>(NGHTTP2_CANCEL));
  std::exchange(sink_, nullptr)->on_complete(trailers);
}

void H2Exchange::fail_malformed(ErrorCode code) {
  fail(Error{code, Side::kOrigin, Retry::kNo}, NGHTTP2_PROTOCOL_ERROR);
}

void H2Exchange::fail(Error error, std::uint32_t reset_code) {
  // With a hint to retry, the pipe is left as it is: the next attempt reads it.
  if (error.retry == Retry::kNo) drop_body();
  finish(reset_code);
  std::exchange(sink_, nullptr)->on_error(error);
}

// From where the sink must not be called.
void H2Exchange::fail_later(Error error) {
  drop_body();
  finish(NGHTTP2_CANCEL);
  ++tasks_;
  loop_.post([this, error] {
    --tasks_;
    if (sink_) std::exchange(sink_, nullptr)->on_error(error);
  });
}

bool H2Exchange::may_resend(ErrorCode code, Loss loss) const {
  if (has_resent_ || has_received_ || !is_body_untouched()) return false;
  // RFC 9113 section 8.7. A burst on a new connection may have passed a limit that was not known yet.
  if (loss == Loss::kNotSeen || loss == Loss::kRefused) return true;
  return loss == Loss::kConnection && code != ErrorCode::kHttp2Failed && is_reused_ &&
         http::is_idempotent(request_.method);
}

void H2Exchange::resend(Loss loss) {
  pool_.count_resent();
  has_resent_ = true;
  wants_fresh_ = loss == Loss::kConnection;
  state_ = State::kWaiting;
  is_sending_ = request_framed_ = head_flushed_ = is_deferred_ = false;
  if (request_.body) request_.body->on_data({});
  rearm(true);
  pool_.enqueue(*this);
}

Retry H2Exchange::retry_hint(Loss loss) const {
  if (!is_body_untouched()) return Retry::kNo;
  if (!head_flushed_ || loss == Loss::kRefused || loss == Loss::kNotSeen) return Retry::kYes;
  return http::is_idempotent(request_.method) ? Retry::kFreshConnection : Retry::kNo;
}

void H2Exchange::finish(std::optional<std::uint32_t> reset_code) {
  state_ = State::kFinished;
  is_sending_ = false;
  timer_.cancel();
  waiting_link.unlink();
  kept_ = {};
  if (connection_) std::exchange(connection_, nullptr)->leave(*this, reset_code);
  if (request_.body) request_.body->on_data({});
}

H2Exchange::Wait H2Exchange::waits_for() const {
  if (state_ == State::kFinished) return Wait::kNothing;
  if (state_ == State::kWaiting) return Wait::kStream;
  if (is_sending_ && (!head_flushed_ || has_unflushed() || has_body_to_send())) return Wait::kSend;
  // The client's turn: the origin owes nothing, and the client has a timeout of its own.
  if (is_sending_) return Wait::kNothing;
  if (state_ == State::kBody) return paused_ || has_ended_ ? Wait::kNothing : Wait::kBody;
  return Wait::kFirstByte;
}

void H2Exchange::rearm(bool made_progress) {
  const Wait wait = waits_for();
  if (wait == waiting_for_ && !made_progress) return;
  waiting_for_ = wait;
  wait_began_ = loop_.mono_now();
  const ServerTimeouts& timeouts = options_.timeouts;
  MonoTime deadline = wait_began_;
  switch (wait) {
    case Wait::kNothing: return timer_.cancel();
    // As long as a connection of its own might have taken.
    case Wait::kStream:
      deadline = deadline + timeouts.connect + (options_.access.tls ? timeouts.tls : Millis{0});
      break;
    case Wait::kSend: deadline = deadline + timeouts.send; break;
    case Wait::kFirstByte: deadline = deadline + timeouts.first_byte; break;
    case Wait::kBody: deadline = deadline + timeouts.between_bytes; break;
  }
  if (timer_.is_armed() && deadline >= timer_.deadline()) {
    timer_.defer_to(deadline);
  } else {
    loop_.timers().arm(timer_, deadline);
  }
}

void H2Exchange::on_timeout() {
  ErrorCode code = ErrorCode::kConnectTimeout;
  Retry retry = Retry::kNo;
  switch (waiting_for_) {
    case Wait::kNothing: return;
    case Wait::kStream:
      if (pool_.is_in_use()) code = ErrorCode::kStreamTimeout;
      retry = Retry::kYes;
      break;
    case Wait::kSend:
      // It is the others' turn on a connection that gets on.
      if (connection_->is_blocked() && connection_->sent_at() > wait_began_) {
        wait_began_ = connection_->sent_at();
        return loop_.timers().arm(timer_, wait_began_ + options_.timeouts.send);
      }
      code = ErrorCode::kSendTimeout;
      if (!head_flushed_ && is_body_untouched()) retry = Retry::kYes;
      // Begun before the server had said how few it takes.
      if (!is_framed() && !connection_->is_blocked()) {
        return fail(Error{ErrorCode::kStreamTimeout, Side::kOrigin, retry}, NGHTTP2_CANCEL);
      }
      break;
    case Wait::kFirstByte: code = ErrorCode::kFirstByteTimeout; break;
    case Wait::kBody: code = ErrorCode::kBetweenBytesTimeout; break;
  }
  // Not a sign of life, neither for this nor for others: the next request had better find another connection.
  if (connection_ && connection_->received_at() <= wait_began_) connection_->retire();
  fail(Error{code, Side::kOrigin, retry}, NGHTTP2_CANCEL);
}

}  // namespace seawall::origin
