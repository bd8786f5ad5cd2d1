#include "proxy/session_h2.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace seawall::proxy {
namespace {

// What the send queue may hold before nghttp2 is asked for no more: enough for one write, and little enough that what
// is urgent need not wait long.
constexpr std::uint64_t kQueueBytes = std::uint64_t{128} * 1024;
// Writes of one turn, so that a fast reader of a large body does not have the worker for itself.
constexpr int kMostWrites = 8;
// Of what may be on its way to us at once; each stream has a smaller one of its own, which bounds what it keeps here.
constexpr std::int32_t kConnectionWindow = 1024 * 1024;
// Replies to SETTINGS and PING that wait to be sent.
constexpr std::size_t kMostReplies = 500;
// Of an answer's head, by nghttp2's cautious reckoning.
constexpr std::size_t kMostHeadBytes = std::size_t{1024} * 1024;
// How long the first step of a drain waits for the round trip that shows that the client has seen it.
constexpr Millis kDrainWait{1000};
constexpr Millis kLingerTime{2000};
// How often we look whether a client that has closed its half is still there: nobody reads from it any more, who would
// be told of a reset.
constexpr Millis kGoneLook{1000};
// A DATA frame smaller than this costs more than it carries; a client makes us send many by a window that is always
// nearly closed.
constexpr std::size_t kTinyData = 256;
constexpr std::array<std::uint8_t, 8> kDrainPing = {'s', 'e', 'a', 'w', 'a', 'l', 'l', '.'};

std::string_view view_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

struct SessionH2::Callbacks {
  static SessionH2& of(void* user) { return *static_cast<SessionH2*>(user); }

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
  // By default nghttp2 would leave such a field out, and serve what another server would refuse.
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                               const std::uint8_t*, std::size_t, std::uint8_t, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    return of(user).on_frame(*frame);
  }
  static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    return of(user).on_frame_sent(*frame);
  }
  static int on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    return of(user).on_frame_not_sent(*frame);
  }
  static int on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t stream_id, const std::uint8_t* bytes,
                           std::size_t size, void* user) {
    return of(user).on_data(stream_id, view_of(bytes, size));
  }
  static int on_stream_close(nghttp2_session*, std::int32_t stream_id, std::uint32_t, void* user) {
    return of(user).on_stream_closed(stream_id);
  }
  static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size,
                       nghttp2_data_source* source, void* user) {
    return of(user).send_data(*static_cast<H2Stream*>(source->ptr), size, head);
  }

  static nghttp2_session* make_session(SessionH2& session);
};

nghttp2_session* SessionH2::Callbacks::make_session(SessionH2& session) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  nghttp2_session* made = nullptr;
  SW_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0, "out of memory");
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);

  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, kMostReplies);
  nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
  // What an origin may send must be able to go on.
  nghttp2_option_set_max_send_header_block_length(option, kMostHeadBytes);
  nghttp2_option_set_max_continuations(option, http::max_continuations(session.options_->head_limits.header_bytes));
  // H2Budget knows better: it sees what else the client does.
  constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 32;
  nghttp2_option_set_stream_reset_rate_limit(option, kNoLimit, kNoLimit);

  SW_CHECK(nghttp2_session_server_new2(&made, callbacks, &session, option) == 0, "out of memory");
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  return made;
}

SessionH2::SessionH2(net::Loop& loop, std::shared_ptr<const SessionOptions> options,
                     std::unique_ptr<net::Transport> transport, ClientInfo client, const HandlerFactory& make_handler,
                     OnSessionClosed on_closed, H2Counters& counters)
    : loop_(loop),
      options_(std::move(options)),
      transport_(std::move(transport)),
      client_(std::move(client)),
      make_handler_(make_handler),
      on_closed_(std::move(on_closed)),
      counters_(counters),
      wake_(make_ref<Wake>(*this)),
      timer_([this] { on_timeout(); }),
      began_at_(loop.mono_now()),
      idle_since_(began_at_),
      sent_bytes_(transport_->sent_bytes()),
      connection_{.loop = loop, .options = *options_, .client = client_, .user = *this},
      budget_(began_at_),
      late_data_(std::size_t{2} * kConnectionWindow),
      reader_(options_->head_limits) {
  connection_.session = Callbacks::make_session(*this);
  transport_->set_user(*this);
  H2Counters::count(counters_.connections);
}

