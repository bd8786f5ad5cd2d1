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
constexpr Millis kRestAfter{1000};
// A short unread rest of a body is read over to save the connection; a longer one is not worth it.
constexpr std::uint64_t kMaxSkippedBody = std::uint64_t{64} * 1024;

}  // namespace

// What a connection needs while it is at work.
struct SessionH1::Work {
  // Hits not yet sent: pieces of `batch_text`, of the objects' heads and of their bodies.
  struct BatchPiece {
    const char* data = nullptr;  // null: in batch_text at `offset`
    std::size_t offset = 0;
    std::size_t size = 0;
  };

  std::unique_ptr<http::BodyDecoder> body_decoder;
  Ref<http::BodyPipe> body_pipe;
  std::vector<BatchPiece> batch;
  std::vector<cache::LookupResult> batch_holds;
  std::string batch_text;
  std::uint64_t batch_bytes = 0;
  net::OutQueue out;
  std::unique_ptr<Tunnel> tunnel;
  std::unique_ptr<RequestHandler> handler;
};

SessionH1::SessionH1(net::Loop& loop, std::shared_ptr<const SessionOptions> options,
                     std::unique_ptr<net::Transport> transport, ClientInfo client, const HandlerFactory& make_handler,
                     OnSessionClosed on_closed)
    : loop_(loop),
      transport_(std::move(transport)),
      client_(std::move(client)),
      make_handler_(make_handler),
      on_closed_(std::move(on_closed)),
      options_(std::move(options)),
      timer_([this] { on_timeout(); }),
      parser_(options_->head_limits),
      sent_bytes_(transport_->sent_bytes()) {
  transport_->set_user(*this);
}

SessionH1::~SessionH1() = default;

void SessionH1::wake() {
  if (work_) return;
  work_ = std::make_unique<Work>();
  work_->handler = make_handler_(*this, client_, [this] { on_request_finished(); });
}

// Clients keep connections open far longer than they use them.
void SessionH1::rest() {
  if (state_ == State::kReading && in_.empty() && !has_output()) work_.reset();
}

bool SessionH1::has_output() const {
  return (work_ && !work_->out.empty()) || transport_->has_unsent();
}

void SessionH1::start() {
  arm_idle();
  update_watch();
  while (state_ != State::kClosed && transport_->has_unread() && in_.size() < kMaxAhead) on_stream_ready(true, false);
}

void SessionH1::refuse() {
  arm(options_->send_timeout);
  refuse_request({ErrorCode::kTooManyConnections, Side::kLocal});
  advance();
}

void SessionH1::drain() {
  is_draining_ = true;
  if (state_ == State::kServing) close_after_ = true;
  if (state_ == State::kReading && !head_began_ && !has_output()) close_idle();
}

void SessionH1::arm(Millis timeout) {
  const MonoTime deadline = loop_.mono_now() + timeout;
  if (timer_.is_armed() && timer_.deadline() <= deadline) {
    timer_.defer_to(deadline);
  } else {
    loop_.timers().arm(timer_, deadline);
  }
}

// In two steps: first it rests.
void SessionH1::arm_idle() {
  idle_until_ = loop_.mono_now() + options_->idle_timeout;
  arm(std::min(options_->idle_timeout, kRestAfter));
}

