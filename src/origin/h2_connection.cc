#include "origin/h2_connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "origin/connector.h"
#include "origin/h2_request_fields.h"

namespace seawall::origin {
namespace {

// What the send queue may hold before nghttp2 is asked for no more.
constexpr std::uint64_t kQueueBytes = std::uint64_t{128} * 1024;
// Writes of one turn, so that one large upload does not have the worker for itself.
constexpr int kMostWrites = 8;
constexpr std::int32_t kConnectionWindow = 16 * H2Connection::kStreamWindow;
// However many the server takes.
constexpr std::size_t kMostStreams = 256;
// Replies to SETTINGS and PING that wait to be sent.
constexpr std::size_t kMostReplies = 500;
// Of a request's head, by nghttp2's cautious reckoning.
constexpr std::size_t kMostHeadBytes = std::size_t{4} * 1024 * 1024;
constexpr Millis kLingerTime{2000};

std::string_view view_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// Not the loop's buffer: a sink that is called while this one is being read may start another exchange, which may read
// from its own connection.
std::span<char> read_buffer() {
  thread_local std::array<char, ByteStream::kReadBytes> buffer;
  return buffer;
}

}  // namespace

struct H2Connection::Callbacks {
  static H2Connection& of(void* user) { return *static_cast<H2Connection*>(user); }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    return of(user).on_begin_frame(*head);
  }
  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    return of(user).on_begin_headers(*frame);
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    return of(user).on_header(*frame, view_of(name, name_size), view_of(value, value_size));
  }
  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    return of(user).on_frame(*frame);
  }
  static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    return of(user).on_frame_sent(*frame);
  }
  static int on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t stream_id, const std::uint8_t* bytes,
                           std::size_t size, void* user) {
    return of(user).on_data(stream_id, view_of(bytes, size));
  }
  static int on_stream_close(nghttp2_session*, std::int32_t stream_id, std::uint32_t error_code, void* user) {
    return of(user).on_stream_closed(stream_id, error_code);
  }
  static ssize_t next_data(nghttp2_session*, std::int32_t stream_id, std::uint8_t*, std::size_t most,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    H2Stream* const stream = of(user).find(stream_id);
    return stream ? stream->next_data(most, *flags) : ssize_t{NGHTTP2_ERR_DEFERRED};
  }
  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t size,
                       nghttp2_data_source*, void* user) {
    H2Stream* const stream = of(user).find(frame->hd.stream_id);
    return stream ? of(user).send_data(*stream, size, head) : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static nghttp2_session* make_session(H2Connection& connection);
};

nghttp2_session* H2Connection::Callbacks::make_session(H2Connection& connection) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  nghttp2_session* made = nullptr;
  SW_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0, "out of memory");
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);

  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_send_header_block_length(option, kMostHeadBytes);
  // Heads and lengths are checked by the exchange, which knows what to call what is wrong.
  nghttp2_option_set_no_http_messaging(option, 1);
  nghttp2_option_set_max_reserved_remote_streams(option, 0);
  nghttp2_option_set_max_outbound_ack(option, kMostReplies);
  nghttp2_option_set_max_continuations(option, http::max_continuations(connection.header_bytes_));

  SW_CHECK(nghttp2_session_client_new2(&made, callbacks, &connection, option) == 0, "out of memory");
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  return made;
}

H2Connection::H2Connection(net::Loop& loop, std::unique_ptr<net::Transport> transport, Millis idle_timeout,
                           std::size_t header_bytes, std::size_t assumed_streams, User& user)
    : loop_(loop),
      transport_(std::move(transport)),
      idle_timeout_(idle_timeout),
      header_bytes_(header_bytes),
      assumed_streams_(assumed_streams),
      user_(user),
      wake_(make_ref<Wake>(*this)),
      timer_([this] { on_timeout(); }),
      sent_at_(loop.mono_now()),
      received_at_(sent_at_),
      session_(Callbacks::make_session(*this)),
      budget_(sent_at_),
      late_data_(std::size_t{2} * kConnectionWindow) {
  transport_->set_user(*this);
}