SessionH2::~SessionH2() {
  wake_->session = nullptr;
  nghttp2_session_del(connection_.session);
  for (auto* list : {&streams_, &leftovers_, &pool_}) {
    while (H2Stream* stream = list->pop_front()) delete stream;
  }
}

void SessionH2::start() {
  const SessionOptions& o = *options_;
  const std::array<nghttp2_settings_entry, 5> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o.http2.streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2Stream::kWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(o.head_limits.header_bytes)},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(connection_.session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(connection_.session, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  turn(transport_->has_unread());
  while (state_ != State::kClosed && transport_->has_unread()) turn(true);
  if (state_ != State::kClosed) arm(next_deadline());
}

// Two steps (RFC 9113 section 6.8): first that no more should come, and after a round trip what is the last that did.
void SessionH2::drain() {
  if (drain_ != Drain::kNot || state_ != State::kServing) return;
  drain_ = Drain::kAnnounced;
  drain_at_ = loop_.mono_now();
  nghttp2_submit_shutdown_notice(connection_.session);
  nghttp2_submit_ping(connection_.session, NGHTTP2_FLAG_NONE, kDrainPing.data());
  arm(drain_at_ + kDrainWait);
  on_output();
}

void SessionH2::finish_drain() {
  if (drain_ != Drain::kAnnounced) return;
  drain_ = Drain::kFinal;
  nghttp2_submit_goaway(connection_.session, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(connection_.session), NGHTTP2_NO_ERROR, nullptr, 0);
  on_output();
}

void SessionH2::on_stream_ready(bool readable, bool writable) {
  if (state_ == State::kClosed) return;
  if (writable) is_blocked_ = false;
  turn(readable);
}

void SessionH2::on_output() {
  if (is_in_turn_ || is_wake_posted_ || state_ == State::kClosed) return;
  is_wake_posted_ = true;
  loop_.post([wake = wake_] {
    if (!wake->session) return;
    wake->session->is_wake_posted_ = false;
    wake->session->turn(false);
  });
}

void SessionH2::turn(bool readable) {
  if (state_ == State::kClosed) return;
  is_in_turn_ = true;
  if (readable) read();
  if (state_ != State::kClosed) pump();
  if (state_ != State::kClosed) settle();
  is_in_turn_ = false;
}

void SessionH2::read() {
  // Not the loop's: a request that is begun from within may make others read.
  thread_local std::array<char, ByteStream::kReadBytes> buffer;
  const ByteStream::Outcome outcome = transport_->read(buffer);
  switch (outcome.status) {
    case ByteStream::Status::kBlocked: return;
    // Every stream says where it ends, so a missing word of farewell cuts nothing off.
    case ByteStream::Status::kEnd:
    case ByteStream::Status::kTruncated: return on_input_end();
    case ByteStream::Status::kFailed: return close();
    case ByteStream::Status::kOk: break;
  }
  if (state_ == State::kServing) receive({buffer.data(), outcome.bytes});
  // No readiness tells of an end that came with the last bytes.
  if (transport_->has_ended() && !transport_->has_unread()) on_input_end();
}

// A half-closed client still gets its answers, as over HTTP/1.1, as far as its windows are open.
void SessionH2::on_input_end() {
  if (state_ == State::kLingering) return close();
  saw_end_ = true;
  if (state_ != State::kServing) return;
  arm(loop_.mono_now() + kGoneLook);
  if (H2Stream* const half = std::exchange(reading_, nullptr)) half->abort();
  for (H2Stream* stream = streams_.front(); stream;) {
    H2Stream* const next = streams_.next(*stream);
    stream->on_input_end();
    stream = next;
  }
}

void SessionH2::receive(std::string_view bytes) {
  spend_late_data();
  walk(bytes);
  if (state_ != State::kServing) return;
  const ssize_t taken =
      nghttp2_session_mem_recv(connection_.session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  // Streams past the limit are refused by nghttp2 itself, with a frame each.
  if (taken >= 0 && nghttp2_session_get_outbound_queue_size(connection_.session) >
                        kMostReplies + std::size_t{4} * options_->http2.streams) {
    return calm(H2Abuse::kUnreadReply);
  }
  if (taken >= 0) return;
  switch (static_cast<int>(taken)) {
    case NGHTTP2_ERR_FLOODED: return calm(H2Abuse::kUnreadReply);
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS: return calm(H2Abuse::kContinuation);
    default: return terminate(NGHTTP2_PROTOCOL_ERROR);
  }
}

// What nghttp2 had dropped in the last turn, of streams that it did not know any more: by now the resets have left that
// may explain it.
void SessionH2::spend_late_data() {
  const std::size_t frames = std::exchange(untold_frames_, 0);
  const bool is_excused = late_data_.excuses(frames, std::exchange(untold_bytes_, 0));
  if (!is_excused) spend(H2Abuse::kLateData, static_cast<std::uint32_t>(frames));
}

// Ahead of nghttp2, which is silent about what it drops.
void SessionH2::walk(std::string_view bytes) {
  walk_.feed(bytes, [this](std::uint8_t type, std::size_t size) {
    if (type == NGHTTP2_DATA) {
      ++untold_frames_;
      untold_bytes_ += size;
    } else if (type > NGHTTP2_CONTINUATION && type != NGHTTP2_PRIORITY_UPDATE) {
      spend(H2Abuse::kUnknownFrame);
    }
  });
}

int SessionH2::on_begin_frame(const nghttp2_frame_hd& head) {
  if (head.type == NGHTTP2_DATA) {
    --untold_frames_;
    untold_bytes_ -= head.length;
  }
  if (state_ != State::kServing) return 0;
  const bool is_empty = head.length == 0;
  switch (head.type) {
    case NGHTTP2_HEADERS:
      if (is_empty && (head.flags & NGHTTP2_FLAG_END_HEADERS) == 0) spend(H2Abuse::kEmptyFrame);
      break;
    case NGHTTP2_CONTINUATION:
      // Full ones and a last one are what a large head needs; how many of them nghttp2 bounds.
      if (is_empty) {
        spend(H2Abuse::kEmptyFrame);
      } else if (head.length < http::kH2FrameBytes && (head.flags & NGHTTP2_FLAG_END_HEADERS) == 0) {
        spend(H2Abuse::kContinuation);
      }
      break;
    case NGHTTP2_RST_STREAM: spend(H2Abuse::kReset); break;
    case NGHTTP2_SETTINGS:
      if ((head.flags & NGHTTP2_FLAG_ACK) == 0) spend(H2Abuse::kSettings);
      break;
    case NGHTTP2_PING: spend(H2Abuse::kPing); break;
    case NGHTTP2_PRIORITY:
    case NGHTTP2_PRIORITY_UPDATE: spend(H2Abuse::kPriority); break;
    case NGHTTP2_WINDOW_UPDATE: spend(H2Abuse::kWindowUpdate); break;
    default: break;
  }
  return 0;
}

int SessionH2::on_begin_headers(const nghttp2_frame& frame) {
  if (state_ != State::kServing) return 0;
  section_limit_ = options_->head_limits.header_bytes;
  head_began_at_ = loop_.mono_now();
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) {
    reading_ = find(frame.hd.stream_id);
    trailers_.take();
    return 0;
  }
  reading_ = pool_.pop_front();
  if (!reading_) reading_ = new H2Stream(connection_, make_handler_);
  reading_->open(frame.hd.stream_id);
  streams_.push_back(*reading_);
  nghttp2_session_set_stream_user_data(connection_.session, frame.hd.stream_id, reading_);
  reader_.begin(reading_->request());
  H2Counters::count(counters_.streams);
  budget_.earn_request();
  return 0;
}

int SessionH2::on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value) {
  if (!reading_ || state_ != State::kServing) return 0;
  std::size_t section_bytes;
  if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    reader_.add(name, value, reading_->request());
    section_bytes = reader_.list_bytes();
  } else {
    trailers_.add(name, value);
    section_bytes = trailers_.list_bytes();
  }
  // What is past the limit is not kept, but it costs to decode.
  while (section_bytes > section_limit_) {
    section_limit_ += std::max(options_->head_limits.header_bytes, std::size_t{1});
    spend(H2Abuse::kHeaderBomb);
  }
  return 0;
}