void SessionH1::on_timeout() {
  // A client that takes little at a time makes progress that nobody was told of.
  if (has_output() && std::exchange(sent_bytes_, transport_->sent_bytes()) != transport_->sent_bytes()) {
    return arm(options_->send_timeout);
  }
  switch (state_) {
    case State::kReading:
      if (has_output()) {  // the client does not read
        close();
      } else if (head_began_) {
        arm(options_->send_timeout);
        refuse_request({ErrorCode::kHeaderTimeout, Side::kClient});
        advance();
      } else if (const Millis left = std::chrono::duration_cast<Millis>(idle_until_ - loop_.mono_now());
                 left > Millis(0)) {
        rest();
        arm(left);
      } else {
        close_idle();
      }
      return;
    case State::kServing:
      if (has_output() || !work_->handler->is_active()) {  // the client does not read, or not send the rest of a body
        close();
      } else if (!body_complete_ && work_->body_pipe && work_->body_pipe->room() > 0) {
        const Error error{ErrorCode::kBodyTimeout, Side::kClient};
        work_->body_pipe->fail(error);
        close_after_ = true;
        arm(options_->send_timeout);
        if (!work_->handler->has_answered()) return;  // the exchange fails with this error and is answered with 408
        close();
      } else {
        arm(options_->idle_timeout);  // the wait is the origin's, and bounded there
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
    if (work_ && unsent_bytes() < kHighWater / 2) work_->handler->on_writable();
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
    if (!body_complete_ && work_->body_pipe) {
      work_->body_pipe->fail({ErrorCode::kPeerClosed, Side::kClient});
      body_complete_ = true;
      close_after_ = true;
      ahead_ = {};
    }
    return;
  }
  // No request comes after the last: what is sent all the same is read and forgotten, as when lingering.
  if (state_ == State::kReading && close_after_) return;
  if (state_ == State::kServing && !body_complete_) arm(options_->body_timeout);
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
      if (work_->handler->is_active() || !body_complete_ || work_->tunnel) break;
      if (state_ == State::kServing) on_request_finished();  // only the rest of a body was still to be read over
      continue;
    }
    if (unsent_bytes() >= kHighWater) {
      flush();  // may close
      if (state_ == State::kClosed || unsent_bytes() >= kHighWater) break;
    }
    if (close_after_ || !parse_next()) break;
  }
  stash();
  flush();
  is_advancing_ = false;
  if (state_ == State::kReading && !has_output()) {
    if (close_after_) {
      begin_linger();
    } else if (saw_eof_ || (is_draining_ && !head_began_)) {
      close_idle();
    }
  }
  if (state_ != State::kClosed) update_watch();
}

// True when it got a request to serve.
bool SessionH1::parse_next() {
  if (ahead_.empty()) return false;
  wake();
  const auto consumed = parser_.parse(ahead_, work_->handler->request(), client_.scheme);
  if (!consumed) {
    refuse_request(consumed.error());
    return true;
  }
  if (*consumed == 0) {
    if (saw_eof_) ahead_ = {};
    // An empty line after a body is no beginning (RFC 9112 section 2.2).
    const bool is_empty_line = ahead_ == "\r\n" || ahead_ == "\r";
    if (!is_empty_line && !std::exchange(head_began_, true)) arm(options_->header_timeout);
    return false;
  }
  head_began_ = false;
  ahead_.remove_prefix(*consumed);
  begin_request();
  return true;
}

void SessionH1::begin_request() {
  const http::RequestHead& request = work_->handler->request();
  state_ = State::kServing;
  close_after_ = is_draining_ || !request.keep_alive;
  out_framing_ = Framing::kNone;
  drop_pipe();
  work_->body_decoder.reset();
  body_received_ = 0;
  // An empty one is whole at once: no byte of it will come to say so.
  body_complete_ =
      request.framing == BodyFraming::kNone || (request.framing == BodyFraming::kLength && request.content_length == 0);
  continue_owed_ = false;
  if (!body_complete_) {
    work_->body_decoder = std::make_unique<http::BodyDecoder>(request.framing, request.content_length, Side::kClient);
    work_->body_pipe = make_ref<http::BodyPipe>(loop_, kPipeBytes);
    work_->body_pipe->on_room([this] {
      if (state_ == State::kClosed) return;
      if (continue_owed_ && work_->body_pipe && work_->body_pipe->is_wanted() && !work_->handler->has_answered()) {
        continue_owed_ = false;
        flush_batch();
        work_->out.push("HTTP/1.1 100 Continue\r\n\r\n");
      }
      advance();
    });
    continue_owed_ = request.expect_continue;
    arm(options_->body_timeout);
  }
  work_->handler->begin(work_->body_pipe);
}

// An exchange may hold the pipe for longer than this session lives.
void SessionH1::drop_pipe() {
  if (work_->body_pipe) work_->body_pipe->on_room(nullptr);
  work_->body_pipe = nullptr;
}

// A request that cannot be understood or taken: its answer is the last thing on this connection.
void SessionH1::refuse_request(Error error) {
  wake();
  work_->handler->request().clear();
  ahead_ = {};
  state_ = State::kServing;
  close_after_ = true;
  body_complete_ = true;
  out_framing_ = Framing::kNone;
  work_->handler->begin_refused(error);
}