H2Connection::~H2Connection() {
  wake_->connection = nullptr;
  nghttp2_session_del(session_);
}

void H2Connection::start() {
  const std::array<nghttp2_settings_entry, 3> settings = {{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(header_bytes_)},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  wake(transport_->has_unread());
}

bool H2Connection::is_vacant() const {
  return state_ == State::kOpen && !is_retired_ && !has_goaway_ && !is_output_dead_ && open_streams_ < most_streams() &&
         nghttp2_session_check_request_allowed(session_) != 0;
}

std::size_t H2Connection::most_streams() const {
  if (!has_settings_) return assumed_streams_;
  const std::size_t allowed = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return std::min(allowed, kMostStreams);
}

void H2Connection::retire() {
  if (state_ != State::kOpen) return;
  is_retired_ = true;
  if (is_idle()) terminate(NGHTTP2_NO_ERROR);
}

void H2Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.cancel();
  transport_->watch(false, false);
  while (H2Stream* stream = streams_.front()) forget(*stream);
}

void H2Connection::submit(H2Stream& stream, const H2RequestFields& fields, bool has_body) {
  SW_DASSERT(is_vacant(), "there is no room for a stream");
  const nghttp2_data_provider provider{.source = {}, .read_callback = Callbacks::next_data};
  const std::int32_t id =
      nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), has_body ? &provider : nullptr, &stream);
  SW_CHECK(id > 0, "nghttp2 is out of memory");
  stream.id_ = id;
  stream.flush_at_ = 0;
  streams_.push_back(stream);
  ++open_streams_;
  timer_.cancel();
  wake(false);
}

void H2Connection::submit_trailers(H2Stream& stream, const H2RequestFields& fields) {
  nghttp2_submit_trailer(session_, stream.id_, fields.data(), fields.size());
}

void H2Connection::resume(H2Stream& stream) {
  nghttp2_session_resume_data(session_, stream.id_);
  wake(false);
}

void H2Connection::consume(H2Stream& stream, std::size_t size) {
  if (size == 0 || state_ != State::kOpen) return;
  nghttp2_session_consume_stream(session_, stream.id_, size);
  wake(false);
}

void H2Connection::leave(H2Stream& stream, std::optional<std::uint32_t> reset_code) {
  forget(stream);
  if (!reset_code || state_ != State::kOpen) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, *reset_code);
  budget_.earn(H2FrameBudget::kCancel);
  wake(false);
}

// nghttp2's stream may go on; nobody asks for it any more.
void H2Connection::forget(H2Stream& stream) {
  nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
  stream.link_.unlink();
  stream.flush_link_.unlink();
  if (reading_ == &stream) reading_ = nullptr;
}

H2Stream* H2Connection::find(std::int32_t stream_id) const {
  return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session_, stream_id));
}

void H2Connection::on_stream_ready(bool readable, bool writable) {
  if (writable) is_blocked_ = false;
  turn(readable);
}

// What there is to send leaves in a later turn, together with what else comes up until then.
void H2Connection::wake(bool readable) {
  wakes_to_read_ = wakes_to_read_ || readable;
  if (is_in_turn_) wakes_again_ = true;
  if (is_in_turn_ || is_wake_posted_ || state_ == State::kClosed) return;
  is_wake_posted_ = true;
  loop_.post([wake = wake_] {
    H2Connection* const self = wake->connection;
    if (!self) return;
    self->is_wake_posted_ = false;
    self->turn(std::exchange(self->wakes_to_read_, false));
  });
}

void H2Connection::turn(bool readable) {
  if (state_ == State::kClosed) return;
  is_in_turn_ = true;
  if (readable) read();
  wakes_again_ = wakes_to_read_;
  if (state_ != State::kClosed) pump();
  if (state_ != State::kClosed) settle();
  is_in_turn_ = false;
  if (wakes_again_) wake(false);
}

