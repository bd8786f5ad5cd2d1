#include "proxy/session_h1.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "http/h1_writer.h"

namespace seawall::proxy {
namespace {

using http::BodyFraming;

// Pipelined bytes kept while a request is served; past it the socket is not read.
constexpr std::size_t kMaxAhead = std::size_t{64} * 1024;
constexpr std::size_t kPipeBytes = std::size_t{128} * 1024;
constexpr std::size_t kBatchPieces = 48;
constexpr std::size_t kBatchAnswers = 16;
constexpr Millis kLingerTime{2000};
// A short unread rest of a body is read over to save the connection; a longer one is not worth it.
constexpr std::uint64_t kMaxSkippedBody = std::uint64_t{64} * 1024;

}  // namespace

SessionH1::SessionH1(net::Loop& loop, const SessionOptions& options, std::unique_ptr<net::Transport> transport,
                     ClientInfo client, const HandlerFactory& make_handler, OnSessionClosed on_closed)
    : loop_(loop),
      transport_(std::move(transport)),
      client_(std::move(client)),
      on_closed_(std::move(on_closed)),
      options_(options),
      timer_([this] { on_timeout(); }),
      parser_(options_.head_limits),
      sent_bytes_(transport_->sent_bytes()),
      handler_(make_handler(*this, client_, [this] { on_request_finished(); })) {
  transport_->set_user(*this);
}

SessionH1::~SessionH1() = default;

void SessionH1::start() {
  arm(options_.idle_timeout);
  update_watch();
  if (transport_->has_unread()) on_stream_ready(true, false);
}

void SessionH1::refuse() {
  arm(options_.send_timeout);
  refuse_request({ErrorCode::kTooManyConnections, Side::kLocal});
  advance();
}

void SessionH1::drain() {
  is_draining_ = true;
  if (state_ == State::kServing) close_after_ = true;
  if (state_ == State::kReading && in_.empty() && !has_output()) close_idle();
}

void SessionH1::arm(Millis timeout) {
  const MonoTime deadline = loop_.mono_now() + timeout;
  if (timer_.is_armed() && timer_.deadline() <= deadline) {
    timer_.defer_to(deadline);
  } else {
    loop_.timers().arm(timer_, deadline);
  }
}

void SessionH1::on_timeout() {
  // A client that takes little at a time makes progress that nobody was told of.
  if (has_output() && std::exchange(sent_bytes_, transport_->sent_bytes()) != transport_->sent_bytes()) {
    return arm(options_.send_timeout);
  }
  switch (state_) {
    case State::kReading:
      if (head_began_) {
        refuse_request({ErrorCode::kHeaderTimeout, Side::kClient});
        arm(options_.send_timeout);
        advance();
      } else {
        close_idle();
      }
      return;
    case State::kServing:
      if (has_output() || !handler_->is_active()) {  // the client does not read, or not send the rest of a body
        close();
      } else if (!body_complete_ && body_pipe_ && body_pipe_->room() > 0) {
        const Error error{ErrorCode::kBodyTimeout, Side::kClient};
        body_pipe_->fail(error);
        close_after_ = true;
        arm(options_.send_timeout);
        if (!handler_->has_answered()) return;  // the exchange fails with this error and is answered with 408
        close();
      } else {
        arm(options_.idle_timeout);  // the wait is the origin's, and bounded there
      }
      return;
    case State::kLingering: close(); return;
    case State::kClosed: return;
  }
}

void SessionH1::on_stream_ready(bool readable, bool writable) {
  if (state_ == State::kClosed) return;
  if (writable) {
    flush();
    if (state_ == State::kClosed) return;
    if (unsent_bytes() < kHighWater / 2) handler_->on_writable();
  }
  if (readable && state_ != State::kClosed) read_ready();
  if (state_ != State::kClosed) advance();
}

void SessionH1::read_ready() {
  thread_local std::array<char, ByteStream::kReadBytes> buffer;
  const ByteStream::Outcome outcome = transport_->read(buffer);
  if (outcome.status == ByteStream::Status::kBlocked) return;
  if (outcome.status == ByteStream::Status::kFailed) {
    close();
    return;
  }
  // A request says where it ends, so a missing word of farewell cuts nothing off.
  const bool is_end = outcome.status != ByteStream::Status::kOk;
  if (state_ == State::kLingering) {
    if (is_end) close();
    return;
  }
  if (is_end) {
    // A half-closed client still gets its answers (RFC 9112 section 9.6).
    saw_eof_ = true;
    if (!body_complete_ && body_pipe_) {
      body_pipe_->fail({ErrorCode::kPeerClosed, Side::kClient});
      body_complete_ = true;
      close_after_ = true;
      ahead_ = {};
    }
    return;
  }
  if (state_ == State::kServing && !body_complete_) arm(options_.body_timeout);
  const std::string_view fresh(buffer.data(), outcome.bytes);
  if (in_.empty()) {
    ahead_ = fresh;
  } else {
    in_ += fresh;
    ahead_ = in_;
  }
}

// Keeps what this turn has not consumed; the worker's buffer is another connection's next.
void SessionH1::stash() {
  if (ahead_.empty()) {
    in_ = {};
  } else if (ahead_.data() < in_.data() || ahead_.data() >= in_.data() + in_.size()) {
    in_.assign(ahead_);
  } else {
    in_.erase(0, in_.size() - ahead_.size());
  }
  ahead_ = in_;
}

// Does all there is to do with what has been read, then sends what was gathered.
void SessionH1::advance() {
  if (is_advancing_) return;
  is_advancing_ = true;
  while (state_ == State::kReading || state_ == State::kServing) {
    if (state_ == State::kServing) {
      if (!body_complete_) pump_body();
      if (handler_->is_active() || !body_complete_ || tunnel_) break;
      if (state_ == State::kServing) on_request_finished();  // only the rest of a body was still to be read over
      continue;
    }
    if (write_blocked_ && unsent_bytes() >= kHighWater) break;
    if (close_after_ || !parse_next()) break;
  }
  stash();
  flush();
  is_advancing_ = false;
  if (state_ == State::kReading && !has_output()) {
    if (close_after_) {
      begin_linger();
    } else if (saw_eof_ || (is_draining_ && in_.empty())) {
      close_idle();
    }
  }
  if (state_ != State::kClosed) update_watch();
}

// True when it got a request to serve.
bool SessionH1::parse_next() {
  if (ahead_.empty()) return false;
  const auto consumed = parser_.parse(ahead_, handler_->request(), client_.scheme);
  if (!consumed) {
    refuse_request(consumed.error());
    return true;
  }
  if (*consumed == 0) {
    if (saw_eof_) ahead_ = {};
    if (!std::exchange(head_began_, true)) arm(options_.header_timeout);
    return false;
  }
  head_began_ = false;
  ahead_.remove_prefix(*consumed);
  begin_request();
  return true;
}

void SessionH1::begin_request() {
  const http::RequestHead& request = handler_->request();
  state_ = State::kServing;
  close_after_ = is_draining_ || !request.keep_alive;
  out_framing_ = Framing::kNone;
  drop_pipe();
  body_decoder_.reset();
  body_received_ = 0;
  // An empty one is whole at once: no byte of it will come to say so.
  body_complete_ =
      request.framing == BodyFraming::kNone || (request.framing == BodyFraming::kLength && request.content_length == 0);
  continue_owed_ = false;
  if (!body_complete_) {
    body_decoder_ = std::make_unique<http::BodyDecoder>(request.framing, request.content_length, Side::kClient);
    body_pipe_ = make_ref<http::BodyPipe>(loop_, kPipeBytes);
    body_pipe_->on_room([this] {
      if (state_ == State::kClosed) return;
      if (continue_owed_ && body_pipe_ && body_pipe_->is_wanted() && !handler_->has_answered()) {
        continue_owed_ = false;
        flush_batch();
        out_.push("HTTP/1.1 100 Continue\r\n\r\n");
      }
      advance();
    });
    continue_owed_ = request.expect_continue;
    arm(options_.body_timeout);
  }
  handler_->begin(body_pipe_);
}

// An exchange may hold the pipe for longer than this session lives.
void SessionH1::drop_pipe() {
  if (body_pipe_) body_pipe_->on_room(nullptr);
  body_pipe_ = nullptr;
}

// A request that cannot be understood or taken: its answer is the last thing on this connection.
void SessionH1::refuse_request(Error error) {
  handler_->request().clear();
  ahead_ = {};
  state_ = State::kServing;
  close_after_ = true;
  body_complete_ = true;
  out_framing_ = Framing::kNone;
  handler_->begin_refused(error);
}

void SessionH1::pump_body() {
  while (!body_complete_ && !ahead_.empty() && body_pipe_->room() > 0) {
    const std::string_view offered = ahead_.substr(0, body_pipe_->room());
    const auto piece = body_decoder_->decode(offered);
    if (!piece) {
      body_pipe_->fail(piece.error());
      ahead_ = {};
      body_complete_ = true;
      close_after_ = true;
      return;
    }
    body_received_ += piece->payload.size();
    if (body_received_ > options_.body_bytes) {
      body_pipe_->fail({ErrorCode::kBodyTooLarge, Side::kClient});
      ahead_ = {};
      body_complete_ = true;
      close_after_ = true;
      return;
    }
    body_pipe_->write(piece->payload);
    if (piece->done) {
      body_complete_ = true;
      body_pipe_->finish(body_decoder_->trailers());
    }
    if (piece->consumed == 0) break;
    ahead_.remove_prefix(piece->consumed);
  }
}

// The answer comes before the request's body was read. A short rest is read over, for a longer one the connection is
// not worth it; and if 100 (Continue) never came, the next bytes could be body or request.
bool SessionH1::may_read_over_rest() const {
  const http::RequestHead& request = handler_->request();
  return request.framing == BodyFraming::kLength && !continue_owed_ &&
         request.content_length - body_received_ <= kMaxSkippedBody;
}

bool SessionH1::may_keep_alive() const {
  if (close_after_ || out_framing_ == Framing::kUntilClose) return false;
  // A response that is still on its way while the body is, may well see its end.
  return body_complete_ || body_pipe_->was_read() || may_read_over_rest();
}

void SessionH1::append_connection(std::string& out) {
  if (!may_keep_alive()) {
    close_after_ = true;
    out += "Connection: close\r\n";
  } else if (handler_->request().version == http::Version::kHttp10) {
    out += "Connection: keep-alive\r\n";
  }
}

void SessionH1::send_informational(const http::ResponseHead& head) {
  flush_batch();
  std::string text;
  http::append_status_line(text, head.status, head.reason);
  http::append_fields(text, head.headers);
  http::append_end(text);
  out_.push(text);
  flush();
}

void SessionH1::send_stored(cache::LookupResult hit, std::string_view composed, bool with_body) {
  const cache::Object& object = *hit.object;
  if (batch_.size() + object.body().size() + 2 > kBatchPieces || batch_holds_.size() >= kBatchAnswers) flush_batch();
  out_framing_ = Framing::kLength;
  const std::string_view head = object.head_block();
  batch_.push_back({.data = head.data(), .size = head.size()});
  const std::size_t at = batch_text_.size();
  batch_text_ += composed;
  append_connection(batch_text_);
  batch_text_ += http::kCrlf;
  batch_.push_back({.offset = at, .size = batch_text_.size() - at});
  batch_bytes_ += head.size() + batch_text_.size() - at;
  if (with_body && object.body().size() + batch_.size() > kBatchPieces) {
    flush_batch();  // long chains go through the queue
    for (const Slice& slice : object.body()) out_.push(slice);
    return;
  }
  if (with_body) {
    for (const Slice& slice : object.body()) {
      batch_.push_back({.data = slice.data(), .size = slice.size()});
      batch_bytes_ += slice.size();
    }
  }
  batch_holds_.push_back(std::move(hit));
}

// One gathered write of all hits; what the kernel does not take goes to the queue.
void SessionH1::flush_batch() {
  if (batch_.empty()) return;
  std::size_t taken = 0;
  if (out_.empty()) {
    std::array<iovec, kBatchPieces + 4> iov;
    const std::size_t count = std::min(batch_.size(), iov.size());
    for (std::size_t i = 0; i < count; ++i) {
      const BatchPiece& piece = batch_[i];
      const char* data = piece.data ? piece.data : batch_text_.data() + piece.offset;
      iov[i] = {.iov_base = const_cast<char*>(data), .iov_len = piece.size};
    }
    taken = transport_->write(std::span(iov).first(count)).bytes;
  }
  if (taken < batch_bytes_) {
    // Rare: the socket's buffer is full. Heads are copied, bodies referenced.
    std::vector<const Slice*> bodies;
    for (const cache::LookupResult& hit : batch_holds_) {
      for (const Slice& slice : hit.object->body()) bodies.push_back(&slice);
    }
    for (const BatchPiece& piece : batch_) {
      const std::size_t skip = std::min(taken, piece.size);
      taken -= skip;
      if (skip == piece.size) continue;
      const auto body = std::ranges::find_if(
          bodies, [&](const Slice* s) { return piece.data && s->data() == piece.data && s->size() == piece.size; });
      if (body != bodies.end()) {
        out_.push((*body)->subslice(skip, piece.size - skip));
      } else {
        const char* data = piece.data ? piece.data : batch_text_.data() + piece.offset;
        out_.push(std::string_view(data + skip, piece.size - skip));
      }
    }
  }
  batch_.clear();
  batch_holds_.clear();
  batch_text_.clear();
  batch_bytes_ = 0;
}

void SessionH1::send_head(const AnswerHead& head) {
  flush_batch();
  std::string text;
  text.reserve(512);
  http::append_status_line(text, head.status, head.reason);
  if (head.fields) http::append_fields(text, *head.fields);
  text += head.composed;
  out_framing_ = Framing::kNone;
  if (head.length) {
    http::append_field(text, "Content-Length", *head.length);
    if (head.has_body) out_framing_ = Framing::kLength;
  } else if (head.has_body) {
    if (handler_->request().version == http::Version::kHttp11) {
      out_framing_ = Framing::kChunked;
      http::append_field(text, "Transfer-Encoding", "chunked");
    } else {
      out_framing_ = Framing::kUntilClose;
    }
  }
  append_connection(text);
  http::append_end(text);
  out_.push(text);
}

void SessionH1::send_body(SliceChain slices) {
  if (out_framing_ == Framing::kChunked) {
    std::string size;
    http::append_chunk_size(size, total_size(slices));
    out_.push(size);
  }
  for (Slice& slice : slices) out_.push(std::move(slice));
  if (out_framing_ == Framing::kChunked) out_.push(http::kCrlf);
}

void SessionH1::end(const http::HeaderMap& trailers) {
  if (out_framing_ != Framing::kChunked) return;
  std::string last;
  http::append_last_chunk(last, trailers);
  out_.push(last);
}

void SessionH1::abort() {
  // Neither a last chunk nor the announced length, nor (for HTTP/1.0 without a length) a clean end: a reset tells.
  flush();
  if (state_ == State::kClosed) return;
  if (out_framing_ == Framing::kUntilClose) transport_->reset_on_close();
  close();
}

void SessionH1::upgrade(const AnswerHead& head, std::unique_ptr<ByteStream> origin, std::string early_bytes) {
  flush_batch();
  std::string text;
  http::append_status_line(text, head.status, head.reason);
  if (head.fields) http::append_fields(text, *head.fields);
  text += head.composed;
  http::append_field(text, "Connection", "upgrade");
  http::append_end(text);
  // Anything still queued of earlier answers goes ahead of the 101 in one stream.
  std::string to_client = out_.take_all() + text + early_bytes;
  stash();
  timer_.cancel();
  transport_->watch(false, false);
  tunnel_ =
      std::make_unique<Tunnel>(loop_, *transport_, std::move(origin), std::move(to_client),
                               std::string(std::exchange(ahead_, {})), options_.idle_timeout, [this] { close(); });
}

std::uint64_t SessionH1::unsent_bytes() const {
  return out_.size_bytes() + batch_bytes_ + transport_->unsent_bytes();
}

void SessionH1::flush() {
  flush_batch();
  if (state_ == State::kClosed) return;
  const bool was_blocked = write_blocked_;
  const net::SendStatus status = out_.flush(*transport_);
  if (status == net::SendStatus::kClosed) {
    close();
    return;
  }
  write_blocked_ = status == net::SendStatus::kBlocked;
  // Each progress, and the first time there is none, begins a new wait.
  const bool made_progress = std::exchange(sent_bytes_, transport_->sent_bytes()) != transport_->sent_bytes();
  if (made_progress || was_blocked != write_blocked_) {
    arm(write_blocked_ ? options_.send_timeout : options_.idle_timeout);
  }
  if (!is_advancing_) update_watch();
}

void SessionH1::on_request_finished() {
  if (state_ == State::kClosed) return;
  if (tunnel_) {
    state_ = State::kServing;
    tunnel_->start();
    return;
  }
  if (!body_complete_) {
    if (!may_read_over_rest() || close_after_) {
      close_after_ = true;
      body_complete_ = true;
      ahead_ = {};
    } else {
      return;  // stays kServing: pump_body() goes on into the discarding pipe
    }
  }
  state_ = State::kReading;
  drop_pipe();
  body_decoder_.reset();
  arm(has_output() ? options_.send_timeout : options_.idle_timeout);
  if (!is_advancing_) advance();
}

void SessionH1::begin_linger() {
  transport_->end_output();
  sent_bytes_ = transport_->sent_bytes();  // the farewell is no progress
  if (saw_eof_ && !has_output()) {
    close();
    return;
  }
  state_ = State::kLingering;
  in_ = {};
  ahead_ = {};
  loop_.timers().arm(timer_, loop_.mono_now() + kLingerTime);
}

// RFC 8446 section 6.1: whoever ends TLS says so first.
void SessionH1::close_idle() {
  if (transport_->tls() != nullptr) transport_->end_output();
  close();
}

void SessionH1::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.cancel();
  transport_->watch(false, false);
  if (!body_complete_ && body_pipe_) body_pipe_->fail({ErrorCode::kPeerClosed, Side::kClient});
  drop_pipe();
  handler_->on_client_gone();
  on_closed_(*this);
}

void SessionH1::update_watch() {
  if (tunnel_) return;
  bool read = !saw_eof_;
  if (state_ == State::kServing) {
    read = read && in_.size() < kMaxAhead && (body_complete_ || !body_pipe_ || body_pipe_->room() > 0);
  } else if (state_ == State::kReading && write_blocked_ && unsent_bytes() >= kHighWater) {
    read = false;
  }
  transport_->watch(read, has_output());
}

}  // namespace seawall::proxy