int SessionH2::on_frame(const nghttp2_frame& frame) {
  if (state_ != State::kServing) return 0;
  const bool ends_stream = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS: on_headers(frame); break;
    case NGHTTP2_DATA:
      // Padding carries nothing either; only here is known how much of the frame it is.
      if (!ends_stream && frame.hd.length == frame.data.padlen) spend(H2Abuse::kEmptyFrame);
      if (H2Stream* stream = ends_stream ? find(frame.hd.stream_id) : nullptr) stream->on_end_stream({});
      break;
    case NGHTTP2_SETTINGS: has_preface_ = true; break;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 && std::ranges::equal(frame.ping.opaque_data, kDrainPing)) {
        finish_drain();
      }
      break;
    case NGHTTP2_PRIORITY_UPDATE: {
      const auto& update = *static_cast<const nghttp2_ext_priority_update*>(frame.ext.payload);
      H2Stream* stream = find(update.stream_id);
      if (stream) stream->on_priority(view_of(update.field_value, update.field_value_len));
      break;
    }
    default: break;
  }
  return 0;
}

// A field section is complete.
void SessionH2::on_headers(const nghttp2_frame& frame) {
  H2Stream* const stream = std::exchange(reading_, nullptr);
  if (!stream) return;
  const bool ends_stream = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) {
    if (trailers_.is_malformed()) return stream->on_malformed_trailers();
    return stream->on_end_stream(trailers_.take());
  }
  const Result<void> head = reader_.finish(ends_stream, client_.scheme, stream->request());
  if (head) {
    stream->serve(ends_stream, reader_.is_extended_connect());
  } else {
    stream->refuse(head.error(), ends_stream);
  }
}