void H2Connection::read() {
  const std::span<char> buffer = read_buffer();
  const ByteStream::Outcome outcome = transport_->read(buffer);
  switch (outcome.status) {
    case ByteStream::Status::kBlocked:
      if (is_output_dead_) lose(ErrorCode::kPeerReset);
      return;
    case ByteStream::Status::kEnd:
    case ByteStream::Status::kTruncated: return lose(ErrorCode::kPeerClosed);
    case ByteStream::Status::kFailed: return lose(failure_of(*transport_));
    case ByteStream::Status::kOk: break;
  }
  if (state_ == State::kOpen) receive({buffer.data(), outcome.bytes});
  // No readiness tells of an end that came with the last bytes.
  if (state_ != State::kClosed && transport_->has_ended()) return lose(ErrorCode::kPeerClosed);
  if (is_output_dead_) wake(true);
}

void H2Connection::receive(std::string_view bytes) {
  received_bytes_ += bytes.size();
  received_at_ = loop_.mono_now();
  spend_late_data();
  walk(bytes);
  if (state_ != State::kOpen) return;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken >= 0) return;
  switch (static_cast<int>(taken)) {
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_SETTINGS:
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS: return terminate(NGHTTP2_ENHANCE_YOUR_CALM);
    default: return terminate(NGHTTP2_PROTOCOL_ERROR);
  }
}

// What nghttp2 had dropped in the last turn, of streams that it did not know any more: by now the resets have left that
// may explain it.
void H2Connection::spend_late_data() {
  const std::size_t frames = std::exchange(untold_frames_, 0);
  const bool is_excused = late_data_.excuses(frames, std::exchange(untold_bytes_, 0));
  if (!is_excused) spend(static_cast<std::int64_t>(frames) * H2FrameBudget::kLateData);
}

// Ahead of nghttp2, which is silent about what it drops.
void H2Connection::walk(std::string_view bytes) {
  walk_.feed(bytes, [this](std::uint8_t type, std::size_t size) {
    if (type == NGHTTP2_DATA) {
      ++untold_frames_;
      untold_bytes_ += size;
    } else if (type > NGHTTP2_CONTINUATION) {
      spend(H2FrameBudget::kUnknownFrame);
    }
  });
}

int H2Connection::on_begin_frame(const nghttp2_frame_hd& head) {
  if (head.type == NGHTTP2_DATA) {
    --untold_frames_;
    untold_bytes_ -= head.length;
  }
  if (state_ != State::kOpen) return 0;
  switch (head.type) {
    case NGHTTP2_DATA: break;  // on_data_frame(): only then is known how much of it is padding
    case NGHTTP2_HEADERS:
      if (!find(head.stream_id)) spend(H2FrameBudget::kPing);
      break;
    case NGHTTP2_CONTINUATION:
      if (head.length == 0) spend(H2FrameBudget::kEmptyFrame);
      break;
    case NGHTTP2_SETTINGS:
      if ((head.flags & NGHTTP2_FLAG_ACK) == 0) spend(H2FrameBudget::kSettings);
      break;
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_WINDOW_UPDATE: spend(H2FrameBudget::kIdleFrame); break;
    case NGHTTP2_PING: spend(H2FrameBudget::kPing); break;
    default: spend(H2FrameBudget::kEmptyFrame); break;  // says nothing that is of use here
  }
  return 0;
}

int H2Connection::on_begin_headers(const nghttp2_frame& frame) {
  if (state_ != State::kOpen) return 0;
  section_limits_ = 0;
  reading_ = frame.hd.type == NGHTTP2_HEADERS ? find(frame.hd.stream_id) : nullptr;
  if (reading_) reading_->on_section_begin();
  return 0;
}

int H2Connection::on_header(const nghttp2_frame&, std::string_view name, std::string_view value) {
  if (!reading_ || state_ != State::kOpen) return 0;
  // What is past the limit is not kept, but it costs to decode.
  const std::size_t limits = reading_->on_field(name, value) / header_bytes_;
  if (limits > section_limits_) spend(H2FrameBudget::kHeaderBomb);
  section_limits_ = limits;
  return 0;
}

