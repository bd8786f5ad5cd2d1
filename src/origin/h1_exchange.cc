#include "origin/h1_exchange.h"

#include <algorithm>
#include <utility>

#include "http/h1_writer.h"

namespace seawall::origin {
namespace {

constexpr std::size_t kSendPieceBytes = std::size_t{64} * 1024;
constexpr int kMaxInformational = 16;
constexpr std::uint16_t kContinue = 100;
constexpr std::uint16_t kSwitchingProtocols = 101;

// RFC 9110 section 8.6: such a request without content says so.
bool expects_content(http::Method method) {
  return method == http::Method::kPost || method == http::Method::kPut || method == http::Method::kPatch;
}

std::optional<net::Address> address_of(const std::string& ip, std::uint16_t port) {
  if (ip.empty()) return std::nullopt;
  const bool is_v6 = ip.find(':') != std::string::npos;
  return net::Address::parse((is_v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port));
}

// For whom the connection is made, where the server wants to know.
std::string proxy_header_for(const ServerOptions& options, const http::OutgoingRequest& request) {
  const net::ProxyVersion version = options.access.proxy_protocol;
  if (version == net::ProxyVersion::kOff) return {};
  const auto client = address_of(request.client_ip, request.client_port);
  const auto local = address_of(request.local_ip, request.local_port);
  if (request.traffic == http::Traffic::kBackground || !client || !local) return net::local_proxy_header(version);
  return net::proxy_header(version, *client, *local);
}

}  // namespace

H1Exchange::H1Exchange(net::Loop& loop, const ServerOptions& options, ServerClient::Pool& pool,
                       http::OutgoingRequest request, http::ExchangeSink& sink)
    : loop_(loop),
      options_(options),
      pool_(pool),
      request_(std::move(request)),
      sink_(&sink),
      parser_(options.head_limits) {}

void H1Exchange::start() {
  is_starting_ = true;
  std::unique_ptr<Connection> idle;
  if (http::is_idempotent(request_.method)) idle = pool_.take(*this);
  if (idle) {
    is_reused_ = true;
    begin(std::move(idle));
  } else {
    connect();
  }
  is_starting_ = false;
}

void H1Exchange::start_on(std::unique_ptr<net::Transport> transport) {
  begin(pool_.adopt(std::move(transport), *this));
}

void H1Exchange::pause() {
  if (paused_) return;
  paused_ = true;
  if (state_ != State::kBody) return;
  watch();
  rearm(false);
}

void H1Exchange::resume() {
  if (!paused_) return;
  paused_ = false;
  if (state_ != State::kBody) return;
  watch();
  rearm(false);
}

void H1Exchange::abandon(std::unique_ptr<H1Exchange> exchange) {
  H1Exchange& self = *exchange;
  self.sink_ = nullptr;
  if (self.state_ != State::kFinished) {
    self.drop_body();
    self.finish();
  }
  if (self.failure_posted_) {
    // Tasks run in order of posting: this one deletes after the one that still refers to us.
    self.loop_.post([doomed = std::move(exchange)] {});
  } else {
    self.loop_.defer_delete(std::move(exchange));
  }
}

void H1Exchange::connect() {
  state_ = State::kConnecting;
  connector_ = std::make_unique<Connector>(loop_, options_, pool_.tls(), proxy_header_for(options_, request_),
                                           pool_.counters(), *this);
  if (auto outcome = connector_->start()) on_connected(std::move(*outcome));
}

void H1Exchange::on_connected(Result<Connector::Connected> outcome) {
  if (!outcome) pool_.note_tls_failure(connector_->failure_text());
  drop_connector();
  if (!outcome) return fail(outcome.error());
  begin(pool_.adopt(std::move(outcome->transport), *this));
}

void H1Exchange::begin(std::unique_ptr<Connection> connection) {
  connection_ = std::move(connection);
  sent_before_ = connection_->transport()->sent_bytes();
  state_ = State::kHead;
  is_sending_ = true;
  queue_head();
  if (request_.body) {
    request_.body->on_data([this] { on_pipe_data(); });
    request_.body->want();
    // The first of the body rides with the head, but not on a reused connection: until that has taken a byte, the
    // pipe stays untouched, so that the request can be sent again.
    if (!is_reused_ && refill() == Refill::kFailed) return;
  }
  send();
}

void H1Exchange::queue_head() {
  std::string head;
  http::append_request_line(head, request_.method_name, request_.target);
  http::append_fields(head, request_.headers);
  if (!request_.upgrade.empty()) {
    http::append_field(head, "Connection", "upgrade");
    http::append_field(head, "Upgrade", request_.upgrade);
  }
  if (!request_.body) {
    if (expects_content(request_.method)) http::append_field(head, "Content-Length", std::uint64_t{0});
  } else if (request_.body_length) {
    http::append_field(head, "Content-Length", *request_.body_length);
  } else {
    http::append_field(head, "Transfer-Encoding", "chunked");
  }
  http::append_end(head);
  out_.push(head);
  body_left_ = request_.body ? request_.body_length.value_or(0) : 0;
  request_queued_ = !request_.body;
}

H1Exchange::Refill H1Exchange::refill() {
  if (request_queued_) return Refill::kRequestQueued;
  http::BodyPipe& pipe = *request_.body;
  const bool has_length = request_.body_length.has_value();
  if (has_length && body_left_ == 0) {
    request_queued_ = true;
    return Refill::kRequestQueued;
  }
  if (const auto error = pipe.error()) {
    fail(*error);
    return Refill::kFailed;
  }
  if (pipe.is_finished()) {
    if (has_length) {
      fail(Error{ErrorCode::kIncompleteBody, Side::kClient, Retry::kNo});
      return Refill::kFailed;
    }
    std::string end;
    http::append_last_chunk(end, pipe.trailers());
    out_.push(end);
    request_queued_ = true;
    return Refill::kQueued;
  }
  std::string_view data = pipe.peek().substr(0, kSendPieceBytes);
  if (data.empty()) return Refill::kNoDataYet;
  if (has_length) {
    data = data.substr(0, body_left_);
    body_left_ -= data.size();
    out_.push(data);
  } else {
    std::string size;
    http::append_chunk_size(size, data.size());
    out_.push(size);
    out_.push(data);
    out_.push(http::kCrlf);
  }
  pipe.consume(data.size());
  return Refill::kQueued;
}

void H1Exchange::send() {
  if (!is_sending_) return;
  const std::uint64_t sent_before = sent_bytes();
  for (;;) {
    const net::SendStatus status = out_.flush(*connection_->transport());
    if (status == net::SendStatus::kBlocked) break;
    if (status == net::SendStatus::kClosed) {
      // The response may be there already; if not, reading says what happened, and may send the request again.
      is_sending_ = false;
      out_.clear();
      if (!may_resend()) drop_body();
      break;
    }
    const Refill refilled = refill();
    if (refilled == Refill::kFailed) return;
    if (refilled == Refill::kNoDataYet) break;
    if (refilled == Refill::kRequestQueued) {
      is_sending_ = false;
      request_sent_ = true;
      break;
    }
  }
  const bool made_progress = sent_bytes() > sent_before;
  if (sent_before == 0 && made_progress) request_time_ = loop_.wall_now();
  watch();
  rearm(made_progress);
}

// What is left of the body is not wanted any more: the client's side need not wait for room.
void H1Exchange::drop_body() {
  if (!request_.body || request_queued_) return;
  request_.body->on_data({});
  request_.body->discard();
}

void H1Exchange::on_pipe_data() {
  if (!is_sending_) return;
  if (!has_output()) return send();
  // The socket's readiness will go on with the data; a failure must not wait for it.
  if (request_.body->error()) refill();
}

void H1Exchange::on_connection_ready(Connection&, bool readable, bool writable) {
  if (writable) send();
  if (readable && connection_) receive();
}

void H1Exchange::receive() {
  const auto buffer = loop_.read_buffer();
  const ByteStream::Outcome outcome = connection_->transport()->read(buffer);
  switch (outcome.status) {
    case ByteStream::Status::kOk: on_bytes({buffer.data(), outcome.bytes}); break;
    case ByteStream::Status::kBlocked: return;
    case ByteStream::Status::kEnd: return on_closed(ErrorCode::kPeerClosed);
    case ByteStream::Status::kTruncated: return on_truncated();
    case ByteStream::Status::kFailed: return on_broken();
  }
  // No readiness tells of an end that came with the last bytes.
  if (connection_ && connection_->transport()->has_ended()) on_closed(ErrorCode::kPeerClosed);
}

void H1Exchange::on_broken() {
  const net::Transport& transport = *connection_->transport();
  const ErrorCode code = failure_of(transport);
  if (is_tls_failure(code)) pool_.note_tls_failure(std::string(transport.tls()->failure_text()));
  on_closed(code);
}

// Anybody may cut a TCP connection, so only what says itself where it ends is whole (RFC 9112 section 9.8).
void H1Exchange::on_truncated() {
  if (state_ == State::kBody && decoder_.framing() == http::BodyFraming::kUntilClose) {
    return fail(Error{ErrorCode::kIncompleteBody, Side::kOrigin, Retry::kNo});
  }
  on_closed(ErrorCode::kPeerClosed);
}

void H1Exchange::on_bytes(std::string_view in) {
  has_received_ = true;
  if (state_ == State::kHead) {
    read_head(in);
  } else {
    read_body(in);
  }
}

void H1Exchange::read_head(std::string_view in) {
  if (!partial_head_.empty()) {
    partial_head_.append(in);
    in = partial_head_;
  }
  bool made_progress = false;
  for (;;) {
    const auto used = in.empty() ? Result<std::size_t>(0) : parser_.parse(in, request_.method, head_);
    if (!used) return fail(used.error());
    if (*used == 0) {
      partial_head_ = std::string(in);
      return rearm(made_progress);
    }
    made_progress = true;
    in.remove_prefix(*used);
    if (head_.status >= 200) break;
    if (head_.status == kSwitchingProtocols) return switch_protocol(std::exchange(head_, {}), std::string(in));
    if (++informational_ > kMaxInformational) {
      return fail(Error{ErrorCode::kHeadersTooLarge, Side::kOrigin, Retry::kNo});
    }
    http::ResponseHead head = std::exchange(head_, {});
    if (head.status == kContinue) continue;  // we never ask for it
    sink_->on_informational(std::move(head));
    if (!sink_) return;
  }

  state_ = State::kBody;
  decoder_ = http::BodyDecoder(head_.framing, head_.content_length, Side::kOrigin);
  keep_alive_ = head_.keep_alive && head_.framing != http::BodyFraming::kUntilClose;
  if (is_sending_ && head_.status >= 300) {
    is_sending_ = false;
    out_.clear();
    drop_body();
  }
  sink_->on_head(std::exchange(head_, {}), request_time_, loop_.wall_now());
  if (sink_) read_body(in);
}

void H1Exchange::read_body(std::string_view in) {
  while (!decoder_.is_done()) {
    const auto piece = decoder_.decode(in);
    if (!piece) return fail(piece.error());
    if (piece->consumed == 0) break;
    in.remove_prefix(piece->consumed);
    if (!piece->payload.empty()) {
      sink_->on_body(piece->payload);
      if (!sink_) return;
    }
  }
  if (decoder_.is_done()) return complete(!in.empty());
  watch();
  rearm(true);
}

void H1Exchange::on_closed(ErrorCode code) {
  if (state_ == State::kBody) {
    if (code != ErrorCode::kPeerClosed) return fail(Error{code, Side::kOrigin, Retry::kNo});
    if (const auto ended = decoder_.on_eof(); !ended) return fail(ended.error());
    keep_alive_ = false;
    return complete(false);
  }
  if (may_resend()) return resend();
  fail(Error{code, Side::kOrigin, retry_hint()});
}

void H1Exchange::complete(bool has_surplus) {
  // Bytes past the end answer no request of ours: they must never meet the next one (response-queue poisoning).
  const bool reusable = keep_alive_ && request_sent_ && !has_surplus;
  drop_body();
  auto connection = std::move(connection_);
  finish();
  if (reusable) {
    pool_.put(std::move(connection));
  } else {
    pool_.discard(std::move(connection));
  }
  std::exchange(sink_, nullptr)->on_complete(decoder_.trailers());
}

void H1Exchange::switch_protocol(http::ResponseHead head, std::string early_bytes) {
  if (request_.upgrade.empty() || !request_sent_) {
    return fail(Error{ErrorCode::kUnsolicitedData, Side::kOrigin, Retry::kNo});
  }
  std::unique_ptr<net::Transport> stream = connection_->release();
  finish();
  std::exchange(sink_, nullptr)->on_upgraded(std::move(head), std::move(stream), std::move(early_bytes));
}

void H1Exchange::fail(Error error) {
  // With a hint to retry, the pipe is left as it is: the next attempt reads it.
  if (error.retry == Retry::kNo) drop_body();
  finish();
  if (is_starting_) {
    failure_posted_ = true;
    loop_.post([this, error] {
      failure_posted_ = false;
      if (sink_) std::exchange(sink_, nullptr)->on_error(error);
    });
    return;
  }
  std::exchange(sink_, nullptr)->on_error(error);
}

// Only the first connection can be a reused one, so a request is sent again at most once.
bool H1Exchange::may_resend() const {
  return is_reused_ && !has_received_ && http::is_idempotent(request_.method) &&
         (!request_.body || !request_.body->was_read());
}

void H1Exchange::resend() {
  pool_.count_resent();
  pool_.discard(std::move(connection_));
  is_reused_ = false;
  out_.clear();
  is_sending_ = request_queued_ = request_sent_ = false;
  waiting_for_ = Wait::kNothing;
  connect();
}

Retry H1Exchange::retry_hint() const {
  if (request_.body && request_.body->was_read()) return Retry::kNo;
  if (sent_bytes() == 0) return Retry::kYes;
  return http::is_idempotent(request_.method) ? Retry::kFreshConnection : Retry::kNo;
}

void H1Exchange::drop_connector() {
  if (!connector_) return;
  connector_->cancel();
  loop_.defer_delete(std::move(connector_));
}

void H1Exchange::finish() {
  state_ = State::kFinished;
  is_sending_ = false;
  drop_connector();
  if (connection_) pool_.discard(std::move(connection_));
  if (request_.body) request_.body->on_data({});
}

void H1Exchange::watch() {
  const bool reads = !(state_ == State::kBody && paused_);
  connection_->watch(reads, is_sending_ && has_output());
}

H1Exchange::Wait H1Exchange::waits_for() const {
  if (is_sending_ && has_output()) return Wait::kSend;
  // The client's turn: the origin owes nothing, and the client has a timeout of its own.
  if (is_sending_ && !request_queued_) return Wait::kNothing;
  if (state_ == State::kBody) return paused_ ? Wait::kNothing : Wait::kBody;
  return partial_head_.empty() ? Wait::kFirstByte : Wait::kRestOfHead;
}

void H1Exchange::rearm(bool made_progress) {
  const Wait wait = waits_for();
  if (wait == waiting_for_ && !made_progress) return;
  waiting_for_ = wait;
  const MonoTime now = loop_.mono_now();
  const ServerTimeouts& timeouts = options_.timeouts;
  switch (wait) {
    case Wait::kNothing: connection_->clear_deadline(); return;
    case Wait::kSend: connection_->set_deadline(now + timeouts.send); return;
    case Wait::kFirstByte: connection_->set_deadline(now + timeouts.first_byte); return;
    case Wait::kRestOfHead:
    case Wait::kBody: connection_->set_deadline(now + timeouts.between_bytes); return;
  }
}

void H1Exchange::on_connection_timer(Connection&) {
  switch (waiting_for_) {
    case Wait::kNothing: return;
    case Wait::kSend: return fail(Error{ErrorCode::kSendTimeout, Side::kOrigin, Retry::kNo});
    case Wait::kFirstByte: return fail(Error{ErrorCode::kFirstByteTimeout, Side::kOrigin, Retry::kNo});
    case Wait::kRestOfHead:
    case Wait::kBody: return fail(Error{ErrorCode::kBetweenBytesTimeout, Side::kOrigin, Retry::kNo});
  }
}

}  // namespace seawall::origin