int SessionH2::on_data(std::int32_t stream_id, std::string_view bytes) {
  H2Stream* const stream = state_ == State::kServing ? find(stream_id) : nullptr;
  if (stream) {
    stream->on_data(bytes);
  } else {
    nghttp2_session_consume(connection_.session, stream_id, bytes.size());
  }
  return 0;
}

int SessionH2::on_stream_closed(std::int32_t stream_id) {
  H2Stream* const stream = find(stream_id);
  if (!stream) return 0;
  nghttp2_session_set_stream_user_data(connection_.session, stream_id, nullptr);
  if (stream == reading_) reading_ = nullptr;
  leftovers_.push_back(*stream);
  stream->on_closed();
  if (streams_.empty()) idle_since_ = loop_.mono_now();
  return 0;
}

void SessionH2::on_done(H2Stream& stream) {
  pool_.push_front(stream);
}

int SessionH2::on_frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    late_data_.on_reset(H2Stream::kWindowBytes);
    switch (frame.rst_stream.error_code) {
      case NGHTTP2_NO_ERROR:
      case NGHTTP2_CANCEL:
      case NGHTTP2_INTERNAL_ERROR: break;
      // It could not know our limit yet, or did not want to.
      case NGHTTP2_REFUSED_STREAM: spend(H2Abuse::kReset); break;
      default: spend(H2Abuse::kStreamError); break;
    }
    return 0;
  }
  // Streams past the last one that we serve.
  if (frame.hd.type == NGHTTP2_GOAWAY) late_data_.on_reset(kConnectionWindow);
  // nghttp2's own limit: too many entries in one SETTINGS frame.
  if (frame.hd.type == NGHTTP2_GOAWAY && frame.goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM &&
      state_ == State::kServing) {
    counters_.count(H2Abuse::kSettings);
  }
  const bool is_of_answer = frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA;
  if (!is_of_answer || (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  budget_.earn_answer();
  if (H2Stream* stream = find(frame.hd.stream_id)) stream->on_answer_sent();
  return 0;
}

// A head that is too large for nghttp2, for one: without it the stream would wait for ever.
int SessionH2::on_frame_not_sent(const nghttp2_frame& frame) {
  H2Stream* const stream = frame.hd.type == NGHTTP2_HEADERS ? find(frame.hd.stream_id) : nullptr;
  if (stream) stream->abort();
  return 0;
}

int SessionH2::send_data(H2Stream& stream, std::size_t size, const std::uint8_t* head) {
  constexpr std::size_t kFrameHead = 9;
  out_.push(view_of(head, kFrameHead));
  stream.take_data(size, out_);
  if (size < kTinyData && stream.unsent_bytes() > 0) {
    spend(H2Abuse::kTinyWindow);
  } else {
    budget_.earn_data();
  }
  return out_.size_bytes() < kQueueBytes ? 0 : NGHTTP2_ERR_PAUSE;
}

H2Stream* SessionH2::find(std::int32_t stream_id) const {
  return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(connection_.session, stream_id));
}