void SessionH1::pump_body() {
  while (!body_complete_ && !ahead_.empty() && work_->body_pipe->room() > 0) {
    const std::string_view offered = ahead_.substr(0, work_->body_pipe->room());
    const auto piece = work_->body_decoder->decode(offered);
    if (!piece) {
      work_->body_pipe->fail(piece.error());
      ahead_ = {};
      body_complete_ = true;
      close_after_ = true;
      return;
    }
    body_received_ += piece->payload.size();
    if (body_received_ > options_->body_bytes) {
      work_->body_pipe->fail({ErrorCode::kBodyTooLarge, Side::kClient});
      ahead_ = {};
      body_complete_ = true;
      close_after_ = true;
      return;
    }
    work_->body_pipe->write(piece->payload);
    if (piece->done) {
      body_complete_ = true;
      work_->body_pipe->finish(work_->body_decoder->trailers());
    }
    if (piece->consumed == 0) break;
    ahead_.remove_prefix(piece->consumed);
  }
}

// The answer comes before the request's body was read. A short rest is read over, for a longer one the connection is
// not worth it; and if 100 (Continue) never came, the next bytes could be body or request.
bool SessionH1::may_read_over_rest() const {
  const http::RequestHead& request = work_->handler->request();
  return request.framing == BodyFraming::kLength && !continue_owed_ &&
         request.content_length - body_received_ <= kMaxSkippedBody;
}

bool SessionH1::may_keep_alive() const {
  if (close_after_ || out_framing_ == Framing::kUntilClose) return false;
  // A response that is still on its way while the body is, may well see its end.
  return body_complete_ || work_->body_pipe->was_read() || may_read_over_rest();
}

void SessionH1::append_connection(std::string& out) {
  if (!may_keep_alive()) {
    close_after_ = true;
    out += "Connection: close\r\n";
  } else if (work_->handler->request().version == http::Version::kHttp10) {
    out += "Connection: keep-alive\r\n";
  }
}

void SessionH1::send_informational(const http::ResponseHead& head) {
  flush_batch();
  std::string text;
  http::append_status_line(text, head.status, head.reason);
  http::append_fields(text, head.headers);
  http::append_end(text);
  work_->out.push(text);
  flush();
}

void SessionH1::send_stored(cache::LookupResult hit, std::string_view composed, bool with_body) {
  Work& work = *work_;
  const cache::Object& object = *hit.object;
  if (work.batch.size() + object.body().size() + 2 > kBatchPieces || work.batch_holds.size() >= kBatchAnswers)
    flush_batch();
  out_framing_ = Framing::kLength;
  const std::string_view head = object.head_block();
  work.batch.push_back({.data = head.data(), .size = head.size()});
  const std::size_t at = work.batch_text.size();
  work.batch_text += composed;
  append_connection(work.batch_text);
  work.batch_text += http::kCrlf;
  work.batch.push_back({.offset = at, .size = work.batch_text.size() - at});
  work.batch_bytes += head.size() + work.batch_text.size() - at;
  if (with_body && object.body().size() + work.batch.size() > kBatchPieces) {
    flush_batch();  // long chains go through the queue
    for (const Slice& slice : object.body()) work.out.push(slice);
    return;
  }
  if (with_body) {
    for (const Slice& slice : object.body()) {
      work.batch.push_back({.data = slice.data(), .size = slice.size()});
      work.batch_bytes += slice.size();
    }
  }
  work.batch_holds.push_back(std::move(hit));
}

// One gathered write of all hits; what the kernel does not take goes to the queue.
void SessionH1::flush_batch() {
  if (!work_ || work_->batch.empty()) return;
  Work& work = *work_;
  std::size_t taken = 0;
  if (work.out.empty()) {
    std::array<iovec, kBatchPieces + 4> iov;
    const std::size_t count = std::min(work.batch.size(), iov.size());
    for (std::size_t i = 0; i < count; ++i) {
      const Work::BatchPiece& piece = work.batch[i];
      const char* data = piece.data ? piece.data : work.batch_text.data() + piece.offset;
      iov[i] = {.iov_base = const_cast<char*>(data), .iov_len = piece.size};
    }
    taken = transport_->write(std::span(iov).first(count)).bytes;
  }
  if (taken < work.batch_bytes) {
    // Rare: the socket's buffer is full. Heads are copied, bodies referenced.
    std::vector<const Slice*> bodies;
    for (const cache::LookupResult& hit : work.batch_holds) {
      for (const Slice& slice : hit.object->body()) bodies.push_back(&slice);
    }
    for (const Work::BatchPiece& piece : work.batch) {
      const std::size_t skip = std::min(taken, piece.size);
      taken -= skip;
      if (skip == piece.size) continue;
      const auto body = std::ranges::find_if(
          bodies, [&](const Slice* s) { return piece.data && s->data() == piece.data && s->size() == piece.size; });
      if (body != bodies.end()) {
        work.out.push((*body)->subslice(skip, piece.size - skip));
      } else {
        const char* data = piece.data ? piece.data : work.batch_text.data() + piece.offset;
        work.out.push(std::string_view(data + skip, piece.size - skip));
      }
    }
  }
  work.batch.clear();
  work.batch_holds.clear();
  work.batch_text.clear();
  work.batch_bytes = 0;
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
    if (work_->handler->request().version == http::Version::kHttp11) {
      out_framing_ = Framing::kChunked;
      http::append_field(text, "Transfer-Encoding", "chunked");
    } else {
      out_framing_ = Framing::kUntilClose;
    }
  }
  append_connection(text);
  http::append_end(text);
  work_->out.push(text);
}