int H2Connection::on_frame(const nghttp2_frame& frame) {
  if (state_ != State::kOpen) return 0;
  const bool ends_stream = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
      if (H2Stream* const stream = std::exchange(reading_, nullptr)) {
        budget_.earn(H2FrameBudget::kAnswer);
        stream->on_section_end(ends_stream);
      }
      break;
    case NGHTTP2_DATA: on_data_frame(frame); break;
    case NGHTTP2_SETTINGS:
      has_settings_ = has_settings_ || (frame.hd.flags & NGHTTP2_FLAG_ACK) == 0;
      has_changed_ = true;
      break;
    case NGHTTP2_GOAWAY:
      // nghttp2 closes those that it has not seen.
      has_goaway_ = has_changed_ = true;
      break;
    default: break;
  }
  return 0;
}

void H2Connection::on_data_frame(const nghttp2_frame& frame) {
  const bool ends_stream = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  const bool has_data = frame.hd.length > frame.data.padlen;
  H2Stream* const stream = find(frame.hd.stream_id);
  if (!has_data && !ends_stream) {
    spend(H2FrameBudget::kEmptyFrame);
  } else if (!stream) {
    spend(H2FrameBudget::kIdleFrame);
  } else if (has_data) {
    budget_.earn(H2FrameBudget::kData);
  }
  if (stream && ends_stream) stream->on_end_stream();
}

int H2Connection::on_data(std::int32_t stream_id, std::string_view bytes) {
  nghttp2_session_consume_connection(session_, bytes.size());
  H2Stream* const stream = state_ == State::kOpen ? find(stream_id) : nullptr;
  if (stream) stream->on_data(bytes);
  return 0;
}

int H2Connection::on_stream_closed(std::int32_t stream_id, std::uint32_t error_code) {
  const bool is_ours = stream_id % 2 == 1;
  if (is_ours && open_streams_ > 0) --open_streams_;
  has_changed_ = true;
  H2Stream* const stream = find(stream_id);
  if (!stream) return 0;
  forget(*stream);
  H2Stream::Loss loss = H2Stream::Loss::kReset;
  if (error_code == NGHTTP2_REFUSED_STREAM) loss = has_goaway_ ? H2Stream::Loss::kNotSeen : H2Stream::Loss::kRefused;
  stream->on_lost(ErrorCode::kPeerReset, loss);
  return 0;
}

int H2Connection::on_frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_RST_STREAM) late_data_.on_reset(kStreamWindow);
  H2Stream* const stream = find(frame.hd.stream_id);
  if (!stream) return 0;
  if (frame.hd.type == NGHTTP2_HEADERS) note_framed(*stream);
  // Of a stream that has been left this cannot be: nghttp2 found the server at fault.
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    forget(*stream);
    stream->on_lost(ErrorCode::kHttp2Failed, H2Stream::Loss::kReset);
  }
  return 0;
}

int H2Connection::send_data(H2Stream& stream, std::size_t size, const std::uint8_t* head) {
  constexpr std::size_t kFrameHead = 9;
  const std::uint64_t queued_before = out_.size_bytes();
  out_.push(view_of(head, kFrameHead));
  stream.take_data(size, out_);
  framed_bytes_ += out_.size_bytes() - queued_before;
  note_framed(stream);
  budget_.earn(H2FrameBudget::kData);
  return out_.size_bytes() < kQueueBytes ? 0 : NGHTTP2_ERR_PAUSE;
}

void H2Connection::note_framed(H2Stream& stream) {
  stream.flush_at_ = framed_bytes_;
  unflushed_.push_back(stream);
}

void H2Connection::note_flushed() {
  const std::uint64_t flushed = framed_bytes_ - out_.size_bytes();
  while (H2Stream* const stream = unflushed_.front()) {
    if (stream->flush_at_ > flushed) return;
    unflushed_.pop_front();
    stream->on_flushed();
  }
}