void SessionH2::spend(H2Abuse kind, std::uint32_t count) {
  if (!budget_.spend(kind, loop_.mono_now(), count)) calm(kind);
}

void SessionH2::calm(H2Abuse kind) {
  if (state_ != State::kServing) return;
  counters_.count(kind);
  terminate(NGHTTP2_ENHANCE_YOUR_CALM);
}

// From within nghttp2's callbacks too.
void SessionH2::terminate(std::uint32_t error_code) {
  if (state_ != State::kServing) return;
  nghttp2_session_terminate_session(connection_.session, error_code);
  state_ = State::kClosing;
  closing_at_ = loop_.mono_now();
  arm(closing_at_ + kLingerTime);
  on_output();
}

// Everything that can be sent goes, in as few writes as can be.
void SessionH2::pump() {
  for (int writes = 0; writes < kMostWrites; ++writes) {
    const bool was_waiting = has_output();
    do {
      has_more_ = pull();
    } while ((feed() || give_up_stuck()) && !has_more_);
    if (is_blocked_) return;
    const net::SendStatus status = out_.flush(*transport_);
    if (status == net::SendStatus::kClosed) return close();
    is_blocked_ = status == net::SendStatus::kBlocked;
    const bool made_progress = std::exchange(sent_bytes_, transport_->sent_bytes()) != transport_->sent_bytes();
    if (made_progress || !was_waiting) sent_at_ = loop_.mono_now();
    if (made_progress && was_waiting && streams_.empty()) idle_since_ = sent_at_;
    if (is_blocked_ || !has_more_) return;
  }
}

// From nghttp2 into the queue. True: the queue is full, and there may be more.
bool SessionH2::pull() {
  while (out_.size_bytes() < kQueueBytes) {
    // Nothing after the last GOAWAY: the streams are gone.
    if (state_ != State::kServing && nghttp2_session_want_write(connection_.session) == 0) return false;
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(connection_.session, &bytes);
    SW_CHECK(size >= 0, "nghttp2 is out of memory");
    if (size == 0) return out_.size_bytes() >= kQueueBytes;
    out_.push(view_of(bytes, static_cast<std::size_t>(size)));
  }
  return true;
}

// Lets those go on that have waited for room.
bool SessionH2::feed() {
  bool has_fed = false;
  while (H2Stream* stream = connection_.hungry.pop_front()) {
    stream->feed();
    has_fed = true;
  }
  return has_fed;
}

// No WINDOW_UPDATE comes any more that could let these go on.
bool SessionH2::give_up_stuck() {
  if (!saw_end_ || has_more_) return false;
  bool has_given_up = false;
  for (H2Stream* stream = streams_.front(); stream; stream = streams_.next(*stream)) {
    if (!stream->needs_window()) continue;
    stream->give_up();
    has_given_up = true;
  }
  return has_given_up;
}