void SessionH1::send_body(SliceChain slices) {
  if (out_framing_ == Framing::kChunked) {
    std::string size;
    http::append_chunk_size(size, total_size(slices));
    work_->out.push(size);
  }
  for (Slice& slice : slices) work_->out.push(std::move(slice));
  if (out_framing_ == Framing::kChunked) work_->out.push(http::kCrlf);
}

void SessionH1::end(const http::HeaderMap& trailers) {
  if (out_framing_ != Framing::kChunked) return;
  std::string last;
  http::append_last_chunk(last, trailers);
  work_->out.push(last);
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
  std::string to_client = work_->out.take_all() + text + early_bytes;
  stash();
  drop_pipe();
  timer_.cancel();
  transport_->watch(false, false);
  work_->tunnel =
      std::make_unique<Tunnel>(loop_, *transport_, std::move(origin), std::move(to_client),
                               std::string(std::exchange(ahead_, {})), options_->idle_timeout, [this] { close(); });
}

std::uint64_t SessionH1::unsent_bytes() const {
  return transport_->unsent_bytes() + (work_ ? work_->out.size_bytes() + work_->batch_bytes : 0);
}

void SessionH1::flush() {
  if (!work_) return;
  flush_batch();
  if (state_ == State::kClosed) return;
  const bool was_blocked = write_blocked_;
  const net::SendStatus status = work_->out.flush(*transport_);
  if (status == net::SendStatus::kClosed) {
    close();
    return;
  }
  write_blocked_ = status == net::SendStatus::kBlocked;
  // Each progress, and the first time there is none, begins a new wait.
  const bool made_progress = std::exchange(sent_bytes_, transport_->sent_bytes()) != transport_->sent_bytes();
  if (made_progress || was_blocked != write_blocked_) arm_after_write(was_blocked);
  if (!is_advancing_) update_watch();
}

void SessionH1::arm_after_write(bool was_blocked) {
  if (write_blocked_) return arm(options_->send_timeout);
  switch (state_) {
    case State::kReading:
      if (!head_began_) return arm_idle();
      if (was_blocked) arm(options_->header_timeout);  // else that time runs
      return;
    case State::kServing:
      if (body_complete_) return arm(options_->idle_timeout);
      if (was_blocked) arm(options_->body_timeout);  // likewise
      return;
    case State::kLingering:
    case State::kClosed: return;
  }
}

void SessionH1::on_request_finished() {
  if (state_ == State::kClosed) return;
  if (work_->tunnel) {
    state_ = State::kServing;
    work_->tunnel->start();
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
  work_->body_decoder.reset();
  if (has_output()) {
    arm(options_->send_timeout);
  } else {
    arm_idle();
  }
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

// RFC 8446 section 6.1: whoever ends TLS says so first. A peer that went without a word waits for none.
void SessionH1::close_idle() {
  if (!saw_eof_ || transport_->has_ended()) transport_->say_farewell();
  close();
}

void SessionH1::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.cancel();
  transport_->watch(false, false);
  if (work_) {
    if (!body_complete_ && work_->body_pipe) work_->body_pipe->fail({ErrorCode::kPeerClosed, Side::kClient});
    drop_pipe();
    work_->handler->on_client_gone();
  }
  on_closed_(*this);
}

void SessionH1::update_watch() {
  if (work_ && work_->tunnel) return;
  bool read = !saw_eof_;
  if (state_ == State::kServing) {
    read = read && in_.size() < kMaxAhead && (body_complete_ || !work_->body_pipe || work_->body_pipe->room() > 0);
  } else if (state_ == State::kReading && write_blocked_ && unsent_bytes() >= kHighWater) {
    read = false;
  }
  transport_->watch(read, has_output());
}

}  // namespace seawall::proxy