void H2Connection::spend(std::int64_t cost) {
  if (!budget_.spend(cost, loop_.mono_now())) terminate(NGHTTP2_ENHANCE_YOUR_CALM);
}

// Everything that can be sent goes, in as few writes as can be.
void H2Connection::pump() {
  if (is_output_dead_) return;
  for (int writes = 0; writes < kMostWrites; ++writes) {
    has_more_ = pull();
    if (state_ == State::kClosed || is_blocked_) return;
    const std::uint64_t queued = out_.size_bytes();
    const net::SendStatus status = out_.flush(*transport_);
    if (status == net::SendStatus::kClosed) {
      is_output_dead_ = true;
      // Some of it may have gone before the failure showed: a request is not safe to send again for that.
      while (H2Stream* const stream = unflushed_.front()) {
        unflushed_.pop_front();
        stream->on_flushed();
      }
      out_.clear();
      return wake(true);
    }
    if (out_.size_bytes() < queued) sent_at_ = loop_.mono_now();
    is_blocked_ = status == net::SendStatus::kBlocked;
    note_flushed();
    if (is_blocked_ || !has_more_) return;
  }
}

// From nghttp2 into the queue. True: the queue is full, and there may be more.
bool H2Connection::pull() {
  while (out_.size_bytes() < kQueueBytes) {
    if (state_ != State::kOpen && nghttp2_session_want_write(session_) == 0) return false;
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    SW_CHECK(size >= 0, "nghttp2 is out of memory");
    if (state_ == State::kClosed) return false;
    if (size == 0) return out_.size_bytes() >= kQueueBytes;
    out_.push(view_of(bytes, static_cast<std::size_t>(size)));
    framed_bytes_ += static_cast<std::uint64_t>(size);
  }
  return true;
}

// What the turn has come to.
void H2Connection::settle() {
  if (state_ == State::kOpen && is_idle() && (is_retired_ || has_goaway_)) terminate(NGHTTP2_NO_ERROR);
  const bool wants_write = nghttp2_session_want_write(session_) != 0;
  // nghttp2 has found the server at fault.
  if (state_ == State::kOpen && !wants_write && nghttp2_session_want_read(session_) == 0) begin_closing();
  if (state_ == State::kClosing) {
    lose_streams(ErrorCode::kHttp2Failed);
    if (state_ == State::kClosed) return;
    if (!has_output() && !wants_write) {
      transport_->end_output();
      state_ = State::kLingering;
    }
    user_.on_change(*this);
  } else if (state_ == State::kOpen) {
    if (std::exchange(has_changed_, false)) user_.on_change(*this);
    if (state_ == State::kOpen && is_idle() && !timer_.is_armed()) {
      loop_.timers().arm(timer_, loop_.mono_now() + idle_timeout_);
    }
  }
  if (state_ != State::kClosed) transport_->watch(true, !is_output_dead_ && (has_output() || has_more_));
}

// From within nghttp2's callbacks too.
void H2Connection::terminate(std::uint32_t error_code) {
  if (state_ != State::kOpen) return;
  nghttp2_session_terminate_session(session_, error_code);
  begin_closing();
  wake(false);
}

void H2Connection::begin_closing() {
  state_ = State::kClosing;
  loop_.timers().arm(timer_, loop_.mono_now() + kLingerTime);
}

void H2Connection::lose_streams(ErrorCode code) {
  while (H2Stream* const stream = streams_.front()) {
    forget(*stream);
    stream->on_lost(code, H2Stream::Loss::kConnection);
  }
}

void H2Connection::lose(ErrorCode code) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.cancel();
  transport_->watch(false, false);
  user_.on_gone(*this);
  lose_streams(code);
}

void H2Connection::on_timeout() {
  if (state_ != State::kOpen) return lose(ErrorCode::kPeerClosed);
  if (is_idle()) terminate(NGHTTP2_NO_ERROR);
}

}  // namespace seawall::origin