// What the turn has come to.
void SessionH2::settle() {
  const bool wants_write = nghttp2_session_want_write(connection_.session) != 0;
  const bool is_last = nghttp2_session_want_read(connection_.session) == 0 || (saw_end_ && streams_.empty());
  const bool is_over = is_last && !wants_write && !has_output();
  if (state_ == State::kServing && is_over) {
    state_ = State::kClosing;
    closing_at_ = loop_.mono_now();
    arm(closing_at_ + kLingerTime);
  }
  if (state_ == State::kClosing) {
    drop_streams();
    if (!has_output() && !wants_write) begin_linger();
  }
  update_watch();
}

void SessionH2::drop_streams() {
  reading_ = nullptr;
  while (H2Stream* stream = streams_.front()) {
    leftovers_.push_back(*stream);
    nghttp2_session_set_stream_user_data(connection_.session, stream->id(), nullptr);
    stream->on_closed();
  }
}

void SessionH2::begin_linger() {
  transport_->end_output();
  if (saw_end_ && !has_output()) return close();
  state_ = State::kLingering;
  release_scratch();
}

void SessionH2::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.cancel();
  transport_->watch(false, false);
  drop_streams();
  on_closed_(*this);
}

void SessionH2::update_watch() {
  if (state_ == State::kClosed) return;
  transport_->watch(!saw_end_, has_output() || has_more_);
}

void SessionH2::arm(MonoTime deadline) {
  if (!timer_.is_armed() || deadline < timer_.deadline()) loop_.timers().arm(timer_, deadline);
}

// No later than the shortest of all waits from now on, so that waits which begin meanwhile need not arm the timer.
MonoTime SessionH2::next_deadline() const {
  const MonoTime now = loop_.mono_now();
  if (state_ != State::kServing) return closing_at_ + kLingerTime;
  const Millis shortest =
      std::min({options_->header_timeout, options_->body_timeout, options_->idle_timeout, options_->send_timeout});
  MonoTime next = now + shortest;
  if (has_output()) {
    next = std::min(next, sent_at_ + options_->send_timeout);
  } else if (streams_.empty()) {
    next = std::min(next, idle_since_ + options_->idle_timeout);
  }
  if (saw_end_) next = std::min(next, now + kGoneLook);
  if (reading_) next = std::min(next, head_began_at_ + options_->header_timeout);
  if (!has_preface_) next = std::min(next, began_at_ + options_->header_timeout);
  if (drain_ == Drain::kAnnounced) next = std::min(next, drain_at_ + kDrainWait);
  for (const H2Stream* stream = streams_.front(); stream; stream = streams_.next(*stream)) {
    if (const auto deadline = stream->deadline()) next = std::min(next, *deadline);
  }
  return next;
}

void SessionH2::on_timeout() {
  const MonoTime now = loop_.mono_now();
  if (state_ != State::kServing) return close();
  if (saw_end_ && transport_->is_gone()) return close();
  // A client that takes little at a time makes progress that nobody was told of.
  if (std::exchange(sent_bytes_, transport_->sent_bytes()) != transport_->sent_bytes()) sent_at_ = now;
  if (has_output() && sent_at_ + options_->send_timeout <= now) return close();
  if (!has_preface_ && began_at_ + options_->header_timeout <= now) return close();
  if (reading_ && head_began_at_ + options_->header_timeout <= now) {
    terminate(NGHTTP2_NO_ERROR);
  } else if (streams_.empty() && !has_output() && idle_since_ + options_->idle_timeout <= now) {
    terminate(NGHTTP2_NO_ERROR);
  } else if (drain_ == Drain::kAnnounced && drain_at_ + kDrainWait <= now) {
    finish_drain();
  }
  for (H2Stream* stream = streams_.front(); stream;) {
    H2Stream* const next = streams_.next(*stream);
    const auto deadline = stream->deadline();
    if (deadline && *deadline <= now) stream->on_timeout();
    stream = next;
  }
  if (streams_.empty()) release_scratch();
  loop_.timers().arm(timer_, std::max(next_deadline(), now));
  on_output();
}

// An idle connection keeps what nghttp2 needs and no more.
void SessionH2::release_scratch() {
  while (H2Stream* stream = pool_.pop_front()) delete stream;
  reader_.release();
  connection_.fields.release();
  if (out_.empty()) out_ = net::OutQueue();
}

}  // namespace seawall::proxy
